//! Session overlap: with two routers in pairing mode nobody can know whose button was meant.

use heapless::Vec;

use super::{Bssid, ScanPlan, Uuid};
use crate::settings::Ssid;

/// Access points remembered: enough for three bands with a guest network each.
const MAX_REMEMBERED: usize = 8;

/// A router in pairing mode, as sighted on one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Router {
    /// The access point's address.
    pub bssid: Bssid,
    /// Where it is, in MHz.
    pub frequency_mhz: u16,
    /// Its network; none if hidden.
    pub ssid: Option<Ssid>,
    /// Which router it is one of the access points of.
    pub uuid: Option<Uuid>,
    /// How loud it is here, in dBm.
    pub signal_dbm: i16,
}

/// What to do about the routers in sight.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Decision {
    /// Look on: nobody is in pairing mode now.
    NoRouter,
    /// Look on: a router is in pairing mode, but a second one may be where nobody has looked yet.
    KeepScanning,
    /// Pair with this one: the loudest access point of the only router in pairing mode.
    Pair(Router),
    /// Give up: more than one router was in pairing mode within this window.
    Overlap,
}

/// The routers that were in pairing mode at any time of a pairing window.
///
/// Two sightings are of one router if they have the same BSSID or the same UUID: a router with two
/// bands has two BSSIDs and one UUID. Different BSSIDs of which one has no UUID cannot be shown to be
/// one router, so they are two, as in hostap (`wpas_wps_scan_pbc_overlap`). The order of the sightings does
/// not matter: a UUID may come to light later, since beacons seldom carry it.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OverlapDetector {
    access_points: Vec<(Bssid, Option<Uuid>), MAX_REMEMBERED, u8>,
    /// One more than can be remembered, and not known to be of the same router.
    crowd: bool,
}

impl OverlapDetector {
    /// Nobody yet: a window begins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers a router in pairing mode.
    pub fn record_pressed(&mut self, router: &Router) {
        let known = self.access_points.iter_mut().find(|(bssid, _)| *bssid == router.bssid);
        if let Some((_, uuid)) = known {
            *uuid = uuid.or(router.uuid);
        } else if self.access_points.push((router.bssid, router.uuid)).is_err() {
            self.crowd |= !self.access_points.iter().all(|(_, uuid)| same(*uuid, router.uuid));
        }
    }

    /// Judges after a look, given the routers in pairing mode that it found. Remembers them first.
    ///
    /// [`Decision::Pair`] only once `sweep` has [covered](ScanPlan::is_complete) every channel; an overlap is one
    /// at once, and for the rest of the window.
    pub fn decide(&mut self, now_in_sight: &[Router], sweep: &ScanPlan) -> Decision {
        for router in now_in_sight {
            self.record_pressed(router);
        }
        if self.crowd || !self.one_router() {
            return Decision::Overlap;
        }
        match now_in_sight.iter().max_by_key(|router| router.signal_dbm) {
            None => Decision::NoRouter,
            Some(_) if !sweep.is_complete() => Decision::KeepScanning,
            Some(loudest) => Decision::Pair(loudest.clone()),
        }
    }

    fn one_router(&self) -> bool {
        match self.access_points.split_first() {
            None => true,
            Some(((_, first), others)) => others.iter().all(|(_, other)| same(*first, *other)),
        }
    }
}

fn same(one: Option<Uuid>, other: Option<Uuid>) -> bool {
    one.is_some() && one == other
}
