//! The search for a pressed button: scans, overlaps, and cards with limits.

use std::collections::{BTreeMap, BTreeSet};

use wps_core::{ScanResults, Security, Ssid};

use super::*;
use crate::fake::Override;

/// Pseudo-random bytes, the same in every run.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self) -> Vec<u8> {
        let length = self.next() % 200;
        (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn a_router_at_the_end_of_a_long_bss_list_is_found() {
    run(async || {
        let fake = connected_station();
        {
            let mut state = fake.state();
            let crowd = (0..300_u16).map(|nth| {
                let [high, low] = nth.to_be_bytes();
                access_point([2, 1, 0, 0, high, low], 2412, false)
            });
            let found = std::mem::take(&mut state.access_points);
            state.access_points = crowd.chain(found).collect();
        }
        let (offer, _) = pair(&fake).await;
        assert_eq!(offer.unwrap().at(0), &home());
        let state = fake.state();
        assert!(
            state.requests_with_prefix("BSS RANGE=").len()
                >= 3 * state.requests_with_prefix("SCAN").len()
        );
    });
}

#[test]
fn the_connection_stays_until_every_channel_was_scanned() {
    run(async || {
        let fake = connected_station();
        let (offer, mut progress) = pair(&fake).await;
        offer.unwrap();
        progress.dedup();
        let pressed = SearchProgress::Pressed { ssid: Some(home().ssid) };
        let exchanging = SearchProgress::Exchanging { ssid: Some(home().ssid) };
        assert_eq!(progress, [SearchProgress::Looking, pressed, exchanging]);

        let state = fake.state();
        let requests: Vec<_> =
            state.requests.iter().map(|it| String::from_utf8_lossy(it)).collect();
        let selected = requests.iter().position(|it| it.starts_with("SELECT")).unwrap();
        let scans =
            requests.iter().take(selected).filter_map(|it| it.strip_prefix("SCAN TYPE=ONLY freq="));
        let scanned: BTreeSet<u16> =
            scans.flat_map(|list| list.split(',')).map(|it| it.parse().unwrap()).collect();
        assert_eq!(scanned, BTreeSet::from(CHANNELS));
        let disturbing = ["DISCONNECT", "DISABLE", "REASSOCIATE", "WPS_CANCEL", "REMOVE"];
        assert!(
            !requests
                .iter()
                .take(selected)
                .any(|it| disturbing.iter().any(|command| it.starts_with(command)))
        );
    });
}

#[test]
fn a_pressed_button_stays_reported_while_other_channels_are_scanned() {
    run(async || {
        let fake = connected_station();
        fake.script(|request, state| {
            if request.starts_with("SCAN") {
                // A scan takes a second.
                state.access_points.iter_mut().for_each(|bss| bss.age += 1);
            }
            None
        });
        let (offer, mut progress) = pair(&fake).await;
        offer.unwrap();
        progress.dedup();
        let pressed = SearchProgress::Pressed { ssid: Some(home().ssid) };
        let exchanging = SearchProgress::Exchanging { ssid: Some(home().ssid) };
        assert_eq!(progress, [SearchProgress::Looking, pressed, exchanging]);
    });
}

#[test]
fn scan_results_are_reported_during_a_pairing() {
    run(async || {
        let fake = connected_station();
        let (reported, mut overlap_detector) = (RefCell::new(None), OverlapDetector::new());
        let report = |results: &ScanResults| drop(reported.replace(Some(results.clone())));
        let mut context = PairContext::new(&mut overlap_detector, &|_| {}).on_scan_results(&report);
        let mut driver = fake.driver();
        fake.with_timeout(PAIRING_WINDOW, driver.pair(&mut context))
            .await
            .expect("an end")
            .expect("an offer");
        let results = reported.take().expect("scan results");
        let home = results.iter().find(|it| it.ssid == Some(home().ssid)).expect("the router");
        assert_eq!((home.wps, home.pressed), (true, Some(true)));
        assert_eq!(home.security, Some(Security::Wpa2));
    });
}

#[test]
fn an_old_button_press_is_ignored() {
    run(async || {
        let fake = connected_station();
        for bss in &mut fake.state().access_points {
            (bss.on_air, bss.age) = (false, 20);
        }
        assert!(pair_for_scans(&fake, 12).await.is_none());
        assert!(fake.state().requests_with_prefix("SELECT").is_empty());
    });
}

/// The kernel still lists a router that has vanished, with its last probe response.
#[test]
fn a_router_that_was_pressed_until_just_before_the_search_is_no_overlap() {
    run(async || {
        for (frequency, joined) in [(2412, true), (2412, false), (5240, true), (5240, false)] {
            let fake = connected_station();
            let mut gone = access_point(OTHER, frequency, true);
            (gone.on_air, gone.age) = (false, 0);
            gone.probe_response = elements(b"gone", Some(OTHER[5]), true);
            gone.beacon = elements(b"gone", None, false);
            fake.state().access_points.push(gone);
            fake.state().joined = joined;
            fake.script(|request, state| {
                if request.starts_with("SCAN") {
                    state.access_points.iter_mut().for_each(|bss| bss.age += 1);
                }
                None
            });
            let (offer, progress) = pair(&fake).await;
            assert_eq!(offer.unwrap().at(0), &home(), "{frequency} {joined}");
            let gone = SearchProgress::Pressed { ssid: Ssid::new(b"gone").ok() };
            assert!(!progress.contains(&gone), "{frequency} {joined}");
        }
    });
}

/// Its beacons keep the entry fresh, and its probe response is from the pairing with it.
#[test]
fn the_router_of_an_earlier_pairing_is_no_overlap_while_it_is_joined() {
    run(async || {
        for frequency in [2412, 2462, 5240] {
            let fake = connected_station();
            let mut paired = access_point(OTHER, frequency, true);
            paired.beacon = elements(b"paired", None, false);
            fake.state().access_points.push(paired);
            fake.script(move |request, state| {
                if request.starts_with("SCAN") {
                    let paired = state.access_points.iter_mut().find(|bss| bss.bssid == OTHER);
                    let paired = paired.expect("the router");
                    paired.age = 0;
                    if request.contains(&frequency.to_string()) {
                        paired.probe_response = elements(b"paired", Some(OTHER[5]), false);
                    }
                }
                None
            });
            assert_eq!(pair(&fake).await.0.unwrap().at(0), &home(), "{frequency}");
        }
    });
}

/// Neither press can be told from one before the search, and only one channel is scanned at a time.
#[test]
fn two_routers_pressed_before_the_search_are_an_overlap_without_another_beacon() {
    run(async || {
        for joined in [true, false] {
            let fake = connected_station();
            fake.state().joined = joined;
            fake.state().access_points.push(access_point(OTHER, 5240, true));
            for bss in &mut fake.state().access_points {
                bss.beacon = elements(b"home", None, false);
                bss.sends_beacons = false;
            }
            assert_eq!(kind(pair(&fake).await.0), ErrorKind::Overlap, "{joined}");
        }
    });
}

/// Its latest beacon may be older than its latest probe response.
#[test]
fn a_button_pressed_just_before_the_search_is_found_without_another_beacon() {
    run(async || {
        for joined in [true, false] {
            let fake = connected_station();
            fake.state().joined = joined;
            fake.state().access_points[0].beacon = elements(b"home", None, false);
            fake.state().access_points[0].sends_beacons = false;
            let start = tokio::time::Instant::now();
            pair(&fake).await.0.unwrap();
            assert!(start.elapsed() <= Duration::from_secs(2), "{:?}", start.elapsed());
        }
    });
}

#[test]
fn two_routers_pressed_in_different_scan_steps_are_an_overlap() {
    run(async || {
        let fake = connected_station();
        fake.script(|request, state| {
            if request.starts_with("SCAN") && state.requests_with_prefix("SCAN").len() == 2 {
                // The first router's press ends when the second router's press begins.
                state.access_points = vec![access_point(OTHER, 5220, true)];
            }
            None
        });
        let mut overlap_detector = OverlapDetector::new();
        let (offer, _) = pair_with_detector(&fake, &mut overlap_detector).await;
        assert_eq!(kind(offer), ErrorKind::Overlap);
        // The overlap lasts for the rest of the window.
        let (offer, _) = pair_with_detector(&fake, &mut overlap_detector).await;
        assert_eq!(kind(offer), ErrorKind::Overlap);
        assert!(fake.state().requests_with_prefix("SELECT").is_empty());
    });
}

#[test]
fn one_router_with_two_bands_is_no_overlap() {
    run(async || {
        let fake = connected_station();
        let mut second = access_point([2, 0, 0, 0, 0, 0x11], 5180, true);
        second.probe_response = elements(b"home-5G", Some(HOME[5]), true);
        fake.state().access_points.push(second);
        assert_eq!(pair(&fake).await.0.unwrap().at(0), &home());
    });
}

#[test]
fn a_channel_the_card_rejects_does_not_affect_the_others() {
    run(async || {
        let fake = connected_station();
        fake.state().bad_frequencies = BTreeMap::from([(5200, -22), (2412, -22)]);
        assert_eq!(pair(&fake).await.0.unwrap().at(0), &home());
        let state = fake.state();
        let alone = |scan: &&String| *scan == "SCAN TYPE=ONLY freq=5200";
        assert_eq!(state.requests_with_prefix("SCAN").iter().filter(alone).count(), 1);
    });
}

/// Pairs with a driver that has this `freq_list`.
async fn pair_within(fake: &Fake, freq_list: &[u16]) -> Result<Offer, LinuxError> {
    let mut driver = fake.driver().freq_list(freq_list.iter().copied());
    let mut overlap_detector = OverlapDetector::default();
    let mut context = PairContext::new(&mut overlap_detector, &|_| {});
    fake.with_timeout(PAIRING_WINDOW, driver.pair(&mut context))
        .await
        .expect("an end within the window")
}

#[test]
fn only_the_channels_of_freq_list_are_scanned() {
    run(async || {
        let fake = connected_station();
        let list = [2437, 5180, 5955];
        assert_eq!(pair_within(&fake, &list).await.unwrap().at(0), &home());
        let state = fake.state();
        let scans = state.requests_with_prefix("SCAN");
        assert!(scans.iter().all(|scan| *scan == "SCAN TYPE=ONLY freq=2437,5180"), "{scans:?}");
    });
}

#[test]
fn a_freq_list_without_a_wps_channel_is_an_error() {
    run(async || {
        let error = pair_within(&connected_station(), &[5955]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("freq_list"), "{error}");
    });
}

#[test]
fn the_scan_of_another_program_is_waited_for_and_the_link_stays() {
    run(async || {
        let fake = connected_station();
        fake.state().busy_scans = 3;
        pair(&fake).await.0.unwrap();
        assert!(fake.state().requests_with_prefix("DISCONNECT").is_empty());
    });
}

#[test]
fn a_search_for_saved_networks_is_interrupted() {
    run(async || {
        let fake = connected_station();
        (fake.state().busy_scans, fake.state().joined) = (2, false);
        pair(&fake).await.0.unwrap();
        assert!(!fake.state().requests_with_prefix("DISCONNECT").is_empty());
    });
}

#[test]
fn a_handshake_in_progress_is_not_interrupted_by_a_scan() {
    run(async || {
        let fake = connected_station();
        fake.state().busy_scans = 1;
        fake.script(|request, _| match request {
            "STATUS" => Some(Override::Reply(b"wpa_state=4WAY_HANDSHAKE\n".into())),
            _ => None,
        });
        pair(&fake).await.0.unwrap();
        assert!(fake.state().requests_with_prefix("DISCONNECT").is_empty());
    });
}

/// EBUSY: another interface of the same radio is scanning, or the firmware has not finished
/// yet.
#[test]
fn a_briefly_busy_radio_does_not_end_the_search() {
    run(async || {
        let fake = connected_station();
        fake.state().bad_frequencies = CHANNELS.map(|freq| (freq, -16)).into();
        fake.script(|request, state| {
            if request.starts_with("SCAN") && state.requests_with_prefix("SCAN").len() > 8 {
                state.bad_frequencies.clear();
            }
            None
        });
        assert_eq!(pair(&fake).await.0.map_err(|it| it.kind()).unwrap().at(0), &home());
    });
}

#[test]
fn a_radio_that_cannot_be_switched_on_is_reported_as_blocked() {
    run(async || {
        let fake = connected_station();
        fake.state().blocked = true;
        assert_eq!(kind(pair(&fake).await.0), ErrorKind::Blocked);
    });
}

/// wpa_supplicant never waits for a listener (`MSG_DONTWAIT`), so an event can get lost.
#[test]
fn a_lost_scan_event_does_not_stall_the_search() {
    run(async || {
        let fake = connected_station();
        fake.script(|request, state| {
            let first =
                request.starts_with("SCAN") && state.requests_with_prefix("SCAN").len() == 1;
            first.then(|| Override::Reply(b"OK\n".into()))
        });
        assert_eq!(pair(&fake).await.0.map_err(|it| it.kind()).unwrap().at(0), &home());
    });
}

/// In this case no event is sent: `wpa_supplicant_scan` silently skips the scan.
#[test]
fn a_radio_switched_off_during_a_scan_is_blocked() {
    run(async || {
        let fake = connected_station();
        fake.script(|request, state| {
            if request.starts_with("SCAN") {
                state.blocked = true;
                return Some(Override::Reply(b"OK\n".into()));
            }
            None
        });
        assert_eq!(kind(pair(&fake).await.0), ErrorKind::Blocked);
    });
}

/// wpa_supplicant leaves an entry out of a reply if it does not fit. The driver then asks for
/// that entry alone.
#[test]
fn a_router_with_many_elements_is_found() {
    run(async || {
        let fake = connected_station();
        for bss in &mut fake.state().access_points {
            for frame in [&mut bss.probe_response, &mut bss.beacon] {
                for _ in 0..4 {
                    frame.extend([0xdd, 252, 0, 0x17, 0xf2]);
                    frame.extend([0; 249]);
                }
            }
        }
        assert!(pair_for_scans(&fake, 12).await.is_some());
    });
}

#[test]
fn random_events_and_replies_cause_no_panic() {
    run(async || {
        let fake = connected_station();
        let mut noise = Noise(0x2545_f491_4f6c_dd1d);
        fake.script(move |request, state| {
            let bytes = noise.bytes();
            state.emit_before_reply(String::from_utf8_lossy(&bytes));
            let is_garbled = noise.next().is_multiple_of(3);
            (is_garbled && !request.starts_with("SCAN") && request != "ATTACH")
                .then_some(Override::Reply(bytes))
        });
        for _ in 0..200 {
            let Some(_) = pair_for_scans(&fake, 3).await else { continue };
            let _ = fake.driver().snapshot().await;
            let _ = fake.driver().link().await;
        }
    });
}

#[test]
fn random_bytes_among_the_events_change_nothing() {
    run(async || {
        let fake = connected_station();
        let mut noise = Noise(0x1234_5678_9abc_def1);
        fake.script(move |_, state| {
            state.emit_after_reply(noise.bytes());
            state.emit_after_reply([b"CTRL-EVENT-", &noise.bytes()[..]].concat());
            None
        });
        assert_eq!(pair(&fake).await.0.unwrap().at(0), &home());
    });
}

/// hostap reopens its socket when any listener, not only this one, does not read (ENOBUFS,
/// EAGAIN): `wpas_ctrl_iface_reinit`.
#[test]
fn a_reopened_control_socket_does_not_end_the_pairing() {
    run(async || {
        let fake = connected_station();
        fake.script(|request, state| {
            (request.starts_with("SCAN") && state.requests_with_prefix("SCAN").len() == 1)
                .then_some(Override::ReopenSocket)
        });
        let (offer, _) = pair(&fake).await;
        let is_final = offer.is_err_and(|error| error.kind().is_final());
        assert!(!is_final, "no second try within the window");
    });
}

// --- one access point ----------------------------------------------------------------------------

/// Returns the BSSID of the exchange.
fn paired_bssid(fake: &Fake) -> Option<String> {
    let bssids = fake.state().requests_with_prefix("SET_NETWORK");
    bssids.iter().find_map(|it| Some(it.split_once(" bssid ")?.1.into()))
}

#[test]
fn of_two_pressed_routers_the_chosen_one_is_paired_with_as_soon_as_it_is_seen() {
    run(async || {
        for chosen in [HOME, OTHER] {
            let fake = connected_station();
            fake.state().access_points.push(access_point(OTHER, 2412, true));
            let mut detector = OverlapDetector::new();
            let (offer, _) = try_to_pair(&fake, &mut detector, Some(chosen)).await;
            assert_eq!(offer.expect("an end").unwrap().at(0), &home());
            assert_eq!(paired_bssid(&fake), Some(address(chosen)));
            let scans = fake.state().requests_with_prefix("SCAN").len();
            assert_eq!(scans, 1, "both are on the channels of the first step");
        }
    });
}

#[test]
fn a_chosen_router_must_be_pressed_too_and_others_are_ignored() {
    run(async || {
        let fake = connected_station();
        fake.state().access_points.push(access_point(OTHER, 2412, false));
        let mut detector = OverlapDetector::new();
        let (offer, mut progress) = try_to_pair(&fake, &mut detector, Some(OTHER)).await;
        assert!(offer.is_none());
        progress.dedup();
        assert_eq!(progress, [SearchProgress::Looking, SearchProgress::NotPressed]);
        assert_eq!(paired_bssid(&fake), None);
    });
}

#[test]
fn a_chosen_router_out_of_range_or_without_wps_is_reported_as_such() {
    run(async || {
        for (in_range, expected) in
            [(false, SearchProgress::NoRouter), (true, SearchProgress::NoWps)]
        {
            let fake = connected_station();
            if in_range {
                fake.state().access_points.push(without_wps());
            }
            let mut detector = OverlapDetector::new();
            let (offer, mut progress) = try_to_pair(&fake, &mut detector, Some(OTHER)).await;
            assert!(offer.is_none());
            progress.dedup();
            assert_eq!(progress, [SearchProgress::Looking, expected]);
        }
    });
}

// --- progress ------------------------------------------------------------------------------------

/// Returns an access point without WPS.
fn without_wps() -> Bss {
    let ssid = [&[0, 4][..], b"home"].concat();
    Bss {
        flags: "[WPA2-PSK-CCMP][ESS]",
        probe_response: ssid.clone(),
        beacon: ssid,
        next_beacon: None,
        sends_beacons: true,
        tsf: 0,
        ..access_point(OTHER, 5240, false)
    }
}

/// Searches until the window closes. Returns the progress and the number of scans before its last
/// change.
async fn progress_without_end(fake: &Fake) -> (Vec<SearchProgress>, usize) {
    let mut detector = OverlapDetector::new();
    let reported = RefCell::new(Vec::new());
    let scans = std::cell::Cell::new(0);
    let report = |event| {
        if let PairEvent::Progress(progress) = event
            && reported.borrow().last() != Some(&progress)
        {
            reported.borrow_mut().push(progress);
            scans.set(fake.state().requests_with_prefix("SCAN").len());
        }
    };
    let mut driver = fake.driver();
    let mut context = PairContext::new(&mut detector, &report);
    let offer = fake.with_timeout(PAIRING_WINDOW, driver.pair(&mut context)).await;
    assert!(offer.is_none(), "{offer:?}");
    (reported.into_inner(), scans.get())
}

#[test]
fn no_router_and_no_wps_are_reported_only_after_a_complete_pass() {
    run(async || {
        for (access_point, expected) in
            [(None, SearchProgress::NoRouter), (Some(without_wps()), SearchProgress::NoWps)]
        {
            let fake = connected_station();
            fake.state().access_points = access_point.into_iter().collect();
            let (progress, scans) = progress_without_end(&fake).await;
            assert_eq!(progress, [SearchProgress::Looking, expected]);
            assert_eq!(scans, CHANNELS.len().div_ceil(2));
        }
    });
}

#[test]
fn a_channel_that_cannot_be_scanned_may_hold_a_router() {
    run(async || {
        let fake = connected_station();
        fake.state().access_points.clear();
        fake.state().bad_frequencies = [(5240, -16)].into();
        let progress = progress_without_end(&fake).await.0;
        assert!(
            progress
                .iter()
                .all(|it| { matches!(it, SearchProgress::Looking | SearchProgress::CannotScan) })
        );
        assert_eq!(progress.last(), Some(&SearchProgress::CannotScan));
    });
}

#[test]
fn a_radio_that_cannot_scan_is_reported_and_not_that_it_saw_nothing() {
    run(async || {
        let fake = connected_station();
        fake.state().bad_frequencies = CHANNELS.map(|freq| (freq, -16)).into();
        let expected = [SearchProgress::Looking, SearchProgress::CannotScan];
        assert_eq!(progress_without_end(&fake).await.0, expected);
        let fake = connected_station();
        fake.state().busy_scans = usize::MAX;
        assert_eq!(progress_without_end(&fake).await.0, expected);
    });
}

/// The first `failures` scans fail. Returns the progress with one router, whose button nobody
/// presses.
async fn progress_after_failed_scans(failures: usize) -> Vec<SearchProgress> {
    let fake = connected_station();
    // Not a channel of the first step.
    fake.state().access_points = vec![access_point(HOME, 5240, false)];
    fake.state().access_points[0].age = 100;
    fake.state().bad_frequencies = CHANNELS.map(|freq| (freq, -16)).into();
    fake.script(move |request, state| {
        if request.starts_with("SCAN") && state.requests_with_prefix("SCAN").len() > failures {
            state.bad_frequencies.clear();
        }
        None
    });
    progress_without_end(&fake).await.0
}

#[test]
fn scans_that_fail_for_a_moment_are_not_reported() {
    run(async || {
        for failures in [1, 2, 10] {
            let expected = [SearchProgress::Looking, SearchProgress::NotPressed];
            assert_eq!(progress_after_failed_scans(failures).await, expected);
        }
    });
}

#[test]
fn the_first_scan_that_succeeds_ends_the_report_of_failures() {
    run(async || {
        let expected =
            [SearchProgress::Looking, SearchProgress::CannotScan, SearchProgress::NotPressed];
        assert_eq!(progress_after_failed_scans(200).await, expected);
    });
}

#[test]
fn a_radio_that_can_no_longer_scan_is_reported() {
    run(async || {
        let fake = connected_station();
        fake.state().access_points.iter_mut().for_each(|bss| {
            *bss = access_point(HOME, 2412, false);
        });
        fake.script(|request, state| {
            if request.starts_with("SCAN") && state.requests_with_prefix("SCAN").len() == 2 {
                state.bad_frequencies = CHANNELS.map(|freq| (freq, -16)).into();
            }
            None
        });
        let expected =
            [SearchProgress::Looking, SearchProgress::NotPressed, SearchProgress::CannotScan];
        assert_eq!(progress_without_end(&fake).await.0, expected);
    });
}
