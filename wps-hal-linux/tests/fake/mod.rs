//! A fake wpa_supplicant in memory, behind a real control socket.
//!
//! It replies like hostap 2.10 (`wpa_supplicant/ctrl_iface.c`) and records every request.
#![allow(unreachable_pub)] // a module of each test binary

use std::collections::BTreeMap;
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use embassy_futures::select::{Either, select};
use rustix::net::{SendFlags, SocketAddrUnix};
use tokio::sync::watch;
use wps_hal_linux::{ControlSocket, WpaSupplicant};

/// The only interface that exists on every machine. The driver checks that its interface exists.
pub const INTERFACE: &str = "lo";
/// The size of wpa_supplicant's reply buffer.
const REPLY_MAX: usize = 4096;
/// How long the fake waits for a request. After that the test hangs: the fake ends, and with it the
/// test.
const HANG_TIMEOUT: Duration = Duration::from_secs(20);

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

    fn is_access_point(&self) -> bool {
        self.text("mode") == "2"
    }

    fn is_wps(&self) -> bool {
        self.text("key_mgmt") == "WPS"
    }

    /// Returns the SSID in hex, whether it was set quoted or in hex.
    fn ssid_hex(&self) -> String {
        match self.text("ssid").strip_prefix('"').and_then(|ssid| ssid.strip_suffix('"')) {
            Some(ssid) => hex(ssid.as_bytes()),
            None => self.text("ssid"),
        }
    }
}

/// An entry of the BSS table: an access point.
#[derive(Clone, Debug)]
pub struct Bss {
    pub bssid: [u8; 6],
    pub frequency: u16,
    /// Seconds since it was last received.
    pub age: u64,
    /// Whether a scan of its channel receives it.
    pub on_air: bool,
    pub flags: &'static str,
    pub probe_response: Vec<u8>,
    pub beacon: Vec<u8>,
}

/// What to do with a request instead of carrying it out.
pub enum Override {
    /// Sends this reply.
    Reply(Vec<u8>),
    /// Sends no reply.
    NoReply,
    /// Ends without a reply. The socket's file stays behind.
    Crash,
    /// Replies OK for the last time, closes the socket and opens a new one, as hostap does when an
    /// event listener does not read.
    ReopenSocket,
}

/// Called with each request. It may change the state, and override the reply.
type Script = Box<dyn FnMut(&str, &mut State) -> Option<Override> + Send>;

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
    /// Whether scans fail while the card is an access point.
    pub cannot_scan_as_access_point: bool,
    /// Whether the card fails to start an access point on any channel.
    pub access_point_fails: bool,
    /// The number of scan requests that fail because another scan is running.
    pub busy_scans: usize,
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
    events_before_reply: Vec<String>,
    events_after_reply: Vec<Vec<u8>>,
    garbage_events: Vec<Vec<u8>>,
    next_id: u32,
    freeze_at: Option<usize>,
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

    fn network(&mut self, id: &str) -> Option<&mut Network> {
        let id: u32 = id.parse().ok()?;
        self.networks.iter_mut().find(|network| network.id == id)
    }

    /// Returns the enabled network of the highest priority that can be joined, the first of equal
    /// ones.
    fn best_network(&self) -> Option<&Network> {
        let priority = |network: &&Network| network.text("priority").parse().unwrap_or(0_i32);
        let can_join = |network: &&Network| {
            network.enabled
                && self.reachable.get(&network.ssid_hex()) == network.variables.get("psk")
                && network.variables.contains_key("psk")
        };
        self.networks.iter().filter(can_join).rev().max_by_key(priority)
    }

    /// Leaves the current network.
    fn disconnect(&mut self) {
        if self.joined {
            let bssid = address(self.joined_bssid);
            self.emit_before_reply(format!(
                "CTRL-EVENT-DISCONNECTED bssid={bssid} reason=3 locally_generated=1"
            ));
        }
        (self.current, self.joined) = (None, false);
    }

    /// Joins this network if it is in range, as wpa_supplicant does after a scan.
    fn connect(&mut self, id: u32) {
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
        match self.reachable.get(&network.ssid_hex()) {
            None => self.emit_after_reply("CTRL-EVENT-NETWORK-NOT-FOUND "),
            Some(key) if network.variables.get("psk").unwrap_or(&Vec::new()) == key => {
                self.set_joined(id);
                self.emit_after_reply(format!(
                    "CTRL-EVENT-CONNECTED - Connection to 02:00:00:00:00:00 completed [id={id} id_str=]"
                ));
            }
            Some(_) => self.emit_after_reply(format!(
                "CTRL-EVENT-SSID-TEMP-DISABLED id={id} ssid=\"x\" auth_failures=1 duration=10 reason=WRONG_KEY"
            )),
        }
    }

    /// Carries out a request and returns the reply, or `None` for `FAIL`.
    fn reply(&mut self, request: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(request).into_owned();
        let (command, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let ok = Some("OK\n".to_owned());
        match command {
            "PING" => Some("PONG\n".into()),
            "STATUS" => Some(self.status()),
            "SIGNAL_POLL" if self.joined => Some("RSSI=-41\nFREQUENCY=2412\nWIDTH=20 MHz\n".into()),
            "GET_CAPABILITY" if rest == "freq" => {
                let line = |freq: &u16| {
                    let number = if *freq < 5000 { (freq - 2407) / 5 } else { (freq - 5000) / 5 };
                    format!(" {number} = {freq} MHz\n")
                };
                let lines: String = self.frequencies.iter().map(line).collect();
                Some(format!("Mode[G] Channels:\n{lines}\n"))
            }
            "GET_CAPABILITY" if rest == "modes" => Some("IBSS AP MESH".into()),
            "GET_CAPABILITY" => Some("NONE WPA-PSK WPA-EAP SAE".into()),
            "GET" => self.globals.get(rest).filter(|value| !value.is_empty()).cloned(),
            "SET" => {
                let (name, value) = rest.split_once(' ')?;
                self.globals.insert(name.into(), value.into());
                ok
            }
            "SCAN" => self.scan(rest),
            "BSS" => Some(self.bss(rest)),
            "LIST_NETWORKS" => Some(self.list(rest)),
            "ADD_NETWORK" => Some(format!("{}\n", self.add_network(false, &[]))),
            "REMOVE_NETWORK" => {
                let id = self.network(rest)?.id;
                if self.current == Some(id) {
                    self.disconnect();
                }
                self.networks.retain(|network| network.id != id);
                ok
            }
            "GET_NETWORK" => {
                let (id, name) = rest.split_once(' ')?;
                let value = self.network(id)?.text(name);
                match name {
                    _ if value.is_empty() && name == "priority" => Some("0".into()),
                    "disabled" => Some(u8::from(!self.network(id)?.enabled).to_string()),
                    _ if value.is_empty() && name == "key_mgmt" => Some("WPA-PSK WPA-EAP".into()),
                    _ if value.is_empty() => None,
                    "psk" => Some("*".into()),
                    _ => Some(value),
                }
            }
            "SET_NETWORK" => {
                let mut words = request.splitn(4, |&byte| byte == b' ');
                let (_, id, name) = (words.next()?, words.next()?, words.next()?);
                let (id, name) = (std::str::from_utf8(id).ok()?, std::str::from_utf8(name).ok()?);
                let value = words.next()?;
                if name == "psk" && !is_valid_psk(value) {
                    return None;
                }
                self.network(id)?.variables.insert(name.into(), value.into());
                ok
            }
            "SELECT_NETWORK" => {
                let id = self.network(rest.split(' ').next()?)?.id;
                if self.current != Some(id) {
                    self.disconnect();
                }
                for network in &mut self.networks {
                    network.enabled = network.id == id;
                }
                self.disconnected = false;
                if !self.joined {
                    self.current = Some(id);
                    self.connect(id);
                }
                ok
            }
            "ENABLE_NETWORK" => {
                let id = rest.strip_suffix(" no-connect").unwrap_or(rest);
                self.network(id)?.enabled = true;
                ok
            }
            "DISABLE_NETWORK" => {
                let network = self.network(rest)?;
                network.enabled = false;
                let id = network.id;
                if self.current == Some(id) {
                    self.disconnect();
                }
                ok
            }
            "DISCONNECT" => {
                self.disconnect();
                self.disconnected = true;
                ok
            }
            "ABORT_SCAN" => None,
            "REASSOCIATE" if self.blocked => None,
            "REASSOCIATE" => {
                self.disconnected = false;
                let best = self.best_network().or(self.networks.iter().find(|it| it.enabled));
                let best = best.map(|network| network.id);
                if let Some(id) = best.filter(|id| !self.joined || self.current != Some(*id)) {
                    self.disconnect();
                    self.connect(id);
                }
                ok
            }
            "WPS_CANCEL" => {
                if !self.networks.iter().any(Network::is_wps) {
                    self.misuses
                        .push("WPS_CANCEL without a pairing drops a good connection".into());
                }
                self.disconnect();
                self.networks.retain(|network| !network.is_wps());
                ok
            }
            _ => Some("UNKNOWN COMMAND\n".into()),
        }
    }

    fn status(&self) -> String {
        let state = match self.current {
            _ if self.blocked => "INTERFACE_DISABLED",
            Some(_) if self.joined => "COMPLETED",
            _ if self.disconnected => "DISCONNECTED",
            _ if self.networks.iter().any(|network| network.enabled) => "SCANNING",
            _ => "INACTIVE",
        };
        let mut status = String::new();
        let network = self.networks.iter().find(|network| Some(network.id) == self.current);
        if let (Some(network), true) = (network, self.joined) {
            let bssid = address(self.joined_bssid);
            let ssid = printf_encode(&unhex(&network.ssid_hex()));
            let mode = if network.is_access_point() { "AP" } else { "station" };
            status = format!(
                "bssid={bssid}\nfreq=2412\nssid={ssid}\nid={}\nmode={mode}\npairwise_cipher=CCMP\n\
                 group_cipher=CCMP\nkey_mgmt=WPA2-PSK\nid_str={}\n",
                network.id,
                network.text("id_str").trim_matches('"')
            );
        }
        format!("{status}wpa_state={state}\naddress=02:00:00:00:01:00\n")
    }

    fn scan(&mut self, rest: &str) -> Option<String> {
        if self.blocked {
            return None;
        }
        if let Some(left) = self.busy_scans.checked_sub(1) {
            self.busy_scans = left;
            self.emit_after_reply("CTRL-EVENT-SCAN-RESULTS ");
            return Some("FAIL-BUSY\n".into());
        }
        let frequencies: Vec<u16> = match rest.strip_prefix("TYPE=ONLY")?.strip_prefix(" freq=") {
            Some(list) => list.split(',').filter_map(|freq| freq.parse().ok()).collect(),
            None => self.frequencies.clone(),
        };
        let error = frequencies.iter().find_map(|freq| self.bad_frequencies.get(freq));
        let is_access_point =
            self.networks.iter().any(|it| self.current == Some(it.id) && it.is_access_point());
        // -95 is EOPNOTSUPP.
        let unsupported = (self.cannot_scan_as_access_point && is_access_point).then_some(&-95);
        if let Some(error) = unsupported.or(error) {
            self.emit_after_reply(format!("CTRL-EVENT-SCAN-FAILED ret={error}"));
        } else {
            for bss in &mut self.access_points {
                if bss.on_air && frequencies.contains(&bss.frequency) {
                    bss.age = 0;
                }
            }
            self.emit_after_reply("CTRL-EVENT-SCAN-RESULTS ");
        }
        Some("OK\n".into())
    }

    /// Replies to `BSS RANGE=first-[last] MASK=hex`: the fields of the mask, and as many whole
    /// entries as fit.
    fn bss(&self, rest: &str) -> String {
        let mask =
            rest.split_once("MASK=0x").and_then(|(_, mask)| u32::from_str_radix(mask, 16).ok());
        let mask = mask.unwrap_or(u32::MAX);
        let entry = |id: usize| -> Option<String> {
            let bss = self.access_points.get(id)?;
            let lines = [
                (0, format!("id={id}\n")),
                (1, format!("bssid={}\n", address(bss.bssid))),
                (2, format!("freq={}\n", bss.frequency)),
                (7, "level=-50\n".into()),
                (9, format!("age={}\n", bss.age)),
                (10, format!("ie={}\n", hex(&bss.probe_response))),
                (11, format!("flags={}\n", bss.flags)),
                (12, format!("ssid={}\n", printf_encode(ssid_in(bss)))),
                (23, format!("beacon_ie={}\n", hex(&bss.beacon))),
            ];
            Some(lines.into_iter().filter(|(bit, _)| mask >> bit & 1 == 1).map(|it| it.1).collect())
        };
        let words = rest.split(' ').next().unwrap_or_default();
        let ids = match (words.strip_prefix("ID-"), words.strip_prefix("RANGE=")) {
            (Some(id), _) => id.parse().map_or(0..0, |id| id..id + 1),
            (_, Some(range)) => {
                let (first, last) = range.split_once('-').unwrap_or((range, ""));
                let end = last.parse().map_or(self.access_points.len(), |last: usize| last + 1);
                first.parse().unwrap_or(0)..end
            }
            _ => 0..0,
        };
        let mut reply = String::new();
        for entry in ids.map_while(entry) {
            if reply.len() + entry.len() >= REPLY_MAX {
                break;
            }
            reply += &entry;
        }
        reply
    }

    /// Replies to `LIST_NETWORKS [LAST_ID=id]`: as many whole lines as fit.
    fn list(&self, rest: &str) -> String {
        let last = rest.strip_prefix("LAST_ID=").and_then(|id| id.parse::<u32>().ok());
        let mut reply = "network id / ssid / bssid / flags\n".to_owned();
        for network in self.networks.iter().filter(|network| Some(network.id) > last) {
            let ssid = printf_encode(&unhex(&network.ssid_hex()));
            let current = if self.current == Some(network.id) { "[CURRENT]" } else { "" };
            let disabled = if network.enabled { "" } else { "[DISABLED]" };
            let line = format!("{}\t{ssid}\tany\t{current}{disabled}\n", network.id);
            if reply.len() + line.len() >= REPLY_MAX {
                break;
            }
            reply += &line;
        }
        reply
    }
}

/// Returns whether `wpa_config_parse_psk` accepts the value: up to the last quote, 8 to 63 bytes
/// without control characters, or 64 hexadecimal digits.
fn is_valid_psk(value: &[u8]) -> bool {
    match value.strip_prefix(b"\"") {
        Some(rest) => {
            let end = rest.iter().rposition(|&byte| byte == b'"').unwrap_or(rest.len());
            (8..=63).contains(&end)
                && rest.iter().take(end).all(|&byte| !(byte < 32 || byte == 127))
        }
        None => value.len() == 64 && value.iter().all(u8::is_ascii_hexdigit),
    }
}

/// Returns the SSID in the probe response or the beacon, whichever starts with one.
fn ssid_in(bss: &Bss) -> &[u8] {
    fn ssid(elements: &[u8]) -> Option<&[u8]> {
        let (&[id, length], rest) = elements.split_first_chunk::<2>()?;
        rest.get(..length.into()).filter(|_| id == 0)
    }
    ssid(&bss.probe_response).or_else(|| ssid(&bss.beacon)).unwrap_or_default()
}

/// Escapes an SSID as hostap's `printf_encode` does.
fn printf_encode(ssid: &[u8]) -> String {
    let print = |&byte: &u8| match byte {
        b'"' => "\\\"".into(),
        b'\\' => "\\\\".into(),
        32..=126 => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    ssid.iter().map(print).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |place| u8::from_str_radix(text.get(place..place + 2)?, 16).ok();
    (0..text.len()).step_by(2).map_while(byte).collect()
}

pub fn address(bssid: [u8; 6]) -> String {
    bssid.map(|byte| format!("{byte:02x}")).join(":")
}

/// Returns the elements of an access point with WPS.
pub fn elements(ssid: &[u8], uuid: Option<u8>, pressed: bool) -> Vec<u8> {
    let mut wps = vec![0x00, 0x50, 0xf2, 0x04, 0x10, 0x4a, 0, 1, 0x10, 0x10, 0x44, 0, 1, 2];
    if pressed {
        wps.extend([0x10, 0x41, 0, 1, 1, 0x10, 0x12, 0, 2, 0, 4]);
    }
    if let Some(uuid) = uuid {
        wps.extend([0x10, 0x47, 0, 16]);
        wps.extend([uuid; 16]);
    }
    let mut elements = vec![0, u8::try_from(ssid.len()).unwrap()];
    elements.extend(ssid);
    elements.extend([0xdd, u8::try_from(wps.len()).unwrap()]);
    elements.extend(wps);
    elements
}

/// Returns a Credential attribute as routers send it, in hex.
pub fn credential(ssid: &[u8], key: &[u8]) -> String {
    let mut body = vec![0x10, 0x26, 0, 1, 1];
    for (kind, value) in [(0x45, ssid), (0x03, &[0, 0x20]), (0x0f, &[0, 8]), (0x27, key)] {
        body.extend([0x10, kind, 0, u8::try_from(value.len()).unwrap()]);
        body.extend(value);
    }
    let mut attribute = vec![0x10, 0x0e, 0, u8::try_from(body.len()).unwrap()];
    attribute.extend(body);
    hex(&attribute)
}

/// A running fake, and the directory of its socket.
pub struct Fake {
    directory: tempfile::TempDir,
    state: Arc<Mutex<State>>,
    progress: watch::Receiver<(usize, bool)>,
}

impl Fake {
    /// Starts a fake with these channels and no access point in range.
    ///
    /// It runs in one of tokio's blocking tasks. While such a task runs, tokio does not advance
    /// paused time by itself: only the test advances it.
    pub fn start(frequencies: &[u16]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join(INTERFACE);
        let socket = UnixDatagram::bind(&path).expect("a socket");
        let state = State {
            frequencies: frequencies.to_vec(),
            globals: BTreeMap::from([
                ("wps_cred_processing".into(), "0".into()),
                ("config_methods".into(), String::new()),
            ]),
            ..State::default()
        };
        let state = Arc::new(Mutex::new(state));
        let (progress_sender, progress) = watch::channel((0, false));
        let shared = Arc::clone(&state);
        tokio::task::spawn_blocking(move || serve(socket, &path, &shared, &progress_sender));
        Self { directory, state, progress }
    }

    /// Returns the directory of the control socket.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns a new driver for this fake.
    pub fn driver(&self) -> WpaSupplicant {
        WpaSupplicant::new(self.directory(), INTERFACE)
    }

    /// Returns the state, to read it or to change it.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a fake that did not panic")
    }

    /// Hides the socket's file, or makes it visible again.
    pub fn set_socket_visible(&self, visible: bool) {
        let (path, hidden) = (self.directory().join(INTERFACE), self.directory().join("hidden"));
        let (from, to) = if visible { (hidden, path) } else { (path, hidden) };
        std::fs::rename(from, to).expect("a socket");
    }

    /// Passes all requests from now on to `script` first.
    pub fn script(
        &self,
        script: impl FnMut(&str, &mut State) -> Option<Override> + Send + 'static,
    ) {
        self.state().script = Some(Box::new(script));
    }

    /// Carries out the `nth` request from now, and replies neither to it nor to any later one.
    pub fn freeze_at(&self, nth: usize) {
        let mut state = self.state();
        state.freeze_at = Some(state.requests.len() + nth);
    }

    /// Waits until the request of [`Self::freeze_at`] has arrived.
    pub async fn wait_frozen(&self) {
        let mut progress = self.progress.clone();
        progress.wait_for(|&(_, frozen)| frozen).await.expect("a running fake");
    }

    /// Ends the effect of [`Self::freeze_at`].
    pub fn thaw(&self) {
        self.state().freeze_at = None;
    }

    /// Waits until a request that starts with `prefix` has been made.
    pub async fn wait_for_request(&self, prefix: &str) {
        let mut progress = self.progress.clone();
        while self.state().requests_with_prefix(prefix).is_empty() {
            progress.changed().await.expect("a running fake");
        }
    }

    /// Lets all other tasks run as far as they get without advancing time.
    pub async fn settle(&self) {
        let Ok(control) = ControlSocket::connect(self.directory(), INTERFACE) else { return };
        for _ in 0..20 {
            let _ = control.request("SETTLE").await;
            tokio::task::yield_now().await;
        }
    }

    /// Runs `work`, and advances the paused time whenever there is nothing else to wait for.
    ///
    /// Returns `None` if `work` is not done within `timeout`.
    pub async fn with_timeout<T>(
        &self,
        timeout: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let step = Duration::from_millis(250);
        let time = async {
            for _ in 0..timeout.as_millis() / step.as_millis() {
                self.settle().await;
                tokio::time::advance(step).await;
            }
        };
        match select(work, time).await {
            Either::First(done) => Some(done),
            Either::Second(()) => None,
        }
    }

    /// Returns all networks with their flags, and the id of the current one.
    pub fn networks_and_current(&self) -> (Vec<Network>, Option<u32>) {
        let state = self.state();
        (state.networks.clone(), state.current)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // The runtime waits for the thread of `serve` before it ends.
        if let Ok(socket) = UnixDatagram::unbound() {
            let _ = socket.send_to(b"QUIT", self.directory.path().join(INTERFACE));
        }
        // A second panic while unwinding would abort the process.
        if let Ok(state) = self.state.lock()
            && !std::thread::panicking()
        {
            assert!(state.misuses.is_empty(), "{:?}", state.misuses);
        }
    }
}

/// Serves requests like hostap's `wpa_supplicant_ctrl_iface_receive`: the events of a request come
/// before its reply.
fn serve(
    mut socket: UnixDatagram,
    path: &PathBuf,
    shared: &Mutex<State>,
    progress_sender: &watch::Sender<(usize, bool)>,
) {
    let mut monitors: Vec<SocketAddr> = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        socket.set_read_timeout(Some(HANG_TIMEOUT)).expect("a time limit");
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            let all = shared.lock().map(|state| state.requests_with_prefix("")).unwrap_or_default();
            let last = all.get(all.len().saturating_sub(5)..).unwrap_or_default();
            eprintln!("fake: the test hangs, no request for {HANG_TIMEOUT:?} after {last:?}");
            send(&socket, &monitors, b"<3>CTRL-EVENT-TERMINATING ");
            return;
        };
        let request = buffer.get(..length).unwrap_or_default();
        match request {
            b"QUIT" => return,
            b"SETTLE" => {
                let _ = socket.send_to_addr(b"OK\n", &from);
                continue;
            }
            b"ATTACH" => monitors.push(from.clone()),
            _ => {}
        }
        let mut state = shared.lock().expect("tests that did not panic");
        state.requests.push(request.to_vec());
        let frozen = state.freeze_at.is_some_and(|nth| state.requests.len() >= nth);
        let after_freeze = state.freeze_at.is_some_and(|nth| state.requests.len() > nth);
        let text = String::from_utf8_lossy(request).into_owned();
        let mut script = state.script.take();
        let instead = script.as_mut().and_then(|script| script(&text, &mut state));
        state.script = state.script.take().or(script);
        let reply = match instead {
            Some(Override::Crash) => {
                for event in &state.events_before_reply {
                    send(&socket, &monitors, format!("<3>{event}").as_bytes());
                }
                progress_sender.send_modify(|progress| progress.0 += 1);
                return;
            }
            Some(Override::ReopenSocket) => {
                let _ = socket.send_to_addr(b"OK\n", &from);
                // hostap closes the old socket first. Here the new one is opened first, and waiting
                // requests get a reply, so that no request fails or waits for nothing.
                let new_path = path.with_extension("new");
                let old = std::mem::replace(
                    &mut socket,
                    UnixDatagram::bind(&new_path).expect("a socket"),
                );
                std::fs::rename(&new_path, path).expect("a new socket at the old path");
                old.shutdown(Shutdown::Read).expect("an end");
                while let Ok((1.., from)) = old.recv_from(&mut buffer) {
                    let _ = old.send_to_addr(b"OK\n", &from);
                }
                None
            }
            Some(Override::NoReply) => None,
            Some(Override::Reply(bytes)) => Some(bytes),
            None if after_freeze => None,
            None if text == "ATTACH" => Some(b"OK\n".to_vec()),
            None => Some(state.reply(request).unwrap_or_else(|| "FAIL\n".into()).into_bytes()),
        };
        let before = std::mem::take(&mut state.events_before_reply);
        let after = std::mem::take(&mut state.events_after_reply);
        for garbage in std::mem::take(&mut state.garbage_events) {
            send(&socket, &monitors, &garbage);
        }
        drop(state);
        for event in before {
            send(&socket, &monitors, format!("<3>{event}").as_bytes());
        }
        if let (Some(reply), false) = (reply, frozen) {
            let _ = socket.send_to_addr(&reply, &from);
        }
        for event in after {
            send(&socket, &monitors, &[b"<3>", &event[..]].concat());
        }
        progress_sender.send_modify(|progress| *progress = (progress.0 + 1, frozen));
    }
}

/// Sends an event to all listeners. A listener whose queue is full misses it.
fn send(socket: &UnixDatagram, monitors: &[SocketAddr], event: &[u8]) {
    for monitor in monitors {
        if let Some(name) = monitor.as_abstract_name() {
            let to = SocketAddrUnix::new_abstract_name(name).expect("a name");
            let _ = rustix::net::sendto(socket, event, SendFlags::DONTWAIT, &to);
        }
    }
}
