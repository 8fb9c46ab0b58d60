//! Checks of the methods that only query the radio: `snapshot`, `link` and `scan`.

use super::context::{POLL_INTERVAL, TestContext, expect_success};
use super::fixtures::{self, expected_state};
use super::futures::{timed, while_in_state};
use super::report::{Failure, Stop};
use super::{Finding, TestBed, Unavailable};
use crate::command::SNAPSHOT_TIMEOUT;
use crate::driver::WifiDriver;
use crate::runner::{LINK_TIMEOUT, SCAN_TIMEOUT};
use crate::settings::{Mode, Settings};
use crate::time::Clock;

pub(super) async fn read_only<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    for (step, settings) in fixtures::initial_modes() {
        let applied = context.apply_and_expect(step, &settings).await;
        if context.skip_part(applied)? {
            read_and_observe(&mut context, &settings).await?;
        }
    }
    Ok(())
}

/// Calls `snapshot` and `link` repeatedly while the test bed observes the radio.
async fn read_and_observe<S: TestBed>(
    context: &mut TestContext<'_, S>,
    settings: &Settings,
) -> Result<(), Stop> {
    if let Err(gap) = context.test_bed.observe().await {
        context.log.add_gap(gap);
    }
    let wanted = expected_state(settings);
    let deadline = context.clock.now().after(context.limits.watch_window);
    while context.clock.now() < deadline {
        let TestContext { test_bed, driver, clock, log, .. } = &mut *context;
        log.last_call = Some("snapshot");
        let snapshot = timed(clock, SNAPSHOT_TIMEOUT, driver.snapshot());
        let snapshot = while_in_state(*test_bed, clock, "snapshot", &wanted, snapshot).await?;
        expect_success("snapshot", snapshot)?;
        log.last_call = Some("link");
        let link = timed(clock, LINK_TIMEOUT, driver.link());
        let link = while_in_state(*test_bed, clock, "link", &wanted, link).await?;
        match context.reported_link("link", link)?.map(|link| context.compare(&link, &wanted)) {
            None => {
                let gap = Unavailable("the driver does not report its link");
                context.log.add_gap(gap);
            }
            Some(Ok(())) => {}
            Some(Err((wanted, found))) => return Err(Failure::new("link", wanted, found).into()),
        }
        context.rest("after snapshot and link", POLL_INTERVAL).await?;
    }
    Ok(())
}

pub(super) async fn scan<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    for (step, settings) in fixtures::initial_modes() {
        let applied = context.apply_and_expect(step, &settings).await;
        if context.skip_part(applied)? {
            scan_and_observe(&mut context, &settings).await?;
        }
    }
    Ok(())
}

/// Calls `scan` while the test bed observes the radio. A radio that is an access point or off may
/// be unable to scan.
async fn scan_and_observe<S: TestBed>(
    context: &mut TestContext<'_, S>,
    settings: &Settings,
) -> Result<(), Stop> {
    let wanted = expected_state(settings);
    let TestContext { test_bed, driver, clock, log, .. } = &mut *context;
    if let Err(gap) = test_bed.observe().await {
        log.add_gap(gap);
    }
    log.last_call = Some("scan");
    let scan = timed(clock, SCAN_TIMEOUT, driver.scan());
    let result = while_in_state(*test_bed, clock, "scan", &wanted, scan).await?;
    let is_optional = settings.mode() != Mode::Station;
    if !(is_optional && matches!(result, Err(Finding::Error(_)))) {
        let results = expect_success("scan", result)?;
        if !is_optional && results.iter().next().is_none() {
            log.add_gap(Unavailable("the driver does not scan"));
        }
    }
    context.expect_stable_state("after scan", &wanted).await
}
