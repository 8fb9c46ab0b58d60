//! `wpsd` as a process, on a machine that was set up before it: curl, signals, its record. `lab/test`
//! puts the program beside the test.
#![allow(dead_code, unreachable_pub)] // each test binary uses a part of it

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use wps_core::Record;

pub use crate::lab::status;
use crate::lab::{Router, SavedNetwork, Supplicant, radios_idle, run, until};

pub const SHORT: Duration = Duration::from_secs(40);
pub const WPS: &str = "http://127.0.0.1:8080/api/v1/wifi/wps";
pub const STATE: &str = "/run/lab/wpsd";

pub fn wpsd(flags: &str) -> Command {
    let beside = std::env::current_exe().expect("this program").with_file_name("wpsd");
    let mut command = Command::new(beside);
    command.args(["--state-dir", STATE]).args(flags.split_whitespace()).stdin(Stdio::null());
    command
}

/// A running daemon on `wlan1`.
pub struct Daemon(Child);

impl Daemon {
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with("")
    }

    #[track_caller]
    pub fn start_with(flags: &str) -> Self {
        Self::begin(&mut wpsd(&format!("--interface wlan1 {flags}")))
    }

    #[track_caller]
    pub fn begin(command: &mut Command) -> Self {
        let child = command.spawn().expect("wpsd starts");
        until(SHORT, "wpsd is at rest", || status("state").filter(|state| state == "idle"));
        Self(child)
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.0.kill().expect("a running wpsd");
        self.0.wait().expect("its end");
    }

    /// SIGTERM; gives the exit code.
    pub fn terminate(mut self) -> Option<i32> {
        run(&format!("kill {}", self.0.id()));
        self.0.wait().expect("its end").code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Headers and body, as curl prints them.
#[track_caller]
pub fn curl(arguments: &str) -> String {
    run(&format!("curl -s -S -i -m 10 {arguments}"))
}

#[track_caller]
pub fn wait_for(field: &str, value: &str) {
    let what = format!("{field} {value}");
    until(Duration::from_secs(150), &what, || status(field).filter(|it| it == value));
}

pub fn record() -> Option<Record> {
    let bytes = fs::read(Path::new(STATE).join("wlan1.record")).ok()?;
    Some(Record::decode(&bytes).expect("a whole record"))
}

/// A machine that is connected to its old network, from wpa_supplicant's own file.
pub struct Machine {
    _old: Router,
    pub station: Supplicant,
    pub networks: Vec<SavedNetwork>,
}

pub fn machine() -> Machine {
    radios_idle();
    let old = Router::setup(2, "old").channel(11).start();
    let config = format!("freq_list=2412 2437 2462\n{}", old.network_block());
    let station = Supplicant::start(1, &config);
    station.wait_connected("old", SHORT);
    let networks = station.networks();
    Machine { _old: old, station, networks }
}

impl Machine {
    #[track_caller]
    pub fn assert_as_it_was(&self) {
        self.station.wait_connected("old", SHORT);
        assert_eq!(self.station.networks(), self.networks);
        assert!(!matches!(record(), Some(Record::Pairing { .. })), "the journal is closed");
    }
}
