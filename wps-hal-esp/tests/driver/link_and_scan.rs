//! The methods that only read: `link` and `scan`.

use wps_core::wsc::Bssid;
use wps_core::{BssInfo, Cipher, Link, Mode, ScanResults, Security};

use super::*;
use crate::fake::{Record, fresh_library, post, post_connected, with_library};

/// Returns the record of a router in Germany, on channel 6, 40 MHz wide, with 802.11n, WPA2, WPS.
fn record(address: u8, ssid: &[u8], rssi: i8) -> Record {
    let mut record = [0; 92];
    record[..6].copy_from_slice(&[2, 0, 0, 0, 0, address]);
    record[6..6 + ssid.len()].copy_from_slice(ssid);
    for (offset, value) in
        [(39, 6), (40, 1), (44, rssi as u8), (48, 3), (52, 4), (56, 5), (64, 0x87), (84, 2)]
    {
        record[offset] = value;
    }
    record[68..71].copy_from_slice(b"DE ");
    record
}

fn scan(driver: &mut impl WifiDriver<Error = EspError>, act: impl FnOnce()) -> ScanResults {
    let mut scan = pin!(driver.scan());
    assert!(poll_once(scan.as_mut()).is_pending());
    act();
    match poll_once(scan.as_mut()) {
        Poll::Ready(results) => results.unwrap(),
        Poll::Pending => panic!("still pending"),
    }
}

#[test]
fn a_scan_returns_the_contents_of_the_records() {
    let _guard = fresh_library();
    let mut hidden_record = [0; 92];
    hidden_record[..6].copy_from_slice(&[2; 6]);
    (hidden_record[39], hidden_record[44], hidden_record[68]) = (14, -90_i8 as u8, b'x');
    let records = vec![record(2, &[0xff; 32], -70), record(1, b"home", -40), hidden_record];
    with_library(|library| library.records = records);
    let results: Vec<_> = scan(&mut driver(), || post(1, Some(&[0; 8]))).iter().cloned().collect();
    let home = BssInfo {
        ssid: Some(ssid(b"home")),
        frequency_mhz: Some(2437),
        width_mhz: Some(40),
        secondary_above: Some(true),
        signal_dbm: Some(-40),
        security: Some(Security::Wpa2),
        pairwise_cipher: Some(Cipher::Ccmp),
        group_cipher: Some(Cipher::TkipCcmp),
        generation: Some(4),
        country: Some(*b"DE"),
        wps: true,
        ..BssInfo::new(Bssid([2, 0, 0, 0, 0, 1]))
    };
    let far = BssInfo {
        bssid: Bssid([2, 0, 0, 0, 0, 2]),
        ssid: Some(ssid(&[0xff; 32])),
        signal_dbm: Some(-70),
        ..home.clone()
    };
    let hidden = BssInfo {
        frequency_mhz: Some(2484),
        signal_dbm: Some(-90),
        security: Some(Security::Open),
        pairwise_cipher: Some(Cipher::None),
        group_cipher: Some(Cipher::None),
        ..BssInfo::new(Bssid([2; 6]))
    };
    assert_eq!(results, [home, far, hidden]);
    let scan = ["esp_wifi_scan_start", "esp_wifi_scan_stop", "esp_wifi_clear_ap_list"];
    assert_eq!(take_calls(), scan);
}

#[test]
fn the_end_of_an_earlier_scan_is_ignored() {
    let _guard = fresh_library();
    post(1, Some(&[0; 8]));
    scan(&mut driver(), || post(1, Some(&[0; 8])));
}

#[test]
fn dropping_a_scan_ends_it_and_frees_its_records() {
    let _guard = fresh_library();
    let mut driver = driver();
    assert!(poll_once(driver.scan()).is_pending());
    let scan = ["esp_wifi_scan_start", "esp_wifi_scan_stop", "esp_wifi_clear_ap_list"];
    assert_eq!(take_calls(), scan);
}

#[test]
fn an_access_point_does_not_scan() {
    let _guard = fresh_library();
    let mut driver = driver();
    expect_ready(driver.apply(&hotspot(None), &Snapshot::default())).unwrap();
    take_calls();
    assert_eq!(expect_ready(driver.scan()).unwrap(), ScanResults::default());
    assert!(take_calls().is_empty());
    let link = expect_ready(driver.link()).unwrap();
    assert_eq!(
        link,
        Link {
            up: true,
            mode: Some(Mode::AccessPoint),
            ssid: Some(ssid(b"device")),
            frequency_mhz: Some(2437),
            security: Some(Security::Wpa2),
            address: Some(Bssid([2, 0, 0, 0, 0, 1])),
            ..Link::default()
        }
    );
}

#[test]
fn a_station_returns_its_link() {
    let _guard = fresh_library();
    let mut driver = driver();
    let settings = station(home());
    expect_ready(driver.apply(&settings, &Snapshot::default())).unwrap();
    let address = Some(Bssid([2, 0, 0, 0, 0, 0]));
    let down = Link { mode: Some(Mode::Station), address, ..Link::default() };
    assert_eq!(expect_ready(driver.link()).unwrap(), down);
    post_connected();
    with_library(|library| library.joined = Some(record(1, b"home", -40)));
    take_calls();
    let link = expect_ready(driver.link()).unwrap();
    assert_eq!((link.up, link.mode, link.address), (true, Some(Mode::Station), address));
    assert_eq!(link.ssid, Some(ssid(b"home")));
    assert_eq!((link.bssid, link.signal_dbm), (Some(Bssid([2, 0, 0, 0, 0, 1])), Some(-40)));
    assert!(take_calls().is_empty(), "reading does not touch the radio");
}

/// The library reports the lost link a moment later.
#[test]
fn a_link_that_goes_down_at_this_moment_is_no_error() {
    let _guard = fresh_library();
    let mut driver = driver();
    expect_ready(driver.apply(&station(home()), &Snapshot::default())).unwrap();
    post_connected(); // without a record: ESP_ERR_WIFI_NOT_CONNECT
    let address = Some(Bssid([2, 0, 0, 0, 0, 0]));
    let down = Link { mode: Some(Mode::Station), address, ..Link::default() };
    assert_eq!(expect_ready(driver.link()).unwrap(), down);
}

/// The library has no SAE, so it does not know the security of an access point with WPA3 only. It
/// must not look like an open one. `WIFI_AUTH_MAX` is 17.
#[test]
fn an_access_point_of_unknown_security_is_not_open() {
    for (authmode, pairwise, group, security) in [
        (17, 4, 4, None),
        (0, 4, 4, None),
        (0, 0, 4, None),
        (0, 4, 0, None),
        (0, 0, 0, Some(Security::Open)),
        (6, 4, 4, Some(Security::Wpa3)),
        (7, 4, 4, Some(Security::Wpa2Wpa3)),
    ] {
        let _guard = fresh_library();
        let mut unknown = record(1, b"home", -40);
        (unknown[48], unknown[52], unknown[56]) = (authmode, pairwise, group);
        with_library(|library| library.records = vec![unknown]);
        let results = scan(&mut driver(), || post(1, Some(&[0; 8])));
        assert_eq!(results.iter().next().unwrap().security, security, "{authmode}");
        let mut driver = driver();
        expect_ready(driver.apply(&station(home()), &Snapshot::default())).unwrap();
        post_connected();
        with_library(|library| library.joined = Some(unknown));
        assert_eq!(expect_ready(driver.link()).unwrap().security, security, "{authmode}");
    }
}

#[test]
fn a_radio_that_is_off_returns_no_link() {
    let _guard = fresh_library();
    let mut driver = driver();
    expect_ready(driver.apply(&off(None), &Snapshot::default())).unwrap();
    let off = Link { mode: Some(Mode::Off), ..Link::default() };
    assert_eq!(expect_ready(driver.link()).unwrap(), off);
    assert_eq!(expect_ready(driver.scan()).unwrap(), ScanResults::default());
}
