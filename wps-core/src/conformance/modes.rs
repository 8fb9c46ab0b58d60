//! Checks of `apply`, of the link that it sets up, and of `pair` from every mode.

use core::time::Duration;

use super::context::{TestContext, expect, unexpected};
use super::fixtures::{self, expected_state};
use super::report::{Failure, Finding, Stop};
use super::{ObservedState, TestBed, Unavailable};
use crate::driver::IdleEvent;
use crate::settings::{Settings, Snapshot};

/// A radio tries its network with growing pauses: this many times the limit for a response.
const KEY_TRIES: u32 = 4;

pub(super) async fn station<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    let old = fixtures::station(fixtures::old());
    // With no network in range, `apply` must return without a link.
    let absent = fixtures::station(fixtures::absent());
    context
        .apply("apply(station) of a network out of range", &absent, &Snapshot::default())
        .await?;
    for _ in 0..2 {
        context.apply_and_expect("apply(station)", &old).await?;
    }
    context.expect_stable_state("after apply(station)", &expected_state(&old)).await
}

pub(super) async fn keeps_link<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    const STEP: &str = "apply of the settings in force";
    context.test_bed.observe().await?;
    for settings in [fixtures::station(fixtures::old()), fixtures::hotspot()] {
        let applied = context.apply_and_expect("apply", &settings).await;
        if context.skip_part(applied)? {
            context.apply_again(STEP, &settings).await?;
        }
    }
    context.test_bed.start_router(&fixtures::home()).await?;
    context.join("join", &fixtures::home()).await?;
    context.apply_again("apply of the joined network", &fixtures::station(fixtures::home())).await
}

pub(super) async fn joins_later<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    const STEP: &str = "after apply(station) of a network out of range";
    let home = fixtures::station(fixtures::home());
    context.apply("apply(station)", &home, &Snapshot::default()).await?;
    context.rest(STEP, context.limits.watch_window).await?;
    context.expect_link(Duration::ZERO, STEP, &ObservedState::Nothing).await?;
    context.test_bed.start_router(&fixtures::home()).await?;
    context.expect_state("after the network came into range", &expected_state(&home)).await
}

pub(super) async fn reconnects<S: TestBed>(
    mut context: TestContext<'_, S>,
    link_is_queried: bool,
) -> Result<(), Stop> {
    const STEP: &str = "while the router is off";
    let old = fixtures::station(fixtures::old());
    context.apply_and_expect("apply(station)", &old).await?;
    context.link_is_queried = link_is_queried;
    context.stop_router_and_wait(STEP, &fixtures::old()).await?;
    let timeout = context.limits.response_timeout;
    context.expect_link(timeout, STEP, &ObservedState::Nothing).await?;
    context.test_bed.start_router(&fixtures::old()).await?;
    context.expect_state("after its router came back", &expected_state(&old)).await
}

pub(super) async fn config_lost<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    context.test_bed.supports_independent_restart()?;
    for link_is_queried in [false, true] {
        context.link_is_queried = link_is_queried;
        expect_config_lost(&mut context).await?;
    }
    Ok(())
}

async fn expect_config_lost<S: TestBed>(context: &mut TestContext<'_, S>) -> Result<(), Stop> {
    let (old, time) = (fixtures::station(fixtures::old()), context.limits.watch_window);
    context.apply_and_expect("apply(station)", &old).await?;
    context.rest("while the link is up", time).await?;
    context.stop_router_and_wait("while the router is off", &fixtures::old()).await?;
    context.test_bed.start_router(&fixtures::old()).await?;
    context.test_bed.restart_platform().await?;
    context.expect_idle_event("after the platform restarted", IdleEvent::ConfigLost).await?;
    context.apply_and_expect("apply(station) of the lost configuration", &old).await?;
    context.rest("after another apply", time).await
}

pub(super) async fn key_refused<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    const STEP: &str = "after the network has changed its key";
    let network = fixtures::home();
    let (home, time) = (fixtures::station(network.clone()), context.limits.watch_window);
    context.test_bed.start_router(&network).await?;
    context.apply_and_expect("apply(station)", &home).await?;
    let mut is_reported = false;
    for link_is_queried in [false, true] {
        context.link_is_queried = link_is_queried;
        context.stop_router_and_wait("while the router is off", &network).await?;
        context.test_bed.start_router(&fixtures::home_with_another_key()).await?;
        let timeout = context.limits.response_timeout.saturating_mul(KEY_TRIES);
        match context.next_idle_event(STEP, timeout).await? {
            Some(IdleEvent::KeyRefused) => is_reported = true,
            Some(event) => return Err(unexpected(STEP, event)),
            None if is_reported => {
                let wanted = Finding::IdleEvent(IdleEvent::KeyRefused);
                return Err(Failure::new(STEP, wanted, Finding::Pending(timeout)).into());
            }
            None => return Err(Unavailable("the driver does not report a refused key").into()),
        }
        context.rest(STEP, time).await?;
        context.stop_router_and_wait("while the router is off again", &network).await?;
        context.test_bed.start_router(&network).await?;
        const ACCEPTED: &str = "after the network has its first key again";
        let event = context.next_idle_event(ACCEPTED, timeout).await?;
        let found = event.map_or(Finding::Pending(timeout), Finding::IdleEvent);
        let wanted = IdleEvent::KeyAccepted;
        expect(ACCEPTED, event == Some(wanted), Finding::IdleEvent(wanted), found)?;
        context.expect_state(ACCEPTED, &expected_state(&home)).await?;
        context.rest(ACCEPTED, time).await?;
    }
    Ok(())
}

pub(super) async fn access_point<S: TestBed>(context: TestContext<'_, S>) -> Result<(), Stop> {
    switch_and_return(context, "apply(access point)", &fixtures::hotspot()).await
}

pub(super) async fn off<S: TestBed>(context: TestContext<'_, S>) -> Result<(), Stop> {
    switch_and_return(context, "apply(off)", &fixtures::off()).await
}

/// Switches from station mode to `settings`, and back.
async fn switch_and_return<S: TestBed>(
    mut context: TestContext<'_, S>,
    step: &'static str,
    settings: &Settings,
) -> Result<(), Stop> {
    let old = fixtures::station(fixtures::old());
    context.apply_and_expect("apply(station)", &old).await?;
    for _ in 0..2 {
        context.apply_and_expect(step, settings).await?;
    }
    context.expect_stable_state(step, &expected_state(settings)).await?;
    context.apply_and_expect("apply(station) after another mode", &old).await
}

pub(super) async fn pairing<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    context.test_bed.start_router(&fixtures::home()).await?;
    for (step, settings) in fixtures::initial_modes() {
        let applied = context.apply_and_expect(step, &settings).await;
        if context.skip_part(applied)? {
            context.pair_and_join(step, &fixtures::home()).await?;
        }
    }
    Ok(())
}

pub(super) async fn platform<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    const STEP: &str = "apply(platform) with its snapshot";
    let platform = Settings::Platform;
    context.apply_and_expect("apply(platform)", &platform).await?;
    context.test_bed.start_router(&fixtures::home()).await?;
    for is_dropped in [true, false] {
        let snapshot = context.begin_task().await?;
        if is_dropped {
            context.drop_pair(&fixtures::home(), 0, true).await?;
        } else {
            context.pair_and_join("pair and join", &fixtures::home()).await?;
        }
        for _ in 0..2 {
            context.apply(STEP, &platform, &snapshot).await?;
            context.expect_state(STEP, &expected_state(&platform)).await?;
        }
        context.end_task();
        context.expect_stable_state("after apply(platform)", &expected_state(&platform)).await?;
    }
    Ok(())
}
