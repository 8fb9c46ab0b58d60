//! Fuzzes the parser of wpa_supplicant's events, and the parser of addresses. The former is private
//! code of `wps-hal-linux`, so this program includes its source file.
#![no_main]
#![allow(dead_code, reason = "this program uses only a part of the file")]

#[path = "../../wps-hal-linux/src/supplicant/event.rs"]
mod event;

use base16ct::lower;
use event::Event;
use libfuzzer_sys::fuzz_target;
use wps_core::wsc::Bssid;

fuzz_target!(|datagram: &[u8]| {
    let event = Event::parse(datagram);
    let printed = format!("{event:?}");
    assert!(printed.len() < 60, "prints the received bytes: {printed}");
    if let Event::Credentials(bytes) = &event {
        assert!(!bytes.is_empty());
        assert!(
            datagram.to_ascii_lowercase().ends_with(lower::encode_string(bytes).as_bytes())
                || datagram.last().is_some_and(|byte| !byte.is_ascii_hexdigit())
        );
    }

    let Ok(text) = str::from_utf8(datagram) else { return };
    if let Ok(bssid) = text.parse::<Bssid>() {
        assert_eq!(bssid.to_string(), text.to_ascii_lowercase());
    }
    if !text.starts_with('<') {
        assert_eq!(event, Event::Malformed);
    }
    // A network's name cannot forge an event, because wpa_supplicant puts names in quotes.
    if let (Some((head, rest)), Event::TempDisabled { .. } | Event::Connected { .. }) =
        (text.split_once(' '), &event)
    {
        for name in
            ["id=7 [id=7", "", "x bssid=02:00:00:00:00:00 reason=WRONG_KEY", "config_error=12"]
        {
            let named = format!("{head} ssid=\"{name}\" {rest}");
            assert_eq!(Event::parse(named.as_bytes()), event, "{named}");
        }
    }
});
