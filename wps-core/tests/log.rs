//! The levels of the log: failures of the driver and the store are warnings, what users follow is
//! information, and the rest is detail.
#![cfg(not(feature = "defmt"))] // defmt would get the log instead

mod common;

use std::mem;
use std::sync::Mutex;

use common::{Environment, REPLY_GRACE_DELAY};
use log::{Level, LevelFilter, Log, Metadata, Record};
use wps_core::ErrorKind;
use wps_core::sim::{DiskFault, RadioFault};
use wps_testkit::off;

/// Keeps the lines of the log.
struct Logger(Mutex<Vec<(Level, String)>>);

static LOGGER: Logger = Logger(Mutex::new(Vec::new()));

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().expect("the log").push((record.level(), record.args().to_string()));
    }

    fn flush(&self) {}
}

/// Returns the lines since the last call.
fn take_log() -> Vec<(Level, String)> {
    mem::take(&mut *LOGGER.0.lock().expect("the log"))
}

/// Returns the lines of this level since the last call, and asserts that no line has a higher one.
#[track_caller]
fn take_highest(level: Level) -> Vec<String> {
    let log = take_log();
    assert!(log.iter().all(|(it, _)| *it >= level), "{log:?}");
    log.into_iter().filter(|(it, _)| *it == level).map(|(_, line)| line).collect()
}

// The only test of this program, because all tests of a program share the logger.
#[test]
fn each_line_has_its_level() {
    log::set_logger(&LOGGER).expect("the first logger");
    log::set_max_level(LevelFilter::Trace);
    let env = Environment::settled(off(None));
    let mut sim = env.booted();

    // A pairing that succeeds has no warning.
    sim.request_start(REPLY_GRACE_DELAY);
    sim.advance_to(3.0);
    sim.press_router("home");
    sim.advance_to(10.0);
    sim.expect_ended(Ok(()));
    let lines = take_highest(Level::Info);
    for part in ["Searching: NotPressed", "Searching: Exchanging", "Joining", "Idle, last: Some("] {
        assert!(lines.iter().any(|line| line.starts_with(part)), "no {part} in {lines:?}");
    }

    // The radio fails: a query is detail, and a pairing that cannot start is a warning.
    env.air.set_fault(Some(RadioFault::Fails(ErrorKind::NoDevice)));
    sim.request_link();
    sim.run_until_stalled();
    assert_eq!(take_highest(Level::Debug), ["radio, queried: SimError(NoDevice)"]);
    sim.press_button();
    assert_eq!(take_highest(Level::Warn), ["radio: SimError(NoDevice)"]);

    // So is a radio that does not answer in time.
    env.air.set_fault(Some(RadioFault::Unresponsive));
    sim.press_button();
    sim.advance(6.0);
    assert_eq!(take_highest(Level::Warn), ["radio: no answer in time"]);
    env.air.set_fault(None);

    // The store fails, or does not answer in time.
    env.disk.set_fault(Some(DiskFault::Full));
    sim.press_button();
    sim.advance(0.5);
    let warnings = take_highest(Level::Warn);
    assert!(warnings.iter().all(|line| line == "store: DiskError(Full)"), "{warnings:?}");
    assert!(!warnings.is_empty());
    env.disk.set_fault(Some(DiskFault::Hangs));
    sim.advance(15.0);
    assert!(take_highest(Level::Warn).contains(&"store: no answer in time".to_owned()));
}
