//! `wpsd` itself in the radio lab, from outside: curl, signals, exit codes. Run by `lab/test`, which
//! puts the program beside this one.

mod lab;
mod wpsd;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Output;
use std::time::Instant;

use lab::{Router, Supplicant, radios_idle, run, until};
use wps_core::{Record, Settings};
use wpsd::{Daemon, SHORT, STATE, WPS, curl, machine, record, status, wait_for, wpsd};

const JSON: &str = "-H Content-Type:application/json";
const BY_HAND: &str = "http://127.0.0.1:8080/api/v1/wifi/sta/settings";

#[test]
fn curl_pairs_with_a_real_router() {
    let machine = machine();
    let router = Router::setup(0, "home").channel(6).start();
    let _daemon = Daemon::start();
    assert!(curl("http://127.0.0.1:8080/").starts_with("HTTP/1.1 200"));

    let mark = machine.station.events().mark();
    let answer = curl(&format!("-X POST {WPS}"));
    let answered = Instant::now();
    assert!(answer.starts_with("HTTP/1.1 204 No Content"), "{answer}");
    assert!(!answer.to_ascii_lowercase().contains("content-length"), "{answer}");
    // The journal was saved before the answer, and the radio left its network after it.
    assert!(matches!(record(), Some(Record::Pairing { before: Settings::Platform, .. })));
    router.press_button();
    wait_for("result", "ok");
    let (left, _) = machine.station.events().wait(mark, "CTRL-EVENT-DISCONNECTED", SHORT);
    assert!(left > answered, "the radio left {:?} before the answer", answered - left);
    machine.station.wait_connected("home", SHORT);
    assert!(matches!(record(), Some(Record::Settled(Settings::Station { .. }))));
    let system = curl("http://127.0.0.1:8080/api/v1/system");
    for told in ["\"ssid\":\"home\"", "\"mode\":\"STA\"", "\"status\":\"OK\"", "\"wps\":false"] {
        assert!(system.contains(told), "{told} in {system}");
    }
    assert!(!system.contains("correct horse"));
}

#[test]
fn killed_in_the_middle_and_started_again() {
    for moment in ["CTRL-EVENT-SCAN-RESULTS", "CTRL-EVENT-EAP-METHOD", "Associated with"] {
        let machine = machine();
        let router = Router::setup(0, "home").channel(6).start();
        let daemon = Daemon::start();
        if moment != "CTRL-EVENT-SCAN-RESULTS" {
            router.press_button();
        }
        let mark = machine.station.events().mark();
        curl(&format!("-X POST {WPS}"));
        machine.station.events().wait(mark, moment, SHORT);
        daemon.kill();
        assert!(matches!(record(), Some(Record::Pairing { .. })), "{moment}");
        let _daemon = Daemon::start();
        assert_eq!(status("cause").as_deref(), Some("interrupted"), "{moment}");
        machine.assert_as_it_was();
        drop(router);
    }
}

#[test]
fn terminated_in_the_middle_it_puts_everything_back_first() {
    let machine = machine();
    let daemon = Daemon::start();
    let mark = machine.station.events().mark();
    curl(&format!("-X POST {WPS}"));
    machine.station.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", SHORT);
    assert_eq!(daemon.terminate(), Some(0));
    assert_eq!(record(), Some(Record::Settled(Settings::Platform)));
    machine.assert_as_it_was();
}

#[test]
fn a_deleted_pairing_is_cancelled() {
    let machine = machine();
    let _daemon = Daemon::start();
    curl(&format!("-X POST {WPS}"));
    wait_for("state", "searching");
    assert!(curl(&format!("-X DELETE {WPS}")).starts_with("HTTP/1.1 204"));
    wait_for("cause", "cancelled");
    machine.assert_as_it_was();
}

#[test]
fn a_router_without_wps_is_set_by_hand_and_a_wrong_key_is_rolled_back() {
    let machine = machine();
    let _router = Router::setup(0, "home").channel(6).wps(false).start();
    let _daemon = Daemon::start();
    let set = |name: &str, key: &str| {
        let body = format!(r#"{{"enable":true,"name":"{name}","password":"{key}"}}"#);
        let answer = curl(&format!("-X POST {JSON} -d {} {BY_HAND}", body.replace(' ', "\\u0020")));
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    };
    set("home", "not the key");
    wait_for("state", "configuring");
    wait_for("state", "idle");
    assert_eq!(status("cause").as_deref(), Some("wrong_key"));
    machine.assert_as_it_was();
    assert_eq!(record(), Some(Record::Settled(Settings::Platform)));

    set("home", "correct horse");
    wait_for("result", "ok");
    machine.station.wait_connected("home", SHORT);
    assert!(matches!(record(), Some(Record::Settled(Settings::Station { .. }))));
    let told = curl(BY_HAND);
    assert!(told.contains(r#""enable":true,"name":"home""#), "{told}");
    assert!(!told.contains("correct"), "{told}");

    // Off, and on again with what is remembered.
    let put = |body: &str| curl(&format!("-X PUT {JSON} -d {body} {BY_HAND}"));
    assert!(put(r#"{"enable":false}"#).starts_with("HTTP/1.1 204"));
    let off = || (machine.station.status().get("wpa_state")? == "INTERFACE_DISABLED").then_some(());
    until(SHORT, "Wi-Fi off", off);
    wait_for("state", "idle");
    assert!(put(r#"{"enable":true}"#).starts_with("HTTP/1.1 204"));
    machine.station.wait_connected("home", SHORT);
    wait_for("state", "idle");
    assert!(curl(&format!("-X DELETE {BY_HAND}")).starts_with("HTTP/1.1 204"));
    until(SHORT, "Wi-Fi off", off);
    wait_for("state", "idle");
    assert_eq!(record(), Some(Record::Settled(Settings::Off { remembered: None })));
}

#[test]
fn a_new_device_is_an_access_point_and_pairs_from_there() {
    let machine = machine();
    let router = Router::setup(0, "home").channel(6).start();
    let key = std::env::temp_dir().join("key");
    fs::write(&key, "hotspot key\n").expect("a key file");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&key, private).expect("a private file");
    let _daemon = Daemon::start_with(&format!(
        "--blank access-point --access-point-name hotspot --access-point-channel 1 \
         --access-point-key-file {}",
        key.display()
    ));
    let system = curl("http://127.0.0.1:8080/api/v1/system");
    for told in ["\"ssid\":\"hotspot\"", "\"mode\":\"AP\"", "\"channel\":1,"] {
        assert!(system.contains(told), "{told} in {system}");
    }
    curl(&format!("-X POST {WPS}"));
    wait_for("state", "searching");
    assert!(curl(&format!("-X DELETE {WPS}")).starts_with("HTTP/1.1 204"));
    wait_for("state", "idle");
    let off = || (machine.station.status().get("wpa_state")? == "INTERFACE_DISABLED").then_some(());
    until(SHORT, "the specification's rule: Wi-Fi off", off);
    curl(&format!("-X POST {WPS}"));
    router.press_button();
    wait_for("result", "ok");
    machine.station.wait_connected("home", SHORT);
}

/// The group of Debian that wpa_supplicant's control socket belongs to there.
const NETDEV: u32 = 102;
const NOBODY: u32 = 65534;

#[test]
fn a_user_in_the_groups_of_socket_and_rfkill_is_enough() {
    radios_idle();
    let old = Router::setup(2, "old").channel(11).start();
    let router = Router::setup(0, "home").channel(6).start();
    let config =
        format!("ctrl_interface_group={NETDEV}\nfreq_list=2412 2437 2462\n{}", old.network_block());
    let station = Supplicant::start(1, &config);
    station.wait_connected("old", SHORT);
    fs::create_dir(STATE).expect("a new state directory");
    std::os::unix::fs::chown(STATE, Some(NOBODY), Some(NETDEV)).expect("its own");
    fs::set_permissions(STATE, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("0700");
    let mut command = wpsd("--interface wlan1");
    let _daemon = Daemon::begin(command.uid(NOBODY).gid(NETDEV));

    curl(&format!("-X POST {WPS}"));
    router.press_button();
    wait_for("result", "ok");
    station.wait_connected("home", SHORT);

    let enable = |on| {
        let body = format!(r#"{{"enable":{on}}}"#);
        assert!(curl(&format!("-X PUT {JSON} -d {body} {BY_HAND}")).starts_with("HTTP/1.1 204"));
        wait_for("state", "idle");
    };
    run("chmod 600 /dev/rfkill");
    enable(false);
    assert_eq!(status("cause").as_deref(), Some("not_permitted"), "nobody may switch it off");
    station.wait_connected("home", SHORT);

    run(&format!("chgrp {NETDEV} /dev/rfkill"));
    run("chmod 660 /dev/rfkill");
    enable(false);
    assert_eq!(station.status().get("wpa_state").map(String::as_str), Some("INTERFACE_DISABLED"));
    enable(true);
    station.wait_connected("home", SHORT);
}

/// What it says, with exit code 1 and nothing changed.
#[track_caller]
fn refusal(flags: &str) -> String {
    let Output { status, stderr, stdout } = wpsd(flags).output().expect("wpsd starts");
    let text = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(1), "{flags}: {text}");
    assert!(stdout.is_empty());
    let said = text.lines().last().unwrap_or_default().to_owned();
    assert!(said.starts_with("wpsd: "), "one sentence: {text}");
    said
}

#[test]
fn what_is_wrong_is_said_in_one_sentence() {
    let machine = machine();
    let missing = refusal("--interface wlan77");
    assert!(missing.contains("there is no network interface wlan77"), "{missing}");

    let elsewhere = refusal("--interface wlan1 --control-dir /nowhere");
    assert!(elsewhere.contains("start it with a control socket"), "{elsewhere}");

    let daemon = Daemon::start();
    let second = refusal("--interface wlan1 --listen 127.0.0.1:8081");
    assert!(second.contains("another program already looks after wlan1"), "{second}");
    drop(daemon);

    let _taken = std::net::TcpListener::bind("127.0.0.1:8080").expect("a free port");
    let port = refusal("--interface wlan1");
    assert!(port.contains("another program listens there"), "{port}");
    drop(_taken);

    let unreadable: PathBuf = [STATE, "wlan1.record"].iter().collect();
    fs::create_dir(&unreadable).expect("a directory in the record's place");
    let state = refusal("--interface wlan1");
    assert!(state.contains("cannot read /run/lab/wpsd/wlan1.record"), "{state}");
    fs::remove_dir(&unreadable).expect("the directory");

    machine.assert_as_it_was();
    assert_eq!(record(), None);
}
