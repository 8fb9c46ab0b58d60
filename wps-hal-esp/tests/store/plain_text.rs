//! A firmware with encryption finds settings that an earlier one has saved in plain text.

use embassy_futures::block_on;
use wps_core::{Loaded, Record};
use wps_hal_esp::store::FlashStore;

use super::encrypted::{KEY, contains, start};
use super::flash::{Flash, TornErase};
use super::{Failure, load, save, station};

type Small = Flash<4, 4, 150>;

/// The block for damaged records.
const DAMAGED_LEN: usize = 600;
const SECRET: &[u8] = b"correct horse";

fn encrypt_plain_text(flash: &mut Small) -> Result<(), Failure> {
    let store = FlashStore::new(flash, Small::ALL)?;
    block_on(store.with_format(start(KEY)).encrypt_plain_text())
}

/// Saves `count` records in plain text, then gets the firmware with encryption.
fn upgraded(count: usize) -> Small {
    let mut flash = Small::new();
    for index in 0..count {
        save(&mut flash, &station(&format!("network {index}"))).unwrap();
    }
    flash.key = Some(KEY);
    flash
}

fn newest(count: usize) -> Record {
    station(&format!("network {}", count - 1))
}

/// Someone who can write the flash could put such a record there.
#[test]
fn a_record_in_plain_text_is_not_accepted_and_not_lost() {
    let mut flash = upgraded(1);
    assert_eq!(load(&mut flash), Ok(Loaded::Corrupt));
    save(&mut flash, &station("new")).unwrap();
    assert_eq!(load(&mut flash), Ok(Loaded::Record(station("new"))));
    assert!(contains(&flash.bytes()[..DAMAGED_LEN], SECRET));
}

#[test]
fn settings_survive_the_upgrade_and_no_plain_text_is_left() {
    for count in 1..40 {
        let mut flash = upgraded(count);
        assert!(contains(flash.bytes(), SECRET));
        for _ in 0..3 {
            encrypt_plain_text(&mut flash).unwrap();
            assert_eq!(load(&mut flash), Ok(Loaded::Record(newest(count))));
            assert!(!contains(flash.bytes(), SECRET), "{count}");
        }
        save(&mut flash, &station("next")).unwrap();
        assert_eq!(load(&mut flash), Ok(Loaded::Record(station("next"))));
    }
}

/// The firmware with encryption has saved once, next to the records in plain text.
#[test]
fn plain_text_next_to_encrypted_records_is_erased_too() {
    for count in 1..20 {
        let mut flash = upgraded(count);
        save(&mut flash, &station("new")).unwrap();
        encrypt_plain_text(&mut flash).unwrap();
        assert_eq!(load(&mut flash), Ok(Loaded::Record(station("new"))));
        assert!(!contains(&flash.bytes()[DAMAGED_LEN..], SECRET), "{count}");
    }
}

#[test]
fn an_empty_or_damaged_store_is_left_alone() {
    let mut flash = upgraded(0);
    encrypt_plain_text(&mut flash).unwrap();
    assert_eq!(load(&mut flash), Ok(Loaded::Nothing));

    let mut flash = upgraded(3);
    let at = flash.bytes().windows(9).rposition(|bytes| bytes == b"network 2").unwrap();
    flash.bytes_mut()[at] ^= 1;
    let before = flash.bytes().to_vec();
    assert_eq!(load(&mut flash), Ok(Loaded::Corrupt));
    encrypt_plain_text(&mut flash).unwrap();
    assert!(before == flash.bytes(), "damaged settings were changed");
}

#[test]
fn settings_that_are_encrypted_already_cost_at_most_one_erase_per_block() {
    let mut flash = upgraded(1);
    encrypt_plain_text(&mut flash).unwrap();
    flash.take_stats();
    for _ in 0..10 {
        encrypt_plain_text(&mut flash).unwrap();
        let stats = flash.take_stats();
        assert_eq!((stats.bytes_written, stats.erases), (0, 0));
    }
}

/// The power fails at every step of the takeover, and again at every step of the next one.
#[test]
fn a_power_cut_loses_neither_the_settings_nor_leaves_plain_text() {
    let mut pairs = 0;
    for torn_erase in [TornErase::FromTheStart, TornErase::FromTheEnd, TornErase::Scattered] {
        // The log's first block; its second; the second, after a save with encryption.
        for (count, is_saved) in [(2, false), (12, false), (12, true)] {
            let (mut flash, mut newest) = (upgraded(count), newest(count));
            flash.torn_erase = torn_erase;
            if is_saved {
                newest = station("new");
                save(&mut flash, &newest).unwrap();
            }
            for first in 0.. {
                let mut flash = flash.clone();
                let completed = encrypt_plain_text_cut(&mut flash, first);
                // A written byte in the middle of the record is like its neighbors.
                for second in (0..).step_by(61) {
                    let mut flash = flash.clone();
                    let completed = encrypt_plain_text_cut(&mut flash, second);
                    encrypt_plain_text(&mut flash).unwrap();
                    let at = format!("{count}, {is_saved}, {torn_erase:?}: {first}, {second}");
                    assert_eq!(load(&mut flash), Ok(Loaded::Record(newest.clone())), "{at}");
                    assert!(!contains(&flash.bytes()[DAMAGED_LEN..], SECRET), "{at}");
                    pairs += 1;
                    if completed {
                        break;
                    }
                }
                if completed {
                    break;
                }
            }
        }
    }
    println!("{pairs} pairs of cuts");
}

/// Returns whether it was complete before the power failed.
fn encrypt_plain_text_cut(flash: &mut Small, steps: u32) -> bool {
    flash.steps_left = Some(steps);
    let completed = encrypt_plain_text(flash).is_ok();
    flash.steps_left = None;
    completed
}
