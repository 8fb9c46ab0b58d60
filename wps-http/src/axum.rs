//! The adapter for Linux: an axum router, and a server with limits against slow and greedy clients.
//!
//! ```no_run
//! use wps_core::embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
//! use wps_core::{Control, Instant};
//! use wps_http::axum::{Config, Limits, router, serve};
//!
//! static CONTROL: Control<CriticalSectionRawMutex, 8, 8> = Control::new();
//!
//! # async fn run() -> std::io::Result<()> {
//! let begin = std::time::Instant::now();
//! let now = move || Instant::from_millis(begin.elapsed().as_millis() as u64);
//! let config = Config { names: vec!["device".into()], ..Config::default() };
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! let router = router(&CONTROL, now, config, axum::Router::new());
//! serve(listener, router, Limits::default(), std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod access;
mod config;
mod events;
mod handler;
mod limits;
mod message;
mod serve;

use core::ops::Deref;
use std::boxed::Box;
use std::sync::Arc;

use ::axum::Router;
use ::axum::extract::{DefaultBodyLimit, Request};
use ::axum::middleware::from_fn_with_state;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use wps_core::{Control, Instant};

use crate::MAX_BODY;

use access::{AccessControl, require_access};
use handler::{ControlSlots, handle_request};

pub use config::Config;
pub use limits::Limits;
pub use serve::serve;

/// Creates a router with the API and the page.
///
/// `more` contains the application's own routes. The same rules on Host, Origin, password and body
/// size apply to them. `control` can be an `Arc` or a `&'static`. `now` is the clock of its runner.
///
/// Wrong passwords are counted by the client's address, which the router finds in a
/// [`ConnectInfo`](::axum::extract::ConnectInfo): [`serve`] provides it. Without it, or behind a
/// reverse proxy, all clients count as one, and a client that guesses keeps the others from logging
/// in.
///
/// The server uses at most half of the control's reply slots and listeners, and at least one of
/// each. The rest is for the application. More requests wait, and more listeners get a 503.
pub fn router<D, C, const SLOTS: usize, const LISTENERS: usize>(
    control: D,
    now: C,
    config: Config,
    more: Router,
) -> Router
where
    D: Deref<Target = Control<CriticalSectionRawMutex, SLOTS, LISTENERS>>
        + Clone
        + Send
        + Sync
        + 'static,
    C: Fn() -> Instant + Clone + Send + Sync + 'static,
{
    let access = Arc::new(AccessControl::new(config, now));
    let slots = ControlSlots::new((SLOTS / 2).max(1), (LISTENERS / 2).max(1));
    more.layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(access.clone(), require_access::<C>))
        .fallback(move |request: Request| {
            // Boxed, because axum moves the future several times.
            Box::pin(handle_request(control.clone(), access.clone(), slots.clone(), request))
        })
}
