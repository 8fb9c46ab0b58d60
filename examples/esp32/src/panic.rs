//! What follows a panic: its message and a backtrace in the log, and a restart.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use esp_backtrace::Backtrace;
use esp_hal::delay::Delay;
use esp_hal::system::software_reset;

use crate::logging::LogDisplay;

/// How long the message stays before the restart, which may interrupt the connection by USB.
const RESET_DELAY_MS: u32 = 1_000;

/// Logs the panic and restarts the chip. A pairing that was in progress is in the journal.
#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    static IS_PANICKING: AtomicBool = AtomicBool::new(false);
    // A panic while a panic is logged is not logged.
    if !IS_PANICKING.load(Ordering::Relaxed) {
        IS_PANICKING.store(true, Ordering::Relaxed);
        crate::warn!("{}", LogDisplay(info));
        for frame in Backtrace::capture().frames() {
            crate::warn!("  {:#x}", frame.program_counter());
        }
        Delay::new().delay_millis(RESET_DELAY_MS);
    }
    software_reset()
}
