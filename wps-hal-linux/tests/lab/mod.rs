//! The harness of the radio lab's tests: real daemons on simulated radios.
//!
//! The radios are `wlan0`, `wlan1`, … of `mac80211_hwsim`; see `lab/README.md`. Every test begins
//! with [`reset_radios`]. All functions block. They panic with the daemons' latest events and
//! output.
#![allow(dead_code, unreachable_pub, missing_docs)] // each test binary uses only a part of it

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

/// The directory of configuration files, the daemons' output and client sockets.
const RUN_DIR: &str = "/run/lab";
/// The number of the next client socket or other file. No number is used twice.
static NEXT_FILE: AtomicUsize = AtomicUsize::new(0);
/// The number of the next BSSID.
static NEXT_BSSID: AtomicU16 = AtomicU16::new(1);
/// All daemons, for [`diagnostics`].
static DAEMONS: Mutex<Vec<Weak<Daemon>>> = Mutex::new(Vec::new());

/// Returns whether this program runs in the lab's guest. The tests must not change anything
/// elsewhere.
pub fn in_lab() -> bool {
    std::env::var_os("RADIO_LAB").is_some_and(|value| value == "1")
}

/// Resets the radios to their state after a boot: no daemon runs, and all network namespaces and
/// scan caches are empty.
pub fn reset_radios() {
    assert!(in_lab(), "these tests run in the radio lab only");
    const NAMES: [&str; 5] = ["hostapd", "wpa_supplicant", "iwd", "NetworkManager", "ping"];
    until(Duration::from_secs(10), "all daemons gone", || {
        let running: Vec<String> = processes(&NAMES);
        running.iter().for_each(|pid| run_ignoring_failure(&format!("kill -9 {pid}")));
        running.is_empty().then_some(())
    });
    for name in run("ip netns list").split_whitespace().filter(|word| word.starts_with("router")) {
        run_ignoring_failure(&format!("ip netns del {name}"));
    }
    for folder in [RUN_DIR, "/run/hostapd", "/run/wpa_supplicant"] {
        let _ = fs::remove_dir_all(folder);
    }
    fs::create_dir_all(RUN_DIR).expect("a folder for the lab");
    until(Duration::from_secs(10), "the radios' module unloaded", || {
        run_ignoring_failure("rmmod mac80211_hwsim");
        (!Path::new("/sys/module/mac80211_hwsim").exists()).then_some(())
    });
    run("modprobe mac80211_hwsim"); // the options come from the kernel command line
    until(Duration::from_secs(10), "the first radio", || {
        Path::new("/sys/class/net/wlan0").exists().then_some(())
    });
}

/// Polls `probe` until it returns `Some`. Panics with [`diagnostics`] after `timeout`.
#[track_caller]
pub fn until<T>(timeout: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        if start.elapsed() > timeout {
            panic!("not within {timeout:?}: {what}\n{}", diagnostics());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Returns the latest events and output of every daemon.
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

/// Runs a command and returns its output. Panics if it fails. The command is a list of words
/// separated by spaces; no shell interprets it.
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

/// Sends a GET request to the local daemon and returns the body of the response.
///
/// Returns `None` if nothing answers. Starting a curl process for each poll instead would keep the
/// guest's only processor busy.
pub fn get(path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, 8080)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    let (_, body) = response.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}

/// Returns a field of the daemon's status, or `None` if nothing answers.
pub fn status(field: &str) -> Option<String> {
    let body = get("/api/v1/wifi/wps")?;
    let (_, value) = body.split_once(&format!("\"{field}\":\""))?;
    value.split_once('"').map(|(value, _)| value.to_owned())
}

/// Runs a command and ignores its output and its exit code.
fn run_ignoring_failure(command: &str) {
    let mut words = command.split_whitespace();
    let mut command = Command::new(words.next().expect("a program"));
    let _ = command
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// Locks `mutex`, also after a test panicked while it held the lock.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the ids of all running processes with one of these names.
fn processes(names: &[&str]) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
    pids.filter(|pid| {
        // "42 (hostapd) S 1 …". The state Z is a zombie, a process that has ended.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let (name, rest) = stat.rsplit_once(')').unwrap_or_default();
        let name = name.split_once('(').unwrap_or_default().1;
        pid.parse::<u32>().is_ok() && names.contains(&name) && !rest.starts_with(" Z")
    })
    .collect()
}

/// Sends one request from a new client socket and returns the reply.
fn request_once(socket: &Path, request: &str) -> io::Result<String> {
    let client = ControlClient::connect(socket)?;
    client.0.set_read_timeout(Some(Duration::from_secs(10)))?;
    client.0.send(request.as_bytes())?;
    let mut buffer = vec![0; 65536];
    let length = client.0.recv(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// The client's end of a control socket. Dropping it removes its file.
struct ControlClient(UnixDatagram, PathBuf);

impl ControlClient {
    fn connect(daemon: &Path) -> io::Result<Self> {
        let path =
            PathBuf::from(format!("{RUN_DIR}/client{}", NEXT_FILE.fetch_add(1, Ordering::Relaxed)));
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

/// All events of a daemon with their times. Restarting the daemon keeps them.
#[derive(Clone, Default)]
pub struct Events {
    lines: Arc<Mutex<Vec<(Instant, String)>>>,
    actions: Arc<Mutex<Vec<(String, Action)>>>,
}

impl Events {
    /// Returns all events so far.
    pub fn all(&self) -> Vec<(Instant, String)> {
        lock(&self.lines).clone()
    }

    /// Returns the position behind the last event, for [`Events::since`] and [`Events::wait`].
    pub fn mark(&self) -> usize {
        lock(&self.lines).len()
    }

    /// Returns the events after `mark` that contain `pattern`.
    pub fn since(&self, mark: usize, pattern: &str) -> Vec<(Instant, String)> {
        let lines = lock(&self.lines);
        lines[mark..].iter().filter(|(_, line)| line.contains(pattern)).cloned().collect()
    }

    /// Waits for an event after `mark` that contains `pattern`, and returns it.
    #[track_caller]
    pub fn wait(&self, mark: usize, pattern: &str, timeout: Duration) -> (Instant, String) {
        until(timeout, &format!("event {pattern:?}"), || {
            self.since(mark, pattern).into_iter().next()
        })
    }

    /// Runs `action` once, at the next event that contains `pattern`, on the thread that reads the
    /// events.
    pub fn when(&self, pattern: &str, action: impl FnOnce() + Send + 'static) {
        lock(&self.actions).push((pattern.to_owned(), Box::new(action)));
    }

    /// Appends everything that arrives on the socket, until the socket is shut down.
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
            output: PathBuf::from(format!("{RUN_DIR}/{interface}.{program}.log")),
            interface,
            namespace,
            process: Mutex::default(),
            events: Events::default(),
        });
        lock(&DAEMONS).push(Arc::downgrade(&daemon));
        daemon
    }

    /// Starts the process and waits until it replies. Its events are read from then on.
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
            let mut reply = [0; 3];
            (client.0.recv(&mut reply).ok()? == 3 && &reply == b"OK\n").then_some(client)
        });
        client.0.set_read_timeout(None).expect("a blocking socket");
        let event_socket = client.0.try_clone().expect("a second handle");
        let events = self.events.clone();
        thread::spawn(move || events.read(client));
        *lock(&self.process) = Some((child, event_socket));
    }

    fn is_running(&self) -> bool {
        lock(&self.process).as_mut().is_some_and(|(child, _)| matches!(child.try_wait(), Ok(None)))
    }

    /// Sends SIGTERM, then SIGKILL if the process still runs after 5 s.
    fn stop(&self) {
        if let Some((child, _)) = lock(&self.process).as_mut() {
            run_ignoring_failure(&format!("kill {}", child.id()));
        }
        let start = Instant::now();
        while self.is_running() && start.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }

    /// Sends SIGKILL and waits for the end.
    fn kill(&self) {
        if let Some((mut child, event_socket)) = lock(&self.process).take() {
            let _ = child.kill();
            let _ = child.wait();
            let _ = event_socket.shutdown(Shutdown::Both);
        }
    }

    fn interface_down(&self) {
        let namespace =
            self.namespace.as_ref().map(|name| format!("-n {name} ")).unwrap_or_default();
        run_ignoring_failure(&format!("ip {namespace}link set {} down", self.interface));
    }

    #[track_caller]
    fn request(&self, request: &str) -> String {
        let reply = request_once(&self.socket, request);
        reply
            .unwrap_or_else(|error| panic!("{}: {request}: {error}\n{}", self.title, diagnostics()))
    }

    #[track_caller]
    fn expect_ok(&self, request: &str) {
        let reply = self.request(request);
        assert_eq!(reply.trim(), "OK", "{}: {request}", self.title);
    }
}

/// Parses lines of the form `key=value`.
fn key_values(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The authentication type WPA2-PSK of a credential.
pub const WPA2_PSK: u16 = 0x20;
/// The encryption type AES of a credential.
pub const AES: u16 = 8;

/// The security of a [`Router`]'s network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// WPA2-PSK with CCMP.
    Wpa2,
    /// Both WPA2-PSK and WPA3-SAE.
    Wpa3Transition,
    /// WPA3-SAE with protected management frames.
    SaeOnly,
    /// WPA-PSK with TKIP. hostapd switches WPS off for it.
    TkipOnly,
    /// WEP. hostapd switches WPS off for it.
    Wep,
    /// An open network.
    Open,
}

/// The settings of a [`Router`]. [`RouterSetup::start`] switches the router on.
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
    /// Sets the passphrase (default: `correct horse`). 64 hexadecimal digits are a PSK.
    pub fn passphrase(mut self, key: &str) -> Self {
        self.key = key.to_owned();
        self
    }

    /// Sets the security of the network (default: [`Security::Wpa2`]).
    pub fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// Sets the channel (default: 1). Channels from 36 on are in the 5 GHz band.
    pub fn channel(mut self, channel: u32) -> Self {
        self.channel = channel;
        self
    }

    /// Sets the WPS UUID. Two routers with the same UUID are one router with two bands.
    pub fn uuid(self, uuid: &str) -> Self {
        self.line(&format!("uuid={uuid}"))
    }

    /// Switches WPS on or off (default: on).
    pub fn wps(mut self, on: bool) -> Self {
        self.wps = on;
        self
    }

    /// Sets the BSSID. The default is a BSSID that was never used before, because scan caches
    /// remember them.
    pub fn bssid(mut self, bssid: &str) -> Self {
        self.bssid = Some(bssid.to_owned());
        self
    }

    /// Moves the radio into a separate network namespace with this address (/24), so that packets
    /// from a station go over the air. Two routers need different subnets.
    pub fn address(mut self, address: Ipv4Addr) -> Self {
        self.address = Some(address);
        self
    }

    /// Sets the credentials that the router hands over instead of its own: SSID, authentication,
    /// encryption and key of each network.
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
        let path = format!("{RUN_DIR}/credentials{}", NEXT_FILE.fetch_add(1, Ordering::Relaxed));
        let bytes: Vec<_> = credentials.iter().flat_map(credential).collect();
        fs::write(&path, bytes).expect("a file");
        self.line("skip_cred_build=1").line(&format!("extra_cred={path}"))
    }

    /// Adds a line to hostapd's configuration.
    pub fn line(mut self, line: &str) -> Self {
        self.lines += &format!("{line}\n");
        self
    }

    /// Switches the router on and waits until it is on the air.
    #[track_caller]
    pub fn start(self) -> Router {
        let interface = format!("wlan{}", self.radio);
        let bssid = self.bssid.clone().unwrap_or_else(|| {
            let [high, low] = NEXT_BSSID.fetch_add(1, Ordering::Relaxed).to_be_bytes();
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
        let path = format!("{RUN_DIR}/{interface}.hostapd.conf");
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
    /// Returns the default settings of a router on `wlan<radio>` with this SSID (any bytes).
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

    /// Cancels the button press.
    #[track_caller]
    pub fn cancel_button(&self) {
        self.daemon.expect_ok("WPS_CANCEL");
    }

    /// Shuts hostapd down cleanly: it deauthenticates its stations.
    pub fn stop(&self) {
        self.daemon.stop();
        self.daemon.interface_down();
    }

    /// Cuts the router's power: it vanishes from the air without sending a frame.
    pub fn kill(&self) {
        self.plug().pull();
    }

    /// Returns a handle that cuts the power, for [`Events::when`].
    pub fn plug(&self) -> Plug {
        Plug(self.daemon.clone())
    }

    /// Returns the MAC addresses of the associated stations.
    #[track_caller]
    pub fn stations(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut reply = self.request("STA-FIRST");
        while let Some(mac) =
            reply.lines().next().filter(|line| line.len() == 17).map(str::to_owned)
        {
            if reply.contains("[ASSOC]") {
                found.push(mac.clone());
            }
            reply = self.request(&format!("STA-NEXT {mac}"));
        }
        found
    }

    /// Returns hostapd's events.
    pub fn events(&self) -> &Events {
        &self.daemon.events
    }

    /// Sends any request on hostapd's control socket and returns the reply.
    #[track_caller]
    pub fn request(&self, request: &str) -> String {
        self.daemon.request(request)
    }

    /// Returns a function that sends requests from another thread, for [`Events::when`].
    pub fn requester(&self) -> impl Fn(&str) + Send + use<> {
        let daemon = self.daemon.clone();
        move |request| drop(daemon.request(request))
    }

    /// Returns the BSSID.
    pub fn bssid(&self) -> &str {
        &self.bssid
    }

    /// Returns a `network={…}` block with which wpa_supplicant can join this router.
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
            run_ignoring_failure(&format!("ip netns exec {name} iw phy {} set netns 1", self.phy));
            run_ignoring_failure(&format!("ip netns del {name}"));
        }
    }
}

/// The power plug of a router. See [`Router::plug`].
#[derive(Clone)]
pub struct Plug(Arc<Daemon>);

impl Plug {
    /// Cuts the power, like [`Router::kill`].
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

/// A line of `LIST_NETWORKS`. The SSID is written as wpa_supplicant prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedNetwork {
    pub id: u32,
    pub ssid: String,
    pub bssid: String,
    pub flags: String,
}

impl Supplicant {
    /// Starts wpa_supplicant on `wlan<radio>` with this configuration: global lines and networks.
    /// The line `ctrl_interface=/run/wpa_supplicant` is put before it.
    #[track_caller]
    pub fn start(radio: usize, config: &str) -> Self {
        const FOLDER: &str = "/run/wpa_supplicant";
        let path = format!("{RUN_DIR}/wlan{radio}.conf");
        fs::write(&path, format!("ctrl_interface={FOLDER}\n{config}\n"))
            .expect("wpa_supplicant's configuration");
        let arguments = format!("-i wlan{radio} -D nl80211 -c {path}");
        let daemon = Daemon::new("wpa_supplicant", radio, &arguments, FOLDER, None);
        daemon.start();
        Self { daemon, config: path.into() }
    }

    /// Stops wpa_supplicant and starts it with the configuration file as it is now.
    #[track_caller]
    pub fn restart(&self) {
        self.daemon.stop();
        self.daemon.start();
    }

    /// Sends SIGKILL. The socket file stays behind.
    pub fn kill(&self) {
        self.daemon.kill();
    }

    /// Shuts wpa_supplicant down cleanly.
    pub fn stop(&self) {
        self.daemon.stop();
    }

    /// Sends any request on the control socket and returns the reply.
    #[track_caller]
    pub fn request(&self, request: &str) -> String {
        self.daemon.request(request)
    }

    /// Returns the fields of `STATUS`.
    #[track_caller]
    pub fn status(&self) -> BTreeMap<String, String> {
        key_values(&self.request("STATUS"))
    }

    /// Returns the networks of `LIST_NETWORKS`.
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

    /// Returns the SSID of the current connection, as wpa_supplicant prints it, or `None` if there
    /// is no connection.
    #[track_caller]
    pub fn connected_to(&self) -> Option<String> {
        let mut status = self.status();
        (status.get("wpa_state")? == "COMPLETED").then(|| status.remove("ssid")).flatten()
    }

    /// Waits until the station is connected to this SSID.
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

    /// Returns wpa_supplicant's events.
    pub fn events(&self) -> &Events {
        &self.daemon.events
    }

    /// Returns the path of the control socket.
    pub fn socket(&self) -> &Path {
        &self.daemon.socket
    }

    /// Returns the path of the configuration file.
    pub fn config_path(&self) -> &Path {
        &self.config
    }

    /// Returns a hash of the configuration file, to detect changes.
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

/// The result of a [`Ping`].
#[derive(Clone, Copy, Debug)]
pub struct PingReport {
    /// The number of replies.
    pub replies: usize,
    /// The longest time without a reply, including the time before the first and after the last
    /// one.
    pub longest_gap: Duration,
}

impl Ping {
    /// Starts pinging.
    pub fn start(address: Ipv4Addr) -> Self {
        let output =
            PathBuf::from(format!("{RUN_DIR}/ping{}", NEXT_FILE.fetch_add(1, Ordering::Relaxed)));
        let file = File::create(&output).expect("a file for ping");
        let mut command = Command::new("ping");
        command.args(["-n", "-D", "-i", "0.1"]).arg(address.to_string());
        let process = command.stdin(Stdio::null()).stdout(file).spawn().expect("ping starts");
        Self { process, output, start: SystemTime::now() }
    }

    /// Stops pinging and returns the result.
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
        let _ = self.process.kill(); // harmless if it has ended
        let _ = self.process.wait();
    }
}

/// Pings for `period` and returns the longest time without a reply.
pub fn ping_gap(address: Ipv4Addr, period: Duration) -> Duration {
    let ping = Ping::start(address);
    thread::sleep(period);
    ping.stop().longest_gap
}

/// Starts the D-Bus system bus, unless it runs already.
#[track_caller]
pub fn system_bus() {
    if !Path::new("/run/dbus/system_bus_socket").exists() {
        fs::create_dir_all("/run/dbus").expect("a folder");
        run("dbus-daemon --system --fork");
    }
}

/// NetworkManager with a separate wpa_supplicant that has a control socket, as in Debian.
pub struct NetworkManager(Vec<Child>);

/// Starts NetworkManager for `interface` only, and waits until it manages that interface.
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
    let path = format!("{RUN_DIR}/NetworkManager.conf");
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
