//! Checks of `apply`, of `pair` from every mode, and of the methods that only read.

use core::cell::Cell;

use embassy_futures::select::{Either, select};

use super::context::{POLL_INTERVAL, TestContext};
use super::fixtures::expected_state;
use super::futures::with_timeout;
use super::report::Stop;
use super::{Failure, Finding, Outcome, TestBed, fixtures};
use crate::driver::WifiDriver;
use crate::settings::{Settings, Snapshot};
use crate::time::Clock;

pub(super) async fn station<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    let old = fixtures::station(fixtures::old());
    // With no network in range, `apply` must return without a link.
    let absent = fixtures::station(fixtures::absent());
    context
        .apply("apply(station) of a network out of range", &absent, &Snapshot::default())
        .await?;
    for _ in 0..2 {
        context.apply_and_expect("apply(station)", &old).await?;
    }
    context.expect_stable_state("after apply(station)", &expected_state(&old)).await?;
    Ok(context.passed())
}

pub(super) async fn reconnects<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    let old = fixtures::station(fixtures::old());
    context.apply_and_expect("apply(station)", &old).await?;
    context.stop_router_and_wait(&fixtures::old()).await;
    context.test_bed.start_router(&fixtures::old()).await?;
    context.expect_state("after its router came back", &expected_state(&old)).await?;
    Ok(context.passed())
}

pub(super) async fn config_lost<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    context.test_bed.supports_independent_restart()?;
    let old = fixtures::station(fixtures::old());
    context.apply_and_expect("apply(station)", &old).await?;
    context.expect_config_kept("config_lost while the link is up").await?;
    context.stop_router_and_wait(&fixtures::old()).await;
    context.expect_config_kept("config_lost while the router is off").await?;
    context.test_bed.start_router(&fixtures::old()).await?;
    context.test_bed.restart_platform().await?;
    let timeout = context.limits.response_timeout;
    let lost = with_timeout(&context.clock, timeout, context.driver.config_lost()).await;
    context.expect_success("config_lost after the platform restarted", lost.map(Ok))?;
    context.apply_and_expect("apply(station) of the lost configuration", &old).await?;
    context.expect_config_kept("config_lost after another apply").await?;
    Ok(context.passed())
}

pub(super) async fn access_point<S: TestBed>(context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    switch_and_return(context, "apply(access point)", &fixtures::hotspot()).await
}

pub(super) async fn off<S: TestBed>(context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    switch_and_return(context, "apply(off)", &fixtures::off()).await
}

/// Switches from station mode to `settings`, and back.
async fn switch_and_return<S: TestBed>(
    mut context: TestContext<'_, S>,
    step: &'static str,
    settings: &Settings,
) -> Result<Outcome, Stop> {
    let old = fixtures::station(fixtures::old());
    context.apply_and_expect("apply(station)", &old).await?;
    for _ in 0..2 {
        context.apply_and_expect(step, settings).await?;
    }
    context.expect_stable_state(step, &expected_state(settings)).await?;
    context.apply_and_expect("apply(station) after another mode", &old).await?;
    Ok(context.passed())
}

pub(super) async fn platform<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    const STEP: &str = "apply(platform) with its snapshot";
    let platform = Settings::Platform;
    context.apply_and_expect("apply(platform)", &platform).await?;
    context.test_bed.start_router(&fixtures::home()).await?;
    let snapshot = context.snapshot("snapshot").await?;
    for is_dropped in [true, false] {
        if is_dropped {
            context.drop_pair(&fixtures::home(), 0, true).await?;
        } else {
            context.pair_and_join("pair and join", &fixtures::home()).await?;
        }
        for _ in 0..2 {
            context.apply(STEP, &platform, &snapshot).await?;
            context.expect_state(STEP, &expected_state(&platform)).await?;
        }
        context.expect_stable_state("after apply(platform)", &expected_state(&platform)).await?;
    }
    Ok(context.passed())
}

pub(super) async fn pairing<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    context.test_bed.start_router(&fixtures::home()).await?;
    for (step, settings) in initial_modes() {
        match context.apply_and_expect(step, &settings).await {
            Err(Stop::Skipped(gap)) => context.gap = Some(gap),
            applied => {
                applied?;
                context.pair_and_join(step, &fixtures::home()).await?;
            }
        }
    }
    Ok(context.passed())
}

pub(super) async fn read_only<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    for (step, settings) in initial_modes() {
        match context.apply_and_expect(step, &settings).await {
            Err(Stop::Skipped(gap)) => context.gap = Some(gap),
            applied => {
                applied?;
                read_and_observe(&mut context, &settings).await?;
            }
        }
    }
    Ok(context.passed())
}

/// Calls `snapshot` and `link` repeatedly while the test bed observes the radio.
async fn read_and_observe<S: TestBed>(
    context: &mut TestContext<'_, S>,
    settings: &Settings,
) -> Result<(), Stop> {
    let wanted = expected_state(settings);
    let TestContext { test_bed, driver, clock, limits, .. } = context;
    let gap = Cell::new(None);
    let read = async {
        let deadline = clock.now().after(limits.watch_window);
        while clock.now() < deadline {
            let succeeded = (driver.snapshot().await.is_ok(), driver.link().await.is_ok());
            if succeeded != (true, true) {
                return false;
            }
            clock.sleep_until(clock.now().after(POLL_INTERVAL)).await;
        }
        true
    };
    let observe = async {
        loop {
            match test_bed.observe().await {
                Ok(state) if state != wanted => return state,
                Ok(_) => {}
                Err(unavailable) => gap.set(Some(unavailable)),
            }
            clock.sleep_until(clock.now().after(POLL_INTERVAL)).await;
        }
    };
    let timeout = limits.watch_window.saturating_add(limits.response_timeout);
    let result = with_timeout(clock, timeout, select(read, observe)).await;
    context.gap = context.gap.or(gap.take());
    let (wanted, found) = match result {
        Some(Either::First(true)) => return Ok(()),
        // Calls each method once more by itself, to report which one fails and how.
        Some(Either::First(false)) => {
            context.snapshot("snapshot").await?;
            return context.link("link").await.map(drop);
        }
        Some(Either::Second(state)) => (Finding::Observed(wanted), Finding::Observed(state)),
        None => (Finding::Success, Finding::Pending(timeout)),
    };
    let case = None;
    Err(Failure { step: "snapshot and link", case, wanted, found }.into())
}

/// Returns the modes in which a pairing can begin.
fn initial_modes() -> [(&'static str, Settings); 3] {
    [
        ("from station mode", fixtures::station(fixtures::old())),
        ("from access-point mode", fixtures::hotspot()),
        ("from off", fixtures::off()),
    ]
}
