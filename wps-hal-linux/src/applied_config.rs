//! The configuration that this driver last gave to wpa_supplicant, and the check whether it is
//! still in force. wpa_supplicant loses it when it restarts or reloads its configuration file, and
//! may join another network in place of ours.

use std::time::Duration;

use tokio::time::Instant;
use wps_core::Ssid;

use crate::bss_table;
use crate::control_socket::{ControlSocket, ControlSocketError};
use crate::link::read_link;
use crate::reply::Values;
use crate::session::Session;

/// The time between two checks. Polling is necessary: a wpa_supplicant that was killed sends no
/// event.
pub(crate) const CONFIG_POLL_INTERVAL: Duration = Duration::from_secs(3);

/// How long wpa_supplicant may stay in another network while ours is enabled and in range. After a
/// failed association it ignores the access point for 10 s (`wpa_bssid_ignore_add`), joins the next
/// best network and stays there.
const RETURN_DELAY: Duration = Duration::from_secs(10);
/// The delay doubles up to this, because each return interrupts a working connection.
const MAX_RETURN_DELAY: Duration = Duration::from_secs(640);

/// The part of the applied configuration that wpa_supplicant can lose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum AppliedConfig {
    /// Nothing in addition to wpa_supplicant's own configuration.
    #[default]
    Nothing,
    /// Our network, for a station or an access point, with this `id_str`.
    Network { id: u32, id_str: String, ssid: Ssid },
    /// The radio is off.
    RadioOff,
}

impl AppliedConfig {
    /// Returns the configuration with our network `id`, whose `id_str` it reads.
    pub(crate) async fn from_network(
        session: &Session,
        id: u32,
        ssid: &Ssid,
    ) -> Result<Self, ControlSocketError> {
        let id_str = session.command(get_id_str(id)).await?.to_string();
        Ok(Self::Network { id, id_str, ssid: ssid.clone() })
    }

    /// Returns whether this configuration must be applied again.
    pub(crate) async fn is_lost(
        &self,
        control: &ControlSocket,
        other_network: &mut OtherNetwork,
    ) -> Result<bool, ControlSocketError> {
        match self {
            Self::Nothing => Ok(false),
            Self::Network { id, id_str, ssid } => {
                let status = control.request("STATUS").await?;
                let status = Values::parse(&status);
                let connected = status.text("wpa_state") == Some("COMPLETED");
                let unquoted = id_str.trim().trim_matches('"');
                if connected && status.text("id_str") == Some(unquoted) {
                    *other_network = OtherNetwork::default();
                    Ok(false)
                } else if *control.request(get_id_str(*id)).await? != *id_str {
                    tracing::warn!("wpa_supplicant has lost our settings: applying them again");
                    Ok(true)
                } else if !connected || status.text("key_mgmt") == Some("WPS") {
                    other_network.since = None;
                    Ok(false)
                } else if other_network.delay_is_over() && can_join(control, *id, ssid).await? {
                    other_network.delay = (other_network.delay * 2).min(MAX_RETURN_DELAY);
                    tracing::warn!("wpa_supplicant has joined another network: returning to ours");
                    Ok(true)
                } else {
                    Ok(false)
                }
            }
            // A wpa_supplicant that starts brings the interface up and joins a known network. If
            // a user only turned the radio on, it joins nothing.
            Self::RadioOff => {
                let up = read_link(control).await?.up;
                if up {
                    tracing::warn!("wpa_supplicant has turned the radio on: turning it off");
                }
                Ok(up)
            }
        }
    }
}

/// Since when wpa_supplicant has been in another network than ours, and how long it may stay there.
#[derive(Clone, Debug)]
pub(crate) struct OtherNetwork {
    since: Option<Instant>,
    delay: Duration,
}

impl Default for OtherNetwork {
    fn default() -> Self {
        Self { since: None, delay: RETURN_DELAY }
    }
}

impl OtherNetwork {
    /// Records that wpa_supplicant is in another network now. Returns whether it has been for the
    /// whole delay, which then starts again.
    fn delay_is_over(&mut self) -> bool {
        let now = Instant::now();
        let over = now - *self.since.get_or_insert(now) >= self.delay;
        if over {
            self.since = Some(now);
        }
        over
    }
}

/// Returns whether our network is in range and enabled. Another program may have disabled it, which
/// is then respected.
async fn can_join(
    control: &ControlSocket,
    id: u32,
    ssid: &Ssid,
) -> Result<bool, ControlSocketError> {
    if control.request(format!("GET_NETWORK {id} disabled")).await?.trim() != "0" {
        return Ok(false);
    }
    bss_table::contains(control, ssid).await
}

/// Returns the request for the `id_str` of network `id`.
fn get_id_str(id: u32) -> String {
    format!("GET_NETWORK {id} id_str")
}
