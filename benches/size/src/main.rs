//! What the core adds to a firmware, measured as the difference between two: this one with the core
//! in it (feature `wps`) and without. Both have an executor with one task, a clock, a place in flash,
//! and end after ten of their seconds; with the core there are two tasks more.
#![no_std]
#![no_main]

#[cfg(feature = "wps")]
mod device;
mod platform;

use embassy_executor::Spawner;
use embassy_futures::yield_now;

use platform::{end, flash, runtime, tick};

/// In milliseconds of the firmware's own clock.
const END: u32 = 10_000;

/// Each poll is a millisecond. In the end the flash holds what the firmware was to write there.
#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    runtime();
    #[cfg(feature = "wps")]
    device::spawn(&_spawner);
    while tick() < END {
        yield_now().await;
    }
    let saved = u8::from(cfg!(feature = "wps"));
    end(flash(|bytes| bytes.first() == Some(&saved)));
}
