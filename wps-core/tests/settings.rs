//! Network names and keys: which bytes are valid, and how they are displayed.

use wps_core::{InvalidValue, Passphrase, Snapshot, Ssid};

#[test]
fn a_name_is_1_to_32_bytes() {
    for (length, fits) in [(0, false), (1, true), (32, true), (33, false)] {
        let name = Ssid::new(&vec![0xff; length]);
        assert_eq!(
            name.map(|name| name.as_bytes().len()),
            fits.then_some(length).ok_or(InvalidValue::SsidLength)
        );
    }
}

#[test]
fn a_name_is_displayed_as_text() {
    for (name, shown) in [
        (&b"home"[..], "home"),
        ("Zürich 🏠".as_bytes(), "Zürich 🏠"),
        (b"a\xffb", "a\u{fffd}b"),
        (b"\xf0\x9f\x8f", "\u{fffd}"),
        (b"\xff\xfe", "\u{fffd}\u{fffd}"),
        (b"a\"\n", "a\"\n"),
    ] {
        assert_eq!(Ssid::new(name).expect("short").to_string(), shown);
    }
}

#[test]
fn a_key_is_a_passphrase_or_a_raw_psk() {
    let key = |bytes: &[u8]| Passphrase::new(bytes).map(|key| key.is_raw_psk());
    assert_eq!(key(&[b'a'; 7]), Err(InvalidValue::Passphrase));
    assert_eq!(key(&[b'a'; 8]), Ok(false));
    assert_eq!(key("ÄÖÜ 8 Bytes".as_bytes()), Ok(false));
    assert_eq!(key(&[b'a'; 63]), Ok(false));
    assert_eq!(key(&[b'a'; 64]), Ok(true), "hex digits");
    assert_eq!(key(&[b'F'; 64]), Ok(true));
    assert_eq!(key(&[b'g'; 64]), Err(InvalidValue::Passphrase));
    assert_eq!(key(&[b'a'; 65]), Err(InvalidValue::Passphrase));
    assert_eq!(key(b"bell\x07bell"), Err(InvalidValue::Passphrase));
}

#[test]
fn the_debug_output_of_secrets_is_redacted() {
    let key = Passphrase::new(b"correct horse").expect("a key");
    assert_eq!(format!("{key:?}"), "Passphrase(..)");
    assert_eq!(key.reveal(), b"correct horse");
    let snapshot = Snapshot::new(b"noted").expect("short");
    assert_eq!(format!("{snapshot:?}"), "Snapshot(5 bytes)");
}
