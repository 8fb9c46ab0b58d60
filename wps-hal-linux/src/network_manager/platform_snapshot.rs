//! The state of NetworkManager and the radio before a pairing, to which a failed one returns.

use wps_core::Snapshot;

use super::uuid::Uuid;

/// The version of the byte format.
const FORMAT: u8 = 1;
/// A bit of the second byte: NetworkManager may join networks by itself with this device.
const AUTOCONNECT: u8 = 1;
/// A bit of the second byte: the radio was off, although our settings had not turned it off.
const BLOCKED: u8 = 2;
/// A bit of the second byte: NetworkManager had an active connection, whose UUID follows.
const ACTIVE: u8 = 4;

/// The state that the driver restores after a failed pairing. [`Self::to_snapshot`] encodes it for
/// the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlatformSnapshot {
    /// The UUID that the profile of this task gets.
    pub(crate) new: Uuid,
    /// The profile of the active connection, unless that is one of ours in memory.
    pub(crate) active: Option<Uuid>,
    /// The frequency of that connection in MHz, or 0 if it is unknown.
    pub(crate) frequency_mhz: u16,
    /// The priority that the profile of this task gets.
    pub(crate) priority: i16,
    /// The property `Autoconnect` of the device.
    pub(crate) autoconnect: bool,
    /// Whether the radio was turned off outside of our settings (flight mode).
    pub(crate) is_blocked: bool,
}

impl PlatformSnapshot {
    /// Encodes the state for the record.
    pub(crate) fn to_snapshot(self) -> Snapshot {
        let bit = |is_set, bit| if is_set { bit } else { 0 };
        let bits = bit(self.autoconnect, AUTOCONNECT)
            | bit(self.is_blocked, BLOCKED)
            | bit(self.active.is_some(), ACTIVE);
        let mut bytes = vec![FORMAT, bits];
        bytes.extend(self.frequency_mhz.to_le_bytes());
        bytes.extend(self.priority.to_le_bytes());
        bytes.extend(self.new.0);
        bytes.extend(self.active.iter().flat_map(|uuid| uuid.0));
        Snapshot::new(&bytes).unwrap_or_default() // at most 38 bytes: it fits
    }

    /// Decodes a snapshot. Returns `None` if it is empty or has another format.
    pub(crate) fn from_snapshot(snapshot: &Snapshot) -> Option<Self> {
        let (&[FORMAT, bits, a, b, c, d], rest) = snapshot.as_bytes().split_first_chunk()? else {
            return None;
        };
        let (new, active) = rest.split_first_chunk()?;
        let active = match (bits & ACTIVE, active) {
            (0, []) => None,
            (0, _) => return None,
            (_, active) => Some(Uuid(active.try_into().ok()?)),
        };
        Some(Self {
            new: Uuid(*new),
            active,
            frequency_mhz: u16::from_le_bytes([a, b]),
            priority: i16::from_le_bytes([c, d]),
            autoconnect: bits & AUTOCONNECT != 0,
            is_blocked: bits & BLOCKED != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_snapshot_decodes_to_the_same_state() {
        for (active, autoconnect, is_blocked) in
            [(None, true, false), (Some(Uuid([7; 16])), false, false), (None, false, true)]
        {
            let new = Uuid::new_own().unwrap();
            let state = PlatformSnapshot {
                new,
                active,
                frequency_mhz: 5180,
                priority: -3,
                autoconnect,
                is_blocked,
            };
            assert_eq!(PlatformSnapshot::from_snapshot(&state.to_snapshot()), Some(state));
        }
    }

    #[test]
    fn other_snapshots_decode_to_none() {
        for bytes in [&[][..], &[FORMAT], &[FORMAT, ACTIVE, 0, 0, 0, 0], &[9; 38], &[FORMAT; 64]] {
            let snapshot = Snapshot::new(bytes).unwrap();
            assert_eq!(PlatformSnapshot::from_snapshot(&snapshot), None, "{bytes:?}");
        }
        // Cut in the second UUID.
        let snapshot =
            Snapshot::new(&[&[FORMAT, ACTIVE, 0, 0, 0, 0][..], &[1; 31]].concat()).unwrap();
        assert_eq!(PlatformSnapshot::from_snapshot(&snapshot), None);
    }
}
