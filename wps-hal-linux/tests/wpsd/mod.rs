//! `wpsd` as a process, on a host that was already connected: curl, signals, and the record.
//!
//! `lab/test` puts the program into the test's directory.
#![allow(dead_code, unreachable_pub)] // each test binary uses only a part of it

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use wps_core::Record;
use wps_testkit::daemon::{Process, command};

pub use crate::lab::status;
use crate::lab::{Router, SavedNetwork, Supplicant, reset_radios, run, until};

/// How long one step of a test may take.
pub const STEP_TIMEOUT: Duration = Duration::from_secs(40);
pub const WPS: &str = "http://127.0.0.1:8080/api/v1/wifi/wps";
/// The state directory.
pub const STATE_DIR: &str = "/run/lab/wpsd";

/// Returns the command that runs `wpsd` with these flags.
pub fn wpsd(flags: &str) -> Command {
    let program = std::env::current_exe().expect("this program").with_file_name("wpsd");
    let mut command = command(program);
    command.args(["--state-dir", STATE_DIR]).args(flags.split_whitespace());
    command
}

/// A running `wpsd` on `wlan1`.
pub struct Daemon(Process);

impl Daemon {
    /// Starts it without further flags, and waits until it is idle.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts it with more flags, and waits until it is idle.
    #[track_caller]
    pub fn start_with(flags: &str) -> Self {
        Self::spawn(&mut wpsd(&format!("--interface wlan1 {flags}")))
    }

    /// Spawns a command that runs it, and waits until it is idle.
    #[track_caller]
    pub fn spawn(command: &mut Command) -> Self {
        Self::spawn_until(command, || status("state").filter(|state| state == "idle"))
    }

    /// Spawns a command that runs it, and waits until `probe` returns `Some`.
    #[track_caller]
    pub fn spawn_until<T>(command: &mut Command, probe: impl FnMut() -> Option<T>) -> Self {
        let process = Process::spawn(command);
        until(STEP_TIMEOUT, "wpsd has started", probe);
        Self(process)
    }

    /// Returns the id of the process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(mut self) {
        self.0.kill();
    }

    /// Sends SIGTERM and returns the exit code.
    pub fn terminate(mut self) -> Option<i32> {
        self.0.terminate()
    }
}

/// Runs curl and returns the response's headers and body.
#[track_caller]
pub fn curl(arguments: &str) -> String {
    run(&format!("curl -s -S -i -m 10 {arguments}"))
}

/// Waits until a field of the status has this value.
#[track_caller]
pub fn wait_for(field: &str, value: &str) {
    let what = format!("{field} {value}");
    until(Duration::from_secs(150), &what, || status(field).filter(|it| it == value));
}

/// Returns the record on disk, or `None` if there is none.
pub fn record() -> Option<Record> {
    let bytes = fs::read(Path::new(STATE_DIR).join("wlan1.record")).ok()?;
    Some(Record::decode(&bytes).expect("a whole record"))
}

/// A host that is connected to its old network, which is in wpa_supplicant's own configuration
/// file.
pub struct Host {
    _old: Router,
    pub station: Supplicant,
    pub networks: Vec<SavedNetwork>,
}

/// Resets the radios, and connects the host to its old network.
pub fn host() -> Host {
    reset_radios();
    let old = Router::setup(2, "old").channel(11).start();
    let config = format!("freq_list=2412 2437 2462\n{}", old.network_block());
    let station = Supplicant::start(1, &config);
    station.wait_connected("old", STEP_TIMEOUT);
    let networks = station.networks();
    Host { _old: old, station, networks }
}

impl Host {
    /// Asserts that the connection and the networks are as before, and that no pairing is
    /// journalled.
    #[track_caller]
    pub fn assert_unchanged(&self) {
        self.station.wait_connected("old", STEP_TIMEOUT);
        assert_eq!(self.station.networks(), self.networks);
        assert!(!matches!(record(), Some(Record::Pairing { .. })), "the journal is closed");
    }
}
