//! Hex, addresses and SSIDs as text, as hostap writes them.

/// Escapes an SSID as hostap's `printf_encode` does.
pub(super) fn printf_encode(ssid: &[u8]) -> String {
    let print = |&byte: &u8| match byte {
        b'"' => "\\\"".into(),
        b'\\' => "\\\\".into(),
        32..=126 => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    ssid.iter().map(print).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn unhex(text: &str) -> Vec<u8> {
    let byte = |place| u8::from_str_radix(text.get(place..place + 2)?, 16).ok();
    (0..text.len()).step_by(2).map_while(byte).collect()
}

pub fn address(bssid: [u8; 6]) -> String {
    bssid.map(|byte| format!("{byte:02x}")).join(":")
}
