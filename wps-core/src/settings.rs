//! What a device remembers about Wi-Fi, and the two rules that say what a pairing leaves behind.

use core::fmt;

use heapless::Vec;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A network name: 1 to 32 bytes of any encoding (IEEE 802.11-2020, 9.4.2.2), so never a `str`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ssid(Vec<u8, 32, u8>);

impl Ssid {
    /// Copies `bytes`.
    ///
    /// # Errors
    /// [`InvalidValue::SsidLength`] unless there are 1 to 32.
    pub fn new(bytes: &[u8]) -> Result<Self, InvalidValue> {
        if bytes.is_empty() {
            return Err(InvalidValue::SsidLength);
        }
        Vec::from_slice(bytes).map(Self).map_err(|_| InvalidValue::SsidLength)
    }

    /// The name as it goes on air.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The name for people: bytes that are not UTF-8 become replacement characters.
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

/// As a byte string, escaped: safe to log whatever the network calls itself.
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
/// It never prints itself: `Debug` and `defmt::Format` are redacted, there is no `Display` and no
/// `Serialize`, and its memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq, Hash, Zeroize, ZeroizeOnDrop)]
pub struct Passphrase(Vec<u8, 64, u8>);

impl Passphrase {
    /// Copies `bytes`.
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

    /// The secret itself.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is a raw PSK in hex rather than a passphrase. It is of no use to WPA3 (SAE).
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

/// A network and its secret, always together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Credentials {
    /// Its name.
    pub ssid: Ssid,
    /// Its secret; none for an open network.
    pub passphrase: Option<Passphrase>,
}

/// The device's own network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AccessPoint {
    /// Its name and secret.
    pub network: Credentials,
    /// The channel number, or none to leave it to the driver.
    pub channel: Option<u8>,
}

/// What the radio is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Mode {
    /// Join somebody's network.
    Station,
    /// Be the network.
    AccessPoint,
    /// Radio off.
    Off,
}

/// The settings a device boots with: all that each mode needs to come back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Settings {
    /// Station mode, as the platform had it before us: networks in its own configuration, whose
    /// keys nobody can read back.
    Platform,
    /// Station mode with this network. The platform's own networks stay beside it.
    Station {
        /// The network it is paired with.
        network: Credentials,
    },
    /// Be the network.
    AccessPoint {
        /// The device's own network.
        access_point: AccessPoint,
        /// A network it was once paired with; kept, not used.
        remembered: Option<Credentials>,
    },
    /// Radio off.
    Off {
        /// A network it was once paired with; kept, not used.
        remembered: Option<Credentials>,
    },
}

impl Settings {
    /// What a successful pairing leaves behind: station mode with the new network.
    #[must_use]
    pub fn after_success(network: Credentials) -> Self {
        Self::Station { network }
    }

    /// What a failed pairing leaves behind: the previous settings, except that a device that was an
    /// access point goes dark unless `after_failure` says otherwise. Credentials stay remembered.
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

    /// The network the device is paired with, in use or only remembered.
    pub fn network(&self) -> Option<&Credentials> {
        match self {
            Self::Platform => None,
            Self::Station { network } => Some(network),
            Self::AccessPoint { remembered, .. } | Self::Off { remembered } => remembered.as_ref(),
        }
    }

    /// The mode these settings ask for.
    pub fn mode(&self) -> Mode {
        match self {
            Self::Platform | Self::Station { .. } => Mode::Station,
            Self::AccessPoint { .. } => Mode::AccessPoint,
            Self::Off { .. } => Mode::Off,
        }
    }
}

/// What a failed pairing does to a device that was an access point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AfterFailure {
    /// Wi-Fi is off: the specification's rule.
    #[default]
    AccessPointOff,
    /// The access point comes back: for a device that nobody can reach once its Wi-Fi is off.
    AccessPointBack,
}

/// A driver's own note of what to put back after a pairing beside the [`Settings`]: which of the
/// platform's networks were enabled, which one was current. Opaque to everybody else. Empty where a
/// platform has nothing of its own.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Snapshot(pub(crate) Vec<u8, { Snapshot::MAX_LEN }, u8>);

impl Snapshot {
    /// The most a driver may note, in bytes.
    pub const MAX_LEN: usize = 64;

    /// Copies `bytes`.
    ///
    /// # Errors
    /// [`InvalidValue::SnapshotLength`] if there are more than [`Self::MAX_LEN`].
    pub fn new(bytes: &[u8]) -> Result<Self, InvalidValue> {
        Vec::from_slice(bytes).map(Self).map_err(|_| InvalidValue::SnapshotLength)
    }

    /// What the driver noted.
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

/// A value that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum InvalidValue {
    /// A network name must have 1 to 32 bytes.
    #[error("a network name has 1 to 32 bytes")]
    SsidLength,
    /// A secret that no WPA network can have.
    #[error(
        "a Wi-Fi password has 8 to 63 characters, none of them a control character, or 64 hex digits"
    )]
    Passphrase,
    /// More than a record holds.
    #[error("a driver's snapshot has at most 64 bytes")]
    SnapshotLength,
}
