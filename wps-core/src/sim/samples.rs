//! One value of each variant of the enums with data, for tests of what other crates make of them:
//! texts, names, lamps. There these enums are `#[non_exhaustive]`. A list that lacks a variant does
//! not compile.
//!
//! Enums without data have a constant `ALL` instead, and so has [`Cause`].

use crate::command::RequestError;
use crate::driver::{PairEvent, SearchProgress};
use crate::one_of_each;
use crate::record::RecordError;
use crate::settings::Ssid;
use crate::status::{Cause, Phase};
use crate::wsc::{Bssid, Router};

/// Returns the name of a network.
fn ssid() -> Ssid {
    Ssid::new(b"home").expect("a network name")
}

/// Returns each phase.
pub fn phases() -> [Phase; 7] {
    one_of_each! { Phase:
        Phase::Idle => Phase::Idle,
        Phase::Journaling => Phase::Journaling,
        Phase::Searching => Phase::Searching,
        Phase::Joining { .. } => Phase::Joining { ssid: ssid() },
        Phase::Saving => Phase::Saving,
        Phase::Configuring => Phase::Configuring,
        Phase::Restoring => Phase::Restoring,
    }
}

/// Returns each progress of a search.
pub fn search_progress() -> [SearchProgress; 8] {
    one_of_each! { SearchProgress:
        SearchProgress::Looking => SearchProgress::Looking,
        SearchProgress::CannotScan => SearchProgress::CannotScan,
        SearchProgress::NoRouter => SearchProgress::NoRouter,
        SearchProgress::NoWps => SearchProgress::NoWps,
        SearchProgress::NotPressed => SearchProgress::NotPressed,
        SearchProgress::NotConfigured { .. } => SearchProgress::NotConfigured { ssid: Some(ssid()) },
        SearchProgress::Pressed { .. } => SearchProgress::Pressed { ssid: Some(ssid()) },
        SearchProgress::Exchanging { .. } => SearchProgress::Exchanging { ssid: Some(ssid()) },
    }
}

/// Returns each event of a pairing.
pub fn pair_events() -> [PairEvent; 4] {
    one_of_each! { PairEvent:
        PairEvent::Progress(_) => PairEvent::Progress(SearchProgress::NotPressed),
        PairEvent::Pressed(_) => PairEvent::Pressed(Router {
            bssid: Bssid([2, 0, 0, 0, 1, 0]),
            frequency_mhz: 2437,
            ssid: Some(ssid()),
            uuid: None,
            signal_dbm: -50,
        }),
        PairEvent::OffAir => PairEvent::OffAir,
        PairEvent::OnAir => PairEvent::OnAir,
    }
}

/// Returns each reason why a request is not accepted.
pub fn request_errors() -> [RequestError; 2] {
    one_of_each! { RequestError:
        RequestError::Busy => RequestError::Busy,
        RequestError::Failed(_) => RequestError::Failed(Cause::Store),
    }
}

/// Returns each error of the record.
pub fn record_errors() -> [RecordError; 3] {
    one_of_each! { RecordError:
        RecordError::Space => RecordError::Space,
        RecordError::Corrupt => RecordError::Corrupt,
        RecordError::Version(_) => RecordError::Version(3),
    }
}
