//! The shipped unit beside NetworkManager, polkit and wpa_supplicant as Debian runs them, and two
//! reboots, in the radio lab. `lab/test` runs each test in a guest of its own, with the same disk
//! under the root file system.

mod lab;
mod systemd_unit;

use std::fs;
use std::time::Duration;

use lab::{NetworkManager, Router, Services, nmcli, reset_radios, run, status, until};
use systemd_unit::{Unit, start};

const INTERFACE: &str = "wlan1";
const HOST: &str = "http://127.0.0.1:8080";
/// How long one step of a test may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(90);

/// The routers of the user's profile and of the new network.
struct Routers {
    _old: Router,
    home: Router,
}

/// Switches on the routers. They are the same in each guest.
fn routers() -> Routers {
    reset_radios();
    // Only the 2.4 GHz band: all bands would take 14 s for each scan of NetworkManager.
    run("iw reg set YE");
    let old = Router::setup(2, "old").channel(11).address([10, 9, 2, 1].into()).dhcp();
    let home = Router::setup(0, "home").channel(6).address([10, 9, 0, 1].into()).dhcp();
    Routers { _old: old.start(), home: home.start() }
}

/// Waits until the interface has an address of this router, and pings the router.
#[track_caller]
fn wait_online(services: &Services, subnet: &str) {
    until(STEP_TIMEOUT, &format!("an address in {subnet}, {}", services.log()), || {
        std::thread::sleep(Duration::from_millis(200));
        let addresses = run(&format!("ip -4 -o address show dev {INTERFACE}"));
        addresses.contains(&format!(" {subnet}.")).then_some(())
    });
    run(&format!("ping -n -c 1 -W 10 {subnet}.1"));
}

/// Asserts that the machine is in the new network, as NetworkManager's own tool shows it.
#[track_caller]
fn expect_home(services: &Services, routers: &Routers) {
    wait_online(services, "10.9.0");
    assert_eq!(services.linked_to().as_deref(), Some(routers.home.bssid()));
    let profiles = nmcli(&["-t", "-f", "NAME,DEVICE", "connection", "show"]).expect("profiles");
    for expected in [format!("home:{INTERFACE}"), "old:".into()] {
        assert!(profiles.lines().any(|line| line == expected), "{profiles}");
    }
}

/// Starts what is enabled, as a boot does, after the routers are on the air.
fn boot() -> (Routers, Services) {
    let routers = routers();
    run("systemctl --no-ask-password --no-block start multi-user.target");
    (routers, Services::booted(INTERFACE))
}

#[test]
fn boot_1_pairs_without_being_root() {
    let routers = routers();
    NetworkManager::add_user_profile("old", "old", "correct horse", "");
    Services::install(INTERFACE);
    let services = Services::start(INTERFACE);
    wait_online(&services, "10.9.2");
    let unit = Unit::install(&[], "");
    run(&format!("systemctl -q enable wpsd@{INTERFACE}"));
    unit.start();
    let process = fs::read_to_string(format!("/proc/{}/status", unit.show("MainPID")));
    let process = process.expect("a process");
    assert!(!process.contains("\nUid:\t0\t") && process.contains("\nCapPrm:\t0000000000000000\n"));
    run("sync");

    run(&format!("curl -s -S -f -m 10 -X POST {HOST}/api/v1/wifi/wps"));
    routers.home.press_button();
    until(STEP_TIMEOUT, "paired", || status("result").filter(|it| it == "ok"));
    expect_home(&services, &routers);
    // The guest ends without syncing its disk: as by a power cut, what is not synced is lost.
    std::mem::forget((unit, services, routers));
}

#[test]
fn boot_2_is_online_with_the_unit() {
    let (routers, services) = boot();
    expect_home(&services, &routers);
    until(STEP_TIMEOUT, "the daemon is idle", || status("state").filter(|it| it == "idle"));
    run(&format!("systemctl -q --no-ask-password disable --now wpsd@{INTERFACE}"));
    expect_home(&services, &routers);
    run("sync");
    std::mem::forget((services, routers));
}

#[test]
fn boot_3_is_online_without_the_unit() {
    let (routers, services) = boot();
    expect_home(&services, &routers);
    let unit = Unit;
    assert_eq!(unit.show("ActiveState"), "inactive");
    start(&format!("wpsd@{INTERFACE}"));
    until(STEP_TIMEOUT, "the daemon is idle", || status("state").filter(|it| it == "idle"));
    expect_home(&services, &routers);
    std::mem::forget((unit, services, routers));
}
