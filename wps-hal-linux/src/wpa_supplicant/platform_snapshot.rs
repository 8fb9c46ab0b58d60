//! The state of wpa_supplicant and the radio before a pairing. If the pairing fails, the driver
//! restores it: above all, which of the platform's networks were enabled and which one was current.

use crc::{CRC_32_ISO_HDLC, Crc};
use wps_core::Snapshot;

use crate::radio_switch::Power;
use crate::supplicant::exchange::ExchangeVariables;
use crate::supplicant::reply::Network;

/// The version of the byte format.
const FORMAT: u8 = 1;
/// A bit of the third byte: `config_methods` was not set.
const CONFIG_METHODS_UNSET: u8 = 1;
/// A bit of the third byte: rfkill blocked the radio.
const BLOCKED: u8 = 2;
/// A bit of the third byte: the interface was down.
const INTERFACE_DOWN: u8 = 4;
/// A bit of the third byte: `wps_cred_processing` could not be read.
const CRED_PROCESSING_UNKNOWN: u8 = 8;
/// Stands for the network id if no network was current.
const NO_CURRENT_NETWORK: u16 = u16::MAX;
/// The length of the fields before the enabled flags: format, `wps_cred_processing`, bits, current
/// network, count, fingerprint.
const HEADER_LEN: usize = 1 + 1 + 1 + 2 + 2 + 4;
/// The number of networks whose enabled flag fits into a snapshot, from the start of the list.
const MAX_NETWORKS: usize = (Snapshot::MAX_LEN - HEADER_LEN) * 8;

/// The state that the driver restores after a failed pairing. [`Self::to_snapshot`] encodes it for
/// the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlatformSnapshot {
    /// The variables that the exchange changes.
    pub(crate) variables: ExchangeVariables,
    /// Whether and how the radio was turned off outside of our settings (flight mode). `On` if our
    /// settings had turned it off.
    pub(crate) power: Power,
    /// The id of the network that was current.
    current: Option<u16>,
    /// The number of networks. wpa_supplicant lists newer networks after them.
    count: u16,
    /// A checksum of the ids and names of these networks. The flags are valid for no others.
    fingerprint: u32,
    /// One bit for each network: whether it was enabled.
    enabled: Vec<u8>,
}

impl PlatformSnapshot {
    /// Creates a snapshot of these networks. The public fields still have their defaults.
    pub(crate) fn new(platform: &[Network]) -> Self {
        let recorded = platform.get(..MAX_NETWORKS).unwrap_or(platform);
        let mut enabled = vec![0; recorded.len().div_ceil(8)];
        for (index, network) in recorded.iter().enumerate() {
            if let (true, Some(byte)) = (network.enabled, enabled.get_mut(index / 8)) {
                *byte |= 1 << (index % 8);
            }
        }
        let current = platform.iter().find(|network| network.current);
        let current = current.and_then(|network| network.id.try_into().ok());
        let count = u16::try_from(platform.len()).unwrap_or(u16::MAX);
        let fingerprint = fingerprint(known_networks(platform, count));
        Self {
            variables: ExchangeVariables::default(),
            power: Power::On,
            current,
            count,
            fingerprint,
            enabled,
        }
    }

    /// Encodes the state for the record.
    pub(crate) fn to_snapshot(&self) -> Snapshot {
        let ExchangeVariables { cred_processing, config_methods_unset } = self.variables;
        let bits = if config_methods_unset { CONFIG_METHODS_UNSET } else { 0 }
            | if cred_processing.is_none() { CRED_PROCESSING_UNKNOWN } else { 0 }
            | match self.power {
                Power::On => 0,
                Power::InterfaceDown => INTERFACE_DOWN,
                Power::SoftBlocked | Power::HardBlocked => BLOCKED,
            };
        let mut bytes = vec![FORMAT, cred_processing.unwrap_or(0), bits];
        bytes.extend(self.current.unwrap_or(NO_CURRENT_NETWORK).to_le_bytes());
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(self.fingerprint.to_le_bytes());
        bytes.extend(&self.enabled);
        // Always fits, since the flags are limited to the first `MAX_NETWORKS` networks.
        Snapshot::new(&bytes).unwrap_or_default()
    }

    /// Decodes a snapshot. Returns `None` if it is empty or has another format.
    pub(crate) fn from_snapshot(snapshot: &Snapshot) -> Option<Self> {
        let (header, enabled) = snapshot.as_bytes().split_first_chunk::<HEADER_LEN>()?;
        let [FORMAT, cred_processing, bits, a, b, c, d, e, f, g, h] = *header else {
            return None;
        };
        let current = u16::from_le_bytes([a, b]);
        Some(Self {
            variables: ExchangeVariables {
                cred_processing: (bits & CRED_PROCESSING_UNKNOWN == 0).then_some(cred_processing),
                config_methods_unset: bits & CONFIG_METHODS_UNSET != 0,
            },
            power: match (bits & BLOCKED != 0, bits & INTERFACE_DOWN != 0) {
                (true, _) => Power::SoftBlocked,
                (false, true) => Power::InterfaceDown,
                (false, false) => Power::On,
            },
            current: (current != NO_CURRENT_NETWORK).then_some(current),
            count: u16::from_le_bytes([c, d]),
            fingerprint: u32::from_le_bytes([e, f, g, h]),
            enabled: enabled.to_vec(),
        })
    }

    /// Returns whether the flags were recorded for these networks. Newer networks do not matter. If
    /// not, the list was changed or read from the platform's own file since then, and its present
    /// flags are better than the recorded ones.
    pub(crate) fn matches(&self, platform: &[Network]) -> bool {
        self.fingerprint == fingerprint(known_networks(platform, self.count))
    }

    /// Returns whether the network at this index of the list is newer than the snapshot.
    pub(crate) fn is_new(&self, index: usize) -> bool {
        index >= usize::from(self.count)
    }

    /// Returns the id of the network that was current.
    pub(crate) fn current(&self) -> Option<u32> {
        self.current.map(u32::from)
    }

    /// Returns whether the network at this index of the list was enabled. Returns `None` if it is
    /// newer than the snapshot, or if there was no room for its flag.
    pub(crate) fn enabled(&self, index: usize) -> Option<bool> {
        if self.is_new(index) {
            return None;
        }
        self.enabled.get(index / 8).map(|byte| byte & 1 << (index % 8) != 0)
    }
}

/// Returns the first `count` networks: those that existed when the snapshot was taken.
fn known_networks(platform: &[Network], count: u16) -> &[Network] {
    platform.get(..count.into()).unwrap_or(platform)
}

/// Returns a checksum of the ids and names of these networks.
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
        Network { id, name: name.into(), current, enabled, temp_disabled: false }
    }

    #[test]
    fn an_encoded_snapshot_decodes_to_the_same_state() {
        let platform = [
            network(0, "a", false, false),
            network(3, "b", true, true),
            network(4, "c", false, true),
        ];
        for (cred_processing, config_methods_unset, power) in [
            (Some(0), false, Power::On),
            (None, false, Power::SoftBlocked),
            (Some(1), true, Power::On),
            (None, true, Power::InterfaceDown),
        ] {
            let snapshot = PlatformSnapshot {
                power,
                variables: ExchangeVariables { cred_processing, config_methods_unset },
                ..PlatformSnapshot::new(&platform)
            };
            assert_eq!(PlatformSnapshot::from_snapshot(&snapshot.to_snapshot()), Some(snapshot));
        }
        let variables = ExchangeVariables { cred_processing: Some(2), config_methods_unset: false };
        let expected = PlatformSnapshot { variables, ..PlatformSnapshot::new(&platform) };
        let snapshot = PlatformSnapshot::from_snapshot(&expected.to_snapshot()).unwrap();
        assert_eq!((snapshot.variables.cred_processing, snapshot.current()), (Some(2), Some(3)));
        assert_eq!(
            [0, 1, 2].map(|index| snapshot.enabled(index)),
            [Some(false), Some(true), Some(true)]
        );
        assert!(snapshot.matches(&platform));
    }

    #[test]
    fn flags_are_valid_for_the_recorded_networks_only() {
        let platform = [network(0, "a", false, false)];
        let snapshot = PlatformSnapshot::new(&platform);
        assert!(!snapshot.matches(&[network(0, "b", false, false)]));
        assert!(!snapshot.matches(&[network(1, "a", false, false)]));
        assert!(!snapshot.matches(&[]));
        // A newer network does not matter.
        let more = [network(0, "a", false, false), network(1, "b", false, true)];
        assert!(snapshot.matches(&more));
        assert_eq!(
            (snapshot.is_new(0), snapshot.is_new(1), snapshot.enabled(1)),
            (false, true, None)
        );
        // The flags may differ: they are what the snapshot restores.
        assert!(snapshot.matches(&[network(0, "a", true, true)]));
    }

    #[test]
    fn an_empty_snapshot_decodes_to_none() {
        assert_eq!(PlatformSnapshot::from_snapshot(&Snapshot::default()), None);
    }

    #[test]
    fn a_long_list_is_recorded_as_far_as_there_is_room() {
        let platform: Vec<_> = (0..1000).map(|id| network(id, "n", id == 999, true)).collect();
        let snapshot =
            PlatformSnapshot::from_snapshot(&PlatformSnapshot::new(&platform).to_snapshot())
                .unwrap();
        assert!(snapshot.matches(&platform));
        assert_eq!(
            (snapshot.current(), snapshot.enabled(0), snapshot.enabled(999)),
            (Some(999), Some(true), None)
        );
    }
}
