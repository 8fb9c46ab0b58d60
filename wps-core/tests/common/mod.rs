//! A simulated place to test in: air, disk, clock and desk, and an executor on virtual time.
#![allow(dead_code, reason = "each test file uses its part of it")]

pub(crate) mod day;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use wps_core::command::SAVE_TIMEOUT;
use wps_core::driver::{Link, Offer, PairContext, SearchProgress};
use wps_core::sim::{Air, Disk, DiskError, ManualClock, Radio, Router, SimError, SimStore};
use wps_core::{
    AccessPoint, AfterFailure, Cause, Clock, Control, Credentials, Instant, Loaded, Mode,
    Passphrase, Phase, Record, RequestError, Runner, ScanResults, Settings, SettingsStore,
    Snapshot, Ssid, Status, WifiDriver,
};

pub(crate) type Raw = NoopRawMutex;
/// How many fronts may listen or wait at a desk here.
pub(crate) const FRONTS: usize = 16;
/// What a requester is told; none while it waits.
pub(crate) type Told = Option<Result<(), RequestError>>;
/// How long an HTTP front needs to send its answer.
pub(crate) const PARTING: Duration = Duration::from_millis(500);

/// More turns than any work at one moment needs.
const LIVELOCK: usize = 10_000;

pub(crate) fn ssid(name: &[u8]) -> Ssid {
    Ssid::new(name).expect("a network name")
}

pub(crate) fn net(name: &[u8], key: &[u8]) -> Credentials {
    let passphrase = (!key.is_empty()).then(|| Passphrase::new(key).expect("a key"));
    Credentials { ssid: ssid(name), passphrase }
}

/// The network of before.
pub(crate) fn old() -> Credentials {
    net(b"old", b"old password")
}

/// The network to pair with.
pub(crate) fn home() -> Credentials {
    net(b"home", b"correct horse")
}

pub(crate) fn station(network: Credentials) -> Settings {
    Settings::Station { network }
}

pub(crate) fn hotspot(remembered: Option<Credentials>) -> Settings {
    let network = net(b"device", b"on the label");
    Settings::AccessPoint { access_point: AccessPoint { network, channel: Some(6) }, remembered }
}

pub(crate) fn off(remembered: Option<Credentials>) -> Settings {
    Settings::Off { remembered }
}

/// What outlives the program: the air, the disk, the clock. And the desks of this boot and the next.
pub(crate) struct Site {
    pub(crate) air: Air<Raw>,
    pub(crate) disk: Disk<Raw>,
    pub(crate) clock: ManualClock<Raw>,
    pub(crate) after_failure: AfterFailure,
    pub(crate) factory_settings: Settings,
    desks: [Control<Raw, FRONTS>; 3],
    boots: Cell<usize>,
    /// What was on disk whenever power was cut.
    pub(crate) cuts: RefCell<Vec<Option<Record>>>,
    /// What the radio showed to work, by joining the network or by taking the settings.
    pub(crate) proven: RefCell<Vec<Settings>>,
    /// Whether the radio was told to pair, since somebody looked here.
    pub(crate) tried: Cell<bool>,
    polls: Cell<usize>,
    calm: Cell<bool>,
}

pub(crate) type SimRunner<'s> =
    Runner<'s, Watched<'s>, SimStore<'s, Raw>, &'s ManualClock<Raw>, Raw, FRONTS>;

impl Site {
    /// A new device, in reach of the routers "home" and "old".
    pub(crate) fn never_set_up(factory_settings: Settings) -> Self {
        let site = Self {
            air: Air::new(),
            disk: Disk::new(),
            clock: ManualClock::new(),
            after_failure: AfterFailure::default(),
            factory_settings,
            desks: [Control::new(), Control::new(), Control::new()],
            boots: Cell::new(0),
            cuts: RefCell::default(),
            proven: RefCell::default(),
            tried: Cell::new(false),
            polls: Cell::new(0),
            calm: Cell::new(false),
        };
        site.air.add(Router::new(b"home", b"correct horse"));
        site.air.add(Router::new(b"old", b"old password"));
        site
    }

    /// A device that has been set up.
    pub(crate) fn settled(settings: Settings) -> Self {
        let site = Self::never_set_up(off(None));
        site.disk.put(&Record::Settled(settings));
        site
    }

    pub(crate) fn with(self, after_failure: AfterFailure) -> Self {
        Self { after_failure, ..self }
    }

    /// A program begins.
    pub(crate) async fn runner(&self) -> SimRunner<'_> {
        let (radio, store) = (self.radio(), self.disk.store());
        let (factory_settings, after_failure) = (self.factory_settings.clone(), self.after_failure);
        Runner::boot(radio, store, &self.clock, self.control(), factory_settings, after_failure)
            .await
            .expect("readable")
    }

    fn radio(&self) -> Watched<'_> {
        Watched(self.air.radio(&self.clock), self)
    }

    /// The desk of the program that runs.
    pub(crate) fn control(&self) -> &Control<Raw, FRONTS> {
        &self.desks[self.boots.get()]
    }

    /// Power was cut, and comes back.
    pub(crate) fn cut_power(&self) {
        self.cuts.borrow_mut().push(self.disk.record());
        self.boots.set(self.boots.get() + 1);
    }

    /// How often a [`World`] polled its runner.
    pub(crate) fn polls(&self) -> usize {
        self.polls.get()
    }

    /// Starts the device.
    pub(crate) fn boot(&self) -> World<'_> {
        World::new(self, async { self.runner().await.run().await })
    }

    /// Starts the device with a disk that takes a second for each save.
    pub(crate) fn boot_slow(&self) -> World<'_> {
        World::new(self, async {
            let (radio, store) = (self.radio(), self.disk.store());
            let (factory_settings, after_failure, store) =
                (self.factory_settings.clone(), self.after_failure, Slow(store, self));
            let boot = Runner::boot(
                radio,
                store,
                &self.clock,
                self.control(),
                factory_settings,
                after_failure,
            )
            .await;
            boot.expect("readable").run().await
        })
    }

    /// Starts the device and lets it come to rest, by second 1.
    pub(crate) fn booted(&self) -> World<'_> {
        let mut world = self.boot();
        world.at(1.0);
        world.expect(Phase::Idle);
        world
    }

    /// Starts the device; the future of its runner is dropped after so many polls, and run again.
    pub(crate) fn boot_and_drop(&self, polls: usize) -> World<'_> {
        World::new(self, async move {
            let mut runner = self.runner().await;
            self.poll_times(runner.run(), polls).await;
            runner.run().await
        })
    }

    /// Starts the device; power is cut after so many polls, and again after so many more.
    pub(crate) fn boot_and_cut(&self, polls: Vec<usize>) -> World<'_> {
        World::new(self, async move {
            for polls in polls {
                self.poll_times(self.runner().await.run(), polls).await;
                self.cut_power();
            }
            self.runner().await.run().await
        })
    }

    /// From now on nothing is dropped, and power is not cut.
    pub(crate) fn calm_down(&self) {
        self.calm.set(true);
    }

    /// Polls `work` so often, then lets it go.
    async fn poll_times(&self, work: impl Future, mut times: usize) {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if times == 0 {
                return Poll::Ready(());
            }
            times -= usize::from(!self.calm.get());
            match work.as_mut().poll(cx) {
                Poll::Pending if times > 0 => Poll::Pending,
                Poll::Pending | Poll::Ready(_) => Poll::Ready(()),
            }
        })
        .await;
    }
}

/// The radio, watched: it pairs and joins only with a journal on the disk.
pub(crate) struct Watched<'s>(Radio<'s, Raw, &'s ManualClock<Raw>>, &'s Site);

impl WifiDriver for Watched<'_> {
    type Error = SimError;

    async fn apply(&mut self, settings: &Settings, snapshot: &Snapshot) -> Result<(), SimError> {
        self.0.apply(settings, snapshot).await?;
        if matches!(self.1.disk.record(), Some(Record::Configuring { .. })) {
            self.1.proven.borrow_mut().push(settings.clone());
        }
        Ok(())
    }

    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, SimError> {
        assert!(matches!(self.1.disk.record(), Some(Record::Pairing { .. })), "no journal");
        self.1.tried.set(true);
        self.0.pair(context).await
    }

    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot) -> Result<(), SimError> {
        let journal = self.1.disk.record();
        assert!(!matches!(journal, None | Some(Record::Settled(_))), "no journal: {journal:?}");
        self.0.join(network, snapshot).await?;
        self.1.proven.borrow_mut().push(station(network.clone()));
        Ok(())
    }

    async fn snapshot(&mut self) -> Result<Snapshot, SimError> {
        self.0.snapshot().await
    }

    async fn link(&mut self) -> Result<Link, SimError> {
        self.0.link().await
    }

    async fn scan(&mut self) -> Result<ScanResults, SimError> {
        self.0.scan().await
    }

    async fn config_lost(&mut self) {
        self.0.config_lost().await;
    }
}

struct Slow<'s>(SimStore<'s, Raw>, &'s Site);

impl SettingsStore for Slow<'_> {
    type Error = DiskError;

    async fn load(&mut self) -> Result<Loaded, DiskError> {
        self.0.load().await
    }

    async fn save(&mut self, record: &Record) -> Result<(), DiskError> {
        let clock = &self.1.clock;
        clock.sleep_until(clock.now().after(Duration::from_secs(1))).await;
        self.0.save(record).await
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

type Task<'s> = Pin<Box<dyn Future<Output = Result<(), RequestError>> + 's>>;

/// A request that was made.
#[derive(Clone, Copy)]
pub(crate) struct Asked(usize);

enum Request<'s> {
    Waits(Task<'s>),
    Told(Result<(), RequestError>),
}

/// A device that runs on virtual time. Nothing happens but what these methods do.
pub(crate) struct World<'s> {
    pub(crate) site: &'s Site,
    run: Task<'s>,
    requests: Vec<Request<'s>>,
    woken: Arc<Flag>,
    /// Whether the requesters are polled before the runner: drawn anew for each turn.
    order: u64,
}

impl<'s> World<'s> {
    fn new<T>(site: &'s Site, run: impl Future<Output = T> + 's) -> Self {
        let run = Box::pin(async {
            run.await;
            unreachable!("a runner runs for ever")
        });
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        let mut world = Self { site, run, requests: Vec::new(), woken, order: 0 };
        world.settle();
        world
    }

    /// Polls in an order that depends on `seed`.
    pub(crate) fn shuffle(&mut self, seed: u64) {
        self.order = seed | 1;
    }

    /// Polls everything until nobody has anything left to do at this moment.
    pub(crate) fn settle(&mut self) {
        for _ in 0..LIVELOCK {
            if !self.woken.0.swap(false, Ordering::Relaxed) {
                return;
            }
            // A linear congruential generator (Knuth, MMIX).
            self.order = match self.order {
                0 => 0,
                order => order.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1) | 1,
            };
            let requests_first = self.order >> 63 == 1;
            if requests_first {
                self.poll_requests();
            }
            self.site.polls.set(self.site.polls.get() + 1);
            let waker = Waker::from(self.woken.clone());
            let Poll::Pending = self.run.as_mut().poll(&mut Context::from_waker(&waker)) else {
                unreachable!("a runner runs for ever")
            };
            if !requests_first {
                self.poll_requests();
            }
        }
        panic!("livelock at {}: {:?}", self.seconds(), self.status());
    }

    /// Polls the requesters alone: the requests are made, and nobody has taken them.
    pub(crate) fn poll_requests(&mut self) {
        let waker = Waker::from(self.woken.clone());
        for request in &mut self.requests {
            if let Request::Waits(task) = request
                && let Poll::Ready(told) = task.as_mut().poll(&mut Context::from_waker(&waker))
            {
                *request = Request::Told(told);
            }
        }
    }

    /// Lets time pass until `seconds` on the clock, with everything that falls due on the way.
    pub(crate) fn at(&mut self, seconds: f64) {
        let at = Instant::from_millis((seconds * 1000.0).round() as u64);
        assert!(at >= self.now(), "{seconds} has passed, it is {}", self.seconds());
        let site = self.site;
        let alarm = self.spawn(async move {
            site.clock.sleep_until(at).await;
            Ok(())
        });
        self.settle();
        while self.told(alarm).is_none() {
            assert!(site.clock.advance_to_next(), "deadlock at {}", self.seconds());
            self.settle();
            self.expect_in_time();
        }
    }

    /// A pairing does not go on when its window has closed, except that its success is still saved.
    fn expect_in_time(&self) {
        let status = self.status();
        let more = match status.phase {
            Phase::Searching | Phase::Joining { .. } => Duration::ZERO,
            Phase::Saving => SAVE_TIMEOUT,
            Phase::Idle | Phase::Journaling | Phase::Configuring | Phase::Restoring => return,
        };
        let end = status.deadline.expect("a window").after(more);
        assert!(self.now() < end, "at {}: {status:?}", self.seconds());
    }

    /// Lets this much time pass.
    pub(crate) fn pass(&mut self, seconds: f64) {
        self.at(self.seconds() + seconds);
    }

    pub(crate) fn now(&self) -> Instant {
        self.site.clock.now()
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.now().as_millis() as f64 / 1000.0
    }

    fn spawn(&mut self, task: impl Future<Output = Result<(), RequestError>> + 's) -> Asked {
        self.requests.push(Request::Waits(Box::pin(task)));
        self.woken.0.store(true, Ordering::Relaxed);
        Asked(self.requests.len() - 1)
    }

    /// What a request was told so far.
    pub(crate) fn told(&self, Asked(number): Asked) -> Told {
        match &self.requests[number] {
            Request::Waits(_) => None,
            Request::Told(told) => Some(*told),
        }
    }

    pub(crate) fn keeps_somebody_waiting(&self) -> bool {
        self.requests.iter().any(|request| matches!(request, Request::Waits(_)))
    }

    /// The requester goes away without waiting for its answer.
    pub(crate) fn hang_up(&mut self, Asked(number): Asked) {
        self.requests[number] = Request::Told(Err(RequestError::Busy));
    }

    /// Asks for a pairing, without letting anything happen yet.
    pub(crate) fn ask_start(&mut self, reply_grace: Duration) -> Asked {
        let control = self.site.control();
        self.spawn(control.start(reply_grace))
    }

    pub(crate) fn ask_configure(&mut self, settings: Settings) -> Asked {
        let control = self.site.control();
        self.spawn(control.configure(settings, PARTING))
    }

    pub(crate) fn ask_cancel(&mut self) -> Asked {
        let control = self.site.control();
        self.spawn(async {
            control.cancel().await;
            Ok(())
        })
    }

    pub(crate) fn ask_link(&mut self) -> Asked {
        let control = self.site.control();
        self.spawn(async {
            control.link().await;
            Ok(())
        })
    }

    /// Presses the device's button: nobody needs time to say goodbye.
    pub(crate) fn button(&mut self) -> Told {
        let asked = self.ask_start(Duration::ZERO);
        self.settle();
        self.told(asked)
    }

    /// `POST /api/v1/wifi/wps`: whoever asks over Wi-Fi must get the answer before the radio leaves.
    pub(crate) fn post(&mut self) -> Told {
        let asked = self.ask_start(PARTING);
        self.settle();
        self.told(asked)
    }

    pub(crate) fn configure(&mut self, settings: Settings) -> Told {
        let asked = self.ask_configure(settings);
        self.settle();
        self.told(asked)
    }

    pub(crate) fn cancel(&mut self) {
        let asked = self.ask_cancel();
        self.settle();
        assert_eq!(self.told(asked), Some(Ok(())), "cancelling is never refused");
    }

    /// Presses the button of a router.
    pub(crate) fn press(&mut self, router: &str) {
        self.site.air.press(router.as_bytes());
    }

    /// Unplugs the device. What is on the disk now is on it when it boots.
    pub(crate) fn cut_power(self) {
        self.site.cut_power();
    }

    pub(crate) fn status(&self) -> Status {
        self.site.control().status().expect("a runner has booted")
    }

    #[track_caller]
    pub(crate) fn expect(&self, phase: Phase) {
        let status = self.status();
        assert_eq!(status.phase, phase, "at {}: {status:?}", self.seconds());
    }

    /// Nothing under way, and the last thing ended so.
    #[track_caller]
    pub(crate) fn expect_ended(&self, result: Result<(), Cause>) {
        self.expect(Phase::Idle);
        let status = self.status();
        let last = status.last.map(|last| last.result);
        assert_eq!(last, Some(result), "at {}: {status:?}", self.seconds());
    }

    /// The radio does this, the disk says it, and people are told so.
    #[track_caller]
    pub(crate) fn expect_settled(&self, settings: &Settings) {
        assert_eq!(self.site.disk.record(), Some(Record::Settled(settings.clone())), "disk");
        self.expect_on_air(settings);
        let (mode, network) = match settings {
            Settings::Platform => (Mode::Station, None),
            Settings::Station { network } => (Mode::Station, Some(network)),
            Settings::AccessPoint { remembered, .. } => (Mode::AccessPoint, remembered.as_ref()),
            Settings::Off { remembered } => (Mode::Off, remembered.as_ref()),
        };
        let status = self.status();
        assert_eq!(status.mode, mode);
        assert_eq!(status.network.as_ref(), network.map(|network| &network.ssid));
    }

    #[track_caller]
    pub(crate) fn expect_on_air(&self, settings: &Settings) {
        assert_eq!(self.site.air.radio_does().as_ref(), Some(settings), "radio");
    }

    #[track_caller]
    pub(crate) fn expect_seen(&self, seen: &SearchProgress) {
        let status = self.status();
        assert_eq!(&status.seen, seen, "at {}: {status:?}", self.seconds());
    }
}
