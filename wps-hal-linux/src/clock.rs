//! The clock on Linux: `CLOCK_BOOTTIME`, which keeps running while the machine is suspended.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wps_core::{Clock, Instant};

/// The longest sleep before the clock is read again. tokio's timers stop while the machine is
/// suspended, so a deadline can be noticed this much too late after it resumes.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// A [`Clock`] on `CLOCK_BOOTTIME`, so a window of two minutes ends after two minutes even if the
/// machine was suspended in between. Sleeps with tokio's timers.
#[derive(Clone, Copy, Debug, Default)]
pub struct BootClock;

impl Clock for BootClock {
    fn now(&self) -> Instant {
        let now = clock_gettime(ClockId::Boottime);
        let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
        Instant::from_millis(seconds.saturating_mul(1_000).saturating_add(nanos / 1_000_000))
    }

    async fn sleep_until(&self, at: Instant) {
        loop {
            let left = at.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(POLL_INTERVAL)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn never_wakes_before_the_instant() {
        let at = BootClock.now().after(Duration::from_millis(20));
        BootClock.sleep_until(at).await;
        assert!(BootClock.now() >= at);
    }

    #[tokio::test]
    async fn an_instant_in_the_past_returns_at_once() {
        BootClock.sleep_until(Instant::from_millis(0)).await;
        BootClock.sleep_until(BootClock.now()).await;
    }
}
