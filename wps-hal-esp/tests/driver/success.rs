//! Pairings in which a router hands over its networks.

use super::*;
use crate::fake::{
    SUCCESS, WEP, WPA_PSK, WPA_WPA2_PSK, WPA2_PSK, WPA2_WPA3_PSK, fresh_library, overwrite_station,
    post, post_connected, post_connected_to, post_disconnected, station_credentials,
    success_payload, with_library,
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
    let all: [(&[u8], &[u8]); 3] =
        [(b"home", b"correct horse"), (b"guest", b""), (b"home 5 GHz", b"battery staple")];
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

/// The library says nothing about the encryption of a WPA2 network.
#[test]
fn a_network_without_a_key_is_open_unless_the_library_says_otherwise() {
    let _guard = fresh_library();
    let offer = pair(|| {
        overwrite_station(b"home", b"");
        post(SUCCESS, None);
    });
    assert_eq!(offered_networks(&offer.unwrap()), [network(b"home", b"")]);
}

/// A pairing after which the library has joined by itself, with an access point of this security.
pub(super) fn pair_and_join_by_itself(key: &[u8], authmode: u8) {
    pair(|| {
        overwrite_station(b"home", key);
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
