//! A scan for all access points in range, with or without WPS.

use std::time::Duration;

use wps_core::{ErrorKind, ScanResults};

use crate::error::LinuxError;
use crate::event::Event;
use crate::session::{EOPNOTSUPP, Session};

/// The longest wait for a scan of all bands. After that, the results are those in the BSS table.
const SCAN_TIMEOUT: Duration = Duration::from_secs(12);
/// Access points seen at most this many seconds ago count as in range.
const MAX_BSS_AGE_SECONDS: u64 = 30;

/// Scans all channels without leaving the current network or joining another one.
pub(crate) async fn scan_all_channels(
    session: &Session,
    interface: &str,
) -> Result<ScanResults, LinuxError> {
    if !session.is_radio_on().await? {
        return Err(LinuxError::Blocked(interface.into()));
    }
    let scan = async {
        loop {
            session.discard_events();
            let is_ours = match session.request("SCAN TYPE=ONLY").await?.trim() {
                "OK" => true,
                // A scan of another program finds the same access points.
                "FAIL-BUSY" => false,
                _ => return Err(LinuxError::InvalidReply("SCAN")),
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
    for bss in session.bss_list(MAX_BSS_AGE_SECONDS, |_| true).await? {
        results.add(bss.info);
    }
    Ok(results)
}

/// Waits until a scan ends. Returns its last event.
async fn scan_end(session: &Session) -> Result<Event, LinuxError> {
    loop {
        let event = session.next_event().await?;
        if matches!(event, Event::ScanResults | Event::ScanFailed(_)) {
            return Ok(event);
        }
    }
}
