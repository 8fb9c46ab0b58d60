//! Joins a network with a profile of ours.

use wps_core::{Credentials, DriverError, ErrorKind, Snapshot};

use super::activation::Activation;
use super::air::{self, Range};
use super::client::Autoconnect;
use super::idle_watch::{Applied, IdleWatch};
use super::platform_snapshot::PlatformSnapshot;
use super::profile::{self, Retries};
use super::uuid::Uuid;
use super::{NetworkManager, foreign_id};
use crate::error::LinuxError;

impl NetworkManager {
    pub(super) async fn try_to_join(
        &mut self,
        network: &Credentials,
        snapshot: &Snapshot,
    ) -> Result<(), LinuxError> {
        self.idle_watch = IdleWatch::default();
        self.had_task |= !snapshot.as_bytes().is_empty();
        let snapshot = PlatformSnapshot::from_snapshot(snapshot);
        if foreign_id(&network.secret).is_some() {
            return Err(LinuxError::Wifi(ErrorKind::KeptElsewhere));
        }
        let client = self.client().await?;
        let session = self.session_for_task(&client).await?;
        let range = air::find_network(&session, &network.ssid).await?;
        if range == Range::Absent {
            return Err(LinuxError::Wifi(ErrorKind::NotFound));
        }
        let kept = network.secret.kept_id().map(Uuid::from);
        let uuid = match (kept, snapshot) {
            (Some(uuid), _) => uuid,
            (None, Some(snapshot)) => snapshot.new,
            (None, None) => Uuid::new_own()?,
        };
        let path = match kept {
            Some(uuid) => {
                let path = client.find(uuid).await?;
                path.ok_or(LinuxError::Wifi(ErrorKind::KeptElsewhere))?
            }
            None => {
                let priority = snapshot.map_or(0, |it| it.priority).into();
                let mut settings =
                    profile::station(&self.interface, uuid, network, priority, Retries::Default)?;
                if range == Range::PossiblyHidden {
                    profile::set_hidden(&mut settings);
                }
                client.put_in_memory(uuid, &settings, Autoconnect::Later).await?
            }
        };
        client.suppress_key_dialog(uuid).await;
        let activation = Activation { client: &client, session: &session, ssid: &network.ssid };
        match activation.run(&path).await {
            Ok(()) => {
                // NetworkManager returns to this network by itself from now on.
                client.set_autoconnect(true).await?;
                self.interrupted = None;
                let ssid = network.ssid.clone();
                self.applied = match kept {
                    Some(_) => Applied::Kept { uuid, ssid },
                    None => Applied::InMemory { uuid, ssid },
                };
                Ok(())
            }
            Err(error) => {
                if error.kind() == ErrorKind::Refused {
                    // NetworkManager has no setting for that: `docs/design.md`.
                    tracing::warn!(
                        "if this card cannot do WPA3, set the router's security to WPA2: \
                         NetworkManager always offers WPA3, too"
                    );
                }
                // NetworkManager would ask the user for the key.
                if kept.is_none()
                    && let Err(error) = client.remove(&path).await
                {
                    tracing::warn!("a profile remains until the next task: {error:?}");
                }
                Err(error)
            }
        }
    }
}
