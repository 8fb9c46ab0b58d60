//! The context in which one check runs: the test bed, a driver on it, and the steps that checks
//! share.

use core::future::pending;
use core::time::Duration;

use embassy_futures::select::{Either, select};

use super::fixtures::{expected_state, reason_if_optional};
use super::futures::{observe_until, timed, while_in_state};
use super::report::{Drops, Failure, Finding, Stop};
use super::{Limits, ObservedState, TestBed, Unavailable, fixtures};
use crate::command::{APPLY_TIMEOUT, JOIN_TIMEOUT, SNAPSHOT_TIMEOUT};
use crate::driver::{DriverError, ErrorKind, IdleEvent, Offer, PairContext, WifiDriver};
use crate::link::Link;
use crate::logging::info;
use crate::runner::LINK_TIMEOUT;
use crate::settings::{Credentials, Mode, Secret, Settings, Snapshot};
use crate::time::{Clock, Instant};
use crate::wsc::{Bssid, OverlapDetector};

/// The time between two observations of the radio.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The time within which the radio must be observed as joined after `join` has returned.
pub(super) const JOIN_OBSERVED_TIMEOUT: Duration = Duration::from_millis(150);
/// The time within which `link` must report what the test bed observes.
const LINK_UPDATE_TIMEOUT: Duration = Duration::from_secs(1);
/// The time between two calls of `link` by a web page that shows the link.
const LINK_QUERY_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct TestContext<'s, S: TestBed> {
    pub(super) test_bed: &'s mut S,
    pub(super) driver: S::Driver,
    pub(super) clock: S::Clock,
    pub(super) limits: Limits,
    pub(super) log: &'s mut Log,
    /// Whether `link` is called every second while the driver is idle.
    pub(super) link_is_queried: bool,
    /// The driver's snapshot of the current task, or `None` if no task has begun.
    pub(super) task: Option<Snapshot>,
    /// The settings in force. `None` if the machine would not be idle: it would first call another
    /// method, or apply settings.
    pub(super) settings: Option<Settings>,
}

/// What a report says about a check in addition to its outcome.
#[derive(Default)]
pub(super) struct Log {
    /// A part of the check that could not be tried.
    pub(super) gap: Option<Unavailable>,
    /// The method that was called last.
    pub(super) last_call: Option<&'static str>,
    pub(super) drops: Drops,
}

impl Log {
    /// Records a part of the check that could not be tried. The first one is reported.
    pub(super) fn add_gap(&mut self, gap: Unavailable) {
        self.gap.get_or_insert(gap);
    }
}

impl<'s, S: TestBed> TestContext<'s, S> {
    /// Resets the test bed, starts the router of the network "old" and creates a driver.
    pub(super) async fn new(
        test_bed: &'s mut S,
        platform: Option<&Credentials>,
        log: &'s mut Log,
    ) -> Result<Self, Stop> {
        test_bed.reset(platform).await?;
        test_bed.start_router(&fixtures::old()).await?;
        Ok(Self::with_new_driver(test_bed, log).await)
    }

    /// Restarts the platform and creates a new driver, while the routers keep running. The journal
    /// still has the snapshot of the task. The second value is whether the platform was restarted.
    pub(super) async fn restart(self) -> (Self, bool) {
        let Self { test_bed, driver, log, task, .. } = self;
        drop(driver);
        let restarted = test_bed.restart_platform().await;
        restarted.err().into_iter().for_each(|gap| log.add_gap(gap));
        let context = Self::with_new_driver(test_bed, log).await;
        (Self { task, ..context }, restarted.is_ok())
    }

    /// Cuts the power of the device, or at least restarts it, as [`restart`](Self::restart) does.
    pub(super) async fn cut_power(self) -> Self {
        let Self { test_bed, driver, log, task, link_is_queried, .. } = self;
        drop(driver);
        if let Err(gap) = test_bed.cut_power().await {
            log.add_gap(test_bed.restart_platform().await.err().unwrap_or(gap));
        }
        let context = Self::with_new_driver(test_bed, log).await;
        Self { task, link_is_queried, ..context }
    }

    async fn with_new_driver(test_bed: &'s mut S, log: &'s mut Log) -> Self {
        let (driver, clock, limits) =
            (test_bed.driver().await, test_bed.clock(), test_bed.limits());
        Self {
            test_bed,
            driver,
            clock,
            limits,
            log,
            link_is_queried: false,
            task: None,
            settings: None,
        }
    }

    /// Begins a task as the machine does: takes the driver's snapshot. Returns the snapshot of the
    /// current task if one has begun.
    pub(super) async fn begin_task(&mut self) -> Result<Snapshot, Stop> {
        let snapshot = match self.task.take() {
            Some(snapshot) => snapshot,
            None => self.snapshot("snapshot").await?,
        };
        self.task = Some(snapshot.clone());
        Ok(snapshot)
    }

    /// Ends the task as the machine does after it was saved.
    pub(super) fn end_task(&mut self) {
        self.task = None;
    }

    /// Records the call of a method that changes the radio. The settings in force are unknown until
    /// it has succeeded.
    pub(super) fn begin(&mut self, call: &'static str) {
        self.log.last_call = Some(call);
        self.settings = None;
    }

    /// Records a part of the check that cannot be tried. Passes other failures on.
    pub(super) fn skip_part(&mut self, result: Result<(), Stop>) -> Result<bool, Stop> {
        match result {
            Ok(()) => Ok(true),
            Err(Stop::Skipped(gap)) => {
                self.log.add_gap(gap);
                Ok(false)
            }
            Err(stop) => Err(stop),
        }
    }

    // --- methods that must succeed -------------------------------------------------------------

    /// Calls `apply` and waits until the radio is observed in that mode. Succeeds at once if nobody
    /// can observe the radio: the check is then partial. Ends the task that has begun.
    pub(super) async fn apply_and_expect(
        &mut self,
        step: &'static str,
        settings: &Settings,
    ) -> Result<(), Stop> {
        let snapshot = self.task.take().unwrap_or_default();
        self.apply(step, settings, &snapshot).await?;
        self.expect_state(step, &expected_state(settings)).await
    }

    /// Calls `apply`. If the driver does not support the mode, the check ends as skipped, except
    /// for station mode. The task that has begun goes on.
    pub(super) async fn apply(
        &mut self,
        step: &'static str,
        settings: &Settings,
        snapshot: &Snapshot,
    ) -> Result<(), Stop> {
        self.begin(call_of(settings));
        let apply = self.driver.apply(settings, snapshot);
        match (timed(&self.clock, APPLY_TIMEOUT, apply).await, reason_if_optional(settings)) {
            (Err(Finding::Error(ErrorKind::Unsupported)), Some(gap)) => return Err(gap.into()),
            (result, _) => expect_success(step, result)?,
        }
        self.settings = Some(settings.clone());
        Ok(())
    }

    /// Calls `apply` with the settings in force, which must not interrupt the link.
    pub(super) async fn apply_again(
        &mut self,
        step: &'static str,
        settings: &Settings,
    ) -> Result<(), Stop> {
        self.apply_unchanged(step, settings, &expected_state(settings)).await
    }

    /// Calls `apply` without a task. The radio must remain in the state `wanted`.
    pub(super) async fn apply_unchanged(
        &mut self,
        step: &'static str,
        settings: &Settings,
        wanted: &ObservedState,
    ) -> Result<(), Stop> {
        self.begin(call_of(settings));
        self.end_task();
        let snapshot = Snapshot::default();
        let apply = timed(&self.clock, APPLY_TIMEOUT, self.driver.apply(settings, &snapshot));
        let result = while_in_state(self.test_bed, &self.clock, step, wanted, apply).await?;
        expect_success(step, result)?;
        self.settings = Some(settings.clone());
        self.expect_stable_state(step, wanted).await
    }

    /// Calls `join`, which must return only once the network is joined.
    pub(super) async fn join(
        &mut self,
        step: &'static str,
        network: &Credentials,
    ) -> Result<(), Stop> {
        let result = self.try_join(network).await?;
        expect_success(step, result)?;
        let joined = ObservedState::Joined(network.ssid.clone());
        self.expect_state_within(JOIN_OBSERVED_TIMEOUT, step, &joined).await?;
        self.expect_link(Duration::ZERO, step, &joined).await
    }

    /// Presses the router's button and calls `pair`, which must return exactly its network.
    pub(super) async fn pair(
        &mut self,
        step: &'static str,
        network: &Credentials,
    ) -> Result<Offer, Stop> {
        self.test_bed.press_button(&network.ssid).await;
        let result = self.try_pair(&mut OverlapDetector::new(), None).await?;
        expect_offer(step, network, result)
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

    /// Calls `link`. Returns `None` if the driver does not report its link.
    pub(super) async fn link(&mut self, step: &'static str) -> Result<Option<Link>, Stop> {
        self.log.last_call = Some("link");
        let result = timed(&self.clock, LINK_TIMEOUT, self.driver.link()).await;
        self.reported_link(step, result)
    }

    /// Returns the link, or `None` if the driver does not report it. `link` may fail: the link then
    /// counts as unknown, and the check is partial.
    pub(super) fn reported_link(
        &mut self,
        step: &'static str,
        result: Result<Link, Finding>,
    ) -> Result<Option<Link>, Stop> {
        match result {
            Err(Finding::Error(_)) => {
                self.log.add_gap(Unavailable("the driver could not report its link"));
                Ok(None)
            }
            result => {
                let link = expect_success(step, result)?;
                Ok(Some(link).filter(|link| link.mode.is_some()))
            }
        }
    }

    /// Calls `link` as a web page does, if it is queried. What it returns does not matter.
    async fn query_link(&mut self, step: &'static str) -> Result<(), Stop> {
        if !self.link_is_queried {
            return Ok(());
        }
        self.log.last_call = Some("link");
        match timed(&self.clock, LINK_TIMEOUT, self.driver.link()).await {
            Ok(_) | Err(Finding::Error(_)) => Ok(()),
            Err(found) => Err(Failure::new(step, Finding::Success, found).into()),
        }
    }

    pub(super) async fn snapshot(&mut self, step: &'static str) -> Result<Snapshot, Stop> {
        self.log.last_call = Some("snapshot");
        expect_success(step, timed(&self.clock, SNAPSHOT_TIMEOUT, self.driver.snapshot()).await)
    }

    // --- methods that may succeed or fail ------------------------------------------------------

    /// Calls `pair`, limited to the access point `only` if it names one.
    pub(super) async fn try_pair(
        &mut self,
        overlap_detector: &mut OverlapDetector,
        only: Option<Bssid>,
    ) -> Result<Result<Offer, Finding>, Stop> {
        self.try_pair_within(self.limits.response_timeout, overlap_detector, only).await
    }

    /// Calls `pair`, and drops its future after `timeout`.
    pub(super) async fn try_pair_within(
        &mut self,
        timeout: Duration,
        overlap_detector: &mut OverlapDetector,
        only: Option<Bssid>,
    ) -> Result<Result<Offer, Finding>, Stop> {
        self.begin_task().await?;
        self.begin("pair");
        let mut pair_context = PairContext::new(overlap_detector, &|_| {}).with_only(only);
        let pair = self.driver.pair(&mut pair_context);
        Ok(timed(&self.clock, timeout, pair).await)
    }

    /// Calls `join`.
    pub(super) async fn try_join(
        &mut self,
        network: &Credentials,
    ) -> Result<Result<(), Finding>, Stop> {
        let snapshot = self.begin_task().await?;
        self.begin("join");
        let result = timed(&self.clock, JOIN_TIMEOUT, self.driver.join(network, &snapshot)).await;
        if result.is_ok() {
            self.settings = Some(fixtures::station(network.clone()));
        }
        Ok(result)
    }

    // --- waiting -------------------------------------------------------------------------------

    /// Waits as the runner waits while the machine is idle. Fails if the driver reports an event.
    pub(super) async fn rest(&mut self, step: &'static str, time: Duration) -> Result<(), Stop> {
        match self.next_idle_event(step, time).await? {
            Some(event) => Err(unexpected(step, event)),
            None => Ok(()),
        }
    }

    /// Waits as the runner waits while the machine is idle, and returns the event that the driver
    /// reports within `timeout`, or `None`.
    pub(super) async fn next_idle_event(
        &mut self,
        step: &'static str,
        timeout: Duration,
    ) -> Result<Option<IdleEvent>, Stop> {
        let deadline = self.clock.now().after(timeout);
        while self.clock.now() < deadline {
            let end = self.next_query().unwrap_or(deadline).min(deadline);
            let idle = idle(&mut self.driver, self.settings.as_ref(), self.log);
            match select(idle, self.clock.sleep_until(end)).await {
                Either::First(event) => return Ok(Some(event)),
                Either::Second(()) => self.query_link(step).await?,
            }
        }
        Ok(None)
    }

    /// Waits until the driver reports this event.
    pub(super) async fn expect_idle_event(
        &mut self,
        step: &'static str,
        wanted: IdleEvent,
    ) -> Result<(), Stop> {
        let timeout = self.limits.response_timeout;
        let event = self.next_idle_event(step, timeout).await?;
        let found = event.map_or(Finding::Pending(timeout), Finding::IdleEvent);
        expect(step, event == Some(wanted), Finding::IdleEvent(wanted), found)
    }

    /// Stops a router and waits for the watch window, as long as a person needs to walk to another
    /// router. Until then a driver may still report the stopped router from its last scan.
    pub(super) async fn stop_router_and_wait(
        &mut self,
        step: &'static str,
        network: &Credentials,
    ) -> Result<(), Stop> {
        self.test_bed.stop_router(&network.ssid).await;
        self.rest(step, self.limits.watch_window).await
    }

    /// Returns when `link` is to be called next, or `None` if never.
    fn next_query(&self) -> Option<Instant> {
        self.link_is_queried.then(|| self.clock.now().after(LINK_QUERY_INTERVAL))
    }

    // --- the radio -----------------------------------------------------------------------------

    /// Returns what the radio is doing, or `None` if neither the test bed nor the driver can say.
    async fn observe(&mut self) -> Result<Option<ObservedState>, Stop> {
        let unavailable = match self.test_bed.observe().await {
            Ok(state) => return Ok(Some(state)),
            Err(unavailable) => unavailable,
        };
        self.log.add_gap(unavailable);
        // Only the driver can say. Ask it no more often than a web page, so that it is also idle.
        self.link_is_queried = true;
        let Some(Link { up, mode, ssid, .. }) = self.link("link").await? else { return Ok(None) };
        Ok(Some(match (up, mode, ssid) {
            (true, Some(Mode::AccessPoint), Some(ssid)) => ObservedState::Serving(ssid),
            (true, _, Some(ssid)) => ObservedState::Joined(ssid),
            (false, _, _) | (true, _, None) => ObservedState::Nothing,
        }))
    }

    /// Watches the radio until `stop_at` accepts its state, at most for `time`. Returns the last
    /// state, or `None` if neither the test bed nor the driver can say.
    ///
    /// Meanwhile it waits as [`rest`](Self::rest) does.
    async fn watch(
        &mut self,
        time: Duration,
        step: &'static str,
        stop_at: impl Fn(&ObservedState) -> bool,
    ) -> Result<Option<ObservedState>, Stop> {
        let deadline = self.clock.now().after(time);
        loop {
            let Some(state) = self.observe().await? else { return Ok(None) };
            if stop_at(&state) || self.clock.now() >= deadline {
                return Ok(Some(state));
            }
            let end = self.next_query().unwrap_or(deadline).min(deadline);
            let idle = idle(&mut self.driver, self.settings.as_ref(), self.log);
            let observe = observe_until(self.test_bed, &self.clock, end, &stop_at);
            match select(idle, observe).await {
                Either::First(event) => return Err(unexpected(step, event)),
                Either::Second(Some(state)) => return Ok(Some(state)),
                Either::Second(None) => self.query_link(step).await?,
            }
        }
    }

    /// Waits until the radio is observed in the state `wanted`, and `link` reports it, too.
    pub(super) async fn expect_state(
        &mut self,
        step: &'static str,
        wanted: &ObservedState,
    ) -> Result<(), Stop> {
        self.expect_state_within(self.limits.response_timeout, step, wanted).await?;
        self.expect_link(LINK_UPDATE_TIMEOUT, step, wanted).await
    }

    pub(super) async fn expect_state_within(
        &mut self,
        timeout: Duration,
        step: &'static str,
        wanted: &ObservedState,
    ) -> Result<(), Stop> {
        match self.watch(timeout, step, |state| state == wanted).await? {
            Some(state) if state != *wanted => Err(Failure::observed(step, wanted, state).into()),
            Some(_) | None => Ok(()),
        }
    }

    /// Waits until the radio is observed in the state `wanted`. Returns whether it was.
    pub(super) async fn is_state_reached(
        &mut self,
        step: &'static str,
        wanted: &ObservedState,
    ) -> Result<bool, Stop> {
        let state = self.watch(self.limits.response_timeout, step, |state| state == wanted).await?;
        Ok(state.as_ref() == Some(wanted))
    }

    /// Fails if the radio leaves the state `wanted` within the watch window, or `link` does not
    /// report it then.
    pub(super) async fn expect_stable_state(
        &mut self,
        step: &'static str,
        wanted: &ObservedState,
    ) -> Result<(), Stop> {
        match self.watch(self.limits.watch_window, step, |state| state != wanted).await? {
            Some(state) if state != *wanted => Err(Failure::observed(step, wanted, state).into()),
            Some(_) | None => self.expect_link(LINK_UPDATE_TIMEOUT, step, wanted).await,
        }
    }

    /// Waits until the radio is observed not to be in this network.
    pub(super) async fn expect_left(
        &mut self,
        step: &'static str,
        network: &Credentials,
    ) -> Result<(), Stop> {
        let is_left = |state: &ObservedState| !is_joined(state, &[network]);
        let state = self.watch(self.limits.response_timeout, step, is_left).await?;
        expect_none_joined(step, state, &[network])
    }

    /// Fails if the radio joins one of these networks within the watch window.
    pub(super) async fn expect_not_joined(
        &mut self,
        step: &'static str,
        networks: &[&Credentials],
    ) -> Result<(), Stop> {
        let is_any = |state: &ObservedState| is_joined(state, networks);
        let state = self.watch(self.limits.watch_window, step, is_any).await?;
        expect_none_joined(step, state, networks)
    }

    /// Fails if `link` does not report the state `wanted` within `timeout`, in which the radio is.
    pub(super) async fn expect_link(
        &mut self,
        timeout: Duration,
        step: &'static str,
        wanted: &ObservedState,
    ) -> Result<(), Stop> {
        let deadline = self.clock.now().after(timeout);
        // Each call drops `maintain`, which the driver may need to notice a lost link.
        let interval =
            if timeout > LINK_UPDATE_TIMEOUT { LINK_QUERY_INTERVAL } else { POLL_INTERVAL };
        loop {
            let Some(link) = self.link(step).await? else { return Ok(()) };
            match self.compare(&link, wanted) {
                Ok(()) => return Ok(()),
                Err((wanted, found)) if self.clock.now() >= deadline => {
                    return Err(Failure::new(step, wanted, found).into());
                }
                Err(_) => self.rest(step, interval).await?,
            }
        }
    }

    /// Compares a link with the state in which the radio is. Returns what is wanted and what was
    /// found if they differ. What the driver cannot report does not count.
    pub(super) fn compare(
        &self,
        link: &Link,
        state: &ObservedState,
    ) -> Result<(), (Finding, Finding)> {
        let mode = self.settings.as_ref().map(Settings::mode);
        let (up, ssid) = match state {
            ObservedState::Joined(ssid) | ObservedState::Serving(ssid) => (true, Some(ssid)),
            ObservedState::Nothing => (false, None),
        };
        let differs = link.up != up
            || mode.is_some_and(|mode| link.mode.is_some_and(|it| it != mode))
            || ssid.is_some_and(|ssid| link.ssid.as_ref().is_some_and(|it| it != ssid));
        if !differs {
            return Ok(());
        }
        let found = Finding::Link { up: link.up, mode: link.mode, ssid: link.ssid.clone() };
        Err((Finding::Link { up, mode, ssid: ssid.cloned() }, found))
    }
}

/// Lets the driver do what the runner lets it do while the machine is idle with these settings.
/// Returns the event that the driver reports.
async fn idle(
    driver: &mut impl WifiDriver,
    settings: Option<&Settings>,
    log: &mut Log,
) -> IdleEvent {
    match settings {
        Some(settings) => {
            log.last_call = Some("maintain");
            driver.maintain(settings).await
        }
        None => pending().await,
    }
}

pub(super) fn unexpected(step: &'static str, event: IdleEvent) -> Stop {
    Failure::new(step, Finding::NoIdleEvent, Finding::IdleEvent(event)).into()
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
        false => Err(Failure::new(step, wanted, found).into()),
    }
}

/// Fails unless a method succeeded.
pub(super) fn expect_success<T>(step: &'static str, result: Result<T, Finding>) -> Result<T, Stop> {
    result.map_err(|found| Failure::new(step, Finding::Success, found).into())
}

/// Fails unless `pair` returned an offer whose first network is `network`.
pub(super) fn expect_offer(
    step: &'static str,
    network: &Credentials,
    result: Result<Offer, Finding>,
) -> Result<Offer, Stop> {
    let found = match result {
        Ok(offer) if same_credentials(offer.at(0), network) => return Ok(offer),
        Ok(offer) if offer.at(0).ssid == network.ssid => {
            Finding::OfferWithWrongKey(network.ssid.clone())
        }
        Ok(offer) => Finding::Offer(offer.at(0).ssid.clone()),
        Err(found) => found,
    };
    Err(Failure::new(step, Finding::Offer(network.ssid.clone()), found).into())
}

/// Returns whether the radio has joined one of these networks.
fn is_joined(state: &ObservedState, networks: &[&Credentials]) -> bool {
    matches!(state, ObservedState::Joined(ssid) if networks.iter().any(|it| it.ssid == *ssid))
}

/// Fails if the radio was observed in one of these networks.
fn expect_none_joined(
    step: &'static str,
    state: Option<ObservedState>,
    networks: &[&Credentials],
) -> Result<(), Stop> {
    match state {
        Some(ObservedState::Joined(ssid)) if networks.iter().any(|it| it.ssid == ssid) => {
            let found = Finding::Observed(ObservedState::Joined(ssid.clone()));
            Err(Failure::new(step, Finding::NotJoined(ssid), found).into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Returns the name of `apply` with these settings.
fn call_of(settings: &Settings) -> &'static str {
    match settings {
        Settings::Platform => "apply(platform)",
        Settings::Station { .. } => "apply(station)",
        Settings::AccessPoint { .. } => "apply(access point)",
        Settings::Off { .. } => "apply(off)",
    }
}

/// Returns whether two networks have the same name and key. The hex digits of a raw PSK may have
/// either case.
pub(super) fn same_credentials(one: &Credentials, other: &Credentials) -> bool {
    let keys = match (&one.secret, &other.secret) {
        (Secret::Key(one), Secret::Key(other)) if one.is_raw_psk() => {
            one.reveal().eq_ignore_ascii_case(other.reveal())
        }
        (one, other) => one == other,
    };
    keys && one.ssid == other.ssid
}
