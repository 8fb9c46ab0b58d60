//! `wpsd demo`, and the program `demo` that `cargo run` starts.

use std::os::unix::net::UnixListener;
use std::process::Command;

use serde_json::Value;
use wps_testkit::daemon::{self, Daemon, WPS};

use crate::demo;

fn demo_program() -> Command {
    daemon::command(env!("CARGO_BIN_EXE_demo"))
}

#[test]
fn both_have_the_same_flags_and_the_same_address() {
    let help = |mut command: Command| {
        let output = command.arg("--help").output().expect("it starts");
        let text = String::from_utf8(output.stdout).expect("text");
        let (_, options) = text.split_once("Options:").expect("options");
        options.to_owned()
    };
    let of_demo = help(demo_program());
    assert!(of_demo.contains("[default: 127.0.0.1:8080]"), "{of_demo}");
    // The program itself has a version, unlike a subcommand.
    let without_version = |text: String| {
        let lines = text.lines().map(str::trim).filter(|it| !it.is_empty());
        let lines = lines.filter(|it| !it.contains("--version") && *it != "Print version");
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_version(of_demo), without_version(help(demo(&[]))));
}

/// `wps-hal-linux/tests/daemon.rs` checks the same where there are radios.
#[test]
fn both_pair_without_asking_who_manages_the_radios() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("bus");
    let bus = UnixListener::bind(&path).expect("a socket");
    bus.set_nonblocking(true).expect("a socket");
    for mut command in [demo_program(), demo(&[])] {
        command.env("DBUS_SYSTEM_BUS_ADDRESS", format!("unix:path={}", path.display()));
        let daemon = Daemon::spawn(&mut command);
        assert_eq!(daemon.post(WPS).status(), 204);
        daemon.wait_for(|status| status["seen"] == "not_pressed");
        assert_eq!(daemon.post("/api/v1/sim/press").status(), 204);
        daemon.wait_for(|status: &Value| status["last"]["result"] == "ok");
        assert!(bus.accept().is_err(), "it has connected to the system bus");
    }
}
