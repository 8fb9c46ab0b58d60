//! NetworkManager, and the D-Bus system bus.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{RUN_DIR, run, until};

/// Starts the D-Bus system bus, unless it runs already.
#[track_caller]
pub fn system_bus() {
    if !Path::new("/run/dbus/system_bus_socket").exists() {
        fs::create_dir_all("/run/dbus").expect("a folder");
        run("dbus-daemon --system --fork");
    }
}

/// NetworkManager with a separate wpa_supplicant that has a control socket, as in Debian.
pub struct NetworkManager(Vec<Child>);

/// Starts NetworkManager for `interface` only, and waits until it manages that interface.
#[track_caller]
pub fn network_manager(interface: &str) -> NetworkManager {
    for folder in ["/run/udev", "/run/NetworkManager", "/var/lib/NetworkManager"] {
        fs::create_dir_all(folder).expect("a folder");
    }
    system_bus();
    if !Path::new("/run/udev/control").exists() {
        run("/lib/systemd/systemd-udevd --daemon");
        run("udevadm trigger -s net -c add");
        run("udevadm settle -t 10");
    }
    let configuration = format!(
        "[main]\nauth-polkit=false\nplugins=keyfile\ndhcp=internal\ndns=none\n\
         [keyfile]\nunmanaged-devices=except:interface-name:{interface}\n"
    );
    let path = format!("{RUN_DIR}/NetworkManager.conf");
    fs::write(&path, configuration).expect("NetworkManager's configuration");
    let start = |command: &str| {
        let mut words = command.split_whitespace();
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("a daemon")
    };
    let daemons = vec![
        start("wpa_supplicant -u -s -O /run/wpa_supplicant"),
        start(&format!("NetworkManager --no-daemon --config {path}")),
    ];
    until(Duration::from_secs(60), "NetworkManager manages the interface", || {
        let output = Command::new("nmcli").args(["-t", "-f", "DEVICE,STATE", "device"]).output();
        let text = String::from_utf8_lossy(&output.ok()?.stdout).into_owned();
        text.contains(&format!("{interface}:disconnected")).then_some(())
    });
    NetworkManager(daemons)
}

impl Drop for NetworkManager {
    fn drop(&mut self) {
        for daemon in &mut self.0 {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}
