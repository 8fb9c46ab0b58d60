//! A look around on the fake wpa_supplicant: it hears what is there, and changes nothing.
#![allow(dead_code, reason = "the fake can do more than is needed here")]

mod fake;

use std::time::Duration;

use fake::{Bss, Fake, elements};
use wps_core::driver::{Cipher, Security};
use wps_core::wsc::Bssid;
use wps_core::{BssInfo, DriverError, ErrorKind, WifiDriver};
use wps_hal_linux::LinuxError;

const CHANNELS: [u16; 3] = [2412, 2437, 5180];

/// On "old", with another access point in range and one that has gone.
fn house() -> Fake {
    let fake = Fake::start(&CHANNELS);
    let bss = |number, frequency, on_air| Bss {
        bssid: [2, 0, 0, 0, 0, number],
        frequency,
        age: 1000,
        on_air,
        flags: "[WPA2-PSK+SAE-CCMP][WPS][ESS]",
        probe_response: elements(b"home", Some(1), true),
        beacon: elements(b"home", None, false),
    };
    let hidden = Bss {
        flags: "[ESS]",
        probe_response: Vec::new(),
        beacon: vec![0, 0],
        ..bss(2, 5180, true)
    };
    let mut state = fake.state();
    state.access_points = vec![bss(1, 2437, true), hidden, bss(3, 2412, false)];
    let old = state.platform(true, "old");
    state.join(old);
    drop(state);
    fake
}

fn play<R>(story: impl AsyncFnOnce() -> R) -> R {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(story())
}

async fn heard(fake: &Fake) -> Result<Vec<BssInfo>, LinuxError> {
    let mut driver = fake.driver();
    let scan = fake.with_time(Duration::from_secs(15), driver.scan()).await;
    scan.expect("an end").map(|neighbours| neighbours.iter().cloned().collect())
}

#[test]
fn it_hears_who_is_there_with_and_without_wps() {
    play(async || {
        let fake = house();
        let before = fake.platform();
        let found = heard(&fake).await.expect("a radio that works");
        let [home, hidden] = &found[..] else { panic!("{found:?}") };
        assert_eq!(home.ssid.as_ref().map(|it| it.as_bytes()), Some(&b"home"[..]));
        assert_eq!(
            (home.security, home.pairwise_cipher),
            (Some(Security::Wpa2Wpa3), Some(Cipher::Ccmp))
        );
        assert_eq!((home.wps, home.pressed, home.frequency_mhz), (true, Some(true), Some(2437)));
        assert_eq!((hidden.bssid, &hidden.ssid), (Bssid([2, 0, 0, 0, 0, 2]), &None));
        assert_eq!((hidden.security, hidden.wps), (Some(Security::Open), false));
        assert_eq!(fake.platform(), before);
        let orders = ["DISCONNECT", "SELECT", "SET", "REASSOCIATE", "WPS", "REMOVE", "ADD"];
        for order in orders {
            assert!(fake.state().asked(order).is_empty(), "{order}");
        }
    });
}

#[test]
fn a_scan_of_somebody_else_will_do() {
    play(async || {
        let fake = house();
        (fake.state().busy, fake.state().joined) = (1, false);
        fake.state().access_points[0].age = 3;
        assert_eq!(heard(&fake).await.expect("a radio that works").len(), 1);
        assert!(fake.state().asked("DISCONNECT").is_empty(), "it goes on looking for its network");
        assert_eq!(fake.state().asked("SCAN").len(), 1);
    });
}

#[test]
fn a_scan_that_never_ends_is_not_waited_for() {
    play(async || {
        let fake = house();
        fake.script(|request, _| {
            request.starts_with("SCAN").then(|| fake::Instead::Reply(b"OK\n".into()))
        });
        assert_eq!(heard(&fake).await.expect("what is in the table").len(), 0);
    });
}

#[test]
fn a_radio_that_is_off_says_so() {
    play(async || {
        let fake = house();
        fake.state().blocked = true;
        let error = heard(&fake).await.expect_err("no radio");
        assert_eq!(error.kind(), ErrorKind::Blocked);
    });
}
