//! Tests of the conformance suite. The simulated driver must pass it. A driver with a deliberate
//! flaw must fail exactly the checks that cover the flaw.

mod flaw;
mod flawed_driver;
mod flawed_keeping;
mod simulation;

use std::time::Duration;

use flaw::Flaw;
use flawed_driver::FlawedDriver;
use simulation::{KEEPS_NOTHING, MINIMAL, SimTestBed, Simulation};
use wps_core::conformance::{Check, Finding, Limits, Outcome, Report, Unavailable, run, run_all};
use wps_core::sim::RadioFault;
use wps_core::{Clock, ErrorKind, KeptBy, WifiDriver};

fn report_for<'s, D: WifiDriver>(sim: &'s Simulation, driver: fn(&'s Simulation) -> D) -> Report {
    sim.block_on(run_all(&mut SimTestBed { sim, driver }, |_| {}))
}

fn report_for_simulated_driver(sim: &Simulation) -> Report {
    report_for(sim, |sim| sim.air.radio(&sim.clock))
}

fn not_passed(report: &Report) -> Vec<(Check, Outcome)> {
    report.not_passed().collect()
}

fn failed(report: &Report) -> Vec<Check> {
    let failures = report.not_passed().filter(|(_, outcome)| outcome.is_failure());
    failures.map(|(check, _)| check).collect()
}

/// The checks that the simulated driver passes only in part, or that are skipped, if its platform
/// keeps no networks.
const GAPS: [(Check, Outcome); 5] = [
    (Check::Keeps, Outcome::Skipped(KEEPS_NOTHING)),
    (Check::KeptInVain, Outcome::Skipped(KEEPS_NOTHING)),
    (Check::KeptRemoved, Outcome::Skipped(KEEPS_NOTHING)),
    (Check::KeptSameName, Outcome::Skipped(KEEPS_NOTHING)),
    (Check::PlatformDecides, Outcome::Skipped(KEEPS_NOTHING)),
];

/// Asserts that the checks that did not pass are `expected` and [`GAPS`].
#[track_caller]
fn assert_gaps<const N: usize>(report: &Report, expected: [(Check, Outcome); N]) {
    let mut expected: Vec<_> = expected.into_iter().chain(GAPS).collect();
    expected.sort_by_key(|(check, _)| Check::ALL.iter().position(|it| it == check));
    assert_eq!(not_passed(report), expected, "\n{report}");
}

#[test]
fn the_simulated_driver_passes() {
    let report = report_for_simulated_driver(&Simulation::new(None));
    assert_gaps(&report, []);
    assert!(report.is_ok());
}

#[test]
fn the_simulated_driver_passes_on_a_platform_that_keeps_networks() {
    let report = report_for_simulated_driver(&Simulation::new(None).with_kept_networks());
    assert_eq!(not_passed(&report), [], "\n{report}");
}

#[test]
fn a_driver_may_reconnect_while_it_is_idle() {
    let sim = Simulation::new(Some(Flaw::ReconnectsWhileIdle));
    let report = report_for(&sim, FlawedDriver::new);
    assert_gaps(&report, []);
}

#[test]
fn a_driver_may_notice_a_lost_link_while_it_is_idle() {
    let mut sim = Simulation::new(Some(Flaw::NoticesLostLinkWhileIdle));
    // So short that only the wait for `link` is long enough.
    sim.limits = Limits { watch_window: Duration::from_millis(300), ..Limits::default() };
    let mut test_bed = SimTestBed { sim: &sim, driver: FlawedDriver::new };
    for check in [Check::Reconnects, Check::ReconnectsWhileQueried] {
        let result = sim.block_on(run(check, &mut test_bed));
        assert_eq!(result.outcome, Outcome::Passed, "{result}");
    }
}

#[test]
fn every_flaw_is_detected_by_the_expected_checks() {
    assert_detected(Flaw::ALL, Simulation::new);
}

#[test]
fn every_flaw_of_keeping_is_detected_by_the_expected_checks() {
    assert_detected(Flaw::KEEPING, |flaw| Simulation::new(flaw).with_kept_networks());
}

/// Asserts that each flaw is detected by exactly these checks.
#[track_caller]
fn assert_detected(flaws: &[(Flaw, &[Check])], simulation: fn(Option<Flaw>) -> Simulation) {
    let mut differences = String::new();
    for (flaw, detected_by) in flaws {
        let report = report_for(&simulation(Some(*flaw)), FlawedDriver::new);
        let found = failed(&report);
        if found != *detected_by || report.is_ok() {
            differences += &format!("{flaw:?} is detected by {found:?}\n{report}\n");
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn every_check_detects_a_flaw() {
    for check in Check::ALL {
        let mut flaws = Flaw::ALL.iter().chain(Flaw::KEEPING);
        assert!(flaws.any(|(_, detected_by)| detected_by.contains(&check)), "{check:?}");
    }
}

#[test]
fn the_any_order_check_tries_every_ordered_pair() {
    const METHODS: [&str; 6] = ["station", "access point", "off", "pair", "join", "snapshot"];
    let sim = Simulation::new(None);
    let mut test_bed = SimTestBed { sim: &sim, driver: FlawedDriver::new };
    assert_eq!(sim.block_on(run(Check::AnyOrder, &mut test_bed)).outcome, Outcome::Passed);
    let calls = sim.calls.take();
    for (first, second) in METHODS.iter().flat_map(|one| METHODS.map(|other| (*one, other))) {
        let is_tried = calls.windows(2).any(|pair| pair == [first, second]);
        assert!(is_tried || first == second, "{second} after {first}");
    }
    // `keep` always follows `join`.
    for next in METHODS {
        assert!(calls.windows(2).any(|pair| pair == ["keep", next]), "{next} after keep");
    }
    assert!(calls.windows(2).any(|pair| pair == ["join", "keep"]));
}

#[test]
fn an_unresponsive_or_missing_radio_fails_every_check_and_blocks_none() {
    for fault in [RadioFault::Unresponsive, RadioFault::Fails(ErrorKind::NoDevice)] {
        for check in Check::ALL {
            let sim = Simulation::new(None);
            sim.air.set_fault(Some(fault));
            let mut test_bed = SimTestBed { sim: &sim, driver: |sim| sim.air.radio(&sim.clock) };
            let result = sim.block_on(run(check, &mut test_bed));
            assert!(result.outcome.is_failure(), "{fault:?}\n{result}");
        }
    }
}

#[test]
fn a_check_that_needs_a_failed_one_is_skipped() {
    let station = Unavailable("it needs the check \"station\", which failed");
    let pairing = Unavailable("it needs the check \"pairing\", which failed");
    let report = report_for(&Simulation::new(Some(Flaw::ApplyTakesTooLong)), FlawedDriver::new);
    for check in Check::ALL.into_iter().skip(1) {
        assert_eq!(report.outcome(check), Some(&Outcome::Skipped(station)), "\n{report}");
    }
    let report = report_for(&Simulation::new(Some(Flaw::ReturnsAnotherKey)), FlawedDriver::new);
    for check in [Check::Platform, Check::Overlap, Check::OddCredentials] {
        assert_eq!(report.outcome(check), Some(&Outcome::Skipped(pairing)), "\n{report}");
    }
    assert_eq!(report.outcome(Check::WrongKey), Some(&Outcome::Passed), "\n{report}");
}

#[test]
fn each_result_is_reported_when_it_comes() {
    let sim = Simulation::new(None);
    let mut test_bed = SimTestBed { sim: &sim, driver: |sim| sim.air.radio(&sim.clock) };
    let (start, mut duration, mut lines) = (sim.clock.now(), Duration::ZERO, String::new());
    let report = sim.block_on(run_all(&mut test_bed, |result| {
        duration += result.duration;
        assert_eq!(sim.clock.now().since(start), duration, "after {result}");
        lines += &format!("{result}\n");
    }));
    assert_eq!(report.to_string(), lines);
    let last = "  18.3 s  kept elsewhere           passed";
    assert_eq!(lines.lines().last(), Some(last));
}

#[test]
fn the_number_of_drops_has_a_limit_and_is_reported() {
    let mut sim = Simulation::new(None);
    sim.limits = Limits { max_drops: 3, ..Limits::default() };
    let mut test_bed = SimTestBed { sim: &sim, driver: |sim| sim.air.radio(&sim.clock) };
    let result = sim.block_on(run(Check::Dropped, &mut test_bed));
    assert!(result.drops.tried <= 6 * 3, "{result}");
    assert!(result.to_string().ends_with("passed (9 of 54 possible drops)"), "{result}");
}

#[test]
fn a_driver_that_supports_only_station_mode_does_not_fail() {
    let report = report_for(&Simulation::new(Some(Flaw::StationOnly)), FlawedDriver::new);
    let access_point = Unavailable("the driver does not support access-point mode");
    let off = Unavailable("the driver does not support switching the radio off");
    let expected = [
        (Check::KeepsLink, Outcome::Partial(access_point)),
        (Check::AccessPoint, Outcome::Skipped(access_point)),
        (Check::Off, Outcome::Skipped(off)),
        (Check::ReadOnly, Outcome::Partial(access_point)),
        (Check::Scan, Outcome::Partial(access_point)),
        (Check::Pairing, Outcome::Partial(access_point)),
        (Check::Twice, Outcome::Partial(access_point)),
        (Check::AnyOrder, Outcome::Partial(access_point)),
        (Check::WaitsBeforeDisconnect, Outcome::Partial(access_point)),
        (Check::KeptElsewhere, Outcome::Partial(off)),
    ];
    assert_gaps(&report, expected);
}

#[test]
fn a_driver_that_reports_no_refused_key_does_not_fail() {
    let report = report_for(&Simulation::new(Some(Flaw::ReportsNoRefusedKey)), FlawedDriver::new);
    let gap = Unavailable("the driver does not report a refused key");
    assert_gaps(&report, [(Check::KeyRefused, Outcome::Skipped(gap))]);
}

#[test]
fn a_join_that_fails_without_a_reason_passes_in_part() {
    let report = report_for(&Simulation::new(Some(Flaw::ReportsNoJoinFailure)), FlawedDriver::new);
    let partial = |gap| Outcome::Partial(Unavailable(gap));
    let expected = [
        (Check::WrongKey, partial("the driver does not report a wrong key as such")),
        (Check::NotInRange, partial("the driver does not report a missing network as such")),
    ];
    assert_gaps(&report, expected);
}

#[test]
fn a_driver_that_cannot_report_its_link_passes_in_part() {
    let report = report_for(&Simulation::new(Some(Flaw::LinkFails)), FlawedDriver::new);
    assert!(report.is_ok(), "\n{report}");
    let gap = Unavailable("the driver could not report its link");
    for check in [Check::Station, Check::Reconnects, Check::ReadOnly, Check::Dropped] {
        assert_eq!(report.outcome(check), Some(&Outcome::Partial(gap)), "\n{report}");
    }
}

#[test]
fn an_error_that_may_be_an_overlap_passes_in_part() {
    let report =
        report_for(&Simulation::new(Some(Flaw::CannotDistinguishOverlap)), FlawedDriver::new);
    let gap = Unavailable("the radio cannot distinguish a refusal from a session overlap");
    let checks = [Check::Overlap, Check::OverlapMemory, Check::RouterVanishes];
    assert_gaps(&report, checks.map(|check| (check, Outcome::Partial(gap))));
}

#[test]
fn overlap_memory_is_skipped_if_the_radio_detects_overlap_itself() {
    let report =
        report_for(&Simulation::new(Some(Flaw::FirmwareDetectsOverlap)), FlawedDriver::new);
    let gap = Unavailable("the driver leaves session overlap to its platform");
    assert_gaps(&report, [(Check::OverlapMemory, Outcome::Skipped(gap))]);
}

#[test]
fn what_a_test_bed_cannot_do_is_reported() {
    let mut sim = Simulation::new(None);
    sim.is_minimal = true;
    let report = report_for_simulated_driver(&sim);
    assert!(report.is_ok(), "\n{report}");
    let skipped = |check| report.outcome(check) == Some(&Outcome::Skipped(MINIMAL));
    let skipped: Vec<_> = Check::ALL.into_iter().filter(|check| skipped(*check)).collect();
    assert_eq!(
        skipped,
        [
            Check::KeepsLink,
            Check::ConfigLost,
            Check::Platform,
            Check::StaysOnAir,
            Check::WaitsBeforeDisconnect,
            Check::OnlyOne,
            Check::Keeps,
            Check::KeptInVain,
            Check::KeptRemoved,
            Check::KeptSameName,
            Check::PlatformDecides
        ],
        "\n{report}"
    );
    // Checks that observe the radio pass only in part: they rely on the driver's own reports.
    let passed = |check| report.outcome(check) == Some(&Outcome::Passed);
    let passed: Vec<_> = Check::ALL.into_iter().filter(|check| passed(*check)).collect();
    assert_eq!(passed, [Check::Overlap], "\n{report}");
}

#[test]
fn a_test_bed_that_cannot_see_kept_networks_says_so() {
    let mut sim = Simulation::new(None).with_kept_networks();
    sim.is_minimal = true;
    let report = report_for_simulated_driver(&sim);
    for (check, outcome) in [
        (Check::Keeps, Outcome::Partial(MINIMAL)),
        (Check::KeptInVain, Outcome::Partial(MINIMAL)),
        (Check::KeptRemoved, Outcome::Skipped(MINIMAL)),
        (Check::KeptSameName, Outcome::Skipped(MINIMAL)),
        (Check::PlatformDecides, Outcome::Skipped(MINIMAL)),
    ] {
        assert_eq!(report.outcome(check), Some(&outcome), "\n{report}");
    }
}

#[test]
fn a_driver_that_keeps_networks_where_the_platform_keeps_none_fails() {
    let sim = Simulation::new(None);
    sim.air.keep_networks(); // the test bed does not know it
    let report = report_for_simulated_driver(&sim);
    for check in [Check::Keeps, Check::KeptElsewhere] {
        let outcome = report.outcome(check);
        let Some(Outcome::Failed(failure)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(failure.wanted, Finding::KeptBy(KeptBy::Record));
        assert!(matches!(failure.found, Finding::KeptBy(KeptBy::Platform(_))), "{failure}");
    }
}

#[test]
fn a_short_no_press_window_is_reported() {
    let mut sim = Simulation::new(None);
    sim.limits = Limits { no_press_window: Duration::from_secs(120), ..Limits::default() };
    let mut test_bed = SimTestBed { sim: &sim, driver: |sim| sim.air.radio(&sim.clock) };
    let outcome = sim.block_on(run(Check::NoButtonPress, &mut test_bed)).outcome;
    let gap = Unavailable("the test bed did not wait for longer than two minutes");
    assert_eq!(outcome, Outcome::Partial(gap));
}

#[test]
fn a_failure_names_the_last_call() {
    for (flaw, check, last_call) in [
        (Flaw::ApplyTakesTooLong, Check::Station, "apply(station)"),
        (Flaw::LinkIsNeverUp, Check::Station, "link"),
        (Flaw::SnapshotTakesTooLong, Check::ReadOnly, "snapshot"),
        (Flaw::LinkDisconnects, Check::ReadOnly, "link"),
        (Flaw::ScanTakesTooLong, Check::Scan, "scan"),
        (Flaw::NoReconnect, Check::Reconnects, "maintain"),
        (Flaw::LinkTakesTooLong, Check::ReconnectsWhileQueried, "link"),
    ] {
        let sim = Simulation::new(Some(flaw));
        let mut test_bed = SimTestBed { sim: &sim, driver: FlawedDriver::new };
        let outcome = sim.block_on(run(check, &mut test_bed)).outcome;
        let Outcome::Failed(failure) = &outcome else { panic!("{flaw:?}: {outcome}") };
        assert_eq!(failure.last_call, Some(last_call), "{flaw:?}: {outcome}");
    }
}

#[test]
fn a_failure_is_a_sentence() {
    let sentence = |flaw, check| {
        let sim = Simulation::new(Some(flaw));
        let mut test_bed = SimTestBed { sim: &sim, driver: FlawedDriver::new };
        sim.block_on(run(check, &mut test_bed)).outcome.to_string()
    };
    assert_eq!(
        sentence(Flaw::PairTimesOut, Check::NoButtonPress),
        "FAILED: pair while no button is pressed: wanted no answer within 130 s, \
         found the error \"the radio failed\" (120.1 s after the start, last call: pair)"
    );
    assert_eq!(
        sentence(Flaw::NamesAreText, Check::OddCredentials).split(": wanted").next(),
        Some(
            r#"FAILED: pair and join (network "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")"#
        )
    );
    assert_eq!(
        sentence(Flaw::ReturnsDroppedOffer, Check::StaleOffer),
        "FAILED: pair with another router (after pair, dropped at poll 0): \
         wanted an offer of the network \"neighbour\", found an offer of the network \"home\" \
         (6.8 s after the start, last call: pair)"
    );
}
