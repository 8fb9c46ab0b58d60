//! Scans of all channels.

use crate::layout::ApRecord;
use crate::state::SCAN_FINISHED;
use crate::{EspError, ffi};

/// Scans all channels, and passes each access point to `on_record`.
pub(crate) async fn scan(mut on_record: impl FnMut(&ApRecord)) -> Result<(), EspError> {
    let _guard = ScanGuard::start()?;
    SCAN_FINISHED.wait().await;
    while let Ok(record) = ffi::next_scan_record() {
        on_record(&record);
    }
    Ok(())
}

/// A scan in progress, with its results in the library's memory. Dropping it ends the scan and
/// frees the results.
struct ScanGuard;

impl ScanGuard {
    fn start() -> Result<Self, EspError> {
        SCAN_FINISHED.reset();
        ffi::scan_start()?;
        Ok(Self)
    }
}

impl Drop for ScanGuard {
    fn drop(&mut self) {
        // These calls fail only if there is nothing to stop or to clear.
        let _ = ffi::scan_stop();
        let _ = ffi::clear_scan_records();
    }
}
