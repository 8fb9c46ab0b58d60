//! A response, and the constructors of all responses that the API sends.

mod refusal;

use serde::Serialize;

/// A response. Its body is static, or in the buffer of the call that created it.
#[derive(Clone, Copy, Debug)]
pub struct Response<'b> {
    status: u16,
    content_type: Option<&'static str>,
    allow: Option<&'static str>,
    retry_after: Option<&'static str>,
    content_security_policy: Option<&'static str>,
    challenges: [Option<&'b str>; 2],
    close: bool,
    is_stream: bool,
    body: &'b [u8],
    without_body: bool,
}

/// The headers of every response, including those of an application's own routes.
pub const COMMON_HEADERS: [(&str, &str); 2] =
    [("cache-control", "no-store"), ("x-content-type-options", "nosniff")];

pub(crate) const JSON: &str = "application/json; charset=utf-8";
const PROBLEM: &str = "application/problem+json";

impl<'b> Response<'b> {
    /// Returns the status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns all headers except Content-Length, with lower-case names. A name may occur twice.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &'b str)> {
        let [first, second] = self.challenges;
        let fields = [
            ("content-type", self.content_type),
            ("allow", self.allow),
            ("retry-after", self.retry_after),
            ("www-authenticate", first),
            ("www-authenticate", second),
            ("content-security-policy", self.content_security_policy),
            ("connection", self.close.then_some("close")),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        fields.chain(COMMON_HEADERS)
    }

    /// Returns the Content-Type, which is also one of the [headers](Self::headers).
    pub fn content_type(&self) -> Option<&'static str> {
        self.content_type
    }

    /// Returns the Content-Length, or `None` for a stream and for a 204, which must not have one
    /// (RFC 9110, 8.6).
    pub fn content_length(&self) -> Option<usize> {
        (self.status != 204 && !self.is_stream).then_some(self.body.len())
    }

    /// Returns whether the body is an endless sequence of [events](crate::event).
    pub fn is_stream(&self) -> bool {
        self.is_stream && !self.without_body
    }

    /// Returns the body. It is empty if the request was a HEAD.
    pub fn body(&self) -> &'b [u8] {
        if self.without_body { &[] } else { self.body }
    }

    pub(crate) fn for_head(self, without_body: bool) -> Self {
        Self { without_body, ..self }
    }

    pub(crate) fn no_content() -> Self {
        Self::new(204, None, &[])
    }

    pub(crate) fn file(
        content_type: &'static str,
        content_security_policy: &'static str,
        body: &'b str,
    ) -> Self {
        let content_security_policy = Some(content_security_policy);
        Self { content_security_policy, ..Self::new(200, Some(content_type), body.as_bytes()) }
    }

    pub(crate) fn json(value: &impl Serialize, buffer: &'b mut [u8]) -> Self {
        match serde_json_core::to_slice(value, buffer) {
            Ok(length) => Self::from_json(buffer.get(..length).unwrap_or_default()),
            Err(_) => Self::new(500, Some(PROBLEM), BUFFER_TOO_SMALL.as_bytes()),
        }
    }

    /// Creates a response from serialized JSON. An empty `body` means that the buffer was too
    /// small.
    pub(crate) fn from_json(body: &'b [u8]) -> Self {
        match body {
            [] => Self::new(500, Some(PROBLEM), BUFFER_TOO_SMALL.as_bytes()),
            body => Self::new(200, Some(JSON), body),
        }
    }

    pub(crate) fn event_stream() -> Self {
        Self { is_stream: true, ..Self::new(200, Some("text/event-stream"), &[]) }
    }

    /// Creates a problem document (RFC 9457). `detail` is a sentence that says what to do.
    pub(crate) fn problem(status: u16, detail: &str, buffer: &'b mut [u8]) -> Self {
        let response = Self::json(&Problem { title: title(status), status, detail }, buffer);
        let status = if response.status == 200 { status } else { response.status };
        Self { status, content_type: Some(PROBLEM), ..response }
    }

    pub(crate) fn unknown_path(buffer: &'b mut [u8]) -> Self {
        let detail = "Nothing is served at this path. The page is at /, the pairing at \
                      /api/v1/wifi/wps.";
        Self::problem(404, detail, buffer)
    }

    pub(crate) fn method_not_allowed(allow: Option<&'static str>, buffer: &'b mut [u8]) -> Self {
        let detail = "Use one of the methods that the Allow header lists.";
        Self { allow, ..Self::problem(405, detail, buffer) }
    }

    pub(crate) fn not_json(buffer: &'b mut [u8]) -> Self {
        let detail = "Send JSON, and say so: Content-Type: application/json.";
        Self::problem(415, detail, buffer)
    }

    pub(crate) fn busy(buffer: &'b mut [u8]) -> Self {
        Self::unavailable("1", "The device is busy. Try again in a second.", buffer)
    }

    /// Creates a 503 for a request that the machine refused. The cause usually lasts longer than
    /// that of [`busy`](Self::busy).
    pub(crate) fn refused(advice: &str, buffer: &'b mut [u8]) -> Self {
        Self::unavailable("5", advice, buffer)
    }

    fn unavailable(seconds: &'static str, detail: &str, buffer: &'b mut [u8]) -> Self {
        Self { retry_after: Some(seconds), ..Self::problem(503, detail, buffer) }
    }

    fn new(status: u16, content_type: Option<&'static str>, body: &'b [u8]) -> Self {
        Self {
            status,
            content_type,
            allow: None,
            retry_after: None,
            content_security_policy: None,
            challenges: [None; 2],
            close: false,
            is_stream: false,
            body,
            without_body: false,
        }
    }
}

#[derive(Serialize)]
struct Problem<'a> {
    title: &'static str,
    status: u16,
    detail: &'a str,
}

const BUFFER_TOO_SMALL: &str = concat!(
    r#"{"title":"Internal Server Error","status":500,"#,
    r#""detail":"The answer does not fit its buffer. Please report this."}"#
);

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}
