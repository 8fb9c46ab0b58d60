//! Scans with the fake wpa_supplicant: they find the access points in range, and change nothing.
#![allow(dead_code, reason = "these tests use only a part of the fake")]

mod fake;

use std::time::Duration;

use fake::{Bss, Fake};
use wps_core::wsc::Bssid;
use wps_core::{BssInfo, DriverError, ErrorKind, WifiDriver};
use wps_core::{Cipher, Security};
use wps_hal_linux::LinuxError;
use wps_testkit::wsc::elements;

const CHANNELS: [u16; 3] = [2412, 2437, 5180];

/// A station on "old" with two access points in range, one of them hidden, and one that has gone.
fn connected_station() -> Fake {
    let fake = Fake::start(&CHANNELS);
    let bss = |number, frequency, on_air| Bss {
        bssid: [2, 0, 0, 0, 0, number],
        frequency,
        age: 1000,
        on_air,
        flags: "[WPA2-PSK+SAE-CCMP][WPS][ESS]",
        probe_response: elements(b"home", Some(1), true),
        beacon: elements(b"home", None, false),
        next_beacon: None,
        sends_beacons: true,
        tsf: 0,
    };
    let hidden = Bss {
        flags: "[ESS]",
        probe_response: Vec::new(),
        beacon: vec![0, 0],
        next_beacon: None,
        sends_beacons: true,
        tsf: 0,
        ..bss(2, 5180, true)
    };
    let mut state = fake.state();
    state.access_points = vec![bss(1, 2437, true), hidden, bss(3, 2412, false)];
    let old = state.add_platform_network(true, "old");
    state.set_joined(old);
    drop(state);
    fake
}

/// Runs a test on paused time.
fn run<R>(test: impl AsyncFnOnce() -> R) -> R {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(test())
}

async fn scan(fake: &Fake) -> Result<Vec<BssInfo>, LinuxError> {
    let mut driver = fake.driver();
    let scan = fake.with_timeout(Duration::from_secs(15), driver.scan()).await;
    scan.expect("an end").map(|results| results.iter().cloned().collect())
}

#[test]
fn it_finds_access_points_with_and_without_wps() {
    run(async || {
        let fake = connected_station();
        let before = fake.networks_and_current();
        let found = scan(&fake).await.expect("a radio that works");
        let [home, hidden] = &found[..] else { panic!("{found:?}") };
        assert_eq!(home.ssid.as_ref().map(|it| it.as_bytes()), Some(&b"home"[..]));
        assert_eq!(
            (home.security, home.pairwise_cipher),
            (Some(Security::Wpa2Wpa3), Some(Cipher::Ccmp))
        );
        assert_eq!((home.wps, home.pressed, home.frequency_mhz), (true, Some(true), Some(2437)));
        assert_eq!((hidden.bssid, &hidden.ssid), (Bssid([2, 0, 0, 0, 0, 2]), &None));
        assert_eq!((hidden.security, hidden.wps), (Some(Security::Open), false));
        assert_eq!(fake.networks_and_current(), before);
        let changes = ["DISCONNECT", "SELECT", "SET", "REASSOCIATE", "WPS", "REMOVE", "ADD"];
        for change in changes {
            assert!(fake.state().requests_with_prefix(change).is_empty(), "{change}");
        }
    });
}

#[test]
fn the_scan_of_another_program_is_used() {
    run(async || {
        let fake = connected_station();
        (fake.state().busy_scans, fake.state().joined) = (1, false);
        fake.state().access_points[0].age = 3;
        assert_eq!(scan(&fake).await.expect("a radio that works").len(), 1);
        assert!(
            fake.state().requests_with_prefix("DISCONNECT").is_empty(),
            "it keeps searching for its network"
        );
        assert_eq!(fake.state().requests_with_prefix("SCAN").len(), 1);
    });
}

#[test]
fn a_failed_scan_of_another_program_is_not_an_error_but_followed_by_our_own() {
    run(async || {
        let fake = connected_station();
        fake.script(|request, state| {
            let is_first =
                request.starts_with("SCAN") && state.requests_with_prefix("SCAN").len() == 1;
            is_first.then(|| {
                state.emit_after_reply("CTRL-EVENT-SCAN-FAILED ret=-95");
                fake::Override::Reply(b"FAIL-BUSY\n".into())
            })
        });
        assert_eq!(scan(&fake).await.expect("our own scan").len(), 2);
        assert_eq!(fake.state().requests_with_prefix("SCAN").len(), 2);
    });
}

#[test]
fn a_scan_that_never_ends_is_not_waited_for() {
    run(async || {
        let fake = connected_station();
        fake.script(|request, _| {
            request.starts_with("SCAN").then(|| fake::Override::Reply(b"OK\n".into()))
        });
        assert_eq!(scan(&fake).await.expect_err("no answer").kind(), ErrorKind::NoResponse);
        fake.state().access_points.iter_mut().for_each(|bss| bss.age = 3);
        assert_eq!(scan(&fake).await.expect("what is in the table").len(), 3);
    });
}

#[test]
fn a_radio_that_is_off_is_blocked() {
    run(async || {
        let fake = connected_station();
        fake.state().blocked = true;
        let error = scan(&fake).await.expect_err("no radio");
        assert_eq!(error.kind(), ErrorKind::Blocked);
    });
}

#[test]
fn a_scan_that_fails_is_not_an_empty_list() {
    run(async || {
        let fake = connected_station();
        fake.state().access_points.iter_mut().for_each(|bss| bss.age = 3);
        fake.state().bad_frequencies = [(2412, -16)].into();
        assert_eq!(scan(&fake).await.expect_err("a failed scan").kind(), ErrorKind::Other);
        // A card that cannot scan in its present state: what was seen lately is an answer.
        fake.state().bad_frequencies = [(2412, -95)].into();
        assert_eq!(scan(&fake).await.expect("what is in the table").len(), 3);
        fake.state().access_points.clear();
        assert_eq!(scan(&fake).await.expect_err("it cannot look").kind(), ErrorKind::Unsupported);
    });
}
