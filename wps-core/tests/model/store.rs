//! The networks on a platform that keeps them: those that a device has added, and one of the user.

use crate::ids::{IDS, Id, Name};

/// The place of the user's network. It has the name of one that the device joins.
const USER: usize = IDS;
const NETWORK_OF_USER: Option<(Name, bool)> = Some((Name::A, true));

/// What the platform has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    /// The network that is only in memory.
    memory: Option<(Id, Name)>,
    /// The networks in files by their identifiers, and whether each is synced. The last one is the
    /// user's.
    files: [Option<(Name, bool)>; IDS + 1],
    /// The network that the user has removed.
    removed: Option<Id>,
    /// The driver has got a snapshot since the device has booted: there was a task.
    had_task: bool,
}

impl Store {
    /// Creates the store of a device that was set up long ago.
    pub(crate) fn with(network: Option<(Id, Name)>) -> Self {
        let mut files = [None; IDS + 1];
        files[USER] = NETWORK_OF_USER;
        let store = Self { memory: None, files, removed: None, had_task: false };
        network.map_or(store, |(id, name)| store.stored(id, name, true))
    }

    /// Adds a network in memory.
    #[must_use]
    pub(crate) fn added(self, id: Id, name: Name) -> Self {
        Self { memory: Some((id, name)), ..self }
    }

    /// Removes the network that is only in memory.
    #[must_use]
    pub(crate) fn without_memory(self) -> Self {
        Self { memory: None, ..self }
    }

    /// Writes a network into a file. It is no longer in memory only.
    #[must_use]
    pub(crate) fn stored(mut self, id: Id, name: Name, is_synced: bool) -> Self {
        self.files[usize::from(id)] = Some((name, is_synced));
        self.memory = None;
        self.removed = self.removed.filter(|removed| *removed != id);
        self
    }

    /// Notes that a task of the driver runs.
    #[must_use]
    pub(crate) fn in_task(self) -> Self {
        Self { had_task: true, ..self }
    }

    /// Removes the device's networks in files, except the one with this identifier. If there is no
    /// identifier and there was no task yet, all stay: the record may have been lost.
    #[must_use]
    pub(crate) fn without_others(mut self, id: Option<Id>) -> Self {
        if id.is_none() && !self.had_task {
            return Self { removed: None, ..self };
        }
        for (other, file) in (0..).zip(&mut self.files[..USER]) {
            if Some(other) != id {
                *file = None;
            }
        }
        Self { removed: None, ..self }
    }

    /// Removes a network as the user does. Returns `None` if there is nothing to remove, or if the
    /// user has removed one already.
    pub(crate) fn removed_by_user(mut self, id: Id) -> Option<Self> {
        let is_first = self.removed.is_none();
        self.files[usize::from(id)].take().filter(|_| is_first)?;
        Some(Self { removed: Some(id), ..self })
    }

    /// Loses what a power cut loses.
    #[must_use]
    pub(crate) fn after_power_cut(mut self) -> Self {
        for file in &mut self.files {
            *file = file.filter(|(_, is_synced)| *is_synced);
        }
        Self { had_task: false, ..self.without_memory() }
    }

    /// Returns whether a file has this network, which may not be synced.
    pub(crate) fn has(&self, (id, name): (Id, Name)) -> bool {
        self.files[usize::from(id)].is_some_and(|(it, _)| it == name)
    }

    /// Returns whether the platform has this network also after a power cut, unless the user has
    /// removed it.
    pub(crate) fn is_safe(&self, (id, name): (Id, Name)) -> bool {
        self.removed == Some(id) || self.files[usize::from(id)] == Some((name, true))
    }

    /// Returns whether the network of the user is as it was.
    pub(crate) fn has_network_of_user(&self) -> bool {
        self.files[USER] == NETWORK_OF_USER
    }

    /// Returns the identifier for a new network: one that neither the platform nor a record has. If
    /// all are in use, returns that of a network that was kept in vain, which no driver does.
    pub(crate) fn unused_id(&self, in_records: &[Option<Id>]) -> Id {
        let is_free = |id: &Id| !in_records.contains(&Some(*id));
        let is_unused = |id: &Id| is_free(id) && self.files[usize::from(*id)].is_none();
        let ids = || 0..IDS as Id;
        ids()
            .find(is_unused)
            .or_else(|| ids().find(is_free))
            .expect("more identifiers than records")
    }
}
