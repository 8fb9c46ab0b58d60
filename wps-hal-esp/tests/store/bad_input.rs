//! Ranges and flashes that cannot hold a store.

use core::ops::Range;

use embassy_futures::block_on;
use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use sequential_storage::mock_flash::MockFlashError;
use wps_core::{Loaded, SettingsStore};
use wps_hal_esp::store::FlashStore;

use super::flash::{Esp, Flash};
use super::{Failure, StoreError, load, station};

fn error_for<const BLOCKS: usize, const WORD: usize, const WORDS: usize>(
    range: Range<u32>,
) -> Failure {
    match FlashStore::new(&mut Flash::<BLOCKS, WORD, WORDS>::new(), range) {
        Ok(_) => panic!("accepted"),
        Err(error) => error,
    }
}

#[test]
fn a_partition_that_is_too_small_is_rejected_with_the_needed_size() {
    let error = error_for::<3, 4, 1024>(0..0x2000);
    assert_eq!(error, StoreError::TooSmall { len: 0x2000, needed: 0x3000 });
    let sentence =
        "a partition of 8192 bytes is too small: make it at least 12288, three erase blocks";
    assert_eq!(error.to_string(), sentence);
}

#[test]
fn a_range_without_whole_blocks_is_rejected() {
    for range in [0x800..0x3000, 0..0x2fff, 0x1000..0x4000, 0..u32::MAX, u32::MAX - 1..u32::MAX] {
        let error = error_for::<3, 4, 1024>(range.clone());
        let Range { start, end } = range;
        let expected = StoreError::Range { start, end, block: 0x1000, capacity: 0x3000 };
        assert_eq!(error, expected);
    }
    let error = error_for::<3, 4, 1024>(0x800..0x3000);
    let sentence = "0x800 to 0x3000 is not a range of this flash: begin and end it at a multiple of 0x1000, \
                    not beyond 0x3000";
    assert_eq!(error.to_string(), sentence);
}

#[test]
fn a_range_that_ends_before_it_starts_is_rejected() {
    let error = error_for::<3, 4, 1024>(Range { start: 0x3000, end: 0 });
    assert!(matches!(error, StoreError::Range { .. }), "{error}");
}

#[test]
fn erase_blocks_too_small_for_a_record_are_rejected() {
    let error = error_for::<8, 4, 64>(Flash::<8, 4, 64>::ALL);
    assert_eq!(error, StoreError::BlockTooSmall { block: 256, needed: 544 });
    let sentence = "erase blocks of 256 bytes are too small: use a flash with at least 544";
    assert_eq!(error.to_string(), sentence);
}

#[test]
fn unreadable_flash_is_an_error_and_not_an_empty_store() {
    let mut flash = Esp::new();
    flash.unreadable = true;
    assert!(matches!(load(&mut flash), Err(StoreError::Flash(_))));
}

/// A partition that the chip encrypts: it decrypts what is read, also erased flash. esp-storage
/// writes whole sectors (`WORD` is 4096), other drivers the smallest piece that the chip encrypts.
struct EncryptedPartition<const WORD: usize>(Esp);

impl<const WORD: usize> ErrorType for EncryptedPartition<WORD> {
    type Error = MockFlashError;
}

impl<const WORD: usize> ReadNorFlash for EncryptedPartition<WORD> {
    const READ_SIZE: usize = 4;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), MockFlashError> {
        self.0.read(offset, bytes).await?;
        for (at, byte) in (offset..).zip(bytes) {
            *byte ^= (at.wrapping_mul(2_654_435_761) >> 13) as u8;
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<const WORD: usize> NorFlash for EncryptedPartition<WORD> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = 4096;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), MockFlashError> {
        self.0.erase(from, to).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), MockFlashError> {
        self.0.write(offset, bytes).await
    }
}

#[test]
fn an_encrypted_partition_is_refused_and_says_what_to_do() {
    let flash = EncryptedPartition::<4096>(Esp::new());
    let error = FlashStore::new(flash, Esp::ALL).err().unwrap();
    assert_eq!(error, StoreError::WriteSize { write: 4096, max: 32 });
    let sentence = "this flash writes 4096 bytes at a time, as an encrypted partition does, and \
                    the store needs words of at most 32: remove the flag `encrypted` from the \
                    partition, and let the store encrypt the records";
    assert_eq!(error.to_string(), sentence);
}

#[test]
fn an_encrypted_partition_with_short_words_is_refused_by_the_first_save() {
    let mut store = FlashStore::new(EncryptedPartition::<16>(Esp::new()), Esp::ALL).unwrap();
    assert_eq!(block_on(store.load()), Ok(Loaded::Corrupt), "noise is not an empty store");
    for _ in 0..2 {
        assert_eq!(block_on(store.save(&station("home"))), Err(StoreError::NotErased));
    }
    let sentence = "an erased block does not read as ones: if the partition is encrypted, remove \
                    its flag `encrypted`, and let the store encrypt the records; otherwise the flash \
                    is protected against writing, or worn out";
    assert_eq!(StoreError::<MockFlashError>::NotErased.to_string(), sentence);
}
