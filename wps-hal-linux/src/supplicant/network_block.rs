//! Network blocks: the entries of wpa_supplicant's list of networks.

use zeroize::Zeroizing;

use super::control_socket::{ControlSocket, ControlSocketError};
use super::reply::{self, Network};
use crate::error::LinuxError;

/// The bands on which WPS is possible, in MHz. Leaves out 6 GHz, where there is no WPS and whose
/// channels make a scan three times as long.
pub(super) const FREQUENCY_RANGES: &str = "2412-2484,5150-5895";

/// Adds an empty network, which is disabled. Returns its id.
pub(crate) async fn add_network(control: &ControlSocket) -> Result<u32, LinuxError> {
    let reply = control.command("ADD_NETWORK").await?;
    reply.trim().parse().map_err(|_| LinuxError::InvalidReply("ADD_NETWORK"))
}

/// Sets a variable of the network with this id.
pub(crate) async fn set_variable(
    control: &ControlSocket,
    id: u32,
    variable: &str,
    value: impl AsRef<[u8]>,
) -> Result<(), ControlSocketError> {
    let start = format!("SET_NETWORK {id} {variable} ");
    let command = Zeroizing::new([start.as_bytes(), value.as_ref()].concat());
    control.command(&*command).await.map(drop)
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
