//! What the application tells the front, and how much clients may take.

use core::time::Duration;

use ::picoserve::{Timeouts, time};

use crate::{Addresses, Device, Site};

/// How many connections to serve: a browser opens up to six and waits with what is too many; two stay
/// open for [events](Config::listeners). With less than three, one listener can keep everybody out.
pub const SOCKETS: usize = 4;

/// How long the buffer of a connection should be: 2 kB for a browser's header with its answer to a
/// Digest challenge, 1 kB for the longest body that means anything. What is longer is refused.
pub const HTTP_BUFFER: usize = 3 * 1024;

/// One request for each connection: there are too few to let anybody keep one. A request has to begin
/// and to arrive within five seconds each, and each piece of an answer has to be taken within five:
/// enough for a lost packet or two, on the way to somebody who is far from the access point.
pub const LIMITS: ::picoserve::Config = ::picoserve::Config::new(Timeouts {
    start_read_request: time::Duration::from_secs(5),
    persistent_start_read_request: time::Duration::from_secs(5),
    read_request: time::Duration::from_secs(5),
    write: time::Duration::from_secs(5),
})
.close_connection_after_response();

/// How long a connection may take in all, unless it listens: whoever takes a byte now and then does
/// not keep a socket. The longest honest one waits 10 s to arrive, 20 s for the machine.
pub const CONNECTION_TIME: Duration = Duration::from_secs(45);

/// What the application knows.
#[derive(Clone, Copy, Debug)]
pub struct Config<'a> {
    /// The names under which the API answers.
    pub site: Site<'a>,
    /// What the device is called.
    pub device: Device<'a>,
    /// Whether the platform has networks of its own: see [`View::has_platform`](crate::View).
    pub has_platform: bool,
    /// Tells the IP settings of the Wi-Fi interface.
    pub addresses: fn() -> Addresses,
    /// How many may listen to events at a time; each keeps its socket.
    pub listeners: usize,
}

impl Default for Config<'_> {
    fn default() -> Self {
        Self {
            site: Site::default(),
            device: Device::default(),
            has_platform: false,
            addresses: Addresses::default,
            listeners: SOCKETS / 2,
        }
    }
}
