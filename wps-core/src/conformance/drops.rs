//! Checks that drop a future before it returns, and of what the dropped future leaves behind.

use super::TestBed;
use super::context::{TestContext, unexpected};
use super::fixtures::{self, expected_state};
use super::futures::{drop_at_poll, evenly_spread, with_timeout};
use super::report::{Failure, Finding, Stop, TestCase};
use crate::driver::{KeptBy, WifiDriver};
use crate::settings::{Settings, Snapshot};

/// A method whose future is dropped.
#[derive(Clone, Copy)]
enum Method {
    Apply,
    Pair,
    Join,
    Keep,
    /// All methods that only query the radio, one after the other.
    Query,
    /// `maintain`, while the router is off.
    Maintain,
}

impl Method {
    const ALL: [Self; 6] =
        [Self::Apply, Self::Pair, Self::Join, Self::Keep, Self::Query, Self::Maintain];

    fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Pair => "pair",
            Self::Join => "join",
            Self::Keep => "keep",
            Self::Query => "snapshot, link and scan",
            Self::Maintain => "maintain",
        }
    }

    /// Puts the radio on another network, then starts the method and drops its future at the poll
    /// with the number `drop_at`.
    ///
    /// Returns the number of polls after which the method returned, or `None` if it was dropped.
    /// `maintain` does not return: for it, it is the number of polls in the watch window.
    async fn drop_at<S: TestBed>(
        self,
        context: &mut TestContext<'_, S>,
        drop_at: usize,
    ) -> Result<Option<usize>, Stop> {
        let (old, home) = (fixtures::station(fixtures::old()), fixtures::home());
        match self {
            Self::Apply => {
                context.join("join", &home).await?;
                context.keep("keep", &home).await?;
            }
            Self::Pair | Self::Join | Self::Keep | Self::Query | Self::Maintain => {
                context.apply_and_expect("apply(station)", &old).await?;
            }
        }
        let snapshot = match self {
            Self::Apply | Self::Join => context.begin_task().await?,
            Self::Keep => {
                context.join("join", &home).await?;
                context.begin_task().await?
            }
            Self::Pair | Self::Query | Self::Maintain => Snapshot::default(),
        };
        match self {
            Self::Apply => context.begin("apply(station)"),
            Self::Pair => return Ok(context.drop_pair(&home, drop_at, false).await?.0),
            Self::Join => context.begin("join"),
            Self::Keep => context.begin("keep"),
            Self::Query => {}
            Self::Maintain => return drop_maintain(context, &old, drop_at).await,
        }
        let (driver, log) = (&mut context.driver, &mut *context.log);
        let method = async {
            match self {
                Self::Apply => drop(driver.apply(&old, &snapshot).await),
                Self::Pair | Self::Join => drop(driver.join(&home, &snapshot).await),
                Self::Keep => drop(driver.keep(&home, &snapshot).await),
                Self::Query | Self::Maintain => {
                    log.last_call = Some("snapshot");
                    drop(driver.snapshot().await);
                    log.last_call = Some("link");
                    drop(driver.link().await);
                    log.last_call = Some("scan");
                    drop(driver.scan().await);
                }
            }
        };
        let (timeout, method) =
            (context.limits.response_timeout, drop_at_poll(method, drop_at, || true));
        Ok(with_timeout(&context.clock, timeout, method).await.flatten().map(|it| it.0))
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
            Self::Keep => {
                let home = fixtures::home();
                context.join("join", &home).await?;
                let KeptBy::Platform(id) = context.keep("keep", &home).await? else {
                    return Ok(());
                };
                context.end_task();
                context.expect_at_rest("at rest after keep", &[(id, &home)]).await
            }
            Self::Query => {
                context.snapshot("snapshot").await?;
                context.link("link").await.map(drop)
            }
            Self::Maintain => {
                let old = fixtures::station(fixtures::old());
                context.apply_and_expect("apply(station)", &old).await?;
                context.expect_stable_state("maintain", &expected_state(&old)).await?;
                match context.test_bed.keeps_networks() {
                    Ok(()) => context.expect_at_rest("at rest after apply(station)", &[]).await,
                    Err(_) => Ok(()),
                }
            }
        }
    }
}

/// Switches the router off, starts `maintain` with `settings`, which are in force, and drops its
/// future at the poll with the number `drop_at`. Then the router comes back.
///
/// Returns the number of polls in the watch window, or `None` if the future was dropped before.
async fn drop_maintain<S: TestBed>(
    context: &mut TestContext<'_, S>,
    settings: &Settings,
    drop_at: usize,
) -> Result<Option<usize>, Stop> {
    let old = fixtures::old();
    context.test_bed.stop_router(&old.ssid).await;
    let polls =
        context.poll_maintain("maintain while the router is off", settings, drop_at).await?;
    context.test_bed.start_router(&old).await?;
    Ok(polls)
}

impl<S: TestBed> TestContext<'_, S> {
    /// Starts `maintain` with `settings`, which are in force, and drops its future at the poll with
    /// the number `drop_at`. Fails if the driver reports an event.
    ///
    /// Returns the number of polls in the watch window, or `None` if the future was dropped before.
    pub(super) async fn poll_maintain(
        &mut self,
        step: &'static str,
        settings: &Settings,
        drop_at: usize,
    ) -> Result<Option<usize>, Stop> {
        self.log.last_call = Some("maintain");
        let window = self.limits.watch_window;
        let maintain = with_timeout(&self.clock, window, self.driver.maintain(settings));
        let (polls, event) = drop_at_poll(maintain, drop_at, || true).await.unzip();
        match event.flatten() {
            Some(event) => Err(unexpected(step, event)),
            None => Ok(polls),
        }
    }

    /// Returns the numbers of the drops to try of those that are possible, in rows of `columns`.
    /// Records how many there are.
    pub(super) fn drops(
        &mut self,
        possible: usize,
        columns: usize,
    ) -> impl Iterator<Item = usize> + use<S> {
        self.log.drops.possible += possible;
        evenly_spread(possible, self.limits.max_drops, columns)
    }
}

pub(super) async fn dropped<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    const COLUMNS: usize = Method::ALL.len();
    context.test_bed.start_router(&fixtures::home()).await?;
    for method in Method::ALL {
        let polls = method.drop_at(&mut context, usize::MAX).await?;
        let polls = expect_polls(method.name(), polls, &context)?;
        for number in context.drops(polls * COLUMNS, COLUMNS) {
            context.log.drops.tried += 1;
            let polls = number / COLUMNS;
            let case = TestCase::Dropped { method: method.name(), polls };
            method.drop_at(&mut context, polls).await.map_err(|stop| stop.in_case(case.clone()))?;
            let next = Method::ALL[number % COLUMNS];
            next.run(&mut context).await.map_err(|stop| stop.in_case(case))?;
        }
    }
    Ok(())
}

pub(super) async fn late_events<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    context.test_bed.start_router(&fixtures::home()).await?;
    let old = fixtures::station(fixtures::old());
    context.apply_and_expect("apply(station)", &old).await?;
    let (polls, from_exchange) = count_exchange_polls(&mut context).await?;
    for polls in context.drops(polls + 1, 1) {
        context.log.drops.tried += 1;
        let ended = expect_no_late_event(&mut context, polls, from_exchange).await;
        ended.map_err(|stop| stop.in_case(TestCase::Dropped { method: "pair", polls }))?;
    }
    let maintain = Method::Maintain;
    let polls = maintain.drop_at(&mut context, usize::MAX).await?;
    for polls in context.drops(expect_polls(maintain.name(), polls, &context)?, 1) {
        context.log.drops.tried += 1;
        let ended = expect_no_late_join(&mut context, polls).await;
        let case = TestCase::Dropped { method: maintain.name(), polls };
        ended.map_err(|stop| stop.in_case(case))?;
    }
    Ok(())
}

/// Drops `maintain` and applies another network. Fails if the radio leaves it after that.
async fn expect_no_late_join<S: TestBed>(
    context: &mut TestContext<'_, S>,
    polls: usize,
) -> Result<(), Stop> {
    let home = fixtures::station(fixtures::home());
    Method::Maintain.drop_at(context, polls).await?;
    context.apply_and_expect("apply(station) of another network", &home).await?;
    context.expect_stable_state("after apply(station)", &expected_state(&home)).await
}

/// Drops `pair` and applies settings. Fails if the radio leaves its network after that.
async fn expect_no_late_event<S: TestBed>(
    context: &mut TestContext<'_, S>,
    polls: usize,
    from_exchange: bool,
) -> Result<(), Stop> {
    let (old, home) = (fixtures::station(fixtures::old()), fixtures::home());
    context.drop_pair(&home, polls, from_exchange).await?;
    context.apply_and_expect("apply(station)", &old).await?;
    // The button is still pressed from before, and is pressed again.
    context.test_bed.press_button(&home.ssid).await;
    context.expect_stable_state("after apply(station)", &expected_state(&old)).await
}

pub(super) async fn stale_offer<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    context.test_bed.start_router(&fixtures::home()).await?;
    let old = fixtures::station(fixtures::old());
    context.apply_and_expect("apply(station)", &old).await?;
    let (polls, from_exchange) = count_exchange_polls(&mut context).await?;
    for polls in context.drops(polls + 1, 1) {
        context.log.drops.tried += 1;
        let ended = expect_new_offer(&mut context, polls, from_exchange).await;
        ended.map_err(|stop| stop.in_case(TestCase::Dropped { method: "pair", polls }))?;
    }
    Ok(())
}

/// Drops `pair` and pairs with another router. Fails if `pair` returns the network of the first
/// one.
async fn expect_new_offer<S: TestBed>(
    context: &mut TestContext<'_, S>,
    polls: usize,
    from_exchange: bool,
) -> Result<(), Stop> {
    const STEP: &str = "pair with another router";
    let (home, neighbour) = (fixtures::home(), fixtures::neighbour());
    context.test_bed.start_router(&home).await?;
    context.drop_pair(&home, polls, from_exchange).await?;
    context.stop_router_and_wait(STEP, &home).await?;
    context.test_bed.start_router(&neighbour).await?;
    context.pair(STEP, &neighbour).await?;
    context.stop_router_and_wait(STEP, &neighbour).await?;
    context.apply_and_expect("apply(station)", &fixtures::station(fixtures::old())).await
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
    polls.ok_or_else(|| Failure::new(step, wanted, found).into())
}
