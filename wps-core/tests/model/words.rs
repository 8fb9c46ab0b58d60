//! The few values of this model, by name: so that worlds are small and paths can be read. And the rules,
//! said again.

use std::time::Duration;

use wps_core::command::{Command, Input};
use wps_core::driver::Offer;
use wps_core::{
    AccessPoint, AfterFailure, Credentials, ErrorKind, Instant, Passphrase, Record, Settings,
    Snapshot, Ssid,
};

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Is {
    Platform,
    StationOld,
    StationA,
    StationB,
    Hotspot,
    HotspotOld,
    Off,
    OffOld,
    /// None that anybody chose.
    Unheard,
}

impl Is {
    pub(crate) const ALL: [Self; 8] = [
        Self::Platform,
        Self::StationOld,
        Self::StationA,
        Self::StationB,
        Self::Hotspot,
        Self::HotspotOld,
        Self::Off,
        Self::OffOld,
    ];
    /// What a device is that was never set up.
    pub(crate) const FACTORY: Self = Self::Hotspot;

    pub(crate) fn settings(self) -> Settings {
        let hotspot = |remembered| {
            let access_point = AccessPoint { network: net(b"own network"), channel: None };
            Settings::AccessPoint { access_point, remembered }
        };
        match self {
            Self::Platform => Settings::Platform,
            Self::StationOld => Settings::Station { network: net(b"old network") },
            Self::StationA => Settings::Station { network: net(b"network A") },
            Self::StationB => Settings::Station { network: net(b"network B") },
            Self::Hotspot => hotspot(None),
            Self::HotspotOld => hotspot(Some(net(b"old network"))),
            Self::Off => Settings::Off { remembered: None },
            Self::OffOld => Settings::Off { remembered: Some(net(b"old network")) },
            Self::Unheard => unreachable!("nobody chose it"),
        }
    }

    pub(crate) fn of(settings: &Settings) -> Self {
        Self::ALL.into_iter().find(|it| &it.settings() == settings).unwrap_or(Self::Unheard)
    }

    fn station(network: &Credentials) -> Self {
        Self::of(&Settings::Station { network: network.clone() })
    }

    /// The specification's failure rule.
    pub(crate) fn after_failure(self, after_failure: AfterFailure) -> Self {
        match (self, after_failure) {
            (Self::Hotspot, AfterFailure::AccessPointOff) => Self::Off,
            (Self::HotspotOld, AfterFailure::AccessPointOff) => Self::OffOld,
            _ => self,
        }
    }
}

fn net(name: &[u8]) -> Credentials {
    let passphrase = Some(Passphrase::new(name).expect("long enough"));
    Credentials { ssid: Ssid::new(name).expect("short enough"), passphrase }
}

/// What is on the disk; the flag: with the driver's snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Disk {
    Empty,
    Settled(Is),
    Pairing(Is, bool),
    Configuring(Is, bool),
}

impl Disk {
    pub(crate) fn of(record: &Record) -> Self {
        match record {
            Record::Settled(settings) => Self::Settled(Is::of(settings)),
            Record::Pairing { before, snapshot } => Self::Pairing(Is::of(before), noted(snapshot)),
            Record::Configuring { before, snapshot } => {
                Self::Configuring(Is::of(before), noted(snapshot))
            }
        }
    }

    pub(crate) fn record(self) -> Option<Record> {
        let snapshot = |noted| if noted { the_snapshot() } else { Snapshot::default() };
        Some(match self {
            Self::Empty => return None,
            Self::Settled(is) => Record::Settled(is.settings()),
            Self::Pairing(before, noted) => {
                Record::Pairing { before: before.settings(), snapshot: snapshot(noted) }
            }
            Self::Configuring(before, noted) => {
                Record::Configuring { before: before.settings(), snapshot: snapshot(noted) }
            }
        })
    }

    /// What the device boots with, and whether the driver gets its snapshot back.
    pub(crate) fn recovered(self, after_failure: AfterFailure) -> (Is, bool) {
        match self {
            Self::Empty => (Is::FACTORY, false),
            Self::Settled(is) => (is, false),
            Self::Pairing(before, noted) => (before.after_failure(after_failure), noted),
            Self::Configuring(before, noted) => (before, noted),
        }
    }
}

/// The driver's snapshot in this model: there is one, and it is not empty.
pub(crate) fn the_snapshot() -> Snapshot {
    Snapshot::new(b"noted").expect("short enough")
}

fn noted(snapshot: &Snapshot) -> bool {
    *snapshot == the_snapshot()
}

/// What the machine wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Do {
    Rest,
    Pause,
    Note,
    Save(Disk),
    Apply(Is, bool),
    Pair,
    Join(Is, bool),
}

impl Do {
    /// And until when.
    pub(crate) fn of(command: &Command) -> (Self, Option<Instant>) {
        match command {
            Command::Idle => (Self::Rest, None),
            Command::Pause(until) => (Self::Pause, Some(*until)),
            Command::Snapshot(until) => (Self::Note, Some(*until)),
            Command::Save(record, until) => (Self::Save(Disk::of(record)), Some(*until)),
            Command::Apply(settings, snapshot, until) => {
                (Self::Apply(Is::of(settings), noted(snapshot)), Some(*until))
            }
            Command::Pair { until, .. } => (Self::Pair, Some(*until)),
            Command::Join(network, snapshot, until) => {
                (Self::Join(Is::station(network), noted(snapshot)), Some(*until))
            }
        }
    }

    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Pause => "pause",
            Self::Note => "note",
            Self::Save(_) => "save",
            Self::Apply(..) => "apply",
            Self::Pair => "pair",
            Self::Join(..) => "join",
        }
    }

    /// Whether `input` is an answer to it.
    pub(crate) fn is_answered_by(self, input: In) -> bool {
        match input {
            In::Start | In::Press | In::Configure(_) | In::Cancel => true,
            In::Elapsed => self != Self::Rest,
            In::Lost => self == Self::Rest,
            In::Noted | In::NoteFailed => self == Self::Note,
            In::Saved | In::SaveFailed => matches!(self, Self::Save(_)),
            In::Applied | In::ApplyFailed | In::ApplyAbsent => matches!(self, Self::Apply(..)),
            In::OfferedA | In::OfferedBoth | In::RouterLost | In::Overlap => self == Self::Pair,
            In::Joined | In::WrongKey | In::JoinAbsent => matches!(self, Self::Join(..)),
        }
    }
}

/// What a requester over Wi-Fi needs to receive its answer.
pub(crate) const PARTING: Duration = Duration::from_millis(500);

/// What can happen to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum In {
    /// By somebody who needs time to receive the answer.
    Start,
    /// By a button.
    Press,
    Configure(Is),
    Cancel,
    Elapsed,
    Lost,
    Noted,
    NoteFailed,
    Saved,
    SaveFailed,
    Applied,
    ApplyFailed,
    ApplyAbsent,
    OfferedA,
    OfferedBoth,
    RouterLost,
    Overlap,
    Joined,
    WrongKey,
    JoinAbsent,
}

impl In {
    /// Everything that is no request.
    pub(crate) const ANSWERS: [Self; 16] = [
        Self::Elapsed,
        Self::Lost,
        Self::Noted,
        Self::NoteFailed,
        Self::Saved,
        Self::SaveFailed,
        Self::Applied,
        Self::ApplyFailed,
        Self::ApplyAbsent,
        Self::OfferedA,
        Self::OfferedBoth,
        Self::RouterLost,
        Self::Overlap,
        Self::Joined,
        Self::WrongKey,
        Self::JoinAbsent,
    ];
    /// To a network, to an access point, to off.
    pub(crate) const CONFIGURE: [Self; 3] =
        [Self::Configure(Is::StationB), Self::Configure(Is::Hotspot), Self::Configure(Is::Off)];

    pub(crate) fn input(self) -> Input {
        let (a, b) = (net(b"network A"), net(b"network B"));
        match self {
            Self::Start => Input::Start { reply_grace: PARTING },
            Self::Press => Input::Start { reply_grace: Duration::ZERO },
            Self::Configure(to) => {
                let reply_grace = Duration::from_millis(100);
                Input::Configure { settings: to.settings(), reply_grace }
            }
            Self::Cancel => Input::Cancel,
            Self::Elapsed => Input::Elapsed,
            Self::Lost => Input::ConfigLost,
            Self::Noted => Input::SnapshotTaken(Ok(the_snapshot())),
            Self::NoteFailed => Input::SnapshotTaken(Err(ErrorKind::NoDevice)),
            Self::Saved => Input::Saved(Ok(())),
            Self::SaveFailed => Input::Saved(Err(())),
            Self::Applied => Input::Applied(Ok(())),
            Self::ApplyFailed => Input::Applied(Err(ErrorKind::Other)),
            Self::ApplyAbsent => Input::Applied(Err(ErrorKind::NoDevice)),
            Self::OfferedA => Input::Offered(Ok(Offer::from(a))),
            Self::OfferedBoth => Input::Offered(Ok(Offer::new([a, b]).expect("two"))),
            Self::RouterLost => Input::Offered(Err(ErrorKind::RouterLost)),
            Self::Overlap => Input::Offered(Err(ErrorKind::Overlap)),
            Self::Joined => Input::Joined(Ok(())),
            Self::WrongKey => Input::Joined(Err(ErrorKind::WrongKey)),
            Self::JoinAbsent => Input::Joined(Err(ErrorKind::NoDevice)),
        }
    }
}

/// When it happens. Everything starts at 0; while the window is open it is second 10, so that a
/// deadline that were set anew would be another one; then it is the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum When {
    AtFirst,
    Inside,
    Closed,
}

pub(crate) const INSIDE: Instant = Instant::from_millis(10_000);

/// Every kind of failure that a driver may report.
pub(crate) const KINDS: [ErrorKind; 14] = [
    ErrorKind::Overlap,
    ErrorKind::Refused,
    ErrorKind::RouterBusy,
    ErrorKind::RouterLost,
    ErrorKind::Insecure,
    ErrorKind::WrongKey,
    ErrorKind::NotFound,
    ErrorKind::Unsupported,
    ErrorKind::NoDevice,
    ErrorKind::Blocked,
    ErrorKind::ManagedByOther,
    ErrorKind::NotPermitted,
    ErrorKind::NoResponse,
    ErrorKind::Other,
];
