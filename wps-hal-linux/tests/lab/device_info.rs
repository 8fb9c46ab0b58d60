//! What NetworkManager says about an interface, over D-Bus: each start of nmcli takes more of the
//! guest's processor than a whole scan.

use std::collections::HashMap;
use std::time::Duration;

use tokio::runtime::Runtime;
use zbus::connection::Builder;
use zbus::proxy::{CacheProperties, MethodFlags};
use zbus::{Connection, Error, OwnedObjectPath, OwnedVariant, Proxy};

const NETWORK_MANAGER: &str = "org.freedesktop.NetworkManager";
/// NetworkManager's main object.
const ROOT: &str = "/org/freedesktop/NetworkManager";
/// The path that stands for no object.
const NO_OBJECT: &str = "/";
/// The longest wait for a reply.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// What NetworkManager says about the interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The number of the state, such as 100 for an active connection with an address.
    pub state: u32,
    /// The UUID of the active connection's profile.
    pub active: Option<String>,
    /// Whether NetworkManager may activate a profile by itself.
    pub autoconnect: bool,
}

/// Does not wait for the runtime's threads, because the caller may be in another runtime.
impl Drop for Bus {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Waits for a future on a thread of its own, because the caller may be in another runtime.
fn on_own_thread<T: Send>(runtime: &Runtime, work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        scope.spawn(|| runtime.block_on(work)).join().expect("an answer or an error")
    })
}

/// A connection to the system bus.
pub(super) struct Bus {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    connection: Connection,
}

impl Bus {
    /// Connects to the system bus.
    pub(super) fn connect() -> zbus::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let build = Builder::system().method_timeout(REPLY_TIMEOUT).build();
        let connection = on_own_thread(&runtime, build)?;
        Ok(Self { runtime: Some(runtime), connection })
    }

    /// Asks NetworkManager about the interface. Does not start it if it does not run.
    pub(super) fn device(&self, interface: &str) -> zbus::Result<DeviceInfo> {
        let runtime = self.runtime.as_ref().expect("a runtime");
        on_own_thread(runtime, async {
            let device: OwnedObjectPath =
                self.call(ROOT, NETWORK_MANAGER, "GetDeviceByIpIface", interface).await?;
            let properties = self.properties(&device, "Device").await?;
            let active: OwnedObjectPath = value(&properties, "ActiveConnection")?;
            let active = match active.as_str() {
                NO_OBJECT => None,
                path => Some(value(&self.properties(path, "Connection.Active").await?, "Uuid")?),
            };
            let state = value(&properties, "State")?;
            Ok(DeviceInfo { state, active, autoconnect: value(&properties, "Autoconnect")? })
        })
    }

    /// Returns the properties of an object of NetworkManager.
    async fn properties(
        &self,
        path: &str,
        interface: &str,
    ) -> zbus::Result<HashMap<String, OwnedVariant>> {
        let interface = format!("{NETWORK_MANAGER}.{interface}");
        self.call(path, "org.freedesktop.DBus.Properties", "GetAll", &interface).await
    }

    async fn call<R>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        argument: &str,
    ) -> zbus::Result<R>
    where
        R: for<'d> zbus::wire::DynamicDeserialize<'d>,
    {
        let proxy = zbus::proxy::Builder::<Proxy<'_>>::new(&self.connection)
            .destination(NETWORK_MANAGER)
            .path(path)
            .interface(interface)
            .cache_properties(CacheProperties::No)
            .build()
            .await?;
        let reply = proxy.call_with_flags(method, MethodFlags::NO_AUTO_START, &argument).await?;
        reply.ok_or(Error::InvalidReply)
    }
}

fn value<T: TryFrom<OwnedVariant>>(
    properties: &HashMap<String, OwnedVariant>,
    name: &str,
) -> zbus::Result<T> {
    let value = properties.get(name).and_then(|it| it.try_clone().ok());
    value.and_then(|it| T::try_from(it).ok()).ok_or(Error::InvalidReply)
}
