//! The invariants of a [`World`].

use std::time::Duration;

use super::{Task, Violation, World};
use crate::explorer::{Explorer, Node};
use crate::ids::{CommandId, Disk, REPLY_GRACE_DELAY, SettingsId};

impl World {
    /// Checks that an idle device has the right settings, on the disk and on the radio.
    pub(super) fn check_idle(&self, node: &Node, settings: SettingsId) -> Result<(), Violation> {
        let never_set_up = self.disk == Disk::Empty && settings == SettingsId::FACTORY;
        if self.disk != Disk::Settled(settings) && !never_set_up {
            return Err("idle, but the disk holds something else");
        }
        if self.radio != Some(settings) {
            return Err("idle, but the radio has other settings");
        }
        if self.platform_disturbed {
            return Err("idle, but the platform's own networks were not restored");
        }
        if self.request_pending {
            return Err("idle, but a requester still waits for its reply");
        }
        let expected = match (node.last.map(|last| last.result), self.booted_with) {
            // The result of the last pairing does not matter.
            (_, None) if matches!(self.task, Task::Reapply | Task::Forget) => {
                Some(self.settings_to_restore())
            }
            (Some(Ok(())), None) => self.proven,
            (Some(Ok(())), Some(_)) => None,
            (_, Some(booted_with)) => Some(booted_with),
            (None, None) => None,
            (Some(Err(_)), None) if self.radio_touched => Some(self.settings_after_failure()),
            (Some(Err(_)), None) => Some(self.before),
        };
        if expected != Some(settings) {
            return Err("idle, but not with the settings that the rules require");
        }
        Ok(())
    }

    /// Returns the settings that a failure of the current task leaves.
    pub(super) fn settings_after_failure(&self) -> SettingsId {
        match self.task {
            Task::Pair => self.before.after_failure(self.after_failure),
            Task::None | Task::Configure(_) | Task::Reapply => self.before,
            Task::Forget => self.before.after_removal(),
        }
    }

    /// Returns the settings to restore.
    pub(super) fn settings_to_restore(&self) -> SettingsId {
        match self.booted_with {
            Some(booted_with) => booted_with,
            None if self.radio_touched || self.task == Task::Forget => {
                self.settings_after_failure()
            }
            None => self.before,
        }
    }

    /// Checks the invariants that hold in every world.
    pub(crate) fn check_invariants(&self, explorer: &Explorer) -> Result<(), Violation> {
        let node = explorer.node(self.machine);
        let is_allowed = |settings| {
            [self.proven, self.booted_with].contains(&Some(settings))
                || settings == self.before
                || settings == self.settings_after_failure()
        };
        if !self.inherited.disk && !is_allowed(self.disk.recover(self.after_failure).0) {
            return Err("after a power cut now the settings would be neither old nor proven");
        }
        let saved = if let CommandId::Save(disk) = node.command { Some(disk) } else { None };
        let records = [Some(self.disk), self.late_save, saved].into_iter().flatten();
        let mut named = records.filter_map(|disk| disk.recover(self.after_failure).0.kept());
        if !named.all(|network| self.store.is_safe(network)) {
            return Err("a record names a network that the platform has not, or may lose");
        }
        if !self.store.has_network_of_user() {
            return Err("the user's network on the platform was touched");
        }
        let deadline = node.deadline.map(wps_core::Instant::as_millis);
        let expected = match self.task {
            Task::None | Task::Reapply | Task::Forget => None,
            Task::Pair => Some(120_000),
            Task::Configure(_) => Some(30_000),
        };
        if deadline.is_some() && deadline != expected {
            return Err("the deadline has changed since the start");
        }
        let reply_grace = if self.over_wifi { REPLY_GRACE_DELAY } else { Duration::ZERO };
        if node.reply_grace().is_some_and(|it| it != reply_grace) {
            return Err("the reply grace is too short or too long");
        }
        let in_task = deadline.is_some();
        let journaled = match self.task {
            Task::None | Task::Reapply | Task::Forget => false,
            Task::Pair => self.disk == Disk::Pairing(self.before, self.snapshot),
            Task::Configure(_) => self.disk == Disk::Configuring(self.before, self.snapshot),
        };
        match node.command {
            CommandId::Pair | CommandId::Join(..) | CommandId::Keep(..) | CommandId::Apply(..)
                if in_task && !journaled =>
            {
                Err("the radio is touched without a journal")
            }
            CommandId::Join(_, snapshot)
            | CommandId::Apply(_, snapshot)
            | CommandId::Keep(_, snapshot)
                if in_task && (snapshot.is_none() || snapshot != self.snapshot) =>
            {
                Err("the driver's snapshot is missing")
            }
            CommandId::Apply(settings, _) if in_task && self.task == Task::Pair => {
                if settings == self.before {
                    Ok(())
                } else {
                    Err("restores something else than the previous settings within the window")
                }
            }
            CommandId::Apply(settings, _) if !in_task && settings != self.settings_to_restore() => {
                Err("restores something else than the rules require")
            }
            CommandId::Apply(_, snapshot) if !in_task && snapshot != self.snapshot => {
                Err("the driver's snapshot is missing, or is left over from an earlier task")
            }
            CommandId::Save(Disk::Settled(settings)) if in_task => {
                if self.proven == Some(settings) {
                    Ok(())
                } else {
                    Err("saves settings that are not proven")
                }
            }
            CommandId::Save(Disk::Settled(settings)) => {
                if settings == self.settings_to_restore() {
                    Ok(())
                } else {
                    Err("closes the journal with the wrong settings")
                }
            }
            CommandId::Save(Disk::Pairing(before, snapshot)) => {
                let correct =
                    (before, snapshot) == (self.before, self.snapshot) && self.task == Task::Pair;
                if correct { Ok(()) } else { Err("the journal is wrong") }
            }
            CommandId::Save(Disk::Configuring(before, snapshot)) => {
                let correct = (before, snapshot) == (self.before, self.snapshot)
                    && matches!(self.task, Task::Configure(_));
                if correct { Ok(()) } else { Err("the journal is wrong") }
            }
            CommandId::Save(Disk::Empty) => Err("saves an empty record"),
            CommandId::Idle
            | CommandId::Pause
            | CommandId::Snapshot
            | CommandId::Pair
            | CommandId::Join(..)
            | CommandId::Keep(..)
            | CommandId::Apply(..) => Ok(()),
        }
    }
}
