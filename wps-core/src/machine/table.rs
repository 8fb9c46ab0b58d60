//! The transition table: the next state for each state and input.

use core::time::Duration;

use super::{Backoff, JoinStep, Machine, SearchStep, State, Step, Target, Task, Waiting};
use crate::command::{
    APPLY_TIMEOUT, CONFIGURE_WINDOW, Input, JOIN_TIMEOUT, KEY_RETRY_DELAY, MAX_RETRY_DELAY,
    PAIRING_WINDOW, REQUEST_WAIT_TIMEOUT, RETRY_DELAY, SAVE_TIMEOUT, SNAPSHOT_TIMEOUT,
};
use crate::driver::ErrorKind;
use crate::logging::debug;
use crate::settings::{Settings, Snapshot};
use crate::status::{Cause, TaskKind, TaskResult};
use crate::time::Instant;
use crate::wsc::Bssid;

const REFUSED: Cause = Cause::Driver(ErrorKind::Refused);

impl Machine {
    /// Returns the next state.
    pub(super) fn next_state(&mut self, now: Instant, input: Input) -> State {
        match (self.state, input) {
            (State::Idle { .. }, Input::Start { reply_grace, only }) => {
                Task::pair(now, only).start(now, reply_grace)
            }
            (State::Idle { .. }, Input::Configure { settings, reply_grace }) => {
                self.target = Target::Settings(settings);
                Task::configure(now).start(now, reply_grace)
            }

            // Settings that the radio does not accept must not lock the user out.
            (
                State::Restoring { retry: Backoff { trouble: Some(error), .. }, .. },
                Input::Start { reply_grace, only },
            ) => Task::pair(now, only).after_restore_error(error).start(now, reply_grace),
            (
                State::Restoring { retry: Backoff { trouble: Some(error), .. }, .. },
                Input::Configure { settings, reply_grace },
            ) => {
                self.target = Target::Settings(settings);
                Task::configure(now).after_restore_error(error).start(now, reply_grace)
            }

            // Until the first try has failed, a request waits for its end.
            (
                State::Restoring { result, retry: retry @ Backoff { trouble: None, .. }, waiting },
                Input::Start { reply_grace, only },
            ) => {
                let waiting = Waiting::joined(waiting, now, reply_grace, only);
                State::Restoring { result, retry, waiting }
            }
            (
                State::Closing { result, retry: retry @ Backoff { trouble: None, .. }, waiting },
                Input::Start { reply_grace, only },
            ) => {
                let waiting = Waiting::joined(waiting, now, reply_grace, only);
                State::Closing { result, retry, waiting }
            }
            (
                State::Restoring {
                    result,
                    retry: retry @ Backoff { trouble: None, .. },
                    waiting: None,
                },
                Input::Configure { settings, reply_grace },
            ) => {
                self.target = Target::Settings(settings);
                let waiting = Some(Waiting::new(TaskKind::Configure, now, reply_grace, None));
                State::Restoring { result, retry, waiting }
            }
            (
                State::Closing {
                    result,
                    retry: retry @ Backoff { trouble: None, .. },
                    waiting: None,
                },
                Input::Configure { settings, reply_grace },
            ) => {
                self.target = Target::Settings(settings);
                let waiting = Some(Waiting::new(TaskKind::Configure, now, reply_grace, None));
                State::Closing { result, retry, waiting }
            }
            (
                State::Restoring { result, retry, waiting: Some(_) },
                Input::Cancel | Input::WaitElapsed,
            ) => {
                self.target = Target::Unset;
                State::Restoring { result, retry, waiting: None }
            }
            (
                State::Closing { result, retry, waiting: Some(_) },
                Input::Cancel | Input::WaitElapsed,
            ) => {
                self.target = Target::Unset;
                State::Closing { result, retry, waiting: None }
            }

            // With a last result the record is saved once more, unchanged. That is harmless.
            (State::Idle { last }, Input::ConfigLost) => {
                self.key_refused = false;
                let retry = Backoff::start(now.after(APPLY_TIMEOUT));
                State::Restoring { result: last, retry, waiting: None }
            }
            (state @ State::Idle { .. }, Input::KeyRefused) => {
                self.key_refused = true;
                state
            }
            (state @ State::Idle { .. }, Input::KeyAccepted) => {
                self.key_refused = false;
                state
            }

            // A second start belongs to the pairing that is running. Until the journal is written,
            // its requester gets the reply grace that it needs.
            (
                State::Snapshotting { task, reply_grace, until },
                Input::Start { reply_grace: more, .. },
            ) if task.kind == TaskKind::Pair => {
                State::Snapshotting { task, reply_grace: reply_grace.max(more), until }
            }
            (
                State::Journaling { task, reply_grace, until },
                Input::Start { reply_grace: more, .. },
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
                    TaskKind::Pair => {
                        self.key_refused = false;
                        Task { restore_error: None, ..task }.search(until)
                    }
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
                task.join(now, 0, false)
            }
            // Refused twice in a row: this router will not change its mind.
            (
                State::Searching {
                    task: task @ Task { last_error: Some(REFUSED), .. },
                    step: SearchStep::Pair(_),
                },
                Input::Offered(Err(kind @ ErrorKind::Refused)),
            ) => self.roll_back(task, now, kind.into()),
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
            (State::Searching { task, step: SearchStep::Pair(_) }, Input::SearchElapsed(cause)) => {
                self.roll_back(task, now, task.last_error.unwrap_or(cause))
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

            (
                State::Joining { task, index, step: JoinStep { step: Step::Try(_), .. } },
                Input::Joined(Ok(())),
            ) => {
                if let Target::Networks(offer) = &self.target {
                    let settings = Settings::after_success(offer.at(index).clone());
                    self.target = Target::Settings(settings);
                }
                State::Saving { task, until: now.after(SAVE_TIMEOUT) }
            }
            (
                State::Joining { task, step: JoinStep { step: Step::Try(_), .. }, .. },
                Input::Joined(Err(kind)),
            ) if kind.is_final() => self.roll_back(task, now, kind.into()),
            (State::Joining { task, .. }, Input::Elapsed) if now >= task.deadline => {
                self.roll_back(task, now, task.last_error.unwrap_or(Cause::NotJoined))
            }
            (
                State::Joining {
                    task,
                    index,
                    step: JoinStep { key_refused: false, step: Step::Try(_) },
                },
                Input::Joined(Err(ErrorKind::WrongKey)),
            ) => {
                let until = task.deadline.min(now.after(KEY_RETRY_DELAY));
                let step = JoinStep { key_refused: true, step: Step::Pause(until) };
                let last_error = Some(ErrorKind::WrongKey.into());
                State::Joining { task: Task { last_error, ..task }, index, step }
            }
            // Refused twice: this network will not accept its key.
            (
                State::Joining {
                    task,
                    index,
                    step: JoinStep { key_refused: true, step: Step::Try(_) },
                },
                Input::Joined(Err(kind @ ErrorKind::WrongKey)),
            ) => {
                if self.target.remove_network(index) {
                    task.pause_join(now, kind.into(), index % self.target.network_count())
                } else {
                    self.roll_back(task, now, kind.into())
                }
            }
            (
                State::Joining { task, index, step: JoinStep { step: Step::Try(_), .. } },
                Input::Joined(Err(kind)),
            ) => task.pause_join(now, kind.into(), (index + 1) % self.target.network_count()),
            (
                State::Joining { task, index, step: JoinStep { step: Step::Try(_), .. } },
                Input::Elapsed,
            ) => task.pause_join(now, Cause::NotJoined, (index + 1) % self.target.network_count()),
            (
                State::Joining {
                    task,
                    index,
                    step: JoinStep { key_refused, step: Step::Pause(_) },
                },
                Input::Elapsed,
            ) => task.join(now, index, key_refused),

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

            (State::Restoring { result: None, retry, waiting }, Input::Applied(Ok(())))
                if retry.is_trying() =>
            {
                self.become_idle_or_start(None, waiting, now)
            }
            (State::Restoring { result: Some(result), retry, waiting }, Input::Applied(Ok(())))
                if retry.is_trying() =>
            {
                self.snapshot = Snapshot::default();
                let retry = Backoff::start(now.after(SAVE_TIMEOUT));
                State::Closing { result, retry, waiting }
            }
            (State::Restoring { result, retry, waiting }, Input::Applied(Err(kind)))
                if retry.is_trying() =>
            {
                Self::restore_failed(result, retry.failed(now, kind.into()), waiting, now)
            }
            (State::Restoring { result, retry, waiting }, Input::Elapsed) => {
                let retry = retry.elapsed(now, APPLY_TIMEOUT, ErrorKind::NoResponse.into());
                Self::restore_failed(result, retry, waiting, now)
            }
            (State::Closing { result, retry, waiting }, Input::Saved(Ok(())))
                if retry.is_trying() =>
            {
                self.become_idle_or_start(Some(result), waiting, now)
            }
            (State::Closing { result, retry, .. }, Input::Saved(Err(()))) if retry.is_trying() => {
                self.target = Target::Unset;
                State::Closing { result, retry: retry.failed(now, Cause::Store), waiting: None }
            }
            (State::Closing { result, retry, .. }, Input::Elapsed) => {
                self.target = Target::Unset;
                let retry = retry.elapsed(now, SAVE_TIMEOUT, Cause::Store);
                State::Closing { result, retry, waiting: None }
            }

            // A request at the wrong time, or an answer to another command than the current one.
            (
                state,
                ref input @ (Input::Start { .. }
                | Input::Configure { .. }
                | Input::Cancel
                | Input::Elapsed
                | Input::SearchElapsed(_)
                | Input::WaitElapsed
                | Input::ConfigLost
                | Input::KeyRefused
                | Input::KeyAccepted
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
    fn start_configuring(&mut self, task: Task, now: Instant) -> State {
        self.key_refused = false;
        let task = Task { restore_error: None, ..task };
        if self.target.network(0).is_some() {
            task.join(now, 0, false)
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
        self.key_refused = false;
        let retry = Backoff::start(now.after(APPLY_TIMEOUT));
        State::Restoring { result: Some(result), retry, waiting: None }
    }

    fn close_journal(&mut self, result: TaskResult, now: Instant) -> State {
        self.clear_task();
        State::Closing { result, retry: Backoff::start(now.after(SAVE_TIMEOUT)), waiting: None }
    }

    /// Stays in Restoring after a step of it. A request that waits starts if the try has failed.
    fn restore_failed(
        result: Option<TaskResult>,
        retry: Backoff,
        waiting: Option<Waiting>,
        now: Instant,
    ) -> State {
        match (waiting, retry.trouble) {
            (Some(waiting), Some(error)) => {
                waiting.task(now).after_restore_error(error).start(now, waiting.reply_grace)
            }
            (waiting, _) => State::Restoring { result, retry, waiting },
        }
    }

    /// Ends the restoring. A request that has waited for it starts now.
    fn become_idle_or_start(
        &mut self,
        last: Option<TaskResult>,
        waiting: Option<Waiting>,
        now: Instant,
    ) -> State {
        match waiting {
            None => self.become_idle(last),
            Some(waiting) => {
                self.snapshot = Snapshot::default();
                waiting.task(now).start(now, waiting.reply_grace)
            }
        }
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

impl Waiting {
    fn new(kind: TaskKind, now: Instant, reply_grace: Duration, only: Option<Bssid>) -> Self {
        Self { kind, reply_grace, only, until: now.after(REQUEST_WAIT_TIMEOUT) }
    }

    /// Adds a pairing to what `waiting`. It joins a pairing that waits, and needs its reply, too.
    fn joined(
        waiting: Option<Self>,
        now: Instant,
        reply_grace: Duration,
        only: Option<Bssid>,
    ) -> Option<Self> {
        Some(match waiting {
            None => Self::new(TaskKind::Pair, now, reply_grace, only),
            Some(it) if it.kind == TaskKind::Pair => {
                Self { reply_grace: it.reply_grace.max(reply_grace), ..it }
            }
            Some(it) => it,
        })
    }

    /// Returns the task that this request starts now.
    fn task(self, now: Instant) -> Task {
        match self.kind {
            TaskKind::Pair => Task::pair(now, self.only),
            TaskKind::Configure => Task::configure(now),
        }
    }
}

impl Task {
    fn pair(now: Instant, only: Option<Bssid>) -> Self {
        let deadline = now.after(PAIRING_WINDOW);
        Self { kind: TaskKind::Pair, deadline, restore_error: None, last_error: None, only }
    }

    fn configure(now: Instant) -> Self {
        let deadline = now.after(CONFIGURE_WINDOW);
        let kind = TaskKind::Configure;
        Self { kind, deadline, restore_error: None, last_error: None, only: None }
    }

    /// The same task, started although the settings could not be restored because of `error`.
    fn after_restore_error(self, error: Cause) -> Self {
        Self { restore_error: Some(error), ..self }
    }

    fn start(self, now: Instant, reply_grace: Duration) -> State {
        State::Snapshotting { task: self, reply_grace, until: now.after(SNAPSHOT_TIMEOUT) }
    }

    fn finish(self, at: Instant, result: Result<(), Cause>) -> TaskResult {
        TaskResult { task: self.kind, result, at }
    }

    /// Searches for a pressed router. The radio must stay on its network until `disconnect_after`.
    fn search(self, disconnect_after: Instant) -> State {
        State::Searching { task: self, step: SearchStep::Pair(disconnect_after) }
    }

    /// Joins the network at `index`, within the window.
    fn join(self, now: Instant, index: usize, key_refused: bool) -> State {
        let step = Step::Try(self.deadline.min(now.after(JOIN_TIMEOUT)));
        State::Joining { task: self, index, step: JoinStep { key_refused, step } }
    }

    /// Remembers why a join failed, and pauses before the join at `index`, within the window.
    fn pause_join(self, now: Instant, cause: Cause, index: usize) -> State {
        let step = Step::Pause(self.deadline.min(now.after(RETRY_DELAY)));
        let step = JoinStep { key_refused: false, step };
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
