//! Scans that stay connected: of a few channels, or of all access points in range.

use std::time::{Duration, Instant};

use wps_core::{ErrorKind, ScanResults};

use super::client::{EVENT_TIMEOUT, SupplicantClient};
use super::event::Event;
use super::requests::ScanReply;
use crate::error::LinuxError;

/// How many times a scan is requested again while another scan runs. With a wait after each, this
/// is longer than a scan of all bands.
const MAX_BUSY_REPLIES: u32 = 100;
/// The longest wait for the end of another scan before the next request.
const BUSY_RETRY_INTERVAL: Duration = Duration::from_millis(200);
/// The longest time that a scan may spend on one channel.
const CHANNEL_SCAN_TIMEOUT: Duration = Duration::from_millis(200);
/// The longest wait for a scan of all bands. After that, the results are those in the BSS table.
const SCAN_TIMEOUT: Duration = Duration::from_secs(12);
/// Access points seen at most this many seconds ago count as in range.
const MAX_BSS_AGE_SECONDS: u64 = 30;

/// The outcome of a scan.
pub(crate) enum ScanOutcome {
    /// The scan succeeded. It started at this instant.
    Done(Instant),
    /// The card refuses these channels.
    ChannelsRefused,
    /// The card cannot scan in its present state.
    NotSupported,
    /// The scan failed for another reason, which may be temporary.
    Failed,
    /// Another program is scanning all the time.
    Busy,
}

/// The kernel's error number for channels that a card refuses.
const EINVAL: i32 = 22;
/// The kernel's error number for an operation that a card does not support.
const EOPNOTSUPP: i32 = 95;

impl SupplicantClient {
    /// Scans these channels without leaving the current network.
    pub(crate) async fn scan(&self, frequencies_mhz: &[u16]) -> Result<ScanOutcome, LinuxError> {
        let mut busy_replies = 0;
        loop {
            self.discard_events();
            match self.requests().start_scan(frequencies_mhz).await? {
                ScanReply::Started => break,
                ScanReply::Busy if busy_replies == MAX_BUSY_REPLIES => {
                    return Ok(ScanOutcome::Busy);
                }
                ScanReply::Busy => self.wait_for_other_scan().await?,
                ScanReply::Refused => return Ok(ScanOutcome::Failed),
            }
            busy_replies += 1;
        }
        let started = Instant::now();
        let timeout =
            frequencies_mhz.iter().fold(EVENT_TIMEOUT, |time, _| time + CHANNEL_SCAN_TIMEOUT);
        loop {
            match self.event_within(timeout).await? {
                Some(Event::ScanResults) => return Ok(ScanOutcome::Done(started)),
                Some(Event::ScanFailed(error)) if error == -EINVAL => {
                    return Ok(ScanOutcome::ChannelsRefused);
                }
                Some(Event::ScanFailed(error)) if error == -EOPNOTSUPP => {
                    return Ok(ScanOutcome::NotSupported);
                }
                // There is no event if the radio was switched off during the scan.
                Some(Event::ScanFailed(_)) | None => return Ok(ScanOutcome::Failed),
                Some(_) => {}
            }
        }
    }

    /// Waits until a scan that is not ours ends.
    ///
    /// Without a link, wpa_supplicant scans all bands again and again for a network to join. This
    /// method stops that until `apply` or `join`. If [another program](Self::open_shared) decides
    /// about networks, it scans all bands, too, to list networks. Such a scan is aborted, unless
    /// that program is joining a network.
    async fn wait_for_other_scan(&self) -> Result<(), LinuxError> {
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
        let scan_end = async {
            loop {
                match self.next_event().await? {
                    Event::ScanResults | Event::ScanFailed(_) => return Ok(()),
                    _ => {}
                }
            }
        };
        // Do not wait for long: the event may have come before this wait started.
        tokio::time::timeout(BUSY_RETRY_INTERVAL, scan_end).await.unwrap_or(Ok(()))
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
            let is_ours = match session.requests().start_scan(&[]).await? {
                ScanReply::Started => true,
                // A scan of another program finds the same access points.
                ScanReply::Busy => false,
                ScanReply::Refused => return Err(LinuxError::InvalidReply("SCAN")),
            };
            match scan_end(session).await? {
                // It may have failed for a reason that does not concern ours.
                Event::ScanFailed(_) if !is_ours => {}
                // The card cannot scan in its present state, for example as an access point. That
                // is no error: the results are what the BSS table still has.
                Event::ScanFailed(error) if error == -EOPNOTSUPP => return Ok(()),
                Event::ScanFailed(_) => return Err(LinuxError::Wifi(ErrorKind::Other)),
                _ => return Ok(()),
            }
        }
    };
    tokio::time::timeout(SCAN_TIMEOUT, scan).await.unwrap_or(Ok(()))?;
    let mut results = ScanResults::default();
    for bss in session.requests().bss_list(MAX_BSS_AGE_SECONDS, |_| true).await? {
        results.add(bss.info);
    }
    Ok(results)
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
