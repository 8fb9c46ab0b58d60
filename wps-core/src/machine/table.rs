//! The transition table: the next state for each state and input.

use core::mem;
use core::time::Duration;

use super::{Backoff, Machine, SearchStep, State, Step, Target, Task, Waiting};
use crate::command::{
    APPLY_TIMEOUT, CONFIGURE_WINDOW, Input, JOIN_TIMEOUT, KEEP_TIMEOUT, KEY_RETRY_DELAY,
    MAX_RETRY_DELAY, PAIRING_WINDOW, REQUEST_WAIT_TIMEOUT, RETRY_DELAY, SAVE_TIMEOUT,
    SNAPSHOT_TIMEOUT,
};
use crate::driver::ErrorKind;
use crate::logging::debug;
use crate::settings::{Secret, Settings, Snapshot};
use crate::status::{Cause, TaskKind, TaskResult};
use crate::time::Instant;

const REFUSED: Cause = Cause::Driver(ErrorKind::Refused);

impl Machine {
    /// Returns the next state.
    pub(super) fn next_state(&mut self, now: Instant, input: Input) -> State {
        match (self.state, input) {
            // A request whose reply is deferred is accepted. It waits until it can start: see
            // `start_waiting`.
            (state, Input::Configure { settings, reply_grace })
                if self.immediate_reply(TaskKind::Configure).is_none() =>
            {
                self.target = Target::Settings(settings);
                self.wait_to_start(TaskKind::Configure, reply_grace, now);
                state
            }
            // A second pairing joins the first. Its requester gets the reply grace that it needs.
            (state, Input::Start { reply_grace, only })
                if self.immediate_reply(TaskKind::Pair).is_none() =>
            {
                if self.requested().is_none() {
                    self.target = only.map_or(Target::Unset, Target::AccessPoint);
                    self.wait_to_start(TaskKind::Pair, reply_grace, now);
                }
                self.reply_grace = self.reply_grace.max(reply_grace);
                state
            }
            // Once the journal is written, it changes nothing and extends nothing.
            (state, Input::Start { .. }) if self.requested() == Some(TaskKind::Pair) => state,
            (
                state @ (State::Restoring { .. } | State::Closing { .. }),
                Input::Cancel | Input::WaitElapsed,
            ) if self.waiting.is_some() => {
                self.forget_request();
                state
            }

            // With a last result the record is saved once more, unchanged. That is harmless.
            (State::Idle { last }, Input::ConfigLost) => {
                State::Restoring { result: last, retry: Backoff::start(now.after(APPLY_TIMEOUT)) }
            }
            (state @ State::Idle { .. }, Input::KeyRefused) => {
                self.key_refused = true;
                state
            }
            (state @ State::Idle { .. }, Input::KeyAccepted) => {
                self.key_refused = false;
                state
            }
            // Only for a network that the platform keeps: a report must not cost us a key.
            (State::Idle { .. }, Input::NetworkRemoved) if self.settings.kept_id().is_some() => {
                self.key_refused = false;
                self.settings.forget_network();
                self.restore(TaskKind::Configure, now, Cause::NetworkRemoved)
            }

            (State::Snapshotting { task, .. }, Input::SnapshotTaken(Ok(snapshot))) => {
                // A snapshot that was not restored yet is the valid one: it was taken when the
                // radio was still as it should be.
                if self.snapshot == Snapshot::default() {
                    self.snapshot = snapshot;
                }
                State::Journaling { task, until: now.after(SAVE_TIMEOUT) }
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

            (State::Journaling { task, .. }, Input::Saved(Ok(()))) => {
                let until = now.after(mem::take(&mut self.reply_grace));
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
                self.key_refused = false;
                // What has failed before was not this network.
                Task { last_error: None, ..task }.join(now, 0, false)
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

            (State::Joining { task, index, step: Step::Try(_), .. }, Input::Joined(Ok(()))) => {
                let is_kept = self.target.is_kept();
                let network = self.target.network(index);
                let is_open = network.is_some_and(|network| network.secret == Secret::Open);
                let task = Task { is_open, ..task };
                if let Target::Networks(offer) = &self.target {
                    let network = offer.at(index).clone();
                    self.target = Target::Settings(Settings::Station { network });
                }
                if is_kept {
                    task.save(now)
                } else {
                    State::Keeping { task, until: now.after(KEEP_TIMEOUT) }
                }
            }
            (State::Joining { task, step: Step::Try(_), .. }, Input::Joined(Err(kind)))
                if kind.is_final() =>
            {
                self.roll_back(task, now, kind.into())
            }
            (State::Joining { task, .. }, Input::Elapsed) if now >= task.deadline => {
                self.roll_back(task, now, task.last_error.unwrap_or(Cause::NotJoined))
            }
            (
                State::Joining { task, index, is_retry: false, step: Step::Try(_) },
                Input::Joined(Err(
                    kind @ (ErrorKind::WrongKey | ErrorKind::Refused | ErrorKind::WithoutWpa2),
                )),
            ) => task.pause_join(now, KEY_RETRY_DELAY, cause_of_join(kind), index, true),
            // Refused twice: this network will not accept its key, or this device, and stays so.
            (
                State::Joining { task, index, is_retry: true, step: Step::Try(_) },
                Input::Joined(Err(
                    kind @ (ErrorKind::WrongKey | ErrorKind::Refused | ErrorKind::WithoutWpa2),
                )),
            ) => {
                let cause = cause_of_join(kind);
                if self.target.remove_network(index) {
                    self.join_later(task, now, cause, index)
                } else {
                    self.roll_back(task, now, cause)
                }
            }
            (State::Joining { task, index, step: Step::Try(_), .. }, Input::Joined(Err(kind))) => {
                self.join_later(task, now, kind.into(), index + 1)
            }
            (State::Joining { task, index, step: Step::Try(_), .. }, Input::Elapsed) => {
                self.join_later(task, now, Cause::NotJoined, index + 1)
            }
            (State::Joining { task, index, is_retry, step: Step::Pause(_) }, Input::Elapsed) => {
                task.join(now, index, is_retry)
            }

            (State::Keeping { task, .. }, Input::Kept(Ok(kept_by))) => {
                if let Target::Settings(Settings::Station { network }) = &mut self.target {
                    network.set_kept_by(kept_by);
                }
                task.save(now)
            }
            (State::Keeping { task, .. }, Input::Kept(Err(_)) | Input::Elapsed) => {
                self.roll_back(task, now, Cause::NotKept)
            }

            (State::Applying { task, .. }, Input::Applied(Ok(()))) => task.save(now),
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
                let result = self.finish(task.kind, now, Ok(()));
                self.become_idle(Some(TaskResult { is_open: task.is_open, ..result }))
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
                self.forget_request();
                State::Closing { result, retry: retry.failed(now, Cause::Store) }
            }
            (State::Closing { result, retry }, Input::Elapsed) => {
                self.forget_request();
                State::Closing { result, retry: retry.elapsed(now, SAVE_TIMEOUT, Cause::Store) }
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
                | Input::NetworkRemoved
                | Input::SnapshotTaken(_)
                | Input::Saved(_)
                | Input::Applied(_)
                | Input::Offered(_)
                | Input::Joined(_)
                | Input::Kept(_)),
            ) => {
                debug!("machine: ignored {} in {}", input.name(), state.name());
                state
            }
        }
    }

    /// Lets a task wait whose target is set.
    fn wait_to_start(&mut self, kind: TaskKind, reply_grace: Duration, now: Instant) {
        self.reply_grace = reply_grace;
        self.waiting = Some(Waiting { kind, until: now.after(REQUEST_WAIT_TIMEOUT) });
    }

    /// Starts the task that waits if the settings are in force. Starts it also if they could not be
    /// restored: settings that the radio does not accept must not lock the user out.
    pub(super) fn start_waiting(&mut self, now: Instant) {
        let restore_error =
            if let State::Restoring { retry, .. } = self.state { retry.trouble } else { None };
        if restore_error.is_none() && !matches!(self.state, State::Idle { .. }) {
            return;
        }
        if let Some(Waiting { kind, .. }) = self.waiting.take() {
            let deadline = now.after(match kind {
                TaskKind::Pair => PAIRING_WINDOW,
                TaskKind::Configure => CONFIGURE_WINDOW,
            });
            let task = Task { kind, deadline, restore_error, last_error: None, is_open: false };
            self.state = State::Snapshotting { task, until: now.after(SNAPSHOT_TIMEOUT) };
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

    /// Pauses after a failed join, before the join at `index`.
    fn join_later(&self, task: Task, now: Instant, cause: Cause, index: usize) -> State {
        task.pause_join(now, RETRY_DELAY, cause, index % self.target.network_count(), false)
    }

    /// Ends a task after the radio was, or may have been, touched.
    fn roll_back(&mut self, task: Task, now: Instant, cause: Cause) -> State {
        if task.kind == TaskKind::Pair {
            self.settings = self.settings.clone().after_failure(self.after_failure);
        }
        self.restore(task.kind, now, cause)
    }

    /// Ends a task before the radio was touched, when the journal may be on disk.
    fn abort_journaled(&mut self, task: Task, now: Instant, cause: Cause) -> State {
        if task.restore_error.is_some() {
            return self.restore(task.kind, now, cause);
        }
        let result = self.finish(task.kind, now, Err(cause));
        self.close_journal(result, now)
    }

    /// Ends a task before anything was touched.
    fn abort_untouched(&mut self, task: Task, now: Instant, cause: Cause) -> State {
        if task.restore_error.is_some() {
            return self.restore(task.kind, now, cause);
        }
        let result = self.finish(task.kind, now, Err(cause));
        self.become_idle(Some(result))
    }

    fn restore(&mut self, task: TaskKind, now: Instant, cause: Cause) -> State {
        let result = Some(self.finish(task, now, Err(cause)));
        State::Restoring { result, retry: Backoff::start(now.after(APPLY_TIMEOUT)) }
    }

    /// Clears what belongs to the task, and returns its result.
    fn finish(&mut self, task: TaskKind, at: Instant, result: Result<(), Cause>) -> TaskResult {
        self.forget_request();
        TaskResult::new(task, result, at)
    }

    /// Clears what was requested.
    fn forget_request(&mut self) {
        self.target = Target::Unset;
        self.reply_grace = Duration::ZERO;
        self.waiting = None;
    }

    /// The radio is as it should be, so nothing is left to restore.
    fn close_journal(&mut self, result: TaskResult, now: Instant) -> State {
        self.snapshot = Snapshot::default();
        State::Closing { result, retry: Backoff::start(now.after(SAVE_TIMEOUT)) }
    }

    fn become_idle(&mut self, last: Option<TaskResult>) -> State {
        self.snapshot = Snapshot::default();
        State::Idle { last }
    }
}

impl Task {
    /// Searches for a pressed router. The radio must stay on its network until `disconnect_after`.
    fn search(self, disconnect_after: Instant) -> State {
        State::Searching { task: self, step: SearchStep::Pair(disconnect_after) }
    }

    /// Joins the network at `index`, within the window.
    #[inline(never)] // smaller: `benches/size/measure`
    fn join(self, now: Instant, index: usize, is_retry: bool) -> State {
        let step = Step::Try(self.deadline.min(now.after(JOIN_TIMEOUT)));
        State::Joining { task: self, index, is_retry, step }
    }

    /// Saves the settings of the target.
    #[inline(always)] // smaller: `benches/size/measure`
    fn save(self, now: Instant) -> State {
        State::Saving { task: self, until: now.after(SAVE_TIMEOUT) }
    }

    /// Remembers why a join failed, and pauses before the join at `index`, within the window.
    #[inline(never)] // smaller: `benches/size/measure`
    fn pause_join(
        self,
        now: Instant,
        delay: Duration,
        cause: Cause,
        index: usize,
        is_retry: bool,
    ) -> State {
        let step = Step::Pause(self.deadline.min(now.after(delay)));
        State::Joining { task: Self { last_error: Some(cause), ..self }, index, is_retry, step }
    }
}

/// Returns the cause if a join has failed with this kind.
fn cause_of_join(kind: ErrorKind) -> Cause {
    if kind == ErrorKind::Refused { Cause::JoinRefused } else { kind.into() }
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
