//! The device's own access point: it is served, searched from, and ended.

use wps_core::{AccessPoint, Settings};

use super::*;

fn hotspot(channel: Option<u8>) -> Settings {
    let network = network(b"hotspot", b"hotspot key");
    Settings::AccessPoint { access_point: AccessPoint { network, channel }, remembered: None }
}

/// Returns a fake that serves an access point.
async fn serving() -> Fake {
    let fake = connected_station();
    fake.driver().apply(&hotspot(Some(6)), &Snapshot::default()).await.unwrap();
    fake
}

#[test]
fn it_is_added_without_changing_the_platforms_networks() {
    run(async || {
        let fake = connected_station();
        let before = flags(&fake).0;
        fake.driver().apply(&hotspot(Some(6)), &Snapshot::default()).await.unwrap();
        assert_eq!(flags(&fake).0[..3], before);
        let state = fake.state();
        let served = state.networks.iter().find(|it| it.text("mode") == "2").expect("served");
        assert_eq!(state.current, Some(served.id));
        let expected = [
            ("frequency", "2437"),
            ("key_mgmt", "WPA-PSK SAE"),
            ("proto", "RSN"),
            ("pairwise", "CCMP"),
            ("ieee80211w", "1"),
            ("wps_disabled", "1"),
            ("psk", "\"hotspot key\""),
        ];
        for (variable, value) in expected {
            assert_eq!(served.text(variable), value, "{variable}");
        }
    });
}

#[test]
fn a_card_that_can_scan_while_serving_keeps_serving_until_a_button_is_pressed() {
    run(async || {
        let fake = serving().await;
        fake.state().access_points.clear();
        pair_for_scans(&fake, 12).await;
        assert!(fake.state().joined);
        assert!(fake.state().requests_with_prefix("DISCONNECT").is_empty());
    });
}

/// Neither the search nor the exchange disconnects before the reply grace is over. The test
/// checks a station, and access points that can and cannot scan while serving.
#[test]
fn the_connection_stays_during_the_reply_grace() {
    run(async || {
        for (fake, cannot_scan) in
            [(connected_station(), false), (serving().await, false), (serving().await, true)]
        {
            fake.state().cannot_scan_as_access_point = cannot_scan;
            let (mut driver, mut overlap_detector) = (fake.driver(), OverlapDetector::new());
            let report = |event| assert_ne!(event, PairEvent::OffAir);
            let reply_grace = std::pin::pin!(std::future::pending());
            let mut context =
                PairContext::new(&mut overlap_detector, &report).with_reply_grace(reply_grace);
            let pairing = fake.with_timeout(PAIRING_WINDOW, driver.pair(&mut context));
            assert!(pairing.await.is_none(), "it waits");
            let state = fake.state();
            assert!(state.joined);
            assert!(state.requests_with_prefix("SELECT_NETWORK").len() <= 1, "only for serving");
            assert!(state.requests_with_prefix("DISCONNECT").is_empty());
        }
    });
}

#[test]
fn a_card_that_cannot_scan_while_serving_stops_first_and_reports_it() {
    run(async || {
        let fake = serving().await;
        fake.state().cannot_scan_as_access_point = true;
        let off_air = std::cell::Cell::new(0);
        let report = |event| {
            if event == PairEvent::OffAir {
                let disconnects = fake.state().requests_with_prefix("DISCONNECT").len();
                assert_eq!(disconnects, off_air.get(), "reported before it disconnects");
                off_air.set(off_air.get() + 1);
            }
        };
        let mut overlap_detector = OverlapDetector::new();
        let mut driver = fake.driver();
        let mut context = PairContext::new(&mut overlap_detector, &report);
        let offer = fake.with_timeout(PAIRING_WINDOW, driver.pair(&mut context)).await;
        assert_eq!(offer.expect("an end").unwrap().at(0), &home());
        assert_eq!(off_air.get(), 2, "for the search, and for the exchange");
    });
}

#[test]
fn one_that_cannot_start_is_rejected_and_the_connection_stays() {
    run(async || {
        let fake = connected_station();
        let error = fake.driver().apply(&hotspot(Some(13)), &Snapshot::default()).await;
        let error = error.expect_err("not allowed");
        assert!(error.to_string().ends_with("allowed: 1 6 11 36 40 44 48"), "{error}");
        assert!(fake.state().joined, "still on the old network");

        fake.state().access_point_fails = true;
        let mut driver = fake.driver();
        let settings = hotspot(None);
        let nothing = Snapshot::default();
        let apply = driver.apply(&settings, &nothing);
        let error =
            fake.with_timeout(PAIRING_WINDOW, apply).await.expect("an end").expect_err("refused");
        assert!(error.to_string().contains("try another channel"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    });
}

#[test]
fn the_platforms_network_is_back_afterwards() {
    run(async || {
        let fake = serving().await;
        fake.driver().apply(&Settings::Platform, &Snapshot::default()).await.unwrap();
        assert!(fake.state().joined);
        assert!(!fake.state().networks.iter().any(|it| it.text("mode") == "2"));
    });
}
