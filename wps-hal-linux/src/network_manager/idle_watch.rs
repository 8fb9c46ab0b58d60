//! Watches our profiles and the network of the settings while the device is idle.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};
use wps_core::driver::IdleEvent;
use wps_core::{DriverError, ErrorKind, Settings, Ssid};

use super::client::Client;
use super::uuid::Uuid;
use crate::error::LinuxError;
use crate::manager::require_network_manager;
use crate::radio_switch::{Power, RadioSwitch};
use crate::supplicant::client::EventStream;
use crate::supplicant::event::Event;
use crate::supplicant::refusals::Refusals;
use crate::supplicant::requests::Requests;
use crate::supplicant::return_delay::ReturnDelay;

/// The time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_secs(3);
/// `NM_DEVICE_STATE_REASON_USER_REQUESTED`.
const USER_REQUESTED: u32 = 39;

/// What the driver last configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Applied {
    /// Nothing: NetworkManager decides alone.
    #[default]
    Nothing,
    /// This profile for a station, only in memory.
    InMemory { uuid: Uuid, ssid: Ssid },
    /// This profile for a station, which is on disk.
    Kept { uuid: Uuid, ssid: Ssid },
    /// This profile for an access point.
    AccessPoint { uuid: Uuid },
    /// The radio is off.
    RadioOff,
    /// Nothing, because a user has turned the radio off. The settings need it on.
    Blocked,
}

impl Applied {
    /// Returns the profile.
    pub(crate) fn uuid(&self) -> Option<Uuid> {
        match self {
            Self::InMemory { uuid, .. } | Self::Kept { uuid, .. } | Self::AccessPoint { uuid } => {
                Some(*uuid)
            }
            Self::Nothing | Self::RadioOff | Self::Blocked => None,
        }
    }
}

/// What the driver remembers between two calls of `maintain`, whose future may be dropped every
/// second.
#[derive(Debug, Default)]
pub(crate) struct IdleWatch {
    /// When to check next. `None` is now.
    next_check: Option<Instant>,
    /// Whether there is no profile left to remove.
    is_tidy: bool,
    /// Whether it was logged that a profile cannot be removed.
    is_failure_logged: bool,
    /// Whether it was logged that NetworkManager does not manage the interface.
    is_unmanaged_logged: bool,
    return_delay: ReturnDelay,
    /// wpa_supplicant's events, only while the profile is active and the link is down.
    events: Option<EventStream>,
    refusals: Refusals,
    /// The connection to NetworkManager that has last returned to the network, only until the link
    /// is up. It keeps a dialog from opening if the key is refused.
    returning: Option<Client>,
}

/// Has the same memory, but no connection.
impl Clone for IdleWatch {
    fn clone(&self) -> Self {
        let return_delay = self.return_delay.clone();
        Self { events: None, returning: None, return_delay, ..*self }
    }
}

impl IdleWatch {
    /// Stops listening to events, for the time of another method, in which nothing reads them.
    pub(crate) fn pause(&mut self) {
        self.events = None;
        self.returning = None;
    }

    /// Checks everything again at once, after a method that may have changed profiles.
    pub(crate) fn restart(&mut self) {
        self.pause();
        self.is_tidy = false;
        self.next_check = None;
    }
}

/// One call of `maintain`.
pub(crate) struct Maintenance<'a> {
    pub(crate) watch: &'a mut IdleWatch,
    pub(crate) applied: &'a Applied,
    pub(crate) settings: &'a Settings,
    /// Whether there was a task in this run of the driver.
    pub(crate) had_task: bool,
    pub(crate) directory: &'a Path,
    pub(crate) interface: &'a str,
}

impl Maintenance<'_> {
    /// Waits until there is something to report.
    pub(crate) async fn run(mut self) -> IdleEvent {
        loop {
            let next_check = *self.watch.next_check.get_or_insert_with(Instant::now);
            let event = match &self.watch.events {
                Some(events) => timeout_at(next_check, events.next()).await.ok(),
                None => {
                    sleep_until(next_check).await;
                    None
                }
            };
            let report = match event {
                Some(Ok(Event::KeyRefused(_))) => self.watch.refusals.on_refused(),
                Some(Ok(Event::NetworkNotFound | Event::Rejected { .. })) => {
                    self.watch.refusals.on_other_failure();
                    None
                }
                Some(Ok(_)) => None,
                // The next check connects again.
                Some(Err(_)) => {
                    self.watch.events = None;
                    None
                }
                None => {
                    // Reports and removes nothing while NetworkManager does not answer.
                    let report = self.check().await.unwrap_or(None);
                    self.watch.next_check = Some(Instant::now() + CHECK_INTERVAL);
                    report
                }
            };
            if let Some(report) = report {
                return report;
            }
        }
    }

    /// Checks everything once.
    async fn check(&mut self) -> Result<Option<IdleEvent>, LinuxError> {
        let is_on = RadioSwitch::new(self.interface).power() == Power::On;
        match self.applied {
            Applied::RadioOff if is_on => {
                tracing::warn!("another program has turned the radio on: turning it off");
                return Ok(Some(IdleEvent::ConfigLost));
            }
            Applied::Blocked if is_on => return Ok(Some(IdleEvent::ConfigLost)),
            _ => {}
        }
        let client = Client::connect(self.interface).await?;
        // Before other profiles are removed: they may be all that the device still has.
        if let Applied::InMemory { uuid, .. } | Applied::AccessPoint { uuid } = self.applied
            && client.find(*uuid).await?.is_none()
        {
            tracing::warn!("NetworkManager has lost our settings: applying them again");
            return Ok(Some(IdleEvent::ConfigLost));
        }
        let named = self.settings.kept_id().map(Uuid::from);
        // Another network manager has a network with an identifier that is not ours. Then this one
        // cannot say what is no longer needed.
        if named.is_none_or(Uuid::is_own) {
            if let Some(named) = named
                && client.find(named).await?.is_none()
            {
                return Ok(Some(IdleEvent::NetworkRemoved));
            }
            if !self.watch.is_tidy {
                let removed = self.remove_unnamed(&client, named).await;
                self.watch.is_tidy = removed.is_ok();
                // The link is looked after nevertheless.
                if let (Err(error), false) = (removed, self.watch.is_failure_logged) {
                    tracing::warn!("profiles that are no longer needed stay for now: {error}");
                    self.watch.is_failure_logged = true;
                }
            }
        }
        if self.applied.uuid().is_some() && !client.is_managed().await? {
            self.on_unmanaged().await;
            return Ok(None);
        }
        self.watch.is_unmanaged_logged = false;
        match self.applied {
            Applied::Nothing | Applied::RadioOff | Applied::Blocked => Ok(None),
            Applied::AccessPoint { uuid } => self.check_access_point(&client, *uuid).await,
            Applied::InMemory { uuid, ssid } => self.check_link(client, *uuid, ssid, false).await,
            Applied::Kept { uuid, ssid } => self.check_link(client, *uuid, ssid, true).await,
        }
    }

    /// Leaves an interface alone that NetworkManager does not manage now, and logs once what to do.
    async fn on_unmanaged(&mut self) {
        self.watch.pause();
        self.watch.return_delay.stop();
        if !self.watch.is_unmanaged_logged
            && let Err(error) = require_network_manager(self.interface, self.directory).await
            && error.kind() != ErrorKind::NoResponse
        {
            tracing::warn!("{error}");
            self.watch.is_unmanaged_logged = true;
        }
    }

    /// Removes our profiles that are not needed: those on disk except `named`, and those in memory
    /// except the applied one.
    async fn remove_unnamed(&self, client: &Client, named: Option<Uuid>) -> Result<(), LinuxError> {
        for profile in client.profiles().await?.iter().filter(|it| it.is_ours(self.interface)) {
            let uuid = profile.uuid();
            let is_needed = named.is_some() && uuid == named
                || match client.is_in_memory(&profile.path).await? {
                    true => *self.applied == Applied::Nothing || uuid == self.applied.uuid(),
                    // The record may be lost: then it is all that the device still has.
                    false => named.is_none() && !self.had_task,
                };
            if !is_needed {
                tracing::info!("removing a profile that is no longer needed");
                client.remove(&profile.path).await?;
            }
        }
        Ok(())
    }

    /// Checks whether NetworkManager still serves the access point of a profile.
    async fn check_access_point(
        &mut self,
        client: &Client,
        uuid: Uuid,
    ) -> Result<Option<IdleEvent>, LinuxError> {
        let (is_active, device) = (client.active().await? == Some(uuid), client.state().await?);
        if is_active {
            self.watch.return_delay = ReturnDelay::default();
        } else if !device.is_available() || device.reason == USER_REQUESTED {
            self.watch.return_delay.stop();
        } else if self.watch.return_delay.is_over() {
            self.watch.return_delay.double();
            tracing::warn!("NetworkManager has ended the access point: starting it again");
            return Ok(Some(IdleEvent::ConfigLost));
        }
        Ok(None)
    }

    /// Checks the link to the network of a profile, and returns to it if NetworkManager has given
    /// up. If the profile is `kept`, NetworkManager may prefer another one.
    async fn check_link(
        &mut self,
        client: Client,
        uuid: Uuid,
        ssid: &Ssid,
        kept: bool,
    ) -> Result<Option<IdleEvent>, LinuxError> {
        let supplicant = Requests::connect(self.directory, self.interface).await?;
        let (is_active, device) = (client.active().await? == Some(uuid), client.state().await?);
        let is_up = supplicant.link().await?.up;
        if is_active && is_up {
            self.watch.pause();
            self.watch.return_delay = ReturnDelay::default();
            return Ok(self.watch.refusals.on_accepted());
        }
        if is_active {
            self.listen().await;
        } else {
            self.watch.pause(); // the events would be about another network
        }
        let in_other_network = !is_active && is_up && !kept;
        // A user who disconnects wants to stay offline.
        let has_given_up = !device.is_connecting()
            && device.is_available()
            && device.reason != USER_REQUESTED
            && client.autoconnect().await?;
        if !(in_other_network || has_given_up) {
            self.watch.return_delay.stop();
        } else if self.watch.return_delay.is_over() {
            if !supplicant.is_in_range(ssid).await? {
                self.watch.return_delay.postpone();
                return Ok(None);
            }
            self.watch.return_delay.double();
            if in_other_network {
                tracing::warn!("NetworkManager has joined another network: returning to ours");
                return Ok(Some(IdleEvent::ConfigLost));
            }
            self.listen().await;
            if let Some(path) = client.find(uuid).await? {
                self.watch.returning = None;
                client.suppress_key_dialog(uuid).await;
                self.watch.returning.insert(client).activate(&path).await?;
            }
        }
        Ok(None)
    }

    /// Listens to wpa_supplicant's events, unless it does already.
    async fn listen(&mut self) {
        let is_listening = match &self.watch.events {
            Some(events) => events.is_connected().await,
            None => false,
        };
        if !is_listening {
            self.watch.events = EventStream::open(self.directory, self.interface).await.ok();
        }
    }
}
