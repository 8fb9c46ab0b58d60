//! What requesters are told and when: the answer before the radio leaves, second starts, changes of the
//! settings from outside, many requesters at once.

use std::time::Duration;

use wps_core::driver::SearchProgress;
use wps_core::sim::{DiskFault, Fault};
use wps_core::{Cause, ErrorKind, Phase, Record, RequestError, Snapshot, TaskKind};

use crate::common::{FRONTS, PARTING, Site, hotspot, net, off, old, ssid, station};
use crate::pairing_at_10;

#[test]
fn the_answer_is_out_before_the_radio_leaves() {
    let site = Site::settled(hotspot(None));
    let mut world = site.booted();
    world.at(10.0);
    world.press("home");
    let asked = world.ask_start(Duration::from_secs(1));
    world.settle();
    assert_eq!(world.told(asked), Some(Ok(())));
    let journal = Record::Pairing { before: hotspot(None), snapshot: Snapshot::default() };
    assert_eq!(site.disk.record(), Some(journal), "told only once it is journalled");
    world.at(10.999);
    world.expect(Phase::Searching);
    world.expect_seen(&SearchProgress::Pressed { ssid: Some(ssid(b"home")) });
    world.expect_on_air(&hotspot(None));
    world.at(11.0);
    assert!(world.status().off_air);
    world.expect_seen(&SearchProgress::Exchanging { ssid: Some(ssid(b"home")) });
    world.at(12.0);
    world.expect_ended(Ok(()));
}

#[test]
fn the_answer_is_out_before_a_failure_moves_the_radio() {
    let site = Site::settled(hotspot(None));
    let mut world = site.booted();
    world.at(10.0);
    assert_eq!(world.post(), Some(Ok(())));
    site.air.set_fault(Some(Fault::Fails(ErrorKind::NoDevice)));
    world.at(10.4); // the first look is over
    site.air.set_fault(None);
    world.at(10.499);
    world.expect(Phase::Searching);
    world.at(10.5);
    world.expect(Phase::Restoring);
    world.at(11.0);
    world.expect_ended(Err(Cause::Driver(ErrorKind::NoDevice)));
    world.expect_settled(&off(None));
}

#[test]
fn the_time_to_say_goodbye_is_part_of_the_two_minutes() {
    let site = Site::settled(hotspot(None));
    let mut world = site.booted();
    world.at(10.0);
    world.post();
    world.at(130.0);
    world.expect(Phase::Restoring);
}

#[test]
fn a_second_start_changes_nothing() {
    let site = Site::settled(station(old()));
    let mut world = pairing_at_10(&site);
    let deadline = world.status().deadline;
    world.at(70.0);
    assert_eq!(world.post(), Some(Ok(())));
    world.expect(Phase::Searching);
    assert_eq!(world.status().deadline, deadline);
    assert_eq!(site.disk.saves(), 1, "nothing is journalled anew");
    world.at(130.0);
    world.expect(Phase::Restoring);
}

#[test]
fn a_second_start_does_not_disturb_a_join() {
    let site = Site::settled(station(old()));
    let mut world = pairing_at_10(&site);
    world.press("home");
    world.at(11.4);
    world.expect(Phase::Joining { ssid: ssid(b"home") });
    assert_eq!(world.post(), Some(Ok(())));
    world.at(11.6); // when it would have been joined without that
    world.expect_ended(Ok(()));
}

#[test]
fn a_second_start_while_the_first_is_being_saved_waits_for_the_same_save() {
    let site = Site::settled(station(old()));
    let mut world = site.booted();
    world.at(10.0);
    site.disk.set_fault(Some(DiskFault::Hangs));
    let first = world.ask_start(PARTING);
    world.at(15.0);
    let second = world.ask_start(PARTING);
    world.at(19.999);
    assert_eq!((world.told(first), world.told(second)), (None, None));
    world.at(20.0); // the store had ten seconds
    let failed = Some(Err(RequestError::Failed(Cause::Store)));
    assert_eq!((world.told(first), world.told(second)), (failed, failed));
    world.expect_on_air(&station(old()));
}

#[test]
fn a_start_while_the_last_pairing_is_being_put_back_is_refused() {
    let site = Site::settled(station(old()));
    let mut world = pairing_at_10(&site);
    world.at(130.0);
    world.expect(Phase::Restoring);
    assert_eq!(world.button(), Some(Err(RequestError::Busy)));
    world.at(131.0); // "try again in a second"
    assert_eq!(world.button(), Some(Ok(())));
    world.press("home");
    world.at(133.0);
    world.expect_ended(Ok(()));
}

#[test]
fn a_start_while_the_device_boots_is_refused() {
    let site = Site::settled(station(old()));
    let mut world = site.boot();
    assert_eq!(world.button(), Some(Err(RequestError::Busy)));
    world.at(1.0);
    assert_eq!(world.button(), Some(Ok(())));
}

#[test]
fn other_settings_from_outside() {
    let network = net(b"home", b"correct horse");
    for wanted in [station(network), hotspot(Some(old())), off(None)] {
        let site = Site::settled(station(old()));
        let mut world = site.booted();
        world.at(10.0);
        assert_eq!(world.configure(wanted.clone()), Some(Ok(())));
        world.expect(Phase::Configuring);
        let (before, snapshot) = (station(old()), Snapshot::default());
        assert_eq!(site.disk.record(), Some(Record::Configuring { before, snapshot }));
        world.expect_on_air(&station(old())); // the requester still reads its answer
        world.at(12.0);
        world.expect_ended(Ok(()));
        assert_eq!(world.status().last.expect("ended").task, TaskKind::Configure);
        world.expect_settled(&wanted);
    }
}

#[test]
fn other_settings_that_do_not_work_are_rolled_back_after_30_seconds() {
    // Not by the failure rule of a pairing: an access point comes back as it was.
    for before in [station(old()), hotspot(None), off(Some(old()))] {
        let site = Site::settled(before.clone());
        let mut world = site.booted();
        world.at(10.0);
        assert_eq!(world.configure(station(net(b"home", b"battery staple"))), Some(Ok(())));
        world.at(39.999);
        world.expect(Phase::Configuring);
        world.at(41.0);
        world.expect_ended(Err(Cause::Driver(ErrorKind::WrongKey)));
        world.expect_settled(&before);
    }
}

#[test]
fn other_settings_are_refused_during_a_pairing_and_a_pairing_during_them() {
    let site = Site::settled(station(old()));
    let mut world = pairing_at_10(&site);
    world.at(50.0);
    assert_eq!(world.configure(off(None)), Some(Err(RequestError::Busy)));
    world.expect(Phase::Searching);
    world.at(131.0);
    world.expect_settled(&station(old()));

    assert_eq!(world.configure(off(None)), Some(Ok(())));
    assert_eq!(world.button(), Some(Err(RequestError::Busy)));
    assert_eq!(world.configure(hotspot(None)), Some(Err(RequestError::Busy)));
    world.at(133.0);
    world.expect_ended(Ok(()));
    world.expect_settled(&off(None));
}

#[test]
fn of_two_changes_at_once_the_first_is_made() {
    let site = Site::settled(station(old()));
    let mut world = site.booted();
    world.at(10.0);
    let first = world.ask_configure(off(None));
    let second = world.ask_configure(hotspot(None));
    world.poll_requests();
    assert_eq!(site.control().settings(), None, "they may be changing");
    world.hang_up(first); // it has been sent: what it asks for is done all the same
    world.at(13.0);
    assert_eq!(world.told(second), Some(Err(RequestError::Busy)));
    world.expect_settled(&off(None));
    assert_eq!(site.control().settings(), Some(off(None)));
}

#[test]
fn the_host_application_is_told_of_every_settled_change() {
    let site = Site::settled(hotspot(None));
    let mut world = pairing_at_10(&site);
    world.press("home");
    world.at(12.0);
    let status = world.status();
    assert_eq!(status.network, Some(ssid(b"home")));
    assert_eq!(status.mode, wps_core::Mode::Station);
    assert_eq!(status.deadline, None);
}

#[test]
fn the_link_is_told_at_rest_and_what_was_known_during_a_pairing() {
    let site = Site::settled(station(old()));
    let mut world = site.booted();
    let link = world.ask_link();
    world.settle();
    assert_eq!(world.told(link), Some(Ok(())));
    world.button();
    let link = world.ask_link();
    world.settle();
    assert_eq!(world.told(link), Some(Ok(())));
}

/// Whoever asked what the radio does must not wait for the pairing that came in between.
#[test]
fn a_start_while_the_link_is_being_looked_at() {
    let site = Site::settled(station(old()));
    let mut world = site.booted();
    site.air.set_fault(Some(Fault::Mute));
    let link = world.ask_link();
    world.at(2.0);
    site.air.set_fault(None);
    assert_eq!(world.button(), Some(Ok(())));
    world.at(10.0);
    world.expect(Phase::Searching);
    assert_eq!(world.told(link), Some(Ok(())), "still waiting");
}

/// However often the web page asks: each look at the link ends.
#[test]
fn asking_for_the_link_again_does_not_begin_anew() {
    let site = Site::settled(station(old()));
    let mut world = site.booted();
    world.at(10.0);
    site.air.set_fault(Some(Fault::Mute));
    let first = world.ask_link();
    for second in 11..20 {
        world.at(f64::from(second));
        world.ask_link();
    }
    assert_eq!(world.told(first), Some(Ok(())), "still waiting, though a look takes two seconds");
}

#[test]
fn as_many_requesters_as_there_are_seats_are_all_told() {
    let site = Site::settled(station(old()));
    let mut world = site.booted();
    world.at(10.0);
    site.disk.set_fault(Some(DiskFault::Hangs));
    let all: Vec<_> = (0..FRONTS).map(|_| world.ask_start(PARTING)).collect();
    world.at(19.0);
    assert!(all.iter().all(|asked| world.told(*asked).is_none()));
    world.at(60.0);
    let refused = Some(Err(RequestError::Failed(Cause::Store)));
    let told: Vec<_> = all.into_iter().map(|asked| world.told(asked)).collect();
    assert_eq!(told, [refused; FRONTS], "None still waits");

    site.disk.set_fault(None);
    world.at(100.0);
    let all: Vec<_> = (0..FRONTS).map(|_| world.ask_start(PARTING)).collect();
    world.settle();
    let told: Vec<_> = all.into_iter().map(|asked| world.told(asked)).collect();
    assert_eq!(told, [Some(Ok(())); FRONTS]);
}

/// Web clients come and go. Whoever stays is told, however many went.
#[test]
fn requesters_that_hang_up_do_not_keep_others_from_being_told() {
    let site = Site::settled(station(old()));
    let mut world = site.booted();
    world.at(10.0);
    site.disk.set_fault(Some(DiskFault::Hangs));
    let first = world.ask_start(PARTING);
    world.at(11.0);
    let cancel = world.ask_cancel();
    for _ in 0..7 {
        let gone = world.ask_start(PARTING);
        world.poll_requests();
        world.hang_up(gone);
    }
    world.at(60.0);
    assert!(world.told(cancel).is_some(), "the one that cancelled still waits");
    assert!(world.told(first).is_some(), "the first one still waits");
}

/// A no means that the radio is not touched. So nobody may be told no in a crowd whose pairing runs.
#[test]
fn in_a_crowd_that_hangs_up_who_stays_is_told_the_truth() {
    let site = Site::settled(station(old()));
    let mut world = site.boot_slow();
    world.at(10.0);
    let stays = world.ask_start(PARTING);
    world.settle();
    for _ in 1..FRONTS {
        let gone = world.ask_start(PARTING);
        world.settle();
        world.hang_up(gone);
    }
    world.at(10.999);
    for _ in 0..8 {
        let gone = world.ask_start(PARTING);
        world.poll_requests();
        world.hang_up(gone);
    }
    world.site.clock.advance_to_next(); // the journal is saved
    world.settle();
    assert_eq!(world.status().phase, Phase::Searching);
    assert_eq!(world.told(stays), Some(Ok(())), "though its pairing runs");
}

/// A button needs no time, but the web page that asks for the same pairing does.
#[test]
fn who_joins_a_start_that_is_being_journalled_has_time_for_its_answer() {
    let site = Site::settled(station(old()));
    let mut world = site.boot_slow();
    world.at(10.0);
    let button = world.ask_start(Duration::ZERO);
    world.settle();
    world.press("home");
    let page = world.ask_start(Duration::from_secs(1));
    world.at(11.0); // the journal is saved
    assert_eq!((world.told(button), world.told(page)), (Some(Ok(())), Some(Ok(()))));
    world.at(11.999);
    assert!(!world.status().off_air, "the radio waits for the page's answer");
    world.at(12.0);
    assert!(world.status().off_air);
}

#[test]
fn a_cancel_without_a_free_seat_is_not_lost() {
    let site = Site::settled(station(old()));
    let mut world = site.boot_slow();
    world.at(10.0);
    for _ in 0..FRONTS {
        world.ask_start(PARTING); // all wait for the journal
        world.settle();
    }
    let cancel = world.ask_cancel();
    world.settle();
    assert_eq!(world.told(cancel), Some(Ok(())));
    assert!(world.status().last.is_some_and(|last| last.result == Err(Cause::Cancelled)));
}
