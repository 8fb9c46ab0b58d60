use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A waker that remembers whether it was woken.
#[derive(Debug)]
pub struct WakeFlag(AtomicBool);

impl WakeFlag {
    /// Creates a flag that is set, so that the first poll takes place.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    /// Sets the flag.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Clears the flag, and returns whether it was set.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.set();
    }
}

/// Runs a future to its end. Whenever it waits, calls `advance`, which moves the clock to the next
/// timer and returns whether there is one.
///
/// # Panics
/// If the future waits, but not for a timer.
pub fn block_on<F: Future>(future: F, mut advance: impl FnMut() -> bool) -> F::Output {
    let flag = WakeFlag::new();
    let waker = Waker::from(flag.clone());
    let mut future = pin!(future);
    loop {
        while flag.take() {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
        }
        assert!(advance(), "the future waits, but for no timer");
    }
}
