//! Wi-Fi Protected Setup by push button (PBC), from the device's side: press the button on the
//! router, and the device is online. If the pairing fails, the previous settings are restored. The
//! exception is a device that was an access point: Wi-Fi is off then, unless [`AfterFailure`]
//! restores the access point.
//!
//! The core is hardware-agnostic: no `std`, no allocator, no `unsafe`, no clock. It consists of
//!
//! * the rules ([`Settings::after_success`], [`Settings::after_failure`]) and the [`Machine`]:
//!   modes, the two-minute window, retries and the restoring of the previous settings;
//! * the journal ([`Record`]), which survives a power cut at any moment;
//! * three small traits for a platform to implement: [`WifiDriver`], [`SettingsStore`], [`Clock`];
//! * the [`Runner`], which executes the machine's commands, and the [`Control`], which takes
//!   requests and publishes the [`Status`];
//! * the parsers for what routers send ([`wsc`]): information elements, credentials, session
//!   overlap;
//! * the device's own [`button`] and [`lamp`], on `embedded-hal` pins.
//!
//! # How to use it
//!
//! 1. Create a [`Control`]. Every front end that starts a pairing or shows the status uses it.
//! 2. Boot a [`Runner`] with your driver, store and clock. It brings the device into the state that
//!    the stored record requires.
//! 3. Run it forever.
//! 4. Start a pairing on the control, and watch the status.
//!
//! ```
//! # #[cfg(feature = "sim")]
//! # {
//! use core::time::Duration;
//! use embassy_futures::block_on;
//! use embassy_futures::select::{Either, select};
//! use wps_core::embassy_sync::blocking_mutex::raw::NoopRawMutex;
//! use wps_core::sim::{Air, Disk, ManualClock, Router};
//! use wps_core::{Config, Control, Phase, Runner, Settings};
//!
//! // A simulated radio, disk and clock. On a device: its driver, its flash, its timer.
//! let air = Air::<NoopRawMutex>::new();
//! let disk = Disk::<NoopRawMutex>::new();
//! let clock = ManualClock::<NoopRawMutex>::new();
//! air.add_router(Router::new(b"home", b"correct horse"));
//!
//! let control: Control<NoopRawMutex> = Control::new(); // 1
//! let config = Config::new(Settings::Off { remembered: None });
//! block_on(async {
//!     let boot = Runner::boot(air.radio(&clock), disk.store(), &clock, &control, config); // 2
//!     let mut runner = boot.await.unwrap();
//!     let user = async {
//!         let mut status = control.listen().unwrap();
//!         status.wait_for(|status| status.phase == Phase::Idle).await; // booted
//!         control.start(Duration::ZERO).await.unwrap(); // 4
//!         air.press_button(b"home");
//!         status.wait_for(|status| status.phase == Phase::Idle).await
//!     };
//!     match select(select(runner.run(), clock.fast_forward()), user).await { // 3
//!         Either::Second(status) => assert!(status.last.unwrap().result.is_ok()),
//!         Either::First(_) => unreachable!("both run forever"),
//!     }
//! });
//! # }
//! ```
//!
//! # Features
//!
//! ```toml
//! wps-core = "0.1" # or, for example: { version = "0.1", features = ["defmt", "scan"] }
//! embassy-futures = "0.1" # for the example above
//! ```
//!
//! * `log` or `defmt`: log messages; `defmt` takes precedence.
//! * `scan`: [`Control`] can scan for users.
//! * `sim`: a simulated radio, router, store and clock. `conformance`: checks for drivers.
//!
//! # Security
//!
//! PBC is convenient, not strong: anyone in range can pair within the two minutes. This is a
//! trade-off of the standard. After pairing, switch WPS off on the router. This crate redacts
//! secrets in everything that it prints, and wipes them from memory when they are dropped.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod button;
mod channel;
pub mod command;
#[cfg(feature = "conformance")]
pub mod conformance;
mod control;
pub mod driver;
pub mod lamp;
mod link;
mod logging;
mod machine;
mod record;
mod runner;
mod scan;
mod settings;
#[cfg(feature = "sim")]
pub mod sim;
mod status;
mod store;
mod time;
mod variants;
pub mod wsc;

pub use channel::{Band, Channel};
pub use command::RequestError;
pub use control::{Control, StatusListener};
pub use driver::{DriverError, ErrorKind, IdleEvent, KeptBy, WifiDriver};
/// The version of embassy-sync whose mutexes [`Control`] uses. Another version in your program has
/// other types with the same names.
pub use embassy_sync;
pub use link::{Cipher, Link, Security};
pub use machine::Machine;
pub use record::{Record, RecordError};
pub use runner::{Config, Runner};
pub use scan::{BssInfo, ScanResults};
pub use settings::{
    AccessPoint, AfterFailure, Credentials, InvalidValue, KeptId, Mode, Passphrase, Secret,
    Settings, Snapshot, Ssid,
};
pub use status::{
    ADVICE_AFTER_OPEN, ADVICE_AFTER_SUCCESS, Cause, Phase, Status, TaskKind, TaskResult,
};
pub use store::{Loaded, SettingsStore};
pub use time::{Clock, Instant};
