//! The front for Linux: an axum router, and a server that keeps slow and greedy clients
//! in bounds.
//!
//! ```no_run
//! use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
//! use wps_core::{Desk, Instant};
//! use wps_http::axum::{Config, Limits, router, serve};
//!
//! static DESK: Desk<CriticalSectionRawMutex, 8> = Desk::new();
//!
//! # async fn front() -> std::io::Result<()> {
//! let begin = std::time::Instant::now();
//! let now = move || Instant::from_millis(begin.elapsed().as_millis() as u64);
//! let config = Config { names: vec!["device".into()], ..Config::default() };
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! let router = router(&DESK, now, config, axum::Router::new());
//! serve(listener, router, Limits::default(), std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod config;
mod events;
mod serve;

use core::error::Error;
use core::net::SocketAddr;
use core::ops::Deref;
use core::time::Duration;
use std::boxed::Box;
use std::string::{String, ToString};
use std::sync::{Arc, Mutex, PoisonError};
use std::vec;

use ::axum::Router;
use ::axum::body::{Body, Bytes, to_bytes};
use ::axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use ::axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use ::axum::middleware::{Next, from_fn_with_state};
use ::axum::response::Response;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use http_body_util::LengthLimitError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use wps_core::driver::Link;
use wps_core::{Desk, Instant, Neighbours, Refusal};

use crate::{
    Action, Addresses, BUFFER, COMMON_HEADERS, Denied, Door, Locked, MAX_BODY, Outcome, PARTING,
    Reply, SCAN_BUFFER, View, finish, guard, handle,
};

pub use config::Config;
pub use serve::{Limits, serve};

/// A body that needs longer is not worth waiting for: nobody has to send one.
const BODY_TIME: Duration = Duration::from_secs(10);
/// Past the machine's own limits for what an answer waits for (5 s to note, 10 s to save).
const DESK_TIME: Duration = Duration::from_secs(20);
/// A link that is not told within this time is not known.
const LOOK_TIME: Duration = Duration::from_secs(3);
/// How much of a foreign header goes into the log.
const SHOWN: usize = 100;

/// The API and the page. `more` are routes of the application, behind the same rules on Host, Origin
/// and body size. The desk may be an `Arc` or a `&'static`; `now` is the clock of its runner.
pub fn router<D, C, const N: usize>(desk: D, now: C, config: Config, more: Router) -> Router
where
    D: Deref<Target = Desk<CriticalSectionRawMutex, N>> + Clone + Send + Sync + 'static,
    C: Fn() -> Instant + Clone + Send + Sync + 'static,
{
    let config = Arc::new(config);
    let entrance = Entrance { door: Arc::new(config.door().map(Mutex::new)), config, now };
    // The desk takes N at a time, and the application may want to ask it, too.
    let seats = Arc::new(Semaphore::new((N / 2).max(1)));
    let listeners = Arc::new(Semaphore::new((N / 2).max(1)));
    more.layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(entrance.clone(), guarded::<C>))
        .fallback(move |request: Request| {
            let waiting = Waiting { seats: seats.clone(), listeners: listeners.clone() };
            answer(desk.clone(), entrance.clone(), waiting, request)
        })
}

async fn answer<D, C, const N: usize>(
    desk: D,
    entrance: Entrance<C>,
    waiting: Waiting,
    request: Request,
) -> Response
where
    D: Deref<Target = Desk<CriticalSectionRawMutex, N>> + Send + Sync + 'static,
    C: Fn() -> Instant + Send + Sync + 'static,
{
    let Entrance { config, now, .. } = &entrance;
    if let Err(denied) = may_call(config, &request) {
        return send(denied.answer(&mut [0; BUFFER]));
    }
    let (head, body) = request.into_parts();
    let target = head.uri.to_string();
    let mut asked = described(&head.method, &target, &head.headers);
    let read = read(&asked, body).await;
    match &read {
        Ok(body) => asked = asked.with_body(body),
        Err(Unread::TooLarge) => asked = asked.with_body_too_large(),
        Err(Unread::TooSlow) => return send(crate::Response::too_slow(&mut [0; BUFFER])),
        Err(Unread::Broken) => return send(crate::Response::broken_body(&mut [0; BUFFER])),
    }
    let names = config.names();
    let (status, settings) = (desk.status(), desk.settings());
    let mut view = View {
        site: config.site(&names),
        access: entrance.judge(&asked),
        now: now(),
        status: status.as_ref(),
        settings: settings.as_ref(),
        has_platform: config.has_platform,
        device: config.device(),
        addresses: Addresses::default(),
    };
    let action = match handle(&asked, &view, &mut [0; BUFFER]) {
        Reply::Done(response) => {
            return send_later(response).await;
        }
        Reply::Do(action) => action,
    };
    let done = async {
        let _seat = waiting.seats.acquire().await;
        match action {
            Action::Start => Done::Started(desk.start(PARTING).await),
            Action::Cancel => {
                desk.cancel().await;
                Done::Cancelled
            }
            Action::Configure(settings) => Done::Started(desk.configure(settings, PARTING).await),
            Action::Listen => Done::Listening(waiting.listeners.try_acquire_owned().ok()),
            Action::Scan => Done::Scanned(desk.scan().await.map(Box::new)),
            Action::Look => {
                let link = timeout(LOOK_TIME, desk.link()).await;
                Done::Looked(link.ok().flatten())
            }
        }
    };
    let done = timeout(DESK_TIME, done).await;
    let outcome = match &done {
        Ok(Done::Started(result)) => Outcome::Started(*result),
        Ok(Done::Cancelled) => Outcome::Cancelled,
        Ok(Done::Listening(Some(_))) => Outcome::Listening,
        Ok(Done::Looked(link)) => Outcome::Looked(link.as_ref()),
        Ok(Done::Scanned(found)) => {
            let outcome = Outcome::Scanned(found.as_deref());
            return send(finish(&asked, &view, outcome, &mut vec![0; SCAN_BUFFER]));
        }
        Ok(Done::Listening(None)) | Err(_) => Outcome::Busy,
    };
    let status = desk.status();
    view.status = status.as_ref();
    view.addresses = config.addresses.as_ref().map(|ask| ask()).unwrap_or_default();
    let mut buffer = [0; BUFFER];
    let response = finish(&asked, &view, outcome, &mut buffer);
    let mut answer = send(response);
    if let (true, Ok(Done::Listening(Some(place)))) = (response.is_stream(), done) {
        *answer.body_mut() = events::body(desk, entrance.now, place);
    }
    answer
}

/// How many may wait for the desk, and how many may listen to it.
struct Waiting {
    seats: Arc<Semaphore>,
    listeners: Arc<Semaphore>,
}

/// What every request passes.
#[derive(Clone)]
struct Entrance<C> {
    config: Arc<Config>,
    door: Arc<Option<Mutex<Door>>>,
    now: C,
}

impl<C: Fn() -> Instant> Entrance<C> {
    fn judge(&self, asked: &crate::Request<'_>) -> Result<(), Locked> {
        let Some(door) = &*self.door else { return Ok(()) };
        door.lock().unwrap_or_else(PoisonError::into_inner).judge(asked, (self.now)())
    }
}

/// What an [`Action`] brought.
enum Done {
    Started(Result<(), Refusal>),
    Cancelled,
    /// With a place among the listeners, if there was one.
    Listening(Option<OwnedSemaphorePermit>),
    Looked(Option<Link>),
    Scanned(Option<Box<Neighbours>>),
}

/// The application's own routes.
async fn guarded<C>(State(entrance): State<Entrance<C>>, request: Request, next: Next) -> Response
where
    C: Fn() -> Instant + Clone + Send + Sync + 'static,
{
    if let Err(denied) = may_call(&entrance.config, &request) {
        return send(denied.answer(&mut [0; BUFFER]));
    }
    let target = request.uri().to_string();
    let access = entrance.judge(&described(request.method(), &target, request.headers()));
    if let Err(locked) = access {
        let mut buffer = [0; BUFFER];
        let response = locked.answer(&mut buffer);
        return send_later(response).await;
    }
    let mut response = next.run(request).await;
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        // The router's own answer has no words; its Allow header is added after this.
        response = send(crate::Response::method_not_allowed(None, &mut [0; BUFFER]));
    }
    for (name, value) in COMMON_HEADERS {
        let name = HeaderName::from_static(name);
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Judges a request's Host and Origin, and says in the log who tried.
fn may_call(config: &Config, request: &Request) -> Result<(), Denied> {
    let target = request.uri().to_string();
    let asked = described(request.method(), &target, request.headers());
    guard(&asked, &config.site(&config.names())).inspect_err(|denied| {
        let shown = |name| {
            let value = request.headers().get(name).map_or(&b"-"[..], HeaderValue::as_bytes);
            value.iter().take(SHOWN).copied().flat_map(core::ascii::escape_default).map(char::from)
        };
        let host: String = shown(header::HOST).collect();
        let origin: String = shown(header::ORIGIN).collect();
        let peer = request.extensions().get().map(|ConnectInfo::<SocketAddr>(peer)| *peer);
        tracing::warn!(?denied, ?peer, host, origin, "request not served");
    })
}

fn described<'a>(method: &Method, target: &'a str, headers: &'a HeaderMap) -> crate::Request<'a> {
    let line = crate::Request::new(method.as_str(), target);
    headers.iter().fold(line, |asked, (name, value)| asked.header(name.as_str(), value.as_bytes()))
}

/// Why a body was not read to its end.
enum Unread {
    TooLarge,
    TooSlow,
    Broken,
}

async fn read(asked: &crate::Request<'_>, body: Body) -> Result<Bytes, Unread> {
    if asked.is_body_too_large() {
        return Ok(Bytes::new());
    }
    match timeout(BODY_TIME, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) => {
            let too_large = error.source().is_some_and(|it| it.is::<LengthLimitError>());
            Err(if too_large { Unread::TooLarge } else { Unread::Broken })
        }
        Err(_) => Err(Unread::TooSlow),
    }
}

/// Whoever guesses passwords has to wait.
async fn send_later(response: crate::Response<'_>) -> Response {
    if !response.pause().is_zero() {
        sleep(response.pause()).await;
    }
    send(response)
}

fn send(response: crate::Response<'_>) -> Response {
    let mut answer = Response::new(Body::from(response.body().to_vec()));
    *answer.status_mut() =
        StatusCode::from_u16(response.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers() {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    if let Some(length) = response.content_length() {
        answer.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    answer
}
