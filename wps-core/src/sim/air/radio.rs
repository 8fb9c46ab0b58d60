//! The driver of the simulated radio.

use core::future::pending;
use core::time::Duration;

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;

use super::super::platform::{Place, PlatformStore, id_in, snapshot_of};
use super::{Air, CHANNELS, RadioFault, Router, RouterKind, security};
use crate::driver::{
    DriverError, ErrorKind, IdleEvent, KeptBy, Offer, PairContext, SearchProgress, WifiDriver,
};
use crate::link::Link;
use crate::scan::ScanResults;
use crate::settings::{Credentials, Mode, Settings, Snapshot, Ssid};
use crate::time::Clock;
use crate::wsc::{self, Decision, ScanPlan};

/// The time that `apply` takes.
const APPLY_DELAY: Duration = Duration::from_millis(100);
/// The time that one scan step takes.
const SCAN_STEP_DELAY: Duration = Duration::from_millis(300);
/// The time that the WPS exchange with a router takes.
const EXCHANGE_DELAY: Duration = Duration::from_millis(400);
/// The time that joining a network takes.
const JOIN_DELAY: Duration = Duration::from_millis(500);
/// The time that the platform takes to sync its disk.
const SYNC_DELAY: Duration = Duration::from_millis(20);

/// The [`WifiDriver`] of the radio in an [`Air`].
pub struct Radio<'a, M: RawMutex, C> {
    air: &'a Air<M>,
    clock: C,
    /// The network of the last `apply` or `join`.
    applied: Option<Ssid>,
    /// What `maintain` has reported.
    key_refused: bool,
    /// Whether a method has got a snapshot: there was a task.
    had_task: bool,
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

impl<'a, M: RawMutex, C> Radio<'a, M, C> {
    pub(super) fn new(air: &'a Air<M>, clock: C) -> Self {
        Self { air, clock, applied: None, key_refused: false, had_task: false }
    }
}

impl<M: RawMutex, C: Clock> Radio<'_, M, C> {
    /// Waits for `time`, or fails as the fault of the radio demands.
    async fn work(&self, time: Duration) -> Result<(), SimError> {
        match self.air.with(|inner| inner.fault) {
            Some(RadioFault::Fails(kind)) => Err(SimError(kind)),
            Some(RadioFault::Unresponsive) => pending().await,
            Some(RadioFault::RejectsMode(_) | RadioFault::WithoutWps | RadioFault::Keep { .. })
            | None => {
                self.clock.sleep_until(self.clock.now().after(time)).await;
                Ok(())
            }
        }
    }

    /// Fails if the radio's software has no WPS.
    fn require_wps(&self) -> Result<(), SimError> {
        match self.air.with(|inner| inner.fault) {
            Some(RadioFault::WithoutWps) => Err(SimError(ErrorKind::WithoutWps)),
            _ => Ok(()),
        }
    }

    /// Fails or hangs if the radio has the fault of `keep` for a network that is at this place now.
    async fn reach(&self, place: Place) -> Result<(), SimError> {
        match self.air.with(|inner| inner.fault) {
            Some(RadioFault::Keep { reached, hangs: true }) if reached == place => pending().await,
            Some(RadioFault::Keep { reached, hangs: false }) if reached == place => {
                Err(SimError(ErrorKind::Other))
            }
            _ => Ok(()),
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
                // A step shows the routers of all channels.
                Decision::KeepScanning | Decision::LookAgain(_) => {
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

    async fn apply(&mut self, settings: &Settings, snapshot: &Snapshot) -> Result<(), SimError> {
        let is_after_task = !snapshot.as_bytes().is_empty();
        self.had_task |= is_after_task;
        self.set_applied(match settings {
            Settings::Station { network } => Some(&network.ssid),
            Settings::Platform | Settings::AccessPoint { .. } | Settings::Off { .. } => None,
        });
        self.work(APPLY_DELAY).await?;
        self.air.with(|inner| {
            inner.clear_memory(); // even if the settings cannot be applied
            inner.check_apply(settings)?;
            // Without a task, the platform decides which of its networks it joins.
            if settings.mode() != Mode::Station || settings.kept_id().is_none() || is_after_task {
                inner.joined_at_start = None;
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
        self.air.with(|inner| inner.leave());
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
                let wrong = Router::new(ssid, b"not the right key");
                Ok(wrong.network.into())
            }
            RouterKind::GuestFirst => {
                let guest = Router::new(b"guest", b"guest pass phrase").network;
                Ok(Offer::new([guest, own.clone()]).unwrap_or_else(|| own.into()))
            }
            RouterKind::Insecure => Err(SimError(ErrorKind::Insecure)),
            RouterKind::WithoutWps | RouterKind::Refuses => Err(SimError(ErrorKind::Refused)),
            RouterKind::Vanishes => Err(SimError(ErrorKind::RouterLost)),
        }
    }

    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot) -> Result<(), SimError> {
        self.had_task |= !snapshot.as_bytes().is_empty();
        self.key_refused = false;
        self.set_applied(Some(&network.ssid));
        self.air.with(|inner| inner.leave());
        self.work(Duration::ZERO).await?;
        self.air.with(|inner| inner.put_in_memory(network, snapshot))?;
        self.work(JOIN_DELAY).await?;
        self.air.with(|inner| {
            inner.check_join(&inner.with_key(network)?)?;
            inner.radio = Some(Settings::Station { network: network.clone() });
            self.air.config_lost.reset();
            Ok(())
        })
    }

    async fn keep(
        &mut self,
        network: &Credentials,
        snapshot: &Snapshot,
    ) -> Result<KeptBy, SimError> {
        self.had_task |= !snapshot.as_bytes().is_empty();
        // Nothing may be kept that the journal does not name.
        let id = id_in(snapshot).filter(|_| self.air.with(|inner| inner.store.is_some()));
        let Some(id) = id else { return Ok(KeptBy::Record) };
        self.work(Duration::ZERO).await?;
        self.reach(Place::Memory).await?;
        self.air.with(|inner| {
            let store = inner.store.as_mut();
            let is_put = store.is_some_and(|it| it.put(id, network.clone(), Place::Unsynced));
            is_put.then_some(()).ok_or(SimError(ErrorKind::Other))
        })?;
        self.reach(Place::Unsynced).await?;
        self.work(SYNC_DELAY).await?;
        self.air.with(|inner| inner.store.iter_mut().for_each(PlatformStore::sync));
        self.reach(Place::Disk).await?;
        let kept_by = KeptBy::Platform(id);
        let settings = Settings::after_success(network.clone(), kept_by);
        self.air.with(|inner| inner.radio = Some(settings));
        Ok(kept_by)
    }

    async fn check_pairing(&mut self) -> Result<(), SimError> {
        self.work(Duration::ZERO).await?;
        self.require_wps()
    }

    async fn snapshot(&mut self) -> Result<Snapshot, SimError> {
        self.work(Duration::ZERO).await?;
        let id = self.air.with(|inner| inner.store.as_mut().map(PlatformStore::next_id));
        Ok(id.map(snapshot_of).unwrap_or_default())
    }

    async fn link(&mut self) -> Result<Link, SimError> {
        self.work(Duration::ZERO).await?;
        let (up, radio) = (self.air.is_linked(), self.air.radio_settings());
        let network = match &radio {
            Some(Settings::AccessPoint { access_point, .. }) => Some(access_point.network.clone()),
            Some(Settings::Station { .. } | Settings::Platform | Settings::Off { .. }) | None => {
                self.air.with(|inner| inner.joined_network().cloned())
            }
        };
        Ok(Link {
            up,
            mode: radio.as_ref().map(Settings::mode),
            security: network.as_ref().map(security),
            ssid: network.map(|network| network.ssid),
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
            if self.air.with(|inner| inner.look_after_store(settings, self.had_task)) {
                return IdleEvent::NetworkRemoved;
            }
            match self.air.with(|inner| inner.is_key_refused(settings)) {
                Some(refused) if refused != self.key_refused => {
                    self.key_refused = refused;
                    return if refused { IdleEvent::KeyRefused } else { IdleEvent::KeyAccepted };
                }
                Some(_) | None => {}
            }
            match select(self.air.config_lost.wait(), self.air.changed.wait()).await {
                Either::First(()) => return IdleEvent::ConfigLost,
                Either::Second(()) => {}
            }
        }
    }
}
