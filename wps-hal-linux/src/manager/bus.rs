//! Asks the programs on the system bus about one interface.

use std::collections::HashMap;

use zbus::fdo::{DBusProxy, ObjectManagerProxy};
use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath, OwnedVariant};

use crate::error::LinuxError;
use crate::network_manager::bus::{DeviceProxy, ManagerProxy, NETWORK_MANAGER, refusal};
use crate::system_bus;

const IWD: &str = "net.connman.iwd";
const CONNMAN: &str = "net.connman";
const SUPPLICANT: &str = "fi.w1.wpa_supplicant1";

/// The properties of a D-Bus object.
type Properties = HashMap<String, OwnedVariant>;

#[zbus::proxy(
    interface = "net.connman.Manager",
    default_service = "net.connman",
    default_path = "/"
)]
trait ConnMan {
    fn get_services(&self) -> zbus::Result<Vec<(OwnedObjectPath, Properties)>>;

    fn get_technologies(&self) -> zbus::Result<Vec<(OwnedObjectPath, Properties)>>;
}

#[zbus::proxy(
    interface = "fi.w1.wpa_supplicant1",
    default_service = "fi.w1.wpa_supplicant1",
    default_path = "/fi/w1/wpa_supplicant1"
)]
trait Supplicant {
    fn get_interface(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
}

#[zbus::proxy(
    interface = "fi.w1.wpa_supplicant1.Interface",
    default_service = "fi.w1.wpa_supplicant1"
)]
trait SupplicantInterface {
    #[zbus(property)]
    fn config_file(&self) -> zbus::Result<String>;
}

/// Whether NetworkManager manages an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ManagedState {
    Managed,
    /// It does not manage it now, but is still starting.
    Starting,
    Unmanaged,
}

/// What a wpa_supplicant on the bus has to do with an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SupplicantState {
    /// It does not have the interface.
    WithoutInterface,
    /// It has the interface from its command line, with a configuration file.
    WithConfiguration,
    /// It has the interface without a configuration file: a network manager has given it.
    ForManager,
}

/// A connection to the system bus, for questions about one interface.
pub(super) struct Queries<'a> {
    bus: Connection,
    names: DBusProxy<'static>,
    interface: &'a str,
}

impl<'a> Queries<'a> {
    /// Connects to the bus. Returns `None` if there is none.
    pub(super) async fn connect(interface: &'a str) -> zbus::Result<Option<Self>> {
        let bus = match system_bus::connect().await {
            Ok(bus) => bus,
            Err(error) if system_bus::is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let names = DBusProxy::new(&bus).await?;
        Ok(Some(Self { bus, names, interface }))
    }

    /// Returns whether NetworkManager manages the interface, or `None` if it does not run.
    pub(super) async fn network_manager(&self) -> Result<Option<ManagedState>, LinuxError> {
        let query = async {
            let manager = ManagerProxy::builder(&self.bus);
            let manager = manager.cache_properties(CacheProperties::No).build().await?;
            let is_managed = match manager.get_device_by_ip_iface(self.interface).await {
                Ok(path) => {
                    let device = DeviceProxy::builder(&self.bus).path(path);
                    device.cache_properties(CacheProperties::No).build().await?.managed().await?
                }
                Err(error) if refusal(&error) == Some("UnknownDevice") => false,
                Err(error) => return Err(error),
            };
            Ok(match is_managed {
                true => ManagedState::Managed,
                false if manager.startup().await? => ManagedState::Starting,
                false => ManagedState::Unmanaged,
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
                let name = device.and_then(|it| property::<String>(it, "Name"));
                name.as_deref() == Some(self.interface)
            }))
        };
        Ok(self.ask("iwd", IWD, query).await? == Some(true))
    }

    /// Returns what a wpa_supplicant on the bus has to do with the interface, or `None` if none
    /// runs there, or does not say.
    pub(super) async fn supplicant(&self) -> Option<SupplicantState> {
        let query = async {
            let supplicant = SupplicantProxy::new(&self.bus).await?;
            let path = match supplicant.get_interface(self.interface).await {
                Ok(path) => path,
                Err(error) if refusal(&error) == Some("InterfaceUnknown") => {
                    return Ok(SupplicantState::WithoutInterface);
                }
                Err(error) => return Err(error),
            };
            let interface = SupplicantInterfaceProxy::builder(&self.bus).path(path);
            let interface = interface.cache_properties(CacheProperties::No).build().await?;
            // Without a file, this property is an error.
            let has_file = interface.config_file().await.is_ok_and(|it| !it.is_empty());
            Ok(if has_file {
                SupplicantState::WithConfiguration
            } else {
                SupplicantState::ForManager
            })
        };
        // Without the right to ask, nothing is known. The control socket shows the rest.
        self.ask("wpa_supplicant", SUPPLICANT, query).await.unwrap_or_default()
    }

    /// Returns whether ConnMan has the interface. `is_for_manager` says whether wpa_supplicant has
    /// the interface for a network manager.
    pub(super) async fn is_in_connman(&self, is_for_manager: bool) -> Result<bool, LinuxError> {
        let query = async {
            let connman = ConnManProxy::new(&self.bus).await?;
            let services = connman.get_services().await?;
            let mut networks =
                services.iter().map(|(_, it)| it).filter(|it| is_wifi(it)).peekable();
            if networks.peek().is_some() {
                return Ok(networks.any(|network| {
                    let ethernet = property::<Properties>(network, "Ethernet").unwrap_or_default();
                    property(&ethernet, "Interface").is_some_and(|it: String| it == self.interface)
                }));
            }
            // It has found no network yet. Unlike these, a technology has no interface.
            let technologies = connman.get_technologies().await?;
            let mut wifi = technologies.iter().map(|(_, it)| it).filter(|it| is_wifi(it));
            let powered = wifi.any(|it| property(it, "Powered").unwrap_or(false));
            Ok(powered && is_for_manager)
        };
        Ok(self.ask("ConnMan", CONNMAN, query).await? == Some(true))
    }

    /// Asks a program by `question`. Returns `None` if it does not run.
    async fn ask<T>(
        &self,
        program: &str,
        name: &'static str,
        question: impl Future<Output = zbus::Result<T>>,
    ) -> Result<Option<T>, LinuxError> {
        let answer = async {
            if !self.names.name_has_owner(name.try_into()?).await? {
                return Ok(None);
            }
            question.await.map(Some)
        };
        answer.await.map_err(|error: zbus::Error| {
            let advice = match is_denied(&error) {
                true => "run this program as root",
                false => "restart it",
            };
            LinuxError::NoAnswer(format!(
                "{program} runs, but does not say whether it manages {}: {advice} ({error})",
                self.interface
            ))
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

/// Returns a property of this type.
fn property<T: TryFrom<OwnedVariant>>(properties: &Properties, name: &str) -> Option<T> {
    T::try_from(properties.get(name)?.try_clone().ok()?).ok()
}

fn is_wifi(properties: &Properties) -> bool {
    property(properties, "Type").is_some_and(|it: String| it == "wifi")
}
