//! A wpa_supplicant of memory only, behind a real control socket: it answers as the source of hostap
//! 2.10 does (`wpa_supplicant/ctrl_iface.c`), and remembers every request.
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
use wps_hal_linux::WpaSupplicant;
use wps_hal_linux::control_socket::ControlSocket;

/// The one interface that every machine has, for what asks whether it exists.
pub const INTERFACE: &str = "lo";
/// wpa_supplicant's reply buffer.
const REPLY: usize = 4096;
/// A test that waits longer than this hangs: the fake ends, and so does whoever waits for it.
const HANGS: Duration = Duration::from_secs(20);

/// A network of the configuration. Variables are kept as they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    pub id: u32,
    pub enabled: bool,
    pub variables: BTreeMap<String, Vec<u8>>,
}

impl Network {
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

    /// The name in hex, however it was set.
    fn name(&self) -> String {
        match self.text("ssid").strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
            Some(name) => hex(name.as_bytes()),
            None => self.text("ssid"),
        }
    }
}

/// An entry of the table of access points.
#[derive(Clone, Debug)]
pub struct Bss {
    pub bssid: [u8; 6],
    pub frequency: u16,
    /// Seconds since it was heard.
    pub age: u64,
    /// Whether a look at its channel hears it.
    pub on_air: bool,
    pub flags: &'static str,
    pub probe_response: Vec<u8>,
    pub beacon: Vec<u8>,
}

/// What to do with a request instead of the usual.
pub enum Instead {
    Reply(Vec<u8>),
    Silence,
    /// The process is gone without a word, its socket's file stays.
    Die,
    /// A last OK, then the socket is closed and made anew, as hostap does when a listener does not read.
    Reopen,
}

type Script = Box<dyn FnMut(&str, &mut State) -> Option<Instead> + Send>;

#[derive(Default)]
pub struct State {
    pub networks: Vec<Network>,
    pub current: Option<u32>,
    /// `wpa_state`, as long as no network is current.
    pub blocked: bool,
    pub disconnected: bool,
    pub joined: bool,
    pub access_points: Vec<Bss>,
    pub frequencies: Vec<u16>,
    /// Channels that make a scan fail, and with which error number.
    pub bad_frequencies: BTreeMap<u16, i32>,
    /// Whether the card can look around while it is an access point, and be one on any channel.
    pub deaf_access_point: bool,
    pub refused_access_point: bool,
    /// How many requests to scan find another scan under way.
    pub busy: usize,
    pub globals: BTreeMap<String, String>,
    /// What can be joined: names in hex, with the `psk` that lets in.
    pub reachable: BTreeMap<String, Vec<u8>>,
    /// The access point of the network that is joined.
    pub joined_bssid: [u8; 6],
    /// What a router says once a WPS network is selected.
    pub exchange: Vec<String>,
    pub script: Option<Script>,
    pub requests: Vec<Vec<u8>>,
    /// What a real wpa_supplicant would have taken badly.
    pub faults: Vec<String>,
    before: Vec<String>,
    after: Vec<Vec<u8>>,
    garbage: Vec<Vec<u8>>,
    next_id: u32,
    freeze_at: Option<usize>,
}

impl State {
    /// An event that is sent before the reply.
    pub fn tell(&mut self, event: impl Into<String>) {
        self.before.push(event.into());
    }

    /// What is no event, sent after the reply.
    pub fn tell_garbage(&mut self, bytes: &[u8]) {
        self.garbage.push(bytes.into());
    }

    /// An event that is sent after the reply.
    pub fn tell_later(&mut self, event: impl AsRef<[u8]>) {
        self.after.push(event.as_ref().to_vec());
    }

    pub fn add(&mut self, enabled: bool, variables: &[(&str, &str)]) -> u32 {
        let id = self.next_id;
        self.next_id += 1;
        let own = |(name, value): &(&str, &str)| ((*name).into(), value.as_bytes().to_vec());
        let variables = variables.iter().map(own).collect();
        self.networks.push(Network { id, enabled, variables });
        id
    }

    /// A network of the platform's own configuration that is in range.
    pub fn platform(&mut self, enabled: bool, name: &str) -> u32 {
        self.reachable.insert(hex(name.as_bytes()), b"\"platform key\"".into());
        let name = format!("\"{name}\"");
        self.add(enabled, &[("ssid", &name), ("psk", "\"platform key\""), ("key_mgmt", "WPA-PSK")])
    }

    pub fn join(&mut self, id: u32) {
        (self.current, self.joined, self.disconnected) = (Some(id), true, false);
    }

    /// It was killed and started again: it knows what is in its own file, and joins that.
    pub fn begin_anew(&mut self) {
        self.networks.retain(|network| network.text("id_str").is_empty());
        self.next_id = self.networks.iter().map(|network| network.id + 1).max().unwrap_or(0);
        (self.current, self.joined, self.disconnected) = (None, false, false);
        if let Some(id) = self.networks.iter().find(|it| it.enabled).map(|it| it.id) {
            self.join(id);
        }
    }

    /// Requests whose text begins so.
    pub fn asked(&self, verb: &str) -> Vec<String> {
        let texts = self.requests.iter().map(|it| String::from_utf8_lossy(it).into_owned());
        texts.filter(|text| text.starts_with(verb)).collect()
    }

    fn network(&mut self, id: &str) -> Option<&mut Network> {
        let id: u32 = id.parse().ok()?;
        self.networks.iter_mut().find(|network| network.id == id)
    }

    /// The enabled network of the highest priority that can be joined, the first of equal ones.
    fn best(&self) -> Option<&Network> {
        let priority = |network: &&Network| network.text("priority").parse().unwrap_or(0_i32);
        let can_join = |network: &&Network| {
            network.enabled
                && self.reachable.get(&network.name()) == network.variables.get("psk")
                && network.variables.contains_key("psk")
        };
        self.networks.iter().filter(can_join).rev().max_by_key(priority)
    }

    fn leave(&mut self) {
        if self.joined {
            let bssid = address(self.joined_bssid);
            self.tell(format!(
                "CTRL-EVENT-DISCONNECTED bssid={bssid} reason=3 locally_generated=1"
            ));
        }
        (self.current, self.joined) = (None, false);
    }

    /// Joins this network if it is in range, as after a scan.
    fn connect(&mut self, id: u32) {
        let network = self.networks.iter().find(|network| network.id == id).cloned();
        let Some(network) = network else { return };
        if network.is_wps() {
            for event in self.exchange.clone() {
                self.tell_later(&event);
            }
            if self.exchange.iter().any(|event| event.starts_with("WPS-SUCCESS")) {
                // `wpas_wps_eapol_cb` → `wpas_clear_wps`
                self.networks.retain(|network| !network.is_wps());
                self.current = None;
                let bssid = network.text("bssid");
                self.tell_later(format!(
                    "CTRL-EVENT-DISCONNECTED bssid={bssid} reason=3 locally_generated=1"
                ));
            }
            return;
        }
        if network.is_access_point() {
            if self.refused_access_point {
                // `wpa_supplicant_associate`, without an event
                (self.current, self.disconnected) = (None, true);
            } else {
                self.join(id);
                self.tell_later("AP-ENABLED ");
            }
            return;
        }
        match self.reachable.get(&network.name()) {
            None => self.tell_later("CTRL-EVENT-NETWORK-NOT-FOUND "),
            Some(key) if network.variables.get("psk").unwrap_or(&Vec::new()) == key => {
                self.join(id);
                self.tell_later(format!(
                    "CTRL-EVENT-CONNECTED - Connection to 02:00:00:00:00:00 completed [id={id} id_str=]"
                ));
            }
            Some(_) => self.tell_later(format!(
                "CTRL-EVENT-SSID-TEMP-DISABLED id={id} ssid=\"x\" auth_failures=1 duration=10 reason=WRONG_KEY"
            )),
        }
    }

    fn reply(&mut self, request: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(request).into_owned();
        let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let ok = Some("OK\n".to_owned());
        match verb {
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
            "ADD_NETWORK" => Some(format!("{}\n", self.add(false, &[]))),
            "REMOVE_NETWORK" => {
                let id = self.network(rest)?.id;
                if self.current == Some(id) {
                    self.leave();
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
                if name == "psk" && !psk(value) {
                    return None;
                }
                self.network(id)?.variables.insert(name.into(), value.into());
                ok
            }
            "SELECT_NETWORK" => {
                let id = self.network(rest.split(' ').next()?)?.id;
                if self.current != Some(id) {
                    self.leave();
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
                    self.leave();
                }
                ok
            }
            "DISCONNECT" => {
                self.leave();
                self.disconnected = true;
                ok
            }
            "ABORT_SCAN" => None,
            "REASSOCIATE" if self.blocked => None,
            "REASSOCIATE" => {
                self.disconnected = false;
                let best = self.best().or(self.networks.iter().find(|it| it.enabled));
                let best = best.map(|network| network.id);
                if let Some(id) = best.filter(|id| !self.joined || self.current != Some(*id)) {
                    self.leave();
                    self.connect(id);
                }
                ok
            }
            "WPS_CANCEL" => {
                if !self.networks.iter().any(Network::is_wps) {
                    self.faults.push("WPS_CANCEL without a pairing drops a good connection".into());
                }
                self.leave();
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
            let name = printed(&unhex(&network.name()));
            let mode = if network.is_access_point() { "AP" } else { "station" };
            status = format!(
                "bssid={bssid}\nfreq=2412\nssid={name}\nid={}\nmode={mode}\npairwise_cipher=CCMP\n\
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
        if let Some(left) = self.busy.checked_sub(1) {
            self.busy = left;
            self.tell_later("CTRL-EVENT-SCAN-RESULTS ");
            return Some("FAIL-BUSY\n".into());
        }
        let looked: Vec<u16> = match rest.strip_prefix("TYPE=ONLY")?.strip_prefix(" freq=") {
            Some(list) => list.split(',').filter_map(|freq| freq.parse().ok()).collect(),
            None => self.frequencies.clone(),
        };
        let error = looked.iter().find_map(|freq| self.bad_frequencies.get(freq));
        let serves =
            self.networks.iter().any(|it| self.current == Some(it.id) && it.is_access_point());
        let deaf = (self.deaf_access_point && serves).then_some(&-95);
        if let Some(error) = deaf.or(error) {
            self.tell_later(format!("CTRL-EVENT-SCAN-FAILED ret={error}"));
        } else {
            for bss in &mut self.access_points {
                if bss.on_air && looked.contains(&bss.frequency) {
                    bss.age = 0;
                }
            }
            self.tell_later("CTRL-EVENT-SCAN-RESULTS ");
        }
        Some("OK\n".into())
    }

    /// `RANGE=first-[last] MASK=hex`: the fields of the mask, whole entries while there is room.
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
                (12, format!("ssid={}\n", printed(name_in(&bss.probe_response, &bss.beacon)))),
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
            if reply.len() + entry.len() >= REPLY {
                break;
            }
            reply += &entry;
        }
        reply
    }

    fn list(&self, rest: &str) -> String {
        let last = rest.strip_prefix("LAST_ID=").and_then(|id| id.parse::<u32>().ok());
        let mut reply = "network id / ssid / bssid / flags\n".to_owned();
        for network in self.networks.iter().filter(|network| Some(network.id) > last) {
            let name = printed(&unhex(&network.name()));
            let current = if self.current == Some(network.id) { "[CURRENT]" } else { "" };
            let disabled = if network.enabled { "" } else { "[DISABLED]" };
            let line = format!("{}\t{name}\tany\t{current}{disabled}\n", network.id);
            if reply.len() + line.len() >= REPLY {
                break;
            }
            reply += &line;
        }
        reply
    }
}

/// What `wpa_config_parse_psk` takes: up to the last quote, 8 to 63 bytes without control characters,
/// or 64 digits.
fn psk(value: &[u8]) -> bool {
    match value.strip_prefix(b"\"") {
        Some(rest) => {
            let end = rest.iter().rposition(|&byte| byte == b'"').unwrap_or(rest.len());
            (8..=63).contains(&end)
                && rest.iter().take(end).all(|&byte| !(byte < 32 || byte == 127))
        }
        None => value.len() == 64 && value.iter().all(u8::is_ascii_hexdigit),
    }
}

/// The SSID in the first of these lists of elements that begins with one.
fn name_in<'a>(probe_response: &'a [u8], beacon: &'a [u8]) -> &'a [u8] {
    let name = |elements: &'a [u8]| {
        let (&[number, length], rest) = elements.split_first_chunk::<2>()?;
        rest.get(..length.into()).filter(|_| number == 0)
    };
    name(probe_response).or_else(|| name(beacon)).unwrap_or_default()
}

/// As `printf_encode` prints a name.
fn printed(name: &[u8]) -> String {
    let print = |&byte: &u8| match byte {
        b'"' => "\\\"".into(),
        b'\\' => "\\\\".into(),
        32..=126 => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    name.iter().map(print).collect()
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

/// The elements of an access point with WPS.
pub fn elements(name: &[u8], uuid: Option<u8>, pressed: bool) -> Vec<u8> {
    let mut wps = vec![0x00, 0x50, 0xf2, 0x04, 0x10, 0x4a, 0, 1, 0x10, 0x10, 0x44, 0, 1, 2];
    if pressed {
        wps.extend([0x10, 0x41, 0, 1, 1, 0x10, 0x12, 0, 2, 0, 4]);
    }
    if let Some(uuid) = uuid {
        wps.extend([0x10, 0x47, 0, 16]);
        wps.extend([uuid; 16]);
    }
    let mut elements = vec![0, u8::try_from(name.len()).unwrap()];
    elements.extend(name);
    elements.extend([0xdd, u8::try_from(wps.len()).unwrap()]);
    elements.extend(wps);
    elements
}

/// A Credential attribute as routers send it, in hex.
pub fn credential(name: &[u8], key: &[u8]) -> String {
    let mut body = vec![0x10, 0x26, 0, 1, 1];
    for (kind, value) in [(0x45, name), (0x03, &[0, 0x20]), (0x0f, &[0, 8]), (0x27, key)] {
        body.extend([0x10, kind, 0, u8::try_from(value.len()).unwrap()]);
        body.extend(value);
    }
    let mut attribute = vec![0x10, 0x0e, 0, u8::try_from(body.len()).unwrap()];
    attribute.extend(body);
    hex(&attribute)
}

/// The fake, and the place of its socket.
pub struct Fake {
    directory: tempfile::TempDir,
    state: Arc<Mutex<State>>,
    progress: watch::Receiver<(usize, bool)>,
}

impl Fake {
    /// Starts one with these channels, all quiet.
    ///
    /// It runs among tokio's blocking tasks: as long as one of those runs, paused time stands still
    /// until a test moves it.
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
        let (told, progress) = watch::channel((0, false));
        let shared = Arc::clone(&state);
        tokio::task::spawn_blocking(move || serve(socket, &path, &shared, &told));
        Self { directory, state, progress }
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn driver(&self) -> WpaSupplicant {
        WpaSupplicant::new(self.directory(), INTERFACE)
    }

    /// Looks at the state, or changes it.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a fake that did not panic")
    }

    /// Takes the socket's file away, or puts it back.
    pub fn show(&self, shown: bool) {
        let (place, hidden) = (self.directory().join(INTERFACE), self.directory().join("hidden"));
        let (from, to) = if shown { (hidden, place) } else { (place, hidden) };
        std::fs::rename(from, to).expect("a socket");
    }

    /// From now on requests go to `script` first.
    pub fn script(&self, script: impl FnMut(&str, &mut State) -> Option<Instead> + Send + 'static) {
        self.state().script = Some(Box::new(script));
    }

    /// Does the `nth` request from now, and never replies to it or anything after it.
    pub fn freeze_at(&self, nth: usize) {
        let mut state = self.state();
        state.freeze_at = Some(state.requests.len() + nth);
    }

    /// Waits until it is frozen.
    pub async fn frozen(&self) {
        let mut progress = self.progress.clone();
        progress.wait_for(|&(_, frozen)| frozen).await.expect("a running fake");
    }

    pub fn thaw(&self) {
        self.state().freeze_at = None;
    }

    /// Waits until a request that begins so has been made.
    pub async fn asked(&self, verb: &str) {
        let mut progress = self.progress.clone();
        while self.state().asked(verb).is_empty() {
            progress.changed().await.expect("a running fake");
        }
    }

    /// Lets whoever talks to the fake get as far as it gets without more time.
    pub async fn settle(&self) {
        let Ok(control) = ControlSocket::connect(self.directory(), INTERFACE) else { return };
        for _ in 0..20 {
            let _ = control.ask("SETTLE").await;
            tokio::task::yield_now().await;
        }
    }

    /// Does `work`, with time moving on whenever there is nothing else to wait for. None: it was not
    /// done within that time.
    pub async fn with_time<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        let step = Duration::from_millis(250);
        let time = async {
            for _ in 0..limit.as_millis() / step.as_millis() {
                self.settle().await;
                tokio::time::advance(step).await;
            }
        };
        match select(work, time).await {
            Either::First(done) => Some(done),
            Either::Second(()) => None,
        }
    }

    /// Networks with their flags, and the current one.
    pub fn platform(&self) -> (Vec<Network>, Option<u32>) {
        let state = self.state();
        (state.networks.clone(), state.current)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if let Ok(socket) = UnixDatagram::unbound() {
            let _ = socket.send_to(b"QUIT", self.directory.path().join(INTERFACE));
        }
        // The thread must not be left in a wait: without it the runtime could not end.
        if let Ok(state) = self.state.lock()
            && !std::thread::panicking()
        {
            assert!(state.faults.is_empty(), "{:?}", state.faults);
        }
    }
}

/// hostap's `wpa_supplicant_ctrl_iface_receive`: the events of a request, then its reply.
fn serve(
    mut socket: UnixDatagram,
    path: &PathBuf,
    shared: &Mutex<State>,
    told: &watch::Sender<(usize, bool)>,
) {
    let mut monitors: Vec<SocketAddr> = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        socket.set_read_timeout(Some(HANGS)).expect("a time limit");
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            let asked = shared.lock().map(|state| state.asked("")).unwrap_or_default();
            let last = asked.get(asked.len().saturating_sub(5)..).unwrap_or_default();
            eprintln!("fake: the test hangs, nothing was asked for {HANGS:?} after {last:?}");
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
            Some(Instead::Die) => {
                for event in &state.before {
                    send(&socket, &monitors, format!("<3>{event}").as_bytes());
                }
                told.send_modify(|progress| progress.0 += 1);
                return;
            }
            Some(Instead::Reopen) => {
                let _ = socket.send_to_addr(b"OK\n", &from);
                // hostap closes first; here nobody may come in between, or wait in vain.
                let anew = path.with_extension("anew");
                let old =
                    std::mem::replace(&mut socket, UnixDatagram::bind(&anew).expect("a socket"));
                std::fs::rename(&anew, path).expect("in the old one's place");
                old.shutdown(Shutdown::Read).expect("an end");
                while let Ok((1.., from)) = old.recv_from(&mut buffer) {
                    let _ = old.send_to_addr(b"OK\n", &from);
                }
                None
            }
            Some(Instead::Silence) => None,
            Some(Instead::Reply(bytes)) => Some(bytes),
            None if after_freeze => None,
            None if text == "ATTACH" => Some(b"OK\n".to_vec()),
            None => Some(state.reply(request).unwrap_or_else(|| "FAIL\n".into()).into_bytes()),
        };
        let before = std::mem::take(&mut state.before);
        let after = std::mem::take(&mut state.after);
        for garbage in std::mem::take(&mut state.garbage) {
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
        told.send_modify(|progress| *progress = (progress.0 + 1, frozen));
    }
}

/// To all who listen. Who does not read misses it.
fn send(socket: &UnixDatagram, monitors: &[SocketAddr], event: &[u8]) {
    for monitor in monitors {
        if let Some(name) = monitor.as_abstract_name() {
            let to = SocketAddrUnix::new_abstract_name(name).expect("a name");
            let _ = rustix::net::sendto(socket, event, SendFlags::DONTWAIT, &to);
        }
    }
}
