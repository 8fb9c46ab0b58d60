//! The pairing machine once more, written with [`statig`]: what somebody would use who writes no table.
//! It does the same as ours, step by step: `tests/peer.rs`.

mod machine;

use statig::prelude::*;
use wps_core::command::{Command, Input};
use wps_core::{AfterFailure, Cause, Instant, Phase, Record, Settings, TaskKind, TaskResult};

use machine::{Event, Machine, State};

/// The machine.
pub struct Peer(statig::blocking::StateMachine<Machine>);

impl Peer {
    /// As [`wps_core::Machine::boot`] at instant 0, from the record of a device at rest.
    pub fn boot(settings: Settings, after_failure: AfterFailure) -> Self {
        Self(Machine::new(settings, after_failure).state_machine())
    }

    /// As [`wps_core::Machine::handle`].
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.0.handle(&Event { now, input });
    }

    /// As [`wps_core::Machine::command`].
    pub fn command(&self) -> Command {
        let it = self.0.inner();
        match self.0.state() {
            State::Idle {} => Command::Idle,
            State::Snapshotting { until, .. } => Command::Snapshot(*until),
            State::Journaling { until, .. } => Command::Save(it.journal(), *until),
            State::ReplyGrace { until }
            | State::Breathing { until }
            | State::Waiting { until, .. }
            | State::RestoringLater { until }
            | State::ClosingLater { until } => Command::Pause(*until),
            State::Looking { leave } => {
                Command::Pair { until: it.deadline.max(*leave), leave: *leave }
            }
            State::PuttingBack { until } | State::Restoring { until } => {
                Command::Apply(it.settings.clone(), it.snapshot.clone(), *until)
            }
            State::Trying { turn, until } => {
                Command::Join(it.network(*turn).clone(), it.snapshot.clone(), *until)
            }
            State::Applying { until } => {
                Command::Apply(it.wanted().clone(), it.snapshot.clone(), *until)
            }
            State::Committing { until } => {
                Command::Save(Record::Settled(it.wanted().clone()), *until)
            }
            State::Closing { until } => Command::Save(Record::Settled(it.settings.clone()), *until),
        }
    }

    /// As the phase and the ending of [`wps_core::Machine::status`].
    pub fn status(&self) -> (Phase, Option<TaskResult>, Option<Cause>) {
        let it = self.0.inner();
        let pairing = |phase| match it.task {
            TaskKind::Pair => phase,
            TaskKind::Configure => Phase::Configuring,
        };
        match self.0.state() {
            State::Idle {} => (Phase::Idle, it.ended, None),
            State::Snapshotting { .. } | State::Journaling { .. } | State::ReplyGrace { .. } => {
                (pairing(Phase::Journaling), None, None)
            }
            State::Looking { .. } | State::PuttingBack { .. } | State::Breathing { .. } => {
                (Phase::Searching, None, it.why)
            }
            State::Trying { turn, .. } | State::Waiting { turn, .. } => {
                let ssid = it.network(*turn).ssid.clone();
                (pairing(Phase::Joining { ssid }), None, it.why)
            }
            State::Applying { .. } => (Phase::Configuring, None, None),
            State::Committing { .. } => (pairing(Phase::Saving), None, None),
            State::Restoring { .. }
            | State::RestoringLater { .. }
            | State::Closing { .. }
            | State::ClosingLater { .. } => (Phase::Restoring, it.ended, it.trouble),
        }
    }
}
