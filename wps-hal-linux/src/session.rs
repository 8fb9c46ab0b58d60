//! One driver method's connection to wpa_supplicant: its networks, scans and events as typed calls.

use std::hash::{BuildHasher, Hash, RandomState};
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wps_core::{AccessPoint, Credentials, Passphrase, Ssid};
use zeroize::Zeroizing;

use crate::bss::Bss;
use crate::bss_table;
use crate::control_socket::{ControlSocket, ControlSocketError, Events};
use crate::error::LinuxError;
use crate::event::Event;
use crate::platform_snapshot::PlatformSnapshot;
use crate::radio_switch::Power;
use crate::reply::{self, Network, Values};

/// The start of the `id_str` of our network, by which we recognize it. wpa_supplicant keeps this
/// variable and does not use it.
const ID_STR_PREFIX: &str = "wps-hal-linux";
/// A random key of this process. With it, a hash in `id_str` distinguishes credentials and does not
/// reveal them.
static HASH_KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
/// The bands on which WPS is possible, in MHz. Leaves out 6 GHz, where there is no WPS and whose
/// channels make a scan three times as long.
const FREQUENCY_RANGES: &str = "2412-2484,5150-5895";
/// How long to wait for an event before checking that wpa_supplicant still runs.
const EVENT_TIMEOUT: Duration = Duration::from_secs(3);
/// How many times a scan is requested again while another scan runs. With a wait after each, this
/// is longer than a scan of all bands.
const MAX_BUSY_REPLIES: u32 = 100;
/// The longest wait for the end of another scan before the next request.
const BUSY_RETRY_INTERVAL: Duration = Duration::from_millis(200);
/// The longest time that a scan may spend on one channel.
const CHANNEL_SCAN_TIMEOUT: Duration = Duration::from_millis(200);
/// How many times [`Session::wait_for_power`] asks wpa_supplicant for its state: for 3 s in all.
const MAX_POWER_POLLS: u32 = 60;
/// The time between two of these requests.
const POWER_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// A connection to wpa_supplicant for the time of one driver method.
pub(crate) struct Session {
    control: ControlSocket,
    events: Events,
    /// Whether a malformed event was logged. One log line for a session is enough.
    malformed_logged: AtomicBool,
}

/// The networks in wpa_supplicant's list, by owner.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    /// From wpa_supplicant's own configuration, or added by other programs.
    pub(crate) platform: Vec<Network>,
    /// Added by this driver, as the `id_str` shows.
    pub(crate) ours: Vec<Network>,
    /// Networks for WPS (`key_mgmt=WPS`) of a running pairing, started by this driver or by another
    /// program.
    pub(crate) pairing: Vec<Network>,
}

/// The outcome of a scan.
pub(crate) enum ScanOutcome {
    /// The scan succeeded. It started at this instant.
    Done(Instant),
    /// The card refuses these channels.
    ChannelsRefused,
    /// The card cannot scan in its present state.
    NotSupported,
    /// The scan failed for another reason, which may be temporary.
    Failed,
    /// Another program is scanning all the time.
    Busy,
}

/// The kernel's error number for channels that a card refuses.
const EINVAL: i32 = 22;
/// The kernel's error number for an operation that a card does not support.
pub(crate) const EOPNOTSUPP: i32 = 95;

impl Session {
    /// Connects to wpa_supplicant's control socket of `interface` in `directory`, and subscribes to
    /// its events.
    pub(crate) async fn open(
        directory: &Path,
        interface: &str,
    ) -> Result<Self, ControlSocketError> {
        let events = Events::attach(directory, interface).await?;
        let control = ControlSocket::connect(directory, interface)?;
        Ok(Self { control, events, malformed_logged: AtomicBool::new(false) })
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
    async fn event_within(&self, timeout: Duration) -> Result<Option<Event>, ControlSocketError> {
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

    /// Returns whether the radio is on, as far as wpa_supplicant has noticed.
    pub(crate) async fn is_radio_on(&self) -> Result<bool, LinuxError> {
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
            if self.is_radio_on().await? == (power == Power::On) {
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

    /// Returns whether this network is ours and was added for these settings.
    pub(crate) async fn is_added_for(
        &self,
        id: u32,
        settings: &impl Hash,
    ) -> Result<bool, ControlSocketError> {
        let id_str = self.request(&format!("GET_NETWORK {id} id_str")).await?;
        Ok(id_str_matches(id_str.trim().trim_matches('"'), settings))
    }

    /// Returns all networks in wpa_supplicant's list.
    pub(crate) async fn networks(&self) -> Result<Networks, ControlSocketError> {
        let mut networks = Networks::default();
        for network in list_networks(&self.control).await? {
            let get = |variable| format!("GET_NETWORK {} {variable}", network.id);
            if self.request(&get("key_mgmt")).await?.trim() == "WPS" {
                networks.pairing.push(network);
            } else if self.request(&get("id_str")).await?.contains(ID_STR_PREFIX) {
                networks.ours.push(network);
            } else {
                networks.platform.push(network);
            }
        }
        Ok(networks)
    }

    /// Cancels a running pairing and removes its network. `WPS_CANCEL` without a pairing would drop
    /// a good connection, so it is only sent if wpa_supplicant lists an enabled network for WPS.
    pub(crate) async fn cancel_wps(&self) -> Result<(), ControlSocketError> {
        if self.networks().await?.pairing.iter().any(|network| network.enabled) {
            self.command("WPS_CANCEL").await?;
        }
        for network in self.networks().await?.pairing {
            self.remove_network(network.id).await?;
        }
        Ok(())
    }

    /// Removes our network, for a station or an access point. Returns whether there was one.
    pub(crate) async fn remove_ours(&self) -> Result<bool, ControlSocketError> {
        let ours = self.networks().await?.ours;
        for network in &ours {
            self.remove_network(network.id).await?;
        }
        Ok(!ours.is_empty())
    }

    /// Removes the network with this id.
    pub(crate) async fn remove_network(&self, id: u32) -> Result<(), ControlSocketError> {
        self.command(&format!("REMOVE_NETWORK {id}")).await.map(drop)
    }

    /// Sets a variable of the network with this id.
    async fn set_variable(
        &self,
        id: u32,
        variable: &str,
        value: impl AsRef<[u8]>,
    ) -> Result<(), ControlSocketError> {
        let start = format!("SET_NETWORK {id} {variable} ");
        let command = Zeroizing::new([start.as_bytes(), value.as_ref()].concat());
        self.command(&*command).await.map(drop)
    }

    /// Sets the name of the network with this id, as hex digits: any byte may occur in it.
    async fn set_ssid(&self, id: u32, ssid: &Ssid) -> Result<(), ControlSocketError> {
        self.set_variable(id, "ssid", base16ct::lower::encode_string(ssid.as_bytes())).await
    }

    /// Adds an empty network, which is disabled. Returns its id.
    async fn add_network(&self) -> Result<u32, LinuxError> {
        let reply = self.command("ADD_NETWORK").await?;
        reply.trim().parse().map_err(|_| LinuxError::InvalidReply("ADD_NETWORK"))
    }

    /// Adds `network` as our network, with a higher priority than all others. It is still disabled.
    /// Returns its id.
    pub(crate) async fn add_station(&self, network: &Credentials) -> Result<u32, LinuxError> {
        let mut priority = 0_i32;
        for other in self.networks().await?.platform {
            let reply = self.request(&format!("GET_NETWORK {} priority", other.id)).await?;
            priority = priority.max(reply.trim().parse().unwrap_or(0));
        }
        let id = self.add_network().await?;
        self.set_variable(id, "id_str", format!("\"{}\"", id_str_for(network))).await?;
        self.set_ssid(id, &network.ssid).await?;
        self.set_variable(id, "priority", priority.saturating_add(1).to_string()).await?;
        self.set_security(id, network.passphrase.as_ref(), "WPA-PSK WPA-PSK-SHA256").await?;
        Ok(id)
    }

    /// Adds `access_point` as our network. It is still disabled. Returns its id.
    pub(crate) async fn add_access_point(
        &self,
        access_point: &AccessPoint,
        frequency_mhz: u16,
    ) -> Result<u32, LinuxError> {
        let network = &access_point.network;
        let id = self.add_network().await?;
        self.set_variable(id, "id_str", format!("\"{}\"", id_str_for(access_point))).await?;
        self.set_ssid(id, &network.ssid).await?;
        self.set_variable(id, "mode", "2").await?;
        self.set_variable(id, "frequency", frequency_mhz.to_string()).await?;
        // No registrar, so no device can join our access point by push button.
        self.set_variable(id, "wps_disabled", "1").await?;
        if network.passphrase.is_some() {
            for (variable, value) in [("proto", "RSN"), ("pairwise", "CCMP"), ("group", "CCMP")] {
                self.set_variable(id, variable, value).await?;
            }
        }
        self.set_security(id, network.passphrase.as_ref(), "WPA-PSK").await?;
        Ok(id)
    }

    /// Sets the security of a network. Without a key, the network is open. With a key, it uses WPA2
    /// with `wpa2_key_mgmt`, and also WPA3 if SAE is supported and the key is not a raw PSK.
    async fn set_security(
        &self,
        id: u32,
        key: Option<&Passphrase>,
        wpa2_key_mgmt: &str,
    ) -> Result<(), ControlSocketError> {
        let Some(key) = key else { return self.set_variable(id, "key_mgmt", "NONE").await };
        if key.is_raw_psk() {
            self.set_variable(id, "psk", key.reveal()).await?;
        } else {
            let quoted = Zeroizing::new([b"\"", key.reveal(), b"\""].concat());
            self.set_variable(id, "psk", &*quoted).await?;
        }
        // Use protected management frames if the other side supports them. SAE requires them.
        self.set_variable(id, "ieee80211w", "1").await?;
        let sae = !key.is_raw_psk() && self.supports_sae().await?;
        self.set_variable(
            id,
            "key_mgmt",
            if sae { format!("{wpa2_key_mgmt} SAE") } else { wpa2_key_mgmt.into() },
        )
        .await
    }

    /// Returns whether the card and wpa_supplicant support SAE (WPA3).
    async fn supports_sae(&self) -> Result<bool, ControlSocketError> {
        let reply = self.request("GET_CAPABILITY key_mgmt").await?;
        Ok(reply.split_whitespace().any(|key_mgmt| key_mgmt == "SAE"))
    }

    /// Adds a network that pairs by push button with the access point `bssid` only. Returns its id.
    pub(crate) async fn add_wps_network(
        &self,
        bssid: &str,
        frequency_mhz: u16,
    ) -> Result<u32, LinuxError> {
        let id = self.add_network().await?;
        for (variable, value) in [
            ("key_mgmt", "WPS"),
            ("eap", "WSC"),
            ("identity", "\"WFA-SimpleConfig-Enrollee-1-0\""),
            ("phase1", "\"pbc=1\""),
            ("bssid", bssid),
            ("scan_freq", &frequency_mhz.to_string()),
        ] {
            self.set_variable(id, variable, value).await?;
        }
        Ok(id)
    }

    /// Lets wpa_supplicant join this network and no other. This disables all other networks.
    pub(crate) async fn select_network(&self, id: u32) -> Result<(), ControlSocketError> {
        self.command(&format!("SELECT_NETWORK {id} freq={FREQUENCY_RANGES}")).await.map(drop)
    }

    /// Enables this network in addition to the others, and lets wpa_supplicant choose the best of
    /// them. If the radio is off, it does so once the radio is on.
    pub(crate) async fn enable_network(&self, id: u32) -> Result<(), ControlSocketError> {
        self.command(&format!("ENABLE_NETWORK {id}")).await?;
        self.request("REASSOCIATE").await.map(drop)
    }

    /// Returns for each of the platform's networks whether it should be enabled: as in `snapshot`,
    /// or as it is now. Removes newer networks that are disabled and have no name yet: dropped
    /// futures have left them behind.
    pub(crate) async fn enabled_flags(
        &self,
        snapshot: Option<&PlatformSnapshot>,
    ) -> Result<Vec<(u32, bool)>, ControlSocketError> {
        let platform = self.networks().await?.platform;
        let Some(snapshot) = snapshot.filter(|it| it.matches(&platform)) else {
            // The snapshot is of other networks. If all are disabled now, our `SELECT_NETWORK` did
            // it.
            let all = snapshot.is_some() && !platform.iter().any(|network| network.enabled);
            let flags = platform.iter().map(|network| (network.id, all || network.enabled));
            return Ok(flags.collect());
        };
        let mut flags = Vec::new();
        for (index, network) in platform.iter().enumerate() {
            if snapshot.is_new(index) && network.name.is_empty() && !network.enabled {
                self.remove_network(network.id).await?;
            } else {
                flags.push((network.id, snapshot.enabled(index).unwrap_or(network.enabled)));
            }
        }
        Ok(flags)
    }

    /// Enables or disables the platform's networks as `flags` say, without disturbing the link.
    pub(crate) async fn set_enabled_flags(
        &self,
        flags: &[(u32, bool)],
    ) -> Result<(), ControlSocketError> {
        let platform = self.networks().await?.platform;
        for &(id, enabled) in flags {
            match platform.iter().find(|network| network.id == id) {
                Some(network) if network.enabled != enabled => {
                    let command = match enabled {
                        true => format!("ENABLE_NETWORK {id} no-connect"),
                        false => format!("DISABLE_NETWORK {id}"),
                    };
                    self.command(&command).await?;
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// Returns the frequencies that this card may use, in MHz.
    pub(crate) async fn frequencies(&self) -> Result<Vec<u16>, ControlSocketError> {
        let reply = self.request("GET_CAPABILITY freq").await?;
        Ok(reply::channels(&reply).map(|channel| channel.frequency_mhz).collect())
    }

    /// Scans these channels without leaving the current network.
    pub(crate) async fn scan(
        &self,
        frequencies_mhz: &[u16],
    ) -> Result<ScanOutcome, ControlSocketError> {
        let list: Vec<_> = frequencies_mhz.iter().map(u16::to_string).collect();
        let request = format!("SCAN TYPE=ONLY freq={}", list.join(","));
        let mut busy_replies = 0;
        loop {
            self.discard_events();
            let reply = self.request(&request).await?;
            match reply.trim() {
                "OK" => break,
                "FAIL-BUSY" if busy_replies == MAX_BUSY_REPLIES => return Ok(ScanOutcome::Busy),
                "FAIL-BUSY" => self.wait_for_other_scan().await?,
                _ => return Ok(ScanOutcome::Failed),
            }
            busy_replies += 1;
        }
        let started = Instant::now();
        let timeout =
            frequencies_mhz.iter().fold(EVENT_TIMEOUT, |time, _| time + CHANNEL_SCAN_TIMEOUT);
        loop {
            match self.event_within(timeout).await? {
                Some(Event::ScanResults) => return Ok(ScanOutcome::Done(started)),
                Some(Event::ScanFailed(error)) if error == -EINVAL => {
                    return Ok(ScanOutcome::ChannelsRefused);
                }
                Some(Event::ScanFailed(error)) if error == -EOPNOTSUPP => {
                    return Ok(ScanOutcome::NotSupported);
                }
                // There is no event if the radio was switched off during the scan.
                Some(Event::ScanFailed(_)) | None => return Ok(ScanOutcome::Failed),
                Some(_) => {}
            }
        }
    }

    /// Waits until a scan that is not ours ends. Without a link, wpa_supplicant scans all bands
    /// again and again for a network to join. This method stops that until `apply` or `join`.
    async fn wait_for_other_scan(&self) -> Result<(), ControlSocketError> {
        let status = self.request("STATUS").await?;
        // Not if there is a link, or one is just being established.
        let state = Values::parse(&status).text("wpa_state");
        if matches!(state, Some("SCANNING" | "DISCONNECTED" | "INACTIVE")) {
            self.command("DISCONNECT").await?;
        }
        let scan_end = async {
            loop {
                match self.next_event().await? {
                    Event::ScanResults | Event::ScanFailed(_) => return Ok(()),
                    _ => {}
                }
            }
        };
        // Do not wait for long: the event may have come before this wait started.
        tokio::time::timeout(BUSY_RETRY_INTERVAL, scan_end).await.unwrap_or(Ok(()))
    }

    /// Reads the BSS table, see [`bss_table::bss_list`].
    pub(crate) async fn bss_list(
        &self,
        max_age_seconds: u64,
        is_wanted: impl Fn(&Values<'_>) -> bool,
    ) -> Result<Vec<Bss>, ControlSocketError> {
        bss_table::bss_list(&self.control, max_age_seconds, is_wanted).await
    }
}

/// Reads wpa_supplicant's list of networks.
pub(crate) async fn list_networks(
    control: &ControlSocket,
) -> Result<Vec<Network>, ControlSocketError> {
    let mut networks: Vec<Network> = Vec::new();
    loop {
        // A reply holds at most 4 kB, so continue after its last network until none are left.
        let last = networks.last().map(|network| network.id);
        let request = match last {
            None => "LIST_NETWORKS".into(),
            Some(id) => format!("LIST_NETWORKS LAST_ID={id}"),
        };
        let reply = control.request(request).await?;
        let length = networks.len();
        networks.extend(reply::networks(&reply).filter(|it| Some(it.id) > last));
        if networks.len() == length {
            return Ok(networks);
        }
    }
}

/// Returns the `id_str` of our network: the prefix, a mark of this process, and a hash of the
/// settings for which this process added the network.
fn id_str_for(settings: &impl Hash) -> String {
    format!("{} {:016x}", process_id_str(), HASH_KEY.hash_one(settings))
}

/// Returns the part of `id_str` that is the same for all networks of this process.
fn process_id_str() -> String {
    format!("{ID_STR_PREFIX} {:016x}", HASH_KEY.hash_one(ID_STR_PREFIX))
}

/// Returns whether the network with this `id_str` was added for these settings. A network of an
/// earlier process always matches, since it was added from the same record.
fn id_str_matches(id_str: &str, settings: &impl Hash) -> bool {
    id_str == id_str_for(settings)
        || id_str.contains(ID_STR_PREFIX) && !id_str.contains(&process_id_str())
}
