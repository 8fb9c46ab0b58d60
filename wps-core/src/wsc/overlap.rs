//! Session overlap: with two routers in pairing mode, it is unknown which one the user means.

use heapless::Vec;

use super::{Bssid, ScanPlan, Uuid};
use crate::settings::Ssid;

/// The number of access points that are remembered: enough for three bands with a guest network
/// each.
const MAX_REMEMBERED: usize = 8;

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
    /// The signal strength in dBm.
    pub signal_dbm: i16,
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
    /// Pair with this access point: the strongest one of the only router in pairing mode.
    Pair(Router),
    /// Give up: more than one router was in pairing mode within this window.
    Overlap,
}

/// Remembers the routers that were in pairing mode at any time of a pairing window, and detects an
/// overlap.
///
/// Two access points belong to the same router if they have the same BSSID or the same UUID: a
/// router with two bands has two BSSIDs and one UUID. If the BSSIDs differ and one access point has
/// no UUID, they cannot be shown to be one router, so they count as two, as in hostap
/// (`wpas_wps_scan_pbc_overlap`). The order in which they are recorded does not matter: a UUID may
/// become known later, since beacons seldom contain it.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OverlapDetector {
    access_points: Vec<(Bssid, Option<Uuid>), MAX_REMEMBERED, u8>,
    /// There were more access points than can be remembered, and not known to be of the same
    /// router.
    overflowed: bool,
}

impl OverlapDetector {
    /// Creates an empty detector, for a new window.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records a router in pairing mode.
    pub fn record_pressed(&mut self, router: &Router) {
        let known = self.access_points.iter_mut().find(|(bssid, _)| *bssid == router.bssid);
        if let Some((_, uuid)) = known {
            *uuid = uuid.or(router.uuid);
        } else if self.access_points.push((router.bssid, router.uuid)).is_err() {
            self.overflowed |=
                !self.access_points.iter().all(|(_, uuid)| same_router(*uuid, router.uuid));
        }
    }

    /// Records the routers in pairing mode that a scan step has found, and returns what to do next.
    ///
    /// Returns [`Decision::Pair`] only once `plan` [is complete](ScanPlan::is_complete). Returns
    /// [`Decision::Overlap`] as soon as there is an overlap, and for the rest of the window.
    pub fn decide(&mut self, pressed: &[Router], plan: &ScanPlan) -> Decision {
        for router in pressed {
            self.record_pressed(router);
        }
        if self.overflowed || !self.is_one_router() {
            return Decision::Overlap;
        }
        match pressed.iter().max_by_key(|router| router.signal_dbm) {
            None => Decision::NoRouter,
            Some(_) if !plan.is_complete() => Decision::KeepScanning,
            Some(strongest) => Decision::Pair(strongest.clone()),
        }
    }

    fn is_one_router(&self) -> bool {
        match self.access_points.split_first() {
            None => true,
            Some(((_, first), others)) => {
                others.iter().all(|(_, other)| same_router(*first, *other))
            }
        }
    }
}

/// Returns whether two UUIDs are known and equal.
fn same_router(one: Option<Uuid>, other: Option<Uuid>) -> bool {
    one.is_some() && one == other
}
