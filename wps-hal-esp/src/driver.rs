//! The [`WifiDriver`] on Espressif's library.

use wps_core::driver::{IdleEvent, Offer, PairContext, SearchProgress};
use wps_core::wsc::Bssid;
use wps_core::{
    AccessPoint, Clock, Credentials, Link, Mode, ScanResults, Security, Settings, Snapshot, Ssid,
    WifiDriver,
};

use crate::error::join_error;
use crate::layout::{
    AUTH_OPEN, AUTH_WPA2, AccessPointConfig, CIPHER_CCMP, ERR_NOT_CONNECT, INTERFACE_ACCESS_POINT,
    MODE_ACCESS_POINT, MODE_OFF, MODE_STATION,
};
use crate::state::{Link as StationLink, REASON_ASSOC_LEAVE, STATION, State};
use crate::station::JoinedSecurity;
use crate::{EspError, Options, bss_info, credentials, ffi, maintain, pairing, scan, station};

/// The value that keeps the library running: esp-radio's `WifiController`. On a host, where the
/// tests provide a fake library, it is `()`.
pub trait Controller {}

#[cfg(any(target_arch = "riscv32", target_arch = "xtensa"))]
impl Controller for esp_radio::wifi::WifiController<'_> {}

#[cfg(not(any(target_arch = "riscv32", target_arch = "xtensa")))]
impl Controller for () {}

/// The radio of an ESP32: a station, an access point, or off.
///
/// Each method that changes what the radio does stops the radio first and then configures it
/// completely. So nothing from before can act any more: neither the search of a dropped future nor
/// the configuration that the library writes by itself.
///
/// The radio leaves its network, or stops its own access point, as soon as a pairing begins: the
/// library cannot search for routers otherwise.
///
/// [`maintain`](WifiDriver::maintain) reconnects a lost link after one second. If that fails, it
/// tries again after two seconds, four, … up to 60, each with a random addition of up to a quarter.
/// It never reports a lost configuration, because nothing restarts the library without this
/// program.
pub struct Driver<C, T> {
    _controller: C,
    clock: T,
    options: Options,
    /// The settings of the last `apply` or `join`. What `maintain` has reported belongs to them.
    applied: Option<Settings>,
}

impl<C: Controller, T: Clock> Driver<C, T> {
    /// Creates the driver for the radio that `controller` has started. It takes the controller,
    /// because dropping the controller ends Wi-Fi. From now on nothing else may call the library.
    /// The options replace those of esp-radio: the country, and a transmit power of only 5 dBm.
    ///
    /// # Errors
    /// Returns an error if an option has an invalid value, if the library does not know the
    /// country, or if it cannot be set to keep its configuration in RAM only.
    pub fn new(controller: C, clock: T, options: Options) -> Result<Self, EspError> {
        options.check()?;
        ffi::set_storage_ram()?;
        options.set_country()?;
        Ok(Self { _controller: controller, clock, options, applied: None })
    }
}

impl<C: Controller, T: Clock> WifiDriver for Driver<C, T> {
    type Error = EspError;

    async fn apply(&mut self, settings: &Settings, _: &Snapshot) -> Result<(), EspError> {
        if self.applied.as_ref() != Some(settings) {
            STATION.update(|state| state.key_refused = false);
            self.applied = Some(settings.clone());
        }
        match settings {
            Settings::Platform => Err(EspError::Unsupported(
                "an ESP32 has no platform networks: start with an access point, or with Wi-Fi off",
            )),
            Settings::Station { network } => {
                if let Err(error) = credentials::key(network) {
                    // The radio may still be in the network of a task that has failed.
                    station::switch_off()?;
                    return Err(error);
                }
                if !station::keep_link(network)? {
                    station::start_join(network, &self.options)?;
                }
                STATION.set_reconnect(true);
                Ok(())
            }
            Settings::AccessPoint { access_point, .. } => {
                start_access_point(access_point, &self.options)
            }
            Settings::Off { .. } => station::switch_off(),
        }
    }

    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, EspError> {
        context.report_progress(SearchProgress::Looking);
        context.before_disconnect().await;
        pairing::pair(&self.options).await
    }

    async fn join(&mut self, network: &Credentials, _: &Snapshot) -> Result<(), EspError> {
        STATION.update(|state| state.key_refused = false);
        self.applied = Some(Settings::Station { network: network.clone() });
        // After a pairing the library may have joined by itself. If that link is not good enough,
        // this attempt shows whether the network can be joined after the next boot.
        if !station::keep_link(network)? {
            let guard = JoinGuard::start(network, &self.options)?;
            let is_over = |state: &State| state.link != StationLink::Connecting;
            match STATION.wait_for(is_over).await.link {
                StationLink::Down(reason) => return Err(join_error(reason, network)),
                StationLink::Up | StationLink::Connecting => {}
            }
            if station::joined_security(network) == Some(JoinedSecurity::Insufficient) {
                return Err(EspError::WithoutWpa2);
            }
            guard.disarm();
        }
        STATION.set_reconnect(true);
        Ok(())
    }

    async fn link(&mut self) -> Result<Link, EspError> {
        match ffi::mode()? {
            MODE_STATION => station_link(),
            MODE_ACCESS_POINT if STATION.state().access_point_started => access_point_link(),
            _ => Ok(Link { mode: Some(Mode::Off), ..Link::default() }),
        }
    }

    async fn scan(&mut self) -> Result<ScanResults, EspError> {
        let mut results = ScanResults::default();
        if ffi::mode()? != MODE_STATION {
            // An access point cannot scan without leaving its channel.
            return Ok(results);
        }
        scan::scan(|record| results.add(bss_info::from_record(record))).await?;
        Ok(results)
    }

    async fn maintain(&mut self, _: &Settings) -> IdleEvent {
        maintain::maintain(&self.clock, self.options.random).await
    }
}

/// An attempt to join that is in progress. Dropping it ends the attempt.
struct JoinGuard;

impl JoinGuard {
    fn start(network: &Credentials, options: &Options) -> Result<Self, EspError> {
        station::start_join(network, options)?;
        Ok(Self)
    }

    /// Keeps the link after the attempt has succeeded.
    fn disarm(self) {
        core::mem::forget(self);
    }
}

impl Drop for JoinGuard {
    fn drop(&mut self) {
        // The library may report the end of the attempt later, or never.
        STATION.set_link(StationLink::Down(REASON_ASSOC_LEAVE));
        // An error does not matter here: the next method that changes the radio stops it first.
        let _ = ffi::disconnect();
    }
}

/// Starts the access point, unless it is running with this configuration: a restart would lose its
/// stations.
fn start_access_point(access_point: &AccessPoint, options: &Options) -> Result<(), EspError> {
    let mut config = access_point_config(access_point)?;
    let is_serving = STATION.state().access_point_started && ffi::mode()? == MODE_ACCESS_POINT;
    if is_serving && is_same(&ffi::access_point_config()?, &config) {
        return Ok(());
    }
    station::switch_off()?;
    ffi::set_mode(MODE_ACCESS_POINT)?;
    let started = ffi::set_access_point_config(&mut config).and_then(|()| ffi::start());
    if started.is_ok() {
        options.apply(INTERFACE_ACCESS_POINT);
        STATION.update(|state| state.access_point_started = true);
    } else {
        // The first error is the one to report. The state already says that nothing is running.
        let _ = ffi::stop();
        let _ = ffi::set_mode(MODE_OFF);
    }
    started
}

/// Compares what [`access_point_config`] takes from the settings. The library may change the rest.
fn is_same(one: &AccessPointConfig, other: &AccessPointConfig) -> bool {
    let settings =
        |it: &AccessPointConfig| (it.ssid, it.ssid_len, it.password, it.channel, it.authmode);
    settings(one) == settings(other)
}

/// Returns the configuration for an access point: WPA2 with AES if there is a key, otherwise open;
/// up to four stations.
fn access_point_config(access_point: &AccessPoint) -> Result<AccessPointConfig, EspError> {
    let AccessPoint { network, channel } = access_point;
    let mut config = AccessPointConfig::empty();
    let key = credentials::key(network)?;
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
    Ok(config)
}

fn station_link() -> Result<Link, EspError> {
    let down = Link { mode: Some(Mode::Station), ..Link::default() };
    let link = match STATION.state().link {
        StationLink::Up => match ffi::joined_ap() {
            Ok(access_point) => bss_info::link(&access_point),
            // The link goes down at this moment.
            Err(EspError::Library { code: ERR_NOT_CONNECT, .. }) => down,
            Err(error) => return Err(error),
        },
        StationLink::Connecting | StationLink::Down(_) => down,
    };
    Ok(Link { address: ffi::station_address().ok().map(Bssid), ..link })
}

fn access_point_link() -> Result<Link, EspError> {
    let config = ffi::access_point_config()?;
    let name = config.ssid.get(..config.ssid_len.into()).unwrap_or_default();
    Ok(Link {
        up: true,
        mode: Some(Mode::AccessPoint),
        ssid: Ssid::new(name).ok(),
        frequency_mhz: bss_info::frequency_mhz(config.channel),
        security: Some(if config.authmode == AUTH_OPEN { Security::Open } else { Security::Wpa2 }),
        address: ffi::access_point_address().ok().map(Bssid),
        ..Link::default()
    })
}
