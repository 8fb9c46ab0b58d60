//! The core without an operating system, on a simulated radio and virtual time: what [`scenes`] play
//! is the same on every instruction set; here is only what differs.
//!
//! `./run` runs it on all three; `cargo run --release --target thumbv6m-none-eabi` on one.
#![no_std]
#![no_main]

mod scenes;
mod world;

use core::panic::PanicInfo;

#[cfg(target_arch = "arm")]
use cortex_m as _; // its critical section
#[cfg(target_arch = "riscv32")]
use riscv as _; // likewise
use semihosting::{eprintln, process};

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    scenes::pairing();
    scenes::time_out();
    scenes::power_cuts();
    process::exit(0)
}

/// What failed, and an exit code that cannot be taken for success.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    eprintln!("{info}");
    process::exit(1)
}
