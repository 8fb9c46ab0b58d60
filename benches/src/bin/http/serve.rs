//! The servers. Each runs on its own thread until the program ends.

use std::future::pending;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use rustix::thread::{Pid, gettid};
use tokio::task::LocalSet;
use tokio::time;
use wps_core::sim::{Air, Disk};
use wps_core::{Clock, Control, Instant, Phase, Runner, Settings};
use wps_http::Password;
use wps_http::axum::{Config, Limits};

pub(crate) const PATH: &str = "/api/v1/wifi/wps";
pub(crate) const PASSWORD: &str = "open, sesame";
pub(crate) const REALM: &str = "device";

#[derive(Clone, Copy, PartialEq, Eq)]
/// What a server serves.
pub(crate) enum Served {
    /// axum and its own server, with a handler that does nothing.
    Bare,
    /// The API, with its limits and its checks of `Host` and `Origin`.
    Open,
    /// The same, with HTTP Digest.
    WithPassword,
}

impl Served {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare axum",
            Self::Open => "wps-http",
            Self::WithPassword => "wps-http, Digest",
        }
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) served: Served,
    pub(crate) address: SocketAddr,
    /// The thread that runs everything, including the machine.
    pub(crate) thread: Pid,
}

/// Starts a server, and returns when the machine is idle.
pub(crate) fn serve(served: Served) -> io::Result<Server> {
    let (ready, is_ready) = mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    // A profiler distinguishes the servers by the names of their threads.
    let server = thread::Builder::new().name(served.name().into());
    server.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            match served {
                Served::Bare => {
                    ready.send(gettid()).expect("the starting thread waits");
                    let routes = get(async || ()).post(async || StatusCode::NO_CONTENT);
                    axum::serve(listener, Router::new().route(PATH, routes)).await
                }
                Served::Open => with_api(listener, None, ready).await,
                Served::WithPassword => {
                    with_api(listener, Password::new(PASSWORD.as_bytes()), ready).await
                }
            }
        })
    })?;
    let thread = is_ready.recv().expect("the server starts");
    Ok(Server { served, address, thread })
}

async fn with_api(
    listener: tokio::net::TcpListener,
    password: Option<Password>,
    ready: Sender<Pid>,
) -> io::Result<()> {
    let clock: &'static TokioClock = Box::leak(Box::new(TokioClock(time::Instant::now())));
    let air: &'static Air<CriticalSectionRawMutex> = Box::leak(Box::new(Air::new()));
    let disk: &'static Disk<CriticalSectionRawMutex> = Box::leak(Box::new(Disk::new()));
    let control: &'static Control<CriticalSectionRawMutex, 8, 8> =
        Box::leak(Box::new(Control::new()));
    let config = wps_core::Config::new(Settings::Off { remembered: None });
    let booted = Runner::boot(air.radio(clock), disk.store(), clock, control, config);
    let mut runner = booted.await.expect("an empty disk can be read");
    let config = Config { names: vec![REALM.into()], password, ..Config::default() };
    let routes = wps_http::axum::router(control, || clock.now(), config, Router::new());
    // In a separate task, as in a daemon.
    let tasks = LocalSet::new();
    tasks.spawn_local(async move { runner.run().await });
    let serve = async {
        let mut status_listener = control.listen().expect("a free listener slot");
        status_listener.wait_for(|status| status.phase == Phase::Idle).await;
        ready.send(gettid()).expect("the starting thread waits");
        // Room for all idle connections, for as long as they are measured.
        let limits = Limits {
            connections: usize::MAX,
            per_address: usize::MAX,
            header_timeout: Duration::from_secs(120),
            ..Limits::default()
        };
        wps_http::axum::serve(listener, routes, limits, pending()).await;
    };
    tasks.run_until(serve).await;
    Ok(())
}

struct TokioClock(time::Instant);

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        Instant::from_millis(self.0.elapsed().as_millis().try_into().unwrap_or(u64::MAX))
    }

    async fn sleep_until(&self, at: Instant) {
        time::sleep(at.since(self.now())).await;
    }
}
