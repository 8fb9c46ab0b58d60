//! Fuzzes the parsers of wpa_supplicant's replies, which contain data received over the air. The
//! parsers are private code of `wps-hal-linux`, so this program includes its source files.
#![no_main]
#![allow(dead_code, reason = "this program uses only a part of the files")]

#[path = "../../wps-hal-linux/src/supplicant/bss.rs"]
mod bss;
#[path = "../../wps-hal-linux/src/supplicant/reply.rs"]
mod reply;

use bss::{Bss, BssSummary};
use libfuzzer_sys::fuzz_target;
use reply::Values;

fuzz_target!(|data: &[u8]| {
    // Unescaping reverts the escaping of wpa_supplicant.
    assert_eq!(reply::unescaped(&escaped(data)), data);

    let text = String::from_utf8_lossy(data);
    assert!(reply::unescaped(&text).len() <= text.len());
    for network in reply::networks(&text) {
        assert!(!network.name.contains(['\t', '\n']));
    }
    assert!(reply::channels(&text).count() <= text.lines().count());

    let values = Values::parse(&text);
    assert!(values.ssid().is_none_or(|ssid| (1..=32).contains(&ssid.as_bytes().len())));
    // Each list of elements has a separate reply, because one list may fill it.
    let mut parts = text.split("\n\n");
    let mut part = || parts.next().unwrap_or_default();
    let (head, probe_response, beacon) = (Values::parse(part()), part(), part());
    let summary = BssSummary::parse(&head);
    assert_eq!(summary.is_some(), head.bssid("bssid").is_some());
    let bss = summary.map(|summary| Bss::parse(&summary, probe_response, beacon));
    if let Some(bss) = bss.and_then(Bss::into_wps) {
        // The router to pair with and the scan result are the same access point.
        let info = bss.info;
        assert_eq!(info.bssid, bss.router.bssid);
        assert_eq!((info.wps, info.pressed), (true, Some(bss.pressed)));
        assert_eq!(info.frequency_mhz, Some(bss.router.frequency_mhz));
        assert!(bss.router.ssid.is_none_or(|ssid| (1..=32).contains(&ssid.as_bytes().len())));
    }
});

/// Escapes bytes as `printf_encode` of wpa_supplicant does.
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
