//! Converts axum's requests to ours, and our responses to axum's.

use core::error::Error;
use core::net::SocketAddr;
use std::borrow::Cow;
use std::string::ToString;

use ::axum::body::{Body, Bytes, HttpBody, to_bytes};
use ::axum::extract::ConnectInfo;
use ::axum::http::request::Parts;
use ::axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use ::axum::response::Response;
use http_body_util::LengthLimitError;
use tokio::time::timeout;

use super::limits::BODY_TIMEOUT;
use crate::{BodyError, MAX_BODY};

/// Returns the request target as it was sent.
pub(super) fn request_target(uri: &Uri) -> Cow<'_, str> {
    match (uri.authority(), uri.path_and_query()) {
        (None, Some(path)) => path.as_str().into(),
        (Some(_), _) | (None, None) => uri.to_string().into(),
    }
}

pub(super) fn to_request<'a>(head: &'a Parts, target: &'a str) -> crate::Request<'a> {
    let line = crate::Request::new(head.method.as_str(), target);
    let line = line.address(peer(head).map(|peer| peer.ip()));
    head.headers
        .iter()
        .fold(line, |request, (name, value)| request.header(name.as_str(), value.as_bytes()))
}

/// Returns the address of the client. It is unknown if the application uses another server.
pub(super) fn peer(head: &Parts) -> Option<SocketAddr> {
    head.extensions.get().map(|ConnectInfo::<SocketAddr>(peer)| *peer)
}

/// Reads a body. Returns `Ok(None)` if it is longer than [`MAX_BODY`].
pub(super) async fn read_body(body: Body) -> Result<Option<Bytes>, BodyError> {
    if body.is_end_stream() {
        return Ok(Some(Bytes::new())); // the usual case, which needs no timer
    }
    match timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => Ok(Some(body)),
        Ok(Err(error)) => {
            let is_too_large = error.source().is_some_and(|it| it.is::<LengthLimitError>());
            if is_too_large { Ok(None) } else { Err(BodyError::Broken) }
        }
        Err(_) => Err(BodyError::TooSlow),
    }
}

pub(super) fn to_axum(response: crate::Response<'_>) -> Response {
    let mut axum_response = Response::new(Body::from(response.body().to_vec()));
    *axum_response.status_mut() =
        StatusCode::from_u16(response.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers() {
        if let Ok(value) = HeaderValue::from_str(value) {
            axum_response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    if let Some(length) = response.content_length() {
        axum_response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    axum_response
}
