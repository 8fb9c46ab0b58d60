//! The step Keeping, after the network was joined: a platform that keeps networks stores it itself.
//! And what follows if somebody removes such a network later.

use std::time::Duration;

use wps_core::command::{Command, Input, JOIN_TIMEOUT, KEEP_TIMEOUT, SAVE_TIMEOUT};
use wps_core::driver::Offer;
use wps_core::{
    AfterFailure, Cause, Credentials, ErrorKind, Instant, KeptBy, KeptId, Loaded, Machine, Mode,
    Phase, Record, RequestError, Secret, Settings, Snapshot, TaskKind,
};
use wps_testkit::{home, hotspot, off, old, ssid, station};

use crate::{all_modes, second};

const ID: KeptId = KeptId([7; 16]);
/// What the user does: both tasks join a network.
const TASKS: [TaskKind; 2] = [TaskKind::Pair, TaskKind::Configure];

fn kept(network: Credentials) -> Credentials {
    Credentials { secret: Secret::Kept(ID), ..network }
}

fn snapshot() -> Snapshot {
    Snapshot::new(&ID.0).expect("short")
}

/// Returns a machine that is idle with these settings.
fn idle(settings: Settings) -> Machine {
    let loaded = Loaded::Record(Record::Settled(settings));
    let mut machine = Machine::boot(second(0), loaded, off(None), AfterFailure::AccessPointOff);
    machine.handle(second(0), Input::Applied(Ok(())));
    machine
}

/// Starts a task at second 10 that joins `network`, and lets the join succeed at `joined_at`.
fn joined(before: Settings, task: TaskKind, network: Credentials, joined_at: Instant) -> Machine {
    let (mut machine, start) = (idle(before), second(10));
    let reply_grace = Duration::ZERO;
    machine.handle(
        start,
        match task {
            TaskKind::Pair => Input::Start { reply_grace, only: None },
            TaskKind::Configure => {
                Input::Configure { settings: station(network.clone()), reply_grace }
            }
            other => panic!("the tests do not know {other:?}"),
        },
    );
    machine.handle(start, Input::SnapshotTaken(Ok(snapshot())));
    machine.handle(start, Input::Saved(Ok(())));
    if task == TaskKind::Pair {
        machine.handle(start, Input::Offered(Ok(Offer::from(network.clone()))));
    } else {
        machine.handle(start, Input::Elapsed); // the reply grace
    }
    assert_eq!(machine.command(), Command::Join(network, snapshot(), start.after(JOIN_TIMEOUT)));
    machine.handle(joined_at, Input::Joined(Ok(())));
    machine
}

/// Returns a machine in Keeping since second 11.
fn keeping(before: Settings, task: TaskKind) -> Machine {
    let machine = joined(before, task, home(), second(11));
    let until = second(11).after(KEEP_TIMEOUT);
    assert_eq!(machine.command(), Command::Keep(home(), snapshot(), until));
    machine
}

/// Returns the settings that a failure of the task leaves.
fn all_failures() -> impl Iterator<Item = (TaskKind, Settings, Settings)> {
    all_modes().into_iter().flat_map(|(before, after)| {
        [(TaskKind::Pair, before.clone(), after), (TaskKind::Configure, before.clone(), before)]
    })
}

#[test]
fn the_record_has_the_key_or_the_identifier_and_never_both() {
    for task in TASKS {
        for (before, _) in all_modes() {
            for (kept_by, network) in
                [(KeptBy::Record, home()), (KeptBy::Platform(ID), kept(home()))]
            {
                let mut machine = keeping(before.clone(), task);
                machine.handle(second(12), Input::Kept(Ok(kept_by)));
                let until = second(12).after(SAVE_TIMEOUT);
                let record = Record::Settled(station(network.clone()));
                assert_eq!(machine.command(), Command::Save(record, until));
                machine.handle(second(13), Input::Saved(Ok(())));
                assert_eq!(machine.command(), Command::Idle(station(network)));
                let last = machine.status().last.expect("ended");
                assert_eq!((last.task, last.result), (task, Ok(())));
            }
        }
    }
}

#[test]
fn an_open_network_is_kept_like_any_other() {
    let open = || wps_testkit::network(b"cafe", b"");
    let mut machine = joined(off(None), TaskKind::Configure, open(), second(11));
    machine.handle(second(11), Input::Kept(Ok(KeptBy::Platform(ID))));
    let saved =
        Command::Save(Record::Settled(station(kept(open()))), second(11).after(SAVE_TIMEOUT));
    assert_eq!(machine.command(), saved);
}

#[test]
fn of_several_networks_the_joined_one_is_kept() {
    let mut machine = idle(off(None));
    machine.handle(second(10), Input::Start { reply_grace: Duration::ZERO, only: None });
    machine.handle(second(10), Input::SnapshotTaken(Ok(snapshot())));
    machine.handle(second(10), Input::Saved(Ok(())));
    let offer = Offer::new([old(), home()]).expect("two");
    machine.handle(second(11), Input::Offered(Ok(offer)));
    machine.handle(second(12), Input::Joined(Err(ErrorKind::NotFound)));
    machine.handle(second(13), Input::Elapsed);
    machine.handle(second(14), Input::Joined(Ok(())));
    let until = second(14).after(KEEP_TIMEOUT);
    assert_eq!(machine.command(), Command::Keep(home(), snapshot(), until));
}

#[test]
fn a_network_that_is_kept_already_is_saved_at_once_with_the_same_identifier() {
    for before in [off(Some(kept(old()))), hotspot(Some(kept(old()))), station(kept(old()))] {
        let machine = joined(before, TaskKind::Configure, kept(old()), second(11));
        let record = Record::Settled(station(kept(old())));
        assert_eq!(machine.command(), Command::Save(record, second(11).after(SAVE_TIMEOUT)));
    }
}

#[test]
fn a_mode_without_a_network_to_join_keeps_nothing() {
    for after in [off(Some(kept(old()))), hotspot(Some(kept(old()))), Settings::Platform] {
        let mut machine = idle(station(kept(old())));
        let settings = after.clone();
        machine.handle(second(10), Input::Configure { settings, reply_grace: Duration::ZERO });
        machine.handle(second(10), Input::SnapshotTaken(Ok(snapshot())));
        machine.handle(second(10), Input::Saved(Ok(())));
        machine.handle(second(10), Input::Elapsed);
        machine.handle(second(11), Input::Applied(Ok(())));
        let saved = Command::Save(Record::Settled(after), second(11).after(SAVE_TIMEOUT));
        assert_eq!(machine.command(), saved);
    }
}

#[test]
fn a_network_that_cannot_be_kept_is_a_failure() {
    for input in [
        Input::Kept(Err(ErrorKind::Other)),
        Input::Kept(Err(ErrorKind::NoDevice)),
        Input::Kept(Err(ErrorKind::WrongKey)),
        Input::Elapsed,
    ] {
        for (task, before, after) in all_failures() {
            let mut machine = keeping(before, task);
            machine.handle(second(20), input.clone());
            assert_eq!(machine.status().phase, Phase::Restoring);
            let until = second(35);
            assert_eq!(machine.command(), Command::Apply(after.clone(), snapshot(), until));
            machine.handle(second(20), Input::Applied(Ok(())));
            let saved = Command::Save(Record::Settled(after.clone()), second(30));
            assert_eq!(machine.command(), saved);
            machine.handle(second(20), Input::Saved(Ok(())));
            assert_eq!(machine.command(), Command::Idle(after));
            let last = machine.status().last.expect("ended");
            assert_eq!((last.task, last.result), (task, Err(Cause::NotKept)));
        }
    }
    assert!(Cause::NotKept.to_string().contains("could not save the network"));
}

#[test]
fn a_cancel_comes_too_late() {
    for task in TASKS {
        let mut machine = keeping(hotspot(None), task);
        let command = machine.command();
        assert_eq!(machine.handle(second(12), Input::Cancel), None);
        assert_eq!(machine.command(), command);
    }
}

#[test]
fn a_second_request_changes_nothing() {
    for task in TASKS {
        let mut machine = keeping(hotspot(None), task);
        let (command, busy) = (machine.command(), Some(Err(RequestError::Busy)));
        let joins_the_first = if task == TaskKind::Pair { Some(Ok(())) } else { busy };
        assert_eq!(machine.immediate_reply(TaskKind::Pair), joins_the_first);
        assert_eq!(machine.immediate_reply(TaskKind::Configure), busy);
        let reply_grace = Duration::from_secs(1);
        machine.handle(second(12), Input::Start { reply_grace, only: None });
        machine.handle(second(12), Input::Configure { settings: off(None), reply_grace });
        assert_eq!(machine.command(), command);
    }
}

#[test]
fn the_status_shows_that_the_new_network_is_being_saved() {
    for (task, phase) in
        [(TaskKind::Pair, Phase::Saving), (TaskKind::Configure, Phase::Configuring)]
    {
        let status = keeping(hotspot(Some(old())), task).status();
        assert_eq!(status.is_pairing(), task == TaskKind::Pair);
        assert_eq!(status.phase, phase);
        assert_eq!((status.last, status.trouble), (None, None));
        assert_eq!((status.mode, status.network), (Mode::Station, Some(ssid(b"home"))));
    }
}

#[test]
fn keeping_has_ten_seconds_although_the_window_closes_meanwhile() {
    for (task, window) in [(TaskKind::Pair, 120), (TaskKind::Configure, 30)] {
        let at = second(10 + window);
        let before = Instant::from_millis(at.as_millis() - 1);
        let keeping = || joined(hotspot(None), task, home(), before);
        assert_eq!(
            keeping().command(),
            Command::Keep(home(), snapshot(), before.after(Duration::from_secs(10)))
        );

        let mut machine = keeping();
        let kept_at = at.after(Duration::from_secs(9));
        machine.handle(kept_at, Input::Kept(Ok(KeptBy::Platform(ID))));
        let record = Record::Settled(station(kept(home())));
        assert_eq!(machine.command(), Command::Save(record, kept_at.after(SAVE_TIMEOUT)));
        machine.handle(kept_at, Input::Saved(Ok(())));
        assert_eq!(machine.status().last.expect("ended").result, Ok(()));

        let mut machine = keeping();
        machine.handle(before.after(KEEP_TIMEOUT), Input::Elapsed);
        let last = machine.status().last.expect("ended");
        assert_eq!(last.result, Err(Cause::NotKept), "not that the window has closed");
    }
}

#[test]
fn a_save_that_fails_after_the_network_was_kept_is_a_failure() {
    for input in [Input::Saved(Err(())), Input::Elapsed] {
        for (task, before, after) in all_failures() {
            let mut machine = keeping(before, task);
            machine.handle(second(11), Input::Kept(Ok(KeptBy::Platform(ID))));
            machine.handle(second(20), input.clone());
            // The snapshot has the identifier, so that the driver knows what may be left.
            assert_eq!(machine.command(), Command::Apply(after, snapshot(), second(35)));
            assert_eq!(machine.status().last.expect("ended").result, Err(Cause::Store));
        }
    }
}

/// Settings with a network that the platform keeps, and what remains without that network.
fn with_kept_network() -> [(Settings, Settings); 3] {
    [
        (station(kept(old())), Settings::Platform),
        (hotspot(Some(kept(old()))), hotspot(None)),
        (off(Some(kept(old()))), off(None)),
    ]
}

#[test]
fn a_network_that_was_removed_is_forgotten() {
    for (before, after) in with_kept_network() {
        let mut machine = idle(before);
        machine.handle(second(10), Input::KeyRefused);
        assert_eq!(machine.handle(second(10), Input::NetworkRemoved), None);
        let nothing = Snapshot::default;
        assert_eq!(machine.command(), Command::Apply(after.clone(), nothing(), second(25)));
        let status = machine.status();
        assert_eq!((status.phase, status.network), (Phase::Restoring, None));
        machine.handle(second(11), Input::Applied(Ok(())));
        let saved = Command::Save(Record::Settled(after.clone()), second(21));
        assert_eq!(machine.command(), saved);
        machine.handle(second(12), Input::Saved(Ok(())));
        assert_eq!(machine.command(), Command::Idle(after));
        let status = machine.status();
        let last = status.last.expect("a result");
        assert_eq!((last.task, last.result), (TaskKind::Configure, Err(Cause::NetworkRemoved)));
        assert_eq!(status.trouble, None, "the key of a network that is gone");
    }
    assert!(Cause::NetworkRemoved.to_string().contains("removed by another program"));
}

#[test]
fn nothing_is_forgotten_that_the_platform_does_not_keep() {
    for (settings, _) in all_modes() {
        let mut machine = idle(settings.clone());
        machine.handle(second(10), Input::NetworkRemoved);
        assert_eq!(machine.command(), Command::Idle(settings));
    }
}

#[test]
fn a_report_comes_too_late_while_a_task_runs() {
    let mut machine = keeping(station(kept(old())), TaskKind::Pair);
    let command = machine.command();
    machine.handle(second(12), Input::NetworkRemoved);
    assert_eq!(machine.command(), command);
}
