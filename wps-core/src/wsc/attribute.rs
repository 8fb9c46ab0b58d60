//! The two type-length-value encodings of Wi-Fi Protected Setup, and the attribute types used here.

use core::iter;

pub(super) const AUTHENTICATION_TYPE: u16 = 0x1003;
pub(super) const CREDENTIAL: u16 = 0x100e;
pub(super) const ENCRYPTION_TYPE: u16 = 0x100f;
pub(super) const DEVICE_PASSWORD_ID: u16 = 0x1012;
pub(super) const NETWORK_KEY: u16 = 0x1027;
pub(super) const SELECTED_REGISTRAR: u16 = 0x1041;
pub(super) const STATE: u16 = 0x1044;
pub(super) const SSID: u16 = 0x1045;
pub(super) const UUID_E: u16 = 0x1047;
pub(super) const VENDOR_EXTENSION: u16 = 0x1049;

/// Iterates over WPS attributes: type and length have two bytes each, big endian. Ends before the
/// first truncated attribute.
pub(super) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    iter::from_fn(move || {
        let (&[t0, t1, l0, l1], after) = rest.split_first_chunk()?;
        let (value, after) = after.split_at_checked(u16::from_be_bytes([l0, l1]).into())?;
        rest = after;
        Some((u16::from_be_bytes([t0, t1]), value))
    })
}

/// Iterates over 802.11 elements, or over the subelements in the Wi-Fi Alliance's vendor extension:
/// type and length have one byte each. Ends before the first truncated element.
pub(super) fn elements(mut rest: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    iter::from_fn(move || {
        let (&[id, length], after) = rest.split_first_chunk()?;
        let (body, after) = after.split_at_checked(length.into())?;
        rest = after;
        Some((id, body))
    })
}
