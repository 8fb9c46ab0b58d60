//! The button and the lamp.
//!
//! They live in an interrupt. When a search begins, Espressif's library makes its key in the radio's own
//! thread, which leaves no time to any other for one or two seconds: only an interrupt goes on.

use embedded_hal::digital::PinState;
use esp_hal::gpio::{Input, Output};
use esp_hal::interrupt::Priority;
use esp_hal::peripherals::FROM_CPU_INTR1;
use esp_rtos::embassy::InterruptExecutor;
use static_cell::StaticCell;
use wps_core::button::{self, ButtonConfig};
use wps_core::lamp;
use wps_hal_esp::EmbassyClock;

use crate::CONTROL;

/// Serves both for ever.
pub(crate) fn start(
    interrupt: FROM_CPU_INTR1<'static>,
    button: Input<'static>,
    lamp: Output<'static>,
) {
    static EXECUTOR: StaticCell<InterruptExecutor<1>> = StaticCell::new();
    let spawner = EXECUTOR.init(InterruptExecutor::new(interrupt)).start(Priority::Priority1);
    spawner.spawn(serve_button(button).expect("one place for one"));
    spawner.spawn(light(lamp).expect("one place for one"));
}

/// Held for three seconds it starts a pairing, and once more cancels it.
#[embassy_executor::task]
async fn serve_button(pin: Input<'static>) {
    // A pin of the chip itself cannot fail.
    match button::serve(pin, EmbassyClock, &CONTROL, ButtonConfig::default()).await {}
}

/// Lit while the pin is high.
#[embassy_executor::task]
async fn light(pin: Output<'static>) {
    lamp::serve(pin, EmbassyClock, &CONTROL, PinState::High).await;
}
