//! The [`WifiDriver`] for an interface that NetworkManager manages.
//!
//! Scans and the exchange go through NetworkManager's wpa_supplicant: its control socket, or D-Bus.
//! Everything else goes through NetworkManager.

mod activation;
mod agent;
mod air;
mod apply_context;
pub(crate) mod bus;
mod client;
mod idle_watch;
mod join;
mod platform_snapshot;
mod profile;
mod uuid;

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use wps_core::driver::{IdleEvent, KeptBy, Offer, PairContext, SearchProgress};
use wps_core::{
    AccessPoint, Credentials, DriverError, ErrorKind, KeptId, Link, Mode, ScanResults, Secret,
    Settings, Snapshot, WifiDriver,
};
use zbus::OwnedObjectPath;

use crate::error::LinuxError;
use crate::manager::require_network_manager;
use crate::radio_switch::{Power, RadioSwitch};
use crate::supplicant::client::SupplicantClient;
use crate::supplicant::exchange::{check_wps, exchange, require_wps};
use crate::supplicant::requests::Requests;
use crate::supplicant::scan::scan_all_channels;
use crate::supplicant::search::find_pressed_router;
use apply_context::ApplyContext;
use bus::Action;
use client::{Autoconnect, Client};
use idle_watch::{Applied, IdleWatch, Maintenance};
use platform_snapshot::PlatformSnapshot;
use profile::{Retries, StoredProfile};
use uuid::Uuid;

/// NetworkManager activates its connection again 15 s after wpa_supplicant has left it. The
/// exchange ends before that.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(13);
/// How long NetworkManager and wpa_supplicant may take to use a radio that was switched on.
const RADIO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an access point may take to start.
const ACCESS_POINT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time between two requests for a state.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A Wi-Fi interface that NetworkManager manages, with wpa_supplicant as its backend.
///
/// The network of a pairing becomes an ordinary profile of NetworkManager, which stays if this
/// software is removed. The driver marks its profiles: with a tag in the setting `user`, and by
/// their UUIDs. It never changes another profile. Until a network was joined, its profile is only
/// in memory.
///
/// Between two method calls the driver keeps only what it last configured, and what it has seen of
/// that while idle. So NetworkManager, wpa_supplicant and this program may restart at any time.
///
/// It needs:
///
/// * the right to use wpa_supplicant: its control socket (wpa_supplicant's option `-O`, as in the
///   unit of Debian), or its D-Bus interface if there is no socket (upstream's unit). Root has this
///   right, in Debian also the group `netdev`;
/// * root, or a rule for polkit that permits `org.freedesktop.NetworkManager.network-control` and
///   `….settings.modify.system`, and for access points `….wifi.share.protected` or `….open`;
/// * for off, and back: write access to `/dev/rfkill`.
#[derive(Clone, Debug)]
pub struct NetworkManager {
    directory: PathBuf,
    interface: String,
    /// What this driver last configured. If the radio is off although this is not
    /// [`Applied::RadioOff`], the device is in flight mode. A failed pairing returns to that.
    applied: Applied,
    /// Whether a method has got a snapshot: there was a task.
    had_task: bool,
    /// The profile that NetworkManager was about to activate when `pair` stopped it.
    interrupted: Option<Uuid>,
    idle_watch: IdleWatch,
}

impl NetworkManager {
    /// Creates a driver for `interface`. If NetworkManager's wpa_supplicant has control sockets,
    /// they are in `directory` (`/run/wpa_supplicant` on most systems).
    pub fn new(directory: impl Into<PathBuf>, interface: impl Into<String>) -> Self {
        Self {
            directory: directory.into(),
            interface: interface.into(),
            applied: Applied::Nothing,
            had_task: false,
            interrupted: None,
            idle_watch: IdleWatch::default(),
        }
    }

    /// Checks whether a pairing could start: NetworkManager manages the interface and permits what
    /// is needed, its wpa_supplicant answers, and no hardware switch keeps the radio off. Changes
    /// nothing.
    ///
    /// # Errors
    /// Returns an error that says what is missing and what to do about it.
    pub async fn check(&self) -> Result<(), LinuxError> {
        self.checked_client().await?;
        self.require_wps().await
    }

    /// Connects to NetworkManager after the checks of [`Self::check`].
    async fn checked_client(&self) -> Result<Client, LinuxError> {
        let client = self.client().await?;
        require_network_manager(&self.interface, &self.directory).await?;
        client.check_permissions(&[Action::NetworkControl, Action::ModifySystem]).await?;
        match self.radio_switch().power() {
            Power::HardBlocked => Err(LinuxError::HardBlocked(self.interface.clone())),
            // wpa_supplicant does not know the interface until the radio is on.
            Power::SoftBlocked | Power::InterfaceDown => Ok(client),
            Power::On => self.session().await.map(|_| client),
        }
    }

    /// Checks that wpa_supplicant has WPS, if it knows the interface: not while the radio is off.
    async fn require_wps(&self) -> Result<(), LinuxError> {
        match self.radio_switch().power() {
            Power::On => require_wps(&self.requests().await?).await,
            Power::SoftBlocked | Power::InterfaceDown | Power::HardBlocked => Ok(()),
        }
    }

    async fn client(&self) -> Result<Client, LinuxError> {
        Client::connect(&self.interface).await
    }

    async fn session(&self) -> Result<SupplicantClient, LinuxError> {
        SupplicantClient::open_shared(&self.directory, &self.interface).await
    }

    async fn requests(&self) -> Result<Requests, LinuxError> {
        Requests::connect(&self.directory, &self.interface).await
    }

    /// Returns why a method has failed: NetworkManager has let go of the interface, or `error`.
    async fn explain(&self, error: LinuxError) -> LinuxError {
        use ErrorKind::{Blocked, NoDevice, NoResponse};
        if !matches!(error.kind(), Blocked | NoDevice | NoResponse) {
            return error;
        }
        match require_network_manager(&self.interface, &self.directory).await {
            // A program that restarts may still succeed within this task.
            Err(reason) if reason.kind() != NoResponse => reason,
            Ok(()) | Err(_) => error,
        }
    }

    fn radio_switch(&self) -> RadioSwitch<'_> {
        RadioSwitch::new(&self.interface)
    }

    /// Returns whether a user has switched the radio off. If the interface is down, NetworkManager
    /// takes it up.
    fn is_in_flight_mode(&self) -> bool {
        let power = self.radio_switch().power();
        self.applied != Applied::RadioOff
            && matches!(power, Power::SoftBlocked | Power::HardBlocked)
    }

    /// Turns the radio on, and waits until NetworkManager and wpa_supplicant use it.
    async fn turn_radio_on(&self, client: &Client) -> Result<SupplicantClient, LinuxError> {
        self.radio_switch().turn_on().await?;
        let end = Instant::now() + RADIO_TIMEOUT;
        loop {
            match (client.state().await?.is_available(), self.session().await) {
                (true, Ok(session)) => return Ok(session),
                (_, Err(error)) if Instant::now() > end => return Err(error),
                (false, Ok(_)) if Instant::now() > end => {
                    return Err(LinuxError::Blocked(self.interface.clone()));
                }
                _ => sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// Turns the radio on without letting it join a network, and ends an earlier exchange. The
    /// snapshot of the task has the previous value of `Autoconnect`.
    async fn session_for_task(&self, client: &Client) -> Result<SupplicantClient, LinuxError> {
        if self.radio_switch().power() != Power::On {
            client.set_autoconnect(false).await?;
        }
        let session = self.turn_radio_on(client).await?;
        air::cancel_exchange(&session).await?;
        Ok(session)
    }

    /// Turns the radio off. NetworkManager notices that, and joins a network once it is on again.
    async fn apply_off(
        &mut self,
        client: &Client,
        kept: Option<Uuid>,
        snapshot: Option<&PlatformSnapshot>,
    ) -> Result<(), LinuxError> {
        self.applied = Applied::RadioOff;
        self.radio_switch().turn_off().await?;
        // Not before the radio is off: NetworkManager would join a network.
        if let Some(snapshot) = snapshot {
            client.set_autoconnect(snapshot.autoconnect).await?;
        }
        self.remove_from_memory(client, &client.profiles().await?, [None, kept]).await
    }

    /// Makes NetworkManager match `settings`, which are not off.
    async fn apply_on(
        &mut self,
        client: &Client,
        settings: &Settings,
        snapshot: Option<&PlatformSnapshot>,
    ) -> Result<(), LinuxError> {
        let is_blocked = snapshot.map_or(self.is_in_flight_mode(), |it| it.is_blocked);
        if is_blocked {
            return self.apply_in_flight_mode(client, settings, snapshot).await;
        }
        let session = self.turn_radio_on(client).await?;
        air::cancel_exchange(&session).await?;
        let profiles = client.profiles().await?;
        let context = ApplyContext { client, session: &session, snapshot, profiles: &profiles };
        let applied = match settings {
            Settings::Station { network } if network.secret.kept_id().is_none() => {
                let uuid = self.apply_station(&context, network).await?;
                Applied::InMemory { uuid, ssid: network.ssid.clone() }
            }
            Settings::AccessPoint { access_point, .. } => {
                let uuid = self.apply_access_point(&context, access_point).await?;
                Applied::AccessPoint { uuid }
            }
            Settings::Station { network } => {
                let kept = network.secret.kept_id().map(Uuid::from);
                self.apply_platform(&context, kept).await?;
                kept.map_or(Applied::Nothing, |uuid| Applied::Kept {
                    uuid,
                    ssid: network.ssid.clone(),
                })
            }
            Settings::Platform | Settings::Off { .. } => {
                self.apply_platform(&context, None).await?;
                Applied::Nothing
            }
        };
        let needed = [applied.uuid(), settings.kept_id().map(Uuid::from)];
        self.remove_from_memory(client, &profiles, needed).await?;
        if let Some(snapshot) = snapshot {
            client.set_autoconnect(snapshot.autoconnect).await?;
        }
        // Last, because this future may be dropped before.
        self.applied = applied;
        Ok(())
    }

    /// Leaves the radio off, or turns it off again. NetworkManager joins the network of `settings`
    /// once a user turns the radio on.
    async fn apply_in_flight_mode(
        &mut self,
        client: &Client,
        settings: &Settings,
        snapshot: Option<&PlatformSnapshot>,
    ) -> Result<(), LinuxError> {
        let profiles = client.profiles().await?;
        self.applied = match settings {
            Settings::Station { network } => match network.secret {
                Secret::Kept(id) => Applied::Kept { uuid: id.into(), ssid: network.ssid.clone() },
                Secret::Open | Secret::Key(_) => {
                    let uuid = match self.find_station(client, &profiles, network).await? {
                        Some((uuid, _)) => uuid,
                        None => self.add_station(client, &profiles, network).await?.0,
                    };
                    Applied::InMemory { uuid, ssid: network.ssid.clone() }
                }
            },
            Settings::AccessPoint { .. } => Applied::Blocked,
            Settings::Platform | Settings::Off { .. } => Applied::Nothing,
        };
        let needed = [self.applied.uuid(), settings.kept_id().map(Uuid::from)];
        self.remove_from_memory(client, &profiles, needed).await?;
        self.radio_switch().turn_off().await?;
        // Not before the radio is off: NetworkManager would join a network.
        if let Some(snapshot) = snapshot {
            client.set_autoconnect(snapshot.autoconnect).await?;
        }
        tracing::warn!("{}", LinuxError::Blocked(self.interface.clone()));
        Ok(())
    }

    /// Returns to the connection of the snapshot. Without a snapshot, NetworkManager decides which
    /// network it joins, and `kept` is only activated if it joins none.
    async fn apply_platform(
        &self,
        context: &ApplyContext<'_>,
        kept: Option<Uuid>,
    ) -> Result<(), LinuxError> {
        let ApplyContext { client, snapshot, profiles, .. } = *context;
        let active = client.active().await?;
        let is_temporary = active != kept && self.is_temporary(client, profiles, active).await?;
        let is_connecting = client.state().await?.is_connecting() && !is_temporary;
        let wanted = match snapshot {
            Some(snapshot) => snapshot.active,
            None if is_connecting => active,
            None => kept,
        };
        match wanted {
            Some(uuid) => match client.find(uuid).await {
                Ok(Some(path)) => return context.activate(uuid, &path).await,
                Ok(None) => {}
                Err(error) if error.is_denied() => return context.return_to_private(uuid).await,
                Err(error) => return Err(error.into()),
            },
            // It had no connection: that of the task ends here.
            None if snapshot.is_some_and(|it| active == Some(it.new)) => {
                client.disconnect().await?;
            }
            None => {}
        }
        Ok(())
    }

    /// Activates our profile for `network`. Adds it in memory first if it does not exist. Returns
    /// its UUID.
    async fn apply_station(
        &self,
        context: &ApplyContext<'_>,
        network: &Credentials,
    ) -> Result<Uuid, LinuxError> {
        let ApplyContext { client, profiles, .. } = *context;
        let (uuid, path) = match self.find_station(client, profiles, network).await? {
            Some(found) => found,
            None => self.add_station(client, profiles, network).await?,
        };
        context.activate(uuid, &path).await?;
        Ok(uuid)
    }

    /// Returns our profile for `network` in memory, with the same key.
    async fn find_station(
        &self,
        client: &Client,
        profiles: &[StoredProfile],
        network: &Credentials,
    ) -> Result<Option<(Uuid, OwnedObjectPath)>, LinuxError> {
        let is_same = |it: &StoredProfile| it.is_station(network);
        self.find_in_memory(client, profiles, is_same, &network.secret).await
    }

    /// Adds a profile for `network` in memory.
    async fn add_station(
        &self,
        client: &Client,
        profiles: &[StoredProfile],
        network: &Credentials,
    ) -> Result<(Uuid, OwnedObjectPath), LinuxError> {
        let uuid = Uuid::new_own()?;
        let priority = profile::priority(profiles, &self.interface);
        let mut settings =
            profile::station(&self.interface, uuid, network, priority.into(), Retries::Unlimited)?;
        // It is not known whether the network is hidden.
        profile::set_hidden(&mut settings);
        Ok((uuid, client.put_in_memory(uuid, &settings, Autoconnect::Now).await?))
    }

    /// Serves `access_point`, with a profile in memory, and waits until it is on the air. Returns
    /// its UUID.
    async fn apply_access_point(
        &self,
        context: &ApplyContext<'_>,
        access_point: &AccessPoint,
    ) -> Result<Uuid, LinuxError> {
        let ApplyContext { client, session, profiles, .. } = *context;
        let secret = &access_point.network.secret;
        let shares = profile::can_share();
        if shares {
            client.check_permissions(&[Action::sharing(secret)]).await?;
        }
        let is_same = |it: &StoredProfile| it.is_access_point(access_point);
        let (uuid, path) = match self.find_in_memory(client, profiles, is_same, secret).await? {
            Some(found) => found,
            None => {
                let uuid = Uuid::new_own()?;
                let settings = profile::access_point(&self.interface, uuid, access_point, shares)?;
                (uuid, client.put_in_memory(uuid, &settings, Autoconnect::Later).await?)
            }
        };
        context.activate(uuid, &path).await?;
        let end = Instant::now() + ACCESS_POINT_TIMEOUT;
        let mut has_begun = false;
        while session.access_point_network_id().await?.is_none() {
            let is_connecting = client.state().await?.is_connecting();
            let is_active = is_connecting && client.active().await? == Some(uuid);
            if has_begun && !is_active || Instant::now() > end {
                return Err(LinuxError::AccessPoint(
                    "the access point did not start: this card cannot serve it with these \
                     settings; try another channel"
                        .into(),
                ));
            }
            has_begun |= is_active;
            sleep(POLL_INTERVAL).await;
        }
        Ok(uuid)
    }

    /// Returns our profile in memory that `is_same` and has the same key. An earlier process may
    /// have added it: to add it again would drop the link.
    async fn find_in_memory(
        &self,
        client: &Client,
        profiles: &[StoredProfile],
        is_same: impl Fn(&StoredProfile) -> bool,
        secret: &Secret,
    ) -> Result<Option<(Uuid, OwnedObjectPath)>, LinuxError> {
        let key = secret.key().map_err(LinuxError::Wifi)?;
        for it in profiles.iter().filter(|it| it.is_ours(&self.interface) && is_same(it)) {
            let is_same_key = match key {
                None => true,
                Some(key) => {
                    let known = client.key(&it.path).await?;
                    known.is_some_and(|it| it.as_bytes() == key.reveal())
                }
            };
            if let Some(uuid) = it.uuid()
                && is_same_key
                && client.is_in_memory(&it.path).await?
            {
                return Ok(Some((uuid, it.path.clone())));
            }
        }
        Ok(None)
    }

    /// Removes our profiles that are only in memory. One on disk counts as such, too, if a user has
    /// changed it for now. So the profile that the settings name is among the `needed` ones.
    async fn remove_from_memory(
        &self,
        client: &Client,
        profiles: &[StoredProfile],
        needed: [Option<Uuid>; 2],
    ) -> Result<(), LinuxError> {
        for it in profiles.iter().filter(|it| it.is_ours(&self.interface)) {
            if !needed.contains(&it.uuid()) && client.is_in_memory(&it.path).await? {
                client.remove(&it.path).await?;
            }
        }
        Ok(())
    }

    /// Returns whether the profile with this UUID is ours and only in memory.
    async fn is_temporary(
        &self,
        client: &Client,
        profiles: &[StoredProfile],
        uuid: Option<Uuid>,
    ) -> Result<bool, LinuxError> {
        let ours = profiles
            .iter()
            .find(|it| uuid.is_some() && it.uuid() == uuid && it.is_ours(&self.interface));
        match ours {
            Some(profile) => Ok(client.is_in_memory(&profile.path).await?),
            None => Ok(false),
        }
    }

    async fn try_to_apply(
        &mut self,
        settings: &Settings,
        snapshot: &Snapshot,
    ) -> Result<(), LinuxError> {
        self.idle_watch.restart();
        self.had_task |= !snapshot.as_bytes().is_empty();
        let snapshot = PlatformSnapshot::from_snapshot(snapshot)
            .map(|it| PlatformSnapshot { active: it.active.or(self.interrupted), ..it });
        let client = self.client().await?;
        let previous = self.applied.clone();
        let applied = match settings {
            Settings::Off { .. } => {
                let kept = settings.kept_id().map(Uuid::from);
                self.apply_off(&client, kept, snapshot.as_ref()).await
            }
            // NetworkManager's own networks are better than none.
            Settings::Station { network } if foreign_id(&network.secret).is_some() => {
                self.apply_on(&client, &Settings::Platform, snapshot.as_ref()).await?;
                Err(LinuxError::Wifi(ErrorKind::KeptElsewhere))
            }
            settings => self.apply_on(&client, settings, snapshot.as_ref()).await,
        };
        if self.applied != previous {
            self.idle_watch = IdleWatch::default();
        }
        if applied.is_ok() {
            self.interrupted = None;
        }
        applied
    }

    async fn try_to_pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, LinuxError> {
        self.idle_watch.pause();
        let client = self.client().await?;
        context.report_progress(SearchProgress::Looking);
        let session = self.session_for_task(&client).await?;
        require_wps(session.requests()).await?;
        let leave_network = async || {
            client.set_autoconnect(false).await?;
            Ok(client.disconnect().await?)
        };
        let pressed = find_pressed_router(&session, &[], context, leave_network).await?;
        context.before_disconnect().await;
        context.report_progress(SearchProgress::Exchanging { ssid: pressed.router.ssid.clone() });
        // NetworkManager does not notice the exchange while it has a connection. Without one, or if
        // it has not noticed yet that the link is down, it could make one meanwhile.
        let has_link = session.connected_network_id().await?.is_some()
            || session.access_point_network_id().await?.is_some();
        if !has_link || !client.state().await?.is_linked() {
            // Otherwise NetworkManager would not try this profile again by itself.
            self.interrupted = client.active().await?.or(self.interrupted);
            leave_network().await?;
        }
        let done = timeout(EXCHANGE_TIMEOUT, exchange(&session, &pressed)).await;
        done.unwrap_or(Err(LinuxError::Wifi(ErrorKind::RouterLost)))
    }

    async fn try_to_scan(&mut self) -> Result<ScanResults, LinuxError> {
        self.idle_watch.pause();
        if self.radio_switch().power() != Power::On {
            return Err(LinuxError::Blocked(self.interface.clone()));
        }
        scan_all_channels(&self.session().await?, &self.interface).await
    }
}

/// Returns the identifier of a network that only another network manager has.
fn foreign_id(secret: &Secret) -> Option<KeptId> {
    secret.kept_id().filter(|id| !Uuid::from(*id).is_own())
}

impl WifiDriver for NetworkManager {
    type Error = LinuxError;

    async fn apply(&mut self, settings: &Settings, snapshot: &Snapshot) -> Result<(), LinuxError> {
        match self.try_to_apply(settings, snapshot).await {
            Err(error) => Err(self.explain(error).await),
            done => done,
        }
    }

    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, LinuxError> {
        match self.try_to_pair(context).await {
            Err(error) => Err(self.explain(error).await),
            done => done,
        }
    }

    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot) -> Result<(), LinuxError> {
        match self.try_to_join(network, snapshot).await {
            Err(error) => Err(self.explain(error).await),
            done => done,
        }
    }

    async fn keep(
        &mut self,
        network: &Credentials,
        snapshot: &Snapshot,
    ) -> Result<KeptBy, LinuxError> {
        self.idle_watch.restart();
        if let Some(id) = network.secret.kept_id() {
            return Ok(KeptBy::Platform(id));
        }
        let Some(snapshot) = PlatformSnapshot::from_snapshot(snapshot) else {
            // Nothing may be kept that the journal does not name.
            return Ok(KeptBy::Record);
        };
        self.had_task = true;
        let client = self.client().await?;
        let uuid = snapshot.new;
        // It is gone if NetworkManager has restarted since `join`.
        let path = client.find(uuid).await?.ok_or(LinuxError::Wifi(ErrorKind::NoResponse))?;
        client.save(uuid, &path).await?;
        self.applied = Applied::Kept { uuid, ssid: network.ssid.clone() };
        Ok(KeptBy::Platform(uuid.into()))
    }

    async fn check_pairing(&mut self) -> Result<(), LinuxError> {
        check_wps(self.require_wps()).await
    }

    async fn snapshot(&mut self) -> Result<Snapshot, LinuxError> {
        self.idle_watch.pause();
        let client = self.checked_client().await?;
        let profiles = client.profiles().await?;
        let active = client.active().await?;
        client.require_not_private(active).await?;
        let is_kept = matches!(self.applied, Applied::Kept { uuid, .. } if Some(uuid) == active);
        let is_temporary = !is_kept && self.is_temporary(&client, &profiles, active).await?;
        // Without the radio, wpa_supplicant is about to let go of the interface.
        let link = match self.radio_switch().power() {
            Power::On => self.requests().await?.link().await?,
            Power::SoftBlocked | Power::InterfaceDown | Power::HardBlocked => Link::default(),
        };
        let snapshot = PlatformSnapshot {
            new: Uuid::new_own()?,
            active: active.filter(|_| !is_temporary),
            frequency_mhz: link.frequency_mhz.filter(|_| link.up).unwrap_or(0),
            priority: profile::priority(&profiles, &self.interface),
            autoconnect: client.autoconnect().await?,
            is_blocked: self.is_in_flight_mode(),
        };
        Ok(snapshot.to_snapshot())
    }

    async fn link(&mut self) -> Result<Link, LinuxError> {
        if self.radio_switch().power() != Power::On {
            return Ok(Link { mode: Some(Mode::Off), ..Link::default() });
        }
        self.requests().await?.link().await
    }

    async fn scan(&mut self) -> Result<ScanResults, LinuxError> {
        match self.try_to_scan().await {
            Err(error) => Err(self.explain(error).await),
            done => done,
        }
    }

    fn can_pair_with_one(&self) -> bool {
        true
    }

    async fn maintain(&mut self, settings: &Settings) -> IdleEvent {
        let Self { directory, interface, applied, had_task, idle_watch, .. } = self;
        let maintenance = Maintenance {
            watch: idle_watch,
            applied,
            settings,
            had_task: *had_task,
            directory,
            interface,
        };
        maintenance.run().await
    }
}
