//! The daemon on a real radio: wpa_supplicant or NetworkManager, a file for the settings, and a
//! clock that keeps running in suspend.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::ensure;
use axum::Router;
use clap::ValueEnum;
use wps_core::{DriverError, ErrorKind, Settings, WifiDriver};
use wps_hal_linux::{BootClock, FileStore, LinuxError, NetworkManager, WpaSupplicant};

use crate::addresses::addresses;
use crate::serve::{self, DeviceOptions, HttpOptions, Parts};

/// The options from the command line.
pub(crate) struct Options {
    pub(crate) interface: String,
    pub(crate) manager: Manager,
    pub(crate) state_dir: PathBuf,
    pub(crate) control_dir: PathBuf,
    pub(crate) freq_list: Option<FreqList>,
    pub(crate) http: HttpOptions,
    pub(crate) device: DeviceOptions,
}

/// The program that decides which networks the interface joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Manager {
    /// wpa_supplicant with its own configuration; no other program manages the interface
    WpaSupplicant,
    /// NetworkManager: the network becomes one of its profiles
    NetworkManager,
}

/// A list of frequencies in MHz, separated by spaces or commas as in wpa_supplicant.
#[derive(Clone, Debug)]
pub(crate) struct FreqList(Vec<u16>);

impl FromStr for FreqList {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words = text.split([' ', ',']).filter(|word| !word.is_empty());
        let frequencies: Result<Vec<u16>, _> = words.map(str::parse).collect();
        match frequencies {
            Ok(frequencies) if !frequencies.is_empty() => Ok(Self(frequencies)),
            Ok(_) | Err(_) => Err("give frequencies in MHz, such as \"2412 2437 2462\""),
        }
    }
}

/// Runs the daemon until a signal ends it.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let Options { interface, manager, state_dir, control_dir, freq_list, http, device } = options;
    match manager {
        Manager::WpaSupplicant => {
            let frequencies = freq_list.map_or_else(Vec::new, |FreqList(frequencies)| frequencies);
            let driver = WpaSupplicant::new(control_dir, &interface).freq_list(frequencies);
            let checked = driver.check().await;
            serve(driver, checked, interface, state_dir, http, device).await
        }
        Manager::NetworkManager => {
            ensure!(freq_list.is_none(), "--freq-list is only for --manager wpa-supplicant");
            let driver = NetworkManager::new(control_dir, &interface);
            let checked = driver.check().await;
            serve(driver, checked, interface, state_dir, http, device).await
        }
    }
}

/// Serves a driver after it has checked its radio.
async fn serve(
    driver: impl WifiDriver,
    checked: Result<(), LinuxError>,
    interface: String,
    state_dir: PathBuf,
    http: HttpOptions,
    device: DeviceOptions,
) -> anyhow::Result<()> {
    match checked {
        Ok(()) => {}
        // In flight mode the page is served, too: it reports the flight mode.
        Err(error) if error.kind() == ErrorKind::Blocked => tracing::warn!("{error}"),
        Err(error) => return Err(error.into()),
    }
    let store = FileStore::open(&state_dir, &interface)?;
    let listener = http.bind().await?;
    let device = device.with_default_settings(Settings::Platform);
    let parts = Parts {
        driver,
        store,
        clock: BootClock,
        device,
        addresses: Some(Arc::new(move || addresses(&interface))),
        routes: Router::new(),
    };
    serve::run(listener, parts).await
}
