//! The shipped systemd unit in the radio lab, with systemd as the guest's init.
//!
//! The unit allows what pairing needs, and nothing else. Each drop-in adds what its name says.
//! `lab/test` runs these tests and puts `wpsd` into the same directory.

mod lab;
mod systemd_unit;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use lab::{Router, Supplicant, network_manager, reset_radios, run, status, until};
use systemd_unit::{DROP_IN_DIR, DROP_INS, STATE_DIR, Unit, start, write};
use wps_core::{Record, Settings};

/// How long one step of a test may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(40);
const HOST: &str = "http://127.0.0.1:8080";
const WPS: &str = "/api/v1/wifi/wps";

#[track_caller]
fn curl(arguments: &str) -> String {
    run(&format!("curl -s -S -f -m 10 {arguments}"))
}

#[track_caller]
fn wait_for(field: &str, value: &str) {
    until(STEP_TIMEOUT, &format!("{field} {value}"), || status(field).filter(|it| it == value));
}

/// Switches Wi-Fi on or off, and waits until the daemon is idle.
#[track_caller]
fn enable(on: bool) {
    let json = format!("-X PUT -H Content-Type:application/json -d {{\"enable\":{on}}}");
    curl(&format!("{json} {HOST}/api/v1/wifi/sta/settings"));
    wait_for("state", "idle");
}

fn record() -> Record {
    let bytes = fs::read(format!("{STATE_DIR}/wlan1.record")).expect("a record");
    Record::decode(&bytes).expect("a whole record")
}

/// Connects the host to its old network. The control socket belongs to the group `netdev`.
fn connected_host() -> (Router, Supplicant) {
    reset_radios();
    let old = Router::setup(2, "old").channel(11).start();
    let lines = "ctrl_interface_group=netdev\nfreq_list=2412 2437 2462";
    let station = Supplicant::start(1, &format!("{lines}\n{}", old.network_block()));
    station.wait_connected("old", STEP_TIMEOUT);
    (old, station)
}

#[test]
fn the_unit_alone_is_enough_to_pair() {
    let (_old, station) = connected_host();
    let router = Router::setup(0, "home").channel(6).start();
    let unit = Unit::install(&[], "");
    unit.start();
    assert_eq!(unit.show("ActiveState"), "active");
    until(STEP_TIMEOUT, "the daemon's status text", || {
        (unit.show("StatusText") == "Not paired").then_some(())
    });

    curl(&format!("-X POST {HOST}{WPS}"));
    router.press_button();
    wait_for("result", "ok");
    station.wait_connected("home", STEP_TIMEOUT);
    let mode = |path: &str| fs::metadata(path).expect("the state").permissions().mode() & 0o777;
    assert_eq!((mode(STATE_DIR), mode(&format!("{STATE_DIR}/wlan1.record"))), (0o700, 0o600));
    assert_ne!(fs::metadata(STATE_DIR).expect("the state").uid(), 0);

    // The daemon sees addresses and routes, although it does not see the rest of /proc.
    station.set_address([10, 0, 9, 2].into());
    run("ip route add default via 10.0.9.1 dev wlan1");
    let system = curl(&format!("{HOST}/api/v1/system"));
    for expected in ["\"10.0.9.2\"", "\"10.0.9.1\""] {
        assert!(system.contains(expected), "{expected} in {system}");
    }
}

#[test]
fn it_is_restarted_after_a_kill_and_stops_cleanly() {
    let (_old, station) = connected_host();
    let networks = station.networks();
    let unit = Unit::install(&[], "");
    unit.start();
    curl(&format!("-X POST {HOST}{WPS}"));
    wait_for("state", "searching");
    run("systemctl kill --kill-whom=main --signal=KILL wpsd@wlan1");
    wait_for("cause", "interrupted");
    until(STEP_TIMEOUT, "active again", || (unit.show("ActiveState") == "active").then_some(()));
    assert_eq!(unit.show("NRestarts"), "1");
    station.wait_connected("old", STEP_TIMEOUT);

    curl(&format!("-X POST {HOST}{WPS}"));
    wait_for("state", "searching");
    run("systemctl stop wpsd@wlan1");
    let end = ["ActiveState", "Result", "ExecMainStatus"].map(|it| unit.show(it));
    assert_eq!(end, ["inactive", "success", "0"]);
    assert_eq!(record(), Record::Settled(Settings::Platform));
    assert_eq!(station.networks(), networks);
    station.wait_connected("old", STEP_TIMEOUT);
}

/// Returns whether rfkill has switched the radio off.
fn is_blocked() -> bool {
    let entries = fs::read_dir("/sys/class/net/wlan1/phy80211").expect("a radio").flatten();
    let soft = entries.map(|it| it.path().join("soft")).find(|it| it.exists());
    fs::read_to_string(soft.expect("rfkill")).expect("its state").trim() == "1"
}

#[test]
fn switching_off_needs_its_drop_in_and_the_log_says_so_without_it() {
    let (_old, station) = connected_host();
    let unit = Unit::install(&[], "");
    unit.start();
    enable(false);
    assert_eq!(status("cause").as_deref(), Some("not_permitted"));
    station.wait_connected("old", STEP_TIMEOUT);
    until(STEP_TIMEOUT, "an error in the log", || {
        unit.log().contains("no permission to switch the radio of wlan1").then_some(())
    });
    drop(unit);

    for drop_in in ["off", "off-by-link"] {
        run_udev();
        let unit = Unit::install(&[drop_in], "");
        unit.start();
        enable(false);
        let state = station.status().remove("wpa_state");
        assert_eq!(state.as_deref(), Some("INTERFACE_DISABLED"), "{drop_in}");
        assert_eq!(is_blocked(), drop_in == "off", "{drop_in}");
        enable(true);
        let state = station.status().remove("wpa_state");
        assert_ne!(state.as_deref(), Some("INTERFACE_DISABLED"), "{drop_in}");
        drop(unit);
    }
}

#[test]
fn a_privileged_port_needs_its_drop_in() {
    reset_radios();
    let _station = Supplicant::start(1, "ctrl_interface_group=netdev");
    let error = Unit::install(&[], "--listen 127.0.0.1:80").start_error();
    assert!(
        error.contains("choose a port above 1023, or give wpsd CAP_NET_BIND_SERVICE"),
        "{error}"
    );
    let unit = Unit::install(&["port-80"], "--listen 127.0.0.1:80");
    unit.start();
    assert!(curl(&format!("http://127.0.0.1{WPS}")).contains("\"idle\""));
}

#[test]
fn a_control_socket_of_another_group_is_reported() {
    reset_radios();
    let _station = Supplicant::start(1, "ctrl_interface_group=0");
    let error = Unit::install(&[], "").start_error();
    assert!(error.contains("no permission to use /run/wpa_supplicant/wlan1"), "{error}");
}

#[test]
fn a_radio_managed_by_networkmanager_is_reported() {
    reset_radios();
    let _other = network_manager("wlan1");
    let error = Unit::install(&[], "--manager wpa-supplicant").start_error();
    assert!(error.contains("NetworkManager manages wlan1"), "{error}");
}

/// What a program in place of wpsd tries: a name and a command, which may fail.
const ATTEMPTS: [(&str, &str); 18] = [
    ("state", ": >/var/lib/wpsd/file"),
    ("owner", "chown wpsd /var/lib/wpsd/file"),
    ("set-uid", "chmod u+s /var/lib/wpsd/file"),
    ("files", ": >>/var/open"),
    ("home", "ls /root"),
    ("temporary files", "cat /tmp/open"),
    ("processes", "ls /proc/1"),
    ("the machine", "cat /proc/version"),
    ("kernel", "echo change >/sys/module/cfg80211/uevent"),
    ("namespace", "unshare -U true"),
    ("priority", "ionice -c 3 true"),
    ("personality", "linux32 true"),
    ("led", "echo change >/sys/devices/virtual/misc/rfkill/uevent"),
    ("rfkill", ": >/dev/rfkill"),
    ("link", "ip link set wlan5 mtu 1400"),
    ("port", "httpd -p 127.0.0.1:80 -h /var/lib/wpsd"),
    ("key", ": </dev/input/event0"),
    ("line", "cat /run/lab/line"),
];

/// Runs [`ATTEMPTS`] in a unit and returns the names of those that succeeded.
#[track_caller]
fn succeeded(unit: &str) -> Vec<String> {
    start(unit);
    let done = fs::read_to_string(format!("{STATE_DIR}/done")).expect("the list of successes");
    fs::remove_dir_all(STATE_DIR).expect("the state");
    done.lines().map(str::to_owned).collect()
}

/// Starts udev if necessary, and applies the current rules.
fn run_udev() {
    if !Path::new("/run/udev/control").exists() {
        fs::create_dir_all("/run/udev").expect("a folder");
        run("/lib/systemd/systemd-udevd --daemon");
    }
    run("udevadm control --reload");
    run("udevadm trigger -c add -s misc");
    run("udevadm settle -t 10");
}

#[test]
fn it_may_do_nothing_else_and_each_drop_in_adds_one_thing() {
    reset_radios();
    let set_mode = |path: &str, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect(path);
    };
    for file in ["/var/open", "/tmp/open", "/run/lab/line"] {
        write(file, "");
        set_mode(file, 0o666);
    }
    set_mode("/root", 0o755);
    set_mode("/sys/module/cfg80211/uevent", 0o222);
    set_mode("/sys/devices/virtual/misc/rfkill/uevent", 0o222);
    run("modprobe evdev");
    until(STEP_TIMEOUT, "a key", || Path::new("/dev/input/event0").exists().then_some(()));
    let tries = ATTEMPTS.map(|(name, command)| format!("({command}) && echo '{name}' >>$done\n"));
    write("/usr/lib/attempts", &format!("done={STATE_DIR}/done\n{}true\n", tries.concat()));
    let attempts = "Type=oneshot\nExecStart=/bin/sh /usr/lib/attempts\n";

    // Without the unit's restrictions, every attempt that needs no special permission succeeds.
    drop(Unit::install(&[], ""));
    run_udev();
    run("chgrp input /dev/input/event0");
    set_mode("/dev/input/event0", 0o660);
    run("chgrp gpio /run/lab/line");
    set_mode("/run/lab/line", 0o640);
    let unrestricted = format!("[Service]\nUser=wpsd\nStateDirectory=wpsd\n{attempts}");
    write("/etc/systemd/system/unrestricted.service", &unrestricted);
    run("systemctl daemon-reload");
    assert_eq!(succeeded("unrestricted"), ATTEMPTS[..13].iter().map(|it| it.0).collect::<Vec<_>>());

    let attempts_only = format!("[Service]\nRestart=no\nWatchdogSec=0\nExecStart=\n{attempts}");
    let with = |drop_ins: &[&str]| {
        write(format!("{DROP_IN_DIR}/attempts.conf"), &attempts_only);
        let _unit = Unit::install(drop_ins, "");
        succeeded("wpsd@wlan1")
    };
    assert_eq!(with(&[]), ["state"]);
    for (name, thing, _) in DROP_INS {
        assert_eq!(with(&[name]), ["state", thing], "{name}");
    }
}
