//! The device's own WPS button: a recogniser of presses that needs no clock, and the task that acts
//! on them.
//!
//! | press | no pairing is running | a pairing is running |
//! |---|---|---|
//! | short | does nothing, or starts one: [`ShortPress`] | does nothing |
//! | long | starts one | cancels it |
//!
//! A long press acts as soon as its time is reached, while the button is still held. One press is
//! one action: nothing more happens until the button has been released. A button that is already
//! held when the device starts does nothing until it has been released either.
//!
//! [`run`] takes any [`embedded_hal`] pin that can be awaited. [`Polled`] adapts a pin that cannot.
//!
//! ```
//! use wps_core::embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
//! use embedded_hal::digital::InputPin;
//! use embedded_hal_async::digital::Wait;
//! use wps_core::button::{self, ButtonConfig, ShortPress};
//! use wps_core::{Clock, Control};
//!
//! static CONTROL: Control<CriticalSectionRawMutex> = Control::new();
//!
//! async fn button_task<P: InputPin + Wait>(pin: P, clock: impl Clock) {
//!     // The defaults are for a button between the pin and ground, with a pull-up. A short press
//!     // does nothing by default, because somebody may press the button by accident.
//!     let config = ButtonConfig { short_press: ShortPress::Starts, ..ButtonConfig::default() };
//!     let error = button::run(pin, clock, &CONTROL, config).await;
//!     // The pin failed. The web page can still start and cancel pairings.
//! #   let _ = error;
//! }
//! ```

mod polled;

use core::convert::Infallible;
use core::future::pending;
use core::time::Duration;

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::signal::Signal;
use embedded_hal::digital::{InputPin, PinState};
use embedded_hal_async::digital::Wait;

use crate::control::Control;
use crate::logging::{debug, info};
use crate::status::Status;
use crate::time::{Clock, Instant};

pub use polled::Polled;

/// The wiring of a button and the meaning of its presses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ButtonConfig {
    /// The pin's level while the button is pressed. Low by default, for a button to ground.
    pub active: PinState,
    /// How long a level must last to count. 30 ms by default; zero for a source that does not
    /// bounce.
    pub debounce: Duration,
    /// How long a press must be held to count as long. 3 s by default.
    pub long_press: Duration,
    /// What a short press does. Nothing by default.
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

/// What a short press does while no pairing is running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShortPress {
    /// It does nothing, for a button that is easily touched by accident.
    #[default]
    Ignored,
    /// It starts a pairing, as a long one does.
    Starts,
}

/// A recognised press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Press {
    /// The button was released before the press was long.
    Short,
    /// The button was held long enough. It may still be held.
    Long,
}

/// The action that a press triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Start a pairing.
    Start,
    /// Cancel the running pairing.
    Cancel,
}

impl Action {
    /// Returns the action of `press` while the device has this `status`, or `None` if there is no
    /// action. See the table at the top of [this page](self).
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

/// The debounced state of the button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Released,
    /// Pressed since this instant. The press may still become short or long.
    Pressed(Instant),
    /// Held, but without further effect: the press was long, or began before the device started.
    Handled,
}

/// Recognises presses in the levels of a pin.
///
/// It has no clock and reads no pin. Call [`sample`](Self::sample) whenever the level changes and
/// at [`next_sample`](Self::next_sample), or simply often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Button {
    debounce: Duration,
    long_press: Duration,
    state: State,
    /// Since when the level has differed from the state.
    changing_since: Option<Instant>,
}

impl Button {
    /// Creates a button that counts as held until it is sampled as released.
    pub fn new(config: &ButtonConfig) -> Self {
        let ButtonConfig { debounce, long_press, .. } = *config;
        Self { debounce, long_press, state: State::Handled, changing_since: None }
    }

    /// Samples the button at `now`, and returns the press that this sample completes, if any.
    #[must_use]
    pub fn sample(&mut self, now: Instant, pressed: bool) -> Option<Press> {
        if pressed != self.is_pressed() {
            let since = *self.changing_since.get_or_insert(now);
            return if now < since.after(self.debounce) { None } else { self.change(since) };
        }
        self.changing_since = None;
        match self.state {
            State::Pressed(since) if now >= since.after(self.long_press) => {
                self.state = State::Handled;
                Some(Press::Long)
            }
            State::Released | State::Pressed(_) | State::Handled => None,
        }
    }

    /// Returns when to sample again even if the level does not change. Returns `None` if a sample
    /// is only needed once the level changes.
    pub fn next_sample(&self) -> Option<Instant> {
        match (self.changing_since, self.state) {
            (Some(since), _) => Some(since.after(self.debounce)),
            (None, State::Pressed(since)) => Some(since.after(self.long_press)),
            (None, State::Released | State::Handled) => None,
        }
    }

    fn is_pressed(&self) -> bool {
        match self.state {
            State::Released => false,
            State::Pressed(_) | State::Handled => true,
        }
    }

    /// Changes the state, because the level has lasted long enough since `since`.
    fn change(&mut self, since: Instant) -> Option<Press> {
        self.changing_since = None;
        let (state, press) = match self.state {
            State::Released => (State::Pressed(since), None),
            State::Pressed(_) => (State::Released, Some(Press::Short)),
            State::Handled => (State::Released, None),
        };
        self.state = state;
        press
    }
}

/// Starts and cancels pairings on `control` for the button on `pin`. Runs until the pin fails, and
/// returns the pin's error. The future may be dropped at any time.
///
/// A wait for a level must resolve at once if the pin already has it, as [`Wait::wait_for_high`]
/// requires. Otherwise a change between two waits would be missed.
pub async fn run<P, C, M, const SLOTS: usize, const LISTENERS: usize>(
    mut pin: P,
    clock: C,
    control: &Control<M, SLOTS, LISTENERS>,
    config: ButtonConfig,
) -> P::Error
where
    P: InputPin + Wait,
    C: Clock,
    M: RawMutex,
{
    // A request may have to wait until the device has saved its journal. The button is still
    // watched during that time. Of several presses only the last one counts.
    let presses = Signal::<M, Press>::new();
    match select(
        watch_pin(&mut pin, &clock, &config, &presses),
        handle_presses(control, &config, &presses),
    )
    .await
    {
        Either::First(Err(error)) => error,
        Either::First(Ok(never)) | Either::Second(never) => match never {},
    }
}

/// Signals each press of the button on `pin`, until the pin fails.
async fn watch_pin<P: InputPin + Wait, M: RawMutex>(
    pin: &mut P,
    clock: &impl Clock,
    config: &ButtonConfig,
    presses: &Signal<M, Press>,
) -> Result<Infallible, P::Error> {
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
        level = match select(changed, sleep(clock, button.next_sample())).await {
            // The pin had the other level, even if it has changed back by now. That is a bounce.
            Either::First(result) => result.map(|()| !level)?,
            Either::Second(()) => level_of(pin)?,
        };
    }
}

/// Sends the request for each press to the control.
async fn handle_presses<M: RawMutex, const SLOTS: usize, const LISTENERS: usize>(
    control: &Control<M, SLOTS, LISTENERS>,
    config: &ButtonConfig,
    presses: &Signal<M, Press>,
) -> Infallible {
    loop {
        let press = presses.wait().await;
        debug!("button: {:?}", crate::logging::Debug(&press));
        // Without a status the device has not started yet, and a press does nothing.
        let status = control.status();
        match status.and_then(|status| Action::of(press, config.short_press, &status)) {
            Some(Action::Start) => {
                info!("button: start");
                if let Err(_error) = control.start(Duration::ZERO).await {
                    info!("button: {:?}", _error);
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

/// Waits until this instant, or forever if there is none.
pub(crate) async fn sleep(clock: &impl Clock, until: Option<Instant>) {
    match until {
        Some(at) => clock.sleep_until(at).await,
        None => pending().await,
    }
}
