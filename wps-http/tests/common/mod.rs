//! A simulated world in a given situation, and the fronts to ask in it.
#![allow(dead_code, unreachable_pub, reason = "every test takes what it needs")]

pub mod reluctant;
pub mod wire;

use std::time::Duration;

use axum::Router as Routes;
use embassy_futures::select::{Either, select};
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use wps_core::sim::{Air, Disk, DiskFault, Fault, ManualClock, Router, RouterKind};
use wps_core::{
    AccessPoint, AfterFailure, Clock, Control, Credentials, ErrorKind, Instant, Passphrase, Phase,
    Runner, Settings, Ssid, Status,
};
use wps_http::axum::Config;
use wps_http::picoserve::{self, Front};
use wps_http::{Device, Door, Site};

type Raw = CriticalSectionRawMutex;

pub const SECRETS: [&str; 3] = ["correct horse", "own hotspot key", "not the right key"];
/// Not UTF-8, and every character that JSON escapes.
pub const ODD_NAME: &[u8] = b"caf\xe9 \"\\\n";

/// What the world is like when the request comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Situation {
    /// The runner has not taken its first step.
    Starting,
    /// A blank device at rest.
    Off,
    /// A device that is its own hotspot, at rest.
    Hotspot,
    /// At rest, but there is no radio.
    NoRadio,
    /// At rest, but the disk is full.
    DiskFull,
    /// Being started, and the disk takes its time.
    Opening,
    /// Started, the answer is on its way.
    Started,
    /// 20 s into a pairing; no router in range.
    NoRouter,
    /// 20 s into a pairing; nobody has pressed.
    NotPressed,
    /// The router hands over its network.
    Exchanging,
    /// The router's network has an odd name, and is being joined.
    JoiningOdd,
    /// The network that was handed over does not accept its key; it is tried again.
    WrongKey,
    /// Paired a minute ago.
    Paired,
    /// Nobody pressed within the window.
    TimedOut,
    /// Two routers were pressed.
    Overlap,
    /// Cancelled, but the radio went away before it could be put back.
    Stuck,
    /// On a network that was set by hand.
    ByHand,
    /// A hotspot that is being changed to a network by hand, with a wrong password.
    Configuring,
    /// The wrong password was given up.
    RolledBack,
}

impl Situation {
    pub const ALL: [Self; 19] = [
        Self::Starting,
        Self::Off,
        Self::Hotspot,
        Self::NoRadio,
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
    ];

    /// Whether a pairing has been started.
    fn has_started(self) -> bool {
        let at_rest = [Self::Starting, Self::Off, Self::Hotspot, Self::NoRadio, Self::DiskFull];
        let by_hand = [Self::ByHand, Self::Configuring, Self::RolledBack];
        self != Self::Opening && !at_rest.contains(&self) && !by_hand.contains(&self)
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
    pub control: &'static Control<Raw, 8>,
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

    /// Brings a new world into `situation`, then lets `visit` happen in it.
    pub async fn visit<R>(situation: Situation, visit: impl AsyncFnOnce(Self) -> R) -> R {
        let world = Self::new();
        if situation == Situation::Starting {
            return visit(world).await;
        }
        let Self { air, disk, clock, control } = world;
        let name = if situation == Situation::JoiningOdd { ODD_NAME } else { b"home" };
        let router = Router::new(name, b"correct horse");
        let gives_wrong_key = situation == Situation::WrongKey;
        air.add(if gives_wrong_key { router.of_kind(RouterKind::WrongKey) } else { router });
        let factory_settings = if situation.is_hotspot() {
            Settings::AccessPoint { access_point: hotspot(), remembered: None }
        } else {
            Settings::Off { remembered: None }
        };
        let booted = Runner::boot(
            air.radio(clock),
            disk.store(),
            clock,
            control,
            factory_settings,
            AfterFailure::default(),
        );
        let mut runner = booted.await.expect("a disk that can be read");
        let guest = async {
            world.bring_into(situation, name).await;
            visit(world).await
        };
        match select(runner.run(), guest).await {
            Either::Second(result) => result,
        }
    }

    async fn bring_into(&self, situation: Situation, name: &[u8]) {
        self.until(|status| status.phase == Phase::Idle).await;
        let start = self.clock.now();
        let later = |seconds| start.after(Duration::from_secs(seconds));
        if situation.has_started() {
            self.control.start(Duration::from_millis(500)).await.expect("nothing is under way");
        }
        match situation {
            Situation::Starting | Situation::Off | Situation::Hotspot | Situation::Started => {}
            Situation::Opening => {
                self.disk.set_fault(Some(DiskFault::Hangs));
                let starting = self.control.start(Duration::ZERO);
                select(starting, self.until(|status| status.phase == Phase::Journaling)).await;
            }
            Situation::NoRadio => self.air.set_fault(Some(Fault::Fails(ErrorKind::NoDevice))),
            Situation::DiskFull => self.disk.set_fault(Some(DiskFault::Full)),
            Situation::NoRouter => {
                self.air.power(name, false);
                self.pass(later(20)).await;
            }
            Situation::NotPressed => self.pass(later(20)).await,
            Situation::Exchanging => {
                self.air.press(name);
                self.until(|status| {
                    matches!(status.seen, wps_core::driver::SearchProgress::Exchanging { .. })
                })
                .await;
            }
            Situation::JoiningOdd => {
                self.air.press(name);
                self.until(|status| matches!(status.phase, Phase::Joining { .. })).await;
            }
            Situation::WrongKey => {
                self.air.press(name);
                self.until(|status| status.trouble.is_some()).await;
            }
            Situation::Paired => {
                self.air.press(name);
                self.until(|status| status.phase == Phase::Idle).await;
                self.clock.advance(Duration::from_secs(60));
            }
            Situation::TimedOut => self.until(|status| status.phase == Phase::Idle).await,
            Situation::Overlap => {
                self.air.add(Router::new(b"neighbour", b"battery staple"));
                self.air.press(name);
                self.air.press(b"neighbour");
                self.until(|status| status.phase == Phase::Idle).await;
            }
            Situation::Stuck => {
                self.until(|status| status.phase == Phase::Searching).await;
                self.air.set_fault(Some(Fault::Fails(ErrorKind::NoDevice)));
                self.control.cancel().await;
                self.until(|status| status.trouble.is_some()).await;
            }
            Situation::ByHand => {
                self.set(b"correct horse").await;
                self.until(|status| status.phase == Phase::Idle).await;
                self.clock.advance(Duration::from_secs(60));
            }
            Situation::Configuring => {
                self.set(b"not the right key").await;
                self.until(|status| status.trouble.is_some()).await;
            }
            Situation::RolledBack => {
                self.set(b"not the right key").await;
                self.until(|status| status.phase == Phase::Idle).await;
            }
        }
    }

    async fn set(&self, key: &[u8]) {
        let settings = Settings::Station { network: network(b"home", key) };
        self.control.configure(settings, Duration::ZERO).await.expect("nothing is under way");
    }

    /// Lets the runner work, and time pass where it waits, until the status is as wanted.
    pub async fn until(&self, wanted: impl Fn(&Status) -> bool) {
        for _ in 0..100_000 {
            self.turns().await;
            if self.control.status().is_some_and(|status| wanted(&status)) {
                return;
            }
            self.clock.advance_to_next();
        }
        panic!("never came: {:?}", self.control.status());
    }

    async fn pass(&self, until: Instant) {
        while self.clock.now() < until {
            self.turns().await;
            self.clock.advance_to_next();
        }
        self.turns().await;
    }

    /// Lets time pass while there is nothing else to do.
    pub async fn with_time<R>(&self, work: impl Future<Output = R>) -> R {
        let Either::First(done) = select(work, self.clock.fast_forward()).await;
        done
    }

    async fn turns(&self) {
        for _ in 0..8 {
            yield_now().await;
        }
    }

    /// The picoserve front on this world, configured like the other one.
    pub fn firmware(&self, door: Option<Door>) -> Front<'static, Raw, Outside, 8> {
        let device = Device { name: Some("gadget"), model: None, version: Some("1.2.3") };
        let site = Site { names: &["gadget", "gadget.fritz.box"], ..Site::default() };
        let config = picoserve::Config { site, device, ..picoserve::Config::default() };
        Front::new(self.control, Outside(self.clock), config, door)
    }

    /// The axum front on this world.
    pub fn routes(&self, more: Routes) -> Routes {
        let clock = self.clock;
        wps_http::axum::router(self.control, move || clock.now(), config(), more)
    }
}

/// The moments of the simulated world; what is waited for comes from outside.
pub struct Outside(pub &'static ManualClock<Raw>);

impl Clock for Outside {
    fn now(&self) -> Instant {
        self.0.now()
    }

    async fn sleep_until(&self, at: Instant) {
        tokio::time::sleep(at.since(self.0.now())).await;
    }
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

/// For an open network `key` is empty.
pub fn network(name: &[u8], key: &[u8]) -> Credentials {
    let passphrase = (!key.is_empty()).then(|| Passphrase::new(key).expect("a key"));
    Credentials { ssid: Ssid::new(name).expect("a name"), passphrase }
}
