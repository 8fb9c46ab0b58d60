//! The symbols. Each notes its call, fails if it is told to, and posts what comes meanwhile.

use std::ffi::{c_char, c_void};

use super::{Library, Record, air, post, text, with};

const NOT_STARTED: i32 = 0x3002;
const INTERFACE: i32 = 0x3004;
const MODE: i32 = 0x3005;
const STATE: i32 = 0x3006;
const SSID: i32 = 0x300a;

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

/// Does what a function does: its answer, and the events that it posts before it returns.
fn called(name: &'static str, act: impl FnOnce(&mut Library) -> (i32, air::Events)) -> i32 {
    let (code, mut events) = with(|library| {
        library.calls.push(name);
        match library.fails.get(name) {
            Some(code) => (*code, Vec::new()),
            None => act(library),
        }
    });
    events.extend(with(|library| library.during.remove(name)).into_iter().flatten());
    for (id, payload) in events {
        post(id, payload.as_deref());
    }
    code
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_set_storage(storage: u32) -> i32 {
    called("esp_wifi_set_storage", |library| {
        library.storage = storage;
        (0, vec![])
    })
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_set_mode(mode: u32) -> i32 {
    called("esp_wifi_set_mode", |library| {
        library.mode = mode;
        (0, vec![])
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_get_mode(mode: *mut u32) -> i32 {
    let code = with(|library| library.fails.get("esp_wifi_get_mode").copied());
    // SAFETY: the driver's pointer to one `u32`.
    unsafe { mode.write(with(|library| library.mode)) };
    code.unwrap_or(0)
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_start() -> i32 {
    called("esp_wifi_start", |library| {
        library.started = true;
        match library.mode {
            1 => (0, vec![(2, None)]),
            2 => (0, vec![(12, None)]),
            _ => (0, vec![]),
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_stop() -> i32 {
    called("esp_wifi_stop", |library| {
        let was_on = std::mem::take(&mut library.started);
        let mut events = library.air.as_mut().map_or(vec![], air::State::leave);
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
    // SAFETY: the driver's pointer to a `wifi_config_t`, which has 184 bytes.
    let bytes = unsafe { initialised(config) };
    let name = match interface {
        0 => "esp_wifi_set_config(station)",
        _ => "esp_wifi_set_config(access point)",
    };
    called(name, |library| match (interface, library.mode) {
        (0, 1) if library.air.as_ref().is_some_and(air::State::is_trying) => (STATE, vec![]),
        (0, 1) => {
            library.station = bytes;
            (0, vec![])
        }
        (1, 2) => {
            library.access_point = bytes;
            (0, vec![])
        }
        _ => (INTERFACE, vec![]),
    })
}

/// Reads what of a configuration is looked at here: names, keys, and a few numbers.
///
/// # Safety
/// `config` points to a `wifi_config_t`.
unsafe fn initialised(config: *mut c_void) -> [u8; 184] {
    let mut bytes = [0; 184];
    // Names and keys, numbers; between them there may be padding, which must not be read.
    for place in (0..98).chain([100, 107, 116, 120, 121, 122, 123, 128, 129, 144]) {
        // SAFETY: inside, and in both arms no padding.
        bytes[place] = unsafe { config.cast::<u8>().add(place).read() };
    }
    bytes
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_get_config(interface: u32, config: *mut c_void) -> i32 {
    let bytes = with(|library| match interface {
        0 => library.station,
        _ => library.access_point,
    });
    // SAFETY: the driver's pointer to a `wifi_config_t`, which has 184 bytes.
    unsafe { config.cast::<[u8; 184]>().write(bytes) };
    with(|library| library.fails.get("esp_wifi_get_config").copied()).unwrap_or(0)
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_connect_internal() -> i32 {
    called("esp_wifi_connect_internal", |library| match (library.mode, library.started) {
        (1, true) if library.station[0] == 0 => (SSID, vec![]),
        (1, true) => {
            library.air.iter_mut().for_each(air::State::connect);
            (0, vec![])
        }
        (_, true) => (MODE, vec![]),
        (_, false) => (NOT_STARTED, vec![]),
    })
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_disconnect_internal() -> i32 {
    called("esp_wifi_disconnect_internal", |library| {
        (0, library.air.as_mut().map_or(vec![], air::State::leave))
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_scan_start(config: *const c_void, block: bool) -> i32 {
    assert!(config.is_null() && !block);
    called("esp_wifi_scan_start", |library| match library.mode {
        1 => (0, vec![]),
        _ => (MODE, vec![]),
    })
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_scan_stop() -> i32 {
    called("esp_wifi_scan_stop", |_| (0, vec![]))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_scan_get_ap_record(record: *mut Record) -> i32 {
    match with(|library| (!library.records.is_empty()).then(|| library.records.remove(0))) {
        // SAFETY: the driver's pointer to a `wifi_ap_record_t`, which has 92 bytes.
        Some(next) => unsafe { record.write(next) },
        None => return -1,
    }
    0
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_clear_ap_list() -> i32 {
    called("esp_wifi_clear_ap_list", |library| {
        library.records.clear();
        (0, vec![])
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_sta_get_ap_info(record: *mut Record) -> i32 {
    match with(|library| library.joined) {
        // SAFETY: the driver's pointer to a `wifi_ap_record_t`, which has 92 bytes.
        Some(joined) => unsafe { record.write(joined) },
        None => return 0x300f,
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_get_mac(interface: u32, mac: *mut u8) -> i32 {
    let address = [2, 0, 0, 0, 0, interface as u8];
    // SAFETY: the driver's pointer to six bytes.
    unsafe { mac.cast::<[u8; 6]>().write(address) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn esp_wifi_wps_enable(config: *const c_void) -> i32 {
    // SAFETY: the driver's pointer to an `esp_wps_config_t`, which begins with its type.
    assert_eq!(unsafe { config.cast::<u32>().read() }, 1, "push button");
    called("esp_wifi_wps_enable", |library| match library.mode {
        1 => {
            library.air.iter_mut().for_each(air::State::enable);
            (0, vec![])
        }
        _ => (MODE, vec![]),
    })
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_wps_start() -> i32 {
    called("esp_wifi_wps_start", |library| match &mut library.air {
        Some(air) => air.search(),
        None => (0, vec![]),
    })
}

#[unsafe(no_mangle)]
extern "C" fn esp_wifi_wps_disable() -> i32 {
    called("esp_wifi_wps_disable", |library| {
        (0, library.air.as_mut().map_or(vec![], air::State::disable))
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
    with(|library| library.forwarded.push((text(base), id, length)));
    1000 + id
}
