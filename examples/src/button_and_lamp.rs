//! The buttons and lamps that the flags name. If one does not work, a warning is logged and the
//! rest of the daemon goes on: a pairing can also be started in the page.

use std::convert::Infallible;
use std::fmt::Display;
use std::future::{Future, pending};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use embedded_hal::digital::{OutputPin, PinState};
use wps_core::button::{self, ButtonConfig, ShortPress};
use wps_core::{Clock, lamp};
use wps_hal_linux::{Key, KeyCode, Led, LedName, Line};

use crate::serve::CONTROL;

#[derive(Args)]
#[command(next_help_heading = "Button and lamp")]
pub(crate) struct ButtonAndLamp {
    /// An input device with a key as the button: a path such as /dev/input/event3, or a name. A
    /// press of three seconds starts a pairing. A second press cancels it
    #[arg(long, value_name = "DEVICE")]
    button_key: Option<String>,

    /// The key of that device, by name or number
    #[arg(
        long,
        value_name = "CODE",
        default_value = "KEY_WPS_BUTTON",
        value_parser = key_code,
        requires = "button_key"
    )]
    button_key_code: KeyCode,

    /// A GPIO line as the button, such as gpiochip0:17
    #[arg(long, value_name = "CHIP:LINE")]
    button_line: Option<Line>,

    /// The line is low while the button is pressed
    #[arg(long, requires = "button_line")]
    button_active_low: bool,

    /// What a short press does while no pairing is running
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = ShortPressAction::Ignored)]
    short_press: ShortPressAction,

    /// An LED as the lamp, by its name in /sys/class/leds
    #[arg(long, value_name = "NAME")]
    lamp_led: Option<LedName>,

    /// The directory of the LEDs
    #[arg(long, value_name = "DIR", default_value = "/sys/class/leds", requires = "lamp_led")]
    led_dir: PathBuf,

    /// A GPIO line as the lamp, such as gpiochip0:18
    #[arg(long, value_name = "CHIP:LINE")]
    lamp_line: Option<Line>,

    /// The lamp is lit while the line is low
    #[arg(long, requires = "lamp_line")]
    lamp_active_low: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum ShortPressAction {
    Ignored,
    Starts,
}

fn key_code(text: &str) -> Result<KeyCode, &'static str> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number
        .map(KeyCode::new)
        .or_else(|_| text.parse())
        .map_err(|_| "give a key's name or number, such as KEY_WPS_BUTTON or 0x211")
}

impl ButtonAndLamp {
    /// Handles the buttons until `stopped` resolves, and drives the lamps. Never returns.
    pub(crate) async fn run(self, clock: &impl Clock, stopped: impl Future) -> Infallible {
        let line = level(self.button_active_low);
        let config = ButtonConfig { short_press: self.short_press.into(), ..Default::default() };
        let buttons = async {
            let key = async {
                let Some(device) = &self.button_key else { return pending().await };
                let (active, debounce) = (PinState::High, Duration::ZERO);
                let config = ButtonConfig { active, debounce, ..config };
                match button::run(Key::new(device, self.button_key_code), clock, &CONTROL, config)
                    .await {}
            };
            let line = async {
                let Some(button) = &self.button_line else { return };
                match button.button(line) {
                    Ok(pin) => {
                        let config = ButtonConfig { active: line, ..config };
                        warn("button", button::run(pin, clock, &CONTROL, config).await);
                    }
                    Err(error) => warn("button", error),
                }
            };
            tokio::join!(key, line);
        };
        let buttons = async {
            tokio::select! {
                () = buttons => {}
                _ = stopped => {}
            }
        };
        let led = async {
            if let Some(name) = &self.lamp_led {
                run_lamp(Led::open(&self.led_dir, name), clock, PinState::High).await;
            }
        };
        let line = async {
            if let Some(lamp) = &self.lamp_line {
                let active = level(self.lamp_active_low);
                run_lamp(lamp.lamp(active), clock, active).await;
            }
        };
        tokio::join!(buttons, led, line);
        pending().await
    }
}

async fn run_lamp<P: OutputPin>(
    pin: Result<P, impl Display>,
    clock: &impl Clock,
    active: PinState,
) {
    match pin {
        Ok(pin) => lamp::run(pin, clock, &CONTROL, active).await,
        Err(error) => warn("lamp", error),
    }
}

fn warn(what: &str, error: impl Display) {
    tracing::warn!("going on without the {what}: {error}");
}

fn level(active_low: bool) -> PinState {
    if active_low { PinState::Low } else { PinState::High }
}

impl From<ShortPressAction> for ShortPress {
    fn from(action: ShortPressAction) -> Self {
        match action {
            ShortPressAction::Ignored => Self::Ignored,
            ShortPressAction::Starts => Self::Starts,
        }
    }
}
