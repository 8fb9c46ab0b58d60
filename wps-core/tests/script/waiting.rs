//! Requests that arrive while settings are being restored: they wait for up to five seconds.

use std::time::Duration;

use wps_core::sim::{DiskFault, RadioFault};
use wps_core::{Cause, ErrorKind, Phase, RequestError};
use wps_testkit::{home, hotspot, off, old, station};

use crate::common::{Environment, REPLY_GRACE_DELAY};
use crate::start_pairing_at_10;

#[test]
fn a_start_while_the_device_boots_waits() {
    let env = Environment::settled(station(old()));
    let mut sim = env.boot();
    let id = sim.request_start(REPLY_GRACE_DELAY);
    sim.run_until_stalled();
    assert_eq!(sim.reply(id), None);
    sim.press_router("home");
    sim.advance_to(0.1); // the settings are restored
    assert_eq!(sim.reply(id), Some(Ok(())));
    sim.advance_to(5.0);
    sim.expect_ended(Ok(()));
    sim.expect_settled(&station(home()));
}

#[test]
fn a_change_of_settings_while_the_device_boots_waits() {
    let env = Environment::settled(station(old()));
    let mut sim = env.boot();
    let id = sim.request_configure(hotspot(None));
    sim.run_until_stalled();
    assert_eq!(sim.reply(id), None);
    sim.advance_to(2.0);
    assert_eq!(sim.reply(id), Some(Ok(())));
    sim.expect_settled(&hotspot(None));
}

#[test]
fn a_start_after_a_failed_pairing_waits_until_the_journal_is_closed() {
    let env = Environment::settled(station(old()));
    let mut sim = start_pairing_at_10(&env);
    sim.advance_to(130.0);
    sim.expect(Phase::Restoring);
    let id = sim.request_start(Duration::ZERO);
    sim.advance_to(131.0);
    assert_eq!(sim.reply(id), Some(Ok(())));
    sim.press_router("home");
    sim.advance_to(133.0);
    sim.expect_ended(Ok(()));
}

#[test]
fn it_is_refused_after_five_seconds_and_the_restoring_goes_on() {
    let env = Environment::settled(station(old()));
    env.air.set_fault(Some(RadioFault::Unresponsive));
    let mut sim = env.boot();
    sim.advance_to(1.0);
    let id = sim.request_start(Duration::ZERO);
    sim.advance_to(5.999);
    assert_eq!(sim.reply(id), None);
    sim.advance_to(6.0);
    assert_eq!(sim.reply(id), Some(Err(RequestError::Busy)));
    sim.expect(Phase::Restoring);
    sim.advance_to(14.999);
    assert_eq!(sim.status().trouble, None, "the first try still has its fifteen seconds");
    sim.advance_to(15.0);
    assert_eq!(sim.status().trouble, Some(Cause::Driver(ErrorKind::NoResponse)));
}

#[test]
fn it_starts_when_the_first_try_to_restore_fails() {
    let env = Environment::settled(hotspot(None));
    env.air.set_fault(Some(RadioFault::RejectsMode(wps_core::Mode::AccessPoint)));
    let mut sim = env.boot();
    let id = sim.request_start(Duration::ZERO);
    sim.press_router("home");
    sim.advance_to(5.0);
    assert_eq!(sim.reply(id), Some(Ok(())));
    sim.expect_ended(Ok(()));
    sim.expect_settled(&station(home()));
}

#[test]
fn it_is_refused_with_the_reason_if_the_journal_cannot_be_closed() {
    let env = Environment::settled(station(old()));
    let mut sim = start_pairing_at_10(&env);
    env.disk.set_fault(Some(DiskFault::Full));
    sim.advance_to(130.0);
    let id = sim.request_start(Duration::ZERO);
    sim.advance_to(131.0);
    assert_eq!(sim.reply(id), Some(Err(RequestError::Failed(Cause::Store))));
}

#[test]
fn a_second_start_waits_with_the_first_and_a_different_request_is_refused() {
    let env = Environment::settled(station(old()));
    let mut sim = env.boot();
    let first = sim.request_start(Duration::ZERO);
    let second = sim.request_start(REPLY_GRACE_DELAY);
    let configure = sim.request_configure(off(None));
    sim.run_until_stalled();
    assert_eq!(sim.reply(configure), Some(Err(RequestError::Busy)));
    sim.press_router("home");
    sim.advance_to(0.1);
    assert_eq!((sim.reply(first), sim.reply(second)), (Some(Ok(())), Some(Ok(()))));
    sim.advance_to(0.599);
    assert!(!sim.status().off_air, "the second one needs its reply grace");
}

#[test]
fn a_start_is_refused_while_a_change_of_settings_waits() {
    let env = Environment::settled(station(old()));
    let mut sim = env.boot();
    let configure = sim.request_configure(off(None));
    let start = sim.request_start(Duration::ZERO);
    sim.run_until_stalled();
    assert_eq!(sim.reply(start), Some(Err(RequestError::Busy)));
    sim.advance_to(2.0);
    assert_eq!(sim.reply(configure), Some(Ok(())));
    sim.expect_settled(&off(None));
}

#[test]
fn cancelling_withdraws_a_request_that_waits() {
    let env = Environment::settled(station(old()));
    let mut sim = env.boot();
    let start = sim.request_start(Duration::ZERO);
    sim.run_until_stalled();
    sim.cancel();
    assert_eq!(sim.reply(start), Some(Err(RequestError::Failed(Cause::Cancelled))));
    sim.advance_to(10.0);
    sim.expect(Phase::Idle);
    assert_eq!(sim.status().last, None);
    assert_eq!(env.disk.save_count(), 0);
}

#[test]
fn a_requester_that_left_does_not_withdraw_its_request() {
    let env = Environment::settled(station(old()));
    let mut sim = env.boot();
    let start = sim.request_start(Duration::ZERO);
    sim.run_until_stalled();
    sim.drop_request(start);
    sim.press_router("home");
    sim.advance_to(5.0);
    sim.expect_ended(Ok(()));
}
