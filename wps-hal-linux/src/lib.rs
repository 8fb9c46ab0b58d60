//! Wi-Fi Protected Setup on Linux. This crate implements the traits of [`wps_core`]:
//!
//! * the driver [`WpaSupplicant`] on wpa_supplicant's control socket,
//! * the driver [`NetworkManager`] for an interface that NetworkManager manages,
//! * the store [`FileStore`] in a file,
//! * the clock [`BootClock`] on `CLOCK_BOOTTIME`.
//!
//! [`Manager::of`] finds out which of the two drivers an interface needs.
//!
//! It also has pins for [`wps_core::button`] and [`wps_core::lamp`], each with a feature. All three
//! features are on by default.
//!
//! | feature | pin |
//! |---|---|
//! | `key` | a `Key` of an input device, as a button |
//! | `gpio` | a GPIO `Line`, as a button or a lamp |
//! | `led` | an `Led` of the kernel, as a lamp |
//!
//! ```toml
//! wps-hal-linux = { version = "0.1", default-features = false, features = ["gpio"] }
//! ```
//!
//! ```no_run
//! use wps_core::embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
//! use wps_core::{Config, Control, Runner, Settings};
//! use wps_hal_linux::{BootClock, FileStore, WpaSupplicant};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let control: Control<CriticalSectionRawMutex> = Control::new();
//! let radio = WpaSupplicant::new("/run/wpa_supplicant", "wlan0");
//! radio.check().await?; // the error is one sentence that says what to do
//! let store = FileStore::open("/var/lib/wpsd".as_ref(), "wlan0")?;
//! // For a device that was never set up: leave the radio to wpa_supplicant's own configuration.
//! let config = Config::new(Settings::Platform);
//! let mut runner = Runner::boot(radio, store, BootClock, &control, config).await?;
//! runner.run().await // use `control` to start pairings and to read their status
//! # }
//! ```
//!
//! The binary must choose an implementation of `critical-section`, for example with that crate's
//! feature `std`.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "wpa_supplicant has many events, and each function handles only a few"
)]

mod clock;
mod error;
mod group;
mod interface;
#[cfg(feature = "key")]
mod key;
#[cfg(feature = "led")]
mod led;
#[cfg(feature = "gpio")]
mod line;
mod manager;
mod network_manager;
mod radio_switch;
mod store;
mod supplicant;
mod system_bus;
mod wpa_supplicant;

pub use clock::BootClock;
pub use error::LinuxError;
#[cfg(feature = "key")]
pub use evdev::KeyCode;
pub use interface::wifi_interfaces;
#[cfg(feature = "key")]
pub use key::Key;
#[cfg(feature = "led")]
pub use led::{Led, LedError, LedName};
#[cfg(feature = "gpio")]
pub use line::{Line, LineError};
pub use manager::Manager;
pub use network_manager::NetworkManager;
pub use store::{FileStore, StoreError};
#[cfg(feature = "_test")]
#[doc(hidden)]
pub use supplicant::control_socket::{ControlSocket, Events};
pub use supplicant::control_socket::{ControlSocketError, control_dir};
#[cfg(feature = "_test")]
#[doc(hidden)]
pub use supplicant::event::Event;
pub use wpa_supplicant::WpaSupplicant;
