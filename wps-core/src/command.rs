//! What the machine wants done and what it is told: the words between [`Machine`](crate::Machine)
//! and its runner, and the time limits of each.

use core::time::Duration;

use crate::driver::{ErrorKind, Offer};
use crate::record::Record;
use crate::settings::{Credentials, Settings, Snapshot};
use crate::status::Cause;
use crate::time::Instant;

/// From the start of a pairing to the joined network: the walk time of the standard.
pub const PAIRING_WINDOW: Duration = Duration::from_secs(120);
/// From the start of a change of settings to the joined network.
pub const CONFIGURE_WINDOW: Duration = Duration::from_secs(30);
/// One try to join one network.
pub const JOIN_TIMEOUT: Duration = Duration::from_secs(20);
/// The driver's time to note what must be put back.
pub const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(5);
/// The driver's time to make the radio match the settings.
pub const APPLY_TIMEOUT: Duration = Duration::from_secs(15);
/// The store's time to save.
pub const SAVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two tries inside the window, and the first pause while putting things back.
pub const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The longest pause while putting things back, which doubles from [`RETRY_DELAY`].
pub const MAX_RETRY_DELAY: Duration = Duration::from_secs(16);

/// What the machine wants done now: at most one thing, and the same thing until it is answered.
/// The instant is when the runner must stop waiting and answer [`Input::Elapsed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Nothing: wait for a request, or until the radio has
    /// [lost](crate::WifiDriver::lost) its settings.
    Idle,
    /// Wait until then.
    Pause(Instant),
    /// Note what must be put back ([`WifiDriver::snapshot`](crate::WifiDriver::snapshot)).
    Snapshot(Instant),
    /// Save this record.
    Save(Record, Instant),
    /// Make the radio match these settings.
    Apply(Settings, Snapshot, Instant),
    /// Pair.
    Pair {
        /// When the window closes.
        until: Instant,
        /// When the radio may leave its network, or stop its access point: whoever asked has had the time
        /// to receive the answer.
        leave: Instant,
    },
    /// Join this network.
    Join(Credentials, Snapshot, Instant),
}

impl Command {
    /// When to stop and answer [`Input::Elapsed`]; none: never.
    pub(crate) fn until(&self) -> Option<Instant> {
        match self {
            Self::Idle => None,
            Self::Pause(until)
            | Self::Snapshot(until)
            | Self::Save(_, until)
            | Self::Apply(_, _, until)
            | Self::Pair { until, .. }
            | Self::Join(_, _, until) => Some(*until),
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Somebody pressed the button or posted a request.
    Start {
        /// How long the requester needs to receive its answer before the radio leaves its network.
        reply_grace: Duration,
    },
    /// The host application wants other settings.
    Configure {
        /// The settings wanted.
        settings: Settings,
        /// How long the requester needs to receive its answer before the radio moves.
        reply_grace: Duration,
    },
    /// Somebody wants the pairing to end.
    Cancel,
    /// The instant of the current command has come.
    Elapsed,
    /// The radio does not know the settings in force any more: to be applied again.
    ConfigLost,
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
}

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RequestError {
    /// Something else is under way, or the last pairing is still being put back.
    #[error("the device is busy; try again in a second")]
    Busy,
    /// It ended before the radio was touched.
    #[error("not started: {0}")]
    Failed(Cause),
}
