//! A request, as an adapter describes it to the pure functions.

use core::net::IpAddr;

/// The longest body that is read, in bytes. Only a change of the settings and a start with one
/// access point need a body; other bodies are read and ignored.
pub const MAX_BODY: usize = 8 * 1024;

/// The parts of a request that determine its response.
///
/// An adapter adds every header as it was received, in any order. This type decides which of them
/// matter and how often they may occur.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub(crate) method: Option<Method>,
    target: &'a str,
    /// The query, if the target does not contain it.
    query: Option<&'a str>,
    pub(crate) host: Field<'a>,
    pub(crate) origin: Field<'a>,
    /// According to the browser, a page of another site sent the request.
    pub(crate) is_cross_site: bool,
    content_length: Option<u64>,
    pub(crate) length_invalid: bool,
    pub(crate) too_large: bool,
    pub(crate) content_type: Field<'a>,
    pub(crate) authorization: Field<'a>,
    pub(crate) body: &'a [u8],
    pub(crate) address: Option<IpAddr>,
}

/// The reason why an adapter could not read a body.
///
/// A body that is too long is not an error here: see [`Request::with_body_too_large`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The body took too long to arrive: 408.
    #[error("the body took too long to arrive")]
    TooSlow,
    /// The body did not arrive as announced: 400.
    #[error("the body did not arrive as announced")]
    Broken,
    /// The body is chunked, which this adapter does not support: 411.
    #[error("the body is chunked, which this server does not support")]
    Chunked,
}

impl BodyError {
    /// All variants, in the order of their definition.
    pub const ALL: &'static [Self] = &[Self::TooSlow, Self::Broken, Self::Chunked];
}

/// The methods that this API uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Put,
    Post,
    Delete,
}

/// The value of a header that may occur once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field<'a> {
    Missing,
    Once(&'a [u8]),
    Repeated,
}

impl<'a> Request<'a> {
    /// Creates a request from the method and the target, both as they were sent.
    pub fn new(method: &str, target: &'a str) -> Self {
        let method = match method {
            "GET" => Some(Method::Get),
            "HEAD" => Some(Method::Head),
            "PUT" => Some(Method::Put),
            "POST" => Some(Method::Post),
            "DELETE" => Some(Method::Delete),
            _ => None,
        };
        Self {
            method,
            target,
            query: None,
            host: Field::Missing,
            origin: Field::Missing,
            is_cross_site: false,
            content_length: None,
            length_invalid: false,
            too_large: false,
            content_type: Field::Missing,
            authorization: Field::Missing,
            body: &[],
            address: None,
        }
    }

    /// Adds the query, for an HTTP server that separates it from the target.
    #[must_use]
    pub fn query(self, query: &'a str) -> Self {
        Self { query: Some(query), ..self }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &'a [u8]) -> Self {
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case("host") {
            self.host = self.host.and(value);
        } else if name.eq_ignore_ascii_case("origin") {
            self.origin = self.origin.and(value);
        } else if name.eq_ignore_ascii_case("sec-fetch-site") {
            self.is_cross_site |= [&b"cross-site"[..], b"same-site"]
                .iter()
                .any(|other_site| value.eq_ignore_ascii_case(other_site));
        } else if name.eq_ignore_ascii_case("authorization") {
            self.authorization = self.authorization.and(value);
        } else if name.eq_ignore_ascii_case("content-type") {
            self.content_type = self.content_type.and(value);
        } else if name.eq_ignore_ascii_case("content-length") {
            let length = content_length(value);
            self.length_invalid |=
                length.is_none() || self.content_length.is_some_and(|it| Some(it) != length);
            self.too_large |= length.is_some_and(|length| length > MAX_BODY as u64);
            self.content_length = length;
        }
        self
    }

    /// Adds the address of the client, for which wrong passwords are counted.
    ///
    /// All clients without an address count as one, and one that guesses keeps the others from
    /// logging in.
    #[must_use]
    pub fn address(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }

    /// Adds the body.
    #[must_use]
    pub fn with_body(self, body: &'a [u8]) -> Self {
        Self { body, ..self }
    }

    /// Records that the body turned out to be longer than [`MAX_BODY`].
    #[must_use]
    pub fn with_body_too_large(self) -> Self {
        Self { too_large: true, ..self }
    }

    /// Returns whether the body is longer than [`MAX_BODY`]. If a header announces that, the body
    /// need not be read.
    pub fn is_body_too_large(&self) -> bool {
        self.too_large
    }

    /// Returns whether the Content-Type is JSON or missing.
    pub(crate) fn may_be_json(&self) -> bool {
        matches!(self.content_type, Field::Missing) || self.is_json()
    }

    /// Returns whether the Content-Type is JSON.
    pub(crate) fn is_json(&self) -> bool {
        match self.content_type {
            Field::Missing => false,
            Field::Once(value) => {
                let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default();
                media_type.trim_ascii().eq_ignore_ascii_case(b"application/json")
            }
            Field::Repeated => false,
        }
    }

    /// Returns the method as it was sent, or an empty string if this API does not use it.
    pub(crate) fn method_name(&self) -> &'static str {
        match self.method {
            Some(Method::Get) => "GET",
            Some(Method::Head) => "HEAD",
            Some(Method::Put) => "PUT",
            Some(Method::Post) => "POST",
            Some(Method::Delete) => "DELETE",
            None => "",
        }
    }

    /// Returns whether `uri` is the target as it was sent.
    pub(crate) fn is_target(&self, uri: &[u8]) -> bool {
        match (uri.strip_prefix(self.target.as_bytes()), self.query) {
            (Some([]), None) => true,
            (Some([b'?', rest @ ..]), Some(query)) => rest == query.as_bytes(),
            (Some(_), None | Some(_)) | (None, _) => false,
        }
    }

    pub(crate) fn is_head(&self) -> bool {
        self.method == Some(Method::Head)
    }

    /// Returns the scheme and the authority of a target that is an absolute URI (RFC 9112, 3.2.2).
    pub(crate) fn target_authority(&self) -> Option<(&'a str, &'a str)> {
        let (scheme, rest) = self.split_target()?;
        Some((scheme, &rest[..end_of_authority(rest)]))
    }

    /// Returns the path, without the query.
    pub(crate) fn path(&self) -> &'a str {
        let path = match self.split_target() {
            Some((_, rest)) => &rest[end_of_authority(rest)..],
            None => self.target,
        };
        match path.split(['?', '#']).next() {
            Some("") | None => "/",
            Some(path) => path,
        }
    }

    fn split_target(&self) -> Option<(&'a str, &'a str)> {
        if self.target.starts_with('/') { None } else { self.target.split_once("://") }
    }
}

impl<'a> Field<'a> {
    fn and(self, value: &'a [u8]) -> Self {
        match self {
            Self::Missing => Self::Once(value),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        }
    }
}

fn end_of_authority(rest: &str) -> usize {
    rest.find(['/', '?', '#']).unwrap_or(rest.len())
}

/// Parses a Content-Length, which consists of digits only (RFC 9110, 8.6). A length that does not
/// fit the integer saturates, and is too long anyway.
fn content_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |sum: u64, byte: &u8| sum.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
    Some(value.iter().fold(0, digit))
}
