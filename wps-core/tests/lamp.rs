//! The device's lamp: the transcript of each pattern, the pattern of each status, and the lamp task
//! on virtual time.

mod common;

use std::cell::{Cell, RefCell};
use std::time::Duration;

use common::Environment;
use embassy_futures::block_on;
use embassy_futures::select::{Either4, select4};
use embedded_hal::digital::{Error, ErrorKind as PinErrorKind, ErrorType, OutputPin, PinState};
use wps_core::lamp::{self, Light, Pattern};
use wps_core::sim::{Router, samples};
use wps_core::{
    Cause, Clock, ErrorKind, Instant, Mode, Phase, Record, Status, TaskKind, TaskResult,
};
use wps_testkit::{hotspot, off};

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn status(phase: Phase, last: Option<TaskResult>) -> Status {
    let mut status = Status::new(phase, Mode::Station);
    status.last = last;
    status
}

fn ended(task: TaskKind, result: Result<(), Cause>, at: u64) -> Status {
    status(Phase::Idle, Some(TaskResult::new(task, result, ms(at))))
}

fn paired(result: Result<(), Cause>) -> Status {
    ended(TaskKind::Pair, result, 1_000)
}

const OVERLAP: Cause = Cause::Driver(ErrorKind::Overlap);

/// Returns the changes of the lamp between two times in milliseconds, starting with its first
/// level.
fn changes(status: &Status, from: u64, to: u64) -> Vec<(u64, bool)> {
    let mut changes = Vec::new();
    let mut at = Some(ms(from));
    while let Some(now) = at.filter(|now| *now < ms(to)) {
        let light = Light::of(status, now);
        if changes.last().is_none_or(|(_, lit)| *lit != light.lit) {
            changes.push((now.as_millis(), light.lit));
        }
        assert!(
            light.next_change.is_none_or(|next| next > now),
            "the next change is not later than {now:?}"
        );
        at = light.next_change;
    }
    // It does not change at any other time.
    for at in from..to {
        let (_, lit) = changes.iter().rev().find(|(since, _)| *since <= at).expect("a level");
        assert_eq!(Light::of(status, ms(at)).lit, *lit, "at {at}");
    }
    changes
}

#[test]
fn in_progress() {
    let running = status(Phase::Searching, None);
    let expected = [(3_000, true), (3_200, false), (3_300, true), (3_500, false), (3_600, true)];
    assert_eq!(changes(&running, 3_000, 3_601), expected);
}

#[test]
fn error_for_two_minutes() {
    let failed = paired(Err(Cause::TimedOut));
    let observed = changes(&failed, 1_000, 500_000);
    assert_eq!(observed[..4], [(1_000, true), (1_100, false), (1_200, true), (1_300, false)]);
    assert_eq!(observed.last(), Some(&(120_900, false)));
    assert_eq!(Light::of(&failed, ms(120_999)).pattern, Pattern::Error);
    assert_eq!(Light::of(&failed, ms(121_000)).pattern, Pattern::Dark);
}

#[test]
fn overlap_for_two_minutes() {
    let failed = paired(Err(OVERLAP));
    let observed = changes(&failed, 1_000, 500_000);
    let blinks = [
        (1_000, true),
        (1_100, false),
        (1_200, true),
        (1_300, false),
        (1_400, true),
        (1_500, false),
        (1_600, true),
        (1_700, false),
        (1_800, true),
        (1_900, false), // for 0.6 s: the rest of the blink, 0.1 s, and the gap, 0.5 s
        (2_500, true),
    ];
    assert_eq!(observed[..11], blinks);
    assert!(observed.last().is_some_and(|(at, lit)| (119_000..121_000).contains(at) && !lit));
    assert_eq!(Light::of(&failed, ms(120_999)).pattern, Pattern::Overlap);
    assert_eq!(Light::of(&failed, ms(121_000)).pattern, Pattern::Dark);
}

#[test]
fn success_for_five_minutes() {
    assert_eq!(changes(&paired(Ok(())), 1_000, 500_000), [(1_000, true), (301_000, false)]);
}

#[test]
fn a_result_of_long_ago_is_dark() {
    for result in [Ok(()), Err(OVERLAP), Err(Cause::NotJoined)] {
        let dark = Light { pattern: Pattern::Dark, lit: false, next_change: None };
        assert_eq!(Light::of(&paired(result), ms(301_000)), dark);
        assert_eq!(Light::of(&paired(result), ms(u64::MAX)), dark);
    }
}

#[test]
fn a_late_query_shows_the_rest_of_the_pattern() {
    let late = Light::of(&paired(Ok(())), ms(300_000));
    assert_eq!(
        late,
        Light { pattern: Pattern::Success, lit: true, next_change: Some(ms(301_000)) }
    );
}

/// Returns the pattern that the rules at the top of the lamp's page require.
fn pattern_of_result(task: TaskKind, result: Result<(), Cause>) -> Pattern {
    match (task, result) {
        (TaskKind::Pair, Ok(())) => Pattern::Success,
        (TaskKind::Pair, Err(OVERLAP | Cause::Driver(ErrorKind::OverlapWithoutChoice))) => {
            Pattern::Overlap
        }
        (TaskKind::Pair, Err(Cause::Cancelled)) => Pattern::Dark,
        (
            TaskKind::Pair,
            Err(
                Cause::TimedOut
                | Cause::CannotScan
                | Cause::NoRouter
                | Cause::NoWps
                | Cause::NotPressed
                | Cause::PressedLate
                | Cause::ExchangeTimedOut
                | Cause::NotJoined
                | Cause::JoinRefused
                | Cause::Store
                | Cause::Interrupted
                | Cause::Corrupt
                | Cause::KeyRefused
                | Cause::NotKept
                | Cause::NetworkRemoved
                | Cause::Driver(
                    ErrorKind::Refused
                    | ErrorKind::RefusedOrOverlap
                    | ErrorKind::RouterBusy
                    | ErrorKind::RouterLost
                    | ErrorKind::Insecure
                    | ErrorKind::Wep
                    | ErrorKind::TkipOnly
                    | ErrorKind::EmptyKey
                    | ErrorKind::NotOpen
                    | ErrorKind::InvalidKey
                    | ErrorKind::NoNetwork
                    | ErrorKind::WrongKey
                    | ErrorKind::NotFound
                    | ErrorKind::WithoutWpa2
                    | ErrorKind::Unsupported
                    | ErrorKind::WithoutWps
                    | ErrorKind::NoDevice
                    | ErrorKind::Unmanaged
                    | ErrorKind::Blocked
                    | ErrorKind::ManagedByOther
                    | ErrorKind::KeptElsewhere
                    | ErrorKind::NotPermitted
                    | ErrorKind::NoResponse
                    | ErrorKind::Other,
                ),
            ),
        ) => Pattern::Error,
        (TaskKind::Configure, Err(Cause::Corrupt)) => Pattern::Error,
        (TaskKind::Configure, _) => Pattern::Dark,
        _ => panic!("choose a pattern for {task:?} {result:?}"),
    }
}

#[test]
fn the_pattern_of_each_status() {
    let pattern = |status| Light::of(&status, ms(1_000)).pattern;
    for phase in samples::phases() {
        let expected = match phase {
            Phase::Journaling | Phase::Searching | Phase::Joining { .. } | Phase::Saving => {
                Pattern::InProgress
            }
            Phase::Idle | Phase::Configuring | Phase::Restoring => Pattern::Dark,
            _ => panic!("choose a pattern for {phase:?}"),
        };
        assert_eq!(pattern(status(phase.clone(), None)), expected, "{phase:?}");
    }
    for &task in TaskKind::ALL {
        let results = Cause::ALL.iter().map(|cause| Err(*cause));
        for result in results.chain([Ok(())]) {
            let expected = pattern_of_result(task, result);
            assert_eq!(pattern(ended(task, result, 1_000)), expected, "{task:?} {result:?}");
        }
    }
    // Also while the settings are being restored.
    let last = Some(TaskResult::new(TaskKind::Pair, Err(OVERLAP), ms(900)));
    assert_eq!(pattern(status(Phase::Restoring, last)), Pattern::Overlap);
}

/// A pin that records each level and its time in milliseconds.
struct RecordingPin<'s> {
    env: &'s Environment,
    levels: &'s RefCell<Vec<(u64, PinState)>>,
    failing: &'s Cell<bool>,
}

#[derive(Debug)]
struct PinError;

impl Error for PinError {
    fn kind(&self) -> PinErrorKind {
        PinErrorKind::Other
    }
}

impl ErrorType for RecordingPin<'_> {
    type Error = PinError;
}

impl OutputPin for RecordingPin<'_> {
    fn set_low(&mut self) -> Result<(), PinError> {
        self.set_state(PinState::Low)
    }

    fn set_high(&mut self) -> Result<(), PinError> {
        self.set_state(PinState::High)
    }

    fn set_state(&mut self, level: PinState) -> Result<(), PinError> {
        if self.failing.get() {
            return Err(PinError);
        }
        self.levels.borrow_mut().push((self.env.clock.now().as_millis(), level));
        Ok(())
    }
}

/// Runs a device with a lamp on an active-low pin until `script` ends. Returns the levels of the
/// pin.
fn record_levels(
    env: &Environment,
    failing: &Cell<bool>,
    script: impl Future<Output = ()>,
) -> Vec<(u64, PinState)> {
    let levels = RefCell::default();
    let lamp = RecordingPin { env, levels: &levels, failing };
    let lamp = lamp::run(lamp, &env.clock, env.control(), PinState::Low);
    let device = async { env.runner().await.run().await };
    let Either4::Third(()) = block_on(select4(device, lamp, script, env.clock.fast_forward()));
    levels.into_inner()
}

const ON: PinState = PinState::Low;
const OFF: PinState = PinState::High;

#[test]
fn a_lamp_shows_a_pairing() {
    let env = Environment::settled(off(None));
    let sleep = |until| env.clock.sleep_until(ms(until));
    let levels = record_levels(&env, &Cell::new(false), async {
        sleep(9_000).await;
        env.control().start(Duration::ZERO).await.expect("it starts");
        sleep(9_950).await;
        env.air.press_button(b"home");
        sleep(400_000).await;
    });
    let started = [(0, OFF), (9_000, ON), (9_200, OFF), (9_300, ON), (9_500, OFF), (9_600, ON)];
    assert_eq!(levels[..6], started);
    let ended = env.control().status().and_then(|status| status.last).expect("it ended");
    assert_eq!(ended.result, Ok(()));
    let over = ended.at.as_millis() + 300_000;
    assert_eq!(levels.last(), Some(&(over, OFF)));
    let before = levels[levels.len() - 2];
    assert!(before.1 == ON && before.0 <= ended.at.as_millis(), "{before:?}");
}

#[test]
fn a_lamp_shows_an_overlap() {
    let env = Environment::settled(off(None));
    env.air.add_router(Router::new(b"neighbour", b"another key"));
    env.air.press_button(b"home");
    env.air.press_button(b"neighbour");
    let levels = record_levels(&env, &Cell::new(false), async {
        env.clock.sleep_until(ms(9_000)).await;
        env.control().start(Duration::ZERO).await.expect("it starts");
        env.clock.sleep_until(ms(400_000)).await;
    });
    let ended = env.control().status().and_then(|status| status.last).expect("it ended");
    assert_eq!(ended.result, Err(OVERLAP));
    let at = ended.at.as_millis();
    let rest = levels.iter().filter(|(when, _)| *when > at + 300).take(8);
    let expected = [400, 500, 600, 700, 800, 900, 1_500, 1_600].map(|after| at + after).into_iter();
    assert!(expected.eq(rest.map(|(when, _)| *when)), "{levels:?}");
    assert_eq!(levels.last().map(|it| it.1), Some(OFF));
    assert!(levels.last().is_some_and(|(when, _)| *when <= at + 120_000));
}

#[test]
fn an_interrupted_pairing_is_shown_after_the_next_boot() {
    let env = Environment::settled(off(None));
    let snapshot = wps_core::Snapshot::default();
    env.disk.write_record(&Record::Pairing { before: hotspot(None), snapshot });
    let levels = record_levels(&env, &Cell::new(false), env.clock.sleep_until(ms(400_000)));
    assert_eq!(levels[..4], [(0, OFF), (0, ON), (100, OFF), (200, ON)]);
    assert_eq!(levels.last(), Some(&(119_900, OFF)));
}

#[test]
fn a_failing_lamp_is_retried_and_does_not_disturb_the_pairing() {
    let (env, failing) = (Environment::settled(off(None)), Cell::new(true));
    let levels = record_levels(&env, &failing, async {
        env.clock.sleep_until(ms(9_000)).await;
        env.control().start(Duration::ZERO).await.expect("it starts");
        env.clock.sleep_until(ms(9_250)).await;
        failing.set(false);
        env.clock.sleep_until(ms(9_550)).await;
        failing.set(true);
        env.air.press_button(b"home");
        env.clock.sleep_until(ms(20_000)).await;
    });
    assert_eq!(levels, [(9_300, ON), (9_500, OFF)]);
    let ended = env.control().status().and_then(|status| status.last).expect("it ended");
    assert_eq!(ended.result, Ok(()));
}

#[test]
fn a_lamp_waits_for_a_free_listener() {
    let env = Environment::settled(off(None));
    let mut listeners: Vec<_> = (0..common::SLOTS).map(|_| env.control().listen()).collect();
    assert!(listeners.iter().all(Option::is_some) && env.control().listen().is_none());
    let levels = record_levels(&env, &Cell::new(false), async {
        env.clock.sleep_until(ms(9_000)).await;
        env.control().start(Duration::ZERO).await.expect("it starts");
        env.clock.sleep_until(ms(10_500)).await;
        listeners.pop();
        env.clock.sleep_until(ms(11_450)).await;
    });
    assert_eq!(levels, [(0, OFF), (11_100, ON), (11_300, OFF), (11_400, ON)]);
}
