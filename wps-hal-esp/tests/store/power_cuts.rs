//! The power fails at every step of a save, and again at every step of the next save. Afterwards
//! there is the old record or the new one.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embassy_futures::block_on;
use wps_core::{Credentials, Loaded, Record, Secret, Settings, SettingsStore, Ssid};
use wps_hal_esp::store::FlashStore;

use super::encrypted::{KEY, check_nonces, repeat_seeds};
use super::flash::{Esp, Flash, TornErase};
use super::{load, longest, save, station};

const TORN_ERASES: [TornErase; 3] =
    [TornErase::FromTheStart, TornErase::FromTheEnd, TornErase::Scattered];

/// Saves with a power failure after `steps`. Returns whether the save was complete by then.
fn save_cut<const BLOCKS: usize, const WORD: usize, const WORDS: usize>(
    flash: &mut Flash<BLOCKS, WORD, WORDS>,
    record: &Record,
    steps: u32,
) -> bool {
    flash.steps_left = Some(steps);
    let completed = save(flash, record).is_ok();
    flash.steps_left = None;
    completed
}

/// Loads as a restart does, and checks that loading changes nothing.
fn load_read_only<const BLOCKS: usize, const WORD: usize, const WORDS: usize>(
    flash: &mut Flash<BLOCKS, WORD, WORDS>,
) -> Loaded {
    let before = flash.bytes().to_vec();
    let loaded = load(flash).unwrap();
    assert!(before == flash.bytes(), "load wrote");
    loaded
}

/// Starts from a store in which the records `before` were saved. Cuts a save at every step, and the
/// next save at every step, too. Returns the number of pairs of cuts.
fn cut_twice<const BLOCKS: usize, const WORD: usize, const WORDS: usize>(
    flash: Flash<BLOCKS, WORD, WORDS>,
    before: &[Record],
    records: [&Record; 2],
) -> usize {
    cut_twice_at_every(1, flash, before, records)
}

/// The same, but the second cut is only at every `interval`th step.
fn cut_twice_at_every<const BLOCKS: usize, const WORD: usize, const WORDS: usize>(
    interval: usize,
    mut flash: Flash<BLOCKS, WORD, WORDS>,
    before: &[Record],
    [new, newer]: [&Record; 2],
) -> usize {
    let mut old = Loaded::Nothing;
    for record in before {
        save(&mut flash, record).unwrap();
        old = Loaded::Record(record.clone());
    }
    let mut pairs = 0;
    for first in 0.. {
        let mut flash = flash.clone();
        let completed = save_cut(&mut flash, new, first);
        let found = load_read_only(&mut flash);
        let is_valid = found == Loaded::Record(new.clone()) || !completed && found == old;
        assert!(is_valid, "{} saves, cut at {first}: {found:?}", before.len());
        for second in (0..).step_by(interval) {
            let mut flash = flash.clone();
            let completed = save_cut(&mut flash, newer, second);
            let then = load_read_only(&mut flash);
            let is_valid = then == Loaded::Record(newer.clone()) || !completed && then == found;
            let at = format!("{} saves, cuts at {first} and {second}", before.len());
            assert!(is_valid, "{at}: {then:?} after {found:?}");
            save(&mut flash, &short(b'z')).unwrap();
            assert_eq!(load(&mut flash), Ok(Loaded::Record(short(b'z'))), "{at}");
            pairs += 1;
            if completed {
                break;
            }
        }
        if completed {
            break;
        }
    }
    pairs
}

/// The shortest record with a network, which has the fewest steps to cut at.
fn short(name: u8) -> Record {
    let network = Credentials { ssid: Ssid::new(&[name]).unwrap(), secret: Secret::Open };
    Record::Settled(Settings::Station { network })
}

/// Returns records of which two or three fill a block, so that a few of them fill the whole log.
fn records(count: u8) -> Vec<Record> {
    (0..count).map(|index| if index % 2 == 0 { longest(index) } else { short(index) }).collect()
}

#[test]
fn two_cuts_in_a_row_at_every_step() {
    let mut pairs = 0;
    for torn_erase in TORN_ERASES {
        for count in 0..8 {
            let mut flash = Flash::<3, 4, 150>::new();
            flash.torn_erase = torn_erase;
            pairs += cut_twice(flash, &records(count), [&short(b'a'), &short(b'b')]);
        }
    }
    println!("{pairs} pairs of cuts");
}

#[test]
fn two_cuts_in_a_row_of_the_longest_record() {
    let mut pairs = 0;
    let flash = Flash::<3, 4, 150>::new();
    pairs += cut_twice(flash.clone(), &records(2), [&longest(b'a'), &short(b'b')]);
    pairs += cut_twice(flash, &records(1), [&short(b'a'), &longest(b'b')]);
    println!("{pairs} pairs of cuts");
}

#[test]
fn two_cuts_in_a_row_in_words_of_other_sizes() {
    let mut pairs = 0;
    let both = [&short(b'a'), &short(b'b')];
    for count in 0..6 {
        pairs += cut_twice(Flash::<3, 1, 600>::new(), &records(count), both);
    }
    for count in [0, 3] {
        pairs += cut_twice(Flash::<4, 32, 24>::new(), &records(count), both);
    }
    println!("{pairs} pairs of cuts");
}

/// No nonce is used twice either, not even if both records were only written in part.
#[test]
fn two_cuts_in_a_row_with_encryption() {
    let mut pairs = 0;
    for torn_erase in TORN_ERASES {
        for count in [0, 2, 4] {
            let mut flash = Flash::<3, 4, 200>::new();
            flash.torn_erase = torn_erase;
            flash.key = Some(KEY);
            let records_before = records(count);
            // Each start of a device derives its keys, so this takes longer than without.
            pairs += cut_twice_at_every(29, flash, &records_before, [&short(b'a'), &short(b'b')]);
        }
    }
    println!("{pairs} pairs of cuts with encryption, {} nonces", check_nonces());
}

/// The random generator is so bad that it draws the same seed after each power cut.
#[test]
fn a_repeated_seed_repeats_a_nonce_only_for_the_same_record() {
    repeat_seeds();
    let mut flash = Flash::<3, 4, 200>::new();
    flash.key = Some(KEY);
    for round in 0..50 {
        let before = flash.clone();
        for steps in (0..).step_by(25) {
            flash = before.clone();
            save_cut(&mut flash, &station(&format!("{round} {steps}")), steps);
            if save_cut(&mut flash, &station(&format!("{round}, {steps} again")), steps) {
                break;
            }
        }
    }
    assert!(check_nonces() > 200);
}

/// Many cuts in a row, at pseudo-random steps.
#[test]
fn a_device_that_loses_power_again_and_again() {
    lose_power_again_and_again(Flash::new(), 3_000);
}

#[test]
fn a_device_with_encryption_that_loses_power_again_and_again() {
    let mut flash = Flash::new();
    flash.key = Some(KEY);
    lose_power_again_and_again(flash, 1_000);
    check_nonces();
}

fn lose_power_again_and_again(mut flash: Flash<4, 4, 150>, rounds: u32) {
    let mut seed = 1_u32;
    let mut random = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % below
    };
    let mut found = Loaded::Nothing;
    let mut complete_saves = 0;
    for round in 0..rounds {
        flash.torn_erase = TORN_ERASES[random(3) as usize];
        let record = match random(4) {
            0 => longest(round as u8),
            _ => station(&format!("{round:0width$}", width = 5 + random(20) as usize)),
        };
        let completed = save_cut(&mut flash, &record, random(250));
        complete_saves += u32::from(completed);
        let then = load_read_only(&mut flash);
        let new = Loaded::Record(record);
        assert!(
            then == new || !completed && then == found,
            "round {round}: {then:?} after {found:?}"
        );
        found = then;
    }
    println!("{complete_saves} saves were complete before the cut");
}

/// A dropped save has either happened, or it never happens.
#[test]
fn a_dropped_save_at_every_await() {
    for count in 0..8 {
        let mut flash = Flash::<3, 4, 150>::new();
        let mut old = Loaded::Nothing;
        for record in records(count) {
            save(&mut flash, &record).unwrap();
            old = Loaded::Record(record);
        }
        flash.yields = true;
        for polls in 0.. {
            let mut flash = flash.clone();
            let mut store = FlashStore::new(&mut flash, Flash::<3, 4, 150>::ALL).unwrap();
            let completed = poll_times(store.save(&short(b'a')), polls).is_some();
            let found = block_on(store.load()).unwrap();
            let new = Loaded::Record(short(b'a'));
            assert!(found == new || !completed && found == old, "{count}, {polls}: {found:?}");
            block_on(store.save(&short(b'b'))).unwrap();
            assert_eq!(block_on(store.load()), Ok(Loaded::Record(short(b'b'))));
            if completed {
                assert!(polls > 10, "the save was never pending");
                break;
            }
        }
    }
}

fn poll_times<F: Future>(future: F, polls: u32) -> Option<F::Output> {
    let mut future = pin!(future);
    (0..polls).find_map(|_| match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// sequential-storage, issue 136: if a cut leaves only the first word of a header, that word and
/// the header of the next item can form a valid header. This happens if the next item has the
/// checksum of this record. Then the item is written but not found.
#[test]
fn a_record_hidden_by_a_torn_header_is_written_again() {
    let mut flash = Esp::new();
    save(&mut flash, &station("old")).unwrap();
    assert!(!save_cut(&mut flash, &station("new"), 4));
    assert_eq!(load_read_only(&mut flash), Loaded::Record(station("old")));
    flash.take_stats();
    let hidden = station("phantom 1230237");
    save(&mut flash, &hidden).unwrap();
    assert_eq!(load_read_only(&mut flash), Loaded::Record(hidden));
    assert_eq!(flash.take_stats().erases, 1, "the record was not hidden");
}
