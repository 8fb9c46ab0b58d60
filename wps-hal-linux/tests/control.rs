//! The Linux driver against a wpa_supplicant of memory only: needs nothing but Rust, and waits for
//! nothing. Time is tokio's, paused; only the tests move it.

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
use fake::{Bss, Fake, INTERFACE, Instead, State, address, credential, elements, hex};
use tokio::time::advance;
use wps_core::WifiDriver;
use wps_core::driver::{Offer, PairContext, PairEvent, SearchProgress, Security};
use wps_core::wsc::OverlapDetector;
use wps_core::{
    Credentials, DriverError, ErrorKind, Passphrase, ScanResults, Settings, Snapshot, Ssid,
};
use wps_hal_linux::LinuxError;
use wps_hal_linux::control_socket::{ControlSocket, ControlSocketError, Events};
use wps_hal_linux::event::Event;

const CHANNELS: [u16; 7] = [2412, 2437, 2462, 5180, 5200, 5220, 5240];
const WINDOW: Duration = Duration::from_secs(120);
const SECRET: &str = "correct horse";
const HOME: [u8; 6] = [2, 0, 0, 0, 0, 0x10];
const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 0x20];

/// Runs a story on paused time, which moves only when told as long as a fake runs.
fn play<R>(story: impl AsyncFnOnce() -> R) -> R {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(story())
}

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

/// A pressed router that hands over `SECRET` for "home", which can then be joined.
fn router(state: &mut State) {
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

/// A station on "old", with two more networks of its own, and a pressed router in range.
fn house() -> Fake {
    let fake = Fake::start(&CHANNELS);
    {
        let mut state = fake.state();
        let old = state.platform(true, "old");
        state.platform(false, "never");
        state.platform(true, "spare");
        router(&mut state);
        state.joined_bssid = OTHER;
        state.join(old);
        // From the goodbye of "old" on, the air is the router's.
    }
    fake
}

fn home() -> Credentials {
    credentials(b"home", SECRET.as_bytes())
}

fn credentials(ssid: &[u8], key: &[u8]) -> Credentials {
    Credentials {
        ssid: Ssid::new(ssid).expect("a name"),
        passphrase: Some(Passphrase::new(key).expect("a key")),
    }
}

async fn pair(fake: &Fake) -> (Result<Offer, LinuxError>, Vec<SearchProgress>) {
    pair_again(fake, &mut OverlapDetector::new()).await
}

async fn pair_again(
    fake: &Fake,
    overlap_detector: &mut OverlapDetector,
) -> (Result<Offer, LinuxError>, Vec<SearchProgress>) {
    let seen = RefCell::new(Vec::new());
    let tell = |news| match news {
        PairEvent::Progress(sight) => seen.borrow_mut().push(sight),
        PairEvent::OffAir | PairEvent::OnAir => {}
    };
    let mut driver = fake.driver();
    let mut context = PairContext::new(overlap_detector, &tell);
    let offer = fake.with_time(WINDOW, driver.pair(&mut context)).await;
    (offer.expect("an end within the window"), seen.into_inner())
}

/// Pairs, but only for so many looks.
async fn look(fake: &Fake, looks: usize) -> Option<Result<Offer, LinuxError>> {
    let enough = async {
        while fake.state().asked("SCAN").len() < looks {
            tokio::task::yield_now().await;
        }
    };
    match select(pair(fake), enough).await {
        Either::First((offer, _)) => Some(offer),
        Either::Second(()) => None,
    }
}

async fn noted(fake: &Fake) -> Snapshot {
    fake.driver().snapshot().await.expect("a pairing could begin")
}

fn kind<T: Debug>(result: Result<T, LinuxError>) -> ErrorKind {
    result.expect_err("a failure").kind()
}

/// What a station of "old" has, as `apply` must leave it.
fn flags(fake: &Fake) -> (Vec<(u32, bool)>, Option<u32>) {
    let (networks, current) = fake.platform();
    (networks.iter().map(|network| (network.id, network.enabled)).collect(), current)
}

mod control {
    use super::*;

    #[test]
    fn one_request_has_one_reply() {
        play(async || {
            let fake = Fake::start(&CHANNELS);
            let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
            assert_eq!(control.ask("PING").await.unwrap().as_str(), "PONG\n");
            assert_eq!(control.order("ADD_NETWORK").await.unwrap().as_str(), "0\n");
            assert_eq!(control.ask("GET_NETWORK 7 ssid").await.unwrap().as_str(), "FAIL\n");
        });
    }

    #[test]
    fn a_refusal_names_the_request_and_never_the_value() {
        play(async || {
            let fake = Fake::start(&CHANNELS);
            let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
            let refused = control.order("SET_NETWORK 3 psk \"correct horse\"").await.unwrap_err();
            assert_eq!(refused.to_string(), "wpa_supplicant refused SET_NETWORK 3 psk: FAIL");
            let refused = control.order("NONSENSE correct horse").await.unwrap_err();
            assert!(!format!("{refused} {refused:?}").contains("horse"));
        });
    }

    #[test]
    fn nobody_answers_is_mute() {
        play(async || {
            let fake = Fake::start(&CHANNELS);
            fake.script(|_, _| Some(Instead::Silence));
            let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
            let impatient = async {
                fake.asked("PING").await;
                advance(Duration::from_secs(5)).await;
            };
            let (reply, ()) = tokio::join!(control.ask("PING"), impatient);
            assert!(matches!(reply, Err(ControlSocketError::Mute)));
            let driver = fake.driver();
            let (check, ()) = tokio::join!(driver.check(), async {
                fake.asked("ATTACH").await;
                advance(Duration::from_secs(5)).await;
            });
            assert_eq!(kind(check), ErrorKind::NoResponse);
        });
    }

    /// A child that is being started holds copies of all sockets for a moment: none is stale then.
    static STARTING: Mutex<()> = Mutex::new(());

    #[test]
    fn no_socket_and_nobody_behind_it_say_what_to_do() {
        let _alone = STARTING.lock();
        play(async || {
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

    /// Root may do everything, so as root the test runs itself once more as nobody.
    #[test]
    fn no_permission_says_what_to_do() {
        const PLACE: &str = "WPS_HAL_LINUX_TEST_PLACE";
        if let Some(place) = std::env::var_os(PLACE) {
            let error = play(async || ControlSocket::connect(place.as_ref(), "wlan0").unwrap_err());
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
        again.args(["--exact", "control::no_permission_says_what_to_do"]);
        again.env(PLACE, directory.path());
        if rustix::process::geteuid().is_root() {
            again.uid(65_534).gid(65_534);
        }
        let _alone = STARTING.lock();
        match again.output() {
            Ok(output) => assert!(output.status.success(), "{output:?}"),
            // The tests were built where nobody may look.
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
        }
        drop(socket);
    }

    #[test]
    fn events_come_in_order_and_dropping_a_wait_loses_none() {
        play(async || {
            let fake = Fake::start(&CHANNELS);
            let events = Events::attach(fake.directory(), INTERFACE).await.unwrap();
            let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
            let waiting = async {
                let _ = events.next().await;
            };
            assert!(matches!(select(waiting, async {}).await, Either::Second(())));
            fake.script(|_, state| {
                state.tell("WPS-OVERLAP-DETECTED PBC session overlap");
                state.tell("WPS-SUCCESS ");
                None
            });
            control.ask("PING").await.unwrap();
            assert_eq!(events.next().await.unwrap(), Event::WpsOverlap);
            assert_eq!(events.next().await.unwrap(), Event::WpsSuccess);
        });
    }

    #[test]
    fn what_came_before_a_reply_can_be_forgotten() {
        play(async || {
            let fake = Fake::start(&CHANNELS);
            let events = Events::attach(fake.directory(), INTERFACE).await.unwrap();
            let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
            fake.script(|request, state| {
                match request {
                    "PING" => state.tell("WPS-FAIL msg=8 config_error=18"),
                    _ => state.tell("WPS-SUCCESS "),
                }
                None
            });
            control.ask("PING").await.unwrap();
            events.forget();
            control.ask("STATUS").await.unwrap();
            assert_eq!(events.next().await.unwrap(), Event::WpsSuccess);
        });
    }

    /// A reply may be there at once, without a turn of tokio's reactor: here it is to somebody else.
    #[test]
    fn what_came_before_a_quick_reply_can_be_forgotten_too() {
        play(async || {
            let fake = Fake::start(&CHANNELS);
            let events = Events::attach(fake.directory(), INTERFACE).await.unwrap();
            let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
            fake.script(|request, state| {
                match request {
                    "PING" => state.tell("WPS-FAIL msg=8 config_error=18"),
                    _ => state.tell("WPS-SUCCESS "),
                }
                None
            });
            events.forget();
            let quick = UnixDatagram::bind(fake.directory().join("quick")).unwrap();
            quick.send_to(b"PING", fake.directory().join(INTERFACE)).unwrap();
            assert_eq!(quick.recv(&mut [0; 16]).unwrap(), b"PONG\n".len());
            events.forget();
            control.ask("STATUS").await.unwrap();
            assert_eq!(events.next().await.unwrap(), Event::WpsSuccess);
        });
    }

    #[test]
    fn the_end_of_wpa_supplicant_is_an_error() {
        play(async || {
            let fake = Fake::start(&CHANNELS);
            let events = Events::attach(fake.directory(), INTERFACE).await.unwrap();
            let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
            fake.script(|_, state| {
                state.tell("CTRL-EVENT-TERMINATING ");
                Some(Instead::Die)
            });
            let reply = control.ask("PING").await;
            assert!(
                matches!(reply, Err(ControlSocketError::Gone(_) | ControlSocketError::Mute)),
                "{reply:?}"
            );
            assert!(matches!(events.next().await, Err(ControlSocketError::Closed)));
            let again = ControlSocket::connect(fake.directory(), INTERFACE).unwrap_err();
            assert!(matches!(again, ControlSocketError::Unreachable { .. }));
        });
    }
}

/// Bytes from nowhere, the same every time.
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

mod looking {
    use super::*;

    #[test]
    fn the_router_at_the_end_of_a_crowded_air_is_found() {
        play(async || {
            let fake = house();
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
            assert!(state.asked("BSS RANGE=").len() >= 3 * state.asked("SCAN").len());
        });
    }

    #[test]
    fn nothing_is_moved_before_every_channel_was_looked_at() {
        play(async || {
            let fake = house();
            let (offer, mut seen) = pair(&fake).await;
            offer.unwrap();
            seen.dedup();
            let pressed = SearchProgress::Pressed { ssid: Some(home().ssid) };
            let exchanging = SearchProgress::Exchanging { ssid: Some(home().ssid) };
            assert_eq!(seen, [SearchProgress::Looking, pressed, exchanging]);

            let state = fake.state();
            let requests: Vec<_> =
                state.requests.iter().map(|it| String::from_utf8_lossy(it)).collect();
            let moved = requests.iter().position(|it| it.starts_with("SELECT")).unwrap();
            let looks = requests
                .iter()
                .take(moved)
                .filter_map(|it| it.strip_prefix("SCAN TYPE=ONLY freq="));
            let looked: BTreeSet<u16> =
                looks.flat_map(|list| list.split(',')).map(|it| it.parse().unwrap()).collect();
            assert_eq!(looked, BTreeSet::from(CHANNELS));
            let disturbs = ["DISCONNECT", "DISABLE", "REASSOCIATE", "WPS_CANCEL", "REMOVE"];
            assert!(
                !requests
                    .iter()
                    .take(moved)
                    .any(|it| disturbs.iter().any(|verb| it.starts_with(verb)))
            );
        });
    }

    #[test]
    fn a_pressed_button_is_told_as_pressed_while_other_channels_are_looked_at() {
        play(async || {
            let fake = house();
            fake.script(|request, state| {
                if request.starts_with("SCAN") {
                    state.access_points.iter_mut().for_each(|bss| bss.age += 1); // a look takes a second
                }
                None
            });
            let (offer, mut seen) = pair(&fake).await;
            offer.unwrap();
            seen.dedup();
            let pressed = SearchProgress::Pressed { ssid: Some(home().ssid) };
            let exchanging = SearchProgress::Exchanging { ssid: Some(home().ssid) };
            assert_eq!(seen, [SearchProgress::Looking, pressed, exchanging]);
        });
    }

    #[test]
    fn who_looks_around_meanwhile_is_told_what_is_heard() {
        play(async || {
            let fake = house();
            let (told, mut overlap_detector) = (RefCell::new(None), OverlapDetector::new());
            let hear = |heard: &ScanResults| drop(told.replace(Some(heard.clone())));
            let mut context =
                PairContext::new(&mut overlap_detector, &|_| {}).on_scan_results(&hear);
            let mut driver = fake.driver();
            fake.with_time(WINDOW, driver.pair(&mut context))
                .await
                .expect("an end")
                .expect("an offer");
            let told = told.take().expect("a list");
            let home = told.iter().find(|it| it.ssid == Some(home().ssid)).expect("the router");
            assert_eq!((home.wps, home.pressed), (true, Some(true)));
            assert_eq!(home.security, Some(Security::Wpa2));
        });
    }

    #[test]
    fn a_press_of_long_ago_is_none() {
        play(async || {
            let fake = house();
            for bss in &mut fake.state().access_points {
                (bss.on_air, bss.age) = (false, 20);
            }
            assert!(look(&fake, 12).await.is_none());
            assert!(fake.state().asked("SELECT").is_empty());
        });
    }

    #[test]
    fn two_routers_pressed_in_different_looks_are_an_overlap() {
        play(async || {
            let fake = house();
            fake.script(|request, state| {
                if request.starts_with("SCAN") && state.asked("SCAN").len() == 2 {
                    // The first one's press is over when the second one's begins.
                    state.access_points = vec![access_point(OTHER, 5220, true)];
                }
                None
            });
            let mut overlap_detector = OverlapDetector::new();
            let (offer, _) = pair_again(&fake, &mut overlap_detector).await;
            assert_eq!(kind(offer), ErrorKind::Overlap);
            // For the rest of the window.
            let (offer, _) = pair_again(&fake, &mut overlap_detector).await;
            assert_eq!(kind(offer), ErrorKind::Overlap);
            assert!(fake.state().asked("SELECT").is_empty());
        });
    }

    #[test]
    fn one_router_with_two_bands_is_no_overlap() {
        play(async || {
            let fake = house();
            let mut second = access_point([2, 0, 0, 0, 0, 0x11], 5180, true);
            second.probe_response = elements(b"home-5G", Some(HOME[5]), true);
            fake.state().access_points.push(second);
            assert_eq!(pair(&fake).await.0.unwrap().at(0), &home());
        });
    }

    #[test]
    fn a_channel_the_card_refuses_does_not_spoil_the_others() {
        play(async || {
            let fake = house();
            fake.state().bad_frequencies = BTreeMap::from([(5200, -22), (2412, -22)]);
            assert_eq!(pair(&fake).await.0.unwrap().at(0), &home());
            let state = fake.state();
            let alone = |scan: &&String| *scan == "SCAN TYPE=ONLY freq=5200";
            assert_eq!(state.asked("SCAN").iter().filter(alone).count(), 1);
        });
    }

    /// Pairs with a driver that is told this `freq_list`.
    async fn pair_within(fake: &Fake, freq_list: &[u16]) -> Result<Offer, LinuxError> {
        let mut driver = fake.driver().freq_list(freq_list.iter().copied());
        let mut overlap_detector = OverlapDetector::default();
        let mut context = PairContext::new(&mut overlap_detector, &|_| {});
        fake.with_time(WINDOW, driver.pair(&mut context)).await.expect("an end within the window")
    }

    #[test]
    fn freq_list_is_all_that_is_looked_at() {
        play(async || {
            let fake = house();
            let list = [2437, 5180, 5955];
            assert_eq!(pair_within(&fake, &list).await.unwrap().at(0), &home());
            let state = fake.state();
            let looks = state.asked("SCAN");
            assert!(looks.iter().all(|look| *look == "SCAN TYPE=ONLY freq=2437,5180"), "{looks:?}");
        });
    }

    #[test]
    fn a_freq_list_without_a_channel_for_wps_is_told() {
        play(async || {
            let error = pair_within(&house(), &[5955]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains("freq_list"), "{error}");
        });
    }

    #[test]
    fn another_ones_scan_is_waited_for_and_the_link_stays() {
        play(async || {
            let fake = house();
            fake.state().busy = 3;
            pair(&fake).await.0.unwrap();
            assert!(fake.state().asked("DISCONNECT").is_empty());
        });
    }

    #[test]
    fn a_search_for_networks_to_join_gives_way() {
        play(async || {
            let fake = house();
            (fake.state().busy, fake.state().joined) = (2, false);
            pair(&fake).await.0.unwrap();
            assert!(!fake.state().asked("DISCONNECT").is_empty());
        });
    }

    #[test]
    fn a_link_that_is_being_made_is_not_cut_for_a_look() {
        play(async || {
            let fake = house();
            fake.state().busy = 1;
            fake.script(|request, _| match request {
                "STATUS" => Some(Instead::Reply(b"wpa_state=4WAY_HANDSHAKE\n".into())),
                _ => None,
            });
            pair(&fake).await.0.unwrap();
            assert!(fake.state().asked("DISCONNECT").is_empty());
        });
    }

    /// EBUSY: another interface of the same radio scans, or the firmware is not done yet.
    #[test]
    fn a_radio_that_is_busy_for_a_moment_loses_no_channel() {
        play(async || {
            let fake = house();
            fake.state().bad_frequencies = CHANNELS.map(|freq| (freq, -16)).into();
            fake.script(|request, state| {
                if request.starts_with("SCAN") && state.asked("SCAN").len() > 8 {
                    state.bad_frequencies.clear();
                }
                None
            });
            assert_eq!(pair(&fake).await.0.map_err(|it| it.kind()).unwrap().at(0), &home());
        });
    }

    #[test]
    fn a_radio_that_cannot_be_switched_on_is_blocked() {
        play(async || {
            let fake = house();
            fake.state().blocked = true;
            assert_eq!(kind(pair(&fake).await.0), ErrorKind::Blocked);
        });
    }

    /// wpa_supplicant never waits for a listener (`MSG_DONTWAIT`): an event can get lost.
    #[test]
    fn a_look_whose_end_is_not_heard_is_not_waited_for_until_the_window_closes() {
        play(async || {
            let fake = house();
            fake.script(|request, state| {
                let first = request.starts_with("SCAN") && state.asked("SCAN").len() == 1;
                first.then(|| Instead::Reply(b"OK\n".into()))
            });
            assert_eq!(pair(&fake).await.0.map_err(|it| it.kind()).unwrap().at(0), &home());
        });
    }

    /// Then there is no event at all: `wpa_supplicant_scan` skips the scan without a word.
    #[test]
    fn a_radio_that_is_switched_off_in_the_middle_of_a_look_is_blocked() {
        play(async || {
            let fake = house();
            fake.script(|request, state| {
                if request.starts_with("SCAN") {
                    state.blocked = true;
                    return Some(Instead::Reply(b"OK\n".into()));
                }
                None
            });
            assert_eq!(kind(pair(&fake).await.0), ErrorKind::Blocked);
        });
    }

    /// wpa_supplicant prints an entry whole or not at all.
    #[test]
    fn a_router_that_says_much_is_heard() {
        play(async || {
            let fake = house();
            for bss in &mut fake.state().access_points {
                for frame in [&mut bss.probe_response, &mut bss.beacon] {
                    for _ in 0..4 {
                        frame.extend([0xdd, 252, 0, 0x17, 0xf2]);
                        frame.extend([0; 249]);
                    }
                }
            }
            assert!(look(&fake, 12).await.is_some());
        });
    }

    #[test]
    fn noise_for_events_and_replies_is_survived() {
        play(async || {
            let fake = house();
            let mut noise = Noise(0x2545_f491_4f6c_dd1d);
            fake.script(move |request, state| {
                let bytes = noise.bytes();
                state.tell(String::from_utf8_lossy(&bytes));
                let much = noise.next().is_multiple_of(3);
                (much && !request.starts_with("SCAN") && request != "ATTACH")
                    .then_some(Instead::Reply(bytes))
            });
            for _ in 0..200 {
                let Some(_) = look(&fake, 3).await else { continue };
                let _ = fake.driver().snapshot().await;
                let _ = fake.driver().link().await;
            }
        });
    }

    #[test]
    fn noise_among_the_events_changes_nothing() {
        play(async || {
            let fake = house();
            let mut noise = Noise(0x1234_5678_9abc_def1);
            fake.script(move |_, state| {
                state.tell_later(noise.bytes());
                state.tell_later([b"CTRL-EVENT-", &noise.bytes()[..]].concat());
                None
            });
            assert_eq!(pair(&fake).await.0.unwrap().at(0), &home());
        });
    }

    /// What hostap does when some listener, not even this one, does not read (ENOBUFS, EAGAIN):
    /// `wpas_ctrl_iface_reinit`.
    #[test]
    fn a_control_socket_made_anew_does_not_end_the_pairing() {
        play(async || {
            let fake = house();
            fake.script(|request, state| {
                (request.starts_with("SCAN") && state.asked("SCAN").len() == 1)
                    .then_some(Instead::Reopen)
            });
            let (offer, _) = pair(&fake).await;
            let over = offer.map_err(|error| error.kind().is_final());
            assert_ne!(over.map(drop), Err(true), "no second try within the window");
        });
    }
}

mod exchanging {
    use super::*;

    #[test]
    fn a_pairing_from_the_press_to_the_joined_network() {
        play(async || {
            let fake = house();
            let before = flags(&fake);
            let snapshot = noted(&fake).await;
            let (offer, _) = pair(&fake).await;
            let offer = offer.unwrap();
            fake.driver().join(offer.at(0), &snapshot).await.unwrap();
            let (after, current) = flags(&fake);
            assert_eq!(after.get(..3), Some(&before.0[..]));
            assert_eq!(fake.state().globals["wps_cred_processing"], "0");
            let link = fake.driver().link().await.unwrap();
            assert_eq!((link.up, link.ssid), (true, Some(home().ssid)));
            assert_eq!(current, after.last().map(|&(id, _)| id));
            // It stays ours: applying it again does not disturb it.
            let selected = fake.state().asked("SELECT").len();
            let settings = Settings::Station { network: home() };
            fake.driver().apply(&settings, &snapshot).await.unwrap();
            assert_eq!(fake.state().asked("SELECT").len(), selected);
        });
    }

    #[test]
    fn pairs_with_the_router_it_is_joined_to() {
        play(async || {
            let fake = house();
            fake.state().joined_bssid = HOME;
            assert_eq!(pair(&fake).await.0.map_err(|it| it.kind()).unwrap().at(0), &home());
        });
    }

    /// hostap hands over each in an event of its own (`wps_process_creds`).
    #[test]
    fn every_network_the_router_hands_over_is_offered_in_its_order() {
        play(async || {
            let fake = house();
            let guest = format!("WPS-CRED-RECEIVED {}", credential(b"guest", b"guest key"));
            fake.state().exchange.insert(2, guest);
            let offer = pair(&fake).await.0.unwrap();
            let guest = credentials(b"guest", b"guest key");
            assert_eq!((offer.at(0), offer.at(1)), (&home(), &guest));
        });
    }

    #[test]
    fn a_router_that_says_no_goodbye_is_not_waited_for_long() {
        play(async || {
            let fake = house();
            let Some(credential) = fake.state().exchange.get(1).cloned() else { return };
            fake.state().exchange.clear();
            fake.script(move |request, state| {
                if request.starts_with("SELECT") {
                    state.tell_later(&credential);
                    state.tell_later("WPS-SUCCESS ");
                }
                None
            });
            let patience = async {
                fake.asked("SELECT").await;
                fake.settle().await;
                advance(Duration::from_millis(300)).await;
                std::future::pending::<()>().await;
            };
            let Either::First((offer, _)) = select(pair(&fake), patience).await else { return };
            assert_eq!(offer.unwrap().at(0), &home());
        });
    }

    #[test]
    fn what_the_router_says_is_told() {
        let says = [
            ("WPS-M2D dev_password_id=4 config_error=12", ErrorKind::RouterBusy),
            ("WPS-FAIL msg=8 config_error=12", ErrorKind::RouterBusy),
            ("WPS-FAIL msg=8 config_error=18", ErrorKind::Refused),
            ("WPS-FAIL ", ErrorKind::Refused),
            ("WPS-OVERLAP-DETECTED PBC session overlap", ErrorKind::Overlap),
            ("CTRL-EVENT-DISCONNECTED bssid=02:00:00:00:00:10 reason=3", ErrorKind::RouterLost),
        ];
        for (event, expected) in says {
            play(async || {
                let fake = house();
                fake.state().exchange =
                    vec!["CTRL-EVENT-EAP-STARTED EAP authentication started".into(), event.into()];
                assert_eq!(kind(pair(&fake).await.0), expected, "{event}");
            });
        }
    }

    #[test]
    fn an_earlier_attempt_is_not_heard() {
        play(async || {
            let fake = house();
            fake.script(|request, state| {
                // Whatever happens before the router is selected is not about it.
                if !request.starts_with("SELECT") {
                    state.tell("WPS-CRED-RECEIVED 100e0000");
                    state.tell("WPS-FAIL msg=8 config_error=12");
                    state.tell("WPS-SUCCESS ");
                    state.tell("CTRL-EVENT-NETWORK-NOT-FOUND ");
                }
                None
            });
            assert_eq!(pair(&fake).await.0.unwrap().at(0), &home());
        });
    }

    /// While a WPS network is enabled wpa_supplicant scans every half second and never says
    /// NETWORK-NOT-FOUND (`events.c`): only the scans tell, and until then the device is off-line.
    #[test]
    fn a_router_that_paired_with_another_device_is_not_waited_for_until_the_window_closes() {
        play(async || {
            let fake = house();
            fake.state().exchange.clear();
            fake.script(|request, state| {
                if request.starts_with("SELECT") || request == "PING" {
                    for _ in 0..6 {
                        state.tell_later("CTRL-EVENT-SCAN-RESULTS ");
                    }
                }
                None
            });
            let mut driver = fake.driver();
            let mut overlap_detector = OverlapDetector::new();
            let mut context = PairContext::new(&mut overlap_detector, &|_| {});
            let offer = fake.with_time(WINDOW / 4, driver.pair(&mut context)).await;
            assert_eq!(offer.map(kind), Some(ErrorKind::RouterLost));
        });
    }

    #[test]
    fn wpa_supplicant_ending_in_the_middle_is_noticed() {
        play(async || {
            let fake = house();
            fake.state().exchange = vec!["CTRL-EVENT-TERMINATING ".into()];
            assert_eq!(kind(pair(&fake).await.0), ErrorKind::NoDevice);
        });
        // Without a word: time goes on by itself once the fake is gone.
        play(async || {
            let fake = house();
            fake.script(|request, _| request.starts_with("SELECT").then_some(Instead::Die));
            assert!(matches!(
                kind(pair(&fake).await.0),
                ErrorKind::NoDevice | ErrorKind::NoResponse
            ));
        });
    }

    #[test]
    fn wpa_supplicant_hanging_in_the_middle_is_mute() {
        play(async || {
            let fake = house();
            fake.state().exchange.clear();
            fake.script(|request, _| (request == "PING").then_some(Instead::Silence));
            let time = async {
                fake.asked("SELECT").await;
                fake.settle().await;
                advance(Duration::from_secs(3)).await;
                fake.asked("PING").await;
                advance(Duration::from_secs(5)).await;
                std::future::pending::<()>().await;
            };
            let Either::First((offer, _)) = select(pair(&fake), time).await else { return };
            assert_eq!(kind(offer), ErrorKind::NoResponse);
        });
    }

    #[test]
    fn what_was_set_for_the_exchange_is_set_back() {
        play(async || {
            let fake = house();
            let before = fake.state().globals.clone();
            let snapshot = noted(&fake).await;
            pair(&fake).await.0.unwrap();
            fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
            assert_eq!(fake.state().globals, before);
        });
    }
}

mod joining {
    use super::*;

    async fn joined_with(key: &[u8]) -> Vec<u8> {
        let fake = house();
        // Whatever it is, nobody is let in: only what was sent counts.
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
            assert_eq!(play(async || joined_with(key.as_bytes()).await), quoted, "{key}");
        }
    }

    #[test]
    fn a_raw_psk_is_not_quoted() {
        let key = [b'a'; 64];
        assert_eq!(play(async || joined_with(&key).await), key);
    }

    /// Routers of before UTF-8: a passphrase is bytes.
    #[test]
    fn a_passphrase_in_latin_1_arrives_as_it_is() {
        let key = b"\xe4rger mit \xfcmlaut";
        assert_eq!(play(async || joined_with(key).await), [b"\"", &key[..], b"\""].concat());
    }

    #[test]
    fn names_of_any_bytes_arrive_as_they_are() {
        play(async || {
            let fake = house();
            let name = b"\"a\\b\n\xff\0";
            fake.state().reachable.insert(hex(name), b"\"correct horse\"".into());
            let network = credentials(name, SECRET.as_bytes());
            fake.driver().join(&network, &Snapshot::default()).await.unwrap();
            assert_eq!(fake.driver().link().await.unwrap().ssid, Some(network.ssid));
        });
    }

    #[test]
    fn a_wrong_key_and_a_missing_network_are_told_apart() {
        play(async || {
            let fake = house();
            let wrong = credentials(b"home", b"wrong horse");
            let joined = fake.driver().join(&wrong, &Snapshot::default()).await;
            assert_eq!(kind(joined), ErrorKind::WrongKey);
            let missing = credentials(b"nowhere", b"wrong horse");
            let joined = fake.driver().join(&missing, &Snapshot::default()).await;
            assert_eq!(kind(joined), ErrorKind::NotFound);
        });
    }

    #[test]
    fn a_late_goodbye_of_the_router_is_answered_by_beginning_anew() {
        play(async || {
            let fake = house();
            fake.script(|request, state| {
                if request.starts_with("SELECT") && state.asked("SELECT").len() < 3 {
                    let id = request.split(' ').nth(1).unwrap_or_default();
                    state.tell_later(format!(
                        "CTRL-EVENT-SSID-TEMP-DISABLED id={id} ssid=\"home\" auth_failures=1 duration=10 reason=AUTH_FAILED"
                    ));
                    return Some(Instead::Reply(b"OK\n".into()));
                }
                None
            });
            fake.driver().join(&home(), &Snapshot::default()).await.unwrap();
            assert_eq!(fake.state().asked("SELECT").len(), 3);
        });
    }

    #[test]
    fn a_new_key_for_the_network_it_is_on_is_taken() {
        play(async || {
            let fake = house();
            let station = |key: &[u8]| Settings::Station { network: credentials(b"home", key) };
            let snapshot = noted(&fake).await;
            fake.driver().apply(&station(SECRET.as_bytes()), &snapshot).await.unwrap();
            fake.driver().apply(&station(b"the new key"), &snapshot).await.unwrap();
            let (networks, _) = fake.platform();
            assert_eq!(networks.last().map(|it| it.text("psk")), Some("\"the new key\"".into()));
        });
    }
}

mod putting_back {
    use super::*;

    #[test]
    fn two_hundred_networks_get_their_flags_back() {
        play(async || {
            let fake = Fake::start(&CHANNELS);
            {
                let mut state = fake.state();
                for nth in 0..200 {
                    let name = format!("network with a long name {nth:05}");
                    let id = state.platform(nth % 3 != 0, &name);
                    if nth == 100 {
                        state.join(id);
                    }
                }
                router(&mut state);
                state.joined_bssid = OTHER;
            }
            let before = flags(&fake);
            let snapshot = noted(&fake).await;
            pair(&fake).await.0.unwrap();
            assert_ne!(flags(&fake), before);
            fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
            assert_eq!(flags(&fake), before);
        });
    }

    #[test]
    fn a_failed_join_is_put_back_by_a_driver_that_knows_only_the_snapshot() {
        play(async || {
            let fake = house();
            let before = fake.platform();
            let snapshot = noted(&fake).await;
            pair(&fake).await.0.unwrap();
            let wrong = credentials(b"home", b"wrong horse");
            assert_eq!(kind(fake.driver().join(&wrong, &snapshot).await), ErrorKind::WrongKey);
            let snapshot = Snapshot::new(snapshot.as_bytes()).unwrap();
            fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
            assert_eq!(fake.platform(), before);
        });
    }

    #[test]
    fn who_was_not_connected_searches_again() {
        play(async || {
            let fake = house();
            (fake.state().current, fake.state().joined) = (None, false);
            fake.state().reachable.remove(&hex(b"old"));
            fake.state().busy = 1;
            fake.state().access_points.clear();
            let before = fake.platform().0;
            let snapshot = noted(&fake).await;
            assert!(look(&fake, 3).await.is_none());
            assert!(fake.state().disconnected);
            fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
            assert_eq!(fake.platform().0, before);
            assert!(!fake.state().disconnected);
        });
    }

    #[test]
    fn a_good_link_is_left_alone() {
        play(async || {
            let fake = house();
            let before = fake.platform();
            let snapshot = noted(&fake).await;
            for snapshot in [&snapshot, &Snapshot::default()] {
                fake.driver().apply(&Settings::Platform, snapshot).await.unwrap();
            }
            assert_eq!(fake.platform(), before);
            let state = fake.state();
            let moves = [
                "SELECT",
                "DISCONNECT",
                "REASSOCIATE",
                "WPS_CANCEL",
                "REMOVE",
                "ENABLE",
                "DISABLE",
            ];
            assert!(moves.iter().all(|verb| state.asked(verb).is_empty()));
        });
    }

    #[test]
    fn a_pairing_under_way_is_ended_and_only_then() {
        play(async || {
            let fake = house();
            let snapshot = noted(&fake).await;
            let wps = fake.state().add(true, &[("key_mgmt", "WPS")]);
            fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
            assert_eq!(fake.state().asked("WPS_CANCEL").len(), 1);
            assert!(fake.platform().0.iter().all(|network| network.id != wps));
            // The fake minds a cancel without one.
            fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
            assert_eq!(fake.state().asked("WPS_CANCEL").len(), 1);
        });
    }

    /// Left behind by somebody's `DISCONNECT` in the middle of a pairing.
    #[test]
    fn a_wps_network_nobody_uses_is_removed_without_dropping_the_link() {
        play(async || {
            let fake = house();
            let snapshot = noted(&fake).await;
            fake.state().add(false, &[("key_mgmt", "WPS")]);
            fake.script(|request, state| {
                if request == "WPS_CANCEL" && state.joined {
                    state.faults.push("a good link was dropped".into());
                }
                None
            });
            fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
        });
    }

    /// wpa_supplicant removes its own WPS networks, also between two requests.
    #[test]
    fn a_network_that_vanishes_while_listed_costs_no_flags() {
        play(async || {
            let fake = house();
            let before = flags(&fake);
            let snapshot = noted(&fake).await;
            pair(&fake).await.0.unwrap();
            let ghost = fake.state().add(false, &[("key_mgmt", "WPS")]);
            fake.script(move |request, state| {
                if request == format!("GET_NETWORK {ghost} key_mgmt") {
                    state.networks.retain(|network| network.id != ghost);
                }
                None
            });
            // Once for each list that it is in.
            fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
            assert_eq!(flags(&fake), before);
        });
    }

    #[test]
    fn a_network_added_in_the_meantime_costs_no_flags() {
        play(async || {
            let fake = house();
            let before = flags(&fake).0;
            let snapshot = noted(&fake).await;
            pair(&fake).await.0.unwrap();
            fake.state().platform(false, "new");
            fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
            assert_eq!(flags(&fake).0.get(..3), Some(&before[..]));
        });
    }

    #[test]
    fn a_radio_that_was_switched_off_can_still_be_put_back() {
        play(async || {
            let fake = house();
            (fake.state().current, fake.state().joined) = (None, false);
            let before = fake.platform().0;
            let snapshot = noted(&fake).await;
            fake.state().blocked = true;
            let mut driver = fake.driver();
            let apply = driver.apply(&Settings::Platform, &snapshot);
            fake.with_time(WINDOW, apply).await.expect("an end").unwrap();
            assert_eq!(fake.platform().0, before);
        });
    }

    #[test]
    fn after_a_restart_of_wpa_supplicant_its_own_file_counts() {
        play(async || {
            let fake = house();
            let snapshot = noted(&fake).await;
            let before = fake.platform().0;
            pair(&fake).await.0.unwrap();
            let again = Fake::start(&CHANNELS);
            {
                let mut state = again.state();
                for name in ["old", "never", "spare"] {
                    state.platform(name != "never", name);
                }
            }
            again.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
            assert_eq!(again.platform().0, before);
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

    async fn serving() -> Fake {
        let fake = house();
        fake.driver().apply(&hotspot(Some(6)), &Snapshot::default()).await.unwrap();
        fake
    }

    #[test]
    fn it_is_served_beside_the_platforms_networks_as_they_were() {
        play(async || {
            let fake = house();
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
    fn a_card_that_hears_while_it_serves_goes_on_serving_until_a_button_is_pressed() {
        play(async || {
            let fake = serving().await;
            fake.state().access_points.clear();
            look(&fake, 12).await;
            assert!(fake.state().joined);
            assert!(fake.state().asked("DISCONNECT").is_empty());
        });
    }

    /// Neither for looking nor for the exchange, by a station and by an access point that can do both or not.
    #[test]
    fn nothing_is_left_while_the_answer_is_on_its_way() {
        play(async || {
            for (fake, is_deaf) in
                [(house(), false), (serving().await, false), (serving().await, true)]
            {
                fake.state().deaf_access_point = is_deaf;
                let (mut driver, mut overlap_detector) = (fake.driver(), OverlapDetector::new());
                let tell = |news| assert_ne!(news, PairEvent::OffAir);
                let reply_grace = std::pin::pin!(std::future::pending());
                let mut context =
                    PairContext::new(&mut overlap_detector, &tell).with_reply_grace(reply_grace);
                let pairing = fake.with_time(WINDOW, driver.pair(&mut context));
                assert!(pairing.await.is_none(), "it waits");
                let state = fake.state();
                assert!(state.joined);
                assert!(state.asked("SELECT_NETWORK").len() <= 1, "but for serving");
                assert!(state.asked("DISCONNECT").is_empty());
            }
        });
    }

    #[test]
    fn a_card_that_does_not_stops_serving_first_and_says_so() {
        play(async || {
            let fake = serving().await;
            fake.state().deaf_access_point = true;
            let off_air = std::cell::Cell::new(0);
            let tell = |news| {
                if news == PairEvent::OffAir {
                    let asked = fake.state().asked("DISCONNECT").len();
                    assert_eq!(asked, off_air.get(), "told before it acts");
                    off_air.set(off_air.get() + 1);
                }
            };
            let mut overlap_detector = OverlapDetector::new();
            let mut driver = fake.driver();
            let mut context = PairContext::new(&mut overlap_detector, &tell);
            let offer = fake.with_time(WINDOW, driver.pair(&mut context)).await;
            assert_eq!(offer.expect("an end").unwrap().at(0), &home());
            assert_eq!(off_air.get(), 2, "for looking, and for the exchange");
        });
    }

    #[test]
    fn a_station_whose_card_cannot_look_is_told_so() {
        play(async || {
            let fake = house();
            fake.state().bad_frequencies = CHANNELS.map(|frequency| (frequency, -95)).into();
            assert_eq!(kind(pair(&fake).await.0), ErrorKind::Unsupported);
        });
    }

    #[test]
    fn one_that_cannot_be_served_is_refused_and_nothing_is_left() {
        play(async || {
            let fake = house();
            let error = fake.driver().apply(&hotspot(Some(13)), &Snapshot::default()).await;
            let error = error.expect_err("not allowed");
            assert!(error.to_string().ends_with("allowed: 1 6 11 36 40 44 48"), "{error}");
            assert!(fake.state().joined, "still on the old network");

            fake.state().refused_access_point = true;
            let mut driver = fake.driver();
            let settings = hotspot(None);
            let nothing = Snapshot::default();
            let apply = driver.apply(&settings, &nothing);
            let error = fake.with_time(WINDOW, apply).await.expect("an end").expect_err("refused");
            assert!(error.to_string().contains("try another channel"), "{error}");
            assert_eq!(error.kind(), ErrorKind::Unsupported);
        });
    }

    #[test]
    fn the_platforms_network_is_back_after_it() {
        play(async || {
            let fake = serving().await;
            fake.driver().apply(&Settings::Platform, &Snapshot::default()).await.unwrap();
            assert!(fake.state().joined);
            assert!(!fake.state().networks.iter().any(|it| it.text("mode") == "2"));
        });
    }
}

mod lost {
    use super::*;
    use wps_core::AccessPoint;
    use wps_hal_linux::WpaSupplicant;

    const WHILE: Duration = Duration::from_secs(60);
    const SOON: Duration = Duration::from_secs(4);

    async fn told(fake: &Fake, settings: &Settings) -> WpaSupplicant {
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
    fn what_wpa_supplicant_knows_is_not_lost_and_is_not_asked_for_all_the_time() {
        play(async || {
            let fake = house();
            for settings in [station(), hotspot()] {
                let mut driver = told(&fake, &settings).await;
                fake.state().requests.clear();
                assert_eq!(fake.with_time(WHILE, driver.config_lost()).await, None);
                let asked = fake.state().requests.len();
                assert!((15..=21).contains(&asked), "{asked} requests in a minute");
            }
            // Without a link it looks for one by itself.
            let mut driver = told(&fake, &station()).await;
            fake.state().reachable.clear();
            fake.state().joined = false;
            assert_eq!(fake.with_time(WHILE, driver.config_lost()).await, None);
        });
    }

    #[test]
    fn a_wpa_supplicant_that_begins_anew_is_told_again() {
        play(async || {
            let fake = house();
            for settings in [station(), hotspot()] {
                let mut driver = told(&fake, &settings).await;
                fake.state().begin_anew();
                assert_eq!(fake.with_time(SOON, driver.config_lost()).await, Some(()));
                driver.apply(&settings, &Snapshot::default()).await.unwrap();
                let ours = |network: &fake::Network| !network.text("id_str").is_empty();
                assert_eq!(fake.platform().0.iter().filter(|it| ours(it)).count(), 1);
                assert_eq!(fake.with_time(WHILE, driver.config_lost()).await, None);
            }
            let mut driver = fake.driver();
            driver.join(&home(), &Snapshot::default()).await.unwrap();
            assert_eq!(fake.with_time(WHILE, driver.config_lost()).await, None);
            fake.state().begin_anew();
            // Another network has the number now.
            fake.state().platform(true, "later");
            assert_eq!(fake.with_time(SOON, driver.config_lost()).await, Some(()));
        });
    }

    /// As after an association that failed: wpa_supplicant has joined "old", "home" stays enabled.
    fn join_old(fake: &Fake) {
        let mut state = fake.state();
        let old = state.networks.iter().find(|it| it.text("ssid") == "\"old\"").map(|it| it.id);
        state.join(old.expect("the platform's network"));
    }

    fn is_on_home(fake: &Fake) -> bool {
        let state = fake.state();
        let current = state.networks.iter().find(|it| Some(it.id) == state.current);
        current.is_some_and(|it| it.text("ssid") == fake::hex(b"home"))
    }

    #[test]
    fn another_network_joined_in_place_of_ours_is_left_after_ten_seconds() {
        play(async || {
            let fake = house();
            let mut driver = told(&fake, &station()).await;
            assert!(is_on_home(&fake));
            join_old(&fake);
            assert_eq!(fake.with_time(Duration::from_secs(9), driver.config_lost()).await, None);
            // The page asks for the link in between, and the wait is dropped.
            assert_eq!(fake.with_time(SOON, driver.config_lost()).await, Some(()));
            driver.apply(&station(), &Snapshot::default()).await.unwrap();
            assert!(is_on_home(&fake));
            assert_eq!(fake.with_time(WHILE, driver.config_lost()).await, None);
        });
    }

    #[test]
    fn each_return_that_fails_doubles_the_delay_up_to_eleven_minutes_and_success_resets_it() {
        play(async || {
            let fake = house();
            let mut driver = told(&fake, &station()).await;
            for seconds in [10, 20, 40, 80, 160, 320, 640, 640, 640] {
                join_old(&fake);
                let delay = Duration::from_secs(seconds);
                let before = delay - Duration::from_secs(1);
                assert_eq!(fake.with_time(before, driver.config_lost()).await, None, "{seconds} s");
                assert_eq!(
                    fake.with_time(SOON, driver.config_lost()).await,
                    Some(()),
                    "{seconds} s"
                );
            }
            driver.apply(&station(), &Snapshot::default()).await.unwrap();
            assert_eq!(fake.with_time(SOON, driver.config_lost()).await, None);
            join_old(&fake);
            assert_eq!(
                fake.with_time(Duration::from_secs(14), driver.config_lost()).await,
                Some(())
            );
        });
    }

    #[test]
    fn another_network_is_kept_where_ours_is_out_of_range_or_disabled_by_somebody() {
        play(async || {
            for out_of_range in [true, false] {
                let fake = house();
                let mut driver = told(&fake, &station()).await;
                join_old(&fake);
                if out_of_range {
                    fake.state().access_points.clear();
                } else {
                    let mut state = fake.state();
                    let home = fake::hex(b"home");
                    let home = state.networks.iter_mut().find(|it| it.text("ssid") == home);
                    home.expect("ours").enabled = false;
                }
                fake.state().requests.clear();
                assert_eq!(fake.with_time(WHILE, driver.config_lost()).await, None);
                let asked = fake.state().requests.len();
                assert!(asked < 60, "{asked} requests in a minute");
            }
        });
    }

    #[test]
    fn while_nobody_is_there_nobody_is_told() {
        play(async || {
            let fake = house();
            let mut driver = told(&fake, &station()).await;
            fake.show(false);
            fake.state().begin_anew();
            assert_eq!(fake.with_time(WHILE, driver.config_lost()).await, None);
            fake.show(true);
            assert_eq!(fake.with_time(SOON, driver.config_lost()).await, Some(()));
        });
    }

    #[test]
    fn who_does_not_answer_has_not_lost_anything() {
        play(async || {
            let fake = house();
            let mut driver = told(&fake, &station()).await;
            fake.script(|_, _| Some(Instead::Silence));
            assert_eq!(fake.with_time(WHILE, driver.config_lost()).await, None);
        });
    }

    #[test]
    fn a_wait_that_is_dropped_again_and_again_notices_too() {
        play(async || {
            let fake = house();
            let mut driver = told(&fake, &station()).await;
            let moment = Duration::from_millis(500);
            for _ in 0..10 {
                assert_eq!(fake.with_time(moment, driver.config_lost()).await, None);
            }
            fake.state().begin_anew();
            assert_eq!(fake.with_time(moment, driver.config_lost()).await, Some(()));
        });
    }

    #[test]
    fn the_platforms_own_networks_cannot_be_lost() {
        play(async || {
            let fake = house();
            let mut driver = told(&fake, &Settings::Platform).await;
            fake.state().begin_anew();
            fake.state().requests.clear();
            assert_eq!(fake.with_time(WHILE, driver.config_lost()).await, None);
            assert!(fake.state().requests.is_empty());
        });
    }
}

mod dropped {
    use super::*;

    /// Drops `work` at its `nth` request, which is carried out, and tells whether it got that far.
    async fn cut<T>(fake: &Fake, nth: usize, work: impl Future<Output = T>) -> bool {
        fake.freeze_at(nth);
        let got_there = matches!(select(work, fake.frozen()).await, Either::Second(()));
        fake.thaw();
        got_there
    }

    /// Each place where `verb` can be dropped after which `apply` does not put everything back, with
    /// the request it was dropped at.
    async fn traces(apply_first: bool, verb: impl AsyncFn(&Fake, &Snapshot)) -> Vec<String> {
        let mut traces = Vec::new();
        for nth in 1.. {
            let fake = house();
            let before = fake.platform();
            let snapshot = noted(&fake).await;
            if apply_first {
                pair(&fake).await.0.unwrap();
            }
            if !cut(&fake, nth, verb(&fake, &snapshot)).await {
                break;
            }
            let last = fake.state().requests.last().cloned().unwrap_or_default();
            fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
            if fake.platform() != before {
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
        let traces = play(async || traces(false, pairing).await);
        assert!(traces.is_empty(), "{traces:#?}");
    }

    #[test]
    fn putting_back_dropped_anywhere_is_done_by_the_next_time() {
        let traces = play(async || {
            traces(true, async |fake: &Fake, snapshot: &Snapshot| {
                fake.driver().apply(&Settings::Platform, snapshot).await.unwrap();
            })
            .await
        });
        assert!(traces.is_empty(), "{traces:#?}");
    }

    /// At boot there is no note: `Record::Settled`.
    #[test]
    fn a_station_applied_at_boot_and_dropped_costs_no_flags() {
        let lost = play(async || {
            let mut lost = Vec::new();
            for nth in 1.. {
                let fake = house();
                let before = flags(&fake).0;
                let settings = Settings::Station { network: home() };
                let (mut first, mut second) = (fake.driver(), fake.driver());
                let nothing = Snapshot::default();
                if !cut(&fake, nth, first.apply(&settings, &nothing)).await {
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

    /// Everything that is logged, at every level.
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

    /// Any way to write it that somebody would recognize.
    fn leaks(text: &str) -> bool {
        let text = text.to_lowercase();
        let decimal = format!("{:?}", SECRET.as_bytes());
        [SECRET, &hex(SECRET.as_bytes()), decimal.trim_matches(['[', ']'])]
            .iter()
            .any(|secret| text.contains(secret))
    }

    #[test]
    fn neither_log_nor_errors_hold_one() {
        let log = Log::default();
        let told = tracing::subscriber::with_default(log.clone(), || {
            play(async || {
                let mut told = String::new();
                // Each request refused once, then answered with nonsense that holds the secret.
                for nth in 1..200 {
                    let mut done = false;
                    let nonsense = ["correct horse", "id=correct horse\n"][nth % 2];
                    for answer in ["FAIL\n", nonsense] {
                        let fake = house();
                        let mut left = nth;
                        fake.script(move |request, _| {
                            left -= usize::from(left > 0);
                            let spared = request == "ATTACH" || request.starts_with("SCAN");
                            (left == 1 && !spared).then_some(Instead::Reply(answer.into()))
                        });
                        let mut driver = fake.driver();
                        let mut overlap_detector = OverlapDetector::new();
                        let story = async {
                            let snapshot = driver.snapshot().await?;
                            let mut context = PairContext::new(&mut overlap_detector, &|_| {});
                            let offer = driver.pair(&mut context).await?;
                            let _ = write!(told, "{offer:?}");
                            driver.join(offer.at(0), &snapshot).await?;
                            driver.apply(&Settings::Platform, &snapshot).await
                        };
                        match fake.with_time(Duration::from_secs(4), story).await {
                            Some(Err(error)) => {
                                let _ = writeln!(told, "{error} {error:?}");
                            }
                            Some(Ok(())) => done = fake.state().requests.len() < nth,
                            None => {}
                        }
                    }
                    if done {
                        break;
                    }
                }
                told
            })
        });
        let log = log.0.lock().unwrap();
        assert!(log.contains("Credentials(") && told.contains("refused SET_NETWORK"), "{told}");
        let leak = log.lines().chain(told.lines()).find(|line| leaks(line));
        // What wpa_supplicant itself says is not ours to hide: it never replies with a key.
        assert_eq!(leak, None);
        assert!(log.len() < 64 << 20);
    }

    #[test]
    fn nothing_prints_one() {
        play(async || {
            let fake = house();
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
            play(async || {
                let fake = house();
                fake.script(|request, state| {
                    if request.starts_with("SCAN") {
                        for nth in 0..5 {
                            let bssid = address([2, 0, 0, 0, 1, nth]);
                            state.tell_later(format!("CTRL-EVENT-BSS-ADDED {nth} {bssid}"));
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
    fn garbage_is_told_once_and_not_shown() {
        let log = Log::default();
        tracing::subscriber::with_default(log.clone(), || {
            play(async || {
                let fake = house();
                fake.script(|request, state| {
                    if request.starts_with("SCAN") {
                        state.tell_garbage(b"what is \xff this");
                        state.tell_garbage(b"<3");
                    }
                    None
                });
                pair(&fake).await.0.unwrap();
            });
        });
        let log = log.0.lock().unwrap();
        assert_eq!(log.matches("no event").count(), 1, "{log}");
        assert!(!log.contains("what is"), "{log}");
    }
}
