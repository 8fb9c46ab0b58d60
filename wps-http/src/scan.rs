//! `GET /api/v1/wifi/scan`: the access points in range, the strongest first.

use serde::Serialize;
use wps_core::{BssInfo, Channel, ScanResults, Ssid, Status};

use crate::View;
use crate::radio::{auth_mode, cipher, ht, phy, signal};
use crate::response::Response;
use crate::system::{Displayed, Hex};

/// One access point, with the names and formats of the device that the API is modelled on.
#[derive(Serialize)]
struct Entry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid: Option<Displayed<'a, Ssid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid_hex: Option<Hex<'a>>,
    bssid: Hex<'a>,
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
    /// A string, as in the API of that device.
    wps: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wps_active: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
}

impl<'a> Entry<'a> {
    fn new(bss: &'a BssInfo) -> Self {
        let channel = bss.frequency_mhz.and_then(Channel::from_mhz);
        let secondary_above = bss.secondary_above;
        Self {
            ssid: bss.ssid.as_ref().map(Displayed::Borrowed),
            ssid_hex: bss.ssid.as_ref().and_then(Hex::if_not_utf8),
            bssid: Hex(&bss.bssid.0),
            channel: channel.map(Channel::number),
            ht: bss.width_mhz.and_then(|width| ht(channel, width, secondary_above)),
            rssi: bss.signal_dbm,
            signal: bss.signal_dbm.map(signal),
            auth_mode: bss.security.map(auth_mode),
            pairwise_cipher: bss.pairwise_cipher.map(cipher),
            group_cipher: bss.group_cipher.map(cipher),
            phy: phy(channel, bss.generation),
            wps: if bss.wps { "true" } else { "false" },
            wps_active: bss.pressed,
            country: bss.country.as_ref().and_then(|letters| str::from_utf8(letters).ok()),
        }
    }
}

/// Lists the access points, as many as fit into the buffer.
///
/// During a pairing the list is empty before the first scan step, and on a radio that does not
/// report scan results.
pub(crate) fn response<'b>(
    view: &View<'_>,
    results: Option<&ScanResults>,
    buffer: &'b mut [u8],
) -> Response<'b> {
    let no_results = ScanResults::default();
    let is_pairing = view.status.is_some_and(Status::is_pairing);
    let Some(results) = results.or(is_pairing.then_some(&no_results)) else {
        return Response::refused("The radio cannot look around now. Try again.", buffer);
    };
    let mut end = 0;
    for bss in results {
        // Leaves one byte for the bracket or comma before the entry, and one for the last bracket.
        let room = buffer.len().saturating_sub(1);
        let Some(rest) = buffer.get_mut(end + 1..room) else { break };
        let Ok(length) = serde_json_core::to_slice(&Entry::new(bss), rest) else { break };
        put_byte(buffer, end, if end == 0 { b'[' } else { b',' });
        end += 1 + length;
    }
    if end == 0 {
        put_byte(buffer, end, b'[');
        end += 1;
    }
    put_byte(buffer, end, b']');
    Response::from_json(buffer.get(..=end).unwrap_or_default())
}

/// Writes a byte, unless `index` is past the end of the buffer.
fn put_byte(buffer: &mut [u8], index: usize, byte: u8) {
    if let Some(place) = buffer.get_mut(index) {
        *place = byte;
    }
}
