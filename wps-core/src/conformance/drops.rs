//! Checks of futures that are dropped in the middle, and of what is left of them.

use super::cast::seen_in;
use super::moment::{drop_at, spread, within};
use super::report::Stop;
use super::scene::Scene;
use super::{At, Failure, Finding, Outcome, Stage, cast};
use crate::driver::WifiDriver;
use crate::settings::Snapshot;

/// The verbs whose futures are dropped.
#[derive(Clone, Copy)]
enum Verb {
    Apply,
    Pair,
    Join,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Pair => "pair",
            Self::Join => "join",
        }
    }

    /// Brings the device elsewhere first, then begins and drops at this poll, or tells at which poll
    /// it was over.
    async fn drop_at<S: Stage>(
        self,
        scene: &mut Scene<'_, S>,
        polls: usize,
    ) -> Result<Option<usize>, Stop> {
        let (old, home) = (cast::station(cast::old()), cast::home());
        match self {
            Self::Apply => scene.join("join", &home).await?,
            Self::Pair | Self::Join => scene.put("apply(station)", &old).await?,
        }
        let snapshot = Snapshot::default();
        Ok(match self {
            Self::Apply => {
                let work = drop_at(scene.driver.apply(&old, &snapshot), polls, || true);
                within(&scene.clock, scene.limits.answer, work).await.flatten().map(|it| it.0)
            }
            Self::Pair => scene.drop_pair(&home, polls, false).await?.0,
            Self::Join => {
                let work = drop_at(scene.driver.join(&home, &snapshot), polls, || true);
                within(&scene.clock, scene.limits.answer, work).await.flatten().map(|it| it.0)
            }
        })
    }

    /// Plays it after another one was dropped.
    async fn play<S: Stage>(self, scene: &mut Scene<'_, S>) -> Result<(), Stop> {
        match self {
            Self::Apply => scene.put("apply(station)", &cast::station(cast::old())).await,
            Self::Pair => scene.pair_and_join("pair and join", &cast::home()).await,
            Self::Join => scene.join("join", &cast::home()).await,
        }
    }
}

pub(super) async fn dropped<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    const VERBS: [Verb; 3] = [Verb::Apply, Verb::Pair, Verb::Join];
    scene.stage.switch_on(&cast::home()).await?;
    for verb in VERBS {
        let polls = all_polls(verb.name(), verb.drop_at(&mut scene, usize::MAX).await?, &scene)?;
        for case in spread(polls * VERBS.len(), scene.limits.drops) {
            let polls = case / VERBS.len();
            let at = At::Dropped { verb: verb.name(), polls };
            verb.drop_at(&mut scene, polls).await.map_err(|stop| stop.at(at.clone()))?;
            let next = VERBS[case % VERBS.len()];
            next.play(&mut scene).await.map_err(|stop| stop.at(at))?;
        }
    }
    Ok(scene.passed())
}

pub(super) async fn late_events<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    let (old, home) = (cast::station(cast::old()), cast::home());
    scene.stage.switch_on(&home).await?;
    scene.put("apply(station)", &old).await?;
    let (polls, exchange) = exchange(&mut scene).await?;
    for polls in spread(polls + 1, scene.limits.drops) {
        let at = At::Dropped { verb: "pair", polls };
        scene.drop_pair(&home, polls, exchange).await.map_err(|stop| stop.at(at.clone()))?;
        scene.put("apply(station)", &old).await.map_err(|stop| stop.at(at.clone()))?;
        // The button is still pressed, and again.
        scene.stage.press(&home.ssid).await;
        let still = scene.expect_still("after apply(station)", &seen_in(&old)).await;
        still.map_err(|stop| stop.at(at.clone()))?;
    }
    Ok(scene.passed())
}

pub(super) async fn earlier_offer<S: Stage>(mut scene: Scene<'_, S>) -> Result<Outcome, Stop> {
    let (old, home, neighbour) = (cast::station(cast::old()), cast::home(), cast::neighbour());
    scene.stage.switch_on(&home).await?;
    scene.put("apply(station)", &old).await?;
    let (polls, exchange) = exchange(&mut scene).await?;
    for polls in spread(polls + 1, scene.limits.drops) {
        let at = At::Dropped { verb: "pair", polls };
        scene.stage.switch_on(&home).await?;
        scene.drop_pair(&home, polls, exchange).await.map_err(|stop| stop.at(at.clone()))?;
        scene.take_away(&home).await;
        scene.stage.switch_on(&neighbour).await?;
        let offer = scene.pair("pair with another router", &neighbour).await;
        offer.map_err(|stop| stop.at(at.clone()))?;
        scene.take_away(&neighbour).await;
        scene.put("apply(station)", &old).await.map_err(|stop| stop.at(at))?;
    }
    Ok(scene.passed())
}

/// How many polls the exchange with "home" takes, and whether the driver tells when it begins; if it
/// does not, all polls of a pairing.
async fn exchange<S: Stage>(scene: &mut Scene<'_, S>) -> Result<(usize, bool), Stop> {
    let (mut polls, told) = scene.drop_pair(&cast::home(), usize::MAX, true).await?;
    if !told {
        (polls, _) = scene.drop_pair(&cast::home(), usize::MAX, false).await?;
    }
    scene.put("apply(station)", &cast::station(cast::old())).await?;
    Ok((all_polls("pair", polls, scene)?, told))
}

/// The number of polls of a verb that was to be dropped never.
fn all_polls<S: Stage>(
    during: &'static str,
    polls: Option<usize>,
    scene: &Scene<'_, S>,
) -> Result<usize, Stop> {
    let (wanted, found) = (Finding::Done, Finding::NoAnswer(scene.limits.answer));
    polls.ok_or_else(|| Failure { during, at: At::Once, wanted, found }.into())
}
