//! Checks of what people do with their routers, or do not do.

use core::cell::{Cell, RefCell};
use core::future::{Future, pending, poll_fn, ready};
use core::pin::{Pin, pin};
use core::task::Poll;

use embassy_futures::select::{Either, Either3, select, select3};

use super::context::{GLANCE, TestContext, expect, kind};
use super::fixtures::seen_in;
use super::moment::within;
use super::report::Stop;
use super::{At, Failure, Finding, Outcome, TestBed, Unavailable, fixtures};
use crate::command::PAIRING_WINDOW;
use crate::driver::{ErrorKind, Offer, PairContext, PairEvent, SearchProgress, WifiDriver};
use crate::time::Clock;
use crate::wsc::{Bssid, Decision, OverlapDetector, Router, ScanPlan};

pub(super) async fn silence<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    const DURING: &str = "pair, and nobody presses a button";
    let home = fixtures::home();
    context.test_bed.switch_on(&home).await?;
    context.put("apply(station)", &fixtures::station(fixtures::old())).await?;
    let (told, at_the_end) = (RefCell::new(None), RefCell::new(None));
    let report = |news| match news {
        PairEvent::Progress(sight) => drop(told.replace(Some(sight))),
        PairEvent::OffAir | PairEvent::OnAir => {}
    };
    let pressed = Cell::new(false);
    let answer = {
        let TestContext { test_bed, driver, clock, limits, .. } = &mut context;
        let mut overlap_detector = OverlapDetector::new();
        let mut pair_context = PairContext::new(&mut overlap_detector, &report);
        let press = async {
            clock.sleep_until(clock.now().after(limits.silence)).await;
            at_the_end.replace(told.borrow().clone());
            pressed.set(true);
            test_bed.press(&home.ssid).await;
            clock.sleep_until(clock.now().after(limits.answer)).await;
        };
        match select(driver.pair(&mut pair_context), press).await {
            Either::First(answer) => Some(answer.map_err(kind)),
            Either::Second(()) => None,
        }
    };
    if !pressed.get() {
        let wanted = Finding::NoAnswer(context.limits.silence);
        return Err(Failure { during: DURING, at: At::Once, wanted, found: found(answer) }.into());
    }
    match at_the_end.take() {
        None => context.gap = Some(Unavailable("the driver does not tell what is in sight")),
        Some(SearchProgress::Looking | SearchProgress::NotPressed) => {}
        Some(
            sight @ (SearchProgress::NoRouter
            | SearchProgress::Pressed { .. }
            | SearchProgress::Exchanging { .. }),
        ) => expect(
            DURING,
            false,
            Finding::SearchProgress(SearchProgress::NotPressed),
            Finding::SearchProgress(sight),
        )?,
    }
    context.offered("pair, and a button is pressed at last", &home, answer)?;
    if context.limits.silence <= PAIRING_WINDOW {
        context.gap = Some(Unavailable("nobody waited for longer than two minutes"));
    }
    Ok(context.passed())
}

pub(super) async fn stays_on_air<S: TestBed>(context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    context.test_bed.looks_around()?;
    context.test_bed.seen().await?;
    context.test_bed.switch_on(&fixtures::home()).await?;
    expect_to_stay(context, "pair, before a button is pressed", pin!(ready(()))).await
}

pub(super) async fn waits_to_leave<S: TestBed>(
    context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    let home = fixtures::home();
    context.test_bed.seen().await?;
    context.test_bed.switch_on(&home).await?;
    context.test_bed.press(&home.ssid).await;
    expect_to_stay(context, "pair, while the answer is on its way", pin!(pending())).await
}

/// The radio stays with its network while `pair` is at work that may leave it after `reply_grace`.
async fn expect_to_stay<'p, S: TestBed>(
    mut context: TestContext<'_, S>,
    during: &'static str,
    reply_grace: Pin<&'p mut (dyn Future<Output = ()> + 'p)>,
) -> Result<Outcome, Stop> {
    let old = fixtures::station(fixtures::old());
    context.put("apply(station)", &old).await?;
    let wanted = seen_in(&old);
    let TestContext { test_bed, driver, clock, limits, .. } = &mut context;
    let mut overlap_detector = OverlapDetector::new();
    let mut pair_context =
        PairContext::new(&mut overlap_detector, &|_| {}).with_reply_grace(reply_grace);
    let watch = async {
        loop {
            match test_bed.seen().await {
                Ok(seen) if seen != wanted => return seen,
                Ok(_) | Err(_) => {}
            }
            clock.sleep_until(clock.now().after(GLANCE)).await;
        }
    };
    let over = clock.sleep_until(clock.now().after(limits.watch));
    let (wanted, found) = match select3(driver.pair(&mut pair_context), watch, over).await {
        Either3::First(answer) => {
            (Finding::NoAnswer(limits.watch), found(Some(answer.map_err(kind))))
        }
        Either3::Second(seen) => (Finding::Radio(wanted), Finding::Radio(seen)),
        Either3::Third(()) => return Ok(context.passed()),
    };
    Err(Failure { during, at: At::Once, wanted, found }.into())
}

pub(super) async fn overlap<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    for network in [fixtures::home(), fixtures::neighbour()] {
        context.test_bed.switch_on(&network).await?;
        context.test_bed.press(&network.ssid).await;
    }
    let answer = context.try_pair(&mut OverlapDetector::new(), context.limits.answer).await;
    expect_overlap("pair with two routers pressed", &context, answer)?;
    Ok(context.passed())
}

pub(super) async fn overlap_memory<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    let mut overlap_detector = OverlapDetector::new();
    let home = fixtures::home();
    context.test_bed.switch_on(&home).await?;
    context.test_bed.press(&home.ssid).await;
    let answer = context.try_pair(&mut overlap_detector, context.limits.answer).await;
    context.offered("pair", &home, answer)?;
    if !remembers(&overlap_detector) {
        return Err(Unavailable("the driver leaves session overlap to its platform").into());
    }
    context.test_bed.switch_off(&home.ssid).await;
    context.put("apply(station)", &fixtures::station(fixtures::old())).await?;
    context.test_bed.switch_on(&fixtures::neighbour()).await?;
    context.test_bed.press(&fixtures::neighbour().ssid).await;
    let answer = context.try_pair(&mut overlap_detector, context.limits.answer).await;
    expect_overlap("pair again in the same window, with another router", &context, answer)?;
    Ok(context.passed())
}

/// Whether a router was sighted: then a stranger would be one too many.
fn remembers(overlap_detector: &OverlapDetector) -> bool {
    let bssid = Bssid([0xff; 6]);
    let stranger = Router { bssid, frequency_mhz: 2412, ssid: None, uuid: None, signal_dbm: 0 };
    overlap_detector.clone().decide(&[stranger], &ScanPlan::new([])) == Decision::Overlap
}

pub(super) async fn router_vanishes<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    const DURING: &str = "pair, and the router goes away in the exchange";
    let (old, home) = (fixtures::station(fixtures::old()), fixtures::home());
    context.test_bed.switch_on(&home).await?;
    context.put("apply(station)", &old).await?;
    context.test_bed.press(&home.ssid).await;
    let begun = Cell::new(false);
    let report = |news| {
        if let PairEvent::Progress(SearchProgress::Exchanging { .. }) = news {
            begun.set(true);
        }
    };
    let answer = {
        let TestContext { test_bed, driver, clock, limits, .. } = &mut context;
        let mut overlap_detector = OverlapDetector::new();
        let mut pair_context = PairContext::new(&mut overlap_detector, &report);
        let plug = async {
            poll_fn(|_| if begun.get() { Poll::Ready(()) } else { Poll::Pending }).await;
            test_bed.switch_off(&home.ssid).await;
            clock.sleep_until(clock.now().after(limits.watch)).await;
        };
        let limit = limits.answer.saturating_add(limits.watch);
        match within(clock, limit, select(driver.pair(&mut pair_context), plug)).await {
            Some(Either::First(answer)) => Some(answer.map_err(kind)),
            Some(Either::Second(())) | None => None,
        }
    };
    if !begun.get() {
        return Err(Unavailable("the driver does not tell when the exchange begins").into());
    }
    match answer {
        // It had said everything before.
        Some(Ok(_)) => drop(context.offered(DURING, &home, answer)?),
        Some(Err(kind)) => {
            expect(DURING, !kind.is_final(), Finding::NoSuccess, Finding::Error(kind))?;
        }
        None => {}
    }
    context.put("apply(station) after a router went away", &old).await?;
    Ok(context.passed())
}

fn expect_overlap<S: TestBed>(
    during: &'static str,
    context: &TestContext<'_, S>,
    answer: Option<Result<Offer, ErrorKind>>,
) -> Result<(), Stop> {
    let found = match answer {
        Some(Err(ErrorKind::Overlap)) => return Ok(()),
        None => Finding::NoAnswer(context.limits.answer),
        Some(_) => found(answer),
    };
    expect(during, false, Finding::Error(ErrorKind::Overlap), found)
}

fn found(answer: Option<Result<Offer, ErrorKind>>) -> Finding {
    match answer {
        Some(Ok(offer)) => Finding::Offer(offer.at(0).ssid.clone()),
        Some(Err(kind)) => Finding::Error(kind),
        None => Finding::NoSuccess,
    }
}
