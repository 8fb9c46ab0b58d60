//! All unsafe code: the calls to Espressif's library, and the three functions that it calls.
//!
//! On a chip, esp-radio and the library that it links define the symbols. On a host, the test
//! binary defines them, so the tests run this file itself.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_char, c_void};
use core::ptr;

use crate::EspError;
use crate::event;
use crate::layout::{
    AccessPointConfig, ApRecord, INTERFACE_ACCESS_POINT, INTERFACE_STATION, STORAGE_RAM,
    StationConfig, WpsConfig,
};

// SAFETY: these are the declarations of `esp_wifi.h`, `esp_private/wifi.h`, `esp_wps.h` and
// esp-radio's `common_adapter.rs`, with structures that `layout` compares with the bindings.
// Functions that take no pointer are safe: the library checks its own state and returns a code.
unsafe extern "C" {
    safe fn esp_wifi_set_storage(storage: u32) -> i32;
    safe fn esp_wifi_set_mode(mode: u32) -> i32;
    fn esp_wifi_get_mode(mode: *mut u32) -> i32;
    safe fn esp_wifi_start() -> i32;
    safe fn esp_wifi_stop() -> i32;
    fn esp_wifi_set_country_code(country: *const c_char, ieee80211d_enabled: bool) -> i32;
    safe fn esp_wifi_set_protocol(interface: u32, bitmap: u8) -> i32;
    safe fn esp_wifi_set_max_tx_power(quarters: i8) -> i32;
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

// --- called by the library -----------------------------------------------------------------------

/// Receives the library's events. This definition overrides esp-radio's function, which is linked
/// under this name only if nothing else defines it.
///
/// # Safety
/// `base` must be null or point to a C string. `data` must be null or point to `length` readable
/// bytes. The library's calls keep to that.
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
            // SAFETY: not null, so `length` readable bytes by the contract above. Nothing writes to
            // them before this function returns, and nothing keeps the slice.
            unsafe { core::slice::from_raw_parts(data.cast_const().cast::<u8>(), length) }
        });
        if event::on_event(id, payload, length) {
            return 0;
        }
    }
    // SAFETY: the library's own arguments, passed to the function that it would otherwise have
    // called.
    unsafe { __esp_radio_esp_event_post(base, id, data, length, ticks) }
}

/// The library's WPS code calls this function, but nothing else defines it.
#[unsafe(no_mangle)]
extern "C" fn esp_wifi_connect() -> i32 {
    esp_wifi_connect_internal()
}

/// The library's WPS code calls this function, but nothing else defines it.
#[unsafe(no_mangle)]
extern "C" fn esp_wifi_disconnect() -> i32 {
    esp_wifi_disconnect_internal()
}

// --- called by the driver ------------------------------------------------------------------------

pub(crate) fn set_storage_ram() -> Result<(), EspError> {
    check("esp_wifi_set_storage", esp_wifi_set_storage(STORAGE_RAM))
}

pub(crate) fn mode() -> Result<u32, EspError> {
    let mut mode = 0;
    // SAFETY: the pointer is valid for writing one `u32`.
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

/// Sets the country, which is two letters, or `01`.
pub(crate) fn set_country(code: [u8; 2], follow_access_point: bool) -> Result<(), EspError> {
    let code = [code[0], code[1], 0];
    // SAFETY: a C string, which the library copies.
    let code = unsafe { esp_wifi_set_country_code(code.as_ptr().cast(), follow_access_point) };
    check("esp_wifi_set_country_code", code)
}

pub(crate) fn set_protocol(interface: u32, bitmap: u8) -> Result<(), EspError> {
    check("esp_wifi_set_protocol", esp_wifi_set_protocol(interface, bitmap))
}

/// Sets the highest transmit power, in quarters of a dBm. The radio must have started.
pub(crate) fn set_max_tx_power(quarters: i8) -> Result<(), EspError> {
    check("esp_wifi_set_max_tx_power", esp_wifi_set_max_tx_power(quarters))
}

pub(crate) fn set_station_config(config: &mut StationConfig) -> Result<(), EspError> {
    // SAFETY: a `wifi_config_t` with the `sta` member, as this interface requires; the library
    // copies it.
    let code = unsafe { esp_wifi_set_config(INTERFACE_STATION, ptr::from_mut(config).cast()) };
    check("esp_wifi_set_config", code)
}

pub(crate) fn station_config() -> Result<StationConfig, EspError> {
    let mut config = StationConfig::empty();
    // SAFETY: as large as a `wifi_config_t`, and all bytes are valid values.
    let code = unsafe { esp_wifi_get_config(INTERFACE_STATION, ptr::from_mut(&mut config).cast()) };
    check("esp_wifi_get_config", code).map(|()| config)
}

pub(crate) fn set_access_point_config(config: &mut AccessPointConfig) -> Result<(), EspError> {
    // SAFETY: a `wifi_config_t` with the `ap` member, as this interface requires; the library
    // copies it.
    let code = unsafe { esp_wifi_set_config(INTERFACE_ACCESS_POINT, ptr::from_mut(config).cast()) };
    check("esp_wifi_set_config", code)
}

pub(crate) fn access_point_config() -> Result<AccessPointConfig, EspError> {
    let mut config = AccessPointConfig::empty();
    // SAFETY: as large as a `wifi_config_t`, and all bytes are valid values.
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

/// Starts a scan of all channels, and returns without waiting for its end.
pub(crate) fn scan_start() -> Result<(), EspError> {
    // SAFETY: null selects the default parameters.
    let code = unsafe { esp_wifi_scan_start(ptr::null(), false) };
    check("esp_wifi_scan_start", code)
}

pub(crate) fn scan_stop() -> Result<(), EspError> {
    check("esp_wifi_scan_stop", esp_wifi_scan_stop())
}

/// Returns the next access point that the scan found. Returns an error after the last one.
pub(crate) fn next_scan_record() -> Result<ApRecord, EspError> {
    let mut record = ApRecord::empty();
    // SAFETY: as large as a `wifi_ap_record_t`, and all bytes are valid values.
    let code = unsafe { esp_wifi_scan_get_ap_record(&mut record) };
    check("esp_wifi_scan_get_ap_record", code).map(|()| record)
}

pub(crate) fn clear_scan_records() -> Result<(), EspError> {
    check("esp_wifi_clear_ap_list", esp_wifi_clear_ap_list())
}

/// Returns the access point that the station is joined to.
pub(crate) fn joined_ap() -> Result<ApRecord, EspError> {
    let mut record = ApRecord::empty();
    // SAFETY: as large as a `wifi_ap_record_t`, and all bytes are valid values.
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

pub(crate) fn wps_enable(config: &WpsConfig) -> Result<(), EspError> {
    // SAFETY: an `esp_wps_config_t`, which the library copies before it returns.
    let code = unsafe { esp_wifi_wps_enable(config) };
    check("esp_wifi_wps_enable", code)
}

/// Starts the search. Blocks for the one or two seconds in which the library generates its key.
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
