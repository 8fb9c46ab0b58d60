//! The flash store: what is saved is loaded, whatever happens in between.

mod bad_input;
mod cuts;
mod damage;
mod flash;
mod wear;

use embassy_futures::block_on;
use sequential_storage::mock_flash::MockFlashError;
use wps_core::{
    AccessPoint, Credentials, Loaded, Passphrase, Record, Settings, SettingsStore, Snapshot, Ssid,
};
use wps_hal_esp::store::{FlashStore, StoreError};

use flash::{Esp, Flash};

type Failure = StoreError<MockFlashError>;

fn load<const BLOCKS: usize, const WORD: usize, const WORDS: usize>(
    flash: &mut Flash<BLOCKS, WORD, WORDS>,
) -> Result<Loaded, Failure> {
    let range = Flash::<BLOCKS, WORD, WORDS>::ALL;
    block_on(FlashStore::new(flash, range)?.load())
}

fn save<const BLOCKS: usize, const WORD: usize, const WORDS: usize>(
    flash: &mut Flash<BLOCKS, WORD, WORDS>,
    record: &Record,
) -> Result<(), Failure> {
    let range = Flash::<BLOCKS, WORD, WORDS>::ALL;
    block_on(FlashStore::new(flash, range)?.save(record))
}

fn network(name: &[u8]) -> Credentials {
    let passphrase = Some(Passphrase::new(b"correct horse").unwrap());
    Credentials { ssid: Ssid::new(name).unwrap(), passphrase }
}

/// An ordinary record.
fn station(name: &str) -> Record {
    Record::Settled(Settings::Station { network: network(name.as_bytes()) })
}

/// As long as a record can be, told apart by a byte.
fn longest(mark: u8) -> Record {
    let passphrase = Some(Passphrase::new(&[b'f'; 64]).unwrap());
    let network = Credentials { ssid: Ssid::new(&[mark; 32]).unwrap(), passphrase };
    let access_point = AccessPoint { network: network.clone(), channel: Some(6) };
    let before = Settings::AccessPoint { access_point, remembered: Some(network) };
    Record::Pairing { before, snapshot: Snapshot::new(&[mark; Snapshot::MAX_LEN]).unwrap() }
}

#[test]
fn a_flash_fresh_from_the_maker_is_blank() {
    assert_eq!(load(&mut Esp::new()), Ok(Loaded::Nothing));
}

#[test]
fn what_is_saved_is_loaded_by_the_next_one() {
    let mut flash = Esp::new();
    for round in 0..1000 {
        let record =
            if round % 3 == 0 { longest(round as u8) } else { station(&format!("{round}")) };
        save(&mut flash, &record).unwrap();
        assert_eq!(load(&mut flash), Ok(Loaded::Record(record)), "round {round}");
    }
}

#[test]
fn words_and_erase_blocks_of_other_sizes_will_do() {
    fn serves<const BLOCKS: usize, const WORD: usize, const WORDS: usize>() {
        let mut flash = Flash::<BLOCKS, WORD, WORDS>::new();
        for round in 0..100 {
            save(&mut flash, &longest(round)).unwrap();
            assert_eq!(load(&mut flash), Ok(Loaded::Record(longest(round))), "round {round}");
        }
    }
    serves::<3, 1, 1024>(); // SPI flash behind a byte-wise driver
    serves::<5, 8, 256>(); // STM32L4, two sectors of 2 KiB and three more
    serves::<4, 32, 256>(); // STM32H7, made shorter
    serves::<3, 4, 150>(); // as short as can be
}

#[test]
fn a_range_made_longer_finds_its_record() {
    type Longer = Flash<6, 4, 256>;
    let mut flash = Longer::new();
    block_on(FlashStore::new(&mut flash, 0..3 * 1024).unwrap().save(&station("home"))).unwrap();
    assert_eq!(load(&mut flash), Ok(Loaded::Record(station("home"))));
}

#[test]
fn it_stays_within_its_range() {
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
