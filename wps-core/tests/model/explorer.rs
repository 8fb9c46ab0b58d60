//! The machines that were reached, each with a number, its command and its status. Checks the
//! invariants that concern one machine alone.

use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};
use wps_core::command::{Command, Input};
use wps_core::wsc::Bssid;
use wps_core::{
    AfterFailure, Cause, ErrorKind, Instant, Loaded, Machine, Phase, RequestError, Settings,
    TaskKind, TaskResult,
};

use crate::ids::{CommandId, Disk, IN_WINDOW, InputId, SettingsId, TimePoint};

/// The reply to the requests that wait, if an input has decided it.
pub(crate) type Reply = Option<Result<(), RequestError>>;

/// The number of a [`Node`].
pub(crate) type NodeId = u32;

/// A machine, with its command and its status.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) machine: Machine,
    pub(crate) command: CommandId,
    until: Option<Instant>,
    /// When the radio may leave the present network, while a pairing searches.
    disconnect_after: Option<Instant>,
    pub(crate) phase: Phase,
    /// When the window closes, while one is open.
    pub(crate) deadline: Option<Instant>,
    pub(crate) last: Option<TaskResult>,
    pub(crate) settings_in_force: Option<SettingsId>,
    /// The radio rejected the settings to restore.
    pub(crate) restore_failing: bool,
    /// A request waits until the settings are restored.
    pub(crate) has_waiting_request: bool,
    /// The replies to a request for a pairing and for other settings that arrives now, or `None` if
    /// it has to wait.
    pub(crate) immediate_replies: [Option<Result<(), RequestError>>; 2],
}

impl Node {
    fn new(machine: Machine) -> Self {
        let command = machine.command();
        let (id, until) = CommandId::of(&command);
        let disconnect_after = if let Command::Pair { disconnect_after, .. } = command {
            Some(disconnect_after)
        } else {
            None
        };
        let status = machine.status();
        Self {
            restore_failing: status.phase == Phase::Restoring
                && matches!(status.trouble, Some(Cause::Driver(_))),
            command: id,
            until,
            disconnect_after,
            phase: status.phase,
            deadline: status.deadline,
            last: status.last,
            settings_in_force: machine.settings_in_force().map(SettingsId::of),
            has_waiting_request: machine.request_waits_until().is_some(),
            immediate_replies: [TaskKind::Pair, TaskKind::Configure]
                .map(|task| machine.immediate_reply(task)),
            machine,
        }
    }

    /// Returns whether a request of this device has no reply yet.
    pub(crate) fn is_request_pending(&self) -> bool {
        let starting = matches!(
            self.command,
            CommandId::Snapshot | CommandId::Save(Disk::Pairing(..) | Disk::Configuring(..))
        );
        starting || self.has_waiting_request
    }

    /// Returns whether the command runs until the window closes.
    pub(crate) fn ends_with_window(&self) -> bool {
        self.deadline.is_some_and(|deadline| self.until >= Some(deadline))
    }

    /// Returns the time that the requester gets to receive its reply, while a pairing searches.
    pub(crate) fn reply_grace(&self) -> Option<Duration> {
        // The grace began at one of these instants.
        let began =
            if self.disconnect_after < self.deadline { Some(IN_WINDOW) } else { self.deadline };
        Some(self.disconnect_after?.since(began?))
    }

    /// Returns whether this is a pairing or a change of settings whose result is still open.
    pub(crate) fn is_cancellable(&self) -> bool {
        self.has_waiting_request
            || self.deadline.is_some()
                && !matches!(self.command, CommandId::Save(Disk::Settled(_)) | CommandId::Keep(..))
    }
}

/// All machines that were reached, and the transitions between them.
#[derive(Default)]
pub(crate) struct Explorer {
    nodes: Vec<Node>,
    ids: FxHashMap<Machine, NodeId>,
    boots: FxHashSet<NodeId>,
    transitions: FxHashMap<(NodeId, InputId, TimePoint), (NodeId, Reply)>,
}

impl Explorer {
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    /// Returns all machines, in the order of their numbers.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Returns the machines in which a device has booted.
    pub(crate) fn boots(&self) -> impl Iterator<Item = NodeId> {
        self.boots.iter().copied()
    }

    /// Returns every input that was passed to a machine, with its time and the resulting machine.
    pub(crate) fn transitions(&self) -> impl Iterator<Item = (NodeId, InputId, TimePoint, NodeId)> {
        self.transitions.iter().map(|(&(from, input, at), &(to, _))| (from, input, at, to))
    }

    pub(crate) fn boot(&mut self, loaded: Loaded, after_failure: AfterFailure) -> NodeId {
        let factory_settings: Settings = SettingsId::FACTORY.settings();
        let machine =
            Machine::boot(Instant::from_millis(0), loaded, factory_settings, after_failure);
        let id = self.intern(machine);
        self.boots.insert(id);
        id
    }

    pub(crate) fn boot_from(&mut self, disk: Disk, after_failure: AfterFailure) -> NodeId {
        let loaded = disk.record().map_or(Loaded::Nothing, Loaded::Record);
        self.boot(loaded, after_failure)
    }

    /// Returns the machine that results from `input`, and the reply to the requests that wait.
    pub(crate) fn transition(
        &mut self,
        id: NodeId,
        input: InputId,
        at: TimePoint,
    ) -> (NodeId, Reply) {
        if let Some(next) = self.transitions.get(&(id, input, at)) {
            return *next;
        }
        let node = self.node(id);
        let now = match at {
            TimePoint::Start => Instant::from_millis(0),
            TimePoint::InWindow => IN_WINDOW,
            TimePoint::Deadline => node.deadline.unwrap_or(IN_WINDOW),
        };
        let mut machine = node.machine.clone();
        let reply = machine.handle(now, input.input());
        let next = (self.intern(machine), reply);
        self.transitions.insert((id, input, at), next);
        next
    }

    /// Returns the number of this machine. Adds the machine and checks its invariants if it is new.
    fn intern(&mut self, machine: Machine) -> NodeId {
        if let Some(id) = self.ids.get(&machine) {
            return *id;
        }
        let node = Node::new(machine.clone());
        if let Err(violation) = check_invariants(&node) {
            panic!("{violation}: {node:#?}");
        }
        let id = NodeId::try_from(self.nodes.len()).expect("fewer than 2^32 machines");
        self.nodes.push(node);
        self.ids.insert(machine, id);
        id
    }
}

/// Checks the invariants that concern one machine alone.
fn check_invariants(node: &Node) -> Result<(), String> {
    let Node { machine, command, phase, deadline, .. } = node;
    let is_unchanged_by = |input: InputId| {
        let mut next = machine.clone();
        next.handle(IN_WINDOW, input.input());
        next == *machine
    };
    for input in InputId::ANSWERS {
        if !command.accepts(input) && !is_unchanged_by(input) {
            return Err(format!(
                "{input:?} is not an answer to {command:?}, but changed the machine"
            ));
        }
    }
    if let Some(until) = node.until {
        let mut next = machine.clone();
        next.handle(until, InputId::Elapsed.input());
        if next == *machine {
            return Err("the command has elapsed without effect: a runner would spin".into());
        }
    }
    let is_idle = *command == CommandId::Idle;
    if is_idle != node.settings_in_force.is_some() || is_idle != (*phase == Phase::Idle) {
        return Err("command, settings in force and phase disagree on whether it is idle".into());
    }
    if !is_idle && !node.restore_failing {
        let [pairing, configuring] = node.immediate_replies;
        let starts = [InputId::StartOverWifi, InputId::StartByButton].map(|it| (it, pairing));
        let requests = starts.into_iter().chain(InputId::CONFIGURE.map(|it| (it, configuring)));
        for (input, reply) in requests {
            // Before the pairing is journaled, a second start may need a longer reply grace. While
            // the settings are restored, a request waits.
            if reply.is_some() && !is_unchanged_by(input) {
                return Err(format!("{input:?} disturbed the running task"));
            }
            let mut next = machine.clone();
            next.handle(IN_WINDOW, input.input());
            if CommandId::of(&next.command()).0 != *command {
                return Err(format!("{input:?} disturbed the running command"));
            }
        }
        if deadline.is_some() || node.has_waiting_request {
            let [with_any, with_one] = [None, Some(Bssid([2; 6]))].map(|only| {
                let mut next = machine.clone();
                next.handle(IN_WINDOW, Input::Start { reply_grace: Duration::ZERO, only });
                next
            });
            if with_any != with_one {
                return Err("a second start has changed the access point to pair with".into());
            }
        }
    }
    let kept = node.settings_in_force.and_then(SettingsId::kept);
    if is_idle && kept.is_none() && !is_unchanged_by(InputId::NetworkRemoved) {
        return Err("a report that the platform lost a network has cost us a key".into());
    }
    let is_wait_unchanged = is_unchanged_by(InputId::WaitElapsed);
    if is_wait_unchanged == node.has_waiting_request {
        return Err("only a request that waits can have waited too long".into());
    }
    if !node.is_cancellable() && !is_unchanged_by(InputId::Cancel) {
        return Err("cancelled when there was nothing to cancel".into());
    }
    for &kind in ErrorKind::ALL {
        check_error_kind(node, kind)?;
    }
    let ends_in_window = match command {
        // The reply grace always elapses, even if the device was suspended past its window.
        CommandId::Pair => node.until == (*deadline).max(node.disconnect_after),
        CommandId::Join(..) => node.until <= *deadline,
        CommandId::Pause => match phase {
            Phase::Searching | Phase::Joining { .. } => node.until <= *deadline,
            // Here, too, the reply grace always elapses.
            Phase::Idle
            | Phase::Journaling
            | Phase::Saving
            | Phase::Configuring
            | Phase::Restoring => true,
            _ => return Err(format!("the model does not know {phase:?}")),
        },
        // The previous settings are restored between two searches.
        CommandId::Apply(..) if *phase == Phase::Searching => node.until <= *deadline,
        CommandId::Idle
        | CommandId::Snapshot
        | CommandId::Save(_)
        | CommandId::Apply(..)
        | CommandId::Keep(..) => true,
    };
    if !ends_in_window {
        return Err("continues after the window has closed".into());
    }
    Ok(())
}

/// Checks that the machine treats every kind of driver error as it treats the kind that the model
/// uses in its place, and that the status names the kind that was reported.
///
/// The model uses one final kind and one other kind. Outside a window all kinds are equal.
fn check_error_kind(node: &Node, kind: ErrorKind) -> Result<(), String> {
    let answer: fn(ErrorKind) -> Input = match node.command {
        CommandId::Snapshot => |kind| Input::SnapshotTaken(Err(kind)),
        CommandId::Apply(..) => |kind| Input::Applied(Err(kind)),
        CommandId::Pair => |kind| Input::Offered(Err(kind)),
        CommandId::Join(..) => |kind| Input::Joined(Err(kind)),
        CommandId::Keep(..) => |kind| Input::Kept(Err(kind)),
        CommandId::Idle | CommandId::Pause | CommandId::Save(_) => return Ok(()),
    };
    let machine_after = |kind| {
        let mut machine = node.machine.clone();
        machine.handle(IN_WINDOW, answer(kind));
        machine
    };
    let modelled = match (node.command, kind) {
        // The machine counts these.
        (
            CommandId::Join(..),
            ErrorKind::WrongKey | ErrorKind::Refused | ErrorKind::WithoutWpa2,
        ) => ErrorKind::WrongKey,
        (CommandId::Pair, ErrorKind::Refused) => kind,
        _ if node.deadline.is_some() => modelled_kind(kind),
        _ => ErrorKind::Other,
    };
    let (actual, expected) = (machine_after(kind), machine_after(modelled));
    if actual.command() != expected.command() || actual.status().phase != expected.status().phase {
        return Err(format!("{kind:?} is treated differently from {modelled:?}"));
    }
    // While the settings are restored within the window, the cause of the failed try stays.
    let cause = |machine: &Machine| {
        let status = machine.status();
        status.trouble.or(status.last.and_then(|last| last.result.err()))
    };
    let named = match (node.command, kind) {
        (CommandId::Join(..), ErrorKind::Refused) => Cause::JoinRefused,
        _ => Cause::Driver(kind),
    };
    if cause(&expected) == Some(Cause::Driver(modelled)) && cause(&actual) != Some(named) {
        return Err(format!("the status does not name {kind:?}"));
    }
    Ok(())
}

/// Returns the kind that the model uses in place of `kind`.
fn modelled_kind(kind: ErrorKind) -> ErrorKind {
    let is_final = matches!(
        kind,
        ErrorKind::Overlap
            | ErrorKind::OverlapWithoutChoice
            | ErrorKind::RefusedOrOverlap
            | ErrorKind::Insecure
            | ErrorKind::Wep
            | ErrorKind::TkipOnly
            | ErrorKind::EmptyKey
            | ErrorKind::NotOpen
            | ErrorKind::InvalidKey
            | ErrorKind::NoNetwork
            | ErrorKind::Unsupported
            | ErrorKind::WithoutWps
            | ErrorKind::NoDevice
            | ErrorKind::Unmanaged
            | ErrorKind::Blocked
            | ErrorKind::ManagedByOther
            | ErrorKind::KeptElsewhere
            | ErrorKind::NotPermitted
    );
    if is_final { ErrorKind::NoDevice } else { ErrorKind::Other }
}
