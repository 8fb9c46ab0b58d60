//! The core without an operating system, on a simulated radio and virtual time. The [`scenarios`]
//! are the same on every instruction set. This file has the parts that differ.
//!
//! `./run` runs them on all three instruction sets, and
//! `cargo run --release --target thumbv6m-none-eabi` on one.
#![no_std]
#![no_main]

mod environment;
mod scenarios;

use core::panic::PanicInfo;

#[cfg(target_arch = "arm")]
use cortex_m as _; // for its critical section
#[cfg(target_arch = "riscv32")]
use riscv as _; // for its critical section
use semihosting::{eprintln, process};

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    scenarios::pairing();
    scenarios::timeout();
    scenarios::power_cuts();
    process::exit(0)
}

/// Prints the panic message and exits with an error code.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    eprintln!("{info}");
    process::exit(1)
}
