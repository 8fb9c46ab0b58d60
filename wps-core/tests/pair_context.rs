//! `PairContext::before_disconnect` waits until the reply to the requester is sent.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use embassy_futures::poll_once;
use wps_core::driver::{PairContext, PairEvent};
use wps_core::wsc::OverlapDetector;

#[test]
fn disconnecting_waits_once_for_the_reply_grace_even_if_dropped() {
    let reply_is_sent = Cell::new(false);
    let reply_grace = pin!(async {
        poll_fn(|_| if reply_is_sent.get() { Poll::Ready(()) } else { Poll::Pending }).await;
    });
    let events = RefCell::new(Vec::new());
    let on_event = |event| events.borrow_mut().push(event);
    let mut overlap_detector = OverlapDetector::new();
    let context = PairContext::new(&mut overlap_detector, &on_event).with_reply_grace(reply_grace);

    assert!(poll_once(context.before_disconnect()).is_pending());
    assert!(poll_once(context.before_disconnect()).is_pending(), "the first one was dropped");
    assert!(events.borrow().is_empty());
    reply_is_sent.set(true);
    assert!(poll_once(context.before_disconnect()).is_ready());
    assert!(
        poll_once(context.before_disconnect()).is_ready(),
        "once for the search, once for the exchange"
    );
    assert_eq!(*events.borrow(), [PairEvent::OffAir, PairEvent::OffAir]);
}

#[test]
fn without_a_reply_grace_it_disconnects_at_once() {
    let events = RefCell::new(Vec::new());
    let on_event = |event| events.borrow_mut().push(event);
    let mut overlap_detector = OverlapDetector::new();
    assert!(
        poll_once(PairContext::new(&mut overlap_detector, &on_event).before_disconnect())
            .is_ready()
    );
    assert_eq!(*events.borrow(), [PairEvent::OffAir]);
}
