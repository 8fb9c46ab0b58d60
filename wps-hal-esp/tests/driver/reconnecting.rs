//! `maintain`, on virtual time: reconnecting a lost link, and noticing that the key is refused.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use embassy_futures::select::{Either, select};
use wps_core::driver::IdleEvent;
use wps_core::{AccessPoint, Clock, Instant};
use wps_hal_esp::Options;

use super::success::{AUTHMODE_AT, pair_and_join_by_itself};
use super::*;
use crate::fake::{
    TestClock, WPA2_PSK, block_on, fresh_library, post_connected, post_connected_to,
    post_disconnected, station_credentials, with_library,
};

/// `WIFI_REASON_ASSOC_LEAVE`, `WIFI_REASON_BEACON_TIMEOUT`, `WIFI_REASON_NO_AP_FOUND` and
/// `WIFI_REASON_4WAY_HANDSHAKE_TIMEOUT`.
const ASSOC_LEAVE: u8 = 8;
const BEACON_TIMEOUT: u8 = 200;
const NO_AP_FOUND: u8 = 201;
const HANDSHAKE_TIMEOUT: u8 = 15;
/// Longer than any test.
const ENDLESS_WINDOW: Duration = Duration::from_secs(1_000_000);

fn apply(settings: &Settings) {
    apply_with(&mut driver(), settings);
}

fn apply_with(driver: &mut impl WifiDriver<Error = EspError>, settings: &Settings) {
    expect_ready(driver.apply(settings, &Snapshot::default())).unwrap();
    take_calls();
}

/// What `maintain` did, and when, in seconds.
#[derive(Debug, Default, PartialEq)]
struct Observed {
    attempts: Vec<u64>,
    events: Vec<(u64, IdleEvent)>,
}

/// Maintains the link for a time, and runs `act` after each attempt. Drops the future whenever
/// `lifetime` has elapsed, and calls the method again.
fn observe(clock: &TestClock, seconds: u64, lifetime: Duration, act: impl Fn()) -> Observed {
    let mut driver = driver_with(clock);
    let settings = station(home());
    let start = clock.now();
    let since_start = || clock.now().since(start).as_secs();
    let observed = RefCell::new(Observed::default());
    let maintain = async {
        loop {
            let end = clock.now().after(lifetime);
            match select(driver.maintain(&settings), clock.sleep_until(end)).await {
                Either::First(event) => observed.borrow_mut().events.push((since_start(), event)),
                Either::Second(()) => {}
            }
        }
    };
    let watch = async {
        for _ in 0..seconds * 10 {
            clock.sleep_until(clock.now().after(Duration::from_millis(100))).await;
            for call in take_calls() {
                if call == "esp_wifi_disconnect_internal" {
                    continue; // an attempt is given up
                }
                assert_eq!(call, "esp_wifi_connect_internal");
                observed.borrow_mut().attempts.push(since_start());
                act();
            }
        }
    };
    match block_on(clock, select(maintain, watch)) {
        Either::First(never) => never,
        Either::Second(()) => {}
    }
    observed.into_inner()
}

/// Maintains the link without dropping the future. Returns the times of the attempts, and expects
/// no event.
fn attempts(clock: &TestClock, seconds: u64, act: impl Fn()) -> Vec<u64> {
    let Observed { attempts, events } = observe(clock, seconds, ENDLESS_WINDOW, act);
    assert_eq!(events, []);
    attempts
}

/// Maintains the link without dropping the future. Returns the events and their times.
fn events(clock: &TestClock, seconds: u64, act: impl Fn()) -> Vec<(u64, IdleEvent)> {
    observe(clock, seconds, ENDLESS_WINDOW, act).events
}

#[test]
fn a_lost_link_is_retried_with_growing_delays() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    apply(&station(home()));
    post_disconnected(NO_AP_FOUND);
    // Delays of 1, 2, 4, … 60 s.
    let expected = [1, 3, 7, 15, 31, 63, 123, 183, 243];
    assert_eq!(attempts(&clock, 250, || post_disconnected(NO_AP_FOUND)), expected);
}

#[test]
fn a_lost_link_is_retried_at_the_same_times_however_often_the_future_is_dropped() {
    for lifetime in [10, 100, 700, 1_000, 1_500].map(Duration::from_millis) {
        let (_guard, clock) = (fresh_library(), TestClock::new());
        apply(&station(home()));
        post_disconnected(NO_AP_FOUND);
        let observed = observe(&clock, 250, lifetime, || post_disconnected(NO_AP_FOUND));
        let expected = vec![1, 3, 7, 15, 31, 63, 123, 183, 243];
        assert_eq!(observed, Observed { attempts: expected, events: vec![] }, "{lifetime:?}");
    }
}

#[test]
fn after_a_link_the_delays_start_again() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    apply(&station(home()));
    post_disconnected(BEACON_TIMEOUT);
    assert_eq!(attempts(&clock, 10, || post_disconnected(BEACON_TIMEOUT)), [1, 3, 7]);
    post_connected();
    post_disconnected(BEACON_TIMEOUT);
    assert_eq!(attempts(&clock, 5, || post_disconnected(BEACON_TIMEOUT)), [1, 3]);
    // They also start again when the settings are applied again.
    apply(&station(home()));
    post_disconnected(BEACON_TIMEOUT);
    assert_eq!(attempts(&clock, 2, || ()), [1]);
}

/// A clock during whose n-th call the link comes up: the library posts its events from its own
/// thread.
struct JoinsDuringCall<'c> {
    clock: &'c TestClock,
    /// The number of this call, counted from the next one, or 0 after it.
    call: Cell<u32>,
}

impl JoinsDuringCall<'_> {
    fn on_call(&self) {
        let call = self.call.get();
        self.call.set(call.saturating_sub(1));
        if call == 1 {
            post_connected();
        }
    }
}

impl Clock for &JoinsDuringCall<'_> {
    fn now(&self) -> Instant {
        self.on_call();
        self.clock.now()
    }

    async fn sleep_until(&self, at: Instant) {
        self.clock.sleep_until(at).await;
        self.on_call();
    }
}

#[test]
fn a_link_that_comes_up_just_before_maintain_acts_is_left_alone() {
    // When the time of the attempt is decided, and when it has come.
    for call in [1, 2] {
        let (_guard, clock) = (fresh_library(), TestClock::new());
        let joining_clock = JoinsDuringCall { clock: &clock, call: Cell::new(call) };
        let settings = station(home());
        apply(&settings);
        post_disconnected(BEACON_TIMEOUT);
        let mut driver = Driver::new((), &joining_clock, options()).unwrap();
        take_calls();
        let end = clock.now().after(Duration::from_secs(10));
        block_on(&clock, select(driver.maintain(&settings), clock.sleep_until(end)));
        assert_eq!(joining_clock.call.get(), 0);
        assert!(take_calls().is_empty());
        post_disconnected(BEACON_TIMEOUT);
        assert_eq!(attempts(&clock, 10, || ()), [1], "after the delay for this loss");
    }
}

#[test]
fn an_attempt_and_a_link_are_left_alone() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    apply(&station(home()));
    assert!(attempts(&clock, 29, || ()).is_empty(), "the first attempt is still running");
    post_connected();
    assert!(attempts(&clock, 300, || ()).is_empty());
    post_disconnected(BEACON_TIMEOUT);
    assert_eq!(attempts(&clock, 300, post_connected), [1]);
}

/// The library never reports the end of these attempts.
#[test]
fn an_attempt_that_does_not_end_is_given_up() {
    for lifetime in [Duration::from_millis(700), ENDLESS_WINDOW] {
        let (_guard, clock) = (fresh_library(), TestClock::new());
        apply(&station(home()));
        // 30 s for the first attempt and a delay of 1 s, then 30 s and 2 s, and so on.
        let observed = observe(&clock, 200, lifetime, || ());
        assert_eq!(observed, Observed { attempts: vec![31, 63, 97, 135, 181], events: vec![] });
        // That the library reports it late changes nothing.
        post_disconnected(ASSOC_LEAVE);
        post_connected();
        assert!(attempts(&clock, 100, || ()).is_empty());
    }
}

/// All devices of a room lose their router at the same moment.
#[test]
fn the_delays_have_a_random_part_of_up_to_a_quarter() {
    for (random, expected) in [
        (|| 0, [1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 123_000]),
        (|| 50, [1_125, 3_375, 7_875, 16_875, 34_875, 70_875, 138_375]),
        (|| 100, [1_250, 3_750, 8_750, 18_750, 38_750, 78_750, 153_750]),
    ] as [(fn() -> u32, [u64; 7]); 3]
    {
        for lifetime in [Duration::from_millis(700), ENDLESS_WINDOW] {
            let (_guard, clock) = (fresh_library(), TestClock::new());
            let mut driver = Driver::new((), &clock, Options::new(random)).unwrap();
            apply_with(&mut driver, &station(home()));
            post_disconnected(NO_AP_FOUND);
            let settings = station(home());
            let mut times = Vec::new();
            while times.len() < expected.len() {
                let end = clock.now().after(lifetime);
                let next_call = async {
                    while !take_calls().contains(&"esp_wifi_connect_internal") {
                        clock.sleep_until(clock.now().after(Duration::from_millis(5))).await;
                    }
                };
                let wait = select(next_call, clock.sleep_until(end));
                let maintain = driver.maintain(&settings);
                if let Either::Second(Either::First(())) = block_on(&clock, select(maintain, wait))
                {
                    times.push(clock.now().as_millis());
                    post_disconnected(NO_AP_FOUND);
                }
            }
            for (time, expected) in times.iter().zip(expected) {
                assert!(time.abs_diff(expected) <= 40, "{times:?}");
            }
        }
    }
}

#[test]
fn a_failing_call_does_not_cause_a_busy_loop() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    apply(&station(home()));
    post_disconnected(BEACON_TIMEOUT);
    with_library(|library| library.failures.insert("esp_wifi_connect_internal", 0x3007));
    assert_eq!(attempts(&clock, 70, || ()), [1, 3, 7, 15, 31, 63]);
}

#[test]
fn nothing_is_reconnected_unless_a_network_was_applied_or_joined() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    let access_point = AccessPoint { network: network(b"device", b"on the label"), channel: None };
    for other in [
        Settings::AccessPoint { access_point, remembered: None },
        Settings::Off { remembered: None },
    ] {
        apply(&station(home()));
        apply(&other);
        post_disconnected(BEACON_TIMEOUT);
        assert!(attempts(&clock, 100, || ()).is_empty());
    }
    // After a dropped pairing.
    apply(&station(home()));
    let (mut overlap_detector, on_event) = (OverlapDetector::new(), |_| {});
    let mut context = PairContext::new(&mut overlap_detector, &on_event);
    assert!(poll_once(pin!(driver().pair(&mut context))).is_pending());
    take_calls();
    post_disconnected(BEACON_TIMEOUT);
    assert!(attempts(&clock, 100, || ()).is_empty());
    // After a failed join. After a successful one, the link is restored.
    for (reason, expected) in [(Some(NO_AP_FOUND), vec![]), (None, vec![1])] {
        let mut driver = driver();
        let (home, snapshot) = (network(b"home", b"correct horse"), Snapshot::default());
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
        assert_eq!(attempts(&clock, 100, post_connected), expected);
    }
}

#[test]
fn a_refused_key_is_reported_once_and_so_is_that_it_is_accepted_again() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    apply(&station(home()));
    for _ in 0..2 {
        post_connected();
        // The router restarts with another key.
        post_disconnected(BEACON_TIMEOUT);
        let found = events(&clock, 300, || post_disconnected(HANDSHAKE_TIMEOUT));
        assert_eq!(found, [(3, IdleEvent::KeyRefused)], "at the second attempt");
        // The router gets its former key back.
        assert_eq!(events(&clock, 61, post_connected).len(), 1);
        assert_eq!(events(&clock, 300, || ()), []);
    }
}

#[test]
fn a_refused_key_is_reported_however_often_the_future_is_dropped() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    apply(&station(home()));
    post_disconnected(HANDSHAKE_TIMEOUT);
    let second = Duration::from_secs(1);
    let found = observe(&clock, 40, second, || post_disconnected(HANDSHAKE_TIMEOUT)).events;
    assert_eq!(found, [(1, IdleEvent::KeyRefused)], "the first attempt was that of `apply`");
    post_connected();
    let found = observe(&clock, 40, second, || ()).events;
    assert_eq!(found, [(0, IdleEvent::KeyAccepted)]);
}

#[test]
fn a_failed_handshake_alone_is_not_a_refused_key() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    apply(&station(home()));
    // The link was up with this key, so its end says nothing about the key.
    for _ in 0..3 {
        post_connected();
        post_disconnected(HANDSHAKE_TIMEOUT);
    }
    // A weak signal: a failed handshake, then a network out of range, and so on.
    let reasons = RefCell::new([HANDSHAKE_TIMEOUT, NO_AP_FOUND].into_iter().cycle());
    let act = || post_disconnected(reasons.borrow_mut().next().unwrap());
    assert_eq!(attempts(&clock, 250, act), [1, 3, 7, 15, 31, 63, 123, 183, 243]);
}

/// Expects `maintain` to report that the key is refused.
fn refuse_key(clock: &TestClock) {
    post_disconnected(HANDSHAKE_TIMEOUT);
    let found = events(clock, 100, || post_disconnected(HANDSHAKE_TIMEOUT));
    assert!(matches!(found[..], [(_, IdleEvent::KeyRefused)]), "{found:?}");
}

#[test]
fn other_settings_and_join_forget_that_the_key_was_refused() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    let mut driver = driver();
    for other in [station(old()), station(network(b"home", b"another key")), off(None)] {
        apply_with(&mut driver, &station(home()));
        refuse_key(&clock);
        apply_with(&mut driver, &other);
        apply_with(&mut driver, &station(home()));
        post_connected();
        assert_eq!(events(&clock, 100, || ()), [], "accepted, but never refused since `apply`");
        post_disconnected(BEACON_TIMEOUT);
        refuse_key(&clock);
        let (home, snapshot) = (home(), Snapshot::default());
        let mut joining = pin!(driver.join(&home, &snapshot));
        assert!(poll_once(joining.as_mut()).is_pending());
        post_connected();
        assert!(matches!(poll_once(joining.as_mut()), Poll::Ready(Ok(()))));
        take_calls();
        assert_eq!(events(&clock, 100, || ()), []);
    }
}

/// The machine also keeps it, for example while it restores the settings after a failed pairing.
#[test]
fn settings_that_are_applied_again_keep_that_the_key_was_refused() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    let mut driver = driver();
    let settings = station(home());
    let pair = |driver: &mut Driver<_, _>| {
        let (mut overlap_detector, on_event) = (OverlapDetector::new(), |_| {});
        let mut context = PairContext::new(&mut overlap_detector, &on_event);
        assert!(poll_once(pin!(driver.pair(&mut context))).is_pending());
    };
    let fail_to_apply = |driver: &mut Driver<_, _>| {
        with_library(|library| library.failures.insert("esp_wifi_start", 0x101));
        expect_ready(driver.apply(&station(home()), &Snapshot::default())).unwrap_err();
        with_library(|library| library.failures.clear());
    };
    let between: [&dyn Fn(&mut Driver<_, _>); 4] =
        [&|_| (), &|_| post_connected(), &pair, &fail_to_apply];
    for act in between {
        apply_with(&mut driver, &settings);
        refuse_key(&clock);
        act(&mut driver);
        apply_with(&mut driver, &settings);
        post_connected();
        let found = events(&clock, 100, || ());
        assert!(matches!(found[..], [(_, IdleEvent::KeyAccepted)]), "{found:?}");
        post_disconnected(BEACON_TIMEOUT);
    }
    // A refusal is not reported a second time.
    refuse_key(&clock);
    apply_with(&mut driver, &settings);
    post_disconnected(HANDSHAKE_TIMEOUT);
    assert_eq!(events(&clock, 300, || post_disconnected(HANDSHAKE_TIMEOUT)), []);
}

#[test]
fn a_link_that_the_library_has_set_up_is_restored_within_the_drivers_limits() {
    let (_guard, clock) = (fresh_library(), TestClock::new());
    pair_and_join_by_itself(b"correct horse", WPA2_PSK);
    let mut driver = driver_with(&clock);
    expect_ready(driver.join(&home(), &Snapshot::default())).unwrap();
    take_calls();
    for expected in [["esp_wifi_connect_internal"]; 2] {
        post_disconnected(BEACON_TIMEOUT);
        let end = clock.now().after(Duration::from_secs(2));
        block_on(&clock, select(driver.maintain(&station(home())), clock.sleep_until(end)));
        assert_eq!(take_calls(), expected);
        assert_eq!(with_library(|library| library.station[AUTHMODE_AT]), WPA2_PSK);
        assert_eq!(station_credentials(), (b"home".to_vec(), b"correct horse".to_vec()));
        post_connected_to(WPA2_PSK);
    }
}
