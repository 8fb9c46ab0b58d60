//! A random day of a device, and the laws that hold whatever happens on it: for the property test, the
//! fuzzer and the fleet.

use wps_core::sim::{DiskFault, Fault, RouterKind};
use wps_core::{AfterFailure, ErrorKind, Mode, Phase, Record, Settings, TaskKind, TaskResult};

use super::{PARTING, Site, World, home, hotspot, off, old, station};

/// The laws, for people.
pub(crate) const LAWS: [&str; 7] = [
    "at rest the radio does what the disk says, and people are told so",
    "at rest the settings are the previous ones, what the failure rule makes of them, or proven ones",
    "an access point whose pairing failed is dark, unless the policy is that it comes back",
    "the radio pairs and joins only with a journal on the disk",
    "a pairing ends with its window, the save of its success within ten seconds more",
    "once nothing is broken any more, the device comes to rest within three minutes",
    "whoever asked was answered, unless power was cut",
];

/// The routers in range.
pub(crate) const ROUTERS: [&str; 2] = ["home", "old"];
/// What the router "home" may be.
pub(crate) const KINDS: [RouterKind; 7] = [
    RouterKind::Ordinary,
    RouterKind::WithoutWps,
    RouterKind::WrongKey,
    RouterKind::GuestFirst,
    RouterKind::Refuses,
    RouterKind::Insecure,
    RouterKind::Vanishes,
];
/// What may be wrong with the radio.
pub(crate) const FAULTS: [Fault; 5] = [
    Fault::Mute,
    Fault::Fails(ErrorKind::Other),
    Fault::Fails(ErrorKind::NoDevice),
    Fault::Forbids(Mode::AccessPoint),
    Fault::Forbids(Mode::Off),
];
/// What may be wrong with the disk.
pub(crate) const DISK_FAULTS: [DiskFault; 3] = [DiskFault::Full, DiskFault::Lies, DiskFault::Hangs];

/// Settings to begin with, or to change to.
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

/// Something that happens.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "few live at a time")]
pub(crate) enum Deed {
    /// Somebody starts a pairing: over Wi-Fi, or by a button.
    Start(bool),
    Cancel,
    Configure(Settings),
    AskLink,
    Press(&'static str),
    Release(&'static str),
    Switch(&'static str, bool),
    Make(RouterKind),
    BreakRadio(Option<Fault>),
    /// What is under the radio begins anew, and knows nothing of us.
    RestartPlatform,
    BreakDisk(Option<DiskFault>),
}

#[derive(Clone, Debug)]
pub(crate) struct Day {
    /// What is on the disk; none for a device that was never set up.
    pub(crate) before: Option<Settings>,
    pub(crate) after_failure: AfterFailure,
    /// Who is polled first, each time.
    pub(crate) order: u64,
    /// Without power cuts: after how many polls the runner is dropped, and runs anew.
    pub(crate) dropped: usize,
    /// After how many polls power is cut; twice at most.
    pub(crate) cuts: Vec<usize>,
    /// What happens, and for how many milliseconds nothing else does then: an odd number is none.
    pub(crate) deeds: Vec<(u32, Deed)>,
}

impl Day {
    /// Lives through it; how the pairings of this day ended.
    ///
    /// # Panics
    /// If a law was broken.
    pub(crate) fn live(&self) -> Vec<TaskResult> {
        let factory_settings = hotspot(None);
        let site =
            self.before.clone().map_or_else(|| Site::never_set_up(factory_settings), Site::settled);
        let site = site.with(self.after_failure);
        let mut world = match &self.cuts[..] {
            [] => site.boot_and_drop(self.dropped),
            cuts => site.boot_and_cut(cuts.to_vec()),
        };
        world.shuffle(self.order);
        let mut chosen = Chosen::new(&site);
        let mut ended = Vec::new();
        let mut look = |world: &World<'_>| {
            // Whoever is just looking at the link notices a loss when that is done.
            if world.status().phase == Phase::Idle && !site.air.has_lost() {
                expect_agreement(world);
                chosen.expect(world);
                let last = world.status().last.filter(|last| last.task == TaskKind::Pair);
                if let (true, Some(Err(_))) = (site.tried.take(), last.map(|last| last.result)) {
                    let may_shine = site.after_failure == AfterFailure::AccessPointBack;
                    assert!(may_shine || world.status().mode != Mode::AccessPoint, "not dark");
                }
                ended.extend(last.filter(|last| ended.last() != Some(last)));
            }
        };
        for (pause, deed) in &self.deeds {
            deed.happens(&mut world);
            // Several things at one moment, as often as not.
            if pause % 2 == 0 {
                world.pass(f64::from(*pause) / 1000.0);
            }
            look(&world);
        }
        site.calm_down();
        site.air.set_fault(None);
        site.disk.set_fault(None);
        // A window, and more than the longest pause and try after it.
        world.pass(180.0);
        world.expect(Phase::Idle);
        assert!(!site.air.has_lost(), "a loss that nobody notices");
        look(&world);
        assert!(!self.cuts.is_empty() || !world.keeps_somebody_waiting(), "somebody still waits");
        ended
    }
}

impl Deed {
    fn happens(&self, world: &mut World<'_>) {
        let (air, disk) = (&world.site.air, &world.site.disk);
        match self {
            Self::Start(over_wifi) => {
                world.ask_start(if *over_wifi { PARTING } else { std::time::Duration::ZERO });
            }
            Self::Cancel => {
                world.ask_cancel();
            }
            Self::Configure(settings) => {
                world.ask_configure(settings.clone());
            }
            Self::AskLink => {
                world.ask_link();
            }
            Self::Press(router) => air.press(router.as_bytes()),
            Self::Release(router) => air.release(router.as_bytes()),
            Self::Switch(router, on) => air.power(router.as_bytes(), *on),
            Self::Make(kind) => air.set_kind(b"home", *kind),
            Self::BreakRadio(fault) => air.set_fault(*fault),
            Self::RestartPlatform => {
                air.restart_platform(None);
                world.settle();
            }
            Self::BreakDisk(fault) => disk.set_fault(*fault),
        }
    }
}

/// A device that was never set up has nothing on its disk.
fn expect_agreement(world: &World<'_>) {
    let site = world.site;
    let on_air = site.air.radio_does().expect("put in order");
    match site.disk.record() {
        None => assert_eq!(on_air, site.factory_settings),
        Some(record) => assert_eq!(record, Record::Settled(on_air.clone())),
    }
    assert_eq!(world.status().mode, on_air.mode());
    assert_eq!(world.status().trouble, None);
}

/// What the device may come to rest with, beside what was proven.
struct Chosen(Vec<Settings>);

impl Chosen {
    fn new(site: &Site) -> Self {
        let mut chosen = Self(Vec::new());
        let record = site.disk.record().map(|record| record.recover(AfterFailure::AccessPointBack));
        chosen.add(record.unwrap_or_else(|| site.factory_settings.clone()), site.after_failure);
        chosen
    }

    /// These, and what the failure rule makes of them: said again, not asked.
    fn add(&mut self, settings: Settings, after_failure: AfterFailure) {
        if let (Settings::AccessPoint { remembered, .. }, AfterFailure::AccessPointOff) =
            (&settings, after_failure)
        {
            self.0.push(off(remembered.clone()));
        }
        self.0.push(settings);
    }

    fn expect(&mut self, world: &World<'_>) {
        let site = world.site;
        for proven in site.proven.take() {
            if !self.0.contains(&proven) {
                self.add(proven, site.after_failure);
            }
        }
        let on_air = site.air.radio_does().expect("put in order");
        assert!(self.0.contains(&on_air), "nobody chose or proved {on_air:?}");
    }
}
