//! The state of the radio's link, and how networks are protected.

use crate::settings::{Mode, Ssid};
use crate::wsc::Bssid;

/// The state of the radio's link. A field is `None` if the radio cannot report it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Link {
    /// Whether the network is joined and keyed (station), or running (access point).
    pub up: bool,
    /// The radio's current mode.
    pub mode: Option<Mode>,
    /// The network's name.
    pub ssid: Option<Ssid>,
    /// The access point's address.
    pub bssid: Option<Bssid>,
    /// The channel's centre frequency in MHz.
    pub frequency_mhz: Option<u16>,
    /// The channel width in MHz.
    pub width_mhz: Option<u16>,
    /// The signal strength in dBm.
    pub signal_dbm: Option<i16>,
    /// How stations authenticate.
    pub security: Option<Security>,
    /// The cipher for traffic to this station.
    pub pairwise_cipher: Option<Cipher>,
    /// The cipher for traffic to all stations.
    pub group_cipher: Option<Cipher>,
    /// The Wi-Fi generation: 4 (n), 5 (ac), 6 (ax), …
    pub generation: Option<u8>,
    /// The device's own address.
    pub address: Option<Bssid>,
    /// The regulatory domain: a country code of two letters.
    pub country: Option<[u8; 2]>,
}

/// The authentication method of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Security {
    /// No authentication, no encryption.
    Open,
    /// Opportunistic wireless encryption.
    Owe,
    /// WEP.
    Wep,
    /// WPA with a passphrase.
    Wpa,
    /// WPA and WPA2 with a passphrase.
    WpaWpa2,
    /// WPA2 with a passphrase.
    Wpa2,
    /// WPA2 and WPA3 with a passphrase.
    Wpa2Wpa3,
    /// WPA3 (SAE).
    Wpa3,
    /// Individual credentials (802.1X).
    Enterprise,
}

/// The cipher that encrypts frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Cipher {
    /// No encryption.
    None,
    /// WEP.
    Wep,
    /// TKIP.
    Tkip,
    /// AES-CCMP.
    Ccmp,
    /// TKIP and AES-CCMP.
    TkipCcmp,
    /// AES-GCMP.
    Gcmp,
}
