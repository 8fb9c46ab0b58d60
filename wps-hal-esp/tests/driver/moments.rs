//! When things happen, in which order, and what of them must not act later.

use std::cell::RefCell;

use wps_core::driver::{PairEvent, SearchProgress};

use super::*;
use crate::fake::{OVERLAP, SUCCESS, TIMED_OUT, networks, post, told, turn, with, write_over};

#[test]
fn an_event_before_the_start_returns_is_not_lost() {
    let _turn = turn();
    let mut driver = driver();
    let payload = networks(1, &[(b"home", b"12345678")]);
    with(|library| library.during.insert("esp_wifi_wps_start", vec![(SUCCESS, Some(payload))]));
    let (mut overlap_detector, tell) = (OverlapDetector::new(), |_| {});
    let offer = now(driver.pair(&mut PairContext::new(&mut overlap_detector, &tell))).unwrap();
    assert_eq!(offered(&offer), [network(b"home", b"12345678")]);
}

#[test]
fn late_events_of_an_earlier_attempt_are_ignored() {
    let _turn = turn();
    let payload = networks(1, &[(b"earlier", b"12345678")]);
    let mut driver = driver();
    // Before the attempt, and while the library tidies up.
    post(SUCCESS, Some(&payload));
    for call in ["esp_wifi_wps_disable", "esp_wifi_stop", "esp_wifi_start", "esp_wifi_wps_enable"] {
        let late = vec![(SUCCESS, Some(payload.clone()))];
        with(|library| library.during.insert(call, late));
    }
    let (mut overlap_detector, tell) = (OverlapDetector::new(), |_| {});
    let mut context = PairContext::new(&mut overlap_detector, &tell);
    let mut work = pin!(driver.pair(&mut context));
    assert!(poll(&mut work).is_pending(), "nothing of it is taken");
    post(OVERLAP, None);
    assert!(poll(&mut work).is_ready());
}

#[test]
fn a_dropped_pairing_leaves_nothing_that_acts_later() {
    let _turn = turn();
    let mut driver = driver();
    // At its only await, of which it has several turns: another search after each time-out.
    for time_outs in 0..3 {
        let (mut overlap_detector, tell) = (OverlapDetector::new(), |_| {});
        let mut context = PairContext::new(&mut overlap_detector, &tell);
        {
            let mut work = pin!(driver.pair(&mut context));
            for _ in 0..time_outs {
                assert!(poll(&mut work).is_pending());
                post(TIMED_OUT, None);
            }
            assert!(poll(&mut work).is_pending());
            calls();
        }
        assert_eq!(calls(), END);
    }
    // Before its first poll nothing was touched.
    let (mut overlap_detector, tell) = (OverlapDetector::new(), |_| {});
    drop(driver.pair(&mut PairContext::new(&mut overlap_detector, &tell)));
    assert!(calls().is_empty());
}

#[test]
fn the_order_of_calls() {
    let _turn = turn();
    pair(|| {
        write_over(b"home", b"12345678");
        post(SUCCESS, None);
    })
    .unwrap();
    assert_eq!(calls(), [&SEARCH[..], &END[..1]].concat());
}

#[test]
fn the_network_is_left_at_the_start_and_that_is_told_before() {
    let _turn = turn();
    let mut driver = driver();
    let news = RefCell::new(Vec::new());
    let tell = |it| {
        assert!(calls().is_empty(), "told before the radio is touched");
        news.borrow_mut().push(it);
    };
    let mut overlap_detector = OverlapDetector::new();
    let mut context = PairContext::new(&mut overlap_detector, &tell);
    assert!(poll(&mut pin!(driver.pair(&mut context))).is_pending());
    assert_eq!(news.take(), [PairEvent::Progress(SearchProgress::Looking), PairEvent::OffAir]);
}

#[test]
fn the_configuration_is_kept_in_ram_only() {
    let _turn = turn();
    Driver::new(()).unwrap();
    assert_eq!((calls(), with(|library| library.storage)), (vec!["esp_wifi_set_storage"], 1));
}

#[test]
fn what_the_library_wrote_is_written_over() {
    let _turn = turn();
    failure(|| {
        write_over(b"candidate", b"");
        post(OVERLAP, None);
    });
    let before = network(b"old", b"old password");
    now(driver().apply(&Settings::Station { network: before }, &Snapshot::default())).unwrap();
    assert_eq!(told(), (b"old".to_vec(), b"old password".to_vec()));
}
