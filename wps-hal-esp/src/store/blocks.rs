//! Erase blocks, each an append-only list of numbered items.

use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use sequential_storage::Error;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::queue::{QueueConfig, QueueStorage};
use wps_core::Record;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::StoreError;
use super::read_only::{ReadOnly, ReadOnlyError};

/// A range of flash, block by block. Each is a queue of sequential-storage of its own: what happens in
/// one block, a cut-off erase above all, cannot change what is read in another.
pub(super) struct Blocks<F> {
    pub(super) flash: F,
    pub(super) range: Range<u32>,
}

type Queue<F> = QueueStorage<F, Cache<Uncached, Uncached, Uncached, ()>>;

impl<F: NorFlash> Blocks<F> {
    /// The bytes an erase block needs for one record of any length, its acknowledgement and the two
    /// words in which sequential-storage marks its pages.
    pub(super) const BLOCK_NEEDED: usize = {
        let word = if F::WRITE_SIZE > F::READ_SIZE { F::WRITE_SIZE } else { F::READ_SIZE };
        let item = Queue::<F>::item_overhead_size() as usize;
        let longest = (NUMBER + Record::MAX_LEN).next_multiple_of(word);
        2 * word + item + longest + item + NUMBER.next_multiple_of(word)
    };

    pub(super) const BLOCK: u32 = F::ERASE_SIZE as u32;

    /// The first bytes of all blocks.
    pub(super) fn all(&self) -> impl Iterator<Item = u32> + use<F> {
        self.range.clone().step_by(F::ERASE_SIZE)
    }

    /// Shows the items of a block to `visit`, oldest first, until it has what it looks for: then those
    /// bytes are at the beginning of the buffer. What cannot be read is passed over.
    pub(super) async fn visit<'b>(
        &mut self,
        block: u32,
        buffer: &'b mut Buffer,
        mut visit: impl FnMut(u32, &[u8]) -> bool,
    ) -> Result<Option<&'b [u8]>, StoreError<F::Error>> {
        let Ok(config) = QueueConfig::try_new(block..block + Self::BLOCK) else { return Ok(None) };
        let mut queue = Queue::new(ReadOnly(&mut self.flash), config, Cache::new_uncached());
        let Some(mut items) = unless_flash_failed(queue.iter().await)? else { return Ok(None) };
        let found = loop {
            let item = unless_flash_failed(items.next(&mut buffer.0).await)?;
            let Some(item) = item.flatten() else { break None };
            if let Some((number, body)) = item.split_first_chunk()
                && visit(u32::from_le_bytes(*number), body)
            {
                break Some(item.len());
            }
        };
        Ok(found.and_then(|len| buffer.0.get(..len)))
    }

    /// Appends the first `len` bytes of the buffer, a number and what belongs to it. Says whether they
    /// fitted.
    pub(super) async fn append(
        &mut self,
        block: u32,
        buffer: &Buffer,
        len: usize,
    ) -> Result<bool, StoreError<F::Error>> {
        let Ok(config) = QueueConfig::try_new(block..block + Self::BLOCK) else { return Ok(false) };
        let mut queue = Queue::new(&mut self.flash, config, Cache::new_uncached());
        let Some(item) = buffer.0.get(..len) else { return Ok(false) };
        match queue.push(item, false).await {
            Ok(()) => Ok(true),
            Err(Error::Storage { value, .. }) => Err(StoreError::Flash(value)),
            Err(_) => Ok(false),
        }
    }

    /// Makes a block empty, whatever was in it.
    pub(super) async fn erase(&mut self, block: u32) -> Result<(), StoreError<F::Error>> {
        self.flash.erase(block, block + Self::BLOCK).await.map_err(StoreError::Flash)
    }

    /// Whether a block has only ones.
    pub(super) async fn is_erased(
        &mut self,
        block: u32,
        buffer: &mut Buffer,
    ) -> Result<bool, StoreError<F::Error>> {
        for offset in (0..F::ERASE_SIZE).step_by(BUFFER) {
            let len = BUFFER.min(F::ERASE_SIZE - offset);
            let Some(part) = buffer.0.get_mut(..len) else { return Ok(false) };
            self.flash.read(block + offset as u32, part).await.map_err(StoreError::Flash)?;
            if part.iter().any(|byte| *byte != u8::MAX) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Anything that sequential-storage says of the bytes it found is no error here: they are none of
/// ours, or not whole.
fn unless_flash_failed<T, E>(
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

/// The bytes of an item's number.
pub(super) const NUMBER: usize = size_of::<u32>();

/// Room for the longest item, in words of up to 32 bytes.
const BUFFER: usize = (NUMBER + Record::MAX_LEN).next_multiple_of(32);

/// One item. Aligned, for flash drivers that would copy it through a buffer of their own otherwise;
/// wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
#[repr(align(4))]
pub(super) struct Buffer(pub(super) [u8; BUFFER]);

impl Buffer {
    pub(super) fn new() -> Self {
        Self([0; BUFFER])
    }
}
