//! The events of wpa_supplicant. They are parsed by private code of `wps-hal-linux`, so that its file is
//! part of this program; the rest of that crate is not needed.
#![no_main]
#![allow(dead_code, reason = "not all of the file is used here")]

#[path = "../../wps-hal-linux/src/event.rs"]
mod event;

use event::Event;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    let event = Event::parse(datagram);
    let printed = format!("{event:?}");
    assert!(printed.len() < 60, "prints what it was sent: {printed}");
    if let Event::Credentials(bytes) = &event {
        assert!(!bytes.is_empty());
        assert!(
            datagram.to_ascii_lowercase().ends_with(event::to_hex(bytes).as_bytes())
                || datagram.last().is_some_and(|byte| !byte.is_ascii_hexdigit())
        );
        assert_eq!(event::hex(&event::to_hex(bytes)).as_deref(), Some(&bytes[..]));
    }

    let Ok(text) = str::from_utf8(datagram) else { return };
    if let Some(bytes) = event::hex(text) {
        assert_eq!(event::to_hex(&bytes), text.to_ascii_lowercase());
    }
    if let Some(bssid) = event::bssid(text) {
        assert_eq!(bssid.to_string(), text.to_ascii_lowercase());
    }
    if !text.starts_with('<') {
        assert_eq!(event, Event::Garbage);
    }
    // Whatever a network calls itself, it cannot forge an event: names come in quotes.
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
