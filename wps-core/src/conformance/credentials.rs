//! Checks of unusual names and keys, of wrong ones, and of credentials that must not be stored.

use super::context::{POLL_INTERVAL, TestContext, expect};
use super::fixtures::expected_state;
use super::report::Stop;
use super::{Failure, Finding, ObservedState, Outcome, TestBed, TestCase, Unavailable, fixtures};
use crate::settings::Credentials;
use crate::time::Clock;

pub(super) async fn odd<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    for network in fixtures::odd_networks() {
        if let Err(gap) = context.test_bed.start_router(&network).await {
            context.gap = Some(gap);
            continue;
        }
        let joined = context.pair_and_join("pair and join", &network).await;
        joined.map_err(|stop| stop.in_case(TestCase::Network(network.ssid.clone())))?;
        context.stop_router_and_wait(&network).await;
    }
    Ok(context.passed())
}

pub(super) async fn wrong_key<S: TestBed>(context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    context.test_bed.start_router(&fixtures::home()).await?;
    expect_join_to_fail(context, "join with a wrong key", &fixtures::home_with_another_key()).await
}

pub(super) async fn not_in_range<S: TestBed>(context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    expect_join_to_fail(context, "join a network out of range", &fixtures::absent()).await
}

async fn expect_join_to_fail<S: TestBed>(
    mut context: TestContext<'_, S>,
    step: &'static str,
    network: &Credentials,
) -> Result<Outcome, Stop> {
    let old = fixtures::station(fixtures::old());
    context.apply_and_expect("apply(station)", &old).await?;
    let found = match context.try_join(network, context.limits.response_timeout).await {
        Some(Ok(())) => Some(Finding::Success),
        Some(Err(kind)) => kind.is_final().then_some(Finding::Error(kind)),
        None => None,
    };
    if let Some(found) = found {
        expect(step, false, Finding::NoSuccess, found)?;
    }
    expect_not_joined(&mut context, step, network).await?;
    context.apply_and_expect("apply(station) after a join that failed", &old).await?;
    Ok(context.passed())
}

/// How a pairing ends before the restart.
#[derive(Clone, Copy)]
enum Ending {
    Dropped,
    WrongKey,
    Joined,
}

pub(super) async fn nothing_stored<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    let (old, home) = (fixtures::station(fixtures::old()), fixtures::home());
    context.test_bed.start_router(&home).await?;
    let (mut storage_read, mut platform_restarted) = (false, false);
    for ending in [Ending::Dropped, Ending::WrongKey, Ending::Joined] {
        context.apply_and_expect("apply(station)", &old).await?;
        let step = match ending {
            Ending::Dropped => {
                context.drop_pair(&home, 1, true).await?;
                "after a pairing that was dropped and a restart"
            }
            Ending::WrongKey => {
                context.pair("pair", &home).await?;
                let wrong = fixtures::home_with_another_key();
                context.try_join(&wrong, context.limits.watch_window).await;
                "after a join that failed and a restart"
            }
            Ending::Joined => {
                context.pair_and_join("pair and join", &home).await?;
                "after a join and a restart"
            }
        };
        let restarted;
        (context, restarted) = context.restart().await;
        platform_restarted |= restarted;
        match context.test_bed.stores_credentials(&home).await {
            Ok(true) => {
                let wanted = Finding::NotStored(home.ssid.clone());
                expect(step, false, wanted, Finding::Stored(home.ssid.clone()))?;
            }
            Ok(false) => storage_read = true,
            Err(gap) => context.gap = Some(gap),
        }
        if restarted {
            expect_not_joined(&mut context, step, &home).await?;
        }
        context.apply_and_expect(step, &old).await?;
        context.expect_stable_state(step, &expected_state(&old)).await?;
    }
    match (storage_read, platform_restarted) {
        (false, false) => Err(Unavailable(
            "the test bed can neither restart the platform nor read what it stores",
        )
        .into()),
        (true, _) | (_, true) => Ok(context.passed()),
    }
}

/// Fails if the radio joins this network within the watch window.
async fn expect_not_joined<S: TestBed>(
    context: &mut TestContext<'_, S>,
    step: &'static str,
    network: &Credentials,
) -> Result<(), Stop> {
    let joined = ObservedState::Joined(network.ssid.clone());
    let deadline = context.clock.now().after(context.limits.watch_window);
    while context.clock.now() < deadline {
        if context.observe().await?.is_some_and(|state| state == joined) {
            let wanted = Finding::NotJoined(network.ssid.clone());
            let found = Finding::Observed(joined);
            return Err(Failure { step, case: None, wanted, found }.into());
        }
        context.clock.sleep_until(context.clock.now().after(POLL_INTERVAL)).await;
    }
    Ok(())
}
