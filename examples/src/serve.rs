//! The daemon, for any driver, store and clock: it runs the runner and the HTTP server, and shuts
//! down when a signal arrives.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::Router;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;
use wps_core::{AfterFailure, Clock, Control, Phase, Runner, Settings, SettingsStore, WifiDriver};
use wps_http::axum::{Config, Limits};
use wps_http::{Addresses, Password};

use crate::button_and_lamp::ButtonAndLamp;
use crate::{results, systemd};

/// How long the exit waits for the rollback of a cancelled pairing. If that is not enough, the
/// journal is on disk, and the next start completes the rollback.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);

/// The control that all parts of the daemon share.
pub(crate) static CONTROL: Control<CriticalSectionRawMutex, 8, 8> = Control::new();

/// The options of the HTTP server.
pub(crate) struct HttpOptions {
    pub(crate) listen: SocketAddr,
    pub(crate) names: Vec<String>,
    pub(crate) password: Option<Password>,
}

/// The parts that differ between the simulated radio and a real one.
pub(crate) struct Parts<D, S, C> {
    pub(crate) driver: D,
    pub(crate) store: S,
    pub(crate) clock: C,
    pub(crate) device: DeviceOptions<Settings>,
    /// The program that manages the interface. `None` if the radio is simulated.
    pub(crate) manager: Option<&'static str>,
    /// Returns the IP settings. `None` if the radio is simulated.
    pub(crate) addresses: Option<Arc<dyn Fn() -> Option<Addresses> + Send + Sync>>,
    /// Additional routes.
    pub(crate) routes: Router,
}

/// The options of the device, for every kind of radio.
pub(crate) struct DeviceOptions<S = Option<Settings>> {
    /// The settings of a device that was never set up.
    pub(crate) factory_settings: S,
    pub(crate) after_failure: AfterFailure,
    pub(crate) button_and_lamp: ButtonAndLamp,
}

impl DeviceOptions {
    /// Uses `default` as factory settings if the flags name none.
    pub(crate) fn with_default_settings(self, default: Settings) -> DeviceOptions<Settings> {
        let Self { factory_settings, after_failure, button_and_lamp } = self;
        let factory_settings = factory_settings.unwrap_or(default);
        DeviceOptions { factory_settings, after_failure, button_and_lamp }
    }
}

impl HttpOptions {
    /// Binds the port. The daemon does this first, before it changes anything.
    pub(crate) async fn bind(self) -> anyhow::Result<HttpListener> {
        let Self { listen, names, password } = self;
        let describe = |error: io::Error| {
            let kind = error.kind();
            let advice = if kind == ErrorKind::AddrInUse {
                "another program listens there already: stop it, or choose another port"
            } else if kind == ErrorKind::PermissionDenied {
                "no permission: choose a port above 1023, or give wpsd CAP_NET_BIND_SERVICE"
            } else if kind == ErrorKind::AddrNotAvailable {
                "this machine has no such address: choose one of its own, or 0.0.0.0 for all"
            } else {
                return anyhow!("cannot listen on {listen}: {error}; see --listen");
            };
            anyhow!("cannot listen on {listen}: {advice}, with --listen ADDR:PORT")
        };
        let listener = TcpListener::bind(listen).await.map_err(describe)?;
        let address = listener.local_addr()?;
        Ok(HttpListener { listener, address, names, password })
    }
}

/// A bound port, and the options of its server.
pub(crate) struct HttpListener {
    listener: TcpListener,
    address: SocketAddr,
    names: Vec<String>,
    password: Option<Password>,
}

impl HttpListener {
    /// Returns the address for a browser on this machine. It has the real port if the option was
    /// port 0.
    pub(crate) fn address(&self) -> SocketAddr {
        let ip = match self.address.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        SocketAddr::new(ip, self.address.port())
    }
}

/// Runs until SIGTERM or SIGINT, then cancels a running pairing and waits for its rollback.
pub(crate) async fn run<D, S, C>(http: HttpListener, parts: Parts<D, S, C>) -> anyhow::Result<()>
where
    D: WifiDriver,
    S: SettingsStore,
    S::Error: Display,
    C: Clock + Clone + Send + Sync + 'static,
{
    let HttpListener { listener, address, mut names, password } = http;
    let Parts { driver, store, clock, device, manager, addresses, routes } = parts;
    let DeviceOptions { factory_settings, after_failure, button_and_lamp } = device;
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut next_signal = async || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };

    let host_name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    names.push(host_name.clone());
    let is_open = password.is_none() && !address.ip().is_loopback();
    let config = Config {
        names,
        password,
        addresses,
        name: Some(host_name),
        version: Some(env!("CARGO_PKG_VERSION").into()),
        manager: manager.map(Into::into),
        has_platform: factory_settings == Settings::Platform,
        ..Config::default()
    };
    let now = clock.clone();
    let router = wps_http::axum::router(&CONTROL, move || now.now(), config, routes);

    let config = wps_core::Config::new(factory_settings).with_after_failure(after_failure);
    let mut runner = Runner::boot(driver, store, clock.clone(), &CONTROL, config)
        .await
        .map_err(|error| anyhow!("the saved settings cannot be read: {error}"))?;
    tracing::info!("serving http://{address}");
    if is_open {
        tracing::warn!(
            "no password is set: anybody who can reach {address} can start a pairing; \
             see --password-file"
        );
    }

    let (stop, stopped) = watch::channel(());
    let stopped = || {
        let mut stopped = stopped.clone();
        async move {
            // No value is ever sent. This returns when the sender is dropped.
            let _ = stopped.changed().await;
        }
    };
    let server =
        tokio::spawn(wps_http::axum::serve(listener, router, Limits::default(), stopped()));
    systemd::ready().await;
    let run_until_signal = async {
        next_signal().await;
        tracing::info!("stopping");
        // First stop the server, so that no new pairing starts, then cancel a running one.
        drop(stop);
        systemd::stopping().await;
        server.await.context("the HTTP server failed")?;
        let idle = async {
            CONTROL.cancel().await;
            let mut status_listener = CONTROL.listen().context("no free listener slot")?;
            status_listener.wait_for(|status| status.phase == Phase::Idle).await;
            anyhow::Ok(())
        };
        tokio::select! {
            result = timeout(SHUTDOWN_TIMEOUT, idle) => match result {
                Ok(result) => result?,
                Err(_) => tracing::warn!("the rollback is unfinished; the next start completes it"),
            },
            () = next_signal() => {
                tracing::warn!("second signal: exiting; the next start completes the rollback");
            }
        }
        anyhow::Ok(())
    };
    tokio::select! {
        never = runner.run() => never,
        result = run_until_signal => result,
        never = button_and_lamp.run(&clock, stopped()) => match never {},
        never = results::run() => match never {},
        never = systemd::run() => match never {},
    }
}
