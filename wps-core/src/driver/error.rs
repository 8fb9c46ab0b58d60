//! The errors of a driver: what they are called, and whether another try can help.

use core::convert::Infallible;
use core::fmt;

use crate::wsc::CredentialError;

/// An error of a driver, which belongs to one of the general kinds.
///
/// The runner logs it with `Debug`, as a warning. A driver without an error type of its own can use
/// [`ErrorKind`], and a driver that cannot fail [`Infallible`].
pub trait DriverError: fmt::Debug {
    /// Returns the kind of this error, for code that does not know the driver.
    fn kind(&self) -> ErrorKind;
}

impl DriverError for ErrorKind {
    fn kind(&self) -> ErrorKind {
        *self
    }
}

impl DriverError for Infallible {
    fn kind(&self) -> ErrorKind {
        match *self {}
    }
}

impl DriverError for CredentialError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Wep => ErrorKind::Wep,
            Self::TkipOnly => ErrorKind::TkipOnly,
            Self::EmptyKey => ErrorKind::EmptyKey,
            Self::NotOpen => ErrorKind::NotOpen,
            Self::InvalidKey => ErrorKind::InvalidKey,
            Self::NoNetwork => ErrorKind::NoNetwork,
        }
    }
}

/// The kinds of driver failure that generic code may act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ErrorKind {
    /// The buttons of more than one router were pressed within the window (session overlap).
    #[error("more than one router is pairing")]
    Overlap,
    /// The same, and nobody can choose one of them: the radio cannot be
    /// [limited](super::WifiDriver::can_pair_with_one) to one, or the feature `scan` is off. The
    /// runner returns it in place of `Overlap`.
    #[error("more than one router is pairing, and this device cannot choose one")]
    OverlapWithoutChoice,
    /// The router ended the exchange.
    #[error("the router refused")]
    Refused,
    /// The exchange failed, and the radio cannot say whether the router refused or the buttons of
    /// more than one router were pressed. Only for radios that cannot distinguish the two.
    #[error("the router refused, or more than one router is pairing")]
    RefusedOrOverlap,
    /// The router is pairing with another device (configuration error 12).
    #[error("the router is pairing with another device")]
    RouterBusy,
    /// The router disappeared in the middle of the exchange.
    #[error("the router went away")]
    RouterLost,
    /// The router offers only WEP or TKIP, both of which can be broken within minutes.
    #[error("the router offers only an outdated encryption (WEP or TKIP)")]
    Insecure,
    /// The router handed over a network with WEP.
    #[error("the router's network uses WEP, which is broken")]
    Wep,
    /// The router handed over a network with TKIP only.
    #[error("the router's network uses TKIP only, which is broken")]
    TkipOnly,
    /// The router handed over an empty key for a network that needs one.
    #[error("the router handed over no key")]
    EmptyKey,
    /// The router handed over an open network, and the access point that did so is not known to be
    /// open.
    #[error("the router handed over an open network, and its access point does not look open")]
    NotOpen,
    /// The router handed over a key that no WPA network can have.
    #[error("the router handed over an impossible key")]
    InvalidKey,
    /// The router handed over no network that can be joined with a password.
    #[error("the router handed over no usable network")]
    NoNetwork,
    /// The network does not accept its key.
    #[error("the network did not accept its key")]
    WrongKey,
    /// The network is not in range.
    #[error("the network is not in range")]
    NotFound,
    /// The network is in range and has a key, and does not offer WPA2, which this radio needs: it
    /// takes only WPA3, or it is open or uses WEP or WPA. Only for radios that cannot use WPA3.
    #[error("the network does not offer WPA2, which this device needs")]
    WithoutWpa2,
    /// This radio or its software does not support the operation.
    #[error("the radio cannot do this")]
    Unsupported,
    /// The radio's software was built without WPS. It does everything but pair.
    #[error("the radio's software was built without WPS")]
    WithoutWps,
    /// There is no radio, or its software is not running.
    #[error("the radio is gone")]
    NoDevice,
    /// The radio is there, but its network manager was told to leave it alone.
    #[error("no network manager uses the radio")]
    Unmanaged,
    /// Something outside this program has switched the radio off (rfkill).
    #[error("the radio is blocked")]
    Blocked,
    /// Other software manages the radio.
    #[error("another program manages the radio")]
    ManagedByOther,
    /// Only another network manager has the key of this network: see
    /// [`Secret::Kept`](crate::Secret::Kept).
    #[error(
        "the network was saved by another network manager, which does not manage this radio now"
    )]
    KeptElsewhere,
    /// This program lacks a permission.
    #[error("this program may not do that with the radio")]
    NotPermitted,
    /// The radio does not answer.
    #[error("the radio does not answer")]
    NoResponse,
    /// Anything else.
    #[error("the radio failed")]
    Other,
}

impl ErrorKind {
    /// Returns whether another try within the window is pointless, or forbidden (after an overlap,
    /// by the standard).
    pub fn is_final(self) -> bool {
        match self {
            Self::Overlap
            | Self::OverlapWithoutChoice
            | Self::RefusedOrOverlap
            | Self::Insecure
            | Self::Wep
            | Self::TkipOnly
            | Self::EmptyKey
            | Self::NotOpen
            | Self::InvalidKey
            | Self::NoNetwork
            | Self::Unsupported
            | Self::WithoutWps
            | Self::NoDevice
            | Self::Unmanaged
            | Self::Blocked
            | Self::ManagedByOther
            | Self::KeptElsewhere
            | Self::NotPermitted => true,
            Self::Refused
            | Self::RouterBusy
            | Self::RouterLost
            | Self::WrongKey
            | Self::NotFound
            | Self::WithoutWpa2
            | Self::NoResponse
            | Self::Other => false,
        }
    }
}
