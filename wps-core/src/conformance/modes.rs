//! Checks of `apply`, and of the verbs that only look.

use core::cell::Cell;

use embassy_futures::select::{Either, select};

use super::context::{GLANCE, TestContext};
use super::fixtures::seen_in;
use super::moment::within;
use super::report::Stop;
use super::{At, Failure, Finding, Outcome, TestBed, fixtures};
use crate::driver::WifiDriver;
use crate::settings::{Settings, Snapshot};
use crate::time::Clock;

pub(super) async fn station<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    let old = fixtures::station(fixtures::old());
    // There is no link to wait for.
    let absent = fixtures::station(fixtures::absent());
    context
        .apply("apply(station) of a network out of range", &absent, &Snapshot::default())
        .await?;
    for _ in 0..2 {
        context.put("apply(station)", &old).await?;
    }
    context.expect_still("after apply(station)", &seen_in(&old)).await?;
    Ok(context.passed())
}

pub(super) async fn reconnects<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    let old = fixtures::station(fixtures::old());
    context.put("apply(station)", &old).await?;
    context.take_away(&fixtures::old()).await;
    context.test_bed.switch_on(&fixtures::old()).await?;
    context.expect_radio("after its router came back", &seen_in(&old)).await?;
    Ok(context.passed())
}

pub(super) async fn lost<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    context.test_bed.restarts_alone()?;
    let old = fixtures::station(fixtures::old());
    context.put("apply(station)", &old).await?;
    context.expect_not_lost("lost, with the link up").await?;
    context.take_away(&fixtures::old()).await;
    context.expect_not_lost("lost, with the router gone").await?;
    context.test_bed.switch_on(&fixtures::old()).await?;
    context.test_bed.restart_platform().await?;
    let answer = within(&context.clock, context.limits.answer, context.driver.config_lost()).await;
    context.done("lost, after the platform began anew", answer.map(Ok))?;
    context.put("apply(station) of what was lost", &old).await?;
    context.expect_not_lost("lost, after it was told again").await?;
    Ok(context.passed())
}

pub(super) async fn access_point<S: TestBed>(context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    there_and_back(context, "apply(access point)", &fixtures::hotspot()).await
}

pub(super) async fn off<S: TestBed>(context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    there_and_back(context, "apply(off)", &fixtures::off()).await
}

async fn there_and_back<S: TestBed>(
    mut context: TestContext<'_, S>,
    during: &'static str,
    settings: &Settings,
) -> Result<Outcome, Stop> {
    let old = fixtures::station(fixtures::old());
    context.put("apply(station)", &old).await?;
    for _ in 0..2 {
        context.put(during, settings).await?;
    }
    context.expect_still(during, &seen_in(settings)).await?;
    context.put("apply(station) after another mode", &old).await?;
    Ok(context.passed())
}

pub(super) async fn platform<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    let before = Settings::Platform;
    context.put("apply(platform)", &before).await?;
    context.test_bed.switch_on(&fixtures::home()).await?;
    let snapshot = context.snapshot("snapshot").await?;
    for dropped in [true, false] {
        if dropped {
            context.drop_pair(&fixtures::home(), 0, true).await?;
        } else {
            context.pair_and_join("pair and join", &fixtures::home()).await?;
        }
        for _ in 0..2 {
            context.apply("apply(platform) with its snapshot", &before, &snapshot).await?;
            context.expect_radio("apply(platform) with its snapshot", &seen_in(&before)).await?;
        }
        context.expect_still("after apply(platform)", &seen_in(&before)).await?;
    }
    Ok(context.passed())
}

pub(super) async fn pairing<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    context.test_bed.switch_on(&fixtures::home()).await?;
    for (during, settings) in modes() {
        match context.put(during, &settings).await {
            Err(Stop::Skipped(gap)) => context.gap = Some(gap),
            put => {
                put?;
                context.pair_and_join(during, &fixtures::home()).await?;
            }
        }
    }
    Ok(context.passed())
}

pub(super) async fn looking<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    for (during, settings) in modes() {
        match context.put(during, &settings).await {
            Err(Stop::Skipped(gap)) => context.gap = Some(gap),
            put => {
                put?;
                look(&mut context, &settings).await?;
            }
        }
    }
    Ok(context.passed())
}

/// Looks at the radio from inside, and all the while from outside, too.
async fn look<S: TestBed>(
    context: &mut TestContext<'_, S>,
    settings: &Settings,
) -> Result<(), Stop> {
    let wanted = seen_in(settings);
    let TestContext { test_bed, driver, clock, limits, .. } = context;
    let gap = Cell::new(None);
    let work = async {
        let until = clock.now().after(limits.watch);
        while clock.now() < until {
            let looked = (driver.snapshot().await.is_ok(), driver.link().await.is_ok());
            if looked != (true, true) {
                return false;
            }
            clock.sleep_until(clock.now().after(GLANCE)).await;
        }
        true
    };
    let watch = async {
        loop {
            match test_bed.seen().await {
                Ok(seen) if seen != wanted => return seen,
                Ok(_) => {}
                Err(cannot) => gap.set(Some(cannot)),
            }
            clock.sleep_until(clock.now().after(GLANCE)).await;
        }
    };
    let limit = limits.watch.saturating_add(limits.answer);
    let ended = within(clock, limit, select(work, watch)).await;
    context.gap = context.gap.or(gap.take());
    let (wanted, found) = match ended {
        Some(Either::First(true)) => return Ok(()),
        // Again, by itself, to tell what it was.
        Some(Either::First(false)) => {
            context.snapshot("snapshot").await?;
            return context.link("link").await.map(drop);
        }
        Some(Either::Second(seen)) => (Finding::Radio(wanted), Finding::Radio(seen)),
        None => (Finding::Done, Finding::NoAnswer(limit)),
    };
    Err(Failure { during: "snapshot and link", at: At::Once, wanted, found }.into())
}

/// Where a pairing may begin.
fn modes() -> [(&'static str, Settings); 3] {
    [
        ("from station mode", fixtures::station(fixtures::old())),
        ("from access-point mode", fixtures::hotspot()),
        ("from off", fixtures::off()),
    ]
}
