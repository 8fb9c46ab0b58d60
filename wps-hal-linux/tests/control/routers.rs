//! What routers do: one that looks like two, wrong types in credentials, and routers that were
//! never set up.

use wps_core::{Secret, Ssid};
use wps_testkit::wsc::{
    NONE, OPEN, SentCredential, TKIP, WPA_PSK, WPA2_PSK, unconfigured_elements,
};

use super::*;

/// The first router of the fake, whose second access point is at 5240 MHz.
fn dual_band_station(beacon_only: bool) -> Fake {
    let fake = connected_station();
    let mut high = access_point(OTHER, 5240, true);
    high.probe_response = if beacon_only { vec![] } else { elements(b"home", None, true) };
    fake.state().access_points.push(high);
    fake
}

/// On a channel on which the card may not send until it has heard a beacon, the first scan is
/// passive, and a beacon seldom contains the UUID.
#[test]
fn a_band_whose_uuid_is_heard_late_is_no_second_router() {
    run(async || {
        for (joined, scans_until_uuid) in [(true, 2), (true, 3), (false, 2)] {
            let fake = dual_band_station(true);
            fake.state().joined = joined;
            let mut scans = 0;
            fake.script(move |request, state| {
                if request.starts_with("SCAN") && request.contains("5240") {
                    scans += 1;
                    if scans == scans_until_uuid {
                        let high = state.access_points.iter_mut().find(|bss| bss.bssid == OTHER);
                        high.expect("the router").probe_response =
                            elements(b"home", Some(HOME[5]), true);
                    }
                }
                None
            });
            let (offer, _) = pair(&fake).await;
            assert_eq!(offer.unwrap().at(0), &home(), "{joined} {scans_until_uuid}");
        }
    });
}

#[test]
fn a_uuid_that_is_never_heard_is_an_overlap_after_three_more_looks() {
    run(async || {
        for beacon_only in [true, false] {
            let fake = dual_band_station(beacon_only);
            let (offer, progress) = pair(&fake).await;
            assert_eq!(kind(offer), ErrorKind::Overlap);
            assert!(progress.contains(&SearchProgress::Pressed { ssid: Some(home().ssid) }));
            let state = fake.state();
            let scans = state.requests_with_prefix("SCAN");
            let looks: Vec<_> = scans.iter().rev().take(3).collect();
            assert!(looks.iter().all(|scan| scan.contains("freq=5240")), "{looks:?}");
            assert!(state.requests_with_prefix("SELECT").is_empty());
        }
    });
}

/// The channel of the missing UUID cannot be scanned again.
#[test]
fn a_look_that_fails_ends_in_a_bounded_time() {
    run(async || {
        let fake = dual_band_station(true);
        let mut scans = 0;
        fake.script(move |request, state| {
            if request.starts_with("SCAN") && request.contains("5240") {
                scans += 1;
                if scans == 2 {
                    state.bad_frequencies.insert(5240, -16);
                }
            }
            None
        });
        let start = tokio::time::Instant::now();
        assert_eq!(kind(pair(&fake).await.0), ErrorKind::Overlap);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    });
}

/// Hands over one network with these types, from the access point "home" with these flags.
async fn pair_with(
    flags: &'static str,
    authentication: u16,
    encryption: u16,
    key: Option<&[u8]>,
) -> Result<Offer, LinuxError> {
    let fake = connected_station();
    let sent = SentCredential { ssid: b"home", authentication, encryption, key };
    {
        let mut state = fake.state();
        state.access_points[0].flags = flags;
        let credential = format!("WPS-CRED-RECEIVED {}", hex(&sent.bytes()));
        state.exchange = vec![credential, "WPS-SUCCESS ".into()];
    }
    pair(&fake).await.0
}

#[test]
fn what_the_paired_access_point_advertises_decides_about_its_credential() {
    const WPA2: &str = "[WPA2-PSK-CCMP][WPS-PBC][ESS]";
    run(async || {
        let key = Some(SECRET.as_bytes());
        for flags in [WPA2, "[WPA-PSK-TKIP][WPA2-PSK-CCMP][WPS-PBC][ESS]"] {
            let offer = pair_with(flags, WPA_PSK, TKIP, key).await;
            assert_eq!(offer.unwrap().at(0), &home(), "{flags}");
            let open = pair_with(flags, OPEN, NONE, None).await;
            assert_eq!(kind(open), ErrorKind::NotOpen, "{flags}");
        }
        let tkip = pair_with("[WPA2-PSK-TKIP][WPS-PBC][ESS]", WPA2_PSK, TKIP, key).await;
        assert_eq!(kind(tkip), ErrorKind::TkipOnly);
        let wep = pair_with("[WEP][WPS-PBC][ESS]", WPA2_PSK, TKIP, key).await;
        assert_eq!(kind(wep), ErrorKind::Wep);
        let open = pair_with("[WPS-PBC][ESS]", OPEN, NONE, None).await;
        assert_eq!(open.unwrap().at(0).secret, Secret::Open);
        let unknown = pair_with("[WPA2-DPP-CCMP][WPS-PBC][ESS]", OPEN, NONE, None).await;
        assert_eq!(kind(unknown), ErrorKind::NotOpen);
    });
}

/// wpa_supplicant itself rejects some credentials. It knows only the types in them.
#[test]
fn a_type_that_wpa_supplicant_rejects_is_the_reason_only_if_it_is_true() {
    run(async || {
        const TKIP_ONLY: &str = "WPS-FAIL msg=12 config_error=0 reason=1 (TKIP Only Prohibited)";
        const WEP: &str = "WPS-FAIL msg=12 config_error=0 reason=2 (WEP Prohibited)";
        for (flags, event, expected) in [
            ("[WPA2-PSK-CCMP][WPS-PBC][ESS]", TKIP_ONLY, ErrorKind::NoNetwork),
            ("[WPA2-PSK-CCMP][WPS-PBC][ESS]", WEP, ErrorKind::NoNetwork),
            ("[WPS-PBC][ESS]", WEP, ErrorKind::NoNetwork),
            ("[WPA-PSK-TKIP][WPS-PBC][ESS]", TKIP_ONLY, ErrorKind::TkipOnly),
            ("[WEP][WPS-PBC][ESS]", WEP, ErrorKind::Wep),
            ("[WPA2-DPP-CCMP][WPS-PBC][ESS]", WEP, ErrorKind::Wep),
        ] {
            let fake = connected_station();
            fake.state().access_points[0].flags = flags;
            fake.state().exchange = vec![event.into()];
            assert_eq!(kind(pair(&fake).await.0), expected, "{flags} {event}");
        }
    });
}

#[test]
fn a_router_that_was_never_set_up_is_reported_before_it_is_pressed() {
    run(async || {
        let fake = connected_station();
        {
            let mut state = fake.state();
            state.access_points = vec![access_point(HOME, 2437, false)];
            let mut new = access_point(OTHER, 2412, false);
            new.beacon = unconfigured_elements(b"new");
            new.probe_response = vec![];
            state.access_points.push(new);
        }
        let not_configured = SearchProgress::NotConfigured { ssid: Ssid::new(b"new").ok() };
        let mut overlap_detector = OverlapDetector::new();
        let (offer, mut progress) = try_to_pair(&fake, &mut overlap_detector, None).await;
        assert!(offer.is_none());
        progress.dedup();
        assert_eq!(progress.last(), Some(&not_configured), "{progress:?}");
        // It is of no concern if another access point was chosen.
        let mut overlap_detector = OverlapDetector::new();
        let (_, progress) = try_to_pair(&fake, &mut overlap_detector, Some(HOME)).await;
        assert!(!progress.contains(&not_configured));
        assert!(progress.contains(&SearchProgress::NotPressed));
    });
}
