//! A clock for virtual time.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;

use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::waitqueue::MultiWakerRegistration;

use crate::time::{Clock, Instant};

/// The number of times that the rest of the task is polled before the clock moves on. No work
/// between two waits needs that many.
const YIELDS_PER_ADVANCE: u32 = 64;

/// A clock for virtual time: it stands still until it is moved.
pub struct ManualClock<M: RawMutex> {
    inner: Mutex<M, RefCell<Inner>>,
}

struct Inner {
    now: Instant,
    /// The earliest moment that a task waits for.
    next: Option<Instant>,
    wakers: MultiWakerRegistration<8>,
}

impl<M: RawMutex> ManualClock<M> {
    /// Creates a clock that shows zero.
    pub const fn new() -> Self {
        Self {
            inner: Mutex::new(RefCell::new(Inner {
                now: Instant::from_millis(0),
                next: None,
                wakers: MultiWakerRegistration::new(),
            })),
        }
    }

    /// Moves the clock forward by `by`.
    pub fn advance(&self, by: Duration) {
        self.with(|inner| inner.set(inner.now.after(by)));
    }

    /// Moves the clock to the next moment that a task waits for. Returns `false` if none waits.
    pub fn advance_to_next(&self) -> bool {
        self.with(|inner| match inner.next {
            Some(next) => {
                inner.set(next.max(inner.now));
                true
            }
            None => false,
        })
    }

    /// Moves the clock to the next awaited moment, over and over. Before each move it yields often
    /// enough for everything else in the same task to be polled. Put it *last* in a `select`.
    pub async fn fast_forward(&self) -> ! {
        loop {
            for _ in 0..YIELDS_PER_ADVANCE {
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
        // Tasks that still wait register again when they are woken.
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
