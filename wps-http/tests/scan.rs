//! The formats of `/api/v1/wifi/scan`, field by field, and what becomes of more than fits.

use serde_json::{Value, json};
use wps_core::driver::{Cipher, Security};
use wps_core::wsc::Bssid;
use wps_core::{BssInfo, ScanResults, Ssid};
use wps_http::{BUFFER, Outcome, Request, SCAN_BUFFER, View, finish};

fn ask(neighbours: &ScanResults, space: usize) -> Value {
    let request = Request::new("GET", "/api/v1/wifi/scan").header("Host", b"127.0.0.1");
    let mut buffer = vec![0; space];
    let outcome = Outcome::Scanned(Some(neighbours));
    let response = finish(&request, &View::default(), outcome, &mut buffer);
    assert_eq!(response.status(), 200);
    serde_json::from_slice(response.body()).expect("JSON")
}

fn full(name: &[u8]) -> BssInfo {
    BssInfo {
        bssid: Bssid([0xa0, 0xb1, 0xc2, 0xd3, 0xe4, 0xf5]),
        ssid: Some(Ssid::new(name).expect("a name")),
        frequency_mhz: Some(2437),
        width_mhz: Some(40),
        second_above: Some(false),
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

fn found(all: impl IntoIterator<Item = BssInfo>) -> ScanResults {
    let mut neighbours = ScanResults::default();
    all.into_iter().for_each(|it| neighbours.add(it));
    neighbours
}

#[test]
fn everything_known_is_shown_and_nothing_else() {
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
    assert_eq!(ask(&found([other, full(b"home")]), BUFFER), expected);
    assert_eq!(ask(&ScanResults::default(), BUFFER), json!([]));
}

#[test]
fn the_longest_list_fits_and_of_a_longer_one_the_strongest_are_told() {
    for name in [[0x01; 32], [0xff; 32]] {
        let many = (0..32).map(|number| BssInfo {
            bssid: Bssid([number; 6]),
            signal_dbm: Some(-100 - i16::from(number)),
            ..full(&name)
        });
        let neighbours = found(many);
        let all = ask(&neighbours, SCAN_BUFFER);
        let all = all.as_array().expect("an array");
        assert_eq!(all.len(), ScanResults::MAX);
        for space in [2, 100, 1_000, BUFFER, 5_000] {
            let some = ask(&neighbours, space);
            let some = some.as_array().expect("an array");
            assert_eq!(some[..], all[..some.len()]);
            assert!(some.len() == (space - 2) / 500 || some.len() > (space - 2) / 500);
        }
    }
}
