//! Stores the settings record in flash.

mod blocks;
mod read_only;

use core::fmt;
use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use wps_core::{Loaded, Record, SettingsStore};

use blocks::{Buffer, EraseBlocks, NUMBER_LEN, WORD_MAX_LEN};

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
/// than 1.2 million.
///
/// # Secrets
///
/// The records are plain text, so anyone who holds the device can read the passwords in its flash:
/// that of the current network, those of earlier networks until their block is erased, and those in
/// damaged records forever.
///
/// **The chip's flash encryption does not change this.** `esp_storage`'s `NorFlash` bypasses it and
/// writes plain text, also into a partition with the flag `encrypted`, and an encrypted view of
/// flash can only write whole erase blocks. [`new`](Self::new) refuses a flash of that kind.
pub struct FlashStore<F> {
    blocks: EraseBlocks<F>,
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
         needs words of at most {max}: remove the flag `encrypted` from the partition"
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
         `encrypted`; otherwise the flash is protected against writing, or worn out"
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
        Ok(Self { blocks: EraseBlocks { flash, range } })
    }

    /// Returns the flash.
    pub fn into_inner(self) -> F {
        self.blocks.flash
    }
}

impl<F: NorFlash> SettingsStore for FlashStore<F> {
    type Error = StoreError<F::Error>;

    async fn load(&mut self) -> Result<Loaded, Self::Error> {
        let log = self.read_log(&mut Buffer::new()).await?;
        Ok(match log.newest {
            Some(NewestRecord { number, record: Some(record), .. })
                if number == log.highest_number =>
            {
                Loaded::Record(record)
            }
            None if log.highest_number == 0 && self.is_unused().await? => Loaded::Nothing,
            Some(_) | None => Loaded::Corrupt,
        })
    }

    async fn save(&mut self, record: &Record) -> Result<(), Self::Error> {
        let log = self.read_log(&mut Buffer::new()).await?;
        let mut next = self.log_blocks().next();
        if let Some(newest) = log.newest {
            if newest.record.is_none() {
                self.preserve_damaged(&newest).await?;
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
            next = self.log_blocks().find(|block| *block > newest.block).or(next);
        }
        let next = next.ok_or(StoreError::Worn)?;
        self.blocks.erase(next).await?;
        let stored = self.append(next, log.highest_number.saturating_add(2), record).await?;
        if stored { Ok(()) } else { Err(StoreError::Worn) }
    }
}

/// One block for damaged records, two for the log.
const MIN_BLOCKS: usize = 3;

/// The state of the log.
#[derive(Default)]
struct LogState {
    highest_number: u32,
    newest: Option<NewestRecord>,
}

struct NewestRecord {
    number: u32,
    block: u32,
    /// `None` if the flash has kept the bytes but they are not a valid record.
    record: Option<Record>,
}

impl<F: NorFlash> FlashStore<F> {
    /// Returns the addresses of the log's blocks. They come after the block for damaged records, so
    /// that a longer range finds the records of a shorter one.
    fn log_blocks(&self) -> impl Iterator<Item = u32> + use<F> {
        self.blocks.addresses().skip(1)
    }

    async fn read_log(&mut self, buffer: &mut Buffer) -> Result<LogState, StoreError<F::Error>> {
        let mut log = LogState::default();
        for block in self.log_blocks() {
            let inspect = |number, body: &[u8]| {
                log.highest_number = log.highest_number.max(number);
                let is_newer = log.newest.as_ref().is_none_or(|newest| newest.number < number);
                if !body.is_empty() && is_newer {
                    log.newest =
                        Some(NewestRecord { number, block, record: Record::decode(body).ok() });
                }
                false
            };
            self.blocks.find(block, buffer, inspect).await?;
        }
        Ok(log)
    }

    /// Returns whether nothing was ever saved. An interrupted first save leaves its bytes in the
    /// first block of the log. Bytes in any other block are not ours, and unreadable.
    async fn is_unused(&mut self) -> Result<bool, StoreError<F::Error>> {
        for block in self.log_blocks().skip(1) {
            if self.blocks.count_used(block).await? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
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
        let Ok(body) = record.encode(body) else { return Ok(false) };
        let len = NUMBER_LEN + body.len();
        if !self.blocks.append(block, &buffer, len).await? {
            return Ok(false);
        }
        let is_ours =
            |found, body: &[u8]| found == number && Record::decode(body).as_ref() == Ok(record);
        if self.blocks.find(block, &mut buffer, is_ours).await?.is_none() {
            return Ok(false);
        }
        // The number is still at the start of the buffer: it was just read back into it.
        self.blocks.append(block, &buffer, NUMBER_LEN).await
    }

    /// Copies a damaged record into the first block, after those that are already there. When that
    /// block is full, it keeps the earlier ones.
    async fn preserve_damaged(
        &mut self,
        damaged: &NewestRecord,
    ) -> Result<(), StoreError<F::Error>> {
        let Some(first_block) = self.blocks.addresses().next() else { return Ok(()) };
        let mut buffer = Buffer::new();
        if self.blocks.find(first_block, &mut buffer, |_, _| true).await?.is_none() {
            self.blocks.erase(first_block).await?;
        }
        let is_damaged = |number, body: &[u8]| number == damaged.number && !body.is_empty();
        let len = self.blocks.find(damaged.block, &mut buffer, is_damaged).await?.map(<[u8]>::len);
        if let Some(len) = len {
            self.blocks.append(first_block, &buffer, len).await?;
        }
        Ok(())
    }
}
