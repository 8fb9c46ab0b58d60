//! The causes of failed pairings: what the radio has seen decides what the user is told, and a
//! failure that would only repeat itself ends the pairing.

use std::collections::HashSet;

use wps_core::driver::SearchProgress;
use wps_core::sim::{RadioFault, Router, RouterKind, samples};
use wps_core::{Cause, ErrorKind, Phase};
use wps_testkit::{network, off, old, ssid, station};

use crate::common::Environment;
use crate::{second, start_pairing_at_10};

#[test]
fn no_router_in_range() {
    let env = Environment::settled(off(None));
    env.air.remove_router(b"home");
    env.air.remove_router(b"old");
    let mut sim = start_pairing_at_10(&env);
    sim.advance_to(131.0);
    sim.expect_ended(Err(Cause::NoRouter));
}

#[test]
fn routers_without_wps_only() {
    let env = Environment::settled(off(None));
    env.air.set_kind(b"home", RouterKind::WithoutWps);
    env.air.set_kind(b"old", RouterKind::WithoutWps);
    let mut sim = start_pairing_at_10(&env);
    sim.advance_to(131.0);
    sim.expect_ended(Err(Cause::NoWps));
}

#[test]
fn a_router_that_was_in_range_at_any_time_was_not_pressed() {
    let env = Environment::settled(off(None));
    env.air.remove_router(b"old");
    let mut sim = start_pairing_at_10(&env);
    sim.advance_to(20.0);
    env.air.set_power(b"home", false);
    sim.advance_to(131.0);
    sim.expect_ended(Err(Cause::NotPressed));

    // The next pairing has not seen it.
    sim.advance_to(140.0);
    sim.press_button();
    sim.advance_to(261.0);
    sim.expect_ended(Err(Cause::NoRouter));
}

#[test]
fn each_progress_has_its_cause_and_its_advice() {
    let causes: Vec<Cause> = samples::search_progress().iter().map(Cause::from).collect();
    let expected = [
        Cause::TimedOut, // the radio has reported nothing
        Cause::CannotScan,
        Cause::NoRouter,
        Cause::NoWps,
        Cause::NotPressed,
        Cause::NotPressed, // and one of the routers was never set up
        Cause::PressedLate,
        Cause::ExchangeTimedOut,
    ];
    assert_eq!(causes, expected);
    let advice: HashSet<_> = causes.iter().map(|cause| cause.advice()).collect();
    assert_eq!(advice.len(), expected.len() - 1);
    assert!(causes.iter().all(|cause| cause.name() == "timed_out"));
}

#[test]
fn the_error_of_the_last_try_goes_before_what_was_seen() {
    let env = Environment::settled(off(None));
    env.air.set_kind(b"home", RouterKind::Vanishes);
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(131.0);
    sim.expect_ended(Err(Cause::Driver(ErrorKind::RouterLost)));
}

#[test]
fn a_key_that_is_refused_twice_ends_the_pairing_and_names_its_cause() {
    let env = Environment::settled(station(old()));
    env.air.set_kind(b"home", RouterKind::WrongKey);
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(19.0);
    sim.expect_ended(Err(Cause::Driver(ErrorKind::WrongKey)));
    assert!(sim.status().last.expect("ended").at < second(19));
    sim.expect_settled(&station(old()));
}

#[test]
fn a_router_that_switches_to_its_new_key_during_the_pause_is_joined() {
    let env = Environment::settled(station(old()));
    env.air.set_kind(b"home", RouterKind::WrongKey);
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(13.0);
    sim.expect(Phase::Joining { ssid: ssid(b"home") });
    env.air.set_key(b"home", b"not the right key");
    sim.advance_to(18.0);
    sim.expect_ended(Ok(()));
    sim.expect_settled(&station(network(b"home", b"not the right key")));
}

#[test]
fn after_a_refused_key_the_next_network_is_joined() {
    let env = Environment::settled(station(old()));
    env.air.set_kind(b"home", RouterKind::GuestFirst);
    env.air.add_router(Router::new(b"guest", b"it has a key"));
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(30.0);
    sim.expect_ended(Ok(()));
    sim.expect_settled(&station(network(b"home", b"correct horse")));
}

#[test]
fn when_every_network_refuses_its_key_the_pairing_ends() {
    let env = Environment::settled(station(old()));
    env.air.set_kind(b"home", RouterKind::GuestFirst);
    env.air.add_router(Router::new(b"guest", b"it has a key"));
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(11.8);
    env.air.set_key(b"home", b"another key");
    sim.advance_to(40.0);
    sim.expect_ended(Err(Cause::Driver(ErrorKind::WrongKey)));
    sim.expect_settled(&station(old()));
}

#[test]
fn a_press_that_was_heard_is_not_reported_as_none() {
    let env = Environment::settled(off(None));
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(10.1); // the first step hears it, and the second one never ends
    env.air.set_fault(Some(RadioFault::Unresponsive));
    sim.advance_to(20.0);
    sim.expect_progress(&SearchProgress::Pressed { ssid: Some(ssid(b"home")) });
    sim.advance_to(129.9);
    env.air.set_fault(None);
    sim.advance_to(131.0);
    sim.expect_ended(Err(Cause::PressedLate));
}

#[test]
fn a_network_that_refuses_the_device_twice_ends_the_pairing() {
    for (kind, cause) in [
        (ErrorKind::Refused, Cause::JoinRefused),
        (ErrorKind::WithoutWpa2, Cause::Driver(ErrorKind::WithoutWpa2)),
    ] {
        let env = Environment::settled(station(old()));
        let mut sim = start_pairing_at_10(&env);
        sim.press_router("home");
        sim.advance_to(10.9);
        env.air.set_fault(Some(RadioFault::Fails(kind)));
        sim.advance_to(12.0);
        sim.expect(Phase::Joining { ssid: ssid(b"home") });
        sim.advance_to(16.5); // the second join has failed, and so does what follows it
        env.air.set_fault(None);
        sim.advance_to(20.0);
        sim.expect_ended(Err(cause));
        sim.expect_settled(&station(old()));
    }
}

#[test]
fn a_join_that_never_ends_is_not_blamed_on_an_earlier_exchange() {
    let env = Environment::settled(off(None));
    env.air.set_kind(b"home", RouterKind::Vanishes);
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(20.0);
    assert_eq!(sim.status().trouble, Some(Cause::Driver(ErrorKind::RouterLost)));
    env.air.set_kind(b"home", RouterKind::Ordinary);
    env.air.set_power(b"home", true);
    sim.advance_to(129.2);
    sim.press_router("home");
    sim.advance_to(129.99);
    sim.expect(Phase::Joining { ssid: ssid(b"home") });
    assert_eq!(sim.status().trouble, None);
    sim.advance_to(131.0);
    sim.expect_ended(Err(Cause::NotJoined));
}
