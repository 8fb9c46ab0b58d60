//! The limits for clients on Linux.
//!
//! Limits that are the same for every adapter are defined next to what they limit: the body
//! ([`MAX_BODY`](crate::MAX_BODY)), the time for the machine (`perform`), the guesses of the
//! password (`guesses`).

use core::time::Duration;

/// The limits for clients of [`serve`](super::serve).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The number of connections in total. Each costs a socket and memory.
    pub connections: usize,
    /// The number of connections from one address, so that no client can keep others out. A browser
    /// opens six. All clients behind a reverse proxy have the same address.
    pub per_address: usize,
    /// The size of a request's header section, in bytes.
    pub header_bytes: usize,
    /// How long a request's header section may take to arrive, and how long an idle connection is
    /// kept open.
    pub header_timeout: Duration,
    /// How long a client may go without reading any byte of its response.
    pub write_timeout: Duration,
    /// How long pending responses may take to be sent after [`serve`](super::serve) was stopped.
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            per_address: 32,
            header_bytes: 16 * 1024,
            header_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(2),
        }
    }
}

/// How long a body may take to arrive. No request needs a long one.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
