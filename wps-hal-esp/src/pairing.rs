//! One search for a router whose button was pressed, and the exchange with it. The library does
//! both.
//!
//! A search that does not succeed leaves nothing behind that could act later.

use wps_core::driver::Offer;
use wps_core::wsc::CredentialError;
use wps_core::{Credentials, Secret, Security};

use crate::layout::{AUTH_OPEN, ApRecord, StationConfig, WpsConfig};
use crate::state::{Link, STATION, WPS_EVENT, WpsEvent};
use crate::{EspError, Options, bss_info, credentials, event, ffi, scan, station};

/// How many scans must miss an access point until nothing is known about it.
const MAX_SCANS: u32 = 3;

/// Searches until a router hands over its networks.
///
/// The library ends every search after its own two minutes. The pairing window is not decided
/// here, so this function then starts another search.
pub(crate) async fn pair(options: &Options) -> Result<Offer, EspError> {
    let wps_config = options.device.wps_config()?;
    // The configuration must be empty: on success the library copies the key over the old one
    // without clearing it, so the end of a longer old key would remain.
    station::restart(&mut StationConfig::empty(), options)?;
    loop {
        let guard = SearchGuard::start(&wps_config)?;
        let offer = match WPS_EVENT.wait().await {
            WpsEvent::Success => event::parse_networks(&WPS_EVENT.take_networks())?,
            WpsEvent::SuccessInConfig => {
                let config = ffi::station_config()?;
                let network = credentials::read(&config.ssid, &config.password)?;
                // The search began with an empty configuration. The library sets this field only
                // for a WPA network.
                if network.secret == Secret::Open && config.threshold.authmode != AUTH_OPEN {
                    return Err(CredentialError::EmptyKey.into());
                }
                Offer::from(network)
            }
            WpsEvent::TimedOut => continue,
            WpsEvent::Failed(reason) => return Err(EspError::Exchange { reason }),
            WpsEvent::Overlap => return Err(EspError::Overlap),
            WpsEvent::Malformed { id, length } => return Err(EspError::Event { id, length }),
        };
        let offer = check_open_networks(offer, options).await?;
        guard.disarm();
        return Ok(offer);
    }
}

/// Removes the open networks from an offer, unless the access point that has handed it over is
/// open. Anybody can put up an open network of the same name, so the word of the credential is not
/// enough.
async fn check_open_networks(offer: Offer, options: &Options) -> Result<Offer, EspError> {
    let networks = || (0..offer.count()).map(|index| offer.at(index));
    let is_open = |network: &&Credentials| network.secret == Secret::Open;
    // In all cases the library has left the address of that access point in its configuration.
    if !networks().any(|network| is_open(&network))
        || is_open_access_point(ffi::station_config()?.bssid, options).await?
    {
        return Ok(offer);
    }
    let rest = networks().filter(|network| !is_open(network)).cloned();
    Offer::new(rest).ok_or(CredentialError::NotOpen.into())
}

/// Returns whether the access point with this address is open, as far as is known.
async fn is_open_access_point(bssid: [u8; 6], options: &Options) -> Result<bool, EspError> {
    let is_open = |record: &ApRecord| bss_info::security(record) == Some(Security::Open);
    if bssid == [0; 6] {
        return Ok(false);
    }
    // With one network, the library may have joined it by itself. If not, it is still trying, which
    // keeps it from scanning.
    if STATION.state().link == Link::Up
        && let Ok(access_point) = ffi::joined_ap()
        && access_point.bssid == bssid
    {
        return Ok(is_open(&access_point));
    }
    station::restart(&mut StationConfig::empty(), options)?;
    for _ in 0..MAX_SCANS {
        let mut found = None;
        let on_record = |record: &ApRecord| {
            if record.bssid == bssid {
                found = Some(found.unwrap_or(true) && is_open(record));
            }
        };
        scan::scan(on_record).await?;
        if let Some(is_open) = found {
            return Ok(is_open);
        }
    }
    Ok(false)
}

/// A search in progress. Dropping it ends the search.
struct SearchGuard;

impl SearchGuard {
    fn start(wps_config: &WpsConfig) -> Result<Self, EspError> {
        // `wps_enable` cancels an event that the library was about to post for an earlier search,
        // and the library posts nothing before `wps_start`. So an event that is in the slot now is
        // old, and every event after this point belongs to this search.
        ffi::wps_enable(wps_config)?;
        let guard = Self;
        WPS_EVENT.reset();
        ffi::wps_start()?;
        Ok(guard)
    }

    /// Ends the search after a success, without a disconnection: with one network, the library has
    /// already disabled WPS and is joining by itself.
    fn disarm(self) {
        // With one network the library returns that there is nothing to do.
        let _ = ffi::wps_disable();
        core::mem::forget(self);
    }
}

impl Drop for SearchGuard {
    fn drop(&mut self) {
        // Errors do not matter here: the next method that changes the radio stops it first.
        let _ = ffi::wps_disable();
        let _ = ffi::disconnect();
        WPS_EVENT.reset();
    }
}
