//! The formats of `/api/v1/wifi/scan`, field by field, and a list that does not fit the buffer.

use serde_json::{Value, json};
use wps_core::wsc::Bssid;
use wps_core::{BssInfo, ScanResults};
use wps_core::{Cipher, Security};
use wps_http::{BUFFER, Outcome, Request, SCAN_BUFFER, View, finish};
use wps_testkit::ssid;

fn response_to(results: &ScanResults, space: usize) -> Value {
    let request = Request::new("GET", "/api/v1/wifi/scan").header("Host", b"127.0.0.1");
    let mut buffer = vec![0; space];
    let outcome = Outcome::Scanned(Some(results.clone()));
    let response = finish(&request, &View::default(), &outcome, &mut buffer);
    assert_eq!(response.status(), 200);
    serde_json::from_slice(response.body()).expect("JSON")
}

fn all_fields(name: &[u8]) -> BssInfo {
    BssInfo {
        bssid: Bssid([0xa0, 0xb1, 0xc2, 0xd3, 0xe4, 0xf5]),
        ssid: Some(ssid(name)),
        frequency_mhz: Some(2437),
        width_mhz: Some(40),
        secondary_above: Some(false),
        signal_dbm: Some(-61),
        security: Some(Security::WpaWpa2),
        pairwise_cipher: Some(Cipher::TkipCcmp),
        group_cipher: Some(Cipher::Tkip),
        generation: Some(7),
        country: Some(*b"CH"),
        wps: true,
        pressed: Some(true),
    }
}

fn scan_results(all: impl IntoIterator<Item = BssInfo>) -> ScanResults {
    let mut results = ScanResults::default();
    all.into_iter().for_each(|it| results.add(it));
    results
}

#[test]
fn only_known_fields_are_shown() {
    let other = BssInfo { signal_dbm: Some(-90), ..BssInfo::new(Bssid([2, 0, 0, 0, 0, 9])) };
    let expected = json!([
        {
            "ssid": "home",
            "bssid": "A0B1C2D3E4F5",
            "channel": 6,
            "ht": "40-",
            "rssi": -61,
            "signal": 78,
            "auth_mode": "WPA-WPA2",
            "pairwise_cipher": "TKIP-CCMP",
            "group_cipher": "TKIP",
            "phy": "bgnaxbe",
            "wps": "true",
            "wps_active": true,
            "country": "CH",
        },
        { "bssid": "020000000009", "rssi": -90, "signal": 20, "wps": "false" },
    ]);
    assert_eq!(response_to(&scan_results([other, all_fields(b"home")]), BUFFER), expected);
    assert_eq!(response_to(&ScanResults::default(), BUFFER), json!([]));
}

#[test]
fn the_longest_list_fits_and_a_shorter_buffer_keeps_the_strongest() {
    for name in [[0x01; 32], [0xff; 32]] {
        let many = (0..32).map(|number| BssInfo {
            bssid: Bssid([number; 6]),
            signal_dbm: Some(-100 - i16::from(number)),
            ..all_fields(&name)
        });
        let results = scan_results(many);
        let all = response_to(&results, SCAN_BUFFER);
        let all = all.as_array().expect("an array");
        assert_eq!(all.len(), ScanResults::MAX_LEN);
        for space in [2, 100, 1_000, BUFFER, 5_000] {
            let some = response_to(&results, space);
            let some = some.as_array().expect("an array");
            assert_eq!(some[..], all[..some.len()]);
            assert!(some.len() == (space - 2) / 500 || some.len() > (space - 2) / 500);
        }
    }
}
