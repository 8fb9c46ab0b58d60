//! The parts of a firmware on these chips that do not depend on WPS: the board, the two networks on
//! which it can be reached, a DHCP server for its own network, and mDNS for its name.
//!
//! They are a library so that the program `plain` can use them without WPS and show what WPS costs.
#![no_std]

pub mod board;
pub mod dhcp;
mod logging;
pub mod mdns;
pub mod net;
mod panic;

pub use logging::LogDisplay;
