//! The secret agent that keeps NetworkManager from asking a user for the key of our network.
//!
//! If a network refuses its key, NetworkManager asks an agent for another one, and that of a
//! desktop opens a dialog. NetworkManager first asks the agent of the process that has activated
//! the profile. This one answers that the user has canceled: then no other agent is asked.

use zbus::{Connection, OwnedObjectPath};

use super::bus::{AgentManagerProxy, BusError, OwnedSettings};
use super::profile::value;
use super::uuid::Uuid;

/// The path at which NetworkManager expects an agent.
const PATH: &str = "/org/freedesktop/NetworkManager/SecretAgent";
/// An agent for one profile.
struct SecretAgent {
    uuid: Uuid,
}

/// The errors that an agent may return.
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.freedesktop.NetworkManager.SecretAgent")]
enum AgentError {
    #[zbus(error)]
    Bus(zbus::Error),
    /// No agent can give the secrets.
    UserCanceled(String),
    /// Another agent may have the secrets.
    NoSecrets(String),
}

#[zbus::interface(name = "org.freedesktop.NetworkManager.SecretAgent")]
impl SecretAgent {
    #[expect(clippy::needless_pass_by_value, reason = "the macro passes values")]
    fn get_secrets(
        &self,
        settings: OwnedSettings,
        _path: OwnedObjectPath,
        _setting: String,
        _hints: Vec<String>,
        _flags: u32,
    ) -> Result<OwnedSettings, AgentError> {
        let uuid: Option<String> = value(&settings, "connection", "uuid");
        Err(if uuid.and_then(|it| Uuid::parse(&it)) == Some(self.uuid) {
            AgentError::UserCanceled("the router handed over this key".into())
        } else {
            AgentError::NoSecrets("not a profile of this program".into())
        })
    }

    fn cancel_get_secrets(&self, _path: OwnedObjectPath, _setting: String) {}

    fn save_secrets(&self, _settings: OwnedSettings, _path: OwnedObjectPath) {}

    fn delete_secrets(&self, _settings: OwnedSettings, _path: OwnedObjectPath) {}
}

/// Registers an agent for the profile `uuid` until `bus` is closed.
pub(crate) async fn register(bus: &Connection, uuid: Uuid) -> Result<(), BusError> {
    bus.object_server().at(PATH, SecretAgent { uuid }).await?;
    // Each agent of a user needs another name.
    AgentManagerProxy::new(bus).await?.register(&format!("wps-hal-linux.{uuid}")).await?;
    Ok(())
}
