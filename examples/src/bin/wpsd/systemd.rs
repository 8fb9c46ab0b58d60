//! What a service manager is told (sd_notify): ready, still alive, how it stands, stopping.
//!
//! Ready means that the record was read and the port is open: whoever connects from now on is answered.
//! It does not wait for the radio, which may be switched off for days, and the page says so.

use std::convert::Infallible;
use std::future::pending;

use sd_notify::NotifyState;
use tokio::time::{Duration, interval};
use wps_core::{Phase, Status};

use crate::serve::DESK;

/// No watchdog is asked for more often than this.
const BREATH: Duration = Duration::from_millis(1);

pub(crate) fn ready() {
    notify(&[NotifyState::Ready]);
}

pub(crate) fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("Stopping")]);
}

/// Tells that the daemon is alive, twice as often as asked for, and how it stands.
///
/// It runs in the same task as the runner: whatever blocks that one keeps this from being told. A
/// runner that merely waits never does so past the instant of its command.
pub(crate) async fn keep_telling() -> Infallible {
    let (never, _) = tokio::join!(alive(), news());
    never
}

async fn alive() -> Infallible {
    let Some(limit) = sd_notify::watchdog_enabled() else { return pending().await };
    let mut beat = interval((limit / 2).max(BREATH));
    loop {
        beat.tick().await;
        notify(&[NotifyState::Watchdog]);
    }
}

async fn news() -> Infallible {
    let Some(mut news) = DESK.listen() else { return pending().await };
    let mut status = news.get().await;
    let mut told = String::new();
    loop {
        let text = sentence(&status);
        if told != text {
            notify(&[NotifyState::Status(&text)]);
            told = text;
        }
        status = news.changed().await;
    }
}

/// How it stands, on one line whatever a network calls itself.
fn sentence(status: &Status) -> String {
    let doing = match &status.phase {
        Phase::Idle => match &status.network {
            Some(ssid) => format!("Paired with {ssid:?}"),
            None => "Not paired".into(),
        },
        Phase::Opening => "Starting to pair".into(),
        Phase::Searching => "Looking for a router whose WPS button was pressed".into(),
        Phase::Joining { ssid } => format!("Joining {ssid:?}"),
        Phase::Saving => "Saving".into(),
        Phase::Configuring => "Changing the settings".into(),
        Phase::Restoring => "Putting the settings in force".into(),
    };
    match status.trouble {
        Some(cause) => format!("{doing}; {cause}"),
        None => doing,
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("the service manager cannot be told: {error}");
    }
}

#[cfg(test)]
mod tests {
    use wps_core::driver::Sight;
    use wps_core::{Cause, ErrorKind, Mode, Ssid};

    use super::*;

    #[test]
    fn a_network_cannot_speak_to_the_service_manager() {
        let ssid = Ssid::new(b"x\nREADY=1\nSTOPPING=1").expect("a name");
        let status = Status {
            phase: Phase::Joining { ssid: ssid.clone() },
            deadline: None,
            seen: Sight::Looking,
            mode: Mode::Station,
            network: Some(ssid),
            last: None,
            trouble: Some(Cause::Driver(ErrorKind::WrongKey)),
        };
        for phase in [status.phase.clone(), Phase::Idle] {
            let said = sentence(&Status { phase, ..status.clone() });
            assert!(said.contains(r#""x\nREADY=1\nSTOPPING=1""#), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
}
