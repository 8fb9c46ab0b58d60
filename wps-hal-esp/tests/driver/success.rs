//! Pairings in which a router hands over its networks.

use super::*;
use crate::fake::{
    SUCCESS, fresh_library, overwrite_station, post, post_connected, station_credentials,
    success_payload, with_library,
};
use wps_core::{DriverError, ErrorKind};

/// The offset of `threshold.authmode` in `wifi_sta_config_t`, and `WIFI_AUTH_WPA_PSK`.
const AUTHMODE_AT: usize = 120;
const WPA_PSK: u8 = 2;

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
        assert_eq!(take_calls()[8..], END_CALLS);
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
        assert_eq!(take_calls()[8..], END_CALLS);
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

#[test]
fn after_a_success_the_library_may_join_by_itself() {
    let _guard = fresh_library();
    let home = home();
    pair(|| {
        overwrite_station(b"home", b"correct horse");
        post_connected();
        post(SUCCESS, None);
    })
    .unwrap();
    assert_eq!(take_calls(), [&SEARCH_CALLS[..], &END_CALLS[..1]].concat());
    expect_ready(driver().join(&home, &Snapshot::default())).unwrap();
    assert!(take_calls().is_empty(), "it had already joined");
}
