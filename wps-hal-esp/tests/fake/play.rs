//! An executor on virtual time.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use wps_core::sim::ManualClock;

pub(crate) type Hand = ManualClock<CriticalSectionRawMutex>;

/// Runs to the end; whenever nobody has anything left to do, time moves on.
pub(crate) fn play<F: Future>(clock: &Hand, work: F) -> F::Output {
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(woken.clone());
    let mut work = pin!(work);
    loop {
        while woken.0.swap(false, Ordering::Relaxed) {
            if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                return done;
            }
        }
        assert!(clock.advance_to_next(), "nobody waits for anything");
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
