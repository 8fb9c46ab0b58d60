//! The device's own network, served by wpa_supplicant.

use wps_core::AccessPoint;

use crate::error::LinuxError;
use crate::event::Event;
use crate::note::Note;
use crate::reply::{Channel, channels};
use crate::session::Session;

/// wpa_supplicant's own choice where the settings leave it open: channel 11.
const DEFAULT_MHZ: u16 = 2462;
/// Channels are numbered anew from here, and nobody who sets one means those.
const BEGIN_OF_6_GHZ: u16 = 5935;

/// Serves `access_point`, and nothing else; the platform's networks keep their flags for later. One
/// that is served already is not disturbed. Gives its number.
pub(crate) async fn apply(
    session: &Session,
    access_point: &AccessPoint,
    note: Option<&Note>,
) -> Result<u32, LinuxError> {
    let flags = session.flags(note).await?;
    let id = match served(session, access_point).await? {
        Some(id) => id,
        None => {
            let frequency_mhz = frequency(session, access_point.channel).await?;
            session.remove_ours().await?;
            let id = session.add_access_point(access_point, frequency_mhz).await?;
            session.forget_events();
            // One of all bands would take longer than we are given. There may be none.
            session.ask("ABORT_SCAN").await?;
            session.select(id).await?;
            wait_until_served(session, id).await?;
            id
        }
    };
    session.set_flags(&flags).await?;
    Ok(id)
}

/// Stops it in order to look around, and keeps wpa_supplicant from joining something else instead.
pub(crate) async fn stop(session: &Session) -> Result<(), LinuxError> {
    session.remove_ours().await?;
    session.order("DISCONNECT").await?;
    Ok(())
}

/// Our network, if it is served and is this one.
async fn served(session: &Session, access_point: &AccessPoint) -> Result<Option<u32>, LinuxError> {
    match session.served().await? {
        Some(id) if session.is_marked_for(id, access_point).await? => Ok(Some(id)),
        Some(_) | None => Ok(None),
    }
}

/// The frequency for this channel, if this card may serve a network there.
async fn frequency(session: &Session, channel: Option<u8>) -> Result<u16, LinuxError> {
    let modes = session.ask("GET_CAPABILITY modes").await?;
    if !modes.split_whitespace().any(|mode| mode == "AP") {
        return Err(LinuxError::Unsupported("this card cannot be an access point"));
    }
    let reply = session.ask("GET_CAPABILITY freq").await?;
    let mut allowed: Vec<Channel> = channels(&reply)
        .filter(|channel| channel.may_begin && channel.frequency_mhz < BEGIN_OF_6_GHZ)
        .collect();
    allowed.sort_by_key(|channel| channel.frequency_mhz);
    allowed.dedup();
    let Some(wanted) = channel else {
        let any = allowed.iter().find(|it| it.frequency_mhz == DEFAULT_MHZ).or(allowed.first());
        let any = any.map(|channel| channel.frequency_mhz);
        return any
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

async fn wait_until_served(session: &Session, id: u32) -> Result<(), LinuxError> {
    loop {
        match session.event_soon().await? {
            // Refused settings are not told by any event.
            Some(Event::AccessPointUp) | None if session.served().await? == Some(id) => {
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
