//! Successful pairings, from every mode and after temporary failures. In the end the device is a
//! station, it is connected, and its settings are saved.

use wps_core::driver::SearchProgress;
use wps_core::sim::{Router, RouterKind};
use wps_core::{ADVICE_AFTER_OPEN, ADVICE_AFTER_SUCCESS, Cause, ErrorKind, Phase};
use wps_testkit::{home, hotspot, off, old, ssid, station};

use crate::common::{Environment, Simulation};
use crate::{all_modes, start_pairing_at_10};

fn expect_paired(sim: &Simulation<'_>) {
    sim.expect_ended(Ok(()));
    sim.expect_settled(&station(home()));
    assert!(sim.env.air.is_linked());
}

#[test]
fn from_every_mode_and_it_survives_a_restart() {
    for (before, _) in all_modes() {
        let env = Environment::settled(before.clone());
        let mut sim = start_pairing_at_10(&env);
        sim.advance_to(39.0);
        sim.expect(Phase::Searching);
        sim.expect_progress(&SearchProgress::NotPressed);
        sim.expect_on_air(&before); // it stays on the air until the router's button is pressed

        sim.advance_to(40.0);
        sim.press_router("home");
        sim.advance_to(42.0);
        expect_paired(&sim);

        sim.cut_power();
        let mut sim = env.boot();
        sim.advance_to(43.0);
        sim.expect(Phase::Idle);
        sim.expect_settled(&station(home()));
        assert!(env.air.is_linked());
    }
}

#[test]
fn an_open_network_is_joined_and_said_to_be_open() {
    for keeps in [false, true] {
        let mut env = Environment::settled(off(None));
        if keeps {
            env = env.on_platform_that_keeps();
        }
        env.air.add_router(Router::new(b"cafe", b""));
        let mut sim = env.booted();
        sim.press_button();
        sim.press_router("cafe");
        sim.advance_to(5.0);
        sim.expect_ended(Ok(()));
        let open = sim.status().last.expect("a result");
        assert!(open.is_open, "{keeps}");
        assert_eq!(open.advice(), Some(ADVICE_AFTER_OPEN));
        // The next one is not.
        env.air.stop_pairing(b"cafe");
        sim.press_button();
        sim.press_router("home");
        sim.advance_to(10.0);
        sim.expect_ended(Ok(()));
        let protected = sim.status().last.expect("a result");
        assert!(!protected.is_open);
        assert_eq!(protected.advice(), Some(ADVICE_AFTER_SUCCESS));
    }
}

#[test]
fn a_new_device() {
    let env = Environment::never_set_up(hotspot(None));
    let mut sim = env.booted();
    sim.expect_on_air(&hotspot(None));
    assert_eq!(env.disk.record(), None, "a device that was never set up has nothing to save");

    sim.advance_to(10.0);
    assert_eq!(sim.press_button(), Some(Ok(())));
    sim.press_router("home");
    sim.advance_to(12.0);
    expect_paired(&sim);
}

#[test]
fn the_status_shows_the_progress() {
    let env = Environment::settled(off(None));
    let mut sim = env.booted();
    let mut status = env.control().listen().expect("a free slot");
    let mut seen = vec![status.try_get().expect("booted")];
    sim.advance_to(10.0);
    sim.press_button();
    sim.press_router("home");
    while sim.seconds() < 12.0 {
        seen.extend(status.try_changed());
        sim.advance(0.05);
    }
    let home = || Some(ssid(b"home"));
    let phases: Vec<_> = seen.into_iter().map(|status| (status.phase, status.progress)).collect();
    let expected = [
        (Phase::Idle, SearchProgress::Looking),
        (Phase::Searching, SearchProgress::Looking),
        (Phase::Searching, SearchProgress::Pressed { ssid: home() }),
        (Phase::Searching, SearchProgress::Exchanging { ssid: home() }),
        (Phase::Joining { ssid: ssid(b"home") }, SearchProgress::Looking),
        (Phase::Idle, SearchProgress::Looking),
    ];
    assert_eq!(phases, expected);
}

#[test]
fn the_button_pressed_in_the_last_second() {
    let env = Environment::settled(station(old()));
    let mut sim = start_pairing_at_10(&env);
    sim.advance_to(128.5);
    sim.press_router("home");
    sim.advance_to(129.99);
    expect_paired(&sim);
}

#[test]
fn the_guest_network_is_offered_first_but_only_the_other_one_joins() {
    let env = Environment::settled(hotspot(None));
    env.air.set_kind(b"home", RouterKind::GuestFirst);
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(11.1);
    sim.expect(Phase::Joining { ssid: ssid(b"guest") });
    sim.advance_to(12.5); // after a delay of one second it tries the other network
    sim.expect(Phase::Joining { ssid: ssid(b"home") });
    assert_eq!(sim.status().trouble, Some(Cause::Driver(ErrorKind::NotFound)));
    sim.advance_to(14.0);
    expect_paired(&sim);
}

#[test]
fn the_router_vanishes_comes_back_and_is_pressed_again() {
    let env = Environment::settled(station(old()));
    env.air.set_kind(b"home", RouterKind::Vanishes);
    let mut sim = start_pairing_at_10(&env);
    sim.advance_to(10.5);
    assert!(!sim.status().off_air, "it searches without disconnecting");
    sim.press_router("home");
    sim.advance_to(10.9);
    assert!(sim.status().off_air, "it disconnects for the exchange");
    sim.advance_to(11.5);
    sim.expect(Phase::Searching);
    assert_eq!(sim.status().trouble, Some(Cause::Driver(ErrorKind::RouterLost)));
    sim.expect_on_air(&station(old())); // restored before the next search
    assert!(!sim.status().off_air);

    sim.advance_to(60.0);
    env.air.set_kind(b"home", RouterKind::Ordinary);
    env.air.set_power(b"home", true);
    sim.advance_to(70.0);
    sim.expect(Phase::Searching);
    sim.press_router("home");
    sim.advance_to(72.0);
    expect_paired(&sim);
}

#[test]
fn a_router_that_refused_is_fixed_within_the_window() {
    let env = Environment::settled(off(None));
    env.air.set_kind(b"home", RouterKind::Refuses);
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(11.5); // it has refused once
    env.air.set_kind(b"home", RouterKind::Ordinary);
    sim.advance_to(14.0);
    expect_paired(&sim);
}

#[test]
fn a_failed_join_succeeds_once_the_network_is_back() {
    let env = Environment::settled(off(None));
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(11.1);
    sim.expect(Phase::Joining { ssid: ssid(b"home") });
    env.air.set_power(b"home", false); // it restarts, as routers do after WPS
    sim.advance_to(40.0);
    sim.expect(Phase::Joining { ssid: ssid(b"home") });
    assert_eq!(sim.status().trouble, Some(Cause::Driver(ErrorKind::NotFound)));
    env.air.set_power(b"home", true);
    sim.advance_to(42.0);
    expect_paired(&sim);
}

#[test]
fn ten_pairings_in_a_row() {
    let env = Environment::settled(hotspot(None));
    let mut sim = env.booted();
    for round in 1..=10 {
        sim.advance_to(f64::from(round) * 200.0);
        assert_eq!(sim.press_button(), Some(Ok(())));
        let (router, network) = if round % 2 == 0 { ("old", old()) } else { ("home", home()) };
        sim.advance(5.0);
        sim.press_router(router);
        sim.advance(2.0);
        sim.expect_ended(Ok(()));
        sim.expect_settled(&station(network));
    }
    assert_eq!(env.disk.save_count(), 20, "one for the journal and one for the result, each time");
}

#[test]
fn ten_failures_in_a_row_then_success() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    for round in 1..=10 {
        sim.advance_to(f64::from(round) * 200.0);
        assert_eq!(sim.press_button(), Some(Ok(())));
        sim.advance(121.0);
        sim.expect_ended(Err(Cause::NotPressed));
        sim.expect_settled(&station(old()));
        assert!(env.air.is_linked(), "connected again");
    }
    sim.press_button();
    sim.press_router("home");
    sim.advance(2.0);
    expect_paired(&sim);
}

#[test]
fn one_press_is_one_pairing() {
    let env = Environment::settled(station(old()));
    let mut sim = start_pairing_at_10(&env);
    sim.advance_to(131.0);
    sim.expect_ended(Err(Cause::NotPressed));
    sim.press_router("home"); // too late, and no pairing was requested again
    sim.advance_to(3600.0);
    sim.expect_ended(Err(Cause::NotPressed));
    sim.expect_settled(&station(old()));
}
