//! The context in which one check runs: the test bed, a driver on it, and the steps that checks
//! share.

use core::time::Duration;

use super::fixtures::{expected_state, reason_if_optional};
use super::futures::with_timeout;
use super::report::Stop;
use super::{Failure, Finding, Limits, ObservedState, Outcome, TestBed, Unavailable, fixtures};
use crate::driver::{DriverError, ErrorKind, Offer, PairContext, WifiDriver};
use crate::link::Link;
use crate::logging::info;
use crate::settings::{Credentials, Mode, Settings, Snapshot};
use crate::time::Clock;
use crate::wsc::OverlapDetector;

/// The time between two observations of the radio.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The time within which the radio must be observed as joined after `join` has returned.
const JOIN_OBSERVED_TIMEOUT: Duration = Duration::from_millis(150);

pub(super) struct TestContext<'s, S: TestBed> {
    pub(super) test_bed: &'s mut S,
    pub(super) driver: S::Driver,
    pub(super) clock: S::Clock,
    pub(super) limits: Limits,
    /// A part of the check that could not be tried.
    pub(super) gap: Option<Unavailable>,
}

impl<'s, S: TestBed> TestContext<'s, S> {
    /// Resets the test bed, starts the router of the network "old" and creates a driver.
    pub(super) async fn new(
        test_bed: &'s mut S,
        platform: Option<&Credentials>,
    ) -> Result<Self, Stop> {
        test_bed.reset(platform).await?;
        test_bed.start_router(&fixtures::old()).await?;
        Ok(Self::with_new_driver(test_bed, None).await)
    }

    /// Simulates a power cut of the device: restarts the platform and creates a new driver, while
    /// the routers keep running. The second value is whether the platform was restarted.
    pub(super) async fn restart(self) -> (Self, bool) {
        let Self { test_bed, driver, mut gap, .. } = self;
        drop(driver);
        let restarted = test_bed.restart_platform().await;
        gap = gap.or(restarted.err());
        (Self::with_new_driver(test_bed, gap).await, restarted.is_ok())
    }

    async fn with_new_driver(test_bed: &'s mut S, gap: Option<Unavailable>) -> Self {
        let (driver, clock, limits) =
            (test_bed.driver().await, test_bed.clock(), test_bed.limits());
        Self { test_bed, driver, clock, limits, gap }
    }

    /// Returns the outcome of a check that found no failure.
    pub(super) fn passed(self) -> Outcome {
        self.gap.map_or(Outcome::Passed, Outcome::Partial)
    }

    // --- methods that must succeed -------------------------------------------------------------

    /// Calls `apply` and waits until the radio is observed in that mode. Succeeds at once if nobody
    /// can observe the radio: the check is then partial.
    pub(super) async fn apply_and_expect(
        &mut self,
        step: &'static str,
        settings: &Settings,
    ) -> Result<(), Stop> {
        self.apply(step, settings, &Snapshot::default()).await?;
        self.expect_state(step, &expected_state(settings)).await
    }

    /// Calls `apply`. If the driver does not support the mode, the check ends as skipped, except
    /// for station mode.
    pub(super) async fn apply(
        &mut self,
        step: &'static str,
        settings: &Settings,
        snapshot: &Snapshot,
    ) -> Result<(), Stop> {
        let apply = self.driver.apply(settings, snapshot);
        let result = with_timeout(&self.clock, self.limits.response_timeout, apply).await;
        match (result.map(|it| it.map_err(log_error)), reason_if_optional(settings)) {
            (Some(Err(ErrorKind::Unsupported)), Some(gap)) => Err(gap.into()),
            (result, _) => self.expect_success(step, result),
        }
    }

    /// Calls `join`, which must return only once the network is joined.
    pub(super) async fn join(
        &mut self,
        step: &'static str,
        network: &Credentials,
    ) -> Result<(), Stop> {
        let result = self.try_join(network, self.limits.response_timeout).await;
        self.expect_success(step, result)?;
        let joined = ObservedState::Joined(network.ssid.clone());
        self.expect_state_within(JOIN_OBSERVED_TIMEOUT, step, &joined).await?;
        if let Some(link) = self.link(step).await? {
            let (wanted, found) = (Finding::LinkUp(true), Finding::LinkUp(link.up));
            expect(step, link.up, wanted, found)?;
        }
        Ok(())
    }

    /// Presses the router's button and calls `pair`, which must return exactly its network.
    pub(super) async fn pair(
        &mut self,
        step: &'static str,
        network: &Credentials,
    ) -> Result<Offer, Stop> {
        self.test_bed.press_button(&network.ssid).await;
        let result = self.try_pair(&mut OverlapDetector::new(), self.limits.response_timeout).await;
        self.expect_offer(step, network, result)
    }

    /// Fails unless `result` is an offer whose first network is `network`.
    pub(super) fn expect_offer(
        &self,
        step: &'static str,
        network: &Credentials,
        result: Option<Result<Offer, ErrorKind>>,
    ) -> Result<Offer, Stop> {
        let wanted = Finding::Offer(network.ssid.clone());
        let found = match result {
            Some(Ok(offer)) if same_credentials(offer.at(0), network) => return Ok(offer),
            Some(Ok(offer)) if offer.at(0).ssid == network.ssid => {
                Finding::OfferWithWrongKey(network.ssid.clone())
            }
            Some(Ok(offer)) => Finding::Offer(offer.at(0).ssid.clone()),
            Some(Err(kind)) => Finding::Error(kind),
            None => Finding::Pending(self.limits.response_timeout),
        };
        Err(Failure { step, case: None, wanted, found }.into())
    }

    /// Presses the router's button, pairs with it and joins its network.
    pub(super) async fn pair_and_join(
        &mut self,
        step: &'static str,
        network: &Credentials,
    ) -> Result<(), Stop> {
        let offer = self.pair(step, network).await?;
        self.join(step, offer.at(0)).await
    }

    /// Calls `link`. Returns `None` if the driver does not implement it.
    pub(super) async fn link(&mut self, step: &'static str) -> Result<Option<Link>, Stop> {
        let timeout = self.limits.response_timeout;
        let result = with_timeout(&self.clock, timeout, self.driver.link()).await;
        match result.map(|it| it.map_err(log_error)) {
            Some(Ok(link)) => Ok(Some(link).filter(|link| link.mode.is_some())),
            other => self.expect_success(step, other).map(|_| None),
        }
    }

    pub(super) async fn snapshot(&mut self, step: &'static str) -> Result<Snapshot, Stop> {
        let timeout = self.limits.response_timeout;
        let result = with_timeout(&self.clock, timeout, self.driver.snapshot()).await;
        self.expect_success(step, result.map(|it| it.map_err(log_error)))
    }

    /// Fails unless a method returned `Ok` within the response timeout.
    pub(super) fn expect_success<T>(
        &self,
        step: &'static str,
        result: Option<Result<T, ErrorKind>>,
    ) -> Result<T, Stop> {
        let found = match result {
            Some(Ok(value)) => return Ok(value),
            Some(Err(kind)) => Finding::Error(kind),
            None => Finding::Pending(self.limits.response_timeout),
        };
        Err(Failure { step, case: None, wanted: Finding::Success, found }.into())
    }

    // --- methods that may succeed or fail ------------------------------------------------------

    /// Calls `pair`. Returns `None` if it does not return within `timeout`.
    pub(super) async fn try_pair(
        &mut self,
        overlap_detector: &mut OverlapDetector,
        timeout: Duration,
    ) -> Option<Result<Offer, ErrorKind>> {
        let mut pair_context = PairContext::new(overlap_detector, &|_| {});
        let pair = self.driver.pair(&mut pair_context);
        with_timeout(&self.clock, timeout, pair).await.map(|it| it.map_err(log_error))
    }

    /// Calls `join`. Returns `None` if it does not return within `timeout`.
    pub(super) async fn try_join(
        &mut self,
        network: &Credentials,
        timeout: Duration,
    ) -> Option<Result<(), ErrorKind>> {
        let snapshot = Snapshot::default();
        let join = self.driver.join(network, &snapshot);
        with_timeout(&self.clock, timeout, join).await.map(|it| it.map_err(log_error))
    }

    /// Stops a router and waits for the watch window, as long as a person needs to walk to another
    /// router. Until then a driver may still report the stopped router from its last scan.
    pub(super) async fn stop_router_and_wait(&mut self, network: &Credentials) {
        self.test_bed.stop_router(&network.ssid).await;
        self.clock.sleep_until(self.clock.now().after(self.limits.watch_window)).await;
    }

    /// Fails if `config_lost` returns within the watch window.
    pub(super) async fn expect_config_kept(&mut self, step: &'static str) -> Result<(), Stop> {
        let timeout = self.limits.watch_window;
        let lost = with_timeout(&self.clock, timeout, self.driver.config_lost()).await;
        expect(step, lost.is_none(), Finding::Pending(timeout), Finding::Success)
    }

    // --- the radio -----------------------------------------------------------------------------

    /// Returns what the radio is doing, or `None` if neither the test bed nor the driver can say.
    pub(super) async fn observe(&mut self) -> Result<Option<ObservedState>, Stop> {
        let unavailable = match self.test_bed.observe().await {
            Ok(state) => return Ok(Some(state)),
            Err(unavailable) => unavailable,
        };
        self.gap = Some(unavailable);
        let Some(Link { up, mode, ssid, .. }) = self.link("link").await? else { return Ok(None) };
        Ok(Some(match (up, mode, ssid) {
            (true, Some(Mode::AccessPoint), Some(ssid)) => ObservedState::Serving(ssid),
            (true, _, Some(ssid)) => ObservedState::Joined(ssid),
            (false, _, _) | (true, _, None) => ObservedState::Nothing,
        }))
    }

    /// Waits until the radio is observed in the state `wanted`.
    pub(super) async fn expect_state(
        &mut self,
        step: &'static str,
        wanted: &ObservedState,
    ) -> Result<(), Stop> {
        self.expect_state_within(self.limits.response_timeout, step, wanted).await
    }

    async fn expect_state_within(
        &mut self,
        timeout: Duration,
        step: &'static str,
        wanted: &ObservedState,
    ) -> Result<(), Stop> {
        let deadline = self.clock.now().after(timeout);
        loop {
            let Some(state) = self.observe().await? else { return Ok(()) };
            if state == *wanted {
                return Ok(());
            }
            if self.clock.now() >= deadline {
                let wanted = Finding::Observed(wanted.clone());
                let found = Finding::Observed(state);
                return Err(Failure { step, case: None, wanted, found }.into());
            }
            self.clock.sleep_until(self.clock.now().after(POLL_INTERVAL)).await;
        }
    }

    /// Fails if the radio leaves the state `wanted` within the watch window.
    pub(super) async fn expect_stable_state(
        &mut self,
        step: &'static str,
        wanted: &ObservedState,
    ) -> Result<(), Stop> {
        let deadline = self.clock.now().after(self.limits.watch_window);
        while self.clock.now() < deadline {
            self.expect_state_within(Duration::ZERO, step, wanted).await?;
            self.clock.sleep_until(self.clock.now().after(POLL_INTERVAL)).await;
        }
        Ok(())
    }
}

/// Logs the driver's error and returns its kind.
pub(super) fn log_error(error: impl DriverError) -> ErrorKind {
    info!("conformance: {:?}", crate::logging::Debug(&error));
    error.kind()
}

pub(super) fn expect(
    step: &'static str,
    holds: bool,
    wanted: Finding,
    found: Finding,
) -> Result<(), Stop> {
    match holds {
        true => Ok(()),
        false => Err(Failure { step, case: None, wanted, found }.into()),
    }
}

/// Returns whether two networks have the same name and key. The hex digits of a raw PSK may have
/// either case.
fn same_credentials(one: &Credentials, other: &Credentials) -> bool {
    let keys = match (&one.passphrase, &other.passphrase) {
        (Some(one), Some(other)) if one.is_raw_psk() => {
            one.reveal().eq_ignore_ascii_case(other.reveal())
        }
        (one, other) => one == other,
    };
    keys && one.ssid == other.ssid
}
