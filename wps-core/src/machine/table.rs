//! The transition table: what each answer leads to, in each state.

use core::time::Duration;

use super::{Goal, Job, Pairing, Retry, Search, State, Step};
use crate::command::{
    APPLY_LIMIT, CONFIGURE_WINDOW, Input, JOIN_LIMIT, LONGEST_PAUSE, NOTE_LIMIT, PAUSE, SAVE_LIMIT,
    WINDOW,
};
use crate::driver::ErrorKind;
use crate::settings::{Settings, Snapshot};
use crate::status::{Cause, Ended, TaskKind};
use crate::time::Instant;

impl Pairing {
    pub(super) fn next(&mut self, now: Instant, input: Input) -> State {
        let open = |task, window, parting, last| {
            let job = Job { task, deadline: now.after(window), last };
            State::Noting { job, parting, until: now.after(NOTE_LIMIT) }
        };
        let in_vain =
            if let State::Restoring { retry, .. } = self.state { retry.trouble } else { None };
        match (self.state, input) {
            // Settings that the radio does not take must not lock everybody out.
            (
                State::Idle { .. } | State::Restoring { retry: Retry { trouble: Some(_), .. }, .. },
                Input::Start { parting },
            ) => open(TaskKind::Pair, WINDOW, parting, in_vain),
            (
                State::Idle { .. } | State::Restoring { retry: Retry { trouble: Some(_), .. }, .. },
                Input::Configure { settings, parting },
            ) => {
                self.goal = Goal::Settings(settings);
                open(TaskKind::Configure, CONFIGURE_WINDOW, parting, in_vain)
            }

            // The record says so already: to save it once more, after an ending, changes nothing.
            (State::Idle { last }, Input::Lost) => {
                State::Restoring { ended: last, retry: Retry::first(now.after(APPLY_LIMIT)) }
            }

            // Whoever starts the same pairing needs the time for its own answer.
            (State::Noting { job, parting, until }, Input::Start { parting: more })
                if job.task == TaskKind::Pair =>
            {
                State::Noting { job, parting: parting.max(more), until }
            }
            (State::Opening { job, parting, until }, Input::Start { parting: more })
                if job.task == TaskKind::Pair =>
            {
                State::Opening { job, parting: parting.max(more), until }
            }

            (State::Noting { job, parting, .. }, Input::Noted(Ok(snapshot))) => {
                // What could not be put back yet was noted when it was still as it should be.
                if self.snapshot == Snapshot::default() {
                    self.snapshot = snapshot;
                }
                State::Opening { job, parting, until: now.after(SAVE_LIMIT) }
            }
            (State::Noting { job, .. }, Input::Noted(Err(kind))) => {
                self.decline(job, now, kind.into())
            }
            (State::Noting { job, .. }, Input::Elapsed) => {
                self.decline(job, now, ErrorKind::Mute.into())
            }
            (State::Noting { job, .. }, Input::Cancel) => self.decline(job, now, Cause::Cancelled),

            (State::Opening { job, parting, .. }, Input::Saved(Ok(()))) => {
                let until = now.after(parting);
                match job.task {
                    TaskKind::Pair => Job { last: None, ..job }.look(until),
                    TaskKind::Configure => State::Parting { job, until },
                }
            }
            (State::Opening { job, .. }, Input::Saved(Err(())) | Input::Elapsed) => {
                self.refuse(job, now, Cause::Store)
            }
            (State::Opening { job, .. } | State::Parting { job, .. }, Input::Cancel) => {
                self.refuse(job, now, Cause::Cancelled)
            }
            (State::Parting { job, .. }, Input::Elapsed) => self.begin(job, now),

            (State::Searching { job, step: Search::Look(_) }, Input::Offered(Ok(offer))) => {
                self.goal = Goal::Networks(offer);
                job.join(now, 0)
            }
            (State::Searching { job, step: Search::Look(_) }, Input::Offered(Err(kind)))
                if !kind.is_final() =>
            {
                let job = Job { last: Some(kind.into()), ..job };
                let until = job.deadline.min(now.after(APPLY_LIMIT));
                State::Searching { job, step: Search::PutBack(until) }
            }
            (State::Searching { job, step: Search::Look(_) }, Input::Offered(Err(kind)))
            | (State::Searching { job, step: Search::PutBack(_) }, Input::Applied(Err(kind)))
                if kind.is_final() =>
            {
                self.fail(job, now, kind.into())
            }
            (State::Searching { job, .. }, Input::Elapsed) if now >= job.deadline => {
                self.fail(job, now, job.last.unwrap_or(Cause::TimedOut))
            }
            (
                State::Searching { job, step: Search::PutBack(_) },
                Input::Applied(_) | Input::Elapsed,
            ) => {
                let until = job.deadline.min(now.after(PAUSE));
                State::Searching { job, step: Search::Pause(until) }
            }
            (State::Searching { job, step: Search::Pause(_) }, Input::Elapsed) => job.look(now),

            (State::Joining { job, turn, step: Step::Try(_) }, Input::Joined(Ok(()))) => {
                if let Goal::Networks(offer) = &self.goal {
                    let settings = Settings::after_success(offer.at(turn).clone());
                    self.goal = Goal::Settings(settings);
                }
                State::Committing { job, until: now.after(SAVE_LIMIT) }
            }
            (State::Joining { job, step: Step::Try(_), .. }, Input::Joined(Err(kind)))
                if kind.is_final() =>
            {
                self.fail(job, now, kind.into())
            }
            (State::Joining { job, .. }, Input::Elapsed) if now >= job.deadline => {
                self.fail(job, now, job.last.unwrap_or(Cause::NotJoined))
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
                State::Committing { job, until: now.after(SAVE_LIMIT) }
            }
            (State::Applying { job, .. }, Input::Applied(Err(kind))) => {
                self.fail(job, now, kind.into())
            }
            (State::Applying { job, .. }, Input::Elapsed) => {
                self.fail(job, now, ErrorKind::Mute.into())
            }
            (
                State::Searching { job, .. }
                | State::Joining { job, .. }
                | State::Applying { job, .. },
                Input::Cancel,
            ) => self.fail(job, now, Cause::Cancelled),

            (State::Committing { job, .. }, Input::Saved(Ok(()))) => {
                // Cloned: what is moved away is not wiped.
                if let Goal::Settings(settings) = &self.goal {
                    self.settings = settings.clone();
                }
                self.rest(Some(job.ended(now, Ok(()))))
            }
            (State::Committing { job, .. }, Input::Saved(Err(())) | Input::Elapsed) => {
                self.fail(job, now, Cause::Store)
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
                let retry = retry.elapsed(now, APPLY_LIMIT, ErrorKind::Mute.into());
                State::Restoring { ended, retry }
            }
            (State::Closing { ended, retry }, Input::Saved(Ok(()))) if retry.is_trying() => {
                self.rest(Some(ended))
            }
            (State::Closing { ended, retry }, Input::Saved(Err(()))) if retry.is_trying() => {
                State::Closing { ended, retry: retry.failed(now, Cause::Store) }
            }
            (State::Closing { ended, retry }, Input::Elapsed) => {
                State::Closing { ended, retry: retry.elapsed(now, SAVE_LIMIT, Cause::Store) }
            }

            // A request out of its time, or an answer to another command than the current one.
            (
                state,
                Input::Start { .. }
                | Input::Configure { .. }
                | Input::Cancel
                | Input::Elapsed
                | Input::Lost
                | Input::Noted(_)
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
            State::Applying { job, until: now.after(APPLY_LIMIT) }
        }
    }

    /// Ended after the radio was, or may have been, touched.
    fn fail(&mut self, job: Job, now: Instant, cause: Cause) -> State {
        if job.task == TaskKind::Pair {
            self.settings = self.settings.clone().after_failure(self.policy);
        }
        self.restore(job.ended(now, Err(cause)), now)
    }

    /// Ended before the radio was touched, but the journal may be on disk.
    fn refuse(&mut self, job: Job, now: Instant, cause: Cause) -> State {
        let ended = job.ended(now, Err(cause));
        if job.last.is_some() { self.restore(ended, now) } else { self.close(ended, now) }
    }

    /// Ended before anything was touched.
    fn decline(&mut self, job: Job, now: Instant, cause: Cause) -> State {
        let ended = job.ended(now, Err(cause));
        if job.last.is_some() { self.restore(ended, now) } else { self.rest(Some(ended)) }
    }

    fn restore(&mut self, ended: Ended, now: Instant) -> State {
        self.goal = Goal::Open;
        State::Restoring { ended: Some(ended), retry: Retry::first(now.after(APPLY_LIMIT)) }
    }

    fn close(&mut self, ended: Ended, now: Instant) -> State {
        self.forget();
        State::Closing { ended, retry: Retry::first(now.after(SAVE_LIMIT)) }
    }

    fn rest(&mut self, last: Option<Ended>) -> State {
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
    fn ended(self, at: Instant, result: Result<(), Cause>) -> Ended {
        Ended { task: self.task, result, at }
    }

    /// Listens for a button; the radio may `leave` its network from then on.
    fn look(self, leave: Instant) -> State {
        State::Searching { job: self, step: Search::Look(leave) }
    }

    fn join(self, now: Instant, turn: usize) -> State {
        let step = Step::Try(self.deadline.min(now.after(JOIN_LIMIT)));
        State::Joining { job: self, turn, step }
    }

    /// A failure that may pass: remember why, and pause before the next `turn`, but not past the window.
    fn pause(self, now: Instant, why: Cause, turn: usize) -> State {
        let step = Step::Pause(self.deadline.min(now.after(PAUSE)));
        State::Joining { job: Self { last: Some(why), ..self }, turn, step }
    }
}

impl Retry {
    pub(super) fn first(until: Instant) -> Self {
        Self { step: Step::Try(until), pause_s: PAUSE.as_secs() as u8, trouble: None }
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
            pause_s: (self.pause_s * 2).min(LONGEST_PAUSE.as_secs() as u8),
            trouble: Some(trouble),
        }
    }
}
