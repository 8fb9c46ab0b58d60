//! The shipped unit in the radio lab, with systemd as the guest's init: it is enough to pair, and no
//! more; each drop-in adds what its name says. Run by `lab/test`, which puts `wpsd` beside this one.

mod lab;
mod unit;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use lab::{Router, Supplicant, network_manager, radios_idle, run, status, until};
use unit::{DROP_INS, OVERRIDES, STATE, Unit, start, write};
use wps_core::{Record, Settings};

const SHORT: Duration = Duration::from_secs(40);
const HOST: &str = "http://127.0.0.1:8080";
const WPS: &str = "/api/v1/wifi/wps";

#[track_caller]
fn curl(arguments: &str) -> String {
    run(&format!("curl -s -S -f -m 10 {arguments}"))
}

#[track_caller]
fn wait_for(field: &str, value: &str) {
    until(SHORT, &format!("{field} {value}"), || status(field).filter(|it| it == value));
}

#[track_caller]
fn enable(on: bool) {
    let json = format!("-X PUT -H Content-Type:application/json -d {{\"enable\":{on}}}");
    curl(&format!("{json} {HOST}/api/v1/wifi/sta/settings"));
    wait_for("state", "idle");
}

fn record() -> Record {
    let bytes = fs::read(format!("{STATE}/wlan1.record")).expect("a record");
    Record::decode(&bytes).expect("a whole record")
}

/// A machine that is connected to its old network, whose control socket is for the group `netdev`.
fn machine() -> (Router, Supplicant) {
    radios_idle();
    let old = Router::setup(2, "old").channel(11).start();
    let lines = "ctrl_interface_group=netdev\nfreq_list=2412 2437 2462";
    let station = Supplicant::start(1, &format!("{lines}\n{}", old.network_block()));
    station.wait_connected("old", SHORT);
    (old, station)
}

#[test]
fn the_unit_alone_is_enough_to_pair() {
    let (_old, station) = machine();
    let router = Router::setup(0, "home").channel(6).start();
    let unit = Unit::install(&[], "");
    unit.start();
    assert_eq!(unit.show("ActiveState"), "active");
    until(SHORT, "it says how it stands", || {
        (unit.show("StatusText") == "Not paired").then_some(())
    });

    curl(&format!("-X POST {HOST}{WPS}"));
    router.press_button();
    wait_for("result", "ok");
    station.wait_connected("home", SHORT);
    let mode = |path: &str| fs::metadata(path).expect("its state").permissions().mode() & 0o777;
    assert_eq!((mode(STATE), mode(&format!("{STATE}/wlan1.record"))), (0o700, 0o600));
    assert_ne!(fs::metadata(STATE).expect("its state").uid(), 0);

    // It sees addresses and routes, though not the rest of /proc.
    station.set_address([10, 0, 9, 2].into());
    run("ip route add default via 10.0.9.1 dev wlan1");
    let system = curl(&format!("{HOST}/api/v1/system"));
    for told in ["\"10.0.9.2\"", "\"10.0.9.1\""] {
        assert!(system.contains(told), "{told} in {system}");
    }
}

#[test]
fn it_is_begun_anew_after_a_kill_and_stopped_in_order() {
    let (_old, station) = machine();
    let networks = station.networks();
    let unit = Unit::install(&[], "");
    unit.start();
    curl(&format!("-X POST {HOST}{WPS}"));
    wait_for("state", "searching");
    run("systemctl kill --kill-whom=main --signal=KILL wpsd@wlan1");
    wait_for("cause", "interrupted");
    until(SHORT, "active again", || (unit.show("ActiveState") == "active").then_some(()));
    assert_eq!(unit.show("NRestarts"), "1");
    station.wait_connected("old", SHORT);

    curl(&format!("-X POST {HOST}{WPS}"));
    wait_for("state", "searching");
    run("systemctl stop wpsd@wlan1");
    let end = ["ActiveState", "Result", "ExecMainStatus"].map(|it| unit.show(it));
    assert_eq!(end, ["inactive", "success", "0"]);
    assert_eq!(record(), Record::Settled(Settings::Platform));
    assert_eq!(station.networks(), networks);
    station.wait_connected("old", SHORT);
}

/// Whether rfkill has switched the radio off.
fn is_blocked() -> bool {
    let entries = fs::read_dir("/sys/class/net/wlan1/phy80211").expect("a radio").flatten();
    let soft = entries.map(|it| it.path().join("soft")).find(|it| it.exists());
    fs::read_to_string(soft.expect("rfkill")).expect("its block").trim() == "1"
}

#[test]
fn switching_off_takes_its_drop_in_and_without_it_the_log_says_so() {
    let (_old, station) = machine();
    let unit = Unit::install(&[], "");
    unit.start();
    enable(false);
    assert_eq!(status("cause").as_deref(), Some("not_permitted"));
    station.wait_connected("old", SHORT);
    until(SHORT, "a reason", || {
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
fn a_port_of_the_system_takes_its_drop_in() {
    radios_idle();
    let _station = Supplicant::start(1, "ctrl_interface_group=netdev");
    let said = Unit::install(&[], "--listen 127.0.0.1:80").refusal();
    assert!(said.contains("choose a port above 1023, or give wpsd CAP_NET_BIND_SERVICE"), "{said}");
    let unit = Unit::install(&["port-80"], "--listen 127.0.0.1:80");
    unit.start();
    assert!(curl(&format!("http://127.0.0.1{WPS}")).contains("\"idle\""));
}

#[test]
fn a_control_socket_of_another_group_is_said() {
    radios_idle();
    let _station = Supplicant::start(1, "ctrl_interface_group=0");
    let said = Unit::install(&[], "").refusal();
    assert!(said.contains("no permission to use /run/wpa_supplicant/wlan1"), "{said}");
}

#[test]
fn a_radio_of_another_program_is_noticed() {
    radios_idle();
    let _other = network_manager("wlan1");
    let said = Unit::install(&[], "").refusal();
    assert!(said.contains("NetworkManager manages wlan1"), "{said}");
}

/// What a program in wpsd's place tries: a name, and a command that may succeed or not.
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

/// Runs them under a unit, and tells which ones succeeded.
#[track_caller]
fn succeeded(unit: &str) -> Vec<String> {
    start(unit);
    let done = fs::read_to_string(format!("{STATE}/done")).expect("what succeeded");
    fs::remove_dir_all(STATE).expect("its state");
    done.lines().map(str::to_owned).collect()
}

/// udev, with the rules as they are now.
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
    radios_idle();
    let open = |path: &str, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect(path);
    };
    for file in ["/var/open", "/tmp/open", "/run/lab/line"] {
        write(file, "");
        open(file, 0o666);
    }
    open("/root", 0o755);
    open("/sys/module/cfg80211/uevent", 0o222);
    open("/sys/devices/virtual/misc/rfkill/uevent", 0o222);
    run("modprobe evdev");
    until(SHORT, "a key", || Path::new("/dev/input/event0").exists().then_some(()));
    let tries = ATTEMPTS.map(|(name, command)| format!("({command}) && echo '{name}' >>$done\n"));
    write("/usr/lib/attempts", &format!("done={STATE}/done\n{}true\n", tries.concat()));
    let attempts = "Type=oneshot\nExecStart=/bin/sh /usr/lib/attempts\n";

    // Without the unit's restrictions all that needs no permission of its own succeeds.
    drop(Unit::install(&[], ""));
    run_udev();
    run("chgrp input /dev/input/event0");
    open("/dev/input/event0", 0o660);
    run("chgrp gpio /run/lab/line");
    open("/run/lab/line", 0o640);
    let anybody = format!("[Service]\nUser=wpsd\nStateDirectory=wpsd\n{attempts}");
    write("/etc/systemd/system/anybody.service", &anybody);
    run("systemctl daemon-reload");
    assert_eq!(succeeded("anybody"), ATTEMPTS[..13].iter().map(|it| it.0).collect::<Vec<_>>());

    let instead = format!("[Service]\nRestart=no\nWatchdogSec=0\nExecStart=\n{attempts}");
    let with = |drop_ins: &[&str]| {
        write(format!("{OVERRIDES}/attempts.conf"), &instead);
        let _unit = Unit::install(drop_ins, "");
        succeeded("wpsd@wlan1")
    };
    assert_eq!(with(&[]), ["state"]);
    for (name, thing, _) in DROP_INS {
        assert_eq!(with(&[name]), ["state", thing], "{name}");
    }
}
