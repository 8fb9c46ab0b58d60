//! What both variants of the firmware have: a clock, a simulated flash, an exit and a panic
//! handler.

use core::cell::RefCell;
use core::hint::black_box;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

#[cfg(target_arch = "arm")]
use cortex_m as _; // for its critical section
use embassy_sync::blocking_mutex::CriticalSectionMutex;
#[cfg(target_arch = "riscv32")]
use riscv as _; // for its critical section
use semihosting::process::ExitCode;

/// Enough for the longest record of the core.
const FLASH_LEN: usize = 512;

static NOW: AtomicU32 = AtomicU32::new(0);
static FLASH: CriticalSectionMutex<RefCell<[u8; FLASH_LEN]>> =
    CriticalSectionMutex::new(RefCell::new([0; FLASH_LEN]));

/// Advances the clock by a millisecond and returns the new time.
pub(crate) fn tick() -> u32 {
    let now = now() + 1;
    NOW.store(now, Ordering::Relaxed);
    now
}

/// Returns the milliseconds since the start.
pub(crate) fn now() -> u32 {
    NOW.load(Ordering::Relaxed)
}

/// Calls `act` with the bytes of the simulated flash.
pub(crate) fn flash<R>(act: impl FnOnce(&mut [u8]) -> R) -> R {
    FLASH.lock(|bytes| act(bytes.borrow_mut().as_mut_slice()))
}

/// Uses the compiler's functions for copying, comparing and arithmetic. Every real firmware has
/// them, so their size must not count as the core's.
pub(crate) fn use_compiler_runtime() {
    let same: bool = flash(|bytes| {
        let (some, others) = bytes.split_at_mut(black_box(FLASH_LEN / 2));
        some.copy_from_slice(others);
        some.fill(black_box(0));
        *some == *others
    });
    let mut words = black_box([u32::from(same), 1, 2, 3]);
    let (first, others) = words.split_at_mut(black_box(2));
    first.copy_from_slice(others);
    black_box(words[0] / black_box(3));
    black_box(u64::from(words[1]) * black_box(1_000_000_007));
}

/// Ends the emulator.
pub(crate) fn exit(success: bool) -> ! {
    (if success { ExitCode::SUCCESS } else { ExitCode::FAILURE }).exit_process()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(false)
}
