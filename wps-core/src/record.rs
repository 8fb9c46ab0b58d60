//! The one record that survives a power cut, and how it looks on disk.

mod wire;

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use zeroize::Zeroizing;

use self::wire::{Reader, Writer};
use crate::settings::{AfterFailure, Settings, Snapshot};

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
    pub fn recover(self, after_failure: AfterFailure) -> Settings {
        match self {
            Self::Settled(settings) | Self::Configuring { before: settings, .. } => settings,
            Self::Pairing { before, .. } => before.after_failure(after_failure),
        }
    }

    /// Writes the record into `buffer` and returns the bytes used: a version byte, the record, and a
    /// CRC-32 of both.
    ///
    /// The bytes hold secrets: wipe them after use, as `Zeroizing` does.
    ///
    /// # Errors
    /// [`RecordError::Space`] if `buffer` is shorter than the record; [`Self::MAX_LEN`] is always enough.
    pub fn encode<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8], RecordError> {
        let mut writer = Writer { buffer: &mut *buffer, len: 0 };
        writer.byte(VERSION);
        writer.record(self);
        let end = writer.len;
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
    #[inline(never)] // so that its stack is given back
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let (body, sum) = bytes.split_last_chunk::<SUM_LEN>().ok_or(RecordError::Corrupt)?;
        if CRC.checksum(body) != u32::from_le_bytes(*sum) {
            return Err(RecordError::Corrupt);
        }
        match body.split_first() {
            Some((&VERSION, body)) => {
                let mut reader = Reader(body);
                let record = reader.record().ok_or(RecordError::Corrupt)?;
                if reader.0.is_empty() { Ok(record) } else { Err(RecordError::Corrupt) }
            }
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
/// Without a table: that would be 1 KiB of flash for what is seldom computed.
const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);
const SUM_LEN: usize = 4;
