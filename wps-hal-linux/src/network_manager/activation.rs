//! Activates a profile, and waits until its network is joined.

use std::mem;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use wps_core::{ErrorKind, Ssid};
use zbus::OwnedObjectPath;

use super::client::{Client, DeviceState};
use crate::error::LinuxError;
use crate::supplicant::client::SupplicantClient;
use crate::supplicant::event::Event;

/// How many times a join is retried if the router rejects it although the key is right.
const MAX_REJECTIONS: u32 = 3;
/// How many scans may miss the network. The first one may be NetworkManager's, which does not ask
/// for a hidden network by its name.
const MAX_MISSES: u32 = 1;
/// The time between two requests for the state of the device.
const STATE_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long NetworkManager may take to begin an activation, and to end the previous one.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(3);
/// How long NetworkManager may take to note what a scan has found.
const LIST_TIMEOUT: Duration = Duration::from_secs(1);
/// `NM_DEVICE_STATE_REASON_NO_SECRETS`.
const NO_SECRETS: u32 = 7;
/// `NM_DEVICE_STATE_REASON_SUPPLICANT_DISCONNECT`, the first of four reasons of the supplicant.
const SUPPLICANT_DISCONNECT: u32 = 8;
/// `NM_DEVICE_STATE_REASON_SUPPLICANT_TIMEOUT`, the last of them.
const SUPPLICANT_TIMEOUT: u32 = 11;
/// `NM_DEVICE_STATE_REASON_SSID_NOT_FOUND`.
const SSID_NOT_FOUND: u32 = 53;

/// An activation of a profile, whose network is `ssid`.
pub(crate) struct Activation<'a> {
    pub(crate) client: &'a Client,
    pub(crate) session: &'a SupplicantClient,
    pub(crate) ssid: &'a Ssid,
}

impl Activation<'_> {
    /// Activates the profile at `path` and waits until the network is joined and keyed.
    ///
    /// wpa_supplicant reports much earlier than NetworkManager that a key was refused.
    pub(crate) async fn run(&self, path: &OwnedObjectPath) -> Result<(), LinuxError> {
        let mut earlier = self.session.requests().networks().await?;
        self.session.discard_events();
        let active = self.begin(path).await?;
        let begin_timeout = Instant::now() + BEGIN_TIMEOUT;
        let (mut has_begun, mut rejections) = (false, 0);
        let (mut has_scanned, mut is_rejected) = (false, false);
        let mut misses = 0;
        loop {
            match self.session.event_within(STATE_POLL_INTERVAL).await? {
                // Until NetworkManager has removed it, events are about its previous connection.
                Some(Event::NetworkRemoved { id }) => earlier.retain(|network| network.id != id),
                Some(_) if !earlier.is_empty() => continue,
                Some(Event::Connected { id }) if self.is_joined(id, &active).await? => {
                    return Ok(());
                }
                Some(Event::KeyRefused(_)) if has_begun => {
                    return Err(LinuxError::Wifi(ErrorKind::WrongKey));
                }
                Some(Event::ScanResults) => has_scanned = has_begun,
                Some(Event::NetworkNotFound) if has_begun && has_scanned => {
                    misses += 1;
                    if misses > MAX_MISSES {
                        return Err(LinuxError::Wifi(ErrorKind::NotFound));
                    }
                }
                // Each may take seconds, and the next one will be the same.
                Some(Event::Rejected { .. })
                    if has_begun && mem::replace(&mut is_rejected, true) =>
                {
                    return Err(LinuxError::Wifi(ErrorKind::Refused));
                }
                // The router's late deauthentication after the exchange hit the new association.
                Some(Event::TempDisabled { id }) => {
                    rejections += 1;
                    if rejections > MAX_REJECTIONS {
                        return Err(LinuxError::Wifi(ErrorKind::Refused));
                    }
                    self.session.requests().return_to_network(id).await?;
                }
                Some(_) => continue,
                None => {}
            }
            let is_ours = self.client.active_path().await? == active;
            let device = self.client.state().await?;
            has_begun |= is_ours && device.is_connecting();
            if is_ours && device.is_linked() {
                return Ok(());
            }
            // Without a reason, NetworkManager only fetches the key.
            let needs_key = device.state == DeviceState::NEED_AUTH && device.reason != 0;
            if has_begun && (needs_key || !is_ours || !device.is_connecting()) {
                return Err(LinuxError::Wifi(kind(device)));
            }
            if !has_begun && Instant::now() > begin_timeout {
                return Err(LinuxError::Wifi(ErrorKind::NoResponse));
            }
        }
    }

    /// Tells NetworkManager to activate the profile. It refuses that until it has noted that the
    /// network is in range. Returns the path of the active connection.
    async fn begin(&self, path: &OwnedObjectPath) -> Result<OwnedObjectPath, LinuxError> {
        let end = Instant::now() + LIST_TIMEOUT;
        loop {
            match self.client.activate(path).await {
                Err(error) if error.is_unavailable() => {
                    if Instant::now() > end {
                        return Err(LinuxError::Wifi(ErrorKind::NotFound));
                    }
                    sleep(STATE_POLL_INTERVAL).await;
                }
                done => return Ok(done?),
            }
        }
    }

    /// Returns whether the link that is complete is that of the profile.
    async fn is_joined(&self, id: u32, active: &OwnedObjectPath) -> Result<bool, LinuxError> {
        let status = self.session.status().await?;
        let is_same = status.is_keyed()
            && !status.is_access_point
            && status.network_id == Some(id)
            && status.ssid.as_ref() == Some(self.ssid);
        Ok(is_same && self.client.active_path().await? == *active)
    }
}

/// Returns the kind of error for which an activation has ended.
fn kind(device: DeviceState) -> ErrorKind {
    match device.reason {
        NO_SECRETS => ErrorKind::WrongKey,
        SUPPLICANT_DISCONNECT if device.state == DeviceState::NEED_AUTH => ErrorKind::WrongKey,
        SUPPLICANT_DISCONNECT..=SUPPLICANT_TIMEOUT => ErrorKind::Refused,
        SSID_NOT_FOUND => ErrorKind::NotFound,
        _ => ErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_kind() {
        let failed = |reason| kind(DeviceState { state: DeviceState::DISCONNECTED, reason });
        assert_eq!(failed(7), ErrorKind::WrongKey);
        for reason in 8..=11 {
            assert_eq!(failed(reason), ErrorKind::Refused, "{reason}");
        }
        assert_eq!(failed(53), ErrorKind::NotFound);
        for reason in [0, 1, 6, 12, 39, u32::MAX] {
            assert_eq!(failed(reason), ErrorKind::Other, "{reason}");
        }
        // The handshake has failed, and NetworkManager asks for another key.
        let asks = DeviceState { state: DeviceState::NEED_AUTH, reason: 8 };
        assert_eq!(kind(asks), ErrorKind::WrongKey);
    }

    #[test]
    fn states_have_bounds() {
        let is = |state| {
            let it = DeviceState { state, reason: 0 };
            (it.is_available(), it.is_connecting(), it.is_linked())
        };
        assert_eq!([10, 20].map(is), [(false, false, false); 2]);
        assert_eq!(is(30), (true, false, false));
        assert_eq!([40, 50, 60].map(is), [(true, true, false); 3]);
        assert_eq!([70, 80, 90, 100].map(is), [(true, true, true); 4]);
        assert_eq!([110, 120].map(is), [(true, false, false); 2]);
    }
}
