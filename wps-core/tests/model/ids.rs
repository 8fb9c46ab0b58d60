//! Small copies of the values that the model uses, so that worlds are small and paths are easy to
//! read. Also states the rules of the specification a second time.

use std::time::Duration;

use wps_core::command::{Command, Input};
use wps_core::driver::Offer;
use wps_core::{
    AccessPoint, AfterFailure, Cause, Credentials, ErrorKind, Instant, Record, Settings, Snapshot,
};
use wps_testkit::network;

/// The settings that the model uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SettingsId {
    Platform,
    StationOld,
    StationA,
    StationB,
    Hotspot,
    HotspotOld,
    Off,
    OffOld,
    /// Settings that nobody requested.
    Unknown,
}

impl SettingsId {
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
    /// The settings of a device that was never set up.
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
            Self::Unknown => unreachable!("nobody requested it"),
        }
    }

    pub(crate) fn of(settings: &Settings) -> Self {
        Self::ALL.into_iter().find(|it| &it.settings() == settings).unwrap_or(Self::Unknown)
    }

    fn station(network: &Credentials) -> Self {
        Self::of(&Settings::Station { network: network.clone() })
    }

    /// Applies the failure rule of the specification.
    pub(crate) fn after_failure(self, after_failure: AfterFailure) -> Self {
        match (self, after_failure) {
            (Self::Hotspot, AfterFailure::AccessPointOff) => Self::Off,
            (Self::HotspotOld, AfterFailure::AccessPointOff) => Self::OffOld,
            _ => self,
        }
    }
}

/// Returns a network whose key is its name.
fn net(name: &[u8]) -> Credentials {
    network(name, name)
}

/// The contents of the disk. The flag of a journal says whether it holds the driver's snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Disk {
    Empty,
    Settled(SettingsId),
    Pairing(SettingsId, bool),
    Configuring(SettingsId, bool),
}

impl Disk {
    pub(crate) fn of(record: &Record) -> Self {
        match record {
            Record::Settled(settings) => Self::Settled(SettingsId::of(settings)),
            Record::Pairing { before, snapshot } => {
                Self::Pairing(SettingsId::of(before), has_snapshot(snapshot))
            }
            Record::Configuring { before, snapshot } => {
                Self::Configuring(SettingsId::of(before), has_snapshot(snapshot))
            }
        }
    }

    pub(crate) fn record(self) -> Option<Record> {
        let snapshot =
            |has_snapshot| if has_snapshot { sample_snapshot() } else { Snapshot::default() };
        Some(match self {
            Self::Empty => return None,
            Self::Settled(settings) => Record::Settled(settings.settings()),
            Self::Pairing(before, has_snapshot) => {
                Record::Pairing { before: before.settings(), snapshot: snapshot(has_snapshot) }
            }
            Self::Configuring(before, has_snapshot) => {
                Record::Configuring { before: before.settings(), snapshot: snapshot(has_snapshot) }
            }
        })
    }

    /// Returns the settings that the device boots with, and whether the driver gets its snapshot
    /// back.
    pub(crate) fn recover(self, after_failure: AfterFailure) -> (SettingsId, bool) {
        match self {
            Self::Empty => (SettingsId::FACTORY, false),
            Self::Settled(settings) => (settings, false),
            Self::Pairing(before, has_snapshot) => {
                (before.after_failure(after_failure), has_snapshot)
            }
            Self::Configuring(before, has_snapshot) => (before, has_snapshot),
        }
    }
}

/// Returns the driver's snapshot. The model uses a single one, which is not empty.
pub(crate) fn sample_snapshot() -> Snapshot {
    Snapshot::new(b"noted").expect("short enough")
}

fn has_snapshot(snapshot: &Snapshot) -> bool {
    *snapshot == sample_snapshot()
}

/// A command of the machine, without its deadline. The flags say whether the command carries the
/// driver's snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CommandId {
    Idle,
    Pause,
    Snapshot,
    Save(Disk),
    Apply(SettingsId, bool),
    Pair,
    Join(SettingsId, bool),
}

impl CommandId {
    /// Returns the command and its deadline.
    pub(crate) fn of(command: &Command) -> (Self, Option<Instant>) {
        match command {
            Command::Idle(_) => (Self::Idle, None),
            Command::Pause(until) => (Self::Pause, Some(*until)),
            Command::Snapshot { until, .. } => (Self::Snapshot, Some(*until)),
            Command::Save(record, until) => (Self::Save(Disk::of(record)), Some(*until)),
            Command::Apply(settings, snapshot, until) => {
                (Self::Apply(SettingsId::of(settings), has_snapshot(snapshot)), Some(*until))
            }
            Command::Pair { until, .. } => (Self::Pair, Some(*until)),
            Command::Join(network, snapshot, until) => {
                (Self::Join(SettingsId::station(network), has_snapshot(snapshot)), Some(*until))
            }
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Pause => "pause",
            Self::Snapshot => "snapshot",
            Self::Save(_) => "save",
            Self::Apply(..) => "apply",
            Self::Pair => "pair",
            Self::Join(..) => "join",
        }
    }

    /// Returns whether `input` is a request or an answer to this command.
    pub(crate) fn accepts(self, input: InputId) -> bool {
        match input {
            InputId::StartOverWifi
            | InputId::StartByButton
            | InputId::Configure(_)
            | InputId::Cancel
            | InputId::WaitElapsed => true,
            InputId::Elapsed => self != Self::Idle,
            InputId::ConfigLost | InputId::KeyRefused | InputId::KeyAccepted => self == Self::Idle,
            InputId::SnapshotTaken | InputId::SnapshotFailed => self == Self::Snapshot,
            InputId::Saved | InputId::SaveFailed => matches!(self, Self::Save(_)),
            InputId::Applied | InputId::ApplyFailed | InputId::ApplyNoDevice => {
                matches!(self, Self::Apply(..))
            }
            InputId::SearchElapsed
            | InputId::OfferedA
            | InputId::OfferedBoth
            | InputId::RouterLost
            | InputId::Refused
            | InputId::Overlap => self == Self::Pair,
            InputId::Joined | InputId::WrongKey | InputId::JoinNoDevice => {
                matches!(self, Self::Join(..))
            }
        }
    }
}

/// The time that a requester over Wi-Fi needs to receive its reply.
pub(crate) const REPLY_GRACE_DELAY: Duration = Duration::from_millis(500);

/// An input to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum InputId {
    /// A start by a requester that needs [`REPLY_GRACE_DELAY`].
    StartOverWifi,
    /// A start by the device's button, without a reply grace.
    StartByButton,
    Configure(SettingsId),
    Cancel,
    Elapsed,
    SearchElapsed,
    /// A request has waited too long. Not an answer to a command.
    WaitElapsed,
    ConfigLost,
    KeyRefused,
    KeyAccepted,
    SnapshotTaken,
    SnapshotFailed,
    Saved,
    SaveFailed,
    Applied,
    ApplyFailed,
    ApplyNoDevice,
    OfferedA,
    OfferedBoth,
    RouterLost,
    Refused,
    Overlap,
    Joined,
    WrongKey,
    JoinNoDevice,
}

impl InputId {
    /// All inputs except the requests and [`Self::WaitElapsed`].
    pub(crate) const ANSWERS: [Self; 20] = [
        Self::Elapsed,
        Self::SearchElapsed,
        Self::ConfigLost,
        Self::KeyRefused,
        Self::KeyAccepted,
        Self::SnapshotTaken,
        Self::SnapshotFailed,
        Self::Saved,
        Self::SaveFailed,
        Self::Applied,
        Self::ApplyFailed,
        Self::ApplyNoDevice,
        Self::OfferedA,
        Self::OfferedBoth,
        Self::RouterLost,
        Self::Refused,
        Self::Overlap,
        Self::Joined,
        Self::WrongKey,
        Self::JoinNoDevice,
    ];
    /// Changes to a network, to an access point and to off.
    pub(crate) const CONFIGURE: [Self; 3] = [
        Self::Configure(SettingsId::StationB),
        Self::Configure(SettingsId::Hotspot),
        Self::Configure(SettingsId::Off),
    ];

    pub(crate) fn input(self) -> Input {
        let (a, b) = (net(b"network A"), net(b"network B"));
        match self {
            Self::StartOverWifi => Input::Start { reply_grace: REPLY_GRACE_DELAY, only: None },
            Self::StartByButton => Input::Start { reply_grace: Duration::ZERO, only: None },
            Self::Configure(to) => {
                let reply_grace = Duration::from_millis(100);
                Input::Configure { settings: to.settings(), reply_grace }
            }
            Self::Cancel => Input::Cancel,
            Self::Elapsed => Input::Elapsed,
            Self::SearchElapsed => Input::SearchElapsed(Cause::NotPressed),
            Self::WaitElapsed => Input::WaitElapsed,
            Self::ConfigLost => Input::ConfigLost,
            Self::KeyRefused => Input::KeyRefused,
            Self::KeyAccepted => Input::KeyAccepted,
            Self::SnapshotTaken => Input::SnapshotTaken(Ok(sample_snapshot())),
            Self::SnapshotFailed => Input::SnapshotTaken(Err(ErrorKind::NoDevice)),
            Self::Saved => Input::Saved(Ok(())),
            Self::SaveFailed => Input::Saved(Err(())),
            Self::Applied => Input::Applied(Ok(())),
            Self::ApplyFailed => Input::Applied(Err(ErrorKind::Other)),
            Self::ApplyNoDevice => Input::Applied(Err(ErrorKind::NoDevice)),
            Self::OfferedA => Input::Offered(Ok(Offer::from(a))),
            Self::OfferedBoth => Input::Offered(Ok(Offer::new([a, b]).expect("two"))),
            Self::RouterLost => Input::Offered(Err(ErrorKind::RouterLost)),
            Self::Refused => Input::Offered(Err(ErrorKind::Refused)),
            Self::Overlap => Input::Offered(Err(ErrorKind::Overlap)),
            Self::Joined => Input::Joined(Ok(())),
            Self::WrongKey => Input::Joined(Err(ErrorKind::WrongKey)),
            Self::JoinNoDevice => Input::Joined(Err(ErrorKind::NoDevice)),
        }
    }
}

/// The time of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TimePoint {
    /// Second 0, when a task starts.
    Start,
    /// [`IN_WINDOW`], while the window is open.
    InWindow,
    /// The deadline, when the window closes.
    Deadline,
}

/// A time inside every window. It differs from the start, so a deadline that is set a second time
/// is noticed.
pub(crate) const IN_WINDOW: Instant = Instant::from_millis(10_000);
