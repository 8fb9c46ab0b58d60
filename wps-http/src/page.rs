//! What never changes: the description of the API, and the web page, files without a build step, each under its own path, so that the
//! Content-Security-Policy needs no exception for inline code.

use crate::response::{JSON, Response};

/// Everything from the device itself, nothing inline, in nobody's frame. By its `.local` name the page
/// looks for a device that has changed networks. There is no `Referrer-AfterFailure: no-referrer`, which would
/// turn the page's own Origin into `null`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
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
    pub(crate) fn at(path: &str) -> Option<Self> {
        match path {
            "/" => Some(Self::Html),
            "/style.css" => Some(Self::Style),
            "/app.js" => Some(Self::Script(include_str!("../assets/app.js"))),
            "/by-hand.js" => Some(Self::Script(include_str!("../assets/by-hand.js"))),
            "/device.js" => Some(Self::Script(include_str!("../assets/device.js"))),
            "/sim.js" => Some(Self::Script(include_str!("../assets/sim.js"))),
            "/icon.svg" => Some(Self::Icon),
            "/api/v1/openapi.json" => Some(Self::OpenApi),
            _ => None,
        }
    }

    pub(crate) fn answer<'b>(self) -> Response<'b> {
        let (content_type, text) = match self {
            Self::Html => ("text/html; charset=utf-8", include_str!("../assets/index.html")),
            Self::Style => ("text/css; charset=utf-8", include_str!("../assets/style.css")),
            Self::Script(text) => ("text/javascript; charset=utf-8", text),
            Self::Icon => ("image/svg+xml", include_str!("../assets/icon.svg")),
            Self::OpenApi => (JSON, include_str!("../assets/openapi.json")),
        };
        Response::file(content_type, POLICY, text)
    }
}
