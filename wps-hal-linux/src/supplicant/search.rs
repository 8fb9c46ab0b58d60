//! The search for the router whose button was pressed, without leaving the current network.

use std::cell::Cell;
use std::mem;
use std::time::Duration;

use wps_core::driver::{PairContext, SearchProgress};
use wps_core::wsc::{Bssid, Decision, Router, ScanPlan};
use wps_core::{ErrorKind, ScanResults};

use super::bss::{Bss, BssSummary, WpsBss};
use super::client::SupplicantClient;
use super::scan::ScanOutcome;
use crate::error::LinuxError;

/// The delay before the next scan step if one failed.
const SCAN_RETRY_DELAY: Duration = Duration::from_millis(200);
/// After this many failures in a row before the first success, the radio counts as unable to scan.
/// A single one can be a radio that is briefly busy.
const MIN_SCAN_FAILURES: u32 = 3;
/// Routers seen at most this many seconds ago still count as in range, but not as pressed.
const MAX_BSS_AGE_SECONDS: u64 = 30;
/// A button seen pressed at most this many seconds ago is still reported as pressed. By then the
/// plan has scanned its channel again.
const MAX_PRESSED_AGE_SECONDS: u64 = 5;

/// Scans until exactly one router has its button pressed, and returns that router. If the user has
/// chosen an access point, scans until its button is pressed. Scans the channels in `freq_list`, or
/// all channels of the card if the list is empty.
///
/// Stays connected. An access point that the device serves keeps running, too, unless the card
/// cannot scan at the same time. This then calls `stop_access_point`, which must not let the card
/// join another network.
pub(crate) async fn find_pressed_router(
    session: &SupplicantClient,
    freq_list: &[u16],
    context: &mut PairContext<'_>,
    stop_access_point: impl AsyncFn() -> Result<(), LinuxError>,
) -> Result<Router, LinuxError> {
    let is_allowed = |frequency: &u16| freq_list.is_empty() || freq_list.contains(frequency);
    let mut plan =
        ScanPlan::new(session.requests().frequencies().await?.into_iter().filter(is_allowed));
    // Without a network to return to, scan all channels at once first, which is faster.
    let mut all_at_once = session.connected_network_id().await?.is_none()
        && session.access_point_network_id().await?.is_none();
    // The scans that failed before the first success, and `None` after it.
    let mut failures = Some(0);
    loop {
        let step: Vec<u16> = if mem::take(&mut all_at_once) {
            plan.frequencies().collect()
        } else {
            plan.next_step().to_vec()
        };
        if step.is_empty() {
            return Err(LinuxError::Unsupported(
                "this card has no channel that WPS can use, or freq_list names none of them",
            ));
        }
        let started = match session.scan(&step).await? {
            ScanOutcome::Done(started) => {
                plan.mark_scanned(&step);
                started
            }
            // The card does not support a channel that it refuses alone. After a refusal of several
            // channels, the plan continues with one at a time.
            ScanOutcome::ChannelsRefused => {
                if let [frequency_mhz] = step.as_slice() {
                    plan.remove(*frequency_mhz);
                }
                continue;
            }
            // Not every card can scan while it serves an access point.
            ScanOutcome::Failed | ScanOutcome::NotSupported
                if session.access_point_network_id().await?.is_some() =>
            {
                context.before_disconnect().await;
                stop_access_point().await?;
                continue;
            }
            ScanOutcome::NotSupported => {
                return Err(LinuxError::Unsupported("this card cannot look around"));
            }
            outcome @ (ScanOutcome::Failed | ScanOutcome::Busy) => {
                if !session.is_radio_on().await? {
                    return Err(LinuxError::Wifi(ErrorKind::Blocked));
                }
                if let Some(failures) = &mut failures {
                    // `Busy` is the outcome of many requests.
                    let is_busy = matches!(outcome, ScanOutcome::Busy);
                    *failures += if is_busy { MIN_SCAN_FAILURES } else { 1 };
                    if *failures >= MIN_SCAN_FAILURES {
                        context.report_progress(SearchProgress::CannotScan);
                    }
                }
                tokio::time::sleep(SCAN_RETRY_DELAY).await;
                continue;
            }
        };
        let was_unable = failures.take().is_some_and(|failures| failures >= MIN_SCAN_FAILURES);
        let only = context.only();
        let is_candidate = |bssid: Bssid| only.is_none_or(|only| only == bssid);
        let candidate_in_range = Cell::new(false);
        let has_wps = |summary: &BssSummary| {
            if is_candidate(summary.bssid) {
                candidate_in_range.set(true);
            }
            summary.has_wps()
        };
        let found = session.requests().bss_list(MAX_BSS_AGE_SECONDS, has_wps).await?;
        let found: Vec<_> = found.into_iter().filter_map(Bss::into_wps).collect();
        let mut results = ScanResults::default();
        found.iter().for_each(|it| results.add(it.info.clone()));
        context.report_scan_results(&results);
        let step_seconds = started.elapsed().as_secs() + 1;
        let mut pressed = Vec::new();
        for bss in &found {
            if bss.age_seconds <= step_seconds {
                plan.mark_wps(bss.router.frequency_mhz);
                pressed.extend(bss.pressed.then(|| bss.router.clone()));
            }
        }
        match context.decide(&pressed, &plan) {
            Decision::Pair(router) => return Ok(router),
            Decision::Overlap => return Err(LinuxError::Wifi(ErrorKind::Overlap)),
            Decision::KeepScanning => {
                let ssid = pressed.first().and_then(|router| router.ssid.clone());
                context.report_progress(SearchProgress::Pressed { ssid });
            }
            Decision::NoRouter => {
                let mut candidates = found.iter().filter(|bss| is_candidate(bss.router.bssid));
                let is_pressed =
                    |bss: &&WpsBss| bss.pressed && bss.age_seconds <= MAX_PRESSED_AGE_SECONDS;
                if let Some(bss) = candidates.clone().find(is_pressed) {
                    let ssid = bss.router.ssid.clone();
                    context.report_progress(SearchProgress::Pressed { ssid });
                } else if candidates.next().is_some() {
                    context.report_progress(SearchProgress::NotPressed);
                } else if plan.is_complete() && candidate_in_range.get() {
                    context.report_progress(SearchProgress::NoWps);
                } else if plan.is_complete() {
                    context.report_progress(SearchProgress::NoRouter);
                } else if was_unable {
                    context.report_progress(SearchProgress::Looking);
                }
            }
        }
    }
}
