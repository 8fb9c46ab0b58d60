//! Routers on the air, and a radio among them.

use core::cell::RefCell;
use core::future::pending;
use core::time::Duration;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::signal::Signal;
use heapless::Vec;

use crate::driver::{
    DriverError, ErrorKind, Link, Offer, PairContext, SearchProgress, Security, WifiDriver,
};
use crate::scan::{BssInfo, ScanResults};
use crate::settings::{Credentials, Mode, Passphrase, Settings, Snapshot, Ssid};
use crate::time::Clock;
use crate::wsc::{self, Bssid, Decision, ScanPlan, Uuid};

/// How long one look at the three channels of this air takes.
const LOOK: Duration = Duration::from_millis(300);
/// How long the exchange with a router takes.
const EXCHANGE: Duration = Duration::from_millis(400);
/// How long joining a network takes.
const JOIN: Duration = Duration::from_millis(500);

const CHANNELS: [u16; 3] = [2412, 2437, 2462];
const MAX_ROUTERS: usize = 8;

/// A router, played by a person or a test.
#[derive(Clone, Debug)]
pub struct Router {
    network: Credentials,
    kind: RouterKind,
    on: bool,
    pressed: bool,
}

/// What a router does when a device wants its credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouterKind {
    /// Hands them over.
    #[default]
    Ordinary,
    /// Does nothing: its WPS is switched off.
    WithoutWps,
    /// Hands over a key that does not work.
    WrongKey,
    /// Hands over a guest network that is not on the air, then its own.
    GuestFirst,
    /// Says no.
    Refuses,
    /// Knows only WEP.
    Insecure,
    /// Is switched off in the middle.
    Vanishes,
}

impl Router {
    /// A router that is switched on, with a network of its own. For an open network `key` is empty.
    ///
    /// # Panics
    /// If no network can be called `ssid` or have this `key`.
    pub fn new(ssid: &[u8], key: &[u8]) -> Self {
        let network = Credentials {
            ssid: Ssid::new(ssid).expect("a network name"),
            passphrase: (!key.is_empty()).then(|| Passphrase::new(key).expect("a key")),
        };
        Self { network, kind: RouterKind::Ordinary, on: true, pressed: false }
    }

    /// The same router, of another kind.
    #[must_use]
    pub fn of_kind(self, kind: RouterKind) -> Self {
        Self { kind, ..self }
    }

    /// Its network.
    pub fn network(&self) -> &Credentials {
        &self.network
    }
}

/// What is wrong with the radio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every verb fails with this kind.
    Fails(ErrorKind),
    /// No verb ever answers.
    Mute,
    /// It may not be put into this mode.
    Forbids(Mode),
}

/// The air, with up to eight routers and one radio.
pub struct Air<M: RawMutex> {
    inner: Mutex<M, RefCell<Inner>>,
    /// The radio does not know any more what it was told.
    lost: Signal<M, ()>,
}

struct Inner {
    routers: Vec<Router, MAX_ROUTERS>,
    radio: Option<Settings>,
    /// The network that the platform itself knows.
    platform: Option<Credentials>,
    fault: Option<Fault>,
}

impl<M: RawMutex> Air<M> {
    /// An empty air.
    pub const fn new() -> Self {
        let inner = Inner { routers: Vec::new(), radio: None, platform: None, fault: None };
        Self { inner: Mutex::new(RefCell::new(inner)), lost: Signal::new() }
    }

    /// Puts a router on the air, in place of one with the same name. One too many is left out.
    pub fn add(&self, router: Router) {
        self.with(|inner| {
            inner.routers.retain(|other| other.network.ssid != router.network.ssid);
            inner.routers.push(router).ok();
        });
    }

    /// Presses the WPS button of the router called `ssid`.
    pub fn press(&self, ssid: &[u8]) {
        self.change(ssid, |router| router.pressed = router.kind != RouterKind::WithoutWps);
    }

    /// Lets the router called `ssid` stop pairing.
    pub fn release(&self, ssid: &[u8]) {
        self.change(ssid, |router| router.pressed = false);
    }

    /// Switches the router called `ssid` on or off.
    pub fn power(&self, ssid: &[u8], on: bool) {
        self.change(ssid, |router| {
            router.on = on;
            router.pressed &= on;
        });
    }

    /// Makes the router called `ssid` one of another kind.
    pub fn set_kind(&self, ssid: &[u8], kind: RouterKind) {
        self.change(ssid, |router| router.kind = kind);
    }

    /// Takes the router called `ssid` away for good.
    pub fn remove(&self, ssid: &[u8]) {
        self.with(|inner| inner.routers.retain(|it| it.network.ssid.as_bytes() != ssid));
    }

    /// Restarts what is under the radio, with a network of its own or without one. What the radio was
    /// told is lost.
    pub fn restart_platform(&self, network: Option<Credentials>) {
        self.with(|inner| {
            inner.radio = network.is_some().then_some(Settings::Platform);
            inner.platform = network;
        });
        self.lost.signal(());
    }

    /// Whether the radio has lost what it was told, and nobody has noticed yet.
    pub fn has_lost(&self) -> bool {
        self.lost.signaled()
    }

    /// The routers, switched on or not, with whether their button is pressed.
    pub fn routers(&self) -> Vec<(Ssid, RouterKind, bool, bool), MAX_ROUTERS> {
        self.with(|inner| {
            let seen = |it: &Router| (it.network.ssid.clone(), it.kind, it.on, it.pressed);
            inner.routers.iter().map(seen).collect()
        })
    }

    /// Breaks the radio, or mends it.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.with(|inner| inner.fault = fault);
    }

    /// What the radio was told last; none while it was told nothing, or is in the middle of a pairing.
    pub fn radio_does(&self) -> Option<Settings> {
        self.with(|inner| inner.radio.clone())
    }

    /// Whether the radio has joined a network that is on the air.
    pub fn is_linked(&self) -> bool {
        self.with(|inner| match &inner.radio {
            Some(Settings::Station { network }) => inner.reach(network).is_ok(),
            Some(Settings::Platform) => {
                inner.platform.as_ref().is_some_and(|network| inner.reach(network).is_ok())
            }
            Some(Settings::AccessPoint { .. }) => true,
            Some(Settings::Off { .. }) | None => false,
        })
    }

    /// The radio on this air. `clock` makes its work take time.
    pub fn radio<C: Clock>(&self, clock: C) -> Radio<'_, M, C> {
        Radio { air: self, clock }
    }

    fn change(&self, ssid: &[u8], act: impl FnOnce(&mut Router)) {
        self.with(|inner| {
            inner.routers.iter_mut().find(|it| it.network.ssid.as_bytes() == ssid).map(act);
        });
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
    fn reach(&self, network: &Credentials) -> Result<(), SimError> {
        let mut called = self.routers.iter().filter(|it| it.on && it.network.ssid == network.ssid);
        match called.next() {
            Some(router) if router.network.passphrase == network.passphrase => Ok(()),
            Some(_) => Err(SimError(ErrorKind::WrongKey)),
            None => Err(SimError(ErrorKind::NotFound)),
        }
    }

    fn pressed(&self) -> Vec<wsc::Router, MAX_ROUTERS> {
        let routers = self.routers.iter().enumerate().filter(|(_, it)| it.on && it.pressed);
        let sighted = routers.map(|(number, router)| wsc::Router {
            bssid: Bssid([2, 0, 0, 0, 0, number as u8]),
            frequency_mhz: CHANNELS[number % CHANNELS.len()],
            ssid: Some(router.network.ssid.clone()),
            uuid: Some(Uuid([number as u8; 16])),
            signal_dbm: -50,
        });
        sighted.collect()
    }

    /// What a look around hears.
    fn heard(&self) -> ScanResults {
        let mut heard = ScanResults::default();
        for (number, router) in self.routers.iter().enumerate().filter(|(_, it)| it.on) {
            heard.add(BssInfo {
                ssid: Some(router.network.ssid.clone()),
                frequency_mhz: Some(CHANNELS[number % CHANNELS.len()]),
                signal_dbm: Some(-50),
                security: Some(security(&router.network)),
                wps: router.kind != RouterKind::WithoutWps,
                pressed: Some(router.pressed),
                ..BssInfo::new(Bssid([2, 0, 0, 0, 0, number as u8]))
            });
        }
        heard
    }

    fn has_wps(&self) -> bool {
        self.routers.iter().any(|it| it.on && it.kind != RouterKind::WithoutWps)
    }
}

/// A [`WifiDriver`] for the radio on an [`Air`].
pub struct Radio<'a, M: RawMutex, C> {
    air: &'a Air<M>,
    clock: C,
}

/// Why the simulated radio failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the simulated radio: {0}")]
pub struct SimError(pub ErrorKind);

impl DriverError for SimError {
    fn kind(&self) -> ErrorKind {
        self.0
    }
}

impl<M: RawMutex, C: Clock> Radio<'_, M, C> {
    /// Lets time pass, unless the radio is broken.
    async fn work(&self, time: Duration) -> Result<(), SimError> {
        match self.air.with(|inner| inner.fault) {
            Some(Fault::Fails(kind)) => Err(SimError(kind)),
            Some(Fault::Mute) => pending().await,
            Some(Fault::Forbids(_)) | None => {
                self.clock.sleep_until(self.clock.now().after(time)).await;
                Ok(())
            }
        }
    }

    async fn find_pressed(&self, context: &mut PairContext<'_>) -> Result<wsc::Router, SimError> {
        let mut sweep = ScanPlan::new(CHANNELS);
        loop {
            let look = sweep.next_step();
            self.work(LOOK).await?;
            sweep.mark_scanned(&look);
            context.report_scan_results(&self.air.with(|inner| inner.heard()));
            let pressed = self.air.with(|inner| inner.pressed());
            match context.overlap_detector.decide(&pressed, &sweep) {
                Decision::Pair(router) => return Ok(router),
                Decision::Overlap => return Err(SimError(ErrorKind::Overlap)),
                Decision::KeepScanning => {
                    let ssid = pressed.first().and_then(|router| router.ssid.clone());
                    context.report_progress(SearchProgress::Pressed { ssid });
                }
                Decision::NoRouter if self.air.with(|inner| inner.has_wps()) => {
                    context.report_progress(SearchProgress::NotPressed);
                }
                Decision::NoRouter => context.report_progress(SearchProgress::NoRouter),
            }
        }
    }
}

impl<M: RawMutex, C: Clock> WifiDriver for Radio<'_, M, C> {
    type Error = SimError;

    async fn apply(&mut self, settings: &Settings, _: &Snapshot) -> Result<(), SimError> {
        self.work(Duration::from_millis(100)).await?;
        self.air.with(|inner| {
            if inner.fault == Some(Fault::Forbids(settings.mode())) {
                return Err(SimError(ErrorKind::NotPermitted));
            }
            inner.radio = Some(settings.clone());
            self.air.lost.reset();
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
        let asked = self.air.with(|inner| {
            let mut routers = inner.routers.iter();
            routers.find(|it| it.on && it.network.ssid.as_bytes() == ssid).cloned()
        });
        let router = asked.ok_or(SimError(ErrorKind::RouterLost))?;
        self.work(EXCHANGE).await?;
        let own = router.network.clone();
        match router.kind {
            RouterKind::Ordinary | RouterKind::WrongKey | RouterKind::GuestFirst => {
                self.air.release(ssid);
            }
            RouterKind::Vanishes => self.air.power(ssid, false),
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
        self.air.with(|inner| inner.radio = None);
        self.work(JOIN).await?;
        self.air.with(|inner| {
            inner.reach(network)?;
            inner.radio = Some(Settings::Station { network: network.clone() });
            self.air.lost.reset();
            Ok(())
        })
    }

    async fn snapshot(&mut self) -> Result<Snapshot, SimError> {
        self.work(Duration::ZERO).await?;
        Ok(Snapshot::default())
    }

    async fn link(&mut self) -> Result<Link, SimError> {
        self.work(Duration::ZERO).await?;
        let (up, radio) = (self.air.is_linked(), self.air.radio_does());
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
            self.work(LOOK).await?;
        }
        Ok(self.air.with(|inner| inner.heard()))
    }

    async fn config_lost(&mut self) {
        self.air.lost.wait().await;
    }
}

fn security(network: &Credentials) -> Security {
    match network.passphrase {
        Some(_) => Security::Wpa2,
        None => Security::Open,
    }
}
