//! The checks in front of every route: Host and Origin, the password, and a log of the refusals.

use core::time::Duration;
use std::string::String;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::axum::extract::{Request, State};
use ::axum::http::request::Parts;
use ::axum::http::{HeaderName, HeaderValue, StatusCode, header};
use ::axum::middleware::Next;
use ::axum::response::Response;
use wps_core::Instant;

use super::Config;
use super::message::{peer, request_target, to_axum, to_request};
use crate::{
    AllowedHosts, AuthError, BUFFER, COMMON_HEADERS, DigestAuth, OriginError, WrongPasswords,
    check_origin,
};

/// How many bytes of a foreign header are logged.
const LOGGED_HEADER_MAX: usize = 100;
/// A page can send thousands of requests per second. They must not fill the log.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// The checks that a request must pass, and the state that they need.
pub(super) struct AccessControl<C> {
    pub(super) config: Config,
    pub(super) now: C,
    auth: Option<Mutex<DigestAuth>>,
    refusal_log: Mutex<RefusalLog>,
}

impl<C: Fn() -> Instant> AccessControl<C> {
    pub(super) fn new(config: Config, now: C) -> Self {
        let auth = config.digest_auth().map(Mutex::new);
        Self { config, now, auth, refusal_log: Mutex::new(RefusalLog::default()) }
    }

    /// Checks the password, if one is set, and logs the wrong ones.
    pub(super) fn authenticate(&self, request: &crate::Request<'_>) -> Result<(), AuthError> {
        let Some(auth) = &self.auth else { return Ok(()) };
        let (now, mut auth) = ((self.now)(), lock(auth));
        let result = auth.authenticate(request, now);
        if let Some(WrongPasswords { wrong, unchecked, address }) = auth.take_wrong_passwords(now) {
            drop(auth);
            tracing::warn!(wrong, unchecked, ?address, "wrong passwords");
        }
        result
    }

    /// Checks the Host and Origin of a request, and logs a refusal.
    pub(super) fn check_origin(
        &self,
        request: &crate::Request<'_>,
        allowed_hosts: &AllowedHosts<'_>,
        head: &Parts,
    ) -> Result<(), OriginError> {
        check_origin(request, allowed_hosts).inspect_err(|error| {
            if let Some(suppressed) = lock(&self.refusal_log).record((self.now)()) {
                log_refusal(head, *error, suppressed);
            }
        })
    }
}

fn log_refusal(head: &Parts, error: OriginError, suppressed: u64) {
    let escaped = |name| {
        let value = head.headers.get(name).map_or(&b"-"[..], HeaderValue::as_bytes);
        let value = value.iter().take(LOGGED_HEADER_MAX).copied();
        value.flat_map(core::ascii::escape_default).map(char::from)
    };
    let host: String = escaped(header::HOST).collect();
    let origin: String = escaped(header::ORIGIN).collect();
    let peer = peer(head);
    tracing::warn!(reason = ?error, ?peer, host, origin, suppressed, "request refused");
}

/// Limits how often refusals are logged.
#[derive(Default)]
struct RefusalLog {
    last_logged: Option<Instant>,
    suppressed: u64,
}

impl RefusalLog {
    /// Records a refusal.
    ///
    /// If it is to be logged, returns how many refusals were suppressed since the last logged one.
    fn record(&mut self, now: Instant) -> Option<u64> {
        if self.last_logged.is_some_and(|last_logged| now < last_logged.after(LOG_INTERVAL)) {
            self.suppressed += 1;
            return None;
        }
        self.last_logged = Some(now);
        Some(core::mem::take(&mut self.suppressed))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Middleware that applies the checks and the common headers to the application's own routes.
pub(super) async fn require_access<C>(
    State(access): State<Arc<AccessControl<C>>>,
    request: Request,
    next: Next,
) -> Response
where
    C: Fn() -> Instant + Send + Sync + 'static,
{
    let (head, body) = request.into_parts();
    let target = request_target(&head.uri);
    let request = to_request(&head, &target);
    let names = access.config.names();
    if let Err(error) = access.check_origin(&request, &access.config.allowed_hosts(&names), &head) {
        return to_axum(error.response(&mut [0; BUFFER]));
    }
    if let Err(error) = access.authenticate(&request) {
        return to_axum(error.response(&mut [0; BUFFER]));
    }
    let mut response = next.run(Request::from_parts(head, body)).await;
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        // The response of axum's router has no body. The router adds the Allow header after this.
        response = to_axum(crate::Response::method_not_allowed(None, &mut [0; BUFFER]));
    }
    for (name, value) in COMMON_HEADERS {
        let name = HeaderName::from_static(name);
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
