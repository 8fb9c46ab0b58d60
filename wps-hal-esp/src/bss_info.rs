//! Converts the library's records of access points to the types of `wps-core`.

use wps_core::wsc::Bssid;
use wps_core::{BssInfo, Channel, Mode, Ssid};
use wps_core::{Cipher, Link, Security};

use crate::layout::{AUTH_OPEN, ApRecord, CIPHER_NONE};

// Bits of `ApRecord::flags`.
const PHY_11N: u32 = 1 << 2;
const PHY_11AC: u32 = 1 << 5;
const PHY_11AX: u32 = 1 << 6;
const WPS: u32 = 1 << 7;

/// Converts a record of a scan. The library does not report whether the router's button was
/// pressed.
pub(crate) fn from_record(record: &ApRecord) -> BssInfo {
    BssInfo {
        ssid: ssid(record),
        frequency_mhz: frequency_mhz(record.primary),
        width_mhz: width_mhz(record.bandwidth),
        secondary_above: secondary_above(record.second),
        signal_dbm: Some(record.rssi.into()),
        security: security(record),
        pairwise_cipher: cipher(record.pairwise_cipher),
        group_cipher: cipher(record.group_cipher),
        generation: generation(record.flags),
        country: country(&record.country),
        wps: record.flags & WPS != 0,
        ..BssInfo::new(Bssid(record.bssid))
    }
}

/// Converts the record of the access point that the station is joined to.
pub(crate) fn link(record: &ApRecord) -> Link {
    Link {
        up: true,
        mode: Some(Mode::Station),
        ssid: ssid(record),
        bssid: Some(Bssid(record.bssid)),
        frequency_mhz: frequency_mhz(record.primary),
        width_mhz: width_mhz(record.bandwidth),
        signal_dbm: Some(record.rssi.into()),
        security: security(record),
        pairwise_cipher: cipher(record.pairwise_cipher),
        group_cipher: cipher(record.group_cipher),
        generation: generation(record.flags),
        address: None,
        country: country(&record.country),
    }
}

/// Reads the name. In a record it is a C string, so a NUL ends it.
fn ssid(record: &ApRecord) -> Option<Ssid> {
    let name = record.ssid.split(|byte| *byte == 0).next()?;
    Ssid::new(name).ok()
}

/// Returns the centre frequency of a channel, or `None` for channel 0. These chips have no 6 GHz.
pub(crate) fn frequency_mhz(channel: u8) -> Option<u16> {
    Channel::below_6_ghz(channel).map(Channel::frequency_mhz)
}

/// Converts a `wifi_bandwidth_t`.
fn width_mhz(bandwidth: u32) -> Option<u16> {
    match bandwidth {
        1 => Some(20),
        2 => Some(40),
        3 => Some(80),
        4 | 5 => Some(160),
        _ => None,
    }
}

/// Converts a `wifi_second_chan_t`.
fn secondary_above(second: u32) -> Option<bool> {
    match second {
        1 => Some(true),
        2 => Some(false),
        _ => None,
    }
}

/// Converts a `wifi_auth_mode_t`. Returns `None` for an access point whose security the library
/// does not know: it has no SAE, so WPA3 alone is one of these. Such an access point is not open,
/// which its ciphers show.
pub(crate) fn security(record: &ApRecord) -> Option<Security> {
    let has_ciphers = [record.pairwise_cipher, record.group_cipher] != [CIPHER_NONE; 2];
    match record.authmode {
        AUTH_OPEN if has_ciphers => None,
        AUTH_OPEN => Some(Security::Open),
        1 => Some(Security::Wep),
        2 => Some(Security::Wpa),
        3 => Some(Security::Wpa2),
        4 => Some(Security::WpaWpa2),
        5 | 10 | 14 | 15 | 16 => Some(Security::Enterprise),
        6 => Some(Security::Wpa3),
        7 => Some(Security::Wpa2Wpa3),
        9 => Some(Security::Owe),
        _ => None,
    }
}

/// Converts a `wifi_cipher_type_t`.
fn cipher(cipher: u32) -> Option<Cipher> {
    match cipher {
        0 => Some(Cipher::None),
        1 | 2 => Some(Cipher::Wep),
        3 => Some(Cipher::Tkip),
        4 => Some(Cipher::Ccmp),
        5 => Some(Cipher::TkipCcmp),
        8 | 9 => Some(Cipher::Gcmp),
        _ => None,
    }
}

/// Returns the Wi-Fi generation: 6 for 802.11ax, 5 for ac, 4 for n, otherwise `None`.
fn generation(flags: u32) -> Option<u8> {
    [(PHY_11AX, 6), (PHY_11AC, 5), (PHY_11N, 4)]
        .into_iter()
        .find(|(bit, _)| flags & bit != 0)
        .map(|it| it.1)
}

/// Returns the two letters of the country code, or `None` if they are not letters.
fn country(country: &[u8; 12]) -> Option<[u8; 2]> {
    let code = [country[0], country[1]];
    code.iter().all(u8::is_ascii_uppercase).then_some(code)
}
