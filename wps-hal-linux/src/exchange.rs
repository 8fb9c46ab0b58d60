//! The WPS exchange, in which a router hands over its credentials.

use std::time::Duration;

use wps_core::ErrorKind;
use wps_core::driver::Offer;
use wps_core::wsc::{CredentialError, Router, credentials};
use zeroize::Zeroizing;

use crate::control_socket::ControlSocketError;
use crate::error::LinuxError;
use crate::event::Event;
use crate::platform_snapshot::PlatformSnapshot;
use crate::session::Session;

/// The value of `wps_cred_processing` that makes wpa_supplicant pass credentials in plain text to
/// this process only, and not save them itself.
const CRED_PROCESSING_EXTERNAL: u8 = 1;
/// The value of `config_methods` for the exchange. If a display is among the methods, a router
/// hands out the passphrase instead of the raw PSK, which WPA3 cannot use. Both methods are
/// virtual, as the button is on a web page.
const CONFIG_METHODS: &str = "virtual_display virtual_push_button";
/// How long to wait for the router to end the association after a successful exchange. Its
/// deauthentication would hit a new association that starts earlier.
const ROUTER_DISCONNECT_TIMEOUT: Duration = Duration::from_millis(300);
/// The number of scans in which wpa_supplicant may look for a router that we have just seen.
const MAX_SCANS: u32 = 3;
/// Configuration error "multiple PBC sessions detected": the router receives requests of more than
/// one pairing device.
const CONFIG_ERROR_MULTIPLE_PBC: u16 = 12;

/// Leaves the current network and runs the exchange with `router`. Returns its credentials.
pub(crate) async fn exchange(session: &Session, router: &Router) -> Result<Offer, LinuxError> {
    session.command(&format!("SET wps_cred_processing {CRED_PROCESSING_EXTERNAL}")).await?;
    if are_config_methods_unset(session).await? {
        session.command(&format!("SET config_methods {CONFIG_METHODS}")).await?;
    }
    let id = session.add_wps_network(&router.bssid.to_string(), router.frequency_mhz).await?;
    session.discard_events();
    session.select_network(id).await?;
    let mut received = Zeroizing::new(Vec::new());
    let mut scans = 0;
    // The current link may be to the same router. Its end before the exchange is not an error.
    let mut eap_started = false;
    let is_router = |bssid| bssid == Some(router.bssid);
    loop {
        match session.next_event().await? {
            Event::EapStarted => eap_started = true,
            // There is one event for each network.
            Event::Credentials(attributes) => received.extend_from_slice(&attributes),
            // No other event reports that the router has stopped pairing, and we are offline here.
            Event::ScanResults if !eap_started => {
                scans += 1;
                if scans > MAX_SCANS {
                    return Err(LinuxError::Wifi(ErrorKind::RouterLost));
                }
            }
            Event::WpsSuccess => break,
            Event::WpsM2d(CONFIG_ERROR_MULTIPLE_PBC)
            | Event::WpsFail(CONFIG_ERROR_MULTIPLE_PBC) => {
                return Err(LinuxError::Wifi(ErrorKind::RouterBusy));
            }
            // No error: the router is not ready yet, and the exchange continues.
            Event::WpsM2d(0) => {}
            Event::WpsM2d(_) | Event::WpsFail(_) => {
                return Err(LinuxError::Wifi(ErrorKind::Refused));
            }
            Event::WpsOverlap => return Err(LinuxError::Wifi(ErrorKind::Overlap)),
            Event::WpsUnusable(error) => return Err(LinuxError::Credentials(error)),
            Event::NetworkNotFound => return Err(LinuxError::Wifi(ErrorKind::RouterLost)),
            Event::TempDisabled { id: disabled } if disabled == id => {
                return Err(LinuxError::Wifi(ErrorKind::RouterLost));
            }
            Event::Disconnected { bssid } if eap_started && is_router(bssid) => {
                return Err(LinuxError::Wifi(ErrorKind::RouterLost));
            }
            _ => {}
        }
    }
    let router_disconnect = async {
        loop {
            match session.next_event().await? {
                Event::Disconnected { bssid } if is_router(bssid) => return Ok(()),
                _ => {}
            }
        }
    };
    tokio::time::timeout(ROUTER_DISCONNECT_TIMEOUT, router_disconnect)
        .await
        .unwrap_or(Ok::<_, ControlSocketError>(()))?;
    let offer = Offer::new(credentials(&received)?);
    offer.ok_or(LinuxError::Credentials(CredentialError::NoNetwork))
}

/// Restores the variables that were set for the exchange.
pub(crate) async fn reset(
    session: &Session,
    snapshot: Option<&PlatformSnapshot>,
) -> Result<(), ControlSocketError> {
    if let Some(snapshot) = snapshot {
        session.command(&format!("SET wps_cred_processing {}", snapshot.cred_processing)).await?;
        if snapshot.config_methods_unset {
            session.command("SET config_methods ").await?;
        }
    }
    Ok(())
}

/// Returns wpa_supplicant's `wps_cred_processing`.
pub(crate) async fn cred_processing(session: &Session) -> Result<u8, ControlSocketError> {
    Ok(session.request("GET wps_cred_processing").await?.trim().parse().unwrap_or(0))
}

/// Returns whether wpa_supplicant's `config_methods` is not set.
pub(crate) async fn are_config_methods_unset(
    session: &Session,
) -> Result<bool, ControlSocketError> {
    let reply = session.request("GET config_methods").await?;
    Ok(matches!(reply.trim(), "" | "null" | "FAIL"))
}
