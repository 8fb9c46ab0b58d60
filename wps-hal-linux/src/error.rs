//! The errors of the driver. Each is one sentence that says what to do.

use std::fmt;

use wps_core::wsc::CredentialError;
use wps_core::{DriverError, ErrorKind};

use crate::control_socket::ControlSocketError;

/// The error of the Linux driver. `Debug` prints the same sentence as `Display`, since the runner
/// logs errors with `Debug`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LinuxError {
    /// A request to wpa_supplicant failed.
    #[error(transparent)]
    ControlSocket(#[from] ControlSocketError),
    /// wpa_supplicant's reply to this request could not be understood.
    #[error("wpa_supplicant's reply to {0} makes no sense")]
    InvalidReply(&'static str),
    /// Another program manages the interface. The text says what to do.
    #[error("{0}")]
    ManagedByOther(String),
    /// There is no interface of this name.
    #[error(
        "there is no network interface {0}: plug the radio in, or look for its name with `ip link`"
    )]
    NoInterface(String),
    /// The interface is not a Wi-Fi interface.
    #[error("{0} is no Wi-Fi interface: look for its name with `iw dev`")]
    NotWireless(String),
    /// The radio of this interface is switched off.
    #[error("the radio of {0} is switched off: `rfkill unblock wlan`, or `ip link set {0} up`")]
    Blocked(String),
    /// A switch or key that software cannot change (rfkill's hard block) keeps the radio off.
    #[error("the radio of {0} is switched off by a switch on the machine, or a key: move it")]
    HardBlocked(String),
    /// This process has no permission to switch the radio on or off.
    #[error(
        "no permission to switch the radio of {0} on or off: give this program write access to \
         /dev/rfkill, or CAP_NET_ADMIN"
    )]
    SwitchNotPermitted(String),
    /// The card cannot serve the access point with these settings. The text says what to change.
    #[error("{0}")]
    AccessPoint(String),
    /// The card does not support the operation, or no channel is allowed. The text says which.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The credentials that the router handed over cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The pairing with the router, or the connection to the network, failed.
    #[error(transparent)]
    Wifi(ErrorKind),
}

impl fmt::Debug for LinuxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl DriverError for LinuxError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::ControlSocket(ControlSocketError::NoResponse | ControlSocketError::Gone(_)) => {
                ErrorKind::NoResponse
            }
            Self::ControlSocket(
                ControlSocketError::Unreachable { .. } | ControlSocketError::Closed,
            )
            | Self::NoInterface(_)
            | Self::NotWireless(_) => ErrorKind::NoDevice,
            Self::ControlSocket(ControlSocketError::Refused(..)) | Self::InvalidReply(_) => {
                ErrorKind::Other
            }
            Self::ManagedByOther(_) => ErrorKind::ManagedByOther,
            Self::Blocked(_) | Self::HardBlocked(_) => ErrorKind::Blocked,
            Self::ControlSocket(ControlSocketError::Permission(_))
            | Self::SwitchNotPermitted(_) => ErrorKind::NotPermitted,
            Self::Unsupported(_) | Self::AccessPoint(_) => ErrorKind::Unsupported,
            Self::Credentials(error) => error.kind(),
            Self::Wifi(kind) => *kind,
        }
    }
}
