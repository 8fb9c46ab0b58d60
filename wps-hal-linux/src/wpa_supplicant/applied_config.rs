//! The configuration that this driver last gave to wpa_supplicant, and the check whether it is
//! still in force. wpa_supplicant loses it when it restarts or reloads its configuration file, may
//! join another network in place of ours, and may be told to join none.

use wps_core::{Settings, Ssid};

use crate::supplicant::bss_table;
use crate::supplicant::control_socket::{ControlSocket, ControlSocketError};
use crate::supplicant::link::read_link;
use crate::supplicant::network_block::list_networks;
use crate::supplicant::reply::Values;
use crate::supplicant::return_delay::ReturnDelay;
use crate::supplicant::session::Session;

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

    /// Returns wpa_supplicant's id of our network.
    pub(crate) fn network_id(&self) -> Option<u32> {
        match self {
            Self::Network { id, .. } => Some(*id),
            Self::Nothing | Self::RadioOff => None,
        }
    }

    /// Returns whether these settings name the network of this configuration.
    pub(crate) fn may_be(&self, settings: &Settings) -> bool {
        match (self, settings) {
            (Self::Network { ssid, .. }, Settings::Station { network }) => *ssid == network.ssid,
            _ => false,
        }
    }

    /// Returns whether both are our network with the same credentials.
    pub(crate) fn is_same_network(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Network { id_str: one, .. }, Self::Network { id_str: two, .. }) => one == two,
            _ => false,
        }
    }

    /// Returns what has become of this configuration.
    pub(crate) async fn check(
        &self,
        control: &ControlSocket,
        return_delay: &mut ReturnDelay,
    ) -> Result<Condition, ControlSocketError> {
        match self {
            Self::Nothing => Ok(Condition::NotConnected),
            Self::Network { id, id_str, ssid } => {
                let status = control.request("STATUS").await?;
                let status = Values::parse(&status);
                let connected = status.text("wpa_state") == Some("COMPLETED");
                let disconnected = status.text("wpa_state") == Some("DISCONNECTED");
                let unquoted = id_str.trim().trim_matches('"');
                if connected && status.text("id_str") == Some(unquoted) {
                    *return_delay = ReturnDelay::default();
                    return Ok(Condition::Connected);
                }
                if *control.request(get_id_str(*id)).await? != *id_str {
                    tracing::warn!("wpa_supplicant has lost our settings: applying them again");
                    return Ok(Condition::Lost);
                }
                let in_other_network = connected && status.text("key_mgmt") != Some("WPS");
                let is_not_trying_ours =
                    in_other_network || disconnected && !is_temp_disabled(control, *id).await?;
                if !is_not_trying_ours {
                    return_delay.stop();
                } else if return_delay.is_over() {
                    if !is_enabled(control, *id).await?
                        || in_other_network && !bss_table::contains(control, ssid, None).await?
                    {
                        return_delay.postpone();
                        return Ok(Condition::NotConnected);
                    }
                    return_delay.double();
                    if disconnected {
                        tracing::warn!(
                            "another program has disconnected wpa_supplicant: connecting again; \
                             disable the network to stay offline"
                        );
                    } else {
                        tracing::warn!(
                            "wpa_supplicant has joined another network in place of ours: returning \
                             to ours"
                        );
                    }
                    return Ok(Condition::Lost);
                }
                Ok(Condition::NotConnected)
            }
            // A wpa_supplicant that starts brings the interface up and joins a known network. If
            // a user only turned the radio on, it joins nothing.
            Self::RadioOff => {
                if read_link(control).await?.up {
                    tracing::warn!("wpa_supplicant has turned the radio on: turning it off");
                    return Ok(Condition::Lost);
                }
                Ok(Condition::NotConnected)
            }
        }
    }
}

/// What has become of the applied configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It must be applied again.
    Lost,
    /// It is in force, and our network is connected or served.
    Connected,
    /// It is in force, and there is no link.
    NotConnected,
}

/// Returns whether this network is enabled. Another program may have disabled it, which is then
/// respected.
async fn is_enabled(control: &ControlSocket, id: u32) -> Result<bool, ControlSocketError> {
    Ok(control.request(format!("GET_NETWORK {id} disabled")).await?.trim() == "0")
}

/// Returns whether wpa_supplicant ignores this network for some time. It then returns by itself.
async fn is_temp_disabled(control: &ControlSocket, id: u32) -> Result<bool, ControlSocketError> {
    let networks = list_networks(control).await?;
    Ok(networks.iter().any(|network| network.id == id && network.temp_disabled))
}

/// Returns the request for the `id_str` of network `id`.
fn get_id_str(id: u32) -> String {
    format!("GET_NETWORK {id} id_str")
}
