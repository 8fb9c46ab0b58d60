//! The list of access points in pairing mode.

use wps_core::wsc::{Bssid, PressedRouters, Router, Uuid};
use wps_testkit::ssid;

fn router(number: u8, signal_dbm: i16) -> Router {
    Router {
        bssid: Bssid([2, 0, 0, 0, 0, number]),
        frequency_mhz: 2412,
        ssid: None,
        uuid: None,
        signal_dbm,
    }
}

#[test]
fn the_strongest_comes_first_and_each_one_once() {
    let mut pressed = PressedRouters::default();
    assert!(pressed.record(&router(1, -70)));
    assert!(pressed.record(&router(2, -50)));
    assert!(pressed.record(&router(3, -60)));
    assert!(!pressed.record(&router(1, -80)), "its strongest signal stays");
    assert_eq!(pressed.as_slice(), [router(2, -50), router(3, -60), router(1, -70)]);
    assert!(pressed.record(&router(1, -40)));
    assert_eq!(pressed.as_slice(), [router(1, -40), router(2, -50), router(3, -60)]);
}

#[test]
fn a_name_that_becomes_known_later_is_added_and_stays() {
    let mut pressed = PressedRouters::default();
    let named = Router { ssid: Some(ssid(b"home")), uuid: Some(Uuid([1; 16])), ..router(1, -50) };
    pressed.record(&router(1, -50));
    assert!(pressed.record(&named));
    assert!(!pressed.record(&router(1, -50)));
    assert_eq!(pressed.as_slice(), [named]);
}

#[test]
fn of_too_many_the_weakest_are_dropped() {
    let mut pressed = PressedRouters::default();
    for number in 0..20 {
        pressed.record(&router(number, i16::from(number) - 90));
    }
    assert!(!pressed.record(&router(30, -95)));
    let numbers: Vec<_> = pressed.as_slice().iter().map(|it| it.bssid.0[5]).collect();
    assert_eq!(numbers, [19, 18, 17, 16, 15, 14, 13, 12]);
}
