//! The elements and WSC attributes that routers send.

use super::hex;

/// Returns the elements of an access point with WPS.
pub fn elements(ssid: &[u8], uuid: Option<u8>, pressed: bool) -> Vec<u8> {
    let mut wps = vec![0x00, 0x50, 0xf2, 0x04, 0x10, 0x4a, 0, 1, 0x10, 0x10, 0x44, 0, 1, 2];
    if pressed {
        wps.extend([0x10, 0x41, 0, 1, 1, 0x10, 0x12, 0, 2, 0, 4]);
    }
    if let Some(uuid) = uuid {
        wps.extend([0x10, 0x47, 0, 16]);
        wps.extend([uuid; 16]);
    }
    let mut elements = vec![0, u8::try_from(ssid.len()).unwrap()];
    elements.extend(ssid);
    elements.extend([0xdd, u8::try_from(wps.len()).unwrap()]);
    elements.extend(wps);
    elements
}

/// Returns a Credential attribute as routers send it, in hex.
pub fn credential(ssid: &[u8], key: &[u8]) -> String {
    let mut body = vec![0x10, 0x26, 0, 1, 1];
    for (kind, value) in [(0x45, ssid), (0x03, &[0, 0x20]), (0x0f, &[0, 8]), (0x27, key)] {
        body.extend([0x10, kind, 0, u8::try_from(value.len()).unwrap()]);
        body.extend(value);
    }
    let mut attribute = vec![0x10, 0x0e, 0, u8::try_from(body.len()).unwrap()];
    attribute.extend(body);
    hex(&attribute)
}
