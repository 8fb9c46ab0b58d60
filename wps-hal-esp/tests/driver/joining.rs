//! Stations that join or fail to, and the two other modes.

use super::*;
use crate::fake::{
    WEP, WPA_PSK, WPA_WPA2_PSK, WPA2_PSK, WPA2_WPA3_PSK, fresh_library, overwrite_station, post,
    post_connected, post_connected_to, post_disconnected, station_credentials, with_library,
};
use wps_core::{AccessPoint, DriverError, ErrorKind, KeptId, Secret};

/// The calls that start an attempt to join from any mode.
const JOIN_CALLS: [&str; 9] = [
    "esp_wifi_wps_disable",
    "esp_wifi_stop",
    "esp_wifi_set_mode", // off
    "esp_wifi_set_mode", // station
    "esp_wifi_set_config(station)",
    "esp_wifi_start",
    "esp_wifi_set_country_code",
    "esp_wifi_set_max_tx_power",
    "esp_wifi_connect_internal",
];

fn join(act: impl FnOnce()) -> Result<(), EspError> {
    let mut driver = driver();
    let (home, snapshot) = (home(), Snapshot::default());
    let mut joining = pin!(driver.join(&home, &snapshot));
    assert!(poll_once(joining.as_mut()).is_pending());
    act();
    match poll_once(joining.as_mut()) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("still pending"),
    }
}

#[test]
fn join_returns_once_the_link_is_up() {
    let _guard = fresh_library();
    join(post_connected).unwrap();
    assert_eq!(take_calls(), JOIN_CALLS);
    assert_eq!(station_credentials(), (b"home".to_vec(), b"correct horse".to_vec()));
}

#[test]
fn a_network_that_is_kept_elsewhere_is_an_error_and_ends_the_link() {
    let _guard = fresh_library();
    let mut driver = driver();
    let snapshot = Snapshot::default();
    expect_ready(driver.apply(&station(home()), &snapshot)).unwrap();
    post_connected();
    take_calls();
    let kept = Credentials { secret: Secret::Kept(KeptId([9; 16])), ..home() };
    let error = expect_ready(driver.apply(&station(kept.clone()), &snapshot)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeptElsewhere);
    assert_eq!(error.to_string(), ErrorKind::KeptElsewhere.to_string());
    assert_eq!(take_calls(), JOIN_CALLS[..3], "switched off");
    let error = expect_ready(driver.join(&kept, &snapshot)).unwrap_err();
    assert_eq!(error, EspError::KeptElsewhere);
}

#[test]
fn each_reason_for_a_failed_join_has_an_error_kind() {
    for (reason, kind) in [
        (14, ErrorKind::WrongKey),
        (15, ErrorKind::WrongKey),
        (23, ErrorKind::WrongKey),
        (204, ErrorKind::WrongKey),
        (202, ErrorKind::WrongKey),
        (201, ErrorKind::NotFound),
        (212, ErrorKind::NotFound),
        // Reason 2 follows if the router does not answer. It says nothing about the key.
        (2, ErrorKind::Other),
        (203, ErrorKind::Other),
        (3, ErrorKind::Other),
    ] {
        let _guard = fresh_library();
        let error = join(|| post_disconnected(reason)).unwrap_err();
        assert_eq!(error, EspError::Link { reason });
        assert_eq!(error.kind(), kind);
        assert_eq!(take_calls(), [&JOIN_CALLS[..], &END_CALLS[1..]].concat());
    }
}

/// The library has no WPA3. An access point that takes only WPA3 is not suitable (210). One below
/// WPA2 is below the limit of our configuration (211). Both are in range.
#[test]
fn a_network_without_wpa2_is_named_and_not_called_out_of_range() {
    for reason in [210, 211] {
        let _guard = fresh_library();
        let error = join(|| post_disconnected(reason)).unwrap_err();
        assert_eq!(error, EspError::WithoutWpa2);
        assert_eq!(error.kind(), ErrorKind::WithoutWpa2);
        assert_eq!(error.to_string(), ErrorKind::WithoutWpa2.to_string());
        assert_eq!(take_calls(), [&JOIN_CALLS[..], &END_CALLS[1..]].concat());
    }
}

#[test]
fn an_open_network_whose_access_points_need_a_key_is_not_called_out_of_range() {
    let _guard = fresh_library();
    let (mut driver, network) = (driver(), network(b"home", b""));
    let snapshot = Snapshot::default();
    let mut joining = pin!(driver.join(&network, &snapshot));
    assert!(poll_once(joining.as_mut()).is_pending());
    post_disconnected(210);
    let error = expect_ready(joining).unwrap_err();
    assert_eq!((error, error.kind()), (EspError::NeedsKey, ErrorKind::WrongKey));
}

/// The library joins nothing below the limit of the configuration. This is checked again, because
/// the credentials are saved after it.
#[test]
fn the_security_of_a_joined_access_point_is_checked() {
    for authmode in [0, WEP, WPA_PSK] {
        let _guard = fresh_library();
        let error = join(|| post_connected_to(authmode)).unwrap_err();
        assert_eq!(error, EspError::WithoutWpa2, "{authmode}");
        assert_eq!(take_calls(), [&JOIN_CALLS[..], &END_CALLS[1..]].concat());
        assert!(!expect_ready(driver().link()).unwrap().up);
    }
    for authmode in [WPA2_PSK, WPA_WPA2_PSK, WPA2_WPA3_PSK] {
        let _guard = fresh_library();
        join(|| post_connected_to(authmode)).unwrap();
    }
}

/// The library reports the end of the link before the attempt late, from its own thread.
#[test]
fn a_late_disconnection_does_not_end_a_new_attempt() {
    let _guard = fresh_library();
    let mut driver = driver();
    expect_ready(driver.apply(&station(old()), &Snapshot::default())).unwrap();
    post_connected();
    let (home, snapshot) = (home(), Snapshot::default());
    let mut joining = pin!(driver.join(&home, &snapshot));
    assert!(poll_once(joining.as_mut()).is_pending());
    post_disconnected(8); // WIFI_REASON_ASSOC_LEAVE
    assert!(poll_once(joining.as_mut()).is_pending());
    post_connected();
    expect_ready(joining).unwrap();
}

#[test]
fn a_disconnection_event_of_unknown_length_still_counts() {
    let _guard = fresh_library();
    let error = join(|| post(5, Some(&[0; 7]))).unwrap_err();
    assert_eq!(error, EspError::Link { reason: 1 });
}

#[test]
fn dropping_a_join_ends_it() {
    let _guard = fresh_library();
    let mut driver = driver();
    assert!(poll_once(driver.join(&home(), &Snapshot::default())).is_pending());
    assert_eq!(take_calls(), [&JOIN_CALLS[..], &END_CALLS[1..]].concat());
}

#[test]
fn a_link_with_the_same_name_and_another_key_is_not_reused() {
    let _guard = fresh_library();
    overwrite_station(b"home", b"another key");
    post_connected();
    join(post_connected).unwrap();
    assert_eq!(take_calls(), JOIN_CALLS);
}

#[test]
fn a_network_that_is_applied_again_stays_joined() {
    let _guard = fresh_library();
    let station = station(home());
    let mut driver = driver();
    expect_ready(driver.apply(&station, &Snapshot::default())).unwrap();
    assert_eq!(take_calls(), JOIN_CALLS, "without waiting for a link");
    post_connected();
    expect_ready(driver.apply(&station, &Snapshot::default())).unwrap();
    assert!(take_calls().is_empty());
    post_disconnected(200);
    expect_ready(driver.apply(&station, &Snapshot::default())).unwrap();
    assert_eq!(take_calls(), JOIN_CALLS);
}

#[test]
fn the_station_config_limits_what_may_be_joined() {
    let _guard = fresh_library();
    let station = |network| Settings::Station { network };
    let mut driver = driver();
    expect_ready(driver.apply(&station(home()), &Snapshot::default())).unwrap();
    with_library(|library| {
        assert_eq!(library.station[120], 3, "nothing below WPA2");
        assert_eq!(library.station[128..130], [1, 0], "PMF if the router supports it");
        assert_eq!(library.station[144], 0, "no retries by the library");
        // The library has no SAE, and its own configuration after a pairing has a 0 here, too. So
        // ours does not make it forget the key of the link.
        assert_eq!(library.station[136], 0, "nothing about SAE");
    });
    expect_ready(
        driver.apply(&station(network("caf\u{e9}".as_bytes(), b"")), &Snapshot::default()),
    )
    .unwrap();
    with_library(|library| assert_eq!(library.station[120], 0, "an open network"));
    assert_eq!(station_credentials(), ("caf\u{e9}".as_bytes().to_vec(), vec![]));
}

#[test]
fn a_name_with_a_nul_inside_is_unsupported() {
    let _guard = fresh_library();
    let network = network(b"a\0b", b"correct horse");
    let error = expect_ready(driver().join(&network, &Snapshot::default())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(take_calls().is_empty());
}

#[test]
fn a_running_access_point_is_not_restarted() {
    let _guard = fresh_library();
    let mut driver = driver();
    let apply = |driver: &mut Driver<_, _>, settings: &Settings| {
        let result = expect_ready(driver.apply(settings, &Snapshot::default()));
        (result.is_ok(), take_calls().contains(&"esp_wifi_start"))
    };
    assert_eq!(apply(&mut driver, &hotspot(None)), (true, true));
    assert_eq!(apply(&mut driver, &hotspot(Some(home()))), (true, false));
    let access_point =
        AccessPoint { network: network(b"device", b"another key"), channel: Some(6) };
    let other = Settings::AccessPoint { access_point, remembered: None };
    assert_eq!(apply(&mut driver, &other), (true, true), "the key has changed");
    // One that could not start is not running.
    with_library(|library| library.failures.insert("esp_wifi_start", 0x3007));
    assert_eq!(apply(&mut driver, &hotspot(None)), (false, true));
    with_library(|library| library.failures.clear());
    assert_eq!(apply(&mut driver, &hotspot(None)), (true, true));
}

/// The error of the start is returned, and the next `apply` starts the access point, whatever else
/// fails after the start.
#[test]
fn an_access_point_that_could_not_start_is_not_running() {
    let (stop, set_mode) = (("esp_wifi_stop", -1), ("esp_wifi_set_mode", 0x3006));
    for after in [vec![], vec![stop], vec![set_mode], vec![stop, set_mode]] {
        for failed in ["esp_wifi_set_config(access point)", "esp_wifi_start"] {
            let _guard = fresh_library();
            let mut driver = driver();
            with_library(|library| {
                library.failures.insert(failed, 0x101);
                library.failures_after.insert(failed, after.clone());
            });
            let error = expect_ready(driver.apply(&hotspot(None), &Snapshot::default()));
            let EspError::Library { call, code: 0x101 } = error.unwrap_err() else {
                panic!("another error")
            };
            assert!(failed.starts_with(call), "{call}");
            assert!(!expect_ready(driver.link()).unwrap().up);
            with_library(|library| library.failures.clear());
            take_calls();
            expect_ready(driver.apply(&hotspot(None), &Snapshot::default())).unwrap();
            assert!(take_calls().contains(&"esp_wifi_start"));
            assert!(expect_ready(driver.link()).unwrap().up);
        }
    }
}

#[test]
fn the_access_point_is_configured_from_its_settings() {
    let _guard = fresh_library();
    let mut driver = driver();
    for (key, channel, authmode) in [(&b"on the label"[..], Some(6), 3), (b"", None, 0)] {
        let access_point = AccessPoint { network: network(&[0xff; 32], key), channel };
        let settings = Settings::AccessPoint { access_point, remembered: Some(home()) };
        expect_ready(driver.apply(&settings, &Snapshot::default())).unwrap();
        let config = with_library(|library| library.access_point);
        assert_eq!(config[..32], [0xff; 32]);
        assert_eq!(config[32..32 + key.len()], *key);
        assert!(config[32 + key.len()..96].iter().all(|byte| *byte == 0));
        assert_eq!(config[96..98], [32, channel.unwrap_or(1)]);
        assert_eq!(config[100], authmode);
        assert!(with_library(|library| library.mode == 2 && library.started));
    }
}

#[test]
fn off_stops_the_radio() {
    let _guard = fresh_library();
    let off = Settings::Off { remembered: Some(home()) };
    expect_ready(driver().apply(&off, &Snapshot::default())).unwrap();
    assert!(with_library(|library| library.mode == 0 && !library.started));
    assert_eq!(take_calls(), JOIN_CALLS[..3]);
}

#[test]
fn the_chip_has_no_platform_networks() {
    let _guard = fresh_library();
    let error =
        expect_ready(driver().apply(&Settings::Platform, &Snapshot::default())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(take_calls().is_empty());
}
