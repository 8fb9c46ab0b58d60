//! What a device keeps in memory: its task, and the desk between it and its fronts.

use embassy_futures::block_on;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use wps_core::sim::{Air, Disk, HandClock};
use wps_core::{Desk, Policy, Runner, Settings};

/// How many fronts a small device has: button, lamp, page, one more.
const FRONTS: usize = 4;

pub(crate) fn of_a_device() -> String {
    let (air, disk) = (Air::<NoopRawMutex>::new(), Disk::<NoopRawMutex>::new());
    let clock = HandClock::<NoopRawMutex>::new();
    let desk = Desk::<NoopRawMutex, FRONTS>::new();
    let boot = Runner::boot(
        air.radio(&clock),
        disk.store(),
        &clock,
        &desk,
        Settings::Platform,
        Policy::default(),
    );
    let mut runner = block_on(boot).expect("a blank disk");
    let own = size_of_val(&runner);
    let task = size_of_val(&runner.run());
    let desk = size_of_val(&desk);
    let all = own + task + desk;
    format!("{all}: runner {own}, its future {task}, desk with {FRONTS} seats {desk}")
}
