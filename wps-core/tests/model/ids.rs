//! Small copies of the values that the model uses, so that worlds are small and paths are easy to
//! read. Also states the rules of the specification a second time.

use std::time::Duration;

use wps_core::command::{Command, Input};
use wps_core::driver::Offer;
use wps_core::{
    AccessPoint, AfterFailure, Cause, Credentials, ErrorKind, Instant, KeptBy, KeptId, Record,
    Secret, Settings, Snapshot,
};
use wps_testkit::network;

/// The number of an identifier under which a platform keeps a network, or of a driver's snapshot.
pub(crate) type Id = u8;

/// The number of identifiers: one that the record names, and one that an attempt uses. If it was in
/// vain, the next attempt may use it again, for another network. A driver never does that.
pub(crate) const IDS: usize = 2;

/// The name of a network that the model uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    Old,
    A,
    B,
}

/// A network, with its key or with the identifier under which the platform keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NetworkId {
    pub(crate) name: Name,
    pub(crate) kept: Option<Id>,
}

impl NetworkId {
    pub(crate) const fn with_key(name: Name) -> Self {
        Self { name, kept: None }
    }

    pub(crate) const fn kept(name: Name, id: Id) -> Self {
        Self { name, kept: Some(id) }
    }

    fn credentials(self) -> Credentials {
        let name: &[u8] = match self.name {
            Name::Old => b"old network",
            Name::A => b"network A",
            Name::B => b"network B",
        };
        let network = network(name, name); // the key is the name
        match self.kept {
            None => network,
            Some(id) => Credentials { secret: Secret::Kept(kept_id(id)), ..network },
        }
    }

    fn of(network: &Credentials) -> Option<Self> {
        let kept = network.secret.kept_id().map(|id| id.0[0]);
        let all = [Name::Old, Name::A, Name::B].map(|name| Self { name, kept });
        all.into_iter().find(|it| it.credentials() == *network)
    }
}

/// Returns the identifier with this number.
fn kept_id(id: Id) -> KeptId {
    KeptId([id; 16])
}

/// The settings that the model uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SettingsId {
    Platform,
    Station(NetworkId),
    /// An access point, with the network that it remembers.
    Hotspot(Option<NetworkId>),
    /// Off, with the network that is remembered.
    Off(Option<NetworkId>),
    /// Settings that nobody requested.
    Unknown,
}

/// The network of a device that was set up, on a platform that keeps no networks.
const OLD: NetworkId = NetworkId::with_key(Name::Old);
/// The same, on a platform that keeps networks.
const OLD_KEPT: NetworkId = NetworkId::kept(Name::Old, 0);

impl SettingsId {
    /// The settings that a device may have had for long, on either platform.
    pub(crate) fn initial(platform: Platform) -> Vec<Self> {
        let station = |name| Self::Station(NetworkId::with_key(name));
        let network = match platform {
            Platform::KeepsNothing => OLD,
            Platform::KeepsNetworks => OLD_KEPT,
        };
        let mut initial = vec![
            Self::Platform,
            Self::Station(network),
            Self::Hotspot(None),
            Self::Hotspot(Some(network)),
            Self::Off(None),
            Self::Off(Some(network)),
        ];
        if platform == Platform::KeepsNothing {
            initial.extend([Name::A, Name::B].map(station));
        }
        initial
    }

    /// The settings of a device that was never set up.
    pub(crate) const FACTORY: Self = Self::Hotspot(None);

    pub(crate) fn settings(self) -> Settings {
        match self {
            Self::Platform => Settings::Platform,
            Self::Station(network) => Settings::Station { network: network.credentials() },
            Self::Hotspot(remembered) => {
                let network = network(b"own network", b"own network");
                let access_point = AccessPoint { network, channel: None };
                let remembered = remembered.map(NetworkId::credentials);
                Settings::AccessPoint { access_point, remembered }
            }
            Self::Off(remembered) => {
                Settings::Off { remembered: remembered.map(NetworkId::credentials) }
            }
            Self::Unknown => unreachable!("nobody requested it"),
        }
    }

    pub(crate) fn of(settings: &Settings) -> Self {
        let remembered = settings.network().and_then(NetworkId::of);
        let candidates = [
            Some(Self::Platform),
            remembered.map(Self::Station),
            Some(Self::Hotspot(remembered)),
            Some(Self::Off(remembered)),
        ];
        let mut candidates = candidates.into_iter().flatten();
        candidates.find(|it| it.settings() == *settings).unwrap_or(Self::Unknown)
    }

    /// Returns the network that the device is paired with, in use or remembered.
    pub(crate) fn network(self) -> Option<NetworkId> {
        match self {
            Self::Platform | Self::Unknown => None,
            Self::Station(network) => Some(network),
            Self::Hotspot(remembered) | Self::Off(remembered) => remembered,
        }
    }

    /// Returns the network that the platform must have for these settings, and its identifier.
    pub(crate) fn kept(self) -> Option<(Id, Name)> {
        let network = self.network()?;
        Some((network.kept?, network.name))
    }

    /// Applies the failure rule of the specification.
    pub(crate) fn after_failure(self, after_failure: AfterFailure) -> Self {
        match (self, after_failure) {
            (Self::Hotspot(remembered), AfterFailure::AccessPointOff) => Self::Off(remembered),
            _ => self,
        }
    }

    /// Returns the settings after somebody has removed the network from the platform.
    pub(crate) fn after_removal(self) -> Self {
        match self {
            Self::Platform | Self::Station(_) => Self::Platform,
            Self::Hotspot(_) => Self::Hotspot(None),
            Self::Off(_) => Self::Off(None),
            Self::Unknown => Self::Unknown,
        }
    }
}

/// What a platform does with the networks of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Platform {
    KeepsNothing,
    KeepsNetworks,
}

/// The contents of the disk. A journal holds the driver's snapshot, or `None` if it is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Disk {
    Empty,
    Settled(SettingsId),
    Pairing(SettingsId, Option<Id>),
    Configuring(SettingsId, Option<Id>),
}

impl Disk {
    pub(crate) fn of(record: &Record) -> Self {
        match record {
            Record::Settled(settings) => Self::Settled(SettingsId::of(settings)),
            Record::Pairing { before, snapshot } => {
                Self::Pairing(SettingsId::of(before), id_in(snapshot))
            }
            Record::Configuring { before, snapshot } => {
                Self::Configuring(SettingsId::of(before), id_in(snapshot))
            }
        }
    }

    pub(crate) fn record(self) -> Option<Record> {
        let snapshot = |id: Option<Id>| id.map_or_else(Snapshot::default, snapshot_with);
        Some(match self {
            Self::Empty => return None,
            Self::Settled(settings) => Record::Settled(settings.settings()),
            Self::Pairing(before, id) => {
                Record::Pairing { before: before.settings(), snapshot: snapshot(id) }
            }
            Self::Configuring(before, id) => {
                Record::Configuring { before: before.settings(), snapshot: snapshot(id) }
            }
        })
    }

    /// Returns the settings that the device boots with, and the snapshot that the driver gets back.
    pub(crate) fn recover(self, after_failure: AfterFailure) -> (SettingsId, Option<Id>) {
        match self {
            Self::Empty => (SettingsId::FACTORY, None),
            Self::Settled(settings) => (settings, None),
            Self::Pairing(before, id) => (before.after_failure(after_failure), id),
            Self::Configuring(before, id) => (before, id),
        }
    }
}

/// Returns the driver's snapshot with this number. It is not empty.
fn snapshot_with(id: Id) -> Snapshot {
    Snapshot::new(&[id]).expect("short enough")
}

fn id_in(snapshot: &Snapshot) -> Option<Id> {
    snapshot.as_bytes().first().copied()
}

/// A command of the machine, without its deadline. The numbers are those of the driver's snapshot,
/// or `None` if the command does not carry one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CommandId {
    Idle,
    Pause,
    Snapshot,
    Save(Disk),
    Apply(SettingsId, Option<Id>),
    Pair,
    Join(SettingsId, Option<Id>),
    Keep(SettingsId, Option<Id>),
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
                (Self::Apply(SettingsId::of(settings), id_in(snapshot)), Some(*until))
            }
            Command::Pair { until, .. } => (Self::Pair, Some(*until)),
            Command::Join(network, snapshot, until) => {
                (Self::Join(station(network), id_in(snapshot)), Some(*until))
            }
            Command::Keep(network, snapshot, until) => {
                (Self::Keep(station(network), id_in(snapshot)), Some(*until))
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
            Self::Keep(..) => "keep",
        }
    }

    /// Returns whether the driver gets a snapshot that is not empty.
    pub(crate) fn has_snapshot(self) -> bool {
        match self {
            Self::Apply(_, snapshot) | Self::Join(_, snapshot) | Self::Keep(_, snapshot) => {
                snapshot.is_some()
            }
            Self::Idle | Self::Pause | Self::Snapshot | Self::Save(_) | Self::Pair => false,
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
            InputId::ConfigLost
            | InputId::KeyRefused
            | InputId::KeyAccepted
            | InputId::NetworkRemoved => self == Self::Idle,
            InputId::SnapshotTaken(_) | InputId::SnapshotFailed => self == Self::Snapshot,
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
            InputId::KeptByRecord | InputId::KeptByPlatform(_) | InputId::KeepFailed => {
                matches!(self, Self::Keep(..))
            }
        }
    }
}

fn station(network: &Credentials) -> SettingsId {
    SettingsId::of(&Settings::Station { network: network.clone() })
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
    NetworkRemoved,
    SnapshotTaken(Id),
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
    KeptByRecord,
    KeptByPlatform(Id),
    KeepFailed,
}

impl InputId {
    /// All inputs except the requests and [`Self::WaitElapsed`].
    pub(crate) const ANSWERS: [Self; 24] = [
        Self::Elapsed,
        Self::SearchElapsed,
        Self::ConfigLost,
        Self::KeyRefused,
        Self::KeyAccepted,
        Self::NetworkRemoved,
        Self::SnapshotTaken(0),
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
        Self::KeptByRecord,
        Self::KeptByPlatform(0),
        Self::KeepFailed,
    ];
    /// Changes to a network, to an access point and to off.
    pub(crate) const CONFIGURE: [Self; 3] = [
        Self::Configure(SettingsId::Station(NetworkId::with_key(Name::B))),
        Self::Configure(SettingsId::Hotspot(None)),
        Self::Configure(SettingsId::Off(None)),
    ];

    pub(crate) fn input(self) -> Input {
        let [a, b] = [Name::A, Name::B].map(|name| NetworkId::with_key(name).credentials());
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
            Self::NetworkRemoved => Input::NetworkRemoved,
            Self::SnapshotTaken(id) => Input::SnapshotTaken(Ok(snapshot_with(id))),
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
            Self::KeptByRecord => Input::Kept(Ok(KeptBy::Record)),
            Self::KeptByPlatform(id) => Input::Kept(Ok(KeptBy::Platform(kept_id(id)))),
            Self::KeepFailed => Input::Kept(Err(ErrorKind::Other)),
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
