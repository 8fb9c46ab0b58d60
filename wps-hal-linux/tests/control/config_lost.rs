//! `config_lost`: what loses the applied configuration, and how soon that is noticed.

use wps_core::{AccessPoint, Settings};
use wps_hal_linux::WpaSupplicant;

use super::*;
use crate::fake::Override;

/// How long nothing may be reported as lost.
const OBSERVATION_WINDOW: Duration = Duration::from_secs(60);
/// How long the driver may take to notice a loss.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(4);

/// Returns a driver that has applied these settings.
async fn configured_driver(fake: &Fake, settings: &Settings) -> WpaSupplicant {
    let mut driver = fake.driver();
    driver.apply(settings, &Snapshot::default()).await.unwrap();
    driver
}

fn station() -> Settings {
    Settings::Station { network: home() }
}

fn hotspot() -> Settings {
    let access_point =
        AccessPoint { network: credentials(b"hotspot", b"hotspot key"), channel: None };
    Settings::AccessPoint { access_point, remembered: None }
}

#[test]
fn a_kept_configuration_is_not_lost_and_is_polled_rarely() {
    run(async || {
        let fake = connected_station();
        for settings in [station(), hotspot()] {
            let mut driver = configured_driver(&fake, &settings).await;
            fake.state().requests.clear();
            assert_eq!(fake.with_timeout(OBSERVATION_WINDOW, driver.config_lost()).await, None);
            let requests = fake.state().requests.len();
            assert!((15..=21).contains(&requests), "{requests} requests in a minute");
        }
        // Without a link, wpa_supplicant searches for one by itself.
        let mut driver = configured_driver(&fake, &station()).await;
        fake.state().reachable.clear();
        fake.state().joined = false;
        assert_eq!(fake.with_timeout(OBSERVATION_WINDOW, driver.config_lost()).await, None);
    });
}

#[test]
fn a_restart_of_wpa_supplicant_loses_the_configuration() {
    run(async || {
        let fake = connected_station();
        for settings in [station(), hotspot()] {
            let mut driver = configured_driver(&fake, &settings).await;
            fake.state().restart();
            assert_eq!(fake.with_timeout(NOTICE_TIMEOUT, driver.config_lost()).await, Some(()));
            driver.apply(&settings, &Snapshot::default()).await.unwrap();
            let ours = |network: &fake::Network| !network.text("id_str").is_empty();
            assert_eq!(fake.networks_and_current().0.iter().filter(|it| ours(it)).count(), 1);
            assert_eq!(fake.with_timeout(OBSERVATION_WINDOW, driver.config_lost()).await, None);
        }
        let mut driver = fake.driver();
        driver.join(&home(), &Snapshot::default()).await.unwrap();
        assert_eq!(fake.with_timeout(OBSERVATION_WINDOW, driver.config_lost()).await, None);
        fake.state().restart();
        // Another network has the same id now.
        fake.state().add_platform_network(true, "later");
        assert_eq!(fake.with_timeout(NOTICE_TIMEOUT, driver.config_lost()).await, Some(()));
    });
}

/// Puts the fake where a failed association leaves wpa_supplicant: in "old", with "home"
/// enabled.
fn join_old(fake: &Fake) {
    let mut state = fake.state();
    let old = state.networks.iter().find(|it| it.text("ssid") == "\"old\"").map(|it| it.id);
    state.set_joined(old.expect("the platform's network"));
}

fn is_in_home(fake: &Fake) -> bool {
    let state = fake.state();
    let current = state.networks.iter().find(|it| Some(it.id) == state.current);
    current.is_some_and(|it| it.text("ssid") == fake::hex(b"home"))
}

#[test]
fn another_network_in_place_of_ours_is_left_after_ten_seconds() {
    run(async || {
        let fake = connected_station();
        let mut driver = configured_driver(&fake, &station()).await;
        assert!(is_in_home(&fake));
        join_old(&fake);
        // Dropped once in between, as for a request of the link.
        let before = Duration::from_secs(9);
        assert_eq!(fake.with_timeout(before, driver.config_lost()).await, None);
        assert_eq!(fake.with_timeout(NOTICE_TIMEOUT, driver.config_lost()).await, Some(()));
        driver.apply(&station(), &Snapshot::default()).await.unwrap();
        assert!(is_in_home(&fake));
        assert_eq!(fake.with_timeout(OBSERVATION_WINDOW, driver.config_lost()).await, None);
    });
}

#[test]
fn the_delay_before_a_return_doubles_up_to_640_seconds_and_success_resets_it() {
    run(async || {
        let fake = connected_station();
        let mut driver = configured_driver(&fake, &station()).await;
        for seconds in [10, 20, 40, 80, 160, 320, 640, 640, 640] {
            join_old(&fake);
            let before = Duration::from_secs(seconds - 1);
            let lost = fake.with_timeout(before, driver.config_lost()).await;
            assert_eq!(lost, None, "{seconds} s");
            let lost = fake.with_timeout(NOTICE_TIMEOUT, driver.config_lost()).await;
            assert_eq!(lost, Some(()), "{seconds} s");
        }
        driver.apply(&station(), &Snapshot::default()).await.unwrap();
        assert_eq!(fake.with_timeout(NOTICE_TIMEOUT, driver.config_lost()).await, None);
        join_old(&fake);
        let soon = Duration::from_secs(10) + NOTICE_TIMEOUT;
        assert_eq!(fake.with_timeout(soon, driver.config_lost()).await, Some(()));
    });
}

#[test]
fn another_network_is_kept_while_ours_is_out_of_range_or_disabled() {
    run(async || {
        for out_of_range in [true, false] {
            let fake = connected_station();
            let mut driver = configured_driver(&fake, &station()).await;
            join_old(&fake);
            if out_of_range {
                fake.state().access_points.clear();
            } else {
                let mut state = fake.state();
                let home = fake::hex(b"home");
                let home = state.networks.iter_mut().find(|it| it.text("ssid") == home);
                home.expect("our network").enabled = false;
            }
            fake.state().requests.clear();
            assert_eq!(fake.with_timeout(OBSERVATION_WINDOW, driver.config_lost()).await, None);
            let requests = fake.state().requests.len();
            assert!(requests < 60, "{requests} requests in a minute");
        }
    });
}

#[test]
fn a_loss_is_noticed_only_once_wpa_supplicant_is_back() {
    run(async || {
        let fake = connected_station();
        let mut driver = configured_driver(&fake, &station()).await;
        fake.set_socket_visible(false);
        fake.state().restart();
        assert_eq!(fake.with_timeout(OBSERVATION_WINDOW, driver.config_lost()).await, None);
        fake.set_socket_visible(true);
        assert_eq!(fake.with_timeout(NOTICE_TIMEOUT, driver.config_lost()).await, Some(()));
    });
}

#[test]
fn a_wpa_supplicant_without_a_reply_has_lost_nothing() {
    run(async || {
        let fake = connected_station();
        let mut driver = configured_driver(&fake, &station()).await;
        fake.script(|_, _| Some(Override::NoReply));
        assert_eq!(fake.with_timeout(OBSERVATION_WINDOW, driver.config_lost()).await, None);
    });
}

#[test]
fn a_wait_dropped_repeatedly_still_notices() {
    run(async || {
        let fake = connected_station();
        let mut driver = configured_driver(&fake, &station()).await;
        let moment = Duration::from_millis(500);
        for _ in 0..10 {
            assert_eq!(fake.with_timeout(moment, driver.config_lost()).await, None);
        }
        fake.state().restart();
        assert_eq!(fake.with_timeout(moment, driver.config_lost()).await, Some(()));
    });
}

#[test]
fn the_platforms_own_networks_cannot_be_lost() {
    run(async || {
        let fake = connected_station();
        let mut driver = configured_driver(&fake, &Settings::Platform).await;
        fake.state().restart();
        fake.state().requests.clear();
        assert_eq!(fake.with_timeout(OBSERVATION_WINDOW, driver.config_lost()).await, None);
        assert!(fake.state().requests.is_empty());
    });
}
