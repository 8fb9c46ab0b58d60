//! The daemon as its users have it: a process, its port, its keys, its exit code.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Nothing here takes that long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);
const WPS: &str = "/api/v1/wifi/wps";

fn wpsd(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wpsd"));
    command.args(flags).env_remove("RUST_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running daemon with a simulated radio; killed when dropped.
struct Daemon {
    process: Child,
    address: SocketAddr,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Daemon {
    fn start(keyboard: Stdio) -> Self {
        let mut process = wpsd(&["--listen", "127.0.0.1:0", "--name", "device.example"])
            .stdin(keyboard)
            .spawn()
            .expect("it starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
        let mut lines = String::new();
        for _ in 0..3 {
            stdout.read_line(&mut lines).expect("three lines that say what to do");
        }
        let address = lines.split_once("http://").and_then(|(_, rest)| rest.split_once(' '));
        let address = address.and_then(|(address, _)| address.parse().ok()).expect(&lines);
        Self { process, address, stdout }
    }

    fn ask(&self, method: &str, path: &str, headers: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let host = if headers.contains("Host:") { "" } else { "Host: 127.0.0.1\r\n" };
        write!(stream, "{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n")
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole header");
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect(head);
        (status, body.to_owned())
    }

    fn status(&self) -> serde_json::Value {
        let (status, body) = self.ask("GET", WPS, "");
        assert_eq!(status, 200);
        serde_json::from_str(&body).expect("JSON")
    }

    fn post(&self, path: &str) {
        assert_eq!(self.ask("POST", path, "").0, 204, "{path}");
    }

    #[track_caller]
    fn until(&self, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let begin = Instant::now();
        loop {
            let status = self.status();
            if wanted(&status) {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "never came: {status}");
            sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn until_ended(&self) -> serde_json::Value {
        self.until(|status| status["state"] == "idle" && status["last"].is_object())
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.process);
        kill_process(id, signal).expect("it runs");
    }

    #[track_caller]
    fn exit_code(&mut self) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("our own child") {
                return status.code();
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end");
            sleep(Duration::from_millis(20));
        }
    }

    fn log(&mut self) -> String {
        let mut log = String::new();
        self.process.stderr.take().expect("piped").read_to_string(&mut log).expect("text");
        log
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
fn a_post_and_a_press_pair_the_device() {
    let mut daemon = Daemon::start(Stdio::null());
    daemon.until(|status| status["state"] == "idle");
    daemon.post(WPS);
    assert!(daemon.status()["remaining_s"].as_u64().is_some_and(|it| it >= 118));
    daemon.until(|status| status["seen"] == "not_pressed");
    daemon.post("/api/v1/sim/press");
    let status = daemon.until_ended();
    assert_eq!((&status["last"]["result"], &status["ssid"]), (&"ok".into(), &"Home".into()));
    let (_, system) = daemon.ask("GET", "/api/v1/system", "");
    let system: serde_json::Value = serde_json::from_str(&system).expect("JSON");
    assert_eq!(system["wifi"]["ssid"], "Home");

    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit_code(), Some(0));
    let log = daemon.log();
    assert!(log.contains("Joining"), "{log}");
    assert!(!log.contains("correct horse"), "{log}");
}

#[test]
fn a_delete_cancels() {
    let daemon = Daemon::start(Stdio::null());
    daemon.until(|status| status["state"] == "idle");
    daemon.post(WPS);
    daemon.until(|status| status["state"] == "searching");
    assert_eq!(daemon.ask("DELETE", WPS, "").0, 204);
    assert_eq!(daemon.until_ended()["last"]["cause"], "cancelled");
}

#[test]
fn two_pressed_routers_are_an_overlap() {
    let daemon = Daemon::start(Stdio::null());
    daemon.until(|status| status["state"] == "idle");
    daemon.post("/api/v1/sim/second");
    daemon.post(WPS);
    assert_eq!(daemon.until_ended()["last"]["cause"], "overlap");
}

#[test]
fn a_router_without_wps_or_power_is_not_in_sight() {
    let daemon = Daemon::start(Stdio::null());
    daemon.until(|status| status["state"] == "idle");
    daemon.post(WPS);
    for key in ["power", "wps-off"] {
        daemon.until(|status| status["seen"] == "not_pressed");
        daemon.post(&format!("/api/v1/sim/{key}"));
        daemon.until(|status| status["seen"] == "no_router");
        daemon.post(&format!("/api/v1/sim/{key}"));
    }
    daemon.until(|status| status["seen"] == "not_pressed");
}

#[test]
fn keys_play_the_router() {
    let mut daemon = Daemon::start(Stdio::piped());
    let mut keyboard: ChildStdin = daemon.process.stdin.take().expect("piped");
    daemon.until(|status| status["state"] == "idle");
    let mut press = |daemon: &mut Daemon, key: &str| {
        writeln!(keyboard, "{key}").expect("it reads");
        let mut said = String::new();
        daemon.stdout.read_line(&mut said).expect("it says what happened");
        said
    };
    assert!(press(&mut daemon, "h").contains("p presses"));
    assert!(press(&mut daemon, "what?").contains("p presses"));
    assert!(press(&mut daemon, "n").contains("switched off"));
    assert!(press(&mut daemon, "p").contains("does nothing"));
    assert!(press(&mut daemon, "n").contains("switched on"));
    assert!(press(&mut daemon, "o").contains("away"));
    assert!(press(&mut daemon, "p").contains("bring it back"));
    assert!(press(&mut daemon, "o").contains("back"));
    assert!(press(&mut daemon, "w").contains("wrong key"));
    daemon.post(WPS);
    press(&mut daemon, "p");
    daemon.until(|status| status["trouble"]["cause"] == "wrong_key");
    assert_eq!(daemon.ask("DELETE", WPS, "").0, 204);
    daemon.until_ended();
    assert!(press(&mut daemon, "2").contains("second router"));
    daemon.post(WPS);
    assert_eq!(daemon.until_ended()["last"]["cause"], "overlap");
    drop(keyboard);
    assert_eq!(daemon.status()["state"], "idle", "a closed keyboard ends nothing");
}

#[test]
fn a_foreign_page_cannot_play() {
    let daemon = Daemon::start(Stdio::null());
    for path in [WPS, "/api/v1/sim/press"] {
        assert_eq!(daemon.ask("POST", path, "Origin: http://evil.example\r\n").0, 404);
        assert_eq!(daemon.ask("POST", path, "Host: evil.example\r\n").0, 404);
    }
    assert_eq!(daemon.ask("GET", "/", "Host: device.example\r\n").0, 200);
    assert!(daemon.status()["last"].is_null());
}

#[test]
fn a_signal_ends_a_pairing_by_the_failure_rule() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = Daemon::start(Stdio::null());
        daemon.until(|status| status["state"] == "idle");
        daemon.post(WPS);
        daemon.until(|status| status["state"] == "searching");
        daemon.signal(signal);
        assert_eq!(daemon.exit_code(), Some(0));
        let log = daemon.log();
        let end = log.lines().last().expect("a log");
        assert!(end.contains("Idle") && end.contains("Cancelled"), "{log}");
    }
}

/// Exit code and what was said, which is one line.
#[track_caller]
fn refused(flags: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = wpsd(flags).output().expect("it starts");
    (status.code(), String::from_utf8(stderr).expect("text"))
}

#[test]
fn what_cannot_be_is_one_sentence() {
    let daemon = Daemon::start(Stdio::null());
    let (code, said) = refused(&["--listen", &daemon.address.to_string()]);
    assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("another program") && said.contains("--listen"), "{said}");

    let (code, said) = refused(&["--listen", "192.0.2.1:8080"]);
    assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("no such address"), "{said}");
}

#[test]
fn wrong_flags_are_told() {
    let wrong: [(&[&str], &str); 4] = [
        (&["--listen", "8080"], "give an IP address and a port"),
        (&["--state-dir", "/tmp"], "--interface"),
        (&["--control-dir", "/tmp"], "--interface"),
        (&["--speed", "9"], "--speed"),
    ];
    for (flags, expected) in wrong {
        let (code, said) = refused(flags);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn the_smallest_program_pairs() {
    let Output { status, stdout, .. } =
        Command::new(env!("CARGO_BIN_EXE_smallest")).output().expect("it starts");
    let said = String::from_utf8(stdout).expect("text");
    assert!(status.success() && said.contains("Paired with home"), "{said}");
}
