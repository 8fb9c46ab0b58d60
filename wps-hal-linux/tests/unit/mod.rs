//! The shipped unit, installed as its README says, for a test in a guest whose init is systemd.
#![allow(unreachable_pub)] // a part of a test binary

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use crate::lab::{run, until};

const SHORT: Duration = Duration::from_secs(40);
/// Where it keeps its record.
pub const STATE: &str = "/var/lib/wpsd";
const FLAGS: &str = "/etc/default/wpsd";
pub const OVERRIDES: &str = "/etc/systemd/system/wpsd@.service.d";

macro_rules! shipped {
    ($name:literal) => {
        include_str!(concat!("../../../examples/systemd/", $name))
    };
}

const FILES: [(&str, &str); 3] = [
    ("/usr/lib/systemd/system/wpsd@.service", shipped!("wpsd@.service")),
    ("/usr/lib/sysusers.d/wpsd.conf", shipped!("wpsd.sysusers")),
    ("/usr/lib/udev/rules.d/60-wpsd.rules", shipped!("60-wpsd.rules")),
];

/// Each with the one thing that it allows, as `ATTEMPTS` calls it.
pub const DROP_INS: [(&str, &str, &str); 6] = [
    ("off", "rfkill", shipped!("wpsd@.service.d/off.conf")),
    ("off-by-link", "link", shipped!("wpsd@.service.d/off-by-link.conf")),
    ("port-80", "port", shipped!("wpsd@.service.d/port-80.conf")),
    ("button-key", "key", shipped!("wpsd@.service.d/button-key.conf")),
    ("line", "line", shipped!("wpsd@.service.d/line.conf")),
    ("lamp-led", "led", shipped!("wpsd@.service.d/lamp-led.conf")),
];

/// Writes a file, and makes its folder.
pub fn write(path: impl AsRef<Path>, text: &str) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

fn systemctl(arguments: &str) -> Output {
    let arguments = ["--no-ask-password"].into_iter().chain(arguments.split_whitespace());
    Command::new("systemctl").args(arguments).output().expect("systemctl")
}

/// Is back when the unit is active, or has ended.
#[track_caller]
pub fn start(unit: &str) {
    let Output { status, stderr, .. } = systemctl(&format!("start {unit}"));
    let journal = || run(&format!("journalctl -q -o cat -n 20 -u {unit}"));
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{unit}: {stderr}{}", journal());
}

/// The unit as its README installs it, with these drop-ins and flags. Away again when dropped.
pub struct Unit;

impl Unit {
    pub fn install(drop_ins: &[&str], flags: &str) -> Self {
        let beside = std::env::current_exe().expect("this program").with_file_name("wpsd");
        fs::copy(beside, "/usr/bin/wpsd").expect("a copy of wpsd");
        FILES.iter().for_each(|(path, text)| write(path, text));
        for name in drop_ins {
            let (.., text) = DROP_INS.iter().find(|(it, ..)| it == name).expect("a drop-in");
            write(format!("{OVERRIDES}/{name}.conf"), text);
        }
        write(FLAGS, &format!("WPSD_FLAGS={flags}\n"));
        run("systemd-sysusers");
        run("systemctl daemon-reload");
        Self
    }

    /// Is back when it has said that it is ready.
    #[track_caller]
    pub fn start(&self) {
        start("wpsd@wlan1");
    }

    /// What it says when it does not start.
    #[track_caller]
    pub fn refusal(&self) -> String {
        assert!(!systemctl("start wpsd@wlan1").status.success(), "it starts");
        until(SHORT, "a reason", || {
            let log = self.log();
            log.lines().find(|line| line.starts_with("wpsd: ")).map(str::to_owned)
        })
    }

    #[track_caller]
    pub fn show(&self, property: &str) -> String {
        run(&format!("systemctl show -P {property} wpsd@wlan1")).trim().to_owned()
    }

    /// What it has said since its start.
    pub fn log(&self) -> String {
        run(&format!("journalctl -q -o cat _SYSTEMD_INVOCATION_ID={}", self.show("InvocationID")))
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        systemctl("stop wpsd@wlan1");
        let _ = fs::remove_dir_all(OVERRIDES);
        let _ = fs::remove_dir_all(STATE);
        systemctl("reset-failed");
    }
}
