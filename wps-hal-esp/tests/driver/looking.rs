//! The verbs that only look.

use wps_core::driver::{Cipher, Link, Security};
use wps_core::wsc::Bssid;
use wps_core::{AccessPoint, BssInfo, Mode, ScanResults};

use super::*;
use crate::fake::{Record, post, post_connected, turn, with};

/// A router on channel 6, 40 MHz wide, n, in Germany, with WPA2 and WPS.
fn record(address: u8, ssid: &[u8], rssi: i8) -> Record {
    let mut record = [0; 92];
    record[..6].copy_from_slice(&[2, 0, 0, 0, 0, address]);
    record[6..6 + ssid.len()].copy_from_slice(ssid);
    for (place, value) in
        [(39, 6), (40, 1), (44, rssi as u8), (48, 3), (52, 4), (56, 5), (64, 0x87), (84, 2)]
    {
        record[place] = value;
    }
    record[68..71].copy_from_slice(b"DE ");
    record
}

fn scan(driver: &mut Driver<()>, library: impl FnOnce()) -> ScanResults {
    let mut work = pin!(driver.scan());
    assert!(poll(&mut work).is_pending());
    library();
    match poll(&mut work) {
        Poll::Ready(heard) => heard.unwrap(),
        Poll::Pending => panic!("it goes on"),
    }
}

#[test]
fn a_scan_tells_what_the_records_tell() {
    let _turn = turn();
    let mut bare = [0; 92];
    bare[..6].copy_from_slice(&[2; 6]);
    (bare[39], bare[44], bare[68]) = (14, -90_i8 as u8, b'x');
    let records = vec![record(2, &[0xff; 32], -70), record(1, b"home", -40), bare];
    with(|library| library.records = records);
    let heard: Vec<_> = scan(&mut driver(), || post(1, Some(&[0; 8]))).iter().cloned().collect();
    let home = BssInfo {
        ssid: Some(Ssid::new(b"home").unwrap()),
        frequency_mhz: Some(2437),
        width_mhz: Some(40),
        second_above: Some(true),
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
        ssid: Some(Ssid::new(&[0xff; 32]).unwrap()),
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
    assert_eq!(heard, [home, far, hidden]);
    let scan = ["esp_wifi_scan_start", "esp_wifi_scan_stop", "esp_wifi_clear_ap_list"];
    assert_eq!(calls(), scan);
}

#[test]
fn the_end_of_an_earlier_scan_is_not_taken() {
    let _turn = turn();
    post(1, Some(&[0; 8]));
    scan(&mut driver(), || post(1, Some(&[0; 8])));
}

#[test]
fn a_dropped_scan_ends_and_its_records_are_freed() {
    let _turn = turn();
    let mut driver = driver();
    assert!(poll(&mut pin!(driver.scan())).is_pending());
    let scan = ["esp_wifi_scan_start", "esp_wifi_scan_stop", "esp_wifi_clear_ap_list"];
    assert_eq!(calls(), scan);
}

#[test]
fn an_access_point_does_not_look_around() {
    let _turn = turn();
    let mut driver = driver();
    let access_point =
        AccessPoint { network: network(b"device", b"on the label"), channel: Some(6) };
    let settings = Settings::AccessPoint { access_point, remembered: None };
    now(driver.apply(&settings, &Snapshot::default())).unwrap();
    calls();
    assert_eq!(now(driver.scan()).unwrap(), ScanResults::default());
    assert!(calls().is_empty());
    let link = now(driver.link()).unwrap();
    assert_eq!(
        link,
        Link {
            up: true,
            mode: Some(Mode::AccessPoint),
            ssid: Some(Ssid::new(b"device").unwrap()),
            frequency_mhz: Some(2437),
            security: Some(Security::Wpa2),
            address: Some(Bssid([2, 0, 0, 0, 0, 1])),
            ..Link::default()
        }
    );
}

#[test]
fn the_link_of_a_station() {
    let _turn = turn();
    let mut driver = driver();
    let settings = Settings::Station { network: network(b"home", b"correct horse") };
    now(driver.apply(&settings, &Snapshot::default())).unwrap();
    let address = Some(Bssid([2, 0, 0, 0, 0, 0]));
    let down = Link { mode: Some(Mode::Station), address, ..Link::default() };
    assert_eq!(now(driver.link()).unwrap(), down);
    post_connected();
    with(|library| library.joined = Some(record(1, b"home", -40)));
    calls();
    let link = now(driver.link()).unwrap();
    assert_eq!((link.up, link.mode, link.address), (true, Some(Mode::Station), address));
    assert_eq!(link.ssid, Some(Ssid::new(b"home").unwrap()));
    assert_eq!((link.bssid, link.signal_dbm), (Some(Bssid([2, 0, 0, 0, 0, 1])), Some(-40)));
    assert!(calls().is_empty(), "looking does not touch the radio");
}

#[test]
fn the_link_of_a_radio_that_is_off() {
    let _turn = turn();
    let mut driver = driver();
    now(driver.apply(&Settings::Off { remembered: None }, &Snapshot::default())).unwrap();
    let off = Link { mode: Some(Mode::Off), ..Link::default() };
    assert_eq!(now(driver.link()).unwrap(), off);
    assert_eq!(now(driver.scan()).unwrap(), ScanResults::default());
}
