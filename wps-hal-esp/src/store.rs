//! The record in flash.

mod blocks;
mod read_only;

use core::fmt;
use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use wps_core::{Loaded, Record, SettingsStore};

use blocks::{Blocks, Buffer, NUMBER};

/// A [`SettingsStore`] in a range of NOR flash that is its own, such as a partition.
///
/// On an ESP32 the flash is `esp_storage::FlashStorage` in `embassy_embedded_hal`'s `BlockingAsync`; on
/// other chips, whatever implements `embedded_storage_async`. The range has three erase blocks or more:
/// on an ESP32 a `data` partition of 12 KiB in `partitions.csv`. Nobody else
/// writes there; what was there before is reported as [`Loaded::Corrupt`] and overwritten by the first
/// save. A longer range finds the record of a shorter one that began at the same place.
///
/// # How it keeps a record
///
/// The first block keeps damaged records, the others are the log. A save appends the record under the
/// next number, reads it back, and acknowledges it by the number alone. A full block is left for the
/// next one, which is erased first. So a save never erases or moves what the save before it wrote:
/// after a power cut at any moment, the newest record that can be read is the old one or the new one.
/// One that was acknowledged and cannot be read any more is damaged: `load` says so instead of bringing
/// back an older one. `load` only reads; the next save first copies a damaged record aside, as long as
/// there is room.
///
/// # Wear
///
/// For sectors of 4 KiB, of which two are the log: a record of a station takes 60 bytes, the longest
/// there can be 296. A pairing is two saves, and 34 of them share one erase. With 100,000 erases of a
/// sector that is 6.8 million pairings, and never under 1.2 million.
///
/// # Secrets
///
/// Flash is not wiped: passwords of earlier networks can be read from it until their block is erased,
/// and the damaged ones for ever. Whoever may hold the device in hand and must not read them is a
/// reason to switch on the chip's flash encryption.
pub struct FlashStore<F> {
    blocks: Blocks<F>,
}

/// Why the settings could not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError<E: fmt::Debug> {
    /// The range does not consist of erase blocks of this flash.
    #[error(
        "{start:#x} to {end:#x} is no range of this flash: begin and end it at a multiple of \
         {block:#x}, not beyond {capacity:#x}"
    )]
    Range {
        /// Where the range begins.
        start: u32,
        /// Where it ends.
        end: u32,
        /// The bytes of an erase block.
        block: usize,
        /// The bytes of the flash.
        capacity: usize,
    },
    /// The range is too short.
    #[error(
        "a partition of {len} bytes is too small: make it at least {needed}, three erase blocks"
    )]
    TooSmall {
        /// The bytes of the range.
        len: usize,
        /// Those it needs.
        needed: usize,
    },
    /// Not the kind of flash for this store.
    #[error("erase blocks of {block} bytes are too small: use a flash with at least {needed}")]
    Block {
        /// The bytes of an erase block.
        block: usize,
        /// Those it needs.
        needed: usize,
    },
    /// The flash failed.
    #[error("the flash failed: {0:?}")]
    Flash(E),
    /// What was written cannot be read back.
    #[error("the flash does not keep what is written: it is worn out, or others write there too")]
    Worn,
}

impl<F: NorFlash> FlashStore<F> {
    /// A store in `range` of `flash`, in bytes. Nothing is read or written yet.
    ///
    /// # Errors
    /// The range is too short, beyond the flash, or not made of whole erase blocks; or those are too
    /// small for a record.
    pub fn new(flash: F, range: Range<u32>) -> Result<Self, StoreError<F::Error>> {
        let (block, capacity) = (F::ERASE_SIZE, flash.capacity());
        let Range { start, end } = range;
        let whole = |address: u32| (address as usize).is_multiple_of(block);
        if start > end || !whole(start) || !whole(end) || end as usize > capacity {
            return Err(StoreError::Range { start, end, block, capacity });
        }
        let needed = Blocks::<F>::BLOCK_NEEDED;
        if block < needed {
            return Err(StoreError::Block { block, needed });
        }
        let (len, needed) = ((end - start) as usize, BLOCKS * block);
        if len < needed {
            return Err(StoreError::TooSmall { len, needed });
        }
        Ok(Self { blocks: Blocks { flash, range } })
    }

    /// Gives the flash back.
    pub fn into_inner(self) -> F {
        self.blocks.flash
    }
}

impl<F: NorFlash> SettingsStore for FlashStore<F> {
    type Error = StoreError<F::Error>;

    async fn load(&mut self) -> Result<Loaded, Self::Error> {
        let found = self.look(&mut Buffer::new()).await?;
        Ok(match found.newest {
            Some(Newest { number, record: Some(record), .. }) if number == found.last => {
                Loaded::Record(record)
            }
            None if found.last == 0 && self.is_blank().await? => Loaded::Nothing,
            Some(_) | None => Loaded::Corrupt,
        })
    }

    async fn save(&mut self, record: &Record) -> Result<(), Self::Error> {
        let found = self.look(&mut Buffer::new()).await?;
        let mut next = self.log().next();
        if let Some(newest) = found.newest {
            if newest.record.is_none() {
                self.keep_aside(&newest).await?;
            }
            // If the flash fails here, it may be this block: the next one is tried all the same.
            if self
                .append(newest.block, found.last.saturating_add(1), record)
                .await
                .is_ok_and(|kept| kept)
            {
                return Ok(());
            }
            // The newest record has to stay until there is a newer one.
            next = self.log().find(|block| *block > newest.block).or(next);
        }
        let next = next.ok_or(StoreError::Worn)?;
        self.blocks.erase(next).await?;
        let kept = self.append(next, found.last.saturating_add(2), record).await?;
        if kept { Ok(()) } else { Err(StoreError::Worn) }
    }
}

/// One block for damaged records, two for the log.
const BLOCKS: usize = 3;

/// What is in the log.
#[derive(Default)]
struct Found {
    /// The highest number.
    last: u32,
    /// The newest record.
    newest: Option<Newest>,
}

struct Newest {
    number: u32,
    block: u32,
    /// None if the flash has kept its bytes but they are no record.
    record: Option<Record>,
}

impl<F: NorFlash> FlashStore<F> {
    /// The blocks of the log. They come after the one for damaged records, so that a longer range
    /// finds the records of a shorter one.
    fn log(&self) -> impl Iterator<Item = u32> + use<F> {
        self.blocks.all().skip(1)
    }

    async fn look(&mut self, buffer: &mut Buffer) -> Result<Found, StoreError<F::Error>> {
        let mut found = Found::default();
        for block in self.log() {
            let take = |number, body: &[u8]| {
                found.last = found.last.max(number);
                let is_newer = found.newest.as_ref().is_none_or(|newest| newest.number < number);
                if !body.is_empty() && is_newer {
                    found.newest =
                        Some(Newest { number, block, record: Record::decode(body).ok() });
                }
                false
            };
            self.blocks.visit(block, buffer, take).await?;
        }
        Ok(found)
    }

    /// Whether nothing was ever saved. A first save that was cut off leaves its bytes in the first block
    /// of the log; bytes in another are somebody's, and unreadable.
    async fn is_blank(&mut self) -> Result<bool, StoreError<F::Error>> {
        let mut buffer = Buffer::new();
        for block in self.log().skip(1) {
            if !self.blocks.is_erased(block, &mut buffer).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Appends, reads back, acknowledges. Says whether all of it went well: the block may be full; or
    /// the flash worn; or what a power cut left there may hide the record from sequential-storage,
    /// which then finds it nowhere although it was written.
    async fn append(
        &mut self,
        block: u32,
        number: u32,
        record: &Record,
    ) -> Result<bool, StoreError<F::Error>> {
        let mut buffer = Buffer::new();
        let (head, body) = buffer.0.split_at_mut(NUMBER);
        head.copy_from_slice(&number.to_le_bytes());
        let Ok(body) = record.encode(body) else { return Ok(false) };
        let len = NUMBER + body.len();
        if !self.blocks.append(block, &buffer, len).await? {
            return Ok(false);
        }
        let is_it = |at, body: &[u8]| at == number && Record::decode(body).as_ref() == Ok(record);
        if self.blocks.visit(block, &mut buffer, is_it).await?.is_none() {
            return Ok(false);
        }
        // The number is at the beginning of the buffer still: it was just read from there.
        self.blocks.append(block, &buffer, NUMBER).await
    }

    /// Copies a damaged record into the first block, beside those that are there. Once that is full,
    /// the first ones are kept.
    async fn keep_aside(&mut self, damaged: &Newest) -> Result<(), StoreError<F::Error>> {
        let Some(aside) = self.blocks.all().next() else { return Ok(()) };
        let mut buffer = Buffer::new();
        if self.blocks.visit(aside, &mut buffer, |_, _| true).await?.is_none() {
            self.blocks.erase(aside).await?;
        }
        let is_it = |number, body: &[u8]| number == damaged.number && !body.is_empty();
        let len = self.blocks.visit(damaged.block, &mut buffer, is_it).await?.map(<[u8]>::len);
        if let Some(len) = len {
            self.blocks.append(aside, &buffer, len).await?;
        }
        Ok(())
    }
}
