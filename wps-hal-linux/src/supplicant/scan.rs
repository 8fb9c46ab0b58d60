//! Scans that stay connected: of a few channels, or of all access points in range.

use std::time::{Duration, Instant};

use wps_core::{ErrorKind, ScanResults};

use super::client::{EVENT_TIMEOUT, SupplicantClient};
use super::event::Event;
use super::requests::{MAX_BSS_AGE_SECONDS, ScanMode, ScanReply};
use crate::error::LinuxError;

/// How many times a scan is requested again while another scan runs. With a wait after each, this
/// is longer than a scan of all bands.
const MAX_BUSY_REPLIES: u32 = 100;
/// The same if no other scan ends. With the waits, this is longer than a scan of all bands takes on
/// a real card.
const MAX_HUNG_REPLIES: u32 = 25;
/// The longest wait for the end of another scan before the next request.
const BUSY_RETRY_INTERVAL: Duration = Duration::from_millis(200);
/// The longest time that a scan may spend on one channel.
const CHANNEL_SCAN_TIMEOUT: Duration = Duration::from_millis(200);
/// The longest wait for a scan of all bands. After that, the results are those in the BSS table.
const SCAN_TIMEOUT: Duration = Duration::from_secs(12);
/// How long an aborted scan may take to end.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);
/// The card cannot scan in its present state, for example as an access point.
const CANNOT_SCAN: LinuxError =
    LinuxError::Unsupported("this card cannot look around while it is in use");

/// The outcome of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScanOutcome {
    /// The scan succeeded. It started at this instant.
    Done(Instant),
    /// The card refuses these channels.
    ChannelsRefused,
    /// The scan failed for another reason: for a time, or because the card cannot scan in its
    /// present state. Cards report the latter with different error numbers.
    Failed,
    /// Neither our scan nor another one has ended, so it was aborted.
    Hung,
    /// Other programs were scanning all the time.
    Busy,
}

/// The kernel's error number for channels that a card refuses.
const EINVAL: i32 = 22;
/// The kernel's error number for an operation that a card does not support.
const EOPNOTSUPP: i32 = 95;

impl SupplicantClient {
    /// Scans these channels without leaving the current network.
    pub(crate) async fn scan(
        &self,
        frequencies_mhz: &[u16],
        mode: ScanMode<'_>,
    ) -> Result<ScanOutcome, LinuxError> {
        let (mut busy_replies, mut other_has_ended) = (0, false);
        loop {
            self.discard_events();
            match self.requests().start_scan(frequencies_mhz, mode).await? {
                ScanReply::Started => break,
                // Another program that decides about networks may be about to join one.
                ScanReply::Busy
                    if busy_replies == MAX_HUNG_REPLIES
                        && !other_has_ended
                        && !self.is_shared() =>
                {
                    return self.abort_hung_scan().await;
                }
                ScanReply::Busy if busy_replies < MAX_BUSY_REPLIES => {
                    other_has_ended |= self.wait_for_other_scan().await?;
                }
                ScanReply::Busy => return Ok(ScanOutcome::Busy),
                ScanReply::Refused => return Ok(ScanOutcome::Failed),
            }
            busy_replies += 1;
        }
        let started = Instant::now();
        let timeout =
            frequencies_mhz.iter().fold(EVENT_TIMEOUT, |time, _| time + CHANNEL_SCAN_TIMEOUT);
        // Other events must not make it longer.
        let end = tokio::time::Instant::now() + timeout;
        loop {
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            match self.event_within(left).await? {
                Some(Event::ScanResults) => return Ok(ScanOutcome::Done(started)),
                Some(Event::ScanFailed(error)) if error == -EINVAL => {
                    return Ok(ScanOutcome::ChannelsRefused);
                }
                Some(Event::ScanFailed(_)) => return Ok(ScanOutcome::Failed),
                // There is no event either if the radio was switched off during the scan.
                None => return self.abort_hung_scan().await,
                Some(_) => {}
            }
        }
    }

    async fn abort_hung_scan(&self) -> Result<ScanOutcome, LinuxError> {
        self.requests().abort_scan().await?;
        Ok(ScanOutcome::Hung)
    }

    /// Returns whether a scan that is not ours succeeds within `timeout`.
    pub(super) async fn other_scan_ends(&self, timeout: Duration) -> Result<bool, LinuxError> {
        let scan_end = async {
            loop {
                match self.next_event().await? {
                    Event::ScanResults => return Ok(true),
                    Event::ScanFailed(_) => return Ok(false),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(timeout, scan_end).await.unwrap_or(Ok(false))
    }

    /// Waits until a scan that is not ours ends. Returns whether one has succeeded.
    ///
    /// Without a link, wpa_supplicant scans all bands again and again for a network to join. This
    /// method stops that until `apply` or `join`. If [another program](Self::open_shared) decides
    /// about networks, it scans all bands, too, to list networks. Such a scan is aborted, unless
    /// that program is joining a network.
    async fn wait_for_other_scan(&self) -> Result<bool, LinuxError> {
        let status = self.status().await?;
        let state = status.state.as_deref();
        // Not if there is a link, or one is just being established.
        let is_idle = matches!(state, Some("SCANNING" | "DISCONNECTED" | "INACTIVE"));
        if !self.is_shared() {
            if is_idle {
                self.requests().disconnect().await?;
            }
        } else if state == Some("COMPLETED")
            || is_idle && self.requests().networks().await?.is_empty()
        {
            // It may have ended.
            self.requests().abort_scan().await?;
        }
        // Do not wait for long: the event may have come before this wait started.
        self.other_scan_ends(BUSY_RETRY_INTERVAL).await
    }
}

/// Scans all channels without leaving the current network or joining another one.
pub(crate) async fn scan_all_channels(
    session: &SupplicantClient,
    interface: &str,
) -> Result<ScanResults, LinuxError> {
    if !session.is_radio_on().await? {
        return Err(LinuxError::Blocked(interface.into()));
    }
    let scan = async {
        loop {
            session.discard_events();
            let is_ours = match session.requests().start_scan(&[], ScanMode::Active).await? {
                ScanReply::Started => true,
                // A scan of another program finds the same access points.
                ScanReply::Busy => false,
                ScanReply::Refused => return Err(LinuxError::InvalidReply("SCAN")),
            };
            match scan_end(session).await? {
                // It may have failed for a reason that does not concern ours.
                Event::ScanFailed(_) if !is_ours => {}
                Event::ScanFailed(error) if error == -EOPNOTSUPP => return Err(CANNOT_SCAN),
                Event::ScanFailed(_) => return Err(LinuxError::Wifi(ErrorKind::Other)),
                _ => return Ok(()),
            }
        }
    };
    let failed = match tokio::time::timeout(SCAN_TIMEOUT, scan).await {
        Ok(Ok(())) => None,
        Ok(Err(error @ LinuxError::Unsupported(_))) => Some(error),
        Ok(Err(error)) => return Err(error),
        // wpa_supplicant then has what was found so far.
        Err(_) => {
            session.discard_events();
            session.requests().abort_scan().await?;
            if let Ok(Err(error)) = tokio::time::timeout(ABORT_TIMEOUT, scan_end(session)).await {
                return Err(error);
            }
            Some(LinuxError::Wifi(ErrorKind::NoResponse))
        }
    };
    let mut results = ScanResults::default();
    for bss in session.requests().bss_list(MAX_BSS_AGE_SECONDS, |_| true).await? {
        results.add(bss.info);
    }
    match failed {
        // An empty list would say that nothing is in range.
        Some(error) if results.iter().next().is_none() => Err(error),
        Some(_) | None => Ok(results),
    }
}

/// Waits until a scan ends. Returns its last event.
async fn scan_end(session: &SupplicantClient) -> Result<Event, LinuxError> {
    loop {
        let event = session.next_event().await?;
        if matches!(event, Event::ScanResults | Event::ScanFailed(_)) {
            return Ok(event);
        }
    }
}
