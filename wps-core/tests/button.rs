//! The device's button: what counts as a press, what a press does, on virtual time. Times are in
//! milliseconds in transcripts of levels, in seconds in stories of a device.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use common::{Site, hotspot, off, ssid};
use embassy_futures::block_on;
use embassy_futures::select::{Either4, select4};
use embedded_hal::digital::{Error, ErrorKind, ErrorType, InputPin};
use embedded_hal_async::digital::Wait;
use proptest::collection::vec;
use proptest::prelude::*;
use wps_core::button::{self, Action, Button, ButtonConfig, Polled, Press, ShortPress};
use wps_core::driver::SearchProgress;
use wps_core::sim::DiskFault;
use wps_core::{Cause, Clock, Instant, Mode, Phase, Status};

const DEBOUNCE: u64 = 30;
const LONG: u64 = 3_000;

/// From this millisecond on the button is pressed, or not.
type Levels = [(u64, bool)];

/// The presses of a button that is told of each change of its level, and asked when it wants to be.
fn presses(levels: &Levels) -> Vec<(u64, Press)> {
    let mut button = Button::new(&ButtonConfig::default());
    let mut seen = Vec::new();
    let mut sample = |button: &mut Button, at: u64, pressed| {
        seen.extend(button.sample(Instant::from_millis(at), pressed).map(|press| (at, press)));
    };
    let (mut now, mut level) = (0, false);
    for (at, pressed) in levels.iter().copied().chain([(u64::MAX, false)]) {
        while let Some(next) = button.next().map(Instant::as_millis).filter(|next| *next < at) {
            assert!(next > now || now == 0, "it asks to be sampled again and again at {now}");
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

/// The same of a button that is looked at each millisecond, until `end`.
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
fn a_short_press_is_told_when_it_is_over() {
    transcript(&[(0, false), (1_000, true), (1_200, false)], &[(1_230, Press::Short)]);
}

#[test]
fn a_long_press_is_told_while_the_button_is_held_and_once() {
    transcript(&[(0, false), (1_000, true), (90_000, false)], &[(4_000, Press::Long)]);
    transcript(&[(0, false), (1_000, true)], &[(4_000, Press::Long)]);
}

#[test]
fn long_and_short_differ_by_a_millisecond() {
    transcript(&[(0, false), (1_000, true), (3_999, false)], &[(4_029, Press::Short)]);
    transcript(&[(0, false), (1_000, true), (4_001, false)], &[(4_000, Press::Long)]);
}

#[test]
fn a_contact_that_opens_for_a_moment_is_still_held() {
    let held = [(0, false), (1_000, true), (3_990, false), (4_010, true), (9_000, false)];
    transcript(&held, &[(4_010, Press::Long)]);
}

#[test]
fn bounces_are_no_presses() {
    let bouncing = [
        (0, false),
        (1_000, true),
        (1_004, false),
        (1_005, true),
        (1_013, false),
        (1_014, true), // from now on it is held
        (1_500, false),
        (1_502, true),
        (1_509, false), // from now on it is open
    ];
    transcript(&bouncing, &[(1_539, Press::Short)]);
    transcript(&[(0, false), (1_000, true), (1_029, false)], &[]);
    transcript(&[(0, false), (1_000, true), (1_031, false)], &[(1_061, Press::Short)]);
}

#[test]
fn a_button_held_at_the_start_does_nothing_until_it_is_released() {
    let held = [(0, true), (60_000, false), (61_000, true), (61_500, false)];
    transcript(&held, &[(61_530, Press::Short)]);
    // Not for a moment only.
    transcript(&[(0, true), (5_000, false), (5_010, true), (60_000, false)], &[]);
}

#[test]
fn each_press_is_told() {
    let levels = [(0, false), (100, true), (200, false), (300, true), (400, false), (500, true)];
    let expected = [(230, Press::Short), (430, Press::Short), (3_500, Press::Long)];
    transcript(&levels, &expected);
}

#[test]
fn a_source_that_does_not_bounce_is_believed_at_once() {
    let config = ButtonConfig { debounce: Duration::ZERO, ..ButtonConfig::default() };
    let mut button = Button::new(&config);
    let at = Instant::from_millis(7);
    assert_eq!(button.sample(at, false), None);
    assert_eq!(button.sample(at, true), None);
    assert_eq!(button.sample(at, false), Some(Press::Short));
}

#[test]
fn what_a_press_means() {
    let joining = Phase::Joining { ssid: ssid(b"home") };
    let phases = [
        // phase, short ignored, short starts, long
        (Phase::Idle, None, Some(Action::Start), Some(Action::Start)),
        (Phase::Journaling, None, None, Some(Action::Cancel)),
        (Phase::Searching, None, None, Some(Action::Cancel)),
        (joining, None, None, Some(Action::Cancel)),
        (Phase::Saving, None, None, Some(Action::Cancel)),
        (Phase::Configuring, None, Some(Action::Start), Some(Action::Start)),
        (Phase::Restoring, None, Some(Action::Start), Some(Action::Start)),
    ];
    for (phase, ignored, starts, long) in phases {
        let status = Status {
            phase,
            deadline: None,
            seen: SearchProgress::Looking,
            off_air: false,
            mode: Mode::Off,
            network: None,
            last: None,
            trouble: None,
        };
        let of = |press, short| Action::of(press, short, &status);
        assert_eq!(of(Press::Short, ShortPress::Ignored), ignored, "{status:?}");
        assert_eq!(of(Press::Short, ShortPress::Starts), starts, "{status:?}");
        assert_eq!(of(Press::Long, ShortPress::Ignored), long, "{status:?}");
        assert_eq!(of(Press::Long, ShortPress::Starts), long, "{status:?}");
    }
}

/// Levels that change so quickly that none of them counts; ends with `pressed`.
fn bounces(pressed: bool) -> impl Strategy<Value = Vec<(u64, bool)>> {
    vec((1..DEBOUNCE, 1..DEBOUNCE), 0..6).prop_map(move |pairs| {
        let each = pairs.into_iter().flat_map(|(on, off)| [(on, pressed), (off, !pressed)]);
        each.collect()
    })
}

/// Lengths and levels, one after the other, as levels and their times.
fn timeline(steps: impl IntoIterator<Item = (u64, bool)>) -> Vec<(u64, bool)> {
    let mut at = 0;
    let mut begins = |length| {
        at += length;
        at - length
    };
    steps.into_iter().map(|(length, level)| (begins(length), level)).collect()
}

proptest! {
    #[test]
    fn a_bouncing_press_is_one_press(
        closing in bounces(true),
        // A level that ends in the very millisecond in which it would count does not.
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
        // Bounces while it opens may make it a little longer than it was held.
        if held < LONG - 6 * 2 * DEBOUNCE {
            prop_assert_eq!(seen[0].1, Press::Short);
        } else if held >= LONG {
            prop_assert_eq!(seen[0].1, Press::Long);
        }
    }

    #[test]
    fn what_never_lasts_is_never_a_press(levels in bounces(true)) {
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
        // A millisecond in which the button has been open for as long as it takes to count.
        let rests = |from: u64, to: u64| {
            (from..to).any(|at| at >= DEBOUNCE && (at - DEBOUNCE..=at).all(released))
        };
        for pair in seen.windows(2) {
            prop_assert!(rests(pair[0].0, pair[1].0 + 1), "{:?}", seen);
        }
        prop_assert_eq!(presses_polled(&levels, end), seen, "however often it is looked at");
    }
}

/// The contact under a finger.
struct Contact {
    pressed: Cell<bool>,
    /// Whoever waits misses what changes.
    deaf: Cell<bool>,
    broken: Cell<bool>,
}

#[derive(Debug)]
struct Broken;

impl Error for Broken {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl Contact {
    const fn new(pressed: bool) -> Self {
        Self { pressed: Cell::new(pressed), deaf: Cell::new(false), broken: Cell::new(false) }
    }

    async fn wait_for(&self, high: bool) -> Result<(), Broken> {
        // Nobody wakes it: the clock's turns poll it again.
        poll_fn(|_| match self.is_high() {
            Ok(now) if now != high || self.deaf.get() => Poll::Pending,
            told => Poll::Ready(told.map(|_| ())),
        })
        .await
    }

    /// The contact is to ground, under a pull-up.
    fn is_high(&self) -> Result<bool, Broken> {
        if self.broken.get() { Err(Broken) } else { Ok(!self.pressed.get()) }
    }
}

/// A pin that can be waited on.
struct Pin<'c>(&'c Contact);

impl ErrorType for Pin<'_> {
    type Error = Broken;
}

impl InputPin for Pin<'_> {
    fn is_high(&mut self) -> Result<bool, Broken> {
        self.0.is_high()
    }

    fn is_low(&mut self) -> Result<bool, Broken> {
        self.0.is_high().map(|high| !high)
    }
}

impl Wait for Pin<'_> {
    async fn wait_for_high(&mut self) -> Result<(), Broken> {
        self.0.wait_for(true).await
    }

    async fn wait_for_low(&mut self) -> Result<(), Broken> {
        self.0.wait_for(false).await
    }

    async fn wait_for_rising_edge(&mut self) -> Result<(), Broken> {
        unreachable!("an edge between two waits would be missed")
    }

    async fn wait_for_falling_edge(&mut self) -> Result<(), Broken> {
        unreachable!("an edge between two waits would be missed")
    }

    async fn wait_for_any_edge(&mut self) -> Result<(), Broken> {
        unreachable!("an edge between two waits would be missed")
    }
}

/// A device with a button, and a person in front of it.
struct Person<'s> {
    site: &'s Site,
    contact: &'s Contact,
}

impl Person<'_> {
    async fn at(&self, seconds: f64) {
        let at = Instant::from_millis((seconds * 1000.0).round() as u64);
        self.site.clock.sleep_until(at).await;
        settle().await;
    }

    fn pushes(&self) {
        self.contact.pressed.set(true);
    }

    fn lets_go(&self) {
        self.contact.pressed.set(false);
    }

    #[track_caller]
    fn sees(&self, phase: Phase) {
        let status = self.site.control().status().expect("it has started");
        assert_eq!(status.phase, phase, "{status:?}");
    }

    #[track_caller]
    fn sees_ended(&self, result: Result<(), Cause>) {
        self.sees(Phase::Idle);
        let last = self.site.control().status().and_then(|status| status.last);
        assert_eq!(last.map(|last| last.result), Some(result));
    }
}

/// Lets everybody else do what there is to do now.
async fn settle() {
    for _ in 0..16 {
        embassy_futures::yield_now().await;
    }
}

/// Lets `story` happen; gives the pin's error if it comes first.
fn tell(
    site: &Site,
    button: impl Future<Output = Broken>,
    story: impl Future<Output = ()>,
) -> Option<Broken> {
    let device = async { site.runner().await.run().await };
    match block_on(select4(device, button, story, site.clock.fast_forward())) {
        Either4::Second(error) => Some(error),
        Either4::Third(()) => None,
    }
}

/// Tells a story of a device that was an access point, with a pin that can be waited on and with one
/// that cannot.
fn with_button(config: ButtonConfig, held: bool, story: impl AsyncFn(Person<'_>)) {
    for polled in [false, true] {
        let (site, contact) = (Site::settled(hotspot(None)), Contact::new(held));
        let (pin, clock) = (Pin(&contact), &site.clock);
        let button = async {
            if polled {
                let pin = Polled::new(pin, clock, Duration::from_millis(10));
                button::serve(pin, clock, site.control(), config).await
            } else {
                button::serve(pin, clock, site.control(), config).await
            }
        };
        let story = story(Person { site: &site, contact: &contact });
        assert!(tell(&site, button, story).is_none());
    }
}

#[test]
fn a_long_press_starts_and_a_long_press_cancels() {
    with_button(ButtonConfig::default(), false, async |person| {
        person.at(10.0).await;
        person.pushes();
        person.at(12.95).await;
        person.sees(Phase::Idle);
        person.at(13.05).await;
        person.sees(Phase::Searching); // and it is still held
        person.at(20.0).await;
        person.sees(Phase::Searching);
        person.lets_go();

        person.at(21.0).await;
        person.pushes();
        person.at(23.95).await;
        person.sees(Phase::Searching);
        person.at(25.0).await;
        person.sees_ended(Err(Cause::Cancelled));
        person.at(60.0).await;
        person.sees_ended(Err(Cause::Cancelled)); // held for ever, it never begins anew
    });
}

#[test]
fn a_held_button_pairs_once() {
    with_button(ButtonConfig::default(), false, async |person| {
        person.at(10.0).await;
        person.pushes();
        person.at(14.0).await;
        person.sees(Phase::Searching);
        person.site.air.press(b"home");
        person.at(300.0).await;
        person.sees_ended(Ok(()));
    });
}

#[test]
fn a_short_press_does_nothing() {
    with_button(ButtonConfig::default(), false, async |person| {
        person.at(10.0).await;
        person.pushes();
        person.at(11.0).await;
        person.lets_go();
        person.at(20.0).await;
        person.sees(Phase::Idle);
    });
}

#[test]
fn a_short_press_starts_if_it_is_to_and_never_cancels() {
    let config = ButtonConfig { short_press: ShortPress::Starts, ..ButtonConfig::default() };
    with_button(config, false, async |person| {
        for begin in [10.0, 20.0] {
            person.at(begin).await;
            person.pushes();
            person.at(begin + 0.2).await;
            person.lets_go();
            person.at(begin + 0.3).await;
            person.sees(Phase::Searching);
        }
    });
}

#[test]
fn a_device_that_boots_with_its_button_held_does_not_pair() {
    with_button(ButtonConfig::default(), true, async |person| {
        person.at(30.0).await;
        person.sees(Phase::Idle);
        person.lets_go();
        person.at(31.0).await;
        person.pushes();
        person.at(34.1).await;
        person.sees(Phase::Searching);
    });
}

#[test]
fn a_start_that_is_refused_does_not_end_the_button() {
    with_button(ButtonConfig::default(), false, async |person| {
        person.at(10.0).await;
        person.site.disk.set_fault(Some(DiskFault::Full));
        person.pushes();
        person.at(14.0).await;
        person.site.disk.set_fault(None);
        person.lets_go();
        person.at(60.0).await;
        person.sees_ended(Err(Cause::Store));
        person.pushes();
        person.at(63.1).await;
        person.sees(Phase::Searching);
    });
}

#[test]
fn a_press_before_the_device_has_started_is_lost() {
    let (site, contact) = (Site::settled(off(None)), Contact::new(false));
    let clock = &site.clock;
    let button = button::serve(Pin(&contact), clock, site.control(), ButtonConfig::default());
    let story = async {
        clock.sleep_until(Instant::from_millis(1_000)).await;
        contact.pressed.set(true);
        clock.sleep_until(Instant::from_millis(5_000)).await;
        contact.pressed.set(false);
    };
    assert!(matches!(
        block_on(select4(button, story, clock.fast_forward(), std::future::pending::<()>())),
        Either4::Second(())
    ));
    let mut world = site.boot();
    world.pass(1.0);
    world.expect(Phase::Idle);
    assert_eq!(world.status().last, None);
}

#[test]
fn a_press_counts_as_long_only_if_the_pin_still_says_so() {
    let (site, contact) = (Site::settled(off(None)), Contact::new(false));
    let button = button::serve(Pin(&contact), &site.clock, site.control(), ButtonConfig::default());
    let story = async {
        let person = Person { site: &site, contact: &contact };
        person.at(10.0).await;
        person.pushes();
        person.at(11.0).await;
        contact.deaf.set(true);
        person.lets_go();
        person.at(20.0).await;
        person.sees(Phase::Idle);
    };
    assert!(tell(&site, button, story).is_none());
}

#[test]
fn a_pin_that_fails_ends_the_button_and_nothing_else() {
    let (site, contact) = (Site::settled(off(None)), Contact::new(false));
    let button = button::serve(Pin(&contact), &site.clock, site.control(), ButtonConfig::default());
    let log = RefCell::new(Vec::new());
    let story = async {
        let person = Person { site: &site, contact: &contact };
        person.at(10.0).await;
        contact.broken.set(true);
        log.borrow_mut().push("broken");
        person.at(11.0).await;
        log.borrow_mut().push("still there");
    };
    assert!(tell(&site, button, story).is_some());
    assert_eq!(*log.borrow(), ["broken"]);
}
