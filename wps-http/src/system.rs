//! `GET /api/v1/system`: the state of the radio, and a description of the device.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use serde::{Serialize, Serializer};
use wps_core::Link;
use wps_core::wsc::Bssid;
use wps_core::{Channel, Mode, Phase, Settings, Ssid, Status};

use crate::View;
use crate::radio::{auth_mode, cipher, ht, phy, signal};
use crate::response::Response;
use crate::settings::kept_by;

/// A description of the device. Fields that are `None` are left out.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Device<'a> {
    /// Its name on the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// The model name that is printed on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<&'a str>,
    /// The version of its software.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'a str>,
    /// The program that manages its Wi-Fi interface, on Linux.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<&'a str>,
}

/// The IP settings of the Wi-Fi interface, which only the application knows. Fields that are `None`
/// are left out. If `ip` is `None`, the interface has no address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The address of the device.
    pub ip: Option<IpAddr>,
    /// The network mask.
    pub mask: Option<Ipv4Addr>,
    /// The default gateway.
    pub gateway: Option<IpAddr>,
    /// The DNS server.
    pub dns: Option<IpAddr>,
}

impl Addresses {
    /// Returns whether the interface has an address that is of use. One that the device has chosen
    /// itself, because no router gave it one, is not.
    pub(crate) fn has_address(&self) -> bool {
        match self.ip {
            Some(IpAddr::V4(ip)) => !ip.is_link_local(),
            Some(IpAddr::V6(ip)) => !ip.is_unicast_link_local(),
            None => false,
        }
    }
}

#[derive(Serialize)]
struct System<'a> {
    wifi: Wifi<'a>,
    device: Device<'a>,
}

/// The state of the radio, with the names and formats of the device that the API is modelled on.
#[derive(Default, Serialize)]
struct Wifi<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid: Option<Displayed<'a, Ssid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid_hex: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bssid: Option<Hex<'a>>,
    /// Who keeps the network that the radio has joined. Left out if it is not the network that the
    /// device is set to: then it is another one of the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<u8>,
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
    /// Only while the radio has joined a network.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_address: Option<bool>,
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

pub(crate) fn response<'b>(
    view: &View<'_>,
    link: Option<&Link>,
    buffer: &'b mut [u8],
) -> Response<'b> {
    let Addresses { ip, mask, gateway, dns } = view.addresses.unwrap_or_default();
    let radio = link.map_or_else(Wifi::default, Wifi::new);
    let set_to = view.status.map(|status| status.mode);
    let joined = link.filter(|link| link.up).and_then(|link| link.ssid.as_ref());
    let kept = match view.settings {
        Some(Settings::Station { network }) if joined == Some(&network.ssid) => Some(network),
        Some(_) | None => None,
    };
    let mode = link.and_then(|link| link.mode).or(set_to);
    let is_joined = mode == Some(Mode::Station) && link.is_some_and(|link| link.up);
    let wifi = Wifi {
        kept_by: kept.map(kept_by),
        wps: view.status.is_some_and(Status::is_pairing),
        has_address: view.addresses.as_ref().filter(|_| is_joined).map(Addresses::has_address),
        ip,
        mask,
        gateway,
        dns,
        status: status(view.status, link),
        mode: mode.map(mode_name),
        ..radio
    };
    Response::json(&System { wifi, device: view.device }, buffer)
}

impl<'a> Wifi<'a> {
    fn new(link: &'a Link) -> Self {
        let channel = link.frequency_mhz.and_then(Channel::from_mhz);
        let address = |bssid: &'a Bssid| Hex(&bssid.0);
        Self {
            ssid: link.ssid.as_ref().map(Displayed::Borrowed),
            ssid_hex: link.ssid.as_ref().and_then(Hex::if_not_utf8),
            bssid: link.bssid.as_ref().map(address),
            channel: channel.map(Channel::number),
            ht: link.width_mhz.and_then(|width| ht(channel, width, None)),
            rssi: link.signal_dbm,
            signal: link.signal_dbm.map(signal),
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

/// Returns the status of the link.
///
/// Without a link the radio has failed if the machine is idle. If the machine is busy, the status
/// is unknown.
fn status(status: Option<&Status>, link: Option<&Link>) -> Option<&'static str> {
    match link {
        Some(link) if link.up => Some("OK"),
        Some(Link { mode: Some(Mode::Off), .. }) => Some("Disabled"),
        Some(_) => Some("Disconnected"),
        None => status.filter(|status| status.phase == Phase::Idle).map(|_| "Error"),
    }
}

pub(crate) fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Station => "STA",
        Mode::AccessPoint => "AP",
        Mode::Off => "OFF",
    }
}

/// A value that is serialized as a string, by its `Display` implementation.
pub(crate) enum Displayed<'a, T> {
    Borrowed(&'a T),
    Owned(T),
}

impl<T: fmt::Display> Serialize for Displayed<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Borrowed(value) => serializer.collect_str(value),
            Self::Owned(value) => serializer.collect_str(value),
        }
    }
}

/// Bytes that are serialized as upper-case hex digits.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl<'a> Hex<'a> {
    /// Returns the bytes of a name that is not UTF-8, so that its text is not exact.
    pub(crate) fn if_not_utf8(ssid: &'a Ssid) -> Option<Self> {
        let bytes = ssid.as_bytes();
        str::from_utf8(bytes).is_err().then_some(Self(bytes))
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}", base16ct::HexDisplay(self.0))
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
