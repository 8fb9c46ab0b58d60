//! The exchange: one router hands over its credentials.

use std::time::Duration;

use wps_core::ErrorKind;
use wps_core::driver::Offer;
use wps_core::wsc::{Router, credentials};
use zeroize::Zeroizing;

use crate::control_socket::ControlSocketError;
use crate::error::LinuxError;
use crate::event::Event;
use crate::note::Note;
use crate::session::Session;

/// Handed over in the clear to this process only, and not saved by wpa_supplicant itself.
const CREDENTIALS_TO_US: u8 = 1;
/// With a display among the methods a router hands out the passphrase rather than the raw PSK, which
/// is of no use to WPA3. Both are virtual: there is a page with a button.
const METHODS: &str = "virtual_display virtual_push_button";
/// How long a router may take to end the association of an exchange that succeeded. One that begins
/// before is hit by that end.
const GOODBYE: Duration = Duration::from_millis(300);
/// How often wpa_supplicant may look for the router that we have just heard.
const SCANS: u32 = 3;
/// Configuration error "multiple PBC sessions": the router hears more than one device pairing.
const MULTIPLE_PBC: u16 = 12;

/// Leaves the present network and lets `router` hand over its credentials.
pub(crate) async fn exchange(session: &Session, router: &Router) -> Result<Offer, LinuxError> {
    session.order(&format!("SET wps_cred_processing {CREDENTIALS_TO_US}")).await?;
    if methods_are_unset(session).await? {
        session.order(&format!("SET config_methods {METHODS}")).await?;
    }
    let id = session.add_wps(&router.bssid.to_string(), router.frequency_mhz).await?;
    session.forget_events();
    session.select(id).await?;
    let mut received = Zeroizing::new(Vec::new());
    let mut scans = 0;
    // The present link may be to this very router: its end is no loss.
    let mut begun = false;
    let ended = |bssid| bssid == Some(router.bssid);
    loop {
        match session.event().await? {
            Event::EapStarted => begun = true,
            // One event for each network.
            Event::Credentials(attributes) => received.extend_from_slice(&attributes),
            // Nothing else tells that the router no longer waits for us, and we are off-line.
            Event::ScanResults if !begun => {
                scans += 1;
                if scans > SCANS {
                    return Err(LinuxError::Air(ErrorKind::RouterLost));
                }
            }
            Event::WpsSuccess => break,
            Event::WpsRefused(MULTIPLE_PBC) | Event::WpsFail(MULTIPLE_PBC) => {
                return Err(LinuxError::Air(ErrorKind::RouterBusy));
            }
            // Without an error: not ready yet, the exchange goes on.
            Event::WpsRefused(0) => {}
            Event::WpsRefused(_) | Event::WpsFail(_) => {
                return Err(LinuxError::Air(ErrorKind::Refused));
            }
            Event::WpsOverlap => return Err(LinuxError::Air(ErrorKind::Overlap)),
            Event::WpsInsecure => return Err(LinuxError::Air(ErrorKind::Insecure)),
            Event::NetworkNotFound => return Err(LinuxError::Air(ErrorKind::RouterLost)),
            Event::TempDisabled { id: of, .. } if of == id => {
                return Err(LinuxError::Air(ErrorKind::RouterLost));
            }
            Event::Disconnected { bssid } if begun && ended(bssid) => {
                return Err(LinuxError::Air(ErrorKind::RouterLost));
            }
            _ => {}
        }
    }
    let goodbye = async {
        loop {
            match session.event().await? {
                Event::Disconnected { bssid } if ended(bssid) => return Ok(()),
                _ => {}
            }
        }
    };
    tokio::time::timeout(GOODBYE, goodbye).await.unwrap_or(Ok::<_, ControlSocketError>(()))?;
    let offer = Offer::new(credentials(&received)?);
    offer.ok_or(LinuxError::Nonsense("a pairing: no network"))
}

/// What was set for the exchange, as it was before.
pub(crate) async fn reset(
    session: &Session,
    note: Option<&Note>,
) -> Result<(), ControlSocketError> {
    if let Some(note) = note {
        session.order(&format!("SET wps_cred_processing {}", note.cred_processing)).await?;
        if note.methods_unset {
            session.order("SET config_methods ").await?;
        }
    }
    Ok(())
}

/// What wpa_supplicant does with credentials by itself.
pub(crate) async fn credential_processing(session: &Session) -> Result<u8, ControlSocketError> {
    Ok(session.ask("GET wps_cred_processing").await?.trim().parse().unwrap_or(0))
}

/// Whether nobody has told wpa_supplicant which methods this device has.
pub(crate) async fn methods_are_unset(session: &Session) -> Result<bool, ControlSocketError> {
    let reply = session.ask("GET config_methods").await?;
    Ok(matches!(reply.trim(), "" | "null" | "FAIL"))
}
