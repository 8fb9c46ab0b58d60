//! All that is unsafe: the calls of Espressif's library, and the three functions that it calls.
//!
//! On a chip the symbols come from esp-radio and the library that it links. On a host the test binary
//! defines them, so that this file itself is what is tested.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char, c_void};
use core::ptr;

use crate::EspError;
use crate::event;
use crate::layout::{
    AccessPointConfig, ApRecord, INTERFACE_ACCESS_POINT, INTERFACE_STATION, STORAGE_RAM,
    StationConfig, WpsConfig,
};

// SAFETY: these are the declarations of `esp_wifi.h`, `esp_private/wifi.h` and `esp_wps.h`, with
// structures that `layout` compares with the bindings; and of esp-radio's `common_adapter.rs`.
// Functions that take no pointer are safe: the library checks its own state and answers with a code.
unsafe extern "C" {
    safe fn esp_wifi_set_storage(storage: u32) -> i32;
    safe fn esp_wifi_set_mode(mode: u32) -> i32;
    fn esp_wifi_get_mode(mode: *mut u32) -> i32;
    safe fn esp_wifi_start() -> i32;
    safe fn esp_wifi_stop() -> i32;
    fn esp_wifi_set_config(interface: u32, config: *mut c_void) -> i32;
    fn esp_wifi_get_config(interface: u32, config: *mut c_void) -> i32;
    safe fn esp_wifi_connect_internal() -> i32;
    safe fn esp_wifi_disconnect_internal() -> i32;
    fn esp_wifi_scan_start(config: *const c_void, block: bool) -> i32;
    safe fn esp_wifi_scan_stop() -> i32;
    fn esp_wifi_scan_get_ap_record(record: *mut ApRecord) -> i32;
    safe fn esp_wifi_clear_ap_list() -> i32;
    fn esp_wifi_sta_get_ap_info(record: *mut ApRecord) -> i32;
    fn esp_wifi_get_mac(interface: u32, mac: *mut u8) -> i32;
    fn esp_wifi_wps_enable(config: *const WpsConfig) -> i32;
    safe fn esp_wifi_wps_start() -> i32;
    safe fn esp_wifi_wps_disable() -> i32;
    fn __esp_radio_esp_event_post(
        base: *const c_char,
        id: i32,
        data: *mut c_void,
        length: usize,
        ticks: u32,
    ) -> i32;
}

// --- what the library calls -----------------------------------------------------------------------

/// Takes the place of esp-radio's, which is only provided for where there is no other.
///
/// # Safety
/// Called by the library: `base` is null or a C string, `data` null or `length` readable bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn esp_event_post(
    base: *const c_char,
    id: i32,
    data: *mut c_void,
    length: usize,
    ticks: u32,
) -> i32 {
    // SAFETY: not null, so a C string by the contract above.
    if !base.is_null() && unsafe { CStr::from_ptr(base) } == c"WIFI_EVENT" {
        let payload = (!data.is_null()).then(|| {
            // SAFETY: not null, so `length` readable bytes by the contract above. Nobody writes them
            // before this function returns, and nothing keeps the slice.
            unsafe { core::slice::from_raw_parts(data.cast_const().cast::<u8>(), length) }
        });
        if event::heed(id, payload, length) {
            return 0;
        }
    }
    // SAFETY: the library's own arguments, for the function that it would have called.
    unsafe { __esp_radio_esp_event_post(base, id, data, length, ticks) }
}

/// The library's WPS calls this, and nothing defines it.
#[unsafe(no_mangle)]
extern "C" fn esp_wifi_connect() -> i32 {
    esp_wifi_connect_internal()
}

/// Likewise.
#[unsafe(no_mangle)]
extern "C" fn esp_wifi_disconnect() -> i32 {
    esp_wifi_disconnect_internal()
}

// --- what the driver calls ------------------------------------------------------------------------

pub(crate) fn set_storage_ram() -> Result<(), EspError> {
    check("esp_wifi_set_storage", esp_wifi_set_storage(STORAGE_RAM))
}

pub(crate) fn mode() -> Result<u32, EspError> {
    let mut mode = 0;
    // SAFETY: the pointer is good for one `u32`.
    let code = unsafe { esp_wifi_get_mode(&mut mode) };
    check("esp_wifi_get_mode", code).map(|()| mode)
}

pub(crate) fn set_mode(mode: u32) -> Result<(), EspError> {
    check("esp_wifi_set_mode", esp_wifi_set_mode(mode))
}

pub(crate) fn start() -> Result<(), EspError> {
    check("esp_wifi_start", esp_wifi_start())
}

pub(crate) fn stop() -> Result<(), EspError> {
    check("esp_wifi_stop", esp_wifi_stop())
}

pub(crate) fn set_station(config: &mut StationConfig) -> Result<(), EspError> {
    // SAFETY: a `wifi_config_t` with the station's arm, as this interface wants it; it is copied.
    let code = unsafe { esp_wifi_set_config(INTERFACE_STATION, ptr::from_mut(config).cast()) };
    check("esp_wifi_set_config", code)
}

pub(crate) fn station() -> Result<StationConfig, EspError> {
    let mut config = StationConfig::empty();
    // SAFETY: as long as a `wifi_config_t`, and any bytes are a valid one.
    let code = unsafe { esp_wifi_get_config(INTERFACE_STATION, ptr::from_mut(&mut config).cast()) };
    check("esp_wifi_get_config", code).map(|()| config)
}

pub(crate) fn set_access_point(config: &mut AccessPointConfig) -> Result<(), EspError> {
    // SAFETY: a `wifi_config_t` with the access point's arm, as this interface wants it; it is copied.
    let code = unsafe { esp_wifi_set_config(INTERFACE_ACCESS_POINT, ptr::from_mut(config).cast()) };
    check("esp_wifi_set_config", code)
}

pub(crate) fn access_point() -> Result<AccessPointConfig, EspError> {
    let mut config = AccessPointConfig::empty();
    // SAFETY: as long as a `wifi_config_t`, and any bytes are a valid one.
    let code =
        unsafe { esp_wifi_get_config(INTERFACE_ACCESS_POINT, ptr::from_mut(&mut config).cast()) };
    check("esp_wifi_get_config", code).map(|()| config)
}

pub(crate) fn connect() -> Result<(), EspError> {
    check("esp_wifi_connect_internal", esp_wifi_connect_internal())
}

pub(crate) fn disconnect() -> Result<(), EspError> {
    check("esp_wifi_disconnect_internal", esp_wifi_disconnect_internal())
}

/// All channels, in the library's own time.
pub(crate) fn scan_start() -> Result<(), EspError> {
    // SAFETY: null asks for the defaults.
    let code = unsafe { esp_wifi_scan_start(ptr::null(), false) };
    check("esp_wifi_scan_start", code)
}

pub(crate) fn scan_stop() -> Result<(), EspError> {
    check("esp_wifi_scan_stop", esp_wifi_scan_stop())
}

/// The next access point that was heard; an error after the last one.
pub(crate) fn next_record() -> Result<ApRecord, EspError> {
    let mut record = ApRecord::empty();
    // SAFETY: as long as a `wifi_ap_record_t`, and any bytes are a valid one.
    let code = unsafe { esp_wifi_scan_get_ap_record(&mut record) };
    check("esp_wifi_scan_get_ap_record", code).map(|()| record)
}

pub(crate) fn clear_records() -> Result<(), EspError> {
    check("esp_wifi_clear_ap_list", esp_wifi_clear_ap_list())
}

/// The access point that the station is joined to.
pub(crate) fn joined() -> Result<ApRecord, EspError> {
    let mut record = ApRecord::empty();
    // SAFETY: as long as a `wifi_ap_record_t`, and any bytes are a valid one.
    let code = unsafe { esp_wifi_sta_get_ap_info(&mut record) };
    check("esp_wifi_sta_get_ap_info", code).map(|()| record)
}

pub(crate) fn station_address() -> Result<[u8; 6], EspError> {
    address(INTERFACE_STATION)
}

pub(crate) fn access_point_address() -> Result<[u8; 6], EspError> {
    address(INTERFACE_ACCESS_POINT)
}

fn address(interface: u32) -> Result<[u8; 6], EspError> {
    let mut address = [0; 6];
    // SAFETY: a MAC address has six bytes.
    let code = unsafe { esp_wifi_get_mac(interface, address.as_mut_ptr()) };
    check("esp_wifi_get_mac", code).map(|()| address)
}

pub(crate) fn wps_enable() -> Result<(), EspError> {
    let config = WpsConfig::PUSH_BUTTON;
    // SAFETY: an `esp_wps_config_t`, which the library copies before it returns.
    let code = unsafe { esp_wifi_wps_enable(&config) };
    check("esp_wifi_wps_enable", code)
}

/// Blocks for the one or two seconds in which the library makes its key.
pub(crate) fn wps_start() -> Result<(), EspError> {
    check("esp_wifi_wps_start", esp_wifi_wps_start())
}

pub(crate) fn wps_disable() -> Result<(), EspError> {
    check("esp_wifi_wps_disable", esp_wifi_wps_disable())
}

fn check(call: &'static str, code: i32) -> Result<(), EspError> {
    match code {
        0 => Ok(()),
        code => Err(EspError::Library { call, code }),
    }
}
