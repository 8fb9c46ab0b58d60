//! Simulated Wi-Fi routers, and a simulated radio that can pair with them.

use core::cell::RefCell;
use core::future::pending;
use core::time::Duration;

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::signal::Signal;
use heapless::Vec;

use crate::driver::{
    DriverError, ErrorKind, IdleEvent, Offer, PairContext, SearchProgress, WifiDriver,
};
use crate::link::{Link, Security};
use crate::scan::{BssInfo, ScanResults};
use crate::settings::{Credentials, Mode, Passphrase, Settings, Snapshot, Ssid};
use crate::time::Clock;
use crate::wsc::{self, Bssid, Decision, ScanPlan, Uuid};

/// The time that `apply` takes.
const APPLY_DELAY: Duration = Duration::from_millis(100);
/// The time that one scan step takes.
const SCAN_STEP_DELAY: Duration = Duration::from_millis(300);
/// The time that the WPS exchange with a router takes.
const EXCHANGE_DELAY: Duration = Duration::from_millis(400);
/// The time that joining a network takes.
const JOIN_DELAY: Duration = Duration::from_millis(500);

/// The centre frequencies of the channels in use, in MHz.
const CHANNELS: [u16; 3] = [2412, 2437, 2462];
const MAX_ROUTERS: usize = 8;

/// A router that a person or a test controls.
#[derive(Clone, Debug)]
pub struct Router {
    network: Credentials,
    kind: RouterKind,
    is_on: bool,
    is_pressed: bool,
}

/// How a router behaves when a device asks for its credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouterKind {
    /// Sends its credentials.
    #[default]
    Ordinary,
    /// Does nothing, because its WPS is disabled.
    WithoutWps,
    /// Sends a key that does not work.
    WrongKey,
    /// Sends the credentials of a guest network that is out of range, then its own.
    GuestFirst,
    /// Refuses the exchange.
    Refuses,
    /// Supports only WEP.
    Insecure,
    /// Loses power during the exchange.
    Vanishes,
}

impl Router {
    /// Creates a router that is switched on. An empty `key` makes its network an open one.
    ///
    /// # Panics
    /// Panics if `ssid` is not a valid network name, or `key` not a valid key.
    pub fn new(ssid: &[u8], key: &[u8]) -> Self {
        let network = Credentials {
            ssid: Ssid::new(ssid).expect("a network name"),
            passphrase: (!key.is_empty()).then(|| Passphrase::new(key).expect("a key")),
        };
        Self { network, kind: RouterKind::Ordinary, is_on: true, is_pressed: false }
    }

    /// Returns the same router with another behaviour.
    #[must_use]
    pub fn with_kind(self, kind: RouterKind) -> Self {
        Self { kind, ..self }
    }

    /// Returns the name and the key of the router's network.
    pub fn network(&self) -> &Credentials {
        &self.network
    }
}

/// A fault of the simulated radio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RadioFault {
    /// Every method fails with an error of this kind.
    Fails(ErrorKind),
    /// No method ever returns.
    Unresponsive,
    /// `apply` of this mode fails with [`ErrorKind::NotPermitted`].
    RejectsMode(Mode),
}

/// The simulated radio environment: up to eight routers, and the radio under test.
pub struct Air<M: RawMutex> {
    inner: Mutex<M, RefCell<Inner>>,
    /// Signalled when the radio has lost its configuration.
    config_lost: Signal<M, ()>,
    /// Signalled when a router has changed.
    router_changed: Signal<M, ()>,
}

struct Inner {
    routers: Vec<Router, MAX_ROUTERS>,
    /// The settings that the radio applied last.
    radio: Option<Settings>,
    /// The network in the platform's own configuration.
    platform: Option<Credentials>,
    fault: Option<RadioFault>,
}

impl<M: RawMutex> Air<M> {
    /// Creates an environment without routers.
    pub const fn new() -> Self {
        let inner = Inner { routers: Vec::new(), radio: None, platform: None, fault: None };
        Self {
            inner: Mutex::new(RefCell::new(inner)),
            config_lost: Signal::new(),
            router_changed: Signal::new(),
        }
    }

    /// Adds a router, and removes any other one with the same name. Ignores a ninth router.
    pub fn add_router(&self, router: Router) {
        self.with(|inner| {
            inner.routers.retain(|other| other.network.ssid != router.network.ssid);
            inner.routers.push(router).ok();
        });
        self.router_changed.signal(());
    }

    /// Presses the WPS button of the router called `ssid`.
    pub fn press_button(&self, ssid: &[u8]) {
        self.with_router(ssid, |router| router.is_pressed = router.kind != RouterKind::WithoutWps);
    }

    /// Ends the pairing mode of the router called `ssid`, as if its button had not been pressed.
    pub fn stop_pairing(&self, ssid: &[u8]) {
        self.with_router(ssid, |router| router.is_pressed = false);
    }

    /// Switches the router called `ssid` on or off.
    pub fn set_power(&self, ssid: &[u8], on: bool) {
        self.with_router(ssid, |router| {
            router.is_on = on;
            router.is_pressed &= on;
        });
    }

    /// Changes the behaviour of the router called `ssid`.
    pub fn set_kind(&self, ssid: &[u8], kind: RouterKind) {
        self.with_router(ssid, |router| router.kind = kind);
    }

    /// Changes the key of the router called `ssid`. An empty `key` makes its network an open one.
    ///
    /// # Panics
    /// Panics if `key` is not a valid key.
    pub fn set_key(&self, ssid: &[u8], key: &[u8]) {
        self.with_router(ssid, |router| router.network = Router::new(ssid, key).network);
    }

    /// Removes the router called `ssid` for good.
    pub fn remove_router(&self, ssid: &[u8]) {
        self.with(|inner| inner.routers.retain(|it| it.network.ssid.as_bytes() != ssid));
    }

    /// Restarts the platform below the radio, with `network` as the only network in its own
    /// configuration, or with none. The radio loses the settings that it applied.
    pub fn restart_platform(&self, network: Option<Credentials>) {
        self.with(|inner| {
            inner.radio = network.is_some().then_some(Settings::Platform);
            inner.platform = network;
        });
        self.config_lost.signal(());
    }

    /// Returns whether the radio has lost its settings and the driver has not noticed yet.
    pub fn has_lost_config(&self) -> bool {
        self.config_lost.signaled()
    }

    /// Returns all routers: the name, the kind, whether it is on and whether its button is pressed.
    pub fn routers(&self) -> Vec<(Ssid, RouterKind, bool, bool), MAX_ROUTERS> {
        self.with(|inner| {
            let state = |it: &Router| (it.network.ssid.clone(), it.kind, it.is_on, it.is_pressed);
            inner.routers.iter().map(state).collect()
        })
    }

    /// Gives the radio a fault, or repairs it.
    pub fn set_fault(&self, fault: Option<RadioFault>) {
        self.with(|inner| inner.fault = fault);
    }

    /// Returns the settings that the radio applied last.
    ///
    /// Returns `None` if it has not applied any, if a pairing or a join has begun since, or if the
    /// platform has restarted without a network.
    pub fn radio_settings(&self) -> Option<Settings> {
        self.with(|inner| inner.radio.clone())
    }

    /// Returns whether the radio has joined a network in range, or is an access point itself.
    pub fn is_linked(&self) -> bool {
        self.with(|inner| match &inner.radio {
            Some(Settings::Station { network }) => inner.check_join(network).is_ok(),
            Some(Settings::Platform) => {
                inner.platform.as_ref().is_some_and(|network| inner.check_join(network).is_ok())
            }
            Some(Settings::AccessPoint { .. }) => true,
            Some(Settings::Off { .. }) | None => false,
        })
    }

    /// Returns a driver for the radio. Its methods take time on `clock`.
    pub fn radio<C: Clock>(&self, clock: C) -> Radio<'_, M, C> {
        Radio { air: self, clock, applied: None, key_refused: false }
    }

    fn with_router(&self, ssid: &[u8], act: impl FnOnce(&mut Router)) {
        self.with(|inner| {
            inner.routers.iter_mut().find(|it| it.network.ssid.as_bytes() == ssid).map(act);
        });
        self.router_changed.signal(());
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        self.inner.lock(|inner| act(&mut inner.borrow_mut()))
    }
}

impl<M: RawMutex> Default for Air<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    /// Returns `Ok` if a router is on that has this name and this key.
    fn check_join(&self, network: &Credentials) -> Result<(), SimError> {
        let mut in_range =
            self.routers.iter().filter(|it| it.is_on && it.network.ssid == network.ssid);
        match in_range.next() {
            Some(router) if router.network.passphrase == network.passphrase => Ok(()),
            Some(_) => Err(SimError(ErrorKind::WrongKey)),
            None => Err(SimError(ErrorKind::NotFound)),
        }
    }

    /// Returns the routers whose button is pressed.
    fn pressed_routers(&self) -> Vec<wsc::Router, MAX_ROUTERS> {
        let routers = self.routers.iter().enumerate().filter(|(_, it)| it.is_on && it.is_pressed);
        let pressed = routers.map(|(number, router)| wsc::Router {
            bssid: bssid(number),
            frequency_mhz: CHANNELS[number % CHANNELS.len()],
            ssid: Some(router.network.ssid.clone()),
            uuid: Some(Uuid([number as u8; 16])),
            signal_dbm: -50,
        });
        pressed.collect()
    }

    /// Returns what a scan of all channels finds.
    fn scan_results(&self) -> ScanResults {
        let mut results = ScanResults::default();
        for (number, router) in self.routers.iter().enumerate().filter(|(_, it)| it.is_on) {
            results.add(BssInfo {
                ssid: Some(router.network.ssid.clone()),
                frequency_mhz: Some(CHANNELS[number % CHANNELS.len()]),
                signal_dbm: Some(-50),
                security: Some(security(&router.network)),
                wps: router.kind != RouterKind::WithoutWps,
                pressed: Some(router.is_pressed),
                ..BssInfo::new(bssid(number))
            });
        }
        results
    }

    /// Returns whether the network of these settings refuses their key, or `None` if it is not in
    /// range.
    fn is_key_refused(&self, settings: &Settings) -> Option<bool> {
        let Settings::Station { network } = settings else { return None };
        match self.check_join(network) {
            Ok(()) => Some(false),
            Err(SimError(ErrorKind::WrongKey)) => Some(true),
            Err(_) => None,
        }
    }

    /// Returns the routers that are on, or only the one that the user has chosen.
    fn candidates(&self, only: Option<Bssid>) -> impl Iterator<Item = &Router> {
        let routers = self.routers.iter().enumerate().filter(|(_, it)| it.is_on);
        let candidates =
            routers.filter(move |(number, _)| only.is_none_or(|only| only == bssid(*number)));
        candidates.map(|(_, router)| router)
    }

    /// Returns whether a candidate is on.
    fn has_router(&self, only: Option<Bssid>) -> bool {
        self.candidates(only).next().is_some()
    }

    /// Returns whether a candidate with WPS is on.
    fn has_wps(&self, only: Option<Bssid>) -> bool {
        self.candidates(only).any(|it| it.kind != RouterKind::WithoutWps)
    }
}

/// Returns the address of the router with this number.
fn bssid(number: usize) -> Bssid {
    Bssid([2, 0, 0, 0, 0, number as u8])
}

/// The [`WifiDriver`] of the radio in an [`Air`].
pub struct Radio<'a, M: RawMutex, C> {
    air: &'a Air<M>,
    clock: C,
    /// The network of the last `apply` or `join`.
    applied: Option<Ssid>,
    /// What `maintain` has reported.
    key_refused: bool,
}

/// An error of the simulated radio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the simulated radio: {0}")]
pub struct SimError(pub ErrorKind);

impl DriverError for SimError {
    fn kind(&self) -> ErrorKind {
        self.0
    }
}

impl<M: RawMutex, C: Clock> Radio<'_, M, C> {
    /// Waits for `time`, or fails as the fault of the radio demands.
    async fn work(&self, time: Duration) -> Result<(), SimError> {
        match self.air.with(|inner| inner.fault) {
            Some(RadioFault::Fails(kind)) => Err(SimError(kind)),
            Some(RadioFault::Unresponsive) => pending().await,
            Some(RadioFault::RejectsMode(_)) | None => {
                self.clock.sleep_until(self.clock.now().after(time)).await;
                Ok(())
            }
        }
    }

    /// Records the network that is applied. `maintain` reports the key of another one again.
    fn set_applied(&mut self, ssid: Option<&Ssid>) {
        self.key_refused &= self.applied.as_ref() == ssid;
        self.applied = ssid.cloned();
    }

    /// Scans until exactly one router has its button pressed.
    async fn find_pressed(&self, context: &mut PairContext<'_>) -> Result<wsc::Router, SimError> {
        let (mut plan, only) = (ScanPlan::new(CHANNELS), context.only());
        loop {
            let step = plan.next_step();
            self.work(SCAN_STEP_DELAY).await?;
            plan.mark_scanned(&step);
            #[cfg(feature = "scan")] // the results need kilobytes of stack
            context.report_scan_results(&self.air.with(|inner| inner.scan_results()));
            let pressed = self.air.with(|inner| inner.pressed_routers());
            match context.decide(&pressed, &plan) {
                Decision::Pair(router) => return Ok(router),
                Decision::Overlap => return Err(SimError(ErrorKind::Overlap)),
                Decision::KeepScanning => {
                    let ssid = pressed.first().and_then(|router| router.ssid.clone());
                    context.report_progress(SearchProgress::Pressed { ssid });
                }
                Decision::NoRouter if self.air.with(|inner| inner.has_wps(only)) => {
                    context.report_progress(SearchProgress::NotPressed);
                }
                Decision::NoRouter if self.air.with(|inner| inner.has_router(only)) => {
                    context.report_progress(SearchProgress::NoWps);
                }
                Decision::NoRouter => context.report_progress(SearchProgress::NoRouter),
            }
        }
    }
}

impl<M: RawMutex, C: Clock> WifiDriver for Radio<'_, M, C> {
    type Error = SimError;

    async fn apply(&mut self, settings: &Settings, _: &Snapshot) -> Result<(), SimError> {
        self.set_applied(match settings {
            Settings::Station { network } => Some(&network.ssid),
            Settings::Platform | Settings::AccessPoint { .. } | Settings::Off { .. } => None,
        });
        self.work(APPLY_DELAY).await?;
        self.air.with(|inner| {
            if inner.fault == Some(RadioFault::RejectsMode(settings.mode())) {
                return Err(SimError(ErrorKind::NotPermitted));
            }
            inner.radio = Some(settings.clone());
            self.air.config_lost.reset();
            Ok(())
        })
    }

    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, SimError> {
        context.report_progress(SearchProgress::Looking);
        let found = self.find_pressed(context).await?;
        context.before_disconnect().await;
        context.report_progress(SearchProgress::Exchanging { ssid: found.ssid.clone() });
        self.air.with(|inner| inner.radio = None);
        let ssid = found.ssid.as_ref().map_or(&[][..], Ssid::as_bytes);
        let router = self.air.with(|inner| {
            let mut routers = inner.routers.iter();
            routers.find(|it| it.is_on && it.network.ssid.as_bytes() == ssid).cloned()
        });
        let router = router.ok_or(SimError(ErrorKind::RouterLost))?;
        self.work(EXCHANGE_DELAY).await?;
        let own = router.network.clone();
        match router.kind {
            RouterKind::Ordinary | RouterKind::WrongKey | RouterKind::GuestFirst => {
                self.air.stop_pairing(ssid);
            }
            RouterKind::Vanishes => self.air.set_power(ssid, false),
            RouterKind::WithoutWps | RouterKind::Refuses | RouterKind::Insecure => {}
        }
        match router.kind {
            RouterKind::Ordinary => Ok(own.into()),
            RouterKind::WrongKey => {
                let passphrase = Passphrase::new(b"not the right key").ok();
                Ok(Credentials { passphrase, ..own }.into())
            }
            RouterKind::GuestFirst => {
                let guest = Router::new(b"guest", b"").network;
                Ok(Offer::new([guest, own.clone()]).unwrap_or_else(|| own.into()))
            }
            RouterKind::Insecure => Err(SimError(ErrorKind::Insecure)),
            RouterKind::WithoutWps | RouterKind::Refuses => Err(SimError(ErrorKind::Refused)),
            RouterKind::Vanishes => Err(SimError(ErrorKind::RouterLost)),
        }
    }

    async fn join(&mut self, network: &Credentials, _: &Snapshot) -> Result<(), SimError> {
        self.key_refused = false;
        self.set_applied(Some(&network.ssid));
        self.air.with(|inner| inner.radio = None);
        self.work(JOIN_DELAY).await?;
        self.air.with(|inner| {
            inner.check_join(network)?;
            inner.radio = Some(Settings::Station { network: network.clone() });
            self.air.config_lost.reset();
            Ok(())
        })
    }

    async fn snapshot(&mut self) -> Result<Snapshot, SimError> {
        self.work(Duration::ZERO).await?;
        Ok(Snapshot::default())
    }

    async fn link(&mut self) -> Result<Link, SimError> {
        self.work(Duration::ZERO).await?;
        let (up, radio) = (self.air.is_linked(), self.air.radio_settings());
        let network = match &radio {
            Some(Settings::Station { network }) if up => Some(network),
            Some(Settings::AccessPoint { access_point, .. }) => Some(&access_point.network),
            Some(Settings::Station { .. } | Settings::Platform | Settings::Off { .. }) | None => {
                None
            }
        };
        Ok(Link {
            up,
            mode: radio.as_ref().map(Settings::mode),
            ssid: network.map(|network| network.ssid.clone()),
            security: network.map(security),
            ..Link::default()
        })
    }

    async fn scan(&mut self) -> Result<ScanResults, SimError> {
        for _ in CHANNELS {
            self.work(SCAN_STEP_DELAY).await?;
        }
        Ok(self.air.with(|inner| inner.scan_results()))
    }

    fn can_pair_with_one(&self) -> bool {
        true
    }

    async fn maintain(&mut self, settings: &Settings) -> IdleEvent {
        loop {
            match self.air.with(|inner| inner.is_key_refused(settings)) {
                Some(refused) if refused != self.key_refused => {
                    self.key_refused = refused;
                    return if refused { IdleEvent::KeyRefused } else { IdleEvent::KeyAccepted };
                }
                Some(_) | None => {}
            }
            match select(self.air.config_lost.wait(), self.air.router_changed.wait()).await {
                Either::First(()) => return IdleEvent::ConfigLost,
                Either::Second(()) => {}
            }
        }
    }
}

fn security(network: &Credentials) -> Security {
    match network.passphrase {
        Some(_) => Security::Wpa2,
        None => Security::Open,
    }
}
