//! An executor on virtual time.

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use wps_core::sim::ManualClock;

pub(crate) type TestClock = ManualClock<CriticalSectionRawMutex>;

/// Runs a future to its end. Whenever it has nothing left to do, the clock advances to the next
/// timer.
pub(crate) fn block_on<F: Future>(clock: &TestClock, future: F) -> F::Output {
    wps_testkit::block_on(future, || clock.advance_to_next())
}
