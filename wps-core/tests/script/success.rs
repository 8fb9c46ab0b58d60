//! Successful pairings: station mode, connected, saved. From every mode, and after setbacks.

use wps_core::driver::SearchProgress;
use wps_core::sim::RouterKind;
use wps_core::{Cause, ErrorKind, Phase};

use crate::common::{Site, World, home, hotspot, off, old, ssid, station};
use crate::{all_modes, pairing_at_10};

fn expect_paired(world: &World<'_>) {
    world.expect_ended(Ok(()));
    world.expect_settled(&station(home()));
    assert!(world.site.air.is_linked());
}

#[test]
fn from_every_mode_and_it_survives_a_restart() {
    for (before, _) in all_modes() {
        let site = Site::settled(before.clone());
        let mut world = pairing_at_10(&site);
        world.at(39.0);
        world.expect(Phase::Searching);
        world.expect_seen(&SearchProgress::NotPressed);
        world.expect_on_air(&before); // stays on the air until the router's button is pressed

        world.at(40.0);
        world.press("home");
        world.at(42.0);
        expect_paired(&world);

        world.cut_power();
        let mut world = site.boot();
        world.at(43.0);
        world.expect(Phase::Idle);
        world.expect_settled(&station(home()));
        assert!(site.air.is_linked());
    }
}

#[test]
fn of_a_new_device() {
    let site = Site::never_set_up(hotspot(None));
    let mut world = site.booted();
    world.expect_on_air(&hotspot(None));
    assert_eq!(site.disk.record(), None, "a device that was never set up has nothing to save");

    world.at(10.0);
    assert_eq!(world.button(), Some(Ok(())));
    world.press("home");
    world.at(12.0);
    expect_paired(&world);
}

#[test]
fn people_see_how_it_goes() {
    let site = Site::settled(off(None));
    let mut world = site.booted();
    let mut status = site.control().listen().expect("a seat");
    let mut seen = vec![status.try_get().expect("booted")];
    world.at(10.0);
    world.button();
    world.press("home");
    while world.seconds() < 12.0 {
        seen.extend(status.try_changed());
        world.pass(0.05);
    }
    let home = || Some(ssid(b"home"));
    let phases: Vec<_> = seen.into_iter().map(|status| (status.phase, status.seen)).collect();
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
    let site = Site::settled(station(old()));
    let mut world = pairing_at_10(&site);
    world.at(128.5);
    world.press("home");
    world.at(129.99);
    expect_paired(&world);
}

#[test]
fn the_guest_network_is_offered_first_but_only_the_other_one_joins() {
    let site = Site::settled(hotspot(None));
    site.air.set_kind(b"home", RouterKind::GuestFirst);
    let mut world = pairing_at_10(&site);
    world.press("home");
    world.at(11.1);
    world.expect(Phase::Joining { ssid: ssid(b"guest") });
    world.at(12.5); // a second's pause, and it is the other one's turn
    world.expect(Phase::Joining { ssid: ssid(b"home") });
    assert_eq!(world.status().trouble, Some(Cause::Driver(ErrorKind::NotFound)));
    world.at(14.0);
    expect_paired(&world);
}

#[test]
fn the_router_vanishes_comes_back_and_is_pressed_again() {
    let site = Site::settled(station(old()));
    site.air.set_kind(b"home", RouterKind::Vanishes);
    let mut world = pairing_at_10(&site);
    world.at(10.5);
    assert!(!world.status().off_air, "looking needs no leaving");
    world.press("home");
    world.at(10.9);
    assert!(world.status().off_air, "the exchange does");
    world.at(11.5);
    world.expect(Phase::Searching);
    assert_eq!(world.status().trouble, Some(Cause::Driver(ErrorKind::RouterLost)));
    world.expect_on_air(&station(old())); // put back, to look again from there
    assert!(!world.status().off_air);

    world.at(60.0);
    site.air.set_kind(b"home", RouterKind::Ordinary);
    site.air.power(b"home", true);
    world.at(70.0);
    world.expect(Phase::Searching);
    world.press("home");
    world.at(72.0);
    expect_paired(&world);
}

#[test]
fn a_router_that_refused_is_set_right_within_the_window() {
    let site = Site::settled(off(None));
    site.air.set_kind(b"home", RouterKind::Refuses);
    let mut world = pairing_at_10(&site);
    world.press("home");
    world.at(60.0);
    site.air.set_kind(b"home", RouterKind::Ordinary);
    world.at(63.0);
    expect_paired(&world);
}

#[test]
fn an_earlier_join_that_failed_succeeds_once_the_network_is_back() {
    let site = Site::settled(off(None));
    let mut world = pairing_at_10(&site);
    world.press("home");
    world.at(11.1);
    world.expect(Phase::Joining { ssid: ssid(b"home") });
    site.air.power(b"home", false); // it restarts, as routers do after WPS
    world.at(40.0);
    world.expect(Phase::Joining { ssid: ssid(b"home") });
    assert_eq!(world.status().trouble, Some(Cause::Driver(ErrorKind::NotFound)));
    site.air.power(b"home", true);
    world.at(42.0);
    expect_paired(&world);
}

#[test]
fn ten_pairings_in_a_row() {
    let site = Site::settled(hotspot(None));
    let mut world = site.booted();
    for round in 1..=10 {
        world.at(f64::from(round) * 200.0);
        assert_eq!(world.button(), Some(Ok(())));
        let (router, network) = if round % 2 == 0 { ("old", old()) } else { ("home", home()) };
        world.pass(5.0);
        world.press(router);
        world.pass(2.0);
        world.expect_ended(Ok(()));
        world.expect_settled(&station(network));
    }
    assert_eq!(site.disk.saves(), 20, "one to open and one to commit, each time");
}

#[test]
fn ten_failures_in_a_row_then_success() {
    let site = Site::settled(station(old()));
    let mut world = site.booted();
    for round in 1..=10 {
        world.at(f64::from(round) * 200.0);
        assert_eq!(world.button(), Some(Ok(())));
        world.pass(121.0);
        world.expect_ended(Err(Cause::TimedOut));
        world.expect_settled(&station(old()));
        assert!(site.air.is_linked(), "connected again");
    }
    world.button();
    world.press("home");
    world.pass(2.0);
    expect_paired(&world);
}

#[test]
fn one_press_is_one_pairing() {
    let site = Site::settled(station(old()));
    let mut world = pairing_at_10(&site);
    world.at(131.0);
    world.expect_ended(Err(Cause::TimedOut));
    world.press("home"); // too late, and nobody asked again
    world.at(3600.0);
    world.expect_ended(Err(Cause::TimedOut));
    world.expect_settled(&station(old()));
}
