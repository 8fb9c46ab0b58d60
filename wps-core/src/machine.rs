//! The pairing machine: its state, the command that each state gives, and the transitions.
//!
//! `docs/machine.svg` draws it. These are the states that a task passes through, and all
//! transitions. An input that is not in the table leaves the machine as it is.
//!
// Generated. To update it: UPDATE_DIAGRAM=1 cargo test -p wps-core --test model
//! ```text
//! boot                 Restoring → Idle
//! boot after power cut Restoring → Closing → Idle
//! pairing              Snapshotting → Journaling → Searching → Joining → Keeping → Saving → Idle
//! failed pairing       Snapshotting → Journaling → Searching → Restoring → Closing → Idle
//! change of network    Snapshotting → Journaling → ReplyGrace → Joining → Keeping → Saving → Idle
//! change of mode       Snapshotting → Journaling → ReplyGrace → Applying → Saving → Idle
//! ```
//!
//! | state        | input                   | next state                  |
//! |--------------|-------------------------|-----------------------------|
//! |              | (boot)                  | Restoring                   |
//! | Idle         | ConfigLost              | Restoring                   |
//! | Idle         | Configure               | Snapshotting                |
//! | Idle         | KeyAccepted             | Idle                        |
//! | Idle         | KeyRefused              | Idle                        |
//! | Idle         | NetworkRemoved          | Restoring                   |
//! | Idle         | Start                   | Snapshotting                |
//! | Snapshotting | Cancel                  | Idle, Restoring             |
//! | Snapshotting | Elapsed                 | Idle, Restoring             |
//! | Snapshotting | SnapshotTaken(Err)      | Idle, Restoring             |
//! | Snapshotting | SnapshotTaken(Ok)       | Journaling                  |
//! | Snapshotting | Start                   | Snapshotting                |
//! | Journaling   | Cancel                  | Restoring, Closing          |
//! | Journaling   | Elapsed                 | Restoring, Closing          |
//! | Journaling   | Saved(Err)              | Restoring, Closing          |
//! | Journaling   | Saved(Ok)               | ReplyGrace, Searching       |
//! | Journaling   | Start                   | Journaling                  |
//! | ReplyGrace   | Cancel                  | Restoring, Closing          |
//! | ReplyGrace   | Elapsed                 | Joining, Applying           |
//! | Searching    | Applied(Err), not final | Searching                   |
//! | Searching    | Applied(Err), final     | Restoring                   |
//! | Searching    | Applied(Ok)             | Searching                   |
//! | Searching    | Cancel                  | Restoring                   |
//! | Searching    | Elapsed, window open    | Searching                   |
//! | Searching    | Elapsed, window closed  | Restoring                   |
//! | Searching    | Offered(Err), not final | Searching, Restoring        |
//! | Searching    | Offered(Err), final     | Restoring                   |
//! | Searching    | Offered(Ok)             | Joining                     |
//! | Searching    | SearchElapsed           | Restoring                   |
//! | Joining      | Cancel                  | Restoring                   |
//! | Joining      | Elapsed, window open    | Joining                     |
//! | Joining      | Elapsed, window closed  | Restoring                   |
//! | Joining      | Joined(Err), not final  | Joining, Restoring          |
//! | Joining      | Joined(Err), final      | Restoring                   |
//! | Joining      | Joined(Ok)              | Keeping, Saving             |
//! | Applying     | Applied(Err)            | Restoring                   |
//! | Applying     | Applied(Ok)             | Saving                      |
//! | Applying     | Cancel                  | Restoring                   |
//! | Applying     | Elapsed                 | Restoring                   |
//! | Keeping      | Elapsed                 | Restoring                   |
//! | Keeping      | Kept(Err)               | Restoring                   |
//! | Keeping      | Kept(Ok)                | Saving                      |
//! | Saving       | Elapsed                 | Restoring                   |
//! | Saving       | Saved(Err)              | Restoring                   |
//! | Saving       | Saved(Ok)               | Idle                        |
//! | Restoring    | Applied(Err)            | Snapshotting, Restoring     |
//! | Restoring    | Applied(Ok)             | Idle, Snapshotting, Closing |
//! | Restoring    | Cancel                  | Restoring                   |
//! | Restoring    | Configure               | Snapshotting, Restoring     |
//! | Restoring    | Elapsed                 | Snapshotting, Restoring     |
//! | Restoring    | Start                   | Snapshotting, Restoring     |
//! | Restoring    | WaitElapsed             | Restoring                   |
//! | Closing      | Cancel                  | Closing                     |
//! | Closing      | Configure               | Closing                     |
//! | Closing      | Elapsed                 | Closing                     |
//! | Closing      | Saved(Err)              | Closing                     |
//! | Closing      | Saved(Ok)               | Idle, Snapshotting          |
//! | Closing      | Start                   | Closing                     |
//! | Closing      | WaitElapsed             | Closing                     |
// End of the generated part.
//!
//! Where an input has several next states, the task or a request that waits decides:
//!
//! * After Journaling, a pairing continues with Searching, a change of settings with ReplyGrace.
//! * After Joining follows Keeping, unless the platform already keeps the network.
//! * After ReplyGrace follows Joining if the new settings name a network, otherwise Applying.
//! * A task that was started from Restoring returns there if it ends before the radio is touched.
//! * After Restoring follows Closing if there is a result: a journal may be on disk.
//! * A request waits until it can start (Snapshotting): until the settings are restored, or until
//!   the first try to restore them has failed. In Idle it starts at once. After
//!   [five seconds](crate::command::REQUEST_WAIT_TIMEOUT) it is refused as busy.
//! * A router that refuses twice in a row, or whose networks all refuse twice in a row,
//!   ends the pairing although neither error is final.
//!
//! An error is final if another try within the window is pointless (`ErrorKind::is_final`).
//!
//! The command is a function of the state, and only an input changes the state:
//!
//! * Snapshotting asks the driver what must be restored later, and Journaling writes the journal.
//!   The radio is touched only after that, so never without a journal on disk.
//! * The requester gets time to receive its reply: the reply grace. During this time a pairing
//!   already scans, but the radio does not leave its network yet. A change of settings waits in
//!   ReplyGrace.
//! * Keeping makes a platform that keeps networks itself keep the one that was joined.
//! * Saving writes the new settings and closes the journal in one save.
//! * Restoring puts the radio back, and Closing closes the journal.
//!
//! While the radio does not accept the settings to restore, Restoring takes requests as Idle does.
//! Otherwise settings that cannot be restored would lock the user out. If such a request fails
//! before it has touched the radio, the machine goes back to Restoring.

mod table;

use core::mem;
use core::time::Duration;

use crate::command::{APPLY_TIMEOUT, Command, Input, RequestError};
use crate::driver::{Offer, SearchProgress};
use crate::record::Record;
use crate::settings::{AfterFailure, Credentials, Secret, Settings, Snapshot};
use crate::status::{Cause, Phase, Status, TaskKind, TaskResult};
use crate::store::Loaded;
use crate::time::Instant;
use crate::wsc::Bssid;
#[cfg(feature = "scan")]
use crate::wsc::PressedRouters;

/// A running pairing or change of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Task {
    kind: TaskKind,
    deadline: Instant,
    /// Why the settings could not be restored, if the task was started from Restoring. Cleared when
    /// the radio is touched: from then on, whatever fails leads to Restoring.
    restore_error: Option<Cause>,
    /// Why the last try inside the window failed. Set only after the radio was touched.
    last_error: Option<Cause>,
    /// Whether the task has joined a network without a key.
    is_open: bool,
}

/// A requested task that waits until the settings are restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Waiting {
    kind: TaskKind,
    until: Instant,
}

/// The state of the machine. It is small, so that a transition copies little: large values stay in
/// place in the [`Machine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Idle {
        last: Option<TaskResult>,
    },
    Snapshotting {
        task: Task,
        until: Instant,
    },
    Journaling {
        task: Task,
        until: Instant,
    },
    ReplyGrace {
        task: Task,
        until: Instant,
    },
    Searching {
        task: Task,
        step: SearchStep,
    },
    /// If `is_retry`, the network has just refused the key or the device, and is tried once more.
    Joining {
        task: Task,
        index: usize,
        is_retry: bool,
        step: Step,
    },
    Applying {
        task: Task,
        until: Instant,
    },
    /// The network of the target was joined, and the platform may keep it.
    Keeping {
        task: Task,
        until: Instant,
    },
    Saving {
        task: Task,
        until: Instant,
    },
    Restoring {
        result: Option<TaskResult>,
        retry: Backoff,
    },
    Closing {
        result: TaskResult,
        retry: Backoff,
    },
}

impl State {
    /// Returns the name of the state, for the log.
    fn name(&self) -> &'static str {
        match self {
            Self::Idle { .. } => "Idle",
            Self::Snapshotting { .. } => "Snapshotting",
            Self::Journaling { .. } => "Journaling",
            Self::ReplyGrace { .. } => "ReplyGrace",
            Self::Searching { .. } => "Searching",
            Self::Joining { .. } => "Joining",
            Self::Applying { .. } => "Applying",
            Self::Keeping { .. } => "Keeping",
            Self::Saving { .. } => "Saving",
            Self::Restoring { .. } => "Restoring",
            Self::Closing { .. } => "Closing",
        }
    }
}

/// The result that a task works towards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
enum Target {
    /// No task is running, or a pairing has not been offered a network yet.
    Unset,
    /// Only this access point is to be paired with, and no network has been offered yet. It is not
    /// in the journal: after a power cut there is nothing left to pair.
    AccessPoint(Bssid),
    /// One of these networks is to be joined.
    Networks(Offer),
    /// These settings are to be in force.
    Settings(Settings),
}

impl Target {
    /// Returns the network to join at `index`, or `None` if no network is to be joined.
    fn network(&self, index: usize) -> Option<&Credentials> {
        match self {
            Self::Networks(offer) => Some(offer.at(index)),
            Self::Settings(Settings::Station { network }) => Some(network),
            Self::Unset
            | Self::AccessPoint(_)
            | Self::Settings(
                Settings::Platform | Settings::AccessPoint { .. } | Settings::Off { .. },
            ) => None,
        }
    }

    /// Returns whether the platform keeps the network of these settings already.
    fn is_kept(&self) -> bool {
        matches!(
            self,
            Self::Settings(Settings::Station {
                network: Credentials { secret: Secret::Kept(_), .. }
            })
        )
    }

    /// Removes the network at `index`, which does not accept its key. Returns `false` if no other
    /// network is left.
    fn remove_network(&mut self, index: usize) -> bool {
        match self {
            Self::Networks(offer) => offer.remove(index),
            Self::Unset | Self::AccessPoint(_) | Self::Settings(_) => false,
        }
    }

    /// Returns the number of networks to try.
    fn network_count(&self) -> usize {
        match self {
            Self::Networks(offer) => offer.count(),
            Self::Unset | Self::AccessPoint(_) | Self::Settings(_) => 1,
        }
    }
}

/// A try, or the pause before the next one, and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Try(Instant),
    Pause(Instant),
}

/// A step of the search. After a failed try the previous settings are restored before the pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum SearchStep {
    /// The radio searches, and may leave its network from this instant on.
    Pair(Instant),
    Restore(Instant),
    Pause(Instant),
}

/// Tries that are repeated until one succeeds, with growing pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Backoff {
    step: Step,
    /// The length of the next pause, in seconds.
    pause_s: u8,
    /// Why the last try failed.
    trouble: Option<Cause>,
}

/// The pairing machine.
///
/// It has no clock and does no I/O. Execute what [`command`](Self::command) returns, and pass what
/// happened to [`handle`](Self::handle).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    state: State,
    /// The settings in force, or to be restored.
    settings: Settings,
    /// What else is to be restored. Empty if there is nothing to restore.
    snapshot: Snapshot,
    target: Target,
    /// How long the requesters of the task need to receive their replies. Zero once it is used.
    reply_grace: Duration,
    /// The task that waits in Restoring or Closing. Its target is already set.
    waiting: Option<Waiting>,
    after_failure: AfterFailure,
    /// While idle, the driver has reported that the network no longer accepts its key. Kept until
    /// the driver reports the opposite, or another network or other settings are tried.
    key_refused: bool,
}

impl Machine {
    /// Creates a machine from what the store has loaded, or from `factory_settings` if there was no
    /// record. It first makes the radio match the settings, then closes a journal that was left
    /// open, and is idle after that.
    pub fn boot(
        now: Instant,
        loaded: Loaded,
        factory_settings: Settings,
        after_failure: AfterFailure,
    ) -> Self {
        let failed = |task, cause| Some(TaskResult::new(task, Err(cause), now));
        let nothing = Snapshot::default();
        let (settings, snapshot, result) = match loaded {
            Loaded::Nothing => (factory_settings, nothing, None),
            Loaded::Corrupt => {
                (factory_settings, nothing, failed(TaskKind::Configure, Cause::Corrupt))
            }
            Loaded::Record(Record::Settled(settings)) => (settings, nothing, None),
            Loaded::Record(Record::Pairing { before, snapshot }) => {
                let result = failed(TaskKind::Pair, Cause::Interrupted);
                (before.after_failure(after_failure), snapshot, result)
            }
            Loaded::Record(Record::Configuring { before, snapshot }) => {
                (before, snapshot, failed(TaskKind::Configure, Cause::Interrupted))
            }
        };
        Self {
            state: State::Restoring { result, retry: Backoff::start(now.after(APPLY_TIMEOUT)) },
            settings,
            snapshot,
            target: Target::Unset,
            reply_grace: Duration::ZERO,
            waiting: None,
            after_failure,
            key_refused: false,
        }
    }

    /// Returns the command to execute now.
    #[inline(never)] // smaller: `benches/size/measure`
    pub fn command(&self) -> Command {
        let (settings, snapshot) = (&self.settings, &self.snapshot);
        match self.state {
            State::Idle { .. } => Command::Idle(settings.clone()),
            State::Snapshotting { task, until } => {
                Command::Snapshot { task: task.kind, only: self.only(), until }
            }
            State::Journaling { task, until } => {
                let (before, snapshot) = (settings.clone(), snapshot.clone());
                let journal = match task.kind {
                    TaskKind::Pair => Record::Pairing { before, snapshot },
                    TaskKind::Configure => Record::Configuring { before, snapshot },
                };
                Command::Save(journal, until)
            }
            State::ReplyGrace { until, .. }
            | State::Searching { step: SearchStep::Pause(until), .. }
            | State::Joining { step: Step::Pause(until), .. }
            | State::Restoring { retry: Backoff { step: Step::Pause(until), .. }, .. }
            | State::Closing { retry: Backoff { step: Step::Pause(until), .. }, .. } => {
                Command::Pause(until)
            }
            State::Searching { task, step: SearchStep::Pair(disconnect_after) } => {
                let until = task.deadline.max(disconnect_after);
                Command::Pair { only: self.only(), until, disconnect_after }
            }
            State::Joining { index, step: Step::Try(until), .. } => {
                self.with_network(index, until, false)
            }
            State::Keeping { until, .. } => self.with_network(0, until, true),
            State::Applying { until, .. } => {
                Command::Apply(self.target_settings().clone(), snapshot.clone(), until)
            }
            State::Searching { step: SearchStep::Restore(until), .. }
            | State::Restoring { retry: Backoff { step: Step::Try(until), .. }, .. } => {
                Command::Apply(settings.clone(), snapshot.clone(), until)
            }
            State::Saving { until, .. } => {
                Command::Save(Record::Settled(self.target_settings().clone()), until)
            }
            State::Closing { retry: Backoff { step: Step::Try(until), .. }, .. } => {
                Command::Save(Record::Settled(settings.clone()), until)
            }
        }
    }

    /// Returns the command to keep, or to join, the network at `index`.
    fn with_network(&self, index: usize, until: Instant, keep: bool) -> Command {
        // Unreachable: these states always have a network.
        let Some(network) = self.target.network(index) else { return Command::Pause(until) };
        let (network, snapshot) = (network.clone(), self.snapshot.clone());
        if keep {
            Command::Keep(network, snapshot, until)
        } else {
            Command::Join(network, snapshot, until)
        }
    }

    /// Handles what happened at `now`. Returns the reply to all requests that wait, if this input
    /// has decided it. An answer to another command than the current one is ignored.
    pub fn handle(&mut self, now: Instant, input: Input) -> Option<Result<(), RequestError>> {
        let waited = self.waiting.is_some();
        let was_requested = waited || self.is_starting();
        let refusal = if matches!(input, Input::WaitElapsed) {
            RequestError::Busy
        } else if matches!(input, Input::Cancel) {
            RequestError::Failed(Cause::Cancelled)
        } else {
            RequestError::Failed(Cause::Store) // the journal could not be closed
        };
        self.state = self.next_state(now, input);
        self.start_waiting(now);
        if !was_requested || self.waiting.is_some() || self.is_starting() {
            None
        } else if waited {
            Some(Err(refusal))
        } else if let Some(TaskResult { result: Err(cause), .. }) = self.last() {
            Some(Err(RequestError::Failed(cause)))
        } else {
            Some(Ok(()))
        }
    }

    /// Returns whether a task has started and is not in the journal yet.
    fn is_starting(&self) -> bool {
        matches!(self.state, State::Snapshotting { .. } | State::Journaling { .. })
    }

    /// Returns until when a request waits for the settings to be restored, or `None` if none waits.
    /// At that instant, pass [`Input::WaitElapsed`].
    pub fn request_waits_until(&self) -> Option<Instant> {
        self.waiting.map(|waiting| waiting.until)
    }

    /// Returns the reply to a request that arrives now. Call it before [`handle`](Self::handle).
    /// Returns `None` if the reply must be deferred until `handle` returns it.
    pub fn immediate_reply(&self, kind: TaskKind) -> Option<Result<(), RequestError>> {
        if let State::Closing { retry: Backoff { trouble: Some(cause), .. }, .. } = self.state {
            return Some(Err(RequestError::Failed(cause)));
        }
        let is_deferred = self.waiting.is_some() || self.is_starting();
        match (self.requested()?, kind) {
            // A second pairing joins the first.
            (TaskKind::Pair, TaskKind::Pair) => (!is_deferred).then_some(Ok(())),
            (TaskKind::Pair | TaskKind::Configure, _) => Some(Err(RequestError::Busy)),
        }
    }

    /// Returns the kind of the task that waits or runs.
    #[inline(always)] // smaller: `benches/size/measure`
    fn requested(&self) -> Option<TaskKind> {
        match self.state {
            State::Idle { .. } | State::Restoring { .. } | State::Closing { .. } => {
                self.waiting.map(|waiting| waiting.kind)
            }
            State::Snapshotting { task, .. }
            | State::Journaling { task, .. }
            | State::ReplyGrace { task, .. }
            | State::Searching { task, .. }
            | State::Joining { task, .. }
            | State::Applying { task, .. }
            | State::Keeping { task, .. }
            | State::Saving { task, .. } => Some(task.kind),
        }
    }

    /// Returns the result of the last task, or `None` while one runs.
    fn last(&self) -> Option<TaskResult> {
        match self.state {
            State::Idle { last: result } | State::Restoring { result, .. } => result,
            State::Closing { result, .. } => Some(result),
            State::Snapshotting { .. }
            | State::Journaling { .. }
            | State::ReplyGrace { .. }
            | State::Searching { .. }
            | State::Joining { .. }
            | State::Applying { .. }
            | State::Keeping { .. }
            | State::Saving { .. } => None,
        }
    }

    /// Handles an input as [`handle`](Self::handle) does. Also returns whether the state changed,
    /// and with it the command.
    pub(crate) fn handle_and_compare(
        &mut self,
        now: Instant,
        input: Input,
    ) -> (bool, Option<Result<(), RequestError>>) {
        let before = mem::discriminant(&self.state);
        let reply = self.handle(now, input);
        (mem::discriminant(&self.state) != before, reply)
    }

    /// Returns the settings in force, or `None` unless the machine is idle.
    pub fn settings_in_force(&self) -> Option<&Settings> {
        matches!(self.state, State::Idle { .. }).then_some(&self.settings)
    }

    /// Returns the status for the user. The search progress and `off_air` are not known here.
    pub fn status(&self) -> Status {
        let phase_of = |task: Task, pairing| match task.kind {
            TaskKind::Pair => pairing,
            TaskKind::Configure => Phase::Configuring,
        };
        let (phase, task, trouble) = match self.state {
            State::Idle { .. } => {
                (Phase::Idle, None, self.key_refused.then_some(Cause::KeyRefused))
            }
            State::Restoring { retry, .. } | State::Closing { retry, .. } => {
                (Phase::Restoring, None, retry.trouble)
            }
            State::Snapshotting { task, .. }
            | State::Journaling { task, .. }
            | State::ReplyGrace { task, .. } => {
                (phase_of(task, Phase::Journaling), Some(task), None)
            }
            State::Searching { task, .. } => (Phase::Searching, Some(task), task.last_error),
            State::Joining { task, index, .. } => {
                let joining = self.target.network(index).map_or(Phase::Searching, |network| {
                    Phase::Joining { ssid: network.ssid.clone() }
                });
                (phase_of(task, joining), Some(task), task.last_error)
            }
            State::Applying { task, .. } => (Phase::Configuring, Some(task), None),
            State::Keeping { task, .. } | State::Saving { task, .. } => {
                (phase_of(task, Phase::Saving), Some(task), None)
            }
        };
        let settings = if matches!(self.state, State::Keeping { .. } | State::Saving { .. }) {
            self.target_settings()
        } else {
            &self.settings
        };
        Status {
            phase,
            deadline: task.map(|task| task.deadline),
            progress: SearchProgress::default(),
            #[cfg(feature = "scan")]
            pressed: PressedRouters::default(),
            off_air: false,
            mode: settings.mode(),
            network: settings.network().map(|network| network.ssid.clone()),
            last: self.last(),
            trouble,
        }
    }

    /// Returns the settings that the task leads to, or the present ones if none are set.
    fn target_settings(&self) -> &Settings {
        match &self.target {
            Target::Settings(settings) => settings,
            Target::Unset | Target::AccessPoint(_) | Target::Networks(_) => &self.settings,
        }
    }

    /// Returns whether the routers that the user can choose are still of interest: during a pairing
    /// and after one that has failed, until another one starts that is not limited to one of them.
    #[cfg(feature = "scan")]
    pub(crate) fn keeps_pressed(&self) -> bool {
        if self.is_starting() {
            return self.only().is_some();
        }
        match self.last() {
            None => self.requested() == Some(TaskKind::Pair),
            Some(last) => last.task == TaskKind::Pair && last.has_choice(),
        }
    }

    /// Returns the only access point to pair with, or `None` for any.
    fn only(&self) -> Option<Bssid> {
        match self.target {
            Target::AccessPoint(bssid) => Some(bssid),
            Target::Unset | Target::Networks(_) | Target::Settings(_) => None,
        }
    }
}
