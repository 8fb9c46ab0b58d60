//! Detects other programs that manage the interface. Two managers of one radio would undo each
//! other's changes.

use zbus::Connection;
use zbus::fdo::DBusProxy;

use crate::network_manager::bus::{DeviceProxy, ManagerProxy, NETWORK_MANAGER};

/// Returns which other program manages `interface` and what to do about it. Returns `None` if no
/// program does, or if there is no system bus: without one, neither program runs.
pub(crate) async fn managed_by_other(interface: &str) -> Option<String> {
    let bus = Connection::system().await.ok()?;
    if is_managed_by_network_manager(&bus, interface).await.unwrap_or(false) {
        return Some(format!(
            "NetworkManager manages {interface}: run `nmcli device set {interface} managed no` and \
             start a wpa_supplicant for it"
        ));
    }
    let iwd = is_running(&bus, "net.connman.iwd").await.unwrap_or(false);
    iwd.then(|| {
        format!("iwd runs and manages {interface}: stop it, and start wpa_supplicant in its place")
    })
}

/// Returns whether NetworkManager manages `interface`.
async fn is_managed_by_network_manager(bus: &Connection, interface: &str) -> zbus::Result<bool> {
    if !is_running(bus, NETWORK_MANAGER).await? {
        return Ok(false);
    }
    let path = ManagerProxy::new(bus).await?.get_device_by_ip_iface(interface).await?;
    DeviceProxy::builder(bus).path(path).build().await?.managed().await
}

/// Returns whether the D-Bus service `name` is running.
async fn is_running(bus: &Connection, name: &'static str) -> zbus::Result<bool> {
    Ok(DBusProxy::new(bus).await?.name_has_owner(name.try_into()?).await?)
}
