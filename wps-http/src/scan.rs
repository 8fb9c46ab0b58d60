//! `GET /api/v1/wifi/scan`: the access points in range, the strongest first.

use serde::Serialize;
use wps_core::{BssInfo, ScanResults, Ssid, Status};

use crate::View;
use crate::radio::{Channel, auth_mode, cipher, ht, phy, signal};
use crate::response::Response;
use crate::system::{Hex, Shown};

/// The names and formats of the device that the API is modelled on.
#[derive(Serialize)]
struct Entry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid: Option<Shown<'a, Ssid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid_hex: Option<Hex<'a>>,
    bssid: Hex<'a>,
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
    /// In words, as that device does.
    wps: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wps_active: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
}

impl<'a> Entry<'a> {
    fn of(neighbour: &'a BssInfo) -> Self {
        let channel = neighbour.frequency_mhz.and_then(Channel::at);
        let second_above = neighbour.second_above;
        Self {
            ssid: neighbour.ssid.as_ref().map(Shown::Borrowed),
            ssid_hex: neighbour.ssid.as_ref().and_then(Hex::unless_exact),
            bssid: Hex(&neighbour.bssid.0),
            channel: channel.map(|channel| channel.number),
            ht: neighbour.width_mhz.and_then(|width| ht(channel, width, second_above)),
            rssi: neighbour.signal_dbm,
            signal: neighbour.signal_dbm.map(signal),
            auth_mode: neighbour.security.map(auth_mode),
            pairwise_cipher: neighbour.pairwise_cipher.map(cipher),
            group_cipher: neighbour.group_cipher.map(cipher),
            phy: phy(channel, neighbour.generation),
            wps: if neighbour.wps { "true" } else { "false" },
            wps_active: neighbour.pressed,
            country: neighbour.country.as_ref().and_then(|letters| str::from_utf8(letters).ok()),
        }
    }
}

/// As many as fit into the buffer. Before its first look, and on a radio that does not tell, a pairing
/// hears nothing: that is an empty list.
pub(crate) fn answer<'b>(
    view: &View<'_>,
    neighbours: Option<&ScanResults>,
    buffer: &'b mut [u8],
) -> Response<'b> {
    let none = ScanResults::default();
    let is_pairing = view.status.is_some_and(Status::is_pairing);
    let Some(neighbours) = neighbours.or(is_pairing.then_some(&none)) else {
        return Response::refused("The radio cannot look around now. Try again.", buffer);
    };
    let mut end = 0;
    for neighbour in neighbours {
        // After a bracket or a comma, and with room for the last bracket.
        let room = buffer.len().saturating_sub(1);
        let Some(rest) = buffer.get_mut(end + 1..room) else { break };
        let Ok(length) = serde_json_core::to_slice(&Entry::of(neighbour), rest) else { break };
        put(buffer, end, if end == 0 { b'[' } else { b',' });
        end += 1 + length;
    }
    if end == 0 {
        put(buffer, end, b'[');
        end += 1;
    }
    put(buffer, end, b']');
    Response::of_json(buffer.get(..=end).unwrap_or_default())
}

fn put(buffer: &mut [u8], place: usize, byte: u8) {
    if let Some(there) = buffer.get_mut(place) {
        *there = byte;
    }
}
