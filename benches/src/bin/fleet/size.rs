//! What a device keeps in memory: its task, and the desk between it and its fronts.

use embassy_futures::block_on;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use wps_core::sim::{Air, Disk, ManualClock};
use wps_core::{AfterFailure, Control, Runner, Settings};

/// How many fronts a small device has: button, lamp, page, one more.
const FRONTS: usize = 4;

pub(crate) fn of_a_device() -> String {
    let (air, disk) = (Air::<NoopRawMutex>::new(), Disk::<NoopRawMutex>::new());
    let clock = ManualClock::<NoopRawMutex>::new();
    let control = Control::<NoopRawMutex, FRONTS>::new();
    let boot = Runner::boot(
        air.radio(&clock),
        disk.store(),
        &clock,
        &control,
        Settings::Platform,
        AfterFailure::default(),
    );
    let mut runner = block_on(boot).expect("a blank disk");
    let own = size_of_val(&runner);
    let task = size_of_val(&runner.run());
    let control = size_of_val(&control);
    let all = own + task + control;
    format!("{all}: runner {own}, its future {task}, desk with {FRONTS} seats {control}")
}
