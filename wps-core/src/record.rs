//! The one record that survives a power cut, and its format on disk.

mod wire;

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use zeroize::Zeroizing;

use self::wire::{Reader, Writer};
use crate::settings::{Settings, Snapshot};

/// The record on disk. The journal of a running task is a variant of it, so that opening and
/// closing the journal are the same atomic write as saving settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Record {
    /// No task was running. The device boots with these settings.
    Settled(Settings),
    /// A pairing was running. The device boots with the settings after a failed pairing.
    Pairing {
        /// The settings before the pairing.
        before: Settings,
        /// What the driver must restore in addition.
        snapshot: Snapshot,
    },
    /// A change of the settings was running. The device boots with the previous settings.
    Configuring {
        /// The settings before the change.
        before: Settings,
        /// What the driver must restore in addition.
        snapshot: Snapshot,
    },
}

impl Record {
    /// The maximum number of bytes that [`encode`](Self::encode) needs.
    pub const MAX_LEN: usize = 288;

    /// Encodes the record into `buffer` and returns the bytes used: a version byte, the record, and
    /// a CRC-32 of both.
    ///
    /// The bytes contain secrets. Wipe them after use, for example with `Zeroizing`.
    ///
    /// # Errors
    /// [`RecordError::Space`] if `buffer` is too short. [`Self::MAX_LEN`] bytes are always enough.
    pub fn encode<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8], RecordError> {
        let mut writer = Writer { buffer: &mut *buffer, len: 1, version: 1 };
        writer.record(self);
        let (end, version) = (writer.len, writer.version);
        if let Some(first) = buffer.first_mut() {
            *first = version;
        }
        let crc = CRC.checksum(buffer.get(..end).ok_or(RecordError::Space)?);
        let tail = buffer.get_mut(end..end + CRC_LEN).ok_or(RecordError::Space)?;
        tail.copy_from_slice(&crc.to_le_bytes());
        buffer.get(..end + CRC_LEN).ok_or(RecordError::Space)
    }

    /// Encodes the record into a temporary buffer, which is wiped when dropped, and passes the
    /// bytes to `write`.
    ///
    /// # Errors
    /// The same as [`encode`](Self::encode), but this buffer is always long enough.
    pub fn with_encoded<R>(&self, write: impl FnOnce(&[u8]) -> R) -> Result<R, RecordError> {
        let mut buffer = Zeroizing::new([0; Self::MAX_LEN]);
        Ok(write(self.encode(buffer.as_mut_slice())?))
    }

    /// Decodes the bytes that [`encode`](Self::encode) has written.
    ///
    /// # Errors
    /// [`RecordError::Version`] for a record of a later version of this software,
    /// [`RecordError::Corrupt`] for anything else.
    #[inline(never)] // so that its stack is released
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let (body, crc) = bytes.split_last_chunk::<CRC_LEN>().ok_or(RecordError::Corrupt)?;
        if CRC.checksum(body) != u32::from_le_bytes(*crc) {
            return Err(RecordError::Corrupt);
        }
        match body.split_first() {
            Some((1..=VERSION, body)) => {
                let mut reader = Reader(body);
                let record = reader.record().ok_or(RecordError::Corrupt)?;
                if reader.0.is_empty() { Ok(record) } else { Err(RecordError::Corrupt) }
            }
            Some((&version, _)) => Err(RecordError::Version(version)),
            None => Err(RecordError::Corrupt),
        }
    }
}

/// The error of encoding or decoding a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RecordError {
    /// The buffer is too short.
    #[error("the buffer is too short for the record")]
    Space,
    /// The bytes are not a complete, undamaged record.
    #[error("the saved settings are damaged")]
    Corrupt,
    /// The record was written by a later version.
    #[error("the saved settings have format {0}, which this version does not know")]
    Version(u8),
}

/// The latest version.
const VERSION: u8 = 2;
/// Computed without a table, which would take 1 KiB of flash for a rare computation.
const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);
const CRC_LEN: usize = 4;
