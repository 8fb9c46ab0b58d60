//! Leaving the present network waits until the answer is out.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use embassy_futures::poll_once;
use wps_core::driver::{Attempt, News};
use wps_core::wsc::Sightings;

#[test]
fn leaving_waits_also_when_it_was_dropped_and_only_once() {
    let answer_is_out = Cell::new(false);
    let parting = pin!(async {
        poll_fn(|_| if answer_is_out.get() { Poll::Ready(()) } else { Poll::Pending }).await;
    });
    let told = RefCell::new(Vec::new());
    let tell = |news| told.borrow_mut().push(news);
    let mut sightings = Sightings::new();
    let attempt = Attempt::new(&mut sightings, &tell).leaving_after(parting);

    assert!(poll_once(attempt.leave()).is_pending());
    assert!(poll_once(attempt.leave()).is_pending(), "the first one was dropped");
    assert!(told.borrow().is_empty());
    answer_is_out.set(true);
    assert!(poll_once(attempt.leave()).is_ready());
    assert!(poll_once(attempt.leave()).is_ready(), "to look, then for the exchange");
    assert_eq!(*told.borrow(), [News::OffAir, News::OffAir]);
}

#[test]
fn without_anybody_to_wait_for_it_leaves_at_once() {
    let told = RefCell::new(Vec::new());
    let tell = |news| told.borrow_mut().push(news);
    let mut sightings = Sightings::new();
    assert!(poll_once(Attempt::new(&mut sightings, &tell).leave()).is_ready());
    assert_eq!(*told.borrow(), [News::OffAir]);
}
