//! Scans for access points: which results are kept, how often the radio scans, and that no request
//! waits for a scan.

use std::time::Duration;

use embassy_futures::block_on;
use embassy_futures::select::{Either3, select3};
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use wps_core::Security;
use wps_core::sim::{Air, Disk, ManualClock, RadioFault, Router, RouterKind};
use wps_core::wsc::Bssid;
use wps_core::{
    BssInfo, Clock, Config, Control, ErrorKind, Instant, Phase, Runner, ScanResults, Settings,
};

fn bss_info(number: u8, signal_dbm: i16) -> BssInfo {
    BssInfo { signal_dbm: Some(signal_dbm), ..BssInfo::new(Bssid([number; 6])) }
}

fn entries(results: &ScanResults) -> Vec<(u8, Option<i16>)> {
    results.iter().map(|it| (it.bssid.0[0], it.signal_dbm)).collect()
}

#[test]
fn the_strongest_come_first_and_each_address_once() {
    let mut results = ScanResults::default();
    for (number, signal_dbm) in [(1, -60), (2, -40), (3, -80), (4, -40), (1, -90)] {
        results.add(bss_info(number, signal_dbm));
    }
    results.add(BssInfo::new(Bssid([5; 6])));
    assert_eq!(
        entries(&results),
        [(2, Some(-40)), (4, Some(-40)), (3, Some(-80)), (1, Some(-90)), (5, None)]
    );
}

#[test]
fn the_weakest_are_left_out_if_there_are_too_many() {
    let many = (0..100_u8).map(|number| bss_info(number, -(i16::from(number) * 37 % 100)));
    let mut results = ScanResults::default();
    many.for_each(|it| results.add(it));
    let signals: Vec<_> = entries(&results).into_iter().filter_map(|(_, dbm)| dbm).collect();
    assert_eq!(signals, (0..32).map(|dbm| -dbm).collect::<Vec<i16>>());
}

/// A running device with two routers in range, "home" and "cafe".
struct Environment {
    air: Air<NoopRawMutex>,
    clock: ManualClock<NoopRawMutex>,
    control: Control<NoopRawMutex>,
}

impl Environment {
    /// Boots the device and calls `user` once it is idle.
    fn run(user: impl AsyncFnOnce(&Self)) {
        let env = Self { air: Air::new(), clock: ManualClock::new(), control: Control::new() };
        env.air.add_router(Router::new(b"home", b"correct horse"));
        env.air.add_router(Router::new(b"cafe", b"").with_kind(RouterKind::WithoutWps));
        let disk = Disk::<NoopRawMutex>::new();
        block_on(async {
            let config = Config::new(Settings::Off { remembered: None });
            let (radio, store) = (env.air.radio(&env.clock), disk.store());
            let booted = Runner::boot(radio, store, &env.clock, &env.control, config);
            let mut runner = booted.await.expect("an empty disk");
            let user = async {
                env.wait_until(Phase::Idle).await;
                user(&env).await;
            };
            let Either3::Second(()) = select3(runner.run(), user, env.clock.fast_forward()).await;
        });
    }

    /// Waits until the status shows this phase.
    async fn wait_until(&self, phase: Phase) {
        while self.control.status().is_none_or(|status| status.phase != phase) {
            yield_now().await;
        }
    }

    async fn names(&self) -> Option<Vec<String>> {
        let shown = |it: &BssInfo| it.ssid.as_ref().map_or(String::new(), ToString::to_string);
        self.control.scan().await.map(|results| results.iter().map(shown).collect())
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }
}

fn names(expected: &[&str]) -> Option<Vec<String>> {
    Some(expected.iter().map(ToString::to_string).collect())
}

#[test]
fn a_scan_returns_the_access_points_in_range() {
    Environment::run(async |env| {
        env.air.press_button(b"home");
        let scan = env.control.scan().await.expect("a radio that works");
        let [home, cafe] = &scan.iter().collect::<Vec<_>>()[..] else { panic!("{scan:?}") };
        assert_eq!((home.security, cafe.security), (Some(Security::Wpa2), Some(Security::Open)));
        assert_eq!((home.wps, home.pressed), (true, Some(true)));
        assert_eq!((cafe.wps, cafe.pressed), (false, Some(false)));
        assert_eq!((home.frequency_mhz, cafe.frequency_mhz), (Some(2412), Some(2437)));
    });
}

#[test]
fn a_result_is_cached_for_five_seconds() {
    Environment::run(async |env| {
        assert_eq!(env.names().await, names(&["home", "cafe"]));
        let scanned_at = env.now();
        env.air.set_power(b"cafe", false);
        while env.now() < scanned_at.after(Duration::from_millis(4_900)) {
            assert_eq!(env.names().await, names(&["home", "cafe"]));
            env.clock.sleep_until(env.now().after(Duration::from_millis(100))).await;
        }
        env.clock.sleep_until(scanned_at.after(Duration::from_secs(5))).await;
        assert_eq!(env.names().await, names(&["home"]));
    });
}

#[test]
fn during_a_pairing_it_returns_the_results_of_the_search_at_once() {
    Environment::run(async |env| {
        assert_eq!(env.names().await, names(&["home", "cafe"]));
        env.clock.sleep_until(env.now().after(Duration::from_secs(10))).await;
        env.control.start(Duration::ZERO).await.expect("nothing is under way");
        env.wait_until(Phase::Searching).await;
        for (on, expected) in [(false, &["home"][..]), (true, &["home", "cafe"])] {
            env.air.set_power(b"cafe", on);
            env.clock.sleep_until(env.now().after(Duration::from_secs(1))).await;
            let requested_at = env.now();
            assert_eq!(env.names().await, names(expected));
            assert_eq!(env.now(), requested_at);
        }
    });
}

/// A scan takes 0.9 s on the simulated radio, and longer on a real one.
#[test]
fn a_start_and_a_scan_do_not_wait_for_each_other() {
    Environment::run(async |env| {
        let began = env.now();
        let start = async {
            yield_now().await;
            env.control.start(Duration::ZERO).await
        };
        let (scan, started) = embassy_futures::join::join(env.control.scan(), start).await;
        assert_eq!((scan, started), (None, Ok(())));
        assert!(env.now().since(began) < Duration::from_millis(300));
        env.wait_until(Phase::Searching).await;
    });
}

#[test]
fn simultaneous_requests_share_one_scan() {
    Environment::run(async |env| {
        let began = env.now();
        let ask = || env.control.scan();
        let (one, two, three) = embassy_futures::join::join3(ask(), ask(), ask()).await;
        assert!(one.is_some() && one == two && two == three);
        assert_eq!(env.now().since(began), Duration::from_millis(900));
    });
}

#[test]
fn a_failing_radio_returns_no_results() {
    Environment::run(async |env| {
        assert_eq!(env.names().await, names(&["home", "cafe"]));
        env.clock.sleep_until(env.now().after(Duration::from_secs(10))).await;
        env.air.set_fault(Some(RadioFault::Fails(ErrorKind::NoDevice)));
        assert_eq!(env.names().await, None);
        env.clock.sleep_until(env.now().after(Duration::from_secs(10))).await;
        env.air.set_fault(Some(RadioFault::Unresponsive));
        let requested_at = env.now();
        assert_eq!(env.names().await, None);
        assert_eq!(env.now().since(requested_at), Duration::from_secs(15));
    });
}
