//! The [`WifiDriver`] on Espressif's library.

use core::marker::PhantomData;

use wps_core::driver::{Link, Offer, PairContext, SearchProgress, Security};
use wps_core::wsc::Bssid;
use wps_core::{AccessPoint, Credentials, Mode, ScanResults, Settings, Snapshot, Ssid, WifiDriver};

use crate::event::SCANNED;
use crate::layout::{
    AUTH_OPEN, AUTH_WPA2, AccessPointConfig, CIPHER_CCMP, MODE_ACCESS_POINT, MODE_STATION,
};
use crate::station::{self, Link as StationLink, STATION};
use crate::{EspError, Keeper, credentials, ffi, heard, pairing};

/// What keeps the library running: esp-radio's `WifiController`. On a host, where tests play the
/// library, `()`.
pub trait Controller {}

#[cfg(any(target_arch = "riscv32", target_arch = "xtensa"))]
impl Controller for esp_radio::wifi::WifiController<'_> {}

#[cfg(not(any(target_arch = "riscv32", target_arch = "xtensa")))]
impl Controller for () {}

/// The radio of an ESP32: a station, an access point, or off.
///
/// It keeps nothing between two verbs. Each that moves the radio stops it and tells it all anew: what
/// was left of before, a dropped future's search or the configuration that the library writes by
/// itself, cannot act any more.
///
/// It leaves its network, or its own access point, as soon as a pairing begins: the library looks for
/// routers only so. It is in one thread with its [`Keeper`].
pub struct Driver<C> {
    _controller: C,
    in_one_thread: PhantomData<*const ()>,
}

impl<C: Controller> Driver<C> {
    /// The driver for the radio that `controller` has started, which it keeps: dropped, it would end
    /// Wi-Fi. From now on nobody else tells the library anything.
    ///
    /// # Errors
    /// The library could not be told to keep its configuration in RAM only.
    pub fn new(controller: C) -> Result<Self, EspError> {
        ffi::set_storage_ram()?;
        Ok(Self { _controller: controller, in_one_thread: PhantomData })
    }

    /// Who keeps its station connected. One is enough.
    pub fn keeper(&self) -> Keeper {
        Keeper { in_one_thread: PhantomData }
    }
}

impl<C: Controller> WifiDriver for Driver<C> {
    type Error = EspError;

    async fn apply(&mut self, settings: &Settings, _: &Snapshot) -> Result<(), EspError> {
        match settings {
            Settings::Platform => Err(EspError::Unsupported(
                "an ESP32 has no networks of its own: begin with an access point, or off",
            )),
            Settings::Station { network } => {
                if !station::is_joined(network)? {
                    station::try_to_join(network)?;
                }
                STATION.keep(true);
                Ok(())
            }
            Settings::AccessPoint { access_point, .. } => serve(access_point),
            Settings::Off { .. } => station::switch_off(),
        }
    }

    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, EspError> {
        context.report_progress(SearchProgress::Looking);
        context.before_disconnect().await;
        pairing::pair().await
    }

    async fn join(&mut self, network: &Credentials, _: &Snapshot) -> Result<(), EspError> {
        // After a pairing the library may have joined by itself.
        if !station::is_joined(network)? {
            let context = Joining::begin(network)?;
            let is_over = |now: &station::State| now.link != StationLink::Trying;
            match STATION.until(is_over).await.link {
                StationLink::Up => context.succeeded(),
                StationLink::Down(reason) => return Err(EspError::Link { reason }),
                StationLink::Trying => {}
            }
        }
        STATION.keep(true);
        Ok(())
    }

    async fn link(&mut self) -> Result<Link, EspError> {
        match ffi::mode()? {
            MODE_STATION => station_link(),
            MODE_ACCESS_POINT => access_point_link(),
            _ => Ok(Link { mode: Some(Mode::Off), ..Link::default() }),
        }
    }

    async fn scan(&mut self) -> Result<ScanResults, EspError> {
        let mut heard = ScanResults::default();
        if ffi::mode()? != MODE_STATION {
            // An access point cannot look around without leaving its channel.
            return Ok(heard);
        }
        let _scan = Scan::begin()?;
        SCANNED.wait().await;
        while let Ok(record) = ffi::next_record() {
            heard.add(heard::neighbour(&record));
        }
        Ok(heard)
    }
}

/// A try to join that is under way. Dropped, it ends.
struct Joining;

impl Joining {
    fn begin(network: &Credentials) -> Result<Self, EspError> {
        station::try_to_join(network)?;
        Ok(Self)
    }

    fn succeeded(self) {
        core::mem::forget(self);
    }
}

impl Drop for Joining {
    fn drop(&mut self) {
        // A failure does not matter: the next verb stops the radio.
        let _ = ffi::disconnect();
    }
}

/// A scan that is under way, and its results in the library's memory. Dropped, both are gone.
struct Scan;

impl Scan {
    fn begin() -> Result<Self, EspError> {
        SCANNED.reset();
        ffi::scan_start()?;
        Ok(Self)
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        // Neither fails but for there being nothing to stop or to clear.
        let _ = ffi::scan_stop();
        let _ = ffi::clear_records();
    }
}

fn serve(access_point: &AccessPoint) -> Result<(), EspError> {
    station::switch_off()?;
    ffi::set_mode(MODE_ACCESS_POINT)?;
    ffi::set_access_point(&mut configuration(access_point))?;
    ffi::start()
}

/// WPA2 with AES where there is a key; up to four stations.
fn configuration(access_point: &AccessPoint) -> AccessPointConfig {
    let AccessPoint { network, channel } = access_point;
    let mut config = AccessPointConfig::empty();
    let key = network.passphrase.as_ref().map_or(&[][..], |key| key.reveal());
    credentials::write(&mut config.ssid, network.ssid.as_bytes());
    credentials::write(&mut config.password, key);
    config.ssid_len = u8::try_from(network.ssid.as_bytes().len()).unwrap_or_default();
    config.channel = channel.unwrap_or(1);
    config.authmode = if key.is_empty() { AUTH_OPEN } else { AUTH_WPA2 };
    config.max_connection = 4;
    config.beacon_interval = 100;
    config.csa_count = 3;
    config.dtim_period = 2;
    config.pairwise_cipher = CIPHER_CCMP;
    config.pmf_capable = 1;
    config
}

fn station_link() -> Result<Link, EspError> {
    let link = match STATION.state().link {
        StationLink::Up => heard::link(&ffi::joined()?),
        StationLink::Trying | StationLink::Down(_) => {
            Link { mode: Some(Mode::Station), ..Link::default() }
        }
    };
    Ok(Link { address: ffi::station_address().ok().map(Bssid), ..link })
}

fn access_point_link() -> Result<Link, EspError> {
    let config = ffi::access_point()?;
    let name = config.ssid.get(..config.ssid_len.into()).unwrap_or_default();
    Ok(Link {
        up: true,
        mode: Some(Mode::AccessPoint),
        ssid: Ssid::new(name).ok(),
        frequency_mhz: heard::frequency_mhz(config.channel),
        security: Some(if config.authmode == AUTH_OPEN { Security::Open } else { Security::Wpa2 }),
        address: ffi::access_point_address().ok().map(Bssid),
        ..Link::default()
    })
}
