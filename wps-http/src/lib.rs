//! The HTTP API and the web page of Wi-Fi Protected Setup by push button.
//!
//! One pure function, [`handle`], contains the routes, the status codes, the headers, the rules on
//! Host and Origin, and the JSON. It needs no `std` and no allocator: the caller provides a buffer,
//! and the response is written into it. If a request needs the pairing machine, which takes time,
//! [`handle`] returns an [`Action`]. A second pure function, [`finish`], turns the [`Outcome`] of
//! the action into the response. An adapter connects the two functions to an HTTP server and only
//! moves bytes: `axum` for Linux, `picoserve` for firmware, each with the feature of that name.
//!
//! | method, path | response |
//! |---|---|
//! | `POST /api/v1/wifi/wps` | 204: a pairing is running, with any router or with the given one |
//! | `DELETE /api/v1/wifi/wps` | 204: cancelled, or nothing to cancel |
//! | `GET /api/v1/wifi/wps` | 200: state, time left, search progress, result of the last task |
//! | `GET /api/v1/wifi/wps/events` | 200: the same as an event stream |
//! | `GET /api/v1/wifi/sta/settings` | 200: whether the station is on, and its network's name |
//! | `PUT`, `POST`, `DELETE /api/v1/wifi/sta/settings` | 204: the change is in progress |
//! | `GET /api/v1/wifi/scan` | 200: the access points in range |
//! | `GET /api/v1/system` | 200: what the radio is doing |
//! | `GET /api/v1/openapi.json` | 200: this API, OpenAPI 3.1 |
//! | `GET /` | the page |
//!
//! The start reads a body only with `Content-Type: application/json`:
//!
//! ```sh
//! curl -X POST -H 'Content-Type: application/json' -d '{"bssid":"02:00:00:00:01:00"}' \
//!   http://127.0.0.1:8080/api/v1/wifi/wps
//! ```
//!
//! # Writing an adapter
//!
//! 1. Fill a [`Request`] with the request line, every header, and the client's
//!    [address](Request::address). If a password is set, call [`DigestAuth::authenticate`] on the
//!    one [`DigestAuth`] that all connections share, and log its
//!    [wrong passwords](DigestAuth::take_wrong_passwords). Read at most [`MAX_BODY`] bytes of a
//!    body, for a limited time, and add them with [`Request::with_body`]. The body of a request
//!    that [`check_origin`] refuses need not be read.
//! 2. Call [`handle`]. Send a finished [`Response`] as it is.
//! 3. Pass an [`Action`] to [`perform`], which applies the time limits, and its outcome to
//!    [`finish`], which returns the response.
//! 4. If the response [is a stream](Response::is_stream), send an [`event`] at once and at every
//!    change of the status. While [`needs_events`] is true, also send one every [`EVENT_INTERVAL`];
//!    otherwise send an [`SSE_COMMENT`] every [`HEARTBEAT_INTERVAL`]. Limit the number of listeners
//!    so that other requests can still be served. If the limit is reached, pass [`Outcome::Busy`]
//!    to [`finish`].
//!
//! ```
//! use wps_core::{Clock, Control};
//! use wps_http::{BUFFER, Reply, Request, View, finish, handle, perform};
//! # use wps_core::embassy_sync::blocking_mutex::raw::NoopRawMutex;
//!
//! # async fn serve(control: &Control<NoopRawMutex>, clock: &impl Clock) -> u16 {
//! let request = Request::new("POST", "/api/v1/wifi/wps") // 1
//!     .header("Host", b"192.168.1.100")
//!     .header("Content-Length", b"0");
//! let mut buffer = [0; BUFFER];
//! let (status, settings) = (control.status(), control.settings());
//! let (status, settings) = (status.as_ref(), settings.as_ref());
//! let view = View { now: clock.now(), status, settings, ..View::default() };
//! let response = match handle(&request, &view, &mut buffer) { // 2
//!     Reply::Response(response) => response,
//!     Reply::Action(action) => { // 3
//!         let sleep = |time| clock.sleep_until(clock.now().after(time));
//!         let outcome = perform(control, action, sleep).await;
//!         finish(&request, &view, &outcome, &mut buffer)
//!     }
//! };
//! response.status()
//! # }
//! ```
#![no_std]

#[cfg(feature = "axum")]
extern crate std;

mod auth;
#[cfg(feature = "axum")]
pub mod axum;
mod digest;
mod guesses;
mod json;
mod origin;
mod page;
mod perform;
#[cfg(feature = "picoserve")]
pub mod picoserve;
mod radio;
mod request;
mod response;
mod route;
mod scan;
mod settings;
mod start;
mod status;
mod system;

use core::time::Duration;

use wps_core::Link;
use wps_core::wsc::Bssid;
use wps_core::{Instant, RequestError, ScanResults, Settings, Status};

pub use auth::{AuthError, Challenge, DigestAuth, Password};
pub use guesses::WrongPasswords;
pub use origin::{AllowedHosts, OriginError, Scheme, check_origin};
pub use perform::perform;
pub use request::{BodyError, MAX_BODY, Request};
pub use response::{COMMON_HEADERS, Response};
pub use route::{finish, handle};
pub use status::{EVENT_INTERVAL, HEARTBEAT_INTERVAL, SSE_COMMENT, event, needs_events};
pub use system::{Addresses, Device};

/// The reply grace to pass to [`Control::start`](wps_core::Control::start) and its siblings.
///
/// The radio stays on its network for this time, so that the 204 can reach the client over that
/// same network, with a retransmission or two.
pub const REPLY_GRACE_DELAY: Duration = Duration::from_millis(500);

/// The length of a buffer that holds any response except the one to [`Action::Scan`].
pub const BUFFER: usize = 2048;

/// The length of a buffer that holds any response to [`Action::Scan`].
///
/// In a shorter buffer the list of access points ends earlier.
pub const SCAN_BUFFER: usize = 2 + ScanResults::MAX_LEN * 512;

/// Everything that a response depends on besides the request.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The names under which the API can be reached.
    pub allowed_hosts: AllowedHosts<'a>,
    /// The result of [`DigestAuth::authenticate`] for the request, or `Ok` if no password is set.
    pub access: Result<(), AuthError>,
    /// The current time, on the clock of the status.
    pub now: Instant,
    /// The status, or `None` before the first step of the machine.
    pub status: Option<&'a Status>,
    /// The settings in force, or `None` while a task is in progress.
    pub settings: Option<&'a Settings>,
    /// Whether the platform has its own networks, so that the station can be switched on without a
    /// name ([`Settings::Platform`]).
    pub has_platform: bool,
    /// The name, model and version of the device.
    pub device: Device<'a>,
    /// The IP settings of the Wi-Fi interface. `None` if they are unknown, or there is no link.
    pub addresses: Option<Addresses>,
}

impl Default for View<'_> {
    fn default() -> Self {
        Self {
            allowed_hosts: AllowedHosts::default(),
            access: Ok(()),
            now: Instant::from_millis(0),
            status: None,
            settings: None,
            has_platform: false,
            device: Device::default(),
            addresses: None,
        }
    }
}

/// The result of [`handle`].
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
pub enum Reply<'b> {
    /// Send this response.
    Response(Response<'b>),
    /// Perform this action, then call [`finish`].
    Action(Action),
}

/// A call to [`Control`](wps_core::Control) that must come before the response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
pub enum Action {
    /// Start a pairing, with a reply grace of [`REPLY_GRACE_DELAY`].
    Start,
    /// Start a pairing with this access point only, with the same reply grace.
    StartWith(Bssid),
    /// Cancel the running task.
    Cancel,
    /// Change the settings, with a reply grace of [`REPLY_GRACE_DELAY`].
    Configure(Settings),
    /// Send an [`event`] now, at every change, and every second while it [is needed](needs_events).
    Listen,
    /// Query the state of the radio link.
    QueryLink,
    /// Scan for the access points in range.
    Scan,
}

/// The outcome of an [`Action`].
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
#[non_exhaustive]
pub enum Outcome {
    /// The outcome of [`Action::Start`], [`Action::StartWith`] and [`Action::Configure`].
    Started(Result<(), RequestError>),
    /// The outcome of [`Action::Cancel`].
    Cancelled,
    /// The outcome of [`Action::Listen`]: the adapter sends the events.
    Listening,
    /// The outcome of [`Action::QueryLink`].
    Link(Option<Link>),
    /// The outcome of [`Action::Scan`].
    Scanned(Option<ScanResults>),
    /// The outcome of any action if the machine did not reply in time or too many requests wait.
    Busy,
}
