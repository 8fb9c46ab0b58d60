//! The station: its configuration, and the steps in which the radio enters and leaves station mode.

use wps_core::{Credentials, Secret};

use crate::layout::{AUTH_OPEN, AUTH_WPA2, MODE_OFF, MODE_STATION, StationConfig};
use crate::state::{Link, STATION};
use crate::{EspError, credentials, ffi};

/// Returns whether the link is up with exactly this network, and no weaker than [`start_join`]
/// accepts it. After a pairing the library joins by itself, and also a network with a key below
/// WPA2.
pub(crate) fn is_joined(network: &Credentials) -> Result<bool, EspError> {
    if STATION.state().link != Link::Up || ffi::mode()? != MODE_STATION {
        return Ok(false);
    }
    let config = ffi::station_config()?;
    let configured = credentials::read(&config.ssid, &config.password);
    let min = min_authmode(network);
    Ok(configured.is_ok_and(|configured| configured == *network)
        && (config.threshold.authmode >= min
            || ffi::joined_ap().is_ok_and(|access_point| access_point.authmode >= min)))
}

/// Switches the radio to station mode for this network, whatever its mode was, and starts one
/// attempt to join.
pub(crate) fn start_join(network: &Credentials) -> Result<(), EspError> {
    restart(&mut station_config(network)?)?;
    STATION.update(|state| state.link = Link::Connecting);
    ffi::connect()
}

/// Starts another attempt to join the network of the configuration. After a pairing this may be the
/// library's configuration, which has weaker limits and is replaced.
pub(crate) fn reconnect() -> Result<(), EspError> {
    let config = ffi::station_config()?;
    if config.scan_method != SCAN_ALL_CHANNELS {
        let network = credentials::read(&config.ssid, &config.password)?;
        ffi::set_station_config(&mut station_config(&network)?)?;
    }
    ffi::connect()
}

/// Restarts the radio in station mode with this configuration and without a link, and disables
/// reconnecting. Stopping the radio ends everything that the library was still doing.
pub(crate) fn restart(config: &mut StationConfig) -> Result<(), EspError> {
    switch_off()?;
    ffi::set_mode(MODE_STATION)?;
    ffi::set_station_config(config)?;
    ffi::start()
}

/// Switches the radio off, and disables reconnecting.
pub(crate) fn switch_off() -> Result<(), EspError> {
    STATION.set_reconnect(false);
    ffi::wps_disable()?;
    ffi::stop()?;
    STATION.update(|state| state.access_point_started = false);
    ffi::set_mode(MODE_OFF)
}

/// Returns a configuration for one attempt, without the library's own retries. The station joins
/// the strongest access point of the network.
fn station_config(network: &Credentials) -> Result<StationConfig, EspError> {
    if network.ssid.as_bytes().contains(&0) {
        // The configuration has no length field: a NUL ends the name.
        return Err(EspError::Unsupported(
            "this radio cannot join a network with a NUL in its name",
        ));
    }
    let mut config = StationConfig::empty();
    let key = credentials::key(network)?;
    credentials::write(&mut config.ssid, network.ssid.as_bytes());
    credentials::write(&mut config.password, key);
    config.scan_method = SCAN_ALL_CHANNELS;
    config.threshold.rssi = i8::MIN;
    config.threshold.authmode = min_authmode(network);
    config.pmf_capable = 1;
    config.sae_pwe_h2e = SAE_PWE_BOTH;
    Ok(config)
}

/// Returns the weakest security that is accepted: WPA2 if there is a key.
fn min_authmode(network: &Credentials) -> u32 {
    match network.secret {
        Secret::Open => AUTH_OPEN,
        Secret::Key(_) | Secret::Kept(_) => AUTH_WPA2,
    }
}

const SCAN_ALL_CHANNELS: u32 = 1;
/// Both SAE methods: hunting-and-pecking and hash-to-element.
const SAE_PWE_BOTH: u32 = 3;
