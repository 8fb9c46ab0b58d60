//! Wi-Fi Simple Configuration data: information elements, credentials, the scan plan and session
//! overlap.
//!
//! These parsers and decisions do no I/O and are shared by all drivers. They follow hostap
//! (`src/wps/`), because the Wi-Fi Alliance's specification is not public. They tolerate what
//! deployed routers send.

mod attribute;
mod bssid;
mod credential;
mod element;
mod overlap;
mod pressed;
mod scan_plan;

pub use bssid::{Bssid, ParseBssidError};
pub use credential::{CredentialError, MAX_CREDENTIALS, credentials};
pub use element::{Advertisement, Uuid};
pub use overlap::{Decision, OverlapDetector, Router};
pub use pressed::PressedRouters;
pub use scan_plan::ScanPlan;
