//! The front for Linux: an axum router, and a server that keeps slow and greedy clients
//! in bounds.
//!
//! ```no_run
//! use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
//! use wps_core::{Control, Instant};
//! use wps_http::axum::{Config, Limits, router, serve};
//!
//! static CONTROL: Control<CriticalSectionRawMutex, 8> = Control::new();
//!
//! # async fn front() -> std::io::Result<()> {
//! let begin = std::time::Instant::now();
//! let now = move || Instant::from_millis(begin.elapsed().as_millis() as u64);
//! let config = Config { names: vec!["device".into()], ..Config::default() };
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! let router = router(&CONTROL, now, config, axum::Router::new());
//! serve(listener, router, Limits::default(), std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod answer;
mod config;
mod entrance;
mod events;
mod limits;
mod message;
mod serve;
mod unreadable;

use core::ops::Deref;
use std::boxed::Box;
use std::sync::Arc;

use ::axum::Router;
use ::axum::extract::{DefaultBodyLimit, Request};
use ::axum::middleware::from_fn_with_state;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use wps_core::{Control, Instant};

use crate::MAX_BODY;

use answer::{Waiting, answer};
use entrance::{Entrance, guarded};

pub use config::Config;
pub use limits::Limits;
pub use serve::serve;

/// The API and the page. `more` are routes of the application, behind the same rules on Host, Origin
/// and body size. The desk may be an `Arc` or a `&'static`; `now` is the clock of its runner.
pub fn router<D, C, const N: usize>(control: D, now: C, config: Config, more: Router) -> Router
where
    D: Deref<Target = Control<CriticalSectionRawMutex, N>> + Clone + Send + Sync + 'static,
    C: Fn() -> Instant + Clone + Send + Sync + 'static,
{
    let entrance = Arc::new(Entrance::new(config, now));
    // The desk takes N at a time, and the application may want to ask it, too.
    let waiting = Waiting::new((N / 2).max(1));
    more.layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(entrance.clone(), guarded::<C>))
        .fallback(move |request: Request| {
            // Boxed here: axum moves what it is given several times.
            Box::pin(answer(control.clone(), entrance.clone(), waiting.clone(), request))
        })
}
