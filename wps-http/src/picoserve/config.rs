//! The configuration of the server, and its limits for clients.

use core::time::Duration;

use ::picoserve::{Timeouts, time};

use crate::{Addresses, AllowedHosts, Device, WrongPasswords};

/// The number of connections to serve at a time.
///
/// A browser opens up to six, and waits if it gets fewer. Two connections stay open for
/// [events](Config::listeners). With fewer than three, one listener can keep everyone else out.
pub const SOCKETS: usize = 4;

/// The recommended length of a connection's buffer. Requests that do not fit are refused.
///
/// A browser's header section with its response to a Digest challenge needs 2 kB, and the longest
/// useful body needs 1 kB.
pub const HTTP_BUFFER: usize = 3 * 1024;

/// The configuration of picoserve.
///
/// Each connection serves one request, because there are too few connections to keep them open. A
/// request must begin within 5 s and then arrive within 5 s. The client must read each part of the
/// response within 5 s. That is enough for a lost packet or two, far from the access point.
pub const SERVER_CONFIG: ::picoserve::Config = ::picoserve::Config::new(Timeouts {
    start_read_request: time::Duration::from_secs(5),
    persistent_start_read_request: time::Duration::from_secs(5),
    read_request: time::Duration::from_secs(5),
    write: time::Duration::from_secs(5),
})
.close_connection_after_response();

/// How long a connection may take in total, unless it listens to events.
///
/// A client that reads one byte now and then can thus not occupy a socket. The slowest legitimate
/// request takes 10 s to arrive, 25 s for the machine, and 5 s for the response.
pub const CONNECTION_TIMEOUT: Duration = Duration::from_secs(45);

/// What the server needs to know from the application.
#[derive(Clone, Copy, Debug)]
pub struct Config<'a> {
    /// The names under which the API can be reached.
    pub allowed_hosts: AllowedHosts<'a>,
    /// The name, model and version of the device.
    pub device: Device<'a>,
    /// Whether the platform has its own networks: see [`View::has_platform`](crate::View).
    pub has_platform: bool,
    /// Returns the IP settings of the Wi-Fi interface. `None` if they are unknown, or there is no
    /// link.
    pub addresses: fn() -> Option<Addresses>,
    /// Logs wrong passwords. Called at most once a second. Does nothing by default.
    pub log_wrong_passwords: fn(WrongPasswords),
    /// How many clients may listen to events at a time. Each of them occupies a socket.
    pub listeners: usize,
}

impl Default for Config<'_> {
    fn default() -> Self {
        Self {
            allowed_hosts: AllowedHosts::default(),
            device: Device::default(),
            has_platform: false,
            addresses: || None,
            log_wrong_passwords: |_| (),
            listeners: SOCKETS / 2,
        }
    }
}
