//! Session overlap: with two routers in pairing mode, it is unknown which one the user means.

use heapless::Vec;

use super::{Bssid, ScanPlan, Uuid};
use crate::settings::Ssid;

/// The number of access points that are remembered: enough for three bands with a guest network
/// each.
pub(crate) const MAX_REMEMBERED: usize = 8;
/// How many times in a window the channel of an access point is scanned again because it has not
/// sent its UUID. A probe response, which contains it, is seldom missed this often.
const MAX_LOOKS: u8 = 3;

/// An access point in pairing mode, as seen on one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Router {
    /// The access point's address.
    pub bssid: Bssid,
    /// The channel's centre frequency in MHz.
    pub frequency_mhz: u16,
    /// The network's name, or `None` if it is hidden.
    pub ssid: Option<Ssid>,
    /// The router that the access point belongs to.
    pub uuid: Option<Uuid>,
    /// The signal strength in dBm, or [`i16::MIN`] if it is unknown.
    pub signal_dbm: i16,
}

impl Router {
    /// Returns the signal strength in dBm, if it is known.
    pub fn known_signal_dbm(&self) -> Option<i16> {
        Some(self.signal_dbm).filter(|dbm| *dbm != i16::MIN)
    }
}

/// What to do after a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Decision {
    /// Keep scanning: no router is in pairing mode now.
    NoRouter,
    /// Keep scanning: a router is in pairing mode, but a second one may be on a channel that has
    /// not been scanned yet.
    KeepScanning,
    /// Scan this channel (MHz) next, actively if that is allowed there: an access point on it was
    /// in pairing mode and has not sent its UUID, so it is unknown whether it belongs to the same
    /// router as the others. Call [`OverlapDetector::decide`] after that scan, and not before.
    LookAgain(u16),
    /// Pair with this access point: the strongest one of the only router in pairing mode.
    Pair(Router),
    /// Give up: more than one router was in pairing mode within this window, or access points that
    /// cannot be shown to belong to one.
    Overlap,
}

/// Remembers the routers that were in pairing mode at any time of a pairing window, and detects an
/// overlap.
///
/// Two access points belong to the same router if they have the same BSSID or the same UUID: a
/// router with two bands has two BSSIDs and one UUID. The order in which they are recorded does not
/// matter: a UUID may become known later, since beacons seldom contain it. So a missing UUID is a
/// reason to [look again](Decision::LookAgain), three times for each access point. If it is still
/// missing, the access points cannot be shown to be one router and count as two, as in hostap
/// (`wpas_wps_scan_pbc_overlap`).
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OverlapDetector {
    access_points: Vec<AccessPoint, MAX_REMEMBERED, u8>,
    /// There were more access points than can be remembered, and not known to be of the same
    /// router.
    overflowed: bool,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct AccessPoint {
    bssid: Bssid,
    frequency_mhz: u16,
    uuid: Option<Uuid>,
    /// How often its channel was to be scanned again.
    looks: u8,
}

impl OverlapDetector {
    /// Creates an empty detector, for a new window.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records the routers in pairing mode that a scan step has found, and returns what to do next.
    ///
    /// Returns [`Decision::Pair`] only once `plan` [is complete](ScanPlan::is_complete). Returns
    /// [`Decision::Overlap`] as soon as there are two routers, and for the rest of the window.
    pub fn decide(&mut self, pressed: &[Router], plan: &ScanPlan) -> Decision {
        for router in pressed {
            self.record(router);
        }
        if self.has_two_routers() {
            return Decision::Overlap;
        }
        if self.access_points.len() > 1
            && let Some(undecided) = self.access_points.iter_mut().find(|it| it.uuid.is_none())
        {
            if undecided.looks == MAX_LOOKS {
                return Decision::Overlap;
            }
            undecided.looks += 1;
            return Decision::LookAgain(undecided.frequency_mhz);
        }
        match pressed.iter().max_by_key(|router| router.signal_dbm) {
            None => Decision::NoRouter,
            Some(_) if !plan.is_complete() => Decision::KeepScanning,
            Some(strongest) => Decision::Pair(strongest.clone()),
        }
    }

    /// Adds the UUID of an access point if it was in pairing mode before, even if it no longer is.
    pub fn learn_uuid(&mut self, bssid: Bssid, uuid: Uuid) {
        if let Some(known) = self.access_points.iter_mut().find(|it| it.bssid == bssid) {
            known.uuid = known.uuid.or(Some(uuid));
        }
    }

    fn record(&mut self, router: &Router) {
        let Router { bssid, frequency_mhz, uuid, .. } = *router;
        if let Some(known) = self.access_points.iter_mut().find(|it| it.bssid == bssid) {
            known.frequency_mhz = frequency_mhz;
            known.uuid = known.uuid.or(uuid);
        } else if self
            .access_points
            .push(AccessPoint { bssid, frequency_mhz, uuid, looks: 0 })
            .is_err()
        {
            self.overflowed |= uuid.is_none() || self.uuids().any(|known| Some(known) != uuid);
        }
    }

    fn uuids(&self) -> impl Iterator<Item = Uuid> {
        self.access_points.iter().filter_map(|it| it.uuid)
    }

    /// Returns whether two access points are known to be of different routers.
    fn has_two_routers(&self) -> bool {
        let first = self.uuids().next();
        self.overflowed || self.uuids().any(|uuid| Some(uuid) != first)
    }
}
