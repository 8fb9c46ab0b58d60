//! From axum's messages to ours, and back.

use core::error::Error;
use core::time::Duration;

use ::axum::body::{Body, Bytes, to_bytes};
use ::axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use ::axum::response::Response;
use http_body_util::LengthLimitError;
use tokio::time::{sleep, timeout};

use crate::{MAX_BODY, Unread};

/// A body that needs longer is not worth waiting for: nobody has to send one.
const BODY_TIME: Duration = Duration::from_secs(10);

pub(super) fn described<'a>(
    method: &Method,
    target: &'a str,
    headers: &'a HeaderMap,
) -> crate::Request<'a> {
    let line = crate::Request::new(method.as_str(), target);
    headers.iter().fold(line, |asked, (name, value)| asked.header(name.as_str(), value.as_bytes()))
}

/// None if there are too many bytes.
pub(super) async fn read(body: Body) -> Result<Option<Bytes>, Unread> {
    match timeout(BODY_TIME, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => Ok(Some(body)),
        Ok(Err(error)) => {
            let too_large = error.source().is_some_and(|it| it.is::<LengthLimitError>());
            if too_large { Ok(None) } else { Err(Unread::Broken) }
        }
        Err(_) => Err(Unread::TooSlow),
    }
}

/// Whoever guesses passwords has to wait.
pub(super) async fn send_later(response: crate::Response<'_>) -> Response {
    if !response.pause().is_zero() {
        sleep(response.pause()).await;
    }
    send(response)
}

pub(super) fn send(response: crate::Response<'_>) -> Response {
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
