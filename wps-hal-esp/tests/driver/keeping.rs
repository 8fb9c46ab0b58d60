//! The keeper, on virtual time.

use std::time::Duration;

use embassy_futures::select::{Either, select};
use wps_core::{AccessPoint, Clock, Instant};

use super::*;
use crate::fake::{Hand, play, post_connected, post_disconnected, turn, with};

const LOST: u8 = 200;

fn station() -> Settings {
    Settings::Station { network: network(b"home", b"correct horse") }
}

fn apply(driver: &mut Driver<()>, settings: &Settings) {
    now(driver.apply(settings, &Snapshot::default())).unwrap();
    calls();
}

/// Lets the keeper keep for a while; `each` plays what comes of each try. When it tried, in seconds.
fn tries(clock: &Hand, seconds: u64, each: impl Fn()) -> Vec<u64> {
    let mut keeper = driver().keeper();
    let begun = clock.now();
    let mut times = Vec::new();
    let watch = async {
        for _ in 0..seconds * 10 {
            clock.sleep_until(clock.now().after(Duration::from_millis(100))).await;
            for call in calls() {
                assert_eq!(call, "esp_wifi_connect_internal");
                times.push(clock.now().since(begun).as_secs());
                each();
            }
        }
    };
    match play(clock, select(keeper.run(clock), watch)) {
        Either::First(never) => never,
        Either::Second(()) => times,
    }
}

#[test]
fn a_lost_link_is_tried_again_with_growing_pauses() {
    let (_turn, clock) = (turn(), Hand::new());
    apply(&mut driver(), &station());
    post_disconnected(201);
    // Pauses of 1, 2, 4, … 60 s.
    let wanted = [1, 3, 7, 15, 31, 63, 123, 183, 243];
    assert_eq!(tries(&clock, 250, || post_disconnected(201)), wanted);
}

#[test]
fn after_a_link_the_pauses_begin_anew() {
    let (_turn, clock) = (turn(), Hand::new());
    apply(&mut driver(), &station());
    post_disconnected(LOST);
    assert_eq!(tries(&clock, 10, || post_disconnected(LOST)), [1, 3, 7]);
    post_connected();
    post_disconnected(LOST);
    assert_eq!(tries(&clock, 5, || post_disconnected(LOST)), [1, 3]);
    // Told anew, too.
    apply(&mut driver(), &station());
    post_disconnected(LOST);
    assert_eq!(tries(&clock, 2, || ()), [1]);
}

#[test]
fn a_try_is_not_disturbed_and_a_link_not_touched() {
    let (_turn, clock) = (turn(), Hand::new());
    apply(&mut driver(), &station());
    assert!(tries(&clock, 300, || ()).is_empty(), "the first try goes on");
    post_connected();
    assert!(tries(&clock, 300, || ()).is_empty());
    post_disconnected(LOST);
    assert_eq!(tries(&clock, 300, post_connected), [1]);
}

#[test]
fn a_call_that_fails_is_no_busy_loop() {
    let (_turn, clock) = (turn(), Hand::new());
    apply(&mut driver(), &station());
    post_disconnected(LOST);
    with(|library| library.fails.insert("esp_wifi_connect_internal", 0x3007));
    assert_eq!(tries(&clock, 70, || ()), [1, 3, 7, 15, 31, 63]);
}

#[test]
fn nothing_acts_behind_a_pairing_a_join_an_access_point_or_off() {
    let (_turn, clock) = (turn(), Hand::new());
    let mut driver = driver();
    let access_point = AccessPoint { network: network(b"device", b"on the label"), channel: None };
    for other in [
        Settings::AccessPoint { access_point, remembered: None },
        Settings::Off { remembered: None },
    ] {
        apply(&mut driver, &station());
        apply(&mut driver, &other);
        post_disconnected(LOST);
        assert!(tries(&clock, 100, || ()).is_empty());
    }
    // While a pairing runs, and after it was dropped.
    apply(&mut driver, &station());
    let (mut overlap_detector, tell) = (OverlapDetector::new(), |_| {});
    let mut context = PairContext::new(&mut overlap_detector, &tell);
    {
        let mut work = pin!(driver.pair(&mut context));
        assert!(poll(&mut work).is_pending());
        calls();
        post_disconnected(LOST);
        assert!(tries(&clock, 100, || ()).is_empty());
    }
    calls();
    assert!(tries(&clock, 100, || ()).is_empty());
    // After a join that failed; after one that did not, the link is kept.
    for (reason, kept) in [(Some(201), vec![]), (None, vec![1])] {
        let (home, snapshot) = (network(b"home", b"correct horse"), Snapshot::default());
        {
            let mut work = pin!(driver.join(&home, &snapshot));
            assert!(poll(&mut work).is_pending());
            match reason {
                Some(reason) => post_disconnected(reason),
                None => post_connected(),
            }
            assert!(poll(&mut work).is_ready());
        }
        calls();
        post_disconnected(LOST);
        assert_eq!(tries(&clock, 100, || ()), kept);
    }
}

#[test]
fn the_keeper_may_be_dropped_and_run_again() {
    let (_turn, clock) = (turn(), Hand::new());
    apply(&mut driver(), &station());
    post_disconnected(LOST);
    let mut keeper = driver().keeper();
    assert!(poll(&mut pin!(keeper.run(&clock))).is_pending());
    assert_eq!(clock.now(), Instant::from_millis(0));
    assert_eq!(tries(&clock, 2, || ()), [1]);
}
