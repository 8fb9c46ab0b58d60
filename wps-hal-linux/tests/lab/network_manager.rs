//! NetworkManager, and the D-Bus system bus.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use super::control::request_once;
use super::device_info::{Bus, DeviceInfo};
use super::guest::run_ignoring_failure;
use super::{Disk, RUN_DIR, lock, run, until};

/// The folder of profiles on disk.
const ON_DISK: &str = "/etc/NetworkManager/system-connections";
/// The folder of profiles in memory.
const IN_MEMORY: &str = "/run/NetworkManager/system-connections";

/// Starts the D-Bus system bus, unless it runs already.
#[track_caller]
pub fn system_bus() {
    if !Path::new("/run/dbus/system_bus_socket").exists() {
        fs::create_dir_all("/run/dbus").expect("a folder");
        run("dbus-daemon --system --fork");
    }
}

/// The folder of the control sockets.
const SOCKETS: &str = "/run/wpa_supplicant";
/// The start of the UUIDs of the driver under test.
const OWN_PREFIX: &str = "7770732d-6e6d-8001-";
/// The start of their tags.
const OWN_TAG: &str = "wps-hal-linux.interface";
/// The lab has no DHCP server: a connection without an address goes on waiting for one.
const WITHOUT_DHCP: &str =
    "[connection]\nipv4.dhcp-timeout=2147483647\nipv6.ra-timeout=2147483647\n";

/// The control socket of a wpa_supplicant that has none for its interfaces. Only the tests know it.
const GLOBAL_SOCKET: &str = "/run/lab/wpa_supplicant";

/// NetworkManager with a separate wpa_supplicant that has a control socket, as in Debian, or none,
/// as with upstream's unit.
pub struct NetworkManager {
    interface: String,
    /// Whether wpa_supplicant has a control socket for each interface.
    has_sockets: bool,
    /// The last lines of NetworkManager's configuration.
    lines: String,
    supplicant: Option<Child>,
    manager: Option<Child>,
    bus: Mutex<Option<Bus>>,
}

/// A profile in a file of NetworkManager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileFile {
    pub is_on_disk: bool,
    pub path: PathBuf,
    /// The content of the file.
    pub text: String,
}

impl ProfileFile {
    /// Returns the value of a property in a section of the file.
    pub fn value(&self, section: &str, property: &str) -> Option<&str> {
        let (_, rest) = self.text.split_once(&format!("[{section}]\n"))?;
        let lines = rest.lines().take_while(|line| !line.starts_with('['));
        let mut values = lines.filter_map(|line| line.split_once('='));
        values.find(|(name, _)| *name == property).map(|(_, value)| value)
    }

    /// Returns the UUID.
    pub fn uuid(&self) -> &str {
        self.value("connection", "uuid").unwrap_or_default()
    }

    /// Returns whether the driver under test has added the profile.
    pub fn is_own(&self) -> bool {
        self.uuid().starts_with(OWN_PREFIX) || self.text.contains(OWN_TAG)
    }

    /// Returns the name of the network, which is a list of bytes or a text.
    pub fn ssid(&self) -> Vec<u8> {
        let text = self.value("wifi", "ssid").unwrap_or_default();
        let bytes = text.split_terminator(';').map(|byte| byte.parse::<u8>().ok());
        match bytes.collect() {
            Some(bytes) if text.ends_with(';') => bytes,
            _ => text.as_bytes().to_vec(),
        }
    }
}

/// Starts NetworkManager for `interface` only, and waits until it manages that interface.
#[track_caller]
pub fn network_manager(interface: &str) -> NetworkManager {
    NetworkManager::start_without_dhcp(interface)
}

impl NetworkManager {
    /// Starts NetworkManager so that it waits for addresses without a timeout.
    #[track_caller]
    pub fn start_without_dhcp(interface: &str) -> Self {
        Self::start_with(interface, WITHOUT_DHCP)
    }

    /// Starts NetworkManager with these lines at the end of its configuration.
    #[track_caller]
    pub fn start_with(interface: &str, lines: &str) -> Self {
        Self::start_as(interface, lines, true)
    }

    /// Starts NetworkManager without DHCP, and a wpa_supplicant without a control socket.
    #[track_caller]
    pub fn start_without_socket(interface: &str) -> Self {
        Self::start_as(interface, WITHOUT_DHCP, false)
    }

    #[track_caller]
    fn start_as(interface: &str, lines: &str, has_sockets: bool) -> Self {
        let (interface, lines) = (interface.into(), lines.into());
        let mut manager = Self {
            interface,
            has_sockets,
            lines,
            supplicant: None,
            manager: None,
            bus: Mutex::default(),
        };
        manager.start();
        manager
    }

    /// A NetworkManager that another program starts and stops.
    pub(super) fn of_others(interface: &str) -> Self {
        Self {
            interface: interface.into(),
            lines: String::new(),
            has_sockets: true,
            supplicant: None,
            manager: None,
            bus: Mutex::default(),
        }
    }

    /// Waits until NetworkManager manages the interface.
    #[track_caller]
    pub(super) fn wait_managed(&self) {
        until(Duration::from_secs(60), "NetworkManager manages the interface", || {
            // 20: it is not managed, or not available.
            (self.device().state > 20).then_some(())
        });
    }

    /// Removes everything that NetworkManager has stored.
    pub fn clear() {
        for folder in [ON_DISK, "/run/NetworkManager", "/var/lib/NetworkManager"] {
            let _ = fs::remove_dir_all(folder);
            fs::create_dir_all(folder).expect("a folder");
        }
    }

    /// Adds a profile of the user for this network to the disk, before NetworkManager starts.
    pub fn add_user_profile(name: &str, ssid: &str, key: &str, lines: &str) {
        let uuid = format!("{:08x}-2222-3333-4444-555555555555", name.len());
        let text = format!(
            "[connection]\nid={name}\nuuid={uuid}\ntype=wifi\n{lines}\n[wifi]\nssid={ssid}\n\
             [wifi-security]\nkey-mgmt=wpa-psk\npsk={key}\n[ipv4]\nmethod=auto\n[ipv6]\nmethod=auto\n"
        );
        Self::add_file(name, &text);
    }

    /// Writes the file of a profile of the user, before NetworkManager starts.
    pub fn add_file(name: &str, text: &str) {
        fs::create_dir_all(ON_DISK).expect("a folder");
        let path = format!("{ON_DISK}/{name}.nmconnection");
        fs::write(&path, text).expect("a profile");
        run(&format!("chmod 600 {path}"));
    }

    /// Returns everything on the disk that the driver under test has not added.
    pub fn user_files() -> BTreeMap<PathBuf, Vec<u8>> {
        let own: Vec<_> = Self::own_profiles().into_iter().map(|it| it.path).collect();
        let files = fs::read_dir(ON_DISK).into_iter().flatten().flatten().map(|it| it.path());
        let files = files.filter(|path| !own.contains(path));
        files.map(|path| (path.clone(), fs::read(path).unwrap_or_default())).collect()
    }

    /// Returns the profiles of the driver under test.
    pub fn own_profiles() -> Vec<ProfileFile> {
        Self::profiles().into_iter().filter(ProfileFile::is_own).collect()
    }

    /// Removes the files of profiles that NetworkManager hides: it puts a link beside them, with
    /// their UUID, when a profile in memory is removed that is on the disk, too. Returns how many
    /// these were.
    pub fn remove_hidden_profiles() -> usize {
        let is_hidden = |it: &ProfileFile| {
            let link = format!("{ON_DISK}/{}.nmmeta", it.uuid());
            it.is_on_disk && fs::remove_file(link).is_ok()
        };
        let hidden = Self::own_profiles().into_iter().filter(is_hidden);
        hidden.map(|it| fs::remove_file(it.path).expect("a file")).count()
    }

    /// Returns the profiles of all files.
    pub fn profiles() -> Vec<ProfileFile> {
        let mut found = Vec::new();
        for (folder, is_on_disk) in [(IN_MEMORY, false), (ON_DISK, true)] {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let text = fs::read(entry.path()).unwrap_or_default();
                let text = String::from_utf8_lossy(&text).into_owned();
                if text.contains("[wifi]") {
                    found.push(ProfileFile { is_on_disk, path: entry.path(), text });
                }
            }
        }
        found
    }

    #[track_caller]
    fn start(&mut self) {
        for folder in ["/run/udev", "/run/NetworkManager", "/var/lib/NetworkManager"] {
            fs::create_dir_all(folder).expect("a folder");
        }
        system_bus();
        if !Path::new("/run/udev/control").exists() {
            run("/lib/systemd/systemd-udevd --daemon");
        }
        // The radios may be new.
        run("udevadm trigger -s net -c add");
        run("udevadm settle -t 10");
        self.start_supplicant();
        self.start_manager();
    }

    /// Starts wpa_supplicant alone, after [`Self::kill_supplicant`].
    pub fn start_supplicant(&mut self) {
        let option = match self.has_sockets {
            true => format!("-O {SOCKETS}"),
            false => format!("-g {GLOBAL_SOCKET}"),
        };
        let supplicant = format!("wpa_supplicant -u -s {option}");
        self.supplicant = Some(spawn("wpa_supplicant", &supplicant));
    }

    /// Sends SIGKILL to wpa_supplicant alone.
    pub fn kill_supplicant(&mut self) {
        self.supplicant.take().into_iter().for_each(end);
    }

    /// Starts NetworkManager alone, after [`Self::kill_manager`].
    #[track_caller]
    pub fn start_manager(&mut self) {
        let Self { interface, lines, manager, .. } = self;
        let configuration = format!(
            "[main]\nauth-polkit=false\nplugins=keyfile\ndhcp=internal\ndns=none\n\
             [keyfile]\nunmanaged-devices=except:interface-name:{interface}\n{lines}"
        );
        let path = format!("{RUN_DIR}/NetworkManager.conf");
        fs::write(&path, configuration).expect("NetworkManager's configuration");
        let command = format!("NetworkManager --debug --config {path}");
        *manager = Some(spawn("NetworkManager", &command));
        self.wait_managed();
    }

    fn kill(&mut self) {
        self.kill_manager();
        self.kill_supplicant();
    }

    /// Sends SIGKILL to NetworkManager alone.
    pub fn kill_manager(&mut self) {
        self.manager.take().into_iter().for_each(end);
    }

    /// Ends NetworkManager and wpa_supplicant, until [`Self::restart`].
    pub fn stop(&mut self) {
        self.kill();
        let _ = fs::remove_file(Path::new(SOCKETS).join(&self.interface));
    }

    /// Returns what NetworkManager says about the interface: nothing, if it does not answer.
    pub fn device(&self) -> DeviceInfo {
        let mut bus = lock(&self.bus);
        if bus.is_none() {
            *bus = Bus::connect().ok();
        }
        bus.as_ref().and_then(|it| it.device(&self.interface).ok()).unwrap_or_default()
    }

    /// Sends a request to NetworkManager's wpa_supplicant. Returns `None` if it does not have the
    /// interface.
    pub fn request_supplicant(&self, request: &str) -> Option<String> {
        if self.has_sockets {
            return request_once(&Path::new(SOCKETS).join(&self.interface), request).ok();
        }
        let request = format!("IFNAME={} {request}", self.interface);
        let reply = request_once(Path::new(GLOBAL_SOCKET), &request).ok();
        reply.filter(|it| !it.starts_with("FAIL-NO-IFNAME-MATCH"))
    }

    /// Returns the network that NetworkManager has joined or serves with the interface, if the link
    /// is up.
    pub fn connected_to(&self) -> Option<String> {
        let status = self.request_supplicant("STATUS")?;
        let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
        let is_up = value("wpa_state=") == Some("COMPLETED") && value("key_mgmt=") != Some("WPS");
        value("ssid=").filter(|_| is_up).map(str::to_owned)
    }

    /// Returns the BSSID to which wpa_supplicant has a keyed link.
    pub fn linked_to(&self) -> Option<String> {
        let status = self.request_supplicant("STATUS")?;
        let bssid = status.lines().find_map(|line| line.strip_prefix("bssid="))?;
        status.contains("wpa_state=COMPLETED").then(|| bssid.to_owned())
    }

    /// Kills NetworkManager and wpa_supplicant and starts them again, as a reboot does: nothing in
    /// `/run` is left.
    #[track_caller]
    pub fn reboot(&mut self) {
        self.kill();
        for folder in ["/run/NetworkManager", "/run/wpa_supplicant"] {
            let _ = fs::remove_dir_all(folder);
        }
        self.start();
    }

    /// Cuts the power of the disk with the profiles, and reboots.
    #[track_caller]
    pub fn cut_power(&mut self, profiles: &Disk) {
        self.kill();
        profiles.cut_power();
        self.reboot();
    }

    /// Puts a disk under the folder of profiles, before NetworkManager starts.
    pub fn mount_profiles(disk: impl Fn(&str) -> Disk) -> Disk {
        fs::create_dir_all(ON_DISK).expect("a folder");
        disk(ON_DISK)
    }

    /// Kills NetworkManager and wpa_supplicant and starts them again. What is in `/run` stays.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        self.start();
    }

    /// Stops the process of NetworkManager, or lets it continue.
    pub fn set_responsive(&self, is_responsive: bool) {
        let signal = if is_responsive { "CONT" } else { "STOP" };
        let pid = self.manager.as_ref().expect("NetworkManager runs").id();
        run_ignoring_failure(&format!("kill -{signal} {pid}"));
    }

    /// Returns the last lines of NetworkManager's log about the interface.
    pub fn log(&self) -> String {
        let text = fs::read(format!("{RUN_DIR}/NetworkManager.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<_> = text
            .lines()
            .filter(|line| line.contains(&self.interface) || line.contains("audit"))
            .collect();
        lines[lines.len().saturating_sub(80)..].join("\n")
    }
}

impl Drop for NetworkManager {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a daemon with a log in the lab's folder.
fn spawn(name: &str, command: &str) -> Child {
    let path = format!("{RUN_DIR}/{name}.log");
    let log = File::options().create(true).append(true).open(path).expect("a log file");
    let other = log.try_clone().expect("a second handle");
    let mut words = command.split_whitespace();
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words).stdin(Stdio::null()).stdout(log).stderr(other);
    command.spawn().expect("a daemon")
}

/// Sends SIGKILL and waits for the end.
fn end(mut daemon: Child) {
    let _ = daemon.kill();
    let _ = daemon.wait();
}

/// Runs nmcli and returns its output, or `None` if it fails, for example because NetworkManager is
/// starting.
pub fn nmcli(arguments: &[&str]) -> Option<String> {
    let output = Command::new("nmcli").args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
