//! Finds out which program manages a Wi-Fi interface. Two managers of one radio would undo each
//! other's changes.

mod bus;

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::LinuxError;
use crate::interface::require_wifi;
use crate::supplicant::control_socket::{ControlSocket, ControlSocketError};
use bus::{ManagedState, Queries, SupplicantState};

/// How long a NetworkManager that is starting may take until it manages the interface.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// The time between two queries to a NetworkManager that is starting.
const START_POLL_INTERVAL: Duration = Duration::from_millis(200);

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
    /// most systems). If NetworkManager is just starting, this waits for it, for up to 10 s. If the
    /// system bus does not answer, this logs that, and checks only the control socket.
    ///
    /// # Errors
    /// Returns an error that says what to do if there is no such Wi-Fi interface, if a program
    /// manages it for which there is no driver, or if none does; and if a program that might manage
    /// it does not answer.
    pub async fn of(interface: &str, control_dir: &Path) -> Result<Self, LinuxError> {
        require_wifi(interface)?;
        let findings = Findings::collect_when_started(interface).await?;
        match findings.owner {
            Some(Owner::NetworkManager) => return Ok(Self::NetworkManager),
            Some(owner) => return Err(LinuxError::ManagedByOther(owner.advice(interface))),
            None => {}
        }
        match ControlSocket::connect(control_dir, interface) {
            Ok(_) if findings.supplicant == Some(SupplicantState::ForManager) => {
                Err(LinuxError::NoManager(format!(
                    "wpa_supplicant holds {interface} for a network manager that does not run: \
                     start it, for example with `sudo systemctl start NetworkManager`, or choose \
                     wpa_supplicant alone (wpsd: --manager wpa-supplicant)"
                )))
            }
            Ok(_) => Ok(Self::WpaSupplicant),
            Err(error @ ControlSocketError::Unreachable { .. }) => {
                Err(findings.no_manager(interface, control_dir).unwrap_or(error.into()))
            }
            Err(error) => Err(error.into()),
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

/// Checks that no program but wpa_supplicant itself manages `interface`.
///
/// # Errors
/// Returns [`LinuxError::ManagedByOther`].
pub(crate) async fn require_supplicant_alone(interface: &str) -> Result<(), LinuxError> {
    require_owner(interface, |_| false).await
}

/// Checks that NetworkManager, if it manages `interface`, does so with wpa_supplicant.
///
/// # Errors
/// Returns [`LinuxError::ManagedByOther`].
pub(crate) async fn require_supplicant_backend(interface: &str) -> Result<(), LinuxError> {
    require_owner(interface, |owner| owner == Owner::NetworkManager).await
}

/// Checks that the owner of `interface`, if there is one, is the right one.
async fn require_owner(
    interface: &str,
    is_right: impl Fn(Owner) -> bool,
) -> Result<(), LinuxError> {
    match Findings::collect(interface).await {
        Ok(Findings { owner: Some(owner), .. }) if !is_right(owner) => {
            Err(LinuxError::ManagedByOther(owner.advice(interface)))
        }
        Ok(_) => Ok(()),
        Err(error) => {
            // The driver was chosen before, so a program that hangs now does not manage it.
            tracing::warn!("{error}");
            Ok(())
        }
    }
}

/// A program that manages an interface through wpa_supplicant or in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    NetworkManager,
    NetworkManagerWithIwd,
    Iwd,
    ConnMan,
}

impl Owner {
    /// Says that this program manages `interface`, and what to do.
    fn advice(self, interface: &str) -> String {
        match self {
            Self::NetworkManager => format!(
                "NetworkManager manages {interface}: use the driver for NetworkManager (wpsd \
                 chooses it by itself, without --manager)"
            ),
            Self::NetworkManagerWithIwd => format!(
                "NetworkManager uses iwd for {interface}, which this program cannot pair with: \
                 install wpa_supplicant, remove wifi.backend=iwd from NetworkManager's \
                 configuration, and run `sudo systemctl disable --now iwd; sudo systemctl restart \
                 NetworkManager` (this cuts the connection of {interface})"
            ),
            Self::Iwd => format!(
                "iwd manages {interface}, which this program cannot pair with: install \
                 NetworkManager with wpa_supplicant, and run `sudo systemctl disable --now iwd` \
                 (this cuts the connections of all Wi-Fi interfaces)"
            ),
            Self::ConnMan => format!(
                "ConnMan manages {interface}, which this program cannot pair with: install \
                 NetworkManager with wpa_supplicant, and run `sudo systemctl disable --now \
                 connman` (this cuts all connections of this machine)"
            ),
        }
    }
}

/// What the programs on the system bus say about an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Findings {
    owner: Option<Owner>,
    /// `None` if NetworkManager does not run.
    network_manager: Option<ManagedState>,
    /// `None` if no wpa_supplicant is on the bus.
    supplicant: Option<SupplicantState>,
}

impl Findings {
    /// Asks the programs on the system bus about `interface`.
    async fn collect(interface: &str) -> Result<Self, LinuxError> {
        let queries = match Queries::connect(interface).await {
            Ok(Some(queries)) => queries,
            Ok(None) => return Ok(Self::default()),
            Err(error) => {
                tracing::warn!(
                    "the system bus does not say which program manages {interface} ({error}): \
                     assuming that none does but wpa_supplicant"
                );
                return Ok(Self::default());
            }
        };
        let network_manager = queries.network_manager().await?;
        let iwd = queries.is_in_iwd().await?;
        let supplicant = queries.supplicant().await;
        let is_managed = network_manager == Some(ManagedState::Managed);
        let owner = match (is_managed, iwd) {
            (true, false) => Some(Owner::NetworkManager),
            (true, true) => Some(Owner::NetworkManagerWithIwd),
            (false, true) => Some(Owner::Iwd),
            (false, false) => {
                let is_for_manager = supplicant == Some(SupplicantState::ForManager);
                queries.is_in_connman(is_for_manager).await?.then_some(Owner::ConnMan)
            }
        };
        Ok(Self { owner, network_manager, supplicant })
    }

    /// Does the same, but waits for a NetworkManager that is starting.
    async fn collect_when_started(interface: &str) -> Result<Self, LinuxError> {
        let end = Instant::now() + START_TIMEOUT;
        loop {
            let findings = Self::collect(interface).await?;
            let is_starting = findings.network_manager == Some(ManagedState::Starting);
            if !is_starting || Instant::now() > end {
                return Ok(findings);
            }
            sleep(START_POLL_INTERVAL).await;
        }
    }

    /// Returns the error for an interface without a manager and without a control socket. Returns
    /// `None` if no program is known that could manage it.
    fn no_manager(&self, interface: &str, control_dir: &Path) -> Option<LinuxError> {
        let directory = control_dir.display();
        let message = match self.supplicant {
            _ if self.network_manager.is_some() => format!(
                "NetworkManager does not manage {interface}, and wpa_supplicant has no control \
                 socket for it in {directory}: to let NetworkManager manage it, remove \
                 {interface} from `unmanaged-devices` in its configuration, and run `nmcli device \
                 set {interface} managed yes`"
            ),
            Some(SupplicantState::WithConfiguration | SupplicantState::ForManager) => format!(
                "wpa_supplicant serves {interface} only over D-Bus, and no network manager uses \
                 it: add the line `ctrl_interface={directory}` to wpa_supplicant's configuration, \
                 and restart wpa_supplicant (this cuts the connection of {interface})"
            ),
            Some(SupplicantState::WithoutInterface) => format!(
                "wpa_supplicant runs, but not for {interface}: add the line \
                 `ctrl_interface={directory}` to \
                 /etc/wpa_supplicant/wpa_supplicant-{interface}.conf, and run `sudo systemctl \
                 enable --now wpa_supplicant@{interface}`"
            ),
            None => return None,
        };
        Some(LinuxError::NoManager(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_owner_has_its_advice() {
        let all = [Owner::NetworkManager, Owner::NetworkManagerWithIwd, Owner::Iwd, Owner::ConnMan];
        let advice: std::collections::HashSet<_> =
            all.iter().map(|owner| owner.advice("wlan7")).collect();
        assert_eq!(advice.len(), all.len());
        for text in advice {
            assert!(text.contains("wlan7"), "{text}");
            // `managed no` is undone by a reboot.
            assert!(!text.contains("managed no"), "{text}");
        }
    }

    #[test]
    fn an_interface_without_a_manager_gets_what_is_true() {
        let nobody = Findings::default();
        let text = |findings: Findings| {
            findings.no_manager("wlan7", "/run/wpa_supplicant".as_ref()).map(|it| it.to_string())
        };
        assert_eq!(text(nobody), None);
        let other = Findings { supplicant: Some(SupplicantState::WithoutInterface), ..nobody };
        let on_bus = Findings { supplicant: Some(SupplicantState::ForManager), ..nobody };
        let unmanaged = Findings { network_manager: Some(ManagedState::Unmanaged), ..on_bus };
        for (findings, expected) in [
            (other, "runs, but not for wlan7"),
            (on_bus, "serves wlan7 only over D-Bus"),
            (unmanaged, "NetworkManager does not manage wlan7"),
        ] {
            let text = text(findings).expect("an error");
            assert!(text.contains(expected), "{text}");
        }
    }
}
