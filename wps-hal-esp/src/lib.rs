//! Wi-Fi Protected Setup on ESP32 chips without an operating system: the traits of [`wps_core`] on
//!
//! * esp-radio and the WPS of the library that it links: the driver [`Driver`], a station, an access
//!   point, or off, and its [`Keeper`], who brings a lost link back;
//! * flash: [`store`];
//! * embassy-time: the clock [`EmbassyClock`].
//!
//! The chip is a feature: `esp32c3` or `esp32c6`. There are `esp32`, `esp32s2` and `esp32s3`, too;
//! these need Espressif's own compiler, and we never built them. `defmt` or `log` says what the keeper
//! does.
//!
//! ```no_run
//! use embassy_futures::join::join;
//! use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
//! use wps_core::{Control, AfterFailure, Runner, Settings, SettingsStore};
//! use wps_hal_esp::{Controller, Driver, EmbassyClock, EspError};
//!
//! /// A task, beside those of the network and the web server. `controller` is esp-radio's:
//! /// `WifiController::new(peripherals.WIFI, ControllerConfig::default())`.
//! async fn wifi(
//!     controller: impl Controller,
//!     store: impl SettingsStore,
//!     control: &Control<CriticalSectionRawMutex, 4>,
//! ) -> Result<(), EspError> {
//!     let driver = Driver::new(controller)?;
//!     let mut keeper = driver.keeper();
//!     let blank = Settings::Off { remembered: None }; // or an access point of its own
//!     let boot = Runner::boot(driver, store, EmbassyClock, control, blank, AfterFailure::default());
//!     let Ok(mut runner) = boot.await else {
//!         return Ok(()); // the flash could not be read
//!     };
//!     join(runner.run(), keeper.run(EmbassyClock)).await; // the desk starts pairings
//!     Ok(())
//! }
//! ```
//!
//! # The library
//!
//! Everything after esp-radio's start goes to Espressif's library by its C interface, all in one file:
//! esp-radio's controller cannot switch the radio off, tells no WPS flag, waits for events in a
//! channel that may lose them, and reads the library's WPS success through pointers that are none. What
//! it does keep, the state of the links for embassy-net, it learns from the library's events, which
//! are handed on to it. So the version of esp-radio is pinned, and the compiler compares the
//! structures with the bindings of that version.
//!
//! This crate defines three C symbols: `esp_event_post`, in whose place esp-radio puts its own only
//! where there is no other, and `esp_wifi_connect` and `esp_wifi_disconnect`, which the library's WPS
//! needs and nobody has.
//!
//! # What blocks
//!
//! As a pairing begins, and after each failed exchange again, the library makes a Diffie-Hellman key
//! of 1536 bits: 199 million instructions, an estimated 1.2 to 2 s at 160 MHz. It does so in its own
//! thread (`esp_wifi_wps_start` hands `wifi_station_wps_start` to the Wi-Fi task by
//! `eloop_register_timeout_blocking` and waits on a semaphore; called *in* the Wi-Fi task it would be
//! an assertion). That thread has a higher priority than the main one, whose executor it holds up from
//! wherever the call comes; and a thread above it would not help HTTP, because the thread that
//! calculates is the one that moves the packets. So there is no better place for the call:
//!
//! * the answer to a request is on the wire before: that is what a start's
//!   [parting time](wps_core::command::Input::Start) is for;
//! * the radio leaves its network right after, so nobody could be served for longer anyway;
//! * a button and a lamp that must not stand still belong on an `esp_rtos::embassy::InterruptExecutor`:
//!   an interrupt comes through.
//!
//! # What it cannot do
//!
//! * **Stay on the air until a button is pressed.** The library leaves the network as it begins to look.
//! * **Tell what is in sight.** It says [`Looking`](wps_core::driver::SearchProgress::Looking) until it has a
//!   result, and a scan does not tell whether a button was pressed.
//! * **Judge session overlap over the whole window.** The library judges one scan, and takes two
//!   pressed routers without a UUID for two.
//! * **Take over a network whose name is shorter than that of the router on the air**: the library copies
//!   a single one over the latter, whose end stays, and does not tell the length.
//! * **Join a network with a NUL in its name**, and look around while it is an access point or off.
//!
//! # Never on the air
//!
//! There is no emulator for these chips and we had no board. The images of both link, the library's
//! behaviour was read from its code, and the driver runs on a host against a fake of it that defines the
//! same C symbols, through the same file, under Miri, too, and through
//! the conformance suite of `wps-core`. **No part of it ever ran on a chip.** The README has a check-list for the
//! first person with a board.
#![no_std]

mod clock;
mod credentials;
mod driver;
mod error;
mod event;
mod ffi;
mod heard;
mod keeper;
mod layout;
mod logging;
mod pairing;
mod station;
pub mod store;

pub use clock::EmbassyClock;
pub use driver::{Controller, Driver};
pub use error::EspError;
pub use keeper::Keeper;

#[cfg(all(
    any(target_arch = "riscv32", target_arch = "xtensa"),
    not(any(
        feature = "esp32",
        feature = "esp32c3",
        feature = "esp32c6",
        feature = "esp32s2",
        feature = "esp32s3"
    ))
))]
compile_error!("wps-hal-esp: name the chip by a feature, for example `esp32c3`");
