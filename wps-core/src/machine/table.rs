//! The transition table: the next state for each state and input.

use core::time::Duration;

use super::{Backoff, Machine, SearchStep, State, Step, Target, Task};
use crate::command::{
    APPLY_TIMEOUT, CONFIGURE_WINDOW, Input, JOIN_TIMEOUT, MAX_RETRY_DELAY, PAIRING_WINDOW,
    RETRY_DELAY, SAVE_TIMEOUT, SNAPSHOT_TIMEOUT,
};
use crate::driver::ErrorKind;
use crate::logging::debug;
use crate::settings::{Settings, Snapshot};
use crate::status::{Cause, TaskKind, TaskResult};
use crate::time::Instant;

impl Machine {
    /// Returns the next state.
    pub(super) fn next_state(&mut self, now: Instant, input: Input) -> State {
        let start = |kind, window, reply_grace, restore_error| {
            let deadline = now.after(window);
            let task = Task { kind, deadline, restore_error, last_error: None };
            State::Snapshotting { task, reply_grace, until: now.after(SNAPSHOT_TIMEOUT) }
        };
        let restore_error =
            if let State::Restoring { retry, .. } = self.state { retry.trouble } else { None };
        match (self.state, input) {
            // Settings that the radio does not accept must not lock the user out.
            (
                State::Idle { .. }
                | State::Restoring { retry: Backoff { trouble: Some(_), .. }, .. },
                Input::Start { reply_grace },
            ) => start(TaskKind::Pair, PAIRING_WINDOW, reply_grace, restore_error),
            (
                State::Idle { .. }
                | State::Restoring { retry: Backoff { trouble: Some(_), .. }, .. },
                Input::Configure { settings, reply_grace },
            ) => {
                self.target = Target::Settings(settings);
                start(TaskKind::Configure, CONFIGURE_WINDOW, reply_grace, restore_error)
            }

            // With a last result the record is saved once more, unchanged. That is harmless.
            (State::Idle { last }, Input::ConfigLost) => {
                State::Restoring { result: last, retry: Backoff::start(now.after(APPLY_TIMEOUT)) }
            }

            // A second start belongs to the pairing that is running. Until the journal is written,
            // its requester gets the reply grace that it needs.
            (
                State::Snapshotting { task, reply_grace, until },
                Input::Start { reply_grace: more },
            ) if task.kind == TaskKind::Pair => {
                State::Snapshotting { task, reply_grace: reply_grace.max(more), until }
            }
            (
                State::Journaling { task, reply_grace, until },
                Input::Start { reply_grace: more },
            ) if task.kind == TaskKind::Pair => {
                State::Journaling { task, reply_grace: reply_grace.max(more), until }
            }

            // After that, it changes nothing and extends nothing.
            (
                state @ (State::Searching { task, .. }
                | State::Joining { task, .. }
                | State::Saving { task, .. }),
                Input::Start { .. },
            ) if task.kind == TaskKind::Pair => state,

            (State::Snapshotting { task, reply_grace, .. }, Input::SnapshotTaken(Ok(snapshot))) => {
                // A snapshot that was not restored yet is the valid one: it was taken when the
                // radio was still as it should be.
                if self.snapshot == Snapshot::default() {
                    self.snapshot = snapshot;
                }
                State::Journaling { task, reply_grace, until: now.after(SAVE_TIMEOUT) }
            }
            (State::Snapshotting { task, .. }, Input::SnapshotTaken(Err(kind))) => {
                self.abort_untouched(task, now, kind.into())
            }
            (State::Snapshotting { task, .. }, Input::Elapsed) => {
                self.abort_untouched(task, now, ErrorKind::NoResponse.into())
            }
            (State::Snapshotting { task, .. }, Input::Cancel) => {
                self.abort_untouched(task, now, Cause::Cancelled)
            }

            (State::Journaling { task, reply_grace, .. }, Input::Saved(Ok(()))) => {
                let until = now.after(reply_grace);
                match task.kind {
                    TaskKind::Pair => Task { restore_error: None, ..task }.search(until),
                    TaskKind::Configure => State::ReplyGrace { task, until },
                }
            }
            (State::Journaling { task, .. }, Input::Saved(Err(())) | Input::Elapsed) => {
                self.abort_journaled(task, now, Cause::Store)
            }
            (State::Journaling { task, .. } | State::ReplyGrace { task, .. }, Input::Cancel) => {
                self.abort_journaled(task, now, Cause::Cancelled)
            }
            (State::ReplyGrace { task, .. }, Input::Elapsed) => self.start_configuring(task, now),

            (State::Searching { task, step: SearchStep::Pair(_) }, Input::Offered(Ok(offer))) => {
                self.target = Target::Networks(offer);
                task.join(now, 0)
            }
            (State::Searching { task, step: SearchStep::Pair(_) }, Input::Offered(Err(kind)))
                if !kind.is_final() =>
            {
                let task = Task { last_error: Some(kind.into()), ..task };
                let until = task.deadline.min(now.after(APPLY_TIMEOUT));
                State::Searching { task, step: SearchStep::Restore(until) }
            }
            (State::Searching { task, step: SearchStep::Pair(_) }, Input::Offered(Err(kind)))
            | (
                State::Searching { task, step: SearchStep::Restore(_) },
                Input::Applied(Err(kind)),
            ) if kind.is_final() => self.roll_back(task, now, kind.into()),
            (State::Searching { task, .. }, Input::Elapsed) if now >= task.deadline => {
                self.roll_back(task, now, task.last_error.unwrap_or(Cause::TimedOut))
            }
            (
                State::Searching { task, step: SearchStep::Restore(_) },
                Input::Applied(_) | Input::Elapsed,
            ) => {
                let until = task.deadline.min(now.after(RETRY_DELAY));
                State::Searching { task, step: SearchStep::Pause(until) }
            }
            (State::Searching { task, step: SearchStep::Pause(_) }, Input::Elapsed) => {
                task.search(now)
            }

            (State::Joining { task, index, step: Step::Try(_) }, Input::Joined(Ok(()))) => {
                if let Target::Networks(offer) = &self.target {
                    let settings = Settings::after_success(offer.at(index).clone());
                    self.target = Target::Settings(settings);
                }
                State::Saving { task, until: now.after(SAVE_TIMEOUT) }
            }
            (State::Joining { task, step: Step::Try(_), .. }, Input::Joined(Err(kind)))
                if kind.is_final() =>
            {
                self.roll_back(task, now, kind.into())
            }
            (State::Joining { task, .. }, Input::Elapsed) if now >= task.deadline => {
                self.roll_back(task, now, task.last_error.unwrap_or(Cause::NotJoined))
            }
            (State::Joining { task, index, step: Step::Try(_) }, Input::Joined(Err(kind))) => {
                task.pause_join(now, kind.into(), (index + 1) % self.target.network_count())
            }
            (State::Joining { task, index, step: Step::Try(_) }, Input::Elapsed) => {
                task.pause_join(now, Cause::NotJoined, (index + 1) % self.target.network_count())
            }
            (State::Joining { task, index, step: Step::Pause(_) }, Input::Elapsed) => {
                task.join(now, index)
            }

            (State::Applying { task, .. }, Input::Applied(Ok(()))) => {
                State::Saving { task, until: now.after(SAVE_TIMEOUT) }
            }
            (State::Applying { task, .. }, Input::Applied(Err(kind))) => {
                self.roll_back(task, now, kind.into())
            }
            (State::Applying { task, .. }, Input::Elapsed) => {
                self.roll_back(task, now, ErrorKind::NoResponse.into())
            }
            (
                State::Searching { task, .. }
                | State::Joining { task, .. }
                | State::Applying { task, .. },
                Input::Cancel,
            ) => self.roll_back(task, now, Cause::Cancelled),

            (State::Saving { task, .. }, Input::Saved(Ok(()))) => {
                // Cloned, because a move would not wipe the secrets.
                if let Target::Settings(settings) = &self.target {
                    self.settings = settings.clone();
                }
                self.become_idle(Some(task.finish(now, Ok(()))))
            }
            (State::Saving { task, .. }, Input::Saved(Err(())) | Input::Elapsed) => {
                self.roll_back(task, now, Cause::Store)
            }

            (State::Restoring { result: None, retry }, Input::Applied(Ok(())))
                if retry.is_trying() =>
            {
                self.become_idle(None)
            }
            (State::Restoring { result: Some(result), retry }, Input::Applied(Ok(())))
                if retry.is_trying() =>
            {
                self.close_journal(result, now)
            }
            (State::Restoring { result, retry }, Input::Applied(Err(kind)))
                if retry.is_trying() =>
            {
                State::Restoring { result, retry: retry.failed(now, kind.into()) }
            }
            (State::Restoring { result, retry }, Input::Elapsed) => {
                let retry = retry.elapsed(now, APPLY_TIMEOUT, ErrorKind::NoResponse.into());
                State::Restoring { result, retry }
            }
            (State::Closing { result, retry }, Input::Saved(Ok(()))) if retry.is_trying() => {
                self.become_idle(Some(result))
            }
            (State::Closing { result, retry }, Input::Saved(Err(()))) if retry.is_trying() => {
                State::Closing { result, retry: retry.failed(now, Cause::Store) }
            }
            (State::Closing { result, retry }, Input::Elapsed) => {
                State::Closing { result, retry: retry.elapsed(now, SAVE_TIMEOUT, Cause::Store) }
            }

            // A request at the wrong time, or an answer to another command than the current one.
            (
                state,
                ref input @ (Input::Start { .. }
                | Input::Configure { .. }
                | Input::Cancel
                | Input::Elapsed
                | Input::ConfigLost
                | Input::SnapshotTaken(_)
                | Input::Saved(_)
                | Input::Applied(_)
                | Input::Offered(_)
                | Input::Joined(_)),
            ) => {
                debug!("machine: ignored {} in {}", input.name(), state.name());
                state
            }
        }
    }

    /// Starts to put the requested settings in force. The radio is touched from here on.
    fn start_configuring(&self, task: Task, now: Instant) -> State {
        let task = Task { restore_error: None, ..task };
        if self.target.network(0).is_some() {
            task.join(now, 0)
        } else {
            State::Applying { task, until: now.after(APPLY_TIMEOUT) }
        }
    }

    /// Ends a task after the radio was, or may have been, touched.
    fn roll_back(&mut self, task: Task, now: Instant, cause: Cause) -> State {
        if task.kind == TaskKind::Pair {
            self.settings = self.settings.clone().after_failure(self.after_failure);
        }
        self.restore(task.finish(now, Err(cause)), now)
    }

    /// Ends a task before the radio was touched, when the journal may be on disk.
    fn abort_journaled(&mut self, task: Task, now: Instant, cause: Cause) -> State {
        let result = task.finish(now, Err(cause));
        if task.restore_error.is_some() {
            self.restore(result, now)
        } else {
            self.close_journal(result, now)
        }
    }

    /// Ends a task before anything was touched.
    fn abort_untouched(&mut self, task: Task, now: Instant, cause: Cause) -> State {
        let result = task.finish(now, Err(cause));
        if task.restore_error.is_some() {
            self.restore(result, now)
        } else {
            self.become_idle(Some(result))
        }
    }

    fn restore(&mut self, result: TaskResult, now: Instant) -> State {
        self.target = Target::Unset;
        State::Restoring { result: Some(result), retry: Backoff::start(now.after(APPLY_TIMEOUT)) }
    }

    fn close_journal(&mut self, result: TaskResult, now: Instant) -> State {
        self.clear_task();
        State::Closing { result, retry: Backoff::start(now.after(SAVE_TIMEOUT)) }
    }

    fn become_idle(&mut self, last: Option<TaskResult>) -> State {
        self.clear_task();
        State::Idle { last }
    }

    /// Clears what belongs to the task: the radio is as it should be, so nothing is left to restore
    /// or to reach.
    fn clear_task(&mut self) {
        self.snapshot = Snapshot::default();
        self.target = Target::Unset;
    }
}

impl Task {
    fn finish(self, at: Instant, result: Result<(), Cause>) -> TaskResult {
        TaskResult { task: self.kind, result, at }
    }

    /// Searches for a pressed router. The radio must stay on its network until `disconnect_after`.
    fn search(self, disconnect_after: Instant) -> State {
        State::Searching { task: self, step: SearchStep::Pair(disconnect_after) }
    }

    /// Joins the network at `index`, within the window.
    fn join(self, now: Instant, index: usize) -> State {
        let step = Step::Try(self.deadline.min(now.after(JOIN_TIMEOUT)));
        State::Joining { task: self, index, step }
    }

    /// Remembers why a join failed, and pauses before the join at `index`, within the window.
    fn pause_join(self, now: Instant, cause: Cause, index: usize) -> State {
        let step = Step::Pause(self.deadline.min(now.after(RETRY_DELAY)));
        State::Joining { task: Self { last_error: Some(cause), ..self }, index, step }
    }
}

impl Backoff {
    /// Begins the first try, which ends at `until`.
    pub(super) fn start(until: Instant) -> Self {
        Self { step: Step::Try(until), pause_s: RETRY_DELAY.as_secs() as u8, trouble: None }
    }

    fn is_trying(self) -> bool {
        matches!(self.step, Step::Try(_))
    }

    /// Begins a try of at most `timeout` if a pause is over. If a try is over, it has failed with
    /// `trouble`.
    fn elapsed(self, now: Instant, timeout: Duration, trouble: Cause) -> Self {
        match self.step {
            Step::Pause(_) => Self { step: Step::Try(now.after(timeout)), ..self },
            Step::Try(_) => self.failed(now, trouble),
        }
    }

    /// Begins the pause after a failed try.
    fn failed(self, now: Instant, trouble: Cause) -> Self {
        Self {
            step: Step::Pause(now.after(Duration::from_secs(self.pause_s.into()))),
            pause_s: (self.pause_s * 2).min(MAX_RETRY_DELAY.as_secs() as u8),
            trouble: Some(trouble),
        }
    }
}
