//! Requests to NetworkManager for one interface.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use wps_core::ErrorKind;
use zbus::proxy::CacheProperties;
use zbus::{Connection, ObjectPath, OwnedObjectPath};
use zeroize::Zeroizing;

use super::agent;
use super::bus::{
    Action, ActiveConnectionProxy, BusError, DeviceProxy, ManagerProxy, PERMISSION_DENIED,
    ProfileProxy, ProfileSettings, Setting, SettingsProxy,
};
use super::profile::StoredProfile;
use super::uuid::Uuid;
use crate::error::LinuxError;
use crate::system_bus::{self, NO_OBJECT, refusal};

/// `NM_SETTINGS_UPDATE2_FLAG_TO_DISK`.
const TO_DISK: u32 = 0x1;
/// `NM_SETTINGS_ADD_CONNECTION2_FLAG_IN_MEMORY`, and the flag of `Update2` with this meaning.
const IN_MEMORY: u32 = 0x2;
/// `NM_SETTINGS_ADD_CONNECTION2_FLAG_BLOCK_AUTOCONNECT`, and the flag of `Update2`.
const BLOCK_AUTOCONNECT: u32 = 0x20;
/// How long NetworkManager may take to end a connection.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The time between two requests for the state of the device.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The state of a device (`NMDeviceState`), with its reason (`NMDeviceStateReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceState {
    pub(crate) state: u32,
    pub(crate) reason: u32,
}

impl DeviceState {
    pub(crate) const DISCONNECTED: u32 = 30;
    pub(crate) const PREPARE: u32 = 40;
    pub(crate) const NEED_AUTH: u32 = 60;
    pub(crate) const IP_CONFIG: u32 = 70;
    pub(crate) const ACTIVATED: u32 = 100;

    /// Returns whether NetworkManager can use the radio: it is on, and wpa_supplicant runs.
    pub(crate) fn is_available(self) -> bool {
        self.state >= Self::DISCONNECTED
    }

    /// Returns whether NetworkManager has a connection, or is making one.
    pub(crate) fn is_connecting(self) -> bool {
        (Self::PREPARE..=Self::ACTIVATED).contains(&self.state)
    }

    /// Returns whether NetworkManager has joined a network, or serves one.
    pub(crate) fn is_linked(self) -> bool {
        (Self::IP_CONFIG..=Self::ACTIVATED).contains(&self.state)
    }
}

/// When NetworkManager may activate a new profile by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Autoconnect {
    /// At once.
    Now,
    /// After it was activated once.
    Later,
}

/// A connection to NetworkManager, for the time of one driver method.
#[derive(Debug)]
pub(crate) struct Client {
    bus: Connection,
    device: OwnedObjectPath,
}

impl Client {
    /// Connects to NetworkManager, which must know `interface`.
    pub(crate) async fn connect(interface: &str) -> Result<Self, LinuxError> {
        let bus = system_bus::connect().await.map_err(BusError::from)?;
        let manager = ManagerProxy::new(&bus).await.map_err(BusError::from)?;
        match manager.get_device_by_ip_iface(interface).await {
            Ok(device) => Ok(Self { bus, device }),
            // A NetworkManager that has just started does not know it yet.
            Err(error) if refusal(&error) == Some("UnknownDevice") => {
                if Path::new("/sys/class/net").join(interface).exists() {
                    Err(LinuxError::Wifi(ErrorKind::NoResponse))
                } else {
                    Err(LinuxError::NoInterface(interface.into()))
                }
            }
            Err(error) => Err(BusError::from(error).into()),
        }
    }

    /// Checks whether polkit permits these actions to this program. Succeeds if NetworkManager
    /// cannot say it, because then a request that needs one of them reports the reason.
    ///
    /// # Errors
    /// Returns an error that names the first action that is not permitted.
    pub(crate) async fn check_permissions(&self, actions: &[Action]) -> Result<(), LinuxError> {
        let manager = ManagerProxy::new(&self.bus).await.map_err(BusError::from)?;
        match manager.get_permissions().await {
            Ok(answers) => {
                let is_permitted = |it: &Action| answers.get(it.id()).is_some_and(|it| it == "yes");
                let missing = actions.iter().find(|it| !is_permitted(it));
                missing.map_or(Ok(()), |it| Err(it.denied()))
            }
            Err(error) => {
                tracing::debug!("NetworkManager does not say what is permitted: {error}");
                Ok(())
            }
        }
    }

    /// Prevents that a user is asked for the key of a profile if its network refuses it. Lasts
    /// until this connection is dropped.
    pub(crate) async fn suppress_key_dialog(&self, uuid: Uuid) {
        // Only a convenience: without the agent, a dialog may open.
        if let Err(error) = agent::register(&self.bus, uuid).await {
            tracing::debug!("NetworkManager accepts no secret agent: {error:?}");
        }
    }

    async fn settings(&self) -> zbus::Result<SettingsProxy<'_>> {
        SettingsProxy::builder(&self.bus).cache_properties(CacheProperties::No).build().await
    }

    async fn profile_proxy<'a>(
        &'a self,
        path: &'a OwnedObjectPath,
    ) -> zbus::Result<ProfileProxy<'a>> {
        let builder = ProfileProxy::builder(&self.bus).path(path);
        builder.cache_properties(CacheProperties::No).build().await
    }

    async fn device(&self) -> zbus::Result<DeviceProxy<'_>> {
        let builder = DeviceProxy::builder(&self.bus).path(&self.device);
        builder.cache_properties(CacheProperties::No).build().await
    }

    // --- the device ----------------------------------------------------------------------------

    /// Returns whether NetworkManager manages the interface.
    pub(crate) async fn is_managed(&self) -> Result<bool, BusError> {
        Ok(self.device().await?.managed().await?)
    }

    /// Returns the state of the device.
    pub(crate) async fn state(&self) -> Result<DeviceState, BusError> {
        let (state, reason) = self.device().await?.state_reason().await?;
        Ok(DeviceState { state, reason })
    }

    /// Returns whether NetworkManager may activate profiles by itself.
    pub(crate) async fn autoconnect(&self) -> Result<bool, BusError> {
        Ok(self.device().await?.autoconnect().await?)
    }

    /// Sets whether NetworkManager may activate profiles by itself. It forgets that when it
    /// restarts.
    pub(crate) async fn set_autoconnect(&self, autoconnect: bool) -> Result<(), BusError> {
        if self.autoconnect().await? == autoconnect {
            return Ok(()); // this needs no right
        }
        let set = self.device().await?.set_autoconnect(autoconnect).await;
        set.map_err(Action::NetworkControl.needed())
    }

    /// Ends the active connection, and prevents others until one is activated. Does nothing if
    /// there is no connection. Returns once NetworkManager has ended it in wpa_supplicant, too.
    pub(crate) async fn disconnect(&self) -> Result<(), BusError> {
        match self.device().await?.disconnect().await {
            Err(error) if refusal(&error) != Some("NotActive") => {
                return Err(Action::NetworkControl.needed()(error));
            }
            Ok(()) | Err(_) => {}
        }
        let end = Instant::now() + DISCONNECT_TIMEOUT;
        while self.state().await?.state > DeviceState::DISCONNECTED && Instant::now() < end {
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Returns the profile of the active connection. Returns `None` if there is no connection, or
    /// its profile has no ordinary UUID.
    pub(crate) async fn active(&self) -> Result<Option<Uuid>, BusError> {
        let path = self.active_path().await?;
        if path.as_str() == NO_OBJECT {
            return Ok(None);
        }
        let builder = ActiveConnectionProxy::builder(&self.bus).path(path);
        let active = builder.cache_properties(CacheProperties::No).build().await?;
        match active.uuid().await {
            Ok(uuid) => Ok(Uuid::parse(&uuid)),
            // The connection has just ended.
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the path of the active connection. Each activation has another one.
    pub(crate) async fn active_path(&self) -> Result<OwnedObjectPath, BusError> {
        Ok(self.device().await?.active_connection().await?)
    }

    /// Activates the profile at this path. Returns the path of the active connection.
    pub(crate) async fn activate(
        &self,
        profile: &OwnedObjectPath,
    ) -> Result<OwnedObjectPath, BusError> {
        let manager = ManagerProxy::new(&self.bus).await?;
        let any = ObjectPath::try_from(NO_OBJECT)?;
        let active = manager.activate_connection(profile, &self.device, &any).await;
        active.map_err(Action::NetworkControl.needed())
    }

    // --- the profiles --------------------------------------------------------------------------

    /// Returns all profiles.
    pub(crate) async fn profiles(&self) -> Result<Vec<StoredProfile>, BusError> {
        let mut profiles = Vec::new();
        for path in self.settings().await?.list_connections().await? {
            match self.profile_proxy(&path).await?.get_settings().await {
                Ok(settings) => profiles.push(StoredProfile { path, settings }),
                // It was removed since, or is another user's.
                Err(error) if is_gone(&error) || refusal(&error) == Some(PERMISSION_DENIED) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(profiles)
    }

    /// Returns the path of the profile with this UUID. Returns `None` if NetworkManager answers
    /// that it does not have it.
    pub(crate) async fn find(&self, uuid: Uuid) -> Result<Option<OwnedObjectPath>, BusError> {
        match self.settings().await?.get_connection_by_uuid(&uuid.to_string()).await {
            Ok(path) => Ok(Some(path)),
            Err(error) if refusal(&error) == Some("InvalidConnection") => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Checks that this program may see the active profile. NetworkManager hides one of a single
    /// user from others, and does not let them activate another one in its place.
    pub(crate) async fn require_not_private(&self, active: Option<Uuid>) -> Result<(), LinuxError> {
        let Some(uuid) = active else { return Ok(()) };
        match self.find(uuid).await {
            Err(error) if error.is_denied() => Err(LinuxError::NetworkManager {
                kind: ErrorKind::NotPermitted,
                message: format!(
                    "the active connection is the profile {uuid} of a single user, which only root \
                     and that user may replace: run `sudo nmcli connection modify {uuid} \
                     connection.permissions ''`, so that it belongs to the machine, or run this \
                     program as root"
                ),
            }),
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds a profile in memory, or replaces the one with the same UUID. A profile on disk stays
    /// there until [`save`](Self::save). Returns the path.
    pub(crate) async fn put_in_memory(
        &self,
        uuid: Uuid,
        settings: &ProfileSettings<'_>,
        autoconnect: Autoconnect,
    ) -> Result<OwnedObjectPath, BusError> {
        let none = Setting::new();
        let flags = match autoconnect {
            Autoconnect::Now => IN_MEMORY,
            Autoconnect::Later => IN_MEMORY | BLOCK_AUTOCONNECT,
        };
        if let Some(path) = self.find(uuid).await? {
            let updated = self.profile_proxy(&path).await?.update2(settings, flags, &none).await;
            updated.map_err(Action::ModifySystem.needed())?;
            return Ok(path);
        }
        let added = self.settings().await?.add_connection2(settings, flags, &none).await;
        Ok(added.map_err(Action::ModifySystem.needed())?.0)
    }

    /// Returns whether the profile, or its latest change, is only in memory.
    pub(crate) async fn is_in_memory(&self, path: &OwnedObjectPath) -> Result<bool, BusError> {
        Ok(self.profile_proxy(path).await?.unsaved().await?)
    }

    /// Writes the profile to the disk, and returns once the disk is synced. NetworkManager itself
    /// does not sync it.
    pub(crate) async fn save(&self, uuid: Uuid, path: &OwnedObjectPath) -> Result<(), LinuxError> {
        let profile = self.profile_proxy(path).await.map_err(BusError::from)?;
        let none = Setting::new();
        let saved = profile.update2(&ProfileSettings::new(), TO_DISK, &none).await;
        saved.map_err(Action::ModifySystem.needed())?;
        // The object may have another path now.
        let path = self.find(uuid).await?.unwrap_or_else(|| path.clone());
        let profile = self.profile_proxy(&path).await.map_err(BusError::from)?;
        let file = profile.filename().await.map_err(BusError::from)?;
        // With netplan, this file is in /run, and made from one in /etc.
        for path in [&*file, "/etc"] {
            sync_file_system(Path::new(path)).await?;
        }
        Ok(())
    }

    /// Removes a profile. Succeeds if it is gone already.
    pub(crate) async fn remove(&self, path: &OwnedObjectPath) -> Result<(), BusError> {
        match self.profile_proxy(path).await?.delete().await {
            Err(error) if is_gone(&error) => Ok(()),
            done => done.map_err(Action::ModifySystem.needed()),
        }
    }

    /// Returns the key in a profile. Returns `None` if it has none.
    pub(crate) async fn key(
        &self,
        path: &OwnedObjectPath,
    ) -> Result<Option<Zeroizing<String>>, BusError> {
        let profile = self.profile_proxy(path).await?;
        let secrets = profile.get_secrets("802-11-wireless-security").await;
        let mut secrets = secrets.map_err(Action::ModifySystem.needed())?;
        let security = secrets.get_mut("802-11-wireless-security");
        // Moved, not copied. The copy in the bus's buffer cannot be wiped.
        let key = security.and_then(|it| it.remove("psk"));
        Ok(key.and_then(|it| String::try_from(it).ok()).map(Zeroizing::new))
    }
}

/// Returns whether the object of a request no longer exists.
fn is_gone(error: &zbus::Error) -> bool {
    use zbus::fdo::Error::{UnknownInterface, UnknownMethod, UnknownObject};
    match error {
        zbus::Error::FDO(error) => {
            matches!(**error, UnknownMethod(_) | UnknownObject(_) | UnknownInterface(_))
        }
        _ => false,
    }
}

/// Syncs the file system of this file. The folder of the profiles belongs to root alone, so for
/// other users it syncs that of the nearest folder above it that may be opened.
async fn sync_file_system(path: &Path) -> Result<(), LinuxError> {
    let Some((folder, file)) = path.ancestors().find_map(|it| Some((it, File::open(it).ok()?)))
    else {
        return Ok(());
    };
    let device = |it: &Path| it.metadata().ok().map(|it| it.dev());
    let nearest = path.ancestors().find_map(device);
    let is_same = nearest == device(folder);
    let sync = tokio::task::spawn_blocking(move || match is_same {
        true => rustix::fs::syncfs(file),
        // Another file system is mounted in between.
        false => {
            rustix::fs::sync();
            Ok(())
        }
    });
    match sync.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(LinuxError::NetworkManager {
            kind: ErrorKind::Other,
            message: format!("the file system of {} cannot be synced: {error}", path.display()),
        }),
        Err(_) => Err(LinuxError::Wifi(ErrorKind::Other)),
    }
}
