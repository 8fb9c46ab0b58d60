//! NetworkManager's objects on the system bus, as far as this crate uses them.

use std::collections::HashMap;

use wps_core::{ErrorKind, Secret};
use zbus::{ObjectPath, OwnedObjectPath, OwnedVariant, Variant};

use crate::error::LinuxError;
use crate::system_bus::{Properties, refusal};

/// The name of NetworkManager on the bus.
pub(crate) const NETWORK_MANAGER: &str = "org.freedesktop.NetworkManager";

/// `NM_STATE_ASLEEP`: it manages no interface for now.
pub(crate) const ASLEEP: u32 = 10;

/// A setting of a profile, such as `connection`: its properties.
pub(crate) type Setting<'a> = HashMap<&'a str, Variant<'a>>;
/// The settings of a profile, by name.
pub(crate) type ProfileSettings<'a> = HashMap<&'a str, Setting<'a>>;
/// The settings of a profile, as NetworkManager returns them.
pub(crate) type OwnedSettings = HashMap<String, Properties>;

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager",
    default_service = "org.freedesktop.NetworkManager",
    default_path = "/org/freedesktop/NetworkManager"
)]
pub(crate) trait Manager {
    #[zbus(property)]
    fn startup(&self) -> zbus::Result<bool>;

    #[zbus(property)]
    fn state(&self) -> zbus::Result<u32>;

    fn get_device_by_ip_iface(&self, interface: &str) -> zbus::Result<OwnedObjectPath>;

    fn activate_connection(
        &self,
        profile: &ObjectPath<'_>,
        device: &ObjectPath<'_>,
        access_point: &ObjectPath<'_>,
    ) -> zbus::Result<OwnedObjectPath>;

    fn get_permissions(&self) -> zbus::Result<HashMap<String, String>>;
}

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager.Settings",
    default_service = "org.freedesktop.NetworkManager",
    default_path = "/org/freedesktop/NetworkManager/Settings"
)]
pub(crate) trait Settings {
    fn list_connections(&self) -> zbus::Result<Vec<OwnedObjectPath>>;

    fn get_connection_by_uuid(&self, uuid: &str) -> zbus::Result<OwnedObjectPath>;

    fn add_connection2(
        &self,
        settings: &ProfileSettings<'_>,
        flags: u32,
        arguments: &Setting<'_>,
    ) -> zbus::Result<(OwnedObjectPath, HashMap<String, OwnedVariant>)>;
}

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager.Settings.Connection",
    default_service = "org.freedesktop.NetworkManager"
)]
pub(crate) trait Profile {
    fn get_settings(&self) -> zbus::Result<OwnedSettings>;

    fn get_secrets(&self, setting: &str) -> zbus::Result<OwnedSettings>;

    fn update2(
        &self,
        settings: &ProfileSettings<'_>,
        flags: u32,
        arguments: &Setting<'_>,
    ) -> zbus::Result<HashMap<String, OwnedVariant>>;

    fn delete(&self) -> zbus::Result<()>;

    #[zbus(property)]
    fn unsaved(&self) -> zbus::Result<bool>;

    #[zbus(property)]
    fn filename(&self) -> zbus::Result<String>;
}

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager.Device",
    default_service = "org.freedesktop.NetworkManager"
)]
pub(crate) trait Device {
    fn disconnect(&self) -> zbus::Result<()>;

    #[zbus(property)]
    fn device_type(&self) -> zbus::Result<u32>;

    #[zbus(property)]
    fn managed(&self) -> zbus::Result<bool>;

    #[zbus(property)]
    fn state_reason(&self) -> zbus::Result<(u32, u32)>;

    #[zbus(property)]
    fn active_connection(&self) -> zbus::Result<OwnedObjectPath>;

    #[zbus(property)]
    fn autoconnect(&self) -> zbus::Result<bool>;

    #[zbus(property)]
    fn set_autoconnect(&self, autoconnect: bool) -> zbus::Result<()>;
}

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager.Connection.Active",
    default_service = "org.freedesktop.NetworkManager"
)]
pub(crate) trait ActiveConnection {
    #[zbus(property)]
    fn uuid(&self) -> zbus::Result<String>;
}

#[zbus::proxy(
    interface = "org.freedesktop.NetworkManager.AgentManager",
    default_service = "org.freedesktop.NetworkManager",
    default_path = "/org/freedesktop/NetworkManager/AgentManager"
)]
pub(crate) trait AgentManager {
    fn register(&self, identifier: &str) -> zbus::Result<()>;
}

/// The error of a request to NetworkManager. It keeps zbus out of the public API.
#[derive(Debug)]
pub(crate) struct BusError {
    error: zbus::Error,
    /// The action in polkit that the request needs, if it needs one.
    action: Option<Action>,
}

impl From<zbus::Error> for BusError {
    fn from(error: zbus::Error) -> Self {
        Self { error, action: None }
    }
}

impl BusError {
    /// Returns whether NetworkManager refuses to activate a profile now, for example because its
    /// network is not in range.
    pub(crate) fn is_unavailable(&self) -> bool {
        matches!(refusal(&self.error), Some("UnknownConnection" | "ConnectionNotAvailable"))
    }

    /// Returns whether this program has no right to the request, or the profile is another user's.
    pub(crate) fn is_denied(&self) -> bool {
        refusal(&self.error) == Some(PERMISSION_DENIED)
    }
}

/// The refusal of a request for which this program has no right.
pub(crate) const PERMISSION_DENIED: &str = "PermissionDenied";

/// Converts an error of a request. NetworkManager's messages contain no secrets.
impl From<BusError> for LinuxError {
    fn from(BusError { error, action }: BusError) -> Self {
        let (kind, advice) = match &error {
            zbus::Error::MethodError(..) => match (refusal(&error), action) {
                (Some(PERMISSION_DENIED | "NotAuthorized"), Some(action)) => {
                    (ErrorKind::NotPermitted, format!(": {}", action.advice()))
                }
                (Some(PERMISSION_DENIED | "NotAuthorized"), None) => {
                    (ErrorKind::NotPermitted, ": run as root".into())
                }
                (Some("InvalidProperty" | "MissingProperty"), _) => {
                    (ErrorKind::Unsupported, String::new())
                }
                _ => (ErrorKind::Other, String::new()),
            },
            zbus::Error::FDO(error) => match **error {
                zbus::fdo::Error::AccessDenied(_) | zbus::fdo::Error::AuthFailed(_) => (
                    ErrorKind::NotPermitted,
                    ": run as root, or permit it with a policy of the system bus".into(),
                ),
                _ => (ErrorKind::NoResponse, String::new()),
            },
            _ => (ErrorKind::NoResponse, String::new()),
        };
        Self::NetworkManager { kind, message: format!("{error}{advice}") }
    }
}

/// An action for which NetworkManager asks polkit, unless root requests it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Activating profiles, and ending connections.
    NetworkControl,
    /// Adding, changing and removing profiles, and reading their keys.
    ModifySystem,
    /// Giving addresses to the clients of an access point with a key.
    ShareProtected,
    /// Giving addresses to the clients of an open access point.
    ShareOpen,
}

impl Action {
    /// Returns the action for an access point with this key that gives addresses to its clients.
    pub(crate) fn sharing(secret: &Secret) -> Self {
        if *secret == Secret::Open { Self::ShareOpen } else { Self::ShareProtected }
    }

    /// Returns the identifier in polkit.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::NetworkControl => "org.freedesktop.NetworkManager.network-control",
            Self::ModifySystem => "org.freedesktop.NetworkManager.settings.modify.system",
            Self::ShareProtected => "org.freedesktop.NetworkManager.wifi.share.protected",
            Self::ShareOpen => "org.freedesktop.NetworkManager.wifi.share.open",
        }
    }

    /// Returns what grants the action.
    fn advice(self) -> String {
        let id = self.id();
        format!("permit {id} to this user with a rule for polkit (50-wpsd.rules), or run as root")
    }

    /// Returns the error for a user who may not do this.
    pub(crate) fn denied(self) -> LinuxError {
        let message = format!("it does not permit what is needed: {}", self.advice());
        LinuxError::NetworkManager { kind: ErrorKind::NotPermitted, message }
    }

    /// Returns a function that converts the error of a request that needs this action.
    pub(crate) fn needed(self) -> impl FnOnce(zbus::Error) -> BusError {
        move |error| BusError { error, action: Some(self) }
    }
}

#[cfg(test)]
mod tests {
    use wps_core::DriverError;
    use zbus::fdo::Error::{AccessDenied, NoReply, ServiceUnknown};

    use super::*;

    #[test]
    fn errors_of_the_bus_have_their_kinds() {
        let text = || String::from("the reason");
        for (error, kind) in [
            (AccessDenied(text()), ErrorKind::NotPermitted),
            (ServiceUnknown(text()), ErrorKind::NoResponse),
            (NoReply(text()), ErrorKind::NoResponse),
        ] {
            let error = LinuxError::from(BusError::from(zbus::Error::FDO(Box::new(error))));
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains("the reason"), "{error}");
        }
    }

    /// Returns the refusal of NetworkManager with this name.
    fn refused(name: &str) -> zbus::Error {
        let name = format!("{NETWORK_MANAGER}.{name}");
        let call = zbus::Message::method_call("/", "Call").build(&()).unwrap();
        let reply = zbus::Message::error(&call.header(), &*name);
        zbus::Error::from(reply.build(&("the reason",)).unwrap())
    }

    #[test]
    fn a_missing_right_is_named_with_what_grants_it() {
        use Action::{ModifySystem, NetworkControl, ShareOpen, ShareProtected};
        for action in [NetworkControl, ModifySystem, ShareProtected, ShareOpen] {
            for name in ["PermissionDenied", "Settings.NotAuthorized"] {
                let refused = LinuxError::from(action.needed()(refused(name)));
                assert!(refused.to_string().contains("the reason"), "{refused}");
                for error in [refused, action.denied()] {
                    let text = error.to_string();
                    assert_eq!(error.kind(), ErrorKind::NotPermitted, "{text}");
                    assert!(text.contains(action.id()) && text.contains("50-wpsd.rules"), "{text}");
                }
            }
            // Another refusal has nothing to do with rights.
            let failed = LinuxError::from(action.needed()(refused("Failed")));
            assert!(!failed.to_string().contains(action.id()), "{failed}");
        }
    }

    #[test]
    fn refusals_of_networkmanager_have_their_kinds() {
        for (name, kind, is_unavailable) in [
            ("PermissionDenied", ErrorKind::NotPermitted, false),
            ("Settings.NotAuthorized", ErrorKind::NotPermitted, false),
            ("Connection.InvalidProperty", ErrorKind::Unsupported, false),
            ("UnknownConnection", ErrorKind::Other, true),
            ("ConnectionNotAvailable", ErrorKind::Other, true),
            ("Failed", ErrorKind::Other, false),
        ] {
            let error = BusError::from(refused(name));
            assert_eq!(error.is_unavailable(), is_unavailable, "{name}");
            assert_eq!(LinuxError::from(error).kind(), kind, "{name}");
        }
    }
}
