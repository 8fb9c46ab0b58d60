//! The routes: which request gets which answer, and which of several mistakes is told.

use wps_core::RequestError;

use crate::auth::Locked;
use crate::guard::{Denied, guard};
use crate::page::File;
use crate::request::{Method, Request};
use crate::response::Response;
use crate::settings::{self, Verb};
use crate::{Action, Outcome, Reply, View, scan, status, system};

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
        Outcome::Started(Err(RequestError::Busy)) | Outcome::Busy => Response::busy(buffer),
        Outcome::Started(Err(RequestError::Failed(cause))) => {
            Response::refused(cause.advice(), buffer)
        }
        Outcome::Listening => Response::event_stream(),
        Outcome::Looked(link) => system::answer(view, link, buffer),
        Outcome::Scanned(neighbours) => scan::answer(view, neighbours, buffer),
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
