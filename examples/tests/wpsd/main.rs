//! Tests the daemon as a process, the way users run it: its port, keys, signals and exit code.

mod access;
mod button_and_lamp;
mod demo_program;
mod factory_settings;
mod flags;
mod pairing;
mod service_manager;
mod simulator;

use std::process::{Command, Output};

use wps_testkit::daemon::{self, Daemon};

/// Returns the command that runs `wpsd` with these flags.
fn wpsd(flags: &[&str]) -> Command {
    let mut command = daemon::command(env!("CARGO_BIN_EXE_wpsd"));
    command.args(flags);
    command
}

/// Returns the command that runs `wpsd` with a simulated radio and these flags.
fn demo(flags: &[&str]) -> Command {
    wpsd(&[&["demo"], flags].concat())
}

fn start() -> Daemon {
    Daemon::spawn(&mut demo(&["--name", "device.example"]))
}

/// Runs `wpsd demo` with wrong flags and returns its exit code and its error message.
#[track_caller]
fn run_with_error(flags: &[&str]) -> (Option<i32>, String) {
    error_of(demo(flags))
}

/// Runs a command that fails and returns its exit code and its error message.
#[track_caller]
fn error_of(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().expect("wpsd starts");
    (status.code(), String::from_utf8(stderr).expect("text"))
}

#[test]
fn the_smallest_program_pairs() {
    let Output { status, stdout, .. } =
        Command::new(env!("CARGO_BIN_EXE_smallest")).output().expect("the program starts");
    let text = String::from_utf8(stdout).expect("text");
    assert!(status.success() && text.contains("Paired with home"), "{text}");
}
