//! The device's lamp: each pattern as a transcript, what is told by which, and the task on virtual
//! time.

mod common;

use std::cell::{Cell, RefCell};
use std::time::Duration;

use common::{Site, hotspot, off, ssid};
use embassy_futures::block_on;
use embassy_futures::select::{Either4, select4};
use embedded_hal::digital::{Error, ErrorKind as PinErrorKind, ErrorType, OutputPin, PinState};
use wps_core::driver::SearchProgress;
use wps_core::lamp::{self, Light, Pattern};
use wps_core::sim::Router;
use wps_core::{
    Cause, Clock, ErrorKind, Instant, Mode, Phase, Record, Status, TaskKind, TaskResult,
};

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn status(phase: Phase, last: Option<TaskResult>) -> Status {
    let (seen, mode) = (SearchProgress::Looking, Mode::Station);
    Status { phase, deadline: None, seen, off_air: false, mode, network: None, last, trouble: None }
}

fn ended(task: TaskKind, result: Result<(), Cause>, at: u64) -> Status {
    status(Phase::Idle, Some(TaskResult { task, result, at: ms(at) }))
}

fn paired(result: Result<(), Cause>) -> Status {
    ended(TaskKind::Pair, result, 1_000)
}

const OVERLAP: Cause = Cause::Driver(ErrorKind::Overlap);

/// What the lamp does from a millisecond on: the times at which it changes, and to what.
fn changes(status: &Status, from: u64, to: u64) -> Vec<(u64, bool)> {
    let mut changes = Vec::new();
    let mut at = Some(ms(from));
    while let Some(now) = at.filter(|now| *now < ms(to)) {
        let light = Light::of(status, now);
        if changes.last().is_none_or(|(_, lit)| *lit != light.lit) {
            changes.push((now.as_millis(), light.lit));
        }
        assert!(light.next.is_none_or(|next| next > now), "it asks again and again at {now:?}");
        at = light.next;
    }
    // It does not change at any other moment.
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
    let seen = changes(&failed, 1_000, 500_000);
    assert_eq!(seen[..4], [(1_000, true), (1_100, false), (1_200, true), (1_300, false)]);
    assert_eq!(seen.last(), Some(&(120_900, false)));
    assert_eq!(Light::of(&failed, ms(120_999)).pattern, Pattern::Error);
    assert_eq!(Light::of(&failed, ms(121_000)).pattern, Pattern::Dark);
}

#[test]
fn overlap_for_two_minutes() {
    let failed = paired(Err(OVERLAP));
    let seen = changes(&failed, 1_000, 500_000);
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
        (1_900, false), // 0.1 s of the blink and 0.5 s
        (2_500, true),
    ];
    assert_eq!(seen[..11], blinks);
    assert!(seen.last().is_some_and(|(at, lit)| (119_000..121_000).contains(at) && !lit));
    assert_eq!(Light::of(&failed, ms(120_999)).pattern, Pattern::Overlap);
    assert_eq!(Light::of(&failed, ms(121_000)).pattern, Pattern::Dark);
}

#[test]
fn success_for_five_minutes() {
    assert_eq!(changes(&paired(Ok(())), 1_000, 500_000), [(1_000, true), (301_000, false)]);
}

#[test]
fn an_ending_long_past_is_dark_whenever_it_is_looked_at() {
    for result in [Ok(()), Err(OVERLAP), Err(Cause::NotJoined)] {
        let dark = Light { pattern: Pattern::Dark, lit: false, next: None };
        assert_eq!(Light::of(&paired(result), ms(301_000)), dark);
        assert_eq!(Light::of(&paired(result), ms(u64::MAX)), dark);
    }
}

#[test]
fn an_ending_shows_its_last_part_to_whoever_looks_late() {
    let late = Light::of(&paired(Ok(())), ms(300_000));
    assert_eq!(late, Light { pattern: Pattern::Success, lit: true, next: Some(ms(301_000)) });
}

#[test]
fn what_is_told_by_which_pattern() {
    let pattern = |status| Light::of(&status, ms(1_000)).pattern;
    for phase in
        [Phase::Journaling, Phase::Searching, Phase::Joining { ssid: ssid(b"home") }, Phase::Saving]
    {
        assert_eq!(pattern(status(phase, None)), Pattern::InProgress);
    }
    for phase in [Phase::Idle, Phase::Configuring, Phase::Restoring] {
        assert_eq!(pattern(status(phase, None)), Pattern::Dark);
    }
    let endings = [
        (TaskKind::Pair, Ok(()), Pattern::Success),
        (TaskKind::Pair, Err(OVERLAP), Pattern::Overlap),
        (TaskKind::Pair, Err(Cause::TimedOut), Pattern::Error),
        (TaskKind::Pair, Err(Cause::NotJoined), Pattern::Error),
        (TaskKind::Pair, Err(Cause::Store), Pattern::Error),
        (TaskKind::Pair, Err(Cause::Driver(ErrorKind::NoDevice)), Pattern::Error),
        (TaskKind::Pair, Err(Cause::Cancelled), Pattern::Dark),
        (TaskKind::Pair, Err(Cause::Interrupted), Pattern::Error),
        (TaskKind::Configure, Ok(()), Pattern::Dark),
        (TaskKind::Configure, Err(OVERLAP), Pattern::Dark),
        (TaskKind::Configure, Err(Cause::Store), Pattern::Dark),
        (TaskKind::Configure, Err(Cause::Interrupted), Pattern::Dark),
        (TaskKind::Configure, Err(Cause::Corrupt), Pattern::Error),
    ];
    for (task, result, expected) in endings {
        assert_eq!(pattern(ended(task, result, 1_000)), expected, "{task:?} {result:?}");
    }
    // While it is being put back, too.
    let last = Some(TaskResult { task: TaskKind::Pair, result: Err(OVERLAP), at: ms(900) });
    assert_eq!(pattern(status(Phase::Restoring, last)), Pattern::Overlap);
}

/// A lamp that notes what it is told and when, in milliseconds.
struct Lamp<'s> {
    site: &'s Site,
    told: &'s RefCell<Vec<(u64, PinState)>>,
    broken: &'s Cell<bool>,
}

#[derive(Debug)]
struct Broken;

impl Error for Broken {
    fn kind(&self) -> PinErrorKind {
        PinErrorKind::Other
    }
}

impl ErrorType for Lamp<'_> {
    type Error = Broken;
}

impl OutputPin for Lamp<'_> {
    fn set_low(&mut self) -> Result<(), Broken> {
        self.set_state(PinState::Low)
    }

    fn set_high(&mut self) -> Result<(), Broken> {
        self.set_state(PinState::High)
    }

    fn set_state(&mut self, level: PinState) -> Result<(), Broken> {
        if self.broken.get() {
            return Err(Broken);
        }
        self.told.borrow_mut().push((self.site.clock.now().as_millis(), level));
        Ok(())
    }
}

/// What a lamp on a low-active pin is told while `story` happens to a device.
fn watched(
    site: &Site,
    broken: &Cell<bool>,
    story: impl Future<Output = ()>,
) -> Vec<(u64, PinState)> {
    let told = RefCell::default();
    let lamp = Lamp { site, told: &told, broken };
    let lamp = lamp::serve(lamp, &site.clock, site.control(), PinState::Low);
    let device = async { site.runner().await.run().await };
    let Either4::Third(()) = block_on(select4(device, lamp, story, site.clock.fast_forward()));
    told.into_inner()
}

const ON: PinState = PinState::Low;
const OFF: PinState = PinState::High;

#[test]
fn a_lamp_tells_of_a_pairing() {
    let site = Site::settled(off(None));
    let sleep = |until| site.clock.sleep_until(ms(until));
    let told = watched(&site, &Cell::new(false), async {
        sleep(9_000).await;
        site.control().start(Duration::ZERO).await.expect("it starts");
        sleep(9_950).await;
        site.air.press(b"home");
        sleep(400_000).await;
    });
    let started = [(0, OFF), (9_000, ON), (9_200, OFF), (9_300, ON), (9_500, OFF), (9_600, ON)];
    assert_eq!(told[..6], started);
    let ended = site.control().status().and_then(|status| status.last).expect("it ended");
    assert_eq!(ended.result, Ok(()));
    let over = ended.at.as_millis() + 300_000;
    assert_eq!(told.last(), Some(&(over, OFF)));
    let before = told[told.len() - 2];
    assert!(before.1 == ON && before.0 <= ended.at.as_millis(), "{before:?}");
}

#[test]
fn a_lamp_tells_of_an_overlap() {
    let site = Site::settled(off(None));
    site.air.add(Router::new(b"neighbour", b"another key"));
    site.air.press(b"home");
    site.air.press(b"neighbour");
    let told = watched(&site, &Cell::new(false), async {
        site.clock.sleep_until(ms(9_000)).await;
        site.control().start(Duration::ZERO).await.expect("it starts");
        site.clock.sleep_until(ms(400_000)).await;
    });
    let ended = site.control().status().and_then(|status| status.last).expect("it ended");
    assert_eq!(ended.result, Err(OVERLAP));
    let at = ended.at.as_millis();
    let rest = told.iter().filter(|(when, _)| *when > at + 300).take(8);
    let expected = [400, 500, 600, 700, 800, 900, 1_500, 1_600].map(|after| at + after).into_iter();
    assert!(expected.eq(rest.map(|(when, _)| *when)), "{told:?}");
    assert_eq!(told.last().map(|it| it.1), Some(OFF));
    assert!(told.last().is_some_and(|(when, _)| *when <= at + 120_000));
}

#[test]
fn a_pairing_cut_short_is_told_at_the_next_start() {
    let site = Site::settled(off(None));
    let snapshot = wps_core::Snapshot::default();
    site.disk.put(&Record::Pairing { before: hotspot(None), snapshot });
    let told = watched(&site, &Cell::new(false), site.clock.sleep_until(ms(400_000)));
    assert_eq!(told[..4], [(0, OFF), (0, ON), (100, OFF), (200, ON)]);
    assert_eq!(told.last(), Some(&(119_900, OFF)));
}

#[test]
fn a_lamp_that_fails_is_tried_again_and_disturbs_nobody() {
    let (site, broken) = (Site::settled(off(None)), Cell::new(true));
    let told = watched(&site, &broken, async {
        site.clock.sleep_until(ms(9_000)).await;
        site.control().start(Duration::ZERO).await.expect("it starts");
        site.clock.sleep_until(ms(9_250)).await;
        broken.set(false);
        site.clock.sleep_until(ms(9_550)).await;
        broken.set(true);
        site.air.press(b"home");
        site.clock.sleep_until(ms(20_000)).await;
    });
    assert_eq!(told, [(9_300, ON), (9_500, OFF)]);
    let ended = site.control().status().and_then(|status| status.last).expect("it ended");
    assert_eq!(ended.result, Ok(()));
}

#[test]
fn a_lamp_waits_for_a_seat() {
    let site = Site::settled(off(None));
    let mut seats: Vec<_> = (0..common::FRONTS).map(|_| site.control().listen()).collect();
    assert!(seats.iter().all(Option::is_some) && site.control().listen().is_none());
    let told = watched(&site, &Cell::new(false), async {
        site.clock.sleep_until(ms(9_000)).await;
        site.control().start(Duration::ZERO).await.expect("it starts");
        site.clock.sleep_until(ms(10_500)).await;
        seats.pop();
        site.clock.sleep_until(ms(11_450)).await;
    });
    assert_eq!(told, [(0, OFF), (11_100, ON), (11_300, OFF), (11_400, ON)]);
}
