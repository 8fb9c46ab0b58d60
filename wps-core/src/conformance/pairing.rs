//! Checks of `pair`: how it waits for a button, leaves the network, judges overlap and fails.

use core::cell::{Cell, RefCell};
use core::future::{Future, pending, poll_fn, ready};
use core::pin::{Pin, pin};
use core::task::Poll;

use embassy_futures::select::{Either, Either3, select, select3};

use super::context::{POLL_INTERVAL, TestContext, expect, log_error};
use super::fixtures::expected_state;
use super::futures::with_timeout;
use super::report::Stop;
use super::{Failure, Finding, Outcome, TestBed, Unavailable, fixtures};
use crate::command::PAIRING_WINDOW;
use crate::driver::{ErrorKind, Offer, PairContext, PairEvent, SearchProgress, WifiDriver};
use crate::time::Clock;
use crate::wsc::{Bssid, Decision, OverlapDetector, Router, ScanPlan};

pub(super) async fn no_button_press<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    const STEP: &str = "pair while no button is pressed";
    let home = fixtures::home();
    context.test_bed.start_router(&home).await?;
    context.apply_and_expect("apply(station)", &fixtures::station(fixtures::old())).await?;
    let (progress, progress_before_press) = (RefCell::new(None), RefCell::new(None));
    let on_event = |event| match event {
        PairEvent::Progress(latest) => drop(progress.replace(Some(latest))),
        PairEvent::OffAir | PairEvent::OnAir => {}
    };
    let pressed = Cell::new(false);
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
            Either::First(result) => Some(result.map_err(log_error)),
            Either::Second(()) => None,
        }
    };
    if !pressed.get() {
        let wanted = Finding::Pending(context.limits.no_press_window);
        let found = to_finding(result);
        return Err(Failure { step: STEP, case: None, wanted, found }.into());
    }
    match progress_before_press.take() {
        None => context.gap = Some(Unavailable("the driver does not report search progress")),
        Some(SearchProgress::Looking | SearchProgress::NotPressed) => {}
        Some(
            progress @ (SearchProgress::NoRouter
            | SearchProgress::Pressed { .. }
            | SearchProgress::Exchanging { .. }),
        ) => expect(
            STEP,
            false,
            Finding::SearchProgress(SearchProgress::NotPressed),
            Finding::SearchProgress(progress),
        )?,
    }
    context.expect_offer("pair after a late button press", &home, result)?;
    if context.limits.no_press_window <= PAIRING_WINDOW {
        context.gap = Some(Unavailable("the test bed did not wait for longer than two minutes"));
    }
    Ok(context.passed())
}

pub(super) async fn stays_on_air<S: TestBed>(context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    context.test_bed.supports_background_scan()?;
    context.test_bed.observe().await?;
    context.test_bed.start_router(&fixtures::home()).await?;
    expect_to_stay(context, "pair, before a button is pressed", pin!(ready(()))).await
}

pub(super) async fn waits_before_disconnect<S: TestBed>(
    context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    let home = fixtures::home();
    context.test_bed.observe().await?;
    context.test_bed.start_router(&home).await?;
    context.test_bed.press_button(&home.ssid).await;
    expect_to_stay(context, "pair, during the reply grace", pin!(pending())).await
}

/// Fails if the radio leaves its network, or `pair` returns, within the watch window. `pair` may
/// leave only after `reply_grace`.
async fn expect_to_stay<'p, S: TestBed>(
    mut context: TestContext<'_, S>,
    step: &'static str,
    reply_grace: Pin<&'p mut (dyn Future<Output = ()> + 'p)>,
) -> Result<Outcome, Stop> {
    let old = fixtures::station(fixtures::old());
    context.apply_and_expect("apply(station)", &old).await?;
    let wanted = expected_state(&old);
    let TestContext { test_bed, driver, clock, limits, .. } = &mut context;
    let mut overlap_detector = OverlapDetector::new();
    let mut pair_context =
        PairContext::new(&mut overlap_detector, &|_| {}).with_reply_grace(reply_grace);
    let observe = async {
        loop {
            match test_bed.observe().await {
                Ok(state) if state != wanted => return state,
                Ok(_) | Err(_) => {}
            }
            clock.sleep_until(clock.now().after(POLL_INTERVAL)).await;
        }
    };
    let timeout = clock.sleep_until(clock.now().after(limits.watch_window));
    let (wanted, found) = match select3(driver.pair(&mut pair_context), observe, timeout).await {
        Either3::First(result) => {
            (Finding::Pending(limits.watch_window), to_finding(Some(result.map_err(log_error))))
        }
        Either3::Second(state) => (Finding::Observed(wanted), Finding::Observed(state)),
        Either3::Third(()) => return Ok(context.passed()),
    };
    Err(Failure { step, case: None, wanted, found }.into())
}

pub(super) async fn overlap<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    for network in [fixtures::home(), fixtures::neighbour()] {
        context.test_bed.start_router(&network).await?;
        context.test_bed.press_button(&network.ssid).await;
    }
    let timeout = context.limits.response_timeout;
    let result = context.try_pair(&mut OverlapDetector::new(), timeout).await;
    expect_overlap("pair with two routers pressed", &context, result)?;
    Ok(context.passed())
}

pub(super) async fn overlap_memory<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    let mut overlap_detector = OverlapDetector::new();
    let (home, neighbour) = (fixtures::home(), fixtures::neighbour());
    let timeout = context.limits.response_timeout;
    context.test_bed.start_router(&home).await?;
    context.test_bed.press_button(&home.ssid).await;
    let result = context.try_pair(&mut overlap_detector, timeout).await;
    context.expect_offer("pair", &home, result)?;
    if !has_recorded_router(&overlap_detector) {
        return Err(Unavailable("the driver leaves session overlap to its platform").into());
    }
    context.test_bed.stop_router(&home.ssid).await;
    context.apply_and_expect("apply(station)", &fixtures::station(fixtures::old())).await?;
    context.test_bed.start_router(&neighbour).await?;
    context.test_bed.press_button(&neighbour.ssid).await;
    let result = context.try_pair(&mut overlap_detector, timeout).await;
    expect_overlap("pair again in the same window, with another router", &context, result)?;
    Ok(context.passed())
}

/// Returns whether the detector has recorded a pressed router: another one would be an overlap
/// then.
fn has_recorded_router(overlap_detector: &OverlapDetector) -> bool {
    let bssid = Bssid([0xff; 6]);
    let other = Router { bssid, frequency_mhz: 2412, ssid: None, uuid: None, signal_dbm: 0 };
    overlap_detector.clone().decide(&[other], &ScanPlan::new([])) == Decision::Overlap
}

pub(super) async fn router_vanishes<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
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
        Some(Ok(_)) => drop(context.expect_offer(STEP, &home, result)?),
        Some(Err(kind)) => {
            expect(STEP, !kind.is_final(), Finding::NoSuccess, Finding::Error(kind))?;
        }
        None => {}
    }
    context.apply_and_expect("apply(station) after a router went away", &old).await?;
    Ok(context.passed())
}

fn expect_overlap<S: TestBed>(
    step: &'static str,
    context: &TestContext<'_, S>,
    result: Option<Result<Offer, ErrorKind>>,
) -> Result<(), Stop> {
    let found = match result {
        Some(Err(ErrorKind::Overlap)) => return Ok(()),
        None => Finding::Pending(context.limits.response_timeout),
        Some(_) => to_finding(result),
    };
    expect(step, false, Finding::Error(ErrorKind::Overlap), found)
}

/// Converts the result of `pair`; `None` if it did not return.
fn to_finding(result: Option<Result<Offer, ErrorKind>>) -> Finding {
    match result {
        Some(Ok(offer)) => Finding::Offer(offer.at(0).ssid.clone()),
        Some(Err(kind)) => Finding::Error(kind),
        None => Finding::NoSuccess,
    }
}
