//! A firmware that measures what the core adds: it is built with the core (feature `wps`) and
//! without. Both variants have an executor with one task, a clock and a simulated flash, and end
//! after ten seconds of their own clock. The variant with the core has two more tasks.
#![no_std]
#![no_main]

#[cfg(feature = "wps")]
mod device;
mod platform;

use embassy_executor::Spawner;
use embassy_futures::yield_now;

use platform::{exit, flash, tick, use_compiler_runtime};

/// The length of the run, in milliseconds of the firmware's own clock.
const RUN_WINDOW: u32 = 10_000;

/// Advances the clock by a millisecond with each poll. At the end it checks that the flash holds
/// what this variant of the firmware must have written.
#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    use_compiler_runtime();
    #[cfg(feature = "wps")]
    device::spawn(&_spawner);
    while tick() < RUN_WINDOW {
        yield_now().await;
    }
    let saved = u8::from(cfg!(feature = "wps"));
    exit(flash(|bytes| bytes.first() == Some(&saved)));
}
