//! The search for the router whose button was pressed, without leaving the current network.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Duration;

use tokio::time::Instant;
use wps_core::driver::{PairContext, SearchProgress};
use wps_core::wsc::{Bssid, Decision, Router, ScanPlan};
use wps_core::{BssInfo, ErrorKind, ScanResults};

use super::bss::{Bss, BssSummary, WpsBss};
use super::client::SupplicantClient;
use super::presses::Presses;
use super::requests::{MAX_BSS_AGE_SECONDS, ScanMode};
use super::scan::ScanOutcome;
use crate::error::LinuxError;

/// The delay before the next scan step if one failed.
const SCAN_RETRY_DELAY: Duration = Duration::from_millis(200);
/// If each scan of a channel has failed for this long, the card counts as unable to scan it in its
/// present state. A single failure can be a radio that is briefly busy.
const FAILURE_TIMEOUT: Duration = Duration::from_secs(5);
/// A button seen pressed at most this many seconds ago is still reported as pressed. By then the
/// plan has scanned its channel again.
const MAX_PRESSED_AGE_SECONDS: u64 = 5;

/// The channels that the card could not scan lately.
#[derive(Default)]
struct Failures {
    /// For each channel whose latest scan failed: when the first of its failures in a row began.
    failing: BTreeMap<u16, Instant>,
    /// The channels that the card refuses, and when the first one was refused.
    refused: BTreeSet<u16>,
    refused_since: Option<Instant>,
    /// When another program's scan has last succeeded. The card could scan then.
    other_scan_end: Option<Instant>,
}

impl Failures {
    fn on_success(&mut self, step: &[u16]) {
        self.failing.retain(|channel, _| !step.contains(channel));
    }

    fn on_failure(&mut self, step: &[u16], began: Instant) {
        for channel in step {
            self.failing.entry(*channel).or_insert(began);
        }
    }

    fn on_refused(&mut self, frequency_mhz: u16, began: Instant) {
        self.refused.insert(frequency_mhz);
        self.refused_since.get_or_insert(began);
    }

    /// Returns the channels that could not be scanned for too long.
    fn unable(&self) -> impl Iterator<Item = u16> {
        let is_unable = |(_, since): &(&u16, &Instant)| since.elapsed() >= FAILURE_TIMEOUT;
        self.failing.iter().filter(is_unable).map(|(channel, _)| *channel)
    }

    /// Returns since when the card refuses most of its `channels`. Some cards list channels that
    /// they always refuse, so a few do not count.
    fn most_refused_since(&self, channels: usize) -> Option<Instant> {
        self.refused_since.filter(|_| self.refused.len() * 2 > channels)
    }

    /// Returns whether the card cannot scan some of its `channels`.
    fn is_unable(&self, channels: usize) -> bool {
        let refused_since = self.most_refused_since(channels);
        self.unable().next().is_some()
            || refused_since.is_some_and(|it| it.elapsed() >= FAILURE_TIMEOUT)
    }

    /// Returns whether the card must leave its network to scan its `channels`.
    fn is_network_in_the_way(&self, channels: usize) -> bool {
        let refused_since = self.most_refused_since(channels);
        let mut since = self.failing.values().chain(&refused_since);
        since.any(|it| (*it).max(self.other_scan_end.unwrap_or(*it)).elapsed() >= FAILURE_TIMEOUT)
    }
}

/// A router to pair with.
pub(crate) struct PressedRouter {
    pub(crate) router: Router,
    /// What the scan has shown of its access point.
    pub(crate) info: BssInfo,
}

/// Scans until exactly one router has its button pressed, and returns that router. If the user has
/// chosen an access point, scans until its button is pressed. Scans the channels in `freq_list`, or
/// all channels of the card if the list is empty.
///
/// Stays connected, or keeps serving an access point, unless the card cannot scan at the same time.
/// This then calls `leave_network`, which leaves the network or stops the access point, and must
/// not let the card join another network.
pub(crate) async fn find_pressed_router(
    session: &SupplicantClient,
    freq_list: &[u16],
    context: &mut PairContext<'_>,
    leave_network: impl AsyncFn() -> Result<(), LinuxError>,
) -> Result<PressedRouter, LinuxError> {
    let is_allowed = |frequency: &u16| freq_list.is_empty() || freq_list.contains(frequency);
    let frequencies = session.requests().frequencies().await?;
    let new_plan = || ScanPlan::new(frequencies.iter().copied().filter(is_allowed));
    let mut plan = new_plan();
    let channels = plan.frequencies().count();
    // Without a network to return to, scan all channels at once first, which is faster.
    let mut all_at_once = !is_on_air(session).await?;
    let mut failures = Failures::default();
    // Whether it was reported that the card cannot scan.
    let mut was_unable = false;
    let mut presses = Presses::new();
    let mut must_leave = false;
    // The channel on which an access point has to send its UUID.
    let mut look_again = None;
    loop {
        if must_leave || failures.is_network_in_the_way(channels) && is_on_air(session).await? {
            context.before_disconnect().await;
            leave_network().await?;
            (plan, failures) = (new_plan(), Failures::default());
            (must_leave, all_at_once) = (false, true);
        }
        let step: Vec<u16> = if mem::take(&mut all_at_once) {
            plan.frequencies().collect()
        } else if let Some(channel) = look_again {
            vec![channel]
        } else {
            plan.next_step().to_vec()
        };
        let began = Instant::now();
        let outcome = match step.as_slice() {
            // The card has refused each channel.
            [] if new_plan().frequencies().next().is_some() => ScanOutcome::Failed,
            [] => {
                return Err(LinuxError::Unsupported(
                    "this card has no channel that WPS can use, or freq_list names none of them",
                ));
            }
            step => session.scan(step, ScanMode::Active).await?,
        };
        let started = match outcome {
            ScanOutcome::Done(started) => {
                plan.mark_scanned(&step);
                failures.on_success(&step);
                look_again = None;
                started
            }
            // The card does not support a channel that it refuses alone. After a refusal of several
            // channels, the plan continues with one at a time.
            ScanOutcome::ChannelsRefused => {
                if let [frequency_mhz] = step.as_slice() {
                    plan.remove(*frequency_mhz);
                    failures.on_refused(*frequency_mhz, began);
                }
                look_again = None;
                continue;
            }
            ScanOutcome::Failed | ScanOutcome::Hung | ScanOutcome::Busy => {
                if !session.is_radio_on().await? {
                    return Err(LinuxError::Wifi(ErrorKind::Blocked));
                }
                failures.on_failure(&step, began);
                let other_scan_has_ended = match outcome {
                    ScanOutcome::Busy => true,
                    // The end of the aborted scan does not count.
                    ScanOutcome::Hung => {
                        tokio::time::sleep(SCAN_RETRY_DELAY).await;
                        false
                    }
                    _ => session.other_scan_ends(SCAN_RETRY_DELAY).await?,
                };
                if other_scan_has_ended {
                    failures.other_scan_end = Some(Instant::now());
                }
                if step.is_empty() {
                    plan = new_plan();
                }
                look_again = look_again.filter(|it| failures.unable().all(|unable| unable != *it));
                // Not every card can scan while it serves an access point.
                must_leave = outcome == ScanOutcome::Failed
                    && session.access_point_network_id().await?.is_some();
                if !must_leave && failures.is_unable(channels) {
                    context.report_progress(SearchProgress::CannotScan);
                    was_unable = true;
                }
                continue;
            }
        };
        let only = context.only();
        let is_candidate = |bssid: Bssid| only.is_none_or(|only| only == bssid);
        let candidate_in_range = Cell::new(false);
        let has_wps = |summary: &BssSummary| {
            if is_candidate(summary.bssid) {
                candidate_in_range.set(true);
            }
            summary.has_wps()
        };
        let step_seconds = || started.elapsed().as_secs() + 1;
        let mut elapsed = presses.elapsed();
        let mut found = wps_list(session, has_wps).await?;
        let must_check =
            |bss: &&WpsBss| bss.age_seconds <= step_seconds() && presses.must_check(bss);
        let disputed: Vec<_> = found.iter().filter(must_check).cloned().collect();
        if !disputed.is_empty() {
            let channels: Vec<_> = disputed.iter().map(|bss| bss.router.frequency_mhz).collect();
            let outcome = session.scan(&channels, ScanMode::Passive).await?;
            elapsed = presses.elapsed();
            found = wps_list(session, has_wps).await?;
            presses.settle(&mut found, &disputed, !matches!(outcome, ScanOutcome::Done(_)));
        }
        let mut results = ScanResults::default();
        found.iter().for_each(|it| results.add(it.info.clone()));
        context.report_scan_results(&results);
        for router in found.iter().map(|bss| &bss.router) {
            if let Some(uuid) = router.uuid {
                context.overlap_detector.learn_uuid(router.bssid, uuid);
            }
        }
        let step_seconds = step_seconds();
        presses.record(&found, &step, step_seconds, elapsed);
        let mut pressed = Vec::new();
        for bss in &found {
            if bss.age_seconds <= step_seconds {
                plan.mark_wps(bss.router.frequency_mhz);
                pressed.extend(presses.is_confirmed(bss).then(|| bss.router.clone()));
            }
        }
        // A second router may be in pairing mode as long as a press is neither confirmed nor old.
        let is_open = |bss: &WpsBss| {
            bss.age_seconds <= MAX_PRESSED_AGE_SECONDS
                && bss.pressed
                && !presses.is_confirmed(bss)
                && plan.frequencies().any(|it| it == bss.router.frequency_mhz)
        };
        let must_wait = only.is_none() && found.iter().any(is_open);
        // A channel that cannot be scanned must not keep the device from pairing on another one.
        let mut scannable = plan.clone();
        failures.unable().for_each(|channel| scannable.remove(channel));
        let is_unable = failures.is_unable(channels);
        match context.decide(&pressed, &scannable) {
            Decision::Pair(router) if !must_wait => {
                let seen = found.into_iter().find(|bss| bss.router.bssid == router.bssid);
                let info = seen.map_or_else(|| BssInfo::new(router.bssid), |bss| bss.info);
                return Ok(PressedRouter { router, info });
            }
            Decision::Overlap => return Err(LinuxError::Wifi(ErrorKind::Overlap)),
            decision @ (Decision::KeepScanning | Decision::LookAgain(_) | Decision::Pair(_)) => {
                if let Decision::LookAgain(channel) = decision {
                    look_again = Some(channel);
                }
                let ssid = pressed.first().and_then(|router| router.ssid.clone());
                context.report_progress(SearchProgress::Pressed { ssid });
            }
            Decision::NoRouter => {
                let mut candidates = found.iter().filter(|bss| is_candidate(bss.router.bssid));
                let is_pressed =
                    |bss: &&WpsBss| bss.pressed && bss.age_seconds <= MAX_PRESSED_AGE_SECONDS;
                let mut pressed = candidates.clone().filter(is_pressed).peekable();
                if let Some(bss) = pressed.clone().find(|bss| presses.is_confirmed(bss)) {
                    let ssid = bss.router.ssid.clone();
                    context.report_progress(SearchProgress::Pressed { ssid });
                } else if pressed.peek().is_some() {
                    // Perhaps from before the search: nothing is known yet.
                } else if is_unable {
                    context.report_progress(SearchProgress::CannotScan);
                    was_unable = true;
                } else if let Some(bss) = candidates
                    .clone()
                    .filter(|bss| !bss.is_configured)
                    .max_by_key(|bss| bss.router.signal_dbm)
                {
                    let ssid = bss.router.ssid.clone();
                    context.report_progress(SearchProgress::NotConfigured { ssid });
                } else if candidates.next().is_some() {
                    context.report_progress(SearchProgress::NotPressed);
                } else if plan.is_complete() && candidate_in_range.get() {
                    context.report_progress(SearchProgress::NoWps);
                } else if plan.is_complete() {
                    context.report_progress(SearchProgress::NoRouter);
                } else if mem::take(&mut was_unable) {
                    context.report_progress(SearchProgress::Looking);
                }
            }
        }
    }
}

/// Returns whether the interface has joined a network, or serves one.
async fn is_on_air(session: &SupplicantClient) -> Result<bool, LinuxError> {
    Ok(session.connected_network_id().await?.is_some()
        || session.access_point_network_id().await?.is_some())
}

/// Returns the access points with WPS that were seen lately, of those that `is_wanted` chooses.
async fn wps_list(
    session: &SupplicantClient,
    is_wanted: impl Fn(&BssSummary) -> bool,
) -> Result<Vec<WpsBss>, LinuxError> {
    let found = session.requests().bss_list(MAX_BSS_AGE_SECONDS, is_wanted).await?;
    Ok(found.into_iter().filter_map(Bss::into_wps).collect())
}
