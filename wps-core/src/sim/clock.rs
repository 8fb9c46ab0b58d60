//! A clock moved by hand.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;

use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::waitqueue::MultiWakerRegistration;

use crate::time::{Clock, Instant};

/// How often the rest of the task is polled before the clock moves: more than any work between two
/// waits needs.
const TURNS: u32 = 64;

/// Virtual time: it stands still until somebody moves it.
pub struct ManualClock<M: RawMutex> {
    inner: Mutex<M, RefCell<Inner>>,
}

struct Inner {
    now: Instant,
    /// The earliest moment that somebody waits for.
    next: Option<Instant>,
    wakers: MultiWakerRegistration<8>,
}

impl<M: RawMutex> ManualClock<M> {
    /// A clock at zero.
    pub const fn new() -> Self {
        Self {
            inner: Mutex::new(RefCell::new(Inner {
                now: Instant::from_millis(0),
                next: None,
                wakers: MultiWakerRegistration::new(),
            })),
        }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.with(|inner| inner.set(inner.now.after(by)));
    }

    /// Moves the clock to the next moment that somebody waits for; false when nobody waits.
    pub fn advance_to_next(&self) -> bool {
        self.with(|inner| match inner.next {
            Some(next) => {
                inner.set(next.max(inner.now));
                true
            }
            None => false,
        })
    }

    /// Moves the clock on, again and again, to the next awaited moment, each time after everything
    /// else in the same task has had its turns. Put it *last* in a `select`.
    pub async fn fast_forward(&self) -> ! {
        loop {
            for _ in 0..TURNS {
                yield_now().await;
            }
            self.advance_to_next();
        }
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        self.inner.lock(|inner| act(&mut inner.borrow_mut()))
    }
}

impl<M: RawMutex> Default for ManualClock<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    fn set(&mut self, now: Instant) {
        self.now = now;
        // Whoever still waits says so again when woken.
        self.next = None;
        self.wakers.wake();
    }
}

impl<M: RawMutex> Clock for ManualClock<M> {
    fn now(&self) -> Instant {
        self.with(|inner| inner.now)
    }

    async fn sleep_until(&self, at: Instant) {
        poll_fn(|cx| {
            self.with(|inner| {
                if inner.now >= at {
                    return Poll::Ready(());
                }
                inner.next = Some(inner.next.map_or(at, |next| next.min(at)));
                inner.wakers.register(cx.waker());
                Poll::Pending
            })
        })
        .await;
    }
}
