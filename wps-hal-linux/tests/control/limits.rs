//! What a wpa_supplicant or a card cannot do, and what works nevertheless.

use std::cell::Cell;

use wps_core::driver::IdleEvent;
use wps_core::{AccessPoint, Settings};

use super::*;
use crate::fake::{Override, ScanFailure};

/// How long every scan must fail before the driver leaves its network to scan.
const FAILURE_TIMEOUT: Duration = Duration::from_secs(5);

fn hotspot() -> Settings {
    let access_point = AccessPoint { network: network(b"hotspot", b"hotspot key"), channel: None };
    Settings::AccessPoint { access_point, remembered: None }
}

fn station() -> Settings {
    Settings::Station { network: home() }
}

// --- without WPS ---------------------------------------------------------------------------------

/// wpa_supplicant as OpenWrt's package wpad-basic has it.
fn without_wps() -> Fake {
    let fake = connected_station();
    fake.state().without_wps = true;
    fake
}

#[test]
fn without_wps_a_start_is_refused_at_once() {
    run(async || {
        let fake = without_wps();
        for error in [
            fake.driver().check_pairing().await.expect_err("no WPS"),
            fake.driver().check().await.expect_err("no WPS"),
            pair(&fake).await.0.expect_err("no WPS"),
        ] {
            assert_eq!(error.kind(), ErrorKind::WithoutWps);
            assert!(error.to_string().starts_with("this wpa_supplicant was built without WPS"));
        }
        assert_eq!(fake.state().requests_with_prefix("SET"), [""; 0]);
        assert!(fake.state().joined);
    });
}

#[test]
fn without_wps_settings_by_hand_are_joined_and_a_failed_change_is_restored() {
    run(async || {
        let fake = without_wps();
        let before = flags(&fake);
        let snapshot = take_snapshot(&fake).await;
        let mut driver = fake.driver();
        driver.join(&home(), &snapshot).await.expect("joined");
        driver.apply(&Settings::Platform, &snapshot).await.expect("restored");
        assert_eq!(flags(&fake), before);
        driver.apply(&hotspot(), &Snapshot::default()).await.expect("served");
        driver.apply(&station(), &Snapshot::default()).await.expect("configured");
        assert_eq!(fake.state().requests_with_prefix("SET wps"), [""; 0]);
        assert_eq!(fake.state().requests_with_prefix("SET config_methods"), [""; 0]);
    });
}

/// The record of an earlier version has a value for a variable that could not be read.
#[test]
fn a_variable_that_cannot_be_read_is_not_written_when_settings_are_restored() {
    run(async || {
        let fake = connected_station();
        fake.state().globals.insert("wps_cred_processing".into(), "1".into());
        let snapshot = take_snapshot(&fake).await;
        fake.state().without_wps = true;
        fake.driver().apply(&Settings::Platform, &snapshot).await.expect("restored");
        assert_eq!(fake.state().requests_with_prefix("SET "), [""; 0]);
    });
}

#[test]
fn a_refused_variable_does_not_keep_the_device_from_its_network() {
    run(async || {
        let fake = connected_station();
        let snapshot = take_snapshot(&fake).await;
        fake.state().globals.insert("wps_cred_processing".into(), "1".into());
        fake.script(|request, _| {
            request.starts_with("SET ").then(|| Override::Reply(b"FAIL\n".to_vec()))
        });
        let mut driver = fake.driver();
        driver.join(&home(), &snapshot).await.expect("joined");
        driver.apply(&Settings::Platform, &snapshot).await.expect("restored");
        assert!(!fake.state().requests_with_prefix("SET ").is_empty());
    });
}

#[test]
fn config_methods_that_cannot_be_read_are_not_written() {
    run(async || {
        let fake = connected_station();
        fake.state().globals.remove("config_methods");
        assert_eq!(pair(&fake).await.0.unwrap().at(0), &home());
        assert_eq!(fake.state().requests_with_prefix("SET config_methods"), [""; 0]);
    });
}

#[test]
fn variables_of_a_network_that_not_every_wpa_supplicant_has_are_optional() {
    run(async || {
        let fake = connected_station();
        fake.state().unknown_variables = vec![
            ("priority", ""),
            ("scan_ssid", ""),
            ("ieee80211w", ""),
            ("wps_disabled", ""),
            ("key_mgmt", "SHA256"),
        ];
        fake.driver().join(&home(), &Snapshot::default()).await.expect("joined");
        let key_mgmt = fake.state().networks.last().map(|it| it.text("key_mgmt"));
        assert_eq!(key_mgmt.as_deref(), Some("WPA-PSK"), "SAE needs protected frames");
        let open_to_wps = fake.driver().apply(&hotspot(), &Snapshot::default()).await;
        assert_eq!(kind(open_to_wps), ErrorKind::Other, "anybody could join by push button");
        fake.state().without_wps = true;
        fake.driver().apply(&hotspot(), &Snapshot::default()).await.expect("served");
    });
}

// --- scans while connected -----------------------------------------------------------------------

/// Pairs with a card whose scans fail in this way while it is connected. Returns when the driver
/// has left the network, and the offer.
async fn pair_with_failing_scans(
    fake: &Fake,
    failure: ScanFailure,
) -> (Option<Duration>, Option<Result<Offer, LinuxError>>) {
    fake.state().scan_while_joined = Some(failure);
    let (start, left) = (tokio::time::Instant::now(), Cell::new(None));
    let report = |event| {
        if event == PairEvent::OffAir && left.get().is_none() {
            assert!(fake.state().joined, "reported before it leaves");
            left.set(Some(start.elapsed()));
        }
    };
    let mut overlap_detector = OverlapDetector::new();
    let mut driver = fake.driver();
    let mut context = PairContext::new(&mut overlap_detector, &report);
    let offer = fake.with_timeout(PAIRING_WINDOW, driver.pair(&mut context)).await;
    (left.get(), offer)
}

#[test]
fn a_card_that_cannot_scan_while_connected_leaves_its_network_after_five_seconds() {
    run(async || {
        for failure in [
            ScanFailure::Fails(-16),
            ScanFailure::Fails(-95),
            ScanFailure::Fails(-5),
            ScanFailure::Fails(-22),
            ScanFailure::Refused,
            ScanFailure::Hangs,
        ] {
            let fake = connected_station();
            let snapshot = take_snapshot(&fake).await;
            let (left, offer) = pair_with_failing_scans(&fake, failure).await;
            assert_eq!(offer.expect("an end").expect("an offer").at(0), &home(), "{failure:?}");
            let left = left.expect("it has left");
            assert!(
                (FAILURE_TIMEOUT..FAILURE_TIMEOUT * 2).contains(&left),
                "{failure:?}: {left:?}"
            );
            let aborted = !fake.state().requests_with_prefix("ABORT_SCAN").is_empty();
            assert_eq!(aborted, failure == ScanFailure::Hangs, "{failure:?}");
            // The old network is back after a failure.
            fake.driver().apply(&Settings::Platform, &snapshot).await.expect("restored");
            assert!(fake.state().joined);
        }
    });
}

#[test]
fn a_card_that_scans_again_within_five_seconds_stays_connected() {
    run(async || {
        let fake = connected_station();
        fake.script(|request, state| {
            if request.starts_with("SCAN") && state.requests_with_prefix("SCAN").len() > 15 {
                state.scan_while_joined = None;
            }
            None
        });
        let report = |event| {
            if event == PairEvent::OffAir {
                assert!(fake.state().requests_with_prefix("SCAN").len() > 15, "for the exchange");
            }
        };
        fake.state().scan_while_joined = Some(ScanFailure::Fails(-16));
        let mut overlap_detector = OverlapDetector::new();
        let mut driver = fake.driver();
        let mut context = PairContext::new(&mut overlap_detector, &report);
        let offer = fake.with_timeout(PAIRING_WINDOW, driver.pair(&mut context)).await;
        assert_eq!(offer.expect("an end").expect("an offer").at(0), &home());
        assert!(fake.state().requests_with_prefix("DISCONNECT").is_empty());
    });
}

/// The kernel also answers -16 while another program scans.
#[test]
fn while_scans_of_others_succeed_the_network_is_not_left() {
    run(async || {
        let fake = connected_station();
        fake.script(|request, state| {
            if request.starts_with("SCAN") && state.requests_with_prefix("SCAN").len() % 10 == 0 {
                state.emit_after_reply("CTRL-EVENT-SCAN-FAILED ret=-16");
                state.emit_after_reply("CTRL-EVENT-SCAN-RESULTS ");
                return Some(Override::Reply(b"OK\n".to_vec()));
            }
            None
        });
        let (left, offer) = pair_with_failing_scans(&fake, ScanFailure::Fails(-16)).await;
        assert!((left, offer.is_none()) == (None, true), "{left:?}");
        assert!(fake.state().joined);
    });
}

#[test]
fn a_card_that_can_never_scan_could_not_look_and_has_not_seen_nothing() {
    run(async || {
        for error in [-16, -22, -95] {
            let fake = connected_station();
            fake.state().bad_frequencies = CHANNELS.map(|frequency| (frequency, error)).into();
            let (offer, mut progress) = try_to_pair(&fake, &mut OverlapDetector::new(), None).await;
            assert!(offer.is_none(), "it looks until the window closes: {offer:?}");
            progress.dedup();
            assert_eq!(progress, [SearchProgress::Looking, SearchProgress::CannotScan], "{error}");
        }
    });
}

#[test]
fn a_list_of_access_points_that_could_not_be_scanned_is_an_error_and_not_empty() {
    run(async || {
        for failure in [ScanFailure::Fails(-16), ScanFailure::Fails(-95), ScanFailure::Hangs] {
            let fake = connected_station();
            fake.state().scan_while_joined = Some(failure);
            let mut driver = fake.driver();
            let list = fake.with_timeout(Duration::from_secs(15), driver.scan()).await;
            list.expect("an end").expect_err("it could not look");
            if failure == ScanFailure::Fails(-16) {
                continue;
            }
            // What was seen lately is an answer.
            fake.state().access_points[0].age = 10;
            let list = fake.with_timeout(Duration::from_secs(15), driver.scan()).await;
            assert_eq!(list.expect("an end").expect("a list").iter().count(), 1);
        }
    });
}

// --- WPA3 that the card cannot do ----------------------------------------------------------------

/// An access point "home" that refuses associations with SAE, and advertises these flags.
fn refusing_sae(flags: &'static str) -> Fake {
    let fake = connected_station();
    {
        let mut state = fake.state();
        state.sae_refusal = Some(16);
        state.joined_bssid = HOME;
        state.access_points[0].flags = flags;
        state.access_points[0].age = 1;
    }
    fake
}

const TRANSITION: &str = "[WPA2-PSK+SAE-CCMP][WPS-PBC][ESS]";

/// Returns the values of `key_mgmt` that the driver has set for networks with a key.
fn key_mgmts(fake: &Fake) -> Vec<String> {
    let all = fake.state().requests_with_prefix("SET_NETWORK");
    let values = all.iter().filter_map(|it| it.split_once(" key_mgmt "));
    values.map(|(_, value)| value.to_owned()).filter(|it| it.contains("PSK")).collect()
}

const WITH_SAE: &str = "WPA-PSK WPA-PSK-SHA256 SAE";
const WITHOUT_SAE: &str = "WPA-PSK WPA-PSK-SHA256";

#[test]
fn a_network_that_refuses_this_card_with_wpa3_is_joined_with_wpa2() {
    run(async || {
        let fake = refusing_sae(TRANSITION);
        fake.driver().join(&home(), &Snapshot::default()).await.expect("joined");
        assert_eq!(key_mgmts(&fake), [WITH_SAE, WITHOUT_SAE]);
    });
}

#[test]
fn a_network_with_wpa3_only_that_refuses_this_card_is_not_tried_for_ever() {
    run(async || {
        let fake = refusing_sae("[WPA2-SAE-CCMP][WPS-PBC][ESS]");
        // wpa_supplicant tries again by itself.
        fake.script(|request, state| {
            if request == "PING" || request.starts_with("SELECT") {
                for _ in 0..5 {
                    state.emit_after_reply("CTRL-EVENT-ASSOC-REJECT status_code=16");
                }
            }
            None
        });
        assert_eq!(
            kind(fake.driver().join(&home(), &Snapshot::default()).await),
            ErrorKind::Refused
        );
        assert_eq!(key_mgmts(&fake), [WITH_SAE], "WPA2 would not help");
        assert_eq!(fake.state().requests_with_prefix("SELECT").len(), 1);
    });
}

/// brcmfmac reports no address, and hostap prints zeros.
#[test]
fn a_rejection_without_an_address_is_one_of_the_network_that_is_joined() {
    run(async || {
        let fake = refusing_sae(TRANSITION);
        fake.state().joined_bssid = [0; 6];
        fake.driver().join(&home(), &Snapshot::default()).await.expect("joined");
        assert_eq!(key_mgmts(&fake), [WITH_SAE, WITHOUT_SAE]);
    });
}

#[test]
fn at_rest_a_rejection_without_an_address_counts_once_wpa_supplicant_names_our_network() {
    run(async || {
        for is_ours in [true, false] {
            let fake = refusing_sae(TRANSITION);
            let mut driver = fake.driver();
            driver.apply(&station(), &Snapshot::default()).await.expect("configured");
            let ours = fake.state().networks.last().map(|it| it.id).expect("our network");
            let id = if is_ours { ours } else { 0 };
            let retries = async {
                fake.emit("CTRL-EVENT-ASSOC-REJECT bssid=00:00:00:00:00:00 status_code=16").await;
                fake.emit(format!(
                    "CTRL-EVENT-SSID-TEMP-DISABLED id={id} ssid=\"x\" auth_failures=1 duration=10 \
                     reason=CONN_FAILED"
                ))
                .await;
                tokio::time::sleep(Duration::from_secs(10)).await;
            };
            let settings = station();
            let rest = select(driver.maintain(&settings), async {
                tokio::time::sleep(Duration::from_secs(4)).await;
                retries.await;
            });
            fake.with_timeout(Duration::from_secs(60), rest).await.expect("an end");
            let stopped = key_mgmts(&fake) == [WITH_SAE, WITHOUT_SAE];
            assert_eq!(stopped, is_ours, "{:?}", key_mgmts(&fake));
        }
    });
}

/// wpa_supplicant reports the same event as for a network that is out of range.
#[test]
fn a_network_that_is_in_range_and_fits_no_settings_refuses_and_is_not_missing() {
    run(async || {
        for (age, expected) in [(0, ErrorKind::Refused), (5, ErrorKind::NotFound)] {
            let fake = refusing_sae("[WPA2-SAE-CCMP][WPS-PBC][ESS]");
            fake.state().reachable.remove(&hex(b"home"));
            fake.state().access_points[0].age = age;
            let joined = fake.driver().join(&home(), &Snapshot::default()).await;
            assert_eq!(kind(joined), expected);
        }
    });
}

#[test]
fn a_refusal_for_now_is_no_reason_to_give_up_wpa3() {
    run(async || {
        let fake = refusing_sae(TRANSITION);
        fake.state().sae_refusal = None;
        let mut is_first = true;
        fake.script(move |request, state| {
            if request.starts_with("SELECT") && std::mem::take(&mut is_first) {
                state.emit_before_reply("CTRL-EVENT-ASSOC-REJECT status_code=30");
            }
            None
        });
        fake.driver().join(&home(), &Snapshot::default()).await.expect("joined");
        assert_eq!(key_mgmts(&fake), [WITH_SAE]);
    });
}

/// The same when a saved network is joined at the start, or later by itself.
#[test]
fn a_saved_network_that_refuses_this_card_with_wpa3_is_joined_with_wpa2_at_rest() {
    run(async || {
        let fake = refusing_sae(TRANSITION);
        let mut driver = fake.driver();
        driver.apply(&station(), &Snapshot::default()).await.expect("configured");
        assert!(!fake.state().joined);
        let rest = async {
            driver.maintain(&station()).await;
        };
        // wpa_supplicant tries the network again and again.
        let retries = async {
            for _ in 0..3 {
                fake.emit(format!(
                    "CTRL-EVENT-ASSOC-REJECT bssid={} status_code=16",
                    address(HOME)
                ))
                .await;
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
        };
        let both = select(rest, retries);
        fake.with_timeout(Duration::from_secs(60), both).await.expect("an end");
        assert!(fake.state().joined);
        assert_eq!(key_mgmts(&fake), [WITH_SAE, WITHOUT_SAE]);
    });
}

/// The access point was set to WPA3 only later.
#[test]
fn a_network_that_takes_only_wpa3_later_is_offered_wpa3_again() {
    run(async || {
        let fake = refusing_sae(TRANSITION);
        let mut driver = fake.driver();
        driver.join(&home(), &Snapshot::default()).await.expect("joined");
        {
            let mut state = fake.state();
            state.joined = false;
            state.access_points[0].flags = "[WPA2-SAE-CCMP][ESS]";
        }
        let mut lost = None;
        let rest = async { lost = Some(driver.maintain(&station()).await) };
        let search = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            fake.emit("CTRL-EVENT-NETWORK-NOT-FOUND ").await;
            std::future::pending::<()>().await;
        };
        fake.with_timeout(Duration::from_secs(20), select(rest, search)).await.expect("an end");
        assert_eq!(lost, Some(IdleEvent::ConfigLost));
    });
}

// --- hidden networks -----------------------------------------------------------------------------

#[test]
fn a_hidden_network_is_joined_by_hand_and_after_a_restart() {
    run(async || {
        let fake = connected_station();
        fake.state().hidden.insert(hex(b"home"));
        let mut driver = fake.driver();
        driver.join(&home(), &Snapshot::default()).await.expect("joined");
        fake.state().restart();
        driver.apply(&station(), &Snapshot::default()).await.expect("configured");
        let state = fake.state();
        let current = state.networks.iter().find(|it| Some(it.id) == state.current);
        assert_eq!(current.map(|it| it.text("ssid")), Some(hex(b"home")));
    });
}

// --- frames that disagree ------------------------------------------------------------------------

#[test]
fn an_old_probe_response_does_not_hide_a_beacon_that_says_pressed() {
    run(async || {
        let fake = connected_station();
        fake.state().access_points[0].probe_response = elements(b"home", Some(HOME[5]), false);
        assert_eq!(pair(&fake).await.0.unwrap().at(0), &home());
        let passive = fake.state().requests_with_prefix("SCAN TYPE=ONLY freq=2437 passive=1");
        assert!(!passive.is_empty(), "the beacon is received again");
    });
}

/// Another device was paired a moment ago.
#[test]
fn an_old_beacon_that_says_pressed_is_no_second_router() {
    run(async || {
        let fake = connected_station();
        let mut other = access_point(OTHER, 5220, true);
        other.probe_response = elements(b"home", Some(OTHER[5]), false);
        other.next_beacon = Some(elements(b"home", None, false));
        fake.state().access_points.push(other);
        assert_eq!(pair(&fake).await.0.unwrap().at(0), &home());
    });
}

#[test]
fn a_press_that_cannot_be_checked_is_tried_after_three_checks() {
    run(async || {
        let fake = connected_station();
        fake.state().access_points[0].probe_response = elements(b"home", Some(HOME[5]), false);
        fake.script(|request, state| {
            let fails = request.ends_with("passive=1");
            if fails {
                state.emit_after_reply("CTRL-EVENT-SCAN-FAILED ret=-16");
            }
            fails.then(|| Override::Reply(b"OK\n".to_vec()))
        });
        assert_eq!(pair(&fake).await.0.unwrap().at(0), &home());
        let requests = fake.state().requests_with_prefix("SCAN");
        assert_eq!(requests.iter().filter(|it| it.ends_with("passive=1")).count(), 3);
    });
}

/// The router of the earlier pairing answers no more, and its beacons say that nothing is pressed.
#[test]
fn an_old_probe_response_that_stays_is_never_a_press() {
    run(async || {
        let fake = connected_station();
        let mut other = access_point(OTHER, 5220, true);
        other.beacon = elements(b"home", None, false);
        fake.state().access_points.push(other);
        fake.state().access_points.remove(0);
        assert!(pair_for_scans(&fake, 60).await.is_none());
        fake.state().access_points.push(access_point(HOME, 2437, true));
        assert_eq!(pair(&fake).await.0.unwrap().at(0), &home());
    });
}

/// The other channels work, and hold the router.
#[test]
fn a_channel_that_can_never_be_scanned_does_not_keep_the_device_from_pairing() {
    run(async || {
        for error in [-16, -95, -1, 0] {
            let fake = connected_station();
            fake.state().bad_frequencies = [(5240, error)].into();
            assert_eq!(pair(&fake).await.0.unwrap().at(0), &home(), "{error}");
        }
    });
}

/// A card that scans only the channel of its network while it is connected.
#[test]
fn a_card_that_scans_only_its_own_channel_while_connected_leaves_its_network() {
    run(async || {
        for error in [-16, -22] {
            let fake = connected_station();
            let others = CHANNELS.into_iter().filter(|it| *it != 2412).map(|it| (it, error));
            fake.state().bad_frequencies = others.collect();
            fake.script(|request, state| {
                if request == "DISCONNECT" {
                    state.bad_frequencies.clear();
                }
                None
            });
            assert_eq!(pair(&fake).await.0.unwrap().at(0), &home(), "{error}");
            assert!(!fake.state().requests_with_prefix("DISCONNECT").is_empty(), "{error}");
        }
    });
}
