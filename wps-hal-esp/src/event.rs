//! Parses the events that the library posts.
//!
//! The driver takes the events that end a pairing and does not pass them on: esp-radio would read
//! a success through pointers that are not valid. All other events go on to esp-radio. From some
//! of them the driver also records the state of the link.

use heapless::Vec;
use wps_core::driver::Offer;
use wps_core::wsc::{CredentialError, MAX_CREDENTIALS};

use crate::credentials;
use crate::layout::{
    REASON_OFFSET, SCAN_DONE, STATION_CONNECTED, STATION_DISCONNECTED, STATION_STOP, SUCCESS_LEN,
    WPS_FAILED, WPS_OVERLAP, WPS_PIN, WPS_SUCCESS, WPS_TIMED_OUT,
};
use crate::state::{Link, REASON_ASSOC_LEAVE, SCAN_FINISHED, STATION, WPS_EVENT, WpsEvent};

/// Reason code of IEEE 802.11.
const REASON_UNSPECIFIED: u8 = 1;

/// Handles a Wi-Fi event. Returns whether the event must not be passed on to esp-radio.
pub(crate) fn on_event(id: i32, payload: Option<&[u8]>, length: usize) -> bool {
    match id {
        WPS_SUCCESS | WPS_FAILED | WPS_TIMED_OUT | WPS_OVERLAP => {
            on_wps_event(id, payload, length);
            true
        }
        WPS_PIN => true,
        SCAN_DONE => {
            SCAN_FINISHED.signal(());
            false
        }
        STATION_CONNECTED => {
            STATION.set_link(Link::Up);
            false
        }
        STATION_DISCONNECTED => {
            // The link is down even if the payload is malformed.
            let reason = payload.and_then(|bytes| bytes.get(REASON_OFFSET)).copied();
            STATION.on_disconnected(reason.unwrap_or(REASON_UNSPECIFIED));
            false
        }
        STATION_STOP => {
            STATION.set_link(Link::Down(REASON_ASSOC_LEAVE));
            false
        }
        _ => false,
    }
}

/// Handles the end of a search. Not a part of the function above: all events are posted on the
/// small stack of the library's thread, and none of the others needs this one's frame.
#[cold]
#[inline(never)]
fn on_wps_event(id: i32, payload: Option<&[u8]>, length: usize) {
    let networks = payload.and_then(|payload| <&[u8; SUCCESS_LEN]>::try_from(payload).ok());
    WPS_EVENT.put(classify(id, payload, length), networks);
}

fn classify(id: i32, payload: Option<&[u8]>, length: usize) -> WpsEvent {
    match (id, payload) {
        (WPS_SUCCESS, None) if length == 0 => WpsEvent::SuccessInConfig,
        (WPS_SUCCESS, Some([count, ..]))
            if length == SUCCESS_LEN && (1..=MAX_CREDENTIALS).contains(&usize::from(*count)) =>
        {
            WpsEvent::Success
        }
        (WPS_FAILED, Some(&[a, b, c, d])) => WpsEvent::Failed(u32::from_le_bytes([a, b, c, d])),
        (WPS_TIMED_OUT, None) if length == 0 => WpsEvent::TimedOut,
        (WPS_OVERLAP, None) if length == 0 => WpsEvent::Overlap,
        _ => WpsEvent::Malformed { id, length },
    }
}

/// Returns the usable networks of a success. If there are none, returns the error of the first
/// network.
pub(crate) fn parse_networks(payload: &[u8; SUCCESS_LEN]) -> Result<Offer, CredentialError> {
    let [count, networks @ ..] = payload;
    let count = usize::from(*count);
    let mut usable = Vec::<_, MAX_CREDENTIALS>::new();
    let mut first_error = None;
    for network in networks.chunks_exact(32 + 64).take(count) {
        let (ssid, key) = network.split_at(32);
        match credentials::read(ssid, key) {
            Ok(network) if usable.contains(&network) => {}
            // `push` cannot fail: there is room for all networks.
            Ok(network) => drop(usable.push(network)),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    Offer::new(usable).ok_or(first_error.unwrap_or(CredentialError::NoNetwork))
}
