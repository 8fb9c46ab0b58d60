//! The transition table: what each answer leads to, in each state.

use core::time::Duration;

use super::{Goal, Job, Machine, Retry, Search, State, Step};
use crate::command::{
    APPLY_TIMEOUT, CONFIGURE_WINDOW, Input, JOIN_TIMEOUT, MAX_RETRY_DELAY, PAIRING_WINDOW,
    RETRY_DELAY, SAVE_TIMEOUT, SNAPSHOT_TIMEOUT,
};
use crate::driver::ErrorKind;
use crate::settings::{Settings, Snapshot};
use crate::status::{Cause, TaskKind, TaskResult};
use crate::time::Instant;

impl Machine {
    pub(super) fn next(&mut self, now: Instant, input: Input) -> State {
        let open = |task, window, reply_grace, last| {
            let job = Job { task, deadline: now.after(window), last };
            State::Snapshotting { job, reply_grace, until: now.after(SNAPSHOT_TIMEOUT) }
        };
        let in_vain =
            if let State::Restoring { retry, .. } = self.state { retry.trouble } else { None };
        match (self.state, input) {
            // Settings that the radio does not take must not lock everybody out.
            (
                State::Idle { .. } | State::Restoring { retry: Retry { trouble: Some(_), .. }, .. },
                Input::Start { reply_grace },
            ) => open(TaskKind::Pair, PAIRING_WINDOW, reply_grace, in_vain),
            (
                State::Idle { .. } | State::Restoring { retry: Retry { trouble: Some(_), .. }, .. },
                Input::Configure { settings, reply_grace },
            ) => {
                self.goal = Goal::Settings(settings);
                open(TaskKind::Configure, CONFIGURE_WINDOW, reply_grace, in_vain)
            }

            // The record says so already: to save it once more, after an ending, changes nothing.
            (State::Idle { last }, Input::ConfigLost) => {
                State::Restoring { ended: last, retry: Retry::first(now.after(APPLY_TIMEOUT)) }
            }

            // Whoever starts the same pairing needs the time for its own answer.
            (
                State::Snapshotting { job, reply_grace, until },
                Input::Start { reply_grace: more },
            ) if job.task == TaskKind::Pair => {
                State::Snapshotting { job, reply_grace: reply_grace.max(more), until }
            }
            (State::Journaling { job, reply_grace, until }, Input::Start { reply_grace: more })
                if job.task == TaskKind::Pair =>
            {
                State::Journaling { job, reply_grace: reply_grace.max(more), until }
            }

            (State::Snapshotting { job, reply_grace, .. }, Input::SnapshotTaken(Ok(snapshot))) => {
                // What could not be put back yet was noted when it was still as it should be.
                if self.snapshot == Snapshot::default() {
                    self.snapshot = snapshot;
                }
                State::Journaling { job, reply_grace, until: now.after(SAVE_TIMEOUT) }
            }
            (State::Snapshotting { job, .. }, Input::SnapshotTaken(Err(kind))) => {
                self.abort_untouched(job, now, kind.into())
            }
            (State::Snapshotting { job, .. }, Input::Elapsed) => {
                self.abort_untouched(job, now, ErrorKind::NoResponse.into())
            }
            (State::Snapshotting { job, .. }, Input::Cancel) => {
                self.abort_untouched(job, now, Cause::Cancelled)
            }

            (State::Journaling { job, reply_grace, .. }, Input::Saved(Ok(()))) => {
                let until = now.after(reply_grace);
                match job.task {
                    TaskKind::Pair => Job { last: None, ..job }.look(until),
                    TaskKind::Configure => State::ReplyGrace { job, until },
                }
            }
            (State::Journaling { job, .. }, Input::Saved(Err(())) | Input::Elapsed) => {
                self.abort_journaled(job, now, Cause::Store)
            }
            (State::Journaling { job, .. } | State::ReplyGrace { job, .. }, Input::Cancel) => {
                self.abort_journaled(job, now, Cause::Cancelled)
            }
            (State::ReplyGrace { job, .. }, Input::Elapsed) => self.begin(job, now),

            (State::Searching { job, step: Search::Look(_) }, Input::Offered(Ok(offer))) => {
                self.goal = Goal::Networks(offer);
                job.join(now, 0)
            }
            (State::Searching { job, step: Search::Look(_) }, Input::Offered(Err(kind)))
                if !kind.is_final() =>
            {
                let job = Job { last: Some(kind.into()), ..job };
                let until = job.deadline.min(now.after(APPLY_TIMEOUT));
                State::Searching { job, step: Search::PutBack(until) }
            }
            (State::Searching { job, step: Search::Look(_) }, Input::Offered(Err(kind)))
            | (State::Searching { job, step: Search::PutBack(_) }, Input::Applied(Err(kind)))
                if kind.is_final() =>
            {
                self.roll_back(job, now, kind.into())
            }
            (State::Searching { job, .. }, Input::Elapsed) if now >= job.deadline => {
                self.roll_back(job, now, job.last.unwrap_or(Cause::TimedOut))
            }
            (
                State::Searching { job, step: Search::PutBack(_) },
                Input::Applied(_) | Input::Elapsed,
            ) => {
                let until = job.deadline.min(now.after(RETRY_DELAY));
                State::Searching { job, step: Search::Pause(until) }
            }
            (State::Searching { job, step: Search::Pause(_) }, Input::Elapsed) => job.look(now),

            (State::Joining { job, turn, step: Step::Try(_) }, Input::Joined(Ok(()))) => {
                if let Goal::Networks(offer) = &self.goal {
                    let settings = Settings::after_success(offer.at(turn).clone());
                    self.goal = Goal::Settings(settings);
                }
                State::Committing { job, until: now.after(SAVE_TIMEOUT) }
            }
            (State::Joining { job, step: Step::Try(_), .. }, Input::Joined(Err(kind)))
                if kind.is_final() =>
            {
                self.roll_back(job, now, kind.into())
            }
            (State::Joining { job, .. }, Input::Elapsed) if now >= job.deadline => {
                self.roll_back(job, now, job.last.unwrap_or(Cause::NotJoined))
            }
            (State::Joining { job, turn, step: Step::Try(_) }, Input::Joined(Err(kind))) => {
                job.pause(now, kind.into(), (turn + 1) % self.goal.networks())
            }
            (State::Joining { job, turn, step: Step::Try(_) }, Input::Elapsed) => {
                job.pause(now, Cause::NotJoined, (turn + 1) % self.goal.networks())
            }
            (State::Joining { job, turn, step: Step::Pause(_) }, Input::Elapsed) => {
                job.join(now, turn)
            }

            (State::Applying { job, .. }, Input::Applied(Ok(()))) => {
                State::Committing { job, until: now.after(SAVE_TIMEOUT) }
            }
            (State::Applying { job, .. }, Input::Applied(Err(kind))) => {
                self.roll_back(job, now, kind.into())
            }
            (State::Applying { job, .. }, Input::Elapsed) => {
                self.roll_back(job, now, ErrorKind::NoResponse.into())
            }
            (
                State::Searching { job, .. }
                | State::Joining { job, .. }
                | State::Applying { job, .. },
                Input::Cancel,
            ) => self.roll_back(job, now, Cause::Cancelled),

            (State::Committing { job, .. }, Input::Saved(Ok(()))) => {
                // Cloned: what is moved away is not wiped.
                if let Goal::Settings(settings) = &self.goal {
                    self.settings = settings.clone();
                }
                self.rest(Some(job.ended(now, Ok(()))))
            }
            (State::Committing { job, .. }, Input::Saved(Err(())) | Input::Elapsed) => {
                self.roll_back(job, now, Cause::Store)
            }

            (State::Restoring { ended: None, retry }, Input::Applied(Ok(())))
                if retry.is_trying() =>
            {
                self.rest(None)
            }
            (State::Restoring { ended: Some(ended), retry }, Input::Applied(Ok(())))
                if retry.is_trying() =>
            {
                self.close(ended, now)
            }
            (State::Restoring { ended, retry }, Input::Applied(Err(kind))) if retry.is_trying() => {
                State::Restoring { ended, retry: retry.failed(now, kind.into()) }
            }
            (State::Restoring { ended, retry }, Input::Elapsed) => {
                let retry = retry.elapsed(now, APPLY_TIMEOUT, ErrorKind::NoResponse.into());
                State::Restoring { ended, retry }
            }
            (State::Closing { ended, retry }, Input::Saved(Ok(()))) if retry.is_trying() => {
                self.rest(Some(ended))
            }
            (State::Closing { ended, retry }, Input::Saved(Err(()))) if retry.is_trying() => {
                State::Closing { ended, retry: retry.failed(now, Cause::Store) }
            }
            (State::Closing { ended, retry }, Input::Elapsed) => {
                State::Closing { ended, retry: retry.elapsed(now, SAVE_TIMEOUT, Cause::Store) }
            }

            // A request out of its time, or an answer to another command than the current one.
            (
                state,
                Input::Start { .. }
                | Input::Configure { .. }
                | Input::Cancel
                | Input::Elapsed
                | Input::ConfigLost
                | Input::SnapshotTaken(_)
                | Input::Saved(_)
                | Input::Applied(_)
                | Input::Offered(_)
                | Input::Joined(_),
            ) => state,
        }
    }

    /// First move of the radio in a change of settings.
    fn begin(&self, job: Job, now: Instant) -> State {
        let job = Job { last: None, ..job };
        if self.goal.network(0).is_some() {
            job.join(now, 0)
        } else {
            State::Applying { job, until: now.after(APPLY_TIMEOUT) }
        }
    }

    /// Ended after the radio was, or may have been, touched.
    fn roll_back(&mut self, job: Job, now: Instant, cause: Cause) -> State {
        if job.task == TaskKind::Pair {
            self.settings = self.settings.clone().after_failure(self.after_failure);
        }
        self.restore(job.ended(now, Err(cause)), now)
    }

    /// Ended before the radio was touched, but the journal may be on disk.
    fn abort_journaled(&mut self, job: Job, now: Instant, cause: Cause) -> State {
        let ended = job.ended(now, Err(cause));
        if job.last.is_some() { self.restore(ended, now) } else { self.close(ended, now) }
    }

    /// Ended before anything was touched.
    fn abort_untouched(&mut self, job: Job, now: Instant, cause: Cause) -> State {
        let ended = job.ended(now, Err(cause));
        if job.last.is_some() { self.restore(ended, now) } else { self.rest(Some(ended)) }
    }

    fn restore(&mut self, ended: TaskResult, now: Instant) -> State {
        self.goal = Goal::Open;
        State::Restoring { ended: Some(ended), retry: Retry::first(now.after(APPLY_TIMEOUT)) }
    }

    fn close(&mut self, ended: TaskResult, now: Instant) -> State {
        self.forget();
        State::Closing { ended, retry: Retry::first(now.after(SAVE_TIMEOUT)) }
    }

    fn rest(&mut self, last: Option<TaskResult>) -> State {
        self.forget();
        State::Idle { last }
    }

    /// The radio is as it is to be: there is nothing more to put back or to reach.
    fn forget(&mut self) {
        self.snapshot = Snapshot::default();
        self.goal = Goal::Open;
    }
}

impl Job {
    fn ended(self, at: Instant, result: Result<(), Cause>) -> TaskResult {
        TaskResult { task: self.task, result, at }
    }

    /// Listens for a button; the radio may `leave` its network from then on.
    fn look(self, leave: Instant) -> State {
        State::Searching { job: self, step: Search::Look(leave) }
    }

    fn join(self, now: Instant, turn: usize) -> State {
        let step = Step::Try(self.deadline.min(now.after(JOIN_TIMEOUT)));
        State::Joining { job: self, turn, step }
    }

    /// A failure that may pass: remember why, and pause before the next `turn`, but not past the window.
    fn pause(self, now: Instant, why: Cause, turn: usize) -> State {
        let step = Step::Pause(self.deadline.min(now.after(RETRY_DELAY)));
        State::Joining { job: Self { last: Some(why), ..self }, turn, step }
    }
}

impl Retry {
    pub(super) fn first(until: Instant) -> Self {
        Self { step: Step::Try(until), pause_s: RETRY_DELAY.as_secs() as u8, trouble: None }
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
            step: Step::Pause(now.after(Duration::from_secs(self.pause_s.into()))),
            pause_s: (self.pause_s * 2).min(MAX_RETRY_DELAY.as_secs() as u8),
            trouble: Some(trouble),
        }
    }
}
