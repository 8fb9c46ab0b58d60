//! A fake of Espressif's library. This binary defines the C symbols that the library and esp-radio
//! define on a chip, so the tests run `ffi.rs` itself. A test posts the library's events by hand,
//! or uses the [`simulation`], which behaves like the library's code.
#![allow(unsafe_code, dead_code, reason = "a library in C, and not every test needs all of it")]

mod executor;
pub(crate) mod simulation;
mod symbols;

use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::{Mutex, MutexGuard};

use wps_hal_esp::Options;

pub(crate) use executor::{TestClock, block_on};
#[allow(unused_imports, reason = "not every test calls them")]
pub(crate) use symbols::{esp_wifi_connect, esp_wifi_disconnect};

pub(crate) const SUCCESS: i32 = 7;
pub(crate) const FAILED: i32 = 8;
pub(crate) const TIMED_OUT: i32 = 9;
pub(crate) const PIN: i32 = 10;
pub(crate) const OVERLAP: i32 = 11;

/// The offset of `bssid` in `wifi_sta_config_t`.
pub(crate) const STATION_BSSID_AT: usize = 101;
/// The offset of `authmode` in `wifi_ap_record_t`, and some of its values.
pub(crate) const AP_AUTHMODE_AT: usize = 48;
pub(crate) const WEP: u8 = 1;
pub(crate) const WPA_PSK: u8 = 2;
pub(crate) const WPA2_PSK: u8 = 3;
pub(crate) const WPA_WPA2_PSK: u8 = 4;
pub(crate) const WPA3_PSK: u8 = 6;
pub(crate) const WPA2_WPA3_PSK: u8 = 7;

/// The state of the library, and what it records for the tests.
pub(crate) struct Library {
    pub(crate) calls: Vec<&'static str>,
    /// The events that were passed on to esp-radio: base, number, length.
    pub(crate) forwarded: Vec<(String, i32, usize)>,
    /// The functions that fail, and the code that each returns.
    pub(crate) failures: HashMap<&'static str, i32>,
    /// The functions that fail once this one was called, with their codes.
    pub(crate) failures_after: HashMap<&'static str, Vec<(&'static str, i32)>>,
    /// The functions that end all failures when they are called.
    pub(crate) failures_end_with: HashSet<&'static str>,
    /// The events that the library posts before this function returns.
    pub(crate) events_during: HashMap<&'static str, simulation::Events>,
    pub(crate) storage: u32,
    pub(crate) mode: u32,
    pub(crate) started: bool,
    pub(crate) radio_options: RadioOptions,
    /// The bytes of the `esp_wps_config_t` of the last search.
    pub(crate) wps_config: Vec<u8>,
    pub(crate) station: [u8; 184],
    pub(crate) access_point: [u8; 184],
    pub(crate) records: Vec<Record>,
    /// The records of each scan, which then ends at once.
    pub(crate) records_of_each_scan: Option<Vec<Record>>,
    pub(crate) joined: Option<Record>,
    pub(crate) simulation: Option<simulation::Simulation>,
}

/// The options that were set since the last start.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RadioOptions {
    /// The C string of the country, and whether 802.11d is enabled.
    pub(crate) country: Option<([u8; 3], bool)>,
    /// The interface, and the bits of its protocols.
    pub(crate) protocol: Option<(u32, u8)>,
    /// The power in quarters of a dBm.
    pub(crate) max_tx_power: Option<i8>,
}

/// The bytes of a `wifi_ap_record_t`. Only the fields that the driver reads are set.
pub(crate) type Record = [u8; 92];

/// The default options, without randomness.
pub(crate) fn options() -> Options {
    Options::new(|| 0)
}

static LIBRARY: Mutex<Option<Library>> = Mutex::new(None);
/// There is only one library, so the tests run one after another.
static TEST_LOCK: Mutex<()> = Mutex::new(());

pub(crate) struct LibraryGuard(MutexGuard<'static, ()>);

/// Creates the library as esp-radio leaves it after its start: a station without a network.
pub(crate) fn fresh_library() -> LibraryGuard {
    let guard = TEST_LOCK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    *lock() = Some(Library::new());
    post(3, None); // resets the state that the driver has from an earlier test
    with_library(|library| library.forwarded.clear());
    LibraryGuard(guard)
}

impl Library {
    pub(crate) fn new() -> Self {
        Self {
            calls: Vec::new(),
            forwarded: Vec::new(),
            failures: HashMap::new(),
            failures_after: HashMap::new(),
            failures_end_with: HashSet::new(),
            events_during: HashMap::new(),
            storage: 0,
            mode: 1,
            started: true,
            radio_options: RadioOptions::default(),
            wps_config: Vec::new(),
            station: [0; 184],
            access_point: [0; 184],
            records: Vec::new(),
            records_of_each_scan: None,
            joined: None,
            simulation: None,
        }
    }
}

fn lock() -> MutexGuard<'static, Option<Library>> {
    LIBRARY.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

pub(crate) fn with_library<R>(act: impl FnOnce(&mut Library) -> R) -> R {
    act(lock().as_mut().expect("a test that called fresh_library"))
}

/// Returns the calls since this function was last called.
pub(crate) fn take_calls() -> Vec<&'static str> {
    with_library(|library| std::mem::take(&mut library.calls))
}

/// Returns the station's name and key, without their padding.
pub(crate) fn station_credentials() -> (Vec<u8>, Vec<u8>) {
    let trimmed = |bytes: &[u8]| {
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes[..end].to_vec()
    };
    with_library(|library| (trimmed(&library.station[..32]), trimmed(&library.station[32..96])))
}

/// Writes into the station's configuration as the library does after an exchange, without clearing
/// it first.
pub(crate) fn overwrite_station(ssid: &[u8], key: &[u8]) {
    with_library(|library| {
        library.station[..ssid.len()].copy_from_slice(ssid);
        library.station[32..32 + key.len()].copy_from_slice(key);
    });
}

/// Posts a Wi-Fi event, as the library's thread does.
pub(crate) fn post(id: i32, payload: Option<&[u8]>) {
    post_from(Some(c"WIFI_EVENT"), id, payload);
}

/// Posts an event of this base, and returns the code that the library gets back.
pub(crate) fn post_from(base: Option<&CStr>, id: i32, payload: Option<&[u8]>) -> i32 {
    let base = base.map_or(ptr::null(), CStr::as_ptr);
    let length = payload.map_or(0, <[u8]>::len);
    let mut copy = payload.unwrap_or_default().to_vec();
    let data = match payload {
        Some(_) => copy.as_mut_ptr().cast::<c_void>(),
        None => ptr::null_mut(),
    };
    // SAFETY: `base` is null or a C string, and `data` is null or points to `length` bytes.
    unsafe { symbols::esp_event_post(base, id, data, length, 0) }
}

/// Posts that the station has joined.
pub(crate) fn post_connected() {
    post(4, Some(&[0; 48]));
}

/// The address of the router with this number.
pub(crate) fn bssid(number: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, number]
}

/// Returns the record of an access point with this address and `wifi_auth_mode_t`.
pub(crate) fn record_of(bssid: [u8; 6], authmode: u8) -> Record {
    let mut record = [0; 92];
    record[..6].copy_from_slice(&bssid);
    record[AP_AUTHMODE_AT] = authmode;
    record
}

/// Writes the address of the router with which the library pairs into its configuration, where it
/// stays after a success.
pub(crate) fn set_paired_bssid(bssid: [u8; 6]) {
    with_library(|library| library.station[STATION_BSSID_AT..][..6].copy_from_slice(&bssid));
}

/// Joins the router 9 with this `wifi_auth_mode_t`, and posts that the station has joined.
pub(crate) fn post_connected_to(authmode: u8) {
    with_library(|library| library.joined = Some(record_of(bssid(9), authmode)));
    post_connected();
}

/// Posts that the station was disconnected, or could not join.
pub(crate) fn post_disconnected(reason: u8) {
    let mut payload = [0; 41];
    payload[39] = reason;
    post(5, Some(&payload));
}

/// Returns the payload of a success with several networks: a count, then three pairs of a name and
/// a key.
pub(crate) fn success_payload(count: u8, networks: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut payload = vec![0; 289];
    payload[0] = count;
    for (slot, (ssid, key)) in payload[1..].chunks_mut(96).zip(networks) {
        slot[..ssid.len()].copy_from_slice(ssid);
        slot[32..32 + key.len()].copy_from_slice(key);
    }
    payload
}

/// Returns the base of an event as a string. It is empty for null.
fn base_name(base: *const c_char) -> String {
    if base.is_null() {
        return String::new();
    }
    // SAFETY: not null, so the C string that was passed to `post_from`.
    unsafe { CStr::from_ptr(base) }.to_string_lossy().into_owned()
}
