//! What a service manager is told.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use wps_testkit::daemon::{Daemon, STEP_TIMEOUT, Signal, WPS};

use crate::demo;

/// The socket of a service manager, and the lines that it received.
struct ServiceManager {
    socket: UnixDatagram,
    received: Vec<String>,
}

impl ServiceManager {
    fn bind(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("a socket");
        socket.set_read_timeout(Some(STEP_TIMEOUT)).expect("a timeout");
        Self { socket, received: Vec::new() }
    }

    /// Waits for the next message, which has one or more lines.
    fn receive(&mut self) -> String {
        let mut bytes = [0; 1024];
        let length = self.socket.recv(&mut bytes).expect("a message");
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        self.received.extend(text.lines().map(String::from));
        text
    }

    #[track_caller]
    fn wait_for(&mut self, line: &str) {
        while !self.receive().lines().any(|it| it == line) {}
    }
}

#[test]
fn a_service_manager_is_notified() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let mut manager = ServiceManager::bind(&path);
    let mut daemon = Daemon::spawn(
        demo(&[])
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "400000")
            .env_remove("WATCHDOG_PID"),
    );
    manager.wait_for("READY=1");
    assert_eq!(manager.received, ["READY=1"], "the first message, when the port is open");
    assert_eq!(daemon.request("GET", WPS, "").status(), 200);

    manager.wait_for("STATUS=Not paired");
    for _ in 0..3 {
        let start = Instant::now();
        manager.wait_for("WATCHDOG=1");
        assert!(start.elapsed() < Duration::from_millis(400), "too late");
    }
    daemon.post(WPS);
    manager.wait_for("STATUS=Looking for a router whose WPS button was pressed");
    daemon.post("/api/v1/sim/press");
    manager.wait_for("STATUS=Paired with \"Home\"");

    daemon.signal(Signal::TERM);
    manager.wait_for("STOPPING=1");
    assert_eq!(daemon.exit_code(), Some(0));
    assert_eq!(manager.received.iter().filter(|it| *it == "READY=1").count(), 1);
}

#[test]
fn a_stopped_daemon_does_not_feed_the_watchdog() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let mut manager = ServiceManager::bind(&path);
    let daemon = Daemon::spawn(
        demo(&[])
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "200000")
            .env_remove("WATCHDOG_PID"),
    );
    manager.wait_for("WATCHDOG=1");
    daemon.signal(Signal::STOP);
    manager.socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
    while manager.socket.recv(&mut [0; 1024]).is_ok() {} // messages from before the stop
    assert!(manager.socket.recv(&mut [0; 1024]).is_err());
    daemon.signal(Signal::CONT);
    manager.socket.set_read_timeout(Some(STEP_TIMEOUT)).expect("a timeout");
    manager.wait_for("WATCHDOG=1");
}

#[test]
fn a_missing_or_invalid_watchdog_is_ignored() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    for (variable, value) in [
        ("WATCHDOG_USEC", "0"),
        ("WATCHDOG_USEC", "x"),
        ("WATCHDOG_USEC", "1"), // and the service manager does not read
        ("NOTIFY_SOCKET", "/nowhere/notify"),
    ] {
        let _ = fs::remove_file(&path);
        let _manager = ServiceManager::bind(&path);
        let mut daemon = Daemon::spawn(demo(&[]).env("NOTIFY_SOCKET", &path).env(variable, value));
        daemon.wait_for(|status| status["state"] == "idle");
        daemon.post(WPS);
        daemon.wait_for(|status| status["seen"] == "not_pressed");
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.exit_code(), Some(0), "{variable}={value}");
    }
}
