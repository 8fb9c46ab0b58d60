//! What a service manager is told (sd_notify): ready, still alive, how it stands, stopping.
//!
//! Ready means that the record was read and the port is open: whoever connects from now on is answered.
//! It does not wait for the radio, which may be switched off for days, and the page says so.

use std::convert::Infallible;
use std::future::pending;
use std::io;

use sd_notify::NotifyState;
use tokio::task::spawn_blocking;
use tokio::time::{Duration, MissedTickBehavior, interval, timeout};
use wps_core::{Phase, Status};

use crate::serve::CONTROL;

/// How long a service manager may take to listen before the daemon goes on without it.
const PATIENCE: Duration = Duration::from_secs(1);
/// A watchdog is told no more often than this.
const BREATH: Duration = Duration::from_millis(1);

pub(crate) async fn ready() {
    let _ = timeout(PATIENCE, notify(|| sd_notify::notify(&[NotifyState::Ready]))).await;
}

pub(crate) async fn stopping() {
    let told =
        notify(|| sd_notify::notify(&[NotifyState::Stopping, NotifyState::Status("Stopping")]));
    let _ = timeout(PATIENCE, told).await;
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
    let limit = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero());
    let Some(limit) = limit else { return pending().await };
    let mut beat = interval((limit / 2).max(BREATH));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        notify(|| sd_notify::notify(&[NotifyState::Watchdog])).await;
    }
}

async fn news() -> Infallible {
    let asked = std::env::var_os("NOTIFY_SOCKET").and_then(|_| CONTROL.listen());
    let Some(mut news) = asked else { return pending().await };
    let mut status = news.get().await;
    let mut told = String::new();
    loop {
        let text = sentence(&status);
        if told != text {
            told.clone_from(&text);
            notify(move || sd_notify::notify(&[NotifyState::Status(&text)])).await;
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
        Phase::Journaling => "Starting to pair".into(),
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

/// Off the task: a service manager that does not listen must not keep a pairing from going on.
async fn notify(tell: impl FnOnce() -> io::Result<()> + Send + 'static) {
    match spawn_blocking(tell).await.map_err(io::Error::other).flatten() {
        Ok(()) => {}
        Err(error) => tracing::debug!("the service manager cannot be told: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use wps_core::driver::SearchProgress;
    use wps_core::{Cause, ErrorKind, Mode, Ssid};

    use super::*;

    #[test]
    fn a_network_cannot_speak_to_the_service_manager() {
        let ssid = Ssid::new(b"x\nREADY=1\nSTOPPING=1").expect("a name");
        let status = Status {
            phase: Phase::Joining { ssid: ssid.clone() },
            deadline: None,
            seen: SearchProgress::Looking,
            off_air: false,
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
