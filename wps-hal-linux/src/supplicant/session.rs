//! A driver method's connection to a wpa_supplicant that has a control socket.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::client::{EventStream, SupplicantClient};
use super::control_socket::{ControlSocket, ControlSocketError, Events};
use super::network_block::{self, FREQUENCY_RANGES};
use super::requests::Requests;
use crate::error::LinuxError;

/// A [`SupplicantClient`] with a control socket, for a driver that also sends requests of its own.
pub(crate) struct Session {
    client: SupplicantClient,
    control: Arc<ControlSocket>,
}

impl Deref for Session {
    type Target = SupplicantClient;

    fn deref(&self) -> &SupplicantClient {
        &self.client
    }
}

impl Session {
    /// Connects to wpa_supplicant's control socket of `interface` in `directory`, and subscribes to
    /// its events.
    pub(crate) async fn open(
        directory: &Path,
        interface: &str,
    ) -> Result<Self, ControlSocketError> {
        let events = EventStream::Socket(Events::attach(directory, interface).await?);
        let control = Arc::new(ControlSocket::connect(directory, interface)?);
        let client = SupplicantClient::new(Requests::Socket(control.clone()), events);
        Ok(Self { client, control })
    }

    /// Returns the connection for requests.
    pub(crate) fn control(&self) -> &Arc<ControlSocket> {
        &self.control
    }

    /// Sends a request, see [`ControlSocket::request`].
    pub(crate) async fn request(
        &self,
        request: &str,
    ) -> Result<Zeroizing<String>, ControlSocketError> {
        self.control.request(request).await
    }

    /// Sends a command, see [`ControlSocket::command`].
    pub(crate) async fn command(
        &self,
        command: impl AsRef<[u8]>,
    ) -> Result<Zeroizing<String>, ControlSocketError> {
        self.control.command(command).await
    }

    /// Adds an empty network, which is disabled. Returns its id.
    pub(crate) async fn add_network(&self) -> Result<u32, LinuxError> {
        network_block::add_network(&self.control).await
    }

    /// Sets a variable of the network with this id.
    pub(crate) async fn set_variable(
        &self,
        id: u32,
        variable: &str,
        value: impl AsRef<[u8]>,
    ) -> Result<(), ControlSocketError> {
        network_block::set_variable(&self.control, id, variable, value).await
    }

    /// Lets wpa_supplicant join this network and no other. This disables all other networks.
    pub(crate) async fn select_network(&self, id: u32) -> Result<(), ControlSocketError> {
        self.command(&format!("SELECT_NETWORK {id} freq={FREQUENCY_RANGES}")).await.map(drop)
    }

    /// Removes the network with this id. Succeeds if it is gone already.
    pub(crate) async fn remove_network(&self, id: u32) -> Result<(), ControlSocketError> {
        self.request(&format!("REMOVE_NETWORK {id}")).await.map(drop)
    }

    /// Returns whether the network with this id is for WPS, so it belongs to a running pairing.
    pub(crate) async fn is_wps_network(&self, id: u32) -> Result<bool, ControlSocketError> {
        let reply = self.request(&format!("GET_NETWORK {id} key_mgmt")).await?;
        Ok(reply.trim() == "WPS")
    }
}
