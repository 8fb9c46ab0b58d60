//! A simulated world: routers on the air, a radio among them, a disk and a clock.
//!
//! For tests, for trying things out without hardware, and as the smallest example of each contract.
//! Everything is shared by reference and can be changed while a [`Runner`](crate::Runner) runs: a
//! person or a test plays the router.

mod air;
mod clock;
mod disk;

pub use air::{Air, Fault, Radio, Router, RouterKind, SimError};
pub use clock::ManualClock;
pub use disk::{Disk, DiskError, DiskFault, SimStore};
