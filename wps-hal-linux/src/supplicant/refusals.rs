//! Counts how often a network refuses its key.

use std::mem;

use wps_core::driver::IdleEvent;

/// The status code of an access point that still has an earlier association of this device. It is
/// no refusal.
pub(crate) const TRY_LATER: u16 = 30;
/// After this many refusals in a row, the key counts as refused. A single one can be bad reception:
/// with WPA2 it is any link that breaks in the handshake (hostap's `could_be_psk_mismatch`).
const MIN_REFUSALS: u32 = 2;

/// The refusals of a key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Refusals {
    /// Those in a row, without another failure or a connection in between.
    count: u32,
    /// Whether [`IdleEvent::KeyRefused`] was the last report about the key.
    is_reported: bool,
}

impl Refusals {
    /// Handles a refusal. Returns what must be reported.
    pub(crate) fn on_refused(&mut self) -> Option<IdleEvent> {
        self.count = self.count.saturating_add(1);
        let report = self.count >= MIN_REFUSALS && !self.is_reported;
        self.is_reported |= report;
        report.then_some(IdleEvent::KeyRefused)
    }

    /// Handles a connection with the key. Returns what must be reported.
    pub(crate) fn on_accepted(&mut self) -> Option<IdleEvent> {
        self.count = 0;
        mem::take(&mut self.is_reported).then_some(IdleEvent::KeyAccepted)
    }

    /// Handles a failure that does not concern the key.
    pub(crate) fn on_other_failure(&mut self) {
        self.count = 0;
    }
}
