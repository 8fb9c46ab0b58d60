//! What a firmware on these chips is made of, whether or not it pairs by WPS: the board, the two
//! networks on which it may be reached, a DHCP server for its own one, a name on both.
//!
//! Apart from the program itself so that `plain` can show what WPS costs.
#![no_std]

pub mod board;
pub mod dhcp;
mod logging;
pub mod mdns;
pub mod net;

pub use logging::Shown;
