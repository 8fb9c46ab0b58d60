//! The page of a simulated device: the page of every device, with a panel that controls the
//! simulated routers.

use axum::Router as Routes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;
use wps_http::{BUFFER, Reply, Request, View, handle};

/// The panel, with the links to its style and its script.
const PANEL: &str = include_str!("../assets/sim.html");
const STYLE: &str = include_str!("../assets/sim.css");
const SCRIPT: &str = include_str!("../assets/sim.js");
/// The line of the page that the panel is inserted before.
const END_OF_MAIN: &str = "  </main>\n";

/// Returns the routes of the page and of the panel's files.
pub(crate) fn routes() -> Routes {
    let file = |content_type: &'static str, text: &'static str| {
        get(async move || ([(header::CONTENT_TYPE, content_type)], text))
    };
    Routes::new()
        .route("/", get(async || page_with_panel()))
        .route("/sim.css", file("text/css; charset=utf-8", STYLE))
        .route("/sim.js", file("text/javascript; charset=utf-8", SCRIPT))
}

/// Returns the page that every device serves, with its headers, and with the panel in it.
fn page_with_panel() -> impl IntoResponse {
    let request = Request::new("GET", "/").header("Host", b"127.0.0.1");
    let mut buffer = [0; BUFFER];
    let Reply::Response(page) = handle(&request, &View::default(), &mut buffer) else {
        unreachable!("the page needs no action")
    };
    let header =
        |(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?));
    let headers: HeaderMap = page.headers().filter_map(header).collect();
    let text = String::from_utf8_lossy(page.body());
    (headers, text.replacen(END_OF_MAIN, &[PANEL, END_OF_MAIN].concat(), 1))
}
