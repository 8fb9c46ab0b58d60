//! Asks the programs on the system bus about one interface.

use std::path::PathBuf;

use zbus::fdo::{DBusProxy, ObjectManagerProxy};
use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath};

use super::findings::{NetworkManagerState, SupplicantState};
use crate::error::LinuxError;
use crate::network_manager::bus::{ASLEEP, DeviceProxy, ManagerProxy, NETWORK_MANAGER};
use crate::supplicant::bus::proxy::{InterfaceProxy, SupplicantProxy, WPA_SUPPLICANT};
use crate::supplicant::control_socket::control_dir;
use crate::system_bus::{self, Properties, refusal, value};

const IWD: &str = "net.connman.iwd";
const CONNMAN: &str = "net.connman";
/// The reasons of a device that NetworkManager has managed before: `NM_DEVICE_STATE_REASON_…`
/// `NOW_UNMANAGED`, `REMOVED` (in NetworkManager 1.42 also after `nmcli device set … managed no`),
/// and `USER_REQUESTED`.
const LET_GO: [u32; 3] = [3, 36, 39];
/// `NM_DEVICE_TYPE_WIFI`.
const DEVICE_TYPE_WIFI: u32 = 2;

#[zbus::proxy(
    interface = "net.connman.Manager",
    default_service = "net.connman",
    default_path = "/"
)]
trait ConnMan {
    fn get_services(&self) -> zbus::Result<Vec<(OwnedObjectPath, Properties)>>;

    fn get_technologies(&self) -> zbus::Result<Vec<(OwnedObjectPath, Properties)>>;
}

/// A connection to the system bus, for queries about one interface.
pub(super) struct Queries<'a> {
    bus: Connection,
    /// The names of the programs that are on the bus.
    running: Vec<&'static str>,
    interface: &'a str,
}

impl<'a> Queries<'a> {
    /// Connects to the bus. Returns `None` if this machine has no bus.
    pub(super) async fn connect(interface: &'a str) -> zbus::Result<Option<Self>> {
        let bus = match system_bus::connect().await {
            Ok(bus) => bus,
            Err(error) if system_bus::is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let names = DBusProxy::new(&bus).await?;
        let mut running = Vec::new();
        for name in [NETWORK_MANAGER, IWD, CONNMAN, WPA_SUPPLICANT] {
            if names.name_has_owner(name.try_into()?).await? {
                running.push(name);
            }
        }
        Ok(Some(Self { bus, running, interface }))
    }

    /// Returns what NetworkManager does with the interface, or `None` if it does not run.
    pub(super) async fn network_manager(&self) -> Result<Option<NetworkManagerState>, LinuxError> {
        let query = async {
            let manager = ManagerProxy::builder(&self.bus);
            let manager = manager.cache_properties(CacheProperties::No).build().await?;
            let (is_managed, reason) = match manager.get_device_by_ip_iface(self.interface).await {
                Ok(path) => {
                    let device = DeviceProxy::builder(&self.bus).path(path);
                    let device = device.cache_properties(CacheProperties::No).build().await?;
                    if device.device_type().await? != DEVICE_TYPE_WIFI {
                        return Ok(NetworkManagerState::WithoutWifi);
                    }
                    (device.managed().await?, device.state_reason().await?.1)
                }
                Err(error) if refusal(&error) == Some("UnknownDevice") => (false, 0),
                Err(error) => return Err(error),
            };
            Ok(if is_managed {
                NetworkManagerState::Managed
            } else if manager.state().await? == ASLEEP {
                NetworkManagerState::Asleep
            // Another interface may keep it in this state, for example without a DHCP server.
            } else if !LET_GO.contains(&reason) && manager.startup().await? {
                NetworkManagerState::Starting
            } else {
                NetworkManagerState::Unmanaged
            })
        };
        self.ask("NetworkManager", NETWORK_MANAGER, query).await
    }

    /// Returns whether iwd has the interface.
    pub(super) async fn is_in_iwd(&self) -> Result<bool, LinuxError> {
        let query = async {
            let objects = ObjectManagerProxy::builder(&self.bus).destination(IWD).path("/");
            let objects = objects.build().await?.get_managed_objects().await?;
            Ok(objects.values().any(|interfaces| {
                let device = interfaces.get("net.connman.iwd.Device");
                let name = device.and_then(|it| value::<String>(it, "Name"));
                name.as_deref() == Some(self.interface)
            }))
        };
        Ok(self.ask("iwd", IWD, query).await? == Some(true))
    }

    /// Returns what a wpa_supplicant on the bus has to do with the interface.
    pub(super) async fn supplicant(&self) -> SupplicantState {
        let query = async {
            let supplicant = SupplicantProxy::builder(&self.bus).destination(WPA_SUPPLICANT);
            let supplicant = supplicant.build().await?;
            let path = match supplicant.get_interface(self.interface).await {
                Ok(path) => path,
                Err(error) if refusal(&error) == Some("InterfaceUnknown") => {
                    return Ok(SupplicantState::WithoutInterface);
                }
                Err(error) => return Err(error),
            };
            let interface =
                InterfaceProxy::builder(&self.bus).destination(WPA_SUPPLICANT).path(path);
            let interface = interface.cache_properties(CacheProperties::No).build().await?;
            match interface.config_file().await {
                Ok(file) if !file.is_empty() => {
                    let ctrl_interface = interface.ctrl_interface().await.unwrap_or_default();
                    let directory = control_dir(&ctrl_interface).map(PathBuf::from);
                    Ok(SupplicantState::WithConfiguration(directory))
                }
                Err(error @ zbus::Error::InputOutput(_)) => Err(error),
                // Without a file, the property is an error.
                Ok(_) | Err(_) => Ok(SupplicantState::ForManager),
            }
        };
        match self.ask("wpa_supplicant", WPA_SUPPLICANT, query).await {
            Ok(None) => SupplicantState::NotOnBus,
            Ok(Some(state)) => state,
            Err(error) => {
                tracing::debug!("{error}");
                SupplicantState::Unknown
            }
        }
    }

    /// Returns whether ConnMan has the interface, or `None` if it does not run. `is_for_manager`
    /// says whether wpa_supplicant has the interface for a network manager.
    pub(super) async fn is_in_connman(
        &self,
        is_for_manager: bool,
    ) -> Result<Option<bool>, LinuxError> {
        let query = async {
            let connman = ConnManProxy::new(&self.bus).await?;
            let services = connman.get_services().await?;
            let mut networks = services.iter().map(|(_, it)| it).filter(|it| is_wifi(it));
            let has_network_here = networks.any(|network| {
                let ethernet = value::<Properties>(network, "Ethernet").unwrap_or_default();
                value(&ethernet, "Interface").is_some_and(|it: String| it == self.interface)
            });
            // It may have found no network yet. Unlike these, a technology has no interface.
            let technologies = connman.get_technologies().await?;
            let mut wifi = technologies.iter().map(|(_, it)| it).filter(|it| is_wifi(it));
            let powered = wifi.any(|it| value(it, "Powered").unwrap_or(false));
            Ok(has_network_here || powered && is_for_manager)
        };
        self.ask("ConnMan", CONNMAN, query).await
    }

    /// Asks a program by `query`. Returns `None` if it does not run.
    async fn ask<T>(
        &self,
        program: &str,
        name: &'static str,
        query: impl Future<Output = zbus::Result<T>>,
    ) -> Result<Option<T>, LinuxError> {
        if !self.running.contains(&name) {
            return Ok(None);
        }
        query.await.map(Some).map_err(|error| {
            let interface = self.interface;
            if is_denied(&error) {
                LinuxError::QueryDenied(format!(
                    "no permission to ask {program} whether it manages {interface}: run this \
                     program as root, or as a user that the bus policy of {program} permits"
                ))
            } else {
                LinuxError::NoAnswer(format!(
                    "{program} runs, but does not say whether it manages {interface} ({error}): \
                     restart it (this may cut its connections), or choose the driver (wpsd: \
                     --manager)"
                ))
            }
        })
    }
}

/// Returns whether the policy of the bus denies a request to this user.
fn is_denied(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::FDO(error) => matches!(**error, zbus::fdo::Error::AccessDenied(_)),
        error => refusal(error) == Some("AccessDenied"),
    }
}

fn is_wifi(properties: &Properties) -> bool {
    value(properties, "Type").is_some_and(|it: String| it == "wifi")
}
