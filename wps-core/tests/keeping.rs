//! Whole devices on a platform that keeps networks: what is on the platform and in the record after
//! successes, failures, power cuts, and after the user has removed a network. The platform also has
//! a network of the user called "home", which must stay as it is.

mod common;

use std::collections::HashSet;

use common::scenario::{DISK_FAULTS, FAILS_AFTER_KEEP, KEEP_FAULTS};
use common::{Environment, REPLY_GRACE_DELAY, Simulation};
use wps_core::sim::{DiskFault, Place, RadioFault, RouterKind};
use wps_core::{Cause, Credentials, ErrorKind, KeptId, Phase, Record, Secret, Settings, TaskKind};
use wps_testkit::{home, hotspot, key, network, off, old, ssid, station};

/// Returns a device that has the settings which `settings` makes of a network that the platform
/// keeps: "old".
fn paired(settings: impl FnOnce(Credentials) -> Settings) -> (Environment, Settings) {
    let env = Environment::never_set_up(off(None)).on_platform_that_keeps();
    let settings = settings(env.keep(old()));
    env.disk.write_record(&Record::Settled(settings.clone()));
    (env, settings)
}

/// Returns devices with all kinds of settings, before any pairing on this platform and after one.
fn devices() -> Vec<(Environment, Settings)> {
    let never_paired_here =
        [Settings::Platform, station(old()), hotspot(None), hotspot(Some(old())), off(None)];
    let mut devices: Vec<_> = never_paired_here
        .into_iter()
        .map(|settings| (Environment::settled(settings.clone()).on_platform_that_keeps(), settings))
        .collect();
    devices.push(paired(station));
    devices.push(paired(|old| hotspot(Some(old))));
    devices.push(paired(|old| off(Some(old))));
    devices
}

/// Returns the settings that a failed pairing leaves.
fn after_failure(before: Settings) -> Settings {
    match before {
        Settings::AccessPoint { remembered, .. } => off(remembered),
        Settings::Platform | Settings::Station { .. } | Settings::Off { .. } => before,
    }
}

fn pair(sim: &mut Simulation<'_>, router: &str) {
    assert_eq!(sim.press_button(), Some(Ok(())));
    sim.press_router(router);
    sim.advance(3.0);
}

/// Asserts that the device is idle and connected to a network that the platform keeps on its disk,
/// and that the record names it without the key. Returns the settings.
#[track_caller]
fn expect_paired_with(sim: &Simulation<'_>, network: &Credentials) -> Settings {
    let env = sim.env;
    sim.expect(Phase::Idle);
    env.expect_only_named_kept();
    let kept = env.air.kept_networks();
    assert_eq!(&kept[0].network, network);
    let secret = Secret::Kept(kept[0].id);
    let settings = station(Credentials { secret, ssid: network.ssid.clone() });
    sim.expect_settled(&settings);
    assert!(env.air.is_linked());
    let record = env.disk.record().expect("a record");
    let has_key = |bytes: &[u8]| bytes.windows(key(network).len()).any(|it| it == key(network));
    assert_eq!(record.with_encoded(has_key), Ok(false), "the key is in the record");
    settings
}

#[test]
fn a_pairing_leaves_exactly_one_network() {
    for (env, before) in devices() {
        let mut sim = env.booted();
        sim.expect_settled(&before);
        pair(&mut sim, "home");
        sim.expect_ended(Ok(()));
        let after = expect_paired_with(&sim, &home());

        env.air.cut_power();
        sim.cut_power();
        let mut sim = env.boot();
        sim.advance(1.0);
        assert_eq!(expect_paired_with(&sim, &home()), after);
    }
}

#[test]
fn ten_pairings_in_a_row_leave_one_network() {
    let (env, _) = paired(station);
    let mut sim = env.booted();
    let mut identifiers = HashSet::new();
    for round in 0..10 {
        let (router, network) = if round % 2 == 0 { ("home", home()) } else { ("old", old()) };
        pair(&mut sim, router);
        sim.expect_ended(Ok(()));
        let settings = expect_paired_with(&sim, &network);
        identifiers.insert(settings.kept_id());
    }
    assert_eq!(identifiers.len(), 10, "no identifier is used twice");
}

#[test]
fn pairing_with_the_same_network_again_leaves_one_with_the_new_key() {
    let env = Environment::settled(off(None)).on_platform_that_keeps();
    let mut sim = env.booted();
    pair(&mut sim, "home");
    expect_paired_with(&sim, &home());
    env.air.set_key(b"home", b"changed password");
    sim.advance(1.0);
    assert_eq!(sim.status().trouble, Some(Cause::KeyRefused));
    pair(&mut sim, "home");
    sim.expect_ended(Ok(()));
    expect_paired_with(&sim, &network(b"home", b"changed password"));
    assert_eq!(sim.status().trouble, None);
}

#[test]
fn a_network_that_was_typed_in_is_kept_too() {
    let (env, _) = paired(|old| hotspot(Some(old)));
    let mut sim = env.booted();
    assert_eq!(sim.configure(station(home())), Some(Ok(())));
    sim.advance(3.0);
    sim.expect_ended(Ok(()));
    expect_paired_with(&sim, &home());
}

#[test]
fn a_record_with_a_key_is_joined_as_on_any_other_platform() {
    let env = Environment::settled(station(old())).on_platform_that_keeps();
    let mut sim = env.booted();
    sim.advance_to(100.0);
    sim.expect_settled(&station(old()));
    assert!(env.air.is_linked());
    env.expect_only_named_kept();
    assert_eq!(env.disk.save_count(), 0);
}

#[test]
fn forgetting_removes_the_network_only_after_the_record_was_saved() {
    for after in [off(None), hotspot(None), Settings::Platform, station(home())] {
        let (env, before) = paired(station);
        let mut sim = env.boot_with_slow_store();
        sim.advance_to(10.0);
        sim.configure(after.clone());
        while matches!(env.disk.record(), Some(Record::Configuring { .. }))
            || env.settings_on_disk() == Some(before.clone())
        {
            let kept = env.air.kept_networks();
            assert!(kept.iter().any(|it| Some(it.id) == before.kept_id()), "removed too early");
            assert!(sim.seconds() < 20.0, "{:?}", sim.status());
            sim.advance(0.01);
        }
        sim.advance(0.1);
        sim.expect_ended(Ok(()));
        env.expect_only_named_kept();
    }
}

/// Why a pairing fails.
#[derive(Clone, Copy, Debug)]
enum Failure {
    /// The router is of this kind.
    Router(RouterKind),
    /// The router is switched off while the device joins.
    RouterOff,
    /// The radio has this fault from the join on.
    Radio(RadioFault),
    /// The disk has this fault from the join on.
    Disk(DiskFault),
}

fn failures() -> impl Iterator<Item = Failure> {
    let routers = [RouterKind::WrongKey, RouterKind::Insecure].map(Failure::Router);
    let radio = KEEP_FAULTS.into_iter().chain([RadioFault::Unresponsive]).map(Failure::Radio);
    let disk = DISK_FAULTS.map(Failure::Disk);
    [Failure::RouterOff].into_iter().chain(routers).chain(radio).chain(disk)
}

#[test]
fn a_failure_leaves_the_platform_as_before() {
    for failure in failures() {
        for (env, before) in devices() {
            let kept_before = env.air.kept_networks();
            let mut sim = env.booted();
            assert_eq!(sim.press_button(), Some(Ok(())));
            if let Failure::Router(kind) = failure {
                env.air.set_kind(b"home", kind);
            }
            sim.press_router("home");
            sim.advance(1.1);
            match failure {
                Failure::Router(_) => {}
                Failure::RouterOff => env.air.set_power(b"home", false),
                Failure::Radio(fault) => env.air.set_fault(Some(fault)),
                Failure::Disk(fault) => env.disk.set_fault(Some(fault)),
            }
            sim.advance(140.0);
            env.air.set_fault(None);
            env.disk.set_fault(None);
            sim.advance(20.0);
            sim.expect(Phase::Idle);
            assert!(sim.status().last.expect("ended").result.is_err(), "{failure:?}");
            sim.expect_settled(&after_failure(before));
            assert_eq!(env.air.kept_networks(), kept_before, "{failure:?}");
            env.expect_only_named_kept();
        }
    }
}

#[test]
fn a_network_that_cannot_be_kept_says_so() {
    for fault in KEEP_FAULTS.into_iter().chain([RadioFault::Unresponsive]) {
        let (env, before) = paired(station);
        let mut sim = env.booted();
        sim.press_button();
        sim.press_router("home");
        sim.advance(1.1);
        sim.expect(Phase::Joining { ssid: ssid(b"home") });
        env.air.set_fault(Some(fault));
        sim.advance(11.0);
        env.air.set_fault(None);
        sim.advance(20.0);
        sim.expect_ended(Err(Cause::NotKept));
        sim.expect_settled(&before);
        assert!(env.air.is_linked(), "connected again");
        env.expect_only_named_kept();
    }
}

/// An action, and the second at which it happens.
type Step = (f64, fn(&mut Simulation<'_>));

/// A task that is interrupted at every poll.
struct Case {
    before: fn(Credentials) -> Settings,
    steps: &'static [Step],
    /// The fault of the radio.
    fault: Option<RadioFault>,
    /// The network that the device is paired with afterwards, if the task succeeds.
    network: Option<Credentials>,
}

fn start(sim: &mut Simulation<'_>) {
    sim.request_start(REPLY_GRACE_DELAY);
}

fn press_router(sim: &mut Simulation<'_>) {
    sim.press_router("home");
}

fn cancel(sim: &mut Simulation<'_>) {
    sim.request_cancel();
}

const PAIRING: &[Step] = &[(1.0, start), (1.5, press_router)];

impl Case {
    fn environment(&self) -> (Environment, Settings) {
        let (env, before) = paired(self.before);
        env.air.set_kind(b"home", RouterKind::GuestFirst);
        env.air.set_fault(self.fault);
        (env, before)
    }

    /// Runs the steps. Skips those after a power cut.
    fn run(&self, sim: &mut Simulation<'_>) {
        for (at, action) in self.steps {
            sim.advance_to(*at);
            if sim.env.records_at_cuts.borrow().is_empty() {
                action(sim);
                sim.run_until_stalled();
            }
        }
        sim.advance_to(20.0);
        if !sim.env.records_at_cuts.borrow().is_empty() {
            sim.env.stop_interruptions(); // one may have been at the last poll
            sim.advance(5.0);
        }
        sim.expect(Phase::Idle);
    }

    fn poll_count(&self) -> usize {
        let (env, before) = self.environment();
        let mut sim = env.boot();
        self.run(&mut sim);
        self.expect_end(&sim, before);
        env.poll_count()
    }

    /// Asserts that the device is as after the task without an interruption.
    #[track_caller]
    fn expect_end(&self, sim: &Simulation<'_>, before: Settings) {
        sim.env.expect_only_named_kept();
        match &self.network {
            Some(network) => drop(expect_paired_with(sim, network)),
            None => sim.expect_settled(&after_failure(before)),
        }
    }

    fn check_dropped_futures(&self) {
        for polls in 0..=self.poll_count() {
            let (env, before) = self.environment();
            let mut sim = env.boot_and_drop_after(polls);
            self.run(&mut sim);
            self.expect_end(&sim, before);
        }
    }

    /// Cuts the power at every poll, with and without the platform, and once more at each of the
    /// first polls after the boot. Returns what the platform had of the new network at the cuts.
    fn check_power_cuts(&self) -> HashSet<Option<&'static str>> {
        let mut places = HashSet::new();
        for first in 0..=self.poll_count() {
            for (second, reach_platform) in (0..6).flat_map(|it| [(it, false), (it, true)]) {
                let (env, before) = self.environment();
                env.cuts_reach_platform.set(reach_platform);
                let cuts = if second == 0 { vec![first] } else { vec![first, second] };
                let mut sim = env.boot_and_cut_power_after(cuts);
                self.run(&mut sim);
                let record = env.records_at_cuts.borrow()[0].clone().expect("a whole record");
                let expected = match record {
                    Record::Settled(settings) => settings,
                    Record::Pairing { .. } => after_failure(before.clone()),
                    Record::Configuring { .. } => before.clone(),
                };
                sim.expect_settled(&expected);
                env.expect_only_named_kept();
                let kept = &env.kept_at_cuts.borrow()[0];
                let is_old = |id: KeptId| Some(id) == before.kept_id();
                let new = kept.iter().find(|it| !is_old(it.id));
                places.insert(new.map(|new| match new.place {
                    Place::Memory => "memory",
                    Place::Unsynced => "not synced",
                    Place::Disk => "disk",
                }));
            }
        }
        places
    }
}

fn pairing_from_station() -> Case {
    Case { before: station, steps: PAIRING, fault: None, network: Some(home()) }
}

fn pairing_from_access_point() -> Case {
    Case { before: |old| hotspot(Some(old)), steps: PAIRING, fault: None, network: Some(home()) }
}

fn pairing_that_is_cancelled() -> Case {
    let steps = &[(1.0, start as fn(&mut Simulation<'_>)), (1.5, press_router), (3.8, cancel)];
    Case { before: station, steps, fault: None, network: None }
}

fn pairing_that_cannot_be_kept() -> Case {
    let before = |old| off(Some(old));
    Case { before, steps: PAIRING, fault: Some(FAILS_AFTER_KEEP), network: None }
}

fn typed_in() -> Case {
    fn configure(sim: &mut Simulation<'_>) {
        sim.request_configure(station(home()));
    }
    Case { before: station, steps: &[(1.0, configure)], fault: None, network: Some(home()) }
}

fn enabled() -> Case {
    fn enable(sim: &mut Simulation<'_>) {
        let settings = sim.env.settings_on_disk().expect("a record");
        sim.request_configure(station(settings.network().expect("remembered").clone()));
    }
    let before = |old| off(Some(old));
    Case { before, steps: &[(1.0, enable)], fault: None, network: Some(old()) }
}

macro_rules! cases {
    ($($case:ident),+) => {
        mod dropped {
            $(#[test] fn $case() { super::$case().check_dropped_futures(); })+
        }
        mod power_cut {
            $(#[test] fn $case() { super::$case().check_power_cuts(); })+
        }
    };
}

cases![
    pairing_from_station,
    pairing_from_access_point,
    pairing_that_is_cancelled,
    pairing_that_cannot_be_kept,
    typed_in,
    enabled
];

#[test]
fn the_power_cuts_find_the_new_network_in_each_place() {
    let places = pairing_from_station().check_power_cuts();
    let all = [None, Some("memory"), Some("not synced"), Some("disk")];
    assert_eq!(places, HashSet::from(all));
}

#[test]
fn a_network_that_the_user_has_removed_is_forgotten_and_not_tried_again() {
    for (device, after) in [
        (paired(station), Settings::Platform),
        (paired(|old| hotspot(Some(old))), hotspot(None)),
        (paired(|old| off(Some(old))), off(None)),
    ] {
        let (env, before) = device;
        let mut sim = env.booted();
        sim.advance_to(10.0);
        assert_eq!((sim.status().last, env.disk.save_count()), (None, 0));
        env.air.remove_kept(before.kept_id().expect("kept"));
        sim.advance_to(11.0);
        sim.expect_ended(Err(Cause::NetworkRemoved));
        assert_eq!(sim.status().last.expect("a result").task, TaskKind::Configure);
        sim.expect_settled(&after);
        sim.advance_to(3600.0);
        sim.expect_ended(Err(Cause::NetworkRemoved));
        assert_eq!(env.disk.save_count(), 1);
        env.expect_only_named_kept();

        pair(&mut sim, "home");
        sim.expect_ended(Ok(()));
        expect_paired_with(&sim, &home());
    }
}

#[test]
fn a_network_that_was_removed_while_the_device_was_off_is_forgotten_at_boot() {
    let (env, before) = paired(station);
    env.air.remove_kept(before.kept_id().expect("kept"));
    let sim = env.booted();
    sim.expect_ended(Err(Cause::NetworkRemoved));
    sim.expect_settled(&Settings::Platform);
}

#[test]
fn a_network_is_not_missed_while_the_platform_does_not_answer() {
    for fault in [RadioFault::Unresponsive, RadioFault::Fails(ErrorKind::NoDevice)] {
        let (env, before) = paired(station);
        let mut sim = env.booted();
        env.air.set_fault(Some(fault));
        env.air.remove_kept(before.kept_id().expect("kept"));
        sim.advance_to(100.0);
        sim.expect(Phase::Idle);
        assert_eq!(sim.status().last, None);
        sim.expect_settled(&before);
        env.air.set_fault(None);
        sim.advance_to(101.0);
        sim.expect_ended(Err(Cause::NetworkRemoved));
    }
}

#[test]
fn nothing_is_removed_while_the_platform_does_not_answer() {
    let (env, before) = paired(station);
    let mut sim = env.booted();
    sim.press_button();
    sim.press_router("home");
    sim.advance(1.1);
    env.air.set_fault(Some(FAILS_AFTER_KEEP));
    sim.advance(0.45);
    sim.expect(Phase::Restoring);
    assert_eq!(env.air.kept_networks().len(), 2, "what was kept in vain is removed only at rest");
    env.air.set_fault(Some(RadioFault::Unresponsive));
    sim.advance(30.0);
    sim.expect(Phase::Idle); // it has begun to restore before
    assert_eq!(env.air.kept_networks().len(), 2);
    env.air.set_fault(None);
    sim.advance(20.0);
    sim.expect_ended(Err(Cause::NotKept));
    sim.expect_settled(&before);
    env.expect_only_named_kept();
}

#[test]
fn a_lost_record_does_not_cost_the_network_that_the_platform_keeps() {
    for is_damaged in [true, false] {
        let env = Environment::never_set_up(Settings::Platform).on_platform_that_keeps();
        let kept = env.keep(old());
        if is_damaged {
            env.disk.write_record(&Record::Settled(station(kept)));
            env.disk.flip_bit();
        }
        let mut sim = env.booted();
        assert_eq!(env.disk.has_damaged_copy(), is_damaged);
        // Also after the platform has changed.
        env.air.restart_platform(None);
        sim.advance_to(100.0);
        sim.expect(Phase::Idle);
        sim.expect_on_air(&Settings::Platform);
        let networks = || env.air.kept_networks().into_iter().map(|it| (it.network, it.place));
        assert_eq!(networks().collect::<Vec<_>>(), [(old(), Place::Disk)]);

        pair(&mut sim, "home");
        sim.expect_ended(Ok(()));
        expect_paired_with(&sim, &home());
    }
}

/// The network that another network manager keeps.
fn kept_elsewhere() -> Credentials {
    Credentials { secret: Secret::Kept(KeptId([9; 16])), ..old() }
}

#[test]
fn a_network_that_is_kept_elsewhere_does_not_lock_the_user_out() {
    for is_kept_here in [true, false] {
        let before = station(kept_elsewhere());
        let mut env = Environment::settled(before.clone());
        if is_kept_here {
            env = env.on_platform_that_keeps();
        }
        let mut sim = env.boot();
        sim.advance_to(10.0);
        let kept_elsewhere = Cause::Driver(ErrorKind::KeptElsewhere);
        assert_eq!(sim.status().trouble, Some(kept_elsewhere));
        assert!(kept_elsewhere.advice().contains("Pair again"));

        env.air.set_kind(b"home", RouterKind::WrongKey);
        pair(&mut sim, "home");
        sim.advance(20.0);
        sim.expect(Phase::Restoring);
        let last = sim.status().last.expect("ended");
        assert_eq!(last.result, Err(Cause::Driver(ErrorKind::WrongKey)));
        assert_eq!(sim.status().trouble, Some(kept_elsewhere));
        assert_eq!(env.settings_on_disk(), Some(before), "unchanged");
        assert!(env.air.kept_networks().is_empty(), "not even in memory");

        env.air.set_kind(b"home", RouterKind::Ordinary);
        pair(&mut sim, "home");
        sim.expect_ended(Ok(()));
        if is_kept_here {
            expect_paired_with(&sim, &home());
        } else {
            sim.expect_settled(&station(home()));
        }
    }
}

#[test]
fn a_remembered_network_that_is_kept_elsewhere_stays_remembered() {
    for before in [hotspot(Some(kept_elsewhere())), off(Some(kept_elsewhere()))] {
        let env = Environment::settled(before.clone()).on_platform_that_keeps();
        let mut sim = env.booted();
        sim.expect_settled(&before);
        assert_eq!(sim.configure(station(kept_elsewhere())), Some(Ok(())));
        sim.advance(2.0);
        sim.expect_ended(Err(Cause::Driver(ErrorKind::KeptElsewhere)));
        sim.expect_settled(&before);
    }
}

#[test]
fn a_remembered_network_stays_on_the_platform_and_is_joined_again() {
    for mode in [(|it| hotspot(Some(it))) as fn(Credentials) -> Settings, |it| off(Some(it))] {
        let (env, before) = paired(station);
        let network = before.network().expect("paired").clone();
        let mut sim = env.booted();
        assert_eq!(sim.configure(mode(network.clone())), Some(Ok(())));
        sim.advance(2.0);
        sim.expect_ended(Ok(()));
        sim.expect_settled(&mode(network.clone()));
        env.expect_only_named_kept();

        assert_eq!(sim.configure(station(network)), Some(Ok(())));
        sim.advance(2.0);
        sim.expect_ended(Ok(()));
        assert_eq!(expect_paired_with(&sim, &old()), before, "the same identifier");
    }
}

#[test]
fn a_remembered_network_with_another_key_by_now_is_not_joined_and_stays() {
    let (env, before) = paired(|old| off(Some(old)));
    env.air.set_key(b"old", b"changed password");
    let mut sim = env.booted();
    sim.configure(station(before.network().expect("remembered").clone()));
    sim.advance(20.0);
    sim.expect_ended(Err(Cause::Driver(ErrorKind::WrongKey)));
    sim.expect_settled(&before);
    env.expect_only_named_kept();
}

#[test]
fn a_restart_of_the_platform_keeps_the_network() {
    let (env, before) = paired(station);
    let mut sim = env.booted();
    env.air.restart_platform(None);
    sim.advance(1.0);
    sim.expect(Phase::Idle);
    assert_eq!(expect_paired_with(&sim, &old()), before);

    // In the middle of a pairing.
    sim.press_button();
    sim.press_router("home");
    sim.advance(1.1);
    sim.expect(Phase::Joining { ssid: ssid(b"home") });
    env.air.restart_platform(None);
    sim.advance(5.0);
    sim.expect_ended(Ok(()));
    expect_paired_with(&sim, &home());
}
