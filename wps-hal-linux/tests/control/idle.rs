//! `maintain`: what loses the applied configuration, how soon that is noticed, and whether the
//! network accepts its key.

use wps_core::driver::IdleEvent;
use wps_core::{AccessPoint, Settings};
use wps_hal_linux::WpaSupplicant;

use super::*;
use crate::fake::Override;

/// How long nothing may be reported as lost.
const OBSERVATION_WINDOW: Duration = Duration::from_secs(60);
/// How long the driver may take to notice a loss.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(4);

const LOST: Option<IdleEvent> = Some(IdleEvent::ConfigLost);

/// Returns a driver that has applied these settings.
async fn configured_driver(fake: &Fake, settings: &Settings) -> WpaSupplicant {
    let mut driver = fake.driver();
    driver.apply(settings, &Snapshot::default()).await.unwrap();
    driver
}

/// Polls `maintain` for this time. Returns what it reports.
async fn maintain(fake: &Fake, driver: &mut WpaSupplicant, time: Duration) -> Option<IdleEvent> {
    fake.with_timeout(time, driver.maintain(&Settings::Platform)).await
}

fn station() -> Settings {
    Settings::Station { network: home() }
}

fn hotspot() -> Settings {
    let access_point = AccessPoint { network: network(b"hotspot", b"hotspot key"), channel: None };
    Settings::AccessPoint { access_point, remembered: None }
}

#[test]
fn a_kept_configuration_is_not_lost_and_is_polled_rarely() {
    run(async || {
        let fake = connected_station();
        for settings in [station(), hotspot()] {
            let mut driver = configured_driver(&fake, &settings).await;
            fake.state().requests.clear();
            assert_eq!(maintain(&fake, &mut driver, OBSERVATION_WINDOW).await, None);
            let requests = fake.state().requests.len();
            assert!((15..=21).contains(&requests), "{requests} requests in a minute");
        }
        // Without a link, wpa_supplicant searches for one by itself.
        let mut driver = configured_driver(&fake, &station()).await;
        fake.state().reachable.clear();
        fake.state().joined = false;
        assert_eq!(maintain(&fake, &mut driver, OBSERVATION_WINDOW).await, None);
    });
}

#[test]
fn a_restart_of_wpa_supplicant_loses_the_configuration() {
    run(async || {
        let fake = connected_station();
        for settings in [station(), hotspot()] {
            let mut driver = configured_driver(&fake, &settings).await;
            fake.state().restart();
            assert_eq!(maintain(&fake, &mut driver, NOTICE_TIMEOUT).await, LOST);
            driver.apply(&settings, &Snapshot::default()).await.unwrap();
            let ours = |network: &fake::Network| !network.text("id_str").is_empty();
            assert_eq!(fake.networks_and_current().0.iter().filter(|it| ours(it)).count(), 1);
            assert_eq!(maintain(&fake, &mut driver, OBSERVATION_WINDOW).await, None);
        }
        let mut driver = fake.driver();
        driver.join(&home(), &Snapshot::default()).await.unwrap();
        assert_eq!(maintain(&fake, &mut driver, OBSERVATION_WINDOW).await, None);
        fake.state().restart();
        // Another network has the same id now.
        fake.state().add_platform_network(true, "later");
        assert_eq!(maintain(&fake, &mut driver, NOTICE_TIMEOUT).await, LOST);
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
    current.is_some_and(|it| it.text("ssid") == hex(b"home"))
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
        assert_eq!(maintain(&fake, &mut driver, before).await, None);
        assert_eq!(maintain(&fake, &mut driver, NOTICE_TIMEOUT).await, LOST);
        driver.apply(&station(), &Snapshot::default()).await.unwrap();
        assert!(is_in_home(&fake));
        assert_eq!(maintain(&fake, &mut driver, OBSERVATION_WINDOW).await, None);
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
            let lost = maintain(&fake, &mut driver, before).await;
            assert_eq!(lost, None, "{seconds} s");
            let lost = maintain(&fake, &mut driver, NOTICE_TIMEOUT).await;
            assert_eq!(lost, LOST, "{seconds} s");
        }
        driver.apply(&station(), &Snapshot::default()).await.unwrap();
        assert_eq!(maintain(&fake, &mut driver, NOTICE_TIMEOUT).await, None);
        join_old(&fake);
        // One check sees the other network first, and another one that the delay is over.
        let soon = Duration::from_secs(10) + 2 * NOTICE_TIMEOUT;
        assert_eq!(maintain(&fake, &mut driver, soon).await, LOST);
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
                let home = hex(b"home");
                let home = state.networks.iter_mut().find(|it| it.text("ssid") == home);
                home.expect("our network").enabled = false;
            }
            fake.state().requests.clear();
            assert_eq!(maintain(&fake, &mut driver, OBSERVATION_WINDOW).await, None);
            let requests = fake.state().requests.len();
            assert!(requests < 80, "{requests} requests in a minute");
        }
    });
}

#[test]
fn a_return_does_not_wait_for_another_whole_delay_if_ours_was_out_of_range() {
    run(async || {
        let fake = connected_station();
        let mut driver = configured_driver(&fake, &station()).await;
        for seconds in [10, 20, 40, 80, 160] {
            join_old(&fake);
            let soon = Duration::from_secs(seconds) + NOTICE_TIMEOUT;
            assert_eq!(maintain(&fake, &mut driver, soon).await, LOST);
        }
        join_old(&fake);
        let home = std::mem::take(&mut fake.state().access_points);
        let out_of_range = Duration::from_secs(330);
        assert_eq!(maintain(&fake, &mut driver, out_of_range).await, None);
        fake.state().access_points = home;
        let soon = Duration::from_secs(10) + NOTICE_TIMEOUT;
        assert_eq!(maintain(&fake, &mut driver, soon).await, LOST);
    });
}

/// Gives no reply to the next request that starts and ends like this.
fn lose_reply(fake: &Fake, start: &'static str, end: &'static str) {
    let mut lost = false;
    fake.script(move |request, _| {
        let is_next = !lost && request.starts_with(start) && request.ends_with(end);
        lost |= is_next;
        is_next.then_some(Override::NoReply)
    });
}

#[test]
fn a_wait_dropped_when_the_delay_is_over_does_not_start_it_again() {
    run(async || {
        let fake = connected_station();
        let mut driver = configured_driver(&fake, &station()).await;
        join_old(&fake);
        lose_reply(&fake, "GET_NETWORK", " disabled");
        let over = Duration::from_secs(10) + NOTICE_TIMEOUT;
        assert_eq!(maintain(&fake, &mut driver, over).await, None);
        assert_eq!(maintain(&fake, &mut driver, NOTICE_TIMEOUT).await, LOST);
    });
}

#[test]
fn a_loss_is_noticed_only_once_wpa_supplicant_is_back() {
    run(async || {
        let fake = connected_station();
        let mut driver = configured_driver(&fake, &station()).await;
        fake.set_socket_visible(false);
        fake.state().restart();
        assert_eq!(maintain(&fake, &mut driver, OBSERVATION_WINDOW).await, None);
        fake.set_socket_visible(true);
        assert_eq!(maintain(&fake, &mut driver, NOTICE_TIMEOUT).await, LOST);
    });
}

#[test]
fn a_wpa_supplicant_without_a_reply_has_lost_nothing() {
    run(async || {
        let fake = connected_station();
        let mut driver = configured_driver(&fake, &station()).await;
        fake.script(|_, _| Some(Override::NoReply));
        assert_eq!(maintain(&fake, &mut driver, OBSERVATION_WINDOW).await, None);
    });
}

/// Maintains the link for this many seconds, and reads the link after each second, as for a page
/// that is open. Returns what is reported.
async fn maintain_and_read_link(
    fake: &Fake,
    driver: &mut WpaSupplicant,
    seconds: u32,
) -> Option<IdleEvent> {
    for _ in 0..seconds {
        let report = maintain(fake, driver, Duration::from_secs(1)).await;
        if report.is_some() {
            return report;
        }
        driver.link().await.unwrap();
    }
    None
}

#[test]
fn a_wait_dropped_every_second_still_notices_and_is_polled_rarely() {
    run(async || {
        let fake = connected_station();
        let mut driver = configured_driver(&fake, &station()).await;
        fake.state().requests.clear();
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 60).await, None);
        let is_link = |request: &&Vec<u8>| request.starts_with(b"SIGNAL_POLL");
        let requests = fake.state().requests.len();
        let of_link = 2 * fake.state().requests.iter().filter(is_link).count();
        assert!((15..=21).contains(&(requests - of_link)), "{requests} requests in a minute");
        fake.state().restart();
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 4).await, LOST);
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 1).await, LOST, "until an apply");
    });
}

#[test]
fn the_platforms_own_networks_cannot_be_lost() {
    run(async || {
        let fake = connected_station();
        let mut driver = configured_driver(&fake, &Settings::Platform).await;
        fake.state().restart();
        fake.state().requests.clear();
        assert_eq!(maintain(&fake, &mut driver, OBSERVATION_WINDOW).await, None);
        assert!(fake.state().requests.is_empty());
    });
}

#[test]
fn a_disconnect_by_another_program_is_undone_after_ten_seconds() {
    run(async || {
        let fake = connected_station();
        let mut driver = configured_driver(&fake, &station()).await;
        for seconds in [10, 20, 40] {
            (fake.state().joined, fake.state().disconnected) = (false, true);
            fake.state().current = None;
            let report = maintain_and_read_link(&fake, &mut driver, seconds - 1).await;
            assert_eq!(report, None, "{seconds} s");
            assert_eq!(maintain_and_read_link(&fake, &mut driver, 4).await, LOST, "{seconds} s");
        }
        driver.apply(&station(), &Snapshot::default()).await.unwrap();
        assert!(is_in_home(&fake));
        assert_eq!(maintain(&fake, &mut driver, NOTICE_TIMEOUT).await, None);
        // Disabling our network is the way to keep it disconnected.
        let ours = our_id(&fake);
        (fake.state().joined, fake.state().disconnected) = (false, true);
        fake.state().networks.iter_mut().filter(|it| it.id == ours).for_each(|it| {
            it.enabled = false;
        });
        assert_eq!(maintain(&fake, &mut driver, OBSERVATION_WINDOW).await, None);
    });
}

/// wpa_supplicant waits as `DISCONNECTED` then, too, if SAE has failed.
#[test]
fn a_network_that_is_ignored_for_some_time_is_not_applied_again() {
    run(async || {
        let fake = connected_station();
        let mut driver = configured_driver(&fake, &station()).await;
        (fake.state().joined, fake.state().disconnected) = (false, true);
        (fake.state().current, fake.state().temp_disabled) = (None, Some(our_id(&fake)));
        assert_eq!(maintain(&fake, &mut driver, OBSERVATION_WINDOW).await, None);
        fake.state().temp_disabled = None;
        assert_eq!(maintain(&fake, &mut driver, Duration::from_secs(9)).await, None);
        assert_eq!(maintain(&fake, &mut driver, 2 * NOTICE_TIMEOUT).await, LOST);
    });
}

// --- the key -------------------------------------------------------------------------------------

const KEY_REFUSED: Option<IdleEvent> = Some(IdleEvent::KeyRefused);
const KEY_ACCEPTED: Option<IdleEvent> = Some(IdleEvent::KeyAccepted);

/// Returns the id of our network.
fn our_id(fake: &Fake) -> u32 {
    let state = fake.state();
    let ours = state.networks.iter().find(|it| !it.text("id_str").is_empty());
    ours.expect("our network").id
}

/// Changes the password at the router: the link breaks, and wpa_supplicant tries to return.
async fn station_without_link(fake: &Fake) -> WpaSupplicant {
    let mut driver = configured_driver(fake, &station()).await;
    assert!(is_in_home(fake));
    fake.state().reachable.insert(hex(b"home"), b"\"another key\"".to_vec());
    fake.state().joined = false;
    // It listens from its first check on.
    assert_eq!(maintain_and_read_link(fake, &mut driver, 4).await, None);
    driver
}

/// Sends the event with which wpa_supplicant reports that the network `id` has refused its key.
async fn refuse_key(fake: &Fake, id: u32) {
    disable_temporarily(fake, id, "WRONG_KEY").await;
}

/// Sends the event with which wpa_supplicant reports that it ignores the network `id` for some
/// time.
async fn disable_temporarily(fake: &Fake, id: u32, reason: &str) {
    fake.emit(format!(
        "CTRL-EVENT-SSID-TEMP-DISABLED id={id} ssid=\"home\" auth_failures=1 duration=10 \
         reason={reason}"
    ))
    .await;
}

/// Sends the event with which wpa_supplicant reports that an access point has refused the key.
async fn refuse_key_as_access_point(fake: &Fake, bssid: [u8; 6]) {
    let bssid = address(bssid);
    fake.emit(format!(
        "CTRL-EVENT-AUTH-REJECT {bssid} auth_type=3 auth_transaction=2 status_code=1"
    ))
    .await;
}

async fn accept_key(fake: &Fake, id: u32) {
    fake.emit(format!(
        "CTRL-EVENT-CONNECTED - Connection to 02:00:00:00:00:10 completed [id={id} id_str=]"
    ))
    .await;
}

#[test]
fn a_key_refused_twice_in_a_row_and_then_accepted_is_reported_once_each() {
    run(async || {
        let fake = connected_station();
        let mut driver = station_without_link(&fake).await;
        let id = our_id(&fake);
        refuse_key(&fake, id).await;
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 20).await, None, "once");
        refuse_key(&fake, id).await;
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 1).await, KEY_REFUSED);
        refuse_key(&fake, id).await;
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 20).await, None, "again");
        accept_key(&fake, id).await;
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 1).await, KEY_ACCEPTED);
        fake.state().joined = true;
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 20).await, None);
    });
}

#[test]
fn a_link_that_is_up_again_shows_that_the_key_is_accepted() {
    run(async || {
        let fake = connected_station();
        let mut driver = station_without_link(&fake).await;
        for _ in 0..2 {
            refuse_key(&fake, our_id(&fake)).await;
        }
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 1).await, KEY_REFUSED);
        fake.state().joined = true; // without an event
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 4).await, KEY_ACCEPTED);
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 20).await, None);
    });
}

#[test]
fn two_refusals_with_a_connection_in_between_are_bad_reception() {
    run(async || {
        let fake = connected_station();
        let mut driver = station_without_link(&fake).await;
        let id = our_id(&fake);
        for _ in 0..3 {
            refuse_key(&fake, id).await;
            accept_key(&fake, id).await;
            assert_eq!(maintain_and_read_link(&fake, &mut driver, 5).await, None);
        }
    });
}

#[test]
fn refusals_with_another_failure_in_between_are_not_in_a_row() {
    run(async || {
        for out_of_range in [true, false] {
            let fake = connected_station();
            let mut driver = station_without_link(&fake).await;
            let id = our_id(&fake);
            for _ in 0..3 {
                refuse_key(&fake, id).await;
                assert_eq!(maintain_and_read_link(&fake, &mut driver, 1).await, None);
                if out_of_range {
                    let home = std::mem::take(&mut fake.state().access_points);
                    fake.emit("CTRL-EVENT-NETWORK-NOT-FOUND ").await;
                    assert_eq!(maintain_and_read_link(&fake, &mut driver, 20).await, None);
                    fake.state().access_points = home;
                } else {
                    disable_temporarily(&fake, id, "AUTH_FAILED").await;
                }
            }
        }
    });
}

/// While wpa_supplicant ignores the network, no enabled one is in range.
#[test]
fn what_follows_from_a_refusal_is_no_other_failure() {
    run(async || {
        for by_access_point in [true, false] {
            let fake = connected_station();
            let mut driver = station_without_link(&fake).await;
            let id = our_id(&fake);
            for expected in [None, KEY_REFUSED] {
                if by_access_point {
                    refuse_key_as_access_point(&fake, HOME).await;
                    disable_temporarily(&fake, id, "CONN_FAILED").await;
                } else {
                    refuse_key(&fake, id).await;
                }
                assert_eq!(maintain_and_read_link(&fake, &mut driver, 1).await, expected);
                for _ in 0..2 {
                    fake.emit("CTRL-EVENT-SCAN-RESULTS ").await;
                    fake.emit("CTRL-EVENT-NETWORK-NOT-FOUND ").await;
                }
            }
        }
    });
}

#[test]
fn an_access_point_of_our_network_that_refuses_the_key_counts_and_no_other_does() {
    run(async || {
        let fake = connected_station();
        let mut elsewhere = access_point(OTHER, 2412, false);
        elsewhere.probe_response = elements(b"old", None, false);
        fake.state().access_points.push(elsewhere);
        let mut driver = station_without_link(&fake).await;
        let other = fake.state().networks[0].id;
        for _ in 0..3 {
            refuse_key(&fake, other).await;
            refuse_key_as_access_point(&fake, OTHER).await;
        }
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 5).await, None);
        refuse_key_as_access_point(&fake, HOME).await;
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 5).await, None);
        refuse_key_as_access_point(&fake, HOME).await;
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 1).await, KEY_REFUSED);
    });
}

#[test]
fn a_refusal_whose_handling_was_dropped_counts_once() {
    run(async || {
        let fake = connected_station();
        let mut driver = station_without_link(&fake).await;
        for expected in [None, KEY_REFUSED] {
            lose_reply(&fake, "BSS RANGE", "");
            refuse_key_as_access_point(&fake, HOME).await;
            assert_eq!(maintain(&fake, &mut driver, Duration::from_secs(1)).await, None);
            assert_eq!(maintain(&fake, &mut driver, Duration::from_secs(1)).await, expected);
        }
    });
}

#[test]
fn refusals_from_before_an_apply_or_a_join_do_not_count() {
    run(async || {
        for joins in [false, true] {
            let fake = connected_station();
            let mut driver = station_without_link(&fake).await;
            // Not read yet.
            refuse_key(&fake, our_id(&fake)).await;
            refuse_key(&fake, our_id(&fake)).await;
            let network = network(b"home", b"another key");
            if joins {
                driver.join(&network, &Snapshot::default()).await.unwrap();
            } else {
                let settings = Settings::Station { network };
                driver.apply(&settings, &Snapshot::default()).await.unwrap();
            }
            fake.state().joined = false;
            assert_eq!(maintain_and_read_link(&fake, &mut driver, 5).await, None);
            refuse_key(&fake, our_id(&fake)).await;
            assert_eq!(maintain_and_read_link(&fake, &mut driver, 5).await, None);
        }
    });
}

/// Each return to our network from another one is an `apply` and ends with one refusal.
#[test]
fn refusals_after_each_apply_of_the_same_key_are_reported_once_until_it_is_accepted() {
    run(async || {
        let fake = connected_station();
        let mut driver = station_without_link(&fake).await;
        for expected in [None, KEY_REFUSED, None, None] {
            refuse_key(&fake, our_id(&fake)).await;
            assert_eq!(maintain_and_read_link(&fake, &mut driver, 1).await, expected);
            driver.apply(&station(), &Snapshot::default()).await.unwrap();
            assert_eq!(maintain_and_read_link(&fake, &mut driver, 1).await, None);
        }
        accept_key(&fake, our_id(&fake)).await;
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 1).await, KEY_ACCEPTED);
    });
}

#[test]
fn a_join_with_the_same_key_forgets_the_refusals() {
    run(async || {
        let fake = connected_station();
        let mut driver = station_without_link(&fake).await;
        refuse_key(&fake, our_id(&fake)).await;
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 1).await, None);
        fake.state().reachable.insert(hex(b"home"), format!("\"{SECRET}\"").into_bytes());
        driver.join(&home(), &Snapshot::default()).await.unwrap();
        fake.state().joined = false;
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 4).await, None);
        for expected in [None, KEY_REFUSED] {
            refuse_key(&fake, our_id(&fake)).await;
            assert_eq!(maintain_and_read_link(&fake, &mut driver, 1).await, expected);
        }
    });
}

#[test]
fn a_reopened_control_socket_hides_no_further_refusal() {
    run(async || {
        let fake = connected_station();
        let mut driver = station_without_link(&fake).await;
        let mut reopened = false;
        fake.script(move |request, _| {
            let first = request == "STATUS" && !std::mem::replace(&mut reopened, true);
            first.then_some(Override::ReopenSocket)
        });
        assert_eq!(maintain(&fake, &mut driver, Duration::from_secs(30)).await, None);
        for _ in 0..2 {
            refuse_key(&fake, our_id(&fake)).await;
        }
        assert_eq!(maintain_and_read_link(&fake, &mut driver, 1).await, KEY_REFUSED);
    });
}

#[test]
fn without_a_link_it_is_polled_rarely_too() {
    run(async || {
        let fake = connected_station();
        let mut driver = station_without_link(&fake).await;
        fake.state().requests.clear();
        assert_eq!(maintain(&fake, &mut driver, OBSERVATION_WINDOW).await, None);
        let requests = fake.state().requests.len();
        assert!((45..=63).contains(&requests), "{requests} requests in a minute");
        assert!(fake.state().requests_with_prefix("ATTACH").is_empty());
    });
}
