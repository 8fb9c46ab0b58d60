//! The daemon on a real radio: NetworkManager or wpa_supplicant, a file for the settings, and a
//! clock that keeps running in suspend.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use axum::Router;
use wps_core::{DriverError, ErrorKind, Settings, WifiDriver};
use wps_hal_linux::{
    BootClock, FileStore, LinuxError, Manager, NetworkManager, WpaSupplicant, wifi_interfaces,
};

use crate::addresses::addresses;
use crate::flags::{ControlDir, FreqList, RadioFlags};
use crate::serve::{self, DeviceOptions, HttpOptions, Parts};

/// Runs the daemon until a signal ends it.
pub(crate) async fn run(
    flags: RadioFlags,
    http: HttpOptions,
    device: DeviceOptions,
) -> anyhow::Result<()> {
    let RadioFlags { interface, manager, state_dir, control_dir, freq_list } = flags;
    let ControlDir(control_dir) = control_dir;
    let interface = match interface {
        Some(interface) => interface,
        None => only_interface()?,
    };
    let manager = match manager {
        Some(manager) => manager.into(),
        None => Manager::of(&interface, &control_dir).await?,
    };
    tracing::info!("pairing {interface} through {}", manager.name());
    let radio = Radio { interface, manager, state_dir };
    match manager {
        Manager::NetworkManager => {
            let interface = &radio.interface;
            ensure!(
                freq_list.is_none(),
                "NetworkManager manages {interface}, which knows no --freq-list: leave it out"
            );
            let driver = NetworkManager::new(control_dir, interface);
            let checked = driver.check().await;
            serve(driver, checked, radio, http, device).await
        }
        Manager::WpaSupplicant => {
            let frequencies = freq_list.map_or_else(Vec::new, |FreqList(frequencies)| frequencies);
            let driver = WpaSupplicant::new(control_dir, &radio.interface).freq_list(frequencies);
            let checked = driver.check().await;
            serve(driver, checked, radio, http, device).await
        }
        _ => bail!("wpsd has no driver for {}", manager.name()),
    }
}

/// Returns the only Wi-Fi interface of this machine.
fn only_interface() -> anyhow::Result<String> {
    let mut all = wifi_interfaces().context("the network interfaces cannot be listed")?;
    match (all.pop(), all.is_empty()) {
        (Some(interface), true) => Ok(interface),
        (Some(last), false) => {
            all.push(last);
            bail!(
                "this machine has several Wi-Fi interfaces: give one of {all:?}, with --interface NAME"
            )
        }
        (None, _) => bail!(
            "this machine has no Wi-Fi interface: plug the radio in; `wpsd demo` runs without one"
        ),
    }
}

/// The radio to serve.
struct Radio {
    interface: String,
    manager: Manager,
    state_dir: PathBuf,
}

/// Serves a driver after it has checked its radio.
async fn serve(
    driver: impl WifiDriver,
    checked: Result<(), LinuxError>,
    radio: Radio,
    http: HttpOptions,
    device: DeviceOptions,
) -> anyhow::Result<()> {
    match checked {
        Ok(()) => {}
        // The page reports these, and everything else works.
        Err(error) if matches!(error.kind(), ErrorKind::Blocked | ErrorKind::WithoutWps) => {
            tracing::warn!("{error}");
        }
        Err(error) => return Err(error.into()),
    }
    let Radio { interface, manager, state_dir } = radio;
    let store = FileStore::open(&state_dir, &interface)?;
    let listener = http.bind().await?;
    let device = device.with_default_settings(Settings::Platform);
    let parts = Parts {
        driver,
        store,
        clock: BootClock,
        device,
        manager: Some(manager.name()),
        addresses: Some(Arc::new(move || addresses(&interface))),
        routes: Router::new(),
    };
    serve::run(listener, parts).await
}
