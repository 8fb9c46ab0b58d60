//! What is known about the programs that may manage an interface, and what follows from it.

use std::path::{Path, PathBuf};

use wps_core::ErrorKind;

use super::Manager;
use super::bus::Queries;
use crate::error::LinuxError;

/// Why a query has failed.
#[derive(Debug)]
pub(super) enum QueryError {
    /// The bus does not answer.
    Bus(zbus::Error),
    /// A program that may manage the interface does not answer.
    Program(LinuxError),
}

/// What NetworkManager does with an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NetworkManagerState {
    Managed,
    /// It does not manage it yet, but is still starting.
    Starting,
    /// It manages no interface for now: the machine sleeps, or networking is switched off.
    Asleep,
    /// It does not know that the interface has a radio.
    WithoutWifi,
    Unmanaged,
}

/// What a wpa_supplicant on the bus has to do with an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum SupplicantState {
    /// None is on the bus.
    #[default]
    NotOnBus,
    /// One is on the bus, and does not say.
    Unknown,
    /// It does not have the interface.
    WithoutInterface,
    /// It has the interface with a configuration file, so from its command line. Holds the
    /// directory of the control sockets in that file.
    WithConfiguration(Option<PathBuf>),
    /// It has the interface without a configuration file: a network manager has given it.
    ForManager,
}

/// What the programs on the system bus say about an interface. By default, no program is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// `None` if NetworkManager does not run.
    pub(super) network_manager: Option<NetworkManagerState>,
    pub(super) iwd_has_it: bool,
    /// Whether ConnMan manages it, or `None` if ConnMan does not run.
    pub(super) connman_has_it: Option<bool>,
    pub(super) supplicant: SupplicantState,
}

/// A program that manages an interface through wpa_supplicant or in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    NetworkManager,
    NetworkManagerWithIwd,
    NetworkManagerAndIwd,
    Iwd,
    ConnMan,
}

impl Findings {
    /// Asks the programs on the system bus about `interface`.
    pub(super) async fn collect(interface: &str) -> Result<Self, QueryError> {
        let Some(queries) = Queries::connect(interface).await.map_err(QueryError::Bus)? else {
            return Ok(Self::default());
        };
        let network_manager = queries.network_manager().await.map_err(QueryError::Program)?;
        let iwd_has_it = queries.is_in_iwd().await.map_err(QueryError::Program)?;
        let supplicant = queries.supplicant().await;
        let is_for_manager = supplicant == SupplicantState::ForManager;
        let connman = queries.is_in_connman(is_for_manager).await;
        let connman_has_it = connman.map_err(QueryError::Program)?;
        Ok(Self { network_manager, iwd_has_it, connman_has_it, supplicant })
    }

    fn owner(&self) -> Option<Owner> {
        let is_managed = self.network_manager == Some(NetworkManagerState::Managed);
        match (is_managed, self.iwd_has_it) {
            (true, false) => Some(Owner::NetworkManager),
            (true, true) if self.supplicant == SupplicantState::ForManager => {
                Some(Owner::NetworkManagerAndIwd)
            }
            (true, true) => Some(Owner::NetworkManagerWithIwd),
            (false, true) => Some(Owner::Iwd),
            (false, false) => (self.connman_has_it == Some(true)).then_some(Owner::ConnMan),
        }
    }

    /// Checks that the owner, if there is one, is the right one.
    ///
    /// # Errors
    /// Returns [`LinuxError::ManagedByOther`].
    pub(super) fn require_owner(
        &self,
        interface: &str,
        is_right: impl Fn(Owner) -> bool,
    ) -> Result<(), LinuxError> {
        match self.owner() {
            Some(owner) if !is_right(owner) => {
                Err(LinuxError::ManagedByOther(owner.advice(interface)))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Checks that NetworkManager, if it runs, manages the interface, and does so with
    /// wpa_supplicant. `has_socket` says whether there is a control socket for it.
    ///
    /// # Errors
    /// Returns an error that says who manages it, and what to do.
    pub(super) fn require_network_manager(
        &self,
        interface: &str,
        has_socket: bool,
    ) -> Result<(), LinuxError> {
        self.require_owner(interface, |owner| owner == Owner::NetworkManager)?;
        match self.network_manager {
            Some(NetworkManagerState::Managed) | None => Ok(()),
            Some(NetworkManagerState::Asleep) => Err(LinuxError::NetworkManager {
                kind: ErrorKind::Blocked,
                message:
                    "the machine sleeps, or networking is switched off: run `nmcli networking \
                          on`"
                    .into(),
            }),
            Some(NetworkManagerState::Starting) => Err(LinuxError::NoAnswer(starting(interface))),
            Some(NetworkManagerState::WithoutWifi) => {
                Err(LinuxError::NoManager(without_wifi(interface)))
            }
            // wpa_supplicant may not have noticed yet that NetworkManager has let go of it.
            Some(NetworkManagerState::Unmanaged)
                if has_socket && self.supplicant != SupplicantState::ForManager =>
            {
                Err(LinuxError::ManagedByOther(format!(
                    "wpa_supplicant alone manages {interface}, and NetworkManager does not: use \
                     the driver for wpa_supplicant (restart wpsd, without --manager)"
                )))
            }
            Some(NetworkManagerState::Unmanaged) => Err(not_managed_by_network_manager(interface)),
        }
    }

    /// Returns the manager of an interface for which wpa_supplicant has a control socket.
    pub(super) fn manager_with_socket(&self, interface: &str) -> Result<Manager, LinuxError> {
        self.require_owner(interface, |owner| owner == Owner::NetworkManager)?;
        if self.owner() == Some(Owner::NetworkManager) {
            Ok(Manager::NetworkManager)
        } else if self.has_lost_its_manager() {
            Err(held_for_manager(interface))
        } else {
            Ok(Manager::WpaSupplicant)
        }
    }

    /// Returns the manager of an interface for which wpa_supplicant has no control socket in
    /// `control_dir`. Returns `None` if no program is known that could manage it.
    pub(super) fn manager_without_socket(
        &self,
        interface: &str,
        control_dir: &Path,
    ) -> Option<Result<Manager, LinuxError>> {
        if let Err(error) = self.require_owner(interface, |owner| owner == Owner::NetworkManager) {
            return Some(Err(error));
        }
        let directory = control_dir.display();
        let message = match (&self.supplicant, self.network_manager, self.connman_has_it) {
            (_, Some(NetworkManagerState::Managed | NetworkManagerState::Asleep), _) => {
                return Some(Ok(Manager::NetworkManager));
            }
            (SupplicantState::WithConfiguration(Some(other)), ..) if other != control_dir => {
                format!(
                    "wpa_supplicant's control socket for {interface} is in {0}: give that \
                     directory (wpsd: --control-dir {0})",
                    other.display()
                )
            }
            (SupplicantState::WithConfiguration(_), ..) => format!(
                "wpa_supplicant serves {interface} only over D-Bus, and no network manager uses \
                 it: add the line `ctrl_interface={directory}` to wpa_supplicant's configuration, \
                 and restart wpa_supplicant (this cuts the connection of {interface})"
            ),
            _ if self.has_lost_its_manager() => return Some(Err(held_for_manager(interface))),
            (_, Some(NetworkManagerState::Starting), _) => starting(interface),
            (_, Some(NetworkManagerState::WithoutWifi), _) => without_wifi(interface),
            (_, Some(NetworkManagerState::Unmanaged), _) => {
                return Some(Err(not_managed_by_network_manager(interface)));
            }
            (_, None, Some(_)) => format!(
                "ConnMan runs, but does not manage {interface} now, and nothing else does: {}",
                Owner::ConnMan.way_out()
            ),
            (SupplicantState::WithoutInterface, None, None) => format!(
                "wpa_supplicant runs, but not for {interface}, and there is no control socket for \
                 it in {directory}. If another wpa_supplicant serves {interface}, give the \
                 directory of its control socket (wpsd: --control-dir). Otherwise add the line \
                 `ctrl_interface={directory}` to \
                 /etc/wpa_supplicant/wpa_supplicant-{interface}.conf, and run `sudo systemctl \
                 enable --now wpa_supplicant@{interface}`"
            ),
            (SupplicantState::Unknown, None, None) => format!(
                "wpa_supplicant runs, but does not say whether it serves {interface}, and there is \
                 no control socket for it in {directory}: run this program as root, or give the \
                 directory of the control socket (wpsd: --control-dir)"
            ),
            (SupplicantState::NotOnBus | SupplicantState::ForManager, None, None) => return None,
        };
        Some(Err(LinuxError::NoManager(message)))
    }

    /// Returns whether wpa_supplicant has the interface for a network manager that has crashed, or
    /// is being restarted. It then must not be taken for a wpa_supplicant that is alone.
    fn has_lost_its_manager(&self) -> bool {
        let has_manager = self.network_manager.is_some() || self.connman_has_it.is_some();
        self.supplicant == SupplicantState::ForManager && !has_manager
    }
}

fn held_for_manager(interface: &str) -> LinuxError {
    LinuxError::NoManager(format!(
        "wpa_supplicant holds {interface} for a network manager that does not run: start it, for \
         example with `sudo systemctl start NetworkManager`, or choose wpa_supplicant alone (wpsd: \
         --manager wpa-supplicant)"
    ))
}

fn starting(interface: &str) -> String {
    format!("NetworkManager is still starting, and does not manage {interface} yet")
}

fn without_wifi(interface: &str) -> String {
    format!(
        "NetworkManager cannot use {interface}, because its part for Wi-Fi is missing: install it \
         (Fedora: the package NetworkManager-wifi), and run `sudo systemctl restart NetworkManager`"
    )
}

/// Returns the error for an interface that NetworkManager leaves alone.
fn not_managed_by_network_manager(interface: &str) -> LinuxError {
    LinuxError::NoManager(format!(
        "NetworkManager does not manage {interface}, and nothing else does. To let NetworkManager \
         manage it, run `sudo nmcli device set {interface} managed yes`. So that it stays after a \
         reboot, remove what excludes it: `unmanaged-devices` or `managed=0` in \
         /etc/NetworkManager, or its lines in /etc/network/interfaces. For wpa_supplicant alone, \
         start wpa_supplicant for {interface} with a control socket"
    ))
}

impl Owner {
    /// Says that this program manages `interface`, and what to do.
    fn advice(self, interface: &str) -> String {
        let what = match self {
            Self::NetworkManager => format!("NetworkManager manages {interface}"),
            Self::NetworkManagerWithIwd => {
                format!(
                    "NetworkManager uses iwd for {interface}, which this program cannot pair with"
                )
            }
            Self::NetworkManagerAndIwd => {
                format!("both NetworkManager and iwd manage {interface}")
            }
            Self::Iwd => format!("iwd manages {interface}, which this program cannot pair with"),
            Self::ConnMan => {
                format!("ConnMan manages {interface}, which this program cannot pair with")
            }
        };
        format!("{what}: {}", self.way_out())
    }

    /// Returns what to do so that this program can pair.
    fn way_out(self) -> &'static str {
        match self {
            Self::NetworkManager => {
                "use the driver for NetworkManager (restart wpsd, without --manager)"
            }
            Self::NetworkManagerWithIwd => {
                "install wpa_supplicant, remove the line `wifi.backend=iwd` in /etc/NetworkManager, \
                 and run `sudo systemctl disable --now iwd; sudo systemctl restart NetworkManager` \
                 (this cuts its connections)"
            }
            Self::NetworkManagerAndIwd => {
                "run `sudo systemctl disable --now iwd` (this cuts the connections of iwd)"
            }
            Self::Iwd => {
                "install NetworkManager and wpa_supplicant, and run `sudo systemctl disable --now \
                 iwd; sudo systemctl enable --now NetworkManager` (this cuts all Wi-Fi connections \
                 until the next pairing)"
            }
            Self::ConnMan => {
                "install NetworkManager and wpa_supplicant, and run `sudo systemctl disable --now \
                 connman; sudo systemctl enable --now NetworkManager` (this cuts all connections, \
                 those of Wi-Fi until the next pairing)"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use wps_core::DriverError;

    use super::*;

    const DIRECTORY: &str = "/run/wpa_supplicant";

    fn text(result: Option<Result<Manager, LinuxError>>) -> String {
        match result {
            Some(Ok(manager)) => manager.name().into(),
            Some(Err(error)) => error.to_string(),
            None => "nothing".into(),
        }
    }

    #[track_caller]
    fn expect(findings: &Findings, with_socket: &str, without_socket: &str) {
        let with = text(Some(findings.manager_with_socket("wlan7")));
        assert!(with.contains(with_socket), "with a socket: {with}");
        let without = text(findings.manager_without_socket("wlan7", DIRECTORY.as_ref()));
        assert!(without.contains(without_socket), "without a socket: {without}");
        for text in [with, without] {
            // `managed no` is undone by a reboot.
            assert!(!text.contains("managed no"), "{text}");
        }
    }

    #[test]
    fn the_owner_decides_whether_there_is_a_socket_or_not() {
        use NetworkManagerState::Managed;
        let managed = Findings { network_manager: Some(Managed), ..Findings::default() };
        expect(&managed, "NetworkManager", "NetworkManager");
        let with_iwd = Findings { iwd_has_it: true, ..managed.clone() };
        let sentence = "NetworkManager uses iwd for wlan7";
        expect(&with_iwd, sentence, sentence);
        let and_iwd = Findings { supplicant: SupplicantState::ForManager, ..with_iwd };
        let sentence = "both NetworkManager and iwd manage wlan7";
        expect(&and_iwd, sentence, sentence);
        let iwd = Findings { iwd_has_it: true, ..Findings::default() };
        expect(&iwd, "iwd manages wlan7", "iwd manages wlan7");
        let connman = Findings { connman_has_it: Some(true), ..Findings::default() };
        expect(&connman, "ConnMan manages wlan7", "ConnMan manages wlan7");
    }

    #[test]
    fn an_interface_that_networkmanager_does_not_manage_gets_what_is_true() {
        use NetworkManagerState::{Asleep, Starting, Unmanaged, WithoutWifi};
        for (state, without_socket) in [
            (Starting, "NetworkManager is still starting"),
            (Asleep, "NetworkManager"),
            (WithoutWifi, "NetworkManager-wifi"),
            (Unmanaged, "NetworkManager does not manage wlan7"),
        ] {
            let findings = Findings { network_manager: Some(state), ..Findings::default() };
            expect(&findings, "wpa_supplicant", without_socket);
            // Given by hand, as NetworkManager leaves it alone.
            let by_hand = Findings { supplicant: SupplicantState::ForManager, ..findings };
            expect(&by_hand, "wpa_supplicant", without_socket);
        }
    }

    #[test]
    fn the_driver_for_networkmanager_is_told_who_manages_the_interface() {
        use NetworkManagerState::{Asleep, Managed, Starting, Unmanaged, WithoutWifi};
        let found = |state| Findings { network_manager: Some(state), ..Findings::default() };
        let error = |findings: &Findings, has_socket| {
            let error = findings.require_network_manager("wlan7", has_socket).expect_err("refused");
            (error.kind(), error.to_string())
        };
        for has_socket in [false, true] {
            assert!(found(Managed).require_network_manager("wlan7", has_socket).is_ok());
            assert!(Findings::default().require_network_manager("wlan7", has_socket).is_ok());
            for (state, expected, words) in [
                (Asleep, ErrorKind::Blocked, "nmcli networking on"),
                (Starting, ErrorKind::NoResponse, "still starting"),
                (WithoutWifi, ErrorKind::Unmanaged, "NetworkManager-wifi"),
            ] {
                let (kind, text) = error(&found(state), has_socket);
                assert_eq!(kind, expected, "{text}");
                assert!(text.contains(words), "{text}");
            }
        }
        let (kind, text) = error(&found(Unmanaged), false);
        assert_eq!(kind, ErrorKind::Unmanaged, "{text}");
        assert!(text.contains("`sudo nmcli device set wlan7 managed yes`"), "{text}");
        let (kind, text) = error(&found(Unmanaged), true);
        assert_eq!(kind, ErrorKind::ManagedByOther, "{text}");
        assert!(text.contains("restart wpsd, without --manager"), "{text}");
        // The socket is that of NetworkManager's wpa_supplicant.
        let still_there = Findings { supplicant: SupplicantState::ForManager, ..found(Unmanaged) };
        assert_eq!(error(&still_there, true).0, ErrorKind::Unmanaged);
    }

    #[test]
    fn an_interface_without_a_manager_gets_what_is_true() {
        let alone = |supplicant| Findings { supplicant, ..Findings::default() };
        let configured = |directory: Option<&str>| {
            alone(SupplicantState::WithConfiguration(directory.map(PathBuf::from)))
        };
        expect(&alone(SupplicantState::NotOnBus), "wpa_supplicant", "nothing");
        expect(&alone(SupplicantState::Unknown), "wpa_supplicant", "does not say");
        expect(&alone(SupplicantState::WithoutInterface), "wpa_supplicant", "not for wlan7");
        expect(&configured(None), "wpa_supplicant", "wlan7 only over D-Bus");
        expect(&configured(Some(DIRECTORY)), "wpa_supplicant", "wlan7 only over D-Bus");
        expect(&configured(Some("/run/other")), "wpa_supplicant", "--control-dir /run/other");
        let held = "wpa_supplicant holds wlan7 for a network manager that does not run";
        expect(&alone(SupplicantState::ForManager), held, held);
        let connman = Findings { connman_has_it: Some(false), ..Findings::default() };
        expect(&connman, "wpa_supplicant", "ConnMan runs, but does not manage wlan7");
    }
}
