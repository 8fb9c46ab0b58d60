//! The errors of the driver. Each is one sentence that says what to do.
//!
//! The sentence is often all that people see: in the runner's log, in the output of a program. So
//! it contains the cause, and no error of this crate has a `source`: a program that prints the
//! sources after the error, as anyhow's `{:#}` does, would print the cause twice.

use std::fmt;

use wps_core::wsc::CredentialError;
use wps_core::{DriverError, ErrorKind};

use crate::supplicant::control_socket::ControlSocketError;

/// The error of the Linux driver. `Debug` prints the same sentence as `Display`, since the runner
/// logs errors with `Debug`. The sentence contains the cause, so `source` returns `None`.
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
    /// No program manages the interface. The text says what to do.
    #[error("{0}")]
    NoManager(String),
    /// A program that may manage the interface does not answer. The text says which, and what to
    /// do.
    #[error("{0}")]
    NoAnswer(String),
    /// This process has no permission to ask a program whether it manages the interface. The text
    /// says which, and what to do.
    #[error("{0}")]
    QueryDenied(String),
    /// NetworkManager does not answer, or refused a request. Holds its message.
    #[error("NetworkManager: {message}")]
    NetworkManager {
        /// What kind of error this is.
        kind: ErrorKind,
        /// The message.
        message: String,
    },
    /// There is no interface of this name.
    #[error(
        "there is no network interface {0}: plug the radio in, or look for its name with `ip link`"
    )]
    NoInterface(String),
    /// The interface is not a Wi-Fi interface.
    #[error("{0} is not a Wi-Fi interface: look for its name with `iw dev`")]
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
    /// wpa_supplicant was built without WPS.
    #[error(
        "this wpa_supplicant was built without WPS: install a full build, as in Debian's package \
         wpasupplicant or OpenWrt's package wpad-mbedtls"
    )]
    WithoutWps,
    /// The credentials that the router handed over cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The pairing with the router, or the connection to the network, failed, or only another
    /// network manager has the network's key.
    #[error(transparent)]
    Wifi(ErrorKind),
}

impl LinuxError {
    /// Returns whether a program has refused a request that it has understood, or does not know.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::ControlSocket(error) => matches!(error, ControlSocketError::Refused(..)),
            Self::NetworkManager { kind, .. } => *kind == ErrorKind::Other,
            _ => false,
        }
    }
}

impl fmt::Debug for LinuxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl DriverError for LinuxError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::ControlSocket(ControlSocketError::NoResponse | ControlSocketError::Gone(_))
            | Self::NoAnswer(_) => ErrorKind::NoResponse,
            Self::ControlSocket(
                ControlSocketError::Unreachable { .. } | ControlSocketError::Closed,
            )
            | Self::NoInterface(_)
            | Self::NotWireless(_) => ErrorKind::NoDevice,
            Self::ControlSocket(ControlSocketError::Refused(..)) | Self::InvalidReply(_) => {
                ErrorKind::Other
            }
            Self::NoManager(_) => ErrorKind::Unmanaged,
            Self::ManagedByOther(_) => ErrorKind::ManagedByOther,
            Self::Blocked(_) | Self::HardBlocked(_) => ErrorKind::Blocked,
            Self::ControlSocket(ControlSocketError::Permission { .. })
            | Self::SwitchNotPermitted(_)
            | Self::QueryDenied(_) => ErrorKind::NotPermitted,
            Self::Unsupported(_) | Self::AccessPoint(_) => ErrorKind::Unsupported,
            Self::WithoutWps => ErrorKind::WithoutWps,
            Self::Credentials(error) => error.kind(),
            Self::Wifi(kind) | Self::NetworkManager { kind, .. } => *kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::error::Error;
    use std::io;

    use wps_core::one_of_each;

    use super::*;
    use crate::{LedError, LineError, StoreError};

    /// Returns an error of the operating system.
    fn os_error() -> io::Error {
        io::Error::from_raw_os_error(rustix::io::Errno::NOENT.raw_os_error())
    }

    const OS_ERROR: &str = "No such file or directory (os error 2)";

    fn text() -> String {
        "the text".into()
    }

    fn control_socket_errors() -> [ControlSocketError; 6] {
        one_of_each! { ControlSocketError:
            ControlSocketError::Unreachable { .. } => {
                ControlSocketError::Unreachable { path: text().into(), error: os_error() }
            },
            ControlSocketError::Permission { .. } => {
                ControlSocketError::Permission { path: text().into(), group: Some(text()) }
            },
            ControlSocketError::NoResponse => ControlSocketError::NoResponse,
            ControlSocketError::Closed => ControlSocketError::Closed,
            ControlSocketError::Gone(_) => ControlSocketError::Gone(os_error()),
            ControlSocketError::Refused(..) => ControlSocketError::Refused(text(), "FAIL".into()),
        }
    }

    fn linux_errors() -> [LinuxError; 17] {
        let unreachable =
            ControlSocketError::Unreachable { path: text().into(), error: os_error() };
        one_of_each! { LinuxError:
            LinuxError::ControlSocket(_) => LinuxError::ControlSocket(unreachable),
            LinuxError::InvalidReply(_) => LinuxError::InvalidReply("STATUS"),
            LinuxError::ManagedByOther(_) => LinuxError::ManagedByOther("another one".into()),
            LinuxError::NoManager(_) => LinuxError::NoManager("nobody manages it".into()),
            LinuxError::NoAnswer(_) => LinuxError::NoAnswer("it runs but is silent".into()),
            LinuxError::QueryDenied(_) => LinuxError::QueryDenied("it may not be asked".into()),
            LinuxError::NetworkManager { .. } => {
                LinuxError::NetworkManager { kind: ErrorKind::Other, message: text() }
            },
            LinuxError::NoInterface(_) => LinuxError::NoInterface(text()),
            LinuxError::NotWireless(_) => LinuxError::NotWireless(text()),
            LinuxError::Blocked(_) => LinuxError::Blocked(text()),
            LinuxError::HardBlocked(_) => LinuxError::HardBlocked(text()),
            LinuxError::SwitchNotPermitted(_) => LinuxError::SwitchNotPermitted(text()),
            LinuxError::AccessPoint(_) => LinuxError::AccessPoint("choose channel 6".into()),
            LinuxError::Unsupported(_) => LinuxError::Unsupported("the card cannot do this"),
            LinuxError::WithoutWps => LinuxError::WithoutWps,
            LinuxError::Credentials(_) => LinuxError::Credentials(CredentialError::InvalidKey),
            LinuxError::Wifi(_) => LinuxError::Wifi(ErrorKind::WrongKey),
        }
    }

    fn store_errors() -> [StoreError; 4] {
        one_of_each! { StoreError:
            StoreError::NotPrivate(_) => StoreError::NotPrivate(text().into()),
            StoreError::Locked(_) => StoreError::Locked(text()),
            StoreError::InvalidName(_) => StoreError::InvalidName(text()),
            StoreError::Io { .. } => {
                StoreError::Io { action: "save", path: text().into(), error: os_error() }
            },
        }
    }

    fn led_errors() -> [LedError; 4] {
        one_of_each! { LedError:
            LedError::InvalidName(_) => LedError::InvalidName(text()),
            LedError::NoLed(_) => LedError::NoLed(text()),
            LedError::Permission(_) => LedError::Permission(text().into()),
            LedError::Io(..) => LedError::Io(text().into(), os_error()),
        }
    }

    fn line_errors() -> [LineError; 7] {
        let (chip, consumer) = (|| text().into(), "spi".into());
        let error = gpiocdev::Error::from(os_error()).into();
        one_of_each! { LineError:
            LineError::InvalidName(_) => LineError::InvalidName(text()),
            LineError::NoChip(_) => LineError::NoChip(chip()),
            LineError::NoLine(..) => LineError::NoLine(chip(), 3),
            LineError::Busy { .. } => LineError::Busy { chip: chip(), offset: 3, consumer },
            LineError::Permission(_) => LineError::Permission(chip()),
            LineError::Io(..) => LineError::Io(chip(), os_error()),
            LineError::Chip { .. } => LineError::Chip { chip: chip(), offset: 3, error },
        }
    }

    /// Asserts that the sentences differ, and returns what a program prints that prints each error
    /// with its sources.
    #[track_caller]
    fn printed<E: Error, const N: usize>(errors: [E; N]) -> [String; N] {
        let printed = errors.map(|error| {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text += &format!(": {cause}");
                source = cause.source();
            }
            assert_eq!(text, error.to_string(), "the sentence alone says everything");
            text
        });
        let sentences: HashSet<_> = printed.iter().collect();
        assert_eq!(sentences.len(), N, "{printed:?}");
        printed
    }

    /// Asserts that `count` of the sentences name the error of the operating system, once each.
    #[track_caller]
    fn expect_os_error_once(printed: &[String], count: usize) {
        let times = printed.iter().map(|text| text.matches("os error").count());
        assert!(times.clone().all(|times| times <= 1), "{printed:?}");
        assert_eq!(times.sum::<usize>(), count, "{printed:?}");
        let named = printed.iter().filter(|text| text.contains(OS_ERROR));
        assert_eq!(named.count(), count, "{printed:?}");
    }

    #[test]
    fn each_error_names_its_cause_once() {
        expect_os_error_once(&printed(control_socket_errors()), 2);
        expect_os_error_once(&printed(linux_errors()), 1);
        expect_os_error_once(&printed(control_socket_errors().map(LinuxError::from)), 2);
        expect_os_error_once(&printed(store_errors()), 1);
        expect_os_error_once(&printed(led_errors()), 1);
        expect_os_error_once(&printed(line_errors()), 2);
    }

    #[test]
    fn debug_prints_the_sentence() {
        for error in linux_errors() {
            assert_eq!(format!("{error:?}"), error.to_string());
        }
    }
}
