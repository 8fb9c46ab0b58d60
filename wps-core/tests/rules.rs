//! The rules of the specification as a literal table that does not call the code under test; the
//! name and advice of every cause; and the check that no type prints a secret.

mod common;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use wps_core::Link;
use wps_core::command::{Command, Input};
use wps_core::driver::{Offer, SearchProgress};
use wps_core::sim::Router;
use wps_core::{
    ADVICE_AFTER_SUCCESS, AfterFailure, Cause, Credentials, ErrorKind, Instant, KeptBy, KeptId,
    Loaded, Machine, Mode, Passphrase, Phase, Record, RequestError, Secret, Settings, Snapshot,
    TaskKind, TaskResult,
};
use wps_testkit::{home, hotspot, network, off, old, ssid, station};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The ways in which a pairing can end.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Paired,
    TimedOut,
    Overlap,
    CancelledWhileSearching,
    CancelledWhileJoining,
    NotJoined,
    CommitFailed,
    PowerCutWhileSearching,
    PowerCutWhileJoining,
    NoDevice,
    DiskFull,
    CancelledEarly,
}

const FAILED: [Ending; 8] = [
    Ending::TimedOut,
    Ending::Overlap,
    Ending::CancelledWhileSearching,
    Ending::CancelledWhileJoining,
    Ending::NotJoined,
    Ending::CommitFailed,
    Ending::PowerCutWhileSearching,
    Ending::PowerCutWhileJoining,
];
const UNTOUCHED: [Ending; 3] = [Ending::NoDevice, Ending::DiskFull, Ending::CancelledEarly];

/// Returns for each kind of settings and each [`AfterFailure`] what a failed pairing leaves: the
/// mode, the network and the settings in the record.
fn failure_table() -> [(Settings, AfterFailure, Mode, Option<Credentials>, Settings); 12] {
    use AfterFailure::{AccessPointBack, AccessPointOff};
    use Mode::{AccessPoint, Off, Station};
    let platform = || Settings::Platform;
    let o = || Some(old());
    [
        (platform(), AccessPointOff, Station, None, platform()),
        (station(old()), AccessPointOff, Station, o(), station(old())),
        (hotspot(None), AccessPointOff, Off, None, off(None)),
        (hotspot(o()), AccessPointOff, Off, o(), off(o())),
        (off(None), AccessPointOff, Off, None, off(None)),
        (off(o()), AccessPointOff, Off, o(), off(o())),
        (platform(), AccessPointBack, Station, None, platform()),
        (station(old()), AccessPointBack, Station, o(), station(old())),
        (hotspot(None), AccessPointBack, AccessPoint, None, hotspot(None)),
        (hotspot(o()), AccessPointBack, AccessPoint, o(), hotspot(o())),
        (off(None), AccessPointBack, Off, None, off(None)),
        (off(o()), AccessPointBack, Off, o(), off(o())),
    ]
}

enum Event {
    Now(Input),
    At(Instant, Input),
    PowerCut,
}

const START: Instant = Instant::from_millis(1_000);
const DEADLINE: Instant = Instant::from_millis(121_000);

/// Returns the event that makes the pairing end this way, or `None` if it has to come at a later
/// command.
fn event_for(ending: Ending, command: &Command) -> Option<Event> {
    use Event::{At, Now, PowerCut};
    Some(match (ending, command) {
        (Ending::TimedOut, Command::Pair { until, .. }) => At(*until, Input::Elapsed),
        (Ending::Overlap, Command::Pair { .. }) => Now(Input::Offered(Err(ErrorKind::Overlap))),
        (Ending::CancelledWhileSearching, Command::Pair { .. }) => Now(Input::Cancel),
        (Ending::CancelledWhileJoining, Command::Join(..)) => Now(Input::Cancel),
        (Ending::NotJoined, Command::Join(..)) => At(DEADLINE, Input::Elapsed),
        (Ending::CommitFailed, Command::Save(Record::Settled(_), _)) => Now(Input::Saved(Err(()))),
        (Ending::PowerCutWhileSearching, Command::Pair { .. }) => PowerCut,
        (Ending::PowerCutWhileJoining, Command::Join(..)) => PowerCut,
        (Ending::NoDevice, Command::Snapshot { .. }) => {
            Now(Input::SnapshotTaken(Err(ErrorKind::NoDevice)))
        }
        (Ending::DiskFull, Command::Save(Record::Pairing { .. }, _)) => Now(Input::Saved(Err(()))),
        (Ending::CancelledEarly, Command::Save(Record::Pairing { .. }, _)) => Now(Input::Cancel),
        _ => return None,
    })
}

/// Drives a machine through a pairing. Returns the record that is on the disk in the end, and the
/// machine.
fn pair(before: &Settings, after_failure: AfterFailure, ending: Ending) -> (Record, Machine) {
    let now = START;
    let boot =
        |disk: &Record| Machine::boot(now, Loaded::Record(disk.clone()), off(None), after_failure);
    let mut disk = Record::Settled(before.clone());
    let mut machine = boot(&disk);
    assert_eq!(machine.command(), apply(before, now.after(Duration::from_secs(15))));
    machine.handle(now, Input::Applied(Ok(())));
    machine.handle(now, Input::Start { reply_grace: Duration::from_millis(500), only: None });

    let mut ending = Some(ending);
    loop {
        let command = machine.command();
        if let Some(event) = ending.and_then(|ending| event_for(ending, &command)) {
            ending = None;
            match event {
                Event::Now(input) => drop(machine.handle(now, input)),
                Event::At(later, input) => drop(machine.handle(later, input)),
                Event::PowerCut => machine = boot(&disk),
            }
            continue;
        }
        let answer = match command {
            Command::Idle(_) => return (disk, machine),
            Command::Pause(_) => Input::Elapsed,
            Command::Snapshot { .. } => Input::SnapshotTaken(Ok(Snapshot::default())),
            Command::Save(record, _) => {
                disk = record;
                Input::Saved(Ok(()))
            }
            Command::Apply(..) => Input::Applied(Ok(())),
            Command::Pair { .. } => Input::Offered(Ok(Offer::from(home()))),
            Command::Join(..) => Input::Joined(Ok(())),
            Command::Keep(..) => Input::Kept(Ok(KeptBy::Record)),
        };
        machine.handle(now, answer);
    }
}

fn apply(settings: &Settings, until: Instant) -> Command {
    Command::Apply(settings.clone(), Snapshot::default(), until)
}

#[track_caller]
fn expect(
    (disk, machine): &(Record, Machine),
    mode: Mode,
    network: Option<&Credentials>,
    record: &Settings,
) {
    let status = machine.status();
    assert_eq!(disk, &Record::Settled(record.clone()), "saved");
    assert_eq!(machine.settings_in_force(), Some(record), "in force");
    assert_eq!(status.mode, mode);
    assert_eq!(status.network.as_ref(), network.map(|network| &network.ssid));
}

#[test]
fn a_failure_restores_the_previous_settings_except_an_access_point() {
    for (before, after_failure, mode, network, record) in failure_table() {
        for ending in FAILED {
            let end = pair(&before, after_failure, ending);
            assert!(end.1.status().last.expect("ended").result.is_err(), "{ending:?}");
            expect(&end, mode, network.as_ref(), &record);
        }
        assert_eq!(before.after_failure(after_failure), record);
    }
}

#[test]
fn a_success_leaves_station_mode_with_the_new_network() {
    for (before, after_failure, ..) in failure_table() {
        let end = pair(&before, after_failure, Ending::Paired);
        assert_eq!(end.1.status().last.expect("ended").result, Ok(()));
        expect(&end, Mode::Station, Some(&home()), &station(home()));
    }
    assert_eq!(Settings::after_success(home(), KeptBy::Record), station(home()));
    let id = KeptId([7; 16]);
    let kept = Credentials { secret: Secret::Kept(id), ..home() };
    assert_eq!(Settings::after_success(home(), KeptBy::Platform(id)), station(kept));
}

#[test]
fn a_failure_before_the_radio_is_touched_changes_nothing() {
    for (before, after_failure, ..) in failure_table() {
        for ending in UNTOUCHED {
            let (disk, machine) = pair(&before, after_failure, ending);
            assert!(machine.status().last.expect("ended").result.is_err(), "{ending:?}");
            assert_eq!(disk, Record::Settled(before.clone()), "{ending:?}");
            assert_eq!(machine.settings_in_force(), Some(&before), "{ending:?}");
        }
    }
}

#[test]
fn the_boot_settings_of_each_record() {
    for (before, after_failure, _, _, failed) in failure_table() {
        let snapshot = Snapshot::new(b"noted").expect("short");
        let settled = Record::Settled(before.clone());
        let pairing = Record::Pairing { before: before.clone(), snapshot: snapshot.clone() };
        let configuring =
            Record::Configuring { before: before.clone(), snapshot: snapshot.clone() };
        for (record, settings, snapshot) in [
            (settled, &before, Snapshot::default()),
            (pairing, &failed, snapshot.clone()),
            // A change of settings is rolled back. The failure rule of a pairing does not apply.
            (configuring, &before, snapshot),
        ] {
            let (now, until) = (Instant::from_millis(0), Instant::from_millis(15_000));
            let machine = Machine::boot(
                now,
                Loaded::Record(record.clone()),
                Settings::Platform,
                after_failure,
            );
            let expected = Command::Apply(settings.clone(), snapshot, until);
            assert_eq!(machine.command(), expected, "{record:?}");
        }
    }
}

#[test]
fn the_default_after_failure_is_the_specifications_rule() {
    assert_eq!(AfterFailure::default(), AfterFailure::AccessPointOff);
}

#[test]
fn every_cause_has_a_unique_name_and_advice() {
    let names: BTreeSet<_> = Cause::ALL.iter().map(|it| it.detail().unwrap_or(it.name())).collect();
    let reasons: BTreeSet<_> = Cause::ALL.iter().map(Cause::to_string).collect();
    let advice: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.advice()).collect();
    for different in [names.len(), reasons.len(), advice.len()] {
        assert_eq!(different, Cause::ALL.len());
    }
    for &cause in Cause::ALL {
        let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(!cause.name().is_empty() && cause.name().chars().all(is_name), "{cause:?}");
        assert!(cause.advice().ends_with('.'), "{cause:?}: not a sentence");
        assert!(cause.advice().len() > 20, "{cause:?}: too short to help");
        assert!(!cause.to_string().is_empty());
    }
    assert!(ADVICE_AFTER_SUCCESS.contains("switched off"));
}

#[test]
fn only_two_results_are_reported_without_a_request() {
    let mut unrequested = Vec::new();
    for &task in TaskKind::ALL {
        for result in [Ok(())].into_iter().chain(Cause::ALL.iter().copied().map(Err)) {
            if !TaskResult::new(task, result, Instant::from_millis(0)).is_requested() {
                unrequested.push((task, result));
            }
        }
    }
    let expected = [Cause::Corrupt, Cause::NetworkRemoved];
    assert_eq!(unrequested, expected.map(|cause| (TaskKind::Configure, Err(cause))));
}

#[test]
fn the_advice_matches_the_troubleshooting_table() {
    for (cause, words) in [
        (Cause::NotPressed, "WPS button of the router within two minutes"),
        (Cause::NoWps, "by hand"),
        (Cause::Driver(ErrorKind::Refused), "WPS settings of the router"),
        (Cause::Driver(ErrorKind::Overlap), "wait two minutes"),
        (Cause::Driver(ErrorKind::Overlap), "choose one"),
        (Cause::Driver(ErrorKind::OverlapWithoutChoice), "by hand"),
        (Cause::Driver(ErrorKind::Unsupported), "by hand"),
        (Cause::Driver(ErrorKind::WithoutWps), "by hand"),
        (Cause::JoinRefused, "list of allowed devices"),
        (Cause::Driver(ErrorKind::WithoutWpa2), "to WPA2, or to WPA2 and WPA3"),
    ] {
        assert!(cause.advice().contains(words), "{cause:?}: {}", cause.advice());
    }
}

#[test]
fn the_troubleshooting_table_of_the_readme_has_the_products_sentences() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(path).expect("the README of the workspace");
    let (_, table) = readme.split_once("## Troubleshooting").expect("the table");
    let rows = table.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows: Vec<_> = rows.take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 20);
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [reason, _, advice] = cells[..] else { panic!("{row}") };
        let cause = Cause::ALL.iter().find(|cause| cause.to_string() == reason);
        assert_eq!(cause.map(|it| it.advice()), Some(advice), "{row}");
    }
}

#[test]
fn the_final_error_kinds() {
    use ErrorKind::{
        Blocked, EmptyKey, Insecure, InvalidKey, KeptElsewhere, ManagedByOther, NoDevice,
        NoNetwork, NotOpen, NotPermitted, Overlap, OverlapWithoutChoice, RefusedOrOverlap,
        TkipOnly, Unmanaged, Unsupported, Wep, WithoutWps,
    };
    let last = [
        [Overlap, OverlapWithoutChoice, RefusedOrOverlap].as_slice(),
        &[Insecure, Wep, TkipOnly, EmptyKey, NotOpen, InvalidKey, NoNetwork],
        &[Unsupported, WithoutWps, NoDevice, Unmanaged, Blocked, ManagedByOther, KeptElsewhere],
        &[NotPermitted],
    ]
    .concat();
    for &kind in ErrorKind::ALL {
        assert_eq!(kind.is_final(), last.contains(&kind), "{kind:?}");
    }
}

/// Returns a machine that joins the first of two offered networks since second 1.
fn joining() -> Machine {
    let now = Instant::from_millis(1_000);
    let loaded = Loaded::Record(Record::Settled(station(old())));
    let mut machine = Machine::boot(now, loaded, off(None), AfterFailure::default());
    let offer = Offer::new([network(b"guest", b"correct horse"), home()]).expect("two");
    for input in [
        Input::Applied(Ok(())),
        Input::Start { reply_grace: Duration::ZERO, only: None },
        Input::SnapshotTaken(Ok(Snapshot::default())),
        Input::Saved(Ok(())),
        Input::Elapsed,
        Input::Offered(Ok(offer)),
    ] {
        machine.handle(now, input);
    }
    machine
}

#[test]
fn a_final_error_ends_a_join_at_once() {
    for &kind in ErrorKind::ALL {
        let mut machine = joining();
        machine.handle(Instant::from_millis(2_000), Input::Joined(Err(kind)));
        let ended = machine.status().phase == Phase::Restoring;
        assert_eq!(ended, kind.is_final(), "{kind:?}");
    }
}

#[test]
fn the_next_network_is_tried_after_a_timeout_and_the_first_again_after_the_last() {
    let mut machine = joining();
    let mut now = Instant::from_millis(1_000);
    for network in
        [network(b"guest", b"correct horse"), home(), network(b"guest", b"correct horse")]
    {
        let until = now.after(Duration::from_secs(20));
        assert_eq!(machine.command(), Command::Join(network, Snapshot::default(), until));
        machine.handle(until, Input::Elapsed);
        now = until.after(Duration::from_secs(1));
        assert_eq!(machine.command(), Command::Pause(now));
        machine.handle(now, Input::Elapsed);
    }
}

const SECRET: &[u8] = b"Tr0ub4dor&3 xyzzy";

/// Returns the secret in every encoding in which a program could print it by accident.
fn secret_encodings(secret: &[u8]) -> Vec<String> {
    let list = |each: &dyn Fn(&u8) -> String, between: &str| {
        let bytes: Vec<_> = secret.iter().map(each).collect();
        bytes.join(between)
    };
    vec![
        list(&|byte| (*byte as char).to_string(), ""),
        list(&|byte| format!("{byte:02x}"), ""),
        list(&|byte| format!("{byte:02X}"), ""),
        list(&|byte| format!("{byte:02x}"), " "),
        list(&|byte| format!("{byte:02x}"), ":"),
        list(&u8::to_string, ", "),
        list(&u8::to_string, ",\n"),
        list(&|byte| format!("{byte:#04x}"), ", "),
    ]
}

#[track_caller]
fn expect_redacted(value: &impl Debug) {
    for text in [format!("{value:?}"), format!("{value:#?}"), format!("{value:x?}")] {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for form in secret_encodings(SECRET).into_iter().chain(secret_encodings(&SECRET[4..12])) {
            assert!(!text.contains(&form) && !flat.contains(&form), "{text}");
        }
    }
}

#[test]
fn the_search_for_secrets_would_find_them() {
    #[derive(Debug)]
    struct Careless<'a>(#[allow(dead_code, reason = "printed")] &'a [u8]);
    let caught = std::panic::catch_unwind(|| expect_redacted(&Careless(SECRET)));
    assert!(caught.is_err());
    let text = String::from_utf8(SECRET.to_vec()).expect("ASCII");
    assert!(std::panic::catch_unwind(|| expect_redacted(&text)).is_err());
}

#[test]
fn no_type_prints_a_secret() {
    let secret = || network(b"home", SECRET);
    let offer = || Offer::new([secret(), secret(), secret()]).expect("three");
    let snapshot = || Snapshot::new(SECRET).expect("short");
    let settings = || {
        let Settings::AccessPoint { mut access_point, .. } = hotspot(None) else { unreachable!() };
        access_point.network = secret();
        [
            Settings::Platform,
            station(secret()),
            Settings::AccessPoint { access_point, remembered: Some(secret()) },
            off(Some(secret())),
        ]
    };
    let now = Instant::from_millis(0);

    expect_redacted(&Passphrase::new(SECRET));
    expect_redacted(&secret());
    expect_redacted(&offer());
    expect_redacted(&snapshot());
    expect_redacted(&Router::new(b"home", SECRET));
    expect_redacted(&Command::Join(secret(), snapshot(), now));
    expect_redacted(&Command::Keep(secret(), snapshot(), now));
    expect_redacted(&Input::Offered(Ok(offer())));
    expect_redacted(&Input::SnapshotTaken(Ok(snapshot())));
    for settings in settings() {
        let before = settings.clone();
        for record in [
            Record::Settled(before.clone()),
            Record::Pairing { before: before.clone(), snapshot: snapshot() },
            Record::Configuring { before, snapshot: snapshot() },
        ] {
            expect_redacted(&record);
            expect_redacted(&Loaded::Record(record.clone()));
            expect_redacted(&Command::Save(record, now));
        }
        expect_redacted(&Command::Apply(settings.clone(), snapshot(), now));
        expect_redacted(&Input::Configure {
            settings: settings.clone(),
            reply_grace: Duration::ZERO,
        });

        // The machine and its status all the way through a pairing and a change of settings.
        let reply_grace = Duration::ZERO;
        let to = station(secret());
        for start in [
            Input::Start { reply_grace, only: None },
            Input::Configure { settings: to, reply_grace },
        ] {
            let loaded = Loaded::Record(Record::Settled(settings.clone()));
            let mut machine = Machine::boot(now, loaded, off(None), AfterFailure::default());
            for input in [
                Input::Applied(Ok(())),
                start,
                Input::SnapshotTaken(Ok(snapshot())),
                Input::Saved(Ok(())),
                Input::Elapsed,
                Input::Offered(Ok(offer())),
                Input::Joined(Err(ErrorKind::WrongKey)),
                Input::Elapsed,
                Input::Joined(Ok(())),
                Input::Kept(Ok(KeptBy::Record)),
                Input::Saved(Err(())),
                Input::Applied(Err(ErrorKind::NoResponse)),
            ] {
                machine.handle(now, input);
                expect_redacted(&machine);
                expect_redacted(&machine.command());
                expect_redacted(&machine.status());
            }
            assert_eq!(machine.status().phase, Phase::Restoring, "went all the way");
        }
    }
    expect_redacted(&Passphrase::new(&[SECRET, SECRET, SECRET, SECRET].concat()).unwrap_err());
    for &cause in Cause::ALL {
        expect_redacted(&RequestError::Failed(cause));
        expect_redacted(&TaskResult::new(TaskKind::Pair, Err(cause), now));
    }
    expect_redacted(&SearchProgress::Exchanging { ssid: Some(ssid(b"home")) });
    expect_redacted(&Link::default());
}

/// Freed memory cannot be inspected without unsafe code. The test relies on `ZeroizeOnDrop` to wipe
/// the passphrase on drop, and checks what `zeroize` leaves.
#[test]
fn a_passphrase_is_wiped_when_dropped() {
    fn wiped_when_dropped<T: ZeroizeOnDrop>(_: &T) {}
    let mut passphrase = Passphrase::new(SECRET).expect("a key");
    wiped_when_dropped(&passphrase);
    passphrase.zeroize();
    assert_eq!(passphrase.reveal(), b"");
}

#[test]
fn a_network_name_cannot_break_a_log_line() {
    let name = ssid(b"a\n\"\x1b[31m\xff");
    assert_eq!(format!("{name:?}"), r#""a\n\"\x1b[31m\xff""#);
}
