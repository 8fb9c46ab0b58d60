//! A look around: what is kept of it, how often it is done, and that nobody has to wait for it.

use std::time::Duration;

use embassy_futures::block_on;
use embassy_futures::select::{Either3, select3};
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use wps_core::driver::Security;
use wps_core::sim::{Air, Disk, Fault, ManualClock, Router, RouterKind};
use wps_core::wsc::Bssid;
use wps_core::{
    AfterFailure, BssInfo, Clock, Control, ErrorKind, Instant, Phase, Runner, ScanResults, Settings,
};

fn heard(number: u8, signal_dbm: i16) -> BssInfo {
    BssInfo { signal_dbm: Some(signal_dbm), ..BssInfo::new(Bssid([number; 6])) }
}

fn kept(neighbours: &ScanResults) -> Vec<(u8, Option<i16>)> {
    neighbours.iter().map(|it| (it.bssid.0[0], it.signal_dbm)).collect()
}

#[test]
fn the_strongest_come_first_and_each_address_once() {
    let mut neighbours = ScanResults::default();
    for (number, signal_dbm) in [(1, -60), (2, -40), (3, -80), (4, -40), (1, -90)] {
        neighbours.add(heard(number, signal_dbm));
    }
    neighbours.add(BssInfo::new(Bssid([5; 6])));
    assert_eq!(
        kept(&neighbours),
        [(2, Some(-40)), (4, Some(-40)), (3, Some(-80)), (1, Some(-90)), (5, None)]
    );
}

#[test]
fn of_too_many_the_weakest_are_left_out() {
    let many = (0..100_u8).map(|number| heard(number, -(i16::from(number) * 37 % 100)));
    let mut neighbours = ScanResults::default();
    many.for_each(|it| neighbours.add(it));
    let signals: Vec<_> = kept(&neighbours).into_iter().filter_map(|(_, dbm)| dbm).collect();
    assert_eq!(signals, (0..32).map(|dbm| -dbm).collect::<Vec<i16>>());
}

struct World {
    air: Air<NoopRawMutex>,
    clock: ManualClock<NoopRawMutex>,
    control: Control<NoopRawMutex, 4>,
}

impl World {
    /// Two routers in range, a device at rest.
    fn visit(user: impl AsyncFnOnce(&Self)) {
        let world = Self { air: Air::new(), clock: ManualClock::new(), control: Control::new() };
        world.air.add(Router::new(b"home", b"correct horse"));
        world.air.add(Router::new(b"cafe", b"").of_kind(RouterKind::WithoutWps));
        let disk = Disk::<NoopRawMutex>::new();
        block_on(async {
            let (radio, factory_settings) =
                (world.air.radio(&world.clock), Settings::Off { remembered: None });
            let after_failure = AfterFailure::default();
            let booted = Runner::boot(
                radio,
                disk.store(),
                &world.clock,
                &world.control,
                factory_settings,
                after_failure,
            )
            .await;
            let mut runner = booted.expect("a blank disk");
            let visit = async {
                world.until(Phase::Idle).await;
                user(&world).await;
            };
            let visited = select3(runner.run(), visit, world.clock.fast_forward()).await;
            let Either3::Second(()) = visited;
        });
    }

    async fn until(&self, phase: Phase) {
        while self.control.status().is_none_or(|status| status.phase != phase) {
            yield_now().await;
        }
    }

    async fn names(&self) -> Option<Vec<String>> {
        let shown = |it: &BssInfo| it.ssid.as_ref().map_or(String::new(), ToString::to_string);
        self.control.scan().await.map(|neighbours| neighbours.iter().map(shown).collect())
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }
}

fn names(expected: &[&str]) -> Option<Vec<String>> {
    Some(expected.iter().map(ToString::to_string).collect())
}

#[test]
fn it_hears_what_is_on_the_air() {
    World::visit(async |world| {
        world.air.press(b"home");
        let scan = world.control.scan().await.expect("a radio that works");
        let [home, cafe] = &scan.iter().collect::<Vec<_>>()[..] else { panic!("{scan:?}") };
        assert_eq!((home.security, cafe.security), (Some(Security::Wpa2), Some(Security::Open)));
        assert_eq!((home.wps, home.pressed), (true, Some(true)));
        assert_eq!((cafe.wps, cafe.pressed), (false, Some(false)));
        assert_eq!((home.frequency_mhz, cafe.frequency_mhz), (Some(2412), Some(2437)));
    });
}

#[test]
fn the_last_result_is_good_for_five_seconds() {
    World::visit(async |world| {
        assert_eq!(world.names().await, names(&["home", "cafe"]));
        let mark_scanned = world.now();
        world.air.power(b"cafe", false);
        while world.now() < mark_scanned.after(Duration::from_millis(4_900)) {
            assert_eq!(world.names().await, names(&["home", "cafe"]));
            world.clock.sleep_until(world.now().after(Duration::from_millis(100))).await;
        }
        world.clock.sleep_until(mark_scanned.after(Duration::from_secs(5))).await;
        assert_eq!(world.names().await, names(&["home"]));
    });
}

#[test]
fn while_pairing_it_tells_what_that_hears_and_at_once() {
    World::visit(async |world| {
        assert_eq!(world.names().await, names(&["home", "cafe"]));
        world.clock.sleep_until(world.now().after(Duration::from_secs(10))).await;
        world.control.start(Duration::ZERO).await.expect("nothing is under way");
        world.until(Phase::Searching).await;
        for (on, heard) in [(false, &["home"][..]), (true, &["home", "cafe"])] {
            world.air.power(b"cafe", on);
            world.clock.sleep_until(world.now().after(Duration::from_secs(1))).await;
            let asked = world.now();
            assert_eq!(world.names().await, names(heard));
            assert_eq!(world.now(), asked);
        }
    });
}

/// A look around takes the simulated radio 0.9 s, a real one longer.
#[test]
fn a_start_does_not_wait_for_a_look_around_nor_the_other_way_round() {
    World::visit(async |world| {
        let begun = world.now();
        let start = async {
            yield_now().await;
            world.control.start(Duration::ZERO).await
        };
        let (scan, started) = embassy_futures::join::join(world.control.scan(), start).await;
        assert_eq!((scan, started), (None, Ok(())));
        assert!(world.now().since(begun) < Duration::from_millis(300));
        world.until(Phase::Searching).await;
    });
}

#[test]
fn many_who_ask_cause_one_look_around() {
    World::visit(async |world| {
        let begun = world.now();
        let ask = || world.control.scan();
        let (one, two, three) = embassy_futures::join::join3(ask(), ask(), ask()).await;
        assert!(one.is_some() && one == two && two == three);
        assert_eq!(world.now().since(begun), Duration::from_millis(900));
    });
}

#[test]
fn a_radio_that_fails_knows_nothing() {
    World::visit(async |world| {
        assert_eq!(world.names().await, names(&["home", "cafe"]));
        world.clock.sleep_until(world.now().after(Duration::from_secs(10))).await;
        world.air.set_fault(Some(Fault::Fails(ErrorKind::NoDevice)));
        assert_eq!(world.names().await, None);
        world.clock.sleep_until(world.now().after(Duration::from_secs(10))).await;
        world.air.set_fault(Some(Fault::Mute));
        let asked = world.now();
        assert_eq!(world.names().await, None);
        assert_eq!(world.now().since(asked), Duration::from_secs(15));
    });
}
