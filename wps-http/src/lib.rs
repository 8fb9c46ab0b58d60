//! The HTTP API and the web page of Wi-Fi Protected Setup by push button.
//!
//! One pure function, [`handle`], holds the routes, status codes, headers, the rules on who may call,
//! and the JSON. It needs no `std` and no allocator; what an answer says is in a buffer of the
//! caller. What must be asked of the machine, which takes time, comes back as an [`Action`], and its
//! [`Outcome`] is turned into the answer by another pure function, [`finish`]. A front only moves
//! bytes: `axum` for Linux, `picoserve` for firmware, each with the feature of that name.
//!
//! | method, path | answer |
//! |---|---|
//! | `POST /api/v1/wifi/wps` | 204: a pairing runs |
//! | `DELETE /api/v1/wifi/wps` | 204: cancelled, or nothing to cancel |
//! | `GET /api/v1/wifi/wps` | 200: state, time left, what is in sight, how the last one ended |
//! | `GET /api/v1/wifi/wps/events` | 200: the same as an event stream |
//! | `GET /api/v1/wifi/sta/settings` | 200: whether the station is on, and the name of its network |
//! | `PUT`, `POST`, `DELETE /api/v1/wifi/sta/settings` | 204: the change is under way |
//! | `GET /api/v1/wifi/scan` | 200: the access points in range |
//! | `GET /api/v1/system` | 200: what the radio is doing |
//! | `GET /api/v1/openapi.json` | 200: this API, OpenAPI 3.1 |
//! | `GET /` | the page |
//!
//! # For authors of fronts
//!
//! 1. Fill a [`Request`] with the request line and every header. Where a password is set, ask the one
//!    [`Door`] of all connections to [judge](Door::judge) it. Read at most [`MAX_BODY`] bytes of a body,
//!    for a limited time, and add them; nobody whom [`guard`] refuses needs to be read.
//! 2. Call [`handle`]. A finished [`Response`] goes out as it is, after its [pause](Response::pause).
//! 3. An [`Action`] is done at the [`Control`](wps_core::Control): [`act`] does that, within time limits. Then
//!    [`finish`] makes the response.
//! 4. After one that [is a stream](Response::is_stream) send an [`event`] at once, at every change and, while a window
//!    is open, each [`COUNT`]; else a [`COMMENT`] each [`HEART_BEAT`]. Let no more listen than leaves room
//!    for others: for one too many the outcome is [`Outcome::Busy`].
//!
//! ```
//! use wps_core::{Clock, Control};
//! use wps_http::{BUFFER, PARTING, Reply, Request, View, act, finish, handle};
//! # use embassy_sync::blocking_mutex::raw::NoopRawMutex;
//!
//! # async fn front(control: &Control<NoopRawMutex, 4>, clock: &impl Clock) -> u16 {
//! let request = Request::new("POST", "/api/v1/wifi/wps") // 1
//!     .header("Host", b"192.168.1.100")
//!     .header("Content-Length", b"0");
//! let mut buffer = [0; BUFFER];
//! let (status, settings) = (control.status(), control.settings());
//! let (status, settings) = (status.as_ref(), settings.as_ref());
//! let view = View { now: clock.now(), status, settings, ..View::default() };
//! let response = match handle(&request, &view, &mut buffer) { // 2
//!     Reply::Done(response) => response,
//!     Reply::Do(action) => { // 3
//!         let done = act(control, action, |time| clock.sleep_until(clock.now().after(time))).await;
//!         finish(&request, &view, done.outcome(), &mut buffer)
//!     }
//! };
//! response.status()
//! # }
//! ```
#![no_std]

#[cfg(feature = "axum")]
extern crate std;

mod act;
mod auth;
#[cfg(feature = "axum")]
pub mod axum;
mod digest;
mod guard;
mod json;
mod page;
#[cfg(feature = "picoserve")]
pub mod picoserve;
mod radio;
mod request;
mod response;
mod route;
mod scan;
mod settings;
mod status;
mod system;

use core::time::Duration;

use wps_core::driver::Link;
use wps_core::{Instant, RequestError, ScanResults, Settings, Status};

pub use act::{Done, act};
pub use auth::{Challenge, Door, Locked, Password};
pub use guard::{Denied, Scheme, Site, guard};
pub use request::{MAX_BODY, Request, Unread};
pub use response::{COMMON_HEADERS, Response};
pub use route::{finish, handle};
pub use status::{COMMENT, COUNT, HEART_BEAT, event};
pub use system::{Addresses, Device};

/// What to start a pairing with ([`Control::start`](wps_core::Control::start)): time for the 204 to reach
/// its client over the very network that the radio is about to leave, with a retransmission or two.
pub const PARTING: Duration = Duration::from_millis(500);

/// How long a buffer for one answer must be.
pub const BUFFER: usize = 2048;

/// How long a buffer for the answer to [`Action::Scan`] may be of use: the longest there is. In a
/// shorter one the list ends earlier.
pub const SCAN_BUFFER: usize = 2 + ScanResults::MAX * 512;

/// What an answer depends on beside the request.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The names under which the API answers.
    pub site: Site<'a>,
    /// What the [`Door`] says about the request; `Ok` where no password is set.
    pub access: Result<(), Locked>,
    /// The present moment, on the clock of the status.
    pub now: Instant,
    /// The status; none before the machine's first step.
    pub status: Option<&'a Status>,
    /// The settings in force; none while something is under way.
    pub settings: Option<&'a Settings>,
    /// Whether the platform has networks of its own, so that the station can be switched on without
    /// a name ([`Settings::Platform`]).
    pub has_platform: bool,
    /// What the device is called.
    pub device: Device<'a>,
    /// Its IP settings.
    pub addresses: Addresses,
}

impl Default for View<'_> {
    fn default() -> Self {
        Self {
            site: Site::default(),
            access: Ok(()),
            now: Instant::from_millis(0),
            status: None,
            settings: None,
            has_platform: false,
            device: Device::default(),
            addresses: Addresses::default(),
        }
    }
}

/// What becomes of a request.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
pub enum Reply<'b> {
    /// This is the answer.
    Done(Response<'b>),
    /// Do this, then [`finish`].
    Do(Action),
}

/// What to do at the [`Control`](wps_core::Control) before there is an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
pub enum Action {
    /// Start a pairing, with [`PARTING`] before the radio leaves its network.
    Start,
    /// Cancel it.
    Cancel,
    /// Change the settings, with [`PARTING`] before the radio moves.
    Configure(Settings),
    /// Send an [`event`] now, at every change, and each second while a window is open.
    Listen,
    /// Ask what the radio is doing.
    Look,
    /// Ask for the access points in range.
    Scan,
}

/// What came of an [`Action`].
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// Of [`Action::Start`] and [`Action::Configure`].
    Started(Result<(), RequestError>),
    /// Of [`Action::Cancel`].
    Cancelled,
    /// Of [`Action::Listen`]: events follow.
    Listening,
    /// Of [`Action::Look`].
    Looked(Option<&'a Link>),
    /// Of [`Action::Scan`].
    Scanned(Option<&'a ScanResults>),
    /// Of any: the machine did not answer in time, or too many wait for it.
    Busy,
}
