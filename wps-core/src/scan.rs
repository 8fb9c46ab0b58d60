//! The networks in range, for users who set up Wi-Fi by hand.

use heapless::Vec;

use crate::link::{Cipher, Security};
use crate::settings::Ssid;
use crate::wsc::Bssid;

/// An access point in range. A field is `None` if the radio cannot report it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BssInfo {
    /// The access point's address.
    pub bssid: Bssid,
    /// The network's name, or `None` if it is hidden.
    pub ssid: Option<Ssid>,
    /// The channel's centre frequency in MHz.
    pub frequency_mhz: Option<u16>,
    /// The channel width in MHz: 20, or 40 and more.
    pub width_mhz: Option<u16>,
    /// Whether the secondary channel is above the primary one, for a channel wider than 20 MHz.
    pub secondary_above: Option<bool>,
    /// The signal strength in dBm.
    pub signal_dbm: Option<i16>,
    /// How stations authenticate.
    pub security: Option<Security>,
    /// The cipher for traffic to one station.
    pub pairwise_cipher: Option<Cipher>,
    /// The cipher for traffic to all stations.
    pub group_cipher: Option<Cipher>,
    /// The Wi-Fi generation: 4 (n), 5 (ac), 6 (ax), …
    pub generation: Option<u8>,
    /// The country that the access point reports: a code of two letters.
    pub country: Option<[u8; 2]>,
    /// Whether the access point supports WPS.
    pub wps: bool,
    /// Whether the access point's WPS button was pressed, so that it is in pairing mode now.
    pub pressed: Option<bool>,
}

impl BssInfo {
    /// Creates an entry of which nothing but the address is known.
    pub fn new(bssid: Bssid) -> Self {
        Self {
            bssid,
            ssid: None,
            frequency_mhz: None,
            width_mhz: None,
            secondary_above: None,
            signal_dbm: None,
            security: None,
            pairwise_cipher: None,
            group_cipher: None,
            generation: None,
            country: None,
            wps: false,
            pressed: None,
        }
    }
}

/// The access points in range, the strongest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScanResults(Vec<BssInfo, { ScanResults::MAX_LEN }>);

impl ScanResults {
    /// The maximum number of access points. If there are more, the weakest are dropped.
    pub const MAX_LEN: usize = 32;

    /// Inserts an access point at its position by signal strength. It replaces an earlier entry
    /// with the same address.
    pub fn add(&mut self, bss: BssInfo) {
        self.0.retain(|other| other.bssid != bss.bssid);
        let weaker = |other: &BssInfo| other.signal_dbm < bss.signal_dbm;
        let index = self.0.iter().position(weaker).unwrap_or(self.0.len());
        if self.0.is_full() {
            if index == self.0.len() {
                return;
            }
            self.0.pop();
        }
        // Cannot fail: there is room, and the index is within bounds.
        let _ = self.0.insert(index, bss);
    }

    /// Iterates over the access points from the strongest to the weakest.
    pub fn iter(&self) -> core::slice::Iter<'_, BssInfo> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a ScanResults {
    type Item = &'a BssInfo;
    type IntoIter = core::slice::Iter<'a, BssInfo>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
