//! The pairing machine: a state, what it wants done, and what each answer leads to.
//!
//! ```text
//! Idle ─Start→ Snapshotting ─→ Journaling ─→ Searching ─→ Joining ─→ Committing ─→ Idle
//!   ↑           failed:     │           │ ↺ retry   │ ↺ retry    │
//!   └───────── untouched ───┤           │           │            │
//!                           │ failed,   │ failed,   │            │ save
//!                           │ cancelled │ cancelled,│            │ failed
//!                           ▼           ▼ window    ▼ closed     ▼
//!                          Closing ← Restoring ←────┴────────────┘
//!                             ↓         ↑ │ tried in vain, Start
//!                            Idle       │ └────→ Snapshotting
//!                              boot, or lost at rest
//! ```
//!
//! A change of settings from outside takes nearly the same way: from Opening through Parting, then to a
//! network through Joining, to anything else through Applying in its place.
//!
//! What to do is a function of the state, and the state moves only on the answer. Noting asks the
//! driver what must be put back; Opening writes the journal. The radio is touched only after that, so
//! only with a journal on disk. The requester gets time to receive its answer: a pairing looks around
//! meanwhile, but the radio does not leave its network yet; a change of settings waits, in Parting.
//! Committing writes the new settings and closes the journal in one save. Restoring puts the radio
//! back; Closing closes the journal. While the radio does not take what is to be put back, a request is
//! taken as at rest: what cannot be put back must not lock people out. If that comes to nothing before
//! it has touched the radio, it is Restoring again.

mod table;

use core::mem;
use core::time::Duration;

use crate::command::{APPLY_TIMEOUT, Command, Input, RequestError};
use crate::driver::{Offer, SearchProgress};
use crate::record::Record;
use crate::settings::{AfterFailure, Credentials, Settings, Snapshot};
use crate::status::{Cause, Phase, Status, TaskKind, TaskResult};
use crate::store::Loaded;
use crate::time::Instant;

/// What a pairing or a change of settings carries along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Job {
    task: TaskKind,
    deadline: Instant,
    /// Why the last try inside the window failed; until then, why the radio is not as it should be.
    last: Option<Cause>,
}

/// Small, so that a transition moves little: what is large stays where it is in the [`Machine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Idle { last: Option<TaskResult> },
    Snapshotting { job: Job, reply_grace: Duration, until: Instant },
    Journaling { job: Job, reply_grace: Duration, until: Instant },
    ReplyGrace { job: Job, until: Instant },
    Searching { job: Job, step: Search },
    Joining { job: Job, turn: usize, step: Step },
    Applying { job: Job, until: Instant },
    Committing { job: Job, until: Instant },
    Restoring { ended: Option<TaskResult>, retry: Retry },
    Closing { ended: TaskResult, retry: Retry },
}

/// What a job is to lead to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
enum Goal {
    /// Nothing but what is: no job, or a pairing to which nobody has offered a network yet.
    Open,
    /// One of these networks.
    Networks(Offer),
    /// These settings.
    Settings(Settings),
}

impl Goal {
    /// The network to join at the `turn`th try.
    fn network(&self, turn: usize) -> Option<&Credentials> {
        match self {
            Self::Networks(offer) => Some(offer.at(turn)),
            Self::Settings(Settings::Station { network }) => Some(network),
            Self::Open
            | Self::Settings(
                Settings::Platform | Settings::AccessPoint { .. } | Settings::Off { .. },
            ) => None,
        }
    }

    /// How many networks there are to try.
    fn networks(&self) -> usize {
        match self {
            Self::Networks(offer) => offer.count(),
            Self::Open | Self::Settings(_) => 1,
        }
    }
}

/// Trying, or pausing between two tries, until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Try(Instant),
    Pause(Instant),
}

/// After a try that failed the previous settings go back on the air before the pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Search {
    /// The radio may leave its network from then on.
    Look(Instant),
    PutBack(Instant),
    Pause(Instant),
}

/// Tries that must succeed in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Retry {
    step: Step,
    /// The next pause, in seconds.
    pause_s: u8,
    trouble: Option<Cause>,
}

/// The pairing machine. It has no clock and does no I/O: feed it what happened with
/// [`handle`](Self::handle), do what [`command`](Self::command) says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    state: State,
    /// In force, or to be put back.
    settings: Settings,
    /// What else is to be put back; empty while nothing is.
    snapshot: Snapshot,
    goal: Goal,
    after_failure: AfterFailure,
}

impl Machine {
    /// Starts with what the store gave, or with `factory_settings` where it gave nothing: first make the radio
    /// match, then close a journal that was left open, then rest.
    pub fn boot(
        now: Instant,
        loaded: Loaded,
        factory_settings: Settings,
        after_failure: AfterFailure,
    ) -> Self {
        let failed = |task, cause| Some(TaskResult { task, result: Err(cause), at: now });
        let nothing = Snapshot::default();
        let (settings, snapshot, ended) = match loaded {
            Loaded::Nothing => (factory_settings, nothing, None),
            Loaded::Corrupt => {
                (factory_settings, nothing, failed(TaskKind::Configure, Cause::Corrupt))
            }
            Loaded::Record(Record::Settled(settings)) => (settings, nothing, None),
            Loaded::Record(Record::Pairing { before, snapshot }) => {
                let ended = failed(TaskKind::Pair, Cause::Interrupted);
                (before.after_failure(after_failure), snapshot, ended)
            }
            Loaded::Record(Record::Configuring { before, snapshot }) => {
                (before, snapshot, failed(TaskKind::Configure, Cause::Interrupted))
            }
        };
        let retry = Retry::first(now.after(APPLY_TIMEOUT));
        let state = State::Restoring { ended, retry };
        Self { state, settings, snapshot, goal: Goal::Open, after_failure }
    }

    /// What to do now.
    pub fn command(&self) -> Command {
        let (settings, snapshot) = (&self.settings, &self.snapshot);
        match self.state {
            State::Idle { .. } => Command::Idle,
            State::Snapshotting { until, .. } => Command::Snapshot(until),
            State::Journaling { job, until, .. } => {
                let (before, snapshot) = (settings.clone(), snapshot.clone());
                let journal = match job.task {
                    TaskKind::Pair => Record::Pairing { before, snapshot },
                    TaskKind::Configure => Record::Configuring { before, snapshot },
                };
                Command::Save(journal, until)
            }
            State::ReplyGrace { until, .. }
            | State::Searching { step: Search::Pause(until), .. }
            | State::Joining { step: Step::Pause(until), .. }
            | State::Restoring { retry: Retry { step: Step::Pause(until), .. }, .. }
            | State::Closing { retry: Retry { step: Step::Pause(until), .. }, .. } => {
                Command::Pause(until)
            }
            State::Searching { job, step: Search::Look(leave) } => {
                Command::Pair { until: job.deadline.max(leave), leave }
            }
            State::Joining { job, turn, step: Step::Try(until) } => match self.goal.network(turn) {
                Some(network) => Command::Join(network.clone(), snapshot.clone(), until),
                // Nobody joins without a network; if it were so, the window would end it.
                None => Command::Pause(job.deadline),
            },
            State::Applying { until, .. } => {
                Command::Apply(self.wanted().clone(), snapshot.clone(), until)
            }
            State::Searching { step: Search::PutBack(until), .. }
            | State::Restoring { retry: Retry { step: Step::Try(until), .. }, .. } => {
                Command::Apply(settings.clone(), snapshot.clone(), until)
            }
            State::Committing { until, .. } => {
                Command::Save(Record::Settled(self.wanted().clone()), until)
            }
            State::Closing { retry: Retry { step: Step::Try(until), .. }, .. } => {
                Command::Save(Record::Settled(settings.clone()), until)
            }
        }
    }

    /// Takes what happened at `now`. An answer to another command than the current one is ignored.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.state = self.next(now, input);
    }

    /// Takes a request. Whether that changed what is to be done: if so, the machine is in another state.
    pub(crate) fn ask(&mut self, now: Instant, request: Input) -> bool {
        let before = mem::discriminant(&self.state);
        self.handle(now, request);
        mem::discriminant(&self.state) != before
    }

    /// What a request that comes now is told, before [`handle`](Self::handle) takes it. None: it has
    /// to wait for [`answer`](Self::answer).
    pub fn admit(&self, task: TaskKind) -> Option<Result<(), RequestError>> {
        match self.state {
            State::Idle { .. } => None,
            State::Restoring { retry, .. } => match retry.trouble {
                Some(_) => None,
                None => Some(Err(RequestError::Busy)),
            },
            State::Closing { retry, .. } => {
                Some(Err(retry.trouble.map_or(RequestError::Busy, RequestError::Failed)))
            }
            State::Snapshotting { job, .. }
            | State::Journaling { job, .. }
            | State::ReplyGrace { job, .. }
            | State::Searching { job, .. }
            | State::Joining { job, .. }
            | State::Applying { job, .. }
            | State::Committing { job, .. } => match (job.task, task) {
                (TaskKind::Pair, TaskKind::Pair) => self.answer(),
                (TaskKind::Pair | TaskKind::Configure, _) => Some(Err(RequestError::Busy)),
            },
        }
    }

    /// What the requests that wait are told; none: nothing is journalled yet, keep waiting.
    pub fn answer(&self) -> Option<Result<(), RequestError>> {
        match self.state {
            State::Snapshotting { .. } | State::Journaling { .. } => None,
            State::ReplyGrace { .. }
            | State::Searching { .. }
            | State::Joining { .. }
            | State::Applying { .. }
            | State::Committing { .. } => Some(Ok(())),
            State::Restoring { ended: Some(TaskResult { result: Err(cause), .. }), .. }
            | State::Closing { ended: TaskResult { result: Err(cause), .. }, .. }
            | State::Idle { last: Some(TaskResult { result: Err(cause), .. }), .. } => {
                Some(Err(RequestError::Failed(cause)))
            }
            State::Idle { .. } | State::Restoring { .. } | State::Closing { .. } => {
                Some(Err(RequestError::Busy))
            }
        }
    }

    /// The settings in force, while nothing is under way.
    pub fn settled(&self) -> Option<&Settings> {
        matches!(self.state, State::Idle { .. }).then_some(&self.settings)
    }

    /// What to tell people.
    pub fn status(&self) -> Status {
        let told = |job: Job, pairing| match job.task {
            TaskKind::Pair => pairing,
            TaskKind::Configure => Phase::Configuring,
        };
        let (phase, job, last, trouble) = match self.state {
            State::Idle { last } => (Phase::Idle, None, last, None),
            State::Restoring { ended, retry } => (Phase::Restoring, None, ended, retry.trouble),
            State::Closing { ended, retry } => (Phase::Restoring, None, Some(ended), retry.trouble),
            State::Snapshotting { job, .. }
            | State::Journaling { job, .. }
            | State::ReplyGrace { job, .. } => {
                (told(job, Phase::Journaling), Some(job), None, None)
            }
            State::Searching { job, .. } => (Phase::Searching, Some(job), None, job.last),
            State::Joining { job, turn, .. } => {
                let joining = self.goal.network(turn).map_or(Phase::Searching, |network| {
                    Phase::Joining { ssid: network.ssid.clone() }
                });
                (told(job, joining), Some(job), None, job.last)
            }
            State::Applying { job, .. } => (Phase::Configuring, Some(job), None, None),
            State::Committing { job, .. } => (told(job, Phase::Saving), Some(job), None, None),
        };
        let settings = if matches!(self.state, State::Committing { .. }) {
            self.wanted()
        } else {
            &self.settings
        };
        Status {
            phase,
            deadline: job.map(|job| job.deadline),
            seen: SearchProgress::default(),
            off_air: false,
            mode: settings.mode(),
            network: settings.network().map(|network| network.ssid.clone()),
            last,
            trouble,
        }
    }

    /// The settings that the job is to leave behind: as they are, while it has none.
    fn wanted(&self) -> &Settings {
        match &self.goal {
            Goal::Settings(settings) => settings,
            Goal::Open | Goal::Networks(_) => &self.settings,
        }
    }
}
