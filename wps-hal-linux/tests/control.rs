//! Tests of the Linux driver with a fake wpa_supplicant in the same process.
//!
//! They need nothing but Rust and never really wait. Tokio's time is paused. A running fake
//! occupies a blocking task, so tokio does not advance the time by itself: the tests do.

mod fake;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use embassy_futures::select::{Either, select};
use fake::{Bss, Fake, INTERFACE, Override, State, address, credential, elements, hex};
use tokio::time::advance;
use wps_core::Security;
use wps_core::WifiDriver;
use wps_core::driver::{Offer, PairContext, PairEvent, SearchProgress};
use wps_core::wsc::OverlapDetector;
use wps_core::{
    Credentials, DriverError, ErrorKind, Passphrase, ScanResults, Settings, Snapshot, Ssid,
};
use wps_hal_linux::{ControlSocket, ControlSocketError, Event, Events, LinuxError};

const CHANNELS: [u16; 7] = [2412, 2437, 2462, 5180, 5200, 5220, 5240];
const PAIRING_WINDOW: Duration = Duration::from_secs(120);
const SECRET: &str = "correct horse";
const HOME: [u8; 6] = [2, 0, 0, 0, 0, 0x10];
const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 0x20];

/// Runs a test on paused time.
fn run<R>(test: impl AsyncFnOnce() -> R) -> R {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(test())
}

/// Returns an access point "home" with WPS, which a scan finds.
fn access_point(bssid: [u8; 6], frequency: u16, pressed: bool) -> Bss {
    Bss {
        bssid,
        frequency,
        age: 1000,
        on_air: true,
        flags: if pressed { "[WPA2-PSK-CCMP][WPS-PBC][ESS]" } else { "[WPA2-PSK-CCMP][WPS][ESS]" },
        probe_response: elements(b"home", Some(bssid[5]), pressed),
        beacon: elements(b"home", None, pressed),
    }
}

/// Adds a router with its button pressed. It hands over `SECRET` for "home", which can then be
/// joined.
fn add_pressed_router(state: &mut State) {
    state.access_points.push(access_point(HOME, 2437, true));
    state.exchange = vec![
        "CTRL-EVENT-EAP-STARTED EAP authentication started".into(),
        format!("WPS-CRED-RECEIVED {}", credential(b"home", SECRET.as_bytes())),
        "WPS-SUCCESS ".into(),
        "CTRL-EVENT-EAP-FAILURE EAP authentication failed".into(),
    ];
    state.reachable.insert(hex(b"home"), format!("\"{SECRET}\"").into_bytes());
    state.joined_bssid = HOME;
}

/// A station on "old" with two more networks in its own configuration. A router with its button
/// pressed is in range.
fn connected_station() -> Fake {
    let fake = Fake::start(&CHANNELS);
    {
        let mut state = fake.state();
        let old = state.add_platform_network(true, "old");
        state.add_platform_network(false, "never");
        state.add_platform_network(true, "spare");
        add_pressed_router(&mut state);
        state.joined_bssid = OTHER;
        state.set_joined(old);
    }
    fake
}

/// Returns the credentials that the router of [`add_pressed_router`] hands over.
fn home() -> Credentials {
    credentials(b"home", SECRET.as_bytes())
}

fn credentials(ssid: &[u8], key: &[u8]) -> Credentials {
    Credentials {
        ssid: Ssid::new(ssid).expect("a name"),
        passphrase: Some(Passphrase::new(key).expect("a key")),
    }
}

/// Pairs, and returns the offer and all reported progress.
async fn pair(fake: &Fake) -> (Result<Offer, LinuxError>, Vec<SearchProgress>) {
    pair_with_detector(fake, &mut OverlapDetector::new()).await
}

async fn pair_with_detector(
    fake: &Fake,
    overlap_detector: &mut OverlapDetector,
) -> (Result<Offer, LinuxError>, Vec<SearchProgress>) {
    let reported = RefCell::new(Vec::new());
    let report = |event| match event {
        PairEvent::Progress(progress) => reported.borrow_mut().push(progress),
        PairEvent::OffAir | PairEvent::OnAir => {}
        event => panic!("the tests do not know {event:?}"),
    };
    let mut driver = fake.driver();
    let mut context = PairContext::new(overlap_detector, &report);
    let offer = fake.with_timeout(PAIRING_WINDOW, driver.pair(&mut context)).await;
    (offer.expect("an end within the window"), reported.into_inner())
}

/// Pairs, but only until `scans` scans were requested. Returns `None` if there is no result by
/// then.
async fn pair_for_scans(fake: &Fake, scans: usize) -> Option<Result<Offer, LinuxError>> {
    let enough = async {
        while fake.state().requests_with_prefix("SCAN").len() < scans {
            tokio::task::yield_now().await;
        }
    };
    match select(pair(fake), enough).await {
        Either::First((offer, _)) => Some(offer),
        Either::Second(()) => None,
    }
}

async fn take_snapshot(fake: &Fake) -> Snapshot {
    fake.driver().snapshot().await.expect("a snapshot")
}

fn kind<T: Debug>(result: Result<T, LinuxError>) -> ErrorKind {
    result.expect_err("a failure").kind()
}

/// Returns the id and the enabled flag of every network, and the id of the current one. `apply`
/// must restore them.
fn flags(fake: &Fake) -> (Vec<(u32, bool)>, Option<u32>) {
    let (networks, current) = fake.networks_and_current();
    (networks.iter().map(|network| (network.id, network.enabled)).collect(), current)
}

mod control_socket {
    use super::*;

    #[test]
    fn one_request_has_one_reply() {
        run(async || {
            let fake = Fake::start(&CHANNELS);
            let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
            assert_eq!(control.request("PING").await.unwrap().as_str(), "PONG\n");
            assert_eq!(control.command("ADD_NETWORK").await.unwrap().as_str(), "0\n");
            assert_eq!(control.request("GET_NETWORK 7 ssid").await.unwrap().as_str(), "FAIL\n");
        });
    }

    #[test]
    fn a_refusal_names_the_request_and_never_the_value() {
        run(async || {
            let fake = Fake::start(&CHANNELS);
            let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
            let error = control.command("SET_NETWORK 3 psk \"correct horse\"").await.unwrap_err();
            assert_eq!(error.to_string(), "wpa_supplicant refused SET_NETWORK 3 psk: FAIL");
            let error = control.command("NONSENSE correct horse").await.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("horse"));
        });
    }

    #[test]
    fn no_reply_is_reported_as_no_response() {
        run(async || {
            let fake = Fake::start(&CHANNELS);
            fake.script(|_, _| Some(Override::NoReply));
            let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
            let time = async {
                fake.wait_for_request("PING").await;
                advance(Duration::from_secs(5)).await;
            };
            let (reply, ()) = tokio::join!(control.request("PING"), time);
            assert!(matches!(reply, Err(ControlSocketError::NoResponse)));
            let driver = fake.driver();
            let (check, ()) = tokio::join!(driver.check(), async {
                fake.wait_for_request("ATTACH").await;
                advance(Duration::from_secs(5)).await;
            });
            assert_eq!(kind(check), ErrorKind::NoResponse);
        });
    }

    /// Held while a child process is spawned. A new child briefly holds copies of all sockets, so
    /// no socket is stale at that moment.
    static SPAWN_LOCK: Mutex<()> = Mutex::new(());

    #[test]
    fn a_missing_and_a_stale_socket_say_what_to_do() {
        let _guard = SPAWN_LOCK.lock();
        run(async || {
            let directory = tempfile::tempdir().unwrap();
            let missing = ControlSocket::connect(directory.path(), "wlan0").unwrap_err();
            drop(UnixDatagram::bind(directory.path().join("wlan1")).unwrap());
            let stale = ControlSocket::connect(directory.path(), "wlan1").unwrap_err();
            for error in [missing, stale] {
                assert!(matches!(error, ControlSocketError::Unreachable { .. }));
                assert!(error.to_string().contains("start it with a control socket"), "{error}");
                assert_eq!(LinuxError::from(error).kind(), ErrorKind::NoDevice);
            }
        });
    }

    /// The test runs itself again in a child process: as user "nobody" if it is root, because root
    /// has every permission.
    #[test]
    fn no_permission_says_what_to_do() {
        const DIRECTORY_VARIABLE: &str = "WPS_HAL_LINUX_TEST_DIRECTORY";
        if let Some(directory) = std::env::var_os(DIRECTORY_VARIABLE) {
            let error =
                run(async || ControlSocket::connect(directory.as_ref(), "wlan0").unwrap_err());
            assert!(matches!(error, ControlSocketError::Permission(_)), "{error:?}");
            assert!(error.to_string().contains("run as root, or as a member of the group"));
            assert_eq!(LinuxError::from(error).kind(), ErrorKind::NotPermitted);
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("wlan0")).unwrap();
        let mode = |mode| PermissionsExt::from_mode(mode);
        std::fs::set_permissions(directory.path(), mode(0o755)).unwrap();
        std::fs::set_permissions(directory.path().join("wlan0"), mode(0o000)).unwrap();
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "control_socket::no_permission_says_what_to_do"]);
        again.env(DIRECTORY_VARIABLE, directory.path());
        if rustix::process::geteuid().is_root() {
            again.uid(65_534).gid(65_534);
        }
        let _guard = SPAWN_LOCK.lock();
        match again.output() {
            Ok(output) => assert!(output.status.success(), "{output:?}"),
            // The user "nobody" may not read the directory of the test binary.
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
        }
        drop(socket);
    }

    #[test]
    fn events_arrive_in_order_and_dropping_a_wait_loses_none() {
        run(async || {
            let fake = Fake::start(&CHANNELS);
            let events = Events::attach(fake.directory(), INTERFACE).await.unwrap();
            let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
            let waiting = async {
                let _ = events.next().await;
            };
            assert!(matches!(select(waiting, async {}).await, Either::Second(())));
            fake.script(|_, state| {
                state.emit_before_reply("WPS-OVERLAP-DETECTED PBC session overlap");
                state.emit_before_reply("WPS-SUCCESS ");
                None
            });
            control.request("PING").await.unwrap();
            assert_eq!(events.next().await.unwrap(), Event::WpsOverlap);
            assert_eq!(events.next().await.unwrap(), Event::WpsSuccess);
        });
    }

    #[test]
    fn events_before_a_reply_can_be_discarded() {
        run(async || {
            let fake = Fake::start(&CHANNELS);
            let events = Events::attach(fake.directory(), INTERFACE).await.unwrap();
            let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
            fake.script(|request, state| {
                match request {
                    "PING" => state.emit_before_reply("WPS-FAIL msg=8 config_error=18"),
                    _ => state.emit_before_reply("WPS-SUCCESS "),
                }
                None
            });
            control.request("PING").await.unwrap();
            events.discard_pending();
            control.request("STATUS").await.unwrap();
            assert_eq!(events.next().await.unwrap(), Event::WpsSuccess);
        });
    }

    /// A reply may arrive before tokio's reactor has run again. To reproduce this, another client
    /// sends the request and reads the reply.
    #[test]
    fn events_before_an_immediate_reply_can_be_discarded_too() {
        run(async || {
            let fake = Fake::start(&CHANNELS);
            let events = Events::attach(fake.directory(), INTERFACE).await.unwrap();
            let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
            fake.script(|request, state| {
                match request {
                    "PING" => state.emit_before_reply("WPS-FAIL msg=8 config_error=18"),
                    _ => state.emit_before_reply("WPS-SUCCESS "),
                }
                None
            });
            events.discard_pending();
            let blocking = UnixDatagram::bind(fake.directory().join("blocking")).unwrap();
            blocking.send_to(b"PING", fake.directory().join(INTERFACE)).unwrap();
            assert_eq!(blocking.recv(&mut [0; 16]).unwrap(), b"PONG\n".len());
            events.discard_pending();
            control.request("STATUS").await.unwrap();
            assert_eq!(events.next().await.unwrap(), Event::WpsSuccess);
        });
    }

    #[test]
    fn the_end_of_wpa_supplicant_is_an_error() {
        run(async || {
            let fake = Fake::start(&CHANNELS);
            let events = Events::attach(fake.directory(), INTERFACE).await.unwrap();
            let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
            fake.script(|_, state| {
                state.emit_before_reply("CTRL-EVENT-TERMINATING ");
                Some(Override::Crash)
            });
            let reply = control.request("PING").await;
            assert!(
                matches!(reply, Err(ControlSocketError::Gone(_) | ControlSocketError::NoResponse)),
                "{reply:?}"
            );
            assert!(matches!(events.next().await, Err(ControlSocketError::Closed)));
            let again = ControlSocket::connect(fake.directory(), INTERFACE).unwrap_err();
            assert!(matches!(again, ControlSocketError::Unreachable { .. }));
        });
    }
}

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

mod searching {
    use super::*;

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
            let scans = requests
                .iter()
                .take(selected)
                .filter_map(|it| it.strip_prefix("SCAN TYPE=ONLY freq="));
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
            let mut context =
                PairContext::new(&mut overlap_detector, &|_| {}).on_scan_results(&report);
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
}

mod exchanging {
    use super::*;

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
            let guest = credentials(b"guest", b"guest key");
            assert_eq!((offer.at(0), offer.at(1)), (&home(), &guest));
        });
    }

    #[test]
    fn a_missing_disconnect_after_the_exchange_is_not_waited_for_long() {
        run(async || {
            let fake = connected_station();
            let Some(credential) = fake.state().exchange.get(1).cloned() else { return };
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
            let Either::First((offer, _)) = select(pair(&fake), time).await else { return };
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
            assert!(matches!(
                kind(pair(&fake).await.0),
                ErrorKind::NoDevice | ErrorKind::NoResponse
            ));
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
            let Either::First((offer, _)) = select(pair(&fake), time).await else { return };
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
}

mod joining {
    use super::*;

    /// Joins "home" with this key and returns the `psk` that the driver sends.
    async fn joined_with(key: &[u8]) -> Vec<u8> {
        let fake = connected_station();
        // No key is accepted. Only what the driver sends counts.
        fake.state().reachable.clear();
        let network = credentials(b"home", key);
        let joined = fake.driver().join(&network, &Snapshot::default()).await;
        assert_eq!(kind(joined), ErrorKind::NotFound);
        let state = fake.state();
        let ours: Vec<_> = state.networks.iter().filter_map(|it| it.variables.get("psk")).collect();
        ours.last().copied().cloned().unwrap_or_default()
    }

    #[test]
    fn odd_passphrases_arrive_as_they_are() {
        let keys = [
            "eight ch",
            "\"quoted\"",
            "a\"b\"c\"d\"",
            "back\\slash\\",
            "  blanks  ",
            "ärger mit ümlaut",
            "\"\"\"\"\"\"\"\"",
        ];
        for key in keys {
            let quoted = [b"\"", key.as_bytes(), b"\""].concat();
            assert_eq!(run(async || joined_with(key.as_bytes()).await), quoted, "{key}");
        }
    }

    #[test]
    fn a_raw_psk_is_not_quoted() {
        let key = [b'a'; 64];
        assert_eq!(run(async || joined_with(&key).await), key);
    }

    /// Some routers are older than UTF-8. A passphrase is bytes.
    #[test]
    fn a_passphrase_in_latin_1_arrives_as_it_is() {
        let key = b"\xe4rger mit \xfcmlaut";
        assert_eq!(run(async || joined_with(key).await), [b"\"", &key[..], b"\""].concat());
    }

    #[test]
    fn names_of_any_bytes_arrive_as_they_are() {
        run(async || {
            let fake = connected_station();
            let name = b"\"a\\b\n\xff\0";
            fake.state().reachable.insert(hex(name), b"\"correct horse\"".into());
            let network = credentials(name, SECRET.as_bytes());
            fake.driver().join(&network, &Snapshot::default()).await.unwrap();
            assert_eq!(fake.driver().link().await.unwrap().ssid, Some(network.ssid));
        });
    }

    #[test]
    fn a_wrong_key_and_a_missing_network_are_told_apart() {
        run(async || {
            let fake = connected_station();
            let wrong = credentials(b"home", b"wrong horse");
            let joined = fake.driver().join(&wrong, &Snapshot::default()).await;
            assert_eq!(kind(joined), ErrorKind::WrongKey);
            let missing = credentials(b"nowhere", b"wrong horse");
            let joined = fake.driver().join(&missing, &Snapshot::default()).await;
            assert_eq!(kind(joined), ErrorKind::NotFound);
        });
    }

    #[test]
    fn a_late_deauthentication_restarts_the_join() {
        run(async || {
            let fake = connected_station();
            fake.script(|request, state| {
                if request.starts_with("SELECT") && state.requests_with_prefix("SELECT").len() < 3 {
                    let id = request.split(' ').nth(1).unwrap_or_default();
                    state.emit_after_reply(format!(
                        "CTRL-EVENT-SSID-TEMP-DISABLED id={id} ssid=\"home\" auth_failures=1 duration=10 reason=AUTH_FAILED"
                    ));
                    return Some(Override::Reply(b"OK\n".into()));
                }
                None
            });
            fake.driver().join(&home(), &Snapshot::default()).await.unwrap();
            assert_eq!(fake.state().requests_with_prefix("SELECT").len(), 3);
        });
    }

    #[test]
    fn a_new_key_for_the_current_network_is_used() {
        run(async || {
            let fake = connected_station();
            let station = |key: &[u8]| Settings::Station { network: credentials(b"home", key) };
            let snapshot = take_snapshot(&fake).await;
            fake.driver().apply(&station(SECRET.as_bytes()), &snapshot).await.unwrap();
            fake.driver().apply(&station(b"the new key"), &snapshot).await.unwrap();
            let (networks, _) = fake.networks_and_current();
            assert_eq!(networks.last().map(|it| it.text("psk")), Some("\"the new key\"".into()));
        });
    }
}

mod restoring {
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
            let wrong = credentials(b"home", b"wrong horse");
            assert_eq!(kind(fake.driver().join(&wrong, &snapshot).await), ErrorKind::WrongKey);
            let snapshot = Snapshot::new(snapshot.as_bytes()).unwrap();
            fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
            assert_eq!(fake.networks_and_current(), before);
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
            let changes = [
                "SELECT",
                "DISCONNECT",
                "REASSOCIATE",
                "WPS_CANCEL",
                "REMOVE",
                "ENABLE",
                "DISABLE",
            ];
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
}

mod access_point {
    use super::*;
    use wps_core::AccessPoint;

    fn hotspot(channel: Option<u8>) -> Settings {
        let network = credentials(b"hotspot", b"hotspot key");
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
                assert!(
                    state.requests_with_prefix("SELECT_NETWORK").len() <= 1,
                    "only for serving"
                );
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
    fn a_card_that_cannot_scan_is_unsupported() {
        run(async || {
            let fake = connected_station();
            fake.state().bad_frequencies = CHANNELS.map(|frequency| (frequency, -95)).into();
            assert_eq!(kind(pair(&fake).await.0), ErrorKind::Unsupported);
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
            let error = fake
                .with_timeout(PAIRING_WINDOW, apply)
                .await
                .expect("an end")
                .expect_err("refused");
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
}

mod config_lost {
    use super::*;
    use wps_core::AccessPoint;
    use wps_hal_linux::WpaSupplicant;

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
}

mod cancellation {
    use super::*;

    /// Drops `work` at its `nth` request, which the fake still executes. Returns `false` if `work`
    /// finished before.
    async fn drop_at_request<T>(fake: &Fake, nth: usize, work: impl Future<Output = T>) -> bool {
        fake.freeze_at(nth);
        let dropped = matches!(select(work, fake.wait_frozen()).await, Either::Second(()));
        fake.thaw();
        dropped
    }

    /// Drops `method` at each of its requests in turn, and then restores with `apply`. Returns the
    /// requests after which something was not restored, and what was left.
    async fn find_traces(pair_first: bool, method: impl AsyncFn(&Fake, &Snapshot)) -> Vec<String> {
        let mut traces = Vec::new();
        for nth in 1.. {
            let fake = connected_station();
            let before = fake.networks_and_current();
            let snapshot = take_snapshot(&fake).await;
            if pair_first {
                pair(&fake).await.0.unwrap();
            }
            if !drop_at_request(&fake, nth, method(&fake, &snapshot)).await {
                break;
            }
            let last = fake.state().requests.last().cloned().unwrap_or_default();
            fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
            if fake.networks_and_current() != before {
                let last = String::from_utf8_lossy(&last);
                traces.push(format!("{nth}: {last} left {:?}", flags(&fake)));
            }
        }
        traces
    }

    async fn pairing(fake: &Fake, snapshot: &Snapshot) {
        let offer = pair(fake).await.0.unwrap();
        fake.driver().join(offer.at(0), snapshot).await.unwrap();
    }

    #[test]
    fn a_pairing_dropped_anywhere_leaves_no_trace() {
        let traces = run(async || find_traces(false, pairing).await);
        assert!(traces.is_empty(), "{traces:#?}");
    }

    #[test]
    fn a_restore_dropped_anywhere_is_completed_by_the_next_one() {
        let traces = run(async || {
            find_traces(true, async |fake: &Fake, snapshot: &Snapshot| {
                fake.driver().apply(&Settings::Platform, snapshot).await.unwrap();
            })
            .await
        });
        assert!(traces.is_empty(), "{traces:#?}");
    }

    /// At boot there is no snapshot: the record is `Record::Settled`.
    #[test]
    fn a_station_applied_at_boot_and_dropped_changes_no_flags() {
        let lost = run(async || {
            let mut lost = Vec::new();
            for nth in 1.. {
                let fake = connected_station();
                let before = flags(&fake).0;
                let settings = Settings::Station { network: home() };
                let (mut first, mut second) = (fake.driver(), fake.driver());
                let nothing = Snapshot::default();
                if !drop_at_request(&fake, nth, first.apply(&settings, &nothing)).await {
                    break;
                }
                let last = fake.state().requests.last().cloned().unwrap_or_default();
                second.apply(&settings, &nothing).await.unwrap();
                if flags(&fake).0.get(..3) != Some(&before[..]) {
                    let last = String::from_utf8_lossy(&last);
                    lost.push(format!("{nth}: {last} left {:?}", flags(&fake)));
                }
            }
            lost
        });
        assert!(lost.is_empty(), "{lost:#?}");
    }
}

mod secrets {
    use super::*;

    /// Collects everything that is logged, at every level.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<String>>);

    impl tracing::field::Visit for Log {
        fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
            let _ = writeln!(self.0.lock().unwrap(), "{field}={value:?}");
        }
    }

    impl tracing::Subscriber for Log {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            span.record(&mut self.clone());
            tracing::span::Id::from_u64(1)
        }

        fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
            values.record(&mut self.clone());
        }

        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

        fn event(&self, event: &tracing::Event<'_>) {
            event.record(&mut self.clone());
        }

        fn enter(&self, _: &tracing::span::Id) {}

        fn exit(&self, _: &tracing::span::Id) {}
    }

    /// Returns whether the text contains the secret as text, in hex, or as a list of bytes.
    fn leaks(text: &str) -> bool {
        let text = text.to_lowercase();
        let decimal = format!("{:?}", SECRET.as_bytes());
        [SECRET, &hex(SECRET.as_bytes()), decimal.trim_matches(['[', ']'])]
            .iter()
            .any(|secret| text.contains(secret))
    }

    #[test]
    fn neither_log_nor_errors_contain_a_secret() {
        let log = Log::default();
        let output = tracing::subscriber::with_default(log.clone(), || {
            run(async || {
                let mut output = String::new();
                // Each request fails once, and once it gets a reply with nonsense and the secret.
                for nth in 1..200 {
                    let mut done = false;
                    let nonsense = ["correct horse", "id=correct horse\n"][nth % 2];
                    for reply in ["FAIL\n", nonsense] {
                        let fake = connected_station();
                        let mut left = nth;
                        fake.script(move |request, _| {
                            left -= usize::from(left > 0);
                            let spared = request == "ATTACH" || request.starts_with("SCAN");
                            (left == 1 && !spared).then_some(Override::Reply(reply.into()))
                        });
                        let mut driver = fake.driver();
                        let mut overlap_detector = OverlapDetector::new();
                        let work = async {
                            let snapshot = driver.snapshot().await?;
                            let mut context = PairContext::new(&mut overlap_detector, &|_| {});
                            let offer = driver.pair(&mut context).await?;
                            let _ = write!(output, "{offer:?}");
                            driver.join(offer.at(0), &snapshot).await?;
                            driver.apply(&Settings::Platform, &snapshot).await
                        };
                        match fake.with_timeout(Duration::from_secs(4), work).await {
                            Some(Err(error)) => {
                                let _ = writeln!(output, "{error} {error:?}");
                            }
                            Some(Ok(())) => done = fake.state().requests.len() < nth,
                            None => {}
                        }
                    }
                    if done {
                        break;
                    }
                }
                output
            })
        });
        let log = log.0.lock().unwrap();
        assert!(log.contains("Credentials(") && output.contains("refused SET_NETWORK"), "{output}");
        let leak = log.lines().chain(output.lines()).find(|line| leaks(line));
        // Not even a secret in a reply is logged, although real replies never contain a key.
        assert_eq!(leak, None);
        assert!(log.len() < 64 << 20);
    }

    #[test]
    fn no_debug_output_contains_a_secret() {
        run(async || {
            let fake = connected_station();
            let offer = pair(&fake).await.0.unwrap();
            let event = Event::parse(
                format!("<3>WPS-CRED-RECEIVED {}", credential(b"home", SECRET.as_bytes()))
                    .as_bytes(),
            );
            let events = Events::attach(fake.directory(), INTERFACE).await.unwrap();
            let settings = Settings::Station { network: home() };
            let text = format!("{offer:?} {event:?} {events:?} {settings:?} {:?}", fake.driver());
            assert!(!leaks(&text), "{text}");
            assert!(leaks(&format!("{:?}", SECRET.as_bytes())) && leaks(&hex(SECRET.as_bytes())));
        });
    }

    #[test]
    fn a_flood_of_events_does_not_flood_the_log() {
        let log = Log::default();
        tracing::subscriber::with_default(log.clone(), || {
            run(async || {
                let fake = connected_station();
                fake.script(|request, state| {
                    if request.starts_with("SCAN") {
                        for nth in 0..5 {
                            let bssid = address([2, 0, 0, 0, 1, nth]);
                            state.emit_after_reply(format!("CTRL-EVENT-BSS-ADDED {nth} {bssid}"));
                        }
                    }
                    None
                });
                pair(&fake).await.0.unwrap();
            });
        });
        assert!(!log.0.lock().unwrap().contains("Other"));
    }

    #[test]
    fn garbage_is_logged_once_without_its_content() {
        let log = Log::default();
        tracing::subscriber::with_default(log.clone(), || {
            run(async || {
                let fake = connected_station();
                fake.script(|request, state| {
                    if request.starts_with("SCAN") {
                        state.emit_garbage(b"what is \xff this");
                        state.emit_garbage(b"<3");
                    }
                    None
                });
                pair(&fake).await.0.unwrap();
            });
        });
        let log = log.0.lock().unwrap();
        assert_eq!(log.matches("malformed event").count(), 1, "{log}");
        assert!(!log.contains("what is"), "{log}");
    }
}
