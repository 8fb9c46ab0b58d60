//! Complete pairings: the machine of `wps-core` on the driver and the simulated library among
//! routers, on virtual time.

mod fake;

use std::future::Future;
use std::time::Duration;

use embassy_futures::select::{Either4, select4};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use fake::simulation::{Link, Router, Simulation, run_simulation};
use fake::{TestClock, block_on, fresh_library};
use wps_core::sim::Disk;
use wps_core::{
    AccessPoint, Cause, Clock, Config, Control, Credentials, ErrorKind, Phase, Record, Runner,
    Settings, Ssid,
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
    let _guard = fresh_library();
    // These are leaked so that `then` can borrow them for `'static`.
    let clock: &'static TestClock = Box::leak(Box::new(TestClock::new()));
    let control: &'static Control<Raw> = Box::leak(Box::new(Control::new()));
    let routers = [old(), home()].map(|network| Router { network, pressed: false });
    let mut simulation = Simulation::new(clock.now());
    simulation.routers.extend(routers);
    fake::with_library(|library| library.simulation = Some(simulation));

    let disk = Disk::<Raw>::new();
    disk.write_record(&Record::Settled(before));
    let driver = Driver::new(()).unwrap();
    let mut reconnector = driver.reconnector();
    let config = Config::new(Settings::Off { remembered: None });
    let all = async {
        let boot = Runner::boot(driver, disk.store(), clock, control, config);
        let mut runner = boot.await.unwrap();
        let user = async {
            let mut status = control.listen().unwrap();
            status.wait_for(|status| status.phase == Phase::Idle).await;
            clock.sleep_until(clock.now().after(Duration::from_secs(5))).await;
            fake::take_calls();
            control.start(reply_grace).await.unwrap();
            then(clock, control).await;
            let last_status = status.wait_for(|status| status.phase == Phase::Idle).await;
            clock.sleep_until(clock.now().after(Duration::from_secs(5))).await;
            last_status
        };
        match select4(runner.run(), reconnector.run(clock), run_simulation(clock), user).await {
            Either4::Fourth(status) => status,
            Either4::First(never) | Either4::Second(never) | Either4::Third(never) => never,
        }
    };
    let status = block_on(clock, all);
    let result = status.last.expect("a result").result;
    let on = fake::with_library(|library| library.mode != 0 || library.started);
    PairingOutcome { result, record: disk.record().unwrap(), on, joined: joined_network() }
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
    assert_eq!(outcome, PairingOutcome::rolled_back(Cause::Driver(ErrorKind::Overlap)));
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
