//! Watches the applied configuration and its network while the device is idle.

use std::mem;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};
use wps_core::Ssid;
use wps_core::driver::IdleEvent;
use wps_core::wsc::Bssid;

use crate::applied_config::{AppliedConfig, Aside, Condition};
use crate::bss_table;
use crate::control_socket::{ControlSocket, ControlSocketError, Events};
use crate::event::{Event, RefusedBy};

/// The time between two checks. Polling is necessary: a wpa_supplicant that was killed sends no
/// event.
const CONFIG_POLL_INTERVAL: Duration = Duration::from_secs(3);
/// After this many refusals in a row, the key counts as refused. A single one can be bad reception:
/// with WPA2 it is any link that breaks in the handshake (hostap's `could_be_psk_mismatch`).
const MIN_REFUSALS: u32 = 2;

/// What the driver remembers between two calls of `maintain`, whose future may be dropped every
/// second.
#[derive(Debug, Default)]
pub(crate) struct IdleWatch {
    /// When to check next. `None` is now.
    next_check: Option<Instant>,
    aside: Aside,
    /// wpa_supplicant's events, only while the link is down. Otherwise they are not needed, and
    /// wpa_supplicant reopens its socket if a listener does not read.
    events: Option<Events>,
    /// The refusals of the key in a row.
    refusals: u32,
    /// Whether [`IdleEvent::KeyRefused`] was the last report about the key.
    refusal_reported: bool,
}

/// Has the same memory, but no connection.
impl Clone for IdleWatch {
    fn clone(&self) -> Self {
        Self { events: None, aside: self.aside.clone(), ..*self }
    }
}

impl IdleWatch {
    /// Stops listening to events, for the time of another method, in which nothing reads them.
    pub(crate) fn pause(&mut self) {
        self.events = None;
    }

    /// Starts again after the radio was configured. If the network and its key are the `same` as
    /// before, the refusals still count: each return from another network is an `apply`, and ends
    /// with a single refusal.
    pub(crate) fn restart(&mut self, same: bool) {
        self.pause();
        self.next_check = None;
        self.refusal_reported = false;
        if !same {
            self.refusals = 0;
            self.aside = Aside::default();
        }
    }

    /// Waits until there is something to report.
    pub(crate) async fn next(
        &mut self,
        config: &AppliedConfig,
        directory: &Path,
        interface: &str,
    ) -> IdleEvent {
        loop {
            let next_check = *self.next_check.get_or_insert_with(Instant::now);
            // An event that has arrived comes before a check that is due.
            let event = match &self.events {
                Some(events) => timeout_at(next_check, events.next()).await.ok(),
                None => {
                    sleep_until(next_check).await;
                    None
                }
            };
            let report = match event {
                Some(Ok(event)) => self.on_event(event, config, directory, interface).await,
                // The next check connects again.
                Some(Err(_)) => {
                    self.events = None;
                    None
                }
                None => {
                    let report = self.check(config, directory, interface).await;
                    if report.is_none() {
                        self.next_check = Some(Instant::now() + CONFIG_POLL_INTERVAL);
                    }
                    report
                }
            };
            if let Some(report) = report {
                return report;
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
        match config.check(&control, &mut self.aside).await {
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

    /// Handles an event of wpa_supplicant.
    async fn on_event(
        &mut self,
        event: Event,
        config: &AppliedConfig,
        directory: &Path,
        interface: &str,
    ) -> Option<IdleEvent> {
        let AppliedConfig::Network { id, ssid, .. } = config else { return None };
        let ours_refused = match event {
            Event::Connected { id: connected } if connected == *id => {
                return self.on_key_accepted();
            }
            Event::KeyRefused(RefusedBy::Network(refused)) => refused == *id,
            Event::KeyRefused(RefusedBy::AccessPoint(bssid)) => {
                serves(directory, interface, bssid, ssid).await.unwrap_or(false)
            }
            _ => false,
        };
        self.refusals = self.refusals.saturating_add(ours_refused.into());
        let report = ours_refused && self.refusals >= MIN_REFUSALS && !self.refusal_reported;
        self.refusal_reported |= report;
        report.then_some(IdleEvent::KeyRefused)
    }

    fn on_key_accepted(&mut self) -> Option<IdleEvent> {
        self.pause();
        self.refusals = 0;
        mem::take(&mut self.refusal_reported).then_some(IdleEvent::KeyAccepted)
    }
}

/// Returns whether the access point `bssid` serves the network `ssid`.
async fn serves(
    directory: &Path,
    interface: &str,
    bssid: Bssid,
    ssid: &Ssid,
) -> Result<bool, ControlSocketError> {
    let control = ControlSocket::connect(directory, interface)?;
    bss_table::contains(&control, ssid, Some(bssid)).await
}
