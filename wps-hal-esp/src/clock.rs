//! A clock on embassy-time.

use wps_core::{Clock, Instant};

/// A [`Clock`] on embassy-time.
///
/// The chip's timer runs as long as the chip does. Deep sleep is not a problem: no pairing runs in
/// it, and waking up from it is a restart.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmbassyClock;

impl Clock for EmbassyClock {
    fn now(&self) -> Instant {
        Instant::from_millis(embassy_time::Instant::now().as_millis())
    }

    async fn sleep_until(&self, at: Instant) {
        // A time beyond the range of embassy-time's ticks never arrives.
        match embassy_time::Instant::try_from_millis(at.as_millis()) {
            Some(at) => embassy_time::Timer::at(at).await,
            None => core::future::pending().await,
        }
    }
}
