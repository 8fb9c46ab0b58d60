//! Pairings in which a router hands over its networks.

use super::*;
use crate::fake::{
    SUCCESS, fresh_library, overwrite_station, post, post_connected, station_credentials,
    success_payload,
};
use wps_core::{DriverError, ErrorKind};

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
    let payload = success_payload(2, &[(b"wep", b"short"), (b"", b"")]);
    assert_eq!(pair_error(|| post(SUCCESS, Some(&payload))).kind(), ErrorKind::Refused);
    assert_eq!(take_calls()[8..], END_CALLS);
    assert_eq!(pair_error(|| post(SUCCESS, None)).kind(), ErrorKind::Refused);
    assert_eq!(take_calls()[8..], END_CALLS);
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
