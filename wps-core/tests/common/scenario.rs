//! Random scenarios for a device, and the invariants that hold in each of them. Used by the
//! property test, the fuzzer and the fleet benchmark.

use wps_core::sim::{DiskFault, RadioFault, RouterKind};
use wps_core::{
    AfterFailure, Cause, ErrorKind, Mode, Phase, Record, Settings, TaskKind, TaskResult,
};
use wps_testkit::{home, hotspot, off, old, station};

use super::{Environment, REPLY_GRACE_DELAY, Simulation};

/// The invariants that a scenario checks, as sentences to print.
pub(crate) const INVARIANTS: [&str; 8] = [
    "when idle, the radio, the disk and the status agree on the settings",
    "when idle, the status shows it if the network refuses its key",
    "when idle, the settings are the previous ones, those of the failure rule, or proven ones",
    "after a failed pairing an access point stays off, except with AfterFailure::AccessPointBack",
    "the radio pairs and joins only while a journal is on the disk",
    "a pairing ends when its window closes; saving a success takes at most ten seconds more",
    "once all faults are gone, the device becomes idle within three minutes",
    "every request gets a reply, unless power was cut",
];

/// The routers in range.
pub(crate) const ROUTERS: [&str; 2] = ["home", "old"];
/// The keys that their networks may have.
pub(crate) const ROUTER_KEYS: [&[u8]; 3] = [b"correct horse", b"old password", b"changed password"];
/// How the router "home" may behave.
pub(crate) const ROUTER_KINDS: [RouterKind; 7] = [
    RouterKind::Ordinary,
    RouterKind::WithoutWps,
    RouterKind::WrongKey,
    RouterKind::GuestFirst,
    RouterKind::Refuses,
    RouterKind::Insecure,
    RouterKind::Vanishes,
];
/// The faults that the radio may have.
pub(crate) const RADIO_FAULTS: [RadioFault; 5] = [
    RadioFault::Unresponsive,
    RadioFault::Fails(ErrorKind::Other),
    RadioFault::Fails(ErrorKind::NoDevice),
    RadioFault::RejectsMode(Mode::AccessPoint),
    RadioFault::RejectsMode(Mode::Off),
];
/// The faults that the disk may have.
pub(crate) const DISK_FAULTS: [DiskFault; 3] =
    [DiskFault::Full, DiskFault::FailsAfterWrite, DiskFault::Hangs];

/// Returns the settings that a device may start with or change to.
pub(crate) fn known_settings() -> Vec<Settings> {
    vec![
        Settings::Platform,
        station(old()),
        station(home()),
        hotspot(None),
        hotspot(Some(old())),
        off(None),
        off(Some(old())),
        off(Some(home())),
    ]
}

/// One event of a scenario.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "few live at a time")]
pub(crate) enum Action {
    /// A pairing is requested: over Wi-Fi if true, by the button if false.
    Start(bool),
    /// A pairing with this router only is requested.
    StartWith(&'static str),
    Cancel,
    Configure(Settings),
    QueryLink,
    PressRouter(&'static str),
    ReleaseRouter(&'static str),
    PowerRouter(&'static str, bool),
    SetRouterKind(RouterKind),
    /// The key of the router's network is changed, or changed back.
    SetKey(&'static str, &'static [u8]),
    SetRadioFault(Option<RadioFault>),
    /// The radio's software restarts and loses the settings.
    RestartPlatform,
    SetDiskFault(Option<DiskFault>),
}

/// A device and what happens to it.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// The settings on the disk, or `None` for a device that was never set up.
    pub(crate) initial: Option<Settings>,
    pub(crate) after_failure: AfterFailure,
    /// The seed of the order in which the runner and the requests are polled.
    pub(crate) poll_seed: u64,
    /// The number of polls after which the runner's future is dropped and run again. Unused if
    /// there are power cuts.
    pub(crate) drop_after: usize,
    /// For each power cut, the number of polls since the boot. At most two.
    pub(crate) power_cuts: Vec<usize>,
    /// The actions, each with the number of milliseconds until the next one. An odd number means
    /// that the next one follows at once.
    pub(crate) actions: Vec<(u32, Action)>,
}

impl Scenario {
    /// Runs the scenario and returns how its pairings ended.
    ///
    /// # Panics
    /// If an invariant is violated.
    pub(crate) fn run(&self) -> Vec<TaskResult> {
        let factory_settings = hotspot(None);
        let env = self
            .initial
            .clone()
            .map_or_else(|| Environment::never_set_up(factory_settings), Environment::settled);
        let env = env.with_after_failure(self.after_failure);
        let mut sim = match &self.power_cuts[..] {
            [] => env.boot_and_drop_after(self.drop_after),
            power_cuts => env.boot_and_cut_power_after(power_cuts.to_vec()),
        };
        sim.shuffle_poll_order(self.poll_seed);
        let mut allowed = AllowedSettings::new(&env);
        let mut results = Vec::new();
        let mut check = |sim: &Simulation<'_>| {
            // While the runner queries the link it does not notice a lost configuration yet.
            if sim.status().phase == Phase::Idle && !env.air.has_lost_config() {
                expect_consistent(sim);
                allowed.expect(sim);
                let last = sim.status().last.filter(|last| last.task == TaskKind::Pair);
                if let (true, Some(Err(_))) = (env.pair_called.take(), last.map(|last| last.result))
                {
                    let may_be_on = env.after_failure == AfterFailure::AccessPointBack;
                    assert!(
                        may_be_on || sim.status().mode != Mode::AccessPoint,
                        "the access point is on after a failed pairing"
                    );
                }
                results.extend(last.filter(|last| results.last() != Some(last)));
            }
        };
        for (delay_ms, action) in &self.actions {
            action.perform(&mut sim);
            // Half of the actions happen at the same instant as the next one.
            if delay_ms % 2 == 0 {
                sim.advance(f64::from(*delay_ms) / 1000.0);
            }
            check(&sim);
        }
        env.stop_interruptions();
        env.air.set_fault(None);
        env.disk.set_fault(None);
        // One window, and more than the longest retry delay and try after it.
        sim.advance(180.0);
        sim.expect(Phase::Idle);
        assert!(!env.air.has_lost_config(), "the lost configuration was not noticed");
        if let Some(is_refused) = is_key_refused(&env) {
            let trouble = is_refused.then_some(Cause::KeyRefused);
            assert_eq!(sim.status().trouble, trouble, "the key of the network in use");
        }
        check(&sim);
        assert!(
            !self.power_cuts.is_empty() || !sim.has_pending_requests(),
            "a request got no reply"
        );
        results
    }
}

impl Action {
    fn perform(&self, sim: &mut Simulation<'_>) {
        let (air, disk) = (&sim.env.air, &sim.env.disk);
        match self {
            Self::Start(over_wifi) => {
                sim.request_start(if *over_wifi {
                    REPLY_GRACE_DELAY
                } else {
                    std::time::Duration::ZERO
                });
            }
            Self::StartWith(router) => {
                let number = ROUTERS.iter().position(|it| it == router).expect("in the air");
                sim.request_start_with(number as u8);
            }
            Self::Cancel => {
                sim.request_cancel();
            }
            Self::Configure(settings) => {
                sim.request_configure(settings.clone());
            }
            Self::QueryLink => {
                sim.request_link();
            }
            Self::PressRouter(router) => air.press_button(router.as_bytes()),
            Self::ReleaseRouter(router) => air.stop_pairing(router.as_bytes()),
            Self::PowerRouter(router, on) => air.set_power(router.as_bytes(), *on),
            Self::SetKey(router, key) => air.set_key(router.as_bytes(), key),
            Self::SetRouterKind(kind) => air.set_kind(b"home", *kind),
            Self::SetRadioFault(fault) => air.set_fault(*fault),
            Self::RestartPlatform => {
                air.restart_platform(None);
                sim.run_until_stalled();
            }
            Self::SetDiskFault(fault) => disk.set_fault(*fault),
        }
    }
}

/// Asserts that the radio, the disk and the status agree. The disk of a device that was never set
/// up is empty.
fn expect_consistent(sim: &Simulation<'_>) {
    let env = sim.env;
    let on_air = env.air.radio_settings().expect("settings on the radio");
    match env.disk.record() {
        None => assert_eq!(on_air, env.factory_settings),
        Some(record) => assert_eq!(record, Record::Settled(on_air.clone())),
    }
    assert_eq!(sim.status().mode, on_air.mode());
    // A changed key is noticed once the driver is not busy.
    assert!(matches!(sim.status().trouble, None | Some(Cause::KeyRefused)));
}

/// Returns whether the router of the network in use has another key, or `None` if it is off: what
/// was known about its key remains.
fn is_key_refused(env: &Environment) -> Option<bool> {
    let Some(Settings::Station { network }) = env.air.radio_settings() else { return Some(false) };
    let is_on = env.air.routers().iter().any(|(ssid, _, is_on, _)| *ssid == network.ssid && *is_on);
    is_on.then(|| !env.air.is_linked())
}

/// The settings that the device may have when it is idle.
struct AllowedSettings(Vec<Settings>);

impl AllowedSettings {
    fn new(env: &Environment) -> Self {
        let mut allowed = Self(Vec::new());
        let recorded = env.disk.record().map(|record| match record {
            Record::Settled(settings)
            | Record::Pairing { before: settings, .. }
            | Record::Configuring { before: settings, .. } => settings,
        });
        allowed.add(recorded.unwrap_or_else(|| env.factory_settings.clone()), env.after_failure);
        allowed
    }

    /// Adds these settings and what the failure rule makes of them. States the rule again instead
    /// of calling the function under test.
    fn add(&mut self, settings: Settings, after_failure: AfterFailure) {
        if let (Settings::AccessPoint { remembered, .. }, AfterFailure::AccessPointOff) =
            (&settings, after_failure)
        {
            self.0.push(off(remembered.clone()));
        }
        self.0.push(settings);
    }

    /// Adds the settings that were proven by now, then asserts that the radio has allowed settings.
    fn expect(&mut self, sim: &Simulation<'_>) {
        let env = sim.env;
        for proven in env.proven.take() {
            if !self.0.contains(&proven) {
                self.add(proven, env.after_failure);
            }
        }
        let on_air = env.air.radio_settings().expect("settings on the radio");
        assert!(self.0.contains(&on_air), "neither requested nor proven: {on_air:?}");
    }
}
