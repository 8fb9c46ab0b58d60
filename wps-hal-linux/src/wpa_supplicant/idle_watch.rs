//! Watches the applied configuration and its network while the device is idle.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};
use wps_core::Ssid;
use wps_core::driver::IdleEvent;
use wps_core::wsc::Bssid;

use super::applied_config::{AppliedConfig, Condition};
use super::networks;
use crate::error::LinuxError;
use crate::supplicant::bss_table;
use crate::supplicant::control_socket::{ControlSocket, ControlSocketError, Events};
use crate::supplicant::event::{Event, RefusedBy};
use crate::supplicant::refusals::{Refusals, TRY_LATER};
use crate::supplicant::requests::Requests;
use crate::supplicant::return_delay::ReturnDelay;

/// The time between two checks. Polling is necessary: a wpa_supplicant that was killed sends no
/// event.
const CONFIG_POLL_INTERVAL: Duration = Duration::from_secs(3);

/// What the driver remembers between two calls of `maintain`, whose future may be dropped every
/// second.
#[derive(Debug, Default)]
pub(crate) struct IdleWatch {
    /// When to check next. `None` is now.
    next_check: Option<Instant>,
    return_delay: ReturnDelay,
    /// wpa_supplicant's events, only while the link is down. Otherwise they are not needed, and
    /// wpa_supplicant reopens its socket if a listener does not read.
    events: Option<Events>,
    /// The event that is being handled. It stays here until that is done.
    event: Option<Event>,
    refusals: Refusals,
    /// Whether an access point has refused the key since the last scan.
    refused_since_scan: bool,
    /// The joins in a row that have failed for a reason other than the key.
    failures: u32,
    /// Whether our network was applied again since the last link, because its access point takes
    /// only WPA3.
    has_offered_sae_again: bool,
}

/// Has the same memory, but no connection.
impl Clone for IdleWatch {
    fn clone(&self) -> Self {
        Self {
            events: None,
            return_delay: self.return_delay.clone(),
            event: self.event.clone(),
            ..*self
        }
    }
}

impl IdleWatch {
    /// Stops listening to events, for the time of another method, in which nothing reads them.
    pub(crate) fn pause(&mut self) {
        self.events = None;
    }

    /// Checks at once after the same network was applied again, with the same key. The refusals
    /// still count: each return from another network is such an `apply`, and ends with a single
    /// refusal.
    pub(crate) fn resume(&mut self) {
        self.pause();
        self.next_check = None;
    }

    /// Waits until there is something to report.
    pub(crate) async fn next(
        &mut self,
        config: &AppliedConfig,
        directory: &Path,
        interface: &str,
    ) -> IdleEvent {
        loop {
            if let Some(event) = self.event.clone() {
                let report = self.on_event(event, config, directory, interface).await;
                self.event = None;
                if let Some(report) = report {
                    return report;
                }
            }
            let next_check = *self.next_check.get_or_insert_with(Instant::now);
            // An event that has arrived comes before a check that is due.
            let event = match &self.events {
                Some(events) => timeout_at(next_check, events.next()).await.ok(),
                None => {
                    sleep_until(next_check).await;
                    None
                }
            };
            match event {
                Some(Ok(event)) => self.event = Some(event),
                // The next check connects again.
                Some(Err(_)) => self.events = None,
                None => match self.check(config, directory, interface).await {
                    Some(report) => return report,
                    None => self.next_check = Some(Instant::now() + CONFIG_POLL_INTERVAL),
                },
            }
        }
    }

    /// Checks the configuration, and whether the key is accepted. Reports nothing while
    /// wpa_supplicant does not run, since it could not be configured again.
    async fn check(
        &mut self,
        config: &AppliedConfig,
        directory: &Path,
        interface: &str,
    ) -> Option<IdleEvent> {
        let control = ControlSocket::connect(directory, interface).ok()?;
        match config.check(&control, &mut self.return_delay).await {
            Ok(Condition::Lost) => Some(IdleEvent::ConfigLost),
            Ok(Condition::Connected) => self.on_key_accepted(),
            Ok(Condition::NotConnected) => {
                let is_connected = self.events.as_ref().is_some_and(Events::is_connected);
                if config.network_id().is_some() && !is_connected {
                    self.events = Events::attach(directory, interface).await.ok();
                }
                None
            }
            Err(_) => None,
        }
    }

    /// Handles an event of wpa_supplicant. Remembers nothing before its last await: the future may
    /// be dropped there, and the event is then handled again.
    async fn on_event(
        &mut self,
        event: Event,
        config: &AppliedConfig,
        directory: &Path,
        interface: &str,
    ) -> Option<IdleEvent> {
        let AppliedConfig::Network { id, ssid, .. } = config else { return None };
        match event {
            Event::Connected { id: connected } if connected == *id => self.on_key_accepted(),
            Event::KeyRefused(RefusedBy::Network(refused)) if refused == *id => {
                self.refusals.on_refused()
            }
            Event::KeyRefused(RefusedBy::AccessPoint(bssid))
                if is_in_range(directory, interface, ssid, Some(bssid)).await.unwrap_or(false) =>
            {
                self.refused_since_scan = true;
                self.refusals.on_refused()
            }
            Event::ScanResults => {
                self.refused_since_scan = false;
                None
            }
            Event::Rejected { status: TRY_LATER, .. } => None,
            // It may be of another network. If it is of ours, ours is disabled for some time later.
            Event::Rejected { bssid: None, .. } => self.on_other_failure(),
            Event::Rejected { bssid: Some(bssid), .. }
                if is_in_range(directory, interface, ssid, Some(bssid)).await.unwrap_or(false) =>
            {
                self.stop_offering_sae(directory, interface, *id, ssid, Some(bssid)).await;
                self.on_other_failure()
            }
            // wpa_supplicant also reports this after several refusals by an access point.
            Event::TempDisabled { id: disabled } if disabled == *id && !self.refused_since_scan => {
                if self.failures > 0 {
                    self.stop_offering_sae(directory, interface, *id, ssid, None).await;
                }
                self.on_other_failure()
            }
            // The access point may have been set to WPA3 only.
            Event::NetworkNotFound
                if !self.has_offered_sae_again
                    && lacks_sae(directory, interface, *id, ssid).await.unwrap_or(false) =>
            {
                self.has_offered_sae_again = true;
                Some(IdleEvent::ConfigLost)
            }
            // wpa_supplicant also reports this while it ignores an access point or a network after
            // a refusal.
            Event::NetworkNotFound
                if is_in_range(directory, interface, ssid, None).await.is_ok_and(|it| !it) =>
            {
                self.on_other_failure()
            }
            _ => None,
        }
    }

    /// Lets our network use only WPA2, and joins it again. Does nothing if that is not possible.
    async fn stop_offering_sae(
        &self,
        directory: &Path,
        interface: &str,
        id: u32,
        ssid: &Ssid,
        bssid: Option<Bssid>,
    ) {
        let stop = async {
            let control = Arc::new(ControlSocket::connect(directory, interface)?);
            if networks::stop_offering_sae(&control, id, ssid, bssid).await? {
                networks::try_again(&control, id).await?;
            }
            Ok::<_, LinuxError>(())
        };
        // If wpa_supplicant does not answer, its next event brings this here again.
        if let Err(error) = stop.await {
            tracing::debug!("WPA3 is still offered: {error}");
        }
    }

    fn on_key_accepted(&mut self) -> Option<IdleEvent> {
        self.pause();
        (self.failures, self.has_offered_sae_again) = (0, false);
        self.refusals.on_accepted()
    }

    fn on_other_failure(&mut self) -> Option<IdleEvent> {
        self.refusals.on_other_failure();
        self.failures = self.failures.saturating_add(1);
        None
    }
}

/// Returns whether our network `id` uses only WPA2 with a password, and its access point takes only
/// WPA3.
async fn lacks_sae(
    directory: &Path,
    interface: &str,
    id: u32,
    ssid: &Ssid,
) -> Result<bool, LinuxError> {
    let control = Arc::new(ControlSocket::connect(directory, interface)?);
    Ok(networks::uses_only_wpa2(&control, id).await?
        && !Requests::Socket(control).may_offer_psk(ssid, None).await?)
}

/// Returns whether an access point of the network `ssid` is in range: `bssid`, if given, or any.
async fn is_in_range(
    directory: &Path,
    interface: &str,
    ssid: &Ssid,
    bssid: Option<Bssid>,
) -> Result<bool, ControlSocketError> {
    let control = ControlSocket::connect(directory, interface)?;
    bss_table::contains(&control, ssid, bssid).await
}
