//! A router hands over its networks.

use super::*;
use crate::fake::{SUCCESS, networks, post, post_connected, told, turn, write_over};
use wps_core::{DriverError, ErrorKind};

#[test]
fn success_without_payload_is_read_from_the_configuration() {
    let _turn = turn();
    let offer = pair(|| {
        write_over(b"home", b"correct horse");
        post(SUCCESS, None);
    });
    assert_eq!(offered(&offer.unwrap()), [network(b"home", b"correct horse")]);
}

#[test]
fn one_to_three_credentials_in_the_payload() {
    let _turn = turn();
    let all: [(&[u8], &[u8]); 3] =
        [(b"home", b"correct horse"), (b"guest", b""), (b"home 5 GHz", b"battery staple")];
    for count in 1..=3 {
        let payload = networks(count as u8, &all);
        let offer = pair(|| post(SUCCESS, Some(&payload))).unwrap();
        let wanted: Vec<_> = all[..count].iter().map(|(ssid, key)| network(ssid, key)).collect();
        assert_eq!(offered(&offer), wanted);
    }
}

#[test]
fn names_and_keys_that_fill_their_arrays_have_no_end() {
    let _turn = turn();
    let (ssid, key) = ([0xff; 32], [b'a'; 64]);
    let payload = networks(2, &[(&ssid, &key), (b"after", b"not of the first")]);
    let offer = pair(|| post(SUCCESS, Some(&payload))).unwrap();
    assert_eq!(offered(&offer), [network(&ssid, &key), network(b"after", b"not of the first")]);
    let offer = pair(|| {
        write_over(&ssid, &key);
        post(SUCCESS, None);
    });
    assert_eq!(offered(&offer.unwrap()), [network(&ssid, &key)]);
}

#[test]
fn the_end_of_a_longer_key_of_before_does_not_stay() {
    let _turn = turn();
    let before = network(b"a longer name of before", b"a longer key of before");
    now(driver().apply(&Settings::Station { network: before }, &Snapshot::default())).unwrap();
    let offer = pair(|| {
        assert_eq!(told(), (vec![], vec![]));
        write_over(b"home", b"12345678");
        post(SUCCESS, None);
    });
    assert_eq!(offered(&offer.unwrap()), [network(b"home", b"12345678")]);
}

#[test]
fn what_cannot_be_used_is_left_out() {
    let _turn = turn();
    let payload =
        networks(3, &[(b"", b"no name there"), (b"wep", b"short"), (b"home", b"12345678")]);
    let offer = pair(|| post(SUCCESS, Some(&payload))).unwrap();
    assert_eq!(offered(&offer), [network(b"home", b"12345678")]);
    // A count says how many there are, whatever is behind them.
    let payload = networks(1, &[(b"home", b"12345678"), (b"not", b"counted along")]);
    let offer = pair(|| post(SUCCESS, Some(&payload))).unwrap();
    assert_eq!(offered(&offer), [network(b"home", b"12345678")]);
}

#[test]
fn success_without_a_usable_network_is_none() {
    let _turn = turn();
    let payload = networks(2, &[(b"wep", b"short"), (b"", b"")]);
    assert_eq!(failure(|| post(SUCCESS, Some(&payload))).kind(), ErrorKind::Refused);
    assert_eq!(calls()[8..], END);
    assert_eq!(failure(|| post(SUCCESS, None)).kind(), ErrorKind::Refused);
    assert_eq!(calls()[8..], END);
}

#[test]
fn after_a_success_the_library_joins_by_itself_and_is_let() {
    let _turn = turn();
    let home = network(b"home", b"correct horse");
    pair(|| {
        write_over(b"home", b"correct horse");
        post_connected();
        post(SUCCESS, None);
    })
    .unwrap();
    assert_eq!(calls(), [&SEARCH[..], &END[..1]].concat());
    now(driver().join(&home, &Snapshot::default())).unwrap();
    assert!(calls().is_empty(), "it was joined already");
}
