//! The scenarios. Each panics if a rule is violated.

use core::future::pending;
use core::time::Duration;

use embassy_futures::join::join;
use embassy_futures::select::select;
use semihosting::println;
use wps_core::{AccessPoint, Cause, Credentials, Record, Settings};

use crate::environment::{Environment, wait_until_idle};

/// A device with Wi-Fi off pairs with a router whose button is pressed after five seconds. It joins
/// and saves the network.
pub(crate) fn pairing() {
    let env = Environment::new();
    let off = Settings::Off { remembered: None };
    env.power_on(off, async |env, control| {
        wait_until_idle(control).await;
        let start = env.now();
        let press_button = async {
            env.wait(Duration::from_secs(5)).await;
            env.air.press_button(b"new");
        };
        let (started, ()) = join(control.start(Duration::ZERO), press_button).await;
        assert_eq!(started, Ok(()));
        let result = wait_until_idle(control).await.last.expect("a result");
        assert_eq!(result.result, Ok(()));
        println!("paired after {} ms", result.at.since(start).as_millis());
    });
    let paired = Settings::Station { network: network(b"new", b"battery staple") };
    assert_eq!(env.disk.record(), Some(Record::Settled(paired)));
    assert!(env.air.is_linked());
}

/// A connected device starts a pairing, and nobody presses a button. After two minutes it is
/// connected as before.
pub(crate) fn timeout() {
    let env = Environment::new();
    let home = Settings::Station { network: network(b"home", b"correct horse") };
    env.disk.write_record(&Record::Settled(home.clone()));
    env.power_on(Settings::Platform, async |env, control| {
        wait_until_idle(control).await;
        let start = env.now();
        assert_eq!(control.start(Duration::ZERO).await, Ok(()));
        let result = wait_until_idle(control).await.last.expect("a result");
        assert_eq!(result.result, Err(Cause::NotPressed));
        assert_eq!(result.at.since(start), Duration::from_secs(120));
        println!("timed out after {} ms", result.at.since(start).as_millis());
    });
    assert_eq!(env.disk.record(), Some(Record::Settled(home)));
    assert!(env.air.is_linked());
}

/// A device that is an access point pairs, and its power is cut after each tenth of a second. At
/// the next start it is paired, or off as after a failed pairing, or the same access point as
/// before.
pub(crate) fn power_cuts() {
    let mut counts = [0; 3];
    for tenths in 0..40 {
        let env = Environment::new();
        env.disk.write_record(&Record::Settled(before()));
        env.air.press_button(b"new");
        cut_power_after(&env, Duration::from_millis(100 * tenths));
        let (found, expected) = classify(&env);
        counts[found as usize] += 1;
        start_again(&env, &found, &expected());
    }
    let [untouched, rolled_back, kept] = counts;
    println!(
        "power cuts: {untouched} before the journal, {rolled_back} rolled back, {kept} after the save"
    );
    assert!(counts.iter().all(|count| *count > 0));
}

/// Starts a pairing, and cuts the power `time` after the device was switched on. A separate
/// function, because there is little stack.
#[inline(never)]
fn cut_power_after(env: &Environment, time: Duration) {
    env.power_on(Settings::Platform, async |env, control| {
        let pairing = async {
            wait_until_idle(control).await;
            assert_eq!(control.start(Duration::ZERO).await, Ok(()));
            pending::<()>().await;
        };
        select(env.wait(time), pairing).await;
    });
}

/// Starts the device after a power cut. A separate function for the same reason.
#[inline(never)]
fn start_again(env: &Environment, found: &OnDisk, expected: &Settings) {
    env.power_on(Settings::Platform, async |_, control| {
        let result = wait_until_idle(control).await.last.map(|last| last.result);
        let interrupted = matches!(found, OnDisk::Journal);
        assert_eq!(result, interrupted.then_some(Err(Cause::Interrupted)));
        assert_eq!(control.settings().as_ref(), Some(expected));
        assert_eq!(env.air.radio_settings().as_ref(), Some(expected));
    });
}

/// What the disk holds after a power cut.
#[derive(Clone, Copy)]
enum OnDisk {
    Before,
    Journal,
    Paired,
}

/// Returns what the disk holds, and the settings that must follow from it. A separate function,
/// because there is little stack.
#[inline(never)]
fn classify(env: &Environment) -> (OnDisk, fn() -> Settings) {
    match env.disk.record() {
        Some(Record::Settled(settings)) if settings == paired() => (OnDisk::Paired, paired),
        Some(Record::Settled(_)) => (OnDisk::Before, before),
        Some(Record::Pairing { .. }) => (OnDisk::Journal, failed),
        record @ (Some(Record::Configuring { .. }) | None) => panic!("on disk: {record:?}"),
    }
}

/// The settings before the pairing.
fn before() -> Settings {
    let access_point =
        AccessPoint { network: network(b"device", b"on the label"), channel: Some(6) };
    Settings::AccessPoint { access_point, remembered: None }
}

/// The settings after a failed pairing.
fn failed() -> Settings {
    Settings::Off { remembered: None }
}

/// The settings after the pairing.
fn paired() -> Settings {
    Settings::Station { network: network(b"new", b"battery staple") }
}

fn network(ssid: &[u8], key: &[u8]) -> Credentials {
    wps_core::sim::Router::new(ssid, key).network().clone()
}
