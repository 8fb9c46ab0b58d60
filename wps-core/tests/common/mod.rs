//! A simulated device for the tests: radio, disk and clock, and an executor on virtual time.
//!
//! The fuzzer and the benchmarks include this file as well.
#![allow(dead_code, reason = "no test file uses all of it")]

pub(crate) mod scenario;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use wps_core::command::{KEEP_TIMEOUT, SAVE_TIMEOUT};
use wps_core::driver::{Offer, PairContext, SearchProgress};
use wps_core::sim::{
    Air, Disk, DiskError, KeptNetwork, ManualClock, Owner, Place, Radio, Router, SimError, SimStore,
};
use wps_core::wsc::Bssid;
use wps_core::{
    AfterFailure, Cause, Clock, Config, Control, Credentials, IdleEvent, Instant, KeptBy, KeptId,
    Link, Loaded, Mode, Phase, Record, RequestError, Runner, ScanResults, Secret, Settings,
    SettingsStore, Snapshot, Status, WifiDriver,
};
use wps_testkit::{WakeFlag, network, off, station};

pub(crate) type Raw = NoopRawMutex;
/// How many requests may wait for a reply, and how many listeners may follow the status.
pub(crate) const SLOTS: usize = 16;
/// The reply to a request, or `None` while the requester still waits.
pub(crate) type Reply = Option<Result<(), RequestError>>;
/// The time that an HTTP server needs to send its reply.
pub(crate) const REPLY_GRACE_DELAY: Duration = Duration::from_millis(500);

/// More polls than any work at one instant of virtual time needs.
const MAX_POLLS: usize = 10_000;

/// Everything that outlives the device's program: the routers, the disk and the clock. Also holds
/// one [`Control`] for each boot.
pub(crate) struct Environment {
    pub(crate) air: Air<Raw>,
    pub(crate) disk: Disk<Raw>,
    pub(crate) clock: ManualClock<Raw>,
    pub(crate) after_failure: AfterFailure,
    pub(crate) factory_settings: Settings,
    /// What the user has on a platform that keeps networks.
    user_networks: Vec<Credentials>,
    controls: [Control<Raw, SLOTS, SLOTS>; 3],
    boot_count: Cell<usize>,
    /// The record on the disk at each power cut.
    pub(crate) records_at_cuts: RefCell<Vec<Option<Record>>>,
    /// The networks of the device on the platform at each power cut.
    pub(crate) kept_at_cuts: RefCell<Vec<Vec<KeptNetwork>>>,
    /// The settings that are proven to work: the radio joined the network or applied the settings.
    pub(crate) proven: RefCell<Vec<Settings>>,
    /// Whether `pair` was called on the radio since this flag was last taken.
    pub(crate) pair_called: Cell<bool>,
    /// Whether the latest method of the radio is `maintain`.
    is_looked_after: Cell<bool>,
    /// Whether the radio has got a snapshot since the boot: there was a task.
    had_task: Cell<bool>,
    /// Whether a power cut also reaches the platform below the radio, as with one power supply for
    /// all. Otherwise only the program restarts.
    pub(crate) cuts_reach_platform: Cell<bool>,
    can_pair_with_one: Cell<bool>,
    poll_count: Cell<usize>,
    interruptions_stopped: Cell<bool>,
}

pub(crate) type SimRunner<'s> =
    Runner<'s, CheckedRadio<'s>, SimStore<'s, Raw>, &'s ManualClock<Raw>, Raw, SLOTS, SLOTS>;

impl Environment {
    /// Creates a new device with an empty disk, in range of the routers "home" and "old".
    pub(crate) fn never_set_up(factory_settings: Settings) -> Self {
        let env = Self {
            air: Air::new(),
            disk: Disk::new(),
            clock: ManualClock::new(),
            after_failure: AfterFailure::default(),
            factory_settings,
            user_networks: Vec::new(),
            controls: [Control::new(), Control::new(), Control::new()],
            boot_count: Cell::new(0),
            records_at_cuts: RefCell::default(),
            kept_at_cuts: RefCell::default(),
            proven: RefCell::default(),
            pair_called: Cell::new(false),
            is_looked_after: Cell::new(false),
            had_task: Cell::new(false),
            cuts_reach_platform: Cell::new(false),
            can_pair_with_one: Cell::new(true),
            poll_count: Cell::new(0),
            interruptions_stopped: Cell::new(false),
        };
        env.air.add_router(Router::new(b"home", b"correct horse"));
        env.air.add_router(Router::new(b"old", b"old password"));
        env
    }

    /// Creates a device that has been set up with these settings.
    pub(crate) fn settled(settings: Settings) -> Self {
        let env = Self::never_set_up(off(None));
        env.disk.write_record(&Record::Settled(settings));
        env
    }

    /// Puts the device onto a platform that keeps networks, where the user has a network called
    /// "home", too.
    pub(crate) fn on_platform_that_keeps(self) -> Self {
        self.air.keep_networks();
        self.air.add_kept(user_network(), Owner::User).expect("room");
        Self { user_networks: vec![user_network()], ..self }
    }

    /// Makes the platform keep the network that the device is paired with, as an earlier pairing
    /// has done. Returns what the record has instead of the key.
    pub(crate) fn keep(&self, network: Credentials) -> Credentials {
        let id = self.air.add_kept(network.clone(), Owner::Device).expect("room");
        Credentials { secret: Secret::Kept(id), ..network }
    }

    /// Returns the settings in the record, or those before the task that it names.
    pub(crate) fn settings_on_disk(&self) -> Option<Settings> {
        self.disk.record().map(|record| match record {
            Record::Settled(settings)
            | Record::Pairing { before: settings, .. }
            | Record::Configuring { before: settings, .. } => settings,
        })
    }

    /// Returns the identifier of the network that the record names, if the platform keeps it.
    pub(crate) fn kept_id_on_disk(&self) -> Option<KeptId> {
        let settings = self.settings_on_disk()?;
        match settings.network()?.secret {
            Secret::Kept(id) => Some(id),
            Secret::Open | Secret::Key(_) => None,
        }
    }

    /// Asserts that the platform has, on its disk, the network that the record names, and no other
    /// one of the device. What is the user's is untouched.
    #[track_caller]
    pub(crate) fn expect_only_named_kept(&self) {
        let kept: Vec<_> = self.air.kept_networks().iter().map(|it| (it.id, it.place)).collect();
        let named: Vec<_> =
            self.kept_id_on_disk().into_iter().map(|id| (id, Place::Disk)).collect();
        assert_eq!(kept, named, "kept by the platform, and named in the record");
        self.expect_user_networks_untouched();
    }

    /// Asserts the same after `maintain` has looked after the platform. If the record names no kept
    /// network, those of the device stay until there was a task: the record may have been lost.
    #[track_caller]
    pub(crate) fn expect_looked_after(&self) {
        if self.had_task.get() || self.kept_id_on_disk().is_some() {
            self.expect_only_named_kept();
        } else {
            let kept = self.air.kept_networks();
            assert!(kept.iter().all(|it| it.place != Place::Memory), "left in memory: {kept:?}");
        }
    }

    #[track_caller]
    pub(crate) fn expect_user_networks_untouched(&self) {
        let users: Vec<_> = self.air.user_networks().iter().map(|it| it.network.clone()).collect();
        assert_eq!(users, self.user_networks, "the user's");
    }

    /// Returns whether `maintain` has looked at the platform since the last change of it, and still
    /// runs.
    pub(crate) fn is_looked_after(&self) -> bool {
        self.is_looked_after.get() && !self.air.has_unseen_changes()
    }

    pub(crate) fn with_after_failure(self, after_failure: AfterFailure) -> Self {
        Self { after_failure, ..self }
    }

    /// Boots the device and returns its runner.
    pub(crate) async fn runner(&self) -> SimRunner<'_> {
        let (radio, store) = (self.radio(), self.disk.store());
        let boot = Runner::boot(radio, store, &self.clock, self.control(), self.config());
        boot.await.expect("readable")
    }

    fn config(&self) -> Config {
        Config::new(self.factory_settings.clone()).with_after_failure(self.after_failure)
    }

    fn radio(&self) -> CheckedRadio<'_> {
        self.had_task.set(false);
        CheckedRadio { radio: self.air.radio(&self.clock), env: self, joined: None }
    }

    /// Returns the [`Control`] of the current boot.
    pub(crate) fn control(&self) -> &Control<Raw, SLOTS, SLOTS> {
        &self.controls[self.boot_count.get()]
    }

    /// Cuts power and restores it: the next runner uses the next [`Control`].
    pub(crate) fn cut_power(&self) {
        self.records_at_cuts.borrow_mut().push(self.disk.record());
        self.kept_at_cuts.borrow_mut().push(self.air.kept_networks().into_iter().collect());
        if self.cuts_reach_platform.get() {
            self.air.cut_power();
        }
        self.boot_count.set(self.boot_count.get() + 1);
    }

    /// Replaces the radio by one that cannot be limited to one access point, at the next boot.
    pub(crate) fn forbid_one_access_point(&self) {
        self.can_pair_with_one.set(false);
    }

    /// Returns how often a [`Simulation`] polled its runner.
    pub(crate) fn poll_count(&self) -> usize {
        self.poll_count.get()
    }

    /// Starts the device.
    pub(crate) fn boot(&self) -> Simulation<'_> {
        Simulation::new(self, async { self.runner().await.run().await })
    }

    /// Starts the device with a store that takes one second for each save.
    pub(crate) fn boot_with_slow_store(&self) -> Simulation<'_> {
        Simulation::new(self, async {
            let (radio, store) = (self.radio(), SlowStore(self.disk.store(), self));
            let boot = Runner::boot(radio, store, &self.clock, self.control(), self.config());
            boot.await.expect("readable").run().await
        })
    }

    /// Starts the device and runs it until second 1, when it is idle.
    pub(crate) fn booted(&self) -> Simulation<'_> {
        let mut sim = self.boot();
        sim.advance_to(1.0);
        sim.expect(Phase::Idle);
        sim
    }

    /// Starts the device. Drops the runner's future after `polls` polls, then runs it again.
    pub(crate) fn boot_and_drop_after(&self, polls: usize) -> Simulation<'_> {
        Simulation::new(self, async move {
            let mut runner = self.runner().await;
            self.poll_times(runner.run(), polls).await;
            runner.run().await
        })
    }

    /// Starts the device. Cuts power after each of these numbers of polls, counted from the boot.
    pub(crate) fn boot_and_cut_power_after(&self, polls: Vec<usize>) -> Simulation<'_> {
        Simulation::new(self, async move {
            for polls in polls {
                self.poll_times(self.runner().await.run(), polls).await;
                self.cut_power();
            }
            self.runner().await.run().await
        })
    }

    /// Stops dropping futures and cutting power.
    pub(crate) fn stop_interruptions(&self) {
        self.interruptions_stopped.set(true);
    }

    /// Polls `work` up to `times` times, then drops it.
    async fn poll_times(&self, work: impl Future, mut times: usize) {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if times == 0 {
                return Poll::Ready(());
            }
            times -= usize::from(!self.interruptions_stopped.get());
            match work.as_mut().poll(cx) {
                Poll::Pending if times > 0 => Poll::Pending,
                Poll::Pending | Poll::Ready(_) => Poll::Ready(()),
            }
        })
        .await;
    }
}

/// The network called "home" that the user has added to a platform that keeps networks.
fn user_network() -> Credentials {
    network(b"home", b"of the user")
}

/// The simulated radio with checks of when its methods are called: it must pair, join and keep only
/// while a journal is on the disk, keep only what it has joined, and look after its networks only
/// while the settings in force are on the disk. Also records which settings are proven to work.
pub(crate) struct CheckedRadio<'s> {
    radio: Radio<'s, Raw, &'s ManualClock<Raw>>,
    env: &'s Environment,
    /// The network that `join` has proven.
    joined: Option<Credentials>,
}

impl CheckedRadio<'_> {
    /// Notes that a method other than `maintain` is called.
    fn on_call(&mut self) {
        self.env.is_looked_after.set(false);
    }

    /// Notes that a method of a task is called, if it gets a snapshot.
    fn on_task_call(&mut self, snapshot: &Snapshot) {
        self.on_call();
        self.env.had_task.set(self.env.had_task.get() || !snapshot.as_bytes().is_empty());
    }

    /// Asserts that a journal with this snapshot is on the disk.
    fn expect_journal(&self, snapshot: &Snapshot) {
        match self.env.disk.record() {
            Some(
                Record::Pairing { snapshot: journaled, .. }
                | Record::Configuring { snapshot: journaled, .. },
            ) => assert_eq!(journaled, *snapshot, "another snapshot than in the journal"),
            record @ (None | Some(Record::Settled(_))) => panic!("no journal: {record:?}"),
        }
    }

    fn on_platform_disk(&self) -> Vec<KeptNetwork> {
        let kept = self.env.air.kept_networks();
        kept.into_iter().filter(|it| it.place != Place::Memory).collect()
    }
}

impl WifiDriver for CheckedRadio<'_> {
    type Error = SimError;

    async fn apply(&mut self, settings: &Settings, snapshot: &Snapshot) -> Result<(), SimError> {
        self.on_task_call(snapshot);
        self.joined = None;
        self.radio.apply(settings, snapshot).await?;
        if matches!(self.env.disk.record(), Some(Record::Configuring { .. })) {
            self.env.proven.borrow_mut().push(settings.clone());
        }
        Ok(())
    }

    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, SimError> {
        self.on_call();
        assert!(matches!(self.env.disk.record(), Some(Record::Pairing { .. })), "no journal");
        self.joined = None;
        self.env.pair_called.set(true);
        self.radio.pair(context).await
    }

    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot) -> Result<(), SimError> {
        self.on_task_call(snapshot);
        self.joined = None;
        self.expect_journal(snapshot);
        let before = self.on_platform_disk();
        self.radio.join(network, snapshot).await?;
        let after = self.on_platform_disk();
        assert!(after.iter().all(|it| before.contains(it)), "kept before it was proven: {after:?}");
        match network.secret {
            // Kept already, so nothing is left to keep.
            Secret::Kept(_) => self.env.proven.borrow_mut().push(station(network.clone())),
            Secret::Open | Secret::Key(_) => self.joined = Some(network.clone()),
        }
        Ok(())
    }

    async fn keep(
        &mut self,
        network: &Credentials,
        snapshot: &Snapshot,
    ) -> Result<KeptBy, SimError> {
        self.on_task_call(snapshot);
        self.expect_journal(snapshot);
        assert_eq!(self.joined.as_ref(), Some(network), "keeps what was not joined");
        let kept_by = self.radio.keep(network, snapshot).await?;
        let proven = match kept_by {
            KeptBy::Record => network.clone(),
            KeptBy::Platform(id) => {
                assert_eq!(snapshot.as_bytes(), id.0, "not the identifier in the journal");
                Credentials { secret: Secret::Kept(id), ssid: network.ssid.clone() }
            }
        };
        self.env.proven.borrow_mut().push(station(proven));
        Ok(kept_by)
    }

    async fn check_pairing(&mut self) -> Result<(), SimError> {
        self.on_call();
        self.radio.check_pairing().await
    }

    async fn snapshot(&mut self) -> Result<Snapshot, SimError> {
        self.on_call();
        self.radio.snapshot().await
    }

    async fn link(&mut self) -> Result<Link, SimError> {
        self.on_call();
        self.radio.link().await
    }

    async fn scan(&mut self) -> Result<ScanResults, SimError> {
        self.on_call();
        self.radio.scan().await
    }

    fn can_pair_with_one(&self) -> bool {
        self.env.can_pair_with_one.get()
    }

    async fn maintain(&mut self, settings: &Settings) -> IdleEvent {
        match self.env.disk.record() {
            None => assert_eq!(*settings, self.env.factory_settings, "in force, but not saved"),
            Some(record) => assert_eq!(record, Record::Settled(settings.clone()), "not saved"),
        }
        self.env.is_looked_after.set(true);
        self.radio.maintain(settings).await
    }
}

/// A store that takes one second for each save.
struct SlowStore<'s>(SimStore<'s, Raw>, &'s Environment);

impl SettingsStore for SlowStore<'_> {
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

type Task<'s> = Pin<Box<dyn Future<Output = Result<(), RequestError>> + 's>>;

/// Identifies a request of a [`Simulation`].
#[derive(Clone, Copy)]
pub(crate) struct RequestId(usize);

enum Request<'s> {
    Pending(Task<'s>),
    Done(Result<(), RequestError>),
}

/// A running device on virtual time. Nothing happens outside of these methods.
pub(crate) struct Simulation<'s> {
    pub(crate) env: &'s Environment,
    runner: Task<'s>,
    requests: Vec<Request<'s>>,
    woken: Arc<WakeFlag>,
    /// The state of the generator that decides, for each round of polls, whether the requests are
    /// polled before the runner. Zero: always after it.
    poll_order: u64,
}

impl<'s> Simulation<'s> {
    fn new<T>(env: &'s Environment, run: impl Future<Output = T> + 's) -> Self {
        let runner = Box::pin(async {
            run.await;
            unreachable!("a runner runs for ever")
        });
        let woken = WakeFlag::new();
        let mut sim = Self { env, runner, requests: Vec::new(), woken, poll_order: 0 };
        sim.run_until_stalled();
        sim
    }

    /// Polls the requests before or after the runner, in an order that depends on `seed`.
    pub(crate) fn shuffle_poll_order(&mut self, seed: u64) {
        self.poll_order = seed | 1;
    }

    /// Polls the runner and the requests until none of them can make progress at this instant.
    pub(crate) fn run_until_stalled(&mut self) {
        for _ in 0..MAX_POLLS {
            if !self.woken.take() {
                return;
            }
            // A linear congruential generator (Knuth, MMIX).
            self.poll_order = match self.poll_order {
                0 => 0,
                state => state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1) | 1,
            };
            let requests_first = self.poll_order >> 63 == 1;
            if requests_first {
                self.poll_requests();
            }
            self.env.poll_count.set(self.env.poll_count.get() + 1);
            let waker = Waker::from(self.woken.clone());
            let Poll::Pending = self.runner.as_mut().poll(&mut Context::from_waker(&waker)) else {
                unreachable!("a runner runs for ever")
            };
            if !requests_first {
                self.poll_requests();
            }
        }
        panic!("livelock at {}: {:?}", self.seconds(), self.status());
    }

    /// Polls the requests only. They are sent, but the runner does not receive them yet.
    pub(crate) fn poll_requests(&mut self) {
        let waker = Waker::from(self.woken.clone());
        for request in &mut self.requests {
            if let Request::Pending(task) = request
                && let Poll::Ready(reply) = task.as_mut().poll(&mut Context::from_waker(&waker))
            {
                *request = Request::Done(reply);
            }
        }
    }

    /// Advances the clock to `seconds` and runs everything that becomes due on the way.
    pub(crate) fn advance_to(&mut self, seconds: f64) {
        let at = Instant::from_millis((seconds * 1000.0).round() as u64);
        assert!(at >= self.now(), "{seconds} has passed, it is {}", self.seconds());
        let env = self.env;
        let alarm = self.spawn(async move {
            env.clock.sleep_until(at).await;
            Ok(())
        });
        self.run_until_stalled();
        while self.reply(alarm).is_none() {
            assert!(env.clock.advance_to_next(), "deadlock at {}", self.seconds());
            self.run_until_stalled();
            self.expect_within_window();
        }
    }

    /// Asserts that no pairing continues after its window has closed. Only keeping and saving the
    /// network that was joined may take longer.
    fn expect_within_window(&self) {
        let status = self.status();
        let extra = match status.phase {
            Phase::Searching | Phase::Joining { .. } => Duration::ZERO,
            Phase::Saving => KEEP_TIMEOUT + SAVE_TIMEOUT,
            Phase::Idle | Phase::Journaling | Phase::Configuring | Phase::Restoring => return,
            _ => panic!("the tests do not know {status:?}"),
        };
        let end = status.deadline.expect("a window").after(extra);
        assert!(self.now() < end, "at {}: {status:?}", self.seconds());
    }

    /// Advances the clock by `seconds`.
    pub(crate) fn advance(&mut self, seconds: f64) {
        self.advance_to(self.seconds() + seconds);
    }

    pub(crate) fn now(&self) -> Instant {
        self.env.clock.now()
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.now().as_millis() as f64 / 1000.0
    }

    fn spawn(&mut self, task: impl Future<Output = Result<(), RequestError>> + 's) -> RequestId {
        self.requests.push(Request::Pending(Box::pin(task)));
        self.woken.set();
        RequestId(self.requests.len() - 1)
    }

    /// Returns the reply to a request, or `None` while it is pending.
    pub(crate) fn reply(&self, RequestId(index): RequestId) -> Reply {
        match &self.requests[index] {
            Request::Pending(_) => None,
            Request::Done(reply) => Some(*reply),
        }
    }

    pub(crate) fn has_pending_requests(&self) -> bool {
        self.requests.iter().any(|request| matches!(request, Request::Pending(_)))
    }

    /// Drops the future of a request, as a client does that disconnects before the reply.
    pub(crate) fn drop_request(&mut self, RequestId(index): RequestId) {
        self.requests[index] = Request::Done(Err(RequestError::Busy));
    }

    /// Requests a pairing. Like the other `request_*` methods, it only creates the future: nothing
    /// is polled before [`run_until_stalled`](Self::run_until_stalled).
    pub(crate) fn request_start(&mut self, reply_grace: Duration) -> RequestId {
        let control = self.env.control();
        self.spawn(control.start(reply_grace))
    }

    /// Requests a pairing with the `number`th router in the air.
    pub(crate) fn request_start_with(&mut self, number: u8) -> RequestId {
        let control = self.env.control();
        self.spawn(control.start_with(Bssid([2, 0, 0, 0, 0, number]), Duration::ZERO))
    }

    pub(crate) fn request_configure(&mut self, settings: Settings) -> RequestId {
        let control = self.env.control();
        self.spawn(control.configure(settings, REPLY_GRACE_DELAY))
    }

    pub(crate) fn request_cancel(&mut self) -> RequestId {
        let control = self.env.control();
        self.spawn(async {
            control.cancel().await;
            Ok(())
        })
    }

    pub(crate) fn request_link(&mut self) -> RequestId {
        let control = self.env.control();
        self.spawn(async {
            control.link().await;
            Ok(())
        })
    }

    /// Presses the device's own button. A button needs no reply grace.
    pub(crate) fn press_button(&mut self) -> Reply {
        let id = self.request_start(Duration::ZERO);
        self.run_until_stalled();
        self.reply(id)
    }

    /// Starts a pairing as `POST /api/v1/wifi/wps` does: the client is connected over Wi-Fi and
    /// must get the reply before the radio disconnects.
    pub(crate) fn start_over_wifi(&mut self) -> Reply {
        let id = self.request_start(REPLY_GRACE_DELAY);
        self.run_until_stalled();
        self.reply(id)
    }

    pub(crate) fn configure(&mut self, settings: Settings) -> Reply {
        let id = self.request_configure(settings);
        self.run_until_stalled();
        self.reply(id)
    }

    pub(crate) fn cancel(&mut self) {
        let id = self.request_cancel();
        self.run_until_stalled();
        assert_eq!(self.reply(id), Some(Ok(())), "cancelling is never refused");
    }

    /// Presses the WPS button of a router.
    pub(crate) fn press_router(&mut self, router: &str) {
        self.env.air.press_button(router.as_bytes());
    }

    /// Unplugs the device. The disk keeps what it holds now.
    pub(crate) fn cut_power(self) {
        self.env.cut_power();
    }

    pub(crate) fn status(&self) -> Status {
        self.env.control().status().expect("a runner has booted")
    }

    #[track_caller]
    pub(crate) fn expect(&self, phase: Phase) {
        let status = self.status();
        assert_eq!(status.phase, phase, "at {}: {status:?}", self.seconds());
    }

    /// Asserts that the device is idle and that its last task ended with `result`.
    #[track_caller]
    pub(crate) fn expect_ended(&self, result: Result<(), Cause>) {
        self.expect(Phase::Idle);
        let status = self.status();
        let last = status.last.map(|last| last.result);
        assert_eq!(last, Some(result), "at {}: {status:?}", self.seconds());
    }

    /// Asserts that these settings are on the disk, on the radio and in the status.
    #[track_caller]
    pub(crate) fn expect_settled(&self, settings: &Settings) {
        assert_eq!(self.env.disk.record(), Some(Record::Settled(settings.clone())), "disk");
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
        assert_eq!(self.env.air.radio_settings().as_ref(), Some(settings), "radio");
    }

    #[track_caller]
    pub(crate) fn expect_progress(&self, progress: &SearchProgress) {
        let status = self.status();
        assert_eq!(&status.progress, progress, "at {}: {status:?}", self.seconds());
    }
}
