//! Checks of `pair`: how it waits for a button, leaves the network, judges overlap and fails.

use core::cell::{Cell, RefCell};
use core::future::{Future, pending, poll_fn, ready};
use core::pin::{Pin, pin};
use core::task::Poll;

use embassy_futures::select::{Either, select};

use super::context::{TestContext, expect, expect_offer, log_error};
use super::fixtures::{self, expected_state};
use super::futures::{timed, while_in_state, with_timeout};
use super::report::{Failure, Finding, Stop};
use super::{Check, TestBed, Unavailable};
use crate::command::PAIRING_WINDOW;
use crate::driver::{ErrorKind, Offer, PairContext, PairEvent, SearchProgress, WifiDriver};
use crate::settings::Settings;
use crate::time::Clock;
use crate::wsc::{Bssid, Decision, OverlapDetector, Router, ScanPlan};

pub(super) async fn no_button_press<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<(), Stop> {
    const STEP: &str = "pair while no button is pressed";
    let home = fixtures::home();
    context.test_bed.start_router(&home).await?;
    context.apply_and_expect("apply(station)", &fixtures::station(fixtures::old())).await?;
    let (progress, progress_before_press) = (RefCell::new(None), RefCell::new(None));
    let on_event = |event| match event {
        PairEvent::Progress(latest) => drop(progress.replace(Some(latest))),
        PairEvent::Pressed(_) | PairEvent::OffAir | PairEvent::OnAir => {}
    };
    let pressed = Cell::new(false);
    context.begin_task().await?;
    context.begin("pair");
    let result = {
        let TestContext { test_bed, driver, clock, limits, .. } = &mut context;
        let mut overlap_detector = OverlapDetector::new();
        let mut pair_context = PairContext::new(&mut overlap_detector, &on_event);
        let press = async {
            clock.sleep_until(clock.now().after(limits.no_press_window)).await;
            progress_before_press.replace(progress.borrow().clone());
            pressed.set(true);
            test_bed.press_button(&home.ssid).await;
            clock.sleep_until(clock.now().after(limits.response_timeout)).await;
        };
        match select(driver.pair(&mut pair_context), press).await {
            Either::First(result) => result.map_err(|error| Finding::Error(log_error(error))),
            Either::Second(()) => Err(Finding::Pending(limits.response_timeout)),
        }
    };
    if !pressed.get() {
        let wanted = Finding::Pending(context.limits.no_press_window);
        return Err(Failure::new(STEP, wanted, to_finding(result)).into());
    }
    match progress_before_press.take() {
        None => context.log.add_gap(Unavailable("the driver does not report search progress")),
        Some(SearchProgress::Looking | SearchProgress::NotPressed) => {}
        Some(
            progress @ (SearchProgress::CannotScan
            | SearchProgress::NoRouter
            | SearchProgress::NoWps
            | SearchProgress::NotConfigured { .. }
            | SearchProgress::Pressed { .. }
            | SearchProgress::Exchanging { .. }),
        ) => expect(
            STEP,
            false,
            Finding::SearchProgress(SearchProgress::NotPressed),
            Finding::SearchProgress(progress),
        )?,
    }
    expect_offer("pair after a late button press", &home, result)?;
    if context.limits.no_press_window <= PAIRING_WINDOW {
        context.log.add_gap(Unavailable("the test bed did not wait for longer than two minutes"));
    }
    Ok(())
}

pub(super) async fn stays_on_air<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    context.test_bed.supports_background_scan()?;
    context.test_bed.observe().await?;
    context.test_bed.start_router(&fixtures::home()).await?;
    let old = fixtures::station(fixtures::old());
    context.apply_and_expect("apply(station)", &old).await?;
    let step = "pair, before a button is pressed";
    expect_to_stay(&mut context, step, &old, pin!(ready(()))).await
}

pub(super) async fn waits_before_disconnect<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<(), Stop> {
    const STEP: &str = "pair, during the reply grace";
    let home = fixtures::home();
    context.test_bed.observe().await?;
    context.test_bed.start_router(&home).await?;
    for settings in [fixtures::station(fixtures::old()), fixtures::hotspot()] {
        let applied = context.apply_and_expect("apply", &settings).await;
        if context.skip_part(applied)? {
            context.test_bed.press_button(&home.ssid).await;
            expect_to_stay(&mut context, STEP, &settings, pin!(pending())).await?;
        }
    }
    Ok(())
}

/// Fails if the radio leaves its network or stops its access point, or `pair` returns, within the
/// watch window. `pair` may disconnect only after `reply_grace`.
async fn expect_to_stay<'p, S: TestBed>(
    context: &mut TestContext<'_, S>,
    step: &'static str,
    settings: &Settings,
    reply_grace: Pin<&'p mut (dyn Future<Output = ()> + 'p)>,
) -> Result<(), Stop> {
    context.begin_task().await?;
    context.begin("pair");
    let mut overlap_detector = OverlapDetector::new();
    let mut pair_context =
        PairContext::new(&mut overlap_detector, &|_| {}).with_reply_grace(reply_grace);
    let TestContext { test_bed, driver, clock, limits, .. } = context;
    let pair = timed(clock, limits.watch_window, driver.pair(&mut pair_context));
    let wanted = expected_state(settings);
    match while_in_state(*test_bed, clock, step, &wanted, pair).await? {
        Err(Finding::Pending(_)) => Ok(()),
        result => {
            let wanted = Finding::Pending(limits.watch_window);
            Err(Failure::new(step, wanted, to_finding(result)).into())
        }
    }
}

/// The errors that a check accepts in place of the right one, because some radios cannot return it,
/// each with what the report then says. The check is then partial.
const ACCEPTED_ERRORS: [(Check, ErrorKind, Unavailable); 3] = {
    const GAP: Unavailable =
        Unavailable("the radio cannot distinguish a refusal from a session overlap");
    [
        (Check::Overlap, ErrorKind::RefusedOrOverlap, GAP),
        (Check::OverlapMemory, ErrorKind::RefusedOrOverlap, GAP),
        (Check::RouterVanishes, ErrorKind::RefusedOrOverlap, GAP),
    ]
};

impl<S: TestBed> TestContext<'_, S> {
    /// Returns whether `check` accepts an error of this kind in place of the right one, and records
    /// that.
    fn accepts(&mut self, check: Check, found: &Finding) -> bool {
        let mut accepted = ACCEPTED_ERRORS.into_iter();
        let accepted =
            accepted.find(|(of, kind, _)| *of == check && *found == Finding::Error(*kind));
        if let Some((.., gap)) = accepted {
            self.log.add_gap(gap);
        }
        accepted.is_some()
    }

    /// Fails unless `pair` returned the error for a session overlap, or one that `check` accepts.
    fn expect_overlap(
        &mut self,
        check: Check,
        step: &'static str,
        result: Result<Offer, Finding>,
    ) -> Result<(), Stop> {
        let (wanted, found) = (Finding::Error(ErrorKind::Overlap), to_finding(result));
        expect(step, found == wanted || self.accepts(check, &found), wanted, found)
    }
}

pub(super) async fn overlap<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    for network in [fixtures::home(), fixtures::neighbour()] {
        context.test_bed.start_router(&network).await?;
        context.test_bed.press_button(&network.ssid).await;
    }
    let result = context.try_pair(&mut OverlapDetector::new(), None).await?;
    context.expect_overlap(Check::Overlap, "pair with two routers pressed", result)
}

pub(super) async fn overlap_memory<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<(), Stop> {
    const STEP: &str = "pair again in the same window, with another router";
    let mut overlap_detector = OverlapDetector::new();
    let (home, neighbour) = (fixtures::home(), fixtures::neighbour());
    context.test_bed.start_router(&home).await?;
    context.test_bed.press_button(&home.ssid).await;
    let result = context.try_pair(&mut overlap_detector, None).await?;
    expect_offer("pair", &home, result)?;
    if !has_recorded_router(&overlap_detector) {
        return Err(Unavailable("the driver leaves session overlap to its platform").into());
    }
    context.test_bed.stop_router(&home.ssid).await;
    context.apply_and_expect("apply(station)", &fixtures::station(fixtures::old())).await?;
    context.test_bed.start_router(&neighbour).await?;
    context.test_bed.press_button(&neighbour.ssid).await;
    let result = context.try_pair(&mut overlap_detector, None).await?;
    context.expect_overlap(Check::OverlapMemory, STEP, result)
}

pub(super) async fn only_one<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    const WAIT_STEP: &str = "pair with one router while another one is pressed";
    if !context.driver.can_pair_with_one() {
        return Err(Unavailable("the driver cannot be limited to one access point").into());
    }
    let (other, chosen) = (fixtures::home(), fixtures::neighbour());
    for network in [&other, &chosen] {
        context.test_bed.start_router(network).await?;
    }
    context.apply_and_expect("apply(station)", &fixtures::station(fixtures::old())).await?;
    let only = Some(context.test_bed.bssid(&chosen.ssid).await?);
    let (window, mut overlap_detector) = (context.limits.watch_window, OverlapDetector::new());
    context.test_bed.press_button(&other.ssid).await;
    let result = context.try_pair_within(window, &mut overlap_detector, only).await?;
    let (wanted, found) = (Finding::Pending(window), to_finding(result));
    expect(WAIT_STEP, found == wanted, wanted, found)?;
    context.test_bed.press_button(&chosen.ssid).await;
    let result = context.try_pair(&mut overlap_detector, only).await?;
    expect_offer("pair with one of two pressed routers", &chosen, result).map(drop)
}

/// Returns whether the detector has recorded a pressed router: another access point may then be of
/// a second one.
fn has_recorded_router(overlap_detector: &OverlapDetector) -> bool {
    let bssid = Bssid([0xff; 6]);
    let other = Router { bssid, frequency_mhz: 2412, ssid: None, uuid: None, signal_dbm: 0 };
    let decision = overlap_detector.clone().decide(&[other], &ScanPlan::new([]));
    matches!(decision, Decision::LookAgain(_) | Decision::Overlap)
}

pub(super) async fn router_vanishes<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<(), Stop> {
    const STEP: &str = "pair, and the router goes away in the exchange";
    let (old, home) = (fixtures::station(fixtures::old()), fixtures::home());
    context.test_bed.start_router(&home).await?;
    context.apply_and_expect("apply(station)", &old).await?;
    context.test_bed.press_button(&home.ssid).await;
    let exchanging = Cell::new(false);
    let on_event = |event| {
        if let PairEvent::Progress(SearchProgress::Exchanging { .. }) = event {
            exchanging.set(true);
        }
    };
    context.begin_task().await?;
    context.begin("pair");
    let result = {
        let TestContext { test_bed, driver, clock, limits, .. } = &mut context;
        let mut overlap_detector = OverlapDetector::new();
        let mut pair_context = PairContext::new(&mut overlap_detector, &on_event);
        let stop_router = async {
            poll_fn(|_| if exchanging.get() { Poll::Ready(()) } else { Poll::Pending }).await;
            test_bed.stop_router(&home.ssid).await;
            clock.sleep_until(clock.now().after(limits.watch_window)).await;
        };
        let timeout = limits.response_timeout.saturating_add(limits.watch_window);
        let either = select(driver.pair(&mut pair_context), stop_router);
        match with_timeout(clock, timeout, either).await {
            Some(Either::First(result)) => Some(result.map_err(log_error)),
            Some(Either::Second(())) | None => None,
        }
    };
    if !exchanging.get() {
        return Err(Unavailable("the driver does not report when the exchange begins").into());
    }
    match result {
        // The router had sent its credentials before it stopped.
        Some(Ok(offer)) => drop(expect_offer(STEP, &home, Ok(offer))?),
        Some(Err(kind)) => {
            let found = Finding::Error(kind);
            let holds = !kind.is_final() || context.accepts(Check::RouterVanishes, &found);
            expect(STEP, holds, Finding::NoSuccess, found)?;
        }
        None => {}
    }
    context.apply_and_expect("apply(station) after a router went away", &old).await
}

/// Converts the result of `pair`.
fn to_finding(result: Result<Offer, Finding>) -> Finding {
    result.map_or_else(|found| found, |offer| Finding::Offer(offer.at(0).ssid.clone()))
}
