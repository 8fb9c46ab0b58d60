//! How much clients may take on Linux. What holds for every front is beside what it limits:
//! [`MAX_BODY`](crate::MAX_BODY), the time for the machine (`act`), the pause after a wrong password.

use core::time::Duration;

/// How much clients may take of [`serve`](super::serve).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections in all: each costs a socket and about 13 kB.
    pub connections: usize,
    /// Connections from one address, so that nobody can keep others out. A browser opens six; what
    /// comes through a reverse proxy has all one address.
    pub per_address: usize,
    /// The bytes of a request's header: [`serve`](super::serve) takes no more than this.
    pub header_bytes: usize,
    /// The time for a request's header to arrive, and how long an idle connection is kept.
    pub header_time: Duration,
    /// How long a client may take no byte of its answer.
    pub write_time: Duration,
    /// How long answers under way may take to go out once [`serve`](super::serve) has been told to stop.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            per_address: 32,
            header_bytes: 16 * 1024,
            header_time: Duration::from_secs(10),
            write_time: Duration::from_secs(10),
            farewell: Duration::from_secs(2),
        }
    }
}

/// A body that needs longer is not worth waiting for: nobody has to send one.
pub(super) const BODY_TIME: Duration = Duration::from_secs(10);
