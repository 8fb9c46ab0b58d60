//! The states, and what each does with what happens.
#![allow(clippy::wildcard_enum_match_arm, reason = "what a state leaves to the one above it")]

use core::time::Duration;

use statig::prelude::*;
use wps_core::command::{
    APPLY_TIMEOUT, CONFIGURE_WINDOW, Input, JOIN_TIMEOUT, MAX_RETRY_DELAY, PAIRING_WINDOW,
    RETRY_DELAY, SAVE_TIMEOUT, SNAPSHOT_TIMEOUT,
};
use wps_core::driver::{ErrorKind, Offer};
use wps_core::{
    AfterFailure, Cause, Credentials, Instant, Record, Settings, Snapshot, TaskKind, TaskResult,
};

/// When a device boots here.
const BOOTED: Instant = Instant::from_millis(0);

/// What the states share.
pub(super) struct Machine {
    after_failure: AfterFailure,
    /// In force, or being put back.
    pub(super) settings: Settings,
    pub(super) snapshot: Snapshot,
    pub(super) task: TaskKind,
    /// What a change of settings, or a pairing that has joined, is to leave behind. Large like the offer,
    /// so beside the states, as in ours: a transition moves them.
    pub(super) target: Option<Settings>,
    /// The networks to try.
    pub(super) offer: Option<Offer>,
    pub(super) deadline: Instant,
    /// Why the last try inside the window failed.
    pub(super) why: Option<Cause>,
    pub(super) ended: Option<TaskResult>,
    pause: Duration,
    pub(super) trouble: Option<Cause>,
}

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
            Input::Start { .. } | Input::Configure { .. } => self.open(event, None),
            Input::ConfigLost => {
                self.try_anew();
                Transition(State::restoring(event.now.after(APPLY_TIMEOUT)))
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
        let _ = until;
        let now = event.now;
        match &event.input {
            Input::Start { reply_grace: more } if self.task == TaskKind::Pair => {
                *reply_grace = (*reply_grace).max(*more);
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

    #[state(superstate = "untouched")]
    fn journaling(
        &mut self,
        reply_grace: &mut Duration,
        until: &Instant,
        event: &Event,
    ) -> Outcome<State> {
        let _ = until;
        let now = event.now;
        match &event.input {
            Input::Start { reply_grace: more } if self.task == TaskKind::Pair => {
                *reply_grace = (*reply_grace).max(*more);
                Handled
            }
            Input::Saved(Ok(())) => {
                let until = now.after(*reply_grace);
                match self.task {
                    TaskKind::Pair => {
                        self.why = None;
                        Transition(State::looking(until))
                    }
                    TaskKind::Configure => Transition(State::reply_grace(until)),
                }
            }
            Input::Saved(Err(())) | Input::Elapsed => self.abort_journaled(now, Cause::Store),
            _ => Super,
        }
    }

    #[state(superstate = "untouched")]
    fn reply_grace(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        let now = event.now;
        match &event.input {
            Input::Elapsed => {
                self.why = None;
                match &self.target {
                    Some(Settings::Station { network }) => {
                        self.offer = Some(network.clone().into());
                        self.try_to_join(now, 0)
                    }
                    _ => Transition(State::applying(now.after(APPLY_TIMEOUT))),
                }
            }
            _ => Super,
        }
    }

    /// The journal may be on disk, but the radio was not touched.
    #[superstate]
    fn untouched(&mut self, event: &Event) -> Outcome<State> {
        match &event.input {
            Input::Cancel => self.abort_journaled(event.now, Cause::Cancelled),
            _ => Super,
        }
    }

    #[state(superstate = "searching")]
    fn looking(&mut self, leave: &Instant, event: &Event) -> Outcome<State> {
        let _ = leave;
        let now = event.now;
        match &event.input {
            Input::Offered(Ok(offer)) => {
                self.offer = Some(offer.clone());
                self.try_to_join(now, 0)
            }
            Input::Offered(Err(kind)) if kind.is_final() => self.fail(now, (*kind).into()),
            Input::Offered(Err(kind)) => {
                self.why = Some((*kind).into());
                Transition(State::putting_back(self.deadline.min(now.after(APPLY_TIMEOUT))))
            }
            _ => Super,
        }
    }

    #[state(superstate = "searching")]
    fn putting_back(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        let now = event.now;
        match &event.input {
            Input::Applied(Err(kind)) if kind.is_final() => self.fail(now, (*kind).into()),
            Input::Elapsed if now >= self.deadline => Super,
            Input::Applied(_) | Input::Elapsed => {
                Transition(State::breathing(self.deadline.min(now.after(RETRY_DELAY))))
            }
            _ => Super,
        }
    }

    #[state(superstate = "searching")]
    fn breathing(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        match &event.input {
            Input::Elapsed if event.now < self.deadline => Transition(State::looking(event.now)),
            _ => Super,
        }
    }

    #[superstate(superstate = "touched")]
    fn searching(&mut self, event: &Event) -> Outcome<State> {
        match &event.input {
            Input::Elapsed if event.now >= self.deadline => {
                let cause = self.why.unwrap_or(Cause::TimedOut);
                self.fail(event.now, cause)
            }
            _ => Super,
        }
    }

    #[state(superstate = "joining")]
    fn trying(&mut self, turn: &usize, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        let now = event.now;
        match &event.input {
            Input::Joined(Ok(())) => {
                let joined = self.offer.as_ref().map(|offer| offer.at(*turn).clone());
                self.target = joined.map(Settings::after_success);
                Transition(State::committing(now.after(SAVE_TIMEOUT)))
            }
            Input::Joined(Err(kind)) if kind.is_final() => self.fail(now, (*kind).into()),
            Input::Joined(Err(kind)) => self.wait(now, *turn, (*kind).into()),
            Input::Elapsed if now < self.deadline => self.wait(now, *turn, Cause::NotJoined),
            _ => Super,
        }
    }

    #[state(superstate = "joining")]
    fn waiting(&mut self, turn: &usize, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        match &event.input {
            Input::Elapsed if event.now < self.deadline => self.try_to_join(event.now, *turn),
            _ => Super,
        }
    }

    #[superstate(superstate = "touched")]
    fn joining(&mut self, event: &Event) -> Outcome<State> {
        match &event.input {
            Input::Elapsed if event.now >= self.deadline => {
                let cause = self.why.unwrap_or(Cause::NotJoined);
                self.fail(event.now, cause)
            }
            _ => Super,
        }
    }

    #[state(superstate = "touched")]
    fn applying(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        let now = event.now;
        match &event.input {
            Input::Applied(Ok(())) => Transition(State::committing(now.after(SAVE_TIMEOUT))),
            Input::Applied(Err(kind)) => self.fail(now, (*kind).into()),
            Input::Elapsed => self.fail(now, ErrorKind::NoResponse.into()),
            _ => Super,
        }
    }

    /// The radio was touched, and nothing is decided yet.
    #[superstate]
    fn touched(&mut self, event: &Event) -> Outcome<State> {
        match &event.input {
            Input::Cancel => self.fail(event.now, Cause::Cancelled),
            _ => Super,
        }
    }

    #[state]
    fn committing(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        match &event.input {
            Input::Saved(Ok(())) => {
                if let Some(settings) = &self.target {
                    self.settings = settings.clone();
                }
                self.end(event.now, Ok(()));
                self.rest()
            }
            Input::Saved(Err(())) | Input::Elapsed => self.fail(event.now, Cause::Store),
            _ => Super,
        }
    }

    #[state(superstate = "astray")]
    fn restoring(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        let now = event.now;
        match &event.input {
            Input::Applied(Ok(())) if self.ended.is_none() => self.rest(),
            Input::Applied(Ok(())) => self.close(now),
            Input::Applied(Err(kind)) => {
                Transition(State::restoring_later(self.later(now, (*kind).into())))
            }
            Input::Elapsed => {
                Transition(State::restoring_later(self.later(now, ErrorKind::NoResponse.into())))
            }
            _ => Super,
        }
    }

    #[state(superstate = "astray")]
    fn restoring_later(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        match &event.input {
            Input::Elapsed => Transition(State::restoring(event.now.after(APPLY_TIMEOUT))),
            _ => Super,
        }
    }

    /// What is to be put back is not in force.
    #[superstate]
    fn astray(&mut self, event: &Event) -> Outcome<State> {
        match &event.input {
            Input::Start { .. } | Input::Configure { .. } if self.trouble.is_some() => {
                self.open(event, self.trouble)
            }
            _ => Super,
        }
    }

    #[state]
    fn closing(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        match &event.input {
            Input::Saved(Ok(())) => self.rest(),
            Input::Saved(Err(())) | Input::Elapsed => {
                Transition(State::closing_later(self.later(event.now, Cause::Store)))
            }
            _ => Super,
        }
    }

    #[state]
    fn closing_later(&mut self, until: &Instant, event: &Event) -> Outcome<State> {
        let _ = until;
        match &event.input {
            Input::Elapsed => Transition(State::closing(event.now.after(SAVE_TIMEOUT))),
            _ => Super,
        }
    }
}

impl Machine {
    pub(super) fn new(settings: Settings, after_failure: AfterFailure) -> Self {
        Self {
            after_failure,
            settings,
            snapshot: Snapshot::default(),
            task: TaskKind::Pair,
            target: None,
            offer: None,
            deadline: Instant::from_millis(0),
            why: None,
            ended: None,
            pause: RETRY_DELAY,
            trouble: None,
        }
    }

    pub(super) fn network(&self, turn: usize) -> &Credentials {
        self.offer.as_ref().expect("nobody joins without an offer").at(turn)
    }

    pub(super) fn wanted(&self) -> &Settings {
        self.target.as_ref().unwrap_or(&self.settings)
    }

    pub(super) fn journal(&self) -> Record {
        let (before, snapshot) = (self.settings.clone(), self.snapshot.clone());
        match self.task {
            TaskKind::Pair => Record::Pairing { before, snapshot },
            TaskKind::Configure => Record::Configuring { before, snapshot },
        }
    }

    fn open(&mut self, event: &Event, why: Option<Cause>) -> Outcome<State> {
        let (window, reply_grace) = match &event.input {
            Input::Configure { settings, reply_grace } => {
                (self.task, self.target) = (TaskKind::Configure, Some(settings.clone()));
                (CONFIGURE_WINDOW, *reply_grace)
            }
            Input::Start { reply_grace } => {
                (self.task, self.target) = (TaskKind::Pair, None);
                (PAIRING_WINDOW, *reply_grace)
            }
            _ => return Super,
        };
        self.deadline = event.now.after(window);
        self.why = why;
        Transition(State::snapshotting(reply_grace, event.now.after(SNAPSHOT_TIMEOUT)))
    }

    fn try_to_join(&mut self, now: Instant, turn: usize) -> Outcome<State> {
        Transition(State::trying(turn, self.deadline.min(now.after(JOIN_TIMEOUT))))
    }

    fn wait(&mut self, now: Instant, turn: usize, why: Cause) -> Outcome<State> {
        self.why = Some(why);
        let turn = (turn + 1) % self.offer.as_ref().map_or(1, Offer::count);
        let until = self.deadline.min(now.after(RETRY_DELAY));
        Transition(State::waiting(turn, until))
    }

    fn end(&mut self, at: Instant, result: Result<(), Cause>) {
        self.ended = Some(TaskResult { task: self.task, result, at });
        // As ours: no secret stays in memory longer than it is needed.
        (self.target, self.offer) = (None, None);
    }

    fn fail(&mut self, now: Instant, cause: Cause) -> Outcome<State> {
        if self.task == TaskKind::Pair {
            self.settings = self.settings.clone().after_failure(self.after_failure);
        }
        self.restore(now, cause)
    }

    fn abort_journaled(&mut self, now: Instant, cause: Cause) -> Outcome<State> {
        if self.why.is_some() {
            return self.restore(now, cause);
        }
        self.end(now, Err(cause));
        self.close(now)
    }

    fn abort_untouched(&mut self, now: Instant, cause: Cause) -> Outcome<State> {
        if self.why.is_some() {
            return self.restore(now, cause);
        }
        self.end(now, Err(cause));
        self.rest()
    }

    fn restore(&mut self, now: Instant, cause: Cause) -> Outcome<State> {
        self.end(now, Err(cause));
        self.try_anew();
        Transition(State::restoring(now.after(APPLY_TIMEOUT)))
    }

    fn close(&mut self, now: Instant) -> Outcome<State> {
        self.try_anew();
        self.snapshot = Snapshot::default();
        Transition(State::closing(now.after(SAVE_TIMEOUT)))
    }

    fn rest(&mut self) -> Outcome<State> {
        self.snapshot = Snapshot::default();
        Transition(State::idle())
    }

    fn try_anew(&mut self) {
        (self.pause, self.trouble) = (RETRY_DELAY, None);
    }

    fn later(&mut self, now: Instant, trouble: Cause) -> Instant {
        let until = now.after(self.pause);
        self.pause = (self.pause * 2).min(MAX_RETRY_DELAY);
        self.trouble = Some(trouble);
        until
    }
}
