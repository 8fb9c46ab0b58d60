//! The station: its configuration, and the steps in which the radio enters and leaves station mode.

use wps_core::Credentials;

use crate::layout::{AUTH_OPEN, AUTH_WPA2, MODE_OFF, MODE_STATION, StationConfig};
use crate::state::{Link, STATION};
use crate::{EspError, credentials, ffi};

/// Returns whether the link is up with exactly this network.
pub(crate) fn is_joined(network: &Credentials) -> Result<bool, EspError> {
    if STATION.state().link != Link::Up || ffi::mode()? != MODE_STATION {
        return Ok(false);
    }
    let config = ffi::station_config()?;
    let configured = credentials::read(&config.ssid, &config.password);
    Ok(configured.is_ok_and(|configured| configured == *network))
}

/// Switches the radio to station mode for this network, whatever its mode was, and starts one
/// attempt to join.
pub(crate) fn start_join(network: &Credentials) -> Result<(), EspError> {
    restart(&mut station_config(network)?)?;
    STATION.update(|state| state.link = Link::Connecting);
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
    ffi::set_mode(MODE_OFF)
}

/// Returns a configuration for one attempt, without the library's own retries. The station joins
/// the strongest access point of the network. With a key, it joins none below WPA2.
fn station_config(network: &Credentials) -> Result<StationConfig, EspError> {
    if network.ssid.as_bytes().contains(&0) {
        // The configuration has no length field: a NUL ends the name.
        return Err(EspError::Unsupported(
            "this radio cannot join a network with a NUL in its name",
        ));
    }
    let mut config = StationConfig::empty();
    let key = network.passphrase.as_ref().map_or(&[][..], |key| key.reveal());
    credentials::write(&mut config.ssid, network.ssid.as_bytes());
    credentials::write(&mut config.password, key);
    config.scan_method = SCAN_ALL_CHANNELS;
    config.threshold.rssi = i8::MIN;
    config.threshold.authmode = if key.is_empty() { AUTH_OPEN } else { AUTH_WPA2 };
    config.pmf_capable = 1;
    config.sae_pwe_h2e = SAE_PWE_BOTH;
    Ok(config)
}

const SCAN_ALL_CHANNELS: u32 = 1;
/// Both SAE methods: hunting-and-pecking and hash-to-element.
const SAE_PWE_BOTH: u32 = 3;
