//! From axum's messages to ours, and back.

use core::error::Error;
use std::borrow::Cow;
use std::string::ToString;

use ::axum::body::{Body, Bytes, HttpBody, to_bytes};
use ::axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use ::axum::response::Response;
use http_body_util::LengthLimitError;
use tokio::time::{sleep, timeout};

use super::limits::BODY_TIME;
use crate::{MAX_BODY, Unread};

/// The target as it was sent.
pub(super) fn target(uri: &Uri) -> Cow<'_, str> {
    match (uri.authority(), uri.path_and_query()) {
        (None, Some(path)) => path.as_str().into(),
        (Some(_), _) | (None, None) => uri.to_string().into(),
    }
}

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
    if body.is_end_stream() {
        return Ok(Some(Bytes::new())); // most have none: no timer for those
    }
    match timeout(BODY_TIME, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => Ok(Some(body)),
        Ok(Err(error)) => {
            let too_large = error.source().is_some_and(|it| it.is::<LengthLimitError>());
            if too_large { Ok(None) } else { Err(Unread::Broken) }
        }
        Err(_) => Err(Unread::TooSlow),
    }
}

/// Whoever guesses passwords has to wait. The buffer of the response does not: it is large.
pub(super) fn send_later(response: crate::Response<'_>) -> impl Future<Output = Response> + use<> {
    let (answer, pause) = (send(response), response.pause());
    async move {
        if !pause.is_zero() {
            sleep(pause).await;
        }
        answer
    }
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
