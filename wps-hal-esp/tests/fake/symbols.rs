//! The C symbols. Each function records its call, fails if a test wants that, and posts the events
//! that come during the call.

use std::ffi::{c_char, c_void};

use super::simulation::{Events, Simulation};
use super::{Library, RadioOptions, Record, base_name, post, with_library};

/// The offset of the PIN in `esp_wps_config_t`, which comes after the texts.
const WPS_TEXTS_END: usize = 0xa8;

const ERR_ARGUMENT: i32 = 0x102;
const ERR_NOT_STARTED: i32 = 0x3002;
const ERR_INTERFACE: i32 = 0x3004;
const ERR_MODE: i32 = 0x3005;
const ERR_STATE: i32 = 0x3006;
const ERR_SSID: i32 = 0x300a;

unsafe extern "C" {
    pub(super) fn esp_event_post(
        base: *const c_char,
        id: i32,
        data: *mut c_void,
        length: usize,
        ticks: u32,
    ) -> i32;
    pub(crate) safe fn esp_wifi_connect() -> i32;
    pub(crate) safe fn esp_wifi_disconnect() -> i32;
}

/// Records the call of a function and runs `act`, which returns the function's code and the events
/// that it posts before it returns.
fn record_call(name: &'static str, act: impl FnOnce(&mut Library) -> (i32, Events)) -> i32 {
    let (code, mut events) = with_library(|library| {
        library.calls.push(name);
        if library.failures_end_with.contains(name) {
            library.failures.clear();
        }
        let (code, events) = match library.failures.get(name) {
            Some(code) => (*code, Vec::new()),
            None => act(library),
        };
        library.failures.extend(library.failures_after.remove(name).into_iter().flatten());
        (code, events)
    });
    events.extend(with_library(|library| library.events_during.remove(name)).into_iter().flatten());
    for (id, payload) in events {
        post(id, payload.as_deref());
    }
    code
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_set_storage(storage: u32) -> i32 {
    record_call("esp_wifi_set_storage", |library| {
        library.storage = storage;
        (0, vec![])
    })
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_set_mode(mode: u32) -> i32 {
    record_call("esp_wifi_set_mode", |library| {
        library.mode = mode;
        (0, vec![])
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_get_mode(mode: *mut u32) -> i32 {
    let code = with_library(|library| library.failures.get("esp_wifi_get_mode").copied());
    // SAFETY: the driver passes a pointer to one `u32`.
    unsafe { mode.write(with_library(|library| library.mode)) };
    code.unwrap_or(0)
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_start() -> i32 {
    record_call("esp_wifi_start", |library| {
        library.started = true;
        // The worst case: the library keeps none of them.
        library.radio_options = RadioOptions::default();
        match library.mode {
            1 => (0, vec![(2, None)]),
            2 => (0, vec![(12, None)]),
            _ => (0, vec![]),
        }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_set_country_code(code: *const c_char, ieee80211d: bool) -> i32 {
    // SAFETY: the driver passes a C string of two letters.
    let code = unsafe { code.cast::<[u8; 3]>().read() };
    record_call("esp_wifi_set_country_code", |library| {
        library.radio_options.country = Some((code, ieee80211d));
        (0, vec![])
    })
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_set_protocol(interface: u32, bitmap: u8) -> i32 {
    record_call("esp_wifi_set_protocol", |library| {
        library.radio_options.protocol = Some((interface, bitmap));
        (0, vec![])
    })
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_set_max_tx_power(quarters: i8) -> i32 {
    record_call("esp_wifi_set_max_tx_power", |library| match library.started {
        true if (8..=84).contains(&quarters) => {
            library.radio_options.max_tx_power = Some(quarters);
            (0, vec![])
        }
        true => (ERR_ARGUMENT, vec![]),
        false => (ERR_NOT_STARTED, vec![]),
    })
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_stop() -> i32 {
    record_call("esp_wifi_stop", |library| {
        let was_on = std::mem::take(&mut library.started);
        let mut events = library.simulation.as_mut().map_or(vec![], Simulation::disconnect);
        match library.mode {
            1 if was_on => events.push((3, None)),
            2 if was_on => events.push((13, None)),
            _ => {}
        }
        (0, events)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_set_config(interface: u32, config: *mut c_void) -> i32 {
    // SAFETY: the driver passes a pointer to a `wifi_config_t`, which has 184 bytes.
    let bytes = unsafe { read_initialized(config) };
    let name = match interface {
        0 => "esp_wifi_set_config(station)",
        _ => "esp_wifi_set_config(access point)",
    };
    record_call(name, |library| match (interface, library.mode) {
        (0, 1) if library.simulation.as_ref().is_some_and(Simulation::is_connecting) => {
            (ERR_STATE, vec![])
        }
        (0, 1) => {
            library.station = bytes;
            (0, vec![])
        }
        (1, 2) => {
            library.access_point = bytes;
            (0, vec![])
        }
        _ => (ERR_INTERFACE, vec![]),
    })
}

/// Reads the parts of a configuration that the tests use: names, keys, and a few numbers.
///
/// # Safety
/// `config` must point to a `wifi_config_t`.
unsafe fn read_initialized(config: *mut c_void) -> [u8; 184] {
    let mut bytes = [0; 184];
    // Between the names, keys and numbers there may be padding, which must not be read.
    for offset in (0..98).chain([100, 107, 116, 120, 121, 122, 123, 128, 129, 136, 144]) {
        // SAFETY: inside the structure, and not padding in either member of the union.
        bytes[offset] = unsafe { config.cast::<u8>().add(offset).read() };
    }
    bytes
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_get_config(interface: u32, config: *mut c_void) -> i32 {
    let bytes = with_library(|library| match interface {
        0 => library.station,
        _ => library.access_point,
    });
    // SAFETY: the driver passes a pointer to a `wifi_config_t`, which has 184 bytes.
    unsafe { config.cast::<[u8; 184]>().write(bytes) };
    with_library(|library| library.failures.get("esp_wifi_get_config").copied()).unwrap_or(0)
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_connect_internal() -> i32 {
    record_call("esp_wifi_connect_internal", |library| match (library.mode, library.started) {
        (1, true) if library.station[0] == 0 => (ERR_SSID, vec![]),
        (1, true) => {
            library.simulation.iter_mut().for_each(Simulation::connect);
            (0, vec![])
        }
        (_, true) => (ERR_MODE, vec![]),
        (_, false) => (ERR_NOT_STARTED, vec![]),
    })
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_disconnect_internal() -> i32 {
    record_call("esp_wifi_disconnect_internal", |library| {
        (0, library.simulation.as_mut().map_or(vec![], Simulation::disconnect))
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_scan_start(config: *const c_void, block: bool) -> i32 {
    assert!(config.is_null() && !block);
    record_call("esp_wifi_scan_start", |library| match library.mode {
        1 => {
            library.simulation.iter_mut().for_each(Simulation::start_scan);
            match library.records_of_each_scan.clone() {
                Some(records) => {
                    library.records = records;
                    (0, vec![(1, Some(vec![0; 8]))])
                }
                None => (0, vec![]),
            }
        }
        _ => (ERR_MODE, vec![]),
    })
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_scan_stop() -> i32 {
    record_call("esp_wifi_scan_stop", |library| {
        library.simulation.iter_mut().for_each(Simulation::stop_scan);
        (0, vec![])
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_scan_get_ap_record(record: *mut Record) -> i32 {
    match with_library(|library| (!library.records.is_empty()).then(|| library.records.remove(0))) {
        // SAFETY: the driver passes a pointer to a `wifi_ap_record_t`, which has 92 bytes.
        Some(next) => unsafe { record.write(next) },
        None => return -1,
    }
    0
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_clear_ap_list() -> i32 {
    record_call("esp_wifi_clear_ap_list", |library| {
        library.records.clear();
        (0, vec![])
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_sta_get_ap_info(record: *mut Record) -> i32 {
    match with_library(|library| library.joined) {
        // SAFETY: the driver passes a pointer to a `wifi_ap_record_t`, which has 92 bytes.
        Some(joined) => unsafe { record.write(joined) },
        None => return 0x300f,
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_get_mac(interface: u32, mac: *mut u8) -> i32 {
    let address = [2, 0, 0, 0, 0, interface as u8];
    // SAFETY: the driver passes a pointer to six bytes.
    unsafe { mac.cast::<[u8; 6]>().write(address) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_wps_enable(config: *const c_void) -> i32 {
    // SAFETY: the driver passes a pointer to an `esp_wps_config_t`, which begins with its type.
    assert_eq!(unsafe { config.cast::<u32>().read() }, 1, "push button");
    // SAFETY: the texts are between the type and the PIN, without padding.
    let texts = unsafe { config.cast::<[u8; WPS_TEXTS_END]>().read() };
    with_library(|library| library.wps_config = texts.to_vec());
    record_call("esp_wifi_wps_enable", |library| match library.mode {
        1 => {
            library.simulation.iter_mut().for_each(Simulation::enable_wps);
            (0, vec![])
        }
        _ => (ERR_MODE, vec![]),
    })
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_wps_start() -> i32 {
    record_call("esp_wifi_wps_start", |library| match &mut library.simulation {
        Some(simulation) => simulation.start_wps(),
        None => (0, vec![]),
    })
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_wps_disable() -> i32 {
    record_call("esp_wifi_wps_disable", |library| {
        (0, library.simulation.as_mut().map_or(vec![], Simulation::disable_wps))
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __esp_radio_esp_event_post(
    base: *const c_char,
    id: i32,
    data: *mut c_void,
    length: usize,
    _ticks: u32,
) -> i32 {
    assert_eq!(data.is_null(), length == 0);
    with_library(|library| library.forwarded.push((base_name(base), id, length)));
    1000 + id
}
