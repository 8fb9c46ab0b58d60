//! Complete pairings: the machine of `wps-core` on the driver and the simulated library among
//! routers, on virtual time.

mod fake;

use std::future::Future;
use std::time::Duration;

use embassy_futures::select::{Either3, select3};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use fake::simulation::{Link, Router, Simulation, run_simulation};
use fake::{TestClock, block_on, fresh_library};
use wps_core::sim::Disk;
use wps_core::{
    AccessPoint, Cause, Clock, Config, Control, Credentials, ErrorKind, Phase, Record, Runner,
    Settings, Ssid, Status,
};
use wps_hal_esp::Driver;
use wps_testkit::{home, hotspot, network, off, ssid, station};

type Raw = CriticalSectionRawMutex;

fn old() -> Credentials {
    network(b"old", b"a longer key than that of home")
}

fn with_simulation<R>(act: impl FnOnce(&mut Simulation) -> R) -> R {
    fake::with_library(|library| act(library.simulation.as_mut().expect("a simulation")))
}

fn press_button(name: &[u8]) {
    with_simulation(|simulation| {
        simulation.router(&ssid(name)).expect("a router that runs").pressed = true
    });
}

fn joined_network() -> Option<Ssid> {
    with_simulation(|simulation| match &simulation.link {
        Link::Joined(ssid) => Some(ssid.clone()),
        Link::Idle | Link::Connecting(_) => None,
    })
}

/// The state after a pairing: its result, the record on disk, whether the radio is on, and the
/// network that it is joined to.
#[derive(Debug, PartialEq)]
struct PairingOutcome {
    result: Result<(), Cause>,
    record: Record,
    on: bool,
    joined: Option<Ssid>,
}

impl PairingOutcome {
    fn paired() -> Self {
        let record = Record::Settled(Settings::Station { network: home() });
        Self { result: Ok(()), record, on: true, joined: Some(home().ssid) }
    }

    /// The pairing failed, and the device is back on its old network.
    fn rolled_back(cause: Cause) -> Self {
        let record = Record::Settled(station(old()));
        Self { result: Err(cause), record, on: true, joined: Some(old().ssid) }
    }
}

/// Starts a pairing on a device with these settings, with the routers "old" and "home" in range,
/// and then runs `then`. Returns the outcome of the pairing.
fn pair<F: Future<Output = ()>>(
    before: Settings,
    then: impl FnOnce(&'static TestClock, &'static Control<Raw>) -> F,
) -> PairingOutcome {
    pair_with_reply_grace(Duration::ZERO, before, then)
}

/// Does the same as [`pair`], with a reply grace.
fn pair_with_reply_grace<F: Future<Output = ()>>(
    reply_grace: Duration,
    before: Settings,
    then: impl FnOnce(&'static TestClock, &'static Control<Raw>) -> F,
) -> PairingOutcome {
    let ((result, on, joined), record) = with_device(before, async |clock, control| {
        fake::take_calls();
        control.start(reply_grace).await.unwrap();
        then(clock, control).await;
        let result = wait_until_idle(control).await.last.expect("a result").result;
        sleep_seconds(clock, 5).await;
        let on = fake::with_library(|library| library.mode != 0 || library.started);
        (result, on, joined_network())
    });
    PairingOutcome { result, record, on, joined }
}

/// Boots a device with these settings, with the routers "old" and "home" in range, and runs `user`
/// once it is idle. Returns what `user` returned, and the record on disk.
fn with_device<T>(
    before: Settings,
    user: impl AsyncFnOnce(&'static TestClock, &'static Control<Raw>) -> T,
) -> (T, Record) {
    let _guard = fresh_library();
    // These are leaked so that `user` can borrow them for `'static`.
    let clock: &'static TestClock = Box::leak(Box::new(TestClock::new()));
    let control: &'static Control<Raw> = Box::leak(Box::new(Control::new()));
    let routers = [old(), home()].map(Router::new);
    let mut simulation = Simulation::new(clock.now());
    simulation.routers.extend(routers);
    fake::with_library(|library| library.simulation = Some(simulation));

    let disk = Disk::<Raw>::new();
    disk.write_record(&Record::Settled(before));
    let driver = Driver::new((), clock, fake::options()).unwrap();
    let config = Config::new(Settings::Off { remembered: None });
    let all = async {
        let boot = Runner::boot(driver, disk.store(), clock, control, config);
        let mut runner = boot.await.unwrap();
        let user = async {
            wait_until_idle(control).await;
            sleep_seconds(clock, 5).await;
            user(clock, control).await
        };
        match select3(runner.run(), run_simulation(clock), user).await {
            Either3::Third(returned) => returned,
            Either3::First(never) | Either3::Second(never) => never,
        }
    };
    (block_on(clock, all), disk.record().unwrap())
}

async fn wait_until_idle(control: &Control<Raw>) -> Status {
    control.listen().unwrap().wait_for(|status| status.phase == Phase::Idle).await
}

async fn sleep_seconds(clock: &TestClock, seconds: u64) {
    clock.sleep_until(clock.now().after(Duration::from_secs(seconds))).await;
}

#[test]
fn the_network_is_paired_joined_and_saved() {
    for before in [station(old()), off(None), hotspot(None)] {
        let outcome = pair(before, async |clock, _| {
            sleep_seconds(clock, 100).await;
            press_button(b"home");
        });
        assert_eq!(outcome, PairingOutcome::paired());
    }
}

#[test]
fn without_a_button_press_the_device_returns_to_its_network() {
    let outcome = pair(station(old()), async |clock, _| {
        sleep_seconds(clock, 60).await;
        assert_eq!(joined_network(), None, "the radio left when the search started");
        sleep_seconds(clock, 61).await;
    });
    assert_eq!(outcome, PairingOutcome::rolled_back(Cause::TimedOut));
}

#[test]
fn session_overlap_ends_the_pairing_and_the_device_returns_to_its_network() {
    let outcome = pair(station(old()), async |clock, _| {
        sleep_seconds(clock, 10).await;
        press_button(b"home");
        press_button(b"old");
    });
    let cause = Cause::Driver(ErrorKind::OverlapWithoutChoice);
    assert_eq!(outcome, PairingOutcome::rolled_back(cause));
}

#[test]
fn after_a_failure_an_access_point_is_off_and_off_stays_off() {
    let access_point = AccessPoint { network: network(b"device", b"on the label"), channel: None };
    let access_point = Settings::AccessPoint { access_point, remembered: Some(old()) };
    for before in [access_point, off(Some(old()))] {
        let outcome = pair(before, async |clock, _| sleep_seconds(clock, 121).await);
        let record = Record::Settled(off(Some(old())));
        assert_eq!(
            outcome,
            PairingOutcome { result: Err(Cause::TimedOut), record, on: false, joined: None }
        );
    }
}

/// The library generates its key before the start returns, and HTTP stands still in that time.
#[test]
fn the_blocking_start_comes_after_the_reply_was_sent() {
    let reply_grace = Duration::from_millis(500);
    let outcome = pair_with_reply_grace(reply_grace, station(old()), async |clock, control| {
        let is_touched =
            || fake::take_calls().iter().any(|call| call.contains("wps") || call.contains("stop"));
        assert!(!is_touched(), "only the reply has been sent");
        clock.sleep_until(clock.now().after(reply_grace - Duration::from_millis(1))).await;
        assert!(!is_touched());
        clock.sleep_until(clock.now().after(Duration::from_millis(2))).await;
        assert!(fake::take_calls().contains(&"esp_wifi_wps_start"));
        control.cancel().await;
    });
    assert_eq!(outcome, PairingOutcome::rolled_back(Cause::Cancelled));
}

#[test]
fn a_failed_exchange_is_retried_within_the_window() {
    let outcome = pair(station(old()), async |clock, _| {
        sleep_seconds(clock, 10).await;
        fake::post(fake::FAILED, Some(&2_u32.to_le_bytes()));
        sleep_seconds(clock, 10).await;
        press_button(b"home");
    });
    assert_eq!(outcome, PairingOutcome::paired());
}

#[test]
fn a_pairing_can_be_cancelled_while_the_library_joins_by_itself() {
    let outcome = pair(station(old()), async |clock, control| {
        sleep_seconds(clock, 10).await;
        press_button(b"home");
        // The exchange is over. The library is joining and has not posted the success yet.
        clock.sleep_until(clock.now().after(Duration::from_millis(700))).await;
        assert!(with_simulation(|simulation| simulation.is_connecting()));
        control.cancel().await;
    });
    assert_eq!(outcome, PairingOutcome::rolled_back(Cause::Cancelled));
}

#[test]
fn unusable_credentials_reach_the_user_with_their_cause() {
    for (ssid, key, kind) in [
        (&b"home"[..], &b"short"[..], ErrorKind::InvalidKey),
        (b"", b"correct horse", ErrorKind::NoNetwork),
    ] {
        let outcome = pair(station(old()), async |clock, _| {
            sleep_seconds(clock, 10).await;
            let payload = fake::success_payload(1, &[(ssid, key)]);
            fake::post(fake::SUCCESS, Some(&payload));
        });
        assert_eq!(outcome, PairingOutcome::rolled_back(Cause::Driver(kind)));
    }
}

#[test]
fn a_router_that_refuses_twice_in_a_row_ends_the_pairing() {
    let outcome = pair(station(old()), async |clock, control| {
        for _ in 0..2 {
            sleep_seconds(clock, 10).await;
            assert!(control.status().unwrap().is_pairing());
            fake::post(fake::FAILED, Some(&0_u32.to_le_bytes()));
        }
    });
    assert_eq!(outcome, PairingOutcome::rolled_back(Cause::Driver(ErrorKind::Refused)));
}

/// Restarts a router with another key.
fn restart_router(network: Credentials) {
    with_simulation(|simulation| {
        let router = simulation.router(&network.ssid).expect("a router that runs");
        router.network = network;
    });
}

#[test]
fn a_key_that_was_changed_at_the_router_is_reported_until_it_is_accepted_again() {
    let (joined, record) = with_device(station(old()), async |clock, control| {
        assert_eq!(joined_network(), Some(old().ssid));
        restart_router(network(b"old", b"another key"));
        let mut status = control.listen().unwrap();
        status.wait_for(|status| status.trouble == Some(Cause::KeyRefused)).await;
        assert_eq!((control.status().unwrap().phase, joined_network()), (Phase::Idle, None));
        // It stays like this, and nothing is written or applied.
        fake::take_calls();
        sleep_seconds(clock, 600).await;
        assert_eq!(control.status().unwrap().trouble, Some(Cause::KeyRefused));
        assert!(fake::take_calls().iter().all(|call| *call == "esp_wifi_connect_internal"));
        restart_router(old());
        status.wait_for(|status| status.trouble.is_none()).await;
        joined_network()
    });
    assert_eq!((joined, record), (Some(old().ssid), Record::Settled(station(old()))));
}

/// A page asks for the link each second, and each time the runner drops what the driver is doing.
#[test]
fn a_router_that_comes_back_is_joined_also_while_the_link_is_asked_for_each_second() {
    let joined_after = [false, true].map(|asks| {
        let (seconds, _) = with_device(station(old()), async |clock, control| {
            let router = with_simulation(|simulation| simulation.routers.remove(0));
            sleep_and_ask(clock, control, 180, asks).await;
            with_simulation(|simulation| simulation.routers.push(router));
            for seconds in 1.. {
                sleep_and_ask(clock, control, 1, asks).await;
                if joined_network().is_some() {
                    return seconds;
                }
            }
            unreachable!("the loop is endless")
        });
        seconds
    });
    assert_eq!(joined_after[0], joined_after[1]);
    assert!(joined_after[0] <= 61, "the delay is at most a minute: {joined_after:?}");
}

async fn sleep_and_ask(clock: &TestClock, control: &Control<Raw>, seconds: u64, asks: bool) {
    for _ in 0..seconds {
        sleep_seconds(clock, 1).await;
        if asks {
            let link = control.link().await.expect("the link is known");
            assert_eq!(link.up, joined_network().is_some());
        }
    }
}

/// The library joins a network with WPA by itself. If it were saved, it could never be joined
/// again: the driver's own limit is WPA2. And the library has no WPA3.
#[test]
fn a_network_without_wpa2_is_named_and_not_saved() {
    for authmode in [fake::WEP, fake::WPA_PSK, fake::WPA3_PSK] {
        let outcome = pair(station(old()), async |clock, _| {
            sleep_seconds(clock, 10).await;
            with_simulation(|simulation| {
                simulation.router(&home().ssid).expect("a router that runs").authmode = authmode;
            });
            press_button(b"home");
        });
        let cause = Cause::Driver(ErrorKind::WithoutWpa2);
        assert_eq!(outcome, PairingOutcome::rolled_back(cause), "{authmode}");
    }
}
