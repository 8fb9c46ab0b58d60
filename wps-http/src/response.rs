//! What a front sends.

use core::time::Duration;

use serde::Serialize;

use crate::auth::Challenge;
use crate::digest::Algorithm;
use crate::guard::Denied;
use crate::request::Unread;

/// An answer. Its body is static or in the buffer of the call that made it.
#[derive(Clone, Copy, Debug)]
pub struct Response<'b> {
    status: u16,
    content_type: Option<&'static str>,
    allow: Option<&'static str>,
    retry_after: Option<&'static str>,
    policy: Option<&'static str>,
    challenges: [Option<&'b str>; 2],
    pause: bool,
    close: bool,
    is_stream: bool,
    body: &'b [u8],
    without_body: bool,
}

/// On every answer, also on those of an application's own routes.
pub const COMMON_HEADERS: [(&str, &str); 2] =
    [("cache-control", "no-store"), ("x-content-type-options", "nosniff")];

/// A guess a second from each connection; the owner's right answer does not wait.
const GUESS_PAUSE: Duration = Duration::from_secs(1);
/// The longest challenge, rounded up.
const CHALLENGE: usize = 256;

pub(crate) const JSON: &str = "application/json; charset=utf-8";
const PROBLEM: &str = "application/problem+json";

impl<'b> Response<'b> {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// All header fields but Content-Length, with lower-case names. One name may come twice.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &'b str)> {
        let [first, second] = self.challenges;
        let own = [
            ("content-type", self.content_type),
            ("allow", self.allow),
            ("retry-after", self.retry_after),
            ("www-authenticate", first),
            ("www-authenticate", second),
            ("content-security-policy", self.policy),
            ("connection", self.close.then_some("close")),
        ];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
        own.chain(COMMON_HEADERS)
    }

    /// Content-Type, which [headers](Self::headers) has too.
    pub fn content_type(&self) -> Option<&'static str> {
        self.content_type
    }

    /// Content-Length; none on a 204, which must not have one (RFC 9110, 8.6), and on a stream.
    pub fn content_length(&self) -> Option<usize> {
        (self.status != 204 && !self.is_stream).then_some(self.body.len())
    }

    /// Whether [events](crate::event) follow, one after the other.
    pub fn is_stream(&self) -> bool {
        self.is_stream && !self.without_body
    }

    /// How long to wait before this answer goes out: whoever guesses passwords shall not be quick.
    pub fn pause(&self) -> Duration {
        if self.pause { GUESS_PAUSE } else { Duration::ZERO }
    }

    /// What follows the header; nothing on the answer to a HEAD.
    pub fn body(&self) -> &'b [u8] {
        if self.without_body { &[] } else { self.body }
    }

    pub(crate) fn for_head(self, without_body: bool) -> Self {
        Self { without_body, ..self }
    }

    pub(crate) fn no_content() -> Self {
        Self::new(204, None, &[])
    }

    pub(crate) fn file(content_type: &'static str, policy: &'static str, body: &'b str) -> Self {
        let policy = Some(policy);
        Self { policy, ..Self::new(200, Some(content_type), body.as_bytes()) }
    }

    pub(crate) fn json(value: &impl Serialize, buffer: &'b mut [u8]) -> Self {
        match serde_json_core::to_slice(value, buffer) {
            Ok(length) => Self::of_json(buffer.get(..length).unwrap_or_default()),
            Err(_) => Self::new(500, Some(PROBLEM), TOO_LITTLE_SPACE.as_bytes()),
        }
    }

    /// JSON that is written already; nothing is none.
    pub(crate) fn of_json(body: &'b [u8]) -> Self {
        match body {
            [] => Self::new(500, Some(PROBLEM), TOO_LITTLE_SPACE.as_bytes()),
            body => Self::new(200, Some(JSON), body),
        }
    }

    /// Two challenges, the better one first.
    pub(crate) fn unauthorized(challenge: &Challenge, buffer: &'b mut [u8]) -> Self {
        let Some((first, rest)) = buffer.split_at_mut_checked(CHALLENGE) else {
            return Self::new(500, Some(PROBLEM), TOO_LITTLE_SPACE.as_bytes());
        };
        let Some((second, rest)) = rest.split_at_mut_checked(CHALLENGE) else {
            return Self::new(500, Some(PROBLEM), TOO_LITTLE_SPACE.as_bytes());
        };
        let challenges = [
            challenge.write(Algorithm::Sha256, first),
            challenge.write(Algorithm::Md5Sess, second),
        ];
        let detail = "Give the device's password, with an empty user name (HTTP Digest).";
        Self { challenges, pause: challenge.failed, ..Self::problem(401, detail, rest) }
    }

    pub(crate) fn other_uri(buffer: &'b mut [u8]) -> Self {
        let detail = "The uri of the Authorization header must be the target of the request.";
        Self::problem(400, detail, buffer)
    }

    pub(crate) fn event_stream() -> Self {
        Self { is_stream: true, ..Self::new(200, Some("text/event-stream"), &[]) }
    }

    /// A problem document (RFC 9457). `detail` is a sentence that says what to do.
    pub(crate) fn problem(status: u16, detail: &str, buffer: &'b mut [u8]) -> Self {
        let answer = Self::json(&Problem { title: title(status), status, detail }, buffer);
        let status = if answer.status == 200 { status } else { answer.status };
        Self { status, content_type: Some(PROBLEM), ..answer }
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

    pub(crate) fn too_large(buffer: &'b mut [u8]) -> Self {
        let detail = "Send a shorter body: no request here needs more than 1024 bytes.";
        Self { close: true, ..Self::problem(413, detail, buffer) }
    }

    pub(crate) fn not_json(buffer: &'b mut [u8]) -> Self {
        let detail = "Send JSON, and say so: Content-Type: application/json.";
        Self::problem(415, detail, buffer)
    }

    pub(crate) fn busy(buffer: &'b mut [u8]) -> Self {
        Self::unavailable("1", "The device is busy. Try again in a second.", buffer)
    }

    /// What makes the device refuse for a reason passes less quickly.
    pub(crate) fn refused(advice: &str, buffer: &'b mut [u8]) -> Self {
        Self::unavailable("5", advice, buffer)
    }

    fn unavailable(seconds: &'static str, detail: &str, buffer: &'b mut [u8]) -> Self {
        Self { retry_after: Some(seconds), ..Self::problem(503, detail, buffer) }
    }

    fn too_slow(buffer: &'b mut [u8]) -> Self {
        let detail = "The request took too long to arrive. Send it again, in one go.";
        Self { close: true, ..Self::problem(408, detail, buffer) }
    }

    fn broken_body(buffer: &'b mut [u8]) -> Self {
        let detail = "The body did not arrive as announced. Send the request again.";
        Self { close: true, ..Self::problem(400, detail, buffer) }
    }

    /// What a server could not read as HTTP, and so refuses by itself.
    #[cfg(feature = "axum")]
    pub(crate) fn unreadable(status: u16, buffer: &'b mut [u8]) -> Self {
        let detail = match status {
            414 => "Send a shorter target, such as /api/v1/wifi/wps.",
            431 => "Send fewer or shorter header fields.",
            _ => "Send a valid HTTP/1.1 request.",
        };
        Self { close: true, ..Self::problem(status, detail, buffer) }
    }

    fn length_required(buffer: &'b mut [u8]) -> Self {
        let detail =
            "Send the body in one piece, with a Content-Length instead of a Transfer-Encoding.";
        Self { close: true, ..Self::problem(411, detail, buffer) }
    }

    fn new(status: u16, content_type: Option<&'static str>, body: &'b [u8]) -> Self {
        Self {
            status,
            content_type,
            allow: None,
            retry_after: None,
            policy: None,
            challenges: [None; 2],
            pause: false,
            close: false,
            is_stream: false,
            body,
            without_body: false,
        }
    }
}

impl Denied {
    /// The answer, without any CORS header.
    pub fn answer(self, buffer: &mut [u8]) -> Response<'_> {
        match self {
            Self::Malformed => {
                let detail = "Send exactly one valid Host header, at most one Origin, and a valid \
                              Content-Length if any.";
                Response::problem(400, detail, buffer)
            }
            Self::ForeignHost => {
                let detail = "The device does not answer to this name. Use its IP address, or add \
                              the name to its configuration.";
                Response::problem(404, detail, buffer)
            }
            Self::ForeignOrigin => {
                let detail = "Pages of other sites are not served. Open the device's own page.";
                Response::problem(404, detail, buffer)
            }
        }
    }
}

impl Unread {
    /// The answer.
    pub fn answer(self, buffer: &mut [u8]) -> Response<'_> {
        match self {
            Self::TooSlow => Response::too_slow(buffer),
            Self::Broken => Response::broken_body(buffer),
            Self::Chunked => Response::length_required(buffer),
        }
    }
}

#[derive(Serialize)]
struct Problem<'a> {
    title: &'static str,
    status: u16,
    detail: &'a str,
}

const TOO_LITTLE_SPACE: &str = concat!(
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
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}
