//! The transition table: what each answer leads to, in each state.

use core::time::Duration;

use super::{Job, Retry, Search, State, Step, Task};
use crate::command::{
    APPLY_LIMIT, CONFIGURE_WINDOW, Input, JOIN_LIMIT, LONGEST_PAUSE, NOTE_LIMIT, PAUSE, SAVE_LIMIT,
    WINDOW,
};
use crate::driver::{ErrorKind, Offer};
use crate::settings::{Policy, Settings, Snapshot};
use crate::status::{Cause, Ended};
use crate::time::Instant;

impl State {
    pub(super) fn next(self, now: Instant, input: Input, policy: Policy) -> Self {
        let open = |before, task, window, parting| {
            let (snapshot, deadline) = (Snapshot::default(), now.after(window));
            let job = Job { task, before, snapshot, deadline, last: None };
            Self::Noting { job, parting, until: now.after(NOTE_LIMIT) }
        };
        match (self, input) {
            (Self::Idle { settings, .. }, Input::Start { parting }) => {
                open(settings, Task::Pair, WINDOW, parting)
            }
            (Self::Idle { settings: before, .. }, Input::Configure { settings, parting }) => {
                open(before, Task::Configure(settings), CONFIGURE_WINDOW, parting)
            }

            // Whoever starts the same pairing needs the time for its own answer.
            (Self::Noting { job, parting, until }, Input::Start { parting: more })
                if job.task == Task::Pair =>
            {
                Self::Noting { job, parting: parting.max(more), until }
            }
            (Self::Opening { job, parting, until }, Input::Start { parting: more })
                if job.task == Task::Pair =>
            {
                Self::Opening { job, parting: parting.max(more), until }
            }

            (Self::Noting { job, parting, .. }, Input::Noted(Ok(snapshot))) => {
                let job = Job { snapshot, ..job };
                Self::Opening { job, parting, until: now.after(SAVE_LIMIT) }
            }
            (Self::Noting { job, .. }, Input::Noted(Err(kind))) => job.decline(now, kind.into()),
            (Self::Noting { job, .. }, Input::Elapsed) => job.decline(now, ErrorKind::Mute.into()),
            (Self::Noting { job, .. }, Input::Cancel) => job.decline(now, Cause::Cancelled),

            (Self::Opening { job, parting, .. }, Input::Saved(Ok(()))) => {
                Self::Parting { job, until: now.after(parting) }
            }
            (Self::Opening { job, .. }, Input::Saved(Err(())) | Input::Elapsed) => {
                job.refuse(now, Cause::Store)
            }
            (Self::Opening { job, .. } | Self::Parting { job, .. }, Input::Cancel) => {
                job.refuse(now, Cause::Cancelled)
            }
            (Self::Parting { job, .. }, Input::Elapsed) => job.begin(now),

            (Self::Searching { job, step: Search::Look }, Input::Offered(Ok(offer))) => {
                job.join(now, offer, 0)
            }
            (Self::Searching { mut job, step: Search::Look }, Input::Offered(Err(kind)))
                if !kind.is_final() =>
            {
                job.last = Some(kind.into());
                let until = job.deadline.min(now.after(APPLY_LIMIT));
                Self::Searching { job, step: Search::PutBack(until) }
            }
            (Self::Searching { job, step: Search::Look }, Input::Offered(Err(kind)))
            | (Self::Searching { job, step: Search::PutBack(_) }, Input::Applied(Err(kind)))
                if kind.is_final() =>
            {
                job.fail(now, kind.into(), policy)
            }
            (Self::Searching { job, .. }, Input::Elapsed) if now >= job.deadline => {
                job.closed(now, Cause::TimedOut, policy)
            }
            (
                Self::Searching { job, step: Search::PutBack(_) },
                Input::Applied(_) | Input::Elapsed,
            ) => {
                let until = job.deadline.min(now.after(PAUSE));
                Self::Searching { job, step: Search::Pause(until) }
            }
            (Self::Searching { job, step: Search::Pause(_) }, Input::Elapsed) => {
                Self::Searching { job, step: Search::Look }
            }

            (Self::Joining { job, offer, turn, step: Step::Try(_) }, Input::Joined(Ok(()))) => {
                let settings = Settings::after_success(offer.at(turn).clone());
                job.commit(now, settings)
            }
            (Self::Joining { job, step: Step::Try(_), .. }, Input::Joined(Err(kind)))
                if kind.is_final() =>
            {
                job.fail(now, kind.into(), policy)
            }
            (Self::Joining { job, .. }, Input::Elapsed) if now >= job.deadline => {
                job.closed(now, Cause::NotJoined, policy)
            }
            (
                Self::Joining { mut job, offer, turn, step: Step::Try(_) },
                Input::Joined(Err(kind)),
            ) => {
                let step = Step::Pause(job.pause(now, kind.into()));
                let turn = (turn + 1) % offer.count();
                Self::Joining { job, offer, turn, step }
            }
            (Self::Joining { mut job, offer, turn, step: Step::Try(_) }, Input::Elapsed) => {
                let step = Step::Pause(job.pause(now, Cause::NotJoined));
                let turn = (turn + 1) % offer.count();
                Self::Joining { job, offer, turn, step }
            }
            (Self::Joining { job, offer, turn, step: Step::Pause(_) }, Input::Elapsed) => {
                job.join(now, offer, turn)
            }

            (Self::Applying { job, settings, .. }, Input::Applied(Ok(()))) => {
                job.commit(now, settings)
            }
            (Self::Applying { job, .. }, Input::Applied(Err(kind))) => {
                job.fail(now, kind.into(), policy)
            }
            (Self::Applying { job, .. }, Input::Elapsed) => {
                job.fail(now, ErrorKind::Mute.into(), policy)
            }
            (
                Self::Searching { job, .. }
                | Self::Joining { job, .. }
                | Self::Applying { job, .. },
                Input::Cancel,
            ) => job.fail(now, Cause::Cancelled, policy),

            (Self::Committing { job, settings, .. }, Input::Saved(Ok(()))) => {
                Self::Idle { settings, last: Some(job.ended(now, Ok(()))) }
            }
            (Self::Committing { job, .. }, Input::Saved(Err(())) | Input::Elapsed) => {
                job.fail(now, Cause::Store, policy)
            }

            (Self::Restoring { settings, ended: None, retry, .. }, Input::Applied(Ok(())))
                if retry.is_trying() =>
            {
                Self::Idle { settings, last: None }
            }
            (
                Self::Restoring { settings, ended: Some(ended), retry, .. },
                Input::Applied(Ok(())),
            ) if retry.is_trying() => {
                let retry = Retry::first(now.after(SAVE_LIMIT));
                Self::Closing { settings, ended, retry }
            }
            (Self::Restoring { settings, snapshot, ended, retry }, Input::Applied(Err(kind)))
                if retry.is_trying() =>
            {
                let retry = retry.failed(now, kind.into());
                Self::Restoring { settings, snapshot, ended, retry }
            }
            (Self::Restoring { settings, snapshot, ended, retry }, Input::Elapsed) => {
                let retry = retry.elapsed(now, APPLY_LIMIT, ErrorKind::Mute.into());
                Self::Restoring { settings, snapshot, ended, retry }
            }
            (Self::Closing { settings, ended, retry }, Input::Saved(Ok(())))
                if retry.is_trying() =>
            {
                Self::Idle { settings, last: Some(ended) }
            }
            (Self::Closing { settings, ended, retry }, Input::Saved(Err(())))
                if retry.is_trying() =>
            {
                let retry = retry.failed(now, Cause::Store);
                Self::Closing { settings, ended, retry }
            }
            (Self::Closing { settings, ended, retry }, Input::Elapsed) => {
                let retry = retry.elapsed(now, SAVE_LIMIT, Cause::Store);
                Self::Closing { settings, ended, retry }
            }

            // A request out of its time, or an answer to another command than the current one.
            (
                state,
                Input::Start { .. }
                | Input::Configure { .. }
                | Input::Cancel
                | Input::Elapsed
                | Input::Noted(_)
                | Input::Saved(_)
                | Input::Applied(_)
                | Input::Offered(_)
                | Input::Joined(_),
            ) => state,
        }
    }
}

impl Job {
    fn ended(&self, at: Instant, result: Result<(), Cause>) -> Ended {
        Ended { task: self.task.kind(), result, at }
    }

    /// First move of the radio.
    fn begin(self, now: Instant) -> State {
        match self.task.clone() {
            Task::Pair => State::Searching { job: self, step: Search::Look },
            Task::Configure(Settings::Station { network }) => self.join(now, network.into(), 0),
            Task::Configure(settings) => {
                State::Applying { job: self, settings, until: now.after(APPLY_LIMIT) }
            }
        }
    }

    fn join(self, now: Instant, offer: Offer, turn: usize) -> State {
        let step = Step::Try(self.deadline.min(now.after(JOIN_LIMIT)));
        State::Joining { job: self, offer, turn, step }
    }

    /// A failure that may pass: remember why, and pause, but not past the window.
    fn pause(&mut self, now: Instant, why: Cause) -> Instant {
        self.last = Some(why);
        self.deadline.min(now.after(PAUSE))
    }

    fn commit(self, now: Instant, settings: Settings) -> State {
        State::Committing { job: self, settings, until: now.after(SAVE_LIMIT) }
    }

    /// The window closed: what is reported is the last reason, if there was one.
    fn closed(self, now: Instant, otherwise: Cause, policy: Policy) -> State {
        let cause = self.last.unwrap_or(otherwise);
        self.fail(now, cause, policy)
    }

    /// Ended after the radio was, or may have been, touched.
    fn fail(self, now: Instant, cause: Cause, policy: Policy) -> State {
        let ended = Some(self.ended(now, Err(cause)));
        let settings = match self.task {
            Task::Pair => self.before.after_failure(policy),
            Task::Configure(_) => self.before,
        };
        let retry = Retry::first(now.after(APPLY_LIMIT));
        State::Restoring { settings, snapshot: self.snapshot, ended, retry }
    }

    /// Ended before the radio was touched, but the journal may be on disk.
    fn refuse(self, now: Instant, cause: Cause) -> State {
        let ended = self.ended(now, Err(cause));
        let retry = Retry::first(now.after(SAVE_LIMIT));
        State::Closing { settings: self.before, ended, retry }
    }

    /// Ended before anything was touched.
    fn decline(self, now: Instant, cause: Cause) -> State {
        let last = Some(self.ended(now, Err(cause)));
        State::Idle { settings: self.before, last }
    }
}

impl Retry {
    pub(super) fn first(until: Instant) -> Self {
        Self { step: Step::Try(until), pause: PAUSE, trouble: None }
    }

    fn is_trying(self) -> bool {
        matches!(self.step, Step::Try(_))
    }

    /// A pause is over: try for `limit`. A try took too long: that is `trouble`.
    fn elapsed(self, now: Instant, limit: Duration, trouble: Cause) -> Self {
        match self.step {
            Step::Pause(_) => Self { step: Step::Try(now.after(limit)), ..self },
            Step::Try(_) => self.failed(now, trouble),
        }
    }

    fn failed(self, now: Instant, trouble: Cause) -> Self {
        Self {
            step: Step::Pause(now.after(self.pause)),
            pause: (self.pause * 2).min(LONGEST_PAUSE),
            trouble: Some(trouble),
        }
    }
}
