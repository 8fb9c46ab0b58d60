//! The real radio: wpa_supplicant, a file, and the clock that runs through suspend.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use wps_core::{DriverError, ErrorKind, Settings};
use wps_hal_linux::{BootClock, FileStore, WpaSupplicant};

use crate::addresses::addresses;
use crate::serve::{self, Device, Door, Parts};

/// What the flags say.
pub(crate) struct Options {
    pub(crate) interface: String,
    pub(crate) state_dir: PathBuf,
    pub(crate) control_dir: PathBuf,
    pub(crate) freq_list: Option<FreqList>,
    pub(crate) door: Door,
    pub(crate) device: Device,
}

/// Frequencies in MHz with blanks or commas between them, as wpa_supplicant writes them.
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

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let Options { interface, state_dir, control_dir, freq_list, door, device } = options;
    let frequencies = freq_list.map_or_else(Vec::new, |FreqList(frequencies)| frequencies);
    let driver = WpaSupplicant::new(control_dir, &interface).freq_list(frequencies);
    match driver.check().await {
        Ok(()) => {}
        // Flight mode is no reason not to serve the page that says so.
        Err(error) if error.kind() == ErrorKind::Blocked => tracing::warn!("{error}"),
        Err(error) => return Err(error.into()),
    }
    let store = FileStore::open(&state_dir, &interface)?;
    let door = door.open().await?;
    let device = device.or(Settings::Platform);
    let parts = Parts {
        driver,
        store,
        clock: BootClock,
        device,
        addresses: Some(Arc::new(move || addresses(&interface))),
        routes: Router::new(),
    };
    serve::run(door, parts).await
}
