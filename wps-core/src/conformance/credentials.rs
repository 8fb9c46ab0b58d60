//! Checks of names and keys: odd ones, wrong ones, and those that must not stay behind.

use super::cast::seen_in;
use super::report::Stop;
use super::scene::{GLANCE, Scene, expect};
use super::{At, Cannot, Failure, Finding, Outcome, Seen, Stage, cast};
use crate::settings::Credentials;
use crate::time::Clock;

pub(super) async fn odd<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    for network in cast::odd() {
        if let Err(gap) = scene.stage.switch_on(&network).await {
            scene.gap = Some(gap);
            continue;
        }
        let joined = scene.pair_and_join("pair and join", &network).await;
        joined.map_err(|stop| stop.at(At::Network(network.ssid.clone())))?;
        scene.take_away(&network).await;
    }
    Ok(scene.passed())
}

pub(super) async fn wrong_key<S: Stage>(scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    scene.stage.switch_on(&cast::home()).await?;
    no_way_in(scene, "join with a wrong key", &cast::home_with_another_key()).await
}

pub(super) async fn not_in_range<S: Stage>(scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    no_way_in(scene, "join a network out of range", &cast::absent()).await
}

async fn no_way_in<S: Stage>(
    mut scene: Scene<'_, S>,
    during: &'static str,
    network: &Credentials,
) -> Result<Outcome, Stop> {
    let old = cast::station(cast::old());
    scene.put("apply(station)", &old).await?;
    let found = match scene.try_join(network, scene.limits.answer).await {
        Some(Ok(())) => Some(Finding::Done),
        Some(Err(kind)) => kind.is_final().then_some(Finding::Error(kind)),
        None => None,
    };
    if let Some(found) = found {
        expect(during, false, Finding::NoSuccess, found)?;
    }
    expect_elsewhere(&mut scene, during, network).await?;
    scene.put("apply(station) after a join that failed", &old).await?;
    Ok(scene.passed())
}

/// How a pairing may end before a restart.
#[derive(Clone, Copy)]
enum Ending {
    Dropped,
    WrongKey,
    Joined,
}

pub(super) async fn nothing_kept<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    let (old, home) = (cast::station(cast::old()), cast::home());
    scene.stage.switch_on(&home).await?;
    let (mut looked, mut unplugged) = (false, false);
    for ending in [Ending::Dropped, Ending::WrongKey, Ending::Joined] {
        scene.put("apply(station)", &old).await?;
        let during = match ending {
            Ending::Dropped => {
                scene.drop_pair(&home, 1, true).await?;
                "after a pairing that was dropped and a restart"
            }
            Ending::WrongKey => {
                scene.pair("pair", &home).await?;
                let wrong = cast::home_with_another_key();
                scene.try_join(&wrong, scene.limits.watch).await;
                "after a join that failed and a restart"
            }
            Ending::Joined => {
                scene.pair_and_join("pair and join", &home).await?;
                "after a join and a restart"
            }
        };
        let restarted;
        (scene, restarted) = scene.restarted().await;
        unplugged |= restarted;
        match scene.stage.keeps(&home).await {
            Ok(true) => {
                let wanted = Finding::NotKept(home.ssid.clone());
                expect(during, false, wanted, Finding::Kept(home.ssid.clone()))?;
            }
            Ok(false) => looked = true,
            Err(gap) => scene.gap = Some(gap),
        }
        if restarted {
            expect_elsewhere(&mut scene, during, &home).await?;
        }
        scene.put(during, &old).await?;
        scene.expect_still(during, &seen_in(&old)).await?;
    }
    match (looked, unplugged) {
        (false, false) => {
            Err(Cannot("the stage can neither restart the platform nor look at what it keeps")
                .into())
        }
        (true, _) | (_, true) => Ok(scene.passed()),
    }
}

/// For a while, the radio is not on this network.
async fn expect_elsewhere<S: Stage>(
    scene: &mut Scene<'_, S>,
    during: &'static str,
    network: &Credentials,
) -> Result<(), Stop> {
    let there = Seen::Joined(network.ssid.clone());
    let until = scene.clock.now().after(scene.limits.watch);
    while scene.clock.now() < until {
        if scene.radio().await?.is_some_and(|seen| seen == there) {
            let wanted = Finding::Elsewhere(network.ssid.clone());
            let found = Finding::Radio(there);
            return Err(Failure { during, at: At::Once, wanted, found }.into());
        }
        scene.clock.sleep_until(scene.clock.now().after(GLANCE)).await;
    }
    Ok(())
}
