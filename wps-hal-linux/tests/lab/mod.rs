//! Real daemons on simulated radios: what the tests in the radio lab are written with.
//!
//! The radios are `wlan0`, `wlan1`, … of `mac80211_hwsim`; see `lab/README.md`. Every test begins
//! with [`radios_idle`]. Everything here blocks, and panics with what the daemons last said.
#![allow(dead_code, unreachable_pub, missing_docs)] // each test binary uses a part of it

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Where configuration files, the daemons' output and client sockets are.
const RUN: &str = "/run/lab";
/// Numbers client sockets and other files, so that none is used twice.
static FILES: AtomicUsize = AtomicUsize::new(0);
/// Numbers the BSSIDs.
static BSSIDS: AtomicU16 = AtomicU16::new(1);
/// All daemons, for the diagnostics.
static DAEMONS: Mutex<Vec<Weak<Daemon>>> = Mutex::new(Vec::new());

/// Whether this runs in the lab's guest. Anywhere else the tests must not touch anything.
pub fn in_lab() -> bool {
    std::env::var_os("RADIO_LAB").is_some_and(|value| value == "1")
}

/// Fresh radios, as after a boot: no daemon runs, no network namespace, nothing in any scan cache.
pub fn radios_idle() {
    assert!(in_lab(), "these tests run in the radio lab only");
    const NAMES: [&str; 5] = ["hostapd", "wpa_supplicant", "iwd", "NetworkManager", "ping"];
    until(Duration::from_secs(10), "all daemons gone", || {
        let left: Vec<String> = processes(&NAMES);
        left.iter().for_each(|pid| quietly(&format!("kill -9 {pid}")));
        left.is_empty().then_some(())
    });
    for name in run("ip netns list").split_whitespace().filter(|word| word.starts_with("router")) {
        quietly(&format!("ip netns del {name}"));
    }
    for folder in [RUN, "/run/hostapd", "/run/wpa_supplicant"] {
        let _ = fs::remove_dir_all(folder);
    }
    fs::create_dir_all(RUN).expect("a folder for the lab");
    until(Duration::from_secs(10), "the radios' module unloaded", || {
        quietly("rmmod mac80211_hwsim");
        (!Path::new("/sys/module/mac80211_hwsim").exists()).then_some(())
    });
    run("modprobe mac80211_hwsim"); // its options come from the kernel command line
    until(Duration::from_secs(10), "the first radio", || {
        Path::new("/sys/class/net/wlan0").exists().then_some(())
    });
}

/// Polls until there is an answer; when time is up, panics with the daemons' last words.
#[track_caller]
pub fn until<T>(timeout: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        if start.elapsed() > timeout {
            panic!("not within {timeout:?}: {what}\n{}", diagnostics());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// What every daemon said last: events and output.
pub fn diagnostics() -> String {
    let daemons: Vec<_> = lock(&DAEMONS).iter().filter_map(Weak::upgrade).collect();
    let mut text = String::new();
    for daemon in daemons {
        text += &format!("--- {}, running: {}\n", daemon.title, daemon.is_running());
        let events = daemon.events.all();
        for (at, line) in &events[events.len().saturating_sub(25)..] {
            text += &format!("  {:8.3} s ago  {line}\n", at.elapsed().as_secs_f64());
        }
        let output = fs::read(&daemon.output).unwrap_or_default();
        let output = String::from_utf8_lossy(&output);
        let lines: Vec<&str> = output.lines().collect();
        for line in &lines[lines.len().saturating_sub(10)..] {
            text += &format!("  | {line}\n");
        }
    }
    text
}

/// Runs a command (words separated by blanks, no shell) and gives its output; panics if it fails.
#[track_caller]
pub fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let program = words.next().expect("a program");
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {}\n{text}{errors}", output.status);
    text
}

/// The body of what the local daemon answers to a GET; none while nobody does. Polling with a curl
/// process each time would keep the guest's one processor busy.
pub fn get(path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, 8080)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}

/// A field of the daemon's status; none while nobody answers.
pub fn status(field: &str) -> Option<String> {
    let body = get("/api/v1/wifi/wps")?;
    let (_, value) = body.split_once(&format!("\"{field}\":\""))?;
    value.split_once('"').map(|(value, _)| value.to_owned())
}

/// Runs a command whose failure does not matter.
fn quietly(command: &str) {
    let mut words = command.split_whitespace();
    let mut command = Command::new(words.next().expect("a program"));
    let _ = command
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// A lock that a panicking test has not spoilt.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The process ids of what runs under one of these names.
fn processes(names: &[&str]) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
    pids.filter(|pid| {
        // "42 (hostapd) S 1 …"; Z is a process that has ended
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let (name, rest) = stat.rsplit_once(')').unwrap_or_default();
        let name = name.split_once('(').unwrap_or_default().1;
        pid.parse::<u32>().is_ok() && names.contains(&name) && !rest.starts_with(" Z")
    })
    .collect()
}

/// One request on a new client socket.
fn ask(socket: &Path, request: &str) -> io::Result<String> {
    let client = ControlClient::connect(socket)?;
    client.0.set_read_timeout(Some(Duration::from_secs(10)))?;
    client.0.send(request.as_bytes())?;
    let mut buffer = vec![0; 65536];
    let length = client.0.recv(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// A client end of a control socket; its file goes with it.
struct ControlClient(UnixDatagram, PathBuf);

impl ControlClient {
    fn connect(daemon: &Path) -> io::Result<Self> {
        let path = PathBuf::from(format!("{RUN}/client{}", FILES.fetch_add(1, Ordering::Relaxed)));
        let client = Self(UnixDatagram::bind(&path)?, path);
        client.0.connect(daemon)?;
        Ok(client)
    }
}

impl Drop for ControlClient {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.1);
    }
}

type Action = Box<dyn FnOnce() + Send>;

/// All events of a daemon, with their times, over restarts too.
#[derive(Clone, Default)]
pub struct Events {
    lines: Arc<Mutex<Vec<(Instant, String)>>>,
    actions: Arc<Mutex<Vec<(String, Action)>>>,
}

impl Events {
    /// All events so far.
    pub fn all(&self) -> Vec<(Instant, String)> {
        lock(&self.lines).clone()
    }

    /// The position behind the last event, for [`Events::since`] and [`Events::wait`].
    pub fn mark(&self) -> usize {
        lock(&self.lines).len()
    }

    /// The events after a mark that contain `pattern`.
    pub fn since(&self, mark: usize, pattern: &str) -> Vec<(Instant, String)> {
        let lines = lock(&self.lines);
        lines[mark..].iter().filter(|(_, line)| line.contains(pattern)).cloned().collect()
    }

    /// Waits for an event after a mark that contains `pattern`.
    #[track_caller]
    pub fn wait(&self, mark: usize, pattern: &str, timeout: Duration) -> (Instant, String) {
        until(timeout, &format!("event {pattern:?}"), || {
            self.since(mark, pattern).into_iter().next()
        })
    }

    /// Does something once, at the next event that contains `pattern`, on the thread that reads it.
    pub fn when(&self, pattern: &str, action: impl FnOnce() + Send + 'static) {
        lock(&self.actions).push((pattern.to_owned(), Box::new(action)));
    }

    /// Appends all that comes from the socket, until it is shut down.
    fn read(self, client: ControlClient) {
        let mut buffer = vec![0; 65536];
        while let Ok(length @ 1..) = client.0.recv(&mut buffer) {
            let line = String::from_utf8_lossy(&buffer[..length]);
            let line =
                line.split_once('>').map_or(&*line, |(_level, line)| line).trim_end().to_owned();
            let due: Vec<_> = lock(&self.actions)
                .extract_if(.., |(pattern, _)| line.contains(&**pattern))
                .collect();
            lock(&self.lines).push((Instant::now(), line));
            due.into_iter().for_each(|(_, action)| action());
        }
    }
}

/// A hostapd or wpa_supplicant process.
struct Daemon {
    title: String,
    command: Vec<String>,
    interface: String,
    namespace: Option<String>,
    socket: PathBuf,
    output: PathBuf,
    process: Mutex<Option<(Child, UnixDatagram)>>,
    events: Events,
}

impl Daemon {
    fn new(
        program: &str,
        radio: usize,
        arguments: &str,
        folder: &str,
        namespace: Option<String>,
    ) -> Arc<Self> {
        let interface = format!("wlan{radio}");
        let prefix =
            namespace.as_ref().map(|name| format!("ip netns exec {name} ")).unwrap_or_default();
        let verbose = if std::env::var_os("RADIO_TEST_VERBOSE").is_some() { "-dd" } else { "" };
        let command = format!("{prefix}{program} -t {verbose} {arguments}");
        let daemon = Arc::new(Self {
            title: format!("{program} on {interface}"),
            command: command.split_whitespace().map(str::to_owned).collect(),
            socket: Path::new(folder).join(&interface),
            output: PathBuf::from(format!("{RUN}/{interface}.{program}.log")),
            interface,
            namespace,
            process: Mutex::default(),
            events: Events::default(),
        });
        lock(&DAEMONS).push(Arc::downgrade(&daemon));
        daemon
    }

    /// Starts the process, and is back when it answers and its events are read.
    #[track_caller]
    fn start(&self) {
        assert!(!self.is_running(), "{} runs already", self.title);
        let output =
            File::options().create(true).append(true).open(&self.output).expect("a log file");
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).stdin(Stdio::null());
        command.stdout(output.try_clone().expect("a second handle")).stderr(output);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.title));
        let client = until(Duration::from_secs(10), &format!("{} answers", self.title), || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("{} ended: {status}\n{}", self.title, diagnostics());
            }
            let client = ControlClient::connect(&self.socket).ok()?;
            client.0.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
            client.0.send(b"ATTACH").ok()?;
            let mut answer = [0; 3];
            (client.0.recv(&mut answer).ok()? == 3 && &answer == b"OK\n").then_some(client)
        });
        client.0.set_read_timeout(None).expect("a blocking socket");
        let stopper = client.0.try_clone().expect("a second handle");
        let events = self.events.clone();
        thread::spawn(move || events.read(client));
        *lock(&self.process) = Some((child, stopper));
    }

    fn is_running(&self) -> bool {
        lock(&self.process).as_mut().is_some_and(|(child, _)| matches!(child.try_wait(), Ok(None)))
    }

    /// SIGTERM, and SIGKILL if that does not help.
    fn stop(&self) {
        if let Some((child, _)) = lock(&self.process).as_mut() {
            quietly(&format!("kill {}", child.id()));
        }
        let start = Instant::now();
        while self.is_running() && start.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }

    /// SIGKILL.
    fn kill(&self) {
        if let Some((mut child, events)) = lock(&self.process).take() {
            let _ = child.kill();
            let _ = child.wait();
            let _ = events.shutdown(Shutdown::Both);
        }
    }

    fn interface_down(&self) {
        let inside = self.namespace.as_ref().map(|name| format!("-n {name} ")).unwrap_or_default();
        quietly(&format!("ip {inside}link set {} down", self.interface));
    }

    #[track_caller]
    fn request(&self, request: &str) -> String {
        let answer = ask(&self.socket, request);
        answer
            .unwrap_or_else(|error| panic!("{}: {request}: {error}\n{}", self.title, diagnostics()))
    }

    #[track_caller]
    fn expect_ok(&self, request: &str) {
        let answer = self.request(request);
        assert_eq!(answer.trim(), "OK", "{}: {request}", self.title);
    }
}

/// `key=value` lines.
fn key_values(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// WPA2-PSK, as an authentication type of a credential.
pub const WPA2_PSK: u16 = 0x20;
/// AES, as an encryption type of a credential.
pub const AES: u16 = 8;

/// How a [`Router`] protects its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// WPA2-PSK with CCMP.
    Wpa2,
    /// WPA2-PSK and WPA3-SAE.
    Wpa3Transition,
    /// WPA3-SAE with protected management frames.
    SaeOnly,
    /// WPA-PSK with TKIP; hostapd then switches WPS off.
    TkipOnly,
    /// WEP; hostapd then switches WPS off.
    Wep,
    /// No protection.
    Open,
}

/// What a [`Router`] is to be like; [`RouterSetup::start`] switches it on.
#[derive(Clone, Debug)]
pub struct RouterSetup {
    radio: usize,
    ssid: Vec<u8>,
    key: String,
    security: Security,
    channel: u32,
    wps: bool,
    bssid: Option<String>,
    address: Option<Ipv4Addr>,
    lines: String,
}

impl RouterSetup {
    /// The passphrase (default: `correct horse`); 64 hexadecimal digits are a PSK.
    pub fn passphrase(mut self, key: &str) -> Self {
        self.key = key.to_owned();
        self
    }

    /// The kind of network (default: [`Security::Wpa2`]).
    pub fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// The channel (default: 1); from 36 on it is in the 5 GHz band.
    pub fn channel(mut self, channel: u32) -> Self {
        self.channel = channel;
        self
    }

    /// The WPS UUID; two routers with the same one are one router with two bands.
    pub fn uuid(self, uuid: &str) -> Self {
        self.line(&format!("uuid={uuid}"))
    }

    /// Switches WPS on or off (default: on).
    pub fn wps(mut self, on: bool) -> Self {
        self.wps = on;
        self
    }

    /// A certain BSSID (default: one that was never used before, as scan caches remember them).
    pub fn bssid(mut self, bssid: &str) -> Self {
        self.bssid = Some(bssid.to_owned());
        self
    }

    /// Moves the radio into a network namespace of its own, with this address (/24), so that a
    /// station can really reach it over the air. Two routers need different subnets.
    pub fn address(mut self, address: Ipv4Addr) -> Self {
        self.address = Some(address);
        self
    }

    /// Credentials that it hands over instead of its own: name, authentication, encryption and key.
    pub fn hands_over(self, credentials: &[(&str, u16, u16, &str)]) -> Self {
        let attribute = |kind: u16, value: &[u8]| {
            let length = u16::try_from(value.len()).expect("short");
            [&kind.to_be_bytes(), &length.to_be_bytes(), value].concat()
        };
        let credential = |(ssid, authentication, encryption, key): &(&str, u16, u16, &str)| {
            let fields = [
                attribute(0x1026, &[1]),
                attribute(0x1045, ssid.as_bytes()),
                attribute(0x1003, &authentication.to_be_bytes()),
                attribute(0x100f, &encryption.to_be_bytes()),
                attribute(0x1027, key.as_bytes()),
                attribute(0x1020, &[2, 0, 0, 0, 1, 0]),
            ];
            attribute(0x100e, &fields.concat())
        };
        let path = format!("{RUN}/credentials{}", FILES.fetch_add(1, Ordering::Relaxed));
        let bytes: Vec<_> = credentials.iter().flat_map(credential).collect();
        fs::write(&path, bytes).expect("a file");
        self.line("skip_cred_build=1").line(&format!("extra_cred={path}"))
    }

    /// One more line for hostapd's configuration.
    pub fn line(mut self, line: &str) -> Self {
        self.lines += &format!("{line}\n");
        self
    }

    /// Switches the router on; it is on the air when this returns.
    #[track_caller]
    pub fn start(self) -> Router {
        let interface = format!("wlan{}", self.radio);
        let bssid = self.bssid.clone().unwrap_or_else(|| {
            let [high, low] = BSSIDS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            format!("02:0a:b0:{high:02x}:{low:02x}:{:02x}", self.radio)
        });
        run(&format!("ip link set {interface} down"));
        run(&format!("ip link set {interface} address {bssid}"));
        let phy = fs::read_to_string(format!("/sys/class/net/{interface}/phy80211/name"));
        let phy = phy.unwrap_or_else(|error| panic!("{interface}: {error}")).trim().to_owned();
        let namespace = self.address.map(|address| {
            let name = format!("router{}", self.radio);
            run(&format!("ip netns add {name}"));
            run(&format!("iw phy {phy} set netns name {name}"));
            run(&format!("ip -n {name} address add {address}/24 dev {interface}"));
            name
        });
        let path = format!("{RUN}/{interface}.hostapd.conf");
        fs::write(&path, self.configuration(&interface)).expect("hostapd's configuration");
        let daemon = Daemon::new("hostapd", self.radio, &path, "/run/hostapd", namespace);
        let router = Router { daemon, setup: self, bssid, phy };
        router.power_on();
        router
    }

    fn configuration(&self, interface: &str) -> String {
        let band = if self.channel < 36 { "hw_mode=g" } else { "hw_mode=a\ncountry_code=US" };
        let wps =
            if self.wps { "eap_server=1\nwps_state=2\nconfig_methods=push_button" } else { "" };
        let key = match self.key.len() {
            64 => format!("wpa_psk={}", self.key),
            _ => format!("wpa_passphrase={}", self.key),
        };
        let security = match self.security {
            Security::Wpa2 => format!("wpa=2\nwpa_key_mgmt=WPA-PSK\nrsn_pairwise=CCMP\n{key}"),
            Security::Wpa3Transition => {
                format!(
                    "wpa=2\nwpa_key_mgmt=WPA-PSK SAE\nrsn_pairwise=CCMP\nieee80211w=1\nsae_require_mfp=1\n{key}"
                )
            }
            Security::SaeOnly => {
                format!("wpa=2\nwpa_key_mgmt=SAE\nrsn_pairwise=CCMP\nieee80211w=2\n{key}")
            }
            Security::TkipOnly => format!("wpa=1\nwpa_key_mgmt=WPA-PSK\nwpa_pairwise=TKIP\n{key}"),
            Security::Wep => "wep_default_key=0\nwep_key0=6162636465".to_owned(),
            Security::Open => String::new(),
        };
        format!(
            "interface={interface}\ndriver=nl80211\nctrl_interface=/run/hostapd\nssid2={}\n{band}\nchannel={}\n\
             {security}\n{wps}\ndevice_name={interface}\ndevice_type=6-0050F204-1\n{}",
            hex(&self.ssid),
            self.channel,
            self.lines,
        )
    }
}

/// An access point: hostapd on a radio.
pub struct Router {
    daemon: Arc<Daemon>,
    setup: RouterSetup,
    bssid: String,
    phy: String,
}

impl Router {
    /// A router on `wlan<radio>` with this SSID (any bytes).
    pub fn setup(radio: usize, ssid: impl AsRef<[u8]>) -> RouterSetup {
        RouterSetup {
            radio,
            ssid: ssid.as_ref().to_vec(),
            key: "correct horse".to_owned(),
            security: Security::Wpa2,
            channel: 1,
            wps: true,
            bssid: None,
            address: None,
            lines: String::new(),
        }
    }

    /// Starts hostapd again after [`Router::stop`] or [`Router::kill`], with the same BSSID.
    #[track_caller]
    pub fn power_on(&self) {
        self.daemon.start();
        until(Duration::from_secs(10), "hostapd is on the air", || {
            self.request("STATUS").contains("state=ENABLED").then_some(())
        });
    }

    /// Presses the WPS button.
    #[track_caller]
    pub fn press_button(&self) {
        self.daemon.expect_ok("WPS_PBC");
    }

    /// Takes the button press back.
    #[track_caller]
    pub fn cancel_button(&self) {
        self.daemon.expect_ok("WPS_CANCEL");
    }

    /// Ends hostapd as a clean shutdown does: stations are told.
    pub fn stop(&self) {
        self.daemon.stop();
        self.daemon.interface_down();
    }

    /// Pulls the plug: the router vanishes from the air without a word.
    pub fn kill(&self) {
        self.plug().pull();
    }

    /// The router's plug, for [`Events::when`].
    pub fn plug(&self) -> Plug {
        Plug(self.daemon.clone())
    }

    /// The MAC addresses of the stations that are associated.
    #[track_caller]
    pub fn stations(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut answer = self.request("STA-FIRST");
        while let Some(mac) =
            answer.lines().next().filter(|line| line.len() == 17).map(str::to_owned)
        {
            if answer.contains("[ASSOC]") {
                found.push(mac.clone());
            }
            answer = self.request(&format!("STA-NEXT {mac}"));
        }
        found
    }

    /// hostapd's events.
    pub fn events(&self) -> &Events {
        &self.daemon.events
    }

    /// Any request on hostapd's control socket.
    #[track_caller]
    pub fn request(&self, request: &str) -> String {
        self.daemon.request(request)
    }

    /// Requests from another thread, for [`Events::when`].
    pub fn requester(&self) -> impl Fn(&str) + Send + use<> {
        let daemon = self.daemon.clone();
        move |request| drop(daemon.request(request))
    }

    /// The MAC address it sends with.
    pub fn bssid(&self) -> &str {
        &self.bssid
    }

    /// A `network={…}` block for wpa_supplicant with which a station can join this router.
    pub fn network_block(&self) -> String {
        let key = &self.setup.key;
        let psk = if key.len() == 64 { format!("psk={key}") } else { format!("psk=\"{key}\"") };
        let security = match self.setup.security {
            Security::Wpa2 | Security::Wpa3Transition | Security::TkipOnly => psk,
            Security::SaeOnly => format!("key_mgmt=SAE\nieee80211w=2\n{psk}"),
            Security::Wep => "key_mgmt=NONE\nwep_key0=6162636465".to_owned(),
            Security::Open => "key_mgmt=NONE".to_owned(),
        };
        format!("network={{\nssid={}\n{security}\n}}\n", hex(&self.setup.ssid))
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.kill();
        if let Some(name) = &self.daemon.namespace {
            quietly(&format!("ip netns exec {name} iw phy {} set netns 1", self.phy));
            quietly(&format!("ip netns del {name}"));
        }
    }
}

/// See [`Router::plug`].
#[derive(Clone)]
pub struct Plug(Arc<Daemon>);

impl Plug {
    /// See [`Router::kill`].
    pub fn pull(&self) {
        self.0.kill();
        self.0.interface_down();
    }
}

/// A station: wpa_supplicant on a radio.
pub struct Supplicant {
    daemon: Arc<Daemon>,
    config: PathBuf,
}

/// A line of `LIST_NETWORKS`; the SSID as wpa_supplicant prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedNetwork {
    pub id: u32,
    pub ssid: String,
    pub bssid: String,
    pub flags: String,
}

impl Supplicant {
    /// wpa_supplicant on `wlan<radio>` with this configuration: global lines and networks.
    /// `ctrl_interface=/run/wpa_supplicant` is put before it.
    #[track_caller]
    pub fn start(radio: usize, config: &str) -> Self {
        const FOLDER: &str = "/run/wpa_supplicant";
        let path = format!("{RUN}/wlan{radio}.conf");
        fs::write(&path, format!("ctrl_interface={FOLDER}\n{config}\n"))
            .expect("wpa_supplicant's configuration");
        let arguments = format!("-i wlan{radio} -D nl80211 -c {path}");
        let daemon = Daemon::new("wpa_supplicant", radio, &arguments, FOLDER, None);
        daemon.start();
        Self { daemon, config: path.into() }
    }

    /// Starts it again, with the configuration file as it is now.
    #[track_caller]
    pub fn restart(&self) {
        self.daemon.stop();
        self.daemon.start();
    }

    /// SIGKILL; its socket file stays behind.
    pub fn kill(&self) {
        self.daemon.kill();
    }

    /// Ends it cleanly.
    pub fn stop(&self) {
        self.daemon.stop();
    }

    /// Any request on the control socket.
    #[track_caller]
    pub fn request(&self, request: &str) -> String {
        self.daemon.request(request)
    }

    /// `STATUS`.
    #[track_caller]
    pub fn status(&self) -> BTreeMap<String, String> {
        key_values(&self.request("STATUS"))
    }

    /// `LIST_NETWORKS`.
    #[track_caller]
    pub fn networks(&self) -> Vec<SavedNetwork> {
        let parse = |line: &str| {
            let mut fields = line.split('\t').map(str::to_owned);
            let id = fields.next()?.parse().ok()?;
            let [ssid, bssid, flags] = std::array::from_fn(|_| fields.next().unwrap_or_default());
            Some(SavedNetwork { id, ssid, bssid, flags })
        };
        self.request("LIST_NETWORKS").lines().filter_map(parse).collect()
    }

    /// The SSID (as wpa_supplicant prints it) that it is connected to.
    #[track_caller]
    pub fn connected_to(&self) -> Option<String> {
        let mut status = self.status();
        (status.get("wpa_state")? == "COMPLETED").then(|| status.remove("ssid")).flatten()
    }

    /// Waits until it is connected to this SSID.
    #[track_caller]
    pub fn wait_connected(&self, ssid: &str, timeout: Duration) {
        let what = format!("{} is connected to {ssid:?}", self.daemon.title);
        until(timeout, &what, || (self.connected_to()? == ssid).then_some(()));
    }

    /// Gives the station an address (/24), for [`Ping`].
    #[track_caller]
    pub fn set_address(&self, address: Ipv4Addr) {
        run(&format!("ip address replace {address}/24 dev {}", self.daemon.interface));
    }

    /// wpa_supplicant's events.
    pub fn events(&self) -> &Events {
        &self.daemon.events
    }

    /// The path of its control socket.
    pub fn socket(&self) -> &Path {
        &self.daemon.socket
    }

    /// The path of its configuration file.
    pub fn config_path(&self) -> &Path {
        &self.config
    }

    /// A hash of its configuration file: has anybody changed it?
    pub fn config_hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        fs::read(&self.config).expect("the configuration").hash(&mut hasher);
        hasher.finish()
    }
}

impl Drop for Supplicant {
    fn drop(&mut self) {
        self.kill();
        self.daemon.interface_down();
    }
}

/// A ping every 100 ms, over the air to a router with an [address](RouterSetup::address).
pub struct Ping {
    process: Child,
    output: PathBuf,
    start: SystemTime,
}

/// What a [`Ping`] saw.
#[derive(Clone, Copy, Debug)]
pub struct PingReport {
    /// How many answers came.
    pub replies: usize,
    /// The longest time without an answer, the beginning and the end included.
    pub longest_gap: Duration,
}

impl Ping {
    /// Starts to ping.
    pub fn start(address: Ipv4Addr) -> Self {
        let output = PathBuf::from(format!("{RUN}/ping{}", FILES.fetch_add(1, Ordering::Relaxed)));
        let file = File::create(&output).expect("a file for ping");
        let mut command = Command::new("ping");
        command.args(["-n", "-D", "-i", "0.1"]).arg(address.to_string());
        let process = command.stdin(Stdio::null()).stdout(file).spawn().expect("ping starts");
        Self { process, output, start: SystemTime::now() }
    }

    /// Ends it and tells what it saw.
    pub fn stop(mut self) -> PingReport {
        run(&format!("kill -INT {}", self.process.id()));
        let end = SystemTime::now();
        self.process.wait().expect("ping ends");
        let text = fs::read_to_string(&self.output).expect("ping's output");
        // "[1700000000.123456] 64 bytes from …"
        let time = |line: &str| {
            let (seconds, rest) = line.strip_prefix('[')?.split_once("] ")?;
            let seconds = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
            rest.contains("bytes from").then(|| SystemTime::UNIX_EPOCH + seconds)
        };
        let replies: Vec<_> = text.lines().filter_map(time).collect();
        let all: Vec<_> =
            [self.start].into_iter().chain(replies.iter().copied()).chain([end]).collect();
        let gaps = all.windows(2).map(|pair| pair[1].duration_since(pair[0]).unwrap_or_default());
        PingReport { replies: replies.len(), longest_gap: gaps.max().unwrap_or_default() }
    }
}

impl Drop for Ping {
    fn drop(&mut self) {
        let _ = self.process.kill(); // harmless when it has ended
        let _ = self.process.wait();
    }
}

/// Pings for a while and gives the longest time without an answer.
pub fn ping_gap(address: Ipv4Addr, period: Duration) -> Duration {
    let ping = Ping::start(address);
    thread::sleep(period);
    ping.stop().longest_gap
}

/// Starts D-Bus, once a boot.
#[track_caller]
pub fn system_bus() {
    if !Path::new("/run/dbus/system_bus_socket").exists() {
        fs::create_dir_all("/run/dbus").expect("a folder");
        run("dbus-daemon --system --fork");
    }
}

/// NetworkManager, with a wpa_supplicant of its own that has a control socket, as in Debian.
pub struct NetworkManager(Vec<Child>);

/// Starts NetworkManager, and is back when it manages `interface` (and no other).
#[track_caller]
pub fn network_manager(interface: &str) -> NetworkManager {
    for folder in ["/run/udev", "/run/NetworkManager", "/var/lib/NetworkManager"] {
        fs::create_dir_all(folder).expect("a folder");
    }
    system_bus();
    if !Path::new("/run/udev/control").exists() {
        run("/lib/systemd/systemd-udevd --daemon");
        run("udevadm trigger -s net -c add");
        run("udevadm settle -t 10");
    }
    let configuration = format!(
        "[main]\nauth-polkit=false\nplugins=keyfile\ndhcp=internal\ndns=none\n\
         [keyfile]\nunmanaged-devices=except:interface-name:{interface}\n"
    );
    let path = format!("{RUN}/NetworkManager.conf");
    fs::write(&path, configuration).expect("NetworkManager's configuration");
    let start = |command: &str| {
        let mut words = command.split_whitespace();
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("a daemon")
    };
    let daemons = vec![
        start("wpa_supplicant -u -s -O /run/wpa_supplicant"),
        start(&format!("NetworkManager --no-daemon --config {path}")),
    ];
    until(Duration::from_secs(60), "NetworkManager manages the interface", || {
        let output = Command::new("nmcli").args(["-t", "-f", "DEVICE,STATE", "device"]).output();
        let text = String::from_utf8_lossy(&output.ok()?.stdout).into_owned();
        text.contains(&format!("{interface}:disconnected")).then_some(())
    });
    NetworkManager(daemons)
}

impl Drop for NetworkManager {
    fn drop(&mut self) {
        for daemon in &mut self.0 {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}
