//! The station: its configuration, and the steps in which the radio enters and leaves station mode.

use wps_core::{Credentials, Secret};

use crate::layout::{
    AUTH_OPEN, AUTH_WEP, AUTH_WPA, AUTH_WPA_WPA2, AUTH_WPA2, AUTH_WPA2_WPA3, AUTH_WPA3,
    INTERFACE_STATION, MODE_OFF, MODE_STATION, StationConfig,
};
use crate::state::{Link, STATION};
use crate::{EspError, Options, credentials, ffi};

/// Returns whether the link is up with exactly this network, and with an access point that
/// [`start_join`] would accept. If so, the library has our configuration from then on.
///
/// After a pairing with one network the library has joined by itself, and has a configuration of
/// its own: it joins the first access point that it finds, and one below WPA2, too. So this
/// function writes ours over it, which does not interrupt the link: the name and the key are the
/// same.
pub(crate) fn keep_link(network: &Credentials) -> Result<bool, EspError> {
    if STATION.state().link != Link::Up || ffi::mode()? != MODE_STATION {
        return Ok(false);
    }
    let config = ffi::station_config()?;
    let configured = credentials::read(&config.ssid, &config.password);
    if !configured.is_ok_and(|configured| configured == *network) {
        return Ok(false);
    }
    if config.scan_method == SCAN_ALL_CHANNELS {
        return Ok(true); // ours, within whose limits the library has joined
    }
    // Writing it fails if the link was lost in the meantime and the library joins again.
    Ok(joined_security(network) == Some(JoinedSecurity::Sufficient)
        && ffi::set_station_config(&mut station_config(network)?).is_ok())
}

/// The security of the joined access point, compared with what the network needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinedSecurity {
    /// The key protects the network, or it is open and has none.
    Sufficient,
    /// The network has a key, and the access point is open or uses WEP or WPA.
    Insufficient,
}

/// Returns what is known of the joined access point's security.
pub(crate) fn joined_security(network: &Credentials) -> Option<JoinedSecurity> {
    match (&network.secret, ffi::joined_ap().ok()?.authmode) {
        (Secret::Open, AUTH_OPEN) => Some(JoinedSecurity::Sufficient),
        (Secret::Open, _) => None,
        (_, AUTH_WPA2 | AUTH_WPA_WPA2 | AUTH_WPA3 | AUTH_WPA2_WPA3) => {
            Some(JoinedSecurity::Sufficient)
        }
        (_, AUTH_OPEN | AUTH_WEP | AUTH_WPA) => Some(JoinedSecurity::Insufficient),
        (_, _) => None,
    }
}

/// Switches the radio to station mode for this network, whatever its mode was, and starts one
/// attempt to join.
pub(crate) fn start_join(network: &Credentials, options: &Options) -> Result<(), EspError> {
    restart(&mut station_config(network)?, options)?;
    STATION.set_link(Link::Connecting);
    let connected = ffi::connect();
    if connected.is_err() {
        STATION.set_link(Link::Down(0));
    }
    connected
}

/// Restarts the radio in station mode with this configuration and without a link, and disables
/// reconnecting. Stopping the radio ends everything that the library was still doing.
pub(crate) fn restart(config: &mut StationConfig, options: &Options) -> Result<(), EspError> {
    switch_off()?;
    ffi::set_mode(MODE_STATION)?;
    ffi::set_station_config(config)?;
    ffi::start()?;
    options.apply(INTERFACE_STATION);
    Ok(())
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
    // Protected management frames, if the access point has them. The library has no SAE, so the
    // fields for it stay as they are.
    config.pmf_capable = 1;
    Ok(config)
}

/// Returns the weakest security that is accepted: WPA2 if there is a key.
fn min_authmode(network: &Credentials) -> u32 {
    match network.secret {
        Secret::Open => AUTH_OPEN,
        Secret::Key(_) | Secret::Kept(_) => AUTH_WPA2,
    }
}

/// The driver's own configurations have this, and the library's have not.
const SCAN_ALL_CHANNELS: u32 = 1;
