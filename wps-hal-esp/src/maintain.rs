//! Looks after the station while the machine is idle: reconnects a lost link, which the library
//! does not do by itself, and notices that the network no longer accepts its key.
//!
//! What it waits for is in [`STATION`], so that it makes progress although it is dropped often.

use core::time::Duration;

use embassy_futures::select::{Either, select};
use wps_core::driver::IdleEvent;
use wps_core::{Clock, Instant};

use crate::logging::warn;
use crate::state::{Link, STATION, State};
use crate::station;

/// The delay before the first attempt.
const MIN_RETRY_DELAY: Duration = Duration::from_secs(1);
/// The longest delay. Each delay is twice as long as the one before it, up to this one.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(60);
/// How many attempts in a row must fail because of the key until it counts as refused. One can also
/// fail because of a weak signal.
const MIN_KEY_REFUSALS: u32 = 2;

/// Reconnects until there is an event. Does nothing unless the radio is a station.
pub(crate) async fn maintain(clock: &impl Clock) -> IdleEvent {
    loop {
        let state = STATION.wait_for(|state| is_lost(state) || event(state).is_some()).await;
        if let Some(event) = event(&state) {
            STATION.update(|state| state.key_refused = event == IdleEvent::KeyRefused);
            return event;
        }
        let Some(retry_at) = schedule_retry(clock.now()) else { continue };
        let is_not_lost = |state: &State| !is_lost(state);
        match select(STATION.wait_for(is_not_lost), clock.sleep_until(retry_at)).await {
            Either::First(_) => {}
            Either::Second(()) => reconnect(),
        }
    }
}

fn event(state: &State) -> Option<IdleEvent> {
    if !state.key_refused && state.retries.key_refusals >= MIN_KEY_REFUSALS {
        Some(IdleEvent::KeyRefused)
    } else if state.key_refused && state.link == Link::Up {
        Some(IdleEvent::KeyAccepted)
    } else {
        None
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

/// Returns the time of the next attempt, or `None` if the link is no longer lost.
fn schedule_retry(now: Instant) -> Option<Instant> {
    STATION.update(|state| {
        let delay = retry_delay(state.retries.attempts);
        is_lost(state).then(|| *state.retries.next_at.get_or_insert(now.after(delay)))
    })
}

/// Starts an attempt, unless the link is no longer lost.
fn reconnect() {
    let is_lost = STATION.update(|state| {
        let is_lost = is_lost(state);
        if is_lost {
            state.link = Link::Connecting;
            state.retries.attempts = state.retries.attempts.saturating_add(1);
            state.retries.next_at = None;
        }
        is_lost
    });
    if !is_lost {
        return;
    }
    if let Err(error) = station::reconnect() {
        warn!("radio: {:?}", error);
        STATION.set_link(Link::Down(0));
    }
}
