//! The replies of wpa_supplicant, which hold what came from the air. They are parsed by private code of
//! `wps-hal-linux`, so that its files are part of this program; the rest of that crate is not needed.
#![no_main]
#![allow(dead_code, reason = "not all of the files is used here")]

#[path = "../../wps-hal-linux/src/event.rs"]
mod event;
#[path = "../../wps-hal-linux/src/neighbour.rs"]
mod neighbour;
#[path = "../../wps-hal-linux/src/reply.rs"]
mod reply;

use libfuzzer_sys::fuzz_target;
use reply::{Heard, Values};

fuzz_target!(|data: &[u8]| {
    // Names as wpa_supplicant prints them come back.
    assert_eq!(reply::unescaped(&escaped(data)), data);

    let text = String::from_utf8_lossy(data);
    assert!(reply::unescaped(&text).len() <= text.len());
    for network in reply::networks(&text) {
        assert!(!network.name.contains(['\t', '\n']));
    }
    assert!(reply::channels(&text).count() <= text.lines().count());

    let values = Values::parse(&text);
    assert!(values.ssid().is_none_or(|ssid| (1..=32).contains(&ssid.as_bytes().len())));
    // Each element list in a reply of its own, as it may fill one.
    let mut parts = text.split("\n\n");
    let mut part = || parts.next().unwrap_or_default();
    let (head, probe_response, beacon) = (Values::parse(part()), part(), part());
    let heard = Heard::parse(&head, probe_response, beacon);
    let neighbour = neighbour::neighbour(&head, probe_response, beacon);
    assert_eq!(neighbour.is_some(), head.bssid("bssid").is_some());
    if let Some(heard) = heard {
        // What a pairing hears, people see.
        let neighbour = neighbour.expect("heard, but not shown");
        assert_eq!(neighbour.bssid, heard.router.bssid);
        assert_eq!((neighbour.wps, neighbour.pressed), (true, Some(heard.pressed)));
        assert_eq!(neighbour.frequency_mhz, Some(heard.router.frequency_mhz));
        assert!(heard.router.ssid.is_none_or(|ssid| (1..=32).contains(&ssid.as_bytes().len())));
    }
});

/// As `printf_encode` of wpa_supplicant does it.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'"' => text += "\\\"",
            b'\\' => text += "\\\\",
            0x1b => text += "\\e",
            b'\n' => text += "\\n",
            b'\r' => text += "\\r",
            b'\t' => text += "\\t",
            32..=126 => text.push(char::from(*byte)),
            _ => text += &format!("\\x{byte:02x}"),
        }
    }
    text
}
