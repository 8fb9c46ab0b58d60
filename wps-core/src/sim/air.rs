//! Simulated Wi-Fi routers, and the state of the simulated radio and of its platform.

mod radio;

use core::cell::RefCell;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::signal::Signal;
use heapless::Vec;

use super::platform::{KeptNetwork, NETWORKS_MAX, Owner, Place, PlatformStore, id_in, is_known};
use crate::driver::ErrorKind;
use crate::link::Security;
use crate::scan::{BssInfo, ScanResults};
use crate::settings::{Credentials, KeptId, Mode, Passphrase, Secret, Settings, Snapshot, Ssid};
use crate::time::Clock;
use crate::wsc::{self, Bssid, Uuid};

pub use radio::{Radio, SimError};

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
            secret: match key {
                [] => Secret::Open,
                key => Secret::Key(Passphrase::new(key).expect("a key")),
            },
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
    /// `check_pairing` fails with [`ErrorKind::WithoutWps`]. All else works.
    WithoutWps,
    /// `keep` ends as soon as the platform has the network there, on a platform that keeps
    /// networks.
    Keep {
        /// Where the platform has the network then.
        reached: Place,
        /// Whether `keep` never returns. Otherwise it fails.
        hangs: bool,
    },
}

/// The simulated radio environment: up to eight routers, and the radio under test.
pub struct Air<M: RawMutex> {
    inner: Mutex<M, RefCell<Inner>>,
    /// Signalled when the radio has lost its configuration.
    config_lost: Signal<M, ()>,
    /// Signalled when a router or the platform's store has changed.
    changed: Signal<M, ()>,
}

struct Inner {
    routers: Vec<Router, MAX_ROUTERS>,
    /// The settings that the radio applied last.
    radio: Option<Settings>,
    /// The network in the platform's own configuration.
    platform: Option<Credentials>,
    /// The networks that the platform keeps, if it does.
    store: Option<PlatformStore>,
    /// The kept network that the platform has joined by itself when it started.
    joined_at_start: Option<KeptId>,
    fault: Option<RadioFault>,
}

impl<M: RawMutex> Air<M> {
    /// Creates an environment without routers.
    pub const fn new() -> Self {
        let inner = Inner {
            routers: Vec::new(),
            radio: None,
            platform: None,
            store: None,
            joined_at_start: None,
            fault: None,
        };
        Self {
            inner: Mutex::new(RefCell::new(inner)),
            config_lost: Signal::new(),
            changed: Signal::new(),
        }
    }

    /// Adds a router, and removes any other one with the same name. Ignores a ninth router.
    pub fn add_router(&self, router: Router) {
        self.with(|inner| {
            inner.routers.retain(|other| other.network.ssid != router.network.ssid);
            inner.routers.push(router).ok();
        });
        self.changed.signal(());
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

    /// Makes the platform keep networks itself, as NetworkManager does. Its store is empty at
    /// first.
    pub fn keep_networks(&self) {
        self.with(|inner| {
            inner.store.get_or_insert(PlatformStore::new());
        });
    }

    /// Adds a network to the disk of a platform that keeps networks, and returns its identifier.
    /// Returns `None` if the platform keeps none, or is full.
    pub fn add_kept(&self, network: Credentials, owner: Owner) -> Option<KeptId> {
        self.with(|inner| inner.store.as_mut()?.add(network, owner))
    }

    /// Returns the networks that the device has added to a platform that keeps networks.
    pub fn kept_networks(&self) -> Vec<KeptNetwork, NETWORKS_MAX> {
        self.with(|inner| inner.networks_of(Owner::Device))
    }

    /// Returns the networks that the user has added to a platform that keeps networks.
    pub fn user_networks(&self) -> Vec<KeptNetwork, NETWORKS_MAX> {
        self.with(|inner| inner.networks_of(Owner::User))
    }

    /// Replaces the networks that the device has added to a platform that keeps networks. For tests
    /// of what a faulty driver does there.
    pub fn set_kept_networks(&self, networks: Vec<KeptNetwork, NETWORKS_MAX>) {
        self.with(|inner| inner.store.iter_mut().for_each(|store| store.set(networks.clone())));
        self.changed.signal(());
    }

    /// Removes a network from the platform, as a user does with the platform's own tools.
    pub fn remove_kept(&self, id: KeptId) {
        self.with(|inner| inner.store.iter_mut().for_each(|store| store.remove(id)));
        self.changed.signal(());
    }

    /// Restarts the platform below the radio, with `network` as the only network in its own
    /// configuration, or with none. The radio loses the settings that it applied, and the platform
    /// the networks that are only in memory. A platform that keeps networks then joins the newest
    /// one in range by itself.
    pub fn restart_platform(&self, network: Option<Credentials>) {
        self.with(|inner| {
            inner.store.iter_mut().for_each(PlatformStore::clear_memory);
            inner.platform = network;
            inner.start_platform();
        });
        self.config_lost.signal(());
    }

    /// Cuts the power of the platform and restores it. As a restart of the platform, but files that
    /// are not synced are also lost.
    pub fn cut_power(&self) {
        self.with(|inner| {
            inner.store.iter_mut().for_each(PlatformStore::cut_power);
            inner.start_platform();
        });
        self.config_lost.signal(());
    }

    /// Returns whether the radio has lost its settings and the driver has not noticed yet.
    pub fn has_lost_config(&self) -> bool {
        self.config_lost.signaled()
    }

    /// Returns whether anything has changed that `maintain` has not looked at yet.
    pub fn has_unseen_changes(&self) -> bool {
        self.has_lost_config() || self.changed.signaled()
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
        self.changed.signal(()); // what could not be looked at before
    }

    /// Returns whether the platform below the radio answers: it has no fault that prevents it.
    pub fn answers(&self) -> bool {
        self.with(|inner| inner.answers())
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
        self.with(|inner| {
            let is_access_point = matches!(inner.radio, Some(Settings::AccessPoint { .. }));
            is_access_point || inner.joined_network().is_some()
        })
    }

    /// Returns the name of the network that the radio has joined.
    pub fn joined(&self) -> Option<Ssid> {
        self.with(|inner| Some(inner.joined_network()?.ssid.clone()))
    }

    /// Returns a driver for the radio. Its methods take time on `clock`.
    pub fn radio<C: Clock>(&self, clock: C) -> Radio<'_, M, C> {
        Radio::new(self, clock)
    }

    fn with_router(&self, ssid: &[u8], act: impl FnOnce(&mut Router)) {
        self.with(|inner| {
            inner.routers.iter_mut().find(|it| it.network.ssid.as_bytes() == ssid).map(act);
        });
        self.changed.signal(());
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
    fn networks_of(&self, owner: Owner) -> Vec<KeptNetwork, NETWORKS_MAX> {
        self.store.as_ref().map(|store| store.networks_of(owner)).unwrap_or_default()
    }

    /// Starts the platform. It has forgotten what the radio has applied, and joins one of its own
    /// networks.
    fn start_platform(&mut self) {
        self.radio = self.platform.is_some().then_some(Settings::Platform);
        let store = self.store.as_ref();
        let is_in_range = |it: &&KeptNetwork| self.check_join(&it.network).is_ok();
        let newest = store.and_then(|it| it.newest_first().find(is_in_range));
        self.joined_at_start = newest.map(|it| it.id);
    }

    /// Leaves every network.
    fn leave(&mut self) {
        self.radio = None;
        self.joined_at_start = None;
    }

    /// Returns the network that the radio has joined as a station.
    fn joined_network(&self) -> Option<&Credentials> {
        let at_start = self.joined_at_start.and_then(|id| self.store.as_ref()?.get(id));
        let (named, joins_any) = match &self.radio {
            Some(Settings::Station { network }) => match network.secret {
                Secret::Open | Secret::Key(_) => (Some(network), false),
                // A platform that does not have the network joins any other one.
                Secret::Kept(id) => {
                    let named = self.kept_network(id);
                    (named, named.is_none())
                }
            },
            Some(Settings::Platform) => (None, true),
            Some(Settings::AccessPoint { .. } | Settings::Off { .. }) | None => (None, false),
        };
        let stored = self.store.iter().flat_map(PlatformStore::newest_first).map(|it| &it.network);
        let any = self.platform.iter().chain(stored).filter(|_| joins_any);
        let mut candidates = at_start.into_iter().chain(named).chain(any);
        candidates.find(|network| self.check_join(network).is_ok())
    }

    /// Returns the network that the device has kept under this identifier.
    fn kept_network(&self, id: KeptId) -> Option<&Credentials> {
        self.store.as_ref()?.get_of_device(id)
    }

    /// Returns the network, with its key if the platform keeps it.
    fn with_key(&self, network: &Credentials) -> Result<Credentials, SimError> {
        let known = match network.secret {
            Secret::Open | Secret::Key(_) => Some(network),
            Secret::Kept(id) => self.kept_network(id),
        };
        known.cloned().ok_or(SimError(ErrorKind::KeptElsewhere))
    }

    /// Returns `Ok` if a router is on that has this name and this key.
    fn check_join(&self, network: &Credentials) -> Result<(), SimError> {
        let mut in_range =
            self.routers.iter().filter(|it| it.is_on && it.network.ssid == network.ssid);
        match in_range.next() {
            Some(router) if router.network.secret == network.secret => Ok(()),
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
        match self.check_join(&self.with_key(network).ok()?) {
            Ok(()) => Some(false),
            Err(SimError(ErrorKind::WrongKey)) => Some(true),
            Err(_) => None,
        }
    }

    /// Adds a network that is to be joined to a platform that keeps networks, in memory only. The
    /// snapshot has its identifier. The network of an earlier try is removed.
    fn put_in_memory(
        &mut self,
        network: &Credentials,
        snapshot: &Snapshot,
    ) -> Result<(), SimError> {
        self.clear_memory();
        let (Some(store), Some(id)) = (&mut self.store, id_in(snapshot)) else { return Ok(()) };
        let is_put =
            network.secret.kept_id().is_some() || store.put(id, network.clone(), Place::Memory);
        is_put.then_some(()).ok_or(SimError(ErrorKind::Other))
    }

    /// Removes the networks of the device that are only in memory. The radio leaves them.
    fn clear_memory(&mut self) {
        if let (Some(store), Some(Settings::Station { network })) = (&self.store, &self.radio)
            && store.is_in_memory(network)
        {
            self.leave();
        }
        self.store.iter_mut().for_each(PlatformStore::clear_memory);
    }

    /// Returns an error if the radio cannot have these settings.
    fn check_apply(&mut self, settings: &Settings) -> Result<(), SimError> {
        if self.fault == Some(RadioFault::RejectsMode(settings.mode())) {
            return Err(SimError(ErrorKind::NotPermitted));
        }
        match settings {
            Settings::Station { network: Credentials { secret: Secret::Kept(id), .. } }
                if self.store.is_none() || !is_known(*id) =>
            {
                // It may still be in the network of a task that has failed.
                self.leave();
                Err(SimError(ErrorKind::KeptElsewhere))
            }
            Settings::Platform
            | Settings::Station { .. }
            | Settings::AccessPoint { .. }
            | Settings::Off { .. } => Ok(()),
        }
    }

    fn answers(&self) -> bool {
        match self.fault {
            Some(RadioFault::Fails(_) | RadioFault::Unresponsive) => false,
            Some(RadioFault::RejectsMode(_) | RadioFault::WithoutWps | RadioFault::Keep { .. })
            | None => true,
        }
    }

    /// Removes from the disk what the device has kept in vain. Returns whether the platform no
    /// longer has the network that `settings` name. Does neither if the platform does not answer.
    ///
    /// If `settings` name none and there was no task yet, the record may be lost: then a network of
    /// the device is all that it still has, and stays.
    fn look_after_store(&mut self, settings: &Settings, had_task: bool) -> bool {
        let named = settings.kept_id();
        let looks_after = self.answers() && (named.is_some() || had_task);
        let store = self.store.as_mut().filter(|_| looks_after);
        store.is_some_and(|store| store.remove_unnamed(named))
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

fn security(network: &Credentials) -> Security {
    match network.secret {
        Secret::Open => Security::Open,
        Secret::Key(_) | Secret::Kept(_) => Security::Wpa2,
    }
}
