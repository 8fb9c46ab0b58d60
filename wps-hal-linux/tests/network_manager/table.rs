//! How a pairing begins × how it ends.
//!
//! The test plays each start and each ending at least once. `RADIO_TEST_CELLS=all` plays all cells,
//! any other value those whose names contain it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use wps_core::driver::SearchProgress;
use wps_core::{AccessPoint, AfterFailure, Cause, ErrorKind, Phase, Settings, Ssid, Status};
use wps_testkit::{home, network};

use crate::context::{OLD, Rest, STEP_TIMEOUT, TestContext, block, joined};
use crate::device::Device;
use crate::lab::{NetworkManager, Router, network_manager, until};
use crate::settings::{AES, WPA2_PSK};

/// The event of a router with which the exchange begins.
const EXCHANGING: &str = "CTRL-EVENT-EAP-STARTED";

/// What the device does before the pairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    UserProfile,
    EarlierPairing,
    NoProfile,
    AccessPoint,
    AccessPointBack,
    Off,
    FlightMode,
}

const STARTS: [Start; 7] = [
    Start::UserProfile,
    Start::EarlierPairing,
    Start::NoProfile,
    Start::AccessPoint,
    Start::AccessPointBack,
    Start::Off,
    Start::FlightMode,
];

/// How the pairing ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Paired,
    NotPressed,
    CancelledSearching,
    CancelledExchanging,
    CancelledJoining,
    /// Too late: the pairing succeeds.
    CancelledKeeping,
    Overlap,
    RouterVanished,
    WrongKey,
    DaemonKilledJoining,
    DaemonKilledKeeping,
    ManagerKilled,
    ManagerHangsKeeping,
}

const ENDINGS: [Ending; 13] = [
    Ending::CancelledExchanging,
    Ending::CancelledJoining,
    Ending::Paired,
    Ending::WrongKey,
    Ending::CancelledSearching,
    Ending::RouterVanished,
    Ending::NotPressed,
    Ending::ManagerKilled,
    Ending::DaemonKilledKeeping,
    Ending::DaemonKilledJoining,
    Ending::CancelledKeeping,
    Ending::ManagerHangsKeeping,
    Ending::Overlap,
];

/// The cells for a wpa_supplicant without a control socket.
const WITHOUT_SOCKET: [Cell; 7] = [
    Cell(Start::UserProfile, Ending::CancelledExchanging),
    Cell(Start::EarlierPairing, Ending::Paired),
    Cell(Start::UserProfile, Ending::WrongKey),
    Cell(Start::AccessPoint, Ending::NotPressed),
    Cell(Start::NoProfile, Ending::DaemonKilledJoining),
    Cell(Start::UserProfile, Ending::RouterVanished),
    Cell(Start::Off, Ending::Overlap),
];

impl Start {
    /// Returns the settings on the device at the start. An earlier pairing is added later.
    fn settings(self) -> Settings {
        let access_point =
            AccessPoint { network: network(b"hotspot", b"hotspot key"), channel: Some(1) };
        match self {
            Self::UserProfile | Self::EarlierPairing | Self::NoProfile | Self::FlightMode => {
                Settings::Platform
            }
            Self::AccessPoint | Self::AccessPointBack => {
                Settings::AccessPoint { access_point, remembered: None }
            }
            Self::Off => Settings::Off { remembered: None },
        }
    }

    fn after_failure(self) -> AfterFailure {
        if self == Self::AccessPointBack {
            AfterFailure::AccessPointBack
        } else {
            AfterFailure::AccessPointOff
        }
    }
}

/// A cell of the table.
#[derive(Clone, Copy)]
struct Cell(Start, Ending);

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:?}/{:?}", self.0, self.1))
    }
}

impl Cell {
    /// Plays the cell with NetworkManager started by `manager`. Returns how it ended: the result,
    /// and how long the device needed for the connection afterwards.
    fn play(self, manager: fn(&str) -> NetworkManager) -> (Result<(), Cause>, Duration) {
        let Self(start, ending) = self;
        let mut context = TestContext::with(start != Start::NoProfile, manager);
        let mut home = TestContext::home();
        if ending == Ending::WrongKey {
            home = home.hands_over(&[("home", WPA2_PSK, AES, "wrong horse")]);
        }
        let home = home.start();
        let mine = (start == Start::EarlierPairing)
            .then(|| Router::setup(4, "mine").passphrase("battery staple").channel(1).start());

        context.save(&start.settings());
        let device = context.boot_with(start.after_failure());
        let mut before = start.settings();
        if mine.is_some() {
            let network = network(b"mine", b"battery staple");
            assert_eq!(device.configure(Settings::Station { network }), Ok(()));
            before = device.saved_settings();
        }
        let rest = match &before {
            Settings::Station { network } => joined(&network.secret),
            Settings::AccessPoint { .. } => Rest::Serving,
            Settings::Off { .. } => Rest::Off,
            Settings::Platform if start == Start::NoProfile => Rest::Disconnected,
            Settings::Platform => Rest::Joined(OLD.into()),
        };
        context.expect(&before, &rest);
        let mut rest = rest;
        if start == Start::FlightMode {
            block(true);
            rest = Rest::Off;
            until(STEP_TIMEOUT, "NetworkManager notices", || {
                (context.manager.device().state == 20).then_some(())
            });
        }

        let device = ending.play(device, &mut context, &home, start);
        let result = device.wait_result();
        let after = device.saved_settings();
        let (after, rest) = match result {
            Ok(()) => {
                let Settings::Station { network } = &after else { panic!("{after:?}") };
                assert_eq!(network.ssid, home_ssid());
                let rest = joined(&network.secret);
                (after, rest)
            }
            Err(_) => {
                let expected = before.after_failure(start.after_failure());
                assert_eq!(after, expected, "after {result:?}");
                let is_off = matches!(expected, Settings::Off { .. });
                (expected, if is_off { Rest::Off } else { rest })
            }
        };
        let duration = context.expect(&after, &rest);
        if result.is_err() && start == Start::FlightMode {
            block(false);
            context.expect(&after, &Rest::Joined(OLD.into()));
        }
        let expected = ending.results();
        assert!(expected.is_empty() || expected.contains(&result), "{result:?}");
        (result, duration)
    }
}

fn home_ssid() -> Ssid {
    home().ssid
}

impl Ending {
    /// Returns the possible results; none for any.
    fn results(self) -> Vec<Result<(), Cause>> {
        match self {
            Self::Paired | Self::CancelledKeeping => vec![Ok(())],
            Self::NotPressed => vec![Err(Cause::NotPressed)],
            Self::CancelledSearching | Self::CancelledExchanging | Self::CancelledJoining => {
                vec![Err(Cause::Cancelled)]
            }
            Self::Overlap => vec![Err(ErrorKind::Overlap.into())],
            Self::RouterVanished => vec![Err(ErrorKind::RouterLost.into())],
            Self::WrongKey => vec![Err(ErrorKind::WrongKey.into())],
            Self::DaemonKilledJoining => vec![Err(Cause::Interrupted)],
            Self::DaemonKilledKeeping => vec![Err(Cause::Interrupted)],
            Self::ManagerHangsKeeping => vec![Err(Cause::NotKept)],
            Self::ManagerKilled => Vec::new(),
        }
    }

    /// Starts a pairing and brings it to this ending.
    fn play(
        self,
        device: Device,
        context: &mut TestContext,
        home: &Router,
        start: Start,
    ) -> Device {
        let second = (self == Self::Overlap).then(|| {
            let second = Router::setup(3, "second").channel(1).start();
            // Pressed before the start, so that the first pass finds both.
            home.press_button();
            second.press_button();
            second
        });
        if self == Self::RouterVanished {
            let plug = home.plug();
            home.events().when(EXCHANGING, move || plug.pull());
        }
        if let Err(error) = device.start() {
            panic!("{error:?}: {:?}", context.check());
        }
        if second.is_none() {
            device.wait_status("a whole pass", |status| {
                status.phase != Phase::Searching || has_scanned(status)
            });
        }
        let is_exchanging =
            |status: &Status| matches!(status.progress, SearchProgress::Exchanging { .. });
        let is_joining = |status: &Status| matches!(status.phase, Phase::Joining { .. });
        let is_keeping = |status: &Status| status.phase == Phase::Saving;
        match self {
            Self::Paired | Self::WrongKey => home.press_button(),
            Self::NotPressed => device.close_window(),
            Self::CancelledSearching => device.cancel(),
            Self::CancelledExchanging => {
                home.press_button();
                device.notice_status("exchanging", is_exchanging);
                std::thread::sleep(Duration::from_millis(20));
                device.cancel();
            }
            Self::CancelledJoining => {
                home.press_button();
                device.notice_status("joining", is_joining);
                std::thread::sleep(Duration::from_millis(100));
                device.cancel();
            }
            Self::CancelledKeeping => {
                home.press_button();
                device.notice_status("keeping", is_keeping);
                device.cancel();
            }
            Self::Overlap => {
                device.wait_idle();
            }
            Self::RouterVanished => {
                home.press_button();
                let lost = Some(Cause::Driver(ErrorKind::RouterLost));
                device.wait_status("the router is missed", |status| status.trouble == lost);
                device.close_window();
            }
            Self::DaemonKilledJoining => {
                home.press_button();
                device.notice_status("joining", is_joining);
                std::thread::sleep(Duration::from_millis(100));
                device.crash();
                return context.boot_with(start.after_failure());
            }
            Self::DaemonKilledKeeping => {
                home.press_button();
                device.notice_status("keeping", is_keeping);
                device.crash();
                return context.boot_with(start.after_failure());
            }
            Self::ManagerKilled => {
                home.press_button();
                device.notice_status("joining", is_joining);
                std::thread::sleep(Duration::from_millis(100));
                context.manager.kill_manager();
                std::thread::sleep(Duration::from_secs(1));
                context.manager.start_manager();
                device.close_window();
            }
            Self::ManagerHangsKeeping => {
                home.press_button();
                device.notice_status("keeping", is_keeping);
                context.manager.set_responsive(false);
                device.notice_status("the end of keeping", |status| status.phase != Phase::Saving);
                context.manager.set_responsive(true);
            }
        }
        device
    }
}

/// Returns whether the search has gone over all channels.
fn has_scanned(status: &Status) -> bool {
    matches!(status.progress, SearchProgress::NotPressed | SearchProgress::Pressed { .. })
}

/// Returns the cells to play: those of `RADIO_TEST_CELLS`, or these.
fn cells(default: impl IntoIterator<Item = Cell>) -> Vec<Cell> {
    let all = STARTS.into_iter().flat_map(|start| ENDINGS.map(|ending| Cell(start, ending)));
    match std::env::var("RADIO_TEST_CELLS").ok().as_deref() {
        Some("all") => all.collect(),
        Some(filter) => {
            let words: Vec<_> = filter.split(' ').collect();
            all.filter(|it| words.iter().any(|word| it.to_string().contains(word))).collect()
        }
        None => default.into_iter().collect(),
    }
}

#[test]
fn starts_and_endings() {
    let diagonal = (0..STARTS.len().max(ENDINGS.len()))
        .map(|at| Cell(STARTS[at % STARTS.len()], ENDINGS[at % ENDINGS.len()]));
    play(cells(diagonal), network_manager);
}

#[test]
fn without_a_control_socket_the_same_starts_and_endings() {
    play(cells(WITHOUT_SOCKET), NetworkManager::start_without_socket);
}

fn play(cells: Vec<Cell>, manager: fn(&str) -> NetworkManager) {
    let mut wrong = Vec::new();
    for cell in cells {
        let start = std::time::Instant::now();
        match catch_unwind(AssertUnwindSafe(|| cell.play(manager))) {
            Ok((result, back)) => {
                let (result, back) = (format!("{result:?}"), back.as_secs_f64());
                let whole = start.elapsed().as_secs();
                println!("pass {cell:<40} {result:<25} connection after {back:4.1} s ({whole} s)");
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map_or("", |it| it);
                let line = text.lines().next().unwrap_or("see above");
                println!("FAIL {cell:<40} {line}");
                wrong.push(cell.to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
