//! What can go wrong, in one sentence that says what to do.

use std::fmt;

use wps_core::wsc::CredentialError;
use wps_core::{DriverError, ErrorKind};

use crate::control_socket::ControlSocketError;

/// Why the Linux driver failed. Its `Debug`, which gets into the runner's log, is its sentence.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LinuxError {
    /// wpa_supplicant could not be talked to, or refused.
    #[error(transparent)]
    ControlSocket(#[from] ControlSocketError),
    /// wpa_supplicant's reply makes no sense.
    #[error("wpa_supplicant's reply to {0} makes no sense")]
    Nonsense(&'static str),
    /// Another program manages the interface. The text says what to do.
    #[error("{0}")]
    Managed(String),
    /// There is no such interface.
    #[error(
        "there is no network interface {0}: plug the radio in, or look for its name with `ip link`"
    )]
    NoInterface(String),
    /// The interface is no Wi-Fi radio.
    #[error("{0} is no Wi-Fi interface: look for its name with `iw dev`")]
    NoRadio(String),
    /// The radio was switched off.
    #[error("the radio of {0} is switched off: `rfkill unblock wlan`, or `ip link set {0} up`")]
    Blocked(String),
    /// The radio is switched off where software cannot reach it.
    #[error("the radio of {0} is switched off by a switch on the machine, or a key: move it")]
    Locked(String),
    /// No permission to switch the radio.
    #[error(
        "no permission to switch the radio of {0} on or off: give this program write access to \
         /dev/rfkill, or CAP_NET_ADMIN"
    )]
    MayNotSwitch(String),
    /// The access point cannot be as its settings say. The text says what could be.
    #[error("{0}")]
    AccessPoint(String),
    /// Not with this card, or not with this version.
    #[error("{0}")]
    Unsupported(&'static str),
    /// What the router handed over cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The router, or the network.
    #[error(transparent)]
    Air(ErrorKind),
}

impl fmt::Debug for LinuxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl DriverError for LinuxError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::ControlSocket(ControlSocketError::Mute | ControlSocketError::Gone(_)) => {
                ErrorKind::NoResponse
            }
            Self::ControlSocket(
                ControlSocketError::Unreachable { .. } | ControlSocketError::Closed,
            )
            | Self::NoInterface(_)
            | Self::NoRadio(_) => ErrorKind::NoDevice,
            Self::ControlSocket(ControlSocketError::Refused(..)) | Self::Nonsense(_) => {
                ErrorKind::Other
            }
            Self::Managed(_) => ErrorKind::ManagedByOther,
            Self::Blocked(_) | Self::Locked(_) => ErrorKind::Blocked,
            Self::ControlSocket(ControlSocketError::Permission(_)) | Self::MayNotSwitch(_) => {
                ErrorKind::NotPermitted
            }
            Self::Unsupported(_) | Self::AccessPoint(_) => ErrorKind::Unsupported,
            Self::Credentials(CredentialError::Insecure) => ErrorKind::Insecure,
            Self::Credentials(CredentialError::Key | CredentialError::Malformed) => {
                ErrorKind::Refused
            }
            Self::Air(kind) => *kind,
        }
    }
}
