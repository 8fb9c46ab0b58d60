//! Random scenarios for a device, and the invariants that hold in each of them. Used by the
//! property test, the fuzzer and the fleet benchmark.

use wps_core::sim::{DiskFault, Place, RadioFault, RouterKind};
use wps_core::{
    AfterFailure, Cause, Credentials, ErrorKind, KeptId, Mode, Phase, Record, Secret, Settings,
    TaskKind, TaskResult,
};
use wps_testkit::{home, hotspot, off, old, station};

use super::{Environment, REPLY_GRACE_DELAY, Simulation};

/// The invariants that a scenario checks, as sentences to print.
pub(crate) const INVARIANTS: [&str; 12] = [
    "when idle, the radio, the disk and the status agree on the settings",
    "when idle, the status shows it if the network refuses its key",
    "when idle, the settings are the previous ones, those of the failure rule, or proven ones",
    "after a failed pairing an access point stays off, except with AfterFailure::AccessPointBack",
    "the radio pairs, joins and keeps a network only while a journal is on the disk",
    "a platform keeps only what was joined, under the identifier that the journal names",
    "when idle and looked after, the platform has the network that the record names, and no other \
     one of the device, unless the record names none and there was no task since the boot",
    "the device forgets a kept network only if somebody else has removed it",
    "what the user has on the platform is never touched",
    "a pairing ends when its window closes; keeping and saving a success take at most ten seconds \
     more each",
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
pub(crate) const RADIO_FAULTS: [RadioFault; 11] = [
    RadioFault::Unresponsive,
    RadioFault::Fails(ErrorKind::Other),
    RadioFault::Fails(ErrorKind::NoDevice),
    RadioFault::RejectsMode(Mode::AccessPoint),
    RadioFault::RejectsMode(Mode::Off),
    KEEP_FAULTS[0],
    KEEP_FAULTS[1],
    KEEP_FAULTS[2],
    KEEP_FAULTS[3],
    KEEP_FAULTS[4],
    KEEP_FAULTS[5],
];
/// The faults that the radio may have when a platform keeps a network: at each place that the
/// network reaches, it fails or hangs.
pub(crate) const KEEP_FAULTS: [RadioFault; 6] = [
    RadioFault::Keep { reached: Place::Memory, hangs: false },
    RadioFault::Keep { reached: Place::Memory, hangs: true },
    RadioFault::Keep { reached: Place::Unsynced, hangs: false },
    RadioFault::Keep { reached: Place::Unsynced, hangs: true },
    FAILS_AFTER_KEEP,
    RadioFault::Keep { reached: Place::Disk, hangs: true },
];
/// `keep` fails although the network is on the disk.
pub(crate) const FAILS_AFTER_KEEP: RadioFault =
    RadioFault::Keep { reached: Place::Disk, hangs: false };
/// The faults that the disk may have.
pub(crate) const DISK_FAULTS: [DiskFault; 3] =
    [DiskFault::Full, DiskFault::FailsAfterWrite, DiskFault::Hangs];

/// The platform below the radio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    /// It keeps no networks.
    KeepsNothing,
    /// It keeps networks, and the record of the device is from a time before that.
    Keeps,
    /// It keeps networks, also the one that the device is paired with at first.
    HasKept,
}

pub(crate) const PLATFORMS: [Platform; 3] =
    [Platform::KeepsNothing, Platform::Keeps, Platform::HasKept];

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
    /// Wi-Fi is switched off if false. If true, the network that the device is paired with is
    /// joined again, without naming its key.
    Enable(bool),
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
    /// The user removes a network of the device from the platform: the newest if true, the oldest
    /// if false.
    RemoveKept(bool),
    SetDiskFault(Option<DiskFault>),
}

/// A device and what happens to it.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) platform: Platform,
    /// The settings on the disk, or `None` for a device that was never set up.
    pub(crate) initial: Option<Settings>,
    pub(crate) after_failure: AfterFailure,
    /// The seed of the order in which the runner and the requests are polled.
    pub(crate) poll_seed: u64,
    /// The number of polls after which the runner's future is dropped and run again. Unused if
    /// there are power cuts.
    pub(crate) drop_after: usize,
    /// For each power cut, the number of polls since the boot. At most two. If the last number is
    /// odd, the cuts reach also the platform. Otherwise only the program restarts.
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
        let env = self.environment();
        let mut sim = match &self.power_cuts[..] {
            [] => env.boot_and_drop_after(self.drop_after),
            power_cuts => env.boot_and_cut_power_after(power_cuts.to_vec()),
        };
        sim.shuffle_poll_order(self.poll_seed);
        let mut allowed = AllowedSettings::new(&env);
        let mut results = Vec::new();
        let mut check = |sim: &Simulation<'_>, allowed: &mut AllowedSettings| {
            env.expect_user_networks_untouched();
            // While the runner queries the link it does not notice a lost configuration yet.
            if sim.status().phase == Phase::Idle && !env.air.has_lost_config() {
                expect_consistent(sim);
                allowed.expect(sim);
                if env.is_looked_after() && env.air.answers() {
                    env.expect_looked_after();
                }
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
            allowed.forget(action.perform(&mut sim), &env);
            // Half of the actions happen at the same instant as the next one.
            if delay_ms % 2 == 0 {
                sim.advance(f64::from(*delay_ms) / 1000.0);
            }
            check(&sim, &mut allowed);
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
        assert!(env.is_looked_after(), "nobody looks after the radio");
        check(&sim, &mut allowed);
        assert!(
            !self.power_cuts.is_empty() || !sim.has_pending_requests(),
            "a request got no reply"
        );
        results
    }
}

impl Scenario {
    fn environment(&self) -> Environment {
        let env = match &self.initial {
            Some(settings) => Environment::settled(settings.clone()),
            None => Environment::never_set_up(hotspot(None)),
        };
        let mut env = env.with_after_failure(self.after_failure);
        if self.platform != Platform::KeepsNothing {
            env = env.on_platform_that_keeps();
        }
        if let (Platform::HasKept, Some(settings)) = (self.platform, &self.initial)
            && let Some(network) = settings.network()
        {
            let kept = env.keep(network.clone());
            env.disk.write_record(&Record::Settled(with_network(settings.clone(), kept)));
        }
        env.cuts_reach_platform.set(self.power_cuts.last().is_some_and(|polls| polls % 2 == 1));
        env
    }
}

/// Returns the same settings, but paired with this network.
fn with_network(settings: Settings, network: Credentials) -> Settings {
    match settings {
        Settings::Platform | Settings::Station { .. } => station(network),
        Settings::AccessPoint { access_point, .. } => {
            Settings::AccessPoint { access_point, remembered: Some(network) }
        }
        Settings::Off { .. } => off(Some(network)),
    }
}

impl Action {
    /// Performs the action. Returns the identifier of the network that the user has removed.
    fn perform(&self, sim: &mut Simulation<'_>) -> Option<KeptId> {
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
            Self::Enable(on) => {
                let network = sim.env.settings_on_disk().and_then(|it| it.network().cloned());
                match network {
                    Some(network) if *on => sim.request_configure(station(network)),
                    network => sim.request_configure(off(network)),
                };
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
            Self::RemoveKept(newest) => {
                let kept = air.kept_networks();
                let id = if *newest { kept.last() } else { kept.first() }.map(|it| it.id);
                id.into_iter().for_each(|id| air.remove_kept(id));
                return id;
            }
            Self::SetDiskFault(fault) => disk.set_fault(*fault),
        }
        None
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
struct AllowedSettings {
    allowed: Vec<Settings>,
    /// What the user has removed from the platform.
    removed: Vec<KeptId>,
}

impl AllowedSettings {
    fn new(env: &Environment) -> Self {
        let mut allowed = Self { allowed: Vec::new(), removed: Vec::new() };
        let recorded = env.settings_on_disk();
        allowed.add(recorded.unwrap_or_else(|| env.factory_settings.clone()), env.after_failure);
        allowed
    }

    /// Adds these settings, what the failure rule makes of them, and what is left of them if the
    /// user has removed their network. States the rules again instead of calling the functions
    /// under test.
    fn add(&mut self, settings: Settings, after_failure: AfterFailure) {
        if let (Settings::AccessPoint { remembered, .. }, AfterFailure::AccessPointOff) =
            (&settings, after_failure)
        {
            self.add(off(remembered.clone()), after_failure);
        }
        let network = settings.network();
        if let Some(Credentials { secret: Secret::Kept(id), .. }) = network
            && self.removed.contains(id)
        {
            self.add(without_network(settings.clone()), after_failure);
        }
        if !self.allowed.contains(&settings) {
            self.allowed.push(settings);
        }
    }

    /// Adds what is left of the settings after the user has removed this network.
    fn forget(&mut self, id: Option<KeptId>, env: &Environment) {
        self.removed.extend(id);
        for settings in self.allowed.clone() {
            self.add(settings, env.after_failure);
        }
    }

    /// Adds the settings that were proven by now, then asserts that the radio has allowed settings.
    fn expect(&mut self, sim: &Simulation<'_>) {
        let env = sim.env;
        for proven in env.proven.take() {
            self.add(proven, env.after_failure);
        }
        let on_air = env.air.radio_settings().expect("settings on the radio");
        assert!(self.allowed.contains(&on_air), "neither requested nor proven: {on_air:?}");
    }
}

/// Returns the settings after their network was removed from the platform.
fn without_network(settings: Settings) -> Settings {
    match settings {
        Settings::Platform | Settings::Station { .. } => Settings::Platform,
        Settings::AccessPoint { access_point, .. } => {
            Settings::AccessPoint { access_point, remembered: None }
        }
        Settings::Off { .. } => off(None),
    }
}
