//! A stage on the simulated air, and an executor on its virtual time.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use embassy_futures::block_on;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use wps_core::conformance::{Limits, ObservedState, TestBed, Unavailable};
use wps_core::sim::{Air, ManualClock, Router};
use wps_core::{Clock, Credentials, Instant, Settings, Ssid, WifiDriver};

use crate::flaw::Flaw;

pub(crate) type Raw = NoopRawMutex;

pub(crate) const HELPLESS: Unavailable = Unavailable("a stage that can do no more than it must");

/// More than any of it takes, in virtual time.
const ETERNITY: Duration = Duration::from_secs(1_000_000);

/// The simulated air, and what only a bad driver needs: a flash to leave things on, and a time bomb.
pub(crate) struct World {
    pub(crate) air: Air<Raw>,
    pub(crate) clock: ManualClock<Raw>,
    pub(crate) flaw: Option<Flaw>,
    pub(crate) flash: RefCell<Option<Credentials>>,
    pub(crate) later: RefCell<Option<(Instant, Settings)>>,
    platform: RefCell<Option<Credentials>>,
    /// All networks that ever were on the air.
    networks: RefCell<Vec<Credentials>>,
    /// The verbs that a [`Flawed`](crate::flaw::Flawed) driver was asked for.
    pub(crate) verbs: RefCell<Vec<&'static str>>,
    /// Whether the stage can do no more than it must.
    pub(crate) helpless: bool,
    pub(crate) limits: Limits,
}

impl World {
    pub(crate) fn with(flaw: Option<Flaw>) -> Self {
        Self {
            air: Air::new(),
            clock: ManualClock::new(),
            flaw,
            flash: RefCell::default(),
            later: RefCell::default(),
            platform: RefCell::default(),
            networks: RefCell::default(),
            verbs: RefCell::default(),
            helpless: false,
            limits: Limits::default(),
        }
    }

    pub(crate) fn log(&self, verb: &'static str) {
        self.verbs.borrow_mut().push(verb);
    }

    /// Puts the radio there, at once.
    pub(crate) fn force(&self, settings: &Settings) {
        let mut radio = self.air.radio(NoTime);
        block_on(radio.apply(settings, &wps_core::Snapshot::default())).expect("a sound radio");
    }

    pub(crate) fn network(&self, ssid: &Ssid) -> Option<Credentials> {
        self.networks.borrow().iter().find(|network| network.ssid == *ssid).cloned()
    }

    pub(crate) fn is_on(&self, ssid: &Ssid) -> bool {
        self.air.routers().iter().any(|(name, _, on, _)| name == ssid && *on)
    }

    fn seen(&self) -> ObservedState {
        let due = self.later.borrow_mut().take_if(|(at, _)| *at <= self.clock.now());
        if let Some((_, settings)) = due {
            self.force(&settings);
        }
        match self.air.radio_does().filter(|_| self.air.is_linked()) {
            Some(Settings::Station { network }) => ObservedState::Joined(network.ssid),
            Some(Settings::AccessPoint { access_point, .. }) => {
                ObservedState::Serving(access_point.network.ssid)
            }
            Some(Settings::Platform) => match &*self.platform.borrow() {
                Some(network) => ObservedState::Joined(network.ssid.clone()),
                None => ObservedState::Nothing,
            },
            Some(Settings::Off { .. }) | None => ObservedState::Nothing,
        }
    }

    fn reset(&self, platform: Option<&Credentials>) {
        for (name, ..) in self.air.routers() {
            self.air.remove(name.as_bytes());
        }
        self.air.restart_platform(platform.cloned());
        self.platform.replace(platform.cloned());
        self.flash.take();
        self.later.take();
    }

    /// Runs to the end; whenever nobody has anything left to do, time moves on.
    pub(crate) fn play<F: Future>(&self, work: F) -> F::Output {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut work = pin!(work);
        let until = self.clock.now().after(ETERNITY);
        loop {
            while woken.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return done;
                }
            }
            assert!(self.clock.advance_to_next(), "nobody waits for anything");
            assert!(self.clock.now() < until, "it never ends");
        }
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A clock for work that takes no time.
struct NoTime;

impl Clock for NoTime {
    fn now(&self) -> Instant {
        Instant::from_millis(0)
    }

    async fn sleep_until(&self, _: Instant) {}
}

/// A stage in a world, with whatever driver is made for it.
pub(crate) struct Bench<'w, D> {
    pub(crate) world: &'w World,
    pub(crate) driver: fn(&'w World) -> D,
}

impl<'w, D: WifiDriver> TestBed for Bench<'w, D> {
    type Driver = D;
    type Clock = &'w ManualClock<Raw>;

    fn clock(&self) -> Self::Clock {
        &self.world.clock
    }

    fn limits(&self) -> Limits {
        self.world.limits
    }

    async fn reset(&mut self, platform: Option<&Credentials>) -> Result<(), Unavailable> {
        if self.world.helpless && platform.is_some() {
            return Err(HELPLESS);
        }
        self.world.reset(platform);
        Ok(())
    }

    async fn driver(&mut self) -> D {
        (self.driver)(self.world)
    }

    async fn switch_on(&mut self, network: &Credentials) -> Result<(), Unavailable> {
        let key = network.passphrase.as_ref().map_or(&[][..], |key| key.reveal());
        if self.world.helpless && network.passphrase.is_none() {
            return Err(HELPLESS);
        }
        self.world.networks.borrow_mut().push(network.clone());
        self.world.air.add(Router::new(network.ssid.as_bytes(), key));
        Ok(())
    }

    async fn switch_off(&mut self, ssid: &Ssid) {
        let joined = self.world.seen() == ObservedState::Joined(ssid.clone());
        self.world.air.power(ssid.as_bytes(), false);
        if joined && self.world.flaw == Some(Flaw::GivesUpALostLink) {
            self.world.force(&Settings::Off { remembered: None });
        }
    }

    async fn press(&mut self, ssid: &Ssid) {
        self.world.air.press(ssid.as_bytes());
    }

    async fn seen(&mut self) -> Result<ObservedState, Unavailable> {
        match self.world.helpless {
            false => Ok(self.world.seen()),
            true => Err(HELPLESS),
        }
    }

    async fn restart_platform(&mut self) -> Result<(), Unavailable> {
        if self.world.helpless {
            return Err(HELPLESS);
        }
        let platform = self.world.platform.borrow().clone();
        self.world.air.restart_platform(platform);
        let firmware = self.world.flaw == Some(Flaw::FirmwareRejoins);
        if let Some(network) = self.world.flash.borrow().clone().filter(|_| firmware) {
            self.world.force(&Settings::Station { network });
        }
        Ok(())
    }

    fn restarts_alone(&self) -> Result<(), Unavailable> {
        if self.world.helpless { Err(HELPLESS) } else { Ok(()) }
    }

    async fn keeps(&mut self, network: &Credentials) -> Result<bool, Unavailable> {
        // What the firmware keeps for itself nobody can read.
        if self.world.helpless || self.world.flaw == Some(Flaw::FirmwareRejoins) {
            return Err(HELPLESS);
        }
        Ok(self.world.flash.borrow().as_ref() == Some(network))
    }

    fn looks_around(&self) -> Result<(), Unavailable> {
        if self.world.helpless { Err(HELPLESS) } else { Ok(()) }
    }
}
