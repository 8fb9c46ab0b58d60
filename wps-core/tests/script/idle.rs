//! What the device notices while it is idle: a network that no longer accepts its key.

use wps_core::{Cause, Phase, RequestError};
use wps_testkit::{home, network, off, old, station};

use crate::common::Environment;

#[test]
fn a_changed_password_is_shown_while_idle_until_it_is_changed_back() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    assert_eq!(sim.status().trouble, None);
    env.air.set_key(b"old", b"a new password");
    sim.advance_to(10.0);
    sim.expect(Phase::Idle);
    assert_eq!(sim.status().trouble, Some(Cause::KeyRefused));
    assert!(Cause::KeyRefused.advice().contains("Pair again"));
    sim.expect_settled(&station(old()));

    env.air.set_key(b"old", b"old password");
    sim.advance_to(20.0);
    assert_eq!(sim.status().trouble, None);
}

#[test]
fn pairing_again_ends_it() {
    let env = Environment::settled(station(home()));
    let mut sim = env.booted();
    env.air.set_key(b"home", b"a new password");
    sim.advance_to(10.0);
    assert_eq!(sim.status().trouble, Some(Cause::KeyRefused));
    sim.press_button();
    sim.press_router("home");
    sim.advance_to(15.0);
    sim.expect_ended(Ok(()));
    assert_eq!(sim.status().trouble, None);
    sim.expect_settled(&station(network(b"home", b"a new password")));
}

#[test]
fn a_failed_pairing_finds_it_again() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    env.air.set_key(b"old", b"a new password");
    sim.advance_to(10.0);
    sim.press_button();
    sim.advance_to(12.0);
    assert_eq!(sim.status().trouble, None, "a pairing is running");
    sim.cancel();
    sim.advance_to(15.0);
    sim.expect_ended(Err(Cause::Cancelled));
    assert_eq!(sim.status().trouble, Some(Cause::KeyRefused));
}

#[test]
fn a_start_that_is_refused_does_not_hide_it() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    env.air.set_key(b"old", b"a new password");
    sim.advance_to(10.0);
    env.disk.set_fault(Some(wps_core::sim::DiskFault::Full));
    assert_eq!(sim.press_button(), Some(Err(RequestError::Failed(Cause::Store))));
    env.disk.set_fault(None);
    sim.advance_to(20.0);
    sim.expect_ended(Err(Cause::Store));
    assert_eq!(sim.status().trouble, Some(Cause::KeyRefused));
}

#[test]
fn a_device_that_is_off_does_not_look_for_it() {
    let env = Environment::settled(off(Some(old())));
    let mut sim = env.booted();
    env.air.set_key(b"old", b"a new password");
    sim.advance_to(10.0);
    assert_eq!(sim.status().trouble, None);
}

#[test]
fn a_lost_configuration_does_not_hide_it() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    env.air.set_key(b"old", b"a new password");
    sim.advance_to(10.0);
    env.air.restart_platform(None);
    sim.advance_to(11.0);
    sim.expect(Phase::Idle);
    assert_eq!(sim.status().trouble, Some(Cause::KeyRefused));
    env.air.set_key(b"old", b"old password");
    sim.advance_to(20.0);
    assert_eq!(sim.status().trouble, None);
}
