//! Erase blocks, each of which is an append-only list of numbered items. Together they are the log.

use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use sequential_storage::Error;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::queue::{QueueConfig, QueueStorage};
use wps_core::Record;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::StoreError;
use super::read_only::{ReadOnly, ReadOnlyError};

/// A range of flash, divided into its erase blocks. Each block is a separate queue of
/// sequential-storage, so nothing that happens in one block changes what is read from another. This
/// matters most for an interrupted erase.
pub(super) struct EraseBlocks<F> {
    pub(super) flash: F,
    pub(super) range: Range<u32>,
}

type Queue<F> = QueueStorage<F, Cache<Uncached, Uncached, Uncached, ()>>;

impl<F: NorFlash> EraseBlocks<F> {
    /// The smallest erase block, in bytes, that has room for one record of any length, its
    /// acknowledgement (an item with only the number), and the two words with which
    /// sequential-storage marks the block.
    pub(super) const MIN_BLOCK_LEN: usize = {
        let word = if F::WRITE_SIZE > F::READ_SIZE { F::WRITE_SIZE } else { F::READ_SIZE };
        let item = Queue::<F>::item_overhead_size() as usize;
        let longest = (NUMBER_LEN + RECORD_MAX_LEN).next_multiple_of(word);
        2 * word + item + longest + item + NUMBER_LEN.next_multiple_of(word)
    };

    pub(super) const BLOCK_LEN: u32 = F::ERASE_SIZE as u32;

    /// Returns the address of each block.
    pub(super) fn addresses(&self) -> impl Iterator<Item = u32> + use<F> {
        self.range.clone().step_by(F::ERASE_SIZE)
    }

    /// Calls `matches` with the number and the body of each item of a block, oldest first, until it
    /// returns `true`. Returns that item, which is then at the start of the buffer, or `None` if no
    /// item matches. Items with a wrong checksum are skipped. Other damage ends the search.
    pub(super) async fn find<'b>(
        &mut self,
        block: u32,
        buffer: &'b mut Buffer,
        mut matches: impl FnMut(u32, &[u8]) -> bool,
    ) -> Result<Option<&'b [u8]>, StoreError<F::Error>> {
        let Ok(config) = QueueConfig::try_new(block..block + Self::BLOCK_LEN) else {
            return Ok(None);
        };
        let mut queue = Queue::new(ReadOnly(&mut self.flash), config, Cache::new_uncached());
        let Some(mut items) = only_flash_errors(queue.iter().await)? else { return Ok(None) };
        let found = loop {
            let item = only_flash_errors(items.next(&mut buffer.0).await)?;
            let Some(item) = item.flatten() else { break None };
            if let Some((number, body)) = item.split_first_chunk()
                && matches(u32::from_le_bytes(*number), body)
            {
                break Some(item.len());
            }
        };
        Ok(found.and_then(|len| buffer.0.get(..len)))
    }

    /// Appends the first `len` bytes of the buffer: a number and its body. Returns `false` if they
    /// do not fit, or the block is damaged.
    pub(super) async fn append(
        &mut self,
        block: u32,
        buffer: &Buffer,
        len: usize,
    ) -> Result<bool, StoreError<F::Error>> {
        let Ok(config) = QueueConfig::try_new(block..block + Self::BLOCK_LEN) else {
            return Ok(false);
        };
        let mut queue = Queue::new(&mut self.flash, config, Cache::new_uncached());
        let Some(item) = buffer.0.get(..len) else { return Ok(false) };
        match queue.push(item, false).await {
            Ok(()) => Ok(true),
            Err(Error::Storage { value, .. }) => Err(StoreError::Flash(value)),
            Err(_) => Ok(false),
        }
    }

    /// Erases a block.
    ///
    /// # Errors
    /// [`StoreError::NotErased`] if most of the block is not ones afterwards. A worn block is not
    /// an error yet: it may still have room for a record.
    pub(super) async fn erase(&mut self, block: u32) -> Result<(), StoreError<F::Error>> {
        self.flash.erase(block, block + Self::BLOCK_LEN).await.map_err(StoreError::Flash)?;
        if self.count_used(block).await? > F::ERASE_SIZE / 2 {
            return Err(StoreError::NotErased);
        }
        Ok(())
    }

    /// Returns how many bytes of a block are not ones only.
    pub(super) async fn count_used(&mut self, block: u32) -> Result<usize, StoreError<F::Error>> {
        let (mut buffer, mut used) = (Buffer::new(), 0);
        for offset in (0..F::ERASE_SIZE).step_by(BUFFER_LEN) {
            let len = BUFFER_LEN.min(F::ERASE_SIZE - offset);
            let Some(part) = buffer.0.get_mut(..len) else { break };
            self.flash.read(block + offset as u32, part).await.map_err(StoreError::Flash)?;
            used += part.iter().filter(|byte| **byte != u8::MAX).count();
        }
        Ok(used)
    }
}

/// The state of the log.
#[derive(Default)]
pub(super) struct LogState {
    pub(super) highest_number: u32,
    pub(super) newest: Option<NewestRecord>,
}

pub(super) struct NewestRecord {
    pub(super) number: u32,
    pub(super) block: u32,
    /// `None` if the flash has kept the bytes but they are not a valid record.
    pub(super) record: Option<Record>,
}

impl<F: NorFlash> EraseBlocks<F> {
    /// Returns the addresses of the log's blocks. They come after the block for damaged records, so
    /// that a longer range finds the records of a shorter one.
    pub(super) fn log_blocks(&self) -> impl Iterator<Item = u32> + use<F> {
        self.addresses().skip(1)
    }

    /// Returns the block in which the log continues after `block`.
    pub(super) fn next_log_block(&self, block: u32) -> Option<u32> {
        self.log_blocks().find(|next| *next > block).or_else(|| self.log_blocks().next())
    }

    pub(super) async fn read_log(
        &mut self,
        decode: impl Fn(&[u8]) -> Option<Record>,
    ) -> Result<LogState, StoreError<F::Error>> {
        let (mut log, mut buffer) = (LogState::default(), Buffer::new());
        for block in self.log_blocks() {
            let inspect = |number, body: &[u8]| {
                log.highest_number = log.highest_number.max(number);
                let is_newer = log.newest.as_ref().is_none_or(|newest| newest.number < number);
                if !body.is_empty() && is_newer {
                    log.newest = Some(NewestRecord { number, block, record: decode(body) });
                }
                false
            };
            self.find(block, &mut buffer, inspect).await?;
        }
        Ok(log)
    }

    /// Returns whether nothing was ever saved. An interrupted first save leaves its bytes in the
    /// first block of the log. Bytes in any other block are not ours, and unreadable.
    pub(super) async fn is_unused(&mut self) -> Result<bool, StoreError<F::Error>> {
        for block in self.log_blocks().skip(1) {
            if self.count_used(block).await? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Copies a damaged record into the first block, after those that are already there. When that
    /// block is full, it keeps the earlier ones.
    pub(super) async fn preserve_damaged(
        &mut self,
        damaged: &NewestRecord,
    ) -> Result<(), StoreError<F::Error>> {
        let Some(first_block) = self.addresses().next() else { return Ok(()) };
        let mut buffer = Buffer::new();
        if self.find(first_block, &mut buffer, |_, _| true).await?.is_none() {
            // Not checked: this block may be worn, and the new record must still be saved.
            let end = first_block + Self::BLOCK_LEN;
            self.flash.erase(first_block, end).await.map_err(StoreError::Flash)?;
        }
        let is_damaged = |number, body: &[u8]| number == damaged.number && !body.is_empty();
        let len = self.find(damaged.block, &mut buffer, is_damaged).await?.map(<[u8]>::len);
        if let Some(len) = len {
            self.append(first_block, &buffer, len).await?;
        }
        Ok(())
    }
}

/// Returns the errors of the flash. Every other error becomes `None`: the bytes are not ours or not
/// complete, or sequential-storage wanted to repair them, which [`ReadOnly`] forbids.
fn only_flash_errors<T, E>(
    result: Result<T, Error<ReadOnlyError<E>>>,
) -> Result<Option<T>, StoreError<E>>
where
    E: core::fmt::Debug,
{
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Storage { value: ReadOnlyError::Flash(error), .. }) => {
            Err(StoreError::Flash(error))
        }
        Err(_) => Ok(None),
    }
}

/// The length of an item's number in bytes.
pub(super) const NUMBER_LEN: usize = size_of::<u32>();

/// The longest record that can be read, in bytes. One of a later version may be longer than those
/// of this version. It must be recognized as such, and not taken for damage.
const RECORD_MAX_LEN: usize = 512;
const _: () = assert!(Record::MAX_LEN <= RECORD_MAX_LEN);
#[cfg(feature = "encryption")]
const _: () = assert!(super::encrypted::MAX_LEN <= RECORD_MAX_LEN);

/// The longest word of flash in bytes with which sequential-storage works.
pub(super) const WORD_MAX_LEN: usize = 32;

/// Room for the longest item.
const BUFFER_LEN: usize = (NUMBER_LEN + RECORD_MAX_LEN).next_multiple_of(WORD_MAX_LEN);

/// A buffer for one item. It is aligned because some flash drivers would otherwise copy it through
/// a buffer of their own. It is wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
#[repr(align(4))]
pub(super) struct Buffer(pub(super) [u8; BUFFER_LEN]);

impl Buffer {
    pub(super) fn new() -> Self {
        Self([0; BUFFER_LEN])
    }
}
