//! Restoring the platform's networks: their flags, the link, and nothing else.

use wps_core::{Credentials, KeptId, Secret, Settings};

use super::*;

#[test]
fn two_hundred_networks_get_their_flags_back() {
    run(async || {
        let fake = Fake::start(&CHANNELS);
        {
            let mut state = fake.state();
            for nth in 0..200 {
                let name = format!("network with a long name {nth:05}");
                let id = state.add_platform_network(nth % 3 != 0, &name);
                if nth == 100 {
                    state.set_joined(id);
                }
            }
            add_pressed_router(&mut state);
            state.joined_bssid = OTHER;
        }
        let before = flags(&fake);
        let snapshot = take_snapshot(&fake).await;
        pair(&fake).await.0.unwrap();
        assert_ne!(flags(&fake), before);
        fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
        assert_eq!(flags(&fake), before);
    });
}

#[test]
fn a_failed_join_is_undone_by_a_driver_with_only_the_snapshot() {
    run(async || {
        let fake = connected_station();
        let before = fake.networks_and_current();
        let snapshot = take_snapshot(&fake).await;
        pair(&fake).await.0.unwrap();
        let wrong = network(b"home", b"wrong horse");
        assert_eq!(kind(fake.driver().join(&wrong, &snapshot).await), ErrorKind::WrongKey);
        let snapshot = Snapshot::new(snapshot.as_bytes()).unwrap();
        fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
        assert_eq!(fake.networks_and_current(), before);
    });
}

/// Then the platform's own networks are better than none. No network is added without its key.
#[test]
fn a_network_whose_key_is_elsewhere_leaves_the_platforms_networks() {
    run(async || {
        let fake = connected_station();
        let before = fake.networks_and_current();
        let kept = Secret::Kept(KeptId(*b"of another kind!"));
        let network = Credentials { secret: kept, ..network(b"home", b"") };
        let settings = Settings::Station { network: network.clone() };
        let snapshot = take_snapshot(&fake).await;
        assert_eq!(kind(fake.driver().join(&network, &snapshot).await), ErrorKind::KeptElsewhere);
        pair(&fake).await.0.unwrap();
        for snapshot in [&snapshot, &Snapshot::default()] {
            let result = fake.driver().apply(&settings, snapshot).await;
            assert_eq!(kind(result), ErrorKind::KeptElsewhere);
            assert_eq!(fake.networks_and_current(), before);
        }
    });
}

#[test]
fn a_station_that_was_not_connected_searches_again() {
    run(async || {
        let fake = connected_station();
        (fake.state().current, fake.state().joined) = (None, false);
        fake.state().reachable.remove(&hex(b"old"));
        fake.state().busy_scans = 1;
        fake.state().access_points.clear();
        let before = fake.networks_and_current().0;
        let snapshot = take_snapshot(&fake).await;
        assert!(pair_for_scans(&fake, 3).await.is_none());
        assert!(fake.state().disconnected);
        fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
        assert_eq!(fake.networks_and_current().0, before);
        assert!(!fake.state().disconnected);
    });
}

#[test]
fn a_good_link_is_left_alone() {
    run(async || {
        let fake = connected_station();
        let before = fake.networks_and_current();
        let snapshot = take_snapshot(&fake).await;
        for snapshot in [&snapshot, &Snapshot::default()] {
            fake.driver().apply(&Settings::Platform, snapshot).await.unwrap();
        }
        assert_eq!(fake.networks_and_current(), before);
        let state = fake.state();
        let changes =
            ["SELECT", "DISCONNECT", "REASSOCIATE", "WPS_CANCEL", "REMOVE", "ENABLE", "DISABLE"];
        assert!(changes.iter().all(|command| state.requests_with_prefix(command).is_empty()));
    });
}

#[test]
fn only_a_running_pairing_is_cancelled() {
    run(async || {
        let fake = connected_station();
        let snapshot = take_snapshot(&fake).await;
        let wps = fake.state().add_network(true, &[("key_mgmt", "WPS")]);
        fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
        assert_eq!(fake.state().requests_with_prefix("WPS_CANCEL").len(), 1);
        assert!(fake.networks_and_current().0.iter().all(|network| network.id != wps));
        // The fake reports a cancel without a running pairing as a misuse.
        fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
        assert_eq!(fake.state().requests_with_prefix("WPS_CANCEL").len(), 1);
    });
}

/// A `DISCONNECT` during a pairing leaves such a network behind.
#[test]
fn an_unused_wps_network_is_removed_without_dropping_the_link() {
    run(async || {
        let fake = connected_station();
        let snapshot = take_snapshot(&fake).await;
        fake.state().add_network(false, &[("key_mgmt", "WPS")]);
        fake.script(|request, state| {
            if request == "WPS_CANCEL" && state.joined {
                state.misuses.push("a good link was dropped".into());
            }
            None
        });
        fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
    });
}

/// wpa_supplicant may remove its own WPS networks between two requests.
#[test]
fn a_network_removed_during_the_listing_changes_no_flags() {
    run(async || {
        let fake = connected_station();
        let before = flags(&fake);
        let snapshot = take_snapshot(&fake).await;
        pair(&fake).await.0.unwrap();
        let ghost = fake.state().add_network(false, &[("key_mgmt", "WPS")]);
        fake.script(move |request, state| {
            if request == format!("GET_NETWORK {ghost} key_mgmt") {
                state.networks.retain(|network| network.id != ghost);
            }
            None
        });
        // The network is in more than one list, and each of them asks for it.
        fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
        assert_eq!(flags(&fake), before);
    });
}

#[test]
fn a_network_added_meanwhile_changes_no_flags() {
    run(async || {
        let fake = connected_station();
        let before = flags(&fake).0;
        let snapshot = take_snapshot(&fake).await;
        pair(&fake).await.0.unwrap();
        fake.state().add_platform_network(false, "new");
        fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
        assert_eq!(flags(&fake).0.get(..3), Some(&before[..]));
    });
}

#[test]
fn networks_are_restored_with_the_radio_switched_off() {
    run(async || {
        let fake = connected_station();
        (fake.state().current, fake.state().joined) = (None, false);
        let before = fake.networks_and_current().0;
        let snapshot = take_snapshot(&fake).await;
        fake.state().blocked = true;
        let mut driver = fake.driver();
        let apply = driver.apply(&Settings::Platform, &snapshot);
        fake.with_timeout(PAIRING_WINDOW, apply).await.expect("an end").unwrap();
        assert_eq!(fake.networks_and_current().0, before);
    });
}

#[test]
fn after_a_restart_wpa_supplicants_own_file_wins() {
    run(async || {
        let fake = connected_station();
        let snapshot = take_snapshot(&fake).await;
        let before = fake.networks_and_current().0;
        pair(&fake).await.0.unwrap();
        let again = Fake::start(&CHANNELS);
        {
            let mut state = again.state();
            for name in ["old", "never", "spare"] {
                state.add_platform_network(name != "never", name);
            }
        }
        again.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
        assert_eq!(again.networks_and_current().0, before);
    });
}
