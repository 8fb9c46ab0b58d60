//! A simulator without hardware: Wi-Fi routers, a radio, a disk and a clock.
//!
//! Use it in tests, to try things out, and as the smallest example of each contract. Everything is
//! shared by reference and can be changed while a [`Runner`](crate::Runner) runs: a person or a
//! test controls the routers.

mod air;
mod clock;
mod disk;
mod platform;
pub mod samples;

pub use air::{Air, Radio, RadioFault, Router, RouterKind, SimError};
pub use clock::ManualClock;
pub use disk::{Disk, DiskError, DiskFault, SimStore};
pub use platform::{KeptNetwork, Owner, Place};
