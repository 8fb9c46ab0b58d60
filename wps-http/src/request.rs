//! What a front tells about a request.

/// The most bytes of a body that are read. Only a change of the settings needs one; any other is
/// read and ignored.
pub const MAX_BODY: usize = 8 * 1024;

/// The parts of a request that decide its answer. A front hands over every header as it came, in
/// any order; which of them count, and how often they may occur, is decided here.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub(crate) method: Option<Method>,
    target: &'a str,
    /// Where it is not in the target.
    query: Option<&'a str>,
    pub(crate) host: Field<'a>,
    pub(crate) origin: Field<'a>,
    /// A browser says that the request comes from a page of another site.
    pub(crate) from_elsewhere: bool,
    content_length: Option<u64>,
    pub(crate) length_invalid: bool,
    pub(crate) too_large: bool,
    pub(crate) content_type: Field<'a>,
    pub(crate) authorization: Field<'a>,
    pub(crate) body: &'a [u8],
}

/// Why a front could not read a body; one that is too long is [told](Request::with_body_too_large).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It took too long to arrive: 408.
    TooSlow,
    /// It did not arrive as announced: 400.
    Broken,
    /// It came in chunks, which this front does not read: 411.
    Chunked,
}

/// The methods that mean something to this API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Put,
    Post,
    Delete,
}

/// A header that may occur once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field<'a> {
    Missing,
    Once(&'a [u8]),
    Repeated,
}

impl<'a> Request<'a> {
    /// A request line: the method and the target, both as they were sent.
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
            from_elsewhere: false,
            content_length: None,
            length_invalid: false,
            too_large: false,
            content_type: Field::Missing,
            authorization: Field::Missing,
            body: &[],
        }
    }

    /// Adds the query, for a front that gets it without the target.
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
            self.from_elsewhere |= [&b"cross-site"[..], b"same-site"]
                .iter()
                .any(|elsewhere| value.eq_ignore_ascii_case(elsewhere));
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

    /// Adds the body.
    #[must_use]
    pub fn with_body(self, body: &'a [u8]) -> Self {
        Self { body, ..self }
    }

    /// The body turned out to be longer than [`MAX_BODY`].
    #[must_use]
    pub fn with_body_too_large(self) -> Self {
        Self { too_large: true, ..self }
    }

    /// Whether a header has announced a body longer than [`MAX_BODY`]: it need not be read.
    pub fn is_body_too_large(&self) -> bool {
        self.too_large
    }

    /// Whether the body is JSON, or nobody has said what it is.
    pub(crate) fn may_be_json(&self) -> bool {
        match self.content_type {
            Field::Missing => true,
            Field::Once(value) => {
                let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default();
                media_type.trim_ascii().eq_ignore_ascii_case(b"application/json")
            }
            Field::Repeated => false,
        }
    }

    /// As it was sent; empty for a method that means nothing here.
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

    /// Whether `uri` is the target as it was sent.
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

    /// The target's own authority with its scheme, where it has one (RFC 9112, 3.2.2).
    pub(crate) fn target_authority(&self) -> Option<(&'a str, &'a str)> {
        let (scheme, rest) = self.split_target()?;
        Some((scheme, &rest[..end_of_authority(rest)]))
    }

    /// The path, without the query.
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

/// Digits only (RFC 9110, 8.6); what is too long for the number is too long for us.
fn content_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |sum: u64, byte: &u8| sum.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
    Some(value.iter().fold(0, digit))
}
