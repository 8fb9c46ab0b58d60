//! A look around: every access point in wpa_supplicant's table, whether it speaks WPS or not.

use std::time::Duration;

use wps_core::ScanResults;

use crate::error::LinuxError;
use crate::event::Event;
use crate::neighbour::neighbour;
use crate::reply::Values;
use crate::session::Session;

/// How long a scan of all bands may take. After that, what is in the table has to do.
const PATIENCE: Duration = Duration::from_secs(12);
/// Access points heard this many seconds ago still count as in range.
const RECENT: u64 = 30;

/// Looks at all channels, without leaving the present network or joining another.
pub(crate) async fn scan(session: &Session, interface: &str) -> Result<ScanResults, LinuxError> {
    if !session.is_on().await? {
        return Err(LinuxError::Blocked(interface.into()));
    }
    session.forget_events();
    let reply = session.ask("SCAN TYPE=ONLY").await?;
    match reply.trim() {
        // A scan of somebody else hears the same.
        "OK" | "FAIL-BUSY" => {}
        _ => return Err(LinuxError::Nonsense("SCAN")),
    }
    let over = async {
        loop {
            match session.event().await? {
                Event::ScanResults | Event::ScanFailed(_) => return Ok::<_, LinuxError>(()),
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, over).await.unwrap_or(Ok(()))?;
    let mut neighbours = ScanResults::default();
    let all = |_: &str| true;
    let add = |head: &Values<'_>, probe_response: &str, beacon: &str| {
        if let Some(neighbour) = neighbour(head, probe_response, beacon) {
            neighbours.add(neighbour);
        }
    };
    session.table(RECENT, all, add).await?;
    Ok(neighbours)
}
