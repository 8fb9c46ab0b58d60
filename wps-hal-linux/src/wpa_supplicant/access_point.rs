//! Access point mode: the device's own network, served by wpa_supplicant.

use wps_core::AccessPoint;

use super::networks;
use super::platform_snapshot::PlatformSnapshot;
use crate::error::LinuxError;
use crate::supplicant::event::Event;
use crate::supplicant::reply::{Channel, channels};
use crate::supplicant::session::Session;

/// The frequency if the settings name no channel: channel 11, as in wpa_supplicant.
const DEFAULT_FREQUENCY_MHZ: u16 = 2462;
/// The start of the 6 GHz band, in MHz. Its channel numbers start from 1 again, and a channel in
/// the settings never means one of them.
const START_OF_6_GHZ_MHZ: u16 = 5935;

/// Serves `access_point` and returns the id of its network. Does not disturb an access point that
/// is already served with these settings.
///
/// The platform's networks keep their enabled flags for later.
pub(crate) async fn apply(
    session: &Session,
    access_point: &AccessPoint,
    snapshot: Option<&PlatformSnapshot>,
) -> Result<u32, LinuxError> {
    let flags = networks::enabled_flags(session, snapshot).await?;
    let id = match served_id(session, access_point).await? {
        Some(id) => id,
        None => {
            let frequency_mhz = frequency(session, access_point.channel).await?;
            networks::remove_ours(session).await?;
            let id = networks::add_access_point(session, access_point, frequency_mhz).await?;
            session.discard_events();
            // Abort a running scan, which could outlast the apply timeout. Harmless if there is
            // none.
            session.request("ABORT_SCAN").await?;
            session.select_network(id).await?;
            wait_until_served(session, id).await?;
            id
        }
    };
    networks::set_enabled_flags(session, &flags).await?;
    Ok(id)
}

/// Stops the access point so that the card can scan, without letting it join another network.
pub(crate) async fn stop(session: &Session) -> Result<(), LinuxError> {
    networks::remove_ours(session).await?;
    session.command("DISCONNECT").await?;
    Ok(())
}

/// Returns the id of our network if it is served and was added for `access_point`.
async fn served_id(
    session: &Session,
    access_point: &AccessPoint,
) -> Result<Option<u32>, LinuxError> {
    match session.access_point_network_id().await? {
        Some(id) if networks::is_added_for(session, id, access_point).await? => Ok(Some(id)),
        Some(_) | None => Ok(None),
    }
}

/// Returns the frequency of this channel. Without a channel, chooses one.
///
/// # Errors
/// Returns an error if this card may not serve a network there.
async fn frequency(session: &Session, channel: Option<u8>) -> Result<u16, LinuxError> {
    let modes = session.request("GET_CAPABILITY modes").await?;
    if !modes.split_whitespace().any(|mode| mode == "AP") {
        return Err(LinuxError::Unsupported("this card cannot be an access point"));
    }
    let reply = session.request("GET_CAPABILITY freq").await?;
    let mut allowed: Vec<Channel> = channels(&reply)
        .filter(|channel| channel.may_initiate && channel.frequency_mhz < START_OF_6_GHZ_MHZ)
        .collect();
    allowed.sort_by_key(|channel| channel.frequency_mhz);
    allowed.dedup();
    let Some(wanted) = channel else {
        let any =
            allowed.iter().find(|it| it.frequency_mhz == DEFAULT_FREQUENCY_MHZ).or(allowed.first());
        let frequency_mhz = any.map(|channel| channel.frequency_mhz);
        return frequency_mhz
            .ok_or(LinuxError::Unsupported("no channel is allowed for an access point here"));
    };
    match allowed.iter().find(|channel| channel.number == wanted) {
        Some(channel) => Ok(channel.frequency_mhz),
        None => {
            let numbers: Vec<_> = allowed.iter().map(|it| it.number.to_string()).collect();
            Err(LinuxError::AccessPoint(format!(
                "channel {wanted} is not allowed for an access point with this card in this country; \
                 allowed: {}",
                numbers.join(" ")
            )))
        }
    }
}

/// Waits until the network with this id is served.
async fn wait_until_served(session: &Session, id: u32) -> Result<(), LinuxError> {
    loop {
        match session.event_or_timeout().await? {
            // wpa_supplicant sends no event if the card refuses the settings.
            Some(Event::AccessPointUp) | None
                if session.access_point_network_id().await? == Some(id) =>
            {
                return Ok(());
            }
            None if session.is_scanning().await? => {}
            Some(Event::AccessPointDown) | None => {
                return Err(LinuxError::AccessPoint(
                    "the access point did not start: this card cannot serve it with these \
                     settings; try another channel"
                        .into(),
                ));
            }
            Some(_) => {}
        }
    }
}
