//! A fake of Espressif's library: this binary defines the C symbols that it and esp-radio define on a
//! chip, so that `ffi.rs` itself is what runs. Tests post its events by hand, or let it live in
//! [`air`], where it behaves as the library was seen to in its code.
#![allow(unsafe_code, dead_code, reason = "a library in C; not each test needs all of it")]

pub(crate) mod air;
mod play;
mod symbols;

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::{Mutex, MutexGuard};

pub(crate) use play::{Hand, play};
#[allow(unused_imports, reason = "not each test calls them")]
pub(crate) use symbols::{esp_wifi_connect, esp_wifi_disconnect};

pub(crate) const SUCCESS: i32 = 7;
pub(crate) const FAILED: i32 = 8;
pub(crate) const TIMED_OUT: i32 = 9;
pub(crate) const PIN: i32 = 10;
pub(crate) const OVERLAP: i32 = 11;

/// What the library knows, and what tests want to know of it.
pub(crate) struct Library {
    pub(crate) calls: Vec<&'static str>,
    /// What was handed on to esp-radio: base, number, length.
    pub(crate) forwarded: Vec<(String, i32, usize)>,
    /// The functions that fail, and their code.
    pub(crate) fails: HashMap<&'static str, i32>,
    /// The events that come before this function returns.
    pub(crate) during: HashMap<&'static str, air::Events>,
    pub(crate) storage: u32,
    pub(crate) mode: u32,
    pub(crate) started: bool,
    pub(crate) station: [u8; 184],
    pub(crate) access_point: [u8; 184],
    pub(crate) records: Vec<Record>,
    pub(crate) joined: Option<Record>,
    pub(crate) air: Option<air::State>,
}

/// Of `wifi_ap_record_t` what the driver reads, in its places.
pub(crate) type Record = [u8; 92];

static LIBRARY: Mutex<Option<Library>> = Mutex::new(None);
/// There is one library: tests take turns.
static TURN: Mutex<()> = Mutex::new(());

pub(crate) struct Turn(MutexGuard<'static, ()>);

/// A library as esp-radio leaves it after its start: a station without a network.
pub(crate) fn turn() -> Turn {
    let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    *lock() = Some(Library::new());
    post(3, None); // what the driver noted of an earlier test is over
    with(|library| library.forwarded.clear());
    Turn(turn)
}

impl Library {
    pub(crate) fn new() -> Self {
        Self {
            calls: Vec::new(),
            forwarded: Vec::new(),
            fails: HashMap::new(),
            during: HashMap::new(),
            storage: 0,
            mode: 1,
            started: true,
            station: [0; 184],
            access_point: [0; 184],
            records: Vec::new(),
            joined: None,
            air: None,
        }
    }
}

fn lock() -> MutexGuard<'static, Option<Library>> {
    LIBRARY.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

pub(crate) fn with<R>(act: impl FnOnce(&mut Library) -> R) -> R {
    act(lock().as_mut().expect("a test's turn"))
}

/// The calls since the last look.
pub(crate) fn calls() -> Vec<&'static str> {
    with(|library| std::mem::take(&mut library.calls))
}

/// The station's name and key, without their padding.
pub(crate) fn told() -> (Vec<u8>, Vec<u8>) {
    let text = |bytes: &[u8]| {
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes[..end].to_vec()
    };
    with(|library| (text(&library.station[..32]), text(&library.station[32..96])))
}

/// Writes into the station's configuration as the library does after an exchange: over what is there.
pub(crate) fn write_over(ssid: &[u8], key: &[u8]) {
    with(|library| {
        library.station[..ssid.len()].copy_from_slice(ssid);
        library.station[32..32 + key.len()].copy_from_slice(key);
    });
}

/// Posts a Wi-Fi event, as the library's own thread does.
pub(crate) fn post(id: i32, payload: Option<&[u8]>) {
    post_as(Some(c"WIFI_EVENT"), id, payload);
}

/// The same with a base, and the answer.
pub(crate) fn post_as(base: Option<&CStr>, id: i32, payload: Option<&[u8]>) -> i32 {
    let base = base.map_or(ptr::null(), CStr::as_ptr);
    let length = payload.map_or(0, <[u8]>::len);
    let mut copy = payload.unwrap_or_default().to_vec();
    let data = match payload {
        Some(_) => copy.as_mut_ptr().cast::<c_void>(),
        None => ptr::null_mut(),
    };
    // SAFETY: null or a C string; null or that many bytes.
    unsafe { symbols::esp_event_post(base, id, data, length, 0) }
}

/// The station has joined.
pub(crate) fn post_connected() {
    post(4, Some(&[0; 48]));
}

/// The station was sent away, or found nothing.
pub(crate) fn post_disconnected(reason: u8) {
    let mut payload = [0; 41];
    payload[39] = reason;
    post(5, Some(&payload));
}

/// A success with several networks: a count, and three times a name and a key.
pub(crate) fn networks(count: u8, networks: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut payload = vec![0; 289];
    payload[0] = count;
    for (place, (ssid, key)) in payload[1..].chunks_mut(96).zip(networks) {
        place[..ssid.len()].copy_from_slice(ssid);
        place[32..32 + key.len()].copy_from_slice(key);
    }
    payload
}

/// A base of the library's, or another one.
fn text(base: *const c_char) -> String {
    if base.is_null() {
        return String::new();
    }
    // SAFETY: a C string of `post_as`.
    unsafe { CStr::from_ptr(base) }.to_string_lossy().into_owned()
}
