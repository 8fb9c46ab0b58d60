//! The elements of recorded frames. Each file says where it comes from.

use crate::unhex;

/// Returns a beacon of hostapd.
pub fn idle_beacon() -> Vec<u8> {
    unhex(include_str!("recorded/beacon_idle.hex"))
}

/// Returns a beacon of hostapd with its button pressed.
pub fn pressed_beacon() -> Vec<u8> {
    unhex(include_str!("recorded/beacon_pressed.hex"))
}

/// Returns a probe response of hostapd with its button pressed.
pub fn pressed_probe_response() -> Vec<u8> {
    unhex(include_str!("recorded/probe_response_pressed.hex"))
}
