//! Who manages an interface, in the radio lab: with real NetworkManager, iwd, ConnMan and
//! wpa_supplicant.

mod lab;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lab::{NetworkManager, Supplicant, reset_radios, run, system_bus, until};
use wps_core::{DriverError, ErrorKind};
use wps_hal_linux::{
    LinuxError, Manager, NetworkManager as Driver, WpaSupplicant, wifi_interfaces,
};

const CONTROL_DIR: &str = "/run/wpa_supplicant";
const STEP_TIMEOUT: Duration = Duration::from_secs(40);
/// How a wpa_supplicant is started that serves only D-Bus.
const ON_BUS: &str = "wpa_supplicant -u -s";

/// A program in the background, which ends when this is dropped.
struct Program(Child);

impl Program {
    fn start(command: &str) -> Self {
        let mut words = command.split_whitespace();
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("it starts"))
    }

    fn signal(&self, signal: &str) {
        run(&format!("kill -{signal} {}", self.0.id()));
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

fn find_manager(interface: &str) -> Result<Manager, LinuxError> {
    wait(Manager::of(interface, Path::new(CONTROL_DIR)))
}

/// Waits until the manager of the interface is found, or the error has this text.
#[track_caller]
fn wait_for(interface: &str, expected: Result<Manager, &str>) {
    let mut last = None;
    let what = format!("{interface} has the manager {expected:?}");
    let probe = || {
        let found = find_manager(interface);
        let is_expected = match (&found, expected) {
            (Ok(found), Ok(expected)) => *found == expected,
            (Err(error), Err(expected)) => error.to_string().contains(expected),
            _ => false,
        };
        last = Some(found);
        is_expected.then_some(())
    };
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        until(STEP_TIMEOUT, &what, probe);
    }));
    assert!(found.is_ok(), "{what}: {last:?}");
}

#[test]
fn networkmanager_manages_only_its_own_interfaces() {
    reset_radios();
    assert_eq!(wifi_interfaces().expect("a list")[..2], ["wlan0", "wlan1"]);
    let mut manager = NetworkManager::start_with("wlan1", "");
    assert_eq!(find_manager("wlan1").expect("a manager"), Manager::NetworkManager);
    let error = find_manager("wlan0").expect_err("no manager");
    assert_eq!(error.kind(), ErrorKind::Unmanaged, "{error}");
    assert!(error.to_string().contains("NetworkManager does not manage wlan0"), "{error}");
    // While networking is switched off, it manages none, and is not taken for one that does not.
    run("nmcli networking off");
    assert_eq!(find_manager("wlan1").expect("a manager"), Manager::NetworkManager);
    let error = wait(Driver::new(CONTROL_DIR, "wlan1").check()).expect_err("switched off");
    assert_eq!(error.kind(), ErrorKind::Blocked, "{error}");
    run("nmcli networking on");
    until(STEP_TIMEOUT, "networking", || wait(Driver::new(CONTROL_DIR, "wlan1").check()).ok());
    let alone = Supplicant::start(0, "");
    assert_eq!(find_manager("wlan0").expect("a manager"), Manager::WpaSupplicant);
    wait(WpaSupplicant::new(CONTROL_DIR, "wlan0").check()).expect("it can pair");

    // The driver for wpa_supplicant alone refuses an interface of NetworkManager, and the other way
    // round.
    let error = wait(WpaSupplicant::new(CONTROL_DIR, "wlan1").check()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::ManagedByOther, "{error}");
    let error = wait(Driver::new(CONTROL_DIR, "wlan0").check()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::ManagedByOther, "{error}");
    assert!(error.to_string().contains("wpa_supplicant alone manages wlan0"), "{error}");

    // A NetworkManager that hangs might manage any interface.
    manager.set_responsive(false);
    for interface in ["wlan0", "wlan1"] {
        let error = find_manager(interface).expect_err("no answer");
        assert_eq!(error.kind(), ErrorKind::NoResponse, "{error}");
        assert!(error.to_string().contains("NetworkManager runs, but does not say"), "{error}");
    }
    // An interface that was chosen before is not held up by it.
    wait(WpaSupplicant::new(CONTROL_DIR, "wlan0").check()).expect("it can pair");
    manager.set_responsive(true);

    // While NetworkManager is starting, it is never taken for one that leaves the interface alone.
    manager.kill_manager();
    let first = std::thread::spawn(|| {
        until(STEP_TIMEOUT, "a manager", || match find_manager("wlan1") {
            Ok(found) => Some(found),
            Err(error) => {
                let text = error.to_string();
                let is_expected = text.contains("for a network manager that does not run");
                assert!(is_expected || text.contains("does not say"), "{text}");
                None
            }
        })
    });
    manager.start_manager();
    assert_eq!(first.join().expect("a manager"), Manager::NetworkManager);
    drop(alone);
}

#[test]
fn iwd_manages_only_its_own_interfaces() {
    reset_radios();
    system_bus();
    run("modprobe -a pkcs8_key_parser algif_hash algif_skcipher");
    let iwd = Program::start("/usr/libexec/iwd -i wlan1");
    let alone = Supplicant::start(2, "");
    wait_for("wlan1", Err("iwd manages wlan1"));
    assert_eq!(find_manager("wlan2").expect("a manager"), Manager::WpaSupplicant);
    wait(WpaSupplicant::new(CONTROL_DIR, "wlan2").check()).expect("it can pair");
    iwd.signal("STOP");
    let error = find_manager("wlan2").expect_err("no answer");
    assert!(error.to_string().contains("iwd runs, but does not say"), "{error}");
    iwd.signal("CONT");
    drop((iwd, alone));
}

#[test]
fn networkmanager_with_iwd_is_refused() {
    reset_radios();
    system_bus();
    run("modprobe -a pkcs8_key_parser algif_hash algif_skcipher");
    let iwd = Program::start("/usr/libexec/iwd -i wlan1");
    wait_for("wlan1", Err("iwd manages wlan1"));
    let manager = NetworkManager::start_with("wlan1", "[device]\nwifi.backend=iwd\n");
    wait_for("wlan1", Err("NetworkManager uses iwd for wlan1"));
    let error = wait(Driver::new(CONTROL_DIR, "wlan1").check()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::ManagedByOther, "{error}");
    drop((iwd, manager));
}

#[test]
fn connman_manages_only_its_own_interfaces() {
    reset_radios();
    system_bus();
    fs::create_dir_all("/var/lib/connman").expect("a folder");
    let supplicant = Program::start(ON_BUS);
    let alone = Supplicant::start(2, "");
    let connman = Program::start("connmand -n -i wlan1 --nodnsproxy");
    run_until_done(
        "dbus-send --system --print-reply --dest=net.connman /net/connman/technology/wifi \
                    net.connman.Technology.SetProperty string:Powered variant:boolean:true",
    );
    wait_for("wlan1", Err("ConnMan manages wlan1"));
    let error = wait(WpaSupplicant::new(CONTROL_DIR, "wlan1").check()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::ManagedByOther, "{error}");
    assert_eq!(find_manager("wlan2").expect("a manager"), Manager::WpaSupplicant);
    drop((connman, alone, supplicant));
}

/// Gives wpa_supplicant an interface, as a network manager does.
async fn create_interface(interface: &str) -> zbus::Result<()> {
    const NAME: &str = "fi.w1.wpa_supplicant1";
    let bus = zbus::Connection::system().await?;
    let arguments = HashMap::from([("Ifname", zbus::Variant::from(interface))]);
    let path = "/fi/w1/wpa_supplicant1";
    bus.call_method(Some(NAME), path, Some(NAME), "CreateInterface", &arguments).await.map(drop)
}

/// Repeats a command until it succeeds.
#[track_caller]
fn run_until_done(command: &str) {
    until(STEP_TIMEOUT, command, || {
        let mut words = command.split_whitespace();
        let mut command = Command::new(words.next().expect("a program"));
        let output = command.args(words).stdin(Stdio::null()).output().ok()?;
        output.status.success().then_some(())
    });
}

#[test]
fn a_wpa_supplicant_without_a_control_socket_is_described_as_it_is() {
    reset_radios();
    system_bus();
    let error = find_manager("wlan1").expect_err("nobody manages it");
    assert!(error.to_string().contains("wpa_supplicant does not run"), "{error}");
    let supplicant = Program::start(ON_BUS);
    wait_for("wlan1", Err("wpa_supplicant runs, but not for wlan1"));
    wait(create_interface("wlan1")).expect("an interface");
    let held = "wpa_supplicant holds wlan1 for a network manager that does not run";
    wait_for("wlan1", Err(held));
    drop(supplicant);
    // Debian's unit gives each interface a control socket, but that is for the network manager.
    let supplicant = Program::start(&format!("{ON_BUS} -O {CONTROL_DIR}"));
    until(STEP_TIMEOUT, "an interface", || wait(create_interface("wlan1")).ok());
    wait_for("wlan1", Err(held));
    drop(supplicant);
    // A wpa_supplicant with a configuration file is alone, also if it is on the bus.
    let file = "/run/lab/on-bus.conf";
    fs::write(file, format!("ctrl_interface={CONTROL_DIR}\n")).expect("a file");
    let supplicant = Program::start(&format!("{ON_BUS} -D nl80211 -i wlan1 -c {file}"));
    wait_for("wlan1", Ok(Manager::WpaSupplicant));
    drop(supplicant);
    // Its control socket is in another directory.
    fs::write(file, "ctrl_interface=DIR=/run/lab/sockets\n").expect("a file");
    let supplicant = Program::start(&format!("{ON_BUS} -D nl80211 -i wlan1 -c {file}"));
    wait_for("wlan1", Err("/run/lab/sockets"));
    drop(supplicant);
}
