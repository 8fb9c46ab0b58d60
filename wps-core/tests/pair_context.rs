//! Leaving the present network waits until the answer is out.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use embassy_futures::poll_once;
use wps_core::driver::{PairContext, PairEvent};
use wps_core::wsc::OverlapDetector;

#[test]
fn leaving_waits_also_when_it_was_dropped_and_only_once() {
    let answer_is_out = Cell::new(false);
    let reply_grace = pin!(async {
        poll_fn(|_| if answer_is_out.get() { Poll::Ready(()) } else { Poll::Pending }).await;
    });
    let told = RefCell::new(Vec::new());
    let tell = |news| told.borrow_mut().push(news);
    let mut overlap_detector = OverlapDetector::new();
    let context = PairContext::new(&mut overlap_detector, &tell).with_reply_grace(reply_grace);

    assert!(poll_once(context.before_disconnect()).is_pending());
    assert!(poll_once(context.before_disconnect()).is_pending(), "the first one was dropped");
    assert!(told.borrow().is_empty());
    answer_is_out.set(true);
    assert!(poll_once(context.before_disconnect()).is_ready());
    assert!(poll_once(context.before_disconnect()).is_ready(), "to look, then for the exchange");
    assert_eq!(*told.borrow(), [PairEvent::OffAir, PairEvent::OffAir]);
}

#[test]
fn without_anybody_to_wait_for_it_leaves_at_once() {
    let told = RefCell::new(Vec::new());
    let tell = |news| told.borrow_mut().push(news);
    let mut overlap_detector = OverlapDetector::new();
    assert!(
        poll_once(PairContext::new(&mut overlap_detector, &tell).before_disconnect()).is_ready()
    );
    assert_eq!(*told.borrow(), [PairEvent::OffAir]);
}
