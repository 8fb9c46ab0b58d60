//! The HTTP API and the web page of Wi-Fi Protected Setup by push button.
//!
//! One pure function, [`handle`], holds the routes, status codes, headers, the rules on who may call,
//! and the JSON. It needs no `std` and no allocator; what an answer says is in a buffer of the
//! caller. What must be asked of the machine, which takes time, comes back as an [`Action`], and its
//! [`Outcome`] is turned into the answer by another pure function, [`finish`]. A front only moves
//! bytes; `axum` (with the feature of that name) is one.
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
//! 1. Fill a [`Request`] with the request line and every header. Read at most [`MAX_BODY`] bytes of a
//!    body, and add them.
//! 2. Call [`handle`]. A finished [`Response`] goes out as it is.
//! 3. An [`Action`] is done at the [`Desk`](wps_core::Desk), then [`finish`] makes the response.
//!
//! ```
//! use wps_core::{Desk, Instant};
//! use wps_http::{Action, BUFFER, MAX_BODY, Outcome, PARTING, Reply, Request, View, finish, handle};
//! # use embassy_sync::blocking_mutex::raw::NoopRawMutex;
//!
//! # async fn front(desk: &Desk<NoopRawMutex, 4>, now: Instant) -> u16 {
//! let request = Request::new("POST", "/api/v1/wifi/wps") // 1
//!     .header("Host", b"192.168.1.100")
//!     .header("Content-Length", b"0");
//! let mut buffer = [0; BUFFER];
//! let (status, settings) = (desk.status(), desk.settings());
//! let (status, settings) = (status.as_ref(), settings.as_ref());
//! let view = View { now, status, settings, ..View::default() };
//! let response = match handle(&request, &view, &mut buffer) { // 2
//!     Reply::Done(response) => response,
//!     Reply::Do(action) => { // 3
//!         let (link, scan);
//!         let outcome = match action {
//!             Action::Start => Outcome::Started(desk.start(PARTING).await),
//!             Action::Cancel => {
//!                 desk.cancel().await;
//!                 Outcome::Cancelled
//!             }
//!             Action::Configure(settings) => {
//!                 Outcome::Started(desk.configure(settings, PARTING).await)
//!             }
//!             Action::Look => {
//!                 link = desk.link().await;
//!                 Outcome::Looked(link.as_ref())
//!             }
//!             Action::Listen => Outcome::Busy, // or Listening, and `event` after `event`
//!             Action::Scan => {
//!                 scan = desk.scan().await;
//!                 Outcome::Scanned(scan.as_ref())
//!             }
//!         };
//!         finish(&request, &view, outcome, &mut buffer)
//!     }
//! };
//! response.status()
//! # }
//! # let desk = Desk::new();
//! # let asked = front(&desk, Instant::from_millis(0));
//! ```
#![no_std]

#[cfg(feature = "axum")]
extern crate std;

mod auth;
#[cfg(feature = "axum")]
pub mod axum;
mod digest;
mod guard;
mod json;
mod page;
mod radio;
mod request;
mod response;
mod scan;
mod settings;
mod status;
mod system;

use core::time::Duration;

use wps_core::driver::Link;
use wps_core::{Instant, Neighbours, Refusal, Settings, Status};

pub use auth::{Challenge, Door, Locked, Password};
pub use guard::{Denied, Scheme, Site, guard};
pub use request::{MAX_BODY, Request};
pub use response::{COMMON_HEADERS, Response};
pub use status::event;
pub use system::{Addresses, Device};

use page::File;
use request::Method;
use settings::Verb;

/// What to start a pairing with ([`Desk::start`](wps_core::Desk::start)): time for the 204 to reach
/// its client over the very network that the radio is about to leave, with a retransmission or two.
pub const PARTING: Duration = Duration::from_millis(500);

/// How long a buffer for one answer must be.
pub const BUFFER: usize = 2048;

/// How long a buffer for the answer to [`Action::Scan`] may be of use: the longest there is. In a
/// shorter one the list ends earlier.
pub const SCAN_BUFFER: usize = 2 + Neighbours::MAX * 512;

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

/// What to do at the [`Desk`](wps_core::Desk) before there is an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
pub enum Action {
    /// Start a pairing, with [`PARTING`] before the radio moves.
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
    Started(Result<(), Refusal>),
    /// Of [`Action::Cancel`].
    Cancelled,
    /// Of [`Action::Listen`]: events follow.
    Listening,
    /// Of [`Action::Look`].
    Looked(Option<&'a Link>),
    /// Of [`Action::Scan`].
    Scanned(Option<&'a Neighbours>),
    /// Of any: the machine did not answer in time, or too many wait for it.
    Busy,
}

/// Judges a request. Which answer wins: malformed 400, foreign Host or Origin 404, unknown path 404,
/// method 405, no password 401, body too long 413, body that is not JSON 415, or not what is wanted 400.
pub fn handle<'b>(request: &Request<'_>, view: &View<'_>, buffer: &'b mut [u8]) -> Reply<'b> {
    let answer = match judge(request, view) {
        Ok(Ready::Do(action)) => return Reply::Do(action),
        Ok(Ready::Status) => status::answer(view, buffer),
        Ok(Ready::Settings) => settings::answer(view, buffer),
        Ok(Ready::Change(verb)) => match settings::change(verb, request, view) {
            Ok(settings) => return Reply::Do(Action::Configure(settings)),
            Err(mistake) => mistake.answer(buffer),
        },
        Ok(Ready::File(file)) => file.answer(),
        Err(Mistake::Denied(denied)) => denied.answer(buffer),
        Err(Mistake::UnknownPath) => Response::unknown_path(buffer),
        Err(Mistake::Method(allow)) => Response::method_not_allowed(Some(allow), buffer),
        Err(Mistake::Locked(locked)) => locked.answer(buffer),
        Err(Mistake::TooLarge) => Response::too_large(buffer),
    };
    Reply::Done(answer.for_head(request.is_head()))
}

/// Turns the outcome of an [`Action`] into the answer to the request that asked for it. The view's
/// status should be taken after the action.
pub fn finish<'b>(
    request: &Request<'_>,
    view: &View<'_>,
    outcome: Outcome<'_>,
    buffer: &'b mut [u8],
) -> Response<'b> {
    let answer = match outcome {
        Outcome::Started(Ok(())) | Outcome::Cancelled => Response::no_content(),
        Outcome::Started(Err(Refusal::Busy)) | Outcome::Busy => Response::busy(buffer),
        Outcome::Started(Err(Refusal::Failed(cause))) => Response::refused(cause.advice(), buffer),
        Outcome::Listening => Response::event_stream(),
        Outcome::Looked(link) => system::answer(view, link, buffer),
        Outcome::Scanned(neighbours) => scan::answer(neighbours, buffer),
    };
    answer.for_head(request.is_head())
}

#[derive(Clone, Copy)]
enum Route {
    Wps,
    Events,
    Settings,
    Scan,
    System,
    File(File),
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        match path {
            "/api/v1/wifi/wps" => Some(Self::Wps),
            "/api/v1/wifi/wps/events" => Some(Self::Events),
            "/api/v1/wifi/sta/settings" => Some(Self::Settings),
            "/api/v1/wifi/scan" => Some(Self::Scan),
            "/api/v1/system" => Some(Self::System),
            path => File::at(path).map(Self::File),
        }
    }

    fn methods(self) -> &'static str {
        match self {
            Self::Wps => "GET, HEAD, POST, DELETE",
            Self::Settings => "GET, HEAD, PUT, POST, DELETE",
            Self::Events | Self::Scan | Self::System | Self::File(_) => "GET, HEAD",
        }
    }
}

/// What a good request asks for.
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
enum Ready {
    Do(Action),
    Status,
    Settings,
    Change(Verb),
    File(File),
}

enum Mistake<'v> {
    Denied(Denied),
    UnknownPath,
    Method(&'static str),
    Locked(&'v Locked),
    TooLarge,
}

fn judge<'v>(request: &Request<'_>, view: &'v View<'_>) -> Result<Ready, Mistake<'v>> {
    guard(request, &view.site).map_err(Mistake::Denied)?;
    let route = Route::of(request.path()).ok_or(Mistake::UnknownPath)?;
    let ready = match (route, request.method) {
        (Route::Wps, Some(Method::Post)) => Ready::Do(Action::Start),
        (Route::Wps, Some(Method::Delete)) => Ready::Do(Action::Cancel),
        (Route::Wps, Some(Method::Get | Method::Head)) => Ready::Status,
        (Route::Settings, Some(Method::Get | Method::Head)) => Ready::Settings,
        (Route::Settings, Some(Method::Put)) => Ready::Change(Verb::Update),
        (Route::Settings, Some(Method::Post)) => Ready::Change(Verb::Overwrite),
        (Route::Settings, Some(Method::Delete)) => Ready::Change(Verb::Forget),
        (Route::Events, Some(Method::Get | Method::Head)) => Ready::Do(Action::Listen),
        (Route::Scan, Some(Method::Get | Method::Head)) => Ready::Do(Action::Scan),
        (Route::System, Some(Method::Get | Method::Head)) => Ready::Do(Action::Look),
        (Route::File(file), Some(Method::Get | Method::Head)) => Ready::File(file),
        (
            Route::Events | Route::Scan | Route::System | Route::File(_),
            Some(Method::Put | Method::Post | Method::Delete),
        )
        | (Route::Wps, Some(Method::Put))
        | (_, None) => {
            return Err(Mistake::Method(route.methods()));
        }
    };
    view.access.as_ref().map_err(Mistake::Locked)?;
    if request.is_body_too_large() { Err(Mistake::TooLarge) } else { Ok(ready) }
}
