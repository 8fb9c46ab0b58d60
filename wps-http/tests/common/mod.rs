//! A simulated world in a given situation, with the servers to test in it.
#![allow(dead_code, unreachable_pub, reason = "each test uses only a part")]

pub mod digest;
pub mod listener;
pub mod radio;
pub mod slow_reader;
pub mod wire;

use std::time::Duration;

use axum::Router as Routes;
use embassy_futures::select::{Either, select};
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use wps_core::sim::{Air, Disk, DiskFault, ManualClock, Place, RadioFault, Router, RouterKind};
use wps_core::{
    AccessPoint, Clock, Control, Credentials, ErrorKind, Instant, KeptId, Phase, Record, Runner,
    Secret, Settings, Status,
};
use wps_http::axum::Config;
use wps_http::picoserve::{self, Server};
use wps_http::{Addresses, AllowedHosts, Device, DigestAuth};
use wps_testkit::{network, off, ssid, station};

use radio::TestRadio;

type Raw = CriticalSectionRawMutex;

pub const SECRETS: [&str; 3] = ["correct horse", "own hotspot key", "not the right key"];
/// A name that is not UTF-8, with characters that JSON escapes.
pub const ODD_NAME: &[u8] = b"caf\xe9 \"\\\n";

/// The state of the world when the request arrives. The transcripts use these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Situation {
    /// The runner has not taken its first step.
    Starting,
    /// A device with factory settings that has just started, and applies them.
    Booting,
    /// The same, but the radio never answers.
    Unresponsive,
    /// An idle device with factory settings.
    Off,
    /// An idle device that is a hotspot.
    Hotspot,
    /// Idle, but there is no radio.
    NoRadio,
    /// Idle, but the radio cannot be limited to one access point.
    NoChoice,
    /// Idle, but the disk is full.
    DiskFull,
    /// A pairing is starting, and the journal is not written yet because the disk hangs.
    Opening,
    /// A pairing has started, and the reply grace is running.
    Started,
    /// 20 s into a pairing. No router is in range.
    NoRouter,
    /// 20 s into a pairing. The button of the router was not pressed.
    NotPressed,
    /// The router is handing over its network.
    Exchanging,
    /// The router's network has an odd name, and is being joined.
    JoiningOdd,
    /// The network does not accept the key that the router handed over, and is being retried.
    WrongKey,
    /// Paired a minute ago.
    Paired,
    /// No button was pressed within the window.
    TimedOut,
    /// The buttons of two routers were pressed.
    Overlap,
    /// Cancelled, but the radio disappeared before its settings were restored.
    Stuck,
    /// On a network that was set by hand.
    ByHand,
    /// A hotspot that is being changed to a network by hand, with a wrong password.
    Configuring,
    /// The change with the wrong password was rolled back.
    RolledBack,
    /// On a network that was set by hand, whose password was changed after that.
    KeyRefused,
    /// On a network that was set by hand, and that the platform keeps.
    Kept,
    /// The platform could not save a network that was set by hand.
    NotKept,
    /// Another program has removed the network that the platform kept.
    NetworkRemoved,
    /// The record names a network that only another platform keeps.
    KeptElsewhere,
}

impl Situation {
    pub const ALL: [Self; 27] = [
        Self::Starting,
        Self::Booting,
        Self::Unresponsive,
        Self::Off,
        Self::Hotspot,
        Self::NoRadio,
        Self::NoChoice,
        Self::DiskFull,
        Self::Opening,
        Self::Started,
        Self::NoRouter,
        Self::NotPressed,
        Self::Exchanging,
        Self::JoiningOdd,
        Self::WrongKey,
        Self::Paired,
        Self::TimedOut,
        Self::Overlap,
        Self::Stuck,
        Self::ByHand,
        Self::Configuring,
        Self::RolledBack,
        Self::KeyRefused,
        Self::Kept,
        Self::NotKept,
        Self::NetworkRemoved,
        Self::KeptElsewhere,
    ];

    /// Returns whether a pairing has been started.
    fn has_started(self) -> bool {
        let idle = [Self::Off, Self::Hotspot, Self::NoRadio, Self::NoChoice, Self::DiskFull];
        let by_hand = [Self::ByHand, Self::Configuring, Self::RolledBack, Self::KeyRefused];
        let kept = [Self::KeptElsewhere].into_iter().chain(Self::KEEPING).collect::<Vec<_>>();
        ![&[Self::Starting, Self::Opening][..], &Self::BOOTING, &idle, &by_hand, &kept]
            .concat()
            .contains(&self)
    }

    /// The situations in which a request waits until the settings are applied, so that it needs
    /// time.
    const BOOTING: [Self; 2] = [Self::Booting, Self::Unresponsive];

    /// The situations with a platform that keeps networks.
    const KEEPING: [Self; 3] = [Self::Kept, Self::NotKept, Self::NetworkRemoved];

    /// Returns whether a request in this situation needs simulated time.
    pub fn needs_time(self) -> bool {
        Self::BOOTING.contains(&self)
    }

    fn is_hotspot(self) -> bool {
        [Self::Hotspot, Self::Configuring, Self::RolledBack].contains(&self)
    }
}

#[derive(Clone, Copy)]
pub struct World {
    pub air: &'static Air<Raw>,
    pub disk: &'static Disk<Raw>,
    pub clock: &'static ManualClock<Raw>,
    pub control: &'static Control<Raw, 8, 8>,
}

impl World {
    fn new() -> Self {
        Self {
            air: Box::leak(Box::new(Air::new())),
            disk: Box::leak(Box::new(Disk::new())),
            clock: Box::leak(Box::new(ManualClock::new())),
            control: Box::leak(Box::new(Control::new())),
        }
    }

    /// Brings a new world into `situation`, then runs `test` in it.
    pub async fn run<R>(situation: Situation, test: impl AsyncFnOnce(Self) -> R) -> R {
        let world = Self::new();
        if situation == Situation::Starting {
            return test(world).await;
        }
        let Self { air, disk, clock, control } = world;
        let name = if situation == Situation::JoiningOdd { ODD_NAME } else { b"home" };
        let router = Router::new(name, b"correct horse");
        let has_wrong_key = situation == Situation::WrongKey;
        let router = if has_wrong_key { router.with_kind(RouterKind::WrongKey) } else { router };
        air.add_router(router);
        let factory_settings = if situation.is_hotspot() {
            Settings::AccessPoint { access_point: hotspot(), remembered: None }
        } else {
            off(None)
        };
        if situation == Situation::Unresponsive {
            air.set_fault(Some(RadioFault::Unresponsive));
        }
        if Situation::KEEPING.contains(&situation) {
            air.keep_networks();
        }
        if situation == Situation::KeptElsewhere {
            disk.write_record(&Record::Settled(station(kept(
                b"home",
                KeptId(*b"of another kind."),
            ))));
        }
        let config = wps_core::Config::new(factory_settings);
        let can_pair_with_one = situation != Situation::NoChoice;
        let radio = TestRadio { radio: air.radio(clock), can_pair_with_one };
        let booted = Runner::boot(radio, disk.store(), clock, control, config);
        let mut runner = booted.await.expect("a disk that can be read");
        let entered = async {
            world.enter(situation, name).await;
            test(world).await
        };
        match select(runner.run(), entered).await {
            Either::Second(result) => result,
        }
    }

    async fn enter(&self, situation: Situation, name: &[u8]) {
        if situation.needs_time() {
            return self.yield_to_runner().await;
        }
        if situation == Situation::KeptElsewhere {
            return self.until(|status| status.trouble.is_some()).await;
        }
        self.until(|status| status.phase == Phase::Idle).await;
        let start = self.clock.now();
        let later = |seconds| start.after(Duration::from_secs(seconds));
        if situation.has_started() {
            self.control.start(Duration::from_millis(500)).await.expect("no task in progress");
        }
        match situation {
            Situation::Starting
            | Situation::Booting
            | Situation::Unresponsive
            | Situation::Off
            | Situation::Hotspot
            | Situation::NoChoice
            | Situation::Started => {}
            Situation::Opening => {
                self.disk.set_fault(Some(DiskFault::Hangs));
                let starting = self.control.start(Duration::ZERO);
                select(starting, self.until(|status| status.phase == Phase::Journaling)).await;
            }
            Situation::NoRadio => self.air.set_fault(Some(RadioFault::Fails(ErrorKind::NoDevice))),
            Situation::DiskFull => self.disk.set_fault(Some(DiskFault::Full)),
            Situation::NoRouter => {
                self.air.set_power(name, false);
                self.advance_until(later(20)).await;
            }
            Situation::NotPressed => self.advance_until(later(20)).await,
            Situation::Exchanging => {
                self.air.press_button(name);
                self.until(|status| {
                    matches!(status.progress, wps_core::driver::SearchProgress::Exchanging { .. })
                })
                .await;
            }
            Situation::JoiningOdd => {
                self.air.press_button(name);
                self.until(|status| matches!(status.phase, Phase::Joining { .. })).await;
            }
            Situation::WrongKey => {
                self.air.press_button(name);
                self.until(|status| status.trouble.is_some()).await;
            }
            Situation::Paired => {
                self.air.press_button(name);
                self.until(|status| status.phase == Phase::Idle).await;
                self.clock.advance(Duration::from_secs(60));
            }
            Situation::TimedOut => self.until(|status| status.phase == Phase::Idle).await,
            Situation::Overlap => {
                self.air.add_router(Router::new(b"neighbour", b"battery staple"));
                self.air.press_button(name);
                self.air.press_button(b"neighbour");
                self.until(|status| status.phase == Phase::Idle).await;
            }
            Situation::Stuck => {
                self.until(|status| status.phase == Phase::Searching).await;
                self.air.set_fault(Some(RadioFault::Fails(ErrorKind::NoDevice)));
                self.control.cancel().await;
                self.until(|status| status.trouble.is_some()).await;
            }
            Situation::NotKept => {
                self.air.set_fault(Some(RadioFault::Keep { reached: Place::Memory, hangs: false }));
                self.configure_network(b"correct horse").await;
                self.until(|status| status.phase == Phase::Idle).await;
            }
            Situation::NetworkRemoved => {
                self.configure_network(b"correct horse").await;
                self.until(|status| status.phase == Phase::Idle).await;
                for network in self.air.kept_networks() {
                    self.air.remove_kept(network.id);
                }
                self.until(|status| status.phase == Phase::Restoring).await;
                self.until(|status| status.phase == Phase::Idle).await;
            }
            // The device starts only once: see above.
            Situation::KeptElsewhere => {}
            Situation::ByHand | Situation::Kept => {
                self.configure_network(b"correct horse").await;
                self.until(|status| status.phase == Phase::Idle).await;
                self.clock.advance(Duration::from_secs(60));
            }
            Situation::Configuring => {
                self.configure_network(b"not the right key").await;
                self.until(|status| status.trouble.is_some()).await;
            }
            Situation::RolledBack => {
                self.configure_network(b"not the right key").await;
                self.until(|status| status.phase == Phase::Idle).await;
            }
            Situation::KeyRefused => {
                self.configure_network(b"correct horse").await;
                self.until(|status| status.phase == Phase::Idle).await;
                self.air.set_key(name, b"a new password");
                self.until(|status| status.trouble.is_some()).await;
            }
        }
    }

    async fn configure_network(&self, key: &[u8]) {
        let settings = station(network(b"home", key));
        self.control.configure(settings, Duration::ZERO).await.expect("no task in progress");
    }

    /// Runs the runner, and advances the clock while it waits, until the status meets the
    /// condition.
    pub async fn until(&self, condition: impl Fn(&Status) -> bool) {
        for _ in 0..100_000 {
            self.yield_to_runner().await;
            if self.control.status().is_some_and(|status| condition(&status)) {
                return;
            }
            self.clock.advance_to_next();
        }
        panic!("the condition was never met: {:?}", self.control.status());
    }

    async fn advance_until(&self, until: Instant) {
        while self.clock.now() < until {
            self.yield_to_runner().await;
            self.clock.advance_to_next();
        }
        self.yield_to_runner().await;
    }

    /// Resolves `work`, and advances the clock whenever nothing else can run.
    pub async fn with_time<R>(&self, work: impl Future<Output = R>) -> R {
        let Either::First(result) = select(work, self.clock.fast_forward()).await;
        result
    }

    async fn yield_to_runner(&self) {
        for _ in 0..8 {
            yield_now().await;
        }
    }

    /// Creates the picoserve server of this world, with the same configuration as the axum router.
    pub fn picoserve_server(
        &self,
        auth: Option<DigestAuth>,
    ) -> Server<'static, Raw, TokioSleepClock, 8, 8> {
        Server::new(self.control, TokioSleepClock(self.clock), picoserve_config(), auth)
    }

    /// Creates the picoserve server of a device with these addresses.
    pub fn picoserve_server_with(
        &self,
        addresses: fn() -> Option<Addresses>,
    ) -> Server<'static, Raw, TokioSleepClock, 8, 8> {
        let config = picoserve::Config { addresses, ..picoserve_config() };
        Server::new(self.control, TokioSleepClock(self.clock), config, None)
    }

    /// Creates the axum router of this world.
    pub fn axum_routes(&self, more: Routes) -> Routes {
        let clock = self.clock;
        wps_http::axum::router(self.control, move || clock.now(), config(), more)
    }
}

/// Reads the clock of the simulated world, but sleeps on tokio's clock.
pub struct TokioSleepClock(pub &'static ManualClock<Raw>);

impl Clock for TokioSleepClock {
    fn now(&self) -> Instant {
        self.0.now()
    }

    async fn sleep_until(&self, at: Instant) {
        tokio::time::sleep(at.since(self.0.now())).await;
    }
}

pub fn picoserve_config() -> picoserve::Config<'static> {
    let device = Device { name: Some("gadget"), version: Some("1.2.3"), ..Device::default() };
    let names = &["gadget", "gadget.fritz.box"];
    let allowed_hosts = AllowedHosts { names, ..AllowedHosts::default() };
    picoserve::Config { allowed_hosts, device, ..picoserve::Config::default() }
}

pub fn config() -> Config {
    Config {
        names: vec!["gadget".into(), "gadget.fritz.box".into()],
        name: Some("gadget".into()),
        version: Some("1.2.3".into()),
        ..Config::default()
    }
}

pub fn hotspot() -> AccessPoint {
    AccessPoint { network: network(b"gadget-setup", b"own hotspot key"), channel: Some(6) }
}

/// Returns a network that the platform keeps.
pub fn kept(name: &[u8], id: KeptId) -> Credentials {
    Credentials { ssid: ssid(name), secret: Secret::Kept(id) }
}
