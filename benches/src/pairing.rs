//! The scenario that is measured: a whole pairing, as a sequence of inputs to the machine.

use core::time::Duration;

use wps_core::command::{Command, Input};
use wps_core::driver::{ErrorKind, Offer};
use wps_core::{
    AccessPoint, AfterFailure, Credentials, Instant, KeptBy, Loaded, Machine, Record, RequestError,
    Settings, Snapshot,
};
use wps_testkit::network;

use crate::peer::Peer;

/// The interface that both pairing machines share.
pub trait PairingMachine {
    /// Handles an input, and returns the reply to the requests that wait.
    fn handle(&mut self, now: Instant, input: Input) -> Option<Result<(), RequestError>>;
    /// Returns the current command.
    fn command(&self) -> Command;
}

impl PairingMachine for Machine {
    fn handle(&mut self, now: Instant, input: Input) -> Option<Result<(), RequestError>> {
        self.handle(now, input)
    }

    fn command(&self) -> Command {
        self.command()
    }
}

impl PairingMachine for Peer {
    fn handle(&mut self, now: Instant, input: Input) -> Option<Result<(), RequestError>> {
        self.handle(now, input)
    }

    fn command(&self) -> Command {
        self.command()
    }
}

/// Returns our machine, for a device that is an access point.
pub fn ours() -> Machine {
    let loaded = Loaded::Record(Record::Settled(settings()));
    Machine::boot(Instant::from_millis(0), loaded, settings(), AfterFailure::default())
}

/// Returns the statig machine, for the same device.
pub fn peer() -> Peer {
    Peer::boot(settings(), AfterFailure::default())
}

/// Runs a pairing from boot to the saved network, and returns the number of steps. The first
/// exchange and the first join fail. A step asks the machine for its command and sends it the
/// matching input.
pub fn pair(machine: &mut impl PairingMachine) -> u32 {
    let (mut exchanges, mut joins, mut steps) = (0, 0, 0);
    let mut now = Instant::from_millis(0);
    let mut started = false;
    loop {
        now = now.after(Duration::from_millis(300));
        let input = match machine.command() {
            Command::Idle(_) if started => return steps,
            Command::Idle(_) => {
                started = true;
                Input::Start { reply_grace: Duration::from_millis(500), only: None }
            }
            Command::Pause(until) => {
                now = until;
                Input::Elapsed
            }
            Command::Snapshot { .. } => Input::SnapshotTaken(Ok(Snapshot::default())),
            Command::Save(..) => Input::Saved(Ok(())),
            Command::Apply(..) => Input::Applied(Ok(())),
            Command::Pair { .. } => {
                exchanges += 1;
                let offer = || Offer::new([net(b"guest"), net(b"home net")]).expect("two");
                let failed = Err(ErrorKind::RouterLost);
                Input::Offered(if exchanges == 1 { failed } else { Ok(offer()) })
            }
            Command::Join(..) => {
                joins += 1;
                Input::Joined(if joins == 1 { Err(ErrorKind::NotFound) } else { Ok(()) })
            }
            Command::Keep(..) => Input::Kept(Ok(KeptBy::Record)),
        };
        machine.handle(now, input);
        steps += 1;
    }
}

fn settings() -> Settings {
    let access_point = AccessPoint { network: net(b"device"), channel: Some(6) };
    Settings::AccessPoint { access_point, remembered: None }
}

/// Returns a network whose key has an ordinary length.
fn net(name: &[u8]) -> Credentials {
    network(name, b"correct horse")
}
