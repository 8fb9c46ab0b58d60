//! The simulated driver with a deliberate flaw.

use std::cell::Cell;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use embassy_futures::select::{Either, select};
use wps_core::Link;
use wps_core::conformance::ObservedState;
use wps_core::driver::{KeptBy, Offer, PairContext, PairEvent, SearchProgress};
use wps_core::sim::{ManualClock, Radio, SimError};
use wps_core::wsc::OverlapDetector;
use wps_core::{
    Clock, Credentials, ErrorKind, IdleEvent, Instant, Mode, Passphrase, ScanResults, Secret,
    Settings, Snapshot, Ssid, WifiDriver,
};

use crate::flaw::Flaw;
use crate::flawed_keeping::Memory;
use crate::simulation::{Raw, Simulation};

/// The WPS walk time, after which a flawed driver gives up.
const PAIRING_TIMEOUT: Duration = Duration::from_secs(120);
/// The time between two tries of a driver that reconnects.
const RECONNECT_DELAY: Duration = Duration::from_secs(3);
/// The time between two checks of a driver that polls its radio while it is idle.
const IDLE_POLL_INTERVAL: Duration = Duration::from_secs(3);
/// The time between two checks of a driver that checks its link while it is idle.
const LINK_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// The simulated driver with one [`Flaw`].
pub(crate) struct FlawedDriver<'s> {
    pub(crate) radio: Radio<'s, Raw, &'s ManualClock<Raw>>,
    pub(crate) sim: &'s Simulation,
    /// Whether the next method fails.
    is_busy: bool,
    mode: Mode,
    /// The settings of the last `apply` or `join` that succeeded.
    applied: Option<Settings>,
    /// Whether `maintain` has just reported a refused key.
    refused_key_reported: bool,
    /// When the driver reconnects.
    reconnect_at: Option<Instant>,
    /// Whether `maintain` has noticed that the link is down.
    lost_link_noticed: bool,
    /// The network of the last `join`, unless `apply` or `pair` was called since.
    joined: Option<Credentials>,
    /// The offer that the next `pair` returns.
    kept_offer: Cell<Option<Offer>>,
    /// Whether every later `pair` fails.
    is_stuck: Cell<bool>,
    pub(crate) memory: Memory,
}

impl<'s> FlawedDriver<'s> {
    pub(crate) fn new(sim: &'s Simulation) -> Self {
        let radio = sim.air.radio(&sim.clock);
        Self {
            radio,
            sim,
            is_busy: false,
            mode: Mode::Off,
            applied: None,
            refused_key_reported: false,
            reconnect_at: None,
            lost_link_noticed: false,
            joined: None,
            kept_offer: Cell::default(),
            is_stuck: Cell::default(),
            memory: Memory::default(),
        }
    }

    pub(crate) fn has(&self, flaw: Flaw) -> bool {
        self.sim.flaw == Some(flaw)
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        self.sim.sleep(time).await;
    }

    /// Sleeps longer than the runner waits for a method, if the driver has this flaw.
    pub(crate) async fn take_too_long(&self, flaw: Flaw, seconds: u64) {
        if self.has(flaw) {
            self.sleep(Duration::from_secs(seconds)).await;
        }
    }

    /// Interrupts the link, if the driver has this flaw.
    async fn interrupt_link(&self, flaw: Flaw) {
        if let (true, Some(settings)) = (self.has(flaw), self.sim.air.radio_settings()) {
            self.sim.force_settings(&Settings::Off { remembered: None });
            self.sleep(Duration::from_millis(100)).await;
            self.sim.force_settings(&settings);
        }
    }

    /// Reconnects whenever the link is down, at `next`. The radio does not do it by itself.
    async fn reconnect(sim: &Simulation, settings: &Settings, next: &mut Option<Instant>) {
        loop {
            let at = sim.clock.now().after(RECONNECT_DELAY);
            let at = match sim.flaw {
                Some(Flaw::ReconnectDelayStartsOver) => at,
                _ => *next.get_or_insert(at),
            };
            sim.clock.sleep_until(at).await;
            *next = None;
            if !sim.air.is_linked() {
                sim.force_settings(settings);
            }
        }
    }

    fn start_method(&mut self, is_join: bool) -> Result<(), SimError> {
        let stays_busy =
            self.has(Flaw::BusyAfterAnyDrop) || is_join && self.has(Flaw::BusyAfterDroppedJoin);
        if std::mem::replace(&mut self.is_busy, stays_busy) {
            return Err(SimError(ErrorKind::Other));
        }
        if self.has(Flaw::JoinReturnsEarly) {
            self.sim.delayed_settings.take();
        }
        Ok(())
    }

    async fn apply_with_flaw(
        &mut self,
        settings: &Settings,
        snapshot: &Snapshot,
    ) -> Result<(), SimError> {
        if self.has(Flaw::StationOnly) && settings.mode() != Mode::Station {
            return Err(SimError(ErrorKind::Unsupported));
        }
        let (mut settings, is_repeated) = (settings.clone(), self.mode == settings.mode());
        self.mode = settings.mode();
        match &settings {
            Settings::AccessPoint { .. }
                if is_repeated && self.has(Flaw::SecondAccessPointStops) =>
            {
                settings = Settings::Off { remembered: None };
            }
            Settings::Off { remembered: Some(network) }
                if self.has(Flaw::OffJoinsRememberedNetwork) =>
            {
                settings = Settings::Station { network: network.clone() };
            }
            Settings::Platform
                if self.has(Flaw::LosesPlatformNetworks) && self.joined.is_some() =>
            {
                settings = Settings::Off { remembered: None };
            }
            Settings::Platform
            | Settings::Station { .. }
            | Settings::AccessPoint { .. }
            | Settings::Off { .. } => {}
        }
        self.joined = None;
        self.take_too_long(Flaw::ApplyTakesTooLong, 18).await;
        if self.has(Flaw::ApplyInterruptsTheLink) {
            self.sim.force_settings(&Settings::Off { remembered: None });
        }
        if let Settings::Station { network } = &mut settings {
            *network = self.network_to_join(network);
        }
        let applied = self.apply_to_platform(&settings, snapshot).await;
        applied.map_err(|error| self.report_kept_elsewhere(error))?;
        if let (true, Settings::Station { network }) =
            (self.has(Flaw::ApplyGivesUpWithoutRouter), &settings)
            && !self.sim.is_on(&network.ssid)
        {
            self.sim.lose_link(network);
        }
        self.applied = Some(settings);
        if self.has(Flaw::ApplyWaitsForTheLink) {
            while self.mode == Mode::Station && !self.sim.air.is_linked() {
                self.sleep(Duration::from_secs(1)).await;
            }
        }
        Ok(())
    }

    async fn pair_with_flaw(&mut self, context: &mut PairContext<'_>) -> Result<Offer, SimError> {
        self.joined = None;
        if let Some(offer) = self.kept_offer.take() {
            return Ok(offer);
        }
        if self.is_stuck.get()
            || self.memory.kept_elsewhere && self.has(Flaw::StuckAfterKeptElsewhere)
        {
            return Err(SimError(ErrorKind::Other));
        }
        let previous_mode = std::mem::replace(&mut self.mode, Mode::Station);
        if previous_mode == Mode::AccessPoint && self.has(Flaw::NoPairingFromAccessPoint) {
            return Err(SimError(ErrorKind::Other));
        }
        if previous_mode == Mode::Off && self.has(Flaw::NoPairingFromOff) {
            return Err(SimError(ErrorKind::Other));
        }
        if self.has(Flaw::LeavesToSearch)
            || previous_mode == Mode::AccessPoint && self.has(Flaw::StopsAccessPointToSearch)
        {
            self.sim.force_settings(&Settings::Off { remembered: None });
        }
        if self.has(Flaw::PairsWithoutButton) {
            self.sim.air.press_button(b"home");
        }
        let only = match self.sim.flaw {
            Some(Flaw::IgnoresTheChoice) => None,
            _ => context.only(),
        };
        if only.is_some() && self.has(Flaw::ReportsOverlapDespiteTheChoice) {
            let is_pressed = |(_, _, _, is_pressed): &&(_, _, _, bool)| *is_pressed;
            if self.sim.air.routers().iter().filter(is_pressed).count() > 1 {
                return Err(SimError(ErrorKind::Overlap));
            }
        }
        let mut overlap_detector = match self.has(Flaw::ForgetsPressedRouters) {
            true => OverlapDetector::new(),
            false => context.overlap_detector.clone(),
        };
        let exchanging = Cell::new(None);
        let (sim, kept_offer, is_stuck) = (self.sim, &self.kept_offer, &self.is_stuck);
        let on_event = |event| {
            let PairEvent::Progress(progress) = event else { return };
            if let SearchProgress::Exchanging { ssid: Some(ssid) } = &progress {
                exchanging.set(sim.network(ssid));
            }
            let is_hidden =
                sim.flaw == Some(Flaw::ReportsNoRouter) && progress == SearchProgress::NotPressed;
            context.report_progress(if is_hidden { SearchProgress::NoRouter } else { progress });
        };
        let drop_effects = DropEffects { sim, kept_offer, is_stuck, exchanging: &exchanging };
        let timeout = async {
            match sim.flaw == Some(Flaw::PairTimesOut) {
                true => sim.clock.sleep_until(sim.clock.now().after(PAIRING_TIMEOUT)).await,
                false => pending().await,
            }
        };
        let result = {
            let reply_grace = pin!(async {
                if sim.flaw != Some(Flaw::IgnoresReplyGrace) {
                    context.before_disconnect().await;
                }
            });
            let mut inner = PairContext::new(&mut overlap_detector, &on_event)
                .with_only(only)
                .with_reply_grace(reply_grace);
            match select(self.radio.pair(&mut inner), timeout).await {
                Either::First(result) => result,
                Either::Second(()) => Err(SimError(ErrorKind::Other)),
            }
        };
        let router = drop_effects.exchanging.take();
        drop(drop_effects);
        if !self.has(Flaw::FirmwareDetectsOverlap) {
            *context.overlap_detector = overlap_detector;
        }
        let is_router_lost = router.is_some_and(|network| !sim.is_on(&network.ssid));
        match (result, sim.flaw) {
            (Err(SimError(ErrorKind::Overlap)), Some(Flaw::ReportsOverlapAsRefusal)) => {
                Err(SimError(ErrorKind::Refused))
            }
            (Err(SimError(ErrorKind::Overlap)), Some(Flaw::CannotDistinguishOverlap)) => {
                Err(SimError(ErrorKind::RefusedOrOverlap))
            }
            (Ok(_), Some(Flaw::CannotDistinguishOverlap)) if is_router_lost => {
                Err(SimError(ErrorKind::RefusedOrOverlap))
            }
            (Ok(offer), Some(Flaw::ReturnsOfferTwice)) => {
                self.kept_offer.set(Some(offer.clone()));
                Ok(offer)
            }
            (Ok(_), Some(Flaw::LostRouterIsFinal)) if is_router_lost => {
                Err(SimError(ErrorKind::NoDevice))
            }
            (Ok(offer), Some(Flaw::NamesAreText)) => Ok(as_text(offer.at(0)).into()),
            (Ok(offer), Some(Flaw::NamesEndAtNul)) => Ok(until_nul(offer.at(0)).into()),
            (Ok(offer), Some(Flaw::ReturnsAnotherKey)) => {
                let secret = Secret::Key(Passphrase::new(b"another key").expect("a key"));
                Ok(Credentials { secret, ..offer.at(0).clone() }.into())
            }
            (result, _) => result,
        }
    }

    async fn join_with_flaw(
        &mut self,
        network: &Credentials,
        snapshot: &Snapshot,
    ) -> Result<(), SimError> {
        let previous_network = self.joined.replace(network.clone());
        let previous_mode = std::mem::replace(&mut self.mode, Mode::Station);
        if previous_network.as_ref() == Some(network) && self.has(Flaw::SecondJoinFails)
            || previous_mode == Mode::AccessPoint && self.has(Flaw::NoJoinAfterAccessPoint)
        {
            return Err(SimError(ErrorKind::Other));
        }
        if self.has(Flaw::JoinReturnsEarly) {
            self.sim.force_settings(&Settings::Off { remembered: None });
            let at = self.sim.clock.now().after(Duration::from_secs(1));
            let settings = Settings::Station { network: network.clone() };
            self.sim.delayed_settings.replace(Some((at, settings)));
            return Ok(());
        }
        let is_joined = self.sim.observe() == ObservedState::Joined(network.ssid.clone());
        if is_joined && self.has(Flaw::AcceptsAnyKeyIfJoined) {
            return Ok(());
        }
        self.take_too_long(Flaw::JoinTakesTooLong, 21).await;
        let result = self.join_on_platform(network, snapshot).await;
        let result = result.map_err(|error| self.report_kept_elsewhere(error));
        if result.is_ok() {
            self.applied = Some(Settings::Station { network: network.clone() });
        }
        match (result, self.sim.flaw) {
            (Ok(()), Some(Flaw::SavesCredentials | Flaw::FirmwareRejoins)) => {
                self.sim.stored.replace(Some(network.clone()));
                Ok(())
            }
            (Err(SimError(ErrorKind::WrongKey)), Some(Flaw::AcceptsAnyKey)) => Ok(()),
            (Err(SimError(ErrorKind::WrongKey)), Some(Flaw::ReportsWrongKeyAsBusyRouter)) => {
                Err(SimError(ErrorKind::RouterBusy))
            }
            (
                Err(SimError(ErrorKind::WrongKey | ErrorKind::NotFound)),
                Some(Flaw::ReportsNoJoinFailure),
            ) => Err(SimError(ErrorKind::Other)),
            (Err(SimError(ErrorKind::NotFound)), Some(Flaw::NotFoundIsFinal)) => {
                Err(SimError(ErrorKind::Unsupported))
            }
            (result, _) => result,
        }
    }
}

impl WifiDriver for FlawedDriver<'_> {
    type Error = SimError;

    async fn apply(&mut self, settings: &Settings, snapshot: &Snapshot) -> Result<(), SimError> {
        self.sim.log(match settings.mode() {
            Mode::Station => "station",
            Mode::AccessPoint => "access point",
            Mode::Off => "off",
        });
        self.start_method(false)?;
        let result = self.apply_with_flaw(settings, snapshot).await;
        self.is_busy = false;
        result
    }

    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, SimError> {
        self.sim.log("pair");
        self.start_method(false)?;
        let result = self.pair_with_flaw(context).await;
        self.is_busy = false;
        result
    }

    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot) -> Result<(), SimError> {
        self.sim.log("join");
        self.start_method(true)?;
        let result = self.join_with_flaw(network, snapshot).await;
        self.is_busy = false;
        result
    }

    async fn keep(
        &mut self,
        network: &Credentials,
        snapshot: &Snapshot,
    ) -> Result<KeptBy, SimError> {
        self.sim.log("keep");
        self.start_method(false)?;
        if self.has(Flaw::BusyAfterDroppedKeep) {
            self.is_busy = true;
        }
        let result = self.keep_with_flaw(network, snapshot).await;
        self.is_busy = false;
        result
    }

    async fn snapshot(&mut self) -> Result<Snapshot, SimError> {
        self.sim.log("snapshot");
        self.take_too_long(Flaw::SnapshotTakesTooLong, 6).await;
        self.interrupt_link(Flaw::SnapshotDisconnects).await;
        match self.has(Flaw::SnapshotFails) {
            true => Err(SimError(ErrorKind::Other)),
            false => self.snapshot_with_flaw().await,
        }
    }

    async fn link(&mut self) -> Result<Link, SimError> {
        let link = self.radio.link().await?;
        if self.has(Flaw::LinkFails) {
            return Err(SimError(ErrorKind::Other));
        }
        self.take_too_long(Flaw::LinkTakesTooLong, 3).await;
        self.interrupt_link(Flaw::LinkDisconnects).await;
        let other = Ssid::new(b"other").ok();
        Ok(match self.sim.flaw {
            Some(Flaw::LinkIsNeverUp) => Link { up: false, ..link },
            Some(Flaw::NoticesLostLinkWhileIdle)
                if self.mode == Mode::Station && !self.lost_link_noticed =>
            {
                Link { up: true, ..link }
            }
            Some(Flaw::LinkStaysUp) if self.mode == Mode::Station => Link { up: true, ..link },
            Some(Flaw::LinkNamesAnotherNetwork) if link.up => Link { ssid: other, ..link },
            _ => link,
        })
    }

    async fn scan(&mut self) -> Result<ScanResults, SimError> {
        if self.has(Flaw::BusyAfterDroppedScan) {
            self.is_busy = true;
        }
        self.take_too_long(Flaw::ScanTakesTooLong, 16).await;
        self.interrupt_link(Flaw::ScanDisconnects).await;
        let results = self.radio.scan().await;
        self.is_busy = false;
        results
    }

    fn can_pair_with_one(&self) -> bool {
        self.radio.can_pair_with_one()
    }

    async fn maintain(&mut self, settings: &Settings) -> IdleEvent {
        let _late_reconnect = LateReconnect { sim: self.sim, settings };
        let event = match self.sim.flaw {
            Some(Flaw::ReportsMissingRouterAsConfigLoss) if !self.sim.air.is_linked() => {
                return IdleEvent::ConfigLost;
            }
            Some(Flaw::ReportsMissingRouterAsRefusedKey) if !self.sim.air.is_linked() => {
                return IdleEvent::KeyRefused;
            }
            Some(Flaw::ReportsRefusedKeyTwice) if self.refused_key_reported => {
                self.refused_key_reported = false;
                return IdleEvent::KeyRefused;
            }
            Some(Flaw::IdlePollStartsOver) => {
                self.sleep(IDLE_POLL_INTERVAL).await;
                self.radio.maintain(settings).await
            }
            Some(Flaw::ReconnectsWhileIdle | Flaw::ReconnectDelayStartsOver) => {
                // The simulated radio reports the event, and the driver reconnects meanwhile.
                let reconnect = Self::reconnect(self.sim, settings, &mut self.reconnect_at);
                match select(self.radio.maintain(settings), reconnect).await {
                    Either::First(event) => event,
                    Either::Second(()) => unreachable!("it reconnects for ever"),
                }
            }
            Some(Flaw::NoticesLostLinkWhileIdle) => {
                self.lost_link_noticed &= !self.sim.air.is_linked();
                let (sim, noticed) = (self.sim, &mut self.lost_link_noticed);
                let check = async {
                    loop {
                        let next = sim.clock.now().after(LINK_CHECK_INTERVAL);
                        sim.clock.sleep_until(next).await;
                        *noticed = !sim.air.is_linked();
                    }
                };
                match select(self.radio.maintain(settings), check).await {
                    Either::First(event) => event,
                    Either::Second(()) => unreachable!("it checks for ever"),
                }
            }
            _ => self.maintain_platform(settings).await,
        };
        match (event, self.sim.flaw) {
            (IdleEvent::ConfigLost, Some(Flaw::MissesConfigLoss))
            | (IdleEvent::KeyAccepted, Some(Flaw::NeverReportsAcceptedKey))
            | (IdleEvent::KeyRefused | IdleEvent::KeyAccepted, Some(Flaw::ReportsNoRefusedKey)) => {
                pending().await
            }
            _ => {
                self.refused_key_reported = event == IdleEvent::KeyRefused;
                event
            }
        }
    }
}

/// Causes the effects of a pairing that is dropped during the exchange.
struct DropEffects<'a> {
    sim: &'a Simulation,
    kept_offer: &'a Cell<Option<Offer>>,
    is_stuck: &'a Cell<bool>,
    /// The network of the router in the exchange.
    exchanging: &'a Cell<Option<Credentials>>,
}

impl Drop for DropEffects<'_> {
    fn drop(&mut self) {
        match (self.exchanging.take(), self.sim.flaw) {
            (Some(network), Some(Flaw::DroppedPairingContinues)) => {
                let at = self.sim.clock.now().after(Duration::from_secs(2));
                self.sim.delayed_settings.replace(Some((at, Settings::Station { network })));
            }
            (Some(network), Some(Flaw::ReturnsDroppedOffer)) => {
                self.kept_offer.set(Some(network.into()));
            }
            (Some(_), Some(Flaw::NoPairingAfterADroppedExchange)) => self.is_stuck.set(true),
            _ => {}
        }
    }
}

/// Reconnects some time after `maintain` was dropped while its router was off.
struct LateReconnect<'a> {
    sim: &'a Simulation,
    settings: &'a Settings,
}

impl Drop for LateReconnect<'_> {
    fn drop(&mut self) {
        let Self { sim, settings } = self;
        if sim.flaw == Some(Flaw::DroppedMaintainContinues) && !sim.air.is_linked() {
            let at = sim.clock.now().after(Duration::from_secs(2));
            sim.delayed_settings.replace(Some((at, (*settings).clone())));
        }
    }
}

/// Returns the network with the name that a driver gets if it treats names as text.
fn as_text(network: &Credentials) -> Credentials {
    let text = String::from_utf8_lossy(network.ssid.as_bytes()).into_owned();
    let cut = &text.as_bytes()[..text.len().min(32)];
    Credentials { ssid: Ssid::new(cut).expect("a name"), ..network.clone() }
}

/// Returns the network with the name that a driver gets if it treats names as C strings.
fn until_nul(network: &Credentials) -> Credentials {
    let name = network.ssid.as_bytes().split(|byte| *byte == 0).next().unwrap_or_default();
    Credentials { ssid: Ssid::new(name).expect("a name"), ..network.clone() }
}
