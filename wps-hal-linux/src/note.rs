//! What the driver notes before the first move, to put back after a pairing that failed: which of the
//! platform's networks were enabled, which one was current.

use crc::{CRC_32_ISO_HDLC, Crc};
use wps_core::Snapshot;

use crate::reply::Network;
use crate::switch::Power;

const FORMAT: u8 = 1;
const METHODS_UNSET: u8 = 1;
const BLOCKED: u8 = 2;
const DOWN: u8 = 4;
const NOBODY: u16 = u16::MAX;
const HEAD: usize = 1 + 1 + 1 + 2 + 2 + 4;
/// Networks whose flag is noted, by their place in the list; there is no room for more.
const MAX_NETWORKS: usize = (Snapshot::MAX_LEN - HEAD) * 8;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// wpa_supplicant's `wps_cred_processing`.
    pub(crate) cred_processing: u8,
    /// Whether its `config_methods` were not set.
    pub(crate) methods_unset: bool,
    /// How the radio was off, if it was, and not by our settings (flight mode).
    pub(crate) power: Power,
    current: Option<u16>,
    /// How many networks there were. New ones come after them.
    count: u16,
    /// Of their numbers and names: the flags belong to these networks and no others.
    fingerprint: u32,
    enabled: Vec<u8>,
}

impl Note {
    /// Of these networks, and nothing else yet.
    pub(crate) fn of(platform: &[Network]) -> Self {
        let noted = platform.get(..MAX_NETWORKS).unwrap_or(platform);
        let mut enabled = vec![0; noted.len().div_ceil(8)];
        for (place, network) in noted.iter().enumerate() {
            if let (true, Some(byte)) = (network.enabled, enabled.get_mut(place / 8)) {
                *byte |= 1 << (place % 8);
            }
        }
        let current = platform.iter().find(|network| network.current);
        let current = current.and_then(|network| network.id.try_into().ok());
        let count = u16::try_from(platform.len()).unwrap_or(u16::MAX);
        let fingerprint = fingerprint(first(platform, count));
        Self {
            cred_processing: 0,
            methods_unset: false,
            power: Power::On,
            current,
            count,
            fingerprint,
            enabled,
        }
    }

    pub(crate) fn to_snapshot(&self) -> Snapshot {
        let bits = if self.methods_unset { METHODS_UNSET } else { 0 }
            | match self.power {
                Power::On => 0,
                Power::Down => DOWN,
                Power::Blocked | Power::Locked => BLOCKED,
            };
        let mut bytes = vec![FORMAT, self.cred_processing, bits];
        bytes.extend(self.current.unwrap_or(NOBODY).to_le_bytes());
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(self.fingerprint.to_le_bytes());
        bytes.extend(&self.enabled);
        // It fits: the flags are cut to what there is room for.
        Snapshot::new(&bytes).unwrap_or_default()
    }

    /// None if nothing was noted, or by another version.
    pub(crate) fn from_snapshot(snapshot: &Snapshot) -> Option<Self> {
        let (head, enabled) = snapshot.as_bytes().split_first_chunk::<HEAD>()?;
        let [FORMAT, cred_processing, bits, a, b, c, d, e, f, g, h] = *head else {
            return None;
        };
        let current = u16::from_le_bytes([a, b]);
        Some(Self {
            cred_processing,
            methods_unset: bits & METHODS_UNSET != 0,
            power: match (bits & BLOCKED != 0, bits & DOWN != 0) {
                (true, _) => Power::Blocked,
                (false, true) => Power::Down,
                (false, false) => Power::On,
            },
            current: (current != NOBODY).then_some(current),
            count: u16::from_le_bytes([c, d]),
            fingerprint: u32::from_le_bytes([e, f, g, h]),
            enabled: enabled.to_vec(),
        })
    }

    /// Whether the flags were noted for these very networks, new ones apart. If not, they were changed
    /// since, or read anew from the platform's own file, and are better than what was noted.
    pub(crate) fn is_of(&self, platform: &[Network]) -> bool {
        self.fingerprint == fingerprint(first(platform, self.count))
    }

    /// Whether the network at this place of the list was not there yet.
    pub(crate) fn is_new(&self, place: usize) -> bool {
        place >= usize::from(self.count)
    }

    /// The network that was current.
    pub(crate) fn current(&self) -> Option<u32> {
        self.current.map(u32::from)
    }

    /// Whether the network at this place of the list was enabled; none where there was no room.
    pub(crate) fn enabled(&self, place: usize) -> Option<bool> {
        if self.is_new(place) {
            return None;
        }
        self.enabled.get(place / 8).map(|byte| byte & 1 << (place % 8) != 0)
    }
}

fn first(platform: &[Network], count: u16) -> &[Network] {
    platform.get(..count.into()).unwrap_or(platform)
}

fn fingerprint(platform: &[Network]) -> u32 {
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let mut digest = crc.digest();
    for network in platform {
        digest.update(&network.id.to_le_bytes());
        digest.update(network.name.as_bytes());
        digest.update(b"\n");
    }
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(id: u32, name: &str, current: bool, enabled: bool) -> Network {
        Network { id, name: name.into(), current, enabled }
    }

    #[test]
    fn a_note_comes_back_from_its_snapshot() {
        let platform = [
            network(0, "a", false, false),
            network(3, "b", true, true),
            network(4, "c", false, true),
        ];
        for (methods_unset, power) in
            [(false, Power::On), (false, Power::Blocked), (true, Power::On), (true, Power::Down)]
        {
            let note = Note { power, methods_unset, ..Note::of(&platform) };
            assert_eq!(Note::from_snapshot(&note.to_snapshot()), Some(note));
        }
        let noted = Note { cred_processing: 2, ..Note::of(&platform) };
        let note = Note::from_snapshot(&noted.to_snapshot()).unwrap();
        assert_eq!((note.cred_processing, note.current()), (2, Some(3)));
        assert_eq!(
            [0, 1, 2].map(|place| note.enabled(place)),
            [Some(false), Some(true), Some(true)]
        );
        assert!(note.is_of(&platform));
    }

    #[test]
    fn flags_are_for_the_networks_they_were_noted_for() {
        let platform = [network(0, "a", false, false)];
        let note = Note::of(&platform);
        assert!(!note.is_of(&[network(0, "b", false, false)]));
        assert!(!note.is_of(&[network(1, "a", false, false)]));
        assert!(!note.is_of(&[]));
        // One more is none of its business.
        let more = [network(0, "a", false, false), network(1, "b", false, true)];
        assert!(note.is_of(&more));
        assert_eq!((note.is_new(0), note.is_new(1), note.enabled(1)), (false, true, None));
        // Flags may differ: that is what the note is for.
        assert!(note.is_of(&[network(0, "a", true, true)]));
    }

    #[test]
    fn nothing_noted_is_no_note() {
        assert_eq!(Note::from_snapshot(&Snapshot::default()), None);
    }

    #[test]
    fn a_long_list_is_noted_as_far_as_there_is_room() {
        let platform: Vec<_> = (0..1000).map(|id| network(id, "n", id == 999, true)).collect();
        let note = Note::from_snapshot(&Note::of(&platform).to_snapshot()).unwrap();
        assert!(note.is_of(&platform));
        assert_eq!(
            (note.current(), note.enabled(0), note.enabled(999)),
            (Some(999), Some(true), None)
        );
    }
}
