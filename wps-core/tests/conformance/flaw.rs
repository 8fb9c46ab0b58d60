//! The simulated driver, spoilt on purpose: one flaw for each part of the contract, and some more.

use std::cell::Cell;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use embassy_futures::select::{Either, select};
use wps_core::conformance::Check;
use wps_core::driver::{Link, Offer, PairContext, PairEvent, SearchProgress};
use wps_core::sim::{ManualClock, Radio, SimError};
use wps_core::wsc::OverlapDetector;
use wps_core::{
    Clock, Credentials, ErrorKind, Mode, Passphrase, Settings, Snapshot, Ssid, WifiDriver,
};

use crate::world::{Raw, World};

const WALK_TIME: Duration = Duration::from_secs(120);

/// What is wrong with a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    ApplyWaitsForTheLink,
    GivesUpALostLink,
    MissesALoss,
    TakesAMissingRouterForALoss,
    SecondAccessPointGoesDark,
    OffUsesWhatIsRemembered,
    ForgetsThePlatform,
    LinkScans,
    LinkIsNeverUp,
    JoinReturnsEarly,
    NoPairingFromAccessPoint,
    OffersAnotherKey,
    SecondJoinIsRefused,
    NoJoinAfterAccessPoint,
    StaysBusyWhenJoinIsDropped,
    StaysBusyWhenDropped,
    NoPairingAfterADroppedExchange,
    DroppedPairingGoesOn,
    KeepsADroppedOffer,
    GivesAnOfferTwice,
    TimesOut,
    PairsUnpressed,
    SeesNoRouter,
    LeavesToLook,
    LeavesAtOnce,
    OverlapIsRefusal,
    ForgetsSightings,
    LostRouterIsFinal,
    NamesAreText,
    NamesEndAtNul,
    AnyKeyWillDo,
    NotFoundIsFinal,
    Saves,
    FirmwareRejoins,
    SnapshotFails,
    /// None: a driver may support station mode alone.
    StationOnly,
    /// None either: the radio's own WPS judges overlap, as well as it can.
    FirmwareJudgesOverlap,
}

impl Flaw {
    /// Every flaw, and the checks that notice it: its own, and those that have to go that way too.
    pub(crate) const ALL: &[(Self, &[Check])] = &[
        (Self::ApplyWaitsForTheLink, &[Check::Station]),
        (Self::GivesUpALostLink, &[Check::Reconnects]),
        (Self::MissesALoss, &[Check::ConfigLost]),
        (Self::TakesAMissingRouterForALoss, &[Check::ConfigLost]),
        (Self::SecondAccessPointGoesDark, &[Check::AccessPoint, Check::Twice]),
        (
            Self::OffUsesWhatIsRemembered,
            &[Check::Off, Check::Looking, Check::Pairing, Check::Twice, Check::AnyOrder],
        ),
        (Self::ForgetsThePlatform, &[Check::Platform]),
        (Self::LinkScans, &[Check::Looking]),
        (
            Self::LinkIsNeverUp,
            &[
                Check::Platform,
                Check::Pairing,
                Check::Twice,
                Check::AnyOrder,
                Check::Dropped,
                Check::OddCredentials,
                Check::NothingKept,
            ],
        ),
        (
            Self::NoPairingAfterADroppedExchange,
            &[Check::Platform, Check::Dropped, Check::EarlierOffer],
        ),
        (
            Self::JoinReturnsEarly,
            &[
                Check::Platform,
                Check::Pairing,
                Check::Twice,
                Check::AnyOrder,
                Check::Dropped,
                Check::OddCredentials,
                Check::WrongKey,
                Check::NotInRange,
                Check::NothingKept,
            ],
        ),
        (Self::NoPairingFromAccessPoint, &[Check::Pairing, Check::AnyOrder]),
        (
            Self::OffersAnotherKey,
            &[
                Check::Platform,
                Check::Pairing,
                Check::Twice,
                Check::AnyOrder,
                Check::Dropped,
                Check::LateEvents,
                Check::EarlierOffer,
                Check::Silence,
                Check::OverlapMemory,
                Check::RouterVanishes,
                Check::OddCredentials,
                Check::NothingKept,
            ],
        ),
        (Self::SecondJoinIsRefused, &[Check::Twice, Check::Dropped]),
        (Self::NoJoinAfterAccessPoint, &[Check::AnyOrder]),
        (Self::StaysBusyWhenJoinIsDropped, &[Check::Dropped]),
        (
            Self::StaysBusyWhenDropped,
            &[Check::Platform, Check::Dropped, Check::LateEvents, Check::EarlierOffer],
        ),
        (Self::DroppedPairingGoesOn, &[Check::Platform, Check::LateEvents]),
        (Self::KeepsADroppedOffer, &[Check::EarlierOffer]),
        (
            Self::GivesAnOfferTwice,
            &[Check::EarlierOffer, Check::OverlapMemory, Check::OddCredentials],
        ),
        (Self::TimesOut, &[Check::Silence]),
        (Self::PairsUnpressed, &[Check::Silence, Check::StaysOnAir]),
        (Self::SeesNoRouter, &[Check::Silence]),
        (Self::LeavesToLook, &[Check::StaysOnAir, Check::WaitsToLeave]),
        (Self::LeavesAtOnce, &[Check::WaitsToLeave]),
        (Self::OverlapIsRefusal, &[Check::Overlap, Check::OverlapMemory]),
        (Self::ForgetsSightings, &[Check::OverlapMemory]),
        (Self::LostRouterIsFinal, &[Check::RouterVanishes]),
        (Self::NamesAreText, &[Check::OddCredentials]),
        (Self::NamesEndAtNul, &[Check::OddCredentials]),
        (Self::AnyKeyWillDo, &[Check::WrongKey]),
        (Self::NotFoundIsFinal, &[Check::NotInRange]),
        (Self::Saves, &[Check::NothingKept]),
        (Self::FirmwareRejoins, &[Check::NothingKept]),
        (Self::SnapshotFails, &[Check::Platform, Check::Looking, Check::Twice, Check::AnyOrder]),
    ];
}

/// See [`Flaw`].
pub(crate) struct Flawed<'w> {
    radio: Radio<'w, Raw, &'w ManualClock<Raw>>,
    world: &'w World,
    busy: bool,
    mode: Mode,
    /// The network of the last verb, if that was a join.
    joined: Option<Credentials>,
    kept: Cell<Option<Offer>>,
    stuck: Cell<bool>,
}

impl<'w> Flawed<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        let radio = world.air.radio(&world.clock);
        Self {
            radio,
            world,
            busy: false,
            mode: Mode::Off,
            joined: None,
            kept: Cell::default(),
            stuck: Cell::default(),
        }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.world.flaw == Some(flaw)
    }

    async fn pass(&self, time: Duration) {
        self.world.clock.sleep_until(self.world.clock.now().after(time)).await;
    }

    fn begin(&mut self, is_join: bool) -> Result<(), SimError> {
        let stays = self.has(Flaw::StaysBusyWhenDropped)
            || is_join && self.has(Flaw::StaysBusyWhenJoinIsDropped);
        if std::mem::replace(&mut self.busy, stays) {
            return Err(SimError(ErrorKind::Other));
        }
        if self.has(Flaw::JoinReturnsEarly) {
            self.world.later.take();
        }
        Ok(())
    }

    async fn apply_so(&mut self, settings: &Settings, note: &Snapshot) -> Result<(), SimError> {
        if self.has(Flaw::StationOnly) && settings.mode() != Mode::Station {
            return Err(SimError(ErrorKind::Unsupported));
        }
        let (mut settings, again) = (settings.clone(), self.mode == settings.mode());
        self.mode = settings.mode();
        match &settings {
            Settings::AccessPoint { .. } if again && self.has(Flaw::SecondAccessPointGoesDark) => {
                settings = Settings::Off { remembered: None };
            }
            Settings::Off { remembered: Some(network) }
                if self.has(Flaw::OffUsesWhatIsRemembered) =>
            {
                settings = Settings::Station { network: network.clone() };
            }
            Settings::Platform if self.has(Flaw::ForgetsThePlatform) && self.joined.is_some() => {
                settings = Settings::Off { remembered: None };
            }
            Settings::Platform
            | Settings::Station { .. }
            | Settings::AccessPoint { .. }
            | Settings::Off { .. } => {}
        }
        self.joined = None;
        self.radio.apply(&settings, note).await?;
        if self.has(Flaw::ApplyWaitsForTheLink) {
            while self.mode == Mode::Station && !self.world.air.is_linked() {
                self.pass(Duration::from_secs(1)).await;
            }
        }
        Ok(())
    }

    async fn pair_so(&mut self, context: &mut PairContext<'_>) -> Result<Offer, SimError> {
        self.joined = None;
        if let Some(offer) = self.kept.take() {
            return Ok(offer);
        }
        if self.stuck.get() {
            return Err(SimError(ErrorKind::Other));
        }
        let mode = std::mem::replace(&mut self.mode, Mode::Station);
        if mode == Mode::AccessPoint && self.has(Flaw::NoPairingFromAccessPoint) {
            return Err(SimError(ErrorKind::Other));
        }
        if self.has(Flaw::LeavesToLook) {
            self.world.force(&Settings::Off { remembered: None });
        }
        if self.has(Flaw::PairsUnpressed) {
            self.world.air.press(b"home");
        }
        let mut overlap_detector = match self.has(Flaw::ForgetsSightings) {
            true => OverlapDetector::new(),
            false => context.overlap_detector.clone(),
        };
        let exchanging = Cell::new(None);
        let (world, kept, stuck) = (self.world, &self.kept, &self.stuck);
        let report = |news| {
            let PairEvent::Progress(sight) = news else { return };
            if let SearchProgress::Exchanging { ssid: Some(ssid) } = &sight {
                exchanging.set(world.network(ssid));
            }
            let blind =
                world.flaw == Some(Flaw::SeesNoRouter) && sight == SearchProgress::NotPressed;
            context.report_progress(if blind { SearchProgress::NoRouter } else { sight });
        };
        let leftover = Leftover { world, kept, stuck, exchanging: &exchanging };
        let limit = async {
            match world.flaw == Some(Flaw::TimesOut) {
                true => world.clock.sleep_until(world.clock.now().after(WALK_TIME)).await,
                false => pending().await,
            }
        };
        let answer = {
            let leaving = pin!(async {
                if world.flaw != Some(Flaw::LeavesAtOnce) {
                    context.before_disconnect().await;
                }
            });
            let mut inner =
                PairContext::new(&mut overlap_detector, &report).with_reply_grace(leaving);
            match select(self.radio.pair(&mut inner), limit).await {
                Either::First(answer) => answer,
                Either::Second(()) => Err(SimError(ErrorKind::Other)),
            }
        };
        let router = leftover.exchanging.take();
        drop(leftover);
        if !self.has(Flaw::FirmwareJudgesOverlap) {
            *context.overlap_detector = overlap_detector;
        }
        let lost = router.is_some_and(|network| !world.is_on(&network.ssid));
        match (answer, world.flaw) {
            (Err(SimError(ErrorKind::Overlap)), Some(Flaw::OverlapIsRefusal)) => {
                Err(SimError(ErrorKind::Refused))
            }
            (Ok(offer), Some(Flaw::GivesAnOfferTwice)) => {
                self.kept.set(Some(offer.clone()));
                Ok(offer)
            }
            (Ok(_), Some(Flaw::LostRouterIsFinal)) if lost => Err(SimError(ErrorKind::NoDevice)),
            (Ok(offer), Some(Flaw::NamesAreText)) => Ok(as_text(offer.at(0)).into()),
            (Ok(offer), Some(Flaw::NamesEndAtNul)) => Ok(until_nul(offer.at(0)).into()),
            (Ok(offer), Some(Flaw::OffersAnotherKey)) => {
                let passphrase = Passphrase::new(b"another key").ok();
                Ok(Credentials { passphrase, ..offer.at(0).clone() }.into())
            }
            (answer, _) => answer,
        }
    }

    async fn join_so(&mut self, network: &Credentials, note: &Snapshot) -> Result<(), SimError> {
        let before = self.joined.replace(network.clone());
        let mode = std::mem::replace(&mut self.mode, Mode::Station);
        if before.as_ref() == Some(network) && self.has(Flaw::SecondJoinIsRefused)
            || mode == Mode::AccessPoint && self.has(Flaw::NoJoinAfterAccessPoint)
        {
            return Err(SimError(ErrorKind::Other));
        }
        if self.has(Flaw::JoinReturnsEarly) {
            self.world.force(&Settings::Off { remembered: None });
            let at = self.world.clock.now().after(Duration::from_secs(1));
            let settings = Settings::Station { network: network.clone() };
            self.world.later.replace(Some((at, settings)));
            return Ok(());
        }
        let answer = self.radio.join(network, note).await;
        match (answer, self.world.flaw) {
            (Ok(()), Some(Flaw::Saves | Flaw::FirmwareRejoins)) => {
                self.world.flash.replace(Some(network.clone()));
                Ok(())
            }
            (Err(SimError(ErrorKind::WrongKey)), Some(Flaw::AnyKeyWillDo)) => Ok(()),
            (Err(SimError(ErrorKind::NotFound)), Some(Flaw::NotFoundIsFinal)) => {
                Err(SimError(ErrorKind::Unsupported))
            }
            (answer, _) => answer,
        }
    }
}

impl WifiDriver for Flawed<'_> {
    type Error = SimError;

    async fn apply(&mut self, settings: &Settings, snapshot: &Snapshot) -> Result<(), SimError> {
        self.world.log(match settings.mode() {
            Mode::Station => "station",
            Mode::AccessPoint => "access point",
            Mode::Off => "off",
        });
        self.begin(false)?;
        let answer = self.apply_so(settings, snapshot).await;
        self.busy = false;
        answer
    }

    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, SimError> {
        self.world.log("pair");
        self.begin(false)?;
        let answer = self.pair_so(context).await;
        self.busy = false;
        answer
    }

    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot) -> Result<(), SimError> {
        self.world.log("join");
        self.begin(true)?;
        let answer = self.join_so(network, snapshot).await;
        self.busy = false;
        answer
    }

    async fn snapshot(&mut self) -> Result<Snapshot, SimError> {
        self.world.log("look");
        match self.has(Flaw::SnapshotFails) {
            true => Err(SimError(ErrorKind::Other)),
            false => self.radio.snapshot().await,
        }
    }

    async fn link(&mut self) -> Result<Link, SimError> {
        let link = self.radio.link().await;
        if let (true, Some(settings)) = (self.has(Flaw::LinkScans), self.world.air.radio_does()) {
            self.world.force(&Settings::Off { remembered: None });
            self.pass(Duration::from_millis(100)).await;
            self.world.force(&settings);
        }
        if self.has(Flaw::LinkIsNeverUp) {
            return link.map(|link| Link { up: false, ..link });
        }
        link
    }

    async fn config_lost(&mut self) {
        match self.world.flaw {
            Some(Flaw::MissesALoss) => pending().await,
            Some(Flaw::TakesAMissingRouterForALoss) if !self.world.air.is_linked() => {}
            _ => self.radio.config_lost().await,
        }
    }
}

/// What a pairing leaves behind when it is dropped in the exchange.
struct Leftover<'a> {
    world: &'a World,
    kept: &'a Cell<Option<Offer>>,
    stuck: &'a Cell<bool>,
    exchanging: &'a Cell<Option<Credentials>>,
}

impl Drop for Leftover<'_> {
    fn drop(&mut self) {
        match (self.exchanging.take(), self.world.flaw) {
            (Some(network), Some(Flaw::DroppedPairingGoesOn)) => {
                let at = self.world.clock.now().after(Duration::from_secs(2));
                self.world.later.replace(Some((at, Settings::Station { network })));
            }
            (Some(network), Some(Flaw::KeepsADroppedOffer)) => {
                self.kept.set(Some(network.into()));
            }
            (Some(_), Some(Flaw::NoPairingAfterADroppedExchange)) => self.stuck.set(true),
            _ => {}
        }
    }
}

/// A name as a driver makes it that takes names for text.
fn as_text(network: &Credentials) -> Credentials {
    let text = String::from_utf8_lossy(network.ssid.as_bytes()).into_owned();
    let cut = &text.as_bytes()[..text.len().min(32)];
    Credentials { ssid: Ssid::new(cut).expect("a name"), ..network.clone() }
}

/// A name as a driver makes it that is written in C.
fn until_nul(network: &Credentials) -> Credentials {
    let name = network.ssid.as_bytes().split(|byte| *byte == 0).next().unwrap_or_default();
    Credentials { ssid: Ssid::new(name).expect("a name"), ..network.clone() }
}
