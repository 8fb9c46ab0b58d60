//! One verb's conversation with wpa_supplicant: its networks, scans and events, with their types.

use std::hash::{BuildHasher, Hash, RandomState};
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wps_core::{AccessPoint, Credentials, Passphrase};
use zeroize::Zeroizing;

use crate::control_socket::{ControlSocket, ControlSocketError, Events};
use crate::error::LinuxError;
use crate::event::{Event, to_hex};
use crate::note::Note;
use crate::reply::{self, Heard, Network, Values, bss_entries};
use crate::switch::Power;

/// The mark on the network that is ours: `id_str`, which wpa_supplicant keeps and does not use.
const OURS: &str = "wps-hal-linux";
/// A key of this process, to tell its credentials apart without telling them: nobody reads them back.
static PRINT: LazyLock<RandomState> = LazyLock::new(RandomState::new);
/// Where WPS can live: never 6 GHz, whose channels make a scan three times as long.
const BANDS: &str = "2412-2484,5150-5895";
/// How long to wait for an event before asking whether wpa_supplicant is still there.
const SILENCE: Duration = Duration::from_secs(3);
/// How long a channel may take at most in a scan.
const DWELL: Duration = Duration::from_millis(200);
/// How often, and after how long again, wpa_supplicant is asked whether it has noticed that the radio
/// was switched: 3 s in all.
const SWITCH_GLANCES: u32 = 60;
const SWITCH_GLANCE: Duration = Duration::from_millis(50);
/// What entries of the table of access points to tell: number, address, frequency, level, age, flags.
const HEAD: &str = "0x00000a87";
const PROBE_RESPONSE: &str = "0x00000400";
const BEACON: &str = "0x00800000";

pub(crate) struct Session {
    control: ControlSocket,
    events: Events,
    /// Whether garbage was told of: once is enough.
    garbage: AtomicBool,
}

/// The networks that wpa_supplicant knows, by whose they are.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    /// Not ours: from its own configuration, or added by other programs.
    pub(crate) platform: Vec<Network>,
    pub(crate) ours: Vec<Network>,
    /// Of a pairing that is under way, whoever began it.
    pub(crate) wps: Vec<Network>,
}

/// How a scan ended.
pub(crate) enum Scan {
    /// Well; when it began.
    Done(Instant),
    /// The card does not take these channels.
    Refused,
    /// The card cannot, in the state that it is in.
    Unable,
    /// For another reason, which may pass.
    Failed,
}

/// The kernel's error numbers for what a card does not take, and for what it cannot do.
const EINVAL: i32 = 22;
const EOPNOTSUPP: i32 = 95;

impl Session {
    pub(crate) async fn open(
        directory: &Path,
        interface: &str,
    ) -> Result<Self, ControlSocketError> {
        let events = Events::attach(directory, interface).await?;
        let control = ControlSocket::connect(directory, interface)?;
        Ok(Self { control, events, garbage: AtomicBool::new(false) })
    }

    pub(crate) async fn ask(&self, request: &str) -> Result<Zeroizing<String>, ControlSocketError> {
        self.control.ask(request).await
    }

    pub(crate) async fn order(
        &self,
        request: impl AsRef<[u8]>,
    ) -> Result<Zeroizing<String>, ControlSocketError> {
        self.control.order(request).await
    }

    /// Forgets the events up to the latest reply.
    pub(crate) fn forget_events(&self) {
        self.events.forget();
    }

    /// The next event; an error when wpa_supplicant is gone, be it silently.
    pub(crate) async fn event(&self) -> Result<Event, ControlSocketError> {
        loop {
            match self.event_soon().await? {
                Some(event) => return Ok(event),
                None => self.order("PING").await.map(drop)?,
            }
        }
    }

    /// The next event, or none after a silence.
    pub(crate) async fn event_soon(&self) -> Result<Option<Event>, ControlSocketError> {
        self.event_within(SILENCE).await
    }

    async fn event_within(&self, silence: Duration) -> Result<Option<Event>, ControlSocketError> {
        let Ok(event) = tokio::time::timeout(silence, self.events.next()).await else {
            return Ok(None);
        };
        let event = event?;
        match event {
            Event::Other => {}
            Event::Garbage => {
                if !self.garbage.swap(true, Ordering::Relaxed) {
                    tracing::warn!("something that is no event came from wpa_supplicant: ignored");
                }
            }
            _ => tracing::debug!("wpa_supplicant: {event:?}"),
        }
        Ok(Some(event))
    }

    /// Whether the radio is on, as far as wpa_supplicant has noticed.
    pub(crate) async fn is_on(&self) -> Result<bool, LinuxError> {
        let status = self.ask("STATUS").await?;
        match Values::parse(&status).text("wpa_state") {
            Some("INTERFACE_DISABLED") => Ok(false),
            Some(_) => Ok(true),
            None => Err(LinuxError::Nonsense("STATUS")),
        }
    }

    /// Whether wpa_supplicant has noticed that the radio was switched: it is given some time.
    pub(crate) async fn is_seen(&self, power: Power) -> Result<bool, LinuxError> {
        for _ in 0..SWITCH_GLANCES {
            if self.is_on().await? == (power == Power::On) {
                return Ok(true);
            }
            tokio::time::sleep(SWITCH_GLANCE).await;
        }
        Ok(false)
    }

    /// Whether wpa_supplicant looks for networks to join.
    pub(crate) async fn is_scanning(&self) -> Result<bool, ControlSocketError> {
        let status = self.ask("STATUS").await?;
        Ok(Values::parse(&status).text("wpa_state") == Some("SCANNING"))
    }

    /// Whether a network is joined and keyed, and which.
    pub(crate) async fn joined(&self) -> Result<Option<u32>, ControlSocketError> {
        self.completed(|status| status.text("mode") != Some("AP")).await
    }

    /// Whether the device's own network is served, and which it is.
    pub(crate) async fn served(&self) -> Result<Option<u32>, ControlSocketError> {
        self.completed(|status| status.text("mode") == Some("AP")).await
    }

    async fn completed(
        &self,
        so: impl Fn(&Values<'_>) -> bool,
    ) -> Result<Option<u32>, ControlSocketError> {
        let status = self.ask("STATUS").await?;
        let status = Values::parse(&status);
        let keyed =
            status.text("wpa_state") == Some("COMPLETED") && status.text("key_mgmt") != Some("WPS");
        Ok(status.number("id").filter(|_| keyed && so(&status)))
    }

    /// Whether this network is ours and was made from these settings.
    pub(crate) async fn is_marked_for(
        &self,
        id: u32,
        settings: &impl Hash,
    ) -> Result<bool, ControlSocketError> {
        let id_str = self.ask(&format!("GET_NETWORK {id} id_str")).await?;
        Ok(is_marked_for(id_str.trim().trim_matches('"'), settings))
    }

    pub(crate) async fn networks(&self) -> Result<Networks, ControlSocketError> {
        let mut networks = Networks::default();
        let mut last = None;
        loop {
            // A reply holds 4 kB: go on after the last one, until there are no more.
            let request = match last {
                None => "LIST_NETWORKS".into(),
                Some(id) => format!("LIST_NETWORKS LAST_ID={id}"),
            };
            let reply = self.ask(&request).await?;
            let page: Vec<_> = reply::networks(&reply).filter(|it| Some(it.id) > last).collect();
            let Some(end) = page.last() else { return Ok(networks) };
            last = Some(end.id);
            for network in page {
                let of = |variable| format!("GET_NETWORK {} {variable}", network.id);
                if self.ask(&of("key_mgmt")).await?.trim() == "WPS" {
                    networks.wps.push(network);
                } else if self.ask(&of("id_str")).await?.contains(OURS) {
                    networks.ours.push(network);
                } else {
                    networks.platform.push(network);
                }
            }
        }
    }

    /// Ends a pairing that is under way. `WPS_CANCEL` without one would drop a good connection, so
    /// wpa_supplicant itself is asked whether there is one: a network of it that is enabled.
    pub(crate) async fn end_wps(&self) -> Result<(), ControlSocketError> {
        if self.networks().await?.wps.iter().any(|network| network.enabled) {
            self.order("WPS_CANCEL").await?;
        }
        for network in self.networks().await?.wps {
            self.remove(network.id).await?;
        }
        Ok(())
    }

    /// Removes our network, station or access point, and tells whether there was one.
    pub(crate) async fn remove_ours(&self) -> Result<bool, ControlSocketError> {
        let ours = self.networks().await?.ours;
        for network in &ours {
            self.remove(network.id).await?;
        }
        Ok(!ours.is_empty())
    }

    pub(crate) async fn remove(&self, id: u32) -> Result<(), ControlSocketError> {
        self.order(&format!("REMOVE_NETWORK {id}")).await.map(drop)
    }

    async fn set(
        &self,
        id: u32,
        variable: &str,
        value: impl AsRef<[u8]>,
    ) -> Result<(), ControlSocketError> {
        let start = format!("SET_NETWORK {id} {variable} ");
        let request = Zeroizing::new([start.as_bytes(), value.as_ref()].concat());
        self.order(&*request).await.map(drop)
    }

    async fn add(&self) -> Result<u32, LinuxError> {
        let reply = self.order("ADD_NETWORK").await?;
        reply.trim().parse().map_err(|_| LinuxError::Nonsense("ADD_NETWORK"))
    }

    /// Adds `network` as ours, before all others, not yet enabled.
    pub(crate) async fn add_ours(&self, network: &Credentials) -> Result<u32, LinuxError> {
        let mut priority = 0_i32;
        for other in self.networks().await?.platform {
            let reply = self.ask(&format!("GET_NETWORK {} priority", other.id)).await?;
            priority = priority.max(reply.trim().parse().unwrap_or(0));
        }
        let id = self.add().await?;
        self.set(id, "id_str", format!("\"{}\"", mark(network))).await?;
        self.set(id, "ssid", to_hex(network.ssid.as_bytes())).await?;
        self.set(id, "priority", priority.saturating_add(1).to_string()).await?;
        self.set_key(id, network.passphrase.as_ref(), "WPA-PSK WPA-PSK-SHA256").await?;
        Ok(id)
    }

    /// Adds `access_point` as ours, not yet enabled.
    pub(crate) async fn add_access_point(
        &self,
        access_point: &AccessPoint,
        frequency_mhz: u16,
    ) -> Result<u32, LinuxError> {
        let network = &access_point.network;
        let id = self.add().await?;
        self.set(id, "id_str", format!("\"{}\"", mark(access_point))).await?;
        self.set(id, "ssid", to_hex(network.ssid.as_bytes())).await?;
        self.set(id, "mode", "2").await?;
        self.set(id, "frequency", frequency_mhz.to_string()).await?;
        // It is no registrar: nobody gets into it by a button.
        self.set(id, "wps_disabled", "1").await?;
        if network.passphrase.is_some() {
            for (variable, value) in [("proto", "RSN"), ("pairwise", "CCMP"), ("group", "CCMP")] {
                self.set(id, variable, value).await?;
            }
        }
        self.set_key(id, network.passphrase.as_ref(), "WPA-PSK").await?;
        Ok(id)
    }

    /// How a network is protected: not at all, or with WPA2 as `ways` name it, and WPA3.
    async fn set_key(
        &self,
        id: u32,
        key: Option<&Passphrase>,
        ways: &str,
    ) -> Result<(), ControlSocketError> {
        let Some(key) = key else { return self.set(id, "key_mgmt", "NONE").await };
        if key.is_raw_psk() {
            self.set(id, "psk", key.reveal()).await?;
        } else {
            let quoted = Zeroizing::new([b"\"", key.reveal(), b"\""].concat());
            self.set(id, "psk", &*quoted).await?;
        }
        // Protected management frames where the other side has them; SAE demands them.
        self.set(id, "ieee80211w", "1").await?;
        let sae = !key.is_raw_psk() && self.can_sae().await?;
        self.set(id, "key_mgmt", if sae { format!("{ways} SAE") } else { ways.into() }).await
    }

    async fn can_sae(&self) -> Result<bool, ControlSocketError> {
        let reply = self.ask("GET_CAPABILITY key_mgmt").await?;
        Ok(reply.split_whitespace().any(|way| way == "SAE"))
    }

    /// Adds a network that pairs by push button with this very access point.
    pub(crate) async fn add_wps(&self, bssid: &str, frequency_mhz: u16) -> Result<u32, LinuxError> {
        let id = self.add().await?;
        for (variable, value) in [
            ("key_mgmt", "WPS"),
            ("eap", "WSC"),
            ("identity", "\"WFA-SimpleConfig-Enrollee-1-0\""),
            ("phase1", "\"pbc=1\""),
            ("bssid", bssid),
            ("scan_freq", &frequency_mhz.to_string()),
        ] {
            self.set(id, variable, value).await?;
        }
        Ok(id)
    }

    /// Joins this network and no other: all others are disabled.
    pub(crate) async fn select(&self, id: u32) -> Result<(), ControlSocketError> {
        self.order(&format!("SELECT_NETWORK {id} freq={BANDS}")).await.map(drop)
    }

    /// Lets this network be joined, too, and looks which one is best. A radio that is off does so when
    /// it is on.
    pub(crate) async fn enable(&self, id: u32) -> Result<(), ControlSocketError> {
        self.order(&format!("ENABLE_NETWORK {id}")).await?;
        self.ask("REASSOCIATE").await.map(drop)
    }

    /// The flags that the platform's networks ought to have: as noted, or as they are. A network that
    /// was begun since and has no name yet is a dropped future's, and removed.
    pub(crate) async fn flags(
        &self,
        note: Option<&Note>,
    ) -> Result<Vec<(u32, bool)>, ControlSocketError> {
        let platform = self.networks().await?.platform;
        let Some(note) = note.filter(|note| note.is_of(&platform)) else {
            // Noted for other networks, and now all are disabled: that was us, by selecting one.
            let all = note.is_some() && !platform.iter().any(|network| network.enabled);
            let flags = platform.iter().map(|network| (network.id, all || network.enabled));
            return Ok(flags.collect());
        };
        let mut flags = Vec::new();
        for (place, network) in platform.iter().enumerate() {
            if note.is_new(place) && network.name.is_empty() && !network.enabled {
                self.remove(network.id).await?;
            } else {
                flags.push((network.id, note.enabled(place).unwrap_or(network.enabled)));
            }
        }
        Ok(flags)
    }

    /// Gives the platform's networks their flags, without disturbing the link.
    pub(crate) async fn set_flags(&self, flags: &[(u32, bool)]) -> Result<(), ControlSocketError> {
        let platform = self.networks().await?.platform;
        for &(id, enabled) in flags {
            match platform.iter().find(|network| network.id == id) {
                Some(network) if network.enabled != enabled => {
                    let request = match enabled {
                        true => format!("ENABLE_NETWORK {id} no-connect"),
                        false => format!("DISABLE_NETWORK {id}"),
                    };
                    self.order(&request).await?;
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// The frequencies this card may use, in MHz.
    pub(crate) async fn frequencies(&self) -> Result<Vec<u16>, ControlSocketError> {
        let reply = self.ask("GET_CAPABILITY freq").await?;
        Ok(reply::channels(&reply).map(|channel| channel.frequency_mhz).collect())
    }

    /// Looks at these channels without leaving the present network.
    pub(crate) async fn scan(&self, frequencies_mhz: &[u16]) -> Result<Scan, ControlSocketError> {
        let list: Vec<_> = frequencies_mhz.iter().map(u16::to_string).collect();
        let request = format!("SCAN TYPE=ONLY freq={}", list.join(","));
        loop {
            self.forget_events();
            let reply = self.ask(&request).await?;
            match reply.trim() {
                "OK" => break,
                "FAIL-BUSY" => self.wait_for_scan().await?,
                _ => return Ok(Scan::Failed),
            }
        }
        let began = Instant::now();
        let silence = frequencies_mhz.iter().fold(SILENCE, |time, _| time + DWELL);
        loop {
            match self.event_within(silence).await? {
                Some(Event::ScanResults) => return Ok(Scan::Done(began)),
                Some(Event::ScanFailed(error)) if error == -EINVAL => return Ok(Scan::Refused),
                Some(Event::ScanFailed(error)) if error == -EOPNOTSUPP => return Ok(Scan::Unable),
                // A radio that is switched off in the middle tells nothing.
                Some(Event::ScanFailed(_)) | None => return Ok(Scan::Failed),
                Some(_) => {}
            }
        }
    }

    /// Lets another scan end. Without a link wpa_supplicant scans all bands, again and again, for
    /// networks to join: that is stopped, `apply` or `join` go on with it.
    async fn wait_for_scan(&self) -> Result<(), ControlSocketError> {
        let status = self.ask("STATUS").await?;
        // Not when there is a link, or one is just being made.
        let state = Values::parse(&status).text("wpa_state");
        if matches!(state, Some("SCANNING" | "DISCONNECTED" | "INACTIVE")) {
            self.order("DISCONNECT").await?;
        }
        let over = async {
            loop {
                match self.event().await? {
                    Event::ScanResults | Event::ScanFailed(_) => return Ok(()),
                    _ => {}
                }
            }
        };
        // The event may have come before we listened.
        tokio::time::timeout(Duration::from_millis(200), over).await.unwrap_or(Ok(()))
    }

    /// The access points that speak WPS, heard at most `max_age` whole seconds ago.
    pub(crate) async fn heard(&self, max_age: u64) -> Result<Vec<Heard>, ControlSocketError> {
        let mut heard = Vec::new();
        let with_wps = |flags: &str| flags.contains("[WPS");
        let add = |head: &Values<'_>, probe_response: &str, beacon: &str| {
            heard.extend(Heard::parse(head, probe_response, beacon));
        };
        self.table(max_age, with_wps, add).await?;
        Ok(heard)
    }

    /// Gives the access points heard at most `max_age` whole seconds ago, if their flags are wanted, to
    /// `take`: an entry's head, and what tells its probe response and its beacon.
    pub(crate) async fn table(
        &self,
        max_age: u64,
        wanted: impl Fn(&str) -> bool,
        mut take: impl FnMut(&Values<'_>, &str, &str),
    ) -> Result<(), ControlSocketError> {
        let mut next = 0_u32;
        loop {
            // A reply holds 4 kB, in whole entries: go on after the last one.
            let page = self.ask(&format!("BSS RANGE={next}- MASK={HEAD}")).await?;
            let before = next;
            for (id, head) in bss_entries(&page) {
                next = next.max(id.saturating_add(1));
                let fresh = head.number::<u64>("age").is_some_and(|age| age <= max_age);
                if fresh && head.text("flags").is_some_and(&wanted) {
                    let tell = |what| format!("BSS RANGE={id}-{id} MASK={what}");
                    let probe_response = self.ask(&tell(PROBE_RESPONSE)).await?;
                    let beacon = self.ask(&tell(BEACON)).await?;
                    take(&head, &probe_response, &beacon);
                }
            }
            if next == before {
                return Ok(());
            }
        }
    }
}

/// The mark on our network: that it is ours, and for this process made from which settings.
fn mark(settings: &impl Hash) -> String {
    format!("{} {:016x}", process_mark(), PRINT.hash_one(settings))
}

fn process_mark() -> String {
    format!("{OURS} {:016x}", PRINT.hash_one(OURS))
}

/// Whether a network so marked was made from these settings. One of an earlier process is believed: it
/// was made from the same record.
fn is_marked_for(id_str: &str, settings: &impl Hash) -> bool {
    id_str == mark(settings) || id_str.contains(OURS) && !id_str.contains(&process_mark())
}
