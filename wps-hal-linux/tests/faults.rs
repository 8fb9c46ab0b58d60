//! What goes wrong in a house, in the radio lab: each fault is a story with real hostapd, and everything
//! is as it was after it. Run by `lab/test`.
//!
//! `walk_time_…` wait for long: they are run with virtual time, the others without. Where hostap's own
//! `tests/hwsim/test_ap_wps.py` has the same scenario, its name is given.

mod device;
mod lab;

use std::thread::sleep;
use std::time::Duration;

use device::{Device, state};
use lab::{AES, Router, RouterSetup, SavedNetwork, Security, Supplicant, WPA2_PSK};
use lab::{radios_idle, run};
use rustix::time::{ClockId, clock_gettime};
use wps_core::driver::SearchProgress;
use wps_core::{Cause, Clock, ErrorKind, Instant, Phase, Settings, Ssid, Status};
use wps_hal_linux::BootClock;

const SHORT: Duration = Duration::from_secs(40);
/// wpa_supplicant's own scans in these tests: all bands would take 14 s each.
const CHANNELS: &str = "freq_list=2412 2437 2462";
const EXCHANGING: &str = "CTRL-EVENT-EAP-METHOD";

/// A device whose machine is connected to its old network, and the router to pair with. The old one has
/// no WPS: what is in sight is the other one.
struct House {
    old: Router,
    home: Router,
    station: Supplicant,
    networks: Vec<SavedNetwork>,
    state: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        Self::with(|home| home)
    }

    /// With a router that differs from the usual one.
    fn with(differs: impl FnOnce(RouterSetup) -> RouterSetup) -> Self {
        radios_idle();
        let old = Router::setup(2, "old").channel(11).wps(false).start();
        let home = differs(Router::setup(0, "home").channel(6)).start();
        let station = Supplicant::start(1, &format!("{CHANNELS}\n{}", old.network_block()));
        station.wait_connected("old", SHORT);
        let networks = station.networks();
        Self { old, home, station, networks, state: state() }
    }

    fn boot(&self) -> Device {
        Device::boot(1, self.state.path())
    }

    /// Starts a pairing, with the router's button pressed.
    fn begin(&self) -> Device {
        let device = self.boot();
        self.home.press_button();
        device.start().expect("started");
        device
    }

    /// Connected to the old network, with the journal closed; and scanning works.
    #[track_caller]
    fn assert_as_it_was(&self, device: &Device) {
        assert_eq!(device.settled(), Settings::Platform);
        self.station.wait_connected("old", SHORT);
        assert_eq!(self.station.networks(), self.networks);
        assert_eq!(self.station.request("GET wps_cred_processing"), "0");
        self.assert_scans();
    }

    #[track_caller]
    fn assert_scans(&self) {
        let mark = self.station.events().mark();
        self.station.request("SCAN TYPE=ONLY freq=2412");
        self.station.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", SHORT);
    }

    #[track_caller]
    fn assert_paired(&self, device: &Device) {
        assert_eq!(device.ended(), Ok(()));
        let Settings::Station { network } = device.settled() else { panic!("not a station") };
        assert_eq!(network.ssid.as_bytes(), b"home");
        self.station.wait_connected("home", SHORT);
    }
}

fn trouble(kind: ErrorKind) -> impl Fn(&Status) -> bool {
    move |status| status.trouble == Some(Cause::Driver(kind))
}

/// How long this process, device and all, has been on the processor.
fn busy() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.try_into().expect("not negative"),
        time.tv_nsec.try_into().expect("below a second"),
    )
}

/// Watches for a while that it idles: less than a quarter of a processor.
#[track_caller]
fn assert_idle(watch: Duration) {
    let before = busy();
    sleep(watch); // what is watched for is nothing
    let busy = busy() - before;
    assert!(busy < watch / 4, "{busy:?} of {watch:?} on the processor");
}

// --- the router -----------------------------------------------------------------------------------

/// `test_ap_wps_pbc_overlap_2sta`
#[test]
fn two_devices_that_pair_with_one_router_are_told_so() {
    let house = House::new();
    // The other one asks for a router that is not there: it is heard for as long as it is wanted.
    let other = Supplicant::start(3, "freq_list=2437");
    let mark = other.events().mark();
    other.request("WPS_PBC 02:00:00:00:99:99");
    other.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", SHORT);
    let device = house.begin();
    device.wait("the router's answer", trouble(ErrorKind::RouterBusy));
    device.window_closes();
    assert_eq!(device.ended(), Err(Cause::Driver(ErrorKind::RouterBusy)));
    house.assert_as_it_was(&device);
}

/// hostapd itself switches WPS off for these.
#[test]
fn a_router_without_wps_is_not_in_sight() {
    type Differs = fn(RouterSetup) -> RouterSetup;
    let without: [(&str, Differs); 4] = [
        ("switched off", |home| home.wps(false)),
        ("TKIP only", |home| home.security(Security::TkipOnly)),
        ("WEP", |home| home.security(Security::Wep)),
        ("hidden", |home| home.line("ignore_broadcast_ssid=1")),
    ];
    for (what, differs) in without {
        let house = House::with(differs);
        let device = house.boot();
        device.start().expect("started");
        assert_eq!(house.home.request("WPS_PBC").trim(), "FAIL", "{what}");
        device.wait("a whole sweep", |status| status.seen == SearchProgress::NoRouter);
        device.window_closes();
        assert_eq!(device.ended(), Err(Cause::TimedOut), "{what}");
        house.assert_as_it_was(&device);
    }
}

#[test]
fn a_key_that_does_not_work_is_what_is_told_at_the_end() {
    let house = House::with(|home| home.hands_over(&[("home", WPA2_PSK, AES, "not the key")]));
    let device = house.begin();
    device.wait("the key is refused", trouble(ErrorKind::WrongKey));
    device.window_closes();
    assert_eq!(device.ended(), Err(Cause::Driver(ErrorKind::WrongKey)));
    house.assert_as_it_was(&device);
}

#[test]
fn a_router_that_vanishes_after_the_exchange() {
    let house = House::new();
    let plug = house.home.plug();
    house.station.events().when("WPS-SUCCESS", move || plug.pull());
    let device = house.begin();
    let status = device.wait("it cannot be joined", |status| status.trouble.is_some());
    assert!(matches!(status.phase, Phase::Joining { .. }), "{status:?}");
    device.window_closes();
    assert_eq!(device.ended(), Err(status.trouble.expect("a reason")));
    house.assert_as_it_was(&device);
}

/// `test_ap_wps_cancel`, in the middle of the exchange.
#[test]
fn a_router_that_ends_the_exchange_and_is_pressed_again() {
    let house = House::new();
    let request = house.home.requester();
    house.station.events().when(EXCHANGING, move || request("WPS_CANCEL"));
    let device = house.begin();
    device.wait("the end of the exchange", |status| status.trouble.is_some());
    house.home.press_button();
    house.assert_paired(&device);
}

// --- the user ---------------------------------------------------------------------------------------

#[test]
fn cancel_while_joining() {
    let house = House::with(|home| home.hands_over(&[("gone", WPA2_PSK, AES, "some other key")]));
    let device = house.begin();
    let gone = Ssid::new(b"gone").expect("a name");
    device.wait("it joins", |status| status.phase == Phase::Joining { ssid: gone.clone() });
    device.cancel();
    assert_eq!(device.ended(), Err(Cause::Cancelled));
    house.assert_as_it_was(&device);
}

#[test]
fn started_in_flight_mode_it_pairs() {
    let phy = "/sys/class/net/wlan1/phy80211";
    for switch in ["rfkill", "link"] {
        let house = House::new();
        let device = house.boot();
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
        lab::until(SHORT, "off", || is_off(&house.station.status()).then_some(()));
        device.start().expect("started");
        house.home.press_button();
        house.assert_paired(&device);
    }
}

#[test]
fn a_button_pressed_in_the_first_second() {
    let house = House::new();
    let device = house.boot();
    device.start().expect("started");
    sleep(Duration::from_secs(1));
    house.home.press_button();
    house.assert_paired(&device);
}

/// Starts, and has the router's button pressed so much later. Gives the end of the two minutes, too.
fn pressed_after(house: &House, millis: u64) -> (Device, Instant) {
    let device = house.boot();
    let closes = BootClock.now().after(Duration::from_secs(120));
    device.start().expect("started");
    sleep(Duration::from_millis(millis)); // a person walks; time is virtual here
    house.home.press_button();
    (device, closes)
}

#[test]
fn walk_time_a_button_pressed_at_second_115_is_in_time() {
    let house = House::new();
    let (device, closes) = pressed_after(&house, 115_000);
    house.assert_paired(&device);
    assert!(device.status().last.expect("an end").at <= closes);
}

/// `test_ap_wps_pbc_timeout`
#[test]
fn walk_time_a_button_pressed_too_late_changes_nothing_at_second_120_sharp() {
    let house = House::new();
    let (device, closes) = pressed_after(&house, 119_990);
    device.ended().expect_err("too late");
    let at = device.status().last.expect("an end").at;
    assert!(at >= closes, "{at:?} before {closes:?}");
    assert!(at.since(closes) < Duration::from_millis(500), "{:?} late", at.since(closes));
    house.assert_as_it_was(&device);
}

// --- what was there before --------------------------------------------------------------------------

#[test]
fn the_old_network_is_gone_when_the_pairing_fails() {
    let house = House::new();
    let device = house.boot();
    device.start().expect("started");
    device.wait("it looks", |status| status.seen == SearchProgress::NotPressed);
    house.old.kill();
    device.window_closes();
    assert_eq!(device.ended(), Err(Cause::TimedOut));
    assert_eq!(device.settled(), Settings::Platform);
    assert_idle(Duration::from_secs(10));
    house.old.power_on();
    house.assert_as_it_was(&device);
}

#[test]
fn the_radios_software_is_gone_when_the_pairing_fails() {
    let house = House::new();
    let device = house.boot();
    device.start().expect("started");
    device.wait("it looks", |status| status.seen == SearchProgress::NotPressed);
    house.station.kill();
    device.wait("its absence is told", trouble(ErrorKind::NoDevice));
    // It is tried again for ever, with pauses, and no start is taken meanwhile.
    assert_idle(Duration::from_secs(20));
    assert_eq!(device.status().phase, Phase::Restoring);
    let refused = device.start().expect_err("not before everything is back");
    assert!(refused.to_string().contains("the radio is gone"), "{refused}");
    house.station.restart();
    assert_eq!(device.ended(), Err(Cause::Driver(ErrorKind::NoDevice)));
    house.assert_as_it_was(&device);
}

/// With the device running on, at rest: nobody starts it anew.
#[test]
fn wpa_supplicant_that_begins_anew_at_rest_is_told_of_the_network_in_force() {
    type BeginsAnew = fn(&Supplicant);
    let ways: [(&str, BeginsAnew); 3] = [
        ("killed", |station| {
            station.kill();
            sleep(Duration::from_secs(5)); // nobody is behind its socket
            station.restart();
        }),
        ("stopped", |station| {
            station.stop();
            sleep(Duration::from_secs(5)); // there is no socket
            station.restart();
        }),
        ("configured anew", |station| assert_eq!(station.request("RECONFIGURE").trim(), "OK")),
    ];
    let house = House::new();
    let device = house.begin();
    house.assert_paired(&device);
    let networks = house.station.networks();
    for (how, begins_anew) in ways {
        begins_anew(&house.station);
        lab::until(SHORT, how, || (house.station.networks().len() == 2).then_some(()));
        house.assert_paired(&device);
        let named = |networks: Vec<SavedNetwork>| {
            networks.into_iter().map(|it| (it.id, it.ssid)).collect::<Vec<_>>()
        };
        assert_eq!(named(house.station.networks()), named(networks.clone()), "{how}");
        let mark = house.station.events().mark();
        assert_idle(Duration::from_secs(10));
        let disturbed = house.station.events().since(mark, "CTRL-EVENT-DISCONNECTED");
        assert!(disturbed.is_empty(), "{how}: {disturbed:#?}");
        house.assert_scans();
    }
}

/// After an association that failed, wpa_supplicant joins the next best network and stays there.
#[test]
fn another_network_joined_in_place_of_ours_is_left_unless_somebody_disabled_ours() {
    let house = House::new();
    let device = house.begin();
    house.assert_paired(&device);
    let id = |ssid: &str| {
        let networks = house.station.networks();
        networks.iter().find(|it| it.ssid == ssid).map(|it| it.id).expect("a network of this name")
    };
    // Disables "home".
    house.station.request(&format!("SELECT_NETWORK {}", id("old")));
    house.station.wait_connected("old", SHORT);
    let mark = house.station.events().mark();
    sleep(Duration::from_secs(30));
    let disturbed = house.station.events().since(mark, "CTRL-EVENT-DISCONNECTED");
    assert!(disturbed.is_empty(), "{disturbed:#?}");

    house.station.request(&format!("ENABLE_NETWORK {} no-connect", id("home")));
    house.assert_paired(&device);
    let mark = house.station.events().mark();
    sleep(Duration::from_secs(30));
    let disturbed = house.station.events().since(mark, "CTRL-EVENT-DISCONNECTED");
    assert!(disturbed.is_empty(), "{disturbed:#?}");
}
