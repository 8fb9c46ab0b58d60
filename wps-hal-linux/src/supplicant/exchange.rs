//! The WPS exchange, in which a router hands over its credentials.

use std::time::Duration;

use tokio::time::timeout;
use wps_core::driver::Offer;
use wps_core::wsc::{CredentialError, Router, credentials};
use wps_core::{BssInfo, Cipher, ErrorKind, Security};
use zeroize::Zeroizing;

use super::client::SupplicantClient;
use super::control_socket::ControlSocketError;
use super::event::Event;
use super::network_block::list_networks;
use super::reply::Network;
use super::requests::Requests;
use super::search::PressedRouter;
use super::session::Session;
use crate::error::LinuxError;

/// The value of `wps_cred_processing` that makes wpa_supplicant pass credentials in plain text to
/// this process only, and not save them itself.
pub(super) const CRED_PROCESSING_EXTERNAL: u8 = 1;
/// The value that makes it use them itself, too.
pub(super) const CRED_PROCESSING_INTERNAL: u8 = 2;
/// The value of `config_methods` for the exchange. If a display is among the methods, a router
/// hands out the passphrase instead of the raw PSK, which WPA3 cannot use. Both methods are
/// virtual, as the button is on a web page.
const CONFIG_METHODS: &str = "virtual_display virtual_push_button";
/// How long to wait for the router to end the association after a successful exchange. Its
/// deauthentication would hit a new association that starts earlier.
const ROUTER_DISCONNECT_TIMEOUT: Duration = Duration::from_millis(300);
/// How long wpa_supplicant may take to say whether it has WPS.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// The `id_str` of the network of our exchange.
const ID_STR: &str = "\"wps-hal-linux exchange\"";
/// The number of scans in which wpa_supplicant may look for a router that we have just seen.
const MAX_SCANS: u32 = 3;
/// Configuration error "multiple PBC sessions detected": the router receives requests of more than
/// one pairing device.
const CONFIG_ERROR_MULTIPLE_PBC: u16 = 12;

/// wpa_supplicant's global variables that the exchange changes. The driver reads them before it and
/// restores them after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExchangeVariables {
    /// `wps_cred_processing`, or `None` if wpa_supplicant was built without WPS.
    pub(crate) cred_processing: Option<u8>,
    /// Whether `config_methods` was not set.
    pub(crate) config_methods_unset: bool,
}

impl ExchangeVariables {
    /// Reads the variables.
    pub(crate) async fn read(requests: &Requests) -> Result<Self, LinuxError> {
        let cred_processing = requests.cred_processing().await?;
        let config_methods_unset = match cred_processing {
            Some(_) => requests.config_methods().await?.is_some_and(|it| it.is_empty()),
            None => false,
        };
        Ok(Self { cred_processing, config_methods_unset })
    }

    /// Sets the variables to these values. A refusal does not keep the device from its network, so
    /// it is only logged.
    pub(crate) async fn restore(&self, session: &SupplicantClient) -> Result<(), LinuxError> {
        let requests = session.requests();
        let Some(present) = requests.cred_processing().await? else { return Ok(()) };
        match self.cred_processing {
            Some(value) if value != present => {
                log_refusal(requests.set_cred_processing(value).await)?;
            }
            Some(_) | None => {}
        }
        if self.config_methods_unset {
            log_refusal(requests.set_config_methods("").await)?;
        }
        Ok(())
    }
}

/// Logs that wpa_supplicant has refused an optional request. Returns all other errors.
fn log_refusal(done: Result<(), LinuxError>) -> Result<(), LinuxError> {
    match done {
        Err(error) if error.is_refusal() => {
            tracing::warn!("{error}");
            Ok(())
        }
        done => done,
    }
}

/// Checks that wpa_supplicant has WPS.
pub(crate) async fn require_wps(requests: &Requests) -> Result<(), LinuxError> {
    match requests.cred_processing().await? {
        Some(_) => Ok(()),
        None => Err(LinuxError::WithoutWps),
    }
}

/// Awaits [`require_wps`] before a pairing starts. If wpa_supplicant does not answer soon, this
/// succeeds: `snapshot`, which shares the time, then says why.
pub(crate) async fn check_wps(
    require_wps: impl Future<Output = Result<(), LinuxError>>,
) -> Result<(), LinuxError> {
    match timeout(CHECK_TIMEOUT, require_wps).await {
        Ok(Err(LinuxError::WithoutWps)) => Err(LinuxError::WithoutWps),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Leaves the current network and runs the exchange with this router. Returns its credentials. All
/// other networks are disabled afterwards: the driver enables them again.
pub(crate) async fn exchange(
    session: &SupplicantClient,
    PressedRouter { router, info }: &PressedRouter,
) -> Result<Offer, LinuxError> {
    let requests = session.requests();
    match requests.set_cred_processing(CRED_PROCESSING_EXTERNAL).await {
        Err(error) if error.is_refusal() => return Err(LinuxError::WithoutWps),
        done => done?,
    }
    if requests.config_methods().await?.is_some_and(|it| it.is_empty()) {
        log_refusal(requests.set_config_methods(CONFIG_METHODS).await)?;
    }
    let id = add_wps_network(requests, router).await?;
    session.discard_events();
    requests.select_network(id).await?;
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
            Event::WpsUnusable(error) => return Err(unusable(error, info).into()),
            Event::NetworkNotFound => return Err(LinuxError::Wifi(ErrorKind::RouterLost)),
            // By another program, for example a network manager that wants to join its own network.
            Event::NetworkRemoved { id: removed } if removed == id => {
                return Err(LinuxError::Wifi(ErrorKind::RouterLost));
            }
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
    timeout(ROUTER_DISCONNECT_TIMEOUT, router_disconnect)
        .await
        .unwrap_or(Ok::<_, LinuxError>(()))?;
    let offer = Offer::new(credentials(&received, info)?);
    offer.ok_or(LinuxError::Credentials(CredentialError::NoNetwork))
}

/// Returns the error for a credential that wpa_supplicant itself has rejected, because it is for
/// WEP or for TKIP only. If the access point advertises something better, the credential is wrong.
fn unusable(rejected: CredentialError, access_point: &BssInfo) -> CredentialError {
    let is_outdated = access_point.pairwise_cipher == Some(Cipher::Tkip)
        || matches!(access_point.security, Some(Security::Wep) | None);
    if is_outdated { rejected } else { CredentialError::NoNetwork }
}

/// Adds a network that pairs by push button with `router` only. Returns its id.
async fn add_wps_network(requests: &Requests, router: &Router) -> Result<u32, LinuxError> {
    let variables = [
        ("id_str", ID_STR),
        ("key_mgmt", "WPS"),
        ("eap", "WSC"),
        ("identity", "\"WFA-SimpleConfig-Enrollee-1-0\""),
        ("phase1", "\"pbc=1\""),
        ("bssid", &router.bssid.to_string()),
        ("scan_freq", &router.frequency_mhz.to_string()),
    ];
    requests.add_network_with(&variables).await
}

/// Cancels a running pairing and removes its network. `WPS_CANCEL` without a pairing would drop a
/// good connection, so it is only sent if wpa_supplicant lists an enabled network for WPS.
pub(crate) async fn cancel(session: &Session) -> Result<(), ControlSocketError> {
    if pairing_networks(session).await?.iter().any(|network| network.enabled) {
        session.request("WPS_CANCEL").await?;
    }
    for network in pairing_networks(session).await? {
        session.remove_network(network.id).await?;
    }
    Ok(())
}

/// Ends an exchange of ours that a dropped future has left, beside another program: leaves the
/// pairings of that program alone, and sets `wps_cred_processing` to its value.
pub(crate) async fn cancel_ours(
    session: &SupplicantClient,
    cred_processing: u8,
) -> Result<(), LinuxError> {
    let requests = session.requests();
    for network in requests.networks().await? {
        let variable = async |name| requests.network_variable(network.id, name).await;
        // Another program's network has a name, or is for WPS. One with neither was dropped before
        // it got our `id_str`.
        let is_incomplete =
            network.name.is_empty() && variable("key_mgmt").await?.as_deref() != Some("WPS");
        if variable("id_str").await?.as_deref() == Some(ID_STR) || is_incomplete {
            // The other program may have removed the network since.
            requests.discard_network(network.id).await?;
        }
    }
    let variables = ExchangeVariables::read(requests).await?;
    if variables.cred_processing.is_none() {
        return Ok(());
    }
    let config_methods_unset = requests.config_methods().await?.as_deref() == Some(CONFIG_METHODS);
    let cred_processing = Some(cred_processing);
    ExchangeVariables { cred_processing, config_methods_unset }.restore(session).await
}

/// Returns the networks of a running pairing, started by this driver or by another program.
async fn pairing_networks(session: &Session) -> Result<Vec<Network>, ControlSocketError> {
    let mut pairing = Vec::new();
    for network in list_networks(session.control()).await? {
        if session.is_wps_network(network.id).await? {
            pairing.push(network);
        }
    }
    Ok(pairing)
}
