//! Time on a chip: embassy-time.

use wps_core::{Clock, Instant};

/// A [`Clock`] on embassy-time. The chip's timer runs as long as the chip does: in deep sleep there
/// is no pairing, and waking from it is a start.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmbassyClock;

impl Clock for EmbassyClock {
    fn now(&self) -> Instant {
        Instant::from_millis(embassy_time::Instant::now().as_millis())
    }

    async fn sleep_until(&self, at: Instant) {
        // Further than its ticks can count is never.
        match embassy_time::Instant::try_from_millis(at.as_millis()) {
            Some(at) => embassy_time::Timer::at(at).await,
            None => core::future::pending().await,
        }
    }
}
