//! Encrypted records: no nonce is used twice, and nothing can be read or changed without the key.

use core::cell::{Cell, RefCell};
use core::convert::Infallible;
use std::collections::HashMap;
use std::rc::Rc;

use embassy_futures::block_on;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wps_core::{Loaded, Record, SettingsStore};
use wps_hal_esp::store::{Encrypted, FlashStore, HmacKey, KeyState, PlainText, RecordFormat};

use super::flash::Esp;
use super::{load, longest, save, station};

/// A key block, with the HMAC in software.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FakeKey {
    pub(crate) state: KeyState,
    pub(crate) key: [u8; 32],
}

impl FakeKey {
    pub(crate) const fn of(key: u8) -> Self {
        Self { state: KeyState::Protected, key: [key; 32] }
    }
}

impl HmacKey for FakeKey {
    type Error = Infallible;

    fn state(&self) -> KeyState {
        self.state
    }

    fn hmac(&mut self, message: &[u8; 32]) -> Result<[u8; 32], Infallible> {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&self.key).unwrap();
        hmac.update(message);
        Ok(hmac.finalize().into_bytes().into())
    }
}

pub(crate) const KEY: FakeKey = FakeKey::of(7);
pub(crate) const DEVICE: &[u8] = &[0x60, 0x55, 0xf9, 0x0a, 0xb1, 0xc2];

thread_local! {
    static READERS: RefCell<HashMap<[u8; 32], Rc<Encrypted>>> = RefCell::default();
    /// How often a device has started in this test.
    static STARTS: Cell<u64> = const { Cell::new(0) };
    /// The random generator draws the same seed at each start.
    static REPEATS_SEEDS: Cell<bool> = const { Cell::new(false) };
    /// All encrypted records of this test, by their nonces, also those that were only written in
    /// part.
    static BY_NONCE: RefCell<HashMap<Vec<u8>, Vec<Vec<u8>>>> = RefCell::default();
    static FIRST_RECORD: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// [`Encrypted`] that remembers what it has encrypted.
pub(crate) struct Recorder(Encrypted);

impl Recorder {
    pub(crate) fn new(key: FakeKey) -> Self {
        Self(start(key))
    }
}

impl RecordFormat for Recorder {
    fn encode(&mut self, record: &Record, buffer: &mut [u8]) -> Option<usize> {
        let len = self.0.encode(record, buffer)?;
        let bytes = buffer[..len].to_vec();
        FIRST_RECORD.with_borrow_mut(|first| _ = first.get_or_insert_with(|| bytes.clone()));
        BY_NONCE.with_borrow_mut(|all| all.entry(bytes[1..25].to_vec()).or_default().push(bytes));
        Some(len)
    }

    fn decode(&self, bytes: &[u8]) -> Option<Record> {
        self.0.decode(bytes)
    }
}

/// Only reads. Its keys are derived once, and not at each start of the device.
pub(crate) struct Reader(Rc<Encrypted>);

impl Reader {
    pub(crate) fn new(key: FakeKey) -> Self {
        let reader = |all: &mut HashMap<_, _>| {
            all.entry(key.key).or_insert_with(|| Rc::new(format(key, DEVICE, 0))).clone()
        };
        Self(READERS.with_borrow_mut(reader))
    }
}

impl RecordFormat for Reader {
    fn encode(&mut self, _: &Record, _: &mut [u8]) -> Option<usize> {
        None
    }

    fn decode(&self, bytes: &[u8]) -> Option<Record> {
        self.0.decode(bytes)
    }
}

/// A start of the device, with a new seed.
pub(crate) fn start(key: FakeKey) -> Encrypted {
    let mut seed = [0; 32];
    if !REPEATS_SEEDS.get() {
        STARTS.set(STARTS.get() + 1);
        seed[..8].copy_from_slice(&STARTS.get().to_le_bytes());
    }
    Encrypted::new(key, DEVICE, seed).unwrap()
}

/// Checks all nonces of this test, and returns how many there were.
pub(crate) fn check_nonces() -> usize {
    BY_NONCE.with_borrow(|all| {
        for records in all.values() {
            if REPEATS_SEEDS.get() {
                let is_same = records.iter().all(|record| *record == records[0]);
                assert!(is_same, "two different records have the same nonce");
            } else {
                assert_eq!(records.len(), 1, "a nonce was used twice");
            }
        }
        all.len()
    })
}

/// Returns what the first save of this test has written.
fn first_record() -> Vec<u8> {
    FIRST_RECORD.with_borrow(|first| first.clone().unwrap())
}

pub(crate) fn repeat_seeds() {
    REPEATS_SEEDS.set(true);
}

pub(crate) fn format(key: FakeKey, device: &[u8], seed: u8) -> Encrypted {
    Encrypted::new(key, device, [seed; 32]).unwrap()
}

fn encrypted(format: &mut Encrypted, record: &Record) -> Vec<u8> {
    let mut buffer = [0; 512];
    let len = format.encode(record, &mut buffer).unwrap();
    buffer[..len].to_vec()
}

pub(crate) fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// The expected bytes come from Python's `hmac` and `hashlib`, and `ChaCha20_Poly1305` of
/// PyCryptodome, not from this program.
#[test]
fn the_bytes_match_an_independent_implementation() {
    let bytes = encrypted(&mut format(KEY, DEVICE, 9), &station("home"));
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, EXPECTED);
}

const EXPECTED: &str = "81d06091d516e4413b486405d57b280953ff197bc75784664e1ab7ccfe357c1286594f4b7d8e22e88742f63e497e3874e21fe481abf4d2cbc88b220239327da2cfed52";

#[test]
fn neither_names_nor_passwords_are_in_the_flash() {
    let mut flash = Esp::new();
    save(&mut flash, &station("our home")).unwrap();
    assert!(contains(flash.bytes(), b"our home") && contains(flash.bytes(), b"correct horse"));

    let mut flash = Esp::new();
    flash.key = Some(KEY);
    for round in 0..100 {
        let record = if round % 3 == 0 { longest(b'a') } else { station("our home") };
        save(&mut flash, &record).unwrap();
        assert_eq!(load(&mut flash), Ok(Loaded::Record(record)));
        for secret in [&b"our home"[..], b"correct horse", b"ffffffff", b"aaaaaaaa"] {
            assert!(!contains(flash.bytes(), secret), "{round}");
        }
    }
    check_nonces();
}

/// The same record in the same run, and in the next run.
#[test]
fn the_same_record_is_never_encrypted_to_the_same_bytes() {
    let (mut first, mut second) = (format(KEY, DEVICE, 1), format(KEY, DEVICE, 2));
    let mut all = Vec::new();
    for _ in 0..10 {
        all.push(encrypted(&mut first, &station("home")));
        all.push(encrypted(&mut second, &station("home")));
    }
    let nonces: std::collections::HashSet<_> = all.iter().map(|bytes| &bytes[1..25]).collect();
    assert_eq!(nonces.len(), all.len());
}

#[test]
fn no_changed_and_no_truncated_record_is_accepted() {
    let mut format = format(KEY, DEVICE, 1);
    let bytes = encrypted(&mut format, &station("home"));
    assert_eq!(format.decode(&bytes), Some(station("home")));
    for bit in 0..8 * bytes.len() {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(format.decode(&changed), None, "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert_eq!(format.decode(&bytes[..len]), None, "{len} bytes");
    }
    assert_eq!(format.decode(&[&bytes[..], &[0; 400]].concat()), None);
}

#[test]
fn the_record_of_another_device_or_key_is_not_accepted() {
    let bytes = encrypted(&mut format(KEY, DEVICE, 1), &station("home"));
    let other_device = [0x60, 0x55, 0xf9, 0x0a, 0xb1, 0xc3];
    assert_eq!(format(KEY, DEVICE, 2).decode(&bytes), Some(station("home")));
    assert_eq!(format(KEY, &other_device, 2).decode(&bytes), None);
    assert_eq!(format(FakeKey::of(8), DEVICE, 2).decode(&bytes), None);
}

/// The key block is another one, or the flash comes from another device.
#[test]
fn with_another_key_the_settings_are_damaged_and_nothing_is_lost() {
    let mut flash = Esp::new();
    flash.key = Some(KEY);
    save(&mut flash, &station("home")).unwrap();
    let saved = flash.bytes().to_vec();

    flash.key = Some(FakeKey::of(8));
    assert_eq!(load(&mut flash), Ok(Loaded::Corrupt));
    assert!(saved == flash.bytes(), "load wrote");
    save(&mut flash, &station("other")).unwrap();
    assert_eq!(load(&mut flash), Ok(Loaded::Record(station("other"))));

    // The first block now has the record, and the first key can still read it.
    let record = first_record();
    assert!(contains(&flash.bytes()[..0x1000], &record));
    assert_eq!(format(KEY, DEVICE, 3).decode(&record), Some(station("home")));
}

/// A firmware without encryption does not take the record for an empty store, and preserves it.
#[test]
fn a_store_without_encryption_preserves_the_record() {
    let mut flash = Esp::new();
    flash.key = Some(KEY);
    save(&mut flash, &station("home")).unwrap();
    flash.key = None;
    assert_eq!(load(&mut flash), Ok(Loaded::Corrupt));
    save(&mut flash, &station("other")).unwrap();
    assert_eq!(load(&mut flash), Ok(Loaded::Record(station("other"))));
    assert!(contains(&flash.bytes()[..0x1000], &first_record()));
}

/// Such a record has the same key, but a version of the record that this program does not know.
#[test]
fn an_encrypted_record_of_a_later_version_is_preserved() {
    let mut flash = Esp::new();
    flash.key = Some(KEY);
    let store = FlashStore::new(&mut flash, Esp::ALL).unwrap();
    let mut later = encrypted(&mut format(KEY, DEVICE, 1), &station("home"));
    later[0] += 1;
    block_on(store.with_format(Later(later.clone())).save(&station("home"))).unwrap();
    assert_eq!(load(&mut flash), Ok(Loaded::Corrupt));
    save(&mut flash, &station("other")).unwrap();
    assert!(contains(&flash.bytes()[..0x1000], &later));
}

/// Writes these bytes for every record.
struct Later(Vec<u8>);

impl RecordFormat for Later {
    fn encode(&mut self, _: &Record, buffer: &mut [u8]) -> Option<usize> {
        buffer[..self.0.len()].copy_from_slice(&self.0);
        Some(self.0.len())
    }

    fn decode(&self, bytes: &[u8]) -> Option<Record> {
        (bytes == self.0).then(|| station("home"))
    }
}

#[test]
fn the_longest_record_fits() {
    let mut format = format(KEY, DEVICE, 1);
    let bytes = encrypted(&mut format, &longest(b'x'));
    assert_eq!(format.decode(&bytes), Some(longest(b'x')));
    let plain = longest(b'x').with_encoded(<[u8]>::len).unwrap();
    assert_eq!(bytes.len(), plain + 41);
    // A buffer that is too short is an error, and not a panic.
    for len in 0..bytes.len() {
        assert_eq!(format.encode(&longest(b'x'), &mut vec![0; len]), None);
    }
    assert_eq!(PlainText.decode(&bytes), None);
}
