//! Stores the settings record in flash.

mod blocks;
#[cfg(feature = "encryption")]
mod encrypted;
mod format;
#[cfg(feature = "encryption")]
mod key;
mod read_only;

use core::fmt;
use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use wps_core::{Loaded, Record, SettingsStore};

use blocks::{Buffer, EraseBlocks, NUMBER_LEN, NewestRecord, WORD_MAX_LEN};
#[cfg(feature = "encryption")]
pub use encrypted::Encrypted;
pub use format::{PlainText, RecordFormat};
#[cfg(feature = "encryption")]
pub use key::{HmacKey, KeyError, KeyState};

/// A [`SettingsStore`] in a range of NOR flash that nothing else uses, such as a partition.
///
/// On an ESP32 the flash is `esp_storage::FlashStorage` in `embassy_embedded_hal`'s
/// `BlockingAsync`. On other chips it is any type that implements the traits of
/// `embedded_storage_async`. The range needs three erase blocks or more: on an ESP32, a `data`
/// partition of 12 KiB in `partitions.csv`. Nothing else may write to it. If the range already
/// contains other data, `load` returns [`Loaded::Corrupt`], and the first save overwrites the data.
/// A longer range finds the record of a shorter one that started at the same place.
///
/// # How a record is kept
///
/// The first block holds damaged records, and the other blocks are the log. A save appends the
/// record with the next number, reads it back, and acknowledges it by appending the number alone.
/// When a block is full, the store erases the next block and continues there. So a save never
/// erases or moves what the save before it wrote: after a power cut at any moment, the newest
/// readable record is either the old one or the new one.
///
/// A record that was acknowledged but cannot be read any more is damaged. `load` then returns
/// [`Loaded::Corrupt`] and does not fall back to an older record. `load` only reads. The next save
/// first copies the damaged record into the first block, as long as there is room.
///
/// # Wear
///
/// The numbers are for sectors of 4 KiB, two of which are the log. The record of a station takes
/// 60 bytes, the longest possible record 296. A pairing saves two records, and 34 pairings share
/// one erase. If a sector survives 100,000 erases, that is 6.8 million pairings, and never fewer
/// than 1.2 million. An encrypted record is 41 bytes longer: 20 pairings share one erase, which
/// makes 4 million.
///
/// # Secrets
///
/// The records are [`PlainText`], unless another format is chosen with
/// [`with_format`](Self::with_format): `Encrypted`, with the feature `encryption`. So anyone who
/// holds the device can read the passwords in its flash: that of the current network, those of
/// earlier networks until their block is erased, and those in damaged records forever.
///
/// **The chip's flash encryption does not change this.** `esp_storage`'s `NorFlash` bypasses it and
/// writes plain text, also into a partition with the flag `encrypted`. Only the program can refuse
/// that, by its partition table, as `examples/esp32` does. A flash that does encrypt is refused, by
/// [`new`](Self::new) if it only writes whole erase blocks, otherwise by the first save.
pub struct FlashStore<F, T = PlainText> {
    blocks: EraseBlocks<F>,
    format: T,
}

/// The reason why the settings could not be loaded or saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError<E: fmt::Debug> {
    /// The range does not consist of erase blocks of this flash.
    #[error(
        "{start:#x} to {end:#x} is not a range of this flash: begin and end it at a multiple of \
         {block:#x}, not beyond {capacity:#x}"
    )]
    Range {
        /// The start of the range.
        start: u32,
        /// The end of the range.
        end: u32,
        /// The size of an erase block in bytes.
        block: usize,
        /// The size of the flash in bytes.
        capacity: usize,
    },
    /// The range is too short.
    #[error(
        "a partition of {len} bytes is too small: make it at least {needed}, three erase blocks"
    )]
    TooSmall {
        /// The size of the range in bytes.
        len: usize,
        /// The size that the store needs.
        needed: usize,
    },
    /// The erase blocks of this flash are too small for a record.
    #[error("erase blocks of {block} bytes are too small: use a flash with at least {needed}")]
    BlockTooSmall {
        /// The size of an erase block in bytes.
        block: usize,
        /// The size that the store needs.
        needed: usize,
    },
    /// The flash cannot write single words. An encrypted view of a partition is like that.
    #[error(
        "this flash writes {write} bytes at a time, as an encrypted partition does, and the store \
         needs words of at most {max}: remove the flag `encrypted` from the partition, and let the \
         store encrypt the records"
    )]
    WriteSize {
        /// The size of the smallest write in bytes.
        write: usize,
        /// The largest size with which the store works.
        max: usize,
    },
    /// A block that was just erased does not consist of ones. Flash that is decrypted while it is
    /// read is like that.
    #[error(
        "an erased block does not read as ones: if the partition is encrypted, remove its flag \
         `encrypted`, and let the store encrypt the records; otherwise the flash is protected \
         against writing, or worn out"
    )]
    NotErased,
    /// An operation of the flash failed.
    #[error("the flash failed: {0:?}")]
    Flash(E),
    /// The record that was written cannot be read back.
    #[error("the flash does not keep what is written: it is worn out, or others write there too")]
    Worn,
}

impl<F: NorFlash> FlashStore<F> {
    /// Creates a store in `range` of `flash`, in bytes. Reads and writes nothing yet.
    ///
    /// # Errors
    /// Returns an error if the flash cannot write single words, if the range is too short, ends
    /// beyond the flash, or does not consist of whole erase blocks, or if an erase block is too
    /// small for a record.
    pub fn new(flash: F, range: Range<u32>) -> Result<Self, StoreError<F::Error>> {
        let (write, max) = (F::WRITE_SIZE, WORD_MAX_LEN);
        if write > max {
            return Err(StoreError::WriteSize { write, max });
        }
        let (block, capacity) = (F::ERASE_SIZE, flash.capacity());
        let Range { start, end } = range;
        let is_aligned = |address: u32| (address as usize).is_multiple_of(block);
        if start > end || !is_aligned(start) || !is_aligned(end) || end as usize > capacity {
            return Err(StoreError::Range { start, end, block, capacity });
        }
        let needed = EraseBlocks::<F>::MIN_BLOCK_LEN;
        if block < needed {
            return Err(StoreError::BlockTooSmall { block, needed });
        }
        let (len, needed) = ((end - start) as usize, MIN_BLOCKS * block);
        if len < needed {
            return Err(StoreError::TooSmall { len, needed });
        }
        Ok(Self { blocks: EraseBlocks { flash, range }, format: PlainText })
    }

    /// Returns a store in the same range that writes its records in another format.
    pub fn with_format<T: RecordFormat>(self, format: T) -> FlashStore<F, T> {
        FlashStore { blocks: self.blocks, format }
    }
}

impl<F, T> FlashStore<F, T> {
    /// Returns the flash.
    pub fn into_inner(self) -> F {
        self.blocks.flash
    }
}

impl<F: NorFlash, T: RecordFormat> SettingsStore for FlashStore<F, T> {
    type Error = StoreError<F::Error>;

    async fn load(&mut self) -> Result<Loaded, Self::Error> {
        let log = self.blocks.read_log(|body| self.format.decode(body)).await?;
        Ok(match log.newest {
            Some(NewestRecord { number, record: Some(record), .. })
                if number == log.highest_number =>
            {
                Loaded::Record(record)
            }
            None if log.highest_number == 0 && self.blocks.is_unused().await? => Loaded::Nothing,
            Some(_) | None => Loaded::Corrupt,
        })
    }

    async fn save(&mut self, record: &Record) -> Result<(), Self::Error> {
        let log = self.blocks.read_log(|body| self.format.decode(body)).await?;
        let mut next = self.blocks.log_blocks().next();
        if let Some(newest) = log.newest {
            if newest.record.is_none() {
                self.blocks.preserve_damaged(&newest).await?;
            }
            // If the flash fails here, only this block may be bad, so the next one is tried, too.
            if self
                .append(newest.block, log.highest_number.saturating_add(1), record)
                .await
                .is_ok_and(|stored| stored)
            {
                return Ok(());
            }
            // The newest record must stay until there is a newer one.
            next = self.blocks.next_log_block(newest.block);
        }
        let next = next.ok_or(StoreError::Worn)?;
        self.erase_and_append(next, log.highest_number.saturating_add(2), record).await
    }
}

/// One block for damaged records, two for the log.
const MIN_BLOCKS: usize = 3;

impl<F: NorFlash, T: RecordFormat> FlashStore<F, T> {
    /// Erases a block and saves the record there.
    async fn erase_and_append(
        &mut self,
        block: u32,
        number: u32,
        record: &Record,
    ) -> Result<(), StoreError<F::Error>> {
        self.blocks.erase(block).await?;
        let stored = self.append(block, number, record).await?;
        if stored { Ok(()) } else { Err(StoreError::Worn) }
    }

    /// Appends the record, reads it back, and acknowledges it. Returns whether all of this
    /// succeeded. It does not if the block is full or the flash is worn. It also does not if the
    /// remains of a power cut hide the record from sequential-storage, which then does not find it
    /// although it was written.
    async fn append(
        &mut self,
        block: u32,
        number: u32,
        record: &Record,
    ) -> Result<bool, StoreError<F::Error>> {
        let mut buffer = Buffer::new();
        let (head, body) = buffer.0.split_at_mut(NUMBER_LEN);
        head.copy_from_slice(&number.to_le_bytes());
        let Some(body_len) = self.format.encode(record, body) else { return Ok(false) };
        let len = NUMBER_LEN + body_len;
        if !self.blocks.append(block, &buffer, len).await? {
            return Ok(false);
        }
        let is_ours = |found, body: &[u8]| {
            found == number && self.format.decode(body).as_ref() == Some(record)
        };
        if self.blocks.find(block, &mut buffer, is_ours).await?.is_none() {
            return Ok(false);
        }
        // The number is still at the start of the buffer: it was just read back into it.
        self.blocks.append(block, &buffer, NUMBER_LEN).await
    }
}
