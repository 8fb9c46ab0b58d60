//! The guest: its radios, programs and processes, and the HTTP server of its daemon.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{RUN_DIR, until};

/// Returns whether this program runs in the lab's guest. The tests must not change anything
/// elsewhere.
pub fn in_lab() -> bool {
    std::env::var_os("RADIO_LAB").is_some_and(|value| value == "1")
}

/// Resets the radios to their state after a boot: no daemon runs, and all network namespaces and
/// scan caches are empty.
pub fn reset_radios() {
    assert!(in_lab(), "these tests run in the radio lab only");
    const NAMES: [&str; 7] =
        ["hostapd", "wpa_supplicant", "iwd", "connmand", "NetworkManager", "dnsmasq", "ping"];
    until(Duration::from_secs(10), "all daemons gone", || {
        let running: Vec<String> = processes(&NAMES);
        running.iter().for_each(|pid| run_ignoring_failure(&format!("kill -9 {pid}")));
        running.is_empty().then_some(())
    });
    for name in run("ip netns list")
        .split_whitespace()
        .filter(|word| word.starts_with("router") || *word == PulledRadio::NAMESPACE)
    {
        run_ignoring_failure(&format!("ip netns del {name}"));
    }
    for folder in [RUN_DIR, "/run/hostapd", "/run/wpa_supplicant"] {
        let _ = fs::remove_dir_all(folder);
    }
    fs::create_dir_all(RUN_DIR).expect("a folder for the lab");
    until(Duration::from_secs(10), "the radios' module unloaded", || {
        run_ignoring_failure("rmmod mac80211_hwsim");
        (!Path::new("/sys/module/mac80211_hwsim").exists()).then_some(())
    });
    run("modprobe mac80211_hwsim"); // the options come from the kernel command line
    until(Duration::from_secs(10), "the first radio", || {
        Path::new("/sys/class/net/wlan0").exists().then_some(())
    });
}

/// Runs a command and returns its output. Panics if it fails. The command is a list of words
/// separated by spaces; no shell interprets it.
#[track_caller]
pub fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let program = words.next().expect("a program");
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {}\n{text}{errors}", output.status);
    text
}

/// Sends a GET request to the local daemon and returns the body of the response.
///
/// Returns `None` if nothing answers. Starting a curl process for each poll instead would keep the
/// guest's only processor busy.
pub fn get(path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, 8080)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    let (_, body) = response.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}

/// Returns a field of the daemon's status, or `None` if nothing answers.
pub fn status(field: &str) -> Option<String> {
    let body = get("/api/v1/wifi/wps")?;
    let (_, value) = body.split_once(&format!("\"{field}\":\""))?;
    value.split_once('"').map(|(value, _)| value.to_owned())
}

/// A radio that is out of reach, with its interface, like a USB stick that was pulled.
pub struct PulledRadio {
    phy: String,
}

impl PulledRadio {
    const NAMESPACE: &str = "pulled";

    /// Takes the radio of `interface` away.
    #[track_caller]
    pub fn pull(interface: &str) -> Self {
        let name = format!("/sys/class/net/{interface}/phy80211/name");
        let phy = fs::read_to_string(name).expect("a radio").trim().to_owned();
        run(&format!("ip netns add {}", Self::NAMESPACE));
        run(&format!("iw phy {phy} set netns name {}", Self::NAMESPACE));
        Self { phy }
    }

    /// Brings it back.
    #[track_caller]
    pub fn plug_in(self) {
        run(&format!("ip netns exec {} iw phy {} set netns 1", Self::NAMESPACE, self.phy));
        run(&format!("ip netns del {}", Self::NAMESPACE));
    }
}

/// Runs a command and ignores its output and its exit code.
pub(super) fn run_ignoring_failure(command: &str) {
    let mut words = command.split_whitespace();
    let mut command = Command::new(words.next().expect("a program"));
    let _ = command
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// Returns the ids of all running processes with one of these names.
fn processes(names: &[&str]) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
    pids.filter(|pid| {
        // "42 (hostapd) S 1 …". The state Z is a zombie, a process that has ended.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let (name, rest) = stat.rsplit_once(')').unwrap_or_default();
        let name = name.split_once('(').unwrap_or_default().1;
        pid.parse::<u32>().is_ok() && names.contains(&name) && !rest.starts_with(" Z")
    })
    .collect()
}
