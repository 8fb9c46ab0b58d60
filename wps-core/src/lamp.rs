//! The device's WPS lamp: the four patterns that WPS devices use, as a function of the status, and
//! the task that blinks them.
//!
//! | pattern | the lamp | duration |
//! |---|---|---|
//! | in progress | 0.2 s on, 0.1 s off | while a pairing runs |
//! | error | 0.1 s on, 0.1 s off | 120 s |
//! | session overlap | five times 0.1 s on and 0.1 s off, then 0.5 s off | 120 s |
//! | success | on | 300 s |
//!
//! WPS devices limit the success pattern in time, but not the failure patterns. A lamp that blinks
//! forever in a bedroom gets covered with tape. So here both failure patterns end after the walk
//! time of the standard. That is as long as a user who pressed the router's button may need to come
//! back and look, and as long as one has to wait after an overlap. A dark lamp means that a new try
//! can work.
//!
//! A cancelled pairing leaves the lamp dark, because the user who cancelled it knows. So does a
//! change of the settings from outside. When a device starts and finds that a pairing was
//! interrupted or that its saved settings were damaged, the lamp shows an error from then on, for
//! 120 s. The user has not been informed yet, and may have to act.
//!
//! ```
//! use wps_core::embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
//! use embedded_hal::digital::{OutputPin, PinState};
//! use wps_core::{Clock, Control, lamp};
//!
//! static CONTROL: Control<CriticalSectionRawMutex> = Control::new();
//!
//! async fn lamp_task<P: OutputPin>(pin: P, clock: impl Clock) -> ! {
//!     lamp::run(pin, clock, &CONTROL, PinState::High).await // lit while the pin is high
//! }
//! ```

use core::time::Duration;

use embassy_futures::select::select;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embedded_hal::digital::{OutputPin, PinState};

use crate::button::sleep;
use crate::command::PAIRING_WINDOW;
use crate::control::{Control, StatusListener};
use crate::logging::warn;
use crate::status::{Cause, Status, TaskKind, TaskResult};
use crate::time::{Clock, Instant};

/// How long the lamp shows a failure: the walk time of the standard.
pub const FAILURE_PATTERN_WINDOW: Duration = PAIRING_WINDOW;
/// How long the lamp shows a success.
pub const SUCCESS_PATTERN_WINDOW: Duration = Duration::from_secs(300);

/// The time between two tries to get a listener.
const LISTEN_INTERVAL: Duration = Duration::from_secs(1);

/// What the lamp shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Pattern {
    /// Nothing.
    Dark,
    /// A pairing is running.
    InProgress,
    /// The pairing failed.
    Error,
    /// The pairing failed because more than one router was in pairing mode.
    Overlap,
    /// The pairing succeeded.
    Success,
}

impl Pattern {
    /// Returns the pattern that shows `result`, and for how long.
    fn of_result(result: &TaskResult) -> (Self, Duration) {
        match (result.task, result.result) {
            (TaskKind::Pair, Ok(())) => (Self::Success, SUCCESS_PATTERN_WINDOW),
            (TaskKind::Pair, Err(_)) if result.is_overlap() => {
                (Self::Overlap, FAILURE_PATTERN_WINDOW)
            }
            (TaskKind::Pair, Err(cause)) if cause != Cause::Cancelled => {
                (Self::Error, FAILURE_PATTERN_WINDOW)
            }
            // No user has requested this task: it is how the device reports damage when it starts.
            (TaskKind::Configure, Err(Cause::Corrupt)) => (Self::Error, FAILURE_PATTERN_WINDOW),
            (TaskKind::Pair, Err(_)) | (TaskKind::Configure, _) => (Self::Dark, Duration::ZERO),
        }
    }

    /// Returns the milliseconds on, off, on, off, … that repeat. Empty if the pattern does not
    /// blink.
    fn intervals_ms(self) -> &'static [u64] {
        match self {
            Self::Dark | Self::Success => &[],
            Self::InProgress => &[200, 100],
            Self::Error => &[100, 100],
            Self::Overlap => &[100, 100, 100, 100, 100, 100, 100, 100, 100, 100 + 500],
        }
    }
}

/// The state of the lamp at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Light {
    /// The pattern that the lamp shows.
    pub pattern: Pattern,
    /// Whether the lamp is lit.
    pub lit: bool,
    /// When the lamp changes next, or `None` if it stays as it is until the status changes.
    pub next_change: Option<Instant>,
}

impl Light {
    /// Returns the light that shows `status` at `now`.
    pub fn of(status: &Status, now: Instant) -> Self {
        if status.is_pairing() {
            // Counted from the clock's zero, so that it blinks evenly from one phase to the next.
            return Self::blink(Pattern::InProgress, Duration::from_millis(now.as_millis()), now);
        }
        let dark = Self { pattern: Pattern::Dark, lit: false, next_change: None };
        let Some(result) = &status.last else { return dark };
        let (pattern, window) = Pattern::of_result(result);
        let (end, age) = (result.at.after(window), now.since(result.at));
        if now >= end {
            return dark;
        }
        let light = Self::blink(pattern, age, now);
        Self { next_change: Some(light.next_change.map_or(end, |next| next.min(end))), ..light }
    }

    /// Returns the light of a `pattern` that began `age` ago.
    fn blink(pattern: Pattern, age: Duration, now: Instant) -> Self {
        let intervals = pattern.intervals_ms();
        let period: u64 = intervals.iter().sum();
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(0);
        let Some(mut elapsed) = age_ms.checked_rem(period) else {
            return Self { pattern, lit: pattern == Pattern::Success, next_change: None };
        };
        let mut lit = true;
        for interval in intervals {
            if elapsed < *interval {
                let next = now.after(Duration::from_millis(interval - elapsed));
                return Self { pattern, lit, next_change: Some(next) };
            }
            elapsed -= interval;
            lit = !lit;
        }
        Self { pattern, lit: false, next_change: None }
    }
}

/// Runs the lamp on `pin` forever. The lamp is lit while the pin is at the level `active`. The
/// future may be dropped at any time. The lamp then stays as it is.
///
/// If the pin fails, the error is logged once, and the pin is tried again at the next change. The
/// task uses one of the control's listeners. If none is free, it waits for one.
pub async fn run<P, C, M, const SLOTS: usize, const LISTENERS: usize>(
    mut pin: P,
    clock: C,
    control: &Control<M, SLOTS, LISTENERS>,
    active: PinState,
) -> !
where
    P: OutputPin,
    C: Clock,
    M: RawMutex,
{
    let mut failing = false;
    let mut set = |lit| {
        let level = if lit { active } else { !active };
        let done = pin.set_state(level);
        if let (Err(_error), false) = (&done, failing) {
            warn!("lamp: {:?}", crate::logging::Debug(_error));
        }
        failing = done.is_err();
    };
    set(false);
    let mut listener = listen(control, &clock).await;
    let mut status = listener.get().await;
    let mut lit = false;
    loop {
        let light = Light::of(&status, clock.now());
        if lit != light.lit {
            lit = light.lit;
            set(lit);
        }
        select(listener.changed(), sleep(&clock, light.next_change)).await;
        status = listener.get().await;
    }
}

/// Waits until a listener of the control is free.
async fn listen<'d, M: RawMutex, const SLOTS: usize, const LISTENERS: usize>(
    control: &'d Control<M, SLOTS, LISTENERS>,
    clock: &impl Clock,
) -> StatusListener<'d, M, LISTENERS> {
    loop {
        match control.listen() {
            Some(listener) => return listener,
            None => clock.sleep_until(clock.now().after(LISTEN_INTERVAL)).await,
        }
    }
}
