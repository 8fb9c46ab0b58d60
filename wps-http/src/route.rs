//! The routes: which request gets which response, and which of several errors wins.

use wps_core::{Cause, ErrorKind, RequestError};

use crate::auth::AuthError;
use crate::origin::{OriginError, check_origin};
use crate::page::File;
use crate::request::{Method, Request};
use crate::response::Response;
use crate::settings::{self, Change};
use crate::{Action, Outcome, Reply, View, scan, start, status, system};

/// Handles a request: returns the response, or the action that must come before it.
///
/// If a request has several errors, the first of these wins: malformed 400, foreign Host or Origin
/// 404, unknown path 404, method 405, no password 401, body too long 413, body that is not JSON
/// 415, invalid body 400.
///
/// The body of a start is read only with `Content-Type: application/json`. It must then be empty or
/// one complete JSON object. Any other body of a start is ignored.
pub fn handle<'b>(request: &Request<'_>, view: &View<'_>, buffer: &'b mut [u8]) -> Reply<'b> {
    let response = match operation(request, view) {
        Ok(Operation::Action(action)) => return Reply::Action(action),
        Ok(Operation::Start) => match start::action(request) {
            Ok(action) => return Reply::Action(action),
            Err(detail) => Response::problem(400, detail, buffer),
        },
        Ok(Operation::ShowStatus) => status::response(view, buffer),
        Ok(Operation::ShowSettings) => settings::response(view, buffer),
        Ok(Operation::ChangeSettings(change)) => match settings::changed(change, request, view) {
            Ok(settings) => return Reply::Action(Action::Configure(settings)),
            Err(error) => error.response(buffer),
        },
        Ok(Operation::File(file)) => file.response(),
        Err(RouteError::Origin(error)) => error.response(buffer),
        Err(RouteError::UnknownPath) => Response::unknown_path(buffer),
        Err(RouteError::MethodNotAllowed(allow)) => {
            Response::method_not_allowed(Some(allow), buffer)
        }
        Err(RouteError::Auth(error)) => error.response(buffer),
        Err(RouteError::BodyTooLarge) => Response::too_large(buffer),
    };
    Reply::Response(response.for_head(request.is_head()))
}

/// For a reason that a later version of `wps-core` may add.
const UNKNOWN_REASON: &str = "The device did not accept this. Try again.";

/// Turns the outcome of an [`Action`] into the response to the request that needed it.
///
/// The status of the view should be read after the action.
pub fn finish<'b>(
    request: &Request<'_>,
    view: &View<'_>,
    outcome: &Outcome,
    buffer: &'b mut [u8],
) -> Response<'b> {
    let response = match outcome {
        Outcome::Started(Ok(())) | Outcome::Cancelled => Response::no_content(),
        Outcome::Started(Err(RequestError::Busy)) | Outcome::Busy => Response::busy(buffer),
        // Permanent, so there is no Retry-After.
        Outcome::Started(Err(RequestError::Failed(
            cause @ Cause::Driver(ErrorKind::Unsupported),
        ))) => Response::problem(503, cause.advice(), buffer),
        Outcome::Started(Err(RequestError::Failed(cause))) => {
            Response::refused(cause.advice(), buffer)
        }
        Outcome::Started(Err(_)) => Response::refused(UNKNOWN_REASON, buffer),
        Outcome::Listening => Response::event_stream(),
        Outcome::Link(link) => system::response(view, link.as_ref(), buffer),
        Outcome::Scanned(results) => scan::response(view, results.as_ref(), buffer),
    };
    response.for_head(request.is_head())
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
    fn for_path(path: &str) -> Option<Self> {
        match path {
            "/api/v1/wifi/wps" => Some(Self::Wps),
            "/api/v1/wifi/wps/events" => Some(Self::Events),
            "/api/v1/wifi/sta/settings" => Some(Self::Settings),
            "/api/v1/wifi/scan" => Some(Self::Scan),
            "/api/v1/system" => Some(Self::System),
            path => File::for_path(path).map(Self::File),
        }
    }

    /// Returns the value of the Allow header.
    fn methods(self) -> &'static str {
        match self {
            Self::Wps => "GET, HEAD, POST, DELETE",
            Self::Settings => "GET, HEAD, PUT, POST, DELETE",
            Self::Events | Self::Scan | Self::System | Self::File(_) => "GET, HEAD",
        }
    }
}

/// What a valid request asks for.
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
enum Operation {
    Action(Action),
    /// Starts a pairing, with the access point that the body names, if any.
    Start,
    ShowStatus,
    ShowSettings,
    ChangeSettings(Change),
    File(File),
}

enum RouteError<'v> {
    Origin(OriginError),
    UnknownPath,
    /// With the value of the Allow header.
    MethodNotAllowed(&'static str),
    Auth(&'v AuthError),
    BodyTooLarge,
}

fn operation<'v>(request: &Request<'_>, view: &'v View<'_>) -> Result<Operation, RouteError<'v>> {
    check_origin(request, &view.allowed_hosts).map_err(RouteError::Origin)?;
    let route = Route::for_path(request.path()).ok_or(RouteError::UnknownPath)?;
    let operation = match (route, request.method) {
        (Route::Wps, Some(Method::Post)) => Operation::Start,
        (Route::Wps, Some(Method::Delete)) => Operation::Action(Action::Cancel),
        (Route::Wps, Some(Method::Get | Method::Head)) => Operation::ShowStatus,
        (Route::Settings, Some(Method::Get | Method::Head)) => Operation::ShowSettings,
        (Route::Settings, Some(Method::Put)) => Operation::ChangeSettings(Change::Update),
        (Route::Settings, Some(Method::Post)) => Operation::ChangeSettings(Change::Overwrite),
        (Route::Settings, Some(Method::Delete)) => Operation::ChangeSettings(Change::Forget),
        (Route::Events, Some(Method::Get | Method::Head)) => Operation::Action(Action::Listen),
        (Route::Scan, Some(Method::Get | Method::Head)) => Operation::Action(Action::Scan),
        (Route::System, Some(Method::Get | Method::Head)) => Operation::Action(Action::QueryLink),
        (Route::File(file), Some(Method::Get | Method::Head)) => Operation::File(file),
        (
            Route::Events | Route::Scan | Route::System | Route::File(_),
            Some(Method::Put | Method::Post | Method::Delete),
        )
        | (Route::Wps, Some(Method::Put))
        | (_, None) => {
            return Err(RouteError::MethodNotAllowed(route.methods()));
        }
    };
    view.access.as_ref().map_err(RouteError::Auth)?;
    if request.is_body_too_large() { Err(RouteError::BodyTooLarge) } else { Ok(operation) }
}
