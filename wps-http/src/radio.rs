//! The names that the API uses for radio properties: widths, generations, security.

use wps_core::{Band, Channel, Cipher, Security};

/// Converts a signal level in dBm to a percentage.
pub(crate) fn signal(dbm: i16) -> i16 {
    dbm.saturating_add(100).clamp(0, 50) * 2
}

/// Returns the channel width, with the side on which the secondary channel lies.
///
/// In the 5 GHz band the side follows from the channel number. In the 2.4 GHz band it can be
/// either, so the result is `None` if `secondary_above` is `None`.
pub(crate) fn ht(
    channel: Option<Channel>,
    width_mhz: u16,
    secondary_above: Option<bool>,
) -> Option<&'static str> {
    match (width_mhz, secondary_above, channel) {
        (20, _, _) => Some("20"),
        (40.., Some(true), _) => Some("40+"),
        (40.., Some(false), _) => Some("40-"),
        (40.., None, Some(channel)) if channel.band() == Band::Five => {
            let first = if channel.number() < 149 { 36 } else { 149 };
            Some(if channel.number().checked_sub(first)? % 8 == 0 { "40+" } else { "40-" })
        }
        _ => None,
    }
}

/// Returns the letters of the IEEE 802.11 amendments that a network of this generation supports in
/// its band.
pub(crate) fn phy(channel: Option<Channel>, generation: Option<u8>) -> Option<&'static str> {
    match (channel?.band(), generation?) {
        (Band::TwoPointFour, 4) => Some("bgn"),
        (Band::TwoPointFour, 6) => Some("bgnax"),
        (Band::TwoPointFour, 7) => Some("bgnaxbe"),
        (Band::Five, 4) => Some("an"),
        (Band::Five, 5) => Some("anac"),
        (Band::Five, 6) => Some("anacax"),
        (Band::Five, 7) => Some("anacaxbe"),
        (Band::Six, 6) => Some("ax"),
        (Band::Six, 7) => Some("axbe"),
        _ => None,
    }
}

/// Returns the name of a band as people know it.
pub(crate) fn band(band: Band) -> Option<&'static str> {
    match band {
        Band::TwoPointFour => Some("2.4 GHz"),
        Band::Five => Some("5 GHz"),
        Band::Six => Some("6 GHz"),
        _ => None,
    }
}

pub(crate) fn auth_mode(security: Security) -> &'static str {
    match security {
        Security::Open => "open",
        Security::Owe => "OWE",
        Security::Wep => "WEP",
        Security::Wpa => "WPA",
        Security::WpaWpa2 => "WPA-WPA2",
        Security::Wpa2 => "WPA2",
        Security::Wpa2Wpa3 => "WPA2-WPA3",
        Security::Wpa3 => "WPA3",
        Security::Enterprise => "Enterprise",
        _ => "other",
    }
}

pub(crate) fn cipher(cipher: Cipher) -> &'static str {
    match cipher {
        Cipher::None => "none",
        Cipher::Wep => "WEP",
        Cipher::Tkip => "TKIP",
        Cipher::Ccmp => "CCMP",
        Cipher::TkipCcmp => "TKIP-CCMP",
        Cipher::Gcmp => "GCMP",
        _ => "other",
    }
}
