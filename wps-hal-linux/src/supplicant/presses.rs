//! Which pressed buttons in the BSS table were pressed during this search.

use std::time::Duration;

use tokio::time::Instant;
use wps_core::wsc::Bssid;

use super::bss::{BeaconPress, WpsBss};

/// If this many passive scans have received no beacon of an access point, its press counts. A try
/// to pair then shows whether it is pressed.
const MAX_CHECKS: usize = 3;

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
/// disagree, a passive scan receives the beacon again, which then decides; unless the probe
/// response has shown in this search that the button was not pressed: then its press is new. Over
/// D-Bus the beacon is not known: there a press in the first results counts once the age proves
/// that a frame is of this search.
#[derive(Debug)]
pub(super) struct Presses {
    search_started: Instant,
    /// The access points whose frames have shown that the button was not pressed.
    idle: Vec<Bssid>,
    /// The access points that were pressed during the search, by their latest results.
    confirmed: Vec<Bssid>,
    /// For each passive scan that has received no beacon: the access point.
    unanswered: Vec<Bssid>,
}

impl Presses {
    /// Begins together with a search.
    pub(super) fn new() -> Self {
        Self {
            search_started: Instant::now(),
            idle: Vec::new(),
            confirmed: Vec::new(),
            unanswered: Vec::new(),
        }
    }

    /// Returns whether only a passive scan can show if the button is pressed.
    pub(super) fn must_check(&self, bss: &WpsBss) -> bool {
        let bssid = &bss.router.bssid;
        let is_disputed = match bss.beacon {
            BeaconPress::Same | BeaconPress::Unknown => false,
            BeaconPress::OnlyBeacon => true,
            BeaconPress::OnlyProbeResponse => {
                !self.idle.contains(bssid) && !self.confirmed.contains(bssid)
            }
        };
        is_disputed && !self.has_no_answer(*bssid)
    }

    /// Handles the results of a passive scan of access points that had to be checked: `checked` is
    /// how they were before. If the scan has failed, it has received no beacon.
    pub(super) fn settle(&mut self, results: &mut [WpsBss], checked: &[WpsBss], has_failed: bool) {
        for before in checked {
            let bssid = before.router.bssid;
            let Some(bss) = results.iter_mut().find(|it| it.router.bssid == bssid) else {
                continue;
            };
            // Without a timestamp it is not known whether there was a beacon.
            let is_received = !has_failed && (bss.tsf.is_none() || bss.tsf != before.tsf);
            match bss.beacon {
                BeaconPress::OnlyBeacon | BeaconPress::OnlyProbeResponse if is_received => {
                    bss.set_settled(bss.beacon == BeaconPress::OnlyBeacon);
                }
                BeaconPress::OnlyBeacon | BeaconPress::OnlyProbeResponse => {
                    self.unanswered.push(bssid);
                }
                BeaconPress::Same | BeaconPress::Unknown => {}
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
        for bss in results {
            let bssid = bss.router.bssid;
            if !bss.pressed {
                self.confirmed.retain(|it| *it != bssid);
                if !bss.is_settled {
                    self.idle.push(bssid);
                }
                continue;
            }
            let is_of_step =
                step.contains(&bss.router.frequency_mhz) && bss.age_seconds <= step_seconds;
            let is_new = self.idle.contains(&bssid)
                || match bss.beacon {
                    BeaconPress::Same => true,
                    // An age is the difference of two clock readings in whole seconds, so the real
                    // age may be nearly one second more.
                    BeaconPress::Unknown => Duration::from_secs(bss.age_seconds + 1) <= elapsed,
                    BeaconPress::OnlyBeacon | BeaconPress::OnlyProbeResponse => {
                        bss.is_settled || self.has_no_answer(bssid)
                    }
                };
            if is_of_step && is_new && !self.confirmed.contains(&bssid) {
                self.confirmed.push(bssid);
            }
        }
        self.idle.sort_unstable();
        self.idle.dedup();
    }

    /// Returns whether passive scans cannot show if the button of this access point is pressed.
    fn has_no_answer(&self, bssid: Bssid) -> bool {
        self.unanswered.iter().filter(|it| **it == bssid).count() >= MAX_CHECKS
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
