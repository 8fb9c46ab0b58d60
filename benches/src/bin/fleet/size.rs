//! The memory of a device: its task, and the control that it shares with its front ends.

use embassy_futures::block_on;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use wps_core::sim::{Air, Disk, ManualClock};
use wps_core::{Config, Control, Runner, Settings};

/// The front ends of a small device: button, lamp, page, and one more.
const SLOTS: usize = 4;

/// Returns the bytes that a device takes, in all and by part.
pub(crate) fn of_a_device() -> String {
    let (air, disk) = (Air::<NoopRawMutex>::new(), Disk::<NoopRawMutex>::new());
    let clock = ManualClock::<NoopRawMutex>::new();
    let control = Control::<NoopRawMutex, SLOTS, SLOTS>::new();
    let config = Config::new(Settings::Platform);
    let boot = Runner::boot(air.radio(&clock), disk.store(), &clock, &control, config);
    let mut runner = block_on(boot).expect("an empty disk can be read");
    let own = size_of_val(&runner);
    let task = size_of_val(&runner.run());
    let control = size_of_val(&control);
    let all = own + task + control;
    format!("{all}: runner {own}, its future {task}, control with {SLOTS} slots {control}")
}
