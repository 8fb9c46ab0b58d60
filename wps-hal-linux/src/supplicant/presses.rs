//! Which pressed buttons in the BSS table were pressed during this search.

use std::time::Duration;

use tokio::time::Instant;
use wps_core::wsc::Bssid;

use super::bss::{BeaconPress, WpsBss};

/// Distinguishes buttons that are pressed now from those that were pressed before.
///
/// An entry of the BSS table has the latest probe response and the latest beacon of an access
/// point, and the age of the later one. So each of the two can be older than the age says:
///
/// * Beacons keep the entry of the router that we are connected to fresh, while only a scan of its
///   channel brings another probe response. After a pairing, that probe response says "pressed". If
///   the router vanishes, the kernel lists it in the results of scans for up to 30 s (seen with
///   Linux 6.12).
/// * A short active scan receives a beacon only by chance. On a channel on which the card may not
///   send, it receives nothing else.
///
/// Hence a press counts once a scan of the router's channel has found it. If the two frames
/// disagree and the press may be an old one, a passive scan receives the beacon again, which then
/// decides. Over D-Bus the beacon is not known: a press in the first results counts once the age
/// proves that a frame is of this search.
#[derive(Debug)]
pub(super) struct Presses {
    search_started: Instant,
    /// The routers whose press in the first results may be older than the search. `None` before the
    /// first results.
    doubtful: Option<Vec<Bssid>>,
    /// The routers that were pressed during the search, by their latest results.
    confirmed: Vec<Bssid>,
}

impl Presses {
    /// Begins together with a search.
    pub(super) fn new() -> Self {
        Self { search_started: Instant::now(), doubtful: None, confirmed: Vec::new() }
    }

    /// Returns whether only a passive scan can show if the button of this router is pressed.
    pub(super) fn must_check(&self, bss: &WpsBss) -> bool {
        match bss.beacon {
            BeaconPress::Same | BeaconPress::Unknown => false,
            BeaconPress::OnlyBeacon => true,
            BeaconPress::OnlyProbeResponse => {
                let bssid = &bss.router.bssid;
                self.doubtful.as_ref().is_none_or(|doubtful| doubtful.contains(bssid))
                    && !self.confirmed.contains(bssid)
            }
        }
    }

    /// Records the results of a scan step of these channels. They were read after the time
    /// `elapsed`, and `step_seconds` is the age that the oldest frame of the step can have.
    pub(super) fn record(
        &mut self,
        results: &[WpsBss],
        step: &[u16],
        step_seconds: u64,
        elapsed: Duration,
    ) {
        let doubtful = self.doubtful.get_or_insert_with(|| {
            let may_be_old = |bss: &&WpsBss| bss.pressed && bss.beacon != BeaconPress::Same;
            results.iter().filter(may_be_old).map(|bss| bss.router.bssid).collect()
        });
        for bss in results {
            let bssid = bss.router.bssid;
            if !bss.pressed {
                doubtful.retain(|it| *it != bssid);
                self.confirmed.retain(|it| *it != bssid);
                continue;
            }
            let is_of_step =
                step.contains(&bss.router.frequency_mhz) && bss.age_seconds <= step_seconds;
            // An age is the difference of two clock readings in whole seconds, so the real age may
            // be nearly one second more.
            let is_of_search = Duration::from_secs(bss.age_seconds + 1) <= elapsed;
            let is_doubtful = doubtful.contains(&bssid) && bss.beacon != BeaconPress::Same;
            let is_known = self.confirmed.contains(&bssid);
            if !is_known && is_of_step && (is_of_search || !is_doubtful) {
                self.confirmed.push(bssid);
            }
        }
    }

    /// Returns the time since the search began.
    pub(super) fn elapsed(&self) -> Duration {
        self.search_started.elapsed()
    }

    /// Returns whether the router's button was pressed during this search.
    pub(super) fn is_confirmed(&self, bss: &WpsBss) -> bool {
        bss.pressed && self.confirmed.contains(&bss.router.bssid)
    }
}
