//! Flash with a power switch. It adds faults to sequential-storage's flash in memory that this one
//! does not simulate.

use embassy_futures::yield_now;
use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use sequential_storage::mock_flash::{
    FlashStatsResult, FlashStatsSnapshot, MockFlashBase, MockFlashError, Operation, WriteCountCheck,
};

use super::encrypted::FakeKey;

/// Flash in memory. An erase block has `WORDS` words of `WORD` bytes.
pub(crate) type Memory<const BLOCKS: usize, const WORD: usize, const WORDS: usize> =
    MockFlashBase<BLOCKS, WORD, WORDS>;

/// The flash of an ESP32 as in esp-storage: words of 4 bytes, sectors of 4 KiB.
pub(crate) type Esp = Flash<3, 4, 1024>;

#[derive(Clone)]
pub(crate) struct Flash<const BLOCKS: usize, const WORD: usize, const WORDS: usize> {
    memory: Memory<BLOCKS, WORD, WORDS>,
    last_stats: FlashStatsSnapshot,
    /// Steps until the power fails. A written byte is one step, an erase is [`ERASE_STEPS`].
    pub(crate) steps_left: Option<u32>,
    /// What a power cut during an erase leaves of the block.
    pub(crate) torn_erase: TornErase,
    /// Yields between two words, as a driver with interrupts does.
    pub(crate) yields: bool,
    /// Writes to these addresses change nothing and return no error.
    pub(crate) worn: core::ops::Range<u32>,
    /// Erases do not change these bytes and return no error.
    pub(crate) stuck: core::ops::Range<usize>,
    /// Reads fail.
    pub(crate) unreadable: bool,
    /// The key that encrypts the records of the store on this flash, or `None` for plain text.
    pub(crate) key: Option<FakeKey>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TornErase {
    FromTheStart,
    FromTheEnd,
    Scattered,
}

pub(crate) const ERASE_STEPS: u32 = 8;

impl<const BLOCKS: usize, const WORD: usize, const WORDS: usize> Flash<BLOCKS, WORD, WORDS> {
    pub(crate) const ALL: core::ops::Range<u32> = 0..(BLOCKS * WORD * WORDS) as u32;

    pub(crate) fn new() -> Self {
        let memory = Memory::new(WriteCountCheck::OnceOnly, None, true);
        let last_stats = memory.stats_snapshot();
        let torn_erase = TornErase::FromTheStart;
        Self {
            memory,
            last_stats,
            steps_left: None,
            torn_erase,
            yields: false,
            worn: 0..0,
            stuck: 0..0,
            unreadable: false,
            key: None,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.as_bytes()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.as_bytes_mut()
    }

    /// Returns the statistics since the last call.
    pub(crate) fn take_stats(&mut self) -> FlashStatsResult {
        let now = self.memory.stats_snapshot();
        core::mem::replace(&mut self.last_stats, now).compare_to(now)
    }

    /// Uses up to `wanted` steps of power, and returns how many there were.
    fn use_steps(&mut self, wanted: u32) -> u32 {
        match &mut self.steps_left {
            None => wanted,
            Some(left) => {
                let used = wanted.min(*left);
                *left -= used;
                used
            }
        }
    }

    async fn maybe_yield(&self) {
        if self.yields {
            yield_now().await;
        }
    }
}

fn power_failure(at: u32, operation: Operation) -> MockFlashError {
    MockFlashError::EarlyShutoff(at, operation)
}

impl<const BLOCKS: usize, const WORD: usize, const WORDS: usize> ErrorType
    for Flash<BLOCKS, WORD, WORDS>
{
    type Error = MockFlashError;
}

impl<const BLOCKS: usize, const WORD: usize, const WORDS: usize> ReadNorFlash
    for Flash<BLOCKS, WORD, WORDS>
{
    const READ_SIZE: usize = WORD;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), MockFlashError> {
        if self.unreadable || self.steps_left == Some(0) {
            return Err(power_failure(offset, Operation::Read));
        }
        self.memory.read(offset, bytes).await
    }

    fn capacity(&self) -> usize {
        self.memory.capacity()
    }
}

impl<const BLOCKS: usize, const WORD: usize, const WORDS: usize> NorFlash
    for Flash<BLOCKS, WORD, WORDS>
{
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = WORD * WORDS;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), MockFlashError> {
        self.maybe_yield().await;
        let block = from as usize..to as usize;
        let before = self.bytes()[block.clone()].to_vec();
        let done = self.use_steps(ERASE_STEPS) as usize;
        self.memory.erase(from, to).await?;
        if block.start <= self.stuck.start && self.stuck.end <= block.end {
            let stuck = self.stuck.clone();
            let old = &before[stuck.start - block.start..stuck.end - block.start];
            self.bytes_mut()[stuck].copy_from_slice(old);
        }
        if done == ERASE_STEPS as usize {
            self.maybe_yield().await;
            return Ok(());
        }
        let (words, steps) = (before.len() / WORD, ERASE_STEPS as usize);
        for (word, old) in before.chunks(WORD).enumerate() {
            let is_erased = match self.torn_erase {
                TornErase::FromTheStart => word < words * done / steps,
                TornErase::FromTheEnd => word >= words - words * done / steps,
                TornErase::Scattered => word % steps < done,
            };
            if !is_erased {
                let at = block.start + word * WORD;
                self.bytes_mut()[at..at + WORD].copy_from_slice(old);
            }
        }
        Err(power_failure(from, Operation::Erase))
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), MockFlashError> {
        if self.worn.contains(&offset) {
            return Ok(());
        }
        if self.yields {
            for (index, word) in bytes.chunks(WORD).enumerate() {
                self.maybe_yield().await;
                let mut aligned = Aligned([0; 32]);
                aligned.0[..WORD].copy_from_slice(word);
                let at = offset + (index * WORD) as u32;
                self.memory.write(at, &aligned.0[..WORD]).await?;
            }
            self.maybe_yield().await;
            return Ok(());
        }
        let done = self.use_steps(bytes.len() as u32);
        if (done as usize) < bytes.len() {
            self.memory.bytes_until_shutoff = Some(done);
        }
        self.memory.write(offset, bytes).await
    }
}

#[repr(align(4))]
struct Aligned([u8; 32]);
