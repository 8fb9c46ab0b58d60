//! The networks in range, for people who set Wi-Fi up by hand.

use heapless::Vec;

use crate::driver::{Cipher, Security};
use crate::settings::Ssid;
use crate::wsc::Bssid;

/// An access point in range, as far as the radio can tell; what it cannot tell is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BssInfo {
    /// Its address.
    pub bssid: Bssid,
    /// Its network; none if hidden.
    pub ssid: Option<Ssid>,
    /// The channel's centre frequency in MHz.
    pub frequency_mhz: Option<u16>,
    /// The channel width in MHz: 20, or 40 and more.
    pub width_mhz: Option<u16>,
    /// Of a wide channel: whether its second half is above the first.
    pub second_above: Option<bool>,
    /// Signal strength in dBm.
    pub signal_dbm: Option<i16>,
    /// How stations authenticate.
    pub security: Option<Security>,
    /// The cipher for traffic to one station.
    pub pairwise_cipher: Option<Cipher>,
    /// The cipher for traffic to all stations.
    pub group_cipher: Option<Cipher>,
    /// Wi-Fi generation: 4 (n), 5 (ac), 6 (ax), …
    pub generation: Option<u8>,
    /// The country it says it is in, two letters.
    pub country: Option<[u8; 2]>,
    /// Whether it speaks WPS.
    pub wps: bool,
    /// Whether its WPS button was pressed: it is in pairing mode now.
    pub pressed: Option<bool>,
}

impl BssInfo {
    /// One of which nothing else is known.
    pub fn new(bssid: Bssid) -> Self {
        Self {
            bssid,
            ssid: None,
            frequency_mhz: None,
            width_mhz: None,
            second_above: None,
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
pub struct ScanResults(Vec<BssInfo, { ScanResults::MAX }>);

impl ScanResults {
    /// How many are kept: of more, the weakest are left out.
    pub const MAX: usize = 32;

    /// Adds one, in its place; a later one with the same address replaces the earlier.
    pub fn add(&mut self, neighbour: BssInfo) {
        self.0.retain(|other| other.bssid != neighbour.bssid);
        let weaker = |other: &BssInfo| other.signal_dbm < neighbour.signal_dbm;
        let place = self.0.iter().position(weaker).unwrap_or(self.0.len());
        if self.0.is_full() {
            if place == self.0.len() {
                return;
            }
            self.0.pop();
        }
        // There is room now, and the place is inside.
        let _ = self.0.insert(place, neighbour);
    }

    /// From the strongest to the weakest.
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
