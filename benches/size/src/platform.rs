//! What every firmware has: time, a place in flash, an end, and what to do after a panic.

use core::cell::RefCell;
use core::hint::black_box;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

#[cfg(target_arch = "arm")]
use cortex_m as _; // its critical section
use embassy_sync::blocking_mutex::CriticalSectionMutex;
#[cfg(target_arch = "riscv32")]
use riscv as _; // likewise
use semihosting::process::ExitCode;

/// As long as a record of the core can be.
const FLASH_LEN: usize = 512;

static NOW: AtomicU32 = AtomicU32::new(0);
static FLASH: CriticalSectionMutex<RefCell<[u8; FLASH_LEN]>> =
    CriticalSectionMutex::new(RefCell::new([0; FLASH_LEN]));

/// The clock moves on by a millisecond.
pub(crate) fn tick() -> u32 {
    let now = now() + 1;
    NOW.store(now, Ordering::Relaxed);
    now
}

/// Milliseconds since the start.
pub(crate) fn now() -> u32 {
    NOW.load(Ordering::Relaxed)
}

/// What stands for the flash.
pub(crate) fn flash<R>(act: impl FnOnce(&mut [u8]) -> R) -> R {
    FLASH.lock(|bytes| act(bytes.borrow_mut().as_mut_slice()))
}

/// What the compiler calls for copying, comparing and calculating. Every firmware has it, so it is not
/// the core's.
pub(crate) fn runtime() {
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

/// The end of the run, told to the emulator.
pub(crate) fn end(well: bool) -> ! {
    (if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }).exit_process()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    end(false)
}
