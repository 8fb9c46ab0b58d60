//! Checks of futures that are dropped in the middle, and of what is left of them.

use super::context::TestContext;
use super::fixtures::seen_in;
use super::moment::{drop_at, spread, within};
use super::report::Stop;
use super::{At, Failure, Finding, Outcome, TestBed, fixtures};
use crate::driver::WifiDriver;
use crate::settings::Snapshot;

/// The verbs whose futures are dropped.
#[derive(Clone, Copy)]
enum Method {
    Apply,
    Pair,
    Join,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Pair => "pair",
            Self::Join => "join",
        }
    }

    /// Brings the device elsewhere first, then begins and drops at this poll, or tells at which poll
    /// it was over.
    async fn drop_at<S: TestBed>(
        self,
        context: &mut TestContext<'_, S>,
        polls: usize,
    ) -> Result<Option<usize>, Stop> {
        let (old, home) = (fixtures::station(fixtures::old()), fixtures::home());
        match self {
            Self::Apply => context.join("join", &home).await?,
            Self::Pair | Self::Join => context.put("apply(station)", &old).await?,
        }
        let snapshot = Snapshot::default();
        Ok(match self {
            Self::Apply => {
                let work = drop_at(context.driver.apply(&old, &snapshot), polls, || true);
                within(&context.clock, context.limits.answer, work).await.flatten().map(|it| it.0)
            }
            Self::Pair => context.drop_pair(&home, polls, false).await?.0,
            Self::Join => {
                let work = drop_at(context.driver.join(&home, &snapshot), polls, || true);
                within(&context.clock, context.limits.answer, work).await.flatten().map(|it| it.0)
            }
        })
    }

    /// Plays it after another one was dropped.
    async fn play<S: TestBed>(self, context: &mut TestContext<'_, S>) -> Result<(), Stop> {
        match self {
            Self::Apply => context.put("apply(station)", &fixtures::station(fixtures::old())).await,
            Self::Pair => context.pair_and_join("pair and join", &fixtures::home()).await,
            Self::Join => context.join("join", &fixtures::home()).await,
        }
    }
}

pub(super) async fn dropped<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    const METHODS: [Method; 3] = [Method::Apply, Method::Pair, Method::Join];
    context.test_bed.switch_on(&fixtures::home()).await?;
    for method in METHODS {
        let polls =
            all_polls(method.name(), method.drop_at(&mut context, usize::MAX).await?, &context)?;
        for case in spread(polls * METHODS.len(), context.limits.drops) {
            let polls = case / METHODS.len();
            let at = At::Dropped { method: method.name(), polls };
            method.drop_at(&mut context, polls).await.map_err(|stop| stop.at(at.clone()))?;
            let next = METHODS[case % METHODS.len()];
            next.play(&mut context).await.map_err(|stop| stop.at(at))?;
        }
    }
    Ok(context.passed())
}

pub(super) async fn late_events<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    let (old, home) = (fixtures::station(fixtures::old()), fixtures::home());
    context.test_bed.switch_on(&home).await?;
    context.put("apply(station)", &old).await?;
    let (polls, exchange) = exchange(&mut context).await?;
    for polls in spread(polls + 1, context.limits.drops) {
        let at = At::Dropped { method: "pair", polls };
        context.drop_pair(&home, polls, exchange).await.map_err(|stop| stop.at(at.clone()))?;
        context.put("apply(station)", &old).await.map_err(|stop| stop.at(at.clone()))?;
        // The button is still pressed, and again.
        context.test_bed.press(&home.ssid).await;
        let still = context.expect_still("after apply(station)", &seen_in(&old)).await;
        still.map_err(|stop| stop.at(at.clone()))?;
    }
    Ok(context.passed())
}

pub(super) async fn earlier_offer<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    let (old, home, neighbour) =
        (fixtures::station(fixtures::old()), fixtures::home(), fixtures::neighbour());
    context.test_bed.switch_on(&home).await?;
    context.put("apply(station)", &old).await?;
    let (polls, exchange) = exchange(&mut context).await?;
    for polls in spread(polls + 1, context.limits.drops) {
        let at = At::Dropped { method: "pair", polls };
        context.test_bed.switch_on(&home).await?;
        context.drop_pair(&home, polls, exchange).await.map_err(|stop| stop.at(at.clone()))?;
        context.take_away(&home).await;
        context.test_bed.switch_on(&neighbour).await?;
        let offer = context.pair("pair with another router", &neighbour).await;
        offer.map_err(|stop| stop.at(at.clone()))?;
        context.take_away(&neighbour).await;
        context.put("apply(station)", &old).await.map_err(|stop| stop.at(at))?;
    }
    Ok(context.passed())
}

/// How many polls the exchange with "home" takes, and whether the driver tells when it begins; if it
/// does not, all polls of a pairing.
async fn exchange<S: TestBed>(context: &mut TestContext<'_, S>) -> Result<(usize, bool), Stop> {
    let (mut polls, told) = context.drop_pair(&fixtures::home(), usize::MAX, true).await?;
    if !told {
        (polls, _) = context.drop_pair(&fixtures::home(), usize::MAX, false).await?;
    }
    context.put("apply(station)", &fixtures::station(fixtures::old())).await?;
    Ok((all_polls("pair", polls, context)?, told))
}

/// The number of polls of a verb that was to be dropped never.
fn all_polls<S: TestBed>(
    during: &'static str,
    polls: Option<usize>,
    context: &TestContext<'_, S>,
) -> Result<usize, Stop> {
    let (wanted, found) = (Finding::Done, Finding::NoAnswer(context.limits.answer));
    polls.ok_or_else(|| Failure { during, at: At::Once, wanted, found }.into())
}
