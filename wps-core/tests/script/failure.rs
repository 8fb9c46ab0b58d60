//! Pairings that fail: the rows of the specification's troubleshooting table, cancellation, and the
//! rules of Protected Setup itself. Each test ends with the settings that the failure rule
//! requires.

use wps_core::driver::SearchProgress;
use wps_core::sim::{Router, RouterKind};
use wps_core::{AfterFailure, Cause, ErrorKind, Phase};
use wps_testkit::{home, hotspot, off, old, ssid, station};

use crate::common::{Environment, REPLY_GRACE_DELAY};
use crate::{all_modes, second, start_pairing_at_10};

#[test]
fn it_times_out_after_exactly_120_seconds_if_no_router_is_pressed() {
    for (before, after) in all_modes() {
        let env = Environment::settled(before.clone());
        let mut sim = start_pairing_at_10(&env);
        sim.advance_to(129.999);
        sim.expect(Phase::Searching);
        sim.expect_on_air(&before);
        sim.advance_to(130.0);
        sim.expect(Phase::Restoring);
        sim.advance_to(131.0);
        sim.expect_ended(Err(Cause::NotPressed));
        assert_eq!(sim.status().last.expect("ended").at, second(130));
        sim.expect_settled(&after);
    }
}

#[test]
fn an_access_point_comes_back_with_access_point_back() {
    for remembered in [None, Some(old())] {
        let before = hotspot(remembered);
        let env =
            Environment::settled(before.clone()).with_after_failure(AfterFailure::AccessPointBack);
        let mut sim = start_pairing_at_10(&env);
        sim.advance_to(131.0);
        sim.expect_ended(Err(Cause::NotPressed));
        sim.expect_settled(&before);
    }
}

/// "Pairing timeout: router WPS not activated. Press WPS button on router within 2 minutes."
#[test]
fn pairing_timeout() {
    let env = Environment::settled(station(old()));
    let mut sim = start_pairing_at_10(&env);
    sim.advance_to(131.0);
    sim.expect_ended(Err(Cause::NotPressed));
    let advice = Cause::NotPressed.advice();
    assert!(advice.contains("press the WPS button of the router within two minutes"));
}

/// "Connection fails: router doesn't support WPS. Use manual Wi-Fi setup instead."
#[test]
fn router_without_wps() {
    let env = Environment::settled(station(old()));
    env.air.set_kind(b"home", RouterKind::WithoutWps);
    env.air.set_kind(b"old", RouterKind::WithoutWps);
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(60.0);
    sim.expect_progress(&SearchProgress::NoWps);
    sim.advance_to(131.0);
    sim.expect_ended(Err(Cause::NoWps));
    assert!(Cause::NoWps.advice().contains("set Wi-Fi up by hand"));
}

/// "Reverts to previous settings: WPS authentication failed. Check router WPS settings and try
/// again."
#[test]
fn reverts_to_previous_settings() {
    let env = Environment::settled(station(old()));
    env.air.set_kind(b"home", RouterKind::Refuses);
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(11.5);
    sim.expect(Phase::Searching); // it is tried once more
    sim.advance_to(14.0);
    let refused = Cause::Driver(ErrorKind::Refused);
    sim.expect_ended(Err(refused));
    sim.expect_settled(&station(old()));
    assert!(env.air.is_linked(), "connected again");
    assert!(refused.advice().contains("Check the WPS settings of the router"));
}

#[test]
fn a_wrong_key_is_tried_once_more_after_a_pause() {
    let env = Environment::settled(off(None));
    env.air.set_kind(b"home", RouterKind::WrongKey);
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(16.0);
    sim.expect(Phase::Joining { ssid: ssid(b"home") });
    assert_eq!(sim.status().trouble, Some(Cause::Driver(ErrorKind::WrongKey)));
    sim.advance_to(18.0);
    sim.expect_ended(Err(Cause::Driver(ErrorKind::WrongKey)));
    sim.expect_settled(&off(None));
}

#[test]
fn a_router_that_never_comes_back_is_reported_as_lost() {
    let env = Environment::settled(hotspot(Some(old())));
    env.air.set_kind(b"home", RouterKind::Vanishes);
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(131.0);
    sim.expect_ended(Err(Cause::Driver(ErrorKind::RouterLost)));
    sim.expect_settled(&off(Some(old())));
}

#[test]
fn insecure_encryption_ends_the_pairing_at_once() {
    let env = Environment::settled(hotspot(None));
    env.air.set_kind(b"home", RouterKind::Insecure);
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(12.0);
    sim.expect_ended(Err(Cause::Driver(ErrorKind::Insecure)));
    sim.expect_settled(&off(None));
}

#[test]
fn two_pressed_routers_end_the_pairing_at_once() {
    for (before, after) in all_modes() {
        let env = Environment::settled(before);
        let mut sim = start_pairing_at_10(&env);
        sim.advance_to(40.0);
        sim.press_router("home");
        sim.press_router("old");
        sim.advance_to(41.0);
        sim.expect_ended(Err(Cause::Driver(ErrorKind::Overlap)));
        sim.expect_settled(&after);
    }
}

#[test]
fn a_second_router_later_in_the_window_is_an_overlap_too() {
    let env = Environment::settled(station(old()));
    env.air
        .add_router(Router::new(b"neighbour", b"not your router").with_kind(RouterKind::Vanishes));
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("neighbour");
    sim.advance_to(60.0);
    sim.expect(Phase::Searching);
    sim.press_router("home");
    sim.advance_to(61.0);
    sim.expect_ended(Err(Cause::Driver(ErrorKind::Overlap)));

    // The next window starts with an empty overlap detector.
    env.air.stop_pairing(b"home");
    sim.advance_to(200.0);
    sim.press_button();
    sim.press_router("home");
    sim.advance_to(202.0);
    sim.expect_ended(Ok(()));
    sim.expect_settled(&station(home()));
}

#[test]
fn an_exchange_is_aborted_when_the_window_closes() {
    let env = Environment::settled(station(old()));
    let mut sim = start_pairing_at_10(&env);
    sim.advance_to(129.5);
    sim.press_router("home");
    sim.advance_to(129.99);
    sim.expect_progress(&SearchProgress::Exchanging { ssid: Some(ssid(b"home")) });
    sim.advance_to(131.0);
    sim.expect_ended(Err(Cause::ExchangeTimedOut));
    sim.expect_settled(&station(old()));
}

#[test]
fn a_join_is_aborted_when_the_window_closes() {
    let env = Environment::settled(station(old()));
    let mut sim = start_pairing_at_10(&env);
    sim.advance_to(129.2);
    sim.press_router("home");
    sim.advance_to(129.99);
    sim.expect(Phase::Joining { ssid: ssid(b"home") });
    sim.advance_to(131.0);
    sim.expect_ended(Err(Cause::NotJoined));
    assert_eq!(sim.status().last.expect("ended").at, second(130));
    sim.expect_settled(&station(old()));
}

#[test]
fn cancelling_before_the_journal_is_written_changes_nothing() {
    let env = Environment::settled(hotspot(Some(old())));
    let mut sim = env.booted();
    let start = sim.request_start(REPLY_GRACE_DELAY);
    let cancel = sim.request_cancel();
    sim.run_until_stalled();
    let cancelled = wps_core::RequestError::Failed(Cause::Cancelled);
    assert_eq!(sim.reply(start), Some(Err(cancelled)));
    assert_eq!(sim.reply(cancel), Some(Ok(())));
    sim.expect_ended(Err(Cause::Cancelled));
    sim.expect_settled(&hotspot(Some(old())));
}

#[test]
fn cancelled_while_searching() {
    for (before, after) in all_modes() {
        let env = Environment::settled(before);
        let mut sim = start_pairing_at_10(&env);
        sim.advance_to(50.0);
        sim.cancel();
        sim.expect(Phase::Restoring);
        sim.advance_to(51.0);
        sim.expect_ended(Err(Cause::Cancelled));
        assert_eq!(sim.status().last.expect("ended").at, second(50));
        sim.expect_settled(&after);
    }
}

#[test]
fn cancelled_while_joining() {
    for (before, after) in all_modes() {
        let env = Environment::settled(before);
        let mut sim = start_pairing_at_10(&env);
        sim.press_router("home");
        sim.advance_to(11.1);
        sim.expect(Phase::Joining { ssid: ssid(b"home") });
        sim.cancel();
        sim.advance_to(12.0);
        sim.expect_ended(Err(Cause::Cancelled));
        sim.expect_settled(&after);
    }
}

#[test]
fn cancelling_when_idle_or_restoring_does_nothing() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    sim.cancel();
    sim.expect(Phase::Idle);
    assert_eq!(sim.status().last, None);

    sim.advance_to(10.0);
    sim.press_button();
    sim.advance_to(130.0);
    sim.expect(Phase::Restoring);
    sim.cancel();
    sim.advance_to(131.0);
    sim.expect_ended(Err(Cause::NotPressed));
    sim.cancel();
    sim.expect_ended(Err(Cause::NotPressed));
    sim.expect_settled(&station(old()));
}
