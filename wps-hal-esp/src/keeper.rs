//! Who brings a lost link back.

use core::marker::PhantomData;
use core::time::Duration;

use embassy_futures::select::{Either, select};
use wps_core::Clock;

use crate::ffi;
use crate::logging::info;
use crate::station::{Link, STATION, State};

/// The first pause before another try.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest, to which each doubles.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(60);

/// Keeps a [`Driver`](crate::Driver)'s station connected: what the library does not do by itself.
///
/// It sleeps while there is a link, while a pairing runs, and while the radio is an access point or
/// off. Where a link is lost it tries again after a second, then after two, four, … up to 60 seconds.
///
/// It stays in the thread of its driver: the two never call the library at the same time.
pub struct Keeper {
    pub(crate) in_one_thread: PhantomData<*const ()>,
}

impl Keeper {
    /// Runs for ever; run it beside the runner, in a task of the same executor. The future may be
    /// dropped at any time, and `run` called again.
    pub async fn run(&mut self, clock: impl Clock) -> ! {
        loop {
            let lost = STATION.until(is_lost).await;
            let until = clock.now().after(pause(lost.tries));
            match select(STATION.until(|now| !is_lost(now)), clock.sleep_until(until)).await {
                Either::First(_) => {}
                Either::Second(()) => try_again(),
            }
        }
    }
}

fn is_lost(state: &State) -> bool {
    match state.link {
        Link::Down(_) => state.kept,
        Link::Trying | Link::Up => false,
    }
}

fn pause(tries: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << tries.min(6)).min(MAX_RETRY_DELAY)
}

fn try_again() {
    STATION.change(|state| {
        state.link = Link::Trying;
        state.tries = state.tries.saturating_add(1);
    });
    if let Err(error) = ffi::connect() {
        info!("radio: {:?}", error);
        STATION.now_is(Link::Down(0));
    }
}
