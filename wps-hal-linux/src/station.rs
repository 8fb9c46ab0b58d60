//! Station mode: our network, and the platform's own beside it.

use wps_core::{Credentials, ErrorKind};

use crate::error::LinuxError;
use crate::event::Event;
use crate::note::Note;
use crate::reply::Values;
use crate::session::Session;

/// How often joining is begun anew when the router ends it for no reason of ours.
const REJECTIONS: u32 = 3;

/// The platform's own networks, as noted.
pub(crate) async fn apply_platform(
    session: &Session,
    note: Option<&Note>,
) -> Result<(), LinuxError> {
    let flags = session.flags(note).await?;
    let was_ours = session.remove_ours().await?;
    if let Some(note) = note {
        let joined = session.joined().await?;
        let there = |id: &u32| flags.iter().any(|(other, _)| other == id);
        let mut enabled = flags.iter().filter(|(_, enabled)| *enabled).map(|(id, _)| *id);
        // Without a network that was current any one will do: what matters is that
        // wpa_supplicant looks for networks again, and its flags follow.
        match note.current().filter(there) {
            Some(current) if joined == Some(current) => {}
            Some(current) => session.select(current).await?,
            None if joined.is_none() => {
                if let Some(any) = enabled.next() {
                    session.select(any).await?;
                }
            }
            None => {}
        }
    } else if was_ours {
        session.ask("REASSOCIATE").await?;
    }
    Ok(session.set_flags(&flags).await?)
}

/// Our network, beside the platform's own. Gives its number.
pub(crate) async fn apply_station(
    session: &Session,
    network: &Credentials,
    note: Option<&Note>,
) -> Result<u32, LinuxError> {
    let flags = session.flags(note).await?;
    let id = match joined(session, network).await? {
        Some(id) => id,
        None => {
            session.remove_ours().await?;
            let id = session.add_ours(network).await?;
            match note {
                Some(_) => session.select(id).await?,
                // Nothing is noted: leave the flags alone, ours comes first by its priority.
                None => session.enable(id).await?,
            }
            id
        }
    };
    session.set_flags(&flags).await?;
    Ok(id)
}

/// Joins `network` and waits until it is joined and keyed. Gives its number.
pub(crate) async fn join(
    session: &Session,
    network: &Credentials,
    note: Option<&Note>,
) -> Result<u32, LinuxError> {
    let flags = session.flags(note).await?;
    session.remove_ours().await?;
    let id = session.add_ours(network).await?;
    connect(session, id).await?;
    session.set_flags(&flags).await?;
    Ok(id)
}

async fn connect(session: &Session, id: u32) -> Result<(), LinuxError> {
    session.forget_events();
    session.select(id).await?;
    let mut rejections = 0;
    loop {
        match session.event().await? {
            Event::Connected { id: of } if of == id && session.joined().await? == Some(id) => {
                return Ok(());
            }
            Event::TempDisabled { id: of, wrong_key: true } if of == id => {
                return Err(LinuxError::Air(ErrorKind::WrongKey));
            }
            // A router's late goodbye to the exchange hits the new association: at once again.
            Event::TempDisabled { id: of, wrong_key: false } if of == id => {
                rejections += 1;
                if rejections > REJECTIONS {
                    return Err(LinuxError::Air(ErrorKind::Refused));
                }
                session.select(id).await?;
            }
            Event::NetworkNotFound => return Err(LinuxError::Air(ErrorKind::NotFound)),
            _ => {}
        }
    }
}

/// Our network, if it is joined and is this one.
async fn joined(session: &Session, network: &Credentials) -> Result<Option<u32>, LinuxError> {
    let Some(id) = session.joined().await? else { return Ok(None) };
    let status = session.ask("STATUS").await?;
    let same_name = Values::parse(&status).ssid().is_some_and(|ssid| ssid == network.ssid);
    let same = same_name && session.is_marked_for(id, network).await?;
    Ok(same.then_some(id))
}
