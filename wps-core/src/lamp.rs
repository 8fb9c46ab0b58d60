//! The device's WPS lamp: the four patterns of the field as a function of the status, and the task
//! that blinks them.
//!
//! | pattern | the lamp | for how long |
//! |---|---|---|
//! | in progress | 0.2 s on, 0.1 s off | while a pairing runs |
//! | error | 0.1 s on, 0.1 s off | 120 s |
//! | session overlap | five times 0.1 s on and 0.1 s off, then 0.5 s off | 120 s |
//! | success | on | 300 s |
//!
//! The field gives the success its time and the failures none, and a lamp that blinks for ever in a
//! bedroom gets taped over. So both end after the walk time of the standard: as long as whoever pressed the
//! router's button may take to come back and look, and as long as one has to wait after an overlap.
//! A dark lamp says that it is worth trying again.
//!
//! A pairing that was cancelled leaves the lamp dark: whoever did it knows. So does a change of the
//! settings from outside. What a device finds out when it starts, that a pairing was cut short or that
//! its saved settings were damaged, is told from the start on: nobody was told before, and somebody
//! may have to do something.
//!
//! ```
//! use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
//! use embedded_hal::digital::{OutputPin, PinState};
//! use wps_core::{Clock, Control, lamp};
//!
//! static CONTROL: Control<CriticalSectionRawMutex, 4> = Control::new();
//!
//! async fn lamp_task<P: OutputPin>(pin: P, clock: impl Clock) -> ! {
//!     lamp::serve(pin, clock, &CONTROL, PinState::High).await // lit while the pin is high
//! }
//! ```

use core::time::Duration;

use embassy_futures::select::select;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::watch::Receiver;
use embedded_hal::digital::{OutputPin, PinState};

use crate::button::sleep;
use crate::command::PAIRING_WINDOW;
use crate::control::Control;
use crate::driver::ErrorKind;
use crate::logging::info;
use crate::status::{Cause, Status, TaskKind, TaskResult};
use crate::time::{Clock, Instant};

/// How long the lamp tells of a failure: the walk time.
pub const FAILURE_PATTERN_WINDOW: Duration = PAIRING_WINDOW;
/// How long the lamp tells of a success.
pub const SUCCESS_PATTERN_WINDOW: Duration = Duration::from_secs(300);

/// How long to wait for a seat at the desk, between two looks.
const NO_SEAT: Duration = Duration::from_secs(1);

/// What the lamp tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Pattern {
    /// Nothing.
    Dark,
    /// A pairing runs.
    InProgress,
    /// It failed.
    Error,
    /// It failed, as more than one router was in pairing mode.
    Overlap,
    /// It succeeded.
    Success,
}

impl Pattern {
    /// How an ending is told, and for how long.
    fn of_ending(ended: &TaskResult) -> (Self, Duration) {
        match (ended.task, ended.result) {
            (TaskKind::Pair, Ok(())) => (Self::Success, SUCCESS_PATTERN_WINDOW),
            (TaskKind::Pair, Err(Cause::Driver(ErrorKind::Overlap))) => {
                (Self::Overlap, FAILURE_PATTERN_WINDOW)
            }
            (TaskKind::Pair, Err(cause)) if cause != Cause::Cancelled => {
                (Self::Error, FAILURE_PATTERN_WINDOW)
            }
            // Nobody asked for this one: it is found when the device starts.
            (TaskKind::Configure, Err(Cause::Corrupt)) => (Self::Error, FAILURE_PATTERN_WINDOW),
            (TaskKind::Pair, Err(_)) | (TaskKind::Configure, _) => (Self::Dark, Duration::ZERO),
        }
    }

    /// Milliseconds on, off, on, off, …, again and again; nothing where it does not blink.
    fn beat(self) -> &'static [u64] {
        match self {
            Self::Dark | Self::Success => &[],
            Self::InProgress => &[200, 100],
            Self::Error => &[100, 100],
            Self::Overlap => &[100, 100, 100, 100, 100, 100, 100, 100, 100, 100 + 500],
        }
    }
}

/// What the lamp is to do at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Light {
    /// What it tells.
    pub pattern: Pattern,
    /// Whether it is lit.
    pub lit: bool,
    /// When that changes next, as long as the status stays; none: not at all.
    pub next: Option<Instant>,
}

impl Light {
    /// What tells of `status` at `now`.
    pub fn of(status: &Status, now: Instant) -> Self {
        if status.is_pairing() {
            // On the clock's own beat, so that it goes on evenly from one phase to the next.
            return Self::blink(Pattern::InProgress, Duration::from_millis(now.as_millis()), now);
        }
        let dark = Self { pattern: Pattern::Dark, lit: false, next: None };
        let Some(ended) = &status.last else { return dark };
        let (pattern, shown) = Pattern::of_ending(ended);
        let (over, age) = (ended.at.after(shown), now.since(ended.at));
        if now >= over {
            return dark;
        }
        let light = Self::blink(pattern, age, now);
        Self { next: Some(light.next.map_or(over, |next| next.min(over))), ..light }
    }

    /// The beat of `pattern` when it has been going for `age`.
    fn blink(pattern: Pattern, age: Duration, now: Instant) -> Self {
        let steps = pattern.beat();
        let period: u64 = steps.iter().sum();
        let Some(mut into) = u64::try_from(age.as_millis()).unwrap_or(0).checked_rem(period) else {
            return Self { pattern, lit: pattern == Pattern::Success, next: None };
        };
        let mut lit = true;
        for step in steps {
            if into < *step {
                let next = now.after(Duration::from_millis(step - into));
                return Self { pattern, lit, next: Some(next) };
            }
            into -= step;
            lit = !lit;
        }
        Self { pattern, lit: false, next: None }
    }
}

/// Blinks the lamp on `pin`, which is lit at the level `active`, for ever. The future may be dropped at
/// any time; the lamp stays as it is then.
///
/// A pin that fails is told in the log, once, and tried again at the next change. Listening takes a
/// seat at the desk; without a free one, it waits for one.
pub async fn serve<P, C, M, const N: usize>(
    mut pin: P,
    clock: C,
    control: &Control<M, N>,
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
            info!("lamp: {:?}", crate::logging::Debug(_error));
        }
        failing = done.is_err();
    };
    set(false);
    let mut news = seat(control, &clock).await;
    let mut status = news.get().await;
    let mut shown = false;
    loop {
        let light = Light::of(&status, clock.now());
        if shown != light.lit {
            shown = light.lit;
            set(shown);
        }
        select(news.changed(), sleep(&clock, light.next)).await;
        status = news.get().await;
    }
}

async fn seat<'d, M: RawMutex, const N: usize>(
    control: &'d Control<M, N>,
    clock: &impl Clock,
) -> Receiver<'d, M, Status, N> {
    loop {
        match control.listen() {
            Some(seat) => return seat,
            None => clock.sleep_until(clock.now().after(NO_SEAT)).await,
        }
    }
}
