//! The real radio: wpa_supplicant, a file, and the clock that runs through suspend.

use std::path::PathBuf;
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
    pub(crate) door: Door,
    pub(crate) device: Device,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let Options { interface, state_dir, control_dir, door, device } = options;
    let driver = WpaSupplicant::new(control_dir, &interface);
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
