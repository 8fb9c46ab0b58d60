//! Whole pairings: the machine of `wps-core` on the driver, and a fake library that lives among
//! routers, on virtual time.

mod fake;

use std::future::Future;
use std::time::Duration;

use embassy_futures::select::{Either4, select4};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use fake::air::{Link, Router, State, live};
use fake::{Hand, play, turn};
use wps_core::sim::Disk;
use wps_core::{
    AccessPoint, AfterFailure, Cause, Clock, Control, Credentials, ErrorKind, Passphrase, Phase,
    Record, Runner, Settings, Ssid,
};
use wps_hal_esp::Driver;

type Raw = CriticalSectionRawMutex;

fn network(ssid: &[u8], key: &[u8]) -> Credentials {
    Credentials { ssid: Ssid::new(ssid).unwrap(), passphrase: Some(Passphrase::new(key).unwrap()) }
}

fn old() -> Credentials {
    network(b"old", b"a longer key than that of home")
}

fn home() -> Credentials {
    network(b"home", b"correct horse")
}

fn air<R>(act: impl FnOnce(&mut State) -> R) -> R {
    fake::with(|library| act(library.air.as_mut().expect("a library that lives")))
}

fn press(ssid: &[u8]) {
    air(|air| air.router(&Ssid::new(ssid).unwrap()).expect("a router that is on").pressed = true);
}

fn joined() -> Option<Ssid> {
    air(|air| match &air.link {
        Link::Joined(ssid) => Some(ssid.clone()),
        Link::Idle | Link::Trying(_) => None,
    })
}

/// How a pairing ended, what is on disk then, whether the radio is on, and on which network.
#[derive(Debug, PartialEq)]
struct Ending {
    result: Result<(), Cause>,
    record: Record,
    on: bool,
    joined: Option<Ssid>,
}

impl Ending {
    fn paired() -> Self {
        let record = Record::Settled(Settings::Station { network: home() });
        Self { result: Ok(()), record, on: true, joined: Some(home().ssid) }
    }

    /// The device is back on the network of before.
    fn back(cause: Cause) -> Self {
        let record = Record::Settled(station());
        Self { result: Err(cause), record, on: true, joined: Some(old().ssid) }
    }
}

/// A device with these settings, and "old" and "home" in range; somebody starts a pairing, and then
/// this happens.
fn pairing<F: Future<Output = ()>>(
    before: Settings,
    then: impl FnOnce(&'static Hand, &'static Control<Raw, 4>) -> F,
) -> Ending {
    pairing_after(Duration::ZERO, before, then)
}

/// The same for somebody who needs time to receive the answer.
fn pairing_after<F: Future<Output = ()>>(
    parting: Duration,
    before: Settings,
    then: impl FnOnce(&'static Hand, &'static Control<Raw, 4>) -> F,
) -> Ending {
    let _turn = turn();
    // They live as long as the test program: what happens then may refer to them.
    let clock: &'static Hand = Box::leak(Box::new(Hand::new()));
    let control: &'static Control<Raw, 4> = Box::leak(Box::new(Control::new()));
    let routers = [old(), home()].map(|network| Router { network, pressed: false });
    let mut state = State::new(clock.now());
    state.routers.extend(routers);
    fake::with(|library| library.air = Some(state));

    let disk = Disk::<Raw>::new();
    disk.put(&Record::Settled(before));
    let driver = Driver::new(()).unwrap();
    let mut keeper = driver.keeper();
    let factory_settings = Settings::Off { remembered: None };
    let all = async {
        let boot = Runner::boot(
            driver,
            disk.store(),
            clock,
            control,
            factory_settings,
            AfterFailure::default(),
        );
        let mut runner = boot.await.unwrap();
        let user = async {
            let mut status = control.listen().unwrap();
            status.get_and(|status| status.phase == Phase::Idle).await;
            clock.sleep_until(clock.now().after(Duration::from_secs(5))).await;
            fake::calls();
            control.start(parting).await.unwrap();
            then(clock, control).await;
            let ended = status.get_and(|status| status.phase == Phase::Idle).await;
            clock.sleep_until(clock.now().after(Duration::from_secs(5))).await;
            ended
        };
        match select4(runner.run(), keeper.run(clock), live(clock), user).await {
            Either4::Fourth(ended) => ended,
            Either4::First(never) | Either4::Second(never) | Either4::Third(never) => never,
        }
    };
    let status = play(clock, all);
    let result = status.last.expect("an ending").result;
    let on = fake::with(|library| library.mode != 0 || library.started);
    Ending { result, record: disk.record().unwrap(), on, joined: joined() }
}

async fn pass(clock: &Hand, seconds: u64) {
    clock.sleep_until(clock.now().after(Duration::from_secs(seconds))).await;
}

fn station() -> Settings {
    Settings::Station { network: old() }
}

fn off(remembered: Option<Credentials>) -> Settings {
    Settings::Off { remembered }
}

#[test]
fn paired_joined_and_saved() {
    let access_point =
        AccessPoint { network: network(b"device", b"on the label"), channel: Some(6) };
    for before in [station(), off(None), Settings::AccessPoint { access_point, remembered: None }] {
        let ending = pairing(before, async |clock, _| {
            pass(clock, 100).await;
            press(b"home");
        });
        assert_eq!(ending, Ending::paired());
    }
}

#[test]
fn nobody_presses_and_the_device_is_back_on_its_network() {
    let ending = pairing(station(), async |clock, _| {
        pass(clock, 60).await;
        assert_eq!(joined(), None, "it left when it began to look");
        pass(clock, 61).await;
    });
    assert_eq!(ending, Ending::back(Cause::TimedOut));
}

#[test]
fn session_overlap_ends_it_and_the_device_is_back_on_its_network() {
    let ending = pairing(station(), async |clock, _| {
        pass(clock, 10).await;
        press(b"home");
        press(b"old");
    });
    assert_eq!(ending, Ending::back(Cause::Driver(ErrorKind::Overlap)));
}

#[test]
fn after_a_failure_an_access_point_is_off_and_off_stays_off() {
    let access_point = AccessPoint { network: network(b"device", b"on the label"), channel: None };
    let access_point = Settings::AccessPoint { access_point, remembered: Some(old()) };
    for before in [access_point, off(Some(old()))] {
        let ending = pairing(before, async |clock, _| pass(clock, 121).await);
        let record = Record::Settled(off(Some(old())));
        assert_eq!(
            ending,
            Ending { result: Err(Cause::TimedOut), record, on: false, joined: None }
        );
    }
}

/// The key is made before the start returns; HTTP stands still meanwhile.
#[test]
fn the_blocking_start_comes_after_the_answer_is_out() {
    let parting = Duration::from_millis(500);
    let ending = pairing_after(parting, station(), async |clock, control| {
        let is_touched =
            || fake::calls().iter().any(|call| call.contains("wps") || call.contains("stop"));
        assert!(!is_touched(), "the requester has been told, and nothing else");
        clock.sleep_until(clock.now().after(parting - Duration::from_millis(1))).await;
        assert!(!is_touched());
        clock.sleep_until(clock.now().after(Duration::from_millis(2))).await;
        assert!(fake::calls().contains(&"esp_wifi_wps_start"));
        control.cancel().await;
    });
    assert_eq!(ending, Ending::back(Cause::Cancelled));
}

#[test]
fn an_exchange_that_fails_is_tried_again_within_the_window() {
    let ending = pairing(station(), async |clock, _| {
        pass(clock, 10).await;
        fake::post(fake::FAILED, Some(&2_u32.to_le_bytes()));
        pass(clock, 10).await;
        press(b"home");
    });
    assert_eq!(ending, Ending::paired());
}

#[test]
fn cancelled_while_the_library_joins_by_itself() {
    let ending = pairing(station(), async |clock, control| {
        pass(clock, 10).await;
        press(b"home");
        // The exchange is over, the library joins, and has not told.
        clock.sleep_until(clock.now().after(Duration::from_millis(700))).await;
        assert!(air(|air| air.is_trying()));
        control.cancel().await;
    });
    assert_eq!(ending, Ending::back(Cause::Cancelled));
}
