//! Tests of dropped futures and power cuts. They drop the runner's future after every possible
//! number of polls and start a new one: nothing is lost. They also cut the power after every
//! possible number of polls, once or twice: the device boots with the settings of its record.

mod common;

use common::{Environment, REPLY_GRACE_DELAY, Simulation};
use wps_core::sim::{DiskFault, RouterKind};
use wps_core::{Cause, ErrorKind, Record, Settings};
use wps_testkit::{home, hotspot, network, off, old, station};

/// An action, and the second at which it happens.
type Step = (f64, fn(&mut Simulation<'_>));

/// A case to run from the boot of a device until it is idle.
struct Case {
    before: Settings,
    router: RouterKind,
    steps: &'static [Step],
    until: f64,
    result: Result<(), Cause>,
    after: Settings,
    /// The settings that a power cut during the task leaves.
    interrupted: Settings,
}

impl Case {
    fn environment(&self) -> Environment {
        let env = Environment::settled(self.before.clone());
        env.air.set_kind(b"home", self.router);
        env
    }

    /// Runs the steps. Skips those after a power cut.
    fn run(&self, sim: &mut Simulation<'_>) {
        for (at, action) in self.steps {
            sim.advance_to(*at);
            if sim.env.records_at_cuts.borrow().is_empty() {
                action(sim);
                sim.run_until_stalled();
            }
        }
        sim.advance_to(self.until);
        if !sim.env.records_at_cuts.borrow().is_empty() {
            // A skipped step may have been the one that clears the fault.
            sim.env.disk.set_fault(None);
            sim.advance(20.0); // more than the longest retry delay
        }
    }

    /// Returns how many times the runner is polled without interruptions.
    fn poll_count(&self) -> usize {
        let env = self.environment();
        let mut sim = env.boot();
        self.run(&mut sim);
        sim.expect_ended(self.result);
        sim.expect_settled(&self.after);
        env.poll_count()
    }

    /// Checks that the result is the same if the future is dropped after any number of polls.
    fn check_dropped_futures(&self) {
        for polls in 0..=self.poll_count() {
            let env = self.environment();
            let mut sim = env.boot_and_drop_after(polls);
            self.run(&mut sim);
            sim.expect_ended(self.result);
            sim.expect_settled(&self.after);
        }
    }

    /// Checks that after a power cut at any poll the device has the settings that the record on the
    /// disk requires. `second` lists the polls for the second cut, counted from the boot. Zero
    /// means no second cut.
    fn check_power_cuts(&self, second: &[usize]) {
        for first in 0..=self.poll_count() {
            for second in second {
                let env = self.environment();
                let cuts = if *second == 0 { vec![first] } else { vec![first, *second] };
                let mut sim = env.boot_and_cut_power_after(cuts);
                self.run(&mut sim);
                let cut = env.records_at_cuts.borrow()[0].clone();
                let expected = self.expected_after(&cut.expect("a whole record"));
                sim.expect_settled(&expected);
                for cut in env.records_at_cuts.borrow().iter() {
                    assert_eq!(
                        self.expected_after(cut.as_ref().expect("a whole record")),
                        expected
                    );
                }
            }
        }
    }

    /// Checks a record that was found on the disk, and returns the settings to boot with.
    fn expected_after(&self, disk: &Record) -> Settings {
        match disk {
            Record::Settled(settings) => {
                let known = [&self.before, &self.after, &self.interrupted];
                assert!(known.contains(&settings), "{settings:?}");
                settings.clone()
            }
            Record::Pairing { before, .. } | Record::Configuring { before, .. } => {
                assert_eq!(before, &self.before);
                self.interrupted.clone()
            }
        }
    }
}

fn start_over_wifi(sim: &mut Simulation<'_>) {
    sim.request_start(REPLY_GRACE_DELAY);
}

fn press_router(sim: &mut Simulation<'_>) {
    sim.press_router("home");
}

fn cancel(sim: &mut Simulation<'_>) {
    sim.request_cancel();
}

fn success() -> Case {
    Case {
        before: hotspot(None),
        router: RouterKind::GuestFirst,
        steps: &[(1.0, start_over_wifi), (2.0, press_router)],
        until: 10.0,
        result: Ok(()),
        after: station(home()),
        interrupted: off(None),
    }
}

fn time_out() -> Case {
    Case {
        before: hotspot(Some(old())),
        router: RouterKind::Ordinary,
        steps: &[(1.0, start_over_wifi)],
        until: 123.0,
        result: Err(Cause::NotPressed),
        after: off(Some(old())),
        interrupted: off(Some(old())),
    }
}

fn cancelled_while_joining() -> Case {
    Case {
        before: station(old()),
        router: RouterKind::WrongKey,
        steps: &[(1.0, start_over_wifi), (1.5, press_router), (6.1, cancel)],
        until: 10.0,
        result: Err(Cause::Cancelled),
        after: station(old()),
        interrupted: station(old()),
    }
}

/// Cancelled during the reply grace, while the pairing is already searching.
fn cancelled_early() -> Case {
    Case {
        before: hotspot(None),
        router: RouterKind::Ordinary,
        steps: &[(1.0, start_over_wifi), (1.2, cancel)],
        until: 10.0,
        result: Err(Cause::Cancelled),
        after: off(None),
        interrupted: off(None),
    }
}

fn router_lost() -> Case {
    fn restart_router(sim: &mut Simulation<'_>) {
        sim.env.air.set_kind(b"home", RouterKind::Ordinary);
        sim.env.air.set_power(b"home", true);
        sim.press_router("home");
    }
    Case {
        before: off(None),
        router: RouterKind::Vanishes,
        steps: &[(1.0, start_over_wifi), (1.5, press_router), (6.0, restart_router)],
        until: 12.0,
        result: Ok(()),
        after: station(home()),
        interrupted: off(None),
    }
}

fn commit_failed() -> Case {
    fn fill_disk(sim: &mut Simulation<'_>) {
        sim.env.disk.set_fault(Some(DiskFault::Full));
    }
    fn free_disk(sim: &mut Simulation<'_>) {
        sim.env.disk.set_fault(None);
    }
    Case {
        before: hotspot(Some(old())),
        router: RouterKind::Ordinary,
        steps: &[(1.0, start_over_wifi), (1.5, press_router), (2.2, fill_disk), (6.0, free_disk)],
        until: 30.0,
        result: Err(Cause::Store),
        after: off(Some(old())),
        interrupted: off(Some(old())),
    }
}

fn configured() -> Case {
    fn configure(sim: &mut Simulation<'_>) {
        sim.request_configure(station(home()));
    }
    Case {
        before: hotspot(Some(old())),
        router: RouterKind::Ordinary,
        steps: &[(1.0, configure)],
        until: 10.0,
        result: Ok(()),
        after: station(home()),
        interrupted: hotspot(Some(old())),
    }
}

fn rolled_back() -> Case {
    fn configure(sim: &mut Simulation<'_>) {
        sim.request_configure(station(network(b"home", b"battery staple")));
    }
    Case {
        before: hotspot(None),
        router: RouterKind::Ordinary,
        steps: &[(1.0, configure)],
        until: 40.0,
        result: Err(Cause::Driver(ErrorKind::WrongKey)),
        after: hotspot(None),
        interrupted: hotspot(None),
    }
}

macro_rules! cases {
    ($($case:ident),+) => {
        mod dropped {
            $(#[test] fn $case() { super::$case().check_dropped_futures(); })+
        }
        mod power_cut {
            $(#[test] fn $case() { super::$case().check_power_cuts(&[0]); })+
        }
        mod power_cut_twice {
            // The second cut comes at each of the first polls after the boot, while the settings
            // are being restored.
            $(#[test] fn $case() { super::$case().check_power_cuts(&[1, 2, 3, 4, 5, 6]); })+
        }
    };
}

cases![
    success,
    time_out,
    cancelled_while_joining,
    cancelled_early,
    router_lost,
    commit_failed,
    configured,
    rolled_back
];
