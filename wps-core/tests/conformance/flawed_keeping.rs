//! The flaws of a driver whose platform keeps networks.

use std::future::pending;
use std::time::Duration;

use embassy_futures::select::{Either, select};
use wps_core::driver::KeptBy;
use wps_core::sim::{KeptNetwork, Place, SimError};
use wps_core::{
    Credentials, ErrorKind, IdleEvent, KeptId, Mode, Secret, Settings, Snapshot, WifiDriver,
};

use crate::flaw::Flaw;
use crate::flawed_driver::FlawedDriver;
use crate::simulation::Simulation;

/// The time between two looks at the platform of a driver that polls it.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The time that a slow driver takes to remove a network.
const REMOVAL_DELAY: Duration = Duration::from_secs(2);

/// What a flawed driver remembers about a platform that keeps networks.
#[derive(Default)]
pub(crate) struct Memory {
    /// The snapshot of the first task.
    first_snapshot: Option<Snapshot>,
    /// The networks that `join` has tried, with its snapshot.
    tries: Vec<(Snapshot, Credentials)>,
    /// Whether `maintain` has reported that a network was removed.
    removal_reported: bool,
    /// Whether `apply` or `join` has returned [`ErrorKind::KeptElsewhere`].
    pub(crate) kept_elsewhere: bool,
}

impl Simulation {
    /// Edits the networks that the platform keeps.
    fn edit_kept(&self, edit: impl FnMut(&mut KeptNetwork) -> bool) {
        let mut networks = self.air.kept_networks();
        let before = networks.clone();
        networks.retain_mut(edit);
        if networks != before {
            self.air.set_kept_networks(networks);
        }
    }

    fn has_kept(&self, id: KeptId) -> bool {
        self.air.kept_networks().iter().any(|it| it.id == id)
    }
}

impl FlawedDriver<'_> {
    /// Returns the network that this driver joins for `network`.
    pub(crate) fn network_to_join(&self, network: &Credentials) -> Credentials {
        let is_kept = network.secret.kept_id().is_some();
        let secret = match is_kept && self.has(Flaw::TakesKeptForOpen) {
            true => Secret::Open,
            false => network.secret.clone(),
        };
        Credentials { secret, ssid: network.ssid.clone() }
    }

    /// Returns the error that this driver reports, and remembers it.
    pub(crate) fn report_kept_elsewhere(&mut self, error: SimError) -> SimError {
        let is_elsewhere = error.0 == ErrorKind::KeptElsewhere;
        self.memory.kept_elsewhere |= is_elsewhere;
        match is_elsewhere && self.has(Flaw::ReportsKeptElsewhereAsOther) {
            true => SimError(ErrorKind::Other),
            false => error,
        }
    }

    /// Applies settings as a platform that keeps networks does.
    pub(crate) async fn apply_to_platform(
        &mut self,
        settings: &Settings,
        snapshot: &Snapshot,
    ) -> Result<(), SimError> {
        let id = settings.kept_id();
        if self.has(Flaw::ApplyFailsWithoutKept) && id.is_some_and(|id| !self.sim.has_kept(id)) {
            return Err(SimError(ErrorKind::NotFound));
        }
        let (in_memory, before) = (self.sim.air.kept_networks(), self.sim.air.radio_settings());
        let snapshot = match self.sim.flaw {
            Some(Flaw::ActivatesKept) if id.is_some() => self.radio.snapshot().await?,
            Some(Flaw::StaysOnKeptNetwork) => Snapshot::default(),
            _ => snapshot.clone(),
        };
        if let Err(error) = self.radio.apply(settings, &snapshot).await {
            if let (Some(before), true) = (before, self.has(Flaw::StaysAfterKeptElsewhere)) {
                self.sim.force_settings(&before);
            }
            return Err(error);
        }
        if self.has(Flaw::LeavesNetworksInMemory) {
            let is_gone = |it: &&KeptNetwork| it.place == Place::Memory;
            let mut networks = self.sim.air.kept_networks();
            networks.extend(in_memory.iter().filter(is_gone).cloned());
            self.sim.air.set_kept_networks(networks);
        }
        if self.has(Flaw::ApplyRemovesKept) {
            self.sim.edit_kept(|it| Some(it.id) == id);
        }
        Ok(())
    }

    /// Joins a network as a platform that keeps networks does.
    pub(crate) async fn join_on_platform(
        &mut self,
        network: &Credentials,
        snapshot: &Snapshot,
    ) -> Result<(), SimError> {
        self.memory.tries.push((snapshot.clone(), network.clone()));
        if self.has(Flaw::JoinTrustsKept) && network.secret.kept_id().is_some() {
            let settings = Settings::Station { network: network.clone() };
            return self.radio.apply(&settings, snapshot).await;
        }
        let result = self.radio.join(&self.network_to_join(network), snapshot).await;
        if self.has(Flaw::KeepsInJoin) {
            self.sim.edit_kept(|it| {
                it.place = Place::Disk;
                true
            });
        }
        result
    }

    pub(crate) async fn keep_with_flaw(
        &mut self,
        network: &Credentials,
        snapshot: &Snapshot,
    ) -> Result<KeptBy, SimError> {
        match self.sim.flaw {
            Some(Flaw::KeepFails) => return Err(SimError(ErrorKind::Other)),
            Some(Flaw::KeepsInRecord) => return Ok(KeptBy::Record),
            _ => {}
        }
        self.take_too_long(Flaw::KeepTakesTooLong, 11).await;
        let snapshot = match self.has(Flaw::KeepsUnderAnotherId) {
            true => self.radio.snapshot().await?,
            false => snapshot.clone(),
        };
        let kept_by = self.radio.keep(network, &snapshot).await?;
        let KeptBy::Platform(id) = kept_by else { return Ok(kept_by) };
        match self.sim.flaw {
            Some(Flaw::KeepsNothing) => self.sim.edit_kept(|it| it.id != id),
            Some(Flaw::KeepsWithoutSync) => self.sim.edit_kept(|it| {
                it.place = Place::Unsynced;
                true
            }),
            Some(Flaw::KeepsEarlierKey) => {
                let mut tries = self.memory.tries.iter();
                let is_same =
                    |it: &&(Snapshot, Credentials)| it.0 == snapshot && it.1.ssid == network.ssid;
                let first = tries.find(is_same).map_or(network, |it| &it.1);
                self.sim.edit_kept(|it| {
                    if it.id == id {
                        it.network = first.clone();
                    }
                    true
                });
            }
            Some(Flaw::KeepReplacesSameName) => {
                self.sim.edit_kept(|it| it.id == id || it.network.ssid != network.ssid);
            }
            Some(Flaw::KeepDisconnects) => {
                self.sim.force_settings(&Settings::Off { remembered: None });
            }
            _ => {}
        }
        Ok(kept_by)
    }

    pub(crate) async fn snapshot_with_flaw(&mut self) -> Result<Snapshot, SimError> {
        let snapshot = self.radio.snapshot().await?;
        let first = self.memory.first_snapshot.get_or_insert(snapshot.clone()).clone();
        Ok(if self.has(Flaw::ReusesIds) { first } else { snapshot })
    }

    /// Calls the radio's `maintain`, as a driver with this flaw does.
    pub(crate) async fn maintain_platform(&mut self, settings: &Settings) -> IdleEvent {
        let sim = self.sim;
        let is_removed = move || settings.kept_id().is_some_and(|id| !sim.has_kept(id));
        let mut kept = sim.air.kept_networks().into_iter();
        let has_more =
            kept.any(|it| it.place != Place::Memory && Some(it.id) != settings.kept_id());
        match sim.flaw {
            Some(Flaw::ReportsRemovalAgain) if self.memory.removal_reported => {
                return IdleEvent::NetworkRemoved;
            }
            Some(Flaw::ReportsForeignAsRemoval) if is_removed() => {
                return IdleEvent::NetworkRemoved;
            }
            Some(Flaw::RemovesWithoutTask) if settings.kept_id().is_none() => {
                sim.edit_kept(|it| it.place == Place::Memory);
            }
            Some(Flaw::RemovesWhileMissing) if is_removed() => {
                sim.edit_kept(|it| Some(it.id) == settings.kept_id());
            }
            Some(Flaw::RemovesRemembered) if settings.mode() != Mode::Station => {
                sim.edit_kept(|_| false);
            }
            Some(Flaw::RemovesNetworkOfUser) => {
                let name = settings.network().map(|it| it.ssid.clone());
                let users = sim.air.user_networks();
                let same_name = users.iter().filter(|it| Some(&it.network.ssid) == name.as_ref());
                same_name.for_each(|it| sim.air.remove_kept(it.id));
            }
            Some(Flaw::RemovalStartsOver) if has_more => self.sleep(REMOVAL_DELAY).await,
            _ => {}
        }
        let event = match sim.flaw {
            Some(Flaw::NeverRemovesKept) if has_more => poll_until(sim, is_removed).await,
            Some(Flaw::ReportsNoResponseAsRemoval) if settings.kept_id().is_some() => {
                let poll = poll_until(sim, || sim.is_unresponsive.get());
                first(self.radio.maintain(settings), poll).await
            }
            Some(Flaw::ReportsMissingRouterAsRemoval)
                if settings.mode() == Mode::Station && settings.kept_id().is_some() =>
            {
                let poll = poll_until(sim, || !sim.air.is_linked());
                first(self.radio.maintain(settings), poll).await
            }
            _ => self.radio.maintain(settings).await,
        };
        if event == IdleEvent::NetworkRemoved && self.has(Flaw::MissesRemoval) {
            return pending().await;
        }
        self.memory.removal_reported |= event == IdleEvent::NetworkRemoved;
        event
    }
}

/// Waits until `is_removed`, and reports a removed network then.
async fn poll_until(sim: &Simulation, is_removed: impl Fn() -> bool) -> IdleEvent {
    while !is_removed() {
        sim.sleep(POLL_INTERVAL).await;
    }
    IdleEvent::NetworkRemoved
}

/// Returns the event that comes first.
async fn first(
    one: impl Future<Output = IdleEvent>,
    other: impl Future<Output = IdleEvent>,
) -> IdleEvent {
    match select(one, other).await {
        Either::First(event) | Either::Second(event) => event,
    }
}
