//! The flash store: what was saved is loaded, whatever happens in between.

mod bad_input;
mod damage;
mod encrypted;
mod flash;
mod key;
mod plain_text;
mod power_cuts;
mod wear;

use embassy_futures::block_on;
use sequential_storage::mock_flash::MockFlashError;
use wps_core::{AccessPoint, Loaded, Record, Settings, SettingsStore, Snapshot};
use wps_hal_esp::store::{FlashStore, StoreError};
use wps_testkit::network;

use encrypted::{Reader, Recorder};
use flash::{Esp, Flash};

type Failure = StoreError<MockFlashError>;

/// Loads as a device does that has just started.
fn load<const BLOCKS: usize, const WORD: usize, const WORDS: usize>(
    flash: &mut Flash<BLOCKS, WORD, WORDS>,
) -> Result<Loaded, Failure> {
    let key = flash.key;
    let store = FlashStore::new(flash, Flash::<BLOCKS, WORD, WORDS>::ALL)?;
    match key {
        None => block_on({ store }.load()),
        Some(key) => block_on(store.with_format(Reader::new(key)).load()),
    }
}

/// Saves as a device does that has just started.
fn save<const BLOCKS: usize, const WORD: usize, const WORDS: usize>(
    flash: &mut Flash<BLOCKS, WORD, WORDS>,
    record: &Record,
) -> Result<(), Failure> {
    let key = flash.key;
    let store = FlashStore::new(flash, Flash::<BLOCKS, WORD, WORDS>::ALL)?;
    match key {
        None => block_on({ store }.save(record)),
        Some(key) => block_on(store.with_format(Recorder::new(key)).save(record)),
    }
}

/// An ordinary record.
fn station(name: &str) -> Record {
    Record::Settled(wps_testkit::station(network(name.as_bytes(), b"correct horse")))
}

/// A record of the greatest length. `mark` makes it unique.
fn longest(mark: u8) -> Record {
    let network = network(&[mark; 32], &[b'f'; 64]);
    let access_point = AccessPoint { network: network.clone(), channel: Some(6) };
    let before = Settings::AccessPoint { access_point, remembered: Some(network) };
    Record::Pairing { before, snapshot: Snapshot::new(&[mark; Snapshot::MAX_LEN]).unwrap() }
}

#[test]
fn a_new_flash_contains_nothing() {
    assert_eq!(load(&mut Esp::new()), Ok(Loaded::Nothing));
}

#[test]
fn a_saved_record_is_loaded_by_the_next_store() {
    let mut flash = Esp::new();
    for round in 0..1000 {
        let record =
            if round % 3 == 0 { longest(round as u8) } else { station(&format!("{round}")) };
        save(&mut flash, &record).unwrap();
        assert_eq!(load(&mut flash), Ok(Loaded::Record(record)), "round {round}");
    }
}

#[test]
fn words_and_erase_blocks_of_other_sizes_work() {
    fn check<const BLOCKS: usize, const WORD: usize, const WORDS: usize>() {
        let mut flash = Flash::<BLOCKS, WORD, WORDS>::new();
        for round in 0..100 {
            save(&mut flash, &longest(round)).unwrap();
            assert_eq!(load(&mut flash), Ok(Loaded::Record(longest(round))), "round {round}");
        }
    }
    check::<3, 1, 1024>(); // SPI flash with a driver that writes single bytes
    check::<5, 8, 256>(); // STM32L4, five sectors of 2 KiB
    check::<4, 32, 256>(); // STM32H7, with shorter sectors
    check::<3, 4, 150>(); // nearly the smallest size
}

#[test]
fn a_longer_range_finds_the_record_of_a_shorter_one() {
    type Longer = Flash<6, 4, 256>;
    let mut flash = Longer::new();
    block_on(FlashStore::new(&mut flash, 0..3 * 1024).unwrap().save(&station("home"))).unwrap();
    assert_eq!(load(&mut flash), Ok(Loaded::Record(station("home"))));
}

#[test]
fn the_store_stays_within_its_range() {
    let mut flash = Flash::<7, 4, 256>::new();
    flash.bytes_mut().fill(0x5a);
    let range = 2 * 1024..5 * 1024;
    for round in 0..100 {
        let mut store = FlashStore::new(&mut flash, range.clone()).unwrap();
        block_on(store.save(&longest(round))).unwrap();
    }
    let (before, after) = (&flash.bytes()[..2 * 1024], &flash.bytes()[5 * 1024..]);
    assert!(before.iter().chain(after).all(|byte| *byte == 0x5a));
}
