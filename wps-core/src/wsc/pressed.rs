//! The access points in pairing mode, for users who choose one of them.

use heapless::Vec;

use super::Router;
use super::overlap::MAX_REMEMBERED;

/// The access points that were in pairing mode during a pairing, the strongest first: up to eight.
///
/// One router can look like several: some give each of their radios a UUID of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PressedRouters(Vec<Router, MAX_REMEMBERED>);

impl PressedRouters {
    /// Adds an access point, or updates its name and its strongest signal. If there are too many,
    /// the weakest is dropped. Returns whether this has changed the list.
    pub fn record(&mut self, router: &Router) -> bool {
        let mut router = router.clone();
        if let Some(index) = self.0.iter().position(|it| it.bssid == router.bssid) {
            let known = self.0.remove(index);
            router.signal_dbm = router.signal_dbm.max(known.signal_dbm);
            router.ssid = router.ssid.or_else(|| known.ssid.clone());
            router.uuid = router.uuid.or(known.uuid);
            let has_changed = router != known;
            self.insert(router);
            has_changed
        } else {
            self.insert(router)
        }
    }

    /// Returns the access points from the strongest to the weakest.
    pub fn as_slice(&self) -> &[Router] {
        &self.0
    }

    /// Inserts an access point at its place. Returns `false` if it is weaker than all of a full
    /// list.
    fn insert(&mut self, router: Router) -> bool {
        let weaker = |other: &Router| other.signal_dbm < router.signal_dbm;
        let index = self.0.iter().position(weaker).unwrap_or(self.0.len());
        if self.0.is_full() {
            if index == self.0.len() {
                return false;
            }
            self.0.pop();
        }
        self.0.insert(index, router).is_ok()
    }
}
