//! The device's button on virtual time: what counts as a press, and what a press does. Transcripts
//! of levels use milliseconds, scripts of a device use seconds.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use common::Environment;
use embassy_futures::block_on;
use embassy_futures::select::{Either4, select4};
use embedded_hal::digital::{Error, ErrorKind, ErrorType, InputPin};
use embedded_hal_async::digital::Wait;
use proptest::collection::vec;
use proptest::prelude::*;
use wps_core::button::{self, Action, Button, ButtonConfig, Polled, Press, ShortPress};
use wps_core::sim::{DiskFault, samples};
use wps_core::{Cause, Clock, Instant, Mode, Phase, Status};
use wps_testkit::{hotspot, off, ssid};

const DEBOUNCE: u64 = 30;
const LONG: u64 = 3_000;

/// The changes of a button: the time in milliseconds, and whether it is pressed from then on.
type Levels = [(u64, bool)];

/// Returns the presses if the button is sampled at each change and at each time that it asks for.
fn presses(levels: &Levels) -> Vec<(u64, Press)> {
    let mut button = Button::new(&ButtonConfig::default());
    let mut seen = Vec::new();
    let mut sample = |button: &mut Button, at: u64, pressed| {
        seen.extend(button.sample(Instant::from_millis(at), pressed).map(|press| (at, press)));
    };
    let (mut now, mut level) = (0, false);
    for (at, pressed) in levels.iter().copied().chain([(u64::MAX, false)]) {
        while let Some(next) =
            button.next_sample().map(Instant::as_millis).filter(|next| *next < at)
        {
            assert!(next > now || now == 0, "the next sample is not later than {now}");
            now = next;
            sample(&mut button, now, level);
        }
        if at < u64::MAX {
            (now, level) = (at, pressed);
            sample(&mut button, now, level);
        }
    }
    seen
}

/// Returns the presses if the button is sampled every millisecond until `end`.
fn presses_polled(levels: &Levels, end: u64) -> Vec<(u64, Press)> {
    let mut button = Button::new(&ButtonConfig::default());
    let level_at = |at| levels.iter().rev().find(|(since, _)| *since <= at);
    (0..end)
        .filter_map(|at| {
            let pressed = level_at(at).is_some_and(|(_, pressed)| *pressed);
            button.sample(Instant::from_millis(at), pressed).map(|press| (at, press))
        })
        .collect()
}

#[track_caller]
fn transcript(levels: &Levels, expected: &[(u64, Press)]) {
    assert_eq!(presses(levels), expected);
    let end = levels.last().map_or(0, |(at, _)| at + LONG + DEBOUNCE + 2);
    assert_eq!(presses_polled(levels, end), expected, "polled");
}

#[test]
fn a_short_press_is_reported_when_it_ends() {
    transcript(&[(0, false), (1_000, true), (1_200, false)], &[(1_230, Press::Short)]);
}

#[test]
fn a_long_press_is_reported_once_while_the_button_is_held() {
    transcript(&[(0, false), (1_000, true), (90_000, false)], &[(4_000, Press::Long)]);
    transcript(&[(0, false), (1_000, true)], &[(4_000, Press::Long)]);
}

#[test]
fn a_millisecond_separates_short_and_long() {
    transcript(&[(0, false), (1_000, true), (3_999, false)], &[(4_029, Press::Short)]);
    transcript(&[(0, false), (1_000, true), (4_001, false)], &[(4_000, Press::Long)]);
}

#[test]
fn a_contact_that_opens_for_a_moment_is_still_held() {
    let held = [(0, false), (1_000, true), (3_990, false), (4_010, true), (9_000, false)];
    transcript(&held, &[(4_010, Press::Long)]);
}

#[test]
fn bounces_are_ignored() {
    let bouncing = [
        (0, false),
        (1_000, true),
        (1_004, false),
        (1_005, true),
        (1_013, false),
        (1_014, true), // held from here on
        (1_500, false),
        (1_502, true),
        (1_509, false), // released from here on
    ];
    transcript(&bouncing, &[(1_539, Press::Short)]);
    transcript(&[(0, false), (1_000, true), (1_029, false)], &[]);
    transcript(&[(0, false), (1_000, true), (1_031, false)], &[(1_061, Press::Short)]);
}

#[test]
fn a_button_held_at_the_start_does_nothing_until_it_is_released() {
    let held = [(0, true), (60_000, false), (61_000, true), (61_500, false)];
    transcript(&held, &[(61_530, Press::Short)]);
    // A release for a moment does not count.
    transcript(&[(0, true), (5_000, false), (5_010, true), (60_000, false)], &[]);
}

#[test]
fn each_press_is_reported() {
    let levels = [(0, false), (100, true), (200, false), (300, true), (400, false), (500, true)];
    let expected = [(230, Press::Short), (430, Press::Short), (3_500, Press::Long)];
    transcript(&levels, &expected);
}

#[test]
fn without_debounce_a_level_counts_at_once() {
    let config = ButtonConfig { debounce: Duration::ZERO, ..ButtonConfig::default() };
    let mut button = Button::new(&config);
    let at = Instant::from_millis(7);
    assert_eq!(button.sample(at, false), None);
    assert_eq!(button.sample(at, true), None);
    assert_eq!(button.sample(at, false), Some(Press::Short));
}

#[test]
fn the_action_of_each_press_in_each_phase() {
    let joining = Phase::Joining { ssid: ssid(b"home") };
    let phases = [
        // phase, short press if ignored, short press if it starts, long press
        (Phase::Idle, None, Some(Action::Start), Some(Action::Start)),
        (Phase::Journaling, None, None, Some(Action::Cancel)),
        (Phase::Searching, None, None, Some(Action::Cancel)),
        (joining, None, None, Some(Action::Cancel)),
        (Phase::Saving, None, None, Some(Action::Cancel)),
        (Phase::Configuring, None, Some(Action::Start), Some(Action::Start)),
        (Phase::Restoring, None, Some(Action::Start), Some(Action::Start)),
    ];
    assert_eq!(phases.clone().map(|(phase, ..)| phase), samples::phases(), "every phase");
    for (phase, ignored, starts, long) in phases {
        let status = Status::new(phase, Mode::Off);
        let of = |press, short| Action::of(press, short, &status);
        assert_eq!(of(Press::Short, ShortPress::Ignored), ignored, "{status:?}");
        assert_eq!(of(Press::Short, ShortPress::Starts), starts, "{status:?}");
        assert_eq!(of(Press::Long, ShortPress::Ignored), long, "{status:?}");
        assert_eq!(of(Press::Long, ShortPress::Starts), long, "{status:?}");
    }
}

/// Generates levels that change too quickly to count. They alternate, starting with `pressed`.
fn bounces(pressed: bool) -> impl Strategy<Value = Vec<(u64, bool)>> {
    vec((1..DEBOUNCE, 1..DEBOUNCE), 0..6).prop_map(move |pairs| {
        let each = pairs.into_iter().flat_map(|(on, off)| [(on, pressed), (off, !pressed)]);
        each.collect()
    })
}

/// Converts consecutive levels with their lengths into levels with their start times.
fn timeline(steps: impl IntoIterator<Item = (u64, bool)>) -> Vec<(u64, bool)> {
    let mut at = 0;
    let mut start_of = |length| {
        at += length;
        at - length
    };
    steps.into_iter().map(|(length, level)| (start_of(length), level)).collect()
}

proptest! {
    #[test]
    fn a_bouncing_press_is_one_press(
        closing in bounces(true),
        // A level that ends in the millisecond in which it would start to count does not count, nor
        // does a long press that ends in the millisecond in which it would become long.
        held in DEBOUNCE + 1..2 * LONG,
        opening in bounces(false),
    ) {
        let mut steps = vec![(1_000, false)];
        steps.extend(closing);
        steps.push((held, true));
        steps.extend(opening);
        steps.push((1_000, false));
        let seen = presses(&timeline(steps));
        prop_assert_eq!(seen.len(), 1, "{:?}", seen);
        // Bounces at the release may make the press a little longer.
        if held < LONG - 6 * 2 * DEBOUNCE {
            prop_assert_eq!(seen[0].1, Press::Short);
        } else if held > LONG {
            prop_assert_eq!(seen[0].1, Press::Long);
        }
    }

    #[test]
    fn short_bounces_are_never_a_press(levels in bounces(true)) {
        let steps = [(1_000, false)].into_iter().chain(levels).chain([(1_000, false)]);
        prop_assert_eq!(presses(&timeline(steps)), []);
    }

    #[test]
    fn two_presses_have_a_release_between_them(
        steps in vec((1..4 * DEBOUNCE, any::<bool>()), 0..60),
        held in 1..2 * LONG,
    ) {
        let levels = timeline(steps.into_iter().chain([(held, true), (1_000, false)]));
        let seen = presses(&levels);
        let end = levels.last().map_or(0, |(at, _)| at + 1_000);
        let released = |at: u64| levels.iter().rev().find(|it| it.0 <= at).is_none_or(|it| !it.1);
        // Whether the button was released for the whole debounce time at some millisecond.
        let is_released_within = |from: u64, to: u64| {
            (from..to).any(|at| at >= DEBOUNCE && (at - DEBOUNCE..=at).all(released))
        };
        for pair in seen.windows(2) {
            prop_assert!(is_released_within(pair[0].0, pair[1].0 + 1), "{:?}", seen);
        }
        prop_assert_eq!(presses_polled(&levels, end), seen, "independent of the sampling rate");
    }
}

/// The contact of a button.
struct Contact {
    pressed: Cell<bool>,
    /// `wait_for` does not notice changes.
    misses_changes: Cell<bool>,
    failing: Cell<bool>,
}

#[derive(Debug)]
struct PinError;

impl Error for PinError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl Contact {
    const fn new(pressed: bool) -> Self {
        Self {
            pressed: Cell::new(pressed),
            misses_changes: Cell::new(false),
            failing: Cell::new(false),
        }
    }

    async fn wait_for(&self, high: bool) -> Result<(), PinError> {
        // There is no waker: `fast_forward` polls the task again.
        poll_fn(|_| match self.is_high() {
            Ok(now) if now != high || self.misses_changes.get() => Poll::Pending,
            level => Poll::Ready(level.map(|_| ())),
        })
        .await
    }

    /// Returns the level of a contact to ground with a pull-up.
    fn is_high(&self) -> Result<bool, PinError> {
        if self.failing.get() { Err(PinError) } else { Ok(!self.pressed.get()) }
    }
}

/// A pin that supports waiting for a level.
struct Pin<'c>(&'c Contact);

impl ErrorType for Pin<'_> {
    type Error = PinError;
}

impl InputPin for Pin<'_> {
    fn is_high(&mut self) -> Result<bool, PinError> {
        self.0.is_high()
    }

    fn is_low(&mut self) -> Result<bool, PinError> {
        self.0.is_high().map(|high| !high)
    }
}

impl Wait for Pin<'_> {
    async fn wait_for_high(&mut self) -> Result<(), PinError> {
        self.0.wait_for(true).await
    }

    async fn wait_for_low(&mut self) -> Result<(), PinError> {
        self.0.wait_for(false).await
    }

    async fn wait_for_rising_edge(&mut self) -> Result<(), PinError> {
        unreachable!("an edge between two waits would be missed")
    }

    async fn wait_for_falling_edge(&mut self) -> Result<(), PinError> {
        unreachable!("an edge between two waits would be missed")
    }

    async fn wait_for_any_edge(&mut self) -> Result<(), PinError> {
        unreachable!("an edge between two waits would be missed")
    }
}

/// The user of a device with a button.
struct User<'s> {
    env: &'s Environment,
    contact: &'s Contact,
}

impl User<'_> {
    async fn wait_until(&self, seconds: f64) {
        let at = Instant::from_millis((seconds * 1000.0).round() as u64);
        self.env.clock.sleep_until(at).await;
        yield_to_others().await;
    }

    fn press(&self) {
        self.contact.pressed.set(true);
    }

    fn release(&self) {
        self.contact.pressed.set(false);
    }

    #[track_caller]
    fn expect(&self, phase: Phase) {
        let status = self.env.control().status().expect("it has started");
        assert_eq!(status.phase, phase, "{status:?}");
    }

    #[track_caller]
    fn expect_ended(&self, result: Result<(), Cause>) {
        self.expect(Phase::Idle);
        let last = self.env.control().status().and_then(|status| status.last);
        assert_eq!(last.map(|last| last.result), Some(result));
    }
}

/// Yields until the other futures have done all that is due now.
async fn yield_to_others() {
    for _ in 0..16 {
        embassy_futures::yield_now().await;
    }
}

/// Runs a device until `script` ends. Returns the pin's error if that ends the button task before.
fn run_device(
    env: &Environment,
    button: impl Future<Output = PinError>,
    script: impl Future<Output = ()>,
) -> Option<PinError> {
    let device = async { env.runner().await.run().await };
    match block_on(select4(device, button, script, env.clock.fast_forward())) {
        Either4::Second(error) => Some(error),
        Either4::Third(()) => None,
    }
}

/// Runs `script` on a device in access point mode, once with a pin that supports waiting and once
/// with a polled pin.
fn with_button(config: ButtonConfig, held: bool, script: impl AsyncFn(User<'_>)) {
    for polled in [false, true] {
        let (env, contact) = (Environment::settled(hotspot(None)), Contact::new(held));
        let (pin, clock) = (Pin(&contact), &env.clock);
        let button = async {
            if polled {
                let pin = Polled::new(pin, clock, Duration::from_millis(10));
                button::run(pin, clock, env.control(), config).await
            } else {
                button::run(pin, clock, env.control(), config).await
            }
        };
        let script = script(User { env: &env, contact: &contact });
        assert!(run_device(&env, button, script).is_none());
    }
}

#[test]
fn a_long_press_starts_and_a_long_press_cancels() {
    with_button(ButtonConfig::default(), false, async |user| {
        user.wait_until(10.0).await;
        user.press();
        user.wait_until(12.95).await;
        user.expect(Phase::Idle);
        user.wait_until(13.05).await;
        user.expect(Phase::Searching); // while the button is still held
        user.wait_until(20.0).await;
        user.expect(Phase::Searching);
        user.release();

        user.wait_until(21.0).await;
        user.press();
        user.wait_until(23.95).await;
        user.expect(Phase::Searching);
        user.wait_until(25.0).await;
        user.expect_ended(Err(Cause::Cancelled));
        user.wait_until(60.0).await;
        user.expect_ended(Err(Cause::Cancelled)); // while it is held, no other pairing starts
    });
}

#[test]
fn a_held_button_pairs_once() {
    with_button(ButtonConfig::default(), false, async |user| {
        user.wait_until(10.0).await;
        user.press();
        user.wait_until(14.0).await;
        user.expect(Phase::Searching);
        user.env.air.press_button(b"home");
        user.wait_until(300.0).await;
        user.expect_ended(Ok(()));
    });
}

#[test]
fn a_short_press_does_nothing() {
    with_button(ButtonConfig::default(), false, async |user| {
        user.wait_until(10.0).await;
        user.press();
        user.wait_until(11.0).await;
        user.release();
        user.wait_until(20.0).await;
        user.expect(Phase::Idle);
    });
}

#[test]
fn a_short_press_starts_if_configured_and_never_cancels() {
    let config = ButtonConfig { short_press: ShortPress::Starts, ..ButtonConfig::default() };
    with_button(config, false, async |user| {
        for begin in [10.0, 20.0] {
            user.wait_until(begin).await;
            user.press();
            user.wait_until(begin + 0.2).await;
            user.release();
            user.wait_until(begin + 0.3).await;
            user.expect(Phase::Searching);
        }
    });
}

#[test]
fn a_device_that_boots_with_its_button_held_does_not_pair() {
    with_button(ButtonConfig::default(), true, async |user| {
        user.wait_until(30.0).await;
        user.expect(Phase::Idle);
        user.release();
        user.wait_until(31.0).await;
        user.press();
        user.wait_until(34.1).await;
        user.expect(Phase::Searching);
    });
}

#[test]
fn a_refused_start_does_not_end_the_button_task() {
    with_button(ButtonConfig::default(), false, async |user| {
        user.wait_until(10.0).await;
        user.env.disk.set_fault(Some(DiskFault::Full));
        user.press();
        user.wait_until(14.0).await;
        user.env.disk.set_fault(None);
        user.release();
        user.wait_until(60.0).await;
        user.expect_ended(Err(Cause::Store));
        user.press();
        user.wait_until(63.1).await;
        user.expect(Phase::Searching);
    });
}

#[test]
fn a_press_before_the_runner_has_started_is_lost() {
    let (env, contact) = (Environment::settled(off(None)), Contact::new(false));
    let clock = &env.clock;
    let button = button::run(Pin(&contact), clock, env.control(), ButtonConfig::default());
    let script = async {
        clock.sleep_until(Instant::from_millis(1_000)).await;
        contact.pressed.set(true);
        clock.sleep_until(Instant::from_millis(5_000)).await;
        contact.pressed.set(false);
    };
    assert!(matches!(
        block_on(select4(button, script, clock.fast_forward(), std::future::pending::<()>())),
        Either4::Second(())
    ));
    let mut sim = env.boot();
    sim.advance(1.0);
    sim.expect(Phase::Idle);
    assert_eq!(sim.status().last, None);
}

#[test]
fn a_press_is_long_only_if_the_pin_is_still_pressed() {
    let (env, contact) = (Environment::settled(off(None)), Contact::new(false));
    let button = button::run(Pin(&contact), &env.clock, env.control(), ButtonConfig::default());
    let script = async {
        let user = User { env: &env, contact: &contact };
        user.wait_until(10.0).await;
        user.press();
        user.wait_until(11.0).await;
        contact.misses_changes.set(true);
        user.release();
        user.wait_until(20.0).await;
        user.expect(Phase::Idle);
    };
    assert!(run_device(&env, button, script).is_none());
}

#[test]
fn a_failing_pin_ends_only_the_button_task() {
    let (env, contact) = (Environment::settled(off(None)), Contact::new(false));
    let button = button::run(Pin(&contact), &env.clock, env.control(), ButtonConfig::default());
    let log = RefCell::new(Vec::new());
    let script = async {
        let user = User { env: &env, contact: &contact };
        user.wait_until(10.0).await;
        contact.failing.set(true);
        log.borrow_mut().push("failing");
        user.wait_until(11.0).await;
        log.borrow_mut().push("still running");
    };
    assert!(run_device(&env, button, script).is_some());
    assert_eq!(*log.borrow(), ["failing"]);
}
