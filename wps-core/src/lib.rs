//! Wi-Fi Protected Setup by push button (PBC), as a device needs it: "press the button on the router
//! and you are online", and whatever else happens, the device is no worse off than before.
//!
//! The core is hardware-agnostic: no `std`, no allocator, no `unsafe`, no clock. It consists of
//!
//! * the rules ([`Settings::after_success`], [`Settings::after_failure`]) and the machine
//!   ([`Machine`]): modes, the two-minute window, retries, the way back;
//! * the journal ([`Record`]) that survives a power cut at any moment;
//! * three small traits for a platform to implement: [`WifiDriver`], [`SettingsStore`], [`Clock`];
//! * the [`Runner`], which does what the machine says, and the [`Control`], where requests come in and
//!   the [`Status`] goes out;
//! * what routers say ([`wsc`]): information elements, credentials, session overlap;
//! * the device's own [`button`] and [`lamp`], on the pins of `embedded-hal`.
//!
//! # How to use it
//!
//! 1. Make a [`Control`]. Everything that starts a pairing or shows its status talks to it.
//! 2. Boot a [`Runner`] with your driver, store and clock: it brings the device to what its record
//!    says.
//! 3. Run it, for ever.
//! 4. Start a pairing at the desk; watch the status.
//!
//! ```
//! # #[cfg(feature = "sim")]
//! # {
//! use core::time::Duration;
//! use embassy_futures::block_on;
//! use embassy_futures::select::{Either, select};
//! use embassy_sync::blocking_mutex::raw::NoopRawMutex;
//! use wps_core::sim::{Air, Disk, ManualClock, Router};
//! use wps_core::{Control, Phase, AfterFailure, Runner, Settings};
//!
//! // A simulated world; on a device: its driver, its flash, its timer.
//! let air = Air::<NoopRawMutex>::new();
//! let disk = Disk::<NoopRawMutex>::new();
//! let clock = ManualClock::<NoopRawMutex>::new();
//! air.add(Router::new(b"home", b"correct horse"));
//!
//! let control = Control::<NoopRawMutex, 4>::new(); // 1
//! let factory_settings = Settings::Off { remembered: None };
//! block_on(async {
//!     let mut runner = Runner::boot( // 2
//!         air.radio(&clock), disk.store(), &clock, &control, factory_settings, AfterFailure::default(),
//!     ).await.unwrap();
//!     let user = async {
//!         let mut status = control.listen().unwrap();
//!         status.get_and(|status| status.phase == Phase::Idle).await; // booted
//!         control.start(Duration::ZERO).await.unwrap(); // 4
//!         air.press(b"home");
//!         status.get_and(|status| status.phase == Phase::Idle).await
//!     };
//!     match select(select(runner.run(), clock.fast_forward()), user).await { // 3
//!         Either::Second(status) => assert!(status.last.unwrap().result.is_ok()),
//!         Either::First(_) => unreachable!("both run for ever"),
//!     }
//! });
//! # }
//! ```
//!
//! # Security
//!
//! PBC is convenient, not strong: anybody in range may pair within the two minutes. That is the
//! standard's own trade; after pairing, WPS is best switched off on the router. This crate keeps its
//! side: secrets are redacted in everything that prints, and wiped from memory when dropped.
#![no_std]

pub mod button;
pub mod command;
#[cfg(feature = "conformance")]
pub mod conformance;
mod control;
pub mod driver;
pub mod lamp;
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
pub mod wsc;

pub use command::RequestError;
pub use control::Control;
pub use driver::{DriverError, ErrorKind, WifiDriver};
pub use machine::Machine;
pub use record::{Record, RecordError};
pub use runner::Runner;
pub use scan::{BssInfo, ScanResults};
pub use settings::{
    AccessPoint, AfterFailure, Credentials, InvalidValue, Mode, Passphrase, Settings, Snapshot,
    Ssid,
};
pub use status::{ADVICE_AFTER_SUCCESS, Cause, Phase, Status, TaskKind, TaskResult};
pub use store::{Loaded, SettingsStore};
pub use time::{Clock, Instant};
