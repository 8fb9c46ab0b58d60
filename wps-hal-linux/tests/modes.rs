//! The three modes on real radios, in the radio lab: from any to any, and the specification's table of
//! how a pairing begins and how it ends.

mod device;
mod lab;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use device::{Device, state};
use lab::{Router, Supplicant, radios_idle, run, until};
use wps_core::driver::SearchProgress;
use wps_core::{
    AccessPoint, AfterFailure, Cause, Credentials, ErrorKind, Passphrase, Phase, Record, Settings,
    SettingsStore, Snapshot, Ssid, Status, WifiDriver,
};
use wps_hal_linux::{FileStore, LinuxError, WpaSupplicant};

const SHORT: Duration = Duration::from_secs(40);
/// wpa_supplicant's own scans in these tests: all bands would take 14 s each.
const CHANNELS: &str = "freq_list=2412 2437 2462 5180";
const EXCHANGING: &str = "CTRL-EVENT-EAP-METHOD";

fn network(ssid: &str, key: &str) -> Credentials {
    let ssid = Ssid::new(ssid.as_bytes()).expect("a name");
    Credentials { ssid, passphrase: Some(Passphrase::new(key.as_bytes()).expect("a key")) }
}

fn home() -> Credentials {
    network("home", "correct horse")
}

/// A network of an earlier pairing.
fn mine() -> Credentials {
    network("mine", "battery staple")
}

fn hotspot(channel: u8, remembered: Option<Credentials>) -> Settings {
    let network = network("hotspot", "hotspot key");
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

fn wait<F: Future>(work: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

fn apply(driver: &mut WpaSupplicant, settings: &Settings) -> Result<(), LinuxError> {
    wait(driver.apply(settings, &Snapshot::default()))
}

/// "old", which the platform's own configuration knows, and "mine", both on the air.
struct Town {
    _routers: [Router; 2],
    station: Supplicant,
}

impl Town {
    fn new() -> Self {
        radios_idle();
        let old = Router::setup(2, "old").passphrase("old pass phrase").channel(11).start();
        let mine = Router::setup(4, "mine").passphrase("battery staple").channel(1).start();
        let station = Supplicant::start(1, &format!("{CHANNELS}\n{}", old.network_block()));
        Self { _routers: [old, mine], station }
    }

    /// What the radio does, as the system itself tells.
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
        // The platform's own network is ready to be used whenever it is its turn.
        let networks = self.station.networks();
        let old = networks.iter().find(|network| network.ssid == "old").expect("old");
        assert!(!old.flags.contains("[DISABLED]"), "{networks:?}");
    }

    /// Until wpa_supplicant has heard that no button is pressed any more: it tells ages in whole seconds.
    fn forget_buttons(&self) {
        until(SHORT, "no button pressed", || {
            self.station.request("SCAN TYPE=ONLY freq=2437,5180");
            let heard = self.station.request("BSS RANGE=ALL MASK=0x800");
            (!heard.contains("[WPS-PBC]")).then_some(())
        });
    }

    #[track_caller]
    fn expect_station(&self, ssid: &str) {
        self.station.wait_connected(ssid, SHORT);
        assert!(run("iw dev wlan1 info").contains("type managed"));
    }
}

/// Whether rfkill says that the radio of `wlan1` is off.
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
    let town = Town::new();
    let modes = [
        Settings::Platform,
        Settings::Station { network: mine() },
        hotspot(6, None),
        hotspot(36, None),
        off(),
    ];
    let mut driver = driver();
    for from in &modes {
        for to in &modes {
            apply(&mut driver, from).expect("from here");
            apply(&mut driver, to).expect("to there");
            town.expect(to);
            assert_eq!(apply(&mut driver, to).map_err(|error| error.to_string()), Ok(()));
            town.expect(to);
        }
    }
}

#[test]
fn the_access_point_can_be_joined_by_wpa2_and_wpa3_and_is_no_registrar() {
    let town = Town::new();
    let mut driver = driver();
    apply(&mut driver, &hotspot(6, None)).expect("an access point");
    for way in ["WPA-PSK", "SAE"] {
        let station = Supplicant::start(
            3,
            &format!(
                "network={{\nssid=\"hotspot\"\npsk=\"hotspot key\"\nkey_mgmt={way}\nieee80211w=1\n\
                 scan_freq=2437\n}}"
            ),
        );
        station.wait_connected("hotspot", SHORT);
        let bss = station.request("BSS CURRENT");
        assert!(bss.contains("ssid=hotspot"), "{bss}");
        assert!(bss.contains("RSN") || bss.contains("WPA2"), "{bss}");
        assert!(!bss.contains("[WPS"), "{bss}");
        station.stop();
    }
    let mark = town.station.events().mark();
    apply(&mut driver, &hotspot(6, None)).expect("the same");
    assert!(town.station.events().since(mark, "AP-").is_empty(), "it was disturbed");
}

#[test]
fn an_access_point_that_cannot_be_is_refused_in_one_sentence() {
    let town = Town::new();
    let mut driver = driver();
    // In the US: not at all, only where somebody else is, only after listening for radar.
    for channel in [14, 13, 52, 200] {
        let error = apply(&mut driver, &hotspot(channel, None)).expect_err("not allowed");
        let text = error.to_string();
        let begin = format!("channel {channel} is not allowed");
        assert!(
            text.starts_with(&begin),
            "{channel}: {text} {}",
            town.station.request("GET_CAPABILITY freq")
        );
        assert!(text.contains("allowed: 1 2 3"), "{text}");
    }
    apply(&mut driver, &Settings::Platform).expect("as it was");
    town.expect(&Settings::Platform);
}

// --- off -------------------------------------------------------------------------------------------

/// tcpdump on the simulated air: every frame that any radio sends, on every channel.
struct Air(Child);

impl Air {
    fn watch() -> Self {
        run("ip link set hwsim0 up");
        let dump = Command::new("tcpdump")
            .args(["-Z", "root", "-i", "hwsim0", "-n", "-U", "-w", "/run/lab/air.pcap"])
            .stderr(Stdio::null())
            .spawn();
        let air = Self(dump.expect("tcpdump"));
        until(SHORT, "tcpdump listens", || (air.bytes() > 0).then_some(()));
        air
    }

    /// How much was heard so far; a little more than nothing from the beginning.
    fn bytes(&self) -> u64 {
        std::fs::metadata("/run/lab/air.pcap").map_or(0, |file| file.len())
    }
}

impl Drop for Air {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn off_is_off() {
    radios_idle();
    let station = Supplicant::start(1, CHANNELS);
    let mut driver = driver();
    apply(&mut driver, &hotspot(6, None)).expect("an access point");
    let air = Air::watch();
    let nothing = air.bytes();
    until(SHORT, "a beacon is heard", || (air.bytes() > nothing).then_some(()));
    apply(&mut driver, &off()).expect("off");
    // What was sent before is written down.
    std::thread::sleep(Duration::from_secs(1));
    let before = air.bytes();
    std::thread::sleep(Duration::from_secs(10)); // what is watched for is nothing
    assert_eq!(air.bytes(), before, "something was sent");
    assert!(is_blocked());
    let link = wait(driver.link()).expect("a link");
    assert_eq!((link.up, link.mode), (false, Some(wps_core::Mode::Off)));
    drop(station);
}

#[test]
fn where_rfkill_is_not_allowed_the_interface_goes_down() {
    let town = Town::new();
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
    town.expect(&Settings::Platform);
}

#[test]
fn in_every_mode_a_wpa_supplicant_that_begins_anew_at_rest_is_told_again() {
    let town = Town::new();
    let state = state();
    let device = Device::boot(1, state.path());
    let begin_anew = || {
        town.station.kill();
        town.station.restart();
    };
    assert_eq!(device.configure(Settings::Station { network: mine() }), Ok(()));
    begin_anew();
    town.expect_station("mine");
    assert_eq!(device.configure(hotspot(6, None)), Ok(()));
    begin_anew();
    let serves = || town.station.connected_to().filter(|ssid| ssid == "hotspot");
    until(SHORT, "the access point", serves);
    device.rest();
    town.expect(&hotspot(6, None));
    // Where wpsd may not block the radio, wpa_supplicant takes up the interface when it begins.
    run("mv /dev/rfkill /dev/rfkill.hidden");
    let done = device.configure(off());
    begin_anew();
    let is_off = || (town.station.status().get("wpa_state")? == "INTERFACE_DISABLED").then_some(());
    town.expect_station("old");
    until(SHORT, "off", is_off);
    run("mv /dev/rfkill.hidden /dev/rfkill");
    assert_eq!(done, Ok(()));
}

#[test]
fn a_pairing_that_fails_goes_back_to_flight_mode() {
    let town = Town::new();
    let state = state();
    let device = Device::boot(1, state.path());
    town.expect(&Settings::Platform);
    for (block, unblock) in [
        ("rfkill block wlan", "rfkill unblock wlan"),
        ("ip link set wlan1 down", "ip link set wlan1 up"),
    ] {
        let is_off =
            || town.station.status().get("wpa_state").is_some_and(|it| it == "INTERFACE_DISABLED");
        run(block);
        until(SHORT, "off", || is_off().then_some(()));
        let mark = town.station.events().mark();
        device.start().expect("started");
        town.station.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", SHORT);
        assert!(town.station.connected_to().is_none(), "it joined meanwhile");
        device.cancel();
        assert_eq!(device.ended(), Err(Cause::Cancelled));
        assert!(is_off(), "flight mode is as it was");
        run(unblock);
        town.expect(&Settings::Platform);
    }
}

// --- the specification's table ---------------------------------------------------------------------

/// How a pairing ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    NobodyPressed,
    Cancelled,
    Overlap,
    RouterVanished,
    Killed,
    Paired,
}

const ENDINGS: [Ending; 6] = [
    Ending::NobodyPressed,
    Ending::Cancelled,
    Ending::Overlap,
    Ending::RouterVanished,
    Ending::Killed,
    Ending::Paired,
];

/// Plays all endings from `start`, one after the other, with nothing restarted but what the ending
/// itself kills. Every one but the last leaves `failed`, the last one "home".
fn play(start: Settings, after_failure: AfterFailure, failed: Settings) {
    let town = Town::new();
    let router = Router::setup(0, "home").channel(6).start();
    let second = Router::setup(3, "second").channel(36).start();
    let state = state();
    let mut store = FileStore::open(state.path(), "wlan1").expect("a store");
    wait(store.save(&Record::Settled(start.clone()))).expect("saved");
    drop(store);
    let mut device = Some(Device::boot_with(1, state.path(), after_failure));
    for ending in ENDINGS {
        let it = device.take().expect("a device");
        if it.settled() != start {
            assert_eq!(it.configure(start.clone()), Ok(()));
        }
        town.expect(&start);
        let it = end(ending, it, &town, &router, &second, || {
            Device::boot_with(1, state.path(), after_failure)
        });
        let (cause, settings) = match ending {
            Ending::NobodyPressed => (Err(Cause::TimedOut), &failed),
            Ending::Cancelled => (Err(Cause::Cancelled), &failed),
            Ending::Overlap => (Err(ErrorKind::Overlap.into()), &failed),
            Ending::RouterVanished => (Err(ErrorKind::RouterLost.into()), &failed),
            Ending::Killed => (Err(Cause::Interrupted), &failed),
            Ending::Paired => (Ok(()), &Settings::Station { network: home() }),
        };
        assert_eq!(it.ended(), cause, "{ending:?} from {start:?}");
        assert_eq!(it.settled(), *settings, "{ending:?} from {start:?}");
        town.expect(settings);
        if settings.mode() != wps_core::Mode::Off {
            let mark = town.station.events().mark();
            town.station.request("SCAN TYPE=ONLY freq=2412");
            town.station.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", SHORT);
        }
        device = Some(it);
    }
}

/// Starts a pairing and brings it to this end.
fn end(
    ending: Ending,
    device: Device,
    town: &Town,
    router: &Router,
    second: &Router,
    boot: impl Fn() -> Device,
) -> Device {
    let looked = |status: &Status| {
        matches!(status.seen, SearchProgress::NotPressed | SearchProgress::Pressed { .. })
    };
    match ending {
        Ending::RouterVanished => {
            let plug = router.plug();
            town.station.events().when(EXCHANGING, move || plug.pull());
        }
        // Before the start: the first sweep hears both, whatever it begins with.
        Ending::Overlap => {
            router.press_button();
            second.press_button();
        }
        Ending::NobodyPressed | Ending::Cancelled | Ending::Killed | Ending::Paired => {}
    }
    device.start().expect("started");
    device.wait("it looks", |status| status.phase != Phase::Searching || looked(status));
    match ending {
        Ending::NobodyPressed => device.window_closes(),
        Ending::Cancelled => device.cancel(),
        Ending::Overlap => {
            device.rest();
            router.cancel_button();
            second.cancel_button();
            town.forget_buttons();
        }
        Ending::RouterVanished => {
            router.press_button();
            let lost = Some(Cause::Driver(ErrorKind::RouterLost));
            device.wait("the router is missed", |status| status.trouble == lost);
            device.window_closes();
            device.rest();
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
    play(Settings::Platform, AfterFailure::AccessPointOff, Settings::Platform);
}

#[test]
fn table_from_a_network_of_an_earlier_pairing() {
    let start = Settings::Station { network: mine() };
    play(start.clone(), AfterFailure::AccessPointBack, start);
}

#[test]
fn table_from_an_access_point() {
    play(hotspot(6, None), AfterFailure::AccessPointOff, off());
}

#[test]
fn table_from_an_access_point_that_remembers() {
    let remembered = Settings::Off { remembered: Some(mine()) };
    play(hotspot(6, Some(mine())), AfterFailure::AccessPointOff, remembered);
}

#[test]
fn table_from_an_access_point_that_is_to_come_back() {
    play(hotspot(36, None), AfterFailure::AccessPointBack, hotspot(36, None));
}

#[test]
fn table_from_an_access_point_that_remembers_and_is_to_come_back() {
    let start = hotspot(6, Some(mine()));
    play(start.clone(), AfterFailure::AccessPointBack, start);
}

#[test]
fn table_from_off() {
    play(off(), AfterFailure::AccessPointOff, off());
}

#[test]
fn table_from_off_with_a_remembered_network() {
    let start = Settings::Off { remembered: Some(mine()) };
    play(start.clone(), AfterFailure::AccessPointBack, start);
}

// --- and more ----------------------------------------------------------------------------------------

#[test]
fn the_access_point_serves_while_the_device_looks() {
    let town = Town::new();
    let router = Router::setup(0, "home").channel(11).start();
    let state = state();
    let device = Device::boot(1, state.path());
    assert_eq!(device.configure(hotspot(6, None)), Ok(()));
    let client = Supplicant::start(
        3,
        "network={\nssid=\"hotspot\"\npsk=\"hotspot key\"\nkey_mgmt=WPA-PSK\nscan_freq=2437\n}",
    );
    client.wait_connected("hotspot", SHORT);
    let mark = client.events().mark();
    device.start().expect("started");
    let status = device.wait("a whole sweep", |status| status.seen == SearchProgress::NotPressed);
    assert!(!status.off_air);
    assert_eq!(client.connected_to().as_deref(), Some("hotspot"));
    assert!(client.events().since(mark, "DISCONNECTED").is_empty());
    router.press_button();
    assert_eq!(device.ended(), Ok(()));
    town.expect_station("home");
}

#[test]
fn ten_pairings_in_a_row_with_nothing_restarted() {
    let town = Town::new();
    let routers = [(0, "home", 6), (3, "second", 36)]
        .map(|(radio, ssid, channel)| Router::setup(radio, ssid).channel(channel).start());
    let state = state();
    let device = Device::boot(1, state.path());
    for turn in 0..10 {
        let router = &routers[turn % 2];
        device.start().expect("started");
        router.press_button();
        assert_eq!(device.ended(), Ok(()), "pairing {turn}");
        town.expect_station(["home", "second"][turn % 2]);
        town.forget_buttons();
    }
    assert_eq!(town.station.networks().len(), 2, "the platform's own, and the last one");
    assert!(Path::new("/sys/class/net/wlan1").exists());
}
