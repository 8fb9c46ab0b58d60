//! The responses to requests that are refused by access control or by a limit on the body.

use super::{BUFFER_TOO_SMALL, PROBLEM, Response};
use crate::auth::{AuthError, Challenge};
use crate::digest::Algorithm;
use crate::origin::OriginError;
use crate::request::BodyError;

/// The length of the longest challenge, rounded up.
const CHALLENGE_MAX: usize = 256;

impl OriginError {
    /// Writes the response to the request into `buffer`. It has no CORS headers.
    pub fn response(self, buffer: &mut [u8]) -> Response<'_> {
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

impl AuthError {
    /// Writes the response to the request into `buffer`.
    pub fn response<'b>(&self, buffer: &'b mut [u8]) -> Response<'b> {
        match self {
            Self::Unauthorized(challenge) => Response::unauthorized(challenge, buffer),
            Self::UriMismatch => {
                let detail =
                    "The uri of the Authorization header must be the target of the request.";
                Response::problem(400, detail, buffer)
            }
            Self::TooManyGuesses => Response::too_many_guesses(buffer),
        }
    }
}

impl BodyError {
    /// Writes the response to the request into `buffer`.
    pub fn response(self, buffer: &mut [u8]) -> Response<'_> {
        let (status, detail) = match self {
            Self::TooSlow => {
                (408, "The request took too long to arrive. Send it again, in one go.")
            }
            Self::Broken => (400, "The body did not arrive as announced. Send the request again."),
            Self::Chunked => (
                411,
                "Send the body in one piece, with a Content-Length instead of a Transfer-Encoding.",
            ),
        };
        Response::unread_body(status, detail, buffer)
    }
}

impl<'b> Response<'b> {
    pub(crate) fn too_large(buffer: &'b mut [u8]) -> Self {
        let detail = "Send a shorter body: no request here needs more than 1024 bytes.";
        Self::unread_body(413, detail, buffer)
    }

    /// Creates a 401 with two challenges, the stronger algorithm first.
    fn unauthorized(challenge: &Challenge, buffer: &'b mut [u8]) -> Self {
        let Some((first, rest)) = buffer.split_at_mut_checked(CHALLENGE_MAX) else {
            return Self::new(500, Some(PROBLEM), BUFFER_TOO_SMALL.as_bytes());
        };
        let Some((second, rest)) = rest.split_at_mut_checked(CHALLENGE_MAX) else {
            return Self::new(500, Some(PROBLEM), BUFFER_TOO_SMALL.as_bytes());
        };
        let challenges = [
            challenge.write(Algorithm::Sha256, first),
            challenge.write(Algorithm::Md5Sess, second),
        ];
        let detail = "Give the device's password, with any user name or none (HTTP Digest).";
        Self { challenges, ..Self::problem(401, detail, rest) }
    }

    /// Creates a 429 (RFC 6585, 4). A guess is paid off after a second.
    fn too_many_guesses(buffer: &'b mut [u8]) -> Self {
        let detail = "There were too many wrong passwords, so this one was not checked. Try again \
                      in a second.";
        Self { retry_after: Some("1"), ..Self::problem(429, detail, buffer) }
    }

    /// Creates a problem document for a request whose body was not read to its end, so that the
    /// connection cannot be used any more.
    fn unread_body(status: u16, detail: &str, buffer: &'b mut [u8]) -> Self {
        Self { close: true, ..Self::problem(status, detail, buffer) }
    }
}
