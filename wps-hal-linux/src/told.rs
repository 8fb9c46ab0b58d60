//! What wpa_supplicant was told last, and whether it still knows: it may have begun anew, or read its
//! configuration again.

use std::time::Duration;

use crate::control::{Control, ControlError};
use crate::link::link;
use crate::session::Session;

/// How often to look. Nothing tells of the loss: who is killed says no goodbye.
pub(crate) const GLANCE: Duration = Duration::from_secs(3);

/// What wpa_supplicant was told last, as far as that can be lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing but what its own configuration says.
    #[default]
    Nothing,
    /// To join, or to serve, our network.
    Network { id: u32, mark: String },
    /// That the radio is off.
    Off,
}

impl Told {
    /// Our network of this number, as it is marked.
    pub(crate) async fn network(session: &Session, id: u32) -> Result<Self, ControlError> {
        let mark = session.order(mark_of(id)).await?.to_string();
        Ok(Self::Network { id, mark })
    }

    /// Whether wpa_supplicant does not know it any more.
    pub(crate) async fn is_lost(&self, control: &Control) -> Result<bool, ControlError> {
        match self {
            Self::Nothing => Ok(false),
            Self::Network { id, mark } => Ok(*control.ask(mark_of(*id)).await? != *mark),
            // It takes the interface up when it begins, and joins what it finds. Whoever only switched the
            // radio on finds it joining nothing.
            Self::Off => Ok(link(control).await?.up),
        }
    }
}

fn mark_of(id: u32) -> String {
    format!("GET_NETWORK {id} id_str")
}
