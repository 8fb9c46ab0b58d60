//! Finds out which program manages a Wi-Fi interface. Two managers of one radio would undo each
//! other's changes.

mod bus;
mod findings;

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::LinuxError;
use crate::interface::require_wifi;
use crate::supplicant::control_socket::{ControlSocket, ControlSocketError};
use findings::{Findings, NetworkManagerState, Owner, QueryError};

/// How long a NetworkManager that is starting may take until it manages the interface.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// The time between two queries to a NetworkManager that is starting.
const START_POLL_INTERVAL: Duration = Duration::from_millis(200);
/// How often a system bus that does not answer is asked when the driver is chosen.
const MAX_BUS_ATTEMPTS: u32 = 3;

/// The program that decides which networks a Wi-Fi interface joins, and so the driver to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Manager {
    /// wpa_supplicant alone: use [`WpaSupplicant`](crate::WpaSupplicant).
    WpaSupplicant,
    /// NetworkManager: use [`NetworkManager`](crate::NetworkManager).
    NetworkManager,
}

impl Manager {
    /// Finds out which program manages `interface`. Changes nothing.
    ///
    /// `control_dir` is the directory of wpa_supplicant's control sockets (`/run/wpa_supplicant` on
    /// most systems). If NetworkManager is just starting, and there is no control socket, this
    /// waits for it, for up to 10 s. If the system bus does not answer, this logs that, and checks
    /// only the control socket.
    ///
    /// # Errors
    /// Returns an error that says what to do if there is no such Wi-Fi interface, if a program
    /// manages it for which there is no driver, or if none does; and if a program that might manage
    /// it does not answer.
    pub async fn of(interface: &str, control_dir: &Path) -> Result<Self, LinuxError> {
        require_wifi(interface)?;
        let end = Instant::now() + START_TIMEOUT;
        loop {
            let findings = collect_with_patience(interface).await?;
            let socket = ControlSocket::connect(control_dir, interface);
            if findings.network_manager == Some(NetworkManagerState::Starting)
                && socket.is_err()
                && Instant::now() < end
            {
                sleep(START_POLL_INTERVAL).await;
                continue;
            }
            return match socket {
                Ok(_) => findings.manager_with_socket(interface),
                Err(error @ ControlSocketError::Unreachable { .. }) => {
                    let manager = findings.manager_without_socket(interface, control_dir);
                    manager.unwrap_or_else(|| Err(error.into()))
                }
                Err(error) => findings
                    .require_owner(interface, |it| it == Owner::NetworkManager)
                    .and(Err(error.into())),
            };
        }
    }

    /// Returns the name of the program.
    pub fn name(self) -> &'static str {
        match self {
            Self::WpaSupplicant => "wpa_supplicant",
            Self::NetworkManager => "NetworkManager",
        }
    }
}

/// Collects what is known about `interface`, also if the system bus is slow.
async fn collect_with_patience(interface: &str) -> Result<Findings, LinuxError> {
    let mut attempt = 1;
    loop {
        match Findings::collect(interface).await {
            Ok(findings) => return Ok(findings),
            Err(QueryError::Program(error)) => return Err(error),
            Err(QueryError::Bus(_)) if attempt < MAX_BUS_ATTEMPTS => attempt += 1,
            Err(QueryError::Bus(error)) => {
                tracing::warn!(
                    "the system bus does not say which program manages {interface} ({error}): \
                     assuming that none does but wpa_supplicant"
                );
                return Ok(Findings::default());
            }
        }
    }
}

/// Checks that no program but wpa_supplicant itself manages `interface`.
///
/// # Errors
/// Returns [`LinuxError::ManagedByOther`].
pub(crate) async fn require_supplicant_alone(interface: &str) -> Result<(), LinuxError> {
    require(interface, |findings| findings.require_owner(interface, |_| false)).await
}

/// Checks that NetworkManager, if it runs, manages `interface`, and does so with wpa_supplicant.
/// If wpa_supplicant has control sockets, they are in `control_dir`.
///
/// # Errors
/// Returns an error that says who manages the interface, and what to do.
pub(crate) async fn require_network_manager(
    interface: &str,
    control_dir: &Path,
) -> Result<(), LinuxError> {
    let check = |findings: &Findings| {
        // Not before the query: wpa_supplicant removes its object on the bus first.
        let has_socket = ControlSocket::connect(control_dir, interface).is_ok();
        findings.require_network_manager(interface, has_socket)
    };
    require(interface, check).await
}

/// Checks what the programs on the bus say about `interface`. The driver is chosen already, by
/// [`Manager::of`] or by the user, so a program that hangs now must not stop it.
async fn require(
    interface: &str,
    check: impl FnOnce(&Findings) -> Result<(), LinuxError>,
) -> Result<(), LinuxError> {
    match Findings::collect(interface).await {
        Ok(findings) => return check(&findings),
        Err(QueryError::Program(error)) => tracing::warn!("{error}"),
        Err(QueryError::Bus(error)) => {
            tracing::warn!(
                "the system bus does not say which program manages {interface} ({error})"
            );
        }
    }
    Ok(())
}
