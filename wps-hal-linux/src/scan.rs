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
    session.discard_events();
    let reply = session.request("SCAN TYPE=ONLY").await?;
    match reply.trim() {
        // A scan of another program finds the same access points.
        "OK" | "FAIL-BUSY" => {}
        _ => return Err(LinuxError::InvalidReply("SCAN")),
    }
    let scan_end = async {
        loop {
            match session.next_event().await? {
                Event::ScanResults => return Ok(()),
                // A card that cannot scan now has no results.
                Event::ScanFailed(error) if error == -EOPNOTSUPP => return Ok(()),
                Event::ScanFailed(_) => return Err(LinuxError::Wifi(ErrorKind::Other)),
                _ => {}
            }
        }
    };
    tokio::time::timeout(SCAN_TIMEOUT, scan_end).await.unwrap_or(Ok(()))?;
    let mut results = ScanResults::default();
    for bss in session.bss_list(MAX_BSS_AGE_SECONDS, |_| true).await? {
        results.add(bss.info);
    }
    Ok(results)
}
