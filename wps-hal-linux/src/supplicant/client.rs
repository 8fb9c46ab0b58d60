//! A driver method's connection to wpa_supplicant: requests, events, and the state of the radio and
//! the link.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::bus::BusEvents;
use super::control_socket::Events;
use super::event::Event;
use super::link::Status;
use super::requests::Requests;
use crate::error::LinuxError;
use crate::radio_switch::Power;

/// How long to wait for an event before checking that wpa_supplicant still runs.
pub(super) const EVENT_TIMEOUT: Duration = Duration::from_secs(3);
/// How many times [`SupplicantClient::wait_for_power`] asks wpa_supplicant for its state: for 3 s
/// in all.
const MAX_POWER_POLLS: u32 = 60;
/// The time between two of these requests.
const POWER_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// wpa_supplicant's events, from its control socket or over D-Bus.
#[derive(Debug)]
pub(crate) enum EventStream {
    /// From the control socket.
    Socket(Events),
    /// Over D-Bus.
    Bus(Box<BusEvents>),
}

impl EventStream {
    /// Connects and subscribes to the events of `interface`, whose control socket would be in
    /// `directory`.
    pub(crate) async fn open(directory: &Path, interface: &str) -> Result<Self, LinuxError> {
        let requests = Requests::connect(directory, interface).await?;
        Self::subscribe(&requests, directory, interface).await
    }

    /// Subscribes to events in the same way in which `requests` are connected.
    async fn subscribe(
        requests: &Requests,
        directory: &Path,
        interface: &str,
    ) -> Result<Self, LinuxError> {
        Ok(match requests {
            Requests::Socket(_) => Self::Socket(Events::attach(directory, interface).await?),
            Requests::Bus(bus) => {
                let events = Box::pin(BusEvents::subscribe(bus.clone())).await?;
                Self::Bus(Box::new(events))
            }
        })
    }

    /// Waits for the next event. Dropping the future loses no event.
    pub(crate) async fn next(&self) -> Result<Event, LinuxError> {
        match self {
            Self::Socket(events) => Ok(events.next().await?),
            Self::Bus(events) => Box::pin(events.next()).await,
        }
    }

    /// Returns whether the process with the events still has them. One that was killed ends
    /// without an event.
    pub(crate) async fn is_connected(&self) -> bool {
        match self {
            Self::Socket(events) => events.is_connected(),
            Self::Bus(events) => Box::pin(events.is_connected()).await,
        }
    }

    /// Discards all events up to the latest reply.
    fn discard_pending(&self) {
        match self {
            Self::Socket(events) => events.discard_pending(),
            Self::Bus(events) => events.discard_pending(),
        }
    }
}

/// A connection to wpa_supplicant for the time of one driver method.
#[derive(Debug)]
pub(crate) struct SupplicantClient {
    requests: Requests,
    events: EventStream,
    /// Whether another program decides which networks wpa_supplicant joins.
    is_shared: bool,
    /// Whether a malformed event was logged. One log line for a connection is enough.
    malformed_logged: AtomicBool,
}

impl SupplicantClient {
    /// Creates a client from a connection for requests and one for events, which must be older than
    /// any request that causes an event.
    pub(super) fn new(requests: Requests, events: EventStream) -> Self {
        Self { requests, events, is_shared: false, malformed_logged: AtomicBool::new(false) }
    }

    /// Connects to the wpa_supplicant of another program, which decides which networks it joins. A
    /// scan never stops that program from joining one. wpa_supplicant's control socket of
    /// `interface` may be in `directory`.
    pub(crate) async fn open_shared(directory: &Path, interface: &str) -> Result<Self, LinuxError> {
        let requests = Requests::connect(directory, interface).await?;
        let events = EventStream::subscribe(&requests, directory, interface).await?;
        Ok(Self { is_shared: true, ..Self::new(requests, events) })
    }

    /// Returns whether another program decides which networks wpa_supplicant joins.
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Returns the connection for requests.
    pub(crate) fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Discards all events up to the latest reply.
    pub(crate) fn discard_events(&self) {
        self.events.discard_pending();
    }

    /// Waits for the next event. Returns an error if wpa_supplicant has gone, even if it was killed
    /// and could not report that.
    pub(crate) async fn next_event(&self) -> Result<Event, LinuxError> {
        loop {
            match self.event_or_timeout().await? {
                Some(event) => return Ok(event),
                None => self.requests.ping().await?,
            }
        }
    }

    /// Waits for the next event. Returns `None` if there is none within [`EVENT_TIMEOUT`].
    pub(crate) async fn event_or_timeout(&self) -> Result<Option<Event>, LinuxError> {
        self.event_within(EVENT_TIMEOUT).await
    }

    /// Waits for the next event. Returns `None` if there is none within `timeout`.
    pub(crate) async fn event_within(
        &self,
        timeout: Duration,
    ) -> Result<Option<Event>, LinuxError> {
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

    /// Returns whether the radio is on, as far as wpa_supplicant has noticed. If another program
    /// decides about networks, waits for 3 s until it is: that program takes the interface down for
    /// a moment to change its address.
    pub(crate) async fn is_radio_on(&self) -> Result<bool, LinuxError> {
        if self.is_shared {
            self.wait_for_power(Power::On).await
        } else {
            self.is_interface_enabled().await
        }
    }

    async fn is_interface_enabled(&self) -> Result<bool, LinuxError> {
        match self.requests.status().await?.state.as_deref() {
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
    pub(crate) async fn is_scanning(&self) -> Result<bool, LinuxError> {
        Ok(self.requests.status().await?.state.as_deref() == Some("SCANNING"))
    }

    /// Returns the id of the network that the station is connected to, with keys installed. Returns
    /// `None` if it is not connected.
    pub(crate) async fn connected_network_id(&self) -> Result<Option<u32>, LinuxError> {
        let status = self.requests.status().await?;
        Ok(status.network_id.filter(|_| status.is_keyed() && !status.is_access_point))
    }

    /// Returns the id of the network that the device serves as an access point. Returns `None` if
    /// it serves none.
    pub(crate) async fn access_point_network_id(&self) -> Result<Option<u32>, LinuxError> {
        let status = self.requests.status().await?;
        Ok(status.network_id.filter(|_| status.is_keyed() && status.is_access_point))
    }

    /// Returns what the interface does.
    pub(crate) async fn status(&self) -> Result<Status, LinuxError> {
        self.requests.status().await
    }
}
