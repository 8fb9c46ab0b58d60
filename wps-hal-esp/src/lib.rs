//! Wi-Fi Protected Setup on ESP32 chips without an operating system. This crate implements the
//! traits of [`wps_core`] on
//!
//! * esp-radio and the WPS code of the library that it links: [`Driver`], for a radio that is a
//!   station, an access point, or off;
//! * flash: [`store`];
//! * embassy-time: [`EmbassyClock`].
//!
//! A feature selects the chip: `esp32c3` or `esp32c6`. The features `esp32`, `esp32s2` and
//! `esp32s3` exist, too, but these chips need Espressif's own compiler, and are not built in
//! CI. The feature `encryption` adds encrypted settings. The features `defmt` and `log` select the
//! logger, which reports errors while reconnecting. If both are on, it is `defmt`.
//!
//! ```no_run
//! use wps_core::embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
//! use wps_core::{Config, Control, Runner, Settings, SettingsStore};
//! use wps_hal_esp::{Controller, Driver, EmbassyClock, EspError, Options};
//!
//! /// A task next to those of the network and the web server. `controller` is esp-radio's:
//! /// `WifiController::new(peripherals.WIFI, ControllerConfig::default())`. `random` is that of
//! /// esp-hal's `Rng`.
//! async fn wifi(
//!     controller: impl Controller,
//!     random: fn() -> u32,
//!     store: impl SettingsStore,
//!     control: &Control<CriticalSectionRawMutex>,
//! ) -> Result<(), EspError> {
//!     let driver = Driver::new(controller, EmbassyClock, Options::new(random))?;
//!     // Factory settings: Wi-Fi off, or the device's own access point.
//!     let config = Config::new(Settings::Off { remembered: None });
//!     let boot = Runner::boot(driver, store, EmbassyClock, control, config);
//!     let Ok(mut runner) = boot.await else {
//!         return Ok(()); // the flash could not be read
//!     };
//!     // Other tasks start pairings through `control`.
//!     runner.run().await
//! }
//! ```
//!
//! # The library
//!
//! After esp-radio has started the radio, this crate calls the C interface of Espressif's library
//! directly, and all of these calls are in one file. It does not use esp-radio's controller, which
//! cannot switch the radio off, does not report the WPS flag, waits for events in a channel that
//! may lose them, and reads the library's WPS success through pointers that are not valid.
//! esp-radio still keeps the state of the links for embassy-net. It learns that state from the
//! library's events, which this crate passes on to it. For this reason the version of esp-radio is
//! pinned, and the compiler compares the structures with the bindings of that version.
//!
//! This crate defines three C symbols. `esp_event_post` overrides esp-radio's function, which is
//! linked under this name only if nothing else defines it. `esp_wifi_connect` and
//! `esp_wifi_disconnect` are needed by the library's WPS code, and nothing else defines them.
//!
//! # What blocks
//!
//! When a pairing begins, and again after each failed exchange, the library generates a
//! Diffie-Hellman key of 1536 bits in its own thread: `esp_wifi_wps_start` passes
//! `wifi_station_wps_start` to the Wi-Fi task with `eloop_register_timeout_blocking`, and waits on
//! a semaphore. (If it were called *in* the Wi-Fi task, an assertion would fail.) That thread has a
//! higher priority than the main one, so it blocks the main executor, no matter which task makes
//! the call. A thread with an even higher priority would not help HTTP, because the thread that
//! calculates also moves the packets. The README has an estimate of the time. There is no better
//! place for the call:
//!
//! * The HTTP reply has been sent before. That is what the
//!   [reply grace](wps_core::command::Input::Start) of a start is for.
//! * The radio leaves its network right after, so it could not serve anybody for longer anyway.
//! * A button and a lamp that must not stop belong on an
//!   `esp_rtos::embassy::InterruptExecutor`: an interrupt still runs.
//!
//! # Limits
//!
//! * **It cannot stay on the air until a button is pressed.** The library leaves the network when
//!   it starts to search.
//! * **It cannot report which routers are in range.** The progress is
//!   [`Looking`](wps_core::driver::SearchProgress::Looking) until there is a result, and a scan
//!   does not report whether a button was pressed.
//! * **It cannot be limited to one access point.** `esp_wps_config_t` has no place for an address,
//!   and the library overwrites the one in the station's configuration with that of the router that
//!   it found. So [`can_pair_with_one`](wps_core::WifiDriver::can_pair_with_one) is `false`.
//! * **It cannot join a network that takes only WPA3.** The library was built without SAE, as the
//!   README shows. The pairing then ends with
//!   [`WithoutWpa2`](wps_core::ErrorKind::WithoutWpa2). A network with WPA2 and WPA3 is joined with
//!   WPA2. A scan does not name the security of an access point with WPA3 only, and reports one
//!   with both as WPA2.
//! * **It cannot report how the router's network is encrypted.** The library hands over only names
//!   and keys. If it rejects credentials itself, for example those of a WEP network, it reports the
//!   same failure as if the router had ended the exchange. An empty key is an error if the library
//!   says that the network uses WPA, which it says only of one network without WPA2. Otherwise the
//!   network is open only if the access point that has handed it over is: the driver looks at the
//!   joined one, or scans for it. With a key, no network below WPA2 is joined. If the library has
//!   joined one by itself, the driver leaves it and tries again with this limit. The joined access
//!   point is checked again before the network is saved.
//! * **It never finds a router whose network uses WEP.** The library skips it, and finds an open
//!   one.
//! * **It cannot detect session overlap over the whole window.** The library decides after one
//!   scan, and counts two pressed routers without a UUID as two.
//! * **It cannot take over a network whose name is shorter than the name that the router
//!   broadcasts.** The library copies the name of a single network over the broadcast name without
//!   clearing it, so the end of the longer name remains, and it does not report the length.
//! * **It cannot join a network with a NUL in its name**, and it cannot scan while it is an access
//!   point or off.
//!
//! # Never tested on a chip
//!
//! There is no emulator for these chips, and we had no board. The images for both chips link. We
//! read the library's behaviour from its code. On a host, the driver runs against a fake library
//! that defines the same C symbols, through the same file, also under Miri, and through the
//! conformance suite of `wps-core`. **No part of it has ever run on a chip.** The README has a
//! checklist for the first person with a board.
#![no_std]

#[cfg(test)]
extern crate std;

mod bss_info;
mod clock;
mod credentials;
mod driver;
mod error;
mod event;
mod ffi;
mod layout;
mod logging;
mod maintain;
mod options;
mod pairing;
mod scan;
mod state;
mod station;
pub mod store;

pub use clock::EmbassyClock;
pub use driver::{Controller, Driver};
pub use error::EspError;
pub use options::{Country, DeviceInfo, Options, Protocol};

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
