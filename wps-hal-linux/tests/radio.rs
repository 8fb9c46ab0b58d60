//! The Linux driver in the radio lab: real hostapd, real wpa_supplicant and simulated radios. Each
//! test is a case of the specification.
//!
//! `lab/test` runs these tests, most of them in virtual time, so that the two minutes of
//! `walk_time_…` cost little.

mod device;
mod lab;

use std::time::Duration;

use device::{Device, state_directory};
use lab::{Router, SavedNetwork, Security, Supplicant, reset_radios};
use wps_core::driver::SearchProgress;
use wps_core::{Cause, ErrorKind, Loaded, Phase, Settings, Ssid};
use wps_testkit::wsc::{AES, NONE, OPEN, TKIP, WEP, WPA_PSK, WPA2_PSK};

/// How long one step of a test may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(40);
/// The channels of wpa_supplicant's own scans. All bands would take 14 s for each scan.
const CHANNELS: &str = "freq_list=2412 2437 2462 5180";
/// The event with which the exchange begins.
const EXCHANGING: &str = "CTRL-EVENT-EAP-METHOD";

/// A host with three networks in wpa_supplicant's own configuration: one is joined, one is out of
/// range, and one is disabled. wpa_supplicant may save this configuration.
struct Host {
    _old: Router,
    station: Supplicant,
    networks: Vec<SavedNetwork>,
    file: u64,
    state: tempfile::TempDir,
}

impl Host {
    fn connected_to_old() -> Self {
        let old = Router::setup(2, "old").passphrase("old pass phrase").channel(11).start();
        let elsewhere = "network={\nssid=\"elsewhere\"\npsk=\"some other key\"\npriority=3\n}";
        let asleep = "network={\nssid=\"asleep\"\npsk=\"some other key\"\ndisabled=1\n}";
        let config =
            format!("update_config=1\n{CHANNELS}\n{elsewhere}\n{asleep}\n{}", old.network_block());
        let station = Supplicant::start(1, &config);
        station.wait_connected("old", STEP_TIMEOUT);
        let (networks, file) = (station.networks(), station.config_hash());
        Self { _old: old, station, networks, file, state: state_directory() }
    }

    fn boot(&self) -> Device {
        Device::boot(1, self.state.path())
    }

    /// Asserts that the networks, their flags, the connection and the configuration file are as
    /// before, and that scanning works.
    #[track_caller]
    fn assert_unchanged(&self) {
        self.station.wait_connected("old", STEP_TIMEOUT);
        assert_eq!(self.station.networks(), self.networks);
        assert_eq!(self.station.config_hash(), self.file, "the configuration file");
        assert_eq!(self.station.request("GET wps_cred_processing"), "0");
        assert!(!self.station.request("GET config_methods").contains("virtual"));
        self.station.request("SCAN TYPE=ONLY freq=2412");
        let mark = self.station.events().mark();
        self.station.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", STEP_TIMEOUT);
    }

    /// Asserts that our network is joined and has a higher priority than the others, that the
    /// others have the flags from before, and that the configuration file is unchanged.
    #[track_caller]
    fn assert_paired_with(&self, name: &str) {
        self.station.wait_connected(name, STEP_TIMEOUT);
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

/// Starts wpa_supplicant without a network.
fn station_without_networks() -> Supplicant {
    Supplicant::start(1, CHANNELS)
}

/// Starts a pairing, presses the router's button, and expects to be paired with it.
#[track_caller]
fn pair(device: &Device, router: &Router) {
    device.start().expect("started");
    router.press_button();
    assert_eq!(device.wait_result(), Ok(()));
}

// --- success -------------------------------------------------------------------------------------

#[test]
fn pairs_when_not_connected() {
    reset_radios();
    let router = Router::setup(0, "home").channel(6).start();
    let station = station_without_networks();
    let state = state_directory();
    let device = Device::boot(1, state.path());
    pair(&device, &router);
    station.wait_connected("home", STEP_TIMEOUT);
    let Settings::Station { network } = device.crash_and_load_settings() else {
        panic!("not a station")
    };
    assert_eq!(network.ssid.as_bytes(), b"home");
    assert_eq!(wps_testkit::key(&network), b"correct horse");
}

#[test]
fn pairs_when_connected_elsewhere_and_stays_connected_until_the_button_is_pressed() {
    reset_radios();
    let host = Host::connected_to_old();
    let router = Router::setup(0, "home").channel(36).start();
    let device = host.boot();
    let mark = host.station.events().mark();
    device.start().expect("started");
    device.wait_status("a router in range", |status| status.progress == SearchProgress::NotPressed);
    assert!(host.station.events().since(mark, "CTRL-EVENT-DISCONNECTED").is_empty());
    router.press_button();
    assert_eq!(device.wait_result(), Ok(()));
    host.assert_paired_with("home");
    assert!(matches!(device.crash_and_load_settings(), Settings::Station { .. }));
}

/// The table of access points still has the first router's probe response of its pairing.
#[test]
fn pairs_with_a_second_router_while_connected_to_the_first() {
    reset_radios();
    let first = Router::setup(0, "first").channel(11).start();
    let second = Router::setup(3, "second").channel(6).start();
    let station = station_without_networks();
    let state = state_directory();
    let device = Device::boot(1, state.path());
    for (router, name) in [(&first, "first"), (&second, "second")] {
        pair(&device, router);
        station.wait_connected(name, STEP_TIMEOUT);
    }
}

#[test]
fn pairs_with_a_dual_band_router() {
    reset_radios();
    let uuid = "12345678-9abc-def0-1234-56789abcdef0";
    let low = Router::setup(0, "home").channel(6).uuid(uuid).start();
    let high = Router::setup(3, "home").channel(36).uuid(uuid).start();
    let station = station_without_networks();
    let state = state_directory();
    let device = Device::boot(1, state.path());
    low.press_button();
    high.press_button();
    device.start().expect("started");
    assert_eq!(device.wait_result(), Ok(()));
    station.wait_connected("home", STEP_TIMEOUT);
}

#[test]
fn pairs_again_with_a_network_that_is_known_already() {
    reset_radios();
    let router = Router::setup(0, "home").channel(6).start();
    let station = station_without_networks();
    let state = state_directory();
    let device = Device::boot(1, state.path());
    for round in 1..=3 {
        pair(&device, &router);
        station.wait_connected("home", STEP_TIMEOUT);
        assert_eq!(station.networks().len(), 1, "round {round}");
    }
    // The platform's own configuration contains the network, too.
    let known = Supplicant::start(4, &format!("{CHANNELS}\n{}", router.network_block()));
    known.wait_connected("home", STEP_TIMEOUT);
    let elsewhere = device::state_directory();
    let device = Device::boot(4, elsewhere.path());
    pair(&device, &router);
    known.wait_connected("home", STEP_TIMEOUT);
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
        reset_radios();
        let router = Router::setup(0, name).passphrase(key).channel(6).start();
        let _station = station_without_networks();
        let state = state_directory();
        let device = Device::boot(1, state.path());
        pair(&device, &router);
        let Settings::Station { network } = device.crash_and_load_settings() else {
            panic!("not a station")
        };
        assert_eq!(network.ssid.as_bytes(), name);
        let saved = wps_testkit::key(&network);
        assert!(saved.eq_ignore_ascii_case(key.as_bytes()), "the key of {name:?}");
        drop(router);
    }
}

#[test]
fn pairs_with_wpa3_mixed_and_open_networks() {
    for (security, joined_by) in
        [(Security::SaeOnly, "SAE"), (Security::Wpa3Transition, "SAE"), (Security::Open, "NONE")]
    {
        reset_radios();
        let router = Router::setup(0, "home").security(security).channel(6).start();
        let station = station_without_networks();
        let state = state_directory();
        let device = Device::boot(1, state.path());
        pair(&device, &router);
        let status = station.status();
        assert_eq!(status.get("key_mgmt").map(String::as_str), Some(joined_by), "{security:?}");
        let last = device.wait_idle().last.expect("a result");
        assert_eq!(last.is_open, security == Security::Open);
        drop(router);
    }
}

/// Routers send wrong types in their credentials, so what they advertise decides.
#[test]
fn pairs_with_a_wpa2_network_whose_credential_says_wpa_with_tkip() {
    reset_radios();
    let handed = [("home", WPA_PSK, TKIP, "correct horse")];
    let router = Router::setup(0, "home").channel(6).hands_over(&handed).start();
    let station = station_without_networks();
    let state = state_directory();
    let device = Device::boot(1, state.path());
    pair(&device, &router);
    station.wait_connected("home", STEP_TIMEOUT);
}

#[test]
fn of_several_networks_the_first_that_can_be_joined_wins() {
    reset_radios();
    let handed =
        [("guest", WPA2_PSK, AES, "guest pass phrase"), ("home", WPA2_PSK, AES, "correct horse")];
    let router = Router::setup(0, "home").channel(6).hands_over(&handed).start();
    let station = station_without_networks();
    let state = state_directory();
    let device = Device::boot(1, state.path());
    pair(&device, &router);
    station.wait_connected("home", STEP_TIMEOUT);
}

#[test]
fn a_saved_network_survives_a_restart_of_everything() {
    reset_radios();
    let host = Host::connected_to_old();
    let router = Router::setup(0, "home").channel(6).start();
    let device = host.boot();
    pair(&device, &router);
    device.crash();
    host.station.restart();
    host.station.wait_connected("old", STEP_TIMEOUT);
    let device = host.boot();
    host.assert_paired_with("home");
    // Booting again does not interrupt a good link.
    device.crash();
    let mark = host.station.events().mark();
    let _device = host.boot();
    host.assert_paired_with("home");
    assert!(host.station.events().since(mark, "CTRL-EVENT-DISCONNECTED").is_empty());
}

/// The router deauthenticates the exchange's association late, during the handshake of the next
/// one. The handshake is still running then, because the router learns the key only after the
/// deauthentication.
#[test]
fn a_late_deauthentication_does_not_delay_the_join_by_ten_seconds() {
    reset_radios();
    let keys = "/run/lab/keys";
    std::fs::write(keys, "").expect("a file");
    let router = Router::setup(0, "home").channel(6).passphrase("some other key");
    let router = router.hands_over(&[("home", WPA2_PSK, AES, "correct horse")]);
    let router = router.line(&format!("wpa_psk_file={keys}")).start();
    let station = station_without_networks();
    let state = state_directory();
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
    let (success, _) = station.events().wait(mark, "WPS-SUCCESS", STEP_TIMEOUT);
    let (joined, _) = station.events().wait(mark, "CTRL-EVENT-CONNECTED", STEP_TIMEOUT);
    assert!(joined - success < Duration::from_secs(8), "{:?}", joined - success);
    let disabled = station.events().since(mark, "TEMP-DISABLED");
    assert_eq!(disabled.len(), 1, "it came during the handshake: {disabled:?}");
}

#[test]
fn of_two_pressed_routers_the_chosen_one_is_paired_with() {
    reset_radios();
    let host = Host::connected_to_old();
    let one = Router::setup(0, "one").channel(6).start();
    let two = Router::setup(3, "two").channel(36).start();
    let device = host.boot();
    one.press_button();
    two.press_button();
    device.start_with(two.bssid().parse().expect("an address")).expect("started");
    assert_eq!(device.wait_result(), Ok(()));
    host.assert_paired_with("two");
}

/// Each radio of a mesh, for example, has a UUID of its own, and all are pressed at once. Waiting
/// does not help, so the person chooses one.
#[test]
fn a_router_whose_bands_have_different_uuids_is_an_overlap_until_one_is_chosen() {
    reset_radios();
    let host = Host::connected_to_old();
    let low = Router::setup(0, "home").channel(6).start();
    let high = Router::setup(3, "home").channel(36).start();
    let device = host.boot();
    low.press_button();
    high.press_button();
    device.start().expect("started");
    assert_eq!(device.wait_result(), Err(Cause::Driver(ErrorKind::Overlap)));
    let status = device.wait_idle();
    let mut seen: Vec<_> = status.pressed.as_slice().iter().collect();
    seen.sort_by_key(|it| it.frequency_mhz);
    let [seen_low, seen_high] = seen[..] else { panic!("{seen:?}") };
    assert_eq!((seen_low.frequency_mhz, seen_high.frequency_mhz), (2437, 5180));
    assert_eq!(seen_low.bssid, low.bssid().parse().expect("an address"));
    assert!(seen.iter().all(|it| it.ssid.as_ref().is_some_and(|it| it.as_bytes() == b"home")));
    host.assert_unchanged();
    device.start_with(seen_high.bssid).expect("started");
    assert_eq!(device.wait_result(), Ok(()));
    host.assert_paired_with("home");
    assert!(device.wait_idle().pressed.as_slice().is_empty());
}

/// It is open before the pairing, and takes a new key with it.
#[test]
fn a_router_that_was_never_set_up_is_announced_and_paired_with() {
    reset_radios();
    let router = Router::setup(0, "new").security(Security::Open).channel(6).line("wps_state=1");
    let router = router.start();
    let station = station_without_networks();
    let state = state_directory();
    let device = Device::boot(1, state.path());
    device.start().expect("started");
    device.wait_status("the announcement", |status| {
        let ssid = Ssid::new(b"new").ok();
        status.progress == SearchProgress::NotConfigured { ssid }
    });
    router.press_button();
    assert_eq!(device.wait_result(), Ok(()));
    let status = station.status();
    assert_eq!(status.get("key_mgmt").map(String::as_str), Some("WPA2-PSK"));
    assert!(!device.wait_idle().last.expect("a result").is_open);
}

// --- failure: everything is as before ------------------------------------------------------------

#[test]
fn overlap_ends_the_pairing_without_leaving_the_network() {
    reset_radios();
    let host = Host::connected_to_old();
    let one = Router::setup(0, "one").channel(6).start();
    let two = Router::setup(3, "two").channel(36).start();
    let device = host.boot();
    one.press_button();
    two.press_button();
    let mark = host.station.events().mark();
    device.start().expect("started");
    assert_eq!(device.wait_result(), Err(Cause::Driver(ErrorKind::Overlap)));
    assert!(host.station.events().since(mark, "CTRL-EVENT-DISCONNECTED").is_empty());
    host.assert_unchanged();
}

#[test]
fn without_a_router_in_range_that_is_the_cause() {
    reset_radios();
    let station = station_without_networks();
    let state = state_directory();
    let device = Device::boot(1, state.path());
    device.start().expect("started");
    device.wait_status("a whole pass", |status| status.progress == SearchProgress::NoRouter);
    device.close_window();
    assert_eq!(device.wait_result(), Err(Cause::NoRouter));
    assert_eq!(station.networks(), []);
}

#[test]
fn cancel_while_searching() {
    reset_radios();
    let host = Host::connected_to_old();
    let device = host.boot();
    let mark = host.station.events().mark();
    device.start().expect("started");
    host.station.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", STEP_TIMEOUT);
    device.cancel();
    assert_eq!(device.wait_result(), Err(Cause::Cancelled));
    assert!(host.station.events().since(mark, "CTRL-EVENT-DISCONNECTED").is_empty());
    host.assert_unchanged();
    assert_eq!(device.crash_and_load_settings(), Settings::Platform);
}

#[test]
fn cancel_while_exchanging() {
    reset_radios();
    let host = Host::connected_to_old();
    let router = Router::setup(0, "home").channel(6).start();
    let device = host.boot();
    router.press_button();
    let mark = host.station.events().mark();
    device.start().expect("started");
    host.station.events().wait(mark, EXCHANGING, STEP_TIMEOUT);
    device.cancel();
    assert_eq!(device.wait_result(), Err(Cause::Cancelled));
    host.assert_unchanged();
}

#[test]
fn a_router_that_vanishes_in_the_exchange_and_comes_back() {
    reset_radios();
    let host = Host::connected_to_old();
    let router = Router::setup(0, "home").channel(6).start();
    let device = host.boot();
    let plug = router.plug();
    host.station.events().when(EXCHANGING, move || plug.pull());
    router.press_button();
    device.start().expect("started");
    let lost = Some(Cause::Driver(ErrorKind::RouterLost));
    device.wait_status("the router is missed", |status| status.trouble == lost);
    host.station.wait_connected("old", STEP_TIMEOUT);
    // The same window is still open.
    router.power_on();
    router.press_button();
    assert_eq!(device.wait_result(), Ok(()));
    host.assert_paired_with("home");
}

#[test]
fn a_wrong_key_is_retried_once_and_rolled_back() {
    reset_radios();
    let host = Host::connected_to_old();
    let handed = [("home", WPA2_PSK, AES, "not the key")];
    let router = Router::setup(0, "home").channel(6).hands_over(&handed).start();
    let device = host.boot();
    router.press_button();
    device.start().expect("started");
    let mark = host.station.events().mark();
    let wrong = Cause::Driver(ErrorKind::WrongKey);
    device.wait_status("the key is refused", |status| status.trouble == Some(wrong));
    assert_eq!(device.wait_result(), Err(wrong));
    let refused = host.station.events().since(mark, "reason=WRONG_KEY");
    assert_eq!(refused.len(), 2, "{refused:?}");
    host.assert_unchanged();
    assert_eq!(device.crash_and_load_settings(), Settings::Platform);
}

/// wpa_supplicant itself refuses a credential for WEP. The network has WPA2, so WEP is no reason.
#[test]
fn a_credential_for_wep_or_an_open_network_of_a_protected_one_is_refused_with_the_reason() {
    for (kind, encryption) in [(ErrorKind::NoNetwork, WEP), (ErrorKind::NotOpen, NONE)] {
        reset_radios();
        let host = Host::connected_to_old();
        let key = if encryption == WEP { "abcde12345" } else { "" };
        let handed = [("home", OPEN, encryption, key)];
        let router = Router::setup(0, "home").channel(6).hands_over(&handed).start();
        let device = host.boot();
        router.press_button();
        device.start().expect("started");
        assert_eq!(device.wait_result(), Err(Cause::Driver(kind)));
        host.assert_unchanged();
        drop(router);
    }
}

#[test]
fn a_crash_while_searching_or_exchanging_is_a_failed_pairing() {
    for moment in ["CTRL-EVENT-SCAN-RESULTS", EXCHANGING, "WPS-SUCCESS"] {
        reset_radios();
        let host = Host::connected_to_old();
        let router = Router::setup(0, "home").channel(6).start();
        let device = host.boot();
        if moment != "CTRL-EVENT-SCAN-RESULTS" {
            router.press_button();
        }
        let mark = host.station.events().mark();
        device.start().expect("started");
        host.station.events().wait(mark, moment, STEP_TIMEOUT);
        device.crash();
        let device = host.boot();
        assert_eq!(device.status().last.map(|last| last.result), Some(Err(Cause::Interrupted)));
        host.assert_unchanged();
        assert_eq!(device.crash_and_load_settings(), Settings::Platform, "{moment}");
        drop(router);
    }
}

// --- the network while the device is idle --------------------------------------------------------

#[test]
fn a_password_changed_at_the_router_is_reported_until_it_is_changed_back() {
    for security in [Security::Wpa2, Security::SaeOnly, Security::Wpa3Transition] {
        reset_radios();
        let mut router = Router::setup(0, "home").security(security).channel(6).start();
        let station = station_without_networks();
        let state = state_directory();
        let device = Device::boot(1, state.path());
        pair(&device, &router);
        assert_eq!(device.status().trouble, None);
        router.change_passphrase("another key");
        let refused = Some(Cause::KeyRefused);
        device.wait_status("the key is refused", |status| status.trouble == refused);
        assert_eq!(device.status().phase, Phase::Idle, "{security:?}");
        router.change_passphrase("correct horse");
        device.wait_status("the key is accepted", |status| status.trouble.is_none());
        station.wait_connected("home", STEP_TIMEOUT);
        drop(router);
    }
}

/// wpa_supplicant stays in the other network. Only the device returns to its own, and meets the
/// changed password each time.
#[test]
fn a_changed_password_is_reported_even_if_another_network_is_in_range() {
    reset_radios();
    let host = Host::connected_to_old();
    let mut router = Router::setup(0, "home").channel(6).start();
    let device = host.boot();
    pair(&device, &router);
    router.change_passphrase("another key");
    host.station.wait_connected("old", STEP_TIMEOUT);
    let refused = Some(Cause::KeyRefused);
    device.wait_status("the key is refused", |status| status.trouble == refused);
    router.change_passphrase("correct horse");
    device.wait_status("the key is accepted", |status| status.trouble.is_none());
    host.assert_paired_with("home");
}

// --- wpa_supplicant and the interface ------------------------------------------------------------

#[test]
fn a_restart_of_wpa_supplicant_between_two_pairings_is_handled() {
    reset_radios();
    let host = Host::connected_to_old();
    let router = Router::setup(0, "home").channel(6).start();
    let device = host.boot();
    host.station.kill();
    let error = device.start().expect_err("there is no wpa_supplicant");
    assert!(error.to_string().contains("the radio is gone"), "{error}");
    assert_eq!(device.wait_idle().phase, Phase::Idle);
    host.station.restart();
    host.station.wait_connected("old", STEP_TIMEOUT);
    pair(&device, &router);
    host.assert_paired_with("home");
}

#[test]
fn wpa_supplicant_killed_while_searching_is_a_failure_and_recovers() {
    reset_radios();
    let host = Host::connected_to_old();
    let device = host.boot();
    let mark = host.station.events().mark();
    device.start().expect("started");
    host.station.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", STEP_TIMEOUT);
    host.station.kill();
    let gone = Some(Cause::Driver(ErrorKind::NoDevice));
    device.wait_status("the error is reported", |status| status.trouble == gone);
    host.station.restart();
    assert_eq!(device.wait_result(), Err(Cause::Driver(ErrorKind::NoDevice)));
    host.assert_unchanged();
}

#[test]
fn a_missing_radio_is_reported() {
    reset_radios();
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
    reset_radios();
    let _network_manager = lab::network_manager("wlan1");
    let driver = wps_hal_linux::WpaSupplicant::new("/run/wpa_supplicant", "wlan1");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let error = runtime.expect("a runtime").block_on(driver.check()).expect_err("managed");
    assert!(error.to_string().contains("use the driver for NetworkManager"), "{error}");
}

// --- two minutes ---------------------------------------------------------------------------------

#[test]
fn walk_time_no_button_is_pressed() {
    reset_radios();
    let host = Host::connected_to_old();
    let _router = Router::setup(0, "home").channel(6).start();
    let device = host.boot();
    let mark = host.station.events().mark();
    let start = std::time::Instant::now();
    device.start().expect("started");
    assert_eq!(device.wait_result(), Err(Cause::NotPressed));
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_secs(120), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(125), "{elapsed:?}");
    assert!(host.station.events().since(mark, "CTRL-EVENT-DISCONNECTED").is_empty());
    host.assert_unchanged();
    assert!(matches!(
        device.crash_and_load(),
        Loaded::Record(wps_core::Record::Settled(Settings::Platform))
    ));
}

#[test]
fn walk_time_a_button_pressed_late_is_in_time() {
    reset_radios();
    let host = Host::connected_to_old();
    let router = Router::setup(0, "home").channel(6).start();
    let device = host.boot();
    device.start().expect("started");
    // A person walks to the router. Time is virtual here.
    std::thread::sleep(Duration::from_secs(110));
    router.press_button();
    assert_eq!(device.wait_result(), Ok(()));
    host.assert_paired_with("home");
}
