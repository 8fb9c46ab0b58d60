//! Time for the machine: milliseconds on the caller's clock, passed as an argument.

use core::time::Duration;

/// An instant on the caller's monotonic clock, in milliseconds since the clock began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant(u64);

impl Instant {
    /// Creates an instant from the number of milliseconds since the clock began.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Returns the number of milliseconds since the clock began.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the instant that is `by` later. Saturates at the maximum instead of wrapping.
    #[must_use]
    #[inline(never)] // it has many callers, and 64-bit arithmetic is large on a small core
    pub const fn after(self, by: Duration) -> Self {
        // Not `as_millis`: it needs 128-bit arithmetic, which adds code on a small core.
        let millis = by.as_secs().saturating_mul(1000).saturating_add(by.subsec_millis() as u64);
        Self(self.0.saturating_add(millis))
    }

    /// Returns the time from `earlier` to this instant, or zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A compact duration for queues: whole milliseconds, at most 49 days, in a quarter of the memory.
#[derive(Clone, Copy)]
pub(crate) struct Millis(u32);

impl From<Duration> for Millis {
    fn from(duration: Duration) -> Self {
        let millis = Instant(0).after(duration).as_millis();
        Self(u32::try_from(millis).unwrap_or(u32::MAX))
    }
}

impl From<Millis> for Duration {
    fn from(Millis(millis): Millis) -> Self {
        Self::from_millis(millis.into())
    }
}

/// A monotonic clock that keeps running during suspend, and can be awaited.
///
/// All times of the runner are on this clock. If it stops during suspend, a window stays open too
/// long. On Linux it is `CLOCK_BOOTTIME`.
#[allow(async_fn_in_trait, reason = "embedded executors are single-threaded: no Send bound wanted")]
pub trait Clock {
    /// Returns the current instant. It never goes back.
    fn now(&self) -> Instant;

    /// Resolves once `now() >= at`. Dropping the future has no effect.
    async fn sleep_until(&self, at: Instant);
}

impl<T: Clock + ?Sized> Clock for &T {
    fn now(&self) -> Instant {
        T::now(self)
    }

    async fn sleep_until(&self, at: Instant) {
        T::sleep_until(self, at).await;
    }
}

impl<T: Clock + ?Sized> Clock for &mut T {
    fn now(&self) -> Instant {
        T::now(self)
    }

    async fn sleep_until(&self, at: Instant) {
        T::sleep_until(self, at).await;
    }
}
