//! What the library calls.

use super::*;
use crate::fake::{
    self, FAILED, OVERLAP, PIN, SUCCESS, TIMED_OUT, networks, post, post_as, post_connected, turn,
    with, write_over,
};

#[test]
fn foreign_events_are_forwarded() {
    let _turn = turn();
    let wifi_event = Some(c"WIFI_EVENT");
    assert_eq!(post_as(wifi_event, 2, None), 1002, "with its answer");
    assert_eq!(post_as(wifi_event, 4, Some(&[0; 48])), 1004);
    assert_eq!(post_as(wifi_event, 1, Some(&[0; 8])), 1001);
    // Of another base the numbers mean something else.
    assert_eq!(post_as(Some(c"IP_EVENT"), SUCCESS, Some(&[1; 289])), 1000 + SUCCESS);
    assert_eq!(post_as(None, OVERLAP, None), 1000 + OVERLAP);
    let wifi = |id, length| ("WIFI_EVENT".to_owned(), id, length);
    let wanted = [
        wifi(2, 0),
        wifi(4, 48),
        wifi(1, 8),
        ("IP_EVENT".to_owned(), SUCCESS, 289),
        (String::new(), OVERLAP, 0),
    ];
    assert_eq!(with(|library| std::mem::take(&mut library.forwarded)), wanted);
    assert!(poll_pairing_after_foreign_events().is_pending(), "and none is taken for ours");
}

#[test]
fn no_end_of_a_pairing_reaches_esp_radio_which_would_follow_null() {
    let _turn = turn();
    let three = networks(3, &[(b"home", b"12345678")]);
    let ends: [(i32, Option<&[u8]>); 6] = [
        (SUCCESS, None),
        (SUCCESS, Some(&three)),
        (FAILED, Some(&[0; 4])),
        (TIMED_OUT, None),
        (PIN, Some(&[0; 8])),
        (OVERLAP, None),
    ];
    for (id, payload) in ends {
        assert_eq!(post_as(Some(c"WIFI_EVENT"), id, payload), 0);
    }
    assert!(with(|library| library.forwarded.is_empty()));
}

#[test]
fn an_end_is_not_lost_behind_more_events_than_esp_radio_holds() {
    let _turn = turn();
    let offer = pair(|| {
        write_over(b"home", b"12345678");
        post(SUCCESS, None);
        for _ in 0..100 {
            post_connected();
        }
    });
    assert_eq!(offered(&offer.unwrap()), [network(b"home", b"12345678")]);
}

fn poll_pairing_after_foreign_events() -> Poll<Result<Offer, EspError>> {
    let mut driver = driver();
    let (mut overlap_detector, tell) = (OverlapDetector::new(), |_| {});
    let mut context = PairContext::new(&mut overlap_detector, &tell);
    let mut work = pin!(driver.pair(&mut context));
    assert!(poll(&mut work).is_pending());
    post_as(Some(c"IP_EVENT"), SUCCESS, Some(&networks(1, &[(b"home", b"12345678")])));
    post_as(None, OVERLAP, None);
    poll(&mut work)
}

#[test]
fn the_undefined_symbols_lead_to_their_internal_ones() {
    let _turn = turn();
    with(|library| library.station[0] = b'x');
    assert_eq!(fake::esp_wifi_connect(), 0);
    with(|library| library.fails.insert("esp_wifi_disconnect_internal", 0x3002));
    assert_eq!(fake::esp_wifi_disconnect(), 0x3002);
    assert_eq!(calls(), ["esp_wifi_connect_internal", "esp_wifi_disconnect_internal"]);
}
