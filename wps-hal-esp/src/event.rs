//! What the library tells, read from the bytes that it posts.
//!
//! The ends of a pairing are taken from esp-radio, which would read a success through pointers that
//! are none. Of those that it needs, too, the driver notes what happened to the link.

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use heapless::Vec;
use wps_core::driver::Offer;
use wps_core::wsc::{CredentialError, MAX_CREDENTIALS};

use crate::credentials;
use crate::layout::{
    REASON_AT, SCAN_DONE, STATION_CONNECTED, STATION_DISCONNECTED, STATION_STOP, SUCCESS_LEN,
    WPS_FAILED, WPS_OVERLAP, WPS_PIN, WPS_SUCCESS, WPS_TIMED_OUT,
};
use crate::station::{Link, STATION};

/// Reason codes of IEEE 802.11.
const UNSPECIFIED: u8 = 1;
const LEFT: u8 = 8;

/// How the library's search for a pressed router ended.
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
pub(crate) enum WpsEvent {
    /// With these networks.
    Success(Result<Offer, CredentialError>),
    /// With one network, which is in the station's configuration.
    SuccessInConfig,
    /// The exchange failed.
    Failed(u32),
    /// The library's own two minutes are over.
    TimedOut,
    /// More than one router is pairing.
    Overlap,
    /// Of a form that is not known.
    Malformed { id: i32, length: usize },
}

/// The end of the search that is under way. Whoever begins one empties it first.
pub(crate) static WPS: Signal<CriticalSectionRawMutex, WpsEvent> = Signal::new();
/// The end of the scan that is under way, likewise.
pub(crate) static SCANNED: Signal<CriticalSectionRawMutex, ()> = Signal::new();

/// Takes note of a Wi-Fi event. Tells whether it is ours alone.
pub(crate) fn heed(id: i32, payload: Option<&[u8]>, length: usize) -> bool {
    match id {
        WPS_SUCCESS | WPS_FAILED | WPS_TIMED_OUT | WPS_OVERLAP => {
            WPS.signal(wps_event(id, payload, length));
            true
        }
        WPS_PIN => true,
        SCAN_DONE => {
            SCANNED.signal(());
            false
        }
        STATION_CONNECTED => {
            STATION.now_is(Link::Up);
            false
        }
        STATION_DISCONNECTED => {
            // Whatever else is in it: the link is gone.
            let reason = payload.and_then(|bytes| bytes.get(REASON_AT)).copied();
            STATION.now_is(Link::Down(reason.unwrap_or(UNSPECIFIED)));
            false
        }
        STATION_STOP => {
            STATION.now_is(Link::Down(LEFT));
            false
        }
        _ => false,
    }
}

fn wps_event(id: i32, payload: Option<&[u8]>, length: usize) -> WpsEvent {
    match (id, payload) {
        (WPS_SUCCESS, None) if length == 0 => WpsEvent::SuccessInConfig,
        (WPS_SUCCESS, Some([count, networks @ ..]))
            if length == SUCCESS_LEN && (1..=MAX_CREDENTIALS).contains(&usize::from(*count)) =>
        {
            WpsEvent::Success(offer(networks, usize::from(*count)))
        }
        (WPS_FAILED, Some(&[a, b, c, d])) => WpsEvent::Failed(u32::from_le_bytes([a, b, c, d])),
        (WPS_TIMED_OUT, None) if length == 0 => WpsEvent::TimedOut,
        (WPS_OVERLAP, None) if length == 0 => WpsEvent::Overlap,
        _ => WpsEvent::Malformed { id, length },
    }
}

/// The usable ones of the networks; if there is none, what is wrong with the first.
fn offer(networks: &[u8], count: usize) -> Result<Offer, CredentialError> {
    let mut usable = Vec::<_, MAX_CREDENTIALS>::new();
    let mut first_error = None;
    for network in networks.chunks_exact(32 + 64).take(count) {
        let (ssid, key) = network.split_at(32);
        match credentials::read(ssid, key) {
            Ok(network) if usable.contains(&network) => {}
            // Cannot fail: there is room for all.
            Ok(network) => drop(usable.push(network)),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    Offer::new(usable).ok_or(first_error.unwrap_or(CredentialError::Malformed))
}
