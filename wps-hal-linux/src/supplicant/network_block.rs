//! Network blocks: the entries of wpa_supplicant's list of networks.

use zeroize::Zeroizing;

use super::control_socket::{ControlSocket, ControlSocketError};
use super::reply::{self, Network};
use super::session::Session;
use crate::error::LinuxError;

/// The bands on which WPS is possible, in MHz. Leaves out 6 GHz, where there is no WPS and whose
/// channels make a scan three times as long.
const FREQUENCY_RANGES: &str = "2412-2484,5150-5895";

impl Session {
    /// Adds an empty network, which is disabled. Returns its id.
    pub(crate) async fn add_network(&self) -> Result<u32, LinuxError> {
        let reply = self.command("ADD_NETWORK").await?;
        reply.trim().parse().map_err(|_| LinuxError::InvalidReply("ADD_NETWORK"))
    }

    /// Sets a variable of the network with this id.
    pub(crate) async fn set_variable(
        &self,
        id: u32,
        variable: &str,
        value: impl AsRef<[u8]>,
    ) -> Result<(), ControlSocketError> {
        let start = format!("SET_NETWORK {id} {variable} ");
        let command = Zeroizing::new([start.as_bytes(), value.as_ref()].concat());
        self.command(&*command).await.map(drop)
    }

    /// Lets wpa_supplicant join this network and no other. This disables all other networks.
    pub(crate) async fn select_network(&self, id: u32) -> Result<(), ControlSocketError> {
        self.command(&format!("SELECT_NETWORK {id} freq={FREQUENCY_RANGES}")).await.map(drop)
    }

    /// Removes the network with this id.
    pub(crate) async fn remove_network(&self, id: u32) -> Result<(), ControlSocketError> {
        self.command(&format!("REMOVE_NETWORK {id}")).await.map(drop)
    }

    /// Returns whether the network with this id is for WPS, so it belongs to a running pairing.
    pub(crate) async fn is_wps_network(&self, id: u32) -> Result<bool, ControlSocketError> {
        let reply = self.request(&format!("GET_NETWORK {id} key_mgmt")).await?;
        Ok(reply.trim() == "WPS")
    }
}

/// Reads wpa_supplicant's list of networks.
pub(crate) async fn list_networks(
    control: &ControlSocket,
) -> Result<Vec<Network>, ControlSocketError> {
    let mut networks: Vec<Network> = Vec::new();
    loop {
        // A reply holds at most 4 kB, so continue after its last network until none are left.
        let last = networks.last().map(|network| network.id);
        let request = match last {
            None => "LIST_NETWORKS".into(),
            Some(id) => format!("LIST_NETWORKS LAST_ID={id}"),
        };
        let reply = control.request(request).await?;
        let length = networks.len();
        networks.extend(reply::networks(&reply).filter(|it| Some(it.id) > last));
        if networks.len() == length {
            return Ok(networks);
        }
    }
}
