//! The Linux driver in the radio lab: real hostapd, real wpa_supplicant, simulated radios, run by
//! `lab/test`. Each test is a story of the specification.
//!
//! `walk_time_…` wait for two minutes: they are run with virtual time, the others without.

mod device;
mod lab;

use std::time::Duration;

use device::{Device, state};
use lab::{AES, Router, SavedNetwork, Security, Supplicant, WPA2_PSK, radios_idle};
use wps_core::driver::SearchProgress;
use wps_core::{Cause, ErrorKind, Loaded, Phase, Settings};

const SHORT: Duration = Duration::from_secs(40);
/// wpa_supplicant's own scans in these tests: all bands would take 14 s each.
const CHANNELS: &str = "freq_list=2412 2437 2462 5180";
const EXCHANGING: &str = "CTRL-EVENT-EAP-METHOD";

/// A machine that was set up before us: three networks in its own configuration, which may even be
/// saved by wpa_supplicant; one is on the air and joined, one is not there, one is disabled.
struct Machine {
    _old: Router,
    station: Supplicant,
    networks: Vec<SavedNetwork>,
    file: u64,
    state: tempfile::TempDir,
}

impl Machine {
    fn connected_to_old() -> Self {
        let old = Router::setup(2, "old").passphrase("old pass phrase").channel(11).start();
        let elsewhere = "network={\nssid=\"elsewhere\"\npsk=\"some other key\"\npriority=3\n}";
        let asleep = "network={\nssid=\"asleep\"\npsk=\"some other key\"\ndisabled=1\n}";
        let config =
            format!("update_config=1\n{CHANNELS}\n{elsewhere}\n{asleep}\n{}", old.network_block());
        let station = Supplicant::start(1, &config);
        station.wait_connected("old", SHORT);
        let (networks, file) = (station.networks(), station.config_hash());
        Self { _old: old, station, networks, file, state: state() }
    }

    fn boot(&self) -> Device {
        Device::boot(1, self.state.path())
    }

    /// Same networks, same flags, same connection, same file.
    #[track_caller]
    fn assert_as_it_was(&self) {
        self.station.wait_connected("old", SHORT);
        assert_eq!(self.station.networks(), self.networks);
        assert_eq!(self.station.config_hash(), self.file, "the configuration file");
        assert_eq!(self.station.request("GET wps_cred_processing"), "0");
        assert!(!self.station.request("GET config_methods").contains("virtual"));
        self.station.request("SCAN TYPE=ONLY freq=2412");
        let mark = self.station.events().mark();
        self.station.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", SHORT); // scanning works
    }

    /// Ours is added in front of the others, which have their flags back; the file is the same.
    #[track_caller]
    fn assert_paired_with(&self, name: &str) {
        self.station.wait_connected(name, SHORT);
        let after = self.station.networks();
        let flags = |it: &SavedNetwork| (it.id, it.ssid.clone(), it.flags.contains("[DISABLED]"));
        let others: Vec<_> = after.iter().filter(|it| it.ssid != name).map(flags).collect();
        assert_eq!(others, self.networks.iter().map(flags).collect::<Vec<_>>());
        let ours = after.iter().find(|it| it.ssid == name).expect("ours");
        assert_eq!(self.station.request(&format!("GET_NETWORK {} priority", ours.id)), "4");
        assert_eq!(self.station.config_hash(), self.file, "the configuration file");
        assert_eq!(self.station.request("GET wps_cred_processing"), "0");
        assert!(!self.station.request("GET config_methods").contains("virtual"));
    }
}

/// wpa_supplicant without a network.
fn blank_station() -> Supplicant {
    Supplicant::start(1, CHANNELS)
}

/// Starts a pairing, presses the router's button, and expects to be paired with it.
#[track_caller]
fn pair(device: &Device, router: &Router) {
    device.start().expect("started");
    router.press_button();
    assert_eq!(device.ended(), Ok(()));
}

// --- success ---------------------------------------------------------------------------------

#[test]
fn pairs_when_not_connected() {
    radios_idle();
    let router = Router::setup(0, "home").channel(6).start();
    let station = blank_station();
    let state = state();
    let device = Device::boot(1, state.path());
    pair(&device, &router);
    station.wait_connected("home", SHORT);
    let Settings::Station { network } = device.saved() else { panic!("not a station") };
    assert_eq!(network.ssid.as_bytes(), b"home");
    assert_eq!(network.passphrase.expect("a key").reveal(), b"correct horse");
}

#[test]
fn pairs_when_connected_elsewhere_and_stays_connected_until_the_button_is_pressed() {
    radios_idle();
    let machine = Machine::connected_to_old();
    let router = Router::setup(0, "home").channel(36).start();
    let device = machine.boot();
    let mark = machine.station.events().mark();
    device.start().expect("started");
    device.wait("a router in sight", |status| status.seen == SearchProgress::NotPressed);
    assert!(machine.station.events().since(mark, "CTRL-EVENT-DISCONNECTED").is_empty());
    router.press_button();
    assert_eq!(device.ended(), Ok(()));
    machine.assert_paired_with("home");
    assert!(matches!(device.saved(), Settings::Station { .. }));
}

#[test]
fn pairs_with_a_dual_band_router() {
    radios_idle();
    let uuid = "12345678-9abc-def0-1234-56789abcdef0";
    let low = Router::setup(0, "home").channel(6).uuid(uuid).start();
    let high = Router::setup(3, "home").channel(36).uuid(uuid).start();
    let station = blank_station();
    let state = state();
    let device = Device::boot(1, state.path());
    low.press_button();
    high.press_button();
    device.start().expect("started");
    assert_eq!(device.ended(), Ok(()));
    station.wait_connected("home", SHORT);
}

#[test]
fn pairs_again_with_a_network_that_is_known_already() {
    radios_idle();
    let router = Router::setup(0, "home").channel(6).start();
    let station = blank_station();
    let state = state();
    let device = Device::boot(1, state.path());
    for round in 1..=3 {
        pair(&device, &router);
        station.wait_connected("home", SHORT);
        assert_eq!(station.networks().len(), 1, "round {round}");
    }
    // Known to the platform, too.
    let known = Supplicant::start(4, &format!("{CHANNELS}\n{}", router.network_block()));
    known.wait_connected("home", SHORT);
    let elsewhere = device::state();
    let device = Device::boot(4, elsewhere.path());
    pair(&device, &router);
    known.wait_connected("home", SHORT);
    assert_eq!(known.networks().len(), 2);
}

#[test]
fn pairs_with_odd_names_and_keys() {
    let long = "x".repeat(63);
    for (name, key) in [
        (&b"a\"b\\c$d e"[..], "pa\"ss\\wo rd$`"),
        (b"  lead trail ", "  spaced  "),
        (b"\xff\xfe\x01(n", "correct horse"),
        ("caf\u{e9} \u{2615}".as_bytes(), "correct horse"),
        (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", &long),
        (b"hex", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"),
    ] {
        radios_idle();
        let router = Router::setup(0, name).passphrase(key).channel(6).start();
        let _station = blank_station();
        let state = state();
        let device = Device::boot(1, state.path());
        pair(&device, &router);
        let Settings::Station { network } = device.saved() else { panic!("not a station") };
        assert_eq!(network.ssid.as_bytes(), name);
        let saved = network.passphrase.expect("a key");
        assert!(saved.reveal().eq_ignore_ascii_case(key.as_bytes()), "the key of {name:?}");
        drop(router);
    }
}

#[test]
fn pairs_with_wpa3_mixed_and_open_networks() {
    for (security, joined_by) in
        [(Security::SaeOnly, "SAE"), (Security::Wpa3Transition, "SAE"), (Security::Open, "NONE")]
    {
        radios_idle();
        let router = Router::setup(0, "home").security(security).channel(6).start();
        let station = blank_station();
        let state = state();
        let device = Device::boot(1, state.path());
        pair(&device, &router);
        let status = station.status();
        assert_eq!(status.get("key_mgmt").map(String::as_str), Some(joined_by), "{security:?}");
        drop(router);
    }
}

#[test]
fn of_several_networks_the_first_that_can_be_joined_wins() {
    radios_idle();
    let handed =
        [("guest", WPA2_PSK, AES, "guest pass phrase"), ("home", WPA2_PSK, AES, "correct horse")];
    let router = Router::setup(0, "home").channel(6).hands_over(&handed).start();
    let station = blank_station();
    let state = state();
    let device = Device::boot(1, state.path());
    pair(&device, &router);
    station.wait_connected("home", SHORT);
}

#[test]
fn a_saved_network_survives_a_restart_of_everything() {
    radios_idle();
    let machine = Machine::connected_to_old();
    let router = Router::setup(0, "home").channel(6).start();
    let device = machine.boot();
    pair(&device, &router);
    device.crash();
    machine.station.restart();
    machine.station.wait_connected("old", SHORT);
    let device = machine.boot();
    machine.assert_paired_with("home");
    // Booting once more over a good link does not disturb it.
    device.crash();
    let mark = machine.station.events().mark();
    let _device = machine.boot();
    machine.assert_paired_with("home");
    assert!(machine.station.events().since(mark, "CTRL-EVENT-DISCONNECTED").is_empty());
}

/// The router ends the exchange's association late, in the middle of the handshake with which its network
/// is joined. The handshake lasts, because the router does not know the key before that.
#[test]
fn a_late_goodbye_of_the_router_costs_no_ten_seconds() {
    radios_idle();
    let keys = "/run/lab/keys";
    std::fs::write(keys, "").expect("a file");
    let router = Router::setup(0, "home").channel(6).passphrase("some other key");
    let router = router.hands_over(&[("home", WPA2_PSK, AES, "correct horse")]);
    let router = router.line(&format!("wpa_psk_file={keys}")).start();
    let station = blank_station();
    let state = state();
    let device = Device::boot(1, state.path());
    let mac = station.status().remove("address").expect("an address");
    let (request, events) = (router.requester(), station.events().clone());
    let deauthenticate = move || {
        request(&format!("DEAUTHENTICATE {mac} reason=23"));
        std::fs::write(keys, "00:00:00:00:00:00 correct horse\n").expect("a file");
        request("RELOAD_WPA_PSK");
    };
    station.events().when("WPS-SUCCESS", move || events.when("Associated with", deauthenticate));
    let mark = station.events().mark();
    pair(&device, &router);
    let (success, _) = station.events().wait(mark, "WPS-SUCCESS", SHORT);
    let (joined, _) = station.events().wait(mark, "CTRL-EVENT-CONNECTED", SHORT);
    assert!(joined - success < Duration::from_secs(8), "{:?}", joined - success);
    let disabled = station.events().since(mark, "TEMP-DISABLED");
    assert_eq!(disabled.len(), 1, "it came in the handshake: {disabled:?}");
}

// --- failure: everything is as it was ------------------------------------------------------------

#[test]
fn overlap_ends_it_without_leaving_the_network() {
    radios_idle();
    let machine = Machine::connected_to_old();
    let one = Router::setup(0, "one").channel(6).start();
    let two = Router::setup(3, "two").channel(36).start();
    let device = machine.boot();
    one.press_button();
    two.press_button();
    let mark = machine.station.events().mark();
    device.start().expect("started");
    assert_eq!(device.ended(), Err(Cause::Driver(ErrorKind::Overlap)));
    assert!(machine.station.events().since(mark, "CTRL-EVENT-DISCONNECTED").is_empty());
    machine.assert_as_it_was();
}

#[test]
fn cancel_while_searching() {
    radios_idle();
    let machine = Machine::connected_to_old();
    let device = machine.boot();
    let mark = machine.station.events().mark();
    device.start().expect("started");
    machine.station.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", SHORT);
    device.cancel();
    assert_eq!(device.ended(), Err(Cause::Cancelled));
    assert!(machine.station.events().since(mark, "CTRL-EVENT-DISCONNECTED").is_empty());
    machine.assert_as_it_was();
    assert_eq!(device.saved(), Settings::Platform);
}

#[test]
fn cancel_while_exchanging() {
    radios_idle();
    let machine = Machine::connected_to_old();
    let router = Router::setup(0, "home").channel(6).start();
    let device = machine.boot();
    router.press_button();
    let mark = machine.station.events().mark();
    device.start().expect("started");
    machine.station.events().wait(mark, EXCHANGING, SHORT);
    device.cancel();
    assert_eq!(device.ended(), Err(Cause::Cancelled));
    machine.assert_as_it_was();
}

#[test]
fn a_router_that_vanishes_in_the_exchange_and_comes_back() {
    radios_idle();
    let machine = Machine::connected_to_old();
    let router = Router::setup(0, "home").channel(6).start();
    let device = machine.boot();
    let plug = router.plug();
    machine.station.events().when(EXCHANGING, move || plug.pull());
    router.press_button();
    device.start().expect("started");
    let lost = Some(Cause::Driver(ErrorKind::RouterLost));
    device.wait("the router is missed", |status| status.trouble == lost);
    machine.station.wait_connected("old", SHORT);
    // Within the same window.
    router.power_on();
    router.press_button();
    assert_eq!(device.ended(), Ok(()));
    machine.assert_paired_with("home");
}

#[test]
fn a_key_that_does_not_work_is_tried_again_and_rolled_back() {
    radios_idle();
    let machine = Machine::connected_to_old();
    let handed = [("home", WPA2_PSK, AES, "not the key")];
    let router = Router::setup(0, "home").channel(6).hands_over(&handed).start();
    let device = machine.boot();
    router.press_button();
    device.start().expect("started");
    let wrong = Some(Cause::Driver(ErrorKind::WrongKey));
    device.wait("the key is refused", |status| status.trouble == wrong);
    device.wait("tried again", |status| matches!(status.phase, Phase::Joining { .. }));
    device.cancel();
    assert_eq!(device.ended(), Err(Cause::Cancelled));
    machine.assert_as_it_was();
    assert_eq!(device.saved(), Settings::Platform);
}

#[test]
fn a_network_with_wep_or_tkip_only_is_refused_with_the_reason() {
    const OPEN: u16 = 1;
    const WPA_PSK: u16 = 2;
    const WEP: u16 = 2;
    const TKIP: u16 = 4;
    for (name, authentication, encryption) in [("wep", OPEN, WEP), ("tkip", WPA_PSK, TKIP)] {
        radios_idle();
        let machine = Machine::connected_to_old();
        let handed = [("home", authentication, encryption, "abcde12345")];
        let router = Router::setup(0, "home").channel(6).hands_over(&handed).start();
        let device = machine.boot();
        router.press_button();
        device.start().expect("started");
        assert_eq!(device.ended(), Err(Cause::Driver(ErrorKind::Insecure)), "{name}");
        machine.assert_as_it_was();
        drop(router);
    }
}

#[test]
fn a_crash_while_searching_or_exchanging_is_a_failed_pairing() {
    for moment in ["CTRL-EVENT-SCAN-RESULTS", EXCHANGING, "WPS-SUCCESS"] {
        radios_idle();
        let machine = Machine::connected_to_old();
        let router = Router::setup(0, "home").channel(6).start();
        let device = machine.boot();
        if moment != "CTRL-EVENT-SCAN-RESULTS" {
            router.press_button();
        }
        let mark = machine.station.events().mark();
        device.start().expect("started");
        machine.station.events().wait(mark, moment, SHORT);
        device.crash();
        let device = machine.boot();
        assert_eq!(device.status().last.map(|last| last.result), Some(Err(Cause::Interrupted)));
        machine.assert_as_it_was();
        assert_eq!(device.saved(), Settings::Platform, "{moment}");
        drop(router);
    }
}

// --- trouble with the radio's software -------------------------------------------------------------

#[test]
fn a_restart_of_wpa_supplicant_between_two_pairings_needs_no_care() {
    radios_idle();
    let machine = Machine::connected_to_old();
    let router = Router::setup(0, "home").channel(6).start();
    let device = machine.boot();
    machine.station.kill();
    let refused = device.start().expect_err("there is no wpa_supplicant");
    assert!(refused.to_string().contains("the radio is gone"), "{refused}");
    assert_eq!(device.rest().phase, Phase::Idle);
    machine.station.restart();
    machine.station.wait_connected("old", SHORT);
    pair(&device, &router);
    machine.assert_paired_with("home");
}

#[test]
fn wpa_supplicant_killed_while_searching_is_a_failure_and_recovers() {
    radios_idle();
    let machine = Machine::connected_to_old();
    let device = machine.boot();
    let mark = machine.station.events().mark();
    device.start().expect("started");
    machine.station.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", SHORT);
    machine.station.kill();
    let gone = Some(Cause::Driver(ErrorKind::NoDevice));
    device.wait("its absence is told", |status| status.trouble == gone);
    machine.station.restart();
    assert_eq!(device.ended(), Err(Cause::Driver(ErrorKind::NoDevice)));
    machine.assert_as_it_was();
}

#[test]
fn a_radio_that_is_not_there_is_told() {
    radios_idle();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    for name in ["wlan77", "", "../../class/net/wlan1"] {
        let driver = wps_hal_linux::WpaSupplicant::new("/run/wpa_supplicant", name);
        let error = runtime.block_on(driver.check()).expect_err("no such radio");
        assert!(error.to_string().contains("there is no network interface"), "{error}");
    }
}

#[test]
fn networkmanager_owning_the_interface_is_refused_with_advice() {
    radios_idle();
    let _network_manager = lab::network_manager("wlan1");
    let driver = wps_hal_linux::WpaSupplicant::new("/run/wpa_supplicant", "wlan1");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let error = runtime.expect("a runtime").block_on(driver.check()).expect_err("managed");
    assert!(error.to_string().contains("nmcli device set wlan1 managed no"), "{error}");
}

// --- two minutes -------------------------------------------------------------------------------------

#[test]
fn walk_time_nobody_presses() {
    radios_idle();
    let machine = Machine::connected_to_old();
    let _router = Router::setup(0, "home").channel(6).start();
    let device = machine.boot();
    let mark = machine.station.events().mark();
    let began = std::time::Instant::now();
    device.start().expect("started");
    assert_eq!(device.ended(), Err(Cause::TimedOut));
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(120), "{took:?}");
    assert!(took < Duration::from_secs(125), "{took:?}");
    assert!(machine.station.events().since(mark, "CTRL-EVENT-DISCONNECTED").is_empty());
    machine.assert_as_it_was();
    assert!(matches!(
        device.record(),
        Loaded::Record(wps_core::Record::Settled(Settings::Platform))
    ));
}

#[test]
fn walk_time_a_button_pressed_late_is_in_time() {
    radios_idle();
    let machine = Machine::connected_to_old();
    let router = Router::setup(0, "home").channel(6).start();
    let device = machine.boot();
    device.start().expect("started");
    std::thread::sleep(Duration::from_secs(110)); // a person walks; time is virtual here
    router.press_button();
    assert_eq!(device.ended(), Ok(()));
    machine.assert_paired_with("home");
}
