//! The reconnector, on virtual time.

use std::time::Duration;

use embassy_futures::select::{Either, select};
use wps_core::{AccessPoint, Clock, Instant};

use super::*;
use crate::fake::{
    TestClock, block_on, fresh_library, post_connected, post_disconnected, with_library,
};

/// `WIFI_REASON_BEACON_TIMEOUT`.
const BEACON_TIMEOUT: u8 = 200;

fn apply(driver: &mut Driver<()>, settings: &Settings) {
    expect_ready(driver.apply(settings, &Snapshot::default())).unwrap();
    take_calls();
}

/// Runs the reconnector for a time, and `act` after each of its attempts. Returns the times of the
/// attempts, in seconds.
fn attempts(clock: &TestClock, seconds: u64, act: impl Fn()) -> Vec<u64> {
    let mut reconnector = driver().reconnector();
    let start = clock.now();
    let mut times = Vec::new();
    let watch = async {
        for _ in 0..seconds * 10 {
            clock.sleep_until(clock.now().after(Duration::from_millis(100))).await;
            for call in take_calls() {
                assert_eq!(call, "esp_wifi_connect_internal");
                times.push(clock.now().since(start).as_secs());
                act();
            }
        }
    };
    match block_on(clock, select(reconnector.run(clock), watch)) {
        Either::First(never) => never,
        Either::Second(()) => times,
    }
}

#[test]
fn a_lost_link_is_retried_with_growing_delays() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    apply(&mut driver(), &station(home()));
    post_disconnected(201);
    // Delays of 1, 2, 4, … 60 s.
    let expected = [1, 3, 7, 15, 31, 63, 123, 183, 243];
    assert_eq!(attempts(&clock, 250, || post_disconnected(201)), expected);
}

#[test]
fn after_a_link_the_delays_start_again() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    apply(&mut driver(), &station(home()));
    post_disconnected(BEACON_TIMEOUT);
    assert_eq!(attempts(&clock, 10, || post_disconnected(BEACON_TIMEOUT)), [1, 3, 7]);
    post_connected();
    post_disconnected(BEACON_TIMEOUT);
    assert_eq!(attempts(&clock, 5, || post_disconnected(BEACON_TIMEOUT)), [1, 3]);
    // They also start again when the settings are applied again.
    apply(&mut driver(), &station(home()));
    post_disconnected(BEACON_TIMEOUT);
    assert_eq!(attempts(&clock, 2, || ()), [1]);
}

#[test]
fn an_attempt_and_a_link_are_left_alone() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    apply(&mut driver(), &station(home()));
    assert!(attempts(&clock, 300, || ()).is_empty(), "the first attempt is still running");
    post_connected();
    assert!(attempts(&clock, 300, || ()).is_empty());
    post_disconnected(BEACON_TIMEOUT);
    assert_eq!(attempts(&clock, 300, post_connected), [1]);
}

#[test]
fn a_failing_call_does_not_cause_a_busy_loop() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    apply(&mut driver(), &station(home()));
    post_disconnected(BEACON_TIMEOUT);
    with_library(|library| library.failures.insert("esp_wifi_connect_internal", 0x3007));
    assert_eq!(attempts(&clock, 70, || ()), [1, 3, 7, 15, 31, 63]);
}

#[test]
fn the_reconnector_is_idle_during_a_pairing_a_join_an_access_point_or_off() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    let mut driver = driver();
    let access_point = AccessPoint { network: network(b"device", b"on the label"), channel: None };
    for other in [Settings::AccessPoint { access_point, remembered: None }, off(None)] {
        apply(&mut driver, &station(home()));
        apply(&mut driver, &other);
        post_disconnected(BEACON_TIMEOUT);
        assert!(attempts(&clock, 100, || ()).is_empty());
    }
    // During a pairing, and after a dropped one.
    apply(&mut driver, &station(home()));
    let (mut overlap_detector, on_event) = (OverlapDetector::new(), |_| {});
    let mut context = PairContext::new(&mut overlap_detector, &on_event);
    {
        let mut pairing = pin!(driver.pair(&mut context));
        assert!(poll_once(pairing.as_mut()).is_pending());
        take_calls();
        post_disconnected(BEACON_TIMEOUT);
        assert!(attempts(&clock, 100, || ()).is_empty());
    }
    take_calls();
    assert!(attempts(&clock, 100, || ()).is_empty());
    // After a failed join. After a successful one, it does restore the link.
    for (reason, expected) in [(Some(201), vec![]), (None, vec![1])] {
        let (home, snapshot) = (home(), Snapshot::default());
        {
            let mut joining = pin!(driver.join(&home, &snapshot));
            assert!(poll_once(joining.as_mut()).is_pending());
            match reason {
                Some(reason) => post_disconnected(reason),
                None => post_connected(),
            }
            assert!(poll_once(joining.as_mut()).is_ready());
        }
        take_calls();
        post_disconnected(BEACON_TIMEOUT);
        assert_eq!(attempts(&clock, 100, || ()), expected);
    }
}

#[test]
fn the_reconnector_may_be_dropped_and_run_again() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    apply(&mut driver(), &station(home()));
    post_disconnected(BEACON_TIMEOUT);
    let mut reconnector = driver().reconnector();
    assert!(poll_once(reconnector.run(&clock)).is_pending());
    assert_eq!(clock.now(), Instant::from_millis(0));
    assert_eq!(attempts(&clock, 2, || ()), [1]);
}
