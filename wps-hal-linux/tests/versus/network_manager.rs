//! NetworkManager: a profile without a key and with `wps-method pbc`, brought up by `nmcli --ask`.
//! The network's name must be known beforehand, which the others do without.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::lab::{NetworkManager, network_manager, until};
use crate::{Contender, STATION, TestContext};

const PROFILES: &str = "/etc/NetworkManager/system-connections";
const PROFILE: &str =
    "ifname wlan1 connection.autoconnect no ipv6.method disabled wifi-sec.key-mgmt wpa-psk";
/// It looks at all bands before it sees a network.
const LONG: Duration = Duration::from_secs(90);

struct Nmcli {
    call: Option<Child>,
    _daemon: NetworkManager,
}

pub(crate) fn boot(scene: &TestContext) -> Box<dyn Contender> {
    let _ = fs::remove_dir_all(PROFILES);
    fs::create_dir_all(PROFILES).expect("a folder");
    let daemon = network_manager("wlan1");
    // Without the routers' names in its list a profile does not come up.
    let names: Vec<_> = scene.old.iter().map(|_| "old").chain(["home"]).collect();
    until(LONG, "NetworkManager sees the routers", || {
        let seen = nmcli(["-t", "-f", "SSID", "device", "wifi", "list", "--rescan", "no"]);
        let missing = names.iter().any(|name| !seen.lines().any(|line| line == *name));
        if missing {
            std::thread::sleep(Duration::from_millis(500));
            nmcli(["device", "wifi", "rescan"]);
        }
        (!missing).then_some(())
    });
    let add = "connection add type wifi";
    nmcli(
        format!(
            "{add} con-name home ssid home {PROFILE} wifi-sec.wps-method pbc ipv4.method disabled"
        )
        .split(' '),
    );
    if scene.old.is_some() {
        let profile = format!(
            "{add} con-name old ssid old {PROFILE} ipv4.method manual ipv4.addresses {STATION}/24"
        );
        let key = ["wifi-sec.psk", "correct horse"];
        nmcli(profile.split(' ').chain(key));
        nmcli(["--wait", "60", "connection", "up", "old"]);
    }
    Box::new(Nmcli { call: None, _daemon: daemon })
}

/// What it prints; it fails while NetworkManager is busy.
fn nmcli<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    let output =
        Command::new("nmcli").args(arguments).stdin(Stdio::null()).output().expect("nmcli");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Contender for Nmcli {
    fn start(&mut self) {
        let mut command = Command::new("nmcli");
        command.args(["--ask", "--wait", "150", "connection", "up", "home"]);
        // It asks for the key, too: a user who says nothing.
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
