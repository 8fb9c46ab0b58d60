//! Stations that join, or do not, and the two other modes.

use super::*;
use crate::fake::{post, post_connected, post_disconnected, told, turn, with, write_over};
use wps_core::{AccessPoint, DriverError, ErrorKind};

/// From any mode to a try to join.
const JOIN: [&str; 7] = [
    "esp_wifi_wps_disable",
    "esp_wifi_stop",
    "esp_wifi_set_mode", // off
    "esp_wifi_set_mode", // station
    "esp_wifi_set_config(station)",
    "esp_wifi_start",
    "esp_wifi_connect_internal",
];

fn home() -> Credentials {
    network(b"home", b"correct horse")
}

fn join(library: impl FnOnce()) -> Result<(), EspError> {
    let mut driver = driver();
    let (home, snapshot) = (home(), Snapshot::default());
    let mut work = pin!(driver.join(&home, &snapshot));
    assert!(poll(&mut work).is_pending());
    library();
    match poll(&mut work) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it goes on"),
    }
}

#[test]
fn join_returns_once_the_link_is_up() {
    let _turn = turn();
    join(post_connected).unwrap();
    assert_eq!(calls(), JOIN);
    assert_eq!(told(), (b"home".to_vec(), b"correct horse".to_vec()));
}

#[test]
fn why_a_network_is_not_joined() {
    for (reason, kind) in [
        (15, ErrorKind::WrongKey),
        (204, ErrorKind::WrongKey),
        (202, ErrorKind::WrongKey),
        (201, ErrorKind::NotFound),
        (211, ErrorKind::Insecure),
        (203, ErrorKind::Other),
        (8, ErrorKind::Other),
    ] {
        let _turn = turn();
        let error = join(|| post_disconnected(reason)).unwrap_err();
        assert_eq!(error, EspError::Link { reason });
        assert_eq!(error.kind(), kind);
        assert_eq!(calls(), [&JOIN[..], &END[1..]].concat());
    }
}

#[test]
fn a_disconnection_of_an_unknown_length_is_one() {
    let _turn = turn();
    let error = join(|| post(5, Some(&[0; 7]))).unwrap_err();
    assert_eq!(error, EspError::Link { reason: 1 });
}

#[test]
fn a_dropped_join_ends() {
    let _turn = turn();
    let mut driver = driver();
    assert!(poll(&mut pin!(driver.join(&home(), &Snapshot::default()))).is_pending());
    assert_eq!(calls(), [&JOIN[..], &END[1..]].concat());
}

#[test]
fn joined_to_the_same_name_with_another_key_is_not_joined() {
    let _turn = turn();
    write_over(b"home", b"another key");
    post_connected();
    join(post_connected).unwrap();
    assert_eq!(calls(), JOIN);
}

#[test]
fn a_network_told_again_stays_joined() {
    let _turn = turn();
    let station = Settings::Station { network: home() };
    let mut driver = driver();
    now(driver.apply(&station, &Snapshot::default())).unwrap();
    assert_eq!(calls(), JOIN, "without waiting for a link");
    post_connected();
    now(driver.apply(&station, &Snapshot::default())).unwrap();
    assert!(calls().is_empty());
    post_disconnected(200);
    now(driver.apply(&station, &Snapshot::default())).unwrap();
    assert_eq!(calls(), JOIN);
}

#[test]
fn the_station_is_told_what_it_may_join() {
    let _turn = turn();
    let station = |network| Settings::Station { network };
    let mut driver = driver();
    now(driver.apply(&station(home()), &Snapshot::default())).unwrap();
    with(|library| {
        assert_eq!(library.station[120], 3, "nothing below WPA2");
        assert_eq!(library.station[128..130], [1, 0], "protected frames where the router can");
        assert_eq!(library.station[144], 0, "no tries of the library's own");
    });
    now(driver.apply(&station(network("caf\u{e9}".as_bytes(), b"")), &Snapshot::default()))
        .unwrap();
    with(|library| assert_eq!(library.station[120], 0, "an open one"));
    assert_eq!(told(), ("caf\u{e9}".as_bytes().to_vec(), vec![]));
}

#[test]
fn a_name_with_a_nul_inside_cannot_be_told() {
    let _turn = turn();
    let network = network(b"a\0b", b"correct horse");
    let error = now(driver().join(&network, &Snapshot::default())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(calls().is_empty());
}

#[test]
fn the_access_point_is_as_its_settings_say() {
    let _turn = turn();
    let mut driver = driver();
    for (key, channel, authmode) in [(&b"on the label"[..], Some(6), 3), (b"", None, 0)] {
        let access_point = AccessPoint { network: network(&[0xff; 32], key), channel };
        let settings = Settings::AccessPoint { access_point, remembered: Some(home()) };
        now(driver.apply(&settings, &Snapshot::default())).unwrap();
        let config = with(|library| library.access_point);
        assert_eq!(config[..32], [0xff; 32]);
        assert_eq!(config[32..32 + key.len()], *key);
        assert!(config[32 + key.len()..96].iter().all(|byte| *byte == 0));
        assert_eq!(config[96..98], [32, channel.unwrap_or(1)]);
        assert_eq!(config[100], authmode);
        assert!(with(|library| library.mode == 2 && library.started));
    }
}

#[test]
fn off_is_off() {
    let _turn = turn();
    let off = Settings::Off { remembered: Some(home()) };
    now(driver().apply(&off, &Snapshot::default())).unwrap();
    assert!(with(|library| library.mode == 0 && !library.started));
    assert_eq!(calls(), JOIN[..3]);
}

#[test]
fn the_chip_has_no_networks_of_its_own() {
    let _turn = turn();
    let error = now(driver().apply(&Settings::Platform, &Snapshot::default())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(calls().is_empty());
}
