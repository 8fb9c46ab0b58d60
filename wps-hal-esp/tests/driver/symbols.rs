//! The C symbols that the driver defines for the library.

use super::*;
use crate::fake::{
    self, FAILED, OVERLAP, PIN, SUCCESS, TIMED_OUT, fresh_library, overwrite_station, post,
    post_connected, post_from, success_payload, with_library,
};

#[test]
fn foreign_events_are_passed_on() {
    let _guard = fresh_library();
    let wifi_event = Some(c"WIFI_EVENT");
    assert_eq!(post_from(wifi_event, 2, None), 1002, "with its return code");
    assert_eq!(post_from(wifi_event, 4, Some(&[0; 48])), 1004);
    assert_eq!(post_from(wifi_event, 1, Some(&[0; 8])), 1001);
    // For another base, the numbers have another meaning.
    assert_eq!(post_from(Some(c"IP_EVENT"), SUCCESS, Some(&[1; 289])), 1000 + SUCCESS);
    assert_eq!(post_from(None, OVERLAP, None), 1000 + OVERLAP);
    let wifi = |id, length| ("WIFI_EVENT".to_owned(), id, length);
    let expected = [
        wifi(2, 0),
        wifi(4, 48),
        wifi(1, 8),
        ("IP_EVENT".to_owned(), SUCCESS, 289),
        (String::new(), OVERLAP, 0),
    ];
    assert_eq!(with_library(|library| std::mem::take(&mut library.forwarded)), expected);
    assert!(
        poll_pairing_after_foreign_events().is_pending(),
        "the driver does not use foreign events"
    );
}

#[test]
fn esp_radio_never_gets_the_end_of_a_pairing_and_cannot_follow_null() {
    let _guard = fresh_library();
    let three = success_payload(3, &[(b"home", b"12345678")]);
    let ends: [(i32, Option<&[u8]>); 6] = [
        (SUCCESS, None),
        (SUCCESS, Some(&three)),
        (FAILED, Some(&[0; 4])),
        (TIMED_OUT, None),
        (PIN, Some(&[0; 8])),
        (OVERLAP, None),
    ];
    for (id, payload) in ends {
        assert_eq!(post_from(Some(c"WIFI_EVENT"), id, payload), 0);
    }
    assert!(with_library(|library| library.forwarded.is_empty()));
}

#[test]
fn an_end_is_not_lost_among_more_events_than_esp_radio_can_hold() {
    let _guard = fresh_library();
    let offer = pair(|| {
        overwrite_station(b"home", b"12345678");
        post(SUCCESS, None);
        for _ in 0..100 {
            post_connected();
        }
    });
    assert_eq!(offered_networks(&offer.unwrap()), [network(b"home", b"12345678")]);
}

fn poll_pairing_after_foreign_events() -> Poll<Result<Offer, EspError>> {
    let mut driver = driver();
    let (mut overlap_detector, on_event) = (OverlapDetector::new(), |_| {});
    let mut context = PairContext::new(&mut overlap_detector, &on_event);
    let mut pairing = pin!(driver.pair(&mut context));
    assert!(poll_once(pairing.as_mut()).is_pending());
    post_from(Some(c"IP_EVENT"), SUCCESS, Some(&success_payload(1, &[(b"home", b"12345678")])));
    post_from(None, OVERLAP, None);
    poll_once(pairing.as_mut())
}

#[test]
fn the_undefined_symbols_call_the_internal_functions() {
    let _guard = fresh_library();
    with_library(|library| library.station[0] = b'x');
    assert_eq!(fake::esp_wifi_connect(), 0);
    with_library(|library| library.failures.insert("esp_wifi_disconnect_internal", 0x3002));
    assert_eq!(fake::esp_wifi_disconnect(), 0x3002);
    assert_eq!(take_calls(), ["esp_wifi_connect_internal", "esp_wifi_disconnect_internal"]);
}
