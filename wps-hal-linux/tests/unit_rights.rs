//! The rights of the shipped unit beside NetworkManager and polkit as Debian runs them, in the
//! radio lab. Each missing right is named. systemd is the init of the guest.
//!
//! `lab/test` runs these tests and puts `wpsd` into the same directory.

mod lab;
mod systemd_unit;

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use lab::{Disk, NetworkManager, Router, Services, nmcli, reset_radios, run, status, until};
use systemd_unit::{POLKIT_RULES, Unit, write};

const INTERFACE: &str = "wlan1";
const FLAGS: &str = "--manager network-manager";
const HOST: &str = "http://127.0.0.1:8080";
/// How long one step of a test may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);
const NETWORK_CONTROL: &str = "org.freedesktop.NetworkManager.network-control";
const MODIFY_SYSTEM: &str = "org.freedesktop.NetworkManager.settings.modify.system";
const SHARE_PROTECTED: &str = "org.freedesktop.NetworkManager.wifi.share.protected";
const SHARE_OPEN: &str = "org.freedesktop.NetworkManager.wifi.share.open";
/// The program with which NetworkManager serves addresses. In the lab it is elsewhere.
const DNSMASQ: &str = "/usr/sbin/dnsmasq";

/// A machine in the network of the user's profile, and a router to pair with.
struct Machine {
    services: Services,
    _old: Router,
    home: Router,
}

impl Machine {
    fn new() -> Self {
        Self::with(|| {})
    }

    /// The same, after `prepare` has prepared the disks.
    fn with(prepare: impl FnOnce()) -> Self {
        reset_radios();
        // Only the 2.4 GHz band: all bands would take 14 s for each scan of NetworkManager.
        run("iw reg set YE");
        NetworkManager::clear();
        prepare();
        NetworkManager::add_user_profile("old", "old", "correct horse", "");
        let old = Router::setup(2, "old").channel(11).address([10, 9, 2, 1].into()).dhcp();
        let home = Router::setup(0, "home").channel(6).address([10, 9, 0, 1].into()).dhcp();
        let (old, home) = (old.start(), home.start());
        Services::install(INTERFACE);
        // The tests restart polkit often, which systemd would refuse.
        write("/etc/systemd/system/polkit.service.d/lab.conf", "[Unit]\nStartLimitIntervalSec=0\n");
        let machine = Self { services: Services::start(INTERFACE), _old: old, home };
        machine.wait_connected("old");
        machine
    }

    #[track_caller]
    fn wait_connected(&self, ssid: &str) {
        until(STEP_TIMEOUT, &format!("the machine is in {ssid}"), || {
            (self.services.connected_to()? == ssid).then_some(())
        });
    }

    /// Presses the button of the router while a pairing runs, and waits for the result.
    #[track_caller]
    fn press(&self) -> String {
        self.home.press_button();
        until(STEP_TIMEOUT, "a result", || {
            (status("state")? == "idle").then(|| status("cause").or(status("result")))?
        })
    }
}

fn start_pairing() {
    run(&format!("curl -s -S -f -m 10 -X POST {HOST}/api/v1/wifi/wps"));
    until(STEP_TIMEOUT, "searching", || status("state").filter(|it| it == "searching"));
}

/// Waits until the log of the unit contains this text.
#[track_caller]
fn wait_log(unit: &Unit, text: &str) {
    until(STEP_TIMEOUT, &format!("the log says {text}"), || {
        std::thread::sleep(Duration::from_millis(500)); // each probe starts processes
        unit.log().contains(text).then_some(())
    });
}

/// Replaces the installed rule by one without these actions.
#[track_caller]
fn permit_all_but(actions: &[&str]) {
    let mut rules = include_str!("../../examples/polkit/50-wpsd.rules").to_owned();
    for action in actions {
        assert!(rules.contains(action), "{action}");
        rules = rules.replace(&format!("\"{action}\""), "\"\"");
    }
    write(POLKIT_RULES, &rules);
    run("systemctl --no-ask-password restart polkit");
}

#[test]
fn a_missing_right_is_named_at_the_start() {
    let _machine = Machine::new();
    let unit = Unit::install(&[], FLAGS);
    for action in [NETWORK_CONTROL, MODIFY_SYSTEM] {
        permit_all_but(&[action]);
        let error = unit.start_error();
        unit.stop();
        assert!(error.contains(&format!("permit {action} ")), "{error}");
        assert!(error.contains("50-wpsd.rules"), "{error}");
    }
    // A station starts without the rights for access points.
    permit_all_but(&[SHARE_PROTECTED, SHARE_OPEN]);
    unit.start();
    unit.stop();

    run("systemctl --no-ask-password mask --runtime --now polkit");
    let error = unit.start_error();
    run("systemctl --no-ask-password unmask --runtime polkit");
    assert!(error.contains(&format!("permit {NETWORK_CONTROL} ")), "{error}");
}

#[test]
fn networkmanager_needs_each_right_of_the_rule() {
    let machine = Machine::new();
    let unit = Unit::install(&[], FLAGS);
    permit_all_but(&[]);
    unit.start();
    for action in [NETWORK_CONTROL, MODIFY_SYSTEM] {
        permit_all_but(&[]);
        start_pairing();
        permit_all_but(&[action]);
        assert_eq!(machine.press(), "not_permitted", "{action}");
        wait_log(&unit, &format!("permit {action} "));
        machine.wait_connected("old");
        assert_eq!(NetworkManager::own_profiles(), []);
    }
    permit_all_but(&[SHARE_PROTECTED, SHARE_OPEN]);
    start_pairing();
    assert_eq!(machine.press(), "ok");
    machine.wait_connected("home");
}

#[test]
fn an_access_point_gives_addresses_only_with_the_right_to_share() {
    let machine = Machine::new();
    let key = "/etc/wpsd-key";
    let flags = format!("{FLAGS} --blank access-point --access-point-name hotspot");
    let flags = |security: &str| format!("{flags} --access-point-channel 1 {security}");
    run(&format!("ln -s /usr/lib/dnsmasq {DNSMASQ}"));
    let unit = Unit::install(&[], &flags("--access-point-open"));
    expect_right(&machine, &unit, SHARE_OPEN, "key_mgmt=NONE");
    drop(unit);

    let unit = Unit::install(&[], &flags(&format!("--access-point-key-file {key}")));
    write(key, "a long key\n");
    run(&format!("chown wpsd {key}"));
    run(&format!("chmod 600 {key}"));
    expect_right(&machine, &unit, SHARE_PROTECTED, "psk=\"a long key\"");
    unit.stop();

    // Without dnsmasq nothing is shared.
    run(&format!("rm {DNSMASQ}"));
    permit_all_but(&[SHARE_PROTECTED]);
    unit.start();
    machine.wait_connected("hotspot");
}

/// Asserts that the access point needs this right, and serves addresses with it.
#[track_caller]
fn expect_right(machine: &Machine, unit: &Unit, action: &str, network: &str) {
    permit_all_but(&[action]);
    unit.start();
    wait_log(unit, &format!("permit {action} "));
    permit_all_but(&[]);
    machine.wait_connected("hotspot");
    expect_address(network);
}

/// Asserts that a client of the access point gets an address.
#[track_caller]
fn expect_address(network: &str) {
    let lines = format!("freq_list=2412\nnetwork={{\nssid=\"hotspot\"\n{network}\n}}");
    let client = lab::Supplicant::start(3, &lines);
    client.wait_connected("hotspot", STEP_TIMEOUT);
    let mut udhcpc = Command::new("udhcpc");
    udhcpc.args(["-f", "-n", "-q", "-i", "wlan3", "-s", "/bin/true"]);
    let output = udhcpc.stdin(Stdio::null()).output().expect("udhcpc");
    assert!(output.status.success(), "{output:?}");
    client.stop();
}

#[test]
fn off_needs_its_drop_in() {
    let machine = Machine::new();
    let enable = |on: bool| {
        let json = format!("-X PUT -H Content-Type:application/json -d {{\"enable\":{on}}}");
        run(&format!("curl -s -S -f -m 10 {json} {HOST}/api/v1/wifi/sta/settings"));
        until(STEP_TIMEOUT, "idle", || status("state").filter(|it| it == "idle"));
    };
    let unit = Unit::install(&[], FLAGS);
    permit_all_but(&[]);
    unit.start();
    enable(false);
    assert_eq!(status("cause").as_deref(), Some("not_permitted"));
    machine.wait_connected("old");
    wait_log(&unit, "write access to /dev/rfkill");
    drop(unit);

    let unit = Unit::install(&["off"], FLAGS);
    run("udevadm control --reload");
    run("udevadm trigger -c add -s misc");
    run("udevadm settle -t 10");
    unit.start();
    start_pairing();
    assert_eq!(machine.press(), "ok");
    enable(false);
    assert_eq!(machine.services.connected_to(), None);
    enable(true);
    machine.wait_connected("home");
}

/// It is then used over D-Bus, which the group `netdev` may. Without that group, both are refused.
#[test]
fn without_a_right_to_the_control_socket_d_bus_is_used() {
    const DROP_IN: &str = "/etc/systemd/system/wpa_supplicant.service.d/root.conf";
    const COMMAND: &str = "/sbin/wpa_supplicant -u -s -O /run/wpa_supplicant";
    const WITHOUT_GROUP: &str = "/etc/systemd/system/wpsd@.service.d/without-group.conf";
    write(DROP_IN, &format!("[Service]\nGroup=\nExecStart=\nExecStart={COMMAND}\n"));
    run("systemctl daemon-reload");
    let machine = Machine::new();
    let unit = Unit::install(&[], FLAGS);
    unit.start();
    start_pairing();
    assert_eq!(machine.press(), "ok");
    machine.wait_connected("home");
    unit.stop();
    write(WITHOUT_GROUP, "[Service]\nSupplementaryGroups=\n");
    run("systemctl daemon-reload");
    let error = unit.start_error();
    assert!(error.contains("no permission to use /run/wpa_supplicant/wlan1"), "{error}");
    assert!(error.contains("the group root"), "{error}");
    fs::remove_file(WITHOUT_GROUP).expect("a drop-in");
    drop((unit, machine));
    fs::remove_file(DROP_IN).expect("a drop-in");
    run("systemctl daemon-reload");
}

/// NetworkManager hides the profile of another user from the unit, which may not replace it.
#[test]
fn beside_a_private_profile_a_pairing_is_refused_or_ends() {
    const UUID: &str = "00000003-2222-3333-4444-555555555555";
    const USER: &str = "nobody";
    // NetworkManager uses a private profile only in a session of its user, as logind notes it.
    run("mkdir -p /run/systemd/seats /run/systemd/sessions /run/systemd/machines");
    let uid = run(&format!("id -u {USER}"));
    let session = "NAME=nobody\nSTATE=active\nSESSIONS=1\nONLINE_SESSIONS=1\nACTIVE_SESSIONS=1\n";
    write(format!("/run/systemd/users/{}", uid.trim()), session);
    let machine = Machine::new();
    let set_permissions = |permissions: &str| {
        let modify = ["connection", "modify", UUID, "connection.permissions", permissions];
        nmcli(&modify).expect("a profile");
    };
    let unit = Unit::install(&[], FLAGS);
    permit_all_but(&[]);
    unit.start();

    // It becomes private during a pairing: the machine stays in its network.
    start_pairing();
    set_permissions(&format!("user:{USER}"));
    run(&format!("curl -s -S -f -m 10 -X DELETE {HOST}/api/v1/wifi/wps"));
    until(STEP_TIMEOUT, "idle", || status("state").filter(|it| it == "idle"));
    assert_eq!(status("cause").as_deref(), Some("cancelled"), "{}", unit.log());
    machine.wait_connected("old");

    // It is private before: the radio is not touched, and the log says what to do.
    let response = run(&format!("curl -s -S -i -m 10 -X POST {HOST}/api/v1/wifi/wps"));
    assert!(response.starts_with("HTTP/1.1 503"), "{response}");
    until(STEP_TIMEOUT, "a cause", || status("cause").filter(|it| it == "not_permitted"));
    wait_log(&unit, &format!("`sudo nmcli connection modify {UUID} connection.permissions ''`"));
    machine.wait_connected("old");
    set_permissions("");
    start_pairing();
    assert_eq!(machine.press(), "ok");
    machine.wait_connected("home");
    fs::remove_dir_all("/run/systemd/users").expect("a folder");
}

/// The folder of profiles belongs to root alone, and is a file system of its own here.
#[test]
fn the_profile_survives_a_power_cut() {
    let mut disk = None;
    let machine = Machine::with(|| {
        disk = Some(NetworkManager::mount_profiles(Disk::new));
        run("chmod 700 /etc/NetworkManager/system-connections");
    });
    let unit = Unit::install(&[], FLAGS);
    permit_all_but(&[]);
    unit.start();
    start_pairing();
    assert_eq!(machine.press(), "ok");
    drop((unit, machine));
    let disk = disk.expect("a disk");
    disk.cut_power();
    let profiles = NetworkManager::own_profiles();
    assert_eq!(profiles.iter().map(|it| it.ssid()).collect::<Vec<_>>(), [b"home"]);
}
