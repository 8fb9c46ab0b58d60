//! Pairings in which a router hands over its networks.

use super::*;
use crate::fake::{
    Record, SUCCESS, WEP, WPA_PSK, WPA_WPA2_PSK, WPA2_PSK, WPA2_WPA3_PSK, bssid, fresh_library,
    overwrite_station, post, post_connected, post_connected_to, post_disconnected, record_of,
    set_paired_bssid, station_credentials, success_payload, with_library,
};
use wps_core::{DriverError, ErrorKind};

/// The offset of `threshold.authmode` in `wifi_sta_config_t`.
pub(super) const AUTHMODE_AT: usize = 120;
/// The offset of `scan_method` in `wifi_sta_config_t`.
const SCAN_METHOD_AT: usize = 96;

#[test]
fn success_without_payload_is_read_from_the_configuration() {
    let _guard = fresh_library();
    let offer = pair(|| {
        overwrite_station(b"home", b"correct horse");
        post(SUCCESS, None);
    });
    assert_eq!(offered_networks(&offer.unwrap()), [home()]);
}

#[test]
fn one_to_three_credentials_in_the_payload() {
    let _guard = fresh_library();
    let all: [(&[u8], &[u8]); 3] = [
        (b"home", b"correct horse"),
        (b"guest", b"guest password"),
        (b"home 5 GHz", b"battery staple"),
    ];
    for count in 1..=3 {
        let payload = success_payload(count as u8, &all);
        let offer = pair(|| post(SUCCESS, Some(&payload))).unwrap();
        let expected: Vec<_> = all[..count].iter().map(|(ssid, key)| network(ssid, key)).collect();
        assert_eq!(offered_networks(&offer), expected);
    }
}

#[test]
fn names_and_keys_that_fill_their_arrays_need_no_nul() {
    let _guard = fresh_library();
    let (ssid, key) = ([0xff; 32], [b'a'; 64]);
    let payload = success_payload(2, &[(&ssid, &key), (b"after", b"not of the first")]);
    let offer = pair(|| post(SUCCESS, Some(&payload))).unwrap();
    assert_eq!(
        offered_networks(&offer),
        [network(&ssid, &key), network(b"after", b"not of the first")]
    );
    let offer = pair(|| {
        overwrite_station(&ssid, &key);
        post(SUCCESS, None);
    });
    assert_eq!(offered_networks(&offer.unwrap()), [network(&ssid, &key)]);
}

#[test]
fn the_end_of_a_longer_old_key_does_not_remain() {
    let _guard = fresh_library();
    let before = network(b"a longer name of before", b"a longer key of before");
    expect_ready(driver().apply(&Settings::Station { network: before }, &Snapshot::default()))
        .unwrap();
    let offer = pair(|| {
        assert_eq!(station_credentials(), (vec![], vec![]));
        overwrite_station(b"home", b"12345678");
        post(SUCCESS, None);
    });
    assert_eq!(offered_networks(&offer.unwrap()), [network(b"home", b"12345678")]);
}

#[test]
fn unusable_networks_are_left_out() {
    let _guard = fresh_library();
    let payload =
        success_payload(3, &[(b"", b"no name there"), (b"wep", b"short"), (b"home", b"12345678")]);
    let offer = pair(|| post(SUCCESS, Some(&payload))).unwrap();
    assert_eq!(offered_networks(&offer), [network(b"home", b"12345678")]);
    // Only `count` networks are read, whatever comes after them.
    let payload = success_payload(1, &[(b"home", b"12345678"), (b"not", b"counted along")]);
    let offer = pair(|| post(SUCCESS, Some(&payload))).unwrap();
    assert_eq!(offered_networks(&offer), [network(b"home", b"12345678")]);
}

#[test]
fn a_success_without_a_usable_network_is_an_error() {
    let _guard = fresh_library();
    // The first error counts.
    let short: (&[u8], &[u8]) = (b"home", b"short");
    let nameless: (&[u8], &[u8]) = (b"", b"");
    for (networks, kind) in
        [([short, nameless], ErrorKind::InvalidKey), ([nameless, short], ErrorKind::NoNetwork)]
    {
        let payload = success_payload(2, &networks);
        assert_eq!(pair_error(|| post(SUCCESS, Some(&payload))).kind(), kind);
        assert_eq!(take_calls()[10..], END_CALLS);
    }
}

#[test]
fn a_success_with_an_unusable_configuration_is_an_error() {
    let _guard = fresh_library();
    for (ssid, key, authmode, kind) in [
        (&b""[..], &b"no name there"[..], WPA_PSK, ErrorKind::NoNetwork),
        (b"home", b"short", WPA_PSK, ErrorKind::InvalidKey),
        (b"home", b"", WPA_PSK, ErrorKind::EmptyKey),
    ] {
        let error = pair_error(|| {
            overwrite_station(ssid, key);
            with_library(|library| library.station[AUTHMODE_AT] = authmode);
            post(SUCCESS, None);
        });
        assert_eq!(error.kind(), kind);
        assert!(error.kind().is_final(), "the router would hand over the same again");
        assert_eq!(take_calls()[10..], END_CALLS);
    }
}

/// Lets each scan find these access points at once.
fn let_scans_find(records: &[Record]) {
    with_library(|library| {
        library.records = records.to_vec();
        library.records_of_each_scan = Some(records.to_vec());
    });
}

/// The library says nothing about the encryption of a WPA2 network. So the access point that has
/// handed over an open network must be open itself.
#[test]
fn an_open_network_is_accepted_only_from_an_open_access_point() {
    let mut unknown = record_of(bssid(9), 0);
    unknown[52] = 4; // a cipher: WPA3 only
    let not_open = [
        vec![record_of(bssid(9), WPA2_PSK)],
        vec![unknown],
        vec![record_of(bssid(9), 0), record_of(bssid(9), WPA2_PSK)],
        // An evil twin.
        vec![record_of(bssid(1), 0), record_of(bssid(9), WPA2_PSK)],
        vec![record_of(bssid(1), 0)],
        vec![],
    ];
    let one = |records: &[Record]| {
        let_scans_find(records);
        pair(|| {
            overwrite_station(b"home", b"");
            set_paired_bssid(bssid(9));
            post(SUCCESS, None);
        })
    };
    let several = |records: &[Record], networks: &[(&[u8], &[u8])]| {
        let_scans_find(records);
        pair(|| {
            set_paired_bssid(bssid(9));
            post(SUCCESS, Some(&success_payload(networks.len() as u8, networks)));
        })
    };
    let [guest, home]: [(&[u8], &[u8]); 2] = [(b"guest", b""), (b"home", b"12345678")];
    for records in &not_open {
        let _guard = fresh_library();
        assert_eq!(one(records).unwrap_err().kind(), ErrorKind::NotOpen);
        assert!(take_calls().ends_with(&END_CALLS));
        assert_eq!(several(records, &[guest, guest]).unwrap_err().kind(), ErrorKind::NotOpen);
        assert!(take_calls().ends_with(&END_CALLS));
        let offer = several(records, &[guest, home]).unwrap();
        assert_eq!(offered_networks(&offer), [network(b"home", b"12345678")]);
    }
    let _guard = fresh_library();
    let open = [record_of(bssid(1), WPA2_PSK), record_of(bssid(9), 0)];
    assert_eq!(offered_networks(&one(&open).unwrap()), [network(b"home", b"")]);
    let offer = several(&open, &[guest, home]).unwrap();
    assert_eq!(offered_networks(&offer), [network(b"guest", b""), network(b"home", b"12345678")]);
}

/// It has joined by itself. Then the joined access point must be the one that was paired with.
#[test]
fn a_joined_access_point_needs_no_scan() {
    for (authmode, is_open) in [(0, true), (WPA2_PSK, false)] {
        let _guard = fresh_library();
        let offer = pair(|| {
            overwrite_station(b"home", b"");
            set_paired_bssid(bssid(9));
            post_connected_to(authmode);
            post(SUCCESS, None);
        });
        assert_eq!(offer.is_ok(), is_open);
        assert!(!take_calls().contains(&"esp_wifi_scan_start"));
    }
    let _guard = fresh_library();
    let_scans_find(&[record_of(bssid(1), WPA2_PSK)]);
    let error = pair_error(|| {
        overwrite_station(b"home", b"");
        set_paired_bssid(bssid(1));
        post_connected_to(0); // an evil twin
        post(SUCCESS, None);
    });
    assert_eq!(error.kind(), ErrorKind::NotOpen);
}

/// That nobody could look is not told as "is not open", and never as "is open".
#[test]
fn a_failed_look_at_the_access_point_is_an_error_that_allows_another_try() {
    let _guard = fresh_library();
    let error = pair_error(|| {
        overwrite_station(b"home", b"");
        set_paired_bssid(bssid(9));
        with_library(|library| library.failures.insert("esp_wifi_scan_start", 0x3006));
        post(SUCCESS, None);
    });
    assert_eq!(error.to_string(), "esp_wifi_scan_start: 0x3006 ESP_ERR_WIFI_STATE");
    assert!(!error.kind().is_final());
}

#[test]
fn an_unknown_address_is_not_that_of_an_open_access_point() {
    let _guard = fresh_library();
    let_scans_find(&[record_of([0; 6], 0)]);
    let error = pair_error(|| {
        overwrite_station(b"home", b"");
        post(SUCCESS, None);
    });
    assert_eq!(error.kind(), ErrorKind::NotOpen);
}

/// A pairing after which the library has joined by itself, with an access point of this security.
pub(super) fn pair_and_join_by_itself(key: &[u8], authmode: u8) {
    pair(|| {
        overwrite_station(b"home", key);
        set_paired_bssid(bssid(9));
        with_library(|library| {
            library.station[AUTHMODE_AT] = if key.is_empty() { 0 } else { WPA_PSK };
            library.station[107] = 6; // it keeps the channel of the router
        });
        post_connected_to(authmode);
        post(SUCCESS, None);
    })
    .unwrap();
    assert_eq!(take_calls(), [&SEARCH_CALLS[..], &END_CALLS[..1]].concat());
}

/// It has then joined with a configuration of its own, which is replaced without losing the link.
#[test]
fn after_a_success_the_library_may_join_by_itself() {
    let key = &b"correct horse"[..];
    for (key, authmode) in [(key, WPA2_PSK), (key, WPA_WPA2_PSK), (key, WPA2_WPA3_PSK), (b"", 0)] {
        let _guard = fresh_library();
        pair_and_join_by_itself(key, authmode);
        let (mut driver, network) = (driver(), network(b"home", key));
        for expected in [&["esp_wifi_set_config(station)"][..], &[]] {
            expect_ready(driver.join(&network, &Snapshot::default())).unwrap();
            assert_eq!(take_calls(), expected, "it had already joined");
            expect_own_configuration(key);
        }
        // `apply` after a restart of the program, for example.
        pair_and_join_by_itself(key, authmode);
        expect_ready(driver.apply(&station(network), &Snapshot::default())).unwrap();
        assert_eq!(take_calls(), ["esp_wifi_set_config(station)"]);
        expect_own_configuration(key);
    }
}

/// The library refuses it while it joins again.
#[test]
fn if_the_library_loses_its_link_meanwhile_the_network_is_joined_again() {
    let _guard = fresh_library();
    pair_and_join_by_itself(b"correct horse", WPA2_PSK);
    let (mut driver, home, snapshot) = (driver(), home(), Snapshot::default());
    with_library(|library| {
        library.failures.insert("esp_wifi_set_config(station)", 0x3006);
        library.failures_end_with.insert("esp_wifi_stop");
    });
    let mut joining = pin!(driver.join(&home, &snapshot));
    assert!(poll_once(joining.as_mut()).is_pending());
    assert_eq!(take_calls().last(), Some(&"esp_wifi_connect_internal"));
    expect_own_configuration(b"correct horse");
}

/// Expects the configuration of the driver for "home", which it also has after the next boot.
fn expect_own_configuration(key: &[u8]) {
    let (ssid, configured_key) = station_credentials();
    assert_eq!((&ssid[..], &configured_key[..]), (&b"home"[..], key));
    with_library(|library| {
        let authmode = if key.is_empty() { 0 } else { WPA2_PSK };
        assert_eq!(library.station[AUTHMODE_AT], authmode, "the weakest that may be joined");
        assert_eq!(library.station[SCAN_METHOD_AT], 1, "all channels");
        assert_eq!(library.station[107], 0, "any channel");
    });
}

/// `WIFI_REASON_NO_AP_FOUND_IN_AUTHMODE_THRESHOLD`.
const NO_AP_IN_THRESHOLD: u8 = 211;

/// The library joins an access point with WPA by itself. After the next boot the driver would not.
#[test]
fn a_link_below_wpa2_that_the_library_has_set_up_is_not_kept() {
    for authmode in [0, WEP, WPA_PSK] {
        let _guard = fresh_library();
        pair_and_join_by_itself(b"correct horse", authmode);
        let (mut driver, home, snapshot) = (driver(), home(), Snapshot::default());
        let mut joining = pin!(driver.join(&home, &snapshot));
        assert!(poll_once(joining.as_mut()).is_pending(), "{authmode}");
        assert!(take_calls().contains(&"esp_wifi_stop"), "it leaves the network");
        assert_eq!(with_library(|library| library.station[AUTHMODE_AT]), WPA2_PSK);
        post_disconnected(NO_AP_IN_THRESHOLD);
        let error = expect_ready(joining).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WithoutWpa2);
    }
    // `apply` does not keep it either.
    let _guard = fresh_library();
    pair_and_join_by_itself(b"correct horse", WPA_PSK);
    expect_ready(driver().apply(&station(home()), &Snapshot::default())).unwrap();
    assert!(take_calls().contains(&"esp_wifi_stop"));
}

/// A link that the driver has set up counts as it is, also without a record of its access point.
#[test]
fn a_link_with_the_drivers_own_limit_is_kept() {
    let _guard = fresh_library();
    let mut driver = driver();
    expect_ready(driver.apply(&station(home()), &Snapshot::default())).unwrap();
    post_connected();
    take_calls();
    expect_ready(driver.join(&home(), &Snapshot::default())).unwrap();
    assert!(take_calls().is_empty());
}
