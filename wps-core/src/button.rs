//! The device's own WPS button: a press recogniser without a clock, and the task that obeys it.
//!
//! | press | nothing under way | pairing |
//! |---|---|---|
//! | short | nothing, or starts: [`ShortPress`] | nothing |
//! | long | starts | cancels |
//!
//! A long press acts the moment its time is reached, while the button is still held. One press is one
//! action: nothing more happens until the button was released, and a button that is held when the
//! device starts does nothing until then either.
//!
//! [`serve`] takes any pin of [`embedded_hal`] that can be waited on; [`Polled`] makes one of a pin
//! that cannot.
//!
//! ```
//! use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
//! use embedded_hal::digital::InputPin;
//! use embedded_hal_async::digital::Wait;
//! use wps_core::button::{self, ButtonConfig, ShortPress};
//! use wps_core::{Clock, Control};
//!
//! static CONTROL: Control<CriticalSectionRawMutex, 4> = Control::new();
//!
//! async fn button_task<P: InputPin + Wait>(pin: P, clock: impl Clock) {
//!     // Between the pin and ground, with a pull-up: the defaults. Family members press by accident,
//!     // so a short press does nothing unless asked to.
//!     let config = ButtonConfig { short_press: ShortPress::Starts, ..ButtonConfig::default() };
//!     let error = button::serve(pin, clock, &CONTROL, config).await;
//!     // The pin failed. The page still starts and cancels pairings.
//! #   let _ = error;
//! }
//! ```

mod polled;

use core::future::pending;
use core::time::Duration;

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::signal::Signal;
use embedded_hal::digital::{InputPin, PinState};
use embedded_hal_async::digital::Wait;

use crate::control::Control;
use crate::logging::info;
use crate::status::Status;
use crate::time::{Clock, Instant};

pub use polled::Polled;

/// How a button is wired and what its presses mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ButtonConfig {
    /// The pin's level while the button is pressed; low by default, for a button to ground.
    pub active: PinState,
    /// How long a level must last to count; 30 ms by default. Zero for a source that does not bounce.
    pub debounce: Duration,
    /// How long a press is held to be a long one; 3 s by default.
    pub long_press: Duration,
    /// What a short press does; nothing by default.
    pub short_press: ShortPress,
}

impl Default for ButtonConfig {
    fn default() -> Self {
        Self {
            active: PinState::Low,
            debounce: Duration::from_millis(30),
            long_press: Duration::from_secs(3),
            short_press: ShortPress::Ignored,
        }
    }
}

/// What a short press does while no pairing runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShortPress {
    /// Nothing: a button that anybody may touch in passing.
    #[default]
    Ignored,
    /// It starts a pairing, as a long one does.
    Starts,
}

/// A press that was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// Released before it was a long one.
    Short,
    /// Held long enough; it may still be held.
    Long,
}

/// What a press asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a pairing.
    Start,
    /// Cancel the one that runs.
    Cancel,
}

impl Action {
    /// What `press` means while the device is like `status`: the table on top of
    /// [this page](self).
    pub fn of(press: Press, short_press: ShortPress, status: &Status) -> Option<Self> {
        match (press, short_press, status.is_pairing()) {
            (Press::Long, _, true) => Some(Self::Cancel),
            (Press::Long, _, false) | (Press::Short, ShortPress::Starts, false) => {
                Some(Self::Start)
            }
            (Press::Short, ShortPress::Starts, true) | (Press::Short, ShortPress::Ignored, _) => {
                None
            }
        }
    }
}

/// What the button counts as, bounces taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Released,
    /// Pressed since then; short or long is still open.
    Pressed(Instant),
    /// Held, but its press has acted, or was there before the device started.
    Spent,
}

/// Makes presses of levels. It has no clock and reads no pin: [`sample`](Self::sample) it whenever
/// the level changes and when [`next`](Self::next) comes, or just often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Button {
    debounce: Duration,
    long_press: Duration,
    state: State,
    /// Since when the level has been another one than the state says.
    changing: Option<Instant>,
}

impl Button {
    /// A button that is taken to be held until it is seen released.
    pub fn new(config: &ButtonConfig) -> Self {
        let ButtonConfig { debounce, long_press, .. } = *config;
        Self { debounce, long_press, state: State::Spent, changing: None }
    }

    /// Takes the level at `now`: whether the button is pressed. Gives the press that this completes.
    #[must_use]
    pub fn sample(&mut self, now: Instant, pressed: bool) -> Option<Press> {
        if pressed != self.counts_as_pressed() {
            let since = *self.changing.get_or_insert(now);
            return if now < since.after(self.debounce) { None } else { self.change(since) };
        }
        self.changing = None;
        match self.state {
            State::Pressed(since) if now >= since.after(self.long_press) => {
                self.state = State::Spent;
                Some(Press::Long)
            }
            State::Released | State::Pressed(_) | State::Spent => None,
        }
    }

    /// When to sample again though the level has not changed; none: only when it has.
    pub fn next(&self) -> Option<Instant> {
        match (self.changing, self.state) {
            (Some(since), _) => Some(since.after(self.debounce)),
            (None, State::Pressed(since)) => Some(since.after(self.long_press)),
            (None, State::Released | State::Spent) => None,
        }
    }

    fn counts_as_pressed(&self) -> bool {
        match self.state {
            State::Released => false,
            State::Pressed(_) | State::Spent => true,
        }
    }

    /// The level has lasted since then: it counts.
    fn change(&mut self, since: Instant) -> Option<Press> {
        self.changing = None;
        let (state, press) = match self.state {
            State::Released => (State::Pressed(since), None),
            State::Pressed(_) => (State::Released, Some(Press::Short)),
            State::Spent => (State::Released, None),
        };
        self.state = state;
        press
    }
}

/// Starts and cancels pairings at the desk as the button on `pin` says. Runs until the pin fails,
/// and gives the pin's error. The future may be dropped at any time.
///
/// The pin must see a level that is there when the wait begins, as [`Wait::wait_for_high`] says, so
/// that no change is missed between two waits.
pub async fn serve<P, C, M, const N: usize>(
    mut pin: P,
    clock: C,
    control: &Control<M, N>,
    config: ButtonConfig,
) -> P::Error
where
    P: InputPin + Wait,
    C: Clock,
    M: RawMutex,
{
    // A request may have to wait until the device has saved its journal. Meanwhile the button is
    // watched; of several presses the last one counts.
    let presses = Signal::<M, Press>::new();
    match select(watch(&mut pin, &clock, &config, &presses), obey(control, &config, &presses)).await
    {
        Either::First(Err(error)) => error,
        Either::First(Ok(never)) | Either::Second(never) => match never {},
    }
}

enum Never {}

async fn watch<P: InputPin + Wait, M: RawMutex>(
    pin: &mut P,
    clock: &impl Clock,
    config: &ButtonConfig,
    presses: &Signal<M, Press>,
) -> Result<Never, P::Error> {
    let mut button = Button::new(config);
    let mut level = level_of(pin)?;
    loop {
        if let Some(press) = button.sample(clock.now(), level == config.active) {
            presses.signal(press);
        }
        let changed = async {
            match !level {
                PinState::High => pin.wait_for_high().await,
                PinState::Low => pin.wait_for_low().await,
            }
        };
        level = match select(changed, sleep(clock, button.next())).await {
            // It was there, even if it is gone by now: that is a bounce.
            Either::First(seen) => seen.map(|()| !level)?,
            Either::Second(()) => level_of(pin)?,
        };
    }
}

async fn obey<M: RawMutex, const N: usize>(
    control: &Control<M, N>,
    config: &ButtonConfig,
    presses: &Signal<M, Press>,
) -> Never {
    loop {
        let press = presses.wait().await;
        // No status: the device has not started, and there is nothing to press for yet.
        let status = control.status();
        match status.and_then(|status| Action::of(press, config.short_press, &status)) {
            Some(Action::Start) => {
                info!("button: start");
                if let Err(_refusal) = control.start(Duration::ZERO).await {
                    info!("button: {:?}", _refusal);
                }
            }
            Some(Action::Cancel) => {
                info!("button: cancel");
                control.cancel().await;
            }
            None => {}
        }
    }
}

fn level_of<P: InputPin>(pin: &mut P) -> Result<PinState, P::Error> {
    pin.is_high().map(PinState::from)
}

pub(crate) async fn sleep(clock: &impl Clock, until: Option<Instant>) {
    match until {
        Some(at) => clock.sleep_until(at).await,
        None => pending().await,
    }
}
