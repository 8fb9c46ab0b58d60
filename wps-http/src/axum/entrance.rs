//! What every request passes: the rules on who may call, the password, and the log of who was refused.

use core::net::SocketAddr;
use core::time::Duration;
use std::string::String;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::axum::extract::{ConnectInfo, Request, State};
use ::axum::http::request::Parts;
use ::axum::http::{HeaderName, HeaderValue, StatusCode, header};
use ::axum::middleware::Next;
use ::axum::response::Response;
use wps_core::Instant;

use super::Config;
use super::message::{described, send, send_later, target};
use crate::{BUFFER, COMMON_HEADERS, Denied, Door, Locked, Site, guard};

/// How much of a foreign header goes into the log.
const SHOWN: usize = 100;
/// A page can send thousands of requests a second, and shall not fill the log with them.
const LOG_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Entrance<C> {
    pub(super) config: Config,
    pub(super) now: C,
    door: Option<Mutex<Door>>,
    refused: Mutex<Refused>,
}

impl<C: Fn() -> Instant> Entrance<C> {
    pub(super) fn new(config: Config, now: C) -> Self {
        let door = config.door().map(Mutex::new);
        Self { config, now, door, refused: Mutex::new(Refused::default()) }
    }

    /// Whether the password was given, where there is one.
    pub(super) fn judge(&self, asked: &crate::Request<'_>) -> Result<(), Locked> {
        self.door.as_ref().map_or(Ok(()), |door| lock(door).judge(asked, (self.now)()))
    }

    /// Judges a request's Host and Origin, and says in the log who tried.
    pub(super) fn may_call(
        &self,
        asked: &crate::Request<'_>,
        site: &Site<'_>,
        head: &Parts,
    ) -> Result<(), Denied> {
        guard(asked, site).inspect_err(|denied| {
            if let Some(untold) = lock(&self.refused).tell((self.now)()) {
                log(head, *denied, untold);
            }
        })
    }
}

fn log(head: &Parts, denied: Denied, untold: u64) {
    let shown = |name| {
        let value = head.headers.get(name).map_or(&b"-"[..], HeaderValue::as_bytes);
        value.iter().take(SHOWN).copied().flat_map(core::ascii::escape_default).map(char::from)
    };
    let host: String = shown(header::HOST).collect();
    let origin: String = shown(header::ORIGIN).collect();
    let peer = head.extensions.get().map(|ConnectInfo::<SocketAddr>(peer)| *peer);
    tracing::warn!(?denied, ?peer, host, origin, untold, "request not served");
}

/// The refusals that the log has not told.
#[derive(Default)]
struct Refused {
    told: Option<Instant>,
    untold: u64,
}

impl Refused {
    /// One more. If it is to be told: how many were not, since the last that was.
    fn tell(&mut self, now: Instant) -> Option<u64> {
        if self.told.is_some_and(|told| now < told.after(LOG_EVERY)) {
            self.untold += 1;
            return None;
        }
        self.told = Some(now);
        Some(core::mem::take(&mut self.untold))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stands before the application's own routes.
pub(super) async fn guarded<C>(
    State(entrance): State<Arc<Entrance<C>>>,
    request: Request,
    next: Next,
) -> Response
where
    C: Fn() -> Instant + Send + Sync + 'static,
{
    let (head, body) = request.into_parts();
    let target = target(&head.uri);
    let asked = described(&head.method, &target, &head.headers);
    let names = entrance.config.names();
    if let Err(denied) = entrance.may_call(&asked, &entrance.config.site(&names), &head) {
        return send(denied.answer(&mut [0; BUFFER]));
    }
    if let Err(locked) = entrance.judge(&asked) {
        let answer = send_later(locked.answer(&mut [0; BUFFER]));
        return answer.await;
    }
    let mut response = next.run(Request::from_parts(head, body)).await;
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
