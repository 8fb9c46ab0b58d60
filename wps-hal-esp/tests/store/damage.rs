//! Bytes in flash that are no record, or not whole.

use core::ops::Range;

use embassy_futures::block_on;
use sequential_storage::cache::Cache;
use sequential_storage::queue::{QueueConfig, QueueStorage};
use wps_core::{Loaded, Record};

use super::flash::Flash;
use super::{Failure, StoreError, load, longest, save, station};

type Small = Flash<3, 4, 150>;

/// The blocks of [`Small`]: the one for damaged records, then the log.
const ASIDE: Range<u32> = 0..600;
const LOG: Range<u32> = 600..1200;

/// Appends to a block, past the store.
fn put(flash: &mut Small, block: Range<u32>, item: &[u8]) {
    let mut aligned = Box::new(Aligned([0; 544]));
    aligned.0[..item.len()].copy_from_slice(item);
    let mut queue = QueueStorage::new(flash, QueueConfig::new(block), Cache::new_uncached());
    block_on(queue.push(&aligned.0[..item.len()], false)).unwrap();
}

/// The items of a block.
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

/// A record under its number, as the store writes it.
fn numbered(number: u32, record: &[u8]) -> Vec<u8> {
    [&number.to_le_bytes(), record].concat()
}

fn encoded(record: &Record) -> Vec<u8> {
    record.with_encoded(<[u8]>::to_vec).unwrap()
}

/// A whole record that another version of this software wrote.
fn of_version(version: u8) -> Vec<u8> {
    let mut bytes = vec![version, 1, 2, 3];
    let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// Loads, and sees that it changed nothing.
fn look(flash: &mut Small) -> Result<Loaded, Failure> {
    let before = flash.bytes().to_vec();
    let loaded = load(flash);
    assert!(before == flash.bytes(), "load wrote");
    loaded
}

#[test]
fn corrupt_truncated_older_and_newer_records_are_kept_aside_by_the_next_save() {
    let whole = encoded(&station("home"));
    let truncated = whole[..whole.len() - 1].to_vec();
    let mut spoilt = whole.clone();
    spoilt[7] ^= 1;
    for bad in [of_version(0), of_version(2), truncated, spoilt, vec![0], vec![0xff; 516]] {
        let mut flash = Small::new();
        save(&mut flash, &station("older")).unwrap();
        let item = numbered(7, &bad);
        put(&mut flash, if bad.len() < 400 { LOG } else { 1200..1800 }, &item);
        assert_eq!(look(&mut flash), Ok(Loaded::Corrupt), "{bad:?}");
        assert_eq!(look(&mut flash), Ok(Loaded::Corrupt), "{bad:?}, once more");
        save(&mut flash, &station("newer")).unwrap();
        assert_eq!(look(&mut flash), Ok(Loaded::Record(station("newer"))));
        assert_eq!(items(&mut flash, ASIDE), std::slice::from_ref(&item));
        // For good.
        for round in 0..50 {
            save(&mut flash, &longest(round)).unwrap();
        }
        assert_eq!(items(&mut flash, ASIDE), [item]);
    }
}

#[test]
fn each_is_kept_beside_the_others_until_there_is_no_room() {
    let mut flash = Small::new();
    let bad = |number| numbered(number, &[number as u8; 180]);
    for round in 1..=5 {
        // A block of the log with room for it: there is one after a while.
        let block = loop {
            save(&mut flash, &station("before")).unwrap();
            let room = |block: &Range<u32>| {
                let used = items(&mut flash.clone(), block.clone());
                used.iter().map(|item| item.len() + 12).sum::<usize>() < 300
            };
            if let Some(block) = [LOG, 1200..1800].into_iter().find(room) {
                break block;
            }
        };
        put(&mut flash, block, &bad(round * 100));
        assert_eq!(look(&mut flash), Ok(Loaded::Corrupt));
        save(&mut flash, &station("after")).unwrap();
        assert_eq!(look(&mut flash), Ok(Loaded::Record(station("after"))));
    }
    assert_eq!(items(&mut flash, ASIDE), [bad(100), bad(200), bad(300)]);
}

#[test]
fn a_cut_while_it_is_put_aside_loses_nothing() {
    let mut before = Small::new();
    save(&mut before, &station("older")).unwrap();
    let bad = numbered(9, &of_version(2));
    put(&mut before, LOG, &bad);
    for steps in 0.. {
        let mut flash = before.clone();
        flash.power = Some(steps);
        let over = save(&mut flash, &station("newer")).is_ok();
        flash.power = None;
        let found = look(&mut flash).unwrap();
        let newer = Loaded::Record(station("newer"));
        assert!(found == newer || !over && found == Loaded::Corrupt, "{steps}: {found:?}");
        save(&mut flash, &station("newer")).unwrap();
        assert!(items(&mut flash, ASIDE).contains(&bad), "{steps}");
        if over {
            break;
        }
    }
}

/// Whatever bit of the flash tips over: the newest record, or the word that it is damaged. Neither an
/// older one nor a blank device.
#[test]
fn no_flipped_bit_brings_back_an_older_record() {
    let mut whole = Small::new();
    for name in ["first", "second", "third", "fourth", "fifth"] {
        save(&mut whole, &station(name)).unwrap();
    }
    let fifth = Loaded::Record(station("fifth"));
    let mut damaged = 0;
    for at in 0..whole.bytes().len() {
        for bit in 0..8 {
            let mut flash = whole.clone();
            flash.bytes_mut()[at] ^= 1 << bit;
            let found = look(&mut flash).unwrap();
            assert!(found == fifth || found == Loaded::Corrupt, "bit {bit} of {at}: {found:?}");
            damaged += u32::from(found == Loaded::Corrupt);
            // One of each byte: a save after it is as good as any.
            if bit == at % 8 {
                save(&mut flash, &station("sixth")).unwrap();
                assert_eq!(look(&mut flash), Ok(Loaded::Record(station("sixth"))), "{at}");
            }
        }
    }
    // Its number, its bytes and their sum at the least.
    let least = 8 * numbered(0, &encoded(&station("fifth"))).len() as u32;
    assert!(damaged >= least, "{damaged} of at least {least} were noticed");
}

/// A partition that was something else's before.
#[test]
fn what_was_there_before_is_left_alone_until_the_first_save() {
    let text = b"It was a dark and stormy night; the rain fell in torrents. ";
    let random = |at: usize| (at.wrapping_mul(2_654_435_761) >> 13) as u8;
    let patterns: [&dyn Fn(usize) -> u8; 5] = [
        &|_| 0,
        &random,
        &|at| text[at % text.len()],
        // Pages that begin or end with a word of zeros: marks that sequential-storage would mend.
        &|at| if at % 600 < 4 { 0 } else { 0xa5 },
        &|at| if at % 600 >= 596 { 0 } else { 0xff },
    ];
    for (index, pattern) in patterns.iter().enumerate() {
        let mut flash = Small::new();
        flash.bytes_mut().iter_mut().enumerate().for_each(|(at, byte)| *byte = pattern(at));
        assert_eq!(look(&mut flash), Ok(Loaded::Corrupt), "pattern {index}");
        for round in 0..10 {
            save(&mut flash, &longest(round)).unwrap();
            assert_eq!(look(&mut flash), Ok(Loaded::Record(longest(round))), "pattern {index}");
        }
    }
}

#[test]
fn a_block_that_does_not_keep_what_is_written_is_left() {
    let mut flash = Small::new();
    save(&mut flash, &station("old")).unwrap();
    flash.worn = LOG;
    save(&mut flash, &station("new")).unwrap();
    assert_eq!(look(&mut flash), Ok(Loaded::Record(station("new"))));
}

#[test]
fn a_flash_that_keeps_nothing_is_an_error_and_the_old_record_stays() {
    let mut flash = Small::new();
    save(&mut flash, &station("old")).unwrap();
    flash.worn = Small::ALL;
    for _ in 0..3 {
        assert_eq!(save(&mut flash, &station("new")), Err(StoreError::Worn));
        assert_eq!(look(&mut flash), Ok(Loaded::Record(station("old"))));
    }
}
