//! The Wi-Fi settings of a device, and the two rules that decide which settings remain after a
//! pairing.

use core::fmt;

use heapless::Vec;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::driver::{ErrorKind, KeptBy};

/// A network name: 1 to 32 bytes in any encoding (IEEE 802.11-2020, 9.4.2.2), so not a `str`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ssid(Vec<u8, 32, u8>);

impl Ssid {
    /// Creates a name by copying `bytes`.
    ///
    /// # Errors
    /// [`InvalidValue::SsidLength`] unless there are 1 to 32 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, InvalidValue> {
        if bytes.is_empty() {
            return Err(InvalidValue::SsidLength);
        }
        Vec::from_slice(bytes).map(Self).map_err(|_| InvalidValue::SsidLength)
    }

    /// Returns the bytes of the name, as they are transmitted.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Formats the name for users. Bytes that are not UTF-8 become replacement characters.
impl fmt::Display for Ssid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_str("\u{fffd}")?;
            }
        }
        Ok(())
    }
}

/// Formats the name as an escaped byte string, so that any name is safe to log.
impl fmt::Debug for Ssid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Ssid {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=[u8]:a}", self.as_bytes());
    }
}

/// A WPA passphrase (8 to 63 bytes without control characters) or a raw PSK (64 hex digits).
///
/// It cannot be printed by accident: `Debug` and `defmt::Format` are redacted, and there is no
/// `Display` and no `Serialize`. Its memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq, Hash, Zeroize, ZeroizeOnDrop)]
pub struct Passphrase(Vec<u8, 64, u8>);

impl Passphrase {
    /// Creates a passphrase by copying `bytes`.
    ///
    /// # Errors
    /// [`InvalidValue::Passphrase`] if no WPA network can have it (IEEE 802.11-2020, J.4.1).
    pub fn new(bytes: &[u8]) -> Result<Self, InvalidValue> {
        let fits = match bytes.len() {
            8..=63 => !bytes.iter().any(u8::is_ascii_control),
            64 => bytes.iter().all(u8::is_ascii_hexdigit),
            _ => false,
        };
        match Vec::from_slice(bytes) {
            Ok(bytes) if fits => Ok(Self(bytes)),
            Ok(_) | Err(_) => Err(InvalidValue::Passphrase),
        }
    }

    /// Returns the secret itself.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether this is a raw PSK in hex rather than a passphrase. WPA3 (SAE) cannot use
    /// one.
    pub fn is_raw_psk(&self) -> bool {
        self.0.len() == 64
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Passphrase {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Passphrase(..)");
    }
}

/// A network's name and its secret, always together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Credentials {
    /// The network's name.
    pub ssid: Ssid,
    /// The network's secret.
    pub secret: Secret,
}

impl Credentials {
    /// Replaces the key, which is wiped, with the identifier if the platform keeps the network. The
    /// rule of [`Settings::after_success`], in place.
    #[inline(never)] // smaller, as is the replacement of the whole: `benches/size/measure`
    pub(crate) fn set_kept_by(&mut self, kept_by: KeptBy) {
        match kept_by {
            KeptBy::Record => {}
            KeptBy::Platform(id) => {
                *self = Self { ssid: self.ssid.clone(), secret: Secret::Kept(id) };
            }
        }
    }
}

/// What a network needs to be joined besides its name, and who has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Secret {
    /// The network is open.
    Open,
    /// The key itself.
    Key(Passphrase),
    /// The platform or the radio keeps the network, with its key, under this identifier.
    Kept(KeptId),
}

impl Secret {
    /// Returns the key for a driver that must know it, or `None` for an open network.
    ///
    /// # Errors
    /// [`ErrorKind::KeptElsewhere`] if only the platform has the key. A driver whose platform does
    /// not keep networks returns this error.
    pub fn key(&self) -> Result<Option<&Passphrase>, ErrorKind> {
        match self {
            Self::Open => Ok(None),
            Self::Key(passphrase) => Ok(Some(passphrase)),
            Self::Kept(_) => Err(ErrorKind::KeptElsewhere),
        }
    }

    /// Returns the identifier of a network that the platform keeps.
    pub fn kept_id(&self) -> Option<KeptId> {
        match self {
            Self::Open | Self::Key(_) => None,
            Self::Kept(id) => Some(*id),
        }
    }
}

/// The identifier of a network that the platform keeps, for example the UUID of a NetworkManager
/// profile. [`WifiDriver::snapshot`](crate::WifiDriver::snapshot) chooses it, so that no other
/// network has it. A driver recognizes its own identifiers, for example by a fixed first half. Any
/// other one is of another network manager. It is not a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeptId(pub [u8; 16]);

/// Formats the identifier in hex.
impl fmt::Debug for KeptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeptId({:032x})", u128::from_be_bytes(self.0))
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for KeptId {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "KeptId({=[u8; 16]:x})", self.0);
    }
}

/// The device's own network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AccessPoint {
    /// The network's name and secret.
    pub network: Credentials,
    /// The channel number, or `None` if the driver chooses.
    pub channel: Option<u8>,
}

/// The role of the radio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Mode {
    /// The device joins a network.
    Station,
    /// The device is an access point with a network of its own.
    AccessPoint,
    /// The radio is off.
    Off,
}

/// The Wi-Fi settings that a device boots with. They hold everything that each mode needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Settings {
    /// Station mode with the networks in the platform's own configuration, as they were before this
    /// software was used. Their keys cannot be read back.
    Platform,
    /// Station mode with this network. The platform's own networks stay available. If the platform
    /// keeps this network, the platform decides which one it joins.
    Station {
        /// The network that the device is paired with.
        network: Credentials,
    },
    /// Access point mode.
    AccessPoint {
        /// The device's own network.
        access_point: AccessPoint,
        /// A network that the device was once paired with. It is kept, but not used.
        remembered: Option<Credentials>,
    },
    /// The radio is off.
    Off {
        /// A network that the device was once paired with. It is kept, but not used.
        remembered: Option<Credentials>,
    },
}

impl Settings {
    /// Returns the settings after `network` was joined and kept: station mode with this network.
    /// The key is part of them only if the platform does not keep it.
    #[must_use]
    pub fn after_success(mut network: Credentials, kept_by: KeptBy) -> Self {
        network.set_kept_by(kept_by);
        Self::Station { network }
    }

    /// Forgets the network that the device is paired with, because the platform no longer has it.
    pub(crate) fn forget_network(&mut self) {
        match self {
            Self::Platform => {}
            Self::Station { .. } => *self = Self::Platform,
            Self::AccessPoint { remembered, .. } | Self::Off { remembered } => *remembered = None,
        }
    }

    /// Returns the settings after a failed pairing, given the previous ones: the same settings,
    /// except that the radio of an access point is switched off unless `after_failure` says
    /// otherwise. Credentials stay remembered.
    #[must_use]
    pub fn after_failure(self, after_failure: AfterFailure) -> Self {
        match self {
            Self::Platform | Self::Station { .. } | Self::Off { .. } => self,
            Self::AccessPoint { remembered, .. }
                if after_failure == AfterFailure::AccessPointOff =>
            {
                Self::Off { remembered }
            }
            Self::AccessPoint { .. } => self,
        }
    }

    /// Returns the network that the device is paired with, in use or only remembered.
    pub fn network(&self) -> Option<&Credentials> {
        match self {
            Self::Platform => None,
            Self::Station { network } => Some(network),
            Self::AccessPoint { remembered, .. } | Self::Off { remembered } => remembered.as_ref(),
        }
    }

    /// Returns the identifier of the network that the device is paired with, if the platform keeps
    /// it.
    pub fn kept_id(&self) -> Option<KeptId> {
        self.network()?.secret.kept_id()
    }

    /// Returns the mode of the radio with these settings.
    pub fn mode(&self) -> Mode {
        match self {
            Self::Platform | Self::Station { .. } => Mode::Station,
            Self::AccessPoint { .. } => Mode::AccessPoint,
            Self::Off { .. } => Mode::Off,
        }
    }
}

/// What happens after a failed pairing of a device that was an access point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AfterFailure {
    /// Wi-Fi is switched off, as the specification requires.
    #[default]
    AccessPointOff,
    /// The access point is restored, for a device that cannot be reached without Wi-Fi.
    AccessPointBack,
}

/// What a driver must restore after a pairing in addition to the [`Settings`]: which of the
/// platform's networks were enabled, and which one was in use. If the platform keeps networks, also
/// the [identifier](KeptId) under which it may keep the new one.
///
/// The format belongs to the driver. The snapshot is empty if the platform has no networks of its
/// own and keeps none.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Snapshot(pub(crate) Vec<u8, { Snapshot::MAX_LEN }, u8>);

impl Snapshot {
    /// The maximum length in bytes.
    pub const MAX_LEN: usize = 64;

    /// Creates a snapshot by copying `bytes`.
    ///
    /// # Errors
    /// [`InvalidValue::SnapshotLength`] if there are more than [`Self::MAX_LEN`] bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, InvalidValue> {
        Vec::from_slice(bytes).map(Self).map_err(|_| InvalidValue::SnapshotLength)
    }

    /// Returns the bytes that the driver has recorded.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({} bytes)", self.0.len())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Snapshot {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Snapshot({} bytes)", self.0.len());
    }
}

/// The error for an invalid value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum InvalidValue {
    /// A network name must have 1 to 32 bytes.
    #[error("a network name has 1 to 32 bytes")]
    SsidLength,
    /// No WPA network can have this secret.
    #[error(
        "a Wi-Fi password has 8 to 63 characters, none of them a control character, or 64 hex digits"
    )]
    Passphrase,
    /// A snapshot has at most [`Snapshot::MAX_LEN`] bytes.
    #[error("a driver's snapshot has at most 64 bytes")]
    SnapshotLength,
}
