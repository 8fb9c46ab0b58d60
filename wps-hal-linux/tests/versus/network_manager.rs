//! `wpsd` beside NetworkManager, and NetworkManager alone: a profile with `wps-method pbc` and
//! without a key, activated by `nmcli --ask`. Unlike the other programs, NetworkManager alone must
//! know the network's name beforehand.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::lab::{NetworkManager, network_manager, until};
use crate::wpsd::{Daemon, WPS, curl};
use crate::{Contender, STATION, TestContext};

const ADD: &str = "connection add type wifi";
const PROFILE: &str =
    "ifname wlan1 connection.autoconnect no ipv6.method disabled wifi-sec.key-mgmt wpa-psk";
/// How long NetworkManager may take to list the routers. It scans all bands first.
const SCAN_LIST_TIMEOUT: Duration = Duration::from_secs(90);

struct Nmcli {
    call: Option<Child>,
    _daemon: NetworkManager,
}

pub(crate) fn boot(context: &TestContext) -> Box<dyn Contender> {
    let daemon = start();
    // A profile cannot be activated until its network is in NetworkManager's list.
    wait_listed(context.old.iter().map(|_| "old").chain(["home"]).collect());
    nmcli(
        format!(
            "{ADD} con-name home ssid home {PROFILE} wifi-sec.wps-method pbc ipv4.method disabled"
        )
        .split(' '),
    );
    join_old(context);
    Box::new(Nmcli { call: None, _daemon: daemon })
}

/// `wpsd` beside NetworkManager. It does not know the network's name.
struct Beside {
    _daemon: Daemon,
    _manager: NetworkManager,
}

/// Starts `wpsd` beside NetworkManager.
pub(crate) fn boot_wpsd(context: &TestContext) -> Box<dyn Contender> {
    let manager = start();
    wait_listed(context.old.iter().map(|_| "old").collect());
    join_old(context);
    let daemon = Daemon::start_with("--manager network-manager");
    Box::new(Beside { _daemon: daemon, _manager: manager })
}

impl Contender for Beside {
    fn start(&mut self) {
        let response = curl(&format!("-X POST {WPS}"));
        assert!(response.starts_with("HTTP/1.1 204"), "{response}");
    }
}

/// Starts NetworkManager without profiles.
fn start() -> NetworkManager {
    NetworkManager::clear();
    network_manager("wlan1")
}

/// Waits until NetworkManager lists these networks.
fn wait_listed(names: Vec<&str>) {
    until(SCAN_LIST_TIMEOUT, "NetworkManager lists the routers", || {
        let seen = nmcli(["-t", "-f", "SSID", "device", "wifi", "list", "--rescan", "no"]);
        let missing = names.iter().any(|name| !seen.lines().any(|line| line == *name));
        if missing {
            std::thread::sleep(Duration::from_millis(500));
            nmcli(["device", "wifi", "rescan"]);
        }
        (!missing).then_some(())
    });
}

/// Adds a profile for the old network and joins it, if there is one.
fn join_old(context: &TestContext) {
    if context.old.is_some() {
        let profile = format!(
            "{ADD} con-name old ssid old {PROFILE} ipv4.method manual ipv4.addresses {STATION}/24"
        );
        let key = ["wifi-sec.psk", "correct horse"];
        nmcli(profile.split(' ').chain(key));
        nmcli(["--wait", "60", "connection", "up", "old"]);
    }
}

/// Runs nmcli and returns its output. Ignores a failure, because nmcli fails while NetworkManager
/// is busy.
fn nmcli<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    let output =
        Command::new("nmcli").args(arguments).stdin(Stdio::null()).output().expect("nmcli");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Contender for Nmcli {
    fn start(&mut self) {
        let mut command = Command::new("nmcli");
        command.args(["--ask", "--wait", "150", "connection", "up", "home"]);
        // nmcli also asks for the key. This user does not answer.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        self.call = Some(command.spawn().expect("nmcli starts"));
    }
}

impl Drop for Nmcli {
    fn drop(&mut self) {
        if let Some(call) = &mut self.call {
            let _ = call.kill();
            let _ = call.wait();
        }
    }
}
