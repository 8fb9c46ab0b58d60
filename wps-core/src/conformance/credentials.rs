//! Checks of unusual names and keys, of wrong ones, and of credentials that must not be stored.

use super::context::{TestContext, expect};
use super::fixtures::{self, expected_state};
use super::report::{Failure, Finding, Stop, TestCase};
use super::{TestBed, Unavailable};
use crate::driver::ErrorKind;
use crate::settings::Credentials;

pub(super) async fn odd<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    for network in fixtures::odd_networks() {
        if let Err(gap) = context.test_bed.start_router(&network).await {
            context.log.add_gap(gap);
            continue;
        }
        let joined = context.pair_and_join("pair and join", &network).await;
        joined.map_err(|stop| stop.in_case(TestCase::Network(network.ssid.clone())))?;
        context.stop_router_and_wait("after its router was stopped", &network).await?;
    }
    Ok(())
}

pub(super) async fn wrong_key<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    const STEP: &str = "join with a wrong key";
    const REJOIN_STEP: &str = "join of the joined network with a wrong key";
    let (home, wrong) = (fixtures::home(), fixtures::home_with_another_key());
    context.test_bed.start_router(&home).await?;
    expect_join_to_fail(&mut context, STEP, &wrong, ErrorKind::WrongKey).await?;
    for is_applied in [false, true] {
        context.join("join", &home).await?;
        if is_applied {
            context.apply_and_expect("apply", &fixtures::station(home.clone())).await?;
        }
        context.expect_join_error(REJOIN_STEP, &wrong, ErrorKind::WrongKey).await?;
    }
    context.join("join after a wrong key", &home).await
}

pub(super) async fn not_in_range<S: TestBed>(mut context: TestContext<'_, S>) -> Result<(), Stop> {
    const STEP: &str = "join a network out of range";
    expect_join_to_fail(&mut context, STEP, &fixtures::absent(), ErrorKind::NotFound).await
}

/// Calls `join` while the radio is on another network, which must fail with this kind of error.
async fn expect_join_to_fail<S: TestBed>(
    context: &mut TestContext<'_, S>,
    step: &'static str,
    network: &Credentials,
    kind: ErrorKind,
) -> Result<(), Stop> {
    let old = fixtures::station(fixtures::old());
    context.apply_and_expect("apply(station)", &old).await?;
    context.expect_join_error(step, network, kind).await?;
    context.expect_not_joined(step, &[network]).await?;
    context.apply_and_expect("apply(station) after a join that failed", &old).await
}

impl<S: TestBed> TestContext<'_, S> {
    /// Calls `join`. Fails unless it returns an error after which another try makes sense, or does
    /// not return. The check is partial if the error is not of this kind.
    pub(super) async fn expect_join_error(
        &mut self,
        step: &'static str,
        network: &Credentials,
        kind: ErrorKind,
    ) -> Result<(), Stop> {
        let found = match self.try_join(network).await? {
            Err(Finding::Error(found)) if found == kind => return Ok(()),
            Err(
                Finding::Pending(_)
                | Finding::Error(
                    ErrorKind::WrongKey
                    | ErrorKind::NotFound
                    | ErrorKind::Refused
                    | ErrorKind::NoResponse
                    | ErrorKind::Other,
                ),
            ) => {
                self.log.add_gap(if kind == ErrorKind::NotFound {
                    Unavailable("the driver does not report a missing network as such")
                } else {
                    Unavailable("the driver does not report a wrong key as such")
                });
                return Ok(());
            }
            Ok(()) => Finding::Success,
            Err(found) => found,
        };
        Err(Failure::new(step, Finding::JoinError, found).into())
    }
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
) -> Result<(), Stop> {
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
                // How it fails is checked elsewhere.
                let _ = context.try_join(&wrong).await?;
                "after a join that failed and a restart"
            }
            Ending::Joined => {
                context.pair_and_join("pair and join", &home).await?;
                "after a join and a restart"
            }
        };
        let keeps_networks = context.test_bed.keeps_networks().is_ok();
        if keeps_networks {
            context.expect_on_disk("before keep", &[]).await?;
        }
        let restarted;
        (context, restarted) = context.restart().await;
        platform_restarted |= restarted;
        match context.test_bed.stores_credentials(&home).await {
            Ok(true) => {
                let wanted = Finding::NotStored(home.ssid.clone());
                expect(step, false, wanted, Finding::Stored(home.ssid.clone()))?;
            }
            Ok(false) => storage_read = true,
            Err(gap) => context.log.add_gap(gap),
        }
        if restarted {
            context.expect_not_joined(step, &[&home]).await?;
        }
        context.apply_and_expect(step, &old).await?;
        context.expect_stable_state(step, &expected_state(&old)).await?;
        if keeps_networks {
            context.expect_at_rest(step, &[]).await?;
        }
    }
    match (storage_read, platform_restarted) {
        (false, false) => Err(Unavailable(
            "the test bed can neither restart the platform nor read what it stores",
        )
        .into()),
        (true, _) | (_, true) => Ok(()),
    }
}
