//! The states of the statig machine, and how each handles an input.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "other inputs go to the superstate, or are ignored"
)]

use core::cell::Cell;
use core::mem;
use core::time::Duration;

use statig::prelude::*;
use wps_core::command::{
    APPLY_TIMEOUT, CONFIGURE_WINDOW, Input, JOIN_TIMEOUT, KEEP_TIMEOUT, KEY_RETRY_DELAY,
    MAX_RETRY_DELAY, PAIRING_WINDOW, REQUEST_WAIT_TIMEOUT, RETRY_DELAY, SAVE_TIMEOUT,
    SNAPSHOT_TIMEOUT,
};
use wps_core::driver::{ErrorKind, Offer};
use wps_core::wsc::Bssid;
use wps_core::{
    AfterFailure, Cause, Credentials, Instant, Record, RequestError, Settings, Snapshot, TaskKind,
    TaskResult,
};

/// The boot time of every device.
const BOOTED: Instant = Instant::from_millis(0);

/// The data that all states share.
pub(super) struct Machine {
    after_failure: AfterFailure,
    /// The settings in force, or the settings being restored.
    pub(super) settings: Settings,
    pub(super) snapshot: Snapshot,
    pub(super) task: TaskKind,
    /// The only access point to pair with.
    pub(super) only: Option<Bssid>,
    /// The settings to save when the task succeeds, or `None` until a pairing has joined. Like the
    /// offer, this is large. It is stored outside the states, as in our machine, because a
    /// transition moves the data of a state.
    pub(super) target: Option<Settings>,
    /// The networks to try to join.
    pub(super) offer: Option<Offer>,
    pub(super) deadline: Instant,
    /// Why the last try within the window failed. Before the first one: why the settings could not
    /// be restored when the task started.
    pub(super) last_error: Option<Cause>,
    pub(super) last_result: Option<TaskResult>,
    retry_delay: Duration,
    /// Why the last attempt to restore, or to close the journal, failed.
    pub(super) retry_cause: Option<Cause>,
    /// The request that waits until the settings are restored.
    pub(super) waiting: Option<Waiting>,
    /// While idle, the network does not accept its key any more.
    pub(super) key_refused: bool,
    /// A requester has not got its reply yet.
    is_request_pending: bool,
    /// The reply to the requests, if the present input has decided it. In a cell, because statig
    /// gives no mutable access to it.
    pub(super) reply: Cell<Option<Result<(), RequestError>>>,
}

/// A request that waits.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    task: TaskKind,
    reply_grace: Duration,
    only: Option<Bssid>,
    pub(super) until: Instant,
}

/// An input and the time at which it arrived.
pub(super) struct Event {
    pub(super) now: Instant,
    pub(super) input: Input,
}

#[state_machine(
    initial = "State::restoring(BOOTED.after(APPLY_TIMEOUT))",
    visibility = "pub(super)"
)]
impl Machine {
    #[state]
    fn idle(&mut self, event: &Event) -> Outcome<State> {
        match &event.input {
            Input::Start { .. } | Input::Configure { .. } => self.begin(event, None),
            Input::ConfigLost => {
                self.reset_retries();
                Transition(State::restoring(event.now.after(APPLY_TIMEOUT)))
            }
            Input::KeyRefused => {
                self.key_refused = true;
                Handled
            }
            Input::KeyAccepted => {
                self.key_refused = false;
                Handled
            }
            Input::NetworkRemoved if self.settings.kept_id().is_some() => {
                (self.task, self.key_refused) = (TaskKind::Configure, false);
                self.forget_network();
                self.restore(event.now, Cause::NetworkRemoved)
            }
            _ => Super,
        }
    }

    #[state]
    fn snapshotting(
        &mut self,
        reply_grace: &mut Duration,
        until: &Instant,
        event: &Event,
    ) -> Outcome<State> {
        let _ = until; // used only by `command`
        let now = event.now;
        match &event.input {
            Input::Start { reply_grace: other, .. } if self.task == TaskKind::Pair => {
                *reply_grace = (*reply_grace).max(*other);
                Handled
            }
            Input::SnapshotTaken(Ok(snapshot)) => {
                if self.snapshot == Snapshot::default() {
                    self.snapshot = snapshot.clone();
                }
                Transition(State::journaling(*reply_grace, now.after(SAVE_TIMEOUT)))
            }
            Input::SnapshotTaken(Err(kind)) => self.abort_untouched(now, (*kind).into()),
            Input::Elapsed => self.abort_untouched(now, ErrorKind::NoResponse.into()),
            Input::Cancel => self.abort_untouched(now, Cause::Cancelled),
            _ => Super,
        }
    }

    #[state(superstate = "journal_phase")]
    fn journaling(
        &mut self,
        reply_grace: &mut Duration,
        until: &Instant,
        event: &Event,
    ) -> Outcome<State> {
        let _ = until;
        let now = event.now;
        match &event.input {
            Input::Start { reply_grace: other, .. } if self.task == TaskKind::Pair => {
                *reply_grace = (*reply_grace).max(*other);
                Handled
            }
            Input::Saved(Ok(())) => {
                self.reply(Ok(()));
                let until = now.after(*reply_grace);
                match self.task {
                    TaskKind::Pair => {
                        self.last_error = None;
                        Transition(State::searching(until))
                    }
                    TaskKind::Configure => Transition(State::reply_grace(until)),
                    kind => unreachable!("a task of another kind: {kind:?}"),
                }
            }
            Input::Saved(Err(())) | Input::Elapsed => self.abort_journaled(now, Cause::Store),
            _ => Super,
        }
    }

    #[state(superstate = "journal_phase")]
    fn reply_grace(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        let now = event.now;
        match &event.input {
            Input::Elapsed => {
                (self.last_error, self.key_refused) = (None, false);
                match &self.target {
                    Some(Settings::Station { network }) => {
                        self.offer = Some(network.clone().into());
                        self.try_to_join(now, 0, false)
                    }
                    _ => Transition(State::applying(now.after(APPLY_TIMEOUT))),
                }
            }
            _ => Super,
        }
    }

    /// The journal may be on disk, but the radio is unchanged.
    #[superstate]
    fn journal_phase(&mut self, event: &Event) -> Outcome<State> {
        match &event.input {
            Input::Cancel => self.abort_journaled(event.now, Cause::Cancelled),
            _ => Super,
        }
    }

    #[state(superstate = "search_phase")]
    fn searching(&mut self, disconnect_after: &Instant, event: &Event) -> Outcome<State> {
        let _ = disconnect_after;
        let now = event.now;
        match &event.input {
            Input::Offered(Ok(offer)) => {
                self.offer = Some(offer.clone());
                (self.last_error, self.key_refused) = (None, false);
                self.try_to_join(now, 0, false)
            }
            Input::Offered(Err(kind)) if kind.is_final() => self.roll_back(now, (*kind).into()),
            Input::Offered(Err(ErrorKind::Refused))
                if self.last_error == Some(ErrorKind::Refused.into()) =>
            {
                self.roll_back(now, ErrorKind::Refused.into())
            }
            Input::SearchElapsed(cause) => self.roll_back(now, self.last_error.unwrap_or(*cause)),
            Input::Offered(Err(kind)) => {
                self.last_error = Some((*kind).into());
                Transition(State::putting_back(self.deadline.min(now.after(APPLY_TIMEOUT))))
            }
            _ => Super,
        }
    }

    #[state(superstate = "search_phase")]
    fn putting_back(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        let now = event.now;
        match &event.input {
            Input::Applied(Err(kind)) if kind.is_final() => self.roll_back(now, (*kind).into()),
            Input::Elapsed if now >= self.deadline => Super,
            Input::Applied(_) | Input::Elapsed => {
                Transition(State::search_pause(self.deadline.min(now.after(RETRY_DELAY))))
            }
            _ => Super,
        }
    }

    #[state(superstate = "search_phase")]
    fn search_pause(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        match &event.input {
            Input::Elapsed if event.now < self.deadline => Transition(State::searching(event.now)),
            _ => Super,
        }
    }

    #[superstate(superstate = "radio_touched")]
    fn search_phase(&mut self, event: &Event) -> Outcome<State> {
        match &event.input {
            Input::Elapsed if event.now >= self.deadline => {
                let cause = self.last_error.unwrap_or(Cause::TimedOut);
                self.roll_back(event.now, cause)
            }
            _ => Super,
        }
    }

    #[state(superstate = "join_phase")]
    fn joining(
        &mut self,
        turn: &usize,
        is_retry: &bool,
        until: &Instant,
        event: &Event,
    ) -> Outcome<State> {
        let _ = until;
        let now = event.now;
        match &event.input {
            Input::Joined(Ok(())) => {
                let network = self.network(*turn).clone();
                let is_kept = network.secret.kept_id().is_some();
                self.target = Some(Settings::Station { network });
                Transition(if is_kept {
                    State::saving(now.after(SAVE_TIMEOUT))
                } else {
                    State::keeping(now.after(KEEP_TIMEOUT))
                })
            }
            Input::Joined(Err(kind)) if kind.is_final() => self.roll_back(now, (*kind).into()),
            Input::Joined(Err(kind @ (ErrorKind::WrongKey | ErrorKind::WithoutWpa2))) => {
                self.on_refusal(now, *turn, (*kind).into(), *is_retry)
            }
            Input::Joined(Err(ErrorKind::Refused)) => {
                self.on_refusal(now, *turn, Cause::JoinRefused, *is_retry)
            }
            Input::Joined(Err(kind)) => self.try_next_network(now, *turn, (*kind).into()),
            Input::Elapsed if now < self.deadline => {
                self.try_next_network(now, *turn, Cause::NotJoined)
            }
            _ => Super,
        }
    }

    #[state(superstate = "join_phase")]
    fn join_pause(
        &mut self,
        turn: &usize,
        is_retry: &bool,
        until: &Instant,
        event: &Event,
    ) -> Outcome<State> {
        let _ = until;
        match &event.input {
            Input::Elapsed if event.now < self.deadline => {
                self.try_to_join(event.now, *turn, *is_retry)
            }
            _ => Super,
        }
    }

    #[superstate(superstate = "radio_touched")]
    fn join_phase(&mut self, event: &Event) -> Outcome<State> {
        match &event.input {
            Input::Elapsed if event.now >= self.deadline => {
                let cause = self.last_error.unwrap_or(Cause::NotJoined);
                self.roll_back(event.now, cause)
            }
            _ => Super,
        }
    }

    #[state(superstate = "radio_touched")]
    fn applying(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        let now = event.now;
        match &event.input {
            Input::Applied(Ok(())) => Transition(State::saving(now.after(SAVE_TIMEOUT))),
            Input::Applied(Err(kind)) => self.roll_back(now, (*kind).into()),
            Input::Elapsed => self.roll_back(now, ErrorKind::NoResponse.into()),
            _ => Super,
        }
    }

    /// The radio was changed, and the result is still open.
    #[superstate]
    fn radio_touched(&mut self, event: &Event) -> Outcome<State> {
        match &event.input {
            Input::Cancel => self.roll_back(event.now, Cause::Cancelled),
            _ => Super,
        }
    }

    #[state]
    fn keeping(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        match &event.input {
            Input::Kept(Ok(kept_by)) => {
                let network = self.target_network().clone();
                self.target = Some(Settings::after_success(network, *kept_by));
                Transition(State::saving(event.now.after(SAVE_TIMEOUT)))
            }
            Input::Kept(Err(_)) | Input::Elapsed => self.roll_back(event.now, Cause::NotKept),
            _ => Super,
        }
    }

    #[state]
    fn saving(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        match &event.input {
            Input::Saved(Ok(())) => {
                if let Some(settings) = &self.target {
                    self.settings = settings.clone();
                }
                self.end(event.now, Ok(()));
                self.become_idle()
            }
            Input::Saved(Err(())) | Input::Elapsed => self.roll_back(event.now, Cause::Store),
            _ => Super,
        }
    }

    #[state(superstate = "restore_phase")]
    fn restoring(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        let now = event.now;
        match &event.input {
            Input::Applied(Ok(())) if self.last_result.is_none() => self.end_restoring(now),
            Input::Applied(Ok(())) => self.close(now),
            Input::Applied(Err(kind)) => self.retry_to_restore(now, (*kind).into()),
            Input::Elapsed => self.retry_to_restore(now, ErrorKind::NoResponse.into()),
            _ => Super,
        }
    }

    #[state(superstate = "restore_phase")]
    fn restore_pause(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        match &event.input {
            Input::Elapsed => Transition(State::restoring(event.now.after(APPLY_TIMEOUT))),
            _ => Super,
        }
    }

    /// The settings to restore are not in force yet.
    #[superstate(superstate = "request_waits")]
    fn restore_phase(&mut self, event: &Event) -> Outcome<State> {
        match &event.input {
            Input::Start { .. } | Input::Configure { .. } if self.retry_cause.is_some() => {
                self.begin(event, self.retry_cause)
            }
            _ => Super,
        }
    }

    #[state(superstate = "request_waits")]
    fn closing(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        match &event.input {
            Input::Saved(Ok(())) => self.end_restoring(event.now),
            Input::Saved(Err(())) | Input::Elapsed => {
                self.refuse_waiting(RequestError::Failed(Cause::Store));
                Transition(State::close_pause(self.schedule_retry(event.now, Cause::Store)))
            }
            _ => Super,
        }
    }

    #[state]
    fn close_pause(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        match &event.input {
            Input::Elapsed => Transition(State::closing(event.now.after(SAVE_TIMEOUT))),
            _ => Super,
        }
    }

    /// A request waits until the settings are restored, or until the first try has failed.
    #[superstate]
    fn request_waits(&mut self, event: &Event) -> Outcome<State> {
        match &event.input {
            Input::Start { .. } | Input::Configure { .. } if self.retry_cause.is_none() => {
                self.wait(event);
            }
            Input::Cancel => self.refuse_waiting(RequestError::Failed(Cause::Cancelled)),
            Input::WaitElapsed => self.refuse_waiting(RequestError::Busy),
            _ => return Super,
        }
        Handled
    }
}

impl Machine {
    pub(super) fn new(settings: Settings, after_failure: AfterFailure) -> Self {
        Self {
            after_failure,
            settings,
            snapshot: Snapshot::default(),
            task: TaskKind::Pair,
            only: None,
            target: None,
            offer: None,
            deadline: Instant::from_millis(0),
            last_error: None,
            last_result: None,
            retry_delay: RETRY_DELAY,
            retry_cause: None,
            waiting: None,
            key_refused: false,
            is_request_pending: false,
            reply: Cell::new(None),
        }
    }

    pub(super) fn network(&self, turn: usize) -> &Credentials {
        self.offer.as_ref().expect("joining only begins with an offer").at(turn)
    }

    /// Returns the network that was joined.
    pub(super) fn target_network(&self) -> &Credentials {
        let network = self.target.as_ref().and_then(Settings::network);
        network.expect("keeping only begins with a network")
    }

    pub(super) fn settings_to_apply(&self) -> &Settings {
        self.target.as_ref().unwrap_or(&self.settings)
    }

    pub(super) fn journal(&self) -> Record {
        let (before, snapshot) = (self.settings.clone(), self.snapshot.clone());
        match self.task {
            TaskKind::Pair => Record::Pairing { before, snapshot },
            TaskKind::Configure => Record::Configuring { before, snapshot },
            kind => unreachable!("a task of another kind: {kind:?}"),
        }
    }

    fn begin(&mut self, event: &Event, restore_error: Option<Cause>) -> Outcome<State> {
        self.wait(event);
        self.begin_waiting(event.now, restore_error)
    }

    /// Lets the request wait. A pairing joins one that waits, and needs its reply, too.
    fn wait(&mut self, event: &Event) {
        let until = event.now.after(REQUEST_WAIT_TIMEOUT);
        match (&event.input, &mut self.waiting) {
            (Input::Start { reply_grace, .. }, Some(waiting)) if waiting.task == TaskKind::Pair => {
                waiting.reply_grace = waiting.reply_grace.max(*reply_grace);
            }
            (&Input::Start { reply_grace, only }, waiting @ None) => {
                self.target = None;
                *waiting = Some(Waiting { task: TaskKind::Pair, reply_grace, only, until });
            }
            (Input::Configure { settings, reply_grace }, waiting @ None) => {
                let (task, reply_grace) = (TaskKind::Configure, *reply_grace);
                self.target = Some(settings.clone());
                *waiting = Some(Waiting { task, reply_grace, only: None, until });
            }
            _ => {}
        }
        self.is_request_pending = true;
    }

    /// Begins the task that waits. `restore_error` says why the settings could not be restored.
    fn begin_waiting(&mut self, now: Instant, restore_error: Option<Cause>) -> Outcome<State> {
        let Some(waiting) = self.waiting.take() else { return Super };
        (self.task, self.only) = (waiting.task, waiting.only);
        self.deadline = now.after(match self.task {
            TaskKind::Pair => PAIRING_WINDOW,
            TaskKind::Configure => CONFIGURE_WINDOW,
            kind => unreachable!("a task of another kind: {kind:?}"),
        });
        self.last_error = restore_error;
        Transition(State::snapshotting(waiting.reply_grace, now.after(SNAPSHOT_TIMEOUT)))
    }

    /// Refuses the request that waits, if there is one.
    fn refuse_waiting(&mut self, error: RequestError) {
        if self.waiting.take().is_some() {
            self.target = None;
            self.reply(Err(error));
        }
    }

    fn reply(&mut self, reply: Result<(), RequestError>) {
        if mem::take(&mut self.is_request_pending) {
            self.reply.set(Some(reply));
        }
    }

    fn try_to_join(&mut self, now: Instant, turn: usize, is_retry: bool) -> Outcome<State> {
        let until = self.deadline.min(now.after(JOIN_TIMEOUT));
        Transition(State::joining(turn, is_retry, until))
    }

    fn try_next_network(&mut self, now: Instant, turn: usize, cause: Cause) -> Outcome<State> {
        let turn = (turn + 1) % self.offer.as_ref().map_or(1, Offer::count);
        self.pause_join(now, turn, cause)
    }

    fn pause_join(&mut self, now: Instant, turn: usize, cause: Cause) -> Outcome<State> {
        self.last_error = Some(cause);
        Transition(State::join_pause(turn, false, self.deadline.min(now.after(RETRY_DELAY))))
    }

    /// Tries the network once more. If it has refused before, drops it, and ends the task if it was
    /// the last one.
    fn on_refusal(
        &mut self,
        now: Instant,
        turn: usize,
        cause: Cause,
        is_retry: bool,
    ) -> Outcome<State> {
        if !is_retry {
            self.last_error = Some(cause);
            let until = self.deadline.min(now.after(KEY_RETRY_DELAY));
            return Transition(State::join_pause(turn, true, until));
        }
        let offer = self.offer.as_ref().expect("joining only begins with an offer");
        let others = (0..offer.count()).filter(|it| *it != turn).map(|it| offer.at(it).clone());
        match Offer::new(others) {
            Some(others) => {
                let turn = turn % others.count();
                self.offer = Some(others);
                self.pause_join(now, turn, cause)
            }
            None => self.roll_back(now, cause),
        }
    }

    fn end(&mut self, at: Instant, result: Result<(), Cause>) {
        self.last_result = Some(TaskResult::new(self.task, result, at));
        self.reply(result.map_err(RequestError::Failed));
        // As in our machine: no secret stays in memory longer than needed.
        (self.target, self.offer) = (None, None);
    }

    /// Forgets the network that the platform no longer has.
    fn forget_network(&mut self) {
        match &mut self.settings {
            Settings::Station { .. } => self.settings = Settings::Platform,
            Settings::AccessPoint { remembered, .. } | Settings::Off { remembered } => {
                *remembered = None;
            }
            Settings::Platform => {}
        }
    }

    fn roll_back(&mut self, now: Instant, cause: Cause) -> Outcome<State> {
        if self.task == TaskKind::Pair {
            self.settings = self.settings.clone().after_failure(self.after_failure);
        }
        self.restore(now, cause)
    }

    fn abort_journaled(&mut self, now: Instant, cause: Cause) -> Outcome<State> {
        if self.last_error.is_some() {
            return self.restore(now, cause);
        }
        self.end(now, Err(cause));
        self.close(now)
    }

    fn abort_untouched(&mut self, now: Instant, cause: Cause) -> Outcome<State> {
        if self.last_error.is_some() {
            return self.restore(now, cause);
        }
        self.end(now, Err(cause));
        self.become_idle()
    }

    fn restore(&mut self, now: Instant, cause: Cause) -> Outcome<State> {
        self.end(now, Err(cause));
        self.reset_retries();
        Transition(State::restoring(now.after(APPLY_TIMEOUT)))
    }

    fn close(&mut self, now: Instant) -> Outcome<State> {
        self.reset_retries();
        self.snapshot = Snapshot::default();
        Transition(State::closing(now.after(SAVE_TIMEOUT)))
    }

    fn become_idle(&mut self) -> Outcome<State> {
        self.snapshot = Snapshot::default();
        Transition(State::idle())
    }

    /// The settings are restored. A request that has waited for it begins now.
    fn end_restoring(&mut self, now: Instant) -> Outcome<State> {
        self.snapshot = Snapshot::default();
        match self.waiting {
            Some(_) => self.begin_waiting(now, None),
            None => self.become_idle(),
        }
    }

    /// A try to restore has failed. A request that has waited for it begins now.
    fn retry_to_restore(&mut self, now: Instant, cause: Cause) -> Outcome<State> {
        match self.waiting {
            Some(_) => self.begin_waiting(now, Some(cause)),
            None => Transition(State::restore_pause(self.schedule_retry(now, cause))),
        }
    }

    fn reset_retries(&mut self) {
        (self.retry_delay, self.retry_cause) = (RETRY_DELAY, None);
    }

    fn schedule_retry(&mut self, now: Instant, cause: Cause) -> Instant {
        let until = now.after(self.retry_delay);
        self.retry_delay = (self.retry_delay * 2).min(MAX_RETRY_DELAY);
        self.retry_cause = Some(cause);
        until
    }
}
