//! Fuzzes the parser of the credentials that a registrar sends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wps_core::wsc::{Bssid, MAX_CREDENTIALS, credentials};
use wps_core::{BssInfo, Credentials, Secret, Security};
use wps_testkit::wsc::SentCredential;

fuzz_target!(|received: &[u8]| {
    let sent_by = |security| BssInfo { security, ..BssInfo::new(Bssid([2; 6])) };
    for security in Security::ALL.iter().copied().map(Some).chain([None]) {
        let found = credentials(received, &sent_by(security)).unwrap_or_default();
        let has_open = found.iter().any(|network| network.secret == Secret::Open);
        assert!(!has_open || security == Some(Security::Open), "an evil twin could be joined");
    }
    let access_point = sent_by(Some(Security::Open));
    let credentials = |received: &[u8]| credentials(received, &access_point);
    let Ok(networks) = credentials(received) else { return };
    assert!((1..=MAX_CREDENTIALS).contains(&networks.len()));
    let sent = |bytes: &[u8]| received.windows(bytes.len()).any(|it| it == bytes);
    for (index, network) in networks.iter().enumerate() {
        assert!(!networks[..index].contains(network), "a duplicate");
        let ssid = network.ssid.as_bytes();
        assert!((1..=32).contains(&ssid.len()) && sent(ssid), "a name that was not sent");
        if let Secret::Key(key) = &network.secret {
            let key = key.reveal();
            assert!((8..=64).contains(&key.len()) && sent(key), "a key that was not sent");
            assert!(!key.iter().any(u8::is_ascii_control));
        }
    }
    // The same credentials as a correct registrar encodes them.
    let correct: Vec<u8> = networks.iter().flat_map(encoded).collect();
    assert_eq!(credentials(&correct), Ok(networks.clone()));
    // Trailing bytes that are not another credential change nothing.
    for trailing in [&[0x10][..], &[0x10, 0x0e, 0xff, 0xff], &[0x10, 0x0e, 0, 0]] {
        assert_eq!(credentials(&[&correct, trailing].concat()), Ok(networks.clone()));
    }
});

fn encoded(network: &Credentials) -> Vec<u8> {
    let key = network.secret.key().expect("a router hands over the key").map(|key| key.reveal());
    SentCredential::new(network.ssid.as_bytes(), key).bytes()
}
