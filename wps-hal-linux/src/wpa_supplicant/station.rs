//! Station mode: our network and the platform's own networks.

use std::mem;

use wps_core::{Credentials, ErrorKind, Ssid};

use super::networks;
use super::platform_snapshot::PlatformSnapshot;
use crate::error::LinuxError;
use crate::supplicant::bss_table::Sighting;
use crate::supplicant::event::{Event, RefusedBy};
use crate::supplicant::refusals::TRY_LATER;
use crate::supplicant::reply::Values;
use crate::supplicant::session::Session;

/// How many times a join is retried if the router rejects it although the key is right.
const MAX_REJECTIONS: u32 = 3;

/// Removes our network and restores the platform's own networks to `snapshot`. Without a snapshot,
/// leaves them as they are.
pub(crate) async fn apply_platform(
    session: &Session,
    snapshot: Option<&PlatformSnapshot>,
) -> Result<(), LinuxError> {
    let flags = networks::enabled_flags(session, snapshot).await?;
    let was_ours = networks::remove_ours(session).await?;
    if let Some(snapshot) = snapshot {
        let connected = session.connected_network_id().await?;
        let exists = |id: &u32| flags.iter().any(|(other, _)| other == id);
        let mut enabled = flags.iter().filter(|(_, enabled)| *enabled).map(|(id, _)| *id);
        // If no network was current, select any one: wpa_supplicant then looks for networks again.
        // The flags are restored below.
        match snapshot.current().filter(exists) {
            Some(current) if connected == Some(current) => {}
            Some(current) => session.select_network(current).await?,
            None if connected.is_none() => {
                if let Some(any) = enabled.next() {
                    session.select_network(any).await?;
                }
            }
            None => {}
        }
    } else if was_ours {
        session.request("REASSOCIATE").await?;
    }
    Ok(networks::set_enabled_flags(session, &flags).await?)
}

/// Configures our network in addition to the platform's own networks. Returns its id.
pub(crate) async fn apply_station(
    session: &Session,
    network: &Credentials,
    snapshot: Option<&PlatformSnapshot>,
) -> Result<u32, LinuxError> {
    let flags = networks::enabled_flags(session, snapshot).await?;
    let id = match connected_id(session, network).await? {
        Some(id) => id,
        None => {
            networks::remove_ours(session).await?;
            let id = networks::add_station(session, network).await?;
            match snapshot {
                Some(_) => session.select_network(id).await?,
                // Without a snapshot, leave the flags alone. Our network has the highest priority.
                None => networks::enable_network(session.control(), id).await?,
            }
            id
        }
    };
    networks::set_enabled_flags(session, &flags).await?;
    Ok(id)
}

/// Joins `network` and waits until it is connected and keyed. Returns its id.
pub(crate) async fn join(
    session: &Session,
    network: &Credentials,
    snapshot: Option<&PlatformSnapshot>,
) -> Result<u32, LinuxError> {
    let flags = networks::enabled_flags(session, snapshot).await?;
    networks::remove_ours(session).await?;
    let id = networks::add_station(session, network).await?;
    connect(session, id, &network.ssid).await?;
    networks::set_enabled_flags(session, &flags).await?;
    Ok(id)
}

/// Connects to the network with this id, and waits until it is connected and keyed. If its access
/// point refuses this device with WPA3, the network uses only WPA2 from then on.
async fn connect(session: &Session, id: u32, ssid: &Ssid) -> Result<(), LinuxError> {
    session.discard_events();
    session.select_network(id).await?;
    // wpa_supplicant may report a rejection with one event or with two.
    let (mut rejections, mut is_counted) = (0, false);
    // wpa_supplicant looks at the results of an earlier scan first, in which a router that was just
    // switched on may be missing. Then it scans.
    let mut has_scanned = false;
    loop {
        let Some(event) = session.event_or_timeout().await? else {
            // wpa_supplicant sends no event if it notices before a scan that the radio is off.
            check_radio(session).await?;
            continue;
        };
        match event {
            Event::ScanResults => has_scanned = true,
            Event::ScanFailed(_) => check_radio(session).await?,
            Event::Connected { id: connected }
                if connected == id && session.connected_network_id().await? == Some(id) =>
            {
                return Ok(());
            }
            Event::KeyRefused(RefusedBy::Network(other)) if other != id => {}
            // No other network is enabled, so the access point is one of this network.
            Event::KeyRefused(_) => return Err(LinuxError::Wifi(ErrorKind::WrongKey)),
            Event::Rejected { bssid, status } => {
                (rejections, is_counted) = (rejections + 1, true);
                if rejections > MAX_REJECTIONS {
                    return Err(LinuxError::Wifi(ErrorKind::Refused));
                }
                // Otherwise wpa_supplicant tries the same again by itself.
                if status != TRY_LATER
                    && networks::stop_offering_sae(session.control(), id, ssid, bssid).await?
                {
                    rejections = 0;
                    session.select_network(id).await?;
                }
            }
            // The router's late deauthentication after the exchange hit the new association: retry.
            Event::TempDisabled { id: disabled } if disabled == id => {
                if !mem::take(&mut is_counted) {
                    rejections += 1;
                }
                if rejections > MAX_REJECTIONS {
                    return Err(LinuxError::Wifi(ErrorKind::Refused));
                }
                if rejections > 1
                    && networks::stop_offering_sae(session.control(), id, ssid, None).await?
                {
                    rejections = 0;
                }
                session.select_network(id).await?;
            }
            Event::NetworkNotFound if has_scanned => {
                // wpa_supplicant also reports this if no access point fits our settings.
                let sightings = session.requests().sightings().await?;
                // One that was seen a second ago may have vanished.
                let is_in_range =
                    |it: &Sighting| it.ssid.as_ref() == Some(ssid) && it.age_seconds == 0;
                return Err(LinuxError::Wifi(match sightings.iter().any(is_in_range) {
                    true => ErrorKind::Refused,
                    false => ErrorKind::NotFound,
                }));
            }
            _ => {}
        }
    }
}

/// Returns an error if the radio is off, or if wpa_supplicant does not run any more.
async fn check_radio(session: &Session) -> Result<(), LinuxError> {
    match session.is_radio_on().await? {
        true => Ok(()),
        false => Err(LinuxError::Wifi(ErrorKind::Blocked)),
    }
}

/// Returns the id of our network if it is connected and was added for `network`.
async fn connected_id(session: &Session, network: &Credentials) -> Result<Option<u32>, LinuxError> {
    let Some(id) = session.connected_network_id().await? else { return Ok(None) };
    let status = session.request("STATUS").await?;
    let is_same_ssid = Values::parse(&status).ssid().is_some_and(|ssid| ssid == network.ssid);
    let is_same = is_same_ssid && networks::is_added_for(session, id, network).await?;
    Ok(is_same.then_some(id))
}
