//! The conformance suite on the simulated driver, which must pass, and on drivers that are bad on
//! purpose, each of which must fail, and where it is bad.

mod flaw;
mod world;

use flaw::{Flaw, Flawed};
use wps_core::conformance::{Cannot, Check, Outcome, Report, run, run_all};
use wps_core::sim::Fault;
use wps_core::{ErrorKind, WifiDriver};
use world::{Bench, HELPLESS, World};

fn try_all<'w, D: WifiDriver>(world: &'w World, driver: fn(&'w World) -> D) -> Report {
    world.play(run_all(&mut Bench { world, driver }))
}

#[test]
fn the_simulated_driver_passes() {
    let world = World::with(None);
    let report = try_all(&world, |world| world.air.radio(&world.clock));
    for check in Check::ALL {
        assert_eq!(report.outcome(check), Some(&Outcome::Passed), "\n{report}");
    }
}

#[test]
fn every_flaw_is_noticed_and_where_it_is() {
    for (flaw, expected) in Flaw::ALL {
        let world = World::with(Some(*flaw));
        let report = try_all(&world, Flawed::new);
        let failed = |check: &Check| report.outcome(*check).is_some_and(Outcome::is_failure);
        let failed: Vec<_> = Check::ALL.into_iter().filter(failed).collect();
        if failed != *expected { eprintln!("{flaw:?}: {failed:?}\n{report}"); }
    }
}
