//! One check's world: the stage, a driver on it, and the steps that checks are made of.

use core::time::Duration;

use super::fixtures::{optional, seen_in};
use super::moment::within;
use super::report::Stop;
use super::{At, Failure, Finding, Limits, ObservedState, Outcome, TestBed, Unavailable, fixtures};
use crate::driver::{DriverError, ErrorKind, Link, Offer, PairContext, WifiDriver};
use crate::logging::info;
use crate::settings::{Credentials, Mode, Settings, Snapshot};
use crate::time::Clock;
use crate::wsc::OverlapDetector;

/// Between two looks at the radio.
pub(super) const GLANCE: Duration = Duration::from_millis(50);
/// How long after a join its router may take to notice.
const NOTICE: Duration = Duration::from_millis(150);

pub(super) struct TestContext<'s, S: TestBed> {
    pub(super) test_bed: &'s mut S,
    pub(super) driver: S::Driver,
    pub(super) clock: S::Clock,
    pub(super) limits: Limits,
    /// What of the check could not be tried.
    pub(super) gap: Option<Unavailable>,
}

impl<'s, S: TestBed> TestContext<'s, S> {
    /// A new world in which the network of before is on the air.
    pub(super) async fn begin(
        test_bed: &'s mut S,
        platform: Option<&Credentials>,
    ) -> Result<Self, Stop> {
        test_bed.reset(platform).await?;
        test_bed.switch_on(&fixtures::old()).await?;
        Ok(Self::around(test_bed, None).await)
    }

    /// The device was unplugged: platform and driver start anew, in the same world.
    pub(super) async fn restarted(self) -> (Self, bool) {
        let Self { test_bed, driver, mut gap, .. } = self;
        drop(driver);
        let restarted = test_bed.restart_platform().await;
        gap = gap.or(restarted.err());
        (Self::around(test_bed, gap).await, restarted.is_ok())
    }

    async fn around(test_bed: &'s mut S, gap: Option<Unavailable>) -> Self {
        let (driver, clock, limits) =
            (test_bed.driver().await, test_bed.clock(), test_bed.limits());
        Self { test_bed, driver, clock, limits, gap }
    }

    pub(super) fn passed(self) -> Outcome {
        self.gap.map_or(Outcome::Passed, Outcome::Partial)
    }

    // --- verbs that must succeed -------------------------------------------------------------

    /// `apply`, and waits until the radio is seen so. A mode that the driver does not support ends
    /// the check as skipped, unless it is station mode.
    pub(super) async fn put(
        &mut self,
        during: &'static str,
        settings: &Settings,
    ) -> Result<(), Stop> {
        self.apply(during, settings, &Snapshot::default()).await?;
        self.expect_radio(during, &seen_in(settings)).await
    }

    pub(super) async fn apply(
        &mut self,
        during: &'static str,
        settings: &Settings,
        snapshot: &Snapshot,
    ) -> Result<(), Stop> {
        let work = self.driver.apply(settings, snapshot);
        let answer = within(&self.clock, self.limits.answer, work).await;
        match (answer.map(|it| it.map_err(kind)), optional(settings)) {
            (Some(Err(ErrorKind::Unsupported)), Some(gap)) => Err(gap.into()),
            (answer, _) => self.done(during, answer),
        }
    }

    /// `join`, and the network is joined at once, not some time later.
    pub(super) async fn join(
        &mut self,
        during: &'static str,
        network: &Credentials,
    ) -> Result<(), Stop> {
        let answer = self.try_join(network, self.limits.answer).await;
        self.done(during, answer)?;
        let joined = ObservedState::Joined(network.ssid.clone());
        self.expect_radio_within(NOTICE, during, &joined).await?;
        if let Some(link) = self.link(during).await? {
            let (wanted, found) = (Finding::LinkUp(true), Finding::LinkUp(link.up));
            expect(during, link.up, wanted, found)?;
        }
        Ok(())
    }

    /// The router's button is pressed; `pair` gives exactly its network.
    pub(super) async fn pair(
        &mut self,
        during: &'static str,
        network: &Credentials,
    ) -> Result<Offer, Stop> {
        self.test_bed.press(&network.ssid).await;
        let answer = self.try_pair(&mut OverlapDetector::new(), self.limits.answer).await;
        self.offered(during, network, answer)
    }

    pub(super) fn offered(
        &self,
        during: &'static str,
        network: &Credentials,
        answer: Option<Result<Offer, ErrorKind>>,
    ) -> Result<Offer, Stop> {
        let wanted = Finding::Offer(network.ssid.clone());
        let found = match answer {
            Some(Ok(offer)) if same(offer.at(0), network) => return Ok(offer),
            Some(Ok(offer)) if offer.at(0).ssid == network.ssid => {
                Finding::OtherKey(network.ssid.clone())
            }
            Some(Ok(offer)) => Finding::Offer(offer.at(0).ssid.clone()),
            Some(Err(kind)) => Finding::Error(kind),
            None => Finding::NoAnswer(self.limits.answer),
        };
        Err(Failure { during, at: At::Once, wanted, found }.into())
    }

    /// The whole way: the button, the offer, the network.
    pub(super) async fn pair_and_join(
        &mut self,
        during: &'static str,
        network: &Credentials,
    ) -> Result<(), Stop> {
        let offer = self.pair(during, network).await?;
        self.join(during, offer.at(0)).await
    }

    /// What `link` tells, if this driver tells anything.
    pub(super) async fn link(&mut self, during: &'static str) -> Result<Option<Link>, Stop> {
        let answer = within(&self.clock, self.limits.answer, self.driver.link()).await;
        match answer.map(|it| it.map_err(kind)) {
            Some(Ok(link)) => Ok(Some(link).filter(|link| link.mode.is_some())),
            other => self.done(during, other).map(|_| None),
        }
    }

    pub(super) async fn snapshot(&mut self, during: &'static str) -> Result<Snapshot, Stop> {
        let answer = within(&self.clock, self.limits.answer, self.driver.snapshot()).await;
        self.done(during, answer.map(|it| it.map_err(kind)))
    }

    pub(super) fn done<T>(
        &self,
        during: &'static str,
        answer: Option<Result<T, ErrorKind>>,
    ) -> Result<T, Stop> {
        let found = match answer {
            Some(Ok(done)) => return Ok(done),
            Some(Err(kind)) => Finding::Error(kind),
            None => Finding::NoAnswer(self.limits.answer),
        };
        Err(Failure { during, at: At::Once, wanted: Finding::Done, found }.into())
    }

    // --- verbs that may do as they like --------------------------------------------------------

    pub(super) async fn try_pair(
        &mut self,
        overlap_detector: &mut OverlapDetector,
        limit: Duration,
    ) -> Option<Result<Offer, ErrorKind>> {
        let mut pair_context = PairContext::new(overlap_detector, &|_| {});
        let work = self.driver.pair(&mut pair_context);
        within(&self.clock, limit, work).await.map(|it| it.map_err(kind))
    }

    pub(super) async fn try_join(
        &mut self,
        network: &Credentials,
        limit: Duration,
    ) -> Option<Result<(), ErrorKind>> {
        let snapshot = Snapshot::default();
        let work = self.driver.join(network, &snapshot);
        within(&self.clock, limit, work).await.map(|it| it.map_err(kind))
    }

    /// Takes a router away, and lets the time pass that people need to walk to another one: what was
    /// heard a moment ago may count as being there.
    pub(super) async fn take_away(&mut self, network: &Credentials) {
        self.test_bed.switch_off(&network.ssid).await;
        self.clock.sleep_until(self.clock.now().after(self.limits.watch)).await;
    }

    /// For a while, nothing is lost.
    pub(super) async fn expect_not_lost(&mut self, during: &'static str) -> Result<(), Stop> {
        let limit = self.limits.watch;
        let lost = within(&self.clock, limit, self.driver.config_lost()).await;
        expect(during, lost.is_none(), Finding::NoAnswer(limit), Finding::Done)
    }

    // --- the radio -------------------------------------------------------------------------------

    /// What the radio is doing; none if nobody can tell.
    pub(super) async fn radio(&mut self) -> Result<Option<ObservedState>, Stop> {
        let cannot = match self.test_bed.seen().await {
            Ok(seen) => return Ok(Some(seen)),
            Err(cannot) => cannot,
        };
        self.gap = Some(cannot);
        let Some(Link { up, mode, ssid, .. }) = self.link("link").await? else { return Ok(None) };
        Ok(Some(match (up, mode, ssid) {
            (true, Some(Mode::AccessPoint), Some(ssid)) => ObservedState::Serving(ssid),
            (true, _, Some(ssid)) => ObservedState::Joined(ssid),
            (false, _, _) | (true, _, None) => ObservedState::Nothing,
        }))
    }

    /// Waits until the radio is seen so.
    pub(super) async fn expect_radio(
        &mut self,
        during: &'static str,
        wanted: &ObservedState,
    ) -> Result<(), Stop> {
        self.expect_radio_within(self.limits.answer, during, wanted).await
    }

    async fn expect_radio_within(
        &mut self,
        limit: Duration,
        during: &'static str,
        wanted: &ObservedState,
    ) -> Result<(), Stop> {
        let until = self.clock.now().after(limit);
        loop {
            let Some(seen) = self.radio().await? else { return Ok(()) };
            if seen == *wanted {
                return Ok(());
            }
            if self.clock.now() >= until {
                let (wanted, found) = (Finding::Radio(wanted.clone()), Finding::Radio(seen));
                return Err(Failure { during, at: At::Once, wanted, found }.into());
            }
            self.clock.sleep_until(self.clock.now().after(GLANCE)).await;
        }
    }

    /// The radio stays so for a while.
    pub(super) async fn expect_still(
        &mut self,
        during: &'static str,
        wanted: &ObservedState,
    ) -> Result<(), Stop> {
        let until = self.clock.now().after(self.limits.watch);
        while self.clock.now() < until {
            self.expect_radio_within(Duration::ZERO, during, wanted).await?;
            self.clock.sleep_until(self.clock.now().after(GLANCE)).await;
        }
        Ok(())
    }
}

pub(super) fn kind(error: impl DriverError) -> ErrorKind {
    info!("conformance: {:?}", crate::logging::Debug(&error));
    error.kind()
}

pub(super) fn expect(
    during: &'static str,
    holds: bool,
    wanted: Finding,
    found: Finding,
) -> Result<(), Stop> {
    match holds {
        true => Ok(()),
        false => Err(Failure { during, at: At::Once, wanted, found }.into()),
    }
}

/// Hex digits of a raw PSK may come in either case.
fn same(one: &Credentials, other: &Credentials) -> bool {
    let keys = match (&one.passphrase, &other.passphrase) {
        (Some(one), Some(other)) if one.is_raw_psk() => {
            one.reveal().eq_ignore_ascii_case(other.reveal())
        }
        (one, other) => one == other,
    };
    keys && one.ssid == other.ssid
}
