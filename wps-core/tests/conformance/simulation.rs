//! A test bed on the simulator, and an executor on virtual time.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use embassy_futures::block_on;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use wps_core::conformance::{Limits, ObservedState, PlatformNetwork, TestBed, Unavailable};
use wps_core::sim::{Air, ManualClock, Owner, Place, RadioFault, Router};
use wps_core::wsc::Bssid;
use wps_core::{
    Clock, Credentials, Instant, KeptId, Passphrase, Secret, Settings, Ssid, WifiDriver,
};

use crate::flaw::Flaw;

pub(crate) type Raw = NoopRawMutex;

/// The reason that a minimal test bed gives.
pub(crate) const MINIMAL: Unavailable = Unavailable("this test bed has only the required methods");

/// The reason why the checks of `keep` are skipped.
pub(crate) const KEEPS_NOTHING: Unavailable = Unavailable("the platform keeps no networks");

/// A virtual time that no run of the suite needs.
const RUN_TIMEOUT: Duration = Duration::from_secs(1_000_000);

/// The simulator, with what only a flawed driver needs: storage that survives a restart, and
/// settings that take effect later.
pub(crate) struct Simulation {
    pub(crate) air: Air<Raw>,
    pub(crate) clock: ManualClock<Raw>,
    pub(crate) flaw: Option<Flaw>,
    /// The credentials that the platform has stored.
    pub(crate) stored: RefCell<Option<Credentials>>,
    /// Settings that the radio applies by itself at this time.
    pub(crate) delayed_settings: RefCell<Option<(Instant, Settings)>>,
    /// The network in the platform's own configuration.
    pub(crate) platform: RefCell<Option<Credentials>>,
    /// Whether the platform keeps networks.
    keeps_networks: bool,
    /// Whether the platform does not answer.
    pub(crate) is_unresponsive: Cell<bool>,
    /// The networks of all routers that were ever started.
    networks: RefCell<Vec<Credentials>>,
    /// The methods that were called on a [`FlawedDriver`](crate::flawed_driver::FlawedDriver).
    pub(crate) calls: RefCell<Vec<&'static str>>,
    /// Whether the test bed supports only the required methods.
    pub(crate) is_minimal: bool,
    pub(crate) limits: Limits,
}

impl Simulation {
    pub(crate) fn new(flaw: Option<Flaw>) -> Self {
        Self {
            air: Air::new(),
            clock: ManualClock::new(),
            flaw,
            stored: RefCell::default(),
            delayed_settings: RefCell::default(),
            platform: RefCell::default(),
            keeps_networks: false,
            is_unresponsive: Cell::default(),
            networks: RefCell::default(),
            calls: RefCell::default(),
            is_minimal: false,
            limits: Limits::default(),
        }
    }

    /// Returns the same simulation with a platform that keeps networks.
    pub(crate) fn with_kept_networks(self) -> Self {
        self.air.keep_networks();
        Self { keeps_networks: true, ..self }
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        self.clock.sleep_until(self.clock.now().after(time)).await;
    }

    /// Records a call of `method`.
    pub(crate) fn log(&self, method: &'static str) {
        self.calls.borrow_mut().push(method);
    }

    /// Applies settings to the radio at once.
    pub(crate) fn force_settings(&self, settings: &Settings) {
        let mut radio = self.air.radio(ZeroTimeClock);
        block_on(radio.apply(settings, &wps_core::Snapshot::default()))
            .expect("a radio without a fault");
    }

    /// Lets the radio give up `network`: it does not join it, although it is a station.
    pub(crate) fn lose_link(&self, network: &Credentials) {
        let secret = Secret::Key(Passphrase::new(b"a key of nobody").expect("a key"));
        self.force_settings(&Settings::Station {
            network: Credentials { secret, ..network.clone() },
        });
    }

    pub(crate) fn network(&self, ssid: &Ssid) -> Option<Credentials> {
        self.networks.borrow().iter().find(|network| network.ssid == *ssid).cloned()
    }

    pub(crate) fn is_on(&self, ssid: &Ssid) -> bool {
        self.air.routers().iter().any(|(name, _, on, _)| name == ssid && *on)
    }

    pub(crate) fn observe(&self) -> ObservedState {
        let due = self.delayed_settings.borrow_mut().take_if(|(at, _)| *at <= self.clock.now());
        if let Some((_, settings)) = due {
            self.force_settings(&settings);
        }
        match (self.air.radio_settings(), self.air.joined()) {
            (Some(Settings::AccessPoint { access_point, .. }), _) => {
                ObservedState::Serving(access_point.network.ssid)
            }
            (_, Some(ssid)) => ObservedState::Joined(ssid),
            (_, None) => ObservedState::Nothing,
        }
    }

    fn reset(&self, platform: Option<&Credentials>) {
        for (name, ..) in self.air.routers() {
            self.air.remove_router(name.as_bytes());
        }
        if self.is_unresponsive.take() {
            self.air.set_fault(None);
        }
        self.air.set_kept_networks(heapless::Vec::new());
        for network in self.air.user_networks() {
            self.air.remove_kept(network.id);
        }
        let platform = platform.cloned();
        let own = if self.keeps_networks {
            platform.map(|network| self.air.add_kept(network, Owner::User).expect("room"));
            None
        } else {
            platform
        };
        self.air.restart_platform(own.clone());
        self.platform.replace(own);
        self.stored.take();
        self.delayed_settings.take();
    }

    /// Runs a future to completion. Moves the clock on whenever the future waits.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        let wake_flag = Arc::new(WakeFlag(AtomicBool::new(true)));
        let waker = Waker::from(wake_flag.clone());
        let mut future = pin!(future);
        let deadline = self.clock.now().after(RUN_TIMEOUT);
        loop {
            while wake_flag.0.swap(false, Ordering::Relaxed) {
                let mut context = Context::from_waker(&waker);
                if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                    return output;
                }
            }
            assert!(self.clock.advance_to_next(), "deadlock: nothing waits for the clock");
            assert!(self.clock.now() < deadline, "the future never returns");
        }
    }
}

struct WakeFlag(AtomicBool);

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A clock on which nothing takes time.
struct ZeroTimeClock;

impl Clock for ZeroTimeClock {
    fn now(&self) -> Instant {
        Instant::from_millis(0)
    }

    async fn sleep_until(&self, _: Instant) {}
}

/// A test bed on a simulation, with a driver of any kind.
pub(crate) struct SimTestBed<'s, D> {
    pub(crate) sim: &'s Simulation,
    pub(crate) driver: fn(&'s Simulation) -> D,
}

impl<'s, D: WifiDriver> TestBed for SimTestBed<'s, D> {
    type Driver = D;
    type Clock = &'s ManualClock<Raw>;

    fn clock(&self) -> Self::Clock {
        &self.sim.clock
    }

    fn limits(&self) -> Limits {
        self.sim.limits
    }

    async fn reset(&mut self, platform: Option<&Credentials>) -> Result<(), Unavailable> {
        if self.sim.is_minimal && platform.is_some() {
            return Err(MINIMAL);
        }
        self.sim.reset(platform);
        Ok(())
    }

    async fn driver(&mut self) -> D {
        (self.driver)(self.sim)
    }

    async fn start_router(&mut self, network: &Credentials) -> Result<(), Unavailable> {
        let key = wps_testkit::key(network);
        if self.sim.is_minimal && key.is_empty() {
            return Err(MINIMAL);
        }
        self.sim.networks.borrow_mut().push(network.clone());
        self.sim.air.add_router(Router::new(network.ssid.as_bytes(), key));
        Ok(())
    }

    async fn stop_router(&mut self, ssid: &Ssid) {
        let was_joined = self.sim.observe() == ObservedState::Joined(ssid.clone());
        self.sim.air.set_power(ssid.as_bytes(), false);
        let network = self.sim.network(ssid).filter(|_| was_joined);
        let (
            Some(Flaw::NoReconnect | Flaw::ReconnectDelayStartsOver | Flaw::ReconnectsWhileIdle),
            Some(network),
        ) = (self.sim.flaw, network)
        else {
            return;
        };
        self.sim.lose_link(&network);
    }

    async fn press_button(&mut self, ssid: &Ssid) {
        self.sim.air.press_button(ssid.as_bytes());
    }

    async fn bssid(&mut self, ssid: &Ssid) -> Result<Bssid, Unavailable> {
        if self.sim.is_minimal {
            return Err(MINIMAL);
        }
        // The simulator numbers its routers in this order.
        let number = self.sim.air.routers().iter().position(|(name, ..)| name == ssid);
        Ok(Bssid([2, 0, 0, 0, 0, number.expect("a router that is on") as u8]))
    }

    async fn observe(&mut self) -> Result<ObservedState, Unavailable> {
        match self.sim.is_minimal {
            false => Ok(self.sim.observe()),
            true => Err(MINIMAL),
        }
    }

    async fn restart_platform(&mut self) -> Result<(), Unavailable> {
        if self.sim.is_minimal {
            return Err(MINIMAL);
        }
        let platform = self.sim.platform.borrow().clone();
        self.sim.air.restart_platform(platform);
        let rejoins = self.sim.flaw == Some(Flaw::FirmwareRejoins);
        if let Some(network) = self.sim.stored.borrow().clone().filter(|_| rejoins) {
            self.sim.force_settings(&Settings::Station { network });
        }
        Ok(())
    }

    fn supports_independent_restart(&self) -> Result<(), Unavailable> {
        if self.sim.is_minimal { Err(MINIMAL) } else { Ok(()) }
    }

    async fn stores_credentials(&mut self, network: &Credentials) -> Result<bool, Unavailable> {
        // The test bed cannot read what the firmware stores.
        if self.sim.is_minimal || self.sim.flaw == Some(Flaw::FirmwareRejoins) {
            return Err(MINIMAL);
        }
        let is_kept = self.sim.air.kept_networks().iter().any(|it| it.network == *network);
        Ok(is_kept || self.sim.stored.borrow().as_ref() == Some(network))
    }

    fn keeps_networks(&self) -> Result<(), Unavailable> {
        match (self.sim.is_minimal, self.sim.keeps_networks) {
            (_, true) => Ok(()),
            (true, false) => Err(MINIMAL),
            (false, false) => Err(KEEPS_NOTHING),
        }
    }

    async fn platform_networks(
        &mut self,
        mut on_network: impl FnMut(PlatformNetwork),
    ) -> Result<(), Unavailable> {
        if self.sim.is_minimal {
            return Err(MINIMAL);
        }
        if let Some(network) = self.sim.platform.borrow().clone() {
            on_network(PlatformNetwork { id: None, network, is_on_disk: true });
        }
        for it in self.sim.air.user_networks() {
            on_network(PlatformNetwork { id: None, network: it.network, is_on_disk: true });
        }
        for it in self.sim.air.kept_networks() {
            let is_on_disk = it.place != Place::Memory;
            on_network(PlatformNetwork { id: Some(it.id), network: it.network, is_on_disk });
        }
        Ok(())
    }

    async fn remove_kept(&mut self, id: KeptId) -> Result<(), Unavailable> {
        if self.sim.is_minimal {
            return Err(MINIMAL);
        }
        self.sim.air.remove_kept(id);
        Ok(())
    }

    async fn cut_power(&mut self) -> Result<(), Unavailable> {
        self.restart_platform().await?;
        self.sim.air.cut_power();
        Ok(())
    }

    async fn set_platform_responsive(&mut self, is_responsive: bool) -> Result<(), Unavailable> {
        if self.sim.is_minimal {
            return Err(MINIMAL);
        }
        self.sim.is_unresponsive.set(!is_responsive);
        self.sim.air.set_fault((!is_responsive).then_some(RadioFault::Unresponsive));
        Ok(())
    }

    fn supports_background_scan(&self) -> Result<(), Unavailable> {
        if self.sim.is_minimal { Err(MINIMAL) } else { Ok(()) }
    }
}
