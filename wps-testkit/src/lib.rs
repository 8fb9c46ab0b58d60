//! What the tests of the other packages share: fixtures, encoders of what routers send, recorded
//! frames, an executor on virtual time, and a runner of the daemon `wpsd`.
//!
//! Tests have it as a dev-dependency. Only the fuzz targets and the benchmarks, which are not
//! published either, depend on it. Its encoders do not call the code that the tests check.
//!
//! The unit tests in `wps-core/src` cannot use it: it depends on another instance of wps-core than
//! theirs, whose types differ.

#[cfg(feature = "daemon")]
pub mod daemon;
mod executor;
mod fixtures;
mod hex;
pub mod recorded;
pub mod wsc;

pub use executor::{WakeFlag, block_on};
pub use fixtures::{home, hotspot, key, network, off, old, ssid, station};
pub use hex::{address, hex, unhex};
