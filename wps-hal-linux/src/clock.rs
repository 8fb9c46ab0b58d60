//! Time on Linux: `CLOCK_BOOTTIME`, which runs through suspend.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wps_core::{Clock, Instant};

/// The longest sleep before another look at the clock: tokio's timers stand still while the machine
/// sleeps, so this is how late a deadline can be noticed after it wakes.
const GLANCE: Duration = Duration::from_millis(500);

/// A [`Clock`] on `CLOCK_BOOTTIME`: a window of two minutes is over after two minutes, also when the
/// machine slept in between. Waits on tokio.
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
            tokio::time::sleep(left.min(GLANCE)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleeps_until_the_moment_and_not_less() {
        let at = BootClock.now().after(Duration::from_millis(20));
        BootClock.sleep_until(at).await;
        assert!(BootClock.now() >= at);
    }

    #[tokio::test]
    async fn a_moment_that_has_passed_is_no_wait() {
        BootClock.sleep_until(Instant::from_millis(0)).await;
        BootClock.sleep_until(BootClock.now()).await;
    }
}
