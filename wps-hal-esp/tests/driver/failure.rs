//! A pairing that fails, and what is told of it.

use super::*;
use crate::fake::{FAILED, OVERLAP, SUCCESS, TIMED_OUT, networks, post, turn, with, write_over};
use wps_core::{DriverError, ErrorKind};

#[test]
fn failed_overlap_and_their_reasons() {
    let _turn = turn();
    for (reason, kind) in [
        (0_u32, ErrorKind::RouterLost),
        (1, ErrorKind::RouterBusy),
        (2, ErrorKind::Refused),
        (77, ErrorKind::RouterLost),
    ] {
        let error = failure(|| post(FAILED, Some(&reason.to_le_bytes())));
        assert_eq!(error, EspError::Exchange { reason });
        assert_eq!(error.kind(), kind);
        assert!(!error.kind().is_final(), "the machine tries again");
        assert_eq!(calls(), [&SEARCH[..], &END].concat());
    }
    assert_eq!(failure(|| post(OVERLAP, None)).kind(), ErrorKind::Overlap);
    assert_eq!(calls(), [&SEARCH[..], &END].concat());
}

#[test]
fn the_librarys_own_two_minutes_do_not_end_the_window() {
    let _turn = turn();
    let mut driver = driver();
    let (mut overlap_detector, tell) = (OverlapDetector::new(), |_| {});
    let mut context = PairContext::new(&mut overlap_detector, &tell);
    let mut work = pin!(driver.pair(&mut context));
    assert!(poll(&mut work).is_pending());
    for _ in 0..3 {
        calls();
        post(TIMED_OUT, None);
        assert!(poll(&mut work).is_pending());
        assert_eq!(calls(), [&END[..], &SEARCH[6..]].concat(), "another search");
    }
    write_over(b"home", b"12345678");
    post(SUCCESS, None);
    assert!(matches!(poll(&mut work), Poll::Ready(Ok(_))));
}

#[test]
fn an_event_of_a_wrong_length_is_refused() {
    let _turn = turn();
    let good = networks(1, &[(b"home", b"12345678")]);
    let too_many = networks(4, &[(b"home", b"12345678")]);
    let none = networks(0, &[(b"home", b"12345678")]);
    let longer = [good.clone(), vec![0]].concat();
    for (id, payload) in [
        (SUCCESS, &good[..288]),
        (SUCCESS, &longer),
        (SUCCESS, &good[..97]),
        (SUCCESS, &good[..1]),
        (SUCCESS, &[]),
        (SUCCESS, &too_many),
        (SUCCESS, &none),
        (FAILED, &[0; 3]),
        (FAILED, &[0; 5]),
        (TIMED_OUT, &[0]),
        (OVERLAP, &[0]),
    ] {
        let error = failure(|| post(id, Some(payload)));
        assert_eq!(error, EspError::Event { id, length: payload.len() });
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(error.to_string().contains(&format!("event {id} came with {}", payload.len())));
    }
    assert_eq!(failure(|| post(FAILED, None)), EspError::Event { id: FAILED, length: 0 });
}

#[test]
fn a_call_that_fails_gives_its_code_and_name() {
    for (call, code, sentence) in [
        ("esp_wifi_wps_enable", 0x3005, "esp_wifi_wps_enable: 0x3005 ESP_ERR_WIFI_MODE"),
        ("esp_wifi_wps_start", 0x3035, "esp_wifi_wps_start: 0x3035 ESP_ERR_WIFI_WPS_SM"),
        ("esp_wifi_stop", -1, "esp_wifi_stop: 0xffffffff ESP_FAIL"),
        ("esp_wifi_start", 0x101, "esp_wifi_start: 0x101 ESP_ERR_NO_MEM"),
        ("esp_wifi_set_config(station)", 0x3006, "esp_wifi_set_config: 0x3006 ESP_ERR_WIFI_STATE"),
        ("esp_wifi_get_config", 0x3004, "esp_wifi_get_config: 0x3004 ESP_ERR_WIFI_IF"),
        ("esp_wifi_set_mode", 0x7777, "esp_wifi_set_mode: 0x7777 (no name known)"),
    ] {
        let _turn = turn();
        let mut driver = driver();
        with(|library| library.fails.insert(call, code));
        // So that the one that reads the configuration is called, too.
        with(|library| library.during.insert("esp_wifi_wps_start", vec![(SUCCESS, None)]));
        let (mut overlap_detector, tell) = (OverlapDetector::new(), |_| {});
        let mut context = PairContext::new(&mut overlap_detector, &tell);
        let error = now(driver.pair(&mut context)).unwrap_err();
        assert_eq!(error.to_string(), sentence);
        assert_eq!(format!("{error:?}"), sentence);
        assert_eq!(error.kind(), ErrorKind::Other);
    }
}

#[test]
fn a_start_that_fails_leaves_wps_disabled() {
    let _turn = turn();
    let mut driver = driver();
    with(|library| library.fails.insert("esp_wifi_wps_start", 0x3035));
    let (mut overlap_detector, tell) = (OverlapDetector::new(), |_| {});
    now(driver.pair(&mut PairContext::new(&mut overlap_detector, &tell))).unwrap_err();
    assert_eq!(calls(), [&SEARCH[..], &END].concat());
}

#[test]
fn where_enabling_fails_nothing_is_started() {
    let _turn = turn();
    let mut driver = driver();
    with(|library| library.fails.insert("esp_wifi_wps_enable", 0x3006));
    let (mut overlap_detector, tell) = (OverlapDetector::new(), |_| {});
    now(driver.pair(&mut PairContext::new(&mut overlap_detector, &tell))).unwrap_err();
    assert_eq!(calls(), SEARCH[..7]);
}

#[test]
fn the_library_disables_wps_by_itself_and_to_do_it_again_does_no_harm() {
    for (id, payload) in [(FAILED, Some(&[0; 4][..])), (OVERLAP, None)] {
        let _turn = turn();
        let error = failure(|| {
            with(|library| library.fails.insert("esp_wifi_wps_disable", 0x3035));
            post(id, payload);
        });
        assert!(!matches!(error, EspError::Library { .. }), "{error}");
        assert_eq!(calls(), [&SEARCH[..], &END].concat());
    }
}

#[test]
fn a_library_that_was_never_started_is_absent() {
    let _turn = turn();
    with(|library| library.fails.insert("esp_wifi_set_storage", 0x3001));
    let error = Driver::new(()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NoDevice);
    assert_eq!(error.to_string(), "esp_wifi_set_storage: 0x3001 ESP_ERR_WIFI_NOT_INIT");
}
