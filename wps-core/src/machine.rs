//! The pairing machine: a state, what it wants done, and what each answer leads to.
//!
//! ```text
//! Idle ─Start→ Noting ─→ Opening ─→ Parting ─→ Searching ─→ Joining ─→ Committing ─→ Idle
//!   ↑           failed:     │          │           │ ↺ retry   │ ↺ retry    │
//!   └───────── untouched ───┤          │           │           │            │
//!                           │ failed,  │ cancelled │ failed,   │            │ save
//!                           │ cancelled│           │ cancelled,│            │ failed
//!                           ▼          ▼           ▼ window    ▼ closed     ▼
//!                          Closing ←───┴──────── Restoring ←───┴────────────┘
//!                             ↓                      ↑
//!                            Idle                   boot
//! ```
//!
//! A change of settings from outside takes the same way: to a network through Joining, to anything
//! else through Applying in its place.
//!
//! What to do is a function of the state, and the state moves only on the answer. Noting asks the
//! driver what must be put back; Opening writes the journal; Parting gives the requester time to
//! receive its answer. The radio is touched only after that, so only with a journal on disk.
//! Committing writes the new settings and closes the journal in one save. Restoring puts the radio
//! back; Closing closes the journal.

mod table;

use core::time::Duration;

use crate::command::{APPLY_LIMIT, Command, Input, Refusal};
use crate::driver::{Offer, Sight};
use crate::record::Record;
use crate::settings::{Policy, Settings, Snapshot};
use crate::status::{Cause, Ended, Phase, Status, TaskKind};
use crate::store::Loaded;
use crate::time::Instant;

/// What a pairing or a change of settings carries along.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Job {
    task: Task,
    before: Settings,
    snapshot: Snapshot,
    deadline: Instant,
    /// Why the last try inside the window failed.
    last: Option<Cause>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
enum Task {
    Pair,
    Configure(Settings),
}

impl Task {
    fn kind(&self) -> TaskKind {
        match self {
            Self::Pair => TaskKind::Pair,
            Self::Configure(_) => TaskKind::Configure,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    Idle { settings: Settings, last: Option<Ended> },
    Noting { job: Job, parting: Duration, until: Instant },
    Opening { job: Job, parting: Duration, until: Instant },
    Parting { job: Job, until: Instant },
    Searching { job: Job, step: Search },
    Joining { job: Job, offer: Offer, turn: usize, step: Step },
    Applying { job: Job, settings: Settings, until: Instant },
    Committing { job: Job, settings: Settings, until: Instant },
    Restoring { settings: Settings, snapshot: Snapshot, ended: Option<Ended>, retry: Retry },
    Closing { settings: Settings, ended: Ended, retry: Retry },
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
    Look,
    PutBack(Instant),
    Pause(Instant),
}

/// Tries that must succeed in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Retry {
    step: Step,
    pause: Duration,
    trouble: Option<Cause>,
}

/// The pairing machine. It has no clock and does no I/O: feed it what happened with
/// [`handle`](Self::handle), do what [`command`](Self::command) says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pairing {
    state: State,
    policy: Policy,
}

impl Pairing {
    /// Starts with what the store gave, or with `blank` where it gave nothing: first make the radio
    /// match, then close a journal that was left open, then rest.
    pub fn boot(now: Instant, loaded: Loaded, blank: Settings, policy: Policy) -> Self {
        let ended = |task, cause| Some(Ended { task, result: Err(cause), at: now });
        let (record, ended) = match loaded {
            Loaded::Blank => (Record::Settled(blank), None),
            Loaded::Corrupt => (Record::Settled(blank), ended(TaskKind::Configure, Cause::Corrupt)),
            Loaded::Record(record @ Record::Settled(_)) => (record, None),
            Loaded::Record(record @ Record::Pairing { .. }) => {
                (record, ended(TaskKind::Pair, Cause::Interrupted))
            }
            Loaded::Record(record @ Record::Configuring { .. }) => {
                (record, ended(TaskKind::Configure, Cause::Interrupted))
            }
        };
        let snapshot = match &record {
            Record::Settled(_) => Snapshot::default(),
            Record::Pairing { snapshot, .. } | Record::Configuring { snapshot, .. } => {
                snapshot.clone()
            }
        };
        let retry = Retry::first(now.after(APPLY_LIMIT));
        let settings = record.recover(policy);
        Self { state: State::Restoring { settings, snapshot, ended, retry }, policy }
    }

    /// What to do now.
    pub fn command(&self) -> Command {
        match &self.state {
            State::Idle { .. } => Command::Rest,
            State::Noting { until, .. } => Command::Note(*until),
            State::Opening { job, until, .. } => Command::Save(job.journal(), *until),
            State::Parting { until, .. }
            | State::Searching { step: Search::Pause(until), .. }
            | State::Joining { step: Step::Pause(until), .. }
            | State::Restoring { retry: Retry { step: Step::Pause(until), .. }, .. }
            | State::Closing { retry: Retry { step: Step::Pause(until), .. }, .. } => {
                Command::Pause(*until)
            }
            State::Searching { job, step: Search::Look } => Command::Pair(job.deadline),
            State::Searching { job, step: Search::PutBack(until) } => {
                Command::Apply(job.before.clone(), job.snapshot.clone(), *until)
            }
            State::Joining { job, offer, turn, step: Step::Try(until) } => {
                Command::Join(offer.at(*turn).clone(), job.snapshot.clone(), *until)
            }
            State::Applying { job, settings, until } => {
                Command::Apply(settings.clone(), job.snapshot.clone(), *until)
            }
            State::Committing { settings, until, .. } => {
                Command::Save(Record::Settled(settings.clone()), *until)
            }
            State::Restoring {
                settings,
                snapshot,
                retry: Retry { step: Step::Try(until), .. },
                ..
            } => Command::Apply(settings.clone(), snapshot.clone(), *until),
            State::Closing { settings, retry: Retry { step: Step::Try(until), .. }, .. } => {
                Command::Save(Record::Settled(settings.clone()), *until)
            }
        }
    }

    /// Takes what happened at `now`. An answer to another command than the current one is ignored.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.state = self.state.clone().next(now, input, self.policy);
    }

    /// What a request that comes now is told, before [`handle`](Self::handle) takes it. None: it has
    /// to wait for [`answer`](Self::answer).
    pub fn admit(&self, task: TaskKind) -> Option<Result<(), Refusal>> {
        match &self.state {
            State::Idle { .. } => None,
            State::Restoring { retry, .. } | State::Closing { retry, .. } => {
                Some(Err(retry.trouble.map_or(Refusal::Busy, Refusal::Failed)))
            }
            State::Noting { job, .. }
            | State::Opening { job, .. }
            | State::Parting { job, .. }
            | State::Searching { job, .. }
            | State::Joining { job, .. }
            | State::Applying { job, .. }
            | State::Committing { job, .. } => match (&job.task, task) {
                (Task::Pair, TaskKind::Pair) => self.answer(),
                (Task::Pair | Task::Configure(_), _) => Some(Err(Refusal::Busy)),
            },
        }
    }

    /// What the requests that wait are told; none: nothing is journalled yet, keep waiting.
    pub fn answer(&self) -> Option<Result<(), Refusal>> {
        match &self.state {
            State::Noting { .. } | State::Opening { .. } => None,
            State::Parting { .. }
            | State::Searching { .. }
            | State::Joining { .. }
            | State::Applying { .. }
            | State::Committing { .. } => Some(Ok(())),
            State::Closing { ended: Ended { result: Err(cause), .. }, .. }
            | State::Idle { last: Some(Ended { result: Err(cause), .. }), .. } => {
                Some(Err(Refusal::Failed(*cause)))
            }
            State::Idle { .. } | State::Restoring { .. } | State::Closing { .. } => {
                Some(Err(Refusal::Busy))
            }
        }
    }

    /// The settings in force, while nothing is under way.
    pub fn settled(&self) -> Option<&Settings> {
        match &self.state {
            State::Idle { settings, .. } => Some(settings),
            State::Noting { .. }
            | State::Opening { .. }
            | State::Parting { .. }
            | State::Searching { .. }
            | State::Joining { .. }
            | State::Applying { .. }
            | State::Committing { .. }
            | State::Restoring { .. }
            | State::Closing { .. } => None,
        }
    }

    fn job(&self) -> Option<&Job> {
        match &self.state {
            State::Noting { job, .. }
            | State::Opening { job, .. }
            | State::Parting { job, .. }
            | State::Searching { job, .. }
            | State::Joining { job, .. }
            | State::Applying { job, .. }
            | State::Committing { job, .. } => Some(job),
            State::Idle { .. } | State::Restoring { .. } | State::Closing { .. } => None,
        }
    }

    /// What to tell people.
    pub fn status(&self) -> Status {
        let (phase, settings, last, trouble) = match &self.state {
            State::Idle { settings, last } => (Phase::Idle, settings, *last, None),
            State::Restoring { settings, ended, retry, .. } => {
                (Phase::Restoring, settings, *ended, retry.trouble)
            }
            State::Closing { settings, ended, retry } => {
                (Phase::Restoring, settings, Some(*ended), retry.trouble)
            }
            State::Noting { job, .. } | State::Opening { job, .. } | State::Parting { job, .. } => {
                (job.phase(Phase::Opening), &job.before, None, None)
            }
            State::Searching { job, .. } => (Phase::Searching, &job.before, None, job.last),
            State::Joining { job, offer, turn, .. } => {
                let ssid = offer.at(*turn).ssid.clone();
                (job.phase(Phase::Joining { ssid }), &job.before, None, job.last)
            }
            State::Applying { job, .. } => (Phase::Configuring, &job.before, None, None),
            State::Committing { job, settings, .. } => {
                (job.phase(Phase::Saving), settings, None, None)
            }
        };
        Status {
            phase,
            deadline: self.job().map(|job| job.deadline),
            seen: Sight::default(),
            off_air: false,
            mode: settings.mode(),
            network: settings.network().map(|network| network.ssid.clone()),
            last,
            trouble,
        }
    }
}

impl Job {
    fn journal(&self) -> Record {
        let (before, snapshot) = (self.before.clone(), self.snapshot.clone());
        match self.task {
            Task::Pair => Record::Pairing { before, snapshot },
            Task::Configure(_) => Record::Configuring { before, snapshot },
        }
    }

    fn phase(&self, pairing: Phase) -> Phase {
        match self.task {
            Task::Pair => pairing,
            Task::Configure(_) => Phase::Configuring,
        }
    }
}
