//! The static files: the web page and the OpenAPI description.
//!
//! There is no build step. Each file has its own path, so that the Content-Security-Policy needs no
//! exception for inline code.

use crate::response::{JSON, Response};

/// Allows files from the device only, no inline code, and no frames around the page.
///
/// The page may connect to `.local` names, where it looks for a device that has changed networks.
/// There is no `Referrer-Policy: no-referrer`, which would turn the page's own Origin into `null`.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self' http://*.local:*; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

#[derive(Clone, Copy)]
pub(crate) enum File {
    Html,
    Style,
    Script(&'static str),
    Icon,
    OpenApi,
}

impl File {
    /// Returns the file that is served at `path`.
    pub(crate) fn for_path(path: &str) -> Option<Self> {
        match path {
            "/" => Some(Self::Html),
            "/style.css" => Some(Self::Style),
            "/app.js" => Some(Self::Script(include_str!("../assets/app.js"))),
            "/by-hand.js" => Some(Self::Script(include_str!("../assets/by-hand.js"))),
            "/device.js" => Some(Self::Script(include_str!("../assets/device.js"))),
            "/icon.svg" => Some(Self::Icon),
            "/api/v1/openapi.json" => Some(Self::OpenApi),
            _ => None,
        }
    }

    pub(crate) fn response<'b>(self) -> Response<'b> {
        let (content_type, text) = match self {
            Self::Html => ("text/html; charset=utf-8", include_str!("../assets/index.html")),
            Self::Style => ("text/css; charset=utf-8", include_str!("../assets/style.css")),
            Self::Script(text) => ("text/javascript; charset=utf-8", text),
            Self::Icon => ("image/svg+xml", include_str!("../assets/icon.svg")),
            Self::OpenApi => (JSON, include_str!("../assets/openapi.json")),
        };
        Response::file(content_type, CONTENT_SECURITY_POLICY, text)
    }
}
