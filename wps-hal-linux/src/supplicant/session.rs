//! A driver method's connection to wpa_supplicant: requests, events, and the state of the radio and
//! the link.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use zeroize::Zeroizing;

use super::control_socket::{ControlSocket, ControlSocketError, Events};
use super::event::Event;
use super::reply::Values;
use crate::error::LinuxError;
use crate::radio_switch::Power;

/// How long to wait for an event before checking that wpa_supplicant still runs.
pub(super) const EVENT_TIMEOUT: Duration = Duration::from_secs(3);
/// How many times [`Session::wait_for_power`] asks wpa_supplicant for its state: for 3 s in all.
const MAX_POWER_POLLS: u32 = 60;
/// The time between two of these requests.
const POWER_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A connection to wpa_supplicant for the time of one driver method.
pub(crate) struct Session {
    control: ControlSocket,
    events: Events,
    /// Whether another program decides which networks wpa_supplicant joins.
    is_shared: bool,
    /// Whether a malformed event was logged. One log line for a session is enough.
    malformed_logged: AtomicBool,
}

impl Session {
    /// Connects to wpa_supplicant's control socket of `interface` in `directory`, and subscribes to
    /// its events.
    pub(crate) async fn open(
        directory: &Path,
        interface: &str,
    ) -> Result<Self, ControlSocketError> {
        let events = Events::attach(directory, interface).await?;
        let control = ControlSocket::connect(directory, interface)?;
        Ok(Self { control, events, is_shared: false, malformed_logged: AtomicBool::new(false) })
    }

    /// Declares that another program decides which networks wpa_supplicant joins. A scan then never
    /// stops that program from joining one.
    pub(crate) fn shared(self) -> Self {
        Self { is_shared: true, ..self }
    }

    /// Returns whether another program decides which networks wpa_supplicant joins.
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Returns the connection for requests.
    pub(crate) fn control(&self) -> &ControlSocket {
        &self.control
    }

    /// Sends a request, see [`ControlSocket::request`].
    pub(crate) async fn request(
        &self,
        request: &str,
    ) -> Result<Zeroizing<String>, ControlSocketError> {
        self.control.request(request).await
    }

    /// Sends a command, see [`ControlSocket::command`].
    pub(crate) async fn command(
        &self,
        command: impl AsRef<[u8]>,
    ) -> Result<Zeroizing<String>, ControlSocketError> {
        self.control.command(command).await
    }

    /// Discards all events up to the latest reply.
    pub(crate) fn discard_events(&self) {
        self.events.discard_pending();
    }

    /// Waits for the next event. Returns an error if wpa_supplicant has gone, even if it was killed
    /// and could not report that.
    pub(crate) async fn next_event(&self) -> Result<Event, ControlSocketError> {
        loop {
            match self.event_or_timeout().await? {
                Some(event) => return Ok(event),
                None => self.command("PING").await.map(drop)?,
            }
        }
    }

    /// Waits for the next event. Returns `None` if there is none within [`EVENT_TIMEOUT`].
    pub(crate) async fn event_or_timeout(&self) -> Result<Option<Event>, ControlSocketError> {
        self.event_within(EVENT_TIMEOUT).await
    }

    /// Waits for the next event. Returns `None` if there is none within `timeout`.
    pub(crate) async fn event_within(
        &self,
        timeout: Duration,
    ) -> Result<Option<Event>, ControlSocketError> {
        let Ok(event) = tokio::time::timeout(timeout, self.events.next()).await else {
            return Ok(None);
        };
        let event = event?;
        match event {
            Event::Other => {}
            Event::Malformed => {
                if !self.malformed_logged.swap(true, Ordering::Relaxed) {
                    tracing::warn!("ignoring a malformed event from wpa_supplicant");
                }
            }
            _ => tracing::debug!("wpa_supplicant: {event:?}"),
        }
        Ok(Some(event))
    }

    /// Returns whether the radio is on, as far as wpa_supplicant has noticed. If the session is
    /// [shared](Self::shared), waits for 3 s until it is: the other program takes the interface
    /// down for a moment to change its address.
    pub(crate) async fn is_radio_on(&self) -> Result<bool, LinuxError> {
        if self.is_shared {
            self.wait_for_power(Power::On).await
        } else {
            self.is_interface_enabled().await
        }
    }

    async fn is_interface_enabled(&self) -> Result<bool, LinuxError> {
        let status = self.request("STATUS").await?;
        match Values::parse(&status).text("wpa_state") {
            Some("INTERFACE_DISABLED") => Ok(false),
            Some(_) => Ok(true),
            None => Err(LinuxError::InvalidReply("STATUS")),
        }
    }

    /// Waits until wpa_supplicant has noticed that the radio is on (for [`Power::On`]) or off (for
    /// any other `power`). Returns `false` if it has not noticed after 3 s.
    pub(crate) async fn wait_for_power(&self, power: Power) -> Result<bool, LinuxError> {
        for _ in 0..MAX_POWER_POLLS {
            if self.is_interface_enabled().await? == (power == Power::On) {
                return Ok(true);
            }
            tokio::time::sleep(POWER_POLL_INTERVAL).await;
        }
        Ok(false)
    }

    /// Returns whether wpa_supplicant scans for a network to join.
    pub(crate) async fn is_scanning(&self) -> Result<bool, ControlSocketError> {
        let status = self.request("STATUS").await?;
        Ok(Values::parse(&status).text("wpa_state") == Some("SCANNING"))
    }

    /// Returns the id of the network that the station is connected to, with keys installed. Returns
    /// `None` if it is not connected.
    pub(crate) async fn connected_network_id(&self) -> Result<Option<u32>, ControlSocketError> {
        self.completed_network_id(|status| status.text("mode") != Some("AP")).await
    }

    /// Returns the id of the network that the device serves as an access point. Returns `None` if
    /// it serves none.
    pub(crate) async fn access_point_network_id(&self) -> Result<Option<u32>, ControlSocketError> {
        self.completed_network_id(|status| status.text("mode") == Some("AP")).await
    }

    /// Returns the id of the current network if its connection is complete and `condition` holds
    /// for the reply to `STATUS`. The connection for a WPS exchange does not count.
    async fn completed_network_id(
        &self,
        condition: impl Fn(&Values<'_>) -> bool,
    ) -> Result<Option<u32>, ControlSocketError> {
        let status = self.request("STATUS").await?;
        let status = Values::parse(&status);
        let keyed =
            status.text("wpa_state") == Some("COMPLETED") && status.text("key_mgmt") != Some("WPS");
        Ok(status.number("id").filter(|_| keyed && condition(&status)))
    }
}
