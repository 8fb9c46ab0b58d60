//! Checks that drop a future before it returns, and of what the dropped future leaves behind.

use super::context::TestContext;
use super::fixtures::expected_state;
use super::futures::{drop_at_poll, evenly_spread, with_timeout};
use super::report::Stop;
use super::{Failure, Finding, Outcome, TestBed, TestCase, fixtures};
use crate::driver::WifiDriver;
use crate::settings::Snapshot;

/// A method whose future is dropped.
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

    /// Puts the radio on another network, then starts the method and drops its future at the poll
    /// with the number `drop_at`.
    ///
    /// Returns the number of polls after which the method returned, or `None` if it was dropped.
    async fn drop_at<S: TestBed>(
        self,
        context: &mut TestContext<'_, S>,
        drop_at: usize,
    ) -> Result<Option<usize>, Stop> {
        let (old, home) = (fixtures::station(fixtures::old()), fixtures::home());
        match self {
            Self::Apply => context.join("join", &home).await?,
            Self::Pair | Self::Join => context.apply_and_expect("apply(station)", &old).await?,
        }
        let (snapshot, timeout) = (Snapshot::default(), context.limits.response_timeout);
        Ok(match self {
            Self::Apply => {
                let apply = drop_at_poll(context.driver.apply(&old, &snapshot), drop_at, || true);
                with_timeout(&context.clock, timeout, apply).await.flatten().map(|it| it.0)
            }
            Self::Pair => context.drop_pair(&home, drop_at, false).await?.0,
            Self::Join => {
                let join = drop_at_poll(context.driver.join(&home, &snapshot), drop_at, || true);
                with_timeout(&context.clock, timeout, join).await.flatten().map(|it| it.0)
            }
        })
    }

    /// Runs the method, which must succeed after another one was dropped.
    async fn run<S: TestBed>(self, context: &mut TestContext<'_, S>) -> Result<(), Stop> {
        match self {
            Self::Apply => {
                let old = fixtures::station(fixtures::old());
                context.apply_and_expect("apply(station)", &old).await
            }
            Self::Pair => context.pair_and_join("pair and join", &fixtures::home()).await,
            Self::Join => context.join("join", &fixtures::home()).await,
        }
    }
}

pub(super) async fn dropped<S: TestBed>(mut context: TestContext<'_, S>) -> Result<Outcome, Stop> {
    const METHODS: [Method; 3] = [Method::Apply, Method::Pair, Method::Join];
    context.test_bed.start_router(&fixtures::home()).await?;
    for method in METHODS {
        let polls = method.drop_at(&mut context, usize::MAX).await?;
        let polls = expect_polls(method.name(), polls, &context)?;
        for number in evenly_spread(polls * METHODS.len(), context.limits.max_drops) {
            let polls = number / METHODS.len();
            let case = TestCase::Dropped { method: method.name(), polls };
            method.drop_at(&mut context, polls).await.map_err(|stop| stop.in_case(case.clone()))?;
            let next = METHODS[number % METHODS.len()];
            next.run(&mut context).await.map_err(|stop| stop.in_case(case))?;
        }
    }
    Ok(context.passed())
}

pub(super) async fn late_events<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    let (old, home) = (fixtures::station(fixtures::old()), fixtures::home());
    context.test_bed.start_router(&home).await?;
    context.apply_and_expect("apply(station)", &old).await?;
    let (polls, from_exchange) = count_exchange_polls(&mut context).await?;
    for polls in evenly_spread(polls + 1, context.limits.max_drops) {
        let case = TestCase::Dropped { method: "pair", polls };
        let dropped = context.drop_pair(&home, polls, from_exchange).await;
        dropped.map_err(|stop| stop.in_case(case.clone()))?;
        let applied = context.apply_and_expect("apply(station)", &old).await;
        applied.map_err(|stop| stop.in_case(case.clone()))?;
        // The button is still pressed from before, and is pressed again.
        context.test_bed.press_button(&home.ssid).await;
        let stable =
            context.expect_stable_state("after apply(station)", &expected_state(&old)).await;
        stable.map_err(|stop| stop.in_case(case.clone()))?;
    }
    Ok(context.passed())
}

pub(super) async fn stale_offer<S: TestBed>(
    mut context: TestContext<'_, S>,
) -> Result<Outcome, Stop> {
    let (old, home, neighbour) =
        (fixtures::station(fixtures::old()), fixtures::home(), fixtures::neighbour());
    context.test_bed.start_router(&home).await?;
    context.apply_and_expect("apply(station)", &old).await?;
    let (polls, from_exchange) = count_exchange_polls(&mut context).await?;
    for polls in evenly_spread(polls + 1, context.limits.max_drops) {
        let case = TestCase::Dropped { method: "pair", polls };
        context.test_bed.start_router(&home).await?;
        let dropped = context.drop_pair(&home, polls, from_exchange).await;
        dropped.map_err(|stop| stop.in_case(case.clone()))?;
        context.stop_router_and_wait(&home).await;
        context.test_bed.start_router(&neighbour).await?;
        let offer = context.pair("pair with another router", &neighbour).await;
        offer.map_err(|stop| stop.in_case(case.clone()))?;
        context.stop_router_and_wait(&neighbour).await;
        let applied = context.apply_and_expect("apply(station)", &old).await;
        applied.map_err(|stop| stop.in_case(case))?;
    }
    Ok(context.passed())
}

/// Counts the polls of the exchange with the router of "home". If the driver does not report the
/// exchange, counts all polls of a pairing.
///
/// The second value is whether the driver reports the exchange.
async fn count_exchange_polls<S: TestBed>(
    context: &mut TestContext<'_, S>,
) -> Result<(usize, bool), Stop> {
    let (mut polls, is_reported) = context.drop_pair(&fixtures::home(), usize::MAX, true).await?;
    if !is_reported {
        (polls, _) = context.drop_pair(&fixtures::home(), usize::MAX, false).await?;
    }
    context.apply_and_expect("apply(station)", &fixtures::station(fixtures::old())).await?;
    Ok((expect_polls("pair", polls, context)?, is_reported))
}

/// Returns the number of polls of a method that was not to be dropped. Fails if it timed out.
fn expect_polls<S: TestBed>(
    step: &'static str,
    polls: Option<usize>,
    context: &TestContext<'_, S>,
) -> Result<usize, Stop> {
    let (wanted, found) = (Finding::Success, Finding::Pending(context.limits.response_timeout));
    polls.ok_or_else(|| Failure { step, case: None, wanted, found }.into())
}
