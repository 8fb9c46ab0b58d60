//! The order of calls and events, and what must not act later.

use std::cell::RefCell;

use wps_core::driver::{PairEvent, SearchProgress};

use super::*;
use crate::fake::{
    OVERLAP, SUCCESS, TIMED_OUT, fresh_library, overwrite_station, post, station_credentials,
    success_payload, with_library,
};

#[test]
fn an_event_before_the_start_returns_is_not_lost() {
    let _guard = fresh_library();
    let mut driver = driver();
    let payload = success_payload(1, &[(b"home", b"12345678")]);
    with_library(|library| {
        library.events_during.insert("esp_wifi_wps_start", vec![(SUCCESS, Some(payload))])
    });
    let (mut overlap_detector, on_event) = (OverlapDetector::new(), |_| {});
    let offer =
        expect_ready(driver.pair(&mut PairContext::new(&mut overlap_detector, &on_event))).unwrap();
    assert_eq!(offered_networks(&offer), [network(b"home", b"12345678")]);
}

#[test]
fn late_events_of_an_earlier_pairing_are_ignored() {
    let _guard = fresh_library();
    let payload = success_payload(1, &[(b"earlier", b"12345678")]);
    let mut driver = driver();
    // Before the pairing, and while the library cleans up.
    post(SUCCESS, Some(&payload));
    for call in ["esp_wifi_wps_disable", "esp_wifi_stop", "esp_wifi_start", "esp_wifi_wps_enable"] {
        let late = vec![(SUCCESS, Some(payload.clone()))];
        with_library(|library| library.events_during.insert(call, late));
    }
    let (mut overlap_detector, on_event) = (OverlapDetector::new(), |_| {});
    let mut context = PairContext::new(&mut overlap_detector, &on_event);
    let mut pairing = pin!(driver.pair(&mut context));
    assert!(poll_once(pairing.as_mut()).is_pending(), "the old events are ignored");
    post(OVERLAP, None);
    assert!(poll_once(pairing.as_mut()).is_ready());
}

#[test]
fn a_dropped_pairing_leaves_nothing_that_acts_later() {
    let _guard = fresh_library();
    let mut driver = driver();
    // Dropped at its only await, in several rounds: there is another search after each timeout.
    for timeouts in 0..3 {
        let (mut overlap_detector, on_event) = (OverlapDetector::new(), |_| {});
        let mut context = PairContext::new(&mut overlap_detector, &on_event);
        {
            let mut pairing = pin!(driver.pair(&mut context));
            for _ in 0..timeouts {
                assert!(poll_once(pairing.as_mut()).is_pending());
                post(TIMED_OUT, None);
            }
            assert!(poll_once(pairing.as_mut()).is_pending());
            take_calls();
        }
        assert_eq!(take_calls(), END_CALLS);
    }
    // Dropped before its first poll, it has not touched anything.
    let (mut overlap_detector, on_event) = (OverlapDetector::new(), |_| {});
    drop(driver.pair(&mut PairContext::new(&mut overlap_detector, &on_event)));
    assert!(take_calls().is_empty());
}

#[test]
fn calls_are_made_in_order() {
    let _guard = fresh_library();
    pair(|| {
        overwrite_station(b"home", b"12345678");
        post(SUCCESS, None);
    })
    .unwrap();
    assert_eq!(take_calls(), [&SEARCH_CALLS[..], &END_CALLS[..1]].concat());
}

#[test]
fn leaving_the_network_is_reported_before_it_happens() {
    let _guard = fresh_library();
    let mut driver = driver();
    let events = RefCell::new(Vec::new());
    let on_event = |event| {
        assert!(take_calls().is_empty(), "reported before the radio is touched");
        events.borrow_mut().push(event);
    };
    let mut overlap_detector = OverlapDetector::new();
    let mut context = PairContext::new(&mut overlap_detector, &on_event);
    assert!(poll_once(driver.pair(&mut context)).is_pending());
    assert_eq!(events.take(), [PairEvent::Progress(SearchProgress::Looking), PairEvent::OffAir]);
}

#[test]
fn the_configuration_is_kept_in_ram_only() {
    let _guard = fresh_library();
    Driver::new((), TestClock::new(), options()).unwrap();
    assert_eq!(take_calls()[0], "esp_wifi_set_storage");
    assert_eq!(with_library(|library| library.storage), 1);
}

#[test]
fn a_configuration_written_by_the_library_is_overwritten() {
    let _guard = fresh_library();
    pair_error(|| {
        overwrite_station(b"candidate", b"");
        post(OVERLAP, None);
    });
    let before = old();
    expect_ready(driver().apply(&Settings::Station { network: before }, &Snapshot::default()))
        .unwrap();
    assert_eq!(station_credentials(), (b"old".to_vec(), b"old password".to_vec()));
}
