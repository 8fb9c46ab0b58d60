//! Ranges and flashes that cannot hold a store.

use core::ops::Range;

use wps_hal_esp::store::FlashStore;

use super::flash::{Esp, Flash};
use super::{Failure, StoreError, load};

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
