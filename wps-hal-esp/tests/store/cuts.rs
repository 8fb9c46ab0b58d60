//! The power goes at every step of a save, and again at every step of the one after it: afterwards
//! there is the old record or the new one.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embassy_futures::block_on;
use wps_core::{Credentials, Loaded, Record, Settings, SettingsStore, Ssid};
use wps_hal_esp::store::FlashStore;

use super::flash::{Erase, Esp, Flash};
use super::{load, longest, save, station};

const ERASES: [Erase; 3] = [Erase::FromTheBeginning, Erase::FromTheEnd, Erase::Scattered];

/// Saves with the power going after `steps`. Says whether it was over before that.
fn save_cut<const BLOCKS: usize, const WORD: usize, const WORDS: usize>(
    flash: &mut Flash<BLOCKS, WORD, WORDS>,
    record: &Record,
    steps: u32,
) -> bool {
    flash.power = Some(steps);
    let over = save(flash, record).is_ok();
    flash.power = None;
    over
}

/// What a restart finds. To look changes nothing.
fn restart<const BLOCKS: usize, const WORD: usize, const WORDS: usize>(
    flash: &mut Flash<BLOCKS, WORD, WORDS>,
) -> Loaded {
    let before = flash.bytes().to_vec();
    let loaded = load(flash).unwrap();
    assert!(before == flash.bytes(), "load wrote");
    loaded
}

/// Every cut of a save, and every cut of the next one, from a store in which `before` were saved.
/// Returns how many pairs there were.
fn cut_twice<const BLOCKS: usize, const WORD: usize, const WORDS: usize>(
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
        let over = save_cut(&mut flash, new, first);
        let found = restart(&mut flash);
        let as_it_should = found == Loaded::Record(new.clone()) || !over && found == old;
        assert!(as_it_should, "{} saves, cut at {first}: {found:?}", before.len());
        for second in 0.. {
            let mut flash = flash.clone();
            let over = save_cut(&mut flash, newer, second);
            let now = restart(&mut flash);
            let as_it_should = now == Loaded::Record(newer.clone()) || !over && now == found;
            let at = format!("{} saves, cuts at {first} and {second}", before.len());
            assert!(as_it_should, "{at}: {now:?} after {found:?}");
            save(&mut flash, &short(b'z')).unwrap();
            assert_eq!(load(&mut flash), Ok(Loaded::Record(short(b'z'))), "{at}");
            pairs += 1;
            if over {
                break;
            }
        }
        if over {
            break;
        }
    }
    pairs
}

/// The shortest record with a network: fewer steps to cut at.
fn short(name: u8) -> Record {
    let network = Credentials { ssid: Ssid::new(&[name]).unwrap(), passphrase: None };
    Record::Settled(Settings::Station { network })
}

/// Records of which two or three fill a block, so that a few of them go round the log.
fn records(count: u8) -> Vec<Record> {
    (0..count).map(|it| if it % 2 == 0 { longest(it) } else { short(it) }).collect()
}

#[test]
fn two_cuts_in_a_row_at_every_step() {
    let mut pairs = 0;
    for erase in ERASES {
        for count in 0..8 {
            let mut flash = Flash::<3, 4, 150>::new();
            flash.erase = erase;
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

/// Any number of cuts, at steps that look random.
#[test]
fn a_device_that_loses_its_power_all_the_time() {
    let mut seed = 1_u32;
    let mut random = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % below
    };
    let mut flash = Flash::<4, 4, 150>::new();
    let mut found = Loaded::Nothing;
    let mut survived = 0;
    for round in 0..3_000 {
        flash.erase = ERASES[random(3) as usize];
        let record = match random(4) {
            0 => longest(round as u8),
            _ => station(&format!("{round:0width$}", width = 5 + random(20) as usize)),
        };
        let over = save_cut(&mut flash, &record, random(250));
        survived += u32::from(over);
        let now = restart(&mut flash);
        let new = Loaded::Record(record);
        assert!(now == new || !over && now == found, "round {round}: {now:?} after {found:?}");
        found = now;
    }
    println!("{survived} saves were over before the cut");
}

/// As a save that is dropped: it has happened, or it never does.
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
            let over = poll_often(store.save(&short(b'a')), polls).is_some();
            let found = block_on(store.load()).unwrap();
            let new = Loaded::Record(short(b'a'));
            assert!(found == new || !over && found == old, "{count}, {polls}: {found:?}");
            block_on(store.save(&short(b'b'))).unwrap();
            assert_eq!(block_on(store.load()), Ok(Loaded::Record(short(b'b'))));
            if over {
                assert!(polls > 10, "the save was never pending");
                break;
            }
        }
    }
}

fn poll_often<F: Future>(future: F, polls: u32) -> Option<F::Output> {
    let mut future = pin!(future);
    (0..polls).find_map(|_| match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// sequential-storage, issue 136: a header of which a cut left the first word makes a whole one together
/// with the next item's, if that has the sum of this record: then the item is written and not found.
#[test]
fn a_record_that_a_torn_header_hides() {
    let mut flash = Esp::new();
    save(&mut flash, &station("old")).unwrap();
    assert!(!save_cut(&mut flash, &station("new"), 4));
    assert_eq!(restart(&mut flash), Loaded::Record(station("old")));
    flash.work();
    let hidden = station("phantom 1230237");
    save(&mut flash, &hidden).unwrap();
    assert_eq!(restart(&mut flash), Loaded::Record(hidden));
    assert_eq!(flash.work().erases, 1, "it was not hidden");
}
