//! Wi-Fi Simple Configuration data: information elements, credentials, the scan plan and session
//! overlap.
//!
//! These parsers and decisions do no I/O and are shared by all drivers. They follow hostap
//! (`src/wps/`), because the Wi-Fi Alliance's specification is not public. They tolerate what
//! deployed routers send.

use core::fmt;

mod attribute;
mod credential;
mod element;
mod overlap;
mod scan_plan;

pub use credential::{CredentialError, MAX_CREDENTIALS, credentials};
pub use element::{Advertisement, Uuid};
pub use overlap::{Decision, OverlapDetector, Router};
pub use scan_plan::ScanPlan;

/// The MAC address of one access point on one band.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bssid(pub [u8; 6]);

impl fmt::Display for Bssid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Bssid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Bssid {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=[u8; 6]:02x}", self.0);
    }
}
