//! An executor on virtual time.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use wps_core::sim::ManualClock;

pub(crate) type TestClock = ManualClock<CriticalSectionRawMutex>;

/// Runs a future to its end. Whenever it has nothing left to do, the clock advances to the next
/// timer.
pub(crate) fn block_on<F: Future>(clock: &TestClock, future: F) -> F::Output {
    let woken = Arc::new(WokenFlag(AtomicBool::new(true)));
    let waker = Waker::from(woken.clone());
    let mut future = pin!(future);
    loop {
        while woken.0.swap(false, Ordering::Relaxed) {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
        }
        assert!(clock.advance_to_next(), "the future waits, but for no timer");
    }
}

struct WokenFlag(AtomicBool);

impl Wake for WokenFlag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
