//! Pairings that are limited to one access point. The routers in the air have the numbers 0 and 1.

use wps_core::sim::RouterKind;
use wps_core::{Cause, ErrorKind, Record, RequestError, Status};
use wps_testkit::{home, old, station};

use crate::common::Environment;

const HOME: u8 = 0;
const OLD: u8 = 1;

#[test]
fn it_pairs_with_the_chosen_router_although_another_one_is_pressed() {
    for (chosen, network) in [(HOME, home()), (OLD, old())] {
        let env = Environment::settled(station(old()));
        let mut sim = env.booted();
        sim.press_router("home");
        sim.press_router("old");
        let id = sim.request_start_with(chosen);
        sim.run_until_stalled();
        assert_eq!(sim.reply(id), Some(Ok(())));
        sim.advance_to(5.0);
        sim.expect_ended(Ok(()));
        sim.expect_settled(&station(network));
    }
}

#[test]
fn its_button_must_be_pressed_too() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    sim.press_router("home");
    let id = sim.request_start_with(OLD);
    sim.advance_to(2.0);
    assert_eq!(sim.reply(id), Some(Ok(())));
    sim.advance_to(122.0);
    sim.expect_ended(Err(Cause::NotPressed));
    sim.expect_settled(&station(old()));
}

#[test]
fn a_second_start_with_another_one_changes_nothing() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    sim.request_start_with(HOME);
    sim.advance_to(2.0);
    let second = sim.request_start_with(OLD);
    sim.run_until_stalled();
    assert_eq!(sim.reply(second), Some(Ok(())));
    sim.press_router("old");
    sim.advance_to(20.0);
    sim.press_router("home");
    sim.advance_to(25.0);
    sim.expect_ended(Ok(()));
    sim.expect_settled(&station(home()));
}

#[test]
fn the_choice_is_not_in_the_journal_and_ends_with_the_pairing() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    sim.request_start_with(HOME);
    sim.advance_to(2.0);
    let journal = env.disk.record().expect("a journal");
    let before = station(old());
    assert!(matches!(&journal, Record::Pairing { before: it, .. } if *it == before), "{journal:?}");
    sim.cancel();
    sim.advance_to(5.0);
    sim.press_button();
    sim.press_router("old");
    sim.advance_to(10.0);
    sim.expect_ended(Ok(()));
}

#[test]
fn two_failures_of_the_chosen_router_end_as_those_of_any_router() {
    let env = Environment::settled(station(old()));
    env.air.set_kind(b"home", RouterKind::Refuses);
    let mut sim = env.booted();
    sim.press_router("home");
    sim.request_start_with(HOME);
    sim.advance_to(10.0);
    sim.expect_ended(Err(Cause::Driver(ErrorKind::Refused)));
}

/// A mesh, for example, in which each radio has a UUID of its own: waiting does not help.
#[test]
fn after_an_overlap_the_status_lists_the_access_points_and_one_can_be_chosen() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    let listed = |status: Status| {
        let pressed = status.pressed.as_slice().iter();
        pressed.map(|it| it.ssid.as_ref().expect("a name").to_string()).collect::<Vec<_>>()
    };
    sim.press_button();
    assert_eq!(listed(sim.status()), Vec::<String>::new());
    sim.press_router("home");
    sim.press_router("old");
    sim.advance_to(5.0);
    sim.expect_ended(Err(Cause::Driver(ErrorKind::Overlap)));
    assert_eq!(listed(sim.status()), ["home", "old"]);
    // Not only for a moment: settings that are applied again keep the list.
    env.air.restart_platform(None);
    sim.advance_to(10.0);
    assert_eq!(listed(sim.status()), ["home", "old"]);

    // A choice that fails leaves the others.
    env.air.set_kind(b"home", RouterKind::Insecure);
    sim.request_start_with(HOME);
    sim.run_until_stalled();
    assert_eq!(listed(sim.status()), ["home", "old"]);
    sim.advance_to(15.0);
    sim.expect_ended(Err(Cause::Driver(ErrorKind::Insecure)));
    assert_eq!(listed(sim.status()), ["home", "old"]);
    env.air.set_kind(b"home", RouterKind::Ordinary);
    env.air.press_button(b"home");

    let id = sim.request_start_with(HOME);
    sim.run_until_stalled();
    assert_eq!(sim.reply(id), Some(Ok(())));
    sim.advance_to(25.0);
    sim.expect_ended(Ok(()));
    sim.expect_settled(&station(home()));
    assert_eq!(listed(sim.status()), Vec::<String>::new(), "after a success");
}

#[test]
fn the_list_is_of_the_latest_pairing() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    sim.press_router("home");
    sim.press_router("old");
    sim.press_button();
    sim.advance_to(5.0);
    sim.expect_ended(Err(Cause::Driver(ErrorKind::Overlap)));
    for router in [b"home".as_slice(), b"old"] {
        env.air.stop_pairing(router);
    }
    sim.press_button();
    sim.advance_to(8.0);
    assert!(sim.status().pressed.as_slice().is_empty());
    sim.cancel();
    sim.advance_to(10.0);
    assert!(sim.status().pressed.as_slice().is_empty());
}

#[test]
fn without_a_choice_the_advice_is_to_set_it_up_by_hand() {
    let env = Environment::settled(station(old()));
    env.forbid_one_access_point();
    let mut sim = env.booted();
    sim.press_button();
    sim.press_router("home");
    sim.press_router("old");
    sim.advance_to(5.0);
    let cause = Cause::Driver(ErrorKind::OverlapWithoutChoice);
    sim.expect_ended(Err(cause));
    assert_eq!((cause.name(), cause.detail()), ("overlap", Some("without_choice")));
    assert!(cause.advice().contains("by hand"));
    assert!(sim.status().pressed.as_slice().is_empty(), "nothing to choose");
}

#[test]
fn a_radio_that_cannot_do_it_refuses_the_start() {
    let env = Environment::settled(station(old()));
    env.forbid_one_access_point();
    let mut sim = env.booted();
    let id = sim.request_start_with(HOME);
    sim.run_until_stalled();
    let unsupported = Cause::Driver(ErrorKind::Unsupported);
    assert_eq!(sim.reply(id), Some(Err(RequestError::Failed(unsupported))));
    assert_eq!(env.disk.save_count(), 0, "no journal was written");
    assert!(unsupported.advice().contains("by hand"));
    assert_eq!(sim.press_button(), Some(Ok(())), "without a choice it can pair");
}
