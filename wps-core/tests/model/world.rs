//! One world of the model: a machine, a disk, a radio and the requesters. Defines everything that
//! can happen to it, and the invariants that hold in every world.

mod invariants;

use wps_core::{AfterFailure, RequestError};

use crate::explorer::{Explorer, Node, NodeId, Reply};
use crate::ids::{CommandId, Disk, Id, InputId, NetworkId, Platform, SettingsId, TimePoint};
use crate::store::Store;

/// A state of the whole model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) machine: NodeId,
    pub(crate) after_failure: AfterFailure,
    platform: Platform,
    /// The window of the running task has closed.
    pub(crate) window_closed: bool,
    pub(crate) disk: Disk,
    /// The settings of the radio, or `None` if they are unknown.
    radio: Option<SettingsId>,
    /// The platform's own networks may differ from the driver's snapshot.
    platform_disturbed: bool,
    /// What a platform that keeps networks has of ours.
    store: Store,
    /// The contents of a save that timed out. It may still be written before the next save starts.
    late_save: Option<Disk>,
    /// A requester waits for its reply.
    request_pending: bool,
    /// The task that waits until the settings are restored, and whether one of its requesters gets
    /// its reply over Wi-Fi.
    waiting: Option<(Task, bool)>,

    // The history that the invariants need. It begins when the device was last idle, or when it
    // took a request because it could not restore its settings.
    /// The settings at that time: those in force, or those to restore.
    before: SettingsId,
    /// Whether the record on the disk and the late save are older than that.
    inherited: Inherited,
    /// The task that was started since.
    task: Task,
    /// The settings that are proven to work: the radio joined the network or applied the settings.
    proven: Option<SettingsId>,
    /// The radio may have been touched.
    radio_touched: bool,
    /// The snapshot that the driver has taken.
    snapshot: Option<Id>,
    /// At least one of the requesters gets its reply over Wi-Fi.
    over_wifi: bool,
    /// The settings that the device booted with, if it was never idle since the boot.
    booted_with: Option<SettingsId>,
}

/// What is older than the history of the [`World`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Inherited {
    disk: bool,
    late_save: bool,
}

/// What the device was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Task {
    None,
    Pair,
    Configure(SettingsId),
    /// The driver reported that the radio has lost its settings.
    Reapply,
    /// The driver reported that the user has removed the network from the platform.
    Forget,
}

/// What does not happen on a platform that keeps networks: failures that the machine treats like
/// one that does happen. There are also no requests that wait, no reports about the key, no change
/// to an access point, none from settings that cannot be restored, and no record with a key. All
/// that happens on the other kind of platform.
const LEFT_OUT: [&str; 8] = [
    "config lost, a false report",
    "snapshot: no device",
    "apply: no device",
    "offered A and B",
    "router lost",
    "refused",
    "no button pressed, stayed on the air",
    "wrong key",
];

/// The description of an invariant that was violated.
pub(crate) type Violation = &'static str;
/// A step: its label, and the world that it leads to.
pub(crate) type Step = (&'static str, Result<World, Violation>);

/// The replies that requesters got.
pub(crate) type Replies = Vec<Result<(), RequestError>>;

impl World {
    /// Creates a world in which the device boots.
    pub(crate) fn initial(
        machine: NodeId,
        disk: Disk,
        after_failure: AfterFailure,
        platform: Platform,
    ) -> Self {
        let (before, _) = disk.recover(after_failure);
        Self {
            machine,
            after_failure,
            platform,
            window_closed: false,
            disk,
            radio: None,
            platform_disturbed: false,
            store: Store::with(before.kept()),
            late_save: None,
            request_pending: false,
            waiting: None,
            before,
            inherited: Inherited::default(),
            task: Task::None,
            proven: None,
            radio_touched: false,
            snapshot: None,
            over_wifi: false,
            booted_with: Some(before),
        }
    }

    /// Returns every step that is possible in this world. Appends the replies that requesters get.
    pub(crate) fn steps(self, explorer: &mut Explorer, replies: &mut Replies) -> Vec<Step> {
        let node = explorer.node(self.machine).clone();
        let mut steps = vec![
            ("cancel", self.apply_input(explorer, InputId::Cancel, replies)),
            ("power cut", self.cut_power(explorer)),
        ];
        for (label, input) in self.requests(&node) {
            steps.push((label, self.request(explorer, &node, input, replies)));
        }
        // Those that a record may name. Nothing depends on the others.
        let in_use = [self.before.kept(), self.proven.and_then(SettingsId::kept)];
        for (id, _) in in_use.into_iter().flatten() {
            let removed = self.store.removed_by_user(id);
            steps.extend(removed.map(|store| ("the user removes one", Ok(Self { store, ..self }))));
        }
        if let Some(disk) = self.late_save {
            let inherited = Inherited { disk: self.inherited.late_save, late_save: false };
            let written = Self { disk, late_save: None, inherited, ..self };
            steps.push(("the late save is written", Ok(written)));
        }
        if node.deadline.is_some() && !self.window_closed {
            steps.push(("the window closes", Ok(Self { window_closed: true, ..self })));
        }
        if node.has_waiting_request {
            let elapsed = self.apply_input(explorer, InputId::WaitElapsed, replies);
            steps.push(("a request has waited too long", elapsed));
        }
        let mut answer = |label, world: Self, input| {
            steps.push((label, world.apply_input(explorer, input, replies)));
        };
        // A command that runs until the window closes does not elapse earlier.
        let can_elapse = self.window_closed || !node.ends_with_window();
        // The networks of a platform that keeps ours are not modelled.
        let disturbs = self.platform == Platform::KeepsNothing;
        match node.command {
            CommandId::Idle => {
                let reapply = Self { task: Task::Reapply, ..self };
                answer("config lost", Self { radio: None, ..reapply }, InputId::ConfigLost);
                answer("config lost, a false report", reapply, InputId::ConfigLost);
                let kept = node.settings_in_force.and_then(SettingsId::kept);
                match (self.platform, kept) {
                    (Platform::KeepsNothing, _) => {
                        answer("key refused", self, InputId::KeyRefused);
                        answer("key accepted", self, InputId::KeyAccepted);
                    }
                    (Platform::KeepsNetworks, Some(network)) if !self.store.has(network) => {
                        let forget = Self { task: Task::Forget, ..self };
                        answer("network removed", forget, InputId::NetworkRemoved);
                    }
                    (Platform::KeepsNetworks, kept) => {
                        let store = self.store.without_others(kept.map(|(id, _)| id));
                        steps.push(("looked after", Ok(Self { store, ..self })));
                    }
                }
            }
            CommandId::Pause => {
                if can_elapse {
                    answer("the pause ends", self, InputId::Elapsed);
                }
            }
            CommandId::Snapshot => {
                let id = self.new_id();
                let snapshot = self.snapshot.or(Some(id));
                answer("snapshot taken", Self { snapshot, ..self }, InputId::SnapshotTaken(id));
                answer("snapshot: no device", self, InputId::SnapshotFailed);
                answer("snapshot: no response", self, InputId::Elapsed);
            }
            CommandId::Save(disk) => {
                let written = Self { disk, inherited: Inherited::default(), ..self };
                answer("saved", written, InputId::Saved);
                answer("save failed, not written", self, InputId::SaveFailed);
                answer("save failed, but written", written, InputId::SaveFailed);
                answer("save hangs, not written", self, InputId::Elapsed);
                answer(
                    "save hangs, written later",
                    Self { late_save: Some(disk), ..self },
                    InputId::Elapsed,
                );
                answer("save hangs, but written", written, InputId::Elapsed);
                steps.push(("save dropped, but written", Ok(written)));
            }
            CommandId::Apply(settings, snapshot) => {
                let lost = Self { radio: None, ..self };
                let platform_disturbed = self.platform_disturbed && snapshot.is_none();
                let store = self.store.without_memory();
                let mut done = Self { radio: Some(settings), platform_disturbed, store, ..self };
                if node.deadline.is_some() && self.task == Task::Configure(settings) {
                    done.proven = Some(settings);
                }
                answer("applied", done, InputId::Applied);
                answer("apply failed", lost, InputId::ApplyFailed);
                // Outside a window all errors are equal: see `check_error_kind`.
                if node.deadline.is_some() {
                    answer("apply: no device", lost, InputId::ApplyNoDevice);
                }
                if can_elapse {
                    answer("apply: no response", lost, InputId::Elapsed);
                    answer(
                        "apply: done, but no response",
                        Self { proven: self.proven, ..done },
                        InputId::Elapsed,
                    );
                }
                steps.push(("apply dropped", Ok(lost)));
            }
            CommandId::Pair => {
                let lost = Self { radio: None, platform_disturbed: disturbs, ..self };
                answer("offered A", lost, InputId::OfferedA);
                answer("offered A and B", lost, InputId::OfferedBoth);
                answer("router lost", lost, InputId::RouterLost);
                answer("refused", lost, InputId::Refused);
                answer("overlap", lost, InputId::Overlap);
                if can_elapse {
                    answer("no button pressed", lost, InputId::SearchElapsed);
                    answer("no button pressed, stayed on the air", self, InputId::SearchElapsed);
                }
                steps.push(("pair dropped", Ok(lost)));
            }
            CommandId::Join(network, snapshot) => {
                let store = self.store_after_join(network, snapshot);
                let lost = Self { radio: None, platform_disturbed: disturbs, store, ..self };
                let is_missing = network.kept().is_some_and(|kept| !self.store.has(kept));
                let up = Self {
                    radio: Some(network),
                    platform_disturbed: self.platform_disturbed && snapshot.is_none(),
                    store,
                    ..self
                };
                answer("join: no device", lost, InputId::JoinNoDevice);
                if can_elapse {
                    answer("not joined in time", lost, InputId::Elapsed);
                }
                steps.push(("join dropped", Ok(lost)));
                if is_missing {
                    return steps;
                }
                let mut answer = |label, world: Self, input| {
                    steps.push((label, world.apply_input(explorer, input, replies)));
                };
                answer("joined", Self { proven: Some(network), ..up }, InputId::Joined);
                answer("wrong key", lost, InputId::WrongKey);
                // The timeout of one try, or the end of the window.
                if can_elapse {
                    answer("joined, but reported too late", up, InputId::Elapsed);
                }
                steps.push(("join dropped, link up", Ok(up)));
            }
            CommandId::Keep(network, snapshot) => {
                let mut answer = |label, world: Self, input| {
                    steps.push((label, world.apply_input(explorer, input, replies)));
                };
                answer("keep failed, not stored", self, InputId::KeepFailed);
                answer("keep hangs, not stored", self, InputId::Elapsed);
                let (Platform::KeepsNetworks, Some(id)) = (self.platform, snapshot) else {
                    answer("kept by the record", self, InputId::KeptByRecord);
                    return steps;
                };
                let Some(NetworkId { name, kept: None }) = network.network() else {
                    steps.push(("keep", Err("keeps a network that is kept already")));
                    return steps;
                };
                let kept = SettingsId::Station(NetworkId::kept(name, id));
                let store = |is_synced| self.store.stored(id, name, is_synced);
                let unsynced = Self { store: store(false), ..self };
                let stored = Self { store: store(true), ..self };
                let done = Self { radio: Some(kept), proven: Some(kept), ..stored };
                answer("kept", done, InputId::KeptByPlatform(id));
                answer("keep failed, but stored", unsynced, InputId::KeepFailed);
                answer("keep hangs, not synced", unsynced, InputId::Elapsed);
                answer("keep hangs, but stored", stored, InputId::Elapsed);
                steps.push(("keep dropped, not synced", Ok(unsynced)));
                steps.push(("keep dropped, but stored", Ok(stored)));
            }
        }
        if self.platform == Platform::KeepsNetworks {
            steps.retain(|(label, _)| !LEFT_OUT.contains(label));
        }
        steps
    }

    /// Returns the requests that are made in this world.
    fn requests(&self, node: &Node) -> Vec<(&'static str, InputId)> {
        let button = ("button", InputId::StartByButton);
        match self.platform {
            Platform::KeepsNothing => {
                let configure = ["configure: to B", "configure: a hotspot", "configure: off"];
                let mut requests = vec![("start", InputId::StartOverWifi), button];
                requests.extend(configure.into_iter().zip(InputId::CONFIGURE));
                requests
            }
            Platform::KeepsNetworks if node.restore_failing => vec![button],
            Platform::KeepsNetworks => {
                let Some(settings) = node.settings_in_force else { return Vec::new() };
                let known = settings.network();
                let enable = known.map(|it| ("configure: on", SettingsId::Station(it)));
                let remember = ("configure: off, remembered", SettingsId::Off(known));
                let forget = ("configure: forgotten", SettingsId::Off(None));
                let configure = enable.into_iter().chain([remember, forget]);
                let configure = configure.map(|(label, to)| (label, InputId::Configure(to)));
                configure.chain([button, ("configure: to B", InputId::CONFIGURE[0])]).collect()
            }
        }
    }

    /// Returns the number of the next snapshot, and of the network that the platform may keep.
    fn new_id(&self) -> Id {
        let in_record = |disk: Disk| disk.recover(self.after_failure).0.kept().map(|(id, _)| id);
        let before = self.before.kept().map(|(id, _)| id);
        match self.platform {
            Platform::KeepsNothing => 0,
            // While a snapshot is not restored yet, the machine ignores a later one.
            Platform::KeepsNetworks => self
                .snapshot
                .unwrap_or_else(|| self.store.unused_id(&[before, in_record(self.disk)])),
        }
    }

    /// Returns what a platform that keeps networks has while `network` is being joined.
    fn store_after_join(&self, network: SettingsId, snapshot: Option<Id>) -> Store {
        match (self.platform, snapshot, network.network()) {
            (Platform::KeepsNetworks, Some(id), Some(NetworkId { name, kept: None })) => {
                self.store.added(id, name)
            }
            _ => self.store,
        }
    }

    /// Returns whether the device was never idle since its boot.
    pub(crate) fn is_booting(&self) -> bool {
        self.booted_with.is_some()
    }

    /// Handles a request for a pairing or for other settings.
    fn request(
        self,
        explorer: &mut Explorer,
        node: &Node,
        input: InputId,
        replies: &mut Replies,
    ) -> Result<Self, Violation> {
        let [pairing, configuring] = node.immediate_replies;
        let (task, immediate_reply) = if let InputId::Configure(to) = input {
            (Task::Configure(to), configuring)
        } else {
            (Task::Pair, pairing)
        };
        let mut world = self;
        if node.restore_failing {
            world.before = self.settings_to_restore();
            world.inherited = Inherited { disk: true, late_save: self.late_save.is_some() };
            (world.proven, world.radio_touched, world.booted_with) = (None, false, None);
            world.over_wifi = false;
        }
        let over_wifi = input == InputId::StartOverWifi;
        let is_restoring =
            node.settings_in_force.is_none() && node.deadline.is_none() && !node.restore_failing;
        match immediate_reply {
            None if is_restoring => {
                world.request_pending = true;
                world.waiting = match self.waiting {
                    None => Some((task, over_wifi)),
                    Some((Task::Pair, earlier)) if task == Task::Pair => {
                        Some((task, earlier || over_wifi))
                    }
                    Some(_) => return Err("a requester waits for the reply to a different task"),
                };
                return world.apply_input(explorer, input, replies);
            }
            None => {
                world.request_pending = true;
                world.over_wifi |= over_wifi;
            }
            Some(reply) => {
                replies.push(reply);
                // After a refusal the radio may still move for an earlier requester.
                if reply.is_ok() {
                    world.check_accepted(task)?;
                }
            }
        }
        if node.settings_in_force.is_none() && !node.restore_failing {
            if immediate_reply.is_none() && (self.radio_touched || !self.task.is_same_kind(task)) {
                return Err("a requester waits for the reply to a different task");
            }
            return world.apply_input(explorer, input, replies);
        }
        world.task = task;
        let next = explorer.transition(world.machine, input, TimePoint::Start);
        if explorer.node(next.0).deadline.is_none() {
            return Err("a request was ignored although the device is idle or cannot restore");
        }
        world.enter(explorer, next, input, replies)
    }

    /// Checks that a requester of `task` may get a positive reply.
    fn check_accepted(self, task: Task) -> Result<(), Violation> {
        let journaled = match task {
            Task::None | Task::Reapply | Task::Forget => false,
            Task::Pair => self.disk == Disk::Pairing(self.before, self.snapshot),
            Task::Configure(_) => self.disk == Disk::Configuring(self.before, self.snapshot),
        };
        // While a success is being saved, it may already be on the disk.
        let committed = self.proven.is_some_and(|proven| self.disk == Disk::Settled(proven));
        if journaled || committed {
            Ok(())
        } else {
            Err("a requester gets a positive reply, but nothing is journaled")
        }
    }

    /// Cuts power and boots the device again.
    fn cut_power(self, explorer: &mut Explorer) -> Result<Self, Violation> {
        let machine = explorer.boot_from(self.disk, self.after_failure);
        let (settings, snapshot) = self.disk.recover(self.after_failure);
        if explorer.node(machine).command != CommandId::Apply(settings, snapshot) {
            return Err("the device does not boot with the settings of its record");
        }
        let (window_closed, request_pending, waiting, radio) = (false, false, None, None);
        let (late_save, over_wifi, booted_with) = (None, false, Some(settings));
        let inherited = Inherited { late_save: false, ..self.inherited };
        let store = self.store.after_power_cut();
        let booted = Self {
            machine,
            window_closed,
            late_save,
            inherited,
            request_pending,
            waiting,
            radio,
            store,
            snapshot,
            over_wifi,
            booted_with,
            ..self
        };
        Ok(booted.in_task(explorer.node(machine)))
    }

    /// Notes that the driver of a platform that keeps networks gets a snapshot with this command.
    fn in_task(self, node: &Node) -> Self {
        let keeps = self.platform == Platform::KeepsNetworks;
        let store =
            if keeps && node.command.has_snapshot() { self.store.in_task() } else { self.store };
        Self { store, ..self }
    }

    /// Passes an input to the machine.
    fn apply_input(
        self,
        explorer: &mut Explorer,
        input: InputId,
        replies: &mut Replies,
    ) -> Result<Self, Violation> {
        let at = if self.window_closed {
            TimePoint::Deadline
        } else if self.waiting.is_some() {
            TimePoint::Start // its window opens when it starts
        } else {
            TimePoint::InWindow
        };
        let next = explorer.transition(self.machine, input, at);
        self.enter(explorer, next, input, replies)
    }

    /// Moves on to the machine `next` and delivers its reply.
    fn enter(
        mut self,
        explorer: &Explorer,
        (next, reply): (NodeId, Reply),
        input: InputId,
        replies: &mut Replies,
    ) -> Result<Self, Violation> {
        if next == self.machine {
            return Ok(self);
        }
        let previous = explorer.node(self.machine);
        self.machine = next;
        let node = explorer.node(next);
        self = self.in_task(node);
        let was_waiting = self.waiting.is_some();
        if let (Some((task, over_wifi)), true) = (self.waiting, node.deadline.is_some()) {
            self = self.start_waiting_task(previous, input)?;
            (self.task, self.over_wifi) = (task, over_wifi);
        }
        if !node.has_waiting_request {
            self.waiting = None;
        }
        if reply.is_some() != (self.request_pending && !node.is_request_pending()) {
            return Err("a requester gets no reply, or a reply has no requester");
        }
        if let Some(reply) = reply {
            replies.push(reply);
            self.request_pending = false;
            match reply {
                Ok(()) => self.check_accepted(self.task)?,
                // A request that waits is refused after an earlier task.
                Err(_) if self.radio_touched && !was_waiting => {
                    return Err("refused, but the radio was touched");
                }
                Err(_) => {}
            }
        }
        self.window_closed &= node.deadline.is_some();
        // The store has one writer: once a save starts, no earlier save is written any more.
        self.late_save = self.late_save.filter(|_| !matches!(node.command, CommandId::Save(_)));
        self.inherited.late_save &= self.late_save.is_some();
        if previous.settings_in_force.is_some() && node.settings_in_force.is_some() {
            return Ok(self); // it only shows something else
        }
        if let Some(settings) = node.settings_in_force {
            self.check_idle(node, settings)?;
            return Ok(Self {
                before: settings,
                inherited: Inherited::default(),
                task: Task::None,
                proven: None,
                radio_touched: false,
                snapshot: None,
                over_wifi: false,
                booted_with: None,
                ..self
            });
        }
        // The radio counts as touched from the first command that may touch it.
        if node.deadline.is_some() {
            self.radio_touched |= matches!(
                node.command,
                CommandId::Pair | CommandId::Join(..) | CommandId::Apply(..)
            );
            // A pairing searches during the reply grace.
            self.over_wifi &= !self.radio_touched || node.command == CommandId::Pair;
        }
        Ok(self)
    }

    /// Begins the history of the task that has waited until the settings are restored.
    fn start_waiting_task(self, previous: &Node, input: InputId) -> Result<Self, Violation> {
        let restored = match previous.command {
            CommandId::Apply(settings, _) if input == InputId::Applied => Some(settings),
            CommandId::Save(Disk::Settled(settings)) => Some(settings),
            CommandId::Idle
            | CommandId::Pause
            | CommandId::Snapshot
            | CommandId::Save(_)
            | CommandId::Apply(..)
            | CommandId::Pair
            | CommandId::Join(..)
            | CommandId::Keep(..) => None,
        };
        let mut world = self;
        match restored {
            Some(settings) => {
                Self { request_pending: false, ..self }.check_idle(previous, settings)?;
                world.before = settings;
                world.inherited = Inherited::default();
                world.snapshot = None;
            }
            None => {
                world.before = self.settings_to_restore();
                world.inherited = Inherited { disk: true, late_save: self.late_save.is_some() };
            }
        }
        (world.proven, world.radio_touched, world.booted_with) = (None, false, None);
        Ok(world)
    }
}

impl Task {
    /// Returns whether both are pairings, or both are changes of settings.
    fn is_same_kind(self, other: Self) -> bool {
        matches!((self, other), (Self::Pair, Self::Pair) | (Self::Configure(_), Self::Configure(_)))
    }
}
