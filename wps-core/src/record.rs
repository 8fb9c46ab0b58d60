//! The one record that survives a power cut, and how it looks on disk.

use crc::{CRC_32_ISO_HDLC, Crc};
use zeroize::Zeroizing;

use crate::settings::{Policy, Settings, Snapshot};

/// What is on disk. The journal of a running pairing is one variant of it, so that opening and
/// closing the journal is the same atomic write as saving settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Record {
    /// Nothing under way: boot with these.
    Settled(Settings),
    /// A pairing was under way: boot with what a failed one leaves.
    Pairing {
        /// The settings it started from.
        before: Settings,
        /// The driver's note of what else to put back.
        snapshot: Snapshot,
    },
    /// A change of the settings was under way: boot with the previous ones.
    Configuring {
        /// The settings it started from.
        before: Settings,
        /// The driver's note of what else to put back.
        snapshot: Snapshot,
    },
}

impl Record {
    /// The most bytes that [`encode`](Self::encode) needs.
    pub const MAX_LEN: usize = 512;

    /// The settings to boot with.
    #[must_use]
    pub fn recover(self, policy: Policy) -> Settings {
        match self {
            Self::Settled(settings) | Self::Configuring { before: settings, .. } => settings,
            Self::Pairing { before, .. } => before.after_failure(policy),
        }
    }

    /// Writes the record into `buffer` and returns the bytes used: a version byte, the
    /// [postcard](https://postcard.jamesmunns.com/wire-format) form of the record, and a CRC-32 of both.
    ///
    /// The bytes hold secrets: wipe them after use, as `Zeroizing` does.
    ///
    /// # Errors
    /// [`RecordError::Space`] if `buffer` is shorter than the record; [`Self::MAX_LEN`] is always enough.
    pub fn encode<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8], RecordError> {
        let (version, body) = buffer.split_first_mut().ok_or(RecordError::Space)?;
        *version = VERSION;
        let body =
            postcard::to_slice(&wire::Record::from(self), body).map_err(|_| RecordError::Space)?;
        let end = 1 + body.len();
        let sum = CRC.checksum(buffer.get(..end).ok_or(RecordError::Space)?);
        let tail = buffer.get_mut(end..end + SUM_LEN).ok_or(RecordError::Space)?;
        tail.copy_from_slice(&sum.to_le_bytes());
        buffer.get(..end + SUM_LEN).ok_or(RecordError::Space)
    }

    /// Encodes into a buffer of its own that is wiped when dropped, and gives the bytes to `write`.
    ///
    /// # Errors
    /// As [`encode`](Self::encode); with this buffer it does not happen.
    pub fn with_encoded<R>(&self, write: impl FnOnce(&[u8]) -> R) -> Result<R, RecordError> {
        let mut buffer = Zeroizing::new([0; Self::MAX_LEN]);
        Ok(write(self.encode(buffer.as_mut_slice())?))
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`RecordError::Corrupt`] for anything else, [`RecordError::Version`] for a record of a later
    /// version of this software.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let (body, sum) = bytes.split_last_chunk::<SUM_LEN>().ok_or(RecordError::Corrupt)?;
        if CRC.checksum(body) != u32::from_le_bytes(*sum) {
            return Err(RecordError::Corrupt);
        }
        match body.split_first() {
            Some((&VERSION, body)) => match postcard::take_from_bytes::<wire::Record<'_>>(body) {
                Ok((record, [])) => record.try_into(),
                Ok(_) | Err(_) => Err(RecordError::Corrupt),
            },
            Some((&version, _)) => Err(RecordError::Version(version)),
            None => Err(RecordError::Corrupt),
        }
    }
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RecordError {
    /// The buffer is too short.
    #[error("the buffer is too short for the record")]
    Space,
    /// Not a whole, unharmed record.
    #[error("the saved settings are damaged")]
    Corrupt,
    /// Written by a later version.
    #[error("the saved settings have format {0}, which this version does not know")]
    Version(u8),
}

const VERSION: u8 = 1;
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
const SUM_LEN: usize = 4;

/// The stored form, apart from the types of the API, so that neither binds the other. Postcard
/// numbers variants and fields by their order: append, never reorder; anything else is a new version.
mod wire {
    use serde::{Deserialize, Serialize};

    use super::RecordError;
    use crate::settings;

    #[derive(Serialize, Deserialize)]
    pub(super) enum Record<'a> {
        #[serde(borrow)]
        Settled(Settings<'a>),
        Pairing(Settings<'a>, &'a [u8]),
        Configuring(Settings<'a>, &'a [u8]),
    }

    #[derive(Serialize, Deserialize)]
    pub(super) enum Settings<'a> {
        Platform,
        #[serde(borrow)]
        Station(Network<'a>),
        AccessPoint(Network<'a>, Option<u8>, Option<Network<'a>>),
        Off(Option<Network<'a>>),
    }

    /// Name and key; an empty key is an open network.
    #[derive(Serialize, Deserialize)]
    pub(super) struct Network<'a>(&'a [u8], &'a [u8]);

    impl<'a> From<&'a super::Record> for Record<'a> {
        fn from(record: &'a super::Record) -> Self {
            match record {
                super::Record::Settled(settings) => Self::Settled(settings.into()),
                super::Record::Pairing { before, snapshot } => {
                    Self::Pairing(before.into(), snapshot.as_bytes())
                }
                super::Record::Configuring { before, snapshot } => {
                    Self::Configuring(before.into(), snapshot.as_bytes())
                }
            }
        }
    }

    impl TryFrom<Record<'_>> for super::Record {
        type Error = RecordError;

        fn try_from(record: Record<'_>) -> Result<Self, RecordError> {
            let snapshot = |bytes| settings::Snapshot::new(bytes).map_err(|_| RecordError::Corrupt);
            Ok(match record {
                Record::Settled(settings) => Self::Settled(settings.try_into()?),
                Record::Pairing(before, noted) => {
                    Self::Pairing { before: before.try_into()?, snapshot: snapshot(noted)? }
                }
                Record::Configuring(before, noted) => {
                    Self::Configuring { before: before.try_into()?, snapshot: snapshot(noted)? }
                }
            })
        }
    }

    impl<'a> From<&'a settings::Settings> for Settings<'a> {
        fn from(settings: &'a settings::Settings) -> Self {
            let maybe = |network: &'a Option<_>| network.as_ref().map(Network::from);
            match settings {
                settings::Settings::Platform => Self::Platform,
                settings::Settings::Station { network } => Self::Station(network.into()),
                settings::Settings::AccessPoint { access_point, remembered } => Self::AccessPoint(
                    (&access_point.network).into(),
                    access_point.channel,
                    maybe(remembered),
                ),
                settings::Settings::Off { remembered } => Self::Off(maybe(remembered)),
            }
        }
    }

    impl TryFrom<Settings<'_>> for settings::Settings {
        type Error = RecordError;

        fn try_from(settings: Settings<'_>) -> Result<Self, RecordError> {
            let maybe = |network: Option<Network<'_>>| network.map(TryInto::try_into).transpose();
            Ok(match settings {
                Settings::Platform => Self::Platform,
                Settings::Station(network) => Self::Station { network: network.try_into()? },
                Settings::AccessPoint(network, channel, remembered) => Self::AccessPoint {
                    access_point: settings::AccessPoint { network: network.try_into()?, channel },
                    remembered: maybe(remembered)?,
                },
                Settings::Off(remembered) => Self::Off { remembered: maybe(remembered)? },
            })
        }
    }

    impl<'a> From<&'a settings::Credentials> for Network<'a> {
        fn from(network: &'a settings::Credentials) -> Self {
            let key = network.passphrase.as_ref().map_or(&[][..], settings::Passphrase::reveal);
            Self(network.ssid.as_bytes(), key)
        }
    }

    impl TryFrom<Network<'_>> for settings::Credentials {
        type Error = RecordError;

        fn try_from(Network(ssid, key): Network<'_>) -> Result<Self, RecordError> {
            let passphrase = (!key.is_empty()).then(|| settings::Passphrase::new(key)).transpose();
            Ok(Self {
                ssid: settings::Ssid::new(ssid).map_err(|_| RecordError::Corrupt)?,
                passphrase: passphrase.map_err(|_| RecordError::Corrupt)?,
            })
        }
    }
}
