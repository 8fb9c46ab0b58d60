//! The commands that the [`Machine`](crate::Machine) gives to its runner, the inputs that it takes
//! back, and the time limit of each command.
//!
//! [`Command`] and [`Input`] are not `#[non_exhaustive]`: a runner that does not execute every
//! command must not compile.

use core::time::Duration;

use crate::driver::{ErrorKind, IdleEvent, KeptBy, Offer};
use crate::record::Record;
use crate::settings::{Credentials, Settings, Snapshot};
use crate::status::{Cause, TaskKind};
use crate::time::Instant;
use crate::wsc::Bssid;

/// The time from the start of a pairing to the joined network: the walk time of the standard.
pub const PAIRING_WINDOW: Duration = Duration::from_secs(120);
/// The time from the start of a change of settings to the joined network.
pub const CONFIGURE_WINDOW: Duration = Duration::from_secs(30);
/// The time for one try to join one network.
pub const JOIN_TIMEOUT: Duration = Duration::from_secs(20);
/// The delay before a network that has refused the key or the device is tried once more. The router
/// may still be switching to the key.
pub const KEY_RETRY_DELAY: Duration = Duration::from_secs(5);
/// The time that a request waits while settings are being restored. It is refused as busy after
/// that.
pub const REQUEST_WAIT_TIMEOUT: Duration = Duration::from_secs(5);
/// The time for the driver to record what must be restored.
pub const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(5);
/// The time for the driver to make the radio match the settings.
pub const APPLY_TIMEOUT: Duration = Duration::from_secs(15);
/// The time for the driver to make the platform keep a network.
pub const KEEP_TIMEOUT: Duration = Duration::from_secs(10);
/// The time for the store to save a record.
pub const SAVE_TIMEOUT: Duration = Duration::from_secs(10);
/// The delay between two tries inside the window, and the first delay between two tries to restore.
pub const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The longest delay between two tries to restore. The delay starts at [`RETRY_DELAY`] and doubles.
pub const MAX_RETRY_DELAY: Duration = Duration::from_secs(16);

/// What the runner has to do now. [`Machine::command`](crate::Machine::command) returns the same
/// command until the runner has answered it.
///
/// At the command's instant the runner must stop waiting and answer [`Input::Elapsed`], or
/// [`Input::SearchElapsed`] to [`Command::Pair`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Wait for a request, and look after the link with these settings
    /// ([`WifiDriver::maintain`](crate::WifiDriver::maintain)).
    Idle(Settings),
    /// Wait until this instant.
    Pause(Instant),
    /// Record what must be restored later ([`WifiDriver::snapshot`](crate::WifiDriver::snapshot)).
    Snapshot {
        /// The task that is about to start. Before a pairing, the driver is asked
        /// [whether it can pair](crate::WifiDriver::check_pairing).
        task: TaskKind,
        /// The only access point to pair with. If the driver
        /// [cannot do that](crate::WifiDriver::can_pair_with_one), the answer is
        /// [`ErrorKind::Unsupported`].
        only: Option<Bssid>,
        /// When the runner must stop.
        until: Instant,
    },
    /// Save this record.
    Save(Record, Instant),
    /// Make the radio match these settings.
    Apply(Settings, Snapshot, Instant),
    /// Pair with a router whose button was pressed.
    ///
    /// If the window closes, the answer is [`Input::SearchElapsed`].
    Pair {
        /// The only access point to pair with.
        only: Option<Bssid>,
        /// The end of the window.
        until: Instant,
        /// The earliest instant at which the radio may leave its network, or stop its access point.
        /// The requester has had time to receive its reply by then.
        disconnect_after: Instant,
    },
    /// Join this network.
    Join(Credentials, Snapshot, Instant),
    /// Make the platform keep this network, which was joined, if the platform keeps networks.
    Keep(Credentials, Snapshot, Instant),
}

impl Command {
    /// Returns when the runner must stop waiting, or `None` if it never must.
    pub(crate) fn until(&self) -> Option<Instant> {
        match self {
            Self::Idle(_) => None,
            Self::Pause(until)
            | Self::Snapshot { until, .. }
            | Self::Save(_, until)
            | Self::Apply(_, _, until)
            | Self::Pair { until, .. }
            | Self::Join(_, _, until)
            | Self::Keep(_, _, until) => Some(*until),
        }
    }
}

/// An event for the machine: a request, the end of a wait, or the answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A user pressed the button or sent a request to pair.
    Start {
        /// How long the requester needs to receive its reply before the radio leaves its network.
        reply_grace: Duration,
        /// The only access point to pair with, or `None` for any.
        only: Option<Bssid>,
    },
    /// The host application requested other settings.
    Configure {
        /// The requested settings.
        settings: Settings,
        /// How long the requester needs to receive its reply before the radio is reconfigured.
        reply_grace: Duration,
    },
    /// A user cancelled the pairing or the change of settings.
    Cancel,
    /// The instant of the current command has been reached.
    Elapsed,
    /// The window has closed during [`Command::Pair`]. The cause is that of the furthest progress
    /// in this window.
    SearchElapsed(Cause),
    /// The instant of [`Machine::request_waits_until`](crate::Machine::request_waits_until) has
    /// been reached.
    WaitElapsed,
    /// The radio has lost the settings in force, so they must be applied again.
    ConfigLost,
    /// The network in use no longer accepts its key.
    KeyRefused,
    /// The network in use accepts its key again.
    KeyAccepted,
    /// The platform no longer has the network that it kept.
    NetworkRemoved,
    /// The answer to [`Command::Snapshot`].
    SnapshotTaken(Result<Snapshot, ErrorKind>),
    /// The answer to [`Command::Save`].
    Saved(Result<(), ()>),
    /// The answer to [`Command::Apply`].
    Applied(Result<(), ErrorKind>),
    /// The answer to [`Command::Pair`].
    Offered(Result<Offer, ErrorKind>),
    /// The answer to [`Command::Join`].
    Joined(Result<(), ErrorKind>),
    /// The answer to [`Command::Keep`].
    Kept(Result<KeptBy, ErrorKind>),
}

impl From<IdleEvent> for Input {
    fn from(event: IdleEvent) -> Self {
        match event {
            IdleEvent::ConfigLost => Self::ConfigLost,
            IdleEvent::KeyRefused => Self::KeyRefused,
            IdleEvent::KeyAccepted => Self::KeyAccepted,
            IdleEvent::NetworkRemoved => Self::NetworkRemoved,
        }
    }
}

impl Input {
    /// Returns the name of the variant, for the log: small, and without secrets.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "Start",
            Self::Configure { .. } => "Configure",
            Self::Cancel => "Cancel",
            Self::Elapsed => "Elapsed",
            Self::SearchElapsed(_) => "SearchElapsed",
            Self::WaitElapsed => "WaitElapsed",
            Self::ConfigLost => "ConfigLost",
            Self::KeyRefused => "KeyRefused",
            Self::KeyAccepted => "KeyAccepted",
            Self::NetworkRemoved => "NetworkRemoved",
            Self::SnapshotTaken(_) => "SnapshotTaken",
            Self::Saved(_) => "Saved",
            Self::Applied(_) => "Applied",
            Self::Offered(_) => "Offered",
            Self::Joined(_) => "Joined",
            Self::Kept(_) => "Kept",
        }
    }
}

/// The reason why a request was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RequestError {
    /// Another task is running, or the settings are still being restored after the last one.
    #[error("the device is busy; try again in a second")]
    Busy,
    /// The task ended before the radio was touched.
    #[error("not started: {0}")]
    Failed(Cause),
}
