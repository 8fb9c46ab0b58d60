//! The shipped systemd unit, installed as its README says. The guest's init must be systemd.
#![allow(dead_code, unreachable_pub)] // each test binary uses only a part of it

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use crate::lab::{run, until};

/// How long the unit may take to log why it does not start.
const STEP_TIMEOUT: Duration = Duration::from_secs(40);
/// The unit's state directory.
pub const STATE_DIR: &str = "/var/lib/wpsd";
/// The file with the daemon's flags.
const FLAGS_FILE: &str = "/etc/default/wpsd";
/// The directory of the drop-ins.
pub const DROP_IN_DIR: &str = "/etc/systemd/system/wpsd@.service.d";

/// The path of the rule for polkit.
pub const POLKIT_RULES: &str = "/usr/share/polkit-1/rules.d/50-wpsd.rules";

macro_rules! shipped {
    ($name:literal) => {
        include_str!(concat!("../../../examples/systemd/", $name))
    };
}

/// The installed files: path and content.
const FILES: [(&str, &str); 4] = [
    (POLKIT_RULES, include_str!("../../../examples/polkit/50-wpsd.rules")),
    ("/usr/lib/systemd/system/wpsd@.service", shipped!("wpsd@.service")),
    ("/usr/lib/sysusers.d/wpsd.conf", shipped!("wpsd.sysusers")),
    ("/usr/lib/udev/rules.d/60-wpsd.rules", shipped!("60-wpsd.rules")),
];

/// The shipped drop-ins: the name, the name in `ATTEMPTS` of the one thing that it allows, and the
/// content.
pub const DROP_INS: [(&str, &str, &str); 6] = [
    ("off", "rfkill", shipped!("wpsd@.service.d/off.conf")),
    ("off-by-link", "link", shipped!("wpsd@.service.d/off-by-link.conf")),
    ("port-80", "port", shipped!("wpsd@.service.d/port-80.conf")),
    ("button-key", "key", shipped!("wpsd@.service.d/button-key.conf")),
    ("line", "line", shipped!("wpsd@.service.d/line.conf")),
    ("lamp-led", "led", shipped!("wpsd@.service.d/lamp-led.conf")),
];

/// Writes a file, and creates its directory.
pub fn write(path: impl AsRef<Path>, text: &str) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

fn systemctl(arguments: &str) -> Output {
    let arguments = ["--no-ask-password"].into_iter().chain(arguments.split_whitespace());
    Command::new("systemctl").args(arguments).output().expect("systemctl")
}

/// Starts a unit and waits until it is active, or has ended if it is a oneshot. Panics if it fails.
#[track_caller]
pub fn start(unit: &str) {
    let Output { status, stderr, .. } = systemctl(&format!("start {unit}"));
    let journal = || run(&format!("journalctl -q -o cat -n 20 -u {unit}"));
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{unit}: {stderr}{}", journal());
}

/// The unit `wpsd@wlan1`. Dropping it stops the unit, and removes the drop-ins and the state.
pub struct Unit;

impl Unit {
    /// Installs the unit as its README says, with these drop-ins and flags.
    pub fn install(drop_ins: &[&str], flags: &str) -> Self {
        let wpsd = std::env::current_exe().expect("this program").with_file_name("wpsd");
        fs::copy(wpsd, "/usr/bin/wpsd").expect("a copy of wpsd");
        FILES.iter().for_each(|(path, text)| write(path, text));
        for name in drop_ins {
            let (.., text) =
                DROP_INS.iter().find(|(drop_in, ..)| drop_in == name).expect("a drop-in");
            write(format!("{DROP_IN_DIR}/{name}.conf"), text);
        }
        write(FLAGS_FILE, &format!("WPSD_FLAGS={flags}\n"));
        run("systemd-sysusers");
        run("systemctl daemon-reload");
        Self
    }

    /// Starts the unit and waits until the daemon has reported that it is ready.
    #[track_caller]
    pub fn start(&self) {
        start("wpsd@wlan1");
    }

    /// Starts the unit, expects a failure, and returns the error from its log.
    #[track_caller]
    pub fn start_error(&self) -> String {
        assert!(!systemctl("start wpsd@wlan1").status.success(), "it starts");
        until(STEP_TIMEOUT, "an error in the log", || {
            let log = self.log();
            log.lines().find(|line| line.starts_with("wpsd: ")).map(str::to_owned)
        })
    }

    /// Stops the unit, also while systemd waits to start it again.
    pub fn stop(&self) {
        systemctl("stop wpsd@wlan1");
    }

    /// Returns a property of the unit.
    #[track_caller]
    pub fn show(&self, property: &str) -> String {
        run(&format!("systemctl show -P {property} wpsd@wlan1")).trim().to_owned()
    }

    /// Returns the log since the latest start.
    pub fn log(&self) -> String {
        run(&format!("journalctl -q -o cat _SYSTEMD_INVOCATION_ID={}", self.show("InvocationID")))
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(DROP_IN_DIR);
        let _ = fs::remove_dir_all(STATE_DIR);
        systemctl("reset-failed");
    }
}
