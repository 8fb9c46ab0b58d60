//! Notifications for the service manager (sd_notify): ready, watchdog, status, stopping.
//!
//! Ready means that the record was read and the port is open: from then on clients get a response.
//! It does not mean that the radio works: a radio can be switched off for days, and the page says
//! so.

use std::convert::Infallible;
use std::future::pending;
use std::io;

use sd_notify::NotifyState;
use tokio::task::spawn_blocking;
use tokio::time::{Duration, MissedTickBehavior, interval, timeout};
use wps_core::{Phase, Status};

use crate::serve::CONTROL;

/// How long the daemon waits for the service manager to accept a notification.
const NOTIFY_TIMEOUT: Duration = Duration::from_secs(1);
/// The shortest time between two watchdog notifications.
const MIN_WATCHDOG_INTERVAL: Duration = Duration::from_millis(1);

/// Notifies the service manager that the daemon is ready.
pub(crate) async fn ready() {
    let _ = timeout(NOTIFY_TIMEOUT, notify(|| sd_notify::notify(&[NotifyState::Ready]))).await;
}

/// Notifies the service manager that the daemon is stopping.
pub(crate) async fn stopping() {
    let notified =
        notify(|| sd_notify::notify(&[NotifyState::Stopping, NotifyState::Status("Stopping")]));
    let _ = timeout(NOTIFY_TIMEOUT, notified).await;
}

/// Sends watchdog notifications, twice as often as the service manager requires, and the status.
/// Never returns.
///
/// This runs in the same task as the runner, so a runner that blocks also stops the watchdog
/// notifications. A runner that only waits does so until the instant of its command at most.
pub(crate) async fn run() -> Infallible {
    let (never, _) = tokio::join!(feed_watchdog(), report_status());
    never
}

async fn feed_watchdog() -> Infallible {
    let watchdog = sd_notify::watchdog_enabled().filter(|timeout| !timeout.is_zero());
    let Some(watchdog_timeout) = watchdog else { return pending().await };
    let mut ticks = interval((watchdog_timeout / 2).max(MIN_WATCHDOG_INTERVAL));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        notify(|| sd_notify::notify(&[NotifyState::Watchdog])).await;
    }
}

async fn report_status() -> Infallible {
    let listener = std::env::var_os("NOTIFY_SOCKET").and_then(|_| CONTROL.listen());
    let Some(mut listener) = listener else { return pending().await };
    let mut status = listener.get().await;
    let mut last_sent = String::new();
    loop {
        let text = sentence(&status);
        if last_sent != text {
            last_sent.clone_from(&text);
            notify(move || sd_notify::notify(&[NotifyState::Status(&text)])).await;
        }
        status = listener.changed().await;
    }
}

/// Describes a phase that a later version of `wps-core` may add.
const OTHER_PHASE: &str = "Working";

/// Describes the status on one line, even if the name of a network contains line breaks.
fn sentence(status: &Status) -> String {
    let activity = match &status.phase {
        Phase::Idle => match &status.network {
            Some(ssid) => format!("Paired with {ssid:?}"),
            None => "Not paired".into(),
        },
        Phase::Journaling => "Starting to pair".into(),
        Phase::Searching => "Looking for a router whose WPS button was pressed".into(),
        Phase::Joining { ssid } => format!("Joining {ssid:?}"),
        Phase::Saving => "Saving".into(),
        Phase::Configuring => "Changing the settings".into(),
        Phase::Restoring => "Applying the settings".into(),
        _ => OTHER_PHASE.into(),
    };
    match status.trouble {
        Some(cause) => format!("{activity}; {cause}"),
        None => activity,
    }
}

/// Sends a notification from another thread: a service manager that does not read must not block a
/// pairing.
async fn notify(send: impl FnOnce() -> io::Result<()> + Send + 'static) {
    match spawn_blocking(send).await.map_err(io::Error::other).flatten() {
        Ok(()) => {}
        Err(error) => tracing::debug!("cannot notify the service manager: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use wps_core::sim::samples;
    use wps_core::{Cause, ErrorKind, Mode, Ssid};

    use super::*;

    #[test]
    fn the_name_of_a_network_cannot_inject_notifications() {
        let ssid = Ssid::new(b"x\nREADY=1\nSTOPPING=1").expect("a name");
        for phase in [Phase::Joining { ssid: ssid.clone() }, Phase::Idle] {
            let mut status = Status::new(phase, Mode::Station);
            status.network = Some(ssid.clone());
            status.trouble = Some(Cause::Driver(ErrorKind::WrongKey));
            let line = sentence(&status);
            assert!(line.contains(r#""x\nREADY=1\nSTOPPING=1""#), "{line}");
            assert_eq!(line.lines().count(), 1, "{line}");
        }
    }

    #[test]
    fn each_phase_and_each_cause_has_its_sentence() {
        let phases = samples::phases().map(|phase| sentence(&Status::new(phase, Mode::Station)));
        assert!(!phases.iter().any(|line| line.contains(OTHER_PHASE)), "{phases:?}");
        let different: HashSet<_> = phases.iter().collect();
        assert_eq!(different.len(), phases.len(), "{phases:?}");
        for cause in Cause::ALL {
            let mut status = Status::new(Phase::Restoring, Mode::Station);
            status.trouble = Some(*cause);
            assert_eq!(sentence(&status), format!("Applying the settings; {cause}"));
        }
    }

    #[test]
    fn a_key_that_the_network_refuses_is_named_while_idle() {
        let mut status = Status::new(Phase::Idle, Mode::Station);
        status.network = Ssid::new(b"Home").ok();
        status.trouble = Some(Cause::KeyRefused);
        let expected = r#"Paired with "Home"; the network no longer accepts its saved key"#;
        assert_eq!(sentence(&status), expected);
    }
}
