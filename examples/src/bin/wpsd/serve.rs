//! The daemon itself, on any driver, store and clock: the runner, the HTTP front, the end.

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

use crate::panel::Panel;
use crate::systemd;

/// How long a pairing that was cut short may take to be put back. A machine that is not at rest by
/// then has its journal on disk, and goes on at the next start.
const REST_TIME: Duration = Duration::from_secs(20);

pub(crate) static CONTROL: Control<CriticalSectionRawMutex, 8> = Control::new();

/// Where clients come in, as the flags say.
pub(crate) struct Door {
    pub(crate) listen: SocketAddr,
    pub(crate) names: Vec<String>,
    pub(crate) password: Option<Password>,
}

/// The parts that differ between the simulated radio and a real one.
pub(crate) struct Parts<D, S, C> {
    pub(crate) driver: D,
    pub(crate) store: S,
    pub(crate) clock: C,
    pub(crate) device: Device<Settings>,
    /// Tells the IP settings, where there are any.
    pub(crate) addresses: Option<Arc<dyn Fn() -> Addresses + Send + Sync>>,
    /// Further routes.
    pub(crate) routes: Router,
}

/// What the flags say about the device, whatever its radio.
pub(crate) struct Device<B = Option<Settings>> {
    /// What it begins with if it has never been set up.
    pub(crate) factory_settings: B,
    pub(crate) after_failure: AfterFailure,
    pub(crate) panel: Panel,
}

impl Device {
    /// Uses `default` as factory settings if the flags name none.
    pub(crate) fn or(self, default: Settings) -> Device<Settings> {
        let Self { factory_settings, after_failure, panel } = self;
        Device { factory_settings: factory_settings.unwrap_or(default), after_failure, panel }
    }
}

impl Door {
    /// Takes the port, before anything else is touched.
    pub(crate) async fn open(self) -> anyhow::Result<OpenDoor> {
        let Self { listen, names, password } = self;
        let cannot = |error: io::Error| {
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
        let listener = TcpListener::bind(listen).await.map_err(cannot)?;
        let address = listener.local_addr()?;
        Ok(OpenDoor { listener, address, names, password })
    }
}

/// A port that was taken.
pub(crate) struct OpenDoor {
    listener: TcpListener,
    address: SocketAddr,
    names: Vec<String>,
    password: Option<Password>,
}

impl OpenDoor {
    /// Where a browser on this machine finds it, with the real port where any was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        let ip = match self.address.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        SocketAddr::new(ip, self.address.port())
    }
}

/// Runs until SIGTERM or SIGINT, then ends a running pairing by the failure rule.
pub(crate) async fn run<D, S, C>(door: OpenDoor, parts: Parts<D, S, C>) -> anyhow::Result<()>
where
    D: WifiDriver,
    S: SettingsStore,
    S::Error: Display,
    C: Clock + Clone + Send + Sync + 'static,
{
    let OpenDoor { listener, address, mut names, password } = door;
    let Parts { driver, store, clock, device, addresses, routes } = parts;
    let Device { factory_settings, after_failure, panel } = device;
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut told_to_stop = async || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };

    let own_name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    names.push(own_name.clone());
    let is_open = password.is_none() && !address.ip().is_loopback();
    let config = Config {
        names,
        password,
        addresses,
        name: Some(own_name),
        version: Some(env!("CARGO_PKG_VERSION").into()),
        has_platform: factory_settings == Settings::Platform,
        ..Config::default()
    };
    let now = clock.clone();
    let router = wps_http::axum::router(&CONTROL, move || now.now(), config, routes);

    let mut runner =
        Runner::boot(driver, store, clock.clone(), &CONTROL, factory_settings, after_failure)
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
            // Nothing is ever sent: the sender is gone, also with the program.
            let _ = stopped.changed().await;
        }
    };
    let front = tokio::spawn(wps_http::axum::serve(listener, router, Limits::default(), stopped()));
    systemd::ready().await;
    let stay_and_leave = async {
        told_to_stop().await;
        tracing::info!("stopping");
        // First nobody can start a pairing any more, then the one that runs is ended.
        drop(stop);
        systemd::stopping().await;
        front.await.context("the HTTP server failed")?;
        let at_rest = async {
            CONTROL.cancel().await;
            let mut news = CONTROL.listen().context("no seat at the desk")?;
            news.get_and(|status| status.phase == Phase::Idle).await;
            anyhow::Ok(())
        };
        tokio::select! {
            rested = timeout(REST_TIME, at_rest) => match rested {
                Ok(rested) => rested?,
                Err(_) => tracing::warn!("not at rest yet; what is left is done at the next start"),
            },
            () = told_to_stop() => tracing::warn!("told twice: what is left is done at the next start"),
        }
        anyhow::Ok(())
    };
    tokio::select! {
        never = runner.run() => never,
        left = stay_and_leave => left,
        never = panel.serve(&clock, stopped()) => match never {},
        never = systemd::keep_telling() => match never {},
    }
}
