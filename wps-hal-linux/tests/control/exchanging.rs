//! The exchange with the router, from its selection to the offer or the error.

use tokio::time::advance;
use wps_core::Settings;

use super::*;
use crate::fake::Override;

#[test]
fn a_pairing_from_the_press_to_the_joined_network() {
    run(async || {
        let fake = connected_station();
        let before = flags(&fake);
        let snapshot = take_snapshot(&fake).await;
        let (offer, _) = pair(&fake).await;
        let offer = offer.unwrap();
        fake.driver().join(offer.at(0), &snapshot).await.unwrap();
        let (after, current) = flags(&fake);
        assert_eq!(after.get(..3), Some(&before.0[..]));
        assert_eq!(fake.state().globals["wps_cred_processing"], "0");
        let link = fake.driver().link().await.unwrap();
        assert_eq!((link.up, link.ssid), (true, Some(home().ssid)));
        assert_eq!(current, after.last().map(|&(id, _)| id));
        // Applying the same network again does not interrupt it.
        let selected = fake.state().requests_with_prefix("SELECT").len();
        let settings = Settings::Station { network: home() };
        fake.driver().apply(&settings, &snapshot).await.unwrap();
        assert_eq!(fake.state().requests_with_prefix("SELECT").len(), selected);
    });
}

#[test]
fn pairs_with_the_router_it_is_joined_to() {
    run(async || {
        let fake = connected_station();
        fake.state().joined_bssid = HOME;
        assert_eq!(pair(&fake).await.0.map_err(|it| it.kind()).unwrap().at(0), &home());
    });
}

/// hostap reports each network in a separate event (`wps_process_creds`).
#[test]
fn every_network_the_router_hands_over_is_offered_in_its_order() {
    run(async || {
        let fake = connected_station();
        let guest = format!("WPS-CRED-RECEIVED {}", credential(b"guest", b"guest key"));
        fake.state().exchange.insert(2, guest);
        let offer = pair(&fake).await.0.unwrap();
        let guest = network(b"guest", b"guest key");
        assert_eq!((offer.at(0), offer.at(1)), (&home(), &guest));
    });
}

#[test]
fn a_missing_disconnect_after_the_exchange_is_not_waited_for_long() {
    run(async || {
        let fake = connected_station();
        let credential = fake.state().exchange.get(1).cloned();
        let credential = credential.expect("the router's exchange contains its credentials");
        fake.state().exchange.clear();
        fake.script(move |request, state| {
            if request.starts_with("SELECT") {
                state.emit_after_reply(&credential);
                state.emit_after_reply("WPS-SUCCESS ");
            }
            None
        });
        let time = async {
            fake.wait_for_request("SELECT").await;
            fake.settle().await;
            advance(Duration::from_millis(300)).await;
            std::future::pending::<()>().await;
        };
        let Either::First((offer, _)) = select(pair(&fake), time).await else {
            panic!("the pairing ends first: the future that advances the time never does")
        };
        assert_eq!(offer.unwrap().at(0), &home());
    });
}

#[test]
fn the_routers_error_is_reported() {
    let cases = [
        ("WPS-M2D dev_password_id=4 config_error=12", ErrorKind::RouterBusy),
        ("WPS-FAIL msg=8 config_error=12", ErrorKind::RouterBusy),
        ("WPS-FAIL msg=8 config_error=18", ErrorKind::Refused),
        ("WPS-FAIL ", ErrorKind::Refused),
        ("WPS-FAIL msg=12 config_error=0 reason=3 (Authentication Failure)", ErrorKind::Refused),
        ("WPS-OVERLAP-DETECTED PBC session overlap", ErrorKind::Overlap),
        ("CTRL-EVENT-DISCONNECTED bssid=02:00:00:00:00:10 reason=3", ErrorKind::RouterLost),
    ];
    for (event, expected) in cases {
        run(async || {
            let fake = connected_station();
            fake.state().exchange =
                vec!["CTRL-EVENT-EAP-STARTED EAP authentication started".into(), event.into()];
            assert_eq!(kind(pair(&fake).await.0), expected, "{event}");
        });
    }
}

/// As NetworkManager does, if it wants to join a network of its own.
#[test]
fn an_exchange_ends_when_another_program_removes_its_network() {
    run(async || {
        let fake = connected_station();
        fake.state().exchange.clear();
        fake.script(|request, state| {
            let id = request.strip_prefix("SELECT_NETWORK ")?.split(' ').next()?;
            state.emit_after_reply(format!("CTRL-EVENT-NETWORK-REMOVED {id}"));
            None
        });
        assert_eq!(kind(pair(&fake).await.0), ErrorKind::RouterLost);
    });
}

#[test]
fn unusable_credentials_keep_their_cause() {
    let cases = [
        (Some(credential(b"home", b"")), ErrorKind::EmptyKey),
        (Some(credential(b"home", b"short")), ErrorKind::InvalidKey),
        (Some(credential(b"", b"long enough")), ErrorKind::NoNetwork),
        (None, ErrorKind::NoNetwork),
    ];
    for (handed_over, expected) in cases {
        run(async || {
            let fake = connected_station();
            let event = handed_over.map(|credential| format!("WPS-CRED-RECEIVED {credential}"));
            fake.state().exchange = event.into_iter().chain(["WPS-SUCCESS ".into()]).collect();
            assert_eq!(kind(pair(&fake).await.0), expected);
        });
    }
}

#[test]
fn events_of_an_earlier_attempt_are_ignored() {
    run(async || {
        let fake = connected_station();
        fake.script(|request, state| {
            // Events before the router is selected belong to an earlier attempt.
            if !request.starts_with("SELECT") {
                state.emit_before_reply("WPS-CRED-RECEIVED 100e0000");
                state.emit_before_reply("WPS-FAIL msg=8 config_error=12");
                state.emit_before_reply("WPS-SUCCESS ");
                state.emit_before_reply("CTRL-EVENT-NETWORK-NOT-FOUND ");
            }
            None
        });
        assert_eq!(pair(&fake).await.0.unwrap().at(0), &home());
    });
}

/// While a WPS network is enabled, wpa_supplicant scans every half second and never reports
/// NETWORK-NOT-FOUND (`events.c`). The number of scans is the only sign. Until then the device
/// is offline.
#[test]
fn a_router_that_paired_with_another_device_is_not_waited_for_until_the_window_closes() {
    run(async || {
        let fake = connected_station();
        fake.state().exchange.clear();
        fake.script(|request, state| {
            if request.starts_with("SELECT") || request == "PING" {
                for _ in 0..6 {
                    state.emit_after_reply("CTRL-EVENT-SCAN-RESULTS ");
                }
            }
            None
        });
        let mut driver = fake.driver();
        let mut overlap_detector = OverlapDetector::new();
        let mut context = PairContext::new(&mut overlap_detector, &|_| {});
        let offer = fake.with_timeout(PAIRING_WINDOW / 4, driver.pair(&mut context)).await;
        assert_eq!(offer.map(kind), Some(ErrorKind::RouterLost));
    });
}

#[test]
fn wpa_supplicant_ending_during_the_exchange_is_reported() {
    run(async || {
        let fake = connected_station();
        fake.state().exchange = vec!["CTRL-EVENT-TERMINATING ".into()];
        assert_eq!(kind(pair(&fake).await.0), ErrorKind::NoDevice);
    });
    // Without an event: tokio advances the time by itself once the fake is gone.
    run(async || {
        let fake = connected_station();
        fake.script(|request, _| request.starts_with("SELECT").then_some(Override::Crash));
        assert!(matches!(kind(pair(&fake).await.0), ErrorKind::NoDevice | ErrorKind::NoResponse));
    });
}

#[test]
fn wpa_supplicant_hanging_during_the_exchange_is_no_response() {
    run(async || {
        let fake = connected_station();
        fake.state().exchange.clear();
        fake.script(|request, _| (request == "PING").then_some(Override::NoReply));
        let time = async {
            fake.wait_for_request("SELECT").await;
            fake.settle().await;
            advance(Duration::from_secs(3)).await;
            fake.wait_for_request("PING").await;
            advance(Duration::from_secs(5)).await;
            std::future::pending::<()>().await;
        };
        let Either::First((offer, _)) = select(pair(&fake), time).await else {
            panic!("the pairing ends first: the future that advances the time never does")
        };
        assert_eq!(kind(offer), ErrorKind::NoResponse);
    });
}

#[test]
fn settings_changed_for_the_exchange_are_restored() {
    run(async || {
        let fake = connected_station();
        let before = fake.state().globals.clone();
        let snapshot = take_snapshot(&fake).await;
        pair(&fake).await.0.unwrap();
        fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
        assert_eq!(fake.state().globals, before);
    });
}
