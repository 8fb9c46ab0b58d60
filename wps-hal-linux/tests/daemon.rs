//! `wpsd` from the outside, in the radio lab: curl, signals and exit codes.
//!
//! `lab/test` runs these tests and puts `wpsd` into the same directory.

mod lab;
mod wpsd;

use std::fs::{self, File};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use lab::{PulledRadio, Router, Supplicant, reset_radios, run, until};
use wps_core::{Record, Settings};
use wpsd::{Daemon, STATE_DIR, STEP_TIMEOUT, WPS, curl, host, record, status, wait_for, wpsd};

const JSON: &str = "-H Content-Type:application/json";
const STATION_SETTINGS: &str = "http://127.0.0.1:8080/api/v1/wifi/sta/settings";

#[test]
fn curl_pairs_with_a_real_router() {
    let host = host();
    let router = Router::setup(0, "home").channel(6).start();
    let _daemon = Daemon::start();
    assert!(curl("http://127.0.0.1:8080/").starts_with("HTTP/1.1 200"));

    let mark = host.station.events().mark();
    let response = curl(&format!("-X POST {WPS}"));
    let responded = Instant::now();
    assert!(response.starts_with("HTTP/1.1 204 No Content"), "{response}");
    assert!(!response.to_ascii_lowercase().contains("content-length"), "{response}");
    // The journal was saved before the response, and the radio left its network after it.
    assert!(matches!(record(), Some(Record::Pairing { before: Settings::Platform, .. })));
    router.press_button();
    wait_for("result", "ok");
    let (left, _) = host.station.events().wait(mark, "CTRL-EVENT-DISCONNECTED", STEP_TIMEOUT);
    assert!(left > responded, "the radio left {:?} before the response", responded - left);
    host.station.wait_connected("home", STEP_TIMEOUT);
    assert!(matches!(record(), Some(Record::Settled(Settings::Station { .. }))));
    let system = curl("http://127.0.0.1:8080/api/v1/system");
    for expected in ["\"ssid\":\"home\"", "\"mode\":\"STA\"", "\"status\":\"OK\"", "\"wps\":false"]
    {
        assert!(system.contains(expected), "{expected} in {system}");
    }
    assert!(!system.contains("correct horse"));
}

#[test]
fn killed_during_a_pairing_and_started_again() {
    for moment in ["CTRL-EVENT-SCAN-RESULTS", "CTRL-EVENT-EAP-METHOD", "Associated with"] {
        let host = host();
        let router = Router::setup(0, "home").channel(6).start();
        let daemon = Daemon::start();
        if moment != "CTRL-EVENT-SCAN-RESULTS" {
            router.press_button();
        }
        let mark = host.station.events().mark();
        curl(&format!("-X POST {WPS}"));
        host.station.events().wait(mark, moment, STEP_TIMEOUT);
        daemon.kill();
        assert!(matches!(record(), Some(Record::Pairing { .. })), "{moment}");
        let _daemon = Daemon::start();
        assert_eq!(status("cause").as_deref(), Some("interrupted"), "{moment}");
        host.assert_unchanged();
        drop(router);
    }
}

#[test]
fn sigterm_during_a_pairing_restores_everything_before_the_exit() {
    let host = host();
    let daemon = Daemon::start();
    let mark = host.station.events().mark();
    curl(&format!("-X POST {WPS}"));
    host.station.events().wait(mark, "CTRL-EVENT-SCAN-RESULTS", STEP_TIMEOUT);
    assert_eq!(daemon.terminate(), Some(0));
    assert_eq!(record(), Some(Record::Settled(Settings::Platform)));
    host.assert_unchanged();
}

#[test]
fn delete_cancels_the_pairing() {
    let host = host();
    let _daemon = Daemon::start();
    curl(&format!("-X POST {WPS}"));
    wait_for("state", "searching");
    assert!(curl(&format!("-X DELETE {WPS}")).starts_with("HTTP/1.1 204"));
    wait_for("cause", "cancelled");
    host.assert_unchanged();
}

#[test]
fn a_router_without_wps_is_set_by_hand_and_a_wrong_key_is_rolled_back() {
    let host = host();
    let _router = Router::setup(0, "home").channel(6).wps(false).start();
    let _daemon = Daemon::start();
    let set = |name: &str, key: &str| {
        let body = format!(r#"{{"enable":true,"name":"{name}","password":"{key}"}}"#);
        let body = body.replace(' ', "\\u0020");
        let response = curl(&format!("-X POST {JSON} -d {body} {STATION_SETTINGS}"));
        assert!(response.starts_with("HTTP/1.1 204"), "{response}");
    };
    set("home", "not the key");
    wait_for("state", "configuring");
    wait_for("state", "idle");
    assert_eq!(status("cause").as_deref(), Some("wrong_key"));
    host.assert_unchanged();
    assert_eq!(record(), Some(Record::Settled(Settings::Platform)));

    set("home", "correct horse");
    wait_for("result", "ok");
    host.station.wait_connected("home", STEP_TIMEOUT);
    assert!(matches!(record(), Some(Record::Settled(Settings::Station { .. }))));
    let settings = curl(STATION_SETTINGS);
    assert!(settings.contains(r#""enable":true,"name":"home""#), "{settings}");
    assert!(!settings.contains("correct"), "{settings}");

    // Off, and on again with the remembered network.
    let put = |body: &str| curl(&format!("-X PUT {JSON} -d {body} {STATION_SETTINGS}"));
    assert!(put(r#"{"enable":false}"#).starts_with("HTTP/1.1 204"));
    let off = || (host.station.status().get("wpa_state")? == "INTERFACE_DISABLED").then_some(());
    until(STEP_TIMEOUT, "Wi-Fi off", off);
    wait_for("state", "idle");
    assert!(put(r#"{"enable":true}"#).starts_with("HTTP/1.1 204"));
    host.station.wait_connected("home", STEP_TIMEOUT);
    wait_for("state", "idle");
    assert!(curl(&format!("-X DELETE {STATION_SETTINGS}")).starts_with("HTTP/1.1 204"));
    until(STEP_TIMEOUT, "Wi-Fi off", off);
    wait_for("state", "idle");
    assert_eq!(record(), Some(Record::Settled(Settings::Off { remembered: None })));
}

#[test]
fn a_new_device_is_an_access_point_and_pairs_from_there() {
    let host = host();
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
    for expected in ["\"ssid\":\"hotspot\"", "\"mode\":\"AP\"", "\"channel\":1,"] {
        assert!(system.contains(expected), "{expected} in {system}");
    }
    curl(&format!("-X POST {WPS}"));
    wait_for("state", "searching");
    assert!(curl(&format!("-X DELETE {WPS}")).starts_with("HTTP/1.1 204"));
    wait_for("state", "idle");
    let off = || (host.station.status().get("wpa_state")? == "INTERFACE_DISABLED").then_some(());
    until(STEP_TIMEOUT, "Wi-Fi off, as the specification demands", off);
    curl(&format!("-X POST {WPS}"));
    router.press_button();
    wait_for("result", "ok");
    host.station.wait_connected("home", STEP_TIMEOUT);
}

/// The group that owns wpa_supplicant's control socket in Debian.
const NETDEV: u32 = 102;
const UNPRIVILEGED_USER: u32 = 65534;

#[test]
fn a_user_in_the_groups_of_the_socket_and_rfkill_is_enough() {
    reset_radios();
    let old = Router::setup(2, "old").channel(11).start();
    let router = Router::setup(0, "home").channel(6).start();
    let config =
        format!("ctrl_interface_group={NETDEV}\nfreq_list=2412 2437 2462\n{}", old.network_block());
    let station = Supplicant::start(1, &config);
    station.wait_connected("old", STEP_TIMEOUT);
    fs::create_dir(STATE_DIR).expect("a new state directory");
    std::os::unix::fs::chown(STATE_DIR, Some(UNPRIVILEGED_USER), Some(NETDEV))
        .expect("a new owner");
    fs::set_permissions(STATE_DIR, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .expect("0700");
    let mut command = wpsd("--interface wlan1");
    let _daemon = Daemon::spawn(command.uid(UNPRIVILEGED_USER).gid(NETDEV));

    curl(&format!("-X POST {WPS}"));
    router.press_button();
    wait_for("result", "ok");
    station.wait_connected("home", STEP_TIMEOUT);

    let enable = |on| {
        let body = format!(r#"{{"enable":{on}}}"#);
        assert!(
            curl(&format!("-X PUT {JSON} -d {body} {STATION_SETTINGS}"))
                .starts_with("HTTP/1.1 204")
        );
        wait_for("state", "idle");
    };
    run("chmod 600 /dev/rfkill");
    enable(false);
    assert_eq!(status("cause").as_deref(), Some("not_permitted"), "the user may not switch it off");
    station.wait_connected("home", STEP_TIMEOUT);

    run(&format!("chgrp {NETDEV} /dev/rfkill"));
    run("chmod 660 /dev/rfkill");
    enable(false);
    assert_eq!(station.status().get("wpa_state").map(String::as_str), Some("INTERFACE_DISABLED"));
    enable(true);
    station.wait_connected("home", STEP_TIMEOUT);
}

/// Runs `wpsd` with these flags, expects exit code 1 and one sentence, and returns the sentence.
#[track_caller]
fn start_error(flags: &str) -> String {
    let Output { status, stderr, stdout } = wpsd(flags).output().expect("wpsd starts");
    let text = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(1), "{flags}: {text}");
    assert!(stdout.is_empty());
    let error = text.lines().last().unwrap_or_default().to_owned();
    assert!(error.starts_with("wpsd: "), "one sentence: {text}");
    error
}

#[test]
fn start_errors_are_one_sentence() {
    let host = host();
    let missing = start_error("--interface wlan77");
    assert!(missing.contains("there is no network interface wlan77"), "{missing}");

    let several = start_error("");
    assert!(several.contains("several Wi-Fi interfaces: give one of"), "{several}");
    assert!(several.contains("wlan1"), "{several}");

    let elsewhere = start_error("--interface wlan1 --control-dir /nowhere");
    assert!(elsewhere.contains("start it with a control socket"), "{elsewhere}");

    let daemon = Daemon::start();
    let second = start_error("--interface wlan1 --listen 127.0.0.1:8081");
    assert!(second.contains("another program already manages wlan1"), "{second}");
    drop(daemon);

    let listener = std::net::TcpListener::bind("127.0.0.1:8080").expect("a free port");
    let port = start_error("--interface wlan1");
    assert!(port.contains("another program listens there"), "{port}");
    drop(listener);

    let unreadable: PathBuf = [STATE_DIR, "wlan1.record"].iter().collect();
    fs::create_dir(&unreadable).expect("a directory in the record's place");
    let state = start_error("--interface wlan1");
    assert!(state.contains("cannot read /run/lab/wpsd/wlan1.record"), "{state}");
    fs::remove_dir(&unreadable).expect("the directory");

    host.assert_unchanged();
    assert_eq!(record(), None);
}

#[test]
fn the_only_wifi_interface_needs_no_flag() {
    reset_radios();
    let station = Supplicant::start(1, "freq_list=2412 2437 2462");
    // The router's radio is in another network namespace.
    let router = Router::setup(0, "home").channel(6).address([10, 9, 0, 1].into()).start();
    for interface in wps_hal_linux::wifi_interfaces().expect("a list") {
        if interface != "wlan1" {
            run(&format!("iw dev {interface} del"));
        }
    }
    let daemon = Daemon::spawn(&mut wpsd(""));
    curl(&format!("-X POST {WPS}"));
    router.press_button();
    wait_for("result", "ok");
    station.wait_connected("home", STEP_TIMEOUT);
    assert!(matches!(record(), Some(Record::Settled(Settings::Station { .. }))));
    assert_eq!(daemon.terminate(), Some(0));

    station.stop();
    run("iw dev wlan1 del");
    let none = start_error("");
    assert!(none.contains("has no Wi-Fi interface: plug the radio in"), "{none}");
}

/// A bus that hangs must not stop the daemon, which needs none.
#[test]
fn a_system_bus_that_never_answers_is_reported_and_gone_around() {
    let host = host();
    let router = Router::setup(0, "home").channel(6).start();
    let path = "/run/lab/silent-bus";
    let bus = UnixListener::bind(path).expect("a socket");
    let log = File::create("/run/lab/wpsd.log").expect("a file");
    let mut command = wpsd("--interface wlan1");
    command.env("DBUS_SYSTEM_BUS_ADDRESS", format!("unix:path={path}")).stderr(log);
    let daemon = Daemon::spawn(&mut command);
    let text = fs::read_to_string("/run/lab/wpsd.log").expect("a log");
    assert!(text.contains("does not say which program manages wlan1"), "{text}");
    assert!(text.contains("pairing wlan1 through wpa_supplicant"), "{text}");
    curl(&format!("-X POST {WPS}"));
    router.press_button();
    wait_for("result", "ok");
    host.station.wait_connected("home", STEP_TIMEOUT);
    drop((daemon, bus));
}

/// The simulated daemon uses sockets for HTTP only, although there are radios.
#[test]
fn a_demo_opens_no_radio() {
    let host = host();
    let program = std::env::current_exe().expect("this program").with_file_name("wpsd");
    let mut command = Command::new(program);
    command.args(["demo", "--listen", "127.0.0.1:8080"]).stdin(Stdio::null());
    let daemon = Daemon::spawn(&mut command);
    curl(&format!("-X POST {WPS}"));
    wait_for("seen", "not_pressed");
    assert_opens_no_radio(daemon.id());
    curl("-X POST http://127.0.0.1:8080/api/v1/sim/press");
    wait_for("result", "ok");
    assert_opens_no_radio(daemon.id());
    drop(daemon);
    host.assert_unchanged();
}

/// Asserts that all files of the process are pipes, events, and sockets of TCP, or of tokio's
/// signals, which have no address.
#[track_caller]
fn assert_opens_no_radio(process: u32) {
    let read =
        |name: &str| fs::read_to_string(format!("/proc/{process}/net/{name}")).unwrap_or_default();
    let mut sockets = 0;
    for entry in fs::read_dir(format!("/proc/{process}/fd")).expect("files") {
        let path = entry.expect("a file").path();
        let Ok(link) = fs::read_link(&path) else { continue };
        let (tcp, unix) = (read("tcp"), read("unix"));
        if fs::read_link(&path).ok().as_ref() != Some(&link) {
            continue; // a connection that has ended
        }
        let target = link.to_string_lossy().into_owned();
        match target.strip_prefix("socket:[").and_then(|it| it.strip_suffix(']')) {
            Some(inode) => {
                sockets += 1;
                let is_tcp = tcp.split_whitespace().any(|word| word == inode);
                let is_unnamed =
                    unix.lines().any(|line| line.trim_end().ends_with(&format!(" {inode}")));
                assert!(is_tcp || is_unnamed, "{target} in\n{tcp}{unix}");
            }
            None => {
                let is_harmless =
                    ["pipe:", "anon_inode:", "/dev/null", "/dev/console", "/dev/ttyS", "/out"];
                assert!(is_harmless.iter().any(|it| target.starts_with(it)), "{target}");
            }
        }
    }
    assert!(sockets > 0, "at least the listener");
}

#[test]
fn a_stick_that_is_pulled_and_plugged_in_again() {
    let host = host();
    let router = Router::setup(0, "home").channel(6).start();
    let _daemon = Daemon::start();
    let pair = || {
        assert!(curl(&format!("-X POST {WPS}")).starts_with("HTTP/1.1 204"));
        wait_for("seen", "not_pressed");
    };
    pair();
    router.press_button();
    wait_for("result", "ok");
    host.station.wait_connected("home", STEP_TIMEOUT);

    // While idle.
    let stick = PulledRadio::pull("wlan1");
    host.station.stop(); // a unit that is bound to the interface ends
    let response = curl(&format!("-X POST {WPS}"));
    assert!(response.starts_with("HTTP/1.1 503"), "{response}");
    stick.plug_in();
    host.station.restart();
    host.station.wait_connected("home", STEP_TIMEOUT);

    // During a search.
    pair();
    let stick = PulledRadio::pull("wlan1");
    host.station.stop();
    wait_for("result", "failed");
    stick.plug_in();
    host.station.restart();
    host.station.wait_connected("home", STEP_TIMEOUT);
    wait_for("state", "idle");
    assert!(matches!(record(), Some(Record::Settled(Settings::Station { .. }))));
    pair();
    router.press_button();
    wait_for("result", "ok");
}
