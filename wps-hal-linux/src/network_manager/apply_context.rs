//! What the parts of `apply` have in common.

use zbus::OwnedObjectPath;

use super::air;
use super::client::Client;
use super::platform_snapshot::PlatformSnapshot;
use super::profile::StoredProfile;
use super::uuid::Uuid;
use crate::error::LinuxError;
use crate::supplicant::client::SupplicantClient;

/// What the parts of `apply` need.
#[derive(Clone, Copy)]
pub(super) struct ApplyContext<'a> {
    pub(super) client: &'a Client,
    pub(super) session: &'a SupplicantClient,
    pub(super) snapshot: Option<&'a PlatformSnapshot>,
    /// The profiles before `apply`.
    pub(super) profiles: &'a [StoredProfile],
}

impl ApplyContext<'_> {
    /// Activates a profile. If NetworkManager believes that it is active, only lets wpa_supplicant
    /// return to its network. Succeeds if the network is not in range: NetworkManager joins it
    /// later.
    pub(super) async fn activate(
        &self,
        uuid: Uuid,
        path: &OwnedObjectPath,
    ) -> Result<(), LinuxError> {
        let frequency_mhz = self.snapshot.map_or(0, |it| it.frequency_mhz);
        if !self.is_on(uuid).await? {
            air::refresh(self.session, frequency_mhz).await?;
        }
        // NetworkManager may have activated it meanwhile.
        if self.is_on(uuid).await? {
            air::return_to_network(self.session, frequency_mhz).await?;
            return Ok(());
        }
        match self.client.activate(path).await {
            Err(error) if !error.is_unavailable() => Err(error.into()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Returns to the profile of a single user, which NetworkManager hides from other users. Only
    /// that user, root, or NetworkManager by itself can activate it.
    pub(super) async fn return_to_private(&self, uuid: Uuid) -> Result<(), LinuxError> {
        if self.is_on(uuid).await? {
            let frequency_mhz = self.snapshot.map_or(0, |it| it.frequency_mhz);
            return air::return_to_network(self.session, frequency_mhz).await;
        }
        tracing::warn!(
            "the previous connection is the profile {uuid} of a single user, which this program may \
             not activate: NetworkManager returns to it by itself, or run `sudo nmcli connection up \
             {uuid}`"
        );
        Ok(())
    }

    /// Returns whether NetworkManager has activated this profile, or is activating it.
    async fn is_on(&self, uuid: Uuid) -> Result<bool, LinuxError> {
        let is_connecting = self.client.state().await?.is_connecting();
        Ok(is_connecting && self.client.active().await? == Some(uuid))
    }
}
