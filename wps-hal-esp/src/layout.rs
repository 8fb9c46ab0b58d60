//! The structures and constants of Espressif's library that the driver uses.
//!
//! On a chip, the compiler compares them with the bindings. The bindings lack `esp_wps_config_t`:
//! its size and offsets were measured in the library.

use zeroize::{Zeroize, ZeroizeOnDrop};

pub(crate) const STORAGE_RAM: u32 = 1;
pub(crate) const INTERFACE_STATION: u32 = 0;
pub(crate) const INTERFACE_ACCESS_POINT: u32 = 1;

pub(crate) const MODE_OFF: u32 = 0;
pub(crate) const MODE_STATION: u32 = 1;
pub(crate) const MODE_ACCESS_POINT: u32 = 2;

pub(crate) const AUTH_OPEN: u32 = 0;
pub(crate) const AUTH_WEP: u32 = 1;
pub(crate) const AUTH_WPA: u32 = 2;
pub(crate) const AUTH_WPA2: u32 = 3;
pub(crate) const AUTH_WPA_WPA2: u32 = 4;
pub(crate) const AUTH_WPA3: u32 = 6;
pub(crate) const AUTH_WPA2_WPA3: u32 = 7;
pub(crate) const CIPHER_NONE: u32 = 0;
pub(crate) const CIPHER_CCMP: u32 = 4;

// Bits of the protocols.
pub(crate) const PROTOCOL_11B: u8 = 1;
pub(crate) const PROTOCOL_11G: u8 = 2;
pub(crate) const PROTOCOL_11N: u8 = 4;
pub(crate) const PROTOCOL_11AX: u8 = 64;

/// `ESP_ERR_WIFI_NOT_INIT`.
pub(crate) const ERR_NOT_INIT: i32 = 0x3001;
/// `ESP_ERR_WIFI_NOT_CONNECT`.
pub(crate) const ERR_NOT_CONNECT: i32 = 0x300f;

// Wi-Fi events.
pub(crate) const SCAN_DONE: i32 = 1;
pub(crate) const STATION_STOP: i32 = 3;
pub(crate) const STATION_CONNECTED: i32 = 4;
pub(crate) const STATION_DISCONNECTED: i32 = 5;
pub(crate) const WPS_SUCCESS: i32 = 7;
pub(crate) const WPS_FAILED: i32 = 8;
pub(crate) const WPS_TIMED_OUT: i32 = 9;
pub(crate) const WPS_PIN: i32 = 10;
pub(crate) const WPS_OVERLAP: i32 = 11;

/// The offset of the reason in `wifi_event_sta_disconnected_t`.
pub(crate) const REASON_OFFSET: usize = 32 + 1 + 6;
/// The length of a success event's payload: a count, then three pairs of a name and a key.
pub(crate) const SUCCESS_LEN: usize = 1 + 3 * (32 + 64);

/// `esp_wps_config_t`. The library replaces an empty name by its own.
#[repr(C)]
pub(crate) struct WpsConfig {
    pub(crate) wps_type: u32,
    pub(crate) manufacturer: [u8; 65],
    pub(crate) model_number: [u8; 33],
    pub(crate) model_name: [u8; 33],
    pub(crate) device_name: [u8; 33],
    pub(crate) pin: [u8; 9],
}

impl WpsConfig {
    pub(crate) const PUSH_BUTTON: Self = Self {
        wps_type: 1,
        manufacturer: [0; 65],
        model_number: [0; 33],
        model_name: [0; 33],
        device_name: [0; 33],
        pin: [0; 9],
    };
}

/// The `sta` member of the union `wifi_config_t`.
#[repr(C)]
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct StationConfig {
    pub(crate) ssid: [u8; 32],
    pub(crate) password: [u8; 64],
    pub(crate) scan_method: u32,
    pub(crate) bssid_set: u8,
    pub(crate) bssid: [u8; 6],
    pub(crate) channel: u8,
    pub(crate) listen_interval: u16,
    pub(crate) sort_method: u32,
    pub(crate) threshold: Threshold,
    pub(crate) pmf_capable: u8,
    pub(crate) pmf_required: u8,
    pub(crate) flags: u32,
    pub(crate) sae_pwe_h2e: u32,
    pub(crate) sae_pk_mode: u32,
    pub(crate) failure_retry_cnt: u8,
    pub(crate) he_flags: u32,
    pub(crate) sae_h2e_identifier: [u8; 32],
}

/// `wifi_scan_threshold_t`: the station joins no access point below these values.
#[repr(C)]
#[derive(Zeroize)]
pub(crate) struct Threshold {
    pub(crate) rssi: i8,
    pub(crate) authmode: u32,
    pub(crate) rssi_5g_adjustment: u8,
}

impl StationConfig {
    /// Returns a configuration without a network.
    pub(crate) const fn empty() -> Self {
        Self {
            ssid: [0; 32],
            password: [0; 64],
            scan_method: 0,
            bssid_set: 0,
            bssid: [0; 6],
            channel: 0,
            listen_interval: 0,
            sort_method: 0,
            threshold: Threshold { rssi: 0, authmode: 0, rssi_5g_adjustment: 0 },
            pmf_capable: 0,
            pmf_required: 0,
            flags: 0,
            sae_pwe_h2e: 0,
            sae_pk_mode: 0,
            failure_retry_cnt: 0,
            he_flags: 0,
            sae_h2e_identifier: [0; 32],
        }
    }
}

/// The `ap` member of the union `wifi_config_t`. It is as large as the `sta` member.
#[repr(C)]
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct AccessPointConfig {
    pub(crate) ssid: [u8; 32],
    pub(crate) password: [u8; 64],
    pub(crate) ssid_len: u8,
    pub(crate) channel: u8,
    pub(crate) authmode: u32,
    pub(crate) ssid_hidden: u8,
    pub(crate) max_connection: u8,
    pub(crate) beacon_interval: u16,
    pub(crate) csa_count: u8,
    pub(crate) dtim_period: u8,
    pub(crate) pairwise_cipher: u32,
    pub(crate) ftm_responder: u8,
    pub(crate) pmf_capable: u8,
    pub(crate) pmf_required: u8,
    pub(crate) sae_pwe_h2e: u32,
    pub(crate) rest: [u8; 60],
}

impl AccessPointConfig {
    /// Returns a configuration without a network.
    pub(crate) const fn empty() -> Self {
        Self {
            ssid: [0; 32],
            password: [0; 64],
            ssid_len: 0,
            channel: 0,
            authmode: 0,
            ssid_hidden: 0,
            max_connection: 0,
            beacon_interval: 0,
            csa_count: 0,
            dtim_period: 0,
            pairwise_cipher: 0,
            ftm_responder: 0,
            pmf_capable: 0,
            pmf_required: 0,
            sae_pwe_h2e: 0,
            rest: [0; 60],
        }
    }
}

/// `wifi_ap_record_t`: an access point that a scan found, or that the station is joined to.
#[repr(C)]
#[derive(Clone)]
pub(crate) struct ApRecord {
    pub(crate) bssid: [u8; 6],
    pub(crate) ssid: [u8; 33],
    pub(crate) primary: u8,
    pub(crate) second: u32,
    pub(crate) rssi: i8,
    pub(crate) authmode: u32,
    pub(crate) pairwise_cipher: u32,
    pub(crate) group_cipher: u32,
    pub(crate) ant: u32,
    /// Bits 0 to 7: 802.11b, g, n, long range, a, ac, ax, WPS.
    pub(crate) flags: u32,
    pub(crate) country: [u8; 12],
    pub(crate) he_ap: [u8; 2],
    pub(crate) bandwidth: u32,
    pub(crate) vht_ch_freq: [u8; 2],
}

impl ApRecord {
    /// Returns an empty record.
    pub(crate) const fn empty() -> Self {
        Self {
            bssid: [0; 6],
            ssid: [0; 33],
            primary: 0,
            second: 0,
            rssi: 0,
            authmode: 0,
            pairwise_cipher: 0,
            group_cipher: 0,
            ant: 0,
            flags: 0,
            country: [0; 12],
            he_ap: [0; 2],
            bandwidth: 0,
            vht_ch_freq: [0; 2],
        }
    }
}

// On every target: compare with the values measured in the library.
const _: () = {
    use core::mem::offset_of;

    assert!(size_of::<WpsConfig>() == 0xb4);
    assert!(offset_of!(WpsConfig, manufacturer) == 4);
    assert!(offset_of!(WpsConfig, pin) == 0xa8);
    assert!(SUCCESS_LEN == 289);
    assert!(size_of::<StationConfig>() == 184);
    assert!(size_of::<AccessPointConfig>() == 184);
};

#[cfg(all(target_arch = "xtensa", feature = "esp32"))]
use esp_wifi_sys_esp32::include as sys;
#[cfg(all(target_arch = "riscv32", feature = "esp32c3"))]
use esp_wifi_sys_esp32c3::include as sys;
#[cfg(all(target_arch = "riscv32", feature = "esp32c6"))]
use esp_wifi_sys_esp32c6::include as sys;
#[cfg(all(target_arch = "xtensa", feature = "esp32s2"))]
use esp_wifi_sys_esp32s2::include as sys;
#[cfg(all(target_arch = "xtensa", feature = "esp32s3"))]
use esp_wifi_sys_esp32s3::include as sys;

// On a chip: compare with the bindings.
#[cfg(any(target_arch = "riscv32", target_arch = "xtensa"))]
const _: () = {
    use core::mem::offset_of;

    /// Asserts that each field has the same offset as in the bindings.
    macro_rules! same_offsets {
        ($ours:ty, $theirs:ty: $($field:ident = $($their:ident).+),+ $(,)?) => {
            $(assert!(offset_of!($ours, $field) == offset_of!($theirs, $($their).+));)+
        };
    }

    assert!(size_of::<sys::wifi_config_t>() == size_of::<StationConfig>());
    same_offsets!(StationConfig, sys::wifi_sta_config_t:
        ssid = ssid, password = password, scan_method = scan_method, bssid_set = bssid_set,
        bssid = bssid, channel = channel, listen_interval = listen_interval,
        sort_method = sort_method, threshold = threshold, pmf_capable = pmf_cfg.capable,
        pmf_required = pmf_cfg.required, flags = _bitfield_1,
        sae_pwe_h2e = sae_pwe_h2e, sae_pk_mode = sae_pk_mode, failure_retry_cnt = failure_retry_cnt,
        he_flags = _bitfield_2, sae_h2e_identifier = sae_h2e_identifier,
    );
    same_offsets!(Threshold, sys::wifi_scan_threshold_t:
        rssi = rssi, authmode = authmode, rssi_5g_adjustment = rssi_5g_adjustment,
    );
    same_offsets!(AccessPointConfig, sys::wifi_ap_config_t:
        ssid = ssid, password = password, ssid_len = ssid_len, channel = channel,
        authmode = authmode, ssid_hidden = ssid_hidden, max_connection = max_connection,
        beacon_interval = beacon_interval, csa_count = csa_count, dtim_period = dtim_period,
        pairwise_cipher = pairwise_cipher, ftm_responder = ftm_responder,
        pmf_capable = pmf_cfg.capable, pmf_required = pmf_cfg.required, sae_pwe_h2e = sae_pwe_h2e,
        rest = _bitfield_1,
    );
    assert!(size_of::<sys::wifi_ap_record_t>() == size_of::<ApRecord>());
    same_offsets!(ApRecord, sys::wifi_ap_record_t:
        bssid = bssid, ssid = ssid, primary = primary, second = second, rssi = rssi,
        authmode = authmode, pairwise_cipher = pairwise_cipher, group_cipher = group_cipher,
        ant = ant, flags = _bitfield_1, country = country, he_ap = he_ap, bandwidth = bandwidth,
        vht_ch_freq = vht_ch_freq1,
    );
    assert!(size_of::<sys::wifi_event_sta_wps_er_success_t>() == SUCCESS_LEN);
    assert!(offset_of!(sys::wifi_event_sta_wps_er_success_t, ap_cred) == 1);
    assert!(offset_of!(sys::wifi_event_sta_disconnected_t, reason) == REASON_OFFSET);

    /// Asserts that each constant has the same value as in the bindings.
    macro_rules! same_values {
        ($($ours:expr => $theirs:ident),+ $(,)?) => {
            $(assert!($ours as u32 == sys::$theirs as u32);)+
        };
    }

    same_values! {
        STORAGE_RAM => wifi_storage_t_WIFI_STORAGE_RAM,
        INTERFACE_STATION => wifi_interface_t_WIFI_IF_STA,
        INTERFACE_ACCESS_POINT => wifi_interface_t_WIFI_IF_AP,
        MODE_OFF => wifi_mode_t_WIFI_MODE_NULL,
        MODE_STATION => wifi_mode_t_WIFI_MODE_STA,
        MODE_ACCESS_POINT => wifi_mode_t_WIFI_MODE_AP,
        AUTH_OPEN => wifi_auth_mode_t_WIFI_AUTH_OPEN,
        AUTH_WEP => wifi_auth_mode_t_WIFI_AUTH_WEP,
        AUTH_WPA => wifi_auth_mode_t_WIFI_AUTH_WPA_PSK,
        AUTH_WPA2 => wifi_auth_mode_t_WIFI_AUTH_WPA2_PSK,
        AUTH_WPA_WPA2 => wifi_auth_mode_t_WIFI_AUTH_WPA_WPA2_PSK,
        AUTH_WPA3 => wifi_auth_mode_t_WIFI_AUTH_WPA3_PSK,
        AUTH_WPA2_WPA3 => wifi_auth_mode_t_WIFI_AUTH_WPA2_WPA3_PSK,
        CIPHER_NONE => wifi_cipher_type_t_WIFI_CIPHER_TYPE_NONE,
        CIPHER_CCMP => wifi_cipher_type_t_WIFI_CIPHER_TYPE_CCMP,
        PROTOCOL_11B => WIFI_PROTOCOL_11B,
        PROTOCOL_11G => WIFI_PROTOCOL_11G,
        PROTOCOL_11N => WIFI_PROTOCOL_11N,
        PROTOCOL_11AX => WIFI_PROTOCOL_11AX,
        SCAN_DONE => wifi_event_t_WIFI_EVENT_SCAN_DONE,
        STATION_STOP => wifi_event_t_WIFI_EVENT_STA_STOP,
        STATION_CONNECTED => wifi_event_t_WIFI_EVENT_STA_CONNECTED,
        STATION_DISCONNECTED => wifi_event_t_WIFI_EVENT_STA_DISCONNECTED,
        WPS_SUCCESS => wifi_event_t_WIFI_EVENT_STA_WPS_ER_SUCCESS,
        WPS_FAILED => wifi_event_t_WIFI_EVENT_STA_WPS_ER_FAILED,
        WPS_TIMED_OUT => wifi_event_t_WIFI_EVENT_STA_WPS_ER_TIMEOUT,
        WPS_PIN => wifi_event_t_WIFI_EVENT_STA_WPS_ER_PIN,
        WPS_OVERLAP => wifi_event_t_WIFI_EVENT_STA_WPS_ER_PBC_OVERLAP,
        ERR_NOT_INIT => ESP_ERR_WIFI_NOT_INIT,
        ERR_NOT_CONNECT => ESP_ERR_WIFI_NOT_CONNECT,
    }
};
