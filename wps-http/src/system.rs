//! `GET /api/v1/system`: what the radio is doing, and what the device is.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use serde::{Serialize, Serializer};
use wps_core::driver::{Cipher, Link, Security};
use wps_core::wsc::Bssid;
use wps_core::{Mode, Phase, Ssid, Status};

use crate::View;
use crate::response::Response;

/// What the device is called. What is none is left out.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Device<'a> {
    /// Its name in the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// What is printed on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<&'a str>,
    /// The version of its software.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'a str>,
}

/// The IP settings of the Wi-Fi interface, which only the host application knows. What is none is
/// left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The device's own address.
    pub ip: Option<IpAddr>,
    /// Which part of it is the network's.
    pub mask: Option<Ipv4Addr>,
    /// Where other networks are reached.
    pub gateway: Option<IpAddr>,
    /// Who resolves names.
    pub dns: Option<IpAddr>,
}

#[derive(Serialize)]
struct System<'a> {
    wifi: Wifi<'a>,
    device: Device<'a>,
}

/// The names and formats of the device that the API is modelled on.
#[derive(Default, Serialize)]
struct Wifi<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid: Option<Shown<'a, Ssid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid_hex: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bssid: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ht: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rssi: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pairwise_cipher: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_cipher: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phy: Option<&'static str>,
    wps: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mask: Option<Ipv4Addr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
}

pub(crate) fn answer<'b>(
    view: &View<'_>,
    link: Option<&Link>,
    buffer: &'b mut [u8],
) -> Response<'b> {
    let Addresses { ip, mask, gateway, dns } = view.addresses;
    let radio = link.map_or_else(Wifi::default, Wifi::of);
    let set_to = view.status.map(|status| status.mode);
    let wifi = Wifi {
        wps: view.status.is_some_and(Status::is_pairing),
        ip,
        mask,
        gateway,
        dns,
        status: status(view.status, link),
        mode: link.and_then(|link| link.mode).or(set_to).map(mode),
        ..radio
    };
    Response::json(&System { wifi, device: view.device }, buffer)
}

impl<'a> Wifi<'a> {
    fn of(link: &'a Link) -> Self {
        let channel = link.frequency_mhz.and_then(Channel::at);
        let address = |bssid: &'a Bssid| Hex(&bssid.0);
        Self {
            ssid: link.ssid.as_ref().map(Shown::Borrowed),
            ssid_hex: link.ssid.as_ref().and_then(Hex::unless_exact),
            bssid: link.bssid.as_ref().map(address),
            channel: channel.map(|channel| channel.number),
            ht: link.width_mhz.and_then(|width| ht(channel, width)),
            rssi: link.signal_dbm,
            signal: link.signal_dbm.map(|dbm| dbm.saturating_add(100).clamp(0, 50) * 2),
            auth_mode: link.security.map(auth_mode),
            pairwise_cipher: link.pairwise_cipher.map(cipher),
            group_cipher: link.group_cipher.map(cipher),
            phy: phy(channel, link.generation),
            country: link.country.as_ref().and_then(|letters| str::from_utf8(letters).ok()),
            mac: link.address.as_ref().map(address),
            ..Self::default()
        }
    }
}

/// A radio that rests and tells nothing has failed; one that is busy may be asked later.
fn status(status: Option<&Status>, link: Option<&Link>) -> Option<&'static str> {
    match link {
        Some(link) if link.up => Some("OK"),
        Some(Link { mode: Some(Mode::Off), .. }) => Some("Disabled"),
        Some(_) => Some("Disconnected"),
        None => status.filter(|status| status.phase == Phase::Idle).map(|_| "Error"),
    }
}

pub(crate) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Station => "STA",
        Mode::AccessPoint => "AP",
        Mode::Off => "OFF",
    }
}

#[derive(Clone, Copy)]
struct Channel {
    number: u16,
    band: Band,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Band {
    TwoPointFour,
    Five,
    Six,
}

impl Channel {
    /// IEEE 802.11-2020, annex E.
    fn at(mhz: u16) -> Option<Self> {
        let (number, band) = match mhz {
            2484 => (14, Band::TwoPointFour),
            2412..=2472 => ((mhz - 2407) / 5, Band::TwoPointFour),
            5160..=5885 => ((mhz - 5000) / 5, Band::Five),
            5935 => (2, Band::Six),
            5955..=7115 => ((mhz - 5950) / 5, Band::Six),
            _ => return None,
        };
        Some(Self { number, band })
    }
}

/// Where the second half of a wide channel lies. In the 5 GHz band the number tells; in the 2.4 GHz
/// band it may be on either side, and nobody has said.
fn ht(channel: Option<Channel>, width_mhz: u16) -> Option<&'static str> {
    match (width_mhz, channel) {
        (20, _) => Some("20"),
        (40.., Some(Channel { number, band: Band::Five })) => {
            let first = if number < 149 { 36 } else { 149 };
            Some(if number.checked_sub(first)? % 8 == 0 { "40+" } else { "40-" })
        }
        _ => None,
    }
}

/// The letters of IEEE 802.11 amendments that a network of this generation speaks in its band.
fn phy(channel: Option<Channel>, generation: Option<u8>) -> Option<&'static str> {
    match (channel?.band, generation?) {
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

fn auth_mode(security: Security) -> &'static str {
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

fn cipher(cipher: Cipher) -> &'static str {
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

/// As it shows itself to people.
pub(crate) enum Shown<'a, T> {
    Borrowed(&'a T),
    Owned(T),
}

impl<T: fmt::Display> Serialize for Shown<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Borrowed(value) => serializer.collect_str(value),
            Self::Owned(value) => serializer.collect_str(value),
        }
    }
}

/// Upper-case hex digits.
pub(crate) struct Hex<'a>(&'a [u8]);

impl<'a> Hex<'a> {
    /// The bytes of a name that does not show all of itself.
    pub(crate) fn unless_exact(ssid: &'a Ssid) -> Option<Self> {
        let bytes = ssid.as_bytes();
        str::from_utf8(bytes).is_err().then_some(Self(bytes))
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
