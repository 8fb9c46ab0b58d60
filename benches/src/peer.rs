//! The pairing machine written a second time, with [`statig`], the way somebody would write it who
//! uses a state machine crate instead of a transition table. `tests/peer.rs` shows that it behaves
//! like our machine, step by step.

mod machine;

use statig::prelude::*;
use wps_core::command::{Command, Input};
use wps_core::{
    AfterFailure, Cause, Instant, Phase, Record, RequestError, Settings, TaskKind, TaskResult,
};

use machine::{Event, Machine, State};

/// The statig machine, with the interface of [`wps_core::Machine`].
pub struct Peer(statig::blocking::StateMachine<Machine>);

impl Peer {
    /// Boots like [`wps_core::Machine::boot`] at instant 0, from the record of an idle device.
    pub fn boot(settings: Settings, after_failure: AfterFailure) -> Self {
        Self(Machine::new(settings, after_failure).state_machine())
    }

    /// Handles an input like [`wps_core::Machine::handle`].
    pub fn handle(&mut self, now: Instant, input: Input) -> Option<Result<(), RequestError>> {
        self.0.handle(&Event { now, input });
        self.0.inner().reply.take()
    }

    /// Returns the same as [`wps_core::Machine::request_waits_until`].
    pub fn request_waits_until(&self) -> Option<Instant> {
        self.0.inner().waiting.map(|waiting| waiting.until)
    }

    /// Returns the same as [`wps_core::Machine::command`].
    pub fn command(&self) -> Command {
        let machine = self.0.inner();
        match self.0.state() {
            State::Idle {} => Command::Idle(machine.settings.clone()),
            State::Snapshotting { until, .. } => {
                Command::Snapshot { task: machine.task, only: machine.only, until: *until }
            }
            State::Journaling { until, .. } => Command::Save(machine.journal(), *until),
            State::ReplyGrace { until }
            | State::SearchPause { until }
            | State::JoinPause { until, .. }
            | State::RestorePause { until }
            | State::ClosePause { until } => Command::Pause(*until),
            State::Searching { disconnect_after } => Command::Pair {
                only: machine.only,
                until: machine.deadline.max(*disconnect_after),
                disconnect_after: *disconnect_after,
            },
            State::PuttingBack { until } | State::Restoring { until } => {
                Command::Apply(machine.settings.clone(), machine.snapshot.clone(), *until)
            }
            State::Joining { turn, until, .. } => {
                Command::Join(machine.network(*turn).clone(), machine.snapshot.clone(), *until)
            }
            State::Applying { until } => {
                let settings = machine.settings_to_apply().clone();
                Command::Apply(settings, machine.snapshot.clone(), *until)
            }
            State::Keeping { until } => {
                let network = machine.target_network().clone();
                Command::Keep(network, machine.snapshot.clone(), *until)
            }
            State::Saving { until } => {
                Command::Save(Record::Settled(machine.settings_to_apply().clone()), *until)
            }
            State::Closing { until } => {
                Command::Save(Record::Settled(machine.settings.clone()), *until)
            }
        }
    }

    /// Returns the phase, the last result and the trouble of [`wps_core::Machine::status`].
    pub fn status(&self) -> (Phase, Option<TaskResult>, Option<Cause>) {
        let machine = self.0.inner();
        let phase_of_task = |phase| match machine.task {
            TaskKind::Pair => phase,
            TaskKind::Configure => Phase::Configuring,
            kind => unreachable!("a task of another kind: {kind:?}"),
        };
        match self.0.state() {
            State::Idle {} => {
                let trouble = machine.key_refused.then_some(Cause::KeyRefused);
                (Phase::Idle, machine.last_result, trouble)
            }
            State::Snapshotting { .. } | State::Journaling { .. } | State::ReplyGrace { .. } => {
                (phase_of_task(Phase::Journaling), None, None)
            }
            State::Searching { .. } | State::PuttingBack { .. } | State::SearchPause { .. } => {
                (Phase::Searching, None, machine.last_error)
            }
            State::Joining { turn, .. } | State::JoinPause { turn, .. } => {
                let ssid = machine.network(*turn).ssid.clone();
                (phase_of_task(Phase::Joining { ssid }), None, machine.last_error)
            }
            State::Applying { .. } => (Phase::Configuring, None, None),
            State::Keeping { .. } | State::Saving { .. } => {
                (phase_of_task(Phase::Saving), None, None)
            }
            State::Restoring { .. }
            | State::RestorePause { .. }
            | State::Closing { .. }
            | State::ClosePause { .. } => {
                (Phase::Restoring, machine.last_result, machine.retry_cause)
            }
        }
    }
}
