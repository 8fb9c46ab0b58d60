//! Checks of names and keys: odd ones, wrong ones, and those that must not stay behind.

use super::context::{GLANCE, TestContext, expect};
use super::fixtures::seen_in;
use super::report::Stop;
use super::{At, Failure, Finding, ObservedState, Outcome, TestBed, Unavailable, fixtures};
use crate::settings::Credentials;
use crate::time::Clock;

pub(super) async fn odd<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    for network in fixtures::odd() {
        if let Err(gap) = context.test_bed.switch_on(&network).await {
            context.gap = Some(gap);
            continue;
        }
        let joined = context.pair_and_join("pair and join", &network).await;
        joined.map_err(|stop| stop.at(At::Network(network.ssid.clone())))?;
        context.take_away(&network).await;
    }
    Ok(context.passed())
}

pub(super) async fn wrong_key<S: TestBed>(context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    context.test_bed.switch_on(&fixtures::home()).await?;
    no_way_in(context, "join with a wrong key", &fixtures::home_with_another_key()).await
}

pub(super) async fn not_in_range<S: TestBed>(context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    no_way_in(context, "join a network out of range", &fixtures::absent()).await
}

async fn no_way_in<S: TestBed>(
    mut context: TestContext<'_, S>,
    during: &'static str,
    network: &Credentials,
) -> Result<Outcome, Stop> {
    let old = fixtures::station(fixtures::old());
    context.put("apply(station)", &old).await?;
    let found = match context.try_join(network, context.limits.answer).await {
        Some(Ok(())) => Some(Finding::Done),
        Some(Err(kind)) => kind.is_final().then_some(Finding::Error(kind)),
        None => None,
    };
    if let Some(found) = found {
        expect(during, false, Finding::NoSuccess, found)?;
    }
    expect_elsewhere(&mut context, during, network).await?;
    context.put("apply(station) after a join that failed", &old).await?;
    Ok(context.passed())
}

/// How a pairing may end before a restart.
#[derive(Clone, Copy)]
enum Ending {
    Dropped,
    WrongKey,
    Joined,
}

pub(super) async fn nothing_kept<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    let (old, home) = (fixtures::station(fixtures::old()), fixtures::home());
    context.test_bed.switch_on(&home).await?;
    let (mut looked, mut unplugged) = (false, false);
    for ending in [Ending::Dropped, Ending::WrongKey, Ending::Joined] {
        context.put("apply(station)", &old).await?;
        let during = match ending {
            Ending::Dropped => {
                context.drop_pair(&home, 1, true).await?;
                "after a pairing that was dropped and a restart"
            }
            Ending::WrongKey => {
                context.pair("pair", &home).await?;
                let wrong = fixtures::home_with_another_key();
                context.try_join(&wrong, context.limits.watch).await;
                "after a join that failed and a restart"
            }
            Ending::Joined => {
                context.pair_and_join("pair and join", &home).await?;
                "after a join and a restart"
            }
        };
        let restarted;
        (context, restarted) = context.restarted().await;
        unplugged |= restarted;
        match context.test_bed.keeps(&home).await {
            Ok(true) => {
                let wanted = Finding::NotKept(home.ssid.clone());
                expect(during, false, wanted, Finding::Kept(home.ssid.clone()))?;
            }
            Ok(false) => looked = true,
            Err(gap) => context.gap = Some(gap),
        }
        if restarted {
            expect_elsewhere(&mut context, during, &home).await?;
        }
        context.put(during, &old).await?;
        context.expect_still(during, &seen_in(&old)).await?;
    }
    match (looked, unplugged) {
        (false, false) => {
            Err(Unavailable("the stage can neither restart the platform nor look at what it keeps")
                .into())
        }
        (true, _) | (_, true) => Ok(context.passed()),
    }
}

/// For a while, the radio is not on this network.
async fn expect_elsewhere<S: TestBed>(
    context: &mut TestContext<'_, S>,
    during: &'static str,
    network: &Credentials,
) -> Result<(), Stop> {
    let there = ObservedState::Joined(network.ssid.clone());
    let until = context.clock.now().after(context.limits.watch);
    while context.clock.now() < until {
        if context.radio().await?.is_some_and(|seen| seen == there) {
            let wanted = Finding::Elsewhere(network.ssid.clone());
            let found = Finding::Radio(there);
            return Err(Failure { during, at: At::Once, wanted, found }.into());
        }
        context.clock.sleep_until(context.clock.now().after(GLANCE)).await;
    }
    Ok(())
}
