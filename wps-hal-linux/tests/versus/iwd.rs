//! iwd: the D-Bus method `PushButton`.

use std::fs;
use std::process::{Child, Command, Stdio};

use crate::lab::{run, system_bus, until};
use crate::link_monitor::associations;
use crate::{Contender, STATION, STEP_TIMEOUT, TestContext};

const NETWORKS: &str = "/var/lib/iwd";
const CALL: &str = "--system --print-reply --reply-timeout=200000 --dest=net.connman.iwd";

struct Iwd {
    daemon: Child,
    object: String,
    call: Option<Child>,
}

pub(crate) fn boot(context: &TestContext) -> Box<dyn Contender> {
    system_bus();
    run("modprobe -a pkcs8_key_parser algif_hash algif_skcipher");
    let _ = fs::remove_dir_all(NETWORKS);
    fs::create_dir_all(NETWORKS).expect("a folder");
    if context.old.is_some() {
        let network = "[Security]\nPassphrase=correct horse\n";
        fs::write(format!("{NETWORKS}/old.psk"), network).expect("a known network");
    }
    let mut command = Command::new("/usr/libexec/iwd");
    command.args(["-i", "wlan1"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let daemon = command.spawn().expect("iwd starts");
    let object = until(STEP_TIMEOUT, "iwd's device", device);
    if let Some(old) = &context.old {
        until(STEP_TIMEOUT, "iwd joins the old network", || associations(old, 0).pop());
        run(&format!("ip address replace {STATION}/24 dev wlan1"));
    }
    Box::new(Iwd { daemon, object, call: None })
}

/// Returns the D-Bus path of iwd's only device: `/net/connman/iwd/<radio>/<device>`.
fn device() -> Option<String> {
    let list = "/ org.freedesktop.DBus.ObjectManager.GetManagedObjects";
    let words = format!("{CALL} {list}");
    let output = Command::new("dbus-send").args(words.split_whitespace()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut paths = text.split('"').filter_map(|path| path.strip_prefix("/net/connman/iwd/"));
    let numbers = |path: &&str| {
        path.contains('/') && !path.contains(|c: char| !c.is_ascii_digit() && c != '/')
    };
    paths.find(numbers).map(|path| format!("/net/connman/iwd/{path}"))
}

impl Contender for Iwd {
    fn start(&mut self) {
        let words =
            format!("{CALL} {} net.connman.iwd.SimpleConfiguration.PushButton", self.object);
        let mut command = Command::new("dbus-send");
        command.args(words.split_whitespace()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.call = Some(command.spawn().expect("dbus-send starts"));
    }
}

impl Drop for Iwd {
    fn drop(&mut self) {
        for process in self.call.as_mut().into_iter().chain([&mut self.daemon]) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
