//! Bytes in flash that are not a record, or not a complete one.

use core::ops::Range;

use embassy_futures::block_on;
use sequential_storage::cache::Cache;
use sequential_storage::queue::{QueueConfig, QueueStorage};
use wps_core::{Loaded, Record};

use super::flash::Flash;
use super::{Failure, StoreError, load, longest, save, station};

type Small = Flash<3, 4, 150>;

/// The block of [`Small`] for damaged records.
const DAMAGED: Range<u32> = 0..600;
/// The two blocks of its log.
const LOG: Range<u32> = 600..1200;
const SECOND_LOG: Range<u32> = 1200..1800;

/// Appends an item to a block, without the store.
fn append_item(flash: &mut Small, block: Range<u32>, item: &[u8]) {
    let mut aligned = Box::new(Aligned([0; 544]));
    aligned.0[..item.len()].copy_from_slice(item);
    let mut queue = QueueStorage::new(flash, QueueConfig::new(block), Cache::new_uncached());
    block_on(queue.push(&aligned.0[..item.len()], false)).unwrap();
}

/// Returns the items of a block.
fn items(flash: &mut Small, block: Range<u32>) -> Vec<Vec<u8>> {
    let mut queue = QueueStorage::new(flash, QueueConfig::new(block), Cache::new_uncached());
    block_on(async {
        let (mut all, mut buffer) = (Vec::new(), [0; 544]);
        let mut items = queue.iter().await.unwrap();
        while let Some(item) = items.next(&mut buffer).await.unwrap() {
            all.push(item.to_vec());
        }
        all
    })
}

#[repr(align(4))]
struct Aligned([u8; 544]);

/// Returns a record with its number, as the store writes it.
fn numbered(number: u32, record: &[u8]) -> Vec<u8> {
    [&number.to_le_bytes(), record].concat()
}

fn encoded(record: &Record) -> Vec<u8> {
    record.with_encoded(<[u8]>::to_vec).unwrap()
}

/// Returns a complete record of another version of this software.
fn of_version(version: u8) -> Vec<u8> {
    let mut bytes = vec![version, 1, 2, 3];
    let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// Loads, and checks that loading changes nothing.
fn load_read_only(flash: &mut Small) -> Result<Loaded, Failure> {
    let before = flash.bytes().to_vec();
    let loaded = load(flash);
    assert!(before == flash.bytes(), "load wrote");
    loaded
}

#[test]
fn the_next_save_preserves_corrupt_truncated_older_and_newer_records() {
    let complete = encoded(&station("home"));
    let truncated = complete[..complete.len() - 1].to_vec();
    let mut corrupt = complete.clone();
    corrupt[7] ^= 1;
    for bad in [of_version(0), of_version(2), truncated, corrupt, vec![0], vec![0xff; 516]] {
        let mut flash = Small::new();
        save(&mut flash, &station("older")).unwrap();
        let item = numbered(7, &bad);
        append_item(&mut flash, if bad.len() < 400 { LOG } else { SECOND_LOG }, &item);
        assert_eq!(load_read_only(&mut flash), Ok(Loaded::Corrupt), "{bad:?}");
        assert_eq!(load_read_only(&mut flash), Ok(Loaded::Corrupt), "{bad:?}, second load");
        save(&mut flash, &station("newer")).unwrap();
        assert_eq!(load_read_only(&mut flash), Ok(Loaded::Record(station("newer"))));
        assert_eq!(items(&mut flash, DAMAGED), std::slice::from_ref(&item));
        // It stays there.
        for round in 0..50 {
            save(&mut flash, &longest(round)).unwrap();
        }
        assert_eq!(items(&mut flash, DAMAGED), [item]);
    }
}

#[test]
fn each_damaged_record_is_preserved_until_there_is_no_room() {
    let mut flash = Small::new();
    let bad = |number| numbered(number, &[number as u8; 180]);
    for round in 1..=5 {
        // Saves until a block of the log has room for the damaged record.
        let block = loop {
            save(&mut flash, &station("before")).unwrap();
            let has_room = |block: &Range<u32>| {
                let used = items(&mut flash.clone(), block.clone());
                used.iter().map(|item| item.len() + 12).sum::<usize>() < 300
            };
            if let Some(block) = [LOG, SECOND_LOG].into_iter().find(has_room) {
                break block;
            }
        };
        append_item(&mut flash, block, &bad(round * 100));
        assert_eq!(load_read_only(&mut flash), Ok(Loaded::Corrupt));
        save(&mut flash, &station("after")).unwrap();
        assert_eq!(load_read_only(&mut flash), Ok(Loaded::Record(station("after"))));
    }
    assert_eq!(items(&mut flash, DAMAGED), [bad(100), bad(200), bad(300)]);
}

#[test]
fn a_power_cut_while_a_damaged_record_is_preserved_loses_nothing() {
    let mut before = Small::new();
    save(&mut before, &station("older")).unwrap();
    let bad = numbered(9, &of_version(2));
    append_item(&mut before, LOG, &bad);
    for steps in 0.. {
        let mut flash = before.clone();
        flash.steps_left = Some(steps);
        let completed = save(&mut flash, &station("newer")).is_ok();
        flash.steps_left = None;
        let found = load_read_only(&mut flash).unwrap();
        let newer = Loaded::Record(station("newer"));
        assert!(found == newer || !completed && found == Loaded::Corrupt, "{steps}: {found:?}");
        save(&mut flash, &station("newer")).unwrap();
        assert!(items(&mut flash, DAMAGED).contains(&bad), "{steps}");
        if completed {
            break;
        }
    }
}

/// Whichever bit of the flash flips, `load` returns the newest record or reports that it is
/// damaged. It returns neither an older record nor an empty store.
#[test]
fn no_flipped_bit_brings_back_an_older_record() {
    let mut intact = Small::new();
    for name in ["first", "second", "third", "fourth", "fifth"] {
        save(&mut intact, &station(name)).unwrap();
    }
    let fifth = Loaded::Record(station("fifth"));
    let mut damaged = 0;
    for at in 0..intact.bytes().len() {
        for bit in 0..8 {
            let mut flash = intact.clone();
            flash.bytes_mut()[at] ^= 1 << bit;
            let found = load_read_only(&mut flash).unwrap();
            assert!(found == fifth || found == Loaded::Corrupt, "bit {bit} of {at}: {found:?}");
            damaged += u32::from(found == Loaded::Corrupt);
            // For one bit of each byte, check that a save after it works, too.
            if bit == at % 8 {
                save(&mut flash, &station("sixth")).unwrap();
                assert_eq!(
                    load_read_only(&mut flash),
                    Ok(Loaded::Record(station("sixth"))),
                    "{at}"
                );
            }
        }
    }
    // At least its number, its bytes and their checksum.
    let least = 8 * numbered(0, &encoded(&station("fifth"))).len() as u32;
    assert!(damaged >= least, "{damaged} of at least {least} were noticed");
}

/// A partition that something else has used before.
#[test]
fn earlier_contents_are_left_alone_until_the_first_save() {
    let text = b"It was a dark and stormy night; the rain fell in torrents. ";
    let random = |at: usize| (at.wrapping_mul(2_654_435_761) >> 13) as u8;
    let patterns: [&dyn Fn(usize) -> u8; 5] = [
        &|_| 0,
        &random,
        &|at| text[at % text.len()],
        // Pages that begin or end with a word of zeros: marks that sequential-storage would repair.
        &|at| if at % 600 < 4 { 0 } else { 0xa5 },
        &|at| if at % 600 >= 596 { 0 } else { 0xff },
    ];
    for (index, pattern) in patterns.iter().enumerate() {
        let mut flash = Small::new();
        flash.bytes_mut().iter_mut().enumerate().for_each(|(at, byte)| *byte = pattern(at));
        assert_eq!(load_read_only(&mut flash), Ok(Loaded::Corrupt), "pattern {index}");
        for round in 0..10 {
            save(&mut flash, &longest(round)).unwrap();
            assert_eq!(
                load_read_only(&mut flash),
                Ok(Loaded::Record(longest(round))),
                "pattern {index}"
            );
        }
    }
}

#[test]
fn a_worn_block_is_not_used_any_more() {
    let mut flash = Small::new();
    save(&mut flash, &station("old")).unwrap();
    flash.worn = LOG;
    save(&mut flash, &station("new")).unwrap();
    assert_eq!(load_read_only(&mut flash), Ok(Loaded::Record(station("new"))));
}

/// The copy of the damaged record is optional, the new record is not.
#[test]
fn a_worn_block_for_damaged_records_does_not_keep_the_next_one_from_being_saved() {
    let mut flash = Small::new();
    save(&mut flash, &station("older")).unwrap();
    append_item(&mut flash, LOG, &numbered(7, &of_version(2)));
    flash.bytes_mut()[..600].fill(0x5a);
    flash.stuck = 0..600;
    assert_eq!(load(&mut flash).unwrap(), Loaded::Corrupt);
    save(&mut flash, &station("home")).unwrap();
    assert_eq!(load(&mut flash).unwrap(), Loaded::Record(station("home")));
}

#[test]
fn a_worn_flash_is_an_error_and_the_old_record_stays() {
    let mut flash = Small::new();
    save(&mut flash, &station("old")).unwrap();
    flash.worn = Small::ALL;
    for _ in 0..3 {
        assert_eq!(save(&mut flash, &station("new")), Err(StoreError::Worn));
        assert_eq!(load_read_only(&mut flash), Ok(Loaded::Record(station("old"))));
    }
}
