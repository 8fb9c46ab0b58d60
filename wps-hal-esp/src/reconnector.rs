//! Reconnects the station after its link was lost.

use core::marker::PhantomData;
use core::time::Duration;

use embassy_futures::select::{Either, select};
use wps_core::Clock;

use crate::ffi;
use crate::logging::warn;
use crate::state::{Link, STATION, State};

/// The delay before the first attempt.
const MIN_RETRY_DELAY: Duration = Duration::from_secs(1);
/// The longest delay. Each delay is twice as long as the one before it, up to this one.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(60);

/// Keeps the station of a [`Driver`](crate::Driver) connected, which the library does not do by
/// itself.
///
/// When a link is lost, it reconnects after one second. If that fails, it tries again after two
/// seconds, four, … up to 60. It sleeps while the link is up, while a pairing runs, and while the
/// radio is an access point or off.
///
/// It must stay in the thread of its driver, so that the two never call the library at the same
/// time.
pub struct Reconnector {
    /// Keeps this type in the driver's thread.
    pub(crate) _not_send: PhantomData<*const ()>,
}

impl Reconnector {
    /// Runs forever. Run it concurrently with the [`Runner`](wps_core::Runner), in a task of the
    /// same executor. The future may be dropped at any time, and `run` called again.
    pub async fn run(&mut self, clock: impl Clock) -> ! {
        loop {
            let lost = STATION.wait_for(is_lost).await;
            let retry_at = clock.now().after(retry_delay(lost.attempts));
            let is_not_lost = |state: &State| !is_lost(state);
            match select(STATION.wait_for(is_not_lost), clock.sleep_until(retry_at)).await {
                Either::First(_) => {}
                Either::Second(()) => reconnect(),
            }
        }
    }
}

fn is_lost(state: &State) -> bool {
    match state.link {
        Link::Down(_) => state.reconnect,
        Link::Connecting | Link::Up => false,
    }
}

fn retry_delay(attempts: u32) -> Duration {
    MIN_RETRY_DELAY.saturating_mul(1 << attempts.min(6)).min(MAX_RETRY_DELAY)
}

fn reconnect() {
    STATION.update(|state| {
        state.link = Link::Connecting;
        state.attempts = state.attempts.saturating_add(1);
    });
    if let Err(error) = ffi::connect() {
        warn!("radio: {:?}", error);
        STATION.set_link(Link::Down(0));
    }
}
