//! Wi-Fi Protected Setup on Linux: the traits of [`wps_core`] on
//!
//! * wpa_supplicant's control socket: the driver [`WpaSupplicant`], a station;
//! * a file: the store [`FileStore`];
//! * `CLOCK_BOOTTIME`: the clock [`BootClock`];
//!
//! and, as pins for [`wps_core::button`] and [`wps_core::lamp`], a [`Key`] of an input device, a GPIO
//! [`Line`] and an [`Led`].
//!
//! ```no_run
//! use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
//! use wps_core::{Control, AfterFailure, Runner, Settings};
//! use wps_hal_linux::{BootClock, FileStore, WpaSupplicant};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let control = Control::<CriticalSectionRawMutex, 8>::new();
//! let radio = WpaSupplicant::new("/run/wpa_supplicant", "wlan0");
//! radio.check().await?; // one sentence that says what to do
//! let store = FileStore::open("/var/lib/wpsd".as_ref(), "wlan0")?;
//! let blank = Settings::Platform; // never set up: as wpa_supplicant has it
//! let mut runner =
//!     Runner::boot(radio, store, BootClock, &control, blank, AfterFailure::default()).await?;
//! runner.run().await // the desk starts pairings, and tells how they go
//! # }
//! ```
//!
//! The binary has to choose an implementation of `critical-section`: its feature `std`.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "of the many events of wpa_supplicant each place heeds a few"
)]

mod access_point;
mod clock;
pub mod control_socket;
mod driver;
mod error;
pub mod event;
mod exchange;
mod key;
mod led;
mod line;
mod link;
mod manager;
mod neighbour;
mod note;
mod reply;
mod scan;
mod search;
mod session;
mod station;
mod store;
mod switch;
mod told;

pub use clock::BootClock;
pub use driver::WpaSupplicant;
pub use error::LinuxError;
pub use evdev::KeyCode;
pub use key::Key;
pub use led::{Led, LedError, LedName};
pub use line::{Line, LineError};
pub use store::{FileStore, StoreError};
