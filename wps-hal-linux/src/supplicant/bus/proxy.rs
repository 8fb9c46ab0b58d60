//! wpa_supplicant's objects on the system bus, as far as this crate uses them.

use std::collections::HashMap;
use std::io;

use wps_core::ErrorKind;
use zbus::{ObjectPath, OwnedObjectPath, OwnedVariant, Variant};

use crate::error::LinuxError;
use crate::system_bus::{Properties, refusal};

/// The name of wpa_supplicant on the bus.
pub(crate) const WPA_SUPPLICANT: &str = "fi.w1.wpa_supplicant1";
/// The D-Bus interface of a network interface.
pub(super) const INTERFACE: &str = "fi.w1.wpa_supplicant1.Interface";
/// The D-Bus interface for WPS of a network interface.
pub(super) const WPS: &str = "fi.w1.wpa_supplicant1.Interface.WPS";
/// The D-Bus interface of an access point.
pub(super) const BSS: &str = "fi.w1.wpa_supplicant1.BSS";

#[zbus::proxy(interface = "fi.w1.wpa_supplicant1", default_path = "/fi/w1/wpa_supplicant1")]
pub(crate) trait Supplicant {
    fn get_interface(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
}

#[zbus::proxy(interface = "fi.w1.wpa_supplicant1.Interface")]
pub(crate) trait Interface {
    fn scan(&self, arguments: &HashMap<&str, Variant<'_>>) -> zbus::Result<()>;

    fn abort_scan(&self) -> zbus::Result<()>;

    fn disconnect(&self) -> zbus::Result<()>;

    fn signal_poll(&self) -> zbus::Result<OwnedVariant>;

    fn add_network(&self, variables: &HashMap<&str, Variant<'_>>) -> zbus::Result<OwnedObjectPath>;

    fn select_network(&self, network: &ObjectPath<'_>) -> zbus::Result<()>;

    fn remove_network(&self, network: &ObjectPath<'_>) -> zbus::Result<()>;

    #[zbus(property)]
    fn state(&self) -> zbus::Result<String>;

    #[zbus(property)]
    fn scanning(&self) -> zbus::Result<bool>;

    #[zbus(property)]
    fn current_network(&self) -> zbus::Result<OwnedObjectPath>;

    #[zbus(property, name = "CurrentBSS")]
    fn current_bss(&self) -> zbus::Result<OwnedObjectPath>;

    #[zbus(property)]
    fn current_auth_mode(&self) -> zbus::Result<String>;

    #[zbus(property, name = "BSSs")]
    fn bsss(&self) -> zbus::Result<Vec<OwnedObjectPath>>;

    /// The configuration file. An error if there is none.
    #[zbus(property)]
    fn config_file(&self) -> zbus::Result<String>;

    /// The value of `ctrl_interface`.
    #[zbus(property)]
    fn ctrl_interface(&self) -> zbus::Result<String>;

    #[zbus(property)]
    fn networks(&self) -> zbus::Result<Vec<OwnedObjectPath>>;
}

#[zbus::proxy(interface = "fi.w1.wpa_supplicant1.Interface.WPS")]
pub(super) trait Wps {
    #[zbus(property)]
    fn process_credentials(&self) -> zbus::Result<bool>;

    #[zbus(property)]
    fn set_process_credentials(&self, process: bool) -> zbus::Result<()>;

    #[zbus(property)]
    fn config_methods(&self) -> zbus::Result<String>;

    #[zbus(property)]
    fn set_config_methods(&self, methods: &str) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "fi.w1.wpa_supplicant1.Network")]
pub(super) trait Network {
    #[zbus(property)]
    fn properties(&self) -> zbus::Result<Properties>;
}

/// The error of a request to wpa_supplicant over D-Bus. It keeps zbus out of the public API.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BusError(zbus::Error);

impl From<zbus::Error> for BusError {
    fn from(error: zbus::Error) -> Self {
        Self(error)
    }
}

impl From<zbus::fdo::Error> for BusError {
    fn from(error: zbus::fdo::Error) -> Self {
        Self(error.into())
    }
}

impl BusError {
    /// Creates the error of a connection to the bus that has ended.
    pub(super) fn closed() -> Self {
        Self(io::Error::from(io::ErrorKind::NotConnected).into())
    }

    /// Returns the kind.
    pub(crate) fn kind(&self) -> ErrorKind {
        use zbus::fdo::Error::{AccessDenied, AuthFailed, NameHasNoOwner, ServiceUnknown};
        match &self.0 {
            zbus::Error::FDO(error) => match **error {
                AccessDenied(_) | AuthFailed(_) => ErrorKind::NotPermitted,
                NameHasNoOwner(_) | ServiceUnknown(_) => ErrorKind::NoDevice,
                _ => ErrorKind::NoResponse,
            },
            _ => match refusal(&self.0) {
                Some("InterfaceUnknown") => ErrorKind::NoDevice,
                Some(_) => ErrorKind::Other,
                None => ErrorKind::NoResponse,
            },
        }
    }

    /// Returns whether the object of the request no longer exists.
    pub(super) fn is_gone(&self) -> bool {
        use zbus::fdo::Error::{Failed, UnknownInterface, UnknownMethod, UnknownObject};
        match &self.0 {
            // wpa_supplicant answers `Failed` if it has just removed the object.
            zbus::Error::FDO(error) => matches!(
                **error,
                Failed(_) | UnknownInterface(_) | UnknownMethod(_) | UnknownObject(_)
            ),
            error => refusal(error) == Some("NetworkUnknown"),
        }
    }

    /// Converts the error of a request to set a property, so that a refusal is recognized.
    pub(super) fn refusal(self) -> LinuxError {
        use zbus::fdo::Error::{Failed, NotSupported, PropertyReadOnly};
        let is_refused = self.is_unknown()
            || matches!(&self.0, zbus::Error::FDO(error) if matches!(
                **error,
                Failed(_) | NotSupported(_) | PropertyReadOnly(_)
            ));
        match LinuxError::from(self) {
            LinuxError::NetworkManager { message, .. } if is_refused => {
                LinuxError::NetworkManager { kind: ErrorKind::Other, message }
            }
            error => error,
        }
    }

    /// Returns whether the object has no such property. libdbus and wpa_supplicant have several
    /// names for that.
    pub(super) fn is_unknown(&self) -> bool {
        use zbus::fdo::Error::{InvalidArgs, UnknownInterface, UnknownMethod, UnknownProperty};
        matches!(&self.0, zbus::Error::FDO(error) if matches!(
            **error,
            InvalidArgs(_) | UnknownInterface(_) | UnknownMethod(_) | UnknownProperty(_)
        ))
    }

    /// Returns whether wpa_supplicant refuses a scan, or its abortion.
    pub(super) fn is_scan_refused(&self) -> bool {
        refusal(&self.0) == Some("ScanError")
    }
}

/// Converts an error of a request. wpa_supplicant's messages contain no secrets.
impl From<BusError> for LinuxError {
    fn from(error: BusError) -> Self {
        let kind = match error.kind() {
            // It was there: the next connection shows whether it is gone.
            ErrorKind::NoDevice => ErrorKind::NoResponse,
            kind => kind,
        };
        let advice = match kind {
            ErrorKind::NotPermitted => {
                ": run as root, or as a member of the group that its bus policy names"
            }
            _ => "",
        };
        let message = format!("its wpa_supplicant does not do this over D-Bus: {error}{advice}");
        Self::NetworkManager { kind, message }
    }
}

#[cfg(test)]
mod tests {
    use wps_core::DriverError;
    use zbus::fdo::Error::{AccessDenied, NameHasNoOwner, NoReply, UnknownObject};

    use super::*;

    /// Returns wpa_supplicant's error with this name.
    fn refused(name: &str) -> BusError {
        let name = format!("{WPA_SUPPLICANT}.{name}");
        let call = zbus::Message::method_call("/", "Call").build(&()).unwrap();
        let reply = zbus::Message::error(&call.header(), &*name).build(&("the reason",)).unwrap();
        BusError(reply.into())
    }

    #[test]
    fn errors_have_their_kinds() {
        let text = || String::from("the reason");
        for (error, kind) in [
            (AccessDenied(text()).into(), ErrorKind::NotPermitted),
            (NameHasNoOwner(text()).into(), ErrorKind::NoDevice),
            (NoReply(text()).into(), ErrorKind::NoResponse),
            (refused("InterfaceUnknown"), ErrorKind::NoDevice),
            (refused("UnknownError"), ErrorKind::Other),
            (BusError::closed(), ErrorKind::NoResponse),
        ] {
            assert_eq!(error.kind(), kind, "{error}");
            let error = LinuxError::from(error);
            assert_ne!(error.kind(), ErrorKind::NoDevice, "it may be there again: {error}");
            assert!(error.to_string().starts_with("NetworkManager: its wpa_supplicant"), "{error}");
        }
    }

    #[test]
    fn an_object_that_is_gone_and_a_refused_scan_are_recognized() {
        assert!(refused("NetworkUnknown").is_gone());
        assert!(BusError::from(UnknownObject("/".into())).is_gone());
        assert!(!refused("InvalidArgs").is_gone());
        assert!(refused("Interface.ScanError").is_scan_refused());
        assert!(!refused("InvalidArgs").is_scan_refused());
    }
}
