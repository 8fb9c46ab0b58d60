//! The state of the fake: its networks, and what joins and leaves them.

use std::collections::{BTreeMap, BTreeSet};

use wps_testkit::{address, hex};

use super::{Bss, Override};

/// A network of the configuration. Its variables are stored as they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    pub id: u32,
    pub enabled: bool,
    pub variables: BTreeMap<String, Vec<u8>>,
}

impl Network {
    /// Returns a variable as text, or an empty string if it is not set.
    pub fn text(&self, variable: &str) -> String {
        let value = self.variables.get(variable).map_or(&[][..], Vec::as_slice);
        String::from_utf8_lossy(value).into_owned()
    }

    pub(super) fn is_access_point(&self) -> bool {
        self.text("mode") == "2"
    }

    pub(super) fn is_wps(&self) -> bool {
        self.text("key_mgmt") == "WPS"
    }

    /// Returns the SSID in hex, whether it was set quoted or in hex.
    pub(super) fn ssid_hex(&self) -> String {
        match self.text("ssid").strip_prefix('"').and_then(|ssid| ssid.strip_suffix('"')) {
            Some(ssid) => hex(ssid.as_bytes()),
            None => self.text("ssid"),
        }
    }
}

/// What a scan does that does not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanFailure {
    /// It fails with this error number.
    Fails(i32),
    /// wpa_supplicant refuses the request.
    Refused,
    /// It never ends.
    Hangs,
}

/// Called with each request. It may change the state, and override the reply.
pub(super) type Script = Box<dyn FnMut(&str, &mut State) -> Option<Override> + Send>;

/// The state of the fake. Tests read it and change it.
#[derive(Default)]
pub struct State {
    pub networks: Vec<Network>,
    /// The id of the current network.
    pub current: Option<u32>,
    /// Whether rfkill blocks the radio: `wpa_state` is INTERFACE_DISABLED, and scans fail.
    pub blocked: bool,
    /// Whether `DISCONNECT` is in force: wpa_supplicant searches for no network.
    pub disconnected: bool,
    /// Whether the current network is joined, or served.
    pub joined: bool,
    pub access_points: Vec<Bss>,
    /// The frequencies of the card in MHz.
    pub frequencies: Vec<u16>,
    /// Frequencies that make a scan fail, with the error number.
    pub bad_frequencies: BTreeMap<u16, i32>,
    /// Whether wpa_supplicant was built without WPS.
    pub without_wps: bool,
    /// Variables of a network that wpa_supplicant refuses if the value contains this text.
    pub unknown_variables: Vec<(&'static str, &'static str)>,
    /// What scans do while a network is joined, or `None` if they succeed.
    pub scan_while_joined: Option<ScanFailure>,
    /// Whether a scan runs that never ends.
    pub is_scan_hanging: bool,
    /// The status with which each access point refuses an association that offers SAE.
    pub sae_refusal: Option<u16>,
    /// The networks in `reachable` that are hidden: their names in hex.
    pub hidden: BTreeSet<String>,
    /// Whether scans fail while the card is an access point.
    pub cannot_scan_as_access_point: bool,
    /// Whether the card fails to start an access point on any channel.
    pub access_point_fails: bool,
    /// The number of scan requests that fail because another scan is running.
    pub busy_scans: usize,
    /// The network that is ignored for some time after a failure.
    pub temp_disabled: Option<u32>,
    /// The global variables of `SET` and `GET`.
    pub globals: BTreeMap<String, String>,
    /// The networks in range: SSIDs in hex, with the correct `psk`.
    pub reachable: BTreeMap<String, Vec<u8>>,
    /// The BSSID of the joined network.
    pub joined_bssid: [u8; 6],
    /// The events of an exchange, sent when a WPS network is selected.
    pub exchange: Vec<String>,
    pub script: Option<Script>,
    /// All requests so far.
    pub requests: Vec<Vec<u8>>,
    /// Requests that would have done harm to a real wpa_supplicant. Dropping the fake panics if
    /// there are any.
    pub misuses: Vec<String>,
    pub(super) events_before_reply: Vec<String>,
    pub(super) events_after_reply: Vec<Vec<u8>>,
    pub(super) garbage_events: Vec<Vec<u8>>,
    pub(super) next_id: u32,
    pub(super) freeze_at: Option<usize>,
}

impl State {
    /// Sends an event before the reply.
    pub fn emit_before_reply(&mut self, event: impl Into<String>) {
        self.events_before_reply.push(event.into());
    }

    /// Sends a datagram that is not an event, before the reply.
    pub fn emit_garbage(&mut self, bytes: &[u8]) {
        self.garbage_events.push(bytes.into());
    }

    /// Sends an event after the reply.
    pub fn emit_after_reply(&mut self, event: impl AsRef<[u8]>) {
        self.events_after_reply.push(event.as_ref().to_vec());
    }

    /// Adds a network and returns its id.
    pub fn add_network(&mut self, enabled: bool, variables: &[(&str, &str)]) -> u32 {
        let id = self.next_id;
        self.next_id += 1;
        let owned = |(name, value): &(&str, &str)| ((*name).into(), value.as_bytes().to_vec());
        let variables = variables.iter().map(owned).collect();
        self.networks.push(Network { id, enabled, variables });
        id
    }

    /// Adds a network of the platform's own configuration that is in range, and returns its id.
    pub fn add_platform_network(&mut self, enabled: bool, name: &str) -> u32 {
        self.reachable.insert(hex(name.as_bytes()), b"\"platform key\"".into());
        let name = format!("\"{name}\"");
        self.add_network(
            enabled,
            &[("ssid", &name), ("psk", "\"platform key\""), ("key_mgmt", "WPA-PSK")],
        )
    }

    /// Makes a network the current one, and joined.
    pub fn set_joined(&mut self, id: u32) {
        (self.current, self.joined, self.disconnected) = (Some(id), true, false);
    }

    /// Simulates a kill and a restart: only the networks of the platform's own file remain, and the
    /// first enabled one is joined.
    pub fn restart(&mut self) {
        self.networks.retain(|network| network.text("id_str").is_empty());
        self.next_id = self.networks.iter().map(|network| network.id + 1).max().unwrap_or(0);
        (self.current, self.joined, self.disconnected) = (None, false, false);
        if let Some(id) = self.networks.iter().find(|it| it.enabled).map(|it| it.id) {
            self.set_joined(id);
        }
    }

    /// Returns the requests that start with `prefix`.
    pub fn requests_with_prefix(&self, prefix: &str) -> Vec<String> {
        let texts = self.requests.iter().map(|it| String::from_utf8_lossy(it).into_owned());
        texts.filter(|text| text.starts_with(prefix)).collect()
    }

    pub(super) fn network(&mut self, id: &str) -> Option<&mut Network> {
        let id: u32 = id.parse().ok()?;
        self.networks.iter_mut().find(|network| network.id == id)
    }

    /// Returns the enabled network of the highest priority that can be joined, the first of equal
    /// ones.
    pub(super) fn best_network(&self) -> Option<&Network> {
        let priority = |network: &&Network| network.text("priority").parse().unwrap_or(0_i32);
        let can_join = |network: &&Network| {
            network.enabled
                && self.reachable.get(&network.ssid_hex()) == network.variables.get("psk")
                && network.variables.contains_key("psk")
        };
        self.networks.iter().filter(can_join).rev().max_by_key(priority)
    }

    /// Leaves the current network.
    pub(super) fn disconnect(&mut self) {
        if self.joined {
            let bssid = address(self.joined_bssid);
            self.emit_before_reply(format!(
                "CTRL-EVENT-DISCONNECTED bssid={bssid} reason=3 locally_generated=1"
            ));
        }
        (self.current, self.joined) = (None, false);
    }

    /// Joins this network if it is in range, as wpa_supplicant does after a scan.
    pub(super) fn connect(&mut self, id: u32) {
        let network = self.networks.iter().find(|network| network.id == id).cloned();
        let Some(network) = network else { return };
        if network.is_wps() {
            for event in self.exchange.clone() {
                self.emit_after_reply(&event);
            }
            if self.exchange.iter().any(|event| event.starts_with("WPS-SUCCESS")) {
                // `wpas_wps_eapol_cb` → `wpas_clear_wps`
                self.networks.retain(|network| !network.is_wps());
                self.current = None;
                let bssid = network.text("bssid");
                self.emit_after_reply(format!(
                    "CTRL-EVENT-DISCONNECTED bssid={bssid} reason=3 locally_generated=1"
                ));
            }
            return;
        }
        if network.is_access_point() {
            if self.access_point_fails {
                // `wpa_supplicant_associate` sends no event here.
                (self.current, self.disconnected) = (None, true);
            } else {
                self.set_joined(id);
                self.emit_after_reply("AP-ENABLED ");
            }
            return;
        }
        let is_found =
            |ssid: &String| !self.hidden.contains(ssid) || network.text("scan_ssid") == "1";
        let key = Some(network.ssid_hex()).filter(is_found).and_then(|it| self.reachable.get(&it));
        match (key, self.sae_refusal) {
            (None, _) => {
                self.emit_after_reply("CTRL-EVENT-SCAN-RESULTS ");
                self.emit_after_reply("CTRL-EVENT-NETWORK-NOT-FOUND ");
            }
            (Some(_), Some(status)) if network.text("key_mgmt").contains("SAE") => {
                let bssid = address(self.joined_bssid);
                self.emit_after_reply(format!(
                    "CTRL-EVENT-ASSOC-REJECT bssid={bssid} status_code={status}"
                ));
            }
            (Some(key), _) if network.variables.get("psk").unwrap_or(&Vec::new()) == key => {
                self.set_joined(id);
                self.emit_after_reply(format!(
                    "CTRL-EVENT-CONNECTED - Connection to 02:00:00:00:00:00 completed [id={id} id_str=]"
                ));
            }
            (Some(_), _) => self.emit_after_reply(format!(
                "CTRL-EVENT-SSID-TEMP-DISABLED id={id} ssid=\"x\" auth_failures=1 duration=10 reason=WRONG_KEY"
            )),
        }
    }
}
