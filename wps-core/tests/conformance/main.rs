//! The conformance suite on the simulated driver, which must pass, and on drivers that are bad on
//! purpose, each of which must fail, and where it is bad.

mod flaw;
mod world;

use std::time::Duration;

use flaw::{Flaw, Flawed};
use world::{Bench, HELPLESS, World};
use wps_core::conformance::{Check, Limits, Outcome, Report, Unavailable, run, run_all};
use wps_core::sim::Fault;
use wps_core::{ErrorKind, WifiDriver};

fn try_all<'w, D: WifiDriver>(world: &'w World, driver: fn(&'w World) -> D) -> Report {
    world.play(run_all(&mut Bench { world, driver }))
}

fn simulated(world: &World) -> Report {
    try_all(world, |world| world.air.radio(&world.clock))
}

/// The checks that did not simply pass.
fn others(report: &Report) -> Vec<(Check, &Outcome)> {
    let outcome = |check| (check, report.outcome(check).expect("every check is reported"));
    Check::ALL.into_iter().map(outcome).filter(|(_, it)| **it != Outcome::Passed).collect()
}

fn failed(report: &Report) -> Vec<Check> {
    let failures = others(report).into_iter().filter(|(_, outcome)| outcome.is_failure());
    failures.map(|(check, _)| check).collect()
}

#[test]
fn the_simulated_driver_passes() {
    let report = simulated(&World::with(None));
    assert_eq!(others(&report), [], "\n{report}");
    assert!(report.is_ok());
}

#[test]
fn every_flaw_is_noticed_and_where_it_is() {
    for (flaw, noticed_by) in Flaw::ALL {
        let report = try_all(&World::with(Some(*flaw)), Flawed::new);
        assert_eq!(failed(&report), *noticed_by, "{flaw:?}\n{report}");
        assert!(!report.is_ok());
    }
}

#[test]
fn every_check_notices_some_flaw() {
    for check in Check::ALL {
        assert!(Flaw::ALL.iter().any(|(_, noticed_by)| noticed_by.contains(&check)), "{check:?}");
    }
}

#[test]
fn any_order_is_every_order() {
    const VERBS: [&str; 6] = ["station", "access point", "off", "pair", "join", "look"];
    let world = World::with(None);
    let mut bench = Bench { world: &world, driver: Flawed::new };
    assert_eq!(world.play(run(Check::AnyOrder, &mut bench)), Outcome::Passed);
    let verbs = world.verbs.take();
    for (first, second) in VERBS.iter().flat_map(|one| VERBS.map(|other| (*one, other))) {
        let tried = verbs.windows(2).any(|pair| pair == [first, second]);
        assert!(tried || first == second, "{second} after {first}");
    }
}

#[test]
fn a_mute_or_absent_radio_fails_everything_and_hangs_nobody() {
    for fault in [Fault::Mute, Fault::Fails(ErrorKind::NoDevice)] {
        let world = World::with(None);
        world.air.set_fault(Some(fault));
        let report = simulated(&world);
        assert_eq!(failed(&report), Check::ALL, "{fault:?}\n{report}");
    }
}

#[test]
fn a_driver_for_station_mode_alone_is_no_bad_driver() {
    let report = try_all(&World::with(Some(Flaw::StationOnly)), Flawed::new);
    let access_point = Unavailable("the driver does not support access-point mode");
    let off = Unavailable("the driver does not support switching the radio off");
    let expected = [
        (Check::AccessPoint, &Outcome::Skipped(access_point)),
        (Check::Off, &Outcome::Skipped(off)),
        (Check::Looking, &Outcome::Partial(off)),
        (Check::Pairing, &Outcome::Partial(off)),
        (Check::Twice, &Outcome::Partial(off)),
        (Check::AnyOrder, &Outcome::Partial(off)),
    ];
    assert_eq!(others(&report), expected, "\n{report}");
}

#[test]
fn a_radio_that_judges_overlap_by_itself_is_not_asked_to_remember() {
    let report = try_all(&World::with(Some(Flaw::FirmwareJudgesOverlap)), Flawed::new);
    let gap = Unavailable("the driver leaves session overlap to its platform");
    assert_eq!(others(&report), [(Check::OverlapMemory, &Outcome::Skipped(gap))], "\n{report}");
}

#[test]
fn what_a_stage_cannot_do_is_told() {
    let mut world = World::with(None);
    world.helpless = true;
    let report = simulated(&world);
    assert!(report.is_ok(), "\n{report}");
    let skipped = |check| report.outcome(check) == Some(&Outcome::Skipped(HELPLESS));
    let skipped: Vec<_> = Check::ALL.into_iter().filter(|check| skipped(*check)).collect();
    assert_eq!(
        skipped,
        [Check::ConfigLost, Check::Platform, Check::StaysOnAir, Check::WaitsToLeave],
        "\n{report}"
    );
    // Those that look at the radio take the driver's word.
    let passed = |check| report.outcome(check) == Some(&Outcome::Passed);
    let passed: Vec<_> = Check::ALL.into_iter().filter(|check| passed(*check)).collect();
    assert_eq!(passed, [Check::Overlap], "\n{report}");
}

#[test]
fn a_short_silence_is_told() {
    let mut world = World::with(None);
    world.limits = Limits { silence: Duration::from_secs(120), ..Limits::default() };
    let mut bench = Bench { world: &world, driver: |world| world.air.radio(&world.clock) };
    let outcome = world.play(run(Check::Silence, &mut bench));
    let gap = Unavailable("nobody waited for longer than two minutes");
    assert_eq!(outcome, Outcome::Partial(gap));
}

#[test]
fn a_failure_is_a_sentence() {
    let sentence = |flaw, check| {
        let world = World::with(Some(flaw));
        let mut bench = Bench { world: &world, driver: Flawed::new };
        world.play(run(check, &mut bench)).to_string()
    };
    assert_eq!(
        sentence(Flaw::TimesOut, Check::Silence),
        "FAILED: pair, and nobody presses a button: wanted no answer within 130 s, \
         found the error \"the radio failed\""
    );
    assert_eq!(
        sentence(Flaw::NamesAreText, Check::OddCredentials).split(": wanted").next(),
        Some(
            r#"FAILED: pair and join (network "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")"#
        )
    );
    assert_eq!(
        sentence(Flaw::KeepsADroppedOffer, Check::EarlierOffer),
        "FAILED: pair with another router (after pair, dropped at poll 0): \
         wanted an offer of the network \"neighbour\", found an offer of the network \"home\""
    );
}
