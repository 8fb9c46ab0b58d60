//! Flash with a power switch: sequential-storage's flash in memory, and what it does not show.

use embassy_futures::yield_now;
use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use sequential_storage::mock_flash::{
    FlashStatsResult, FlashStatsSnapshot, MockFlashBase, MockFlashError, Operation, WriteCountCheck,
};

/// `WORDS` words of `WORD` bytes are an erase block.
pub(crate) type Memory<const BLOCKS: usize, const WORD: usize, const WORDS: usize> =
    MockFlashBase<BLOCKS, WORD, WORDS>;

/// The flash of an ESP32, as esp-storage has it: words of 4 bytes, sectors of 4 KiB.
pub(crate) type Esp = Flash<3, 4, 1024>;

#[derive(Clone)]
pub(crate) struct Flash<const BLOCKS: usize, const WORD: usize, const WORDS: usize> {
    memory: Memory<BLOCKS, WORD, WORDS>,
    begun: FlashStatsSnapshot,
    /// Steps until the power goes: a written byte is one, an erase is [`ERASE_STEPS`].
    pub(crate) power: Option<u32>,
    /// What a cut leaves of a block that is being erased.
    pub(crate) erase: Erase,
    /// Lets go of the processor between two words, as a driver with interrupts does.
    pub(crate) yields: bool,
    /// Writes to these addresses change nothing, and nobody says so.
    pub(crate) worn: core::ops::Range<u32>,
    /// Reads fail.
    pub(crate) unreadable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Erase {
    FromTheBeginning,
    FromTheEnd,
    Scattered,
}

pub(crate) const ERASE_STEPS: u32 = 8;

impl<const BLOCKS: usize, const WORD: usize, const WORDS: usize> Flash<BLOCKS, WORD, WORDS> {
    pub(crate) const ALL: core::ops::Range<u32> = 0..(BLOCKS * WORD * WORDS) as u32;

    pub(crate) fn new() -> Self {
        let memory = Memory::new(WriteCountCheck::OnceOnly, None, true);
        let begun = memory.stats_snapshot();
        let erase = Erase::FromTheBeginning;
        Self { memory, begun, power: None, erase, yields: false, worn: 0..0, unreadable: false }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.as_bytes()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.as_bytes_mut()
    }

    /// What was done since the last call.
    pub(crate) fn work(&mut self) -> FlashStatsResult {
        let now = self.memory.stats_snapshot();
        core::mem::replace(&mut self.begun, now).compare_to(now)
    }

    /// How many of `wanted` steps there is power for.
    fn spend(&mut self, wanted: u32) -> u32 {
        match &mut self.power {
            None => wanted,
            Some(left) => {
                let spent = wanted.min(*left);
                *left -= spent;
                spent
            }
        }
    }

    async fn pause(&self) {
        if self.yields {
            yield_now().await;
        }
    }
}

fn dark(at: u32, doing: Operation) -> MockFlashError {
    MockFlashError::EarlyShutoff(at, doing)
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
        if self.unreadable || self.power == Some(0) {
            return Err(dark(offset, Operation::Read));
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
        self.pause().await;
        let block = from as usize..to as usize;
        let before = self.bytes()[block.clone()].to_vec();
        let done = self.spend(ERASE_STEPS) as usize;
        self.memory.erase(from, to).await?;
        if done == ERASE_STEPS as usize {
            self.pause().await;
            return Ok(());
        }
        let (words, steps) = (before.len() / WORD, ERASE_STEPS as usize);
        for (word, was) in before.chunks(WORD).enumerate() {
            let gone = match self.erase {
                Erase::FromTheBeginning => word < words * done / steps,
                Erase::FromTheEnd => word >= words - words * done / steps,
                Erase::Scattered => word % steps < done,
            };
            if !gone {
                let at = block.start + word * WORD;
                self.bytes_mut()[at..at + WORD].copy_from_slice(was);
            }
        }
        Err(dark(from, Operation::Erase))
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), MockFlashError> {
        if self.worn.contains(&offset) {
            return Ok(());
        }
        if self.yields {
            for (index, word) in bytes.chunks(WORD).enumerate() {
                self.pause().await;
                let mut aligned = Aligned([0; 32]);
                aligned.0[..WORD].copy_from_slice(word);
                let at = offset + (index * WORD) as u32;
                self.memory.write(at, &aligned.0[..WORD]).await?;
            }
            self.pause().await;
            return Ok(());
        }
        let done = self.spend(bytes.len() as u32);
        if (done as usize) < bytes.len() {
            self.memory.bytes_until_shutoff = Some(done);
        }
        self.memory.write(offset, bytes).await
    }
}

#[repr(align(4))]
struct Aligned([u8; 32]);
