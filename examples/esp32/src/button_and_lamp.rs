//! The button and the lamp.
//!
//! They run in an interrupt. When a search begins, Espressif's library generates its key in the
//! radio's thread and blocks every other thread for one or two seconds. Only interrupts still run.

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

/// Starts the tasks of both.
pub(crate) fn start(
    interrupt: FROM_CPU_INTR1<'static>,
    button: Input<'static>,
    lamp: Output<'static>,
) {
    static EXECUTOR: StaticCell<InterruptExecutor<1>> = StaticCell::new();
    let spawner = EXECUTOR.init(InterruptExecutor::new(interrupt)).start(Priority::Priority1);
    spawner.spawn(run_button(button).expect("spawned once"));
    spawner.spawn(run_lamp(lamp).expect("spawned once"));
}

/// Starts a pairing when the button is held for three seconds, and cancels it when held again.
#[embassy_executor::task]
async fn run_button(pin: Input<'static>) {
    // Reading a pin of the chip cannot fail.
    match button::run(pin, EmbassyClock, &CONTROL, ButtonConfig::default()).await {}
}

/// Drives the lamp, which is lit while the pin is high.
#[embassy_executor::task]
async fn run_lamp(pin: Output<'static>) {
    lamp::run(pin, EmbassyClock, &CONTROL, PinState::High).await;
}
