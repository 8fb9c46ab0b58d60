//! Reads the state of the link and converts it to the core's [`Link`].

use wps_core::Mode;
use wps_core::{Cipher, Link, Security, Ssid};

use super::control_socket::{ControlSocket, ControlSocketError};
use super::reply::Values;

/// What the interface does. Over D-Bus, more than the state and the number of the network is only
/// known of a connection that is complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// The name of wpa_supplicant's state, such as `COMPLETED`.
    pub(crate) state: Option<String>,
    /// wpa_supplicant's id of the current network.
    pub(crate) network_id: Option<u32>,
    pub(crate) ssid: Option<Ssid>,
    /// Whether the interface serves a network.
    pub(crate) is_access_point: bool,
    /// Whether the current network is that of a WPS exchange.
    pub(crate) is_wps: bool,
}

impl Status {
    /// Parses a reply to `STATUS`.
    pub(crate) fn parse(status: &Values<'_>) -> Self {
        Self {
            state: status.text("wpa_state").map(str::to_owned),
            network_id: status.number("id"),
            ssid: status.ssid(),
            is_access_point: status.text("mode") == Some("AP"),
            is_wps: status.text("key_mgmt") == Some("WPS"),
        }
    }

    /// Returns whether a connection is complete.
    pub(super) fn is_completed(&self) -> bool {
        self.state.as_deref() == Some("COMPLETED")
    }

    /// Returns whether a connection is complete. The one for a WPS exchange does not count.
    pub(crate) fn is_keyed(&self) -> bool {
        self.is_completed() && !self.is_wps
    }
}

/// Reads the state of the link.
pub(crate) async fn read_link(control: &ControlSocket) -> Result<Link, ControlSocketError> {
    let (status, signal) =
        (control.request("STATUS").await?, control.request("SIGNAL_POLL").await?);
    let (status, signal) = (Values::parse(&status), Values::parse(&signal));
    Ok(Link {
        up: status.text("wpa_state") == Some("COMPLETED") && status.text("key_mgmt") != Some("WPS"),
        mode: match (status.text("wpa_state"), status.text("mode")) {
            (Some("INTERFACE_DISABLED"), _) => Some(Mode::Off),
            (_, Some("AP")) => Some(Mode::AccessPoint),
            _ => Some(Mode::Station),
        },
        ssid: status.ssid(),
        bssid: status.bssid("bssid"),
        frequency_mhz: status.number("freq"),
        width_mhz: signal
            .text("WIDTH")
            .and_then(|width| width.split_whitespace().next()?.parse().ok()),
        signal_dbm: signal.number("RSSI").filter(|dbm| *dbm != -9999),
        security: status.text("key_mgmt").and_then(security),
        pairwise_cipher: status.text("pairwise_cipher").and_then(cipher),
        group_cipher: status.text("group_cipher").and_then(cipher),
        generation: status.number("wifi_generation"),
        address: status.bssid("address"),
        country: None,
    })
}

/// Converts the `key_mgmt` of `STATUS`.
pub(super) fn security(key_mgmt: &str) -> Option<Security> {
    Some(match key_mgmt {
        "NONE" => Security::Open,
        "OWE" => Security::Owe,
        "WPA-PSK" => Security::Wpa,
        "WPA2-PSK" | "WPA2-PSK-SHA256" | "FT-PSK" => Security::Wpa2,
        "SAE" | "FT-SAE" => Security::Wpa3,
        other if other.contains("EAP") || other.contains("802.1X") => Security::Enterprise,
        _ => return None,
    })
}

/// Converts the name of a cipher in `STATUS`.
fn cipher(name: &str) -> Option<Cipher> {
    Some(match name {
        "NONE" => Cipher::None,
        "WEP-40" | "WEP-104" => Cipher::Wep,
        "TKIP" => Cipher::Tkip,
        "CCMP" | "CCMP-256" => Cipher::Ccmp,
        "CCMP+TKIP" | "TKIP+CCMP" => Cipher::TkipCcmp,
        "GCMP" | "GCMP-256" => Cipher::Gcmp,
        _ => return None,
    })
}
