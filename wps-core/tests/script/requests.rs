//! The replies to requests and their timing: the reply before the radio disconnects, second starts,
//! changes of settings, and many requests at the same time.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use embassy_futures::poll_once;
use wps_core::driver::SearchProgress;
use wps_core::sim::{DiskFault, RadioFault};
use wps_core::{Cause, Control, ErrorKind, Phase, Record, RequestError, Snapshot, TaskKind};
use wps_testkit::{hotspot, network, off, old, ssid, station};

use crate::common::{Environment, REPLY_GRACE_DELAY, Raw, SLOTS};
use crate::start_pairing_at_10;

#[test]
fn the_reply_is_sent_before_the_radio_disconnects() {
    let env = Environment::settled(hotspot(None));
    let mut sim = env.booted();
    sim.advance_to(10.0);
    sim.press_router("home");
    let id = sim.request_start(Duration::from_secs(1));
    sim.run_until_stalled();
    assert_eq!(sim.reply(id), Some(Ok(())));
    let journal = Record::Pairing { before: hotspot(None), snapshot: Snapshot::default() };
    assert_eq!(
        env.disk.record(),
        Some(journal),
        "the reply comes only after the journal is written"
    );
    sim.advance_to(10.999);
    sim.expect(Phase::Searching);
    sim.expect_progress(&SearchProgress::Pressed { ssid: Some(ssid(b"home")) });
    sim.expect_on_air(&hotspot(None));
    sim.advance_to(11.0);
    assert!(sim.status().off_air);
    sim.expect_progress(&SearchProgress::Exchanging { ssid: Some(ssid(b"home")) });
    sim.advance_to(12.0);
    sim.expect_ended(Ok(()));
}

#[test]
fn the_reply_is_sent_before_a_failure_touches_the_radio() {
    let env = Environment::settled(hotspot(None));
    let mut sim = env.booted();
    sim.advance_to(10.0);
    assert_eq!(sim.start_over_wifi(), Some(Ok(())));
    env.air.set_fault(Some(RadioFault::Fails(ErrorKind::NoDevice)));
    sim.advance_to(10.4); // the first scan step is over
    env.air.set_fault(None);
    sim.advance_to(10.499);
    sim.expect(Phase::Searching);
    sim.advance_to(10.5);
    sim.expect(Phase::Restoring);
    sim.advance_to(11.0);
    sim.expect_ended(Err(Cause::Driver(ErrorKind::NoDevice)));
    sim.expect_settled(&off(None));
}

#[test]
fn the_reply_grace_is_part_of_the_two_minutes() {
    let env = Environment::settled(hotspot(None));
    let mut sim = env.booted();
    sim.advance_to(10.0);
    sim.start_over_wifi();
    sim.advance_to(130.0);
    sim.expect(Phase::Restoring);
}

#[test]
fn a_second_start_changes_nothing() {
    let env = Environment::settled(station(old()));
    let mut sim = start_pairing_at_10(&env);
    let deadline = sim.status().deadline;
    sim.advance_to(70.0);
    assert_eq!(sim.start_over_wifi(), Some(Ok(())));
    sim.expect(Phase::Searching);
    assert_eq!(sim.status().deadline, deadline);
    assert_eq!(env.disk.save_count(), 1, "no second journal is written");
    sim.advance_to(130.0);
    sim.expect(Phase::Restoring);
}

#[test]
fn a_second_start_does_not_disturb_a_join() {
    let env = Environment::settled(station(old()));
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(11.4);
    sim.expect(Phase::Joining { ssid: ssid(b"home") });
    assert_eq!(sim.start_over_wifi(), Some(Ok(())));
    sim.advance_to(11.6); // when the join ends without the second start
    sim.expect_ended(Ok(()));
}

#[test]
fn a_second_start_while_the_first_is_being_journaled_waits_for_the_same_save() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    sim.advance_to(10.0);
    env.disk.set_fault(Some(DiskFault::Hangs));
    let first = sim.request_start(REPLY_GRACE_DELAY);
    sim.advance_to(15.0);
    let second = sim.request_start(REPLY_GRACE_DELAY);
    sim.advance_to(19.999);
    assert_eq!((sim.reply(first), sim.reply(second)), (None, None));
    sim.advance_to(20.0); // the save times out after ten seconds
    let failed = Some(Err(RequestError::Failed(Cause::Store)));
    assert_eq!((sim.reply(first), sim.reply(second)), (failed, failed));
    sim.expect_on_air(&station(old()));
}

#[test]
fn a_change_of_settings() {
    let network = network(b"home", b"correct horse");
    for wanted in [station(network), hotspot(Some(old())), off(None)] {
        let env = Environment::settled(station(old()));
        let mut sim = env.booted();
        sim.advance_to(10.0);
        assert_eq!(sim.configure(wanted.clone()), Some(Ok(())));
        sim.expect(Phase::Configuring);
        let (before, snapshot) = (station(old()), Snapshot::default());
        assert_eq!(env.disk.record(), Some(Record::Configuring { before, snapshot }));
        sim.expect_on_air(&station(old())); // during the reply grace
        sim.advance_to(12.0);
        sim.expect_ended(Ok(()));
        assert_eq!(sim.status().last.expect("ended").task, TaskKind::Configure);
        sim.expect_settled(&wanted);
    }
}

#[test]
fn settings_that_do_not_work_are_rolled_back() {
    // The failure rule of a pairing does not apply: an access point comes back as it was.
    for before in [station(old()), hotspot(None), off(Some(old()))] {
        let env = Environment::settled(before.clone());
        let mut sim = env.booted();
        sim.advance_to(10.0);
        assert_eq!(sim.configure(station(network(b"home", b"battery staple"))), Some(Ok(())));
        sim.advance_to(15.999);
        sim.expect(Phase::Configuring); // the key is tried once more
        sim.advance_to(18.0);
        sim.expect_ended(Err(Cause::Driver(ErrorKind::WrongKey)));
        sim.expect_settled(&before);
    }
}

#[test]
fn a_pairing_and_a_change_of_settings_exclude_each_other() {
    let env = Environment::settled(station(old()));
    let mut sim = start_pairing_at_10(&env);
    sim.advance_to(50.0);
    assert_eq!(sim.configure(off(None)), Some(Err(RequestError::Busy)));
    sim.expect(Phase::Searching);
    sim.advance_to(131.0);
    sim.expect_settled(&station(old()));

    assert_eq!(sim.configure(off(None)), Some(Ok(())));
    assert_eq!(sim.press_button(), Some(Err(RequestError::Busy)));
    assert_eq!(sim.configure(hotspot(None)), Some(Err(RequestError::Busy)));
    sim.advance_to(133.0);
    sim.expect_ended(Ok(()));
    sim.expect_settled(&off(None));
}

#[test]
fn of_two_simultaneous_changes_the_first_wins() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    sim.advance_to(10.0);
    let first = sim.request_configure(off(None));
    let second = sim.request_configure(hotspot(None));
    sim.poll_requests();
    assert_eq!(env.control().settings(), None, "the settings may be about to change");
    sim.drop_request(first); // it was sent already, so it still takes effect
    sim.advance_to(13.0);
    assert_eq!(sim.reply(second), Some(Err(RequestError::Busy)));
    sim.expect_settled(&off(None));
    assert_eq!(env.control().settings(), Some(off(None)));
}

#[test]
fn the_status_shows_the_new_settings() {
    let env = Environment::settled(hotspot(None));
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(12.0);
    let status = sim.status();
    assert_eq!(status.network, Some(ssid(b"home")));
    assert_eq!(status.mode, wps_core::Mode::Station);
    assert_eq!(status.deadline, None);
}

#[test]
fn the_link_is_queried_when_idle_and_cached_during_a_pairing() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    let link = sim.request_link();
    sim.run_until_stalled();
    assert_eq!(sim.reply(link), Some(Ok(())));
    sim.press_button();
    let link = sim.request_link();
    sim.run_until_stalled();
    assert_eq!(sim.reply(link), Some(Ok(())));
}

/// A requester of the link must not wait for a pairing that started in the meantime.
#[test]
fn a_start_while_the_link_is_being_queried() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    env.air.set_fault(Some(RadioFault::Unresponsive));
    let link = sim.request_link();
    sim.advance_to(2.0);
    env.air.set_fault(None);
    assert_eq!(sim.press_button(), Some(Ok(())));
    sim.advance_to(10.0);
    sim.expect(Phase::Searching);
    assert_eq!(sim.reply(link), Some(Ok(())), "still waiting");
}

/// However often the web page requests the link, each query ends.
#[test]
fn another_link_request_does_not_restart_the_query() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    sim.advance_to(10.0);
    env.air.set_fault(Some(RadioFault::Unresponsive));
    let first = sim.request_link();
    for second in 11..20 {
        sim.advance_to(f64::from(second));
        sim.request_link();
    }
    assert_eq!(sim.reply(first), Some(Ok(())), "still waiting, although a query takes two seconds");
}

#[test]
fn a_requester_in_every_slot_gets_its_reply() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    sim.advance_to(10.0);
    env.disk.set_fault(Some(DiskFault::Hangs));
    let all: Vec<_> = (0..SLOTS).map(|_| sim.request_start(REPLY_GRACE_DELAY)).collect();
    sim.advance_to(19.0);
    assert!(all.iter().all(|id| sim.reply(*id).is_none()));
    sim.advance_to(60.0);
    let refused = Some(Err(RequestError::Failed(Cause::Store)));
    let replies: Vec<_> = all.into_iter().map(|id| sim.reply(id)).collect();
    assert_eq!(replies, [refused; SLOTS], "all requests got a reply");

    env.disk.set_fault(None);
    sim.advance_to(100.0);
    let all: Vec<_> = (0..SLOTS).map(|_| sim.request_start(REPLY_GRACE_DELAY)).collect();
    sim.run_until_stalled();
    let replies: Vec<_> = all.into_iter().map(|id| sim.reply(id)).collect();
    assert_eq!(replies, [Some(Ok(())); SLOTS]);
}

/// Web clients come and go. Those that stay get their reply, however many have disconnected.
#[test]
fn dropped_requests_do_not_block_the_replies_to_others() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    sim.advance_to(10.0);
    env.disk.set_fault(Some(DiskFault::Hangs));
    let first = sim.request_start(REPLY_GRACE_DELAY);
    sim.advance_to(11.0);
    let cancel = sim.request_cancel();
    for _ in 0..7 {
        let dropped = sim.request_start(REPLY_GRACE_DELAY);
        sim.poll_requests();
        sim.drop_request(dropped);
    }
    sim.advance_to(60.0);
    assert!(sim.reply(cancel).is_some(), "the cancellation still waits");
    assert!(sim.reply(first).is_some(), "the first start still waits");
}

/// A refusal promises that the radio is not touched. So no requester may get one while its pairing
/// runs.
#[test]
fn the_remaining_requester_gets_the_right_reply_after_many_dropped_requests() {
    let env = Environment::settled(station(old()));
    let mut sim = env.boot_with_slow_store();
    sim.advance_to(10.0);
    let remaining = sim.request_start(REPLY_GRACE_DELAY);
    sim.run_until_stalled();
    for _ in 1..SLOTS {
        let dropped = sim.request_start(REPLY_GRACE_DELAY);
        sim.run_until_stalled();
        sim.drop_request(dropped);
    }
    sim.advance_to(10.999);
    for _ in 0..8 {
        let dropped = sim.request_start(REPLY_GRACE_DELAY);
        sim.poll_requests();
        sim.drop_request(dropped);
    }
    sim.env.clock.advance_to_next(); // the journal is saved
    sim.run_until_stalled();
    assert_eq!(sim.status().phase, Phase::Searching);
    assert_eq!(sim.reply(remaining), Some(Ok(())), "its pairing runs");
}

/// A button needs no reply grace, but a web page that requests the same pairing does.
#[test]
fn a_requester_that_joins_a_start_gets_its_own_reply_grace() {
    let env = Environment::settled(station(old()));
    let mut sim = env.boot_with_slow_store();
    sim.advance_to(10.0);
    let button = sim.request_start(Duration::ZERO);
    sim.run_until_stalled();
    sim.press_router("home");
    let page = sim.request_start(Duration::from_secs(1));
    sim.advance_to(11.0); // the journal is saved
    assert_eq!((sim.reply(button), sim.reply(page)), (Some(Ok(())), Some(Ok(()))));
    sim.advance_to(11.999);
    assert!(!sim.status().off_air, "the radio waits until the page has its reply");
    sim.advance_to(12.0);
    assert!(sim.status().off_air);
}

#[test]
fn a_cancel_without_a_free_slot_is_not_lost() {
    let env = Environment::settled(station(old()));
    let mut sim = env.boot_with_slow_store();
    sim.advance_to(10.0);
    for _ in 0..SLOTS {
        sim.request_start(REPLY_GRACE_DELAY); // they wait until the journal is written
        sim.run_until_stalled();
    }
    let cancel = sim.request_cancel();
    sim.run_until_stalled();
    assert_eq!(sim.reply(cancel), Some(Ok(())));
    assert!(sim.status().last.is_some_and(|last| last.result == Err(Cause::Cancelled)));
}

#[test]
fn reply_slots_and_listeners_are_limited_separately() {
    let control: Control<Raw, 1, 2> = Control::new();
    let mut listeners: [_; 3] = core::array::from_fn(|_| control.listen());
    assert!(listeners[0].is_some() && listeners[1].is_some() && listeners[2].is_none());
    let before_the_runner = listeners[0].as_mut().expect("a listener").try_get();
    assert_eq!(before_the_runner, None);
    listeners[1] = None;
    assert!(control.listen().is_some());

    let (mut first, second) = (pin!(control.start(Duration::ZERO)), control.start(Duration::ZERO));
    assert!(poll_once(first.as_mut()).is_pending());
    assert_eq!(poll_once(second), Poll::Ready(Err(RequestError::Busy)));
}
