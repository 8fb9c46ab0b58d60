//! Looks after the station while the machine is idle: reconnects a lost link, which the library
//! does not do by itself, gives up an attempt whose end the library does not report, and notices
//! that the network no longer accepts its key.
//!
//! What it waits for is in [`STATION`], so that it makes progress although it is dropped often.

use core::time::Duration;

use embassy_futures::select::{Either, select};
use wps_core::driver::IdleEvent;
use wps_core::{Clock, Instant};

use crate::logging::warn;
use crate::state::{Link, STATION, State};
use crate::{EspError, ffi};

/// The delay before the first attempt.
const MIN_RETRY_DELAY: Duration = Duration::from_secs(1);
/// The longest delay. Each delay is twice as long as the one before it, up to this one.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(60);
/// The longest random addition to a delay, as a part of it: the devices of one room lose their
/// router at the same moment.
const MAX_JITTER: u32 = 4;
/// How long an attempt may take. The library's own limits for its steps add up to less.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// How many attempts in a row must fail because of the key until it counts as refused. One can also
/// fail because of a weak signal.
const MIN_KEY_REFUSALS: u32 = 2;

/// Reconnects until there is an event. Does nothing unless the radio is a station.
pub(crate) async fn maintain(clock: &impl Clock, random: fn() -> u32) -> IdleEvent {
    loop {
        let has_work = |state: &State| next_step(state).is_some() || event(state).is_some();
        let state = STATION.wait_for(has_work).await;
        if let Some(event) = event(&state) {
            STATION.update(|state| state.key_refused = event == IdleEvent::KeyRefused);
            return event;
        }
        let Some((step, at)) = schedule(clock.now(), random()) else { continue };
        let is_over = |state: &State| next_step(state) != Some(step);
        match (select(STATION.wait_for(is_over), clock.sleep_until(at)).await, step) {
            (Either::First(_), _) => {}
            (Either::Second(()), NextStep::Reconnect) => reconnect(),
            (Either::Second(()), NextStep::GiveUp) => give_up(),
        }
    }
}

/// What has to be done for the link next, unless the library reports something before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NextStep {
    /// Start another attempt.
    Reconnect,
    /// Give up the current attempt.
    GiveUp,
}

fn next_step(state: &State) -> Option<NextStep> {
    match state.link {
        Link::Down(_) => state.reconnect.then_some(NextStep::Reconnect),
        Link::Connecting => state.reconnect.then_some(NextStep::GiveUp),
        Link::Up => None,
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

/// Returns the delay before an attempt, with a random addition.
fn retry_delay(attempts: u32, random: u32) -> Duration {
    let delay = MIN_RETRY_DELAY.saturating_mul(1 << attempts.min(6)).min(MAX_RETRY_DELAY);
    let random_percent = random % 101;
    delay.saturating_add(delay * random_percent / (100 * MAX_JITTER))
}

/// Returns the next step and its time, or `None` if there is nothing to do.
fn schedule(now: Instant, random: u32) -> Option<(NextStep, Instant)> {
    STATION.update(|state| {
        let step = next_step(state)?;
        let retries = &mut state.retries;
        let at = match step {
            NextStep::Reconnect => {
                let delay = retry_delay(retries.attempts, random);
                *retries.next_at.get_or_insert(now.after(delay))
            }
            NextStep::GiveUp => *retries.attempt_ends_at.get_or_insert(now.after(ATTEMPT_TIMEOUT)),
        };
        Some((step, at))
    })
}

/// Ends an attempt that the library has not reported as ended. The next one follows as usual.
fn give_up() {
    let is_stuck = STATION.update(|state| {
        let is_stuck = next_step(state) == Some(NextStep::GiveUp);
        if is_stuck {
            state.set_link(Link::Down(0));
        }
        is_stuck
    });
    if is_stuck {
        warn!("radio: {:?}", EspError::NoResponse);
        // An error does not matter: the next attempt shows whether the library works.
        let _ = ffi::disconnect();
    }
}

/// Starts an attempt, unless the link is no longer lost.
fn reconnect() {
    let is_lost = STATION.update(|state| {
        let is_lost = next_step(state) == Some(NextStep::Reconnect);
        if is_lost {
            state.retries.attempts = state.retries.attempts.saturating_add(1);
            state.set_link(Link::Connecting);
        }
        is_lost
    });
    if !is_lost {
        return;
    }
    if let Err(error) = ffi::connect() {
        warn!("radio: {:?}", error);
        STATION.set_link(Link::Down(0));
    }
}
