//! The store of a simulated platform that keeps networks itself.

use heapless::Vec;

use crate::settings::{Credentials, KeptId, Snapshot};

/// How many networks the platform has room for.
pub(super) const NETWORKS_MAX: usize = 4;
/// The identifiers of this platform begin with these bytes.
const PREFIX: [u8; 8] = *b"sim-kept";

/// The networks that a platform keeps. The device must change only its own.
#[derive(Default)]
pub(super) struct PlatformStore {
    networks: Vec<KeptNetwork, NETWORKS_MAX>,
    /// The number of the last identifier. It survives power cuts, so no identifier is used twice.
    last_id: u64,
}

/// A network that a simulated platform has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptNetwork {
    /// The identifier of the network.
    pub id: KeptId,
    /// The network, with its key.
    pub network: Credentials,
    /// Where the platform has the network.
    pub place: Place,
    /// Who has added the network.
    pub owner: Owner,
}

/// Where a simulated platform has a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In memory only. A restart of the platform loses it.
    Memory,
    /// In a file that is not synced yet. A power cut loses it.
    Unsynced,
    /// In a file that a power cut does not lose.
    Disk,
}

/// Who has added a network to a simulated platform. The platform marks each network with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The device under test.
    Device,
    /// The user, with the tools of the platform.
    User,
}

impl KeptNetwork {
    fn is_of_device(&self, id: KeptId) -> bool {
        self.owner == Owner::Device && self.id == id
    }
}

impl PlatformStore {
    pub(super) const fn new() -> Self {
        Self { networks: Vec::new(), last_id: 0 }
    }

    /// Returns an identifier that was never used.
    pub(super) fn next_id(&mut self) -> KeptId {
        self.last_id += 1;
        let mut id = [0; 16];
        let (prefix, number) = id.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(&PREFIX);
        number.copy_from_slice(&self.last_id.to_be_bytes());
        KeptId(id)
    }

    /// Returns the networks that `owner` has added.
    pub(super) fn networks_of(&self, owner: Owner) -> Vec<KeptNetwork, NETWORKS_MAX> {
        self.networks.iter().filter(|it| it.owner == owner).cloned().collect()
    }

    /// Replaces the networks of the device.
    pub(super) fn set(&mut self, networks: Vec<KeptNetwork, NETWORKS_MAX>) {
        self.networks.retain(|it| it.owner == Owner::User);
        for network in networks {
            self.networks.push(network).ok(); // what does not fit is left out
        }
    }

    /// Returns all networks, the one that was added last first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &KeptNetwork> {
        self.networks.iter().rev()
    }

    /// Returns the network with this identifier.
    pub(super) fn get(&self, id: KeptId) -> Option<&Credentials> {
        self.networks.iter().find(|it| it.id == id).map(|it| &it.network)
    }

    /// Returns the network of the device with this identifier.
    pub(super) fn get_of_device(&self, id: KeptId) -> Option<&Credentials> {
        self.networks.iter().find(|it| it.is_of_device(id)).map(|it| &it.network)
    }

    /// Adds a network to the disk. Returns `None` if the store is full.
    pub(super) fn add(&mut self, network: Credentials, owner: Owner) -> Option<KeptId> {
        let id = self.next_id();
        self.networks.push(KeptNetwork { id, network, place: Place::Disk, owner }).ok()?;
        Some(id)
    }

    /// Adds a network of the device, or replaces the one with the same identifier. Returns `false`
    /// if the store is full: then nothing was replaced.
    pub(super) fn put(&mut self, id: KeptId, network: Credentials, place: Place) -> bool {
        self.networks.retain(|it| !it.is_of_device(id));
        self.networks.push(KeptNetwork { id, network, place, owner: Owner::Device }).is_ok()
    }

    /// Writes the networks in files to the disk.
    pub(super) fn sync(&mut self) {
        for it in &mut self.networks {
            if it.place == Place::Unsynced {
                it.place = Place::Disk;
            }
        }
    }

    /// Returns whether this network is only in memory.
    pub(super) fn is_in_memory(&self, network: &Credentials) -> bool {
        self.networks.iter().any(|it| it.place == Place::Memory && it.network == *network)
    }

    /// Removes the networks that are only in memory. Only the device has any.
    pub(super) fn clear_memory(&mut self) {
        self.networks.retain(|it| it.place != Place::Memory);
    }

    /// Removes the files of the device that `named`, the network of the settings in force, is not.
    /// Returns whether `named` is gone: then nothing is removed.
    pub(super) fn remove_unnamed(&mut self, named: Option<KeptId>) -> bool {
        match named {
            // Another platform has it. This one cannot say what is no longer needed.
            Some(id) if !is_known(id) => false,
            Some(id) if self.get_of_device(id).is_none() => true,
            named => {
                self.networks.retain(|it| {
                    it.owner == Owner::User || it.place == Place::Memory || Some(it.id) == named
                });
                false
            }
        }
    }

    /// Removes the network with this identifier, as a user does.
    pub(super) fn remove(&mut self, id: KeptId) {
        self.networks.retain(|it| it.id != id);
    }

    /// Loses what a power cut loses.
    pub(super) fn cut_power(&mut self) {
        self.networks.retain(|it| it.place == Place::Disk);
    }
}

/// Returns whether a platform of this kind has chosen the identifier.
pub(super) fn is_known(id: KeptId) -> bool {
    id.0.starts_with(&PREFIX)
}

/// Returns the snapshot with this identifier.
pub(super) fn snapshot_of(id: KeptId) -> Snapshot {
    Snapshot::new(&id.0).unwrap_or_default() // it fits
}

/// Returns the identifier in a snapshot.
pub(super) fn id_in(snapshot: &Snapshot) -> Option<KeptId> {
    Some(KeptId(snapshot.as_bytes().try_into().ok()?))
}
