//! Faults around a pairing, with a real hostapd in the radio lab. After each fault the device is
//! either paired or exactly as before.
//!
//! `lab/test` runs these tests, most of them in virtual time, so that the long waits of
//! `walk_time_…` cost little. Where hostap's own `tests/hwsim/test_ap_wps.py` has the same
//! scenario, the comment names it.

mod device;
mod lab;

use std::thread::sleep;
use std::time::Duration;

use device::{Device, state_directory};
use lab::{Router, RouterSetup, SavedNetwork, Security, Supplicant};
use lab::{reset_radios, run};
use rustix::time::{ClockId, clock_gettime};
use wps_core::driver::SearchProgress;
use wps_core::{Cause, Clock, ErrorKind, Instant, Phase, Settings, Ssid, Status};
use wps_hal_linux::BootClock;
use wps_testkit::wsc::{AES, WPA2_PSK};

/// How long one step of a test may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(40);
/// The channels of wpa_supplicant's own scans. All bands would take 14 s for each scan.
const CHANNELS: &str = "freq_list=2412 2437 2462";
/// The event with which the exchange begins.
const EXCHANGING: &str = "CTRL-EVENT-EAP-METHOD";

/// A host connected to its old network, and the router to pair with. The old router has no WPS, so
/// the new one is the only WPS router in range.
struct TestContext {
    old: Router,
    home: Router,
    station: Supplicant,
    networks: Vec<SavedNetwork>,
    state: tempfile::TempDir,
}

impl TestContext {
    fn new() -> Self {
        Self::with_router(|home| home)
    }

    /// Changes the settings of the router to pair with.
    fn with_router(change: impl FnOnce(RouterSetup) -> RouterSetup) -> Self {
        reset_radios();
        let old = Router::setup(2, "old").channel(11).wps(false).start();
        let home = change(Router::setup(0, "home").channel(6)).start();
        let station = Supplicant::start(1, &format!("{CHANNELS}\n{}", old.network_block()));
        station.wait_connected("old", STEP_TIMEOUT);
        let networks = station.networks();
        Self { old, home, station, networks, state: state_directory() }
    }

    fn boot(&self) -> Device {
        Device::boot(1, self.state.path())
    }

    /// Presses the router's button and starts a pairing.
    fn start_with_button(&self) -> Device {
        let device = self.boot();
        self.home.press_button();
        device.start().expect("started");
        device
    }

    /// Asserts that the host is connected to the old network, that the journal is closed, and that
    /// scanning works.
    #[track_caller]
    fn assert_unchanged(&self, device: &Device) {
        assert_eq!(device.saved_settings(), Settings::Platform);
        self.station.wait_connected("old", STEP_TIMEOUT);
        assert_eq!(self.station.networks(), self.networks);
        assert_eq!(self.station.request("GET wps_cred_processing"), "0");
        self.assert_scans();
    }

    #[track_caller]
    fn assert_scans(&self) {
        let mark = self.station.events().mark();
        self.station.request("SCAN TYPE=ONLY freq=2412");
        self.station.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", STEP_TIMEOUT);
    }

    #[track_caller]
    fn assert_paired(&self, device: &Device) {
        assert_eq!(device.wait_result(), Ok(()));
        let Settings::Station { network } = device.saved_settings() else {
            panic!("not a station")
        };
        assert_eq!(network.ssid.as_bytes(), b"home");
        self.station.wait_connected("home", STEP_TIMEOUT);
    }
}

/// Returns a predicate: the task is being retried after an error of this kind.
fn is_retrying_after(kind: ErrorKind) -> impl Fn(&Status) -> bool {
    move |status| status.trouble == Some(Cause::Driver(kind))
}

/// Returns the processor time of this process, which includes the device.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.try_into().expect("not negative"),
        time.tv_nsec.try_into().expect("below a second"),
    )
}

/// Asserts that this process uses less than a quarter of a processor during `period`.
#[track_caller]
fn assert_idle(period: Duration) {
    let before = cpu_time();
    sleep(period); // nothing may happen
    let used = cpu_time() - before;
    assert!(used < period / 4, "{used:?} of processor time in {period:?}");
}

// --- the router ----------------------------------------------------------------------------------

/// `test_ap_wps_pbc_overlap_2sta`
#[test]
fn a_router_busy_with_another_device_is_reported() {
    let context = TestContext::new();
    // The other device searches for a router that does not exist: it keeps sending probe requests.
    let other = Supplicant::start(3, "freq_list=2437");
    let mark = other.events().mark();
    other.request("WPS_PBC 02:00:00:00:99:99");
    other.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", STEP_TIMEOUT);
    let device = context.start_with_button();
    device.wait_status("the router's answer", is_retrying_after(ErrorKind::RouterBusy));
    device.close_window();
    assert_eq!(device.wait_result(), Err(Cause::Driver(ErrorKind::RouterBusy)));
    context.assert_unchanged(&device);
}

/// For the last networks of the list, hostapd itself switches WPS off.
#[test]
fn a_router_without_wps_is_the_cause() {
    type Change = fn(RouterSetup) -> RouterSetup;
    let without: [(&str, Change); 4] = [
        ("switched off", |home| home.wps(false)),
        ("TKIP only", |home| home.security(Security::TkipOnly)),
        ("WEP", |home| home.security(Security::Wep)),
        ("hidden", |home| home.line("ignore_broadcast_ssid=1")),
    ];
    for (what, change) in without {
        let context = TestContext::with_router(change);
        let device = context.boot();
        device.start().expect("started");
        assert_eq!(context.home.request("WPS_PBC").trim(), "FAIL", "{what}");
        device.wait_status("a whole pass", |status| status.progress == SearchProgress::NoWps);
        device.close_window();
        assert_eq!(device.wait_result(), Err(Cause::NoWps), "{what}");
        context.assert_unchanged(&device);
    }
}

#[test]
fn a_wrong_key_is_the_reported_cause() {
    let context =
        TestContext::with_router(|home| home.hands_over(&[("home", WPA2_PSK, AES, "not the key")]));
    let device = context.start_with_button();
    device.wait_status("the key is refused", is_retrying_after(ErrorKind::WrongKey));
    assert_eq!(device.wait_result(), Err(Cause::Driver(ErrorKind::WrongKey)));
    context.assert_unchanged(&device);
}

#[test]
fn a_router_that_vanishes_after_the_exchange() {
    let context = TestContext::new();
    let plug = context.home.plug();
    context.station.events().when("WPS-SUCCESS", move || plug.pull());
    let device = context.start_with_button();
    let status = device.wait_status("the join fails", |status| status.trouble.is_some());
    assert!(matches!(status.phase, Phase::Joining { .. }), "{status:?}");
    device.close_window();
    assert_eq!(device.wait_result(), Err(status.trouble.expect("a reason")));
    context.assert_unchanged(&device);
}

/// `test_ap_wps_cancel`, in the middle of the exchange.
#[test]
fn a_router_that_ends_the_exchange_and_is_pressed_again() {
    let context = TestContext::new();
    let request = context.home.requester();
    context.station.events().when(EXCHANGING, move || request("WPS_CANCEL"));
    let device = context.start_with_button();
    device.wait_status("the end of the exchange", |status| status.trouble.is_some());
    context.home.press_button();
    context.assert_paired(&device);
}

// --- the user ------------------------------------------------------------------------------------

#[test]
fn cancel_while_joining() {
    let context = TestContext::with_router(|home| {
        home.hands_over(&[("gone", WPA2_PSK, AES, "some other key")])
    });
    let device = context.start_with_button();
    let gone = Ssid::new(b"gone").expect("a name");
    device.wait_status("joining", |status| status.phase == Phase::Joining { ssid: gone.clone() });
    device.cancel();
    assert_eq!(device.wait_result(), Err(Cause::Cancelled));
    context.assert_unchanged(&device);
}

#[test]
fn a_pairing_started_in_flight_mode_succeeds() {
    let phy = "/sys/class/net/wlan1/phy80211";
    for switch in ["rfkill", "link"] {
        let context = TestContext::new();
        let device = context.boot();
        match switch {
            "rfkill" => {
                let entries = std::fs::read_dir(phy).expect("a radio").flatten();
                let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
                let name = names.find(|name| name.starts_with("rfkill")).expect("a switch");
                run(&format!("rfkill block {}", name.trim_start_matches("rfkill")));
            }
            _ => drop(run("ip link set wlan1 down")),
        }
        let is_off = |status: &std::collections::BTreeMap<String, String>| {
            status.get("wpa_state").is_some_and(|state| state == "INTERFACE_DISABLED")
        };
        lab::until(STEP_TIMEOUT, "off", || is_off(&context.station.status()).then_some(()));
        device.start().expect("started");
        context.home.press_button();
        context.assert_paired(&device);
    }
}

#[test]
fn a_button_pressed_one_second_after_the_start() {
    let context = TestContext::new();
    let device = context.boot();
    device.start().expect("started");
    sleep(Duration::from_secs(1));
    context.home.press_button();
    context.assert_paired(&device);
}

/// Starts a pairing and presses the router's button after this delay. Also returns the end of the
/// two-minute window.
fn pressed_after(context: &TestContext, millis: u64) -> (Device, Instant) {
    let device = context.boot();
    let closes = BootClock.now().after(Duration::from_secs(120));
    device.start().expect("started");
    sleep(Duration::from_millis(millis)); // a person walks to the router; time is virtual here
    context.home.press_button();
    (device, closes)
}

#[test]
fn walk_time_a_button_pressed_at_second_115_is_in_time() {
    let context = TestContext::new();
    let (device, closes) = pressed_after(&context, 115_000);
    context.assert_paired(&device);
    assert!(device.status().last.expect("an end").at <= closes);
}

/// `test_ap_wps_pbc_timeout`
#[test]
fn walk_time_a_button_pressed_too_late_changes_nothing_and_the_window_closes_at_second_120() {
    let context = TestContext::new();
    let (device, closes) = pressed_after(&context, 119_990);
    device.wait_result().expect_err("too late");
    let at = device.status().last.expect("an end").at;
    assert!(at >= closes, "{at:?} before {closes:?}");
    assert!(at.since(closes) < Duration::from_millis(500), "{:?} late", at.since(closes));
    context.assert_unchanged(&device);
}

// --- the previous network and wpa_supplicant -----------------------------------------------------

#[test]
fn the_old_network_is_gone_when_the_pairing_fails() {
    let context = TestContext::new();
    let device = context.boot();
    device.start().expect("started");
    device.wait_status("searching", |status| status.progress == SearchProgress::NotPressed);
    context.old.kill();
    device.close_window();
    assert_eq!(device.wait_result(), Err(Cause::NotPressed));
    assert_eq!(device.saved_settings(), Settings::Platform);
    assert_idle(Duration::from_secs(10));
    context.old.power_on();
    context.assert_unchanged(&device);
}

#[test]
fn wpa_supplicant_is_gone_when_the_pairing_fails() {
    let context = TestContext::new();
    let device = context.boot();
    device.start().expect("started");
    device.wait_status("searching", |status| status.progress == SearchProgress::NotPressed);
    context.station.kill();
    device.wait_status("the error is reported", is_retrying_after(ErrorKind::NoDevice));
    // Restoring is retried forever, with pauses. A start is accepted meanwhile, and fails at once
    // because the radio is gone.
    assert_idle(Duration::from_secs(20));
    assert_eq!(device.status().phase, Phase::Restoring);
    let error = device.start().expect_err("the radio is gone");
    assert!(error.to_string().contains("the radio is gone"), "{error}");
    context.station.restart();
    assert_eq!(device.wait_result(), Err(Cause::Driver(ErrorKind::NoDevice)));
    context.assert_unchanged(&device);
}

/// The device keeps running, and is idle.
#[test]
fn wpa_supplicant_restarted_while_idle_gets_the_network_again() {
    type Restart = fn(&Supplicant);
    let ways: [(&str, Restart); 3] = [
        ("killed", |station| {
            station.kill();
            sleep(Duration::from_secs(5)); // the socket exists, but no process serves it
            station.restart();
        }),
        ("stopped", |station| {
            station.stop();
            sleep(Duration::from_secs(5)); // there is no socket
            station.restart();
        }),
        ("reconfigured", |station| assert_eq!(station.request("RECONFIGURE").trim(), "OK")),
    ];
    let context = TestContext::new();
    let device = context.start_with_button();
    context.assert_paired(&device);
    let networks = context.station.networks();
    for (how, restart) in ways {
        restart(&context.station);
        lab::until(STEP_TIMEOUT, how, || (context.station.networks().len() == 2).then_some(()));
        context.assert_paired(&device);
        let names = |networks: Vec<SavedNetwork>| {
            networks.into_iter().map(|it| (it.id, it.ssid)).collect::<Vec<_>>()
        };
        assert_eq!(names(context.station.networks()), names(networks.clone()), "{how}");
        let mark = context.station.events().mark();
        assert_idle(Duration::from_secs(10));
        let disconnects = context.station.events().since(mark, "CTRL-EVENT-DISCONNECTED");
        assert!(disconnects.is_empty(), "{how}: {disconnects:#?}");
        context.assert_scans();
    }
}

/// wpa_supplicant itself never tries a network again after that.
#[test]
fn a_disconnect_by_another_program_is_undone() {
    let context = TestContext::new();
    let device = context.start_with_button();
    context.assert_paired(&device);
    let mark = context.station.events().mark();
    assert_eq!(context.station.request("DISCONNECT").trim(), "OK");
    context.station.events().wait(mark, "CTRL-EVENT-DISCONNECTED", STEP_TIMEOUT);
    context.assert_paired(&device);
}

/// After a failed association, wpa_supplicant joins the next best network and stays there.
#[test]
fn another_network_in_place_of_ours_is_left_unless_ours_was_disabled() {
    let context = TestContext::new();
    let device = context.start_with_button();
    context.assert_paired(&device);
    let id = |ssid: &str| {
        let networks = context.station.networks();
        networks.iter().find(|it| it.ssid == ssid).map(|it| it.id).expect("a network of this name")
    };
    let assert_undisturbed = || {
        let mark = context.station.events().mark();
        sleep(Duration::from_secs(30));
        let disconnects = context.station.events().since(mark, "CTRL-EVENT-DISCONNECTED");
        assert!(disconnects.is_empty(), "{disconnects:#?}");
    };
    // Disables "home".
    context.station.request(&format!("SELECT_NETWORK {}", id("old")));
    context.station.wait_connected("old", STEP_TIMEOUT);
    assert_undisturbed();

    context.station.request(&format!("ENABLE_NETWORK {} no-connect", id("home")));
    context.assert_paired(&device);
    assert_undisturbed();
}
