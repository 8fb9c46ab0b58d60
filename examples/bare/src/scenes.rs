//! What is played: each scene fails the run if anything is not as the rules say.

use core::future::pending;
use core::time::Duration;

use embassy_futures::join::join;
use embassy_futures::select::select;
use semihosting::println;
use wps_core::{AccessPoint, Cause, Credentials, Record, Settings};

use crate::world::{World, rest};

/// A device without Wi-Fi, a router whose button is pressed after five seconds: joined and saved.
pub(crate) fn pairing() {
    let world = World::new();
    let off = Settings::Off { remembered: None };
    world.power_on(off, async |world, control| {
        rest(control).await;
        let begun = world.now();
        let pressed = async {
            world.wait(Duration::from_secs(5)).await;
            world.air.press(b"new");
        };
        let (started, ()) = join(control.start(Duration::ZERO), pressed).await;
        assert_eq!(started, Ok(()));
        let ended = rest(control).await.last.expect("an ending");
        assert_eq!(ended.result, Ok(()));
        println!("paired after {} ms", ended.at.since(begun).as_millis());
    });
    let paired = Settings::Station { network: network(b"new", b"battery staple") };
    assert_eq!(world.disk.record(), Some(Record::Settled(paired)));
    assert!(world.air.is_linked());
}

/// A device that is connected, and nobody presses a button: after two minutes it is connected as before.
pub(crate) fn time_out() {
    let world = World::new();
    let home = Settings::Station { network: network(b"home", b"correct horse") };
    world.disk.put(&Record::Settled(home.clone()));
    world.power_on(Settings::Platform, async |world, control| {
        rest(control).await;
        let begun = world.now();
        assert_eq!(control.start(Duration::ZERO).await, Ok(()));
        let ended = rest(control).await.last.expect("an ending");
        assert_eq!(ended.result, Err(Cause::TimedOut));
        assert_eq!(ended.at.since(begun), Duration::from_secs(120));
        println!("timed out after {} ms", ended.at.since(begun).as_millis());
    });
    assert_eq!(world.disk.record(), Some(Record::Settled(home)));
    assert!(world.air.is_linked());
}

/// An access point that pairs, and whose power is cut in the middle, at each tenth of a second: at the
/// next start it is paired, or off as after any failed pairing, or the access point as before.
pub(crate) fn power_cuts() {
    let access_point =
        AccessPoint { network: network(b"device", b"on the label"), channel: Some(6) };
    let before = Settings::AccessPoint { access_point, remembered: None };
    let failed = Settings::Off { remembered: None };
    let paired = Settings::Station { network: network(b"new", b"battery staple") };
    let (mut untouched, mut undone, mut done) = (0, 0, 0);
    for tenths in 0..40 {
        let world = World::new();
        world.disk.put(&Record::Settled(before.clone()));
        world.air.press(b"new");
        world.power_on(Settings::Platform, async |world, control| {
            let pairing = async {
                rest(control).await;
                assert_eq!(control.start(Duration::ZERO).await, Ok(()));
                pending::<()>().await;
            };
            select(world.wait(Duration::from_millis(100 * tenths)), pairing).await;
        });
        let saved = world.disk.record();
        world.power_on(Settings::Platform, async |_, control| {
            let interrupted = rest(control).await.last.map(|ended| ended.result);
            let (expected, count) = match &saved {
                Some(Record::Settled(settings)) if *settings == paired => (&paired, &mut done),
                Some(Record::Settled(_)) => (&before, &mut untouched),
                Some(Record::Pairing { .. }) => (&failed, &mut undone),
                Some(Record::Configuring { .. }) | None => panic!("on disk: {saved:?}"),
            };
            *count += 1;
            let cut_short = matches!(saved, Some(Record::Pairing { .. }));
            assert_eq!(interrupted, cut_short.then_some(Err(Cause::Interrupted)));
            assert_eq!(control.settings().as_ref(), Some(expected));
            assert_eq!(world.air.radio_does().as_ref(), Some(expected));
        });
    }
    println!("power cuts: {untouched} before the journal, {undone} undone, {done} after the save");
    assert!(untouched > 0 && undone > 0 && done > 0);
}

fn network(ssid: &[u8], key: &[u8]) -> Credentials {
    wps_core::sim::Router::new(ssid, key).network().clone()
}
