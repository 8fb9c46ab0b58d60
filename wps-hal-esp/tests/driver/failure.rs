//! Pairings that fail, and the errors that they return.

use super::*;
use crate::fake::{
    FAILED, OVERLAP, SUCCESS, TIMED_OUT, fresh_library, overwrite_station, post, success_payload,
    with_library,
};
use wps_core::{DriverError, ErrorKind};

#[test]
fn a_failure_and_an_overlap_have_their_own_error_kinds() {
    let _guard = fresh_library();
    for (reason, kind) in [
        (0_u32, ErrorKind::Refused),
        (1, ErrorKind::RouterBusy),
        (2, ErrorKind::RouterLost),
        (77, ErrorKind::Other),
    ] {
        let error = pair_error(|| post(FAILED, Some(&reason.to_le_bytes())));
        assert_eq!(error, EspError::Exchange { reason });
        assert_eq!(error.kind(), kind);
        assert!(!error.kind().is_final(), "the machine retries");
        assert_eq!(take_calls(), [&SEARCH_CALLS[..], &END_CALLS].concat());
    }
    assert_eq!(pair_error(|| post(OVERLAP, None)).kind(), ErrorKind::Overlap);
    assert_eq!(take_calls(), [&SEARCH_CALLS[..], &END_CALLS].concat());
}

#[test]
fn the_librarys_own_timeout_does_not_end_the_window() {
    let _guard = fresh_library();
    let mut driver = driver();
    let (mut overlap_detector, on_event) = (OverlapDetector::new(), |_| {});
    let mut context = PairContext::new(&mut overlap_detector, &on_event);
    let mut pairing = pin!(driver.pair(&mut context));
    assert!(poll_once(pairing.as_mut()).is_pending());
    for _ in 0..3 {
        take_calls();
        post(TIMED_OUT, None);
        assert!(poll_once(pairing.as_mut()).is_pending());
        assert_eq!(take_calls(), [&END_CALLS[..], &SEARCH_CALLS[8..]].concat(), "another search");
    }
    overwrite_station(b"home", b"12345678");
    post(SUCCESS, None);
    assert!(matches!(poll_once(pairing.as_mut()), Poll::Ready(Ok(_))));
}

#[test]
fn an_event_of_a_wrong_length_is_an_error() {
    let _guard = fresh_library();
    let good = success_payload(1, &[(b"home", b"12345678")]);
    let too_many = success_payload(4, &[(b"home", b"12345678")]);
    let none = success_payload(0, &[(b"home", b"12345678")]);
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
        let error = pair_error(|| post(id, Some(payload)));
        assert_eq!(error, EspError::Event { id, length: payload.len() });
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(error.to_string().contains(&format!("event {id} came with {}", payload.len())));
    }
    assert_eq!(pair_error(|| post(FAILED, None)), EspError::Event { id: FAILED, length: 0 });
}

#[test]
fn an_error_contains_the_failed_call_and_its_code() {
    for (call, code, sentence) in [
        ("esp_wifi_wps_enable", 0x3005, "esp_wifi_wps_enable: 0x3005 ESP_ERR_WIFI_MODE"),
        ("esp_wifi_wps_start", 0x3035, "esp_wifi_wps_start: 0x3035 ESP_ERR_WIFI_WPS_SM"),
        ("esp_wifi_stop", -1, "esp_wifi_stop: 0xffffffff ESP_FAIL"),
        ("esp_wifi_start", 0x101, "esp_wifi_start: 0x101 ESP_ERR_NO_MEM"),
        ("esp_wifi_set_config(station)", 0x3006, "esp_wifi_set_config: 0x3006 ESP_ERR_WIFI_STATE"),
        ("esp_wifi_get_config", 0x3004, "esp_wifi_get_config: 0x3004 ESP_ERR_WIFI_IF"),
        ("esp_wifi_set_mode", 0x7777, "esp_wifi_set_mode: 0x7777 (no name known)"),
    ] {
        let _guard = fresh_library();
        let mut driver = driver();
        with_library(|library| library.failures.insert(call, code));
        // The success makes the driver call `esp_wifi_get_config`, too.
        with_library(|library| {
            library.events_during.insert("esp_wifi_wps_start", vec![(SUCCESS, None)])
        });
        let (mut overlap_detector, on_event) = (OverlapDetector::new(), |_| {});
        let mut context = PairContext::new(&mut overlap_detector, &on_event);
        let error = expect_ready(driver.pair(&mut context)).unwrap_err();
        assert_eq!(error.to_string(), sentence);
        assert_eq!(format!("{error:?}"), sentence);
        assert_eq!(error.kind(), ErrorKind::Other);
    }
}

#[test]
fn wps_is_disabled_after_a_failed_start() {
    let _guard = fresh_library();
    let mut driver = driver();
    with_library(|library| library.failures.insert("esp_wifi_wps_start", 0x3035));
    let (mut overlap_detector, on_event) = (OverlapDetector::new(), |_| {});
    expect_ready(driver.pair(&mut PairContext::new(&mut overlap_detector, &on_event))).unwrap_err();
    assert_eq!(take_calls(), [&SEARCH_CALLS[..], &END_CALLS].concat());
}

#[test]
fn nothing_is_started_if_enabling_fails() {
    let _guard = fresh_library();
    let mut driver = driver();
    with_library(|library| library.failures.insert("esp_wifi_wps_enable", 0x3006));
    let (mut overlap_detector, on_event) = (OverlapDetector::new(), |_| {});
    expect_ready(driver.pair(&mut PairContext::new(&mut overlap_detector, &on_event))).unwrap_err();
    assert_eq!(take_calls(), SEARCH_CALLS[..9]);
}

#[test]
fn disabling_wps_again_after_the_library_did_is_harmless() {
    for (id, payload) in [(FAILED, Some(&[0; 4][..])), (OVERLAP, None)] {
        let _guard = fresh_library();
        let error = pair_error(|| {
            with_library(|library| library.failures.insert("esp_wifi_wps_disable", 0x3035));
            post(id, payload);
        });
        assert!(!matches!(error, EspError::Library { .. }), "{error}");
        assert_eq!(take_calls(), [&SEARCH_CALLS[..], &END_CALLS].concat());
    }
}

#[test]
fn a_library_that_was_never_started_means_no_device() {
    let _guard = fresh_library();
    with_library(|library| library.failures.insert("esp_wifi_set_storage", 0x3001));
    let error = Driver::new((), TestClock::new(), options()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NoDevice);
    assert_eq!(error.to_string(), "esp_wifi_set_storage: 0x3001 ESP_ERR_WIFI_NOT_INIT");
}
