//! The three modes on simulated radios, in the radio lab.
//!
//! The tests make every change from one mode to another, and go through the specification's table
//! of how a pairing begins and how it ends. `lab/test` runs them.

mod device;
mod lab;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use device::{Device, state_directory};
use lab::{Router, Supplicant, reset_radios, run, until};
use wps_core::driver::SearchProgress;
use wps_core::{
    AccessPoint, AfterFailure, Cause, Credentials, ErrorKind, Phase, Record, Settings,
    SettingsStore, Snapshot, Status, WifiDriver,
};
use wps_hal_linux::{FileStore, LinuxError, WpaSupplicant};
use wps_testkit::{home, network};

/// How long one step of a test may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(40);
/// The channels of wpa_supplicant's own scans. All bands would take 14 s for each scan.
const CHANNELS: &str = "freq_list=2412 2437 2462 5180";
/// The event with which the exchange begins.
const EXCHANGING: &str = "CTRL-EVENT-EAP-METHOD";

/// The network of an earlier pairing.
fn paired_before() -> Credentials {
    network(b"mine", b"battery staple")
}

fn hotspot(channel: u8, remembered: Option<Credentials>) -> Settings {
    let network = network(b"hotspot", b"hotspot key");
    Settings::AccessPoint {
        access_point: AccessPoint { network, channel: Some(channel) },
        remembered,
    }
}

fn off() -> Settings {
    Settings::Off { remembered: None }
}

fn driver() -> WpaSupplicant {
    WpaSupplicant::new("/run/wpa_supplicant", "wlan1")
}

fn block_on<F: Future>(work: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

fn apply(driver: &mut WpaSupplicant, settings: &Settings) -> Result<(), LinuxError> {
    block_on(driver.apply(settings, &Snapshot::default()))
}

/// A station, and two routers: "old" is in the platform's own configuration, "mine" is not.
struct TestContext {
    _routers: [Router; 2],
    station: Supplicant,
}

impl TestContext {
    fn new() -> Self {
        reset_radios();
        let old = Router::setup(2, "old").passphrase("old pass phrase").channel(11).start();
        let mine = Router::setup(4, "mine").passphrase("battery staple").channel(1).start();
        let station = Supplicant::start(1, &format!("{CHANNELS}\n{}", old.network_block()));
        Self { _routers: [old, mine], station }
    }

    /// Asserts that the system reports what these settings demand.
    #[track_caller]
    fn expect(&self, settings: &Settings) {
        match settings {
            Settings::Platform => self.expect_station("old"),
            Settings::Station { network } => self.expect_station(&network.ssid.to_string()),
            Settings::AccessPoint { .. } => {
                let status = self.station.status();
                assert_eq!(status.get("wpa_state").map(String::as_str), Some("COMPLETED"));
                assert_eq!(status.get("mode").map(String::as_str), Some("AP"));
                assert_eq!(status.get("ssid").map(String::as_str), Some("hotspot"));
                assert!(run("iw dev wlan1 info").contains("type AP"));
            }
            Settings::Off { .. } => {
                let status = self.station.status();
                assert_eq!(status.get("wpa_state").map(String::as_str), Some("INTERFACE_DISABLED"));
                assert!(is_blocked());
            }
        }
        // The platform's own network is always enabled.
        let networks = self.station.networks();
        let old = networks.iter().find(|network| network.ssid == "old").expect("old");
        assert!(!old.flags.contains("[DISABLED]"), "{networks:?}");
    }

    /// Waits until scan results show no pressed button. wpa_supplicant reports ages only in whole
    /// seconds.
    fn wait_no_button(&self) {
        until(STEP_TIMEOUT, "no button pressed", || {
            self.station.request("SCAN TYPE=ONLY freq=2437,5180");
            let flags = self.station.request("BSS RANGE=ALL MASK=0x800");
            (!flags.contains("[WPS-PBC]")).then_some(())
        });
    }

    #[track_caller]
    fn expect_station(&self, ssid: &str) {
        self.station.wait_connected(ssid, STEP_TIMEOUT);
        assert!(run("iw dev wlan1 info").contains("type managed"));
    }
}

/// Returns whether rfkill blocks the radio of `wlan1`.
fn is_blocked() -> bool {
    run("rfkill --output DEVICE,SOFT --noheadings")
        .lines()
        .any(|line| line.split_whitespace().eq([&*phy(), "blocked"]))
}

fn phy() -> String {
    let name = std::fs::read_to_string("/sys/class/net/wlan1/phy80211/name");
    name.expect("a radio").trim().to_owned()
}

// --- from any mode to any ------------------------------------------------------------------------

#[test]
fn from_any_mode_to_any() {
    let context = TestContext::new();
    let modes = [
        Settings::Platform,
        Settings::Station { network: paired_before() },
        hotspot(6, None),
        hotspot(36, None),
        off(),
    ];
    let mut driver = driver();
    for from in &modes {
        for to in &modes {
            apply(&mut driver, from).expect("from here");
            apply(&mut driver, to).expect("to there");
            context.expect(to);
            assert_eq!(apply(&mut driver, to).map_err(|error| error.to_string()), Ok(()));
            context.expect(to);
        }
    }
}

#[test]
fn the_access_point_can_be_joined_by_wpa2_and_wpa3_and_is_no_registrar() {
    let context = TestContext::new();
    let mut driver = driver();
    apply(&mut driver, &hotspot(6, None)).expect("an access point");
    for key_mgmt in ["WPA-PSK", "SAE"] {
        let station = Supplicant::start(
            3,
            &format!(
                "network={{\nssid=\"hotspot\"\npsk=\"hotspot key\"\nkey_mgmt={key_mgmt}\nieee80211w=1\n\
                 scan_freq=2437\n}}"
            ),
        );
        station.wait_connected("hotspot", STEP_TIMEOUT);
        let bss = station.request("BSS CURRENT");
        assert!(bss.contains("ssid=hotspot"), "{bss}");
        assert!(bss.contains("RSN") || bss.contains("WPA2"), "{bss}");
        assert!(!bss.contains("[WPS"), "{bss}");
        station.stop();
    }
    let mark = context.station.events().mark();
    apply(&mut driver, &hotspot(6, None)).expect("the same");
    assert!(context.station.events().since(mark, "AP-").is_empty(), "it was restarted");
}

#[test]
fn an_access_point_on_a_forbidden_channel_is_rejected_in_one_sentence() {
    let context = TestContext::new();
    let mut driver = driver();
    // In the US these channels are forbidden, or allowed only where another network is already, or
    // allowed only after radar detection.
    for channel in [14, 13, 52, 200] {
        let error = apply(&mut driver, &hotspot(channel, None)).expect_err("not allowed");
        let text = error.to_string();
        let start = format!("channel {channel} is not allowed");
        assert!(
            text.starts_with(&start),
            "{channel}: {text} {}",
            context.station.request("GET_CAPABILITY freq")
        );
        assert!(text.contains("allowed: 1 2 3"), "{text}");
    }
    apply(&mut driver, &Settings::Platform).expect("as it was");
    context.expect(&Settings::Platform);
}

// --- off -----------------------------------------------------------------------------------------

/// tcpdump on the simulated air. It captures every frame that any radio sends on any channel.
struct AirCapture(Child);

impl AirCapture {
    fn start() -> Self {
        run("ip link set hwsim0 up");
        let dump = Command::new("tcpdump")
            .args(["-Z", "root", "-i", "hwsim0", "-n", "-U", "-w", "/run/lab/air.pcap"])
            .stderr(Stdio::null())
            .spawn();
        let capture = Self(dump.expect("tcpdump"));
        until(STEP_TIMEOUT, "tcpdump listens", || (capture.bytes() > 0).then_some(()));
        capture
    }

    /// Returns the size of the capture. An empty capture has a header.
    fn bytes(&self) -> u64 {
        std::fs::metadata("/run/lab/air.pcap").map_or(0, |file| file.len())
    }
}

impl Drop for AirCapture {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn off_sends_no_frame() {
    reset_radios();
    let station = Supplicant::start(1, CHANNELS);
    let mut driver = driver();
    apply(&mut driver, &hotspot(6, None)).expect("an access point");
    let capture = AirCapture::start();
    let empty = capture.bytes();
    until(STEP_TIMEOUT, "a beacon is captured", || (capture.bytes() > empty).then_some(()));
    apply(&mut driver, &off()).expect("off");
    // tcpdump writes the frames from before.
    std::thread::sleep(Duration::from_secs(1));
    let before = capture.bytes();
    std::thread::sleep(Duration::from_secs(10)); // nothing may be sent
    assert_eq!(capture.bytes(), before, "something was sent");
    assert!(is_blocked());
    let link = block_on(driver.link()).expect("a link");
    assert_eq!((link.up, link.mode), (false, Some(wps_core::Mode::Off)));
    drop(station);
}

#[test]
fn without_access_to_rfkill_the_interface_goes_down() {
    let context = TestContext::new();
    let mut driver = driver();
    let hide = || run("mv /dev/rfkill /dev/rfkill.hidden");
    let show = || run("mv /dev/rfkill.hidden /dev/rfkill");
    hide();
    let down = apply(&mut driver, &off());
    show();
    down.expect("off");
    assert!(!is_blocked());
    assert!(run("ip link show wlan1").contains("state DOWN"));
    assert!(!run("ip link show wlan1").contains(",UP"));
    apply(&mut driver, &Settings::Platform).expect("on");
    context.expect(&Settings::Platform);
}

#[test]
fn in_every_mode_a_wpa_supplicant_restarted_while_idle_is_configured_again() {
    let context = TestContext::new();
    let state = state_directory();
    let device = Device::boot(1, state.path());
    let restart_wpa_supplicant = || {
        context.station.kill();
        context.station.restart();
    };
    assert_eq!(device.configure(Settings::Station { network: paired_before() }), Ok(()));
    restart_wpa_supplicant();
    context.expect_station("mine");
    assert_eq!(device.configure(hotspot(6, None)), Ok(()));
    restart_wpa_supplicant();
    let serves = || context.station.connected_to().filter(|ssid| ssid == "hotspot");
    until(STEP_TIMEOUT, "the access point", serves);
    device.wait_idle();
    context.expect(&hotspot(6, None));
    // Without access to rfkill the interface is set down, and wpa_supplicant sets it up when it
    // starts.
    run("mv /dev/rfkill /dev/rfkill.hidden");
    let done = device.configure(off());
    restart_wpa_supplicant();
    let is_off =
        || (context.station.status().get("wpa_state")? == "INTERFACE_DISABLED").then_some(());
    context.expect_station("old");
    until(STEP_TIMEOUT, "off", is_off);
    run("mv /dev/rfkill.hidden /dev/rfkill");
    assert_eq!(done, Ok(()));
}

#[test]
fn a_pairing_that_fails_goes_back_to_flight_mode() {
    let context = TestContext::new();
    let state = state_directory();
    let device = Device::boot(1, state.path());
    context.expect(&Settings::Platform);
    for (block, unblock) in [
        ("rfkill block wlan", "rfkill unblock wlan"),
        ("ip link set wlan1 down", "ip link set wlan1 up"),
    ] {
        let is_off = || {
            context.station.status().get("wpa_state").is_some_and(|it| it == "INTERFACE_DISABLED")
        };
        run(block);
        until(STEP_TIMEOUT, "off", || is_off().then_some(()));
        let mark = context.station.events().mark();
        device.start().expect("started");
        context.station.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", STEP_TIMEOUT);
        assert!(context.station.connected_to().is_none(), "it joined meanwhile");
        device.cancel();
        assert_eq!(device.wait_result(), Err(Cause::Cancelled));
        assert!(is_off(), "flight mode is as it was");
        run(unblock);
        context.expect(&Settings::Platform);
    }
}

// --- the specification's table -------------------------------------------------------------------

/// How a pairing ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    NotPressed,
    Cancelled,
    Overlap,
    RouterVanished,
    Killed,
    Paired,
}

const ENDINGS: [Ending; 6] = [
    Ending::NotPressed,
    Ending::Cancelled,
    Ending::Overlap,
    Ending::RouterVanished,
    Ending::Killed,
    Ending::Paired,
];

/// Runs all endings from `start`, one after the other. Nothing is restarted except what an ending
/// kills. Every ending leaves the settings `failed`, except the last one, which leaves "home".
fn run_all_endings(start: Settings, after_failure: AfterFailure, failed: Settings) {
    let context = TestContext::new();
    let router = Router::setup(0, "home").channel(6).start();
    let second = Router::setup(3, "second").channel(36).start();
    let state = state_directory();
    let mut store = FileStore::open(state.path(), "wlan1").expect("a store");
    block_on(store.save(&Record::Settled(start.clone()))).expect("saved");
    drop(store);
    let mut device = Some(Device::boot_with(1, state.path(), after_failure));
    for ending in ENDINGS {
        let it = device.take().expect("a device");
        if it.saved_settings() != start {
            assert_eq!(it.configure(start.clone()), Ok(()));
        }
        context.expect(&start);
        let it = run_ending(ending, it, &context, &router, &second, || {
            Device::boot_with(1, state.path(), after_failure)
        });
        let (cause, settings) = match ending {
            Ending::NotPressed => (Err(Cause::NotPressed), &failed),
            Ending::Cancelled => (Err(Cause::Cancelled), &failed),
            Ending::Overlap => (Err(ErrorKind::Overlap.into()), &failed),
            Ending::RouterVanished => (Err(ErrorKind::RouterLost.into()), &failed),
            Ending::Killed => (Err(Cause::Interrupted), &failed),
            Ending::Paired => (Ok(()), &Settings::Station { network: home() }),
        };
        assert_eq!(it.wait_result(), cause, "{ending:?} from {start:?}");
        assert_eq!(it.saved_settings(), *settings, "{ending:?} from {start:?}");
        context.expect(settings);
        if settings.mode() != wps_core::Mode::Off {
            let mark = context.station.events().mark();
            context.station.request("SCAN TYPE=ONLY freq=2412");
            context.station.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", STEP_TIMEOUT);
        }
        device = Some(it);
    }
}

/// Starts a pairing and brings it to this ending.
fn run_ending(
    ending: Ending,
    device: Device,
    context: &TestContext,
    router: &Router,
    second: &Router,
    boot: impl Fn() -> Device,
) -> Device {
    let has_scanned = |status: &Status| {
        matches!(status.progress, SearchProgress::NotPressed | SearchProgress::Pressed { .. })
    };
    match ending {
        Ending::RouterVanished => {
            let plug = router.plug();
            context.station.events().when(EXCHANGING, move || plug.pull());
        }
        // Pressed before the start, so that the first pass finds both in any order of channels.
        Ending::Overlap => {
            router.press_button();
            second.press_button();
        }
        Ending::NotPressed | Ending::Cancelled | Ending::Killed | Ending::Paired => {}
    }
    device.start().expect("started");
    device
        .wait_status("searching", |status| status.phase != Phase::Searching || has_scanned(status));
    match ending {
        Ending::NotPressed => device.close_window(),
        Ending::Cancelled => device.cancel(),
        Ending::Overlap => {
            device.wait_idle();
            router.cancel_button();
            second.cancel_button();
            context.wait_no_button();
        }
        Ending::RouterVanished => {
            router.press_button();
            let lost = Some(Cause::Driver(ErrorKind::RouterLost));
            device.wait_status("the router is missed", |status| status.trouble == lost);
            device.close_window();
            device.wait_idle();
            router.power_on();
        }
        Ending::Killed => {
            device.crash();
            return boot();
        }
        Ending::Paired => router.press_button(),
    }
    device
}

#[test]
fn table_from_the_platforms_own_network() {
    run_all_endings(Settings::Platform, AfterFailure::AccessPointOff, Settings::Platform);
}

#[test]
fn table_from_a_network_of_an_earlier_pairing() {
    let start = Settings::Station { network: paired_before() };
    run_all_endings(start.clone(), AfterFailure::AccessPointBack, start);
}

#[test]
fn table_from_an_access_point() {
    run_all_endings(hotspot(6, None), AfterFailure::AccessPointOff, off());
}

#[test]
fn table_from_an_access_point_with_a_remembered_network() {
    let remembered = Settings::Off { remembered: Some(paired_before()) };
    run_all_endings(hotspot(6, Some(paired_before())), AfterFailure::AccessPointOff, remembered);
}

#[test]
fn table_from_an_access_point_restored_after_failure() {
    run_all_endings(hotspot(36, None), AfterFailure::AccessPointBack, hotspot(36, None));
}

#[test]
fn table_from_an_access_point_with_a_remembered_network_restored_after_failure() {
    let start = hotspot(6, Some(paired_before()));
    run_all_endings(start.clone(), AfterFailure::AccessPointBack, start);
}

#[test]
fn table_from_off() {
    run_all_endings(off(), AfterFailure::AccessPointOff, off());
}

#[test]
fn table_from_off_with_a_remembered_network() {
    let start = Settings::Off { remembered: Some(paired_before()) };
    run_all_endings(start.clone(), AfterFailure::AccessPointBack, start);
}

// --- more ----------------------------------------------------------------------------------------

#[test]
fn the_access_point_stays_up_while_the_device_searches() {
    let context = TestContext::new();
    let router = Router::setup(0, "home").channel(11).start();
    let state = state_directory();
    let device = Device::boot(1, state.path());
    assert_eq!(device.configure(hotspot(6, None)), Ok(()));
    let client = Supplicant::start(
        3,
        "network={\nssid=\"hotspot\"\npsk=\"hotspot key\"\nkey_mgmt=WPA-PSK\nscan_freq=2437\n}",
    );
    client.wait_connected("hotspot", STEP_TIMEOUT);
    let mark = client.events().mark();
    device.start().expect("started");
    let status =
        device.wait_status("a whole pass", |status| status.progress == SearchProgress::NotPressed);
    assert!(!status.off_air);
    assert_eq!(client.connected_to().as_deref(), Some("hotspot"));
    assert!(client.events().since(mark, "DISCONNECTED").is_empty());
    router.press_button();
    assert_eq!(device.wait_result(), Ok(()));
    context.expect_station("home");
}

#[test]
fn ten_pairings_in_a_row_with_nothing_restarted() {
    let context = TestContext::new();
    let routers = [(0, "home", 6), (3, "second", 36)]
        .map(|(radio, ssid, channel)| Router::setup(radio, ssid).channel(channel).start());
    let state = state_directory();
    let device = Device::boot(1, state.path());
    for turn in 0..10 {
        let router = &routers[turn % 2];
        device.start().expect("started");
        router.press_button();
        assert_eq!(device.wait_result(), Ok(()), "pairing {turn}");
        context.expect_station(["home", "second"][turn % 2]);
        context.wait_no_button();
    }
    assert_eq!(context.station.networks().len(), 2, "the platform's own, and the last one");
    assert!(Path::new("/sys/class/net/wlan1").exists());
}
