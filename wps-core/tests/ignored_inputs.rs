//! What the machine logs about the inputs that it ignores.
#![cfg(not(feature = "defmt"))] // defmt would get the log instead

use std::mem;
use std::sync::Mutex;
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use wps_core::command::Input;
use wps_core::driver::Offer;
use wps_core::{AfterFailure, Instant, KeptBy, Loaded, Machine, Snapshot};
use wps_testkit::{home, off, station};

static LOG: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

struct Collector;

impl Log for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LOG.lock().expect("no thread panics").push((record.level(), record.args().to_string()));
    }

    fn flush(&self) {}
}

#[test]
fn ignored_inputs_are_logged_at_debug_but_not_a_second_start() {
    log::set_logger(&Collector).expect("this process has no other logger");
    log::set_max_level(LevelFilter::Trace);
    let start = || Input::Start { reply_grace: Duration::ZERO, only: None };
    let configure = || Input::Configure { settings: station(home()), reply_grace: Duration::ZERO };
    let snapshot_taken = || Input::SnapshotTaken(Ok(Snapshot::default()));
    let now = Instant::from_millis(0);
    let mut machine = Machine::boot(now, Loaded::Nothing, off(None), AfterFailure::default());
    let mut log_of = |input| {
        machine.handle(now, input);
        mem::take(&mut *LOG.lock().expect("no thread panics"))
    };
    let expect_ignored = |log: Vec<(Level, String)>, input: &str, state: &str| {
        let [(Level::Debug, line)] = &log[..] else { panic!("one line at debug, not {log:?}") };
        assert_eq!(*line, format!("machine: ignored {input} in {state}"));
    };

    expect_ignored(log_of(Input::Cancel), "Cancel", "Restoring");
    assert_eq!(log_of(Input::Applied(Ok(()))), []);

    for input in [start(), start(), snapshot_taken(), start(), Input::Saved(Ok(())), start()] {
        assert_eq!(log_of(input), []);
    }
    expect_ignored(log_of(configure()), "Configure", "Searching");
    assert_eq!(log_of(Input::Offered(Ok(Offer::from(home())))), []);
    assert_eq!(log_of(start()), []);
    expect_ignored(log_of(Input::Saved(Ok(()))), "Saved", "Joining");
    assert_eq!(log_of(Input::Joined(Ok(()))), []);
    expect_ignored(log_of(Input::Cancel), "Cancel", "Keeping");
    for input in [start(), Input::Kept(Ok(KeptBy::Record)), start(), Input::Saved(Ok(()))] {
        assert_eq!(log_of(input), []);
    }
    expect_ignored(log_of(Input::NetworkRemoved), "NetworkRemoved", "Idle");

    for input in [configure(), snapshot_taken(), Input::Saved(Ok(())), Input::Elapsed] {
        assert_eq!(log_of(input), []);
    }
    expect_ignored(log_of(start()), "Start", "Joining");
    assert_eq!(log_of(Input::Joined(Ok(()))), []);
    expect_ignored(log_of(start()), "Start", "Keeping");
    assert_eq!(log_of(Input::Kept(Ok(KeptBy::Record))), []);
    expect_ignored(log_of(start()), "Start", "Saving");
}
