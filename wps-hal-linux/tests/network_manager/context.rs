//! A device that NetworkManager manages, the user's own router, and what must be true at rest.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wps_core::{AfterFailure, Record, Secret, Settings, SettingsStore};
use wps_hal_linux::{FileStore, NetworkManager as Driver};

use crate::device::{Device, state_directory};
use crate::lab::{
    NetworkManager, ProfileFile, Router, RouterSetup, network_manager, reset_radios, run,
};

/// The device's interface.
pub(crate) const INTERFACE: &str = "wlan1";
/// How long one step of a test may take.
pub(crate) const STEP_TIMEOUT: Duration = Duration::from_secs(60);
/// The time between two looks at NetworkManager.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// A country with only the 2.4 GHz band: all bands would take 14 s for each scan of NetworkManager.
pub(crate) const COUNTRY: &str = "YE";
/// The UUID of the user's profile.
pub(crate) const OLD: &str = "11111111-2222-3333-4444-555555555555";
/// The user's profile. The address is manual.
const OLD_PROFILE: &str = "# a remark of the user\n[connection]\nid=old\n\
    uuid=11111111-2222-3333-4444-555555555555\ntype=wifi\n\n[wifi]\nssid=old\n\n\
    [wifi-security]\nkey-mgmt=wpa-psk\npsk=correct horse\n\n\
    [ipv4]\nmethod=manual\naddress1=10.9.0.2/24\n\n[ipv6]\nmethod=disabled\n";

/// What the interface does at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It has joined the network of the profile with this UUID.
    Joined(String),
    /// It serves the device's own network.
    Serving,
    /// The radio is on and has no connection.
    Disconnected,
    /// The radio is off.
    Off,
}

/// A managed interface, and the router of the user's own profile.
pub(crate) struct TestContext {
    pub(crate) manager: NetworkManager,
    old: Router,
    user_files: BTreeMap<PathBuf, Vec<u8>>,
    pub(crate) state: TempDir,
}

impl TestContext {
    /// Starts NetworkManager, which has a profile of the user unless `has_profile` is false.
    pub(crate) fn new(has_profile: bool) -> Self {
        Self::with(has_profile, network_manager)
    }

    /// The same, with NetworkManager started by `start`.
    pub(crate) fn with(has_profile: bool, start: impl Fn(&str) -> NetworkManager) -> Self {
        Self::in_country(COUNTRY, has_profile, start)
    }

    /// The same in another country.
    pub(crate) fn in_country(
        country: &str,
        has_profile: bool,
        start: impl Fn(&str) -> NetworkManager,
    ) -> Self {
        reset_radios();
        run(&format!("iw reg set {country}"));
        NetworkManager::clear();
        if has_profile {
            NetworkManager::add_file("old", OLD_PROFILE);
        }
        let old = Router::setup(2, "old").channel(11).start();
        let manager = start(INTERFACE);
        let user_files = NetworkManager::user_files();
        let context = Self { manager, old, user_files, state: state_directory() };
        if has_profile {
            context.wait(&Rest::Joined(OLD.into()));
        }
        context
    }

    /// The router to pair with.
    pub(crate) fn home() -> RouterSetup {
        Router::setup(0, "home").channel(6)
    }

    /// Writes the device's record.
    pub(crate) fn save(&self, settings: &Settings) {
        let mut store = FileStore::open(self.state.path(), INTERFACE).expect("a store");
        let record = Record::Settled(settings.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(store.save(&record)).expect("saved");
    }

    /// Boots the device.
    pub(crate) fn boot(&self) -> Device {
        self.boot_with(AfterFailure::AccessPointOff)
    }

    /// Boots a device with this setting of what a failed pairing leaves behind.
    pub(crate) fn boot_with(&self, after_failure: AfterFailure) -> Device {
        let driver = Driver::new("/run/wpa_supplicant", INTERFACE);
        Device::boot_driver(driver, INTERFACE, self.state.path(), after_failure)
    }

    /// Returns what the driver says about the interface.
    pub(crate) fn check(&self) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let check = Driver::new("/run/wpa_supplicant", INTERFACE);
        runtime.expect("a runtime").block_on(check.check()).map_err(|error| error.to_string())
    }

    /// Returns what the interface does, or `None` while that changes.
    pub(crate) fn rest(&self) -> Option<Rest> {
        if is_blocked() {
            return Some(Rest::Off);
        }
        let status = self.manager.request_supplicant("STATUS")?;
        let has = |line| status.lines().any(|it| it == line);
        if has("mode=AP") {
            return (has("ssid=hotspot") && has("wpa_state=COMPLETED")).then_some(Rest::Serving);
        }
        let device = self.manager.device();
        match (device.state, device.active) {
            (30, None) => Some(Rest::Disconnected),
            // 70: it is joined, and there is no DHCP server.
            (70..=100, Some(uuid)) if has("wpa_state=COMPLETED") => Some(Rest::Joined(uuid)),
            _ => None,
        }
    }

    /// Waits until the interface does this. Returns how long it took.
    #[track_caller]
    pub(crate) fn wait(&self, rest: &Rest) -> Duration {
        let start = Instant::now();
        settle(
            || match self.rest() {
                Some(it) if it == *rest => Ok(()),
                other => Err(format!("{other:?} instead of {rest:?}: {:?}", self.manager.device())),
            },
            || self.manager.log(),
        );
        start.elapsed()
    }

    /// Waits until the interface does what these settings of the device say, and asserts that
    /// nothing else is left of any task. Returns how long the interface took.
    #[track_caller]
    pub(crate) fn expect(&self, settings: &Settings, rest: &Rest) -> Duration {
        let duration = self.wait(rest);
        let is_tidy = || {
            let mut left = self.left_over(settings);
            // Otherwise NetworkManager would never join a network again by itself.
            if *rest != Rest::Off && !self.manager.device().autoconnect {
                left.push("Autoconnect of the device is off".into());
            }
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        };
        settle(is_tidy, || self.manager.log());
        // What was removed stays away, and the connection stays.
        sleep(Duration::from_secs(4));
        assert_eq!(is_tidy(), Ok(()));
        assert_eq!(self.rest().as_ref(), Some(rest), "it does not stay");
        duration
    }

    /// Returns what differs from what must be there with these settings.
    fn left_over(&self, settings: &Settings) -> Vec<String> {
        let mut found = Vec::new();
        if NetworkManager::user_files() != self.user_files {
            found.push(format!("the user's profiles: {:?}", NetworkManager::user_files().keys()));
        }
        let named = settings.kept_id().map(|id| uuid(&id.0));
        let own = NetworkManager::own_profiles();
        for it in &own {
            let is_access_point = it.value("wifi", "mode") == Some("ap");
            let is_named = match it.is_on_disk {
                true => named.as_deref() == Some(it.uuid()),
                false => matches!(settings, Settings::AccessPoint { .. }) && is_access_point,
            };
            if !is_named {
                found.push(format!("a profile of ours: {}", it.path.display()));
            }
        }
        let is_there = |named| own.iter().any(|it| it.is_on_disk && it.uuid() == named);
        if named.as_ref().is_some_and(|named| !is_there(named)) {
            found.push(format!("no profile {named:?}"));
        }
        // Without the radio, wpa_supplicant closes its socket.
        let request = |text: &str| {
            if is_blocked() { None } else { self.manager.request_supplicant(text) }
        };
        // A network that is disabled may be of a NetworkManager that was killed: nobody removes it.
        let networks = request("LIST_NETWORKS").unwrap_or_default();
        let networks: Vec<_> = networks.lines().skip(1).collect();
        if networks.iter().filter(|it| !it.contains("[DISABLED]")).count() > 1 {
            found.push(format!("networks of wpa_supplicant: {networks:?}"));
        }
        // NetworkManager looks for the key of the user's profile with WPS, too.
        let others = networks.iter().filter(|it| !it.contains(self.old.bssid()));
        for id in others.filter_map(|it| it.split('\t').next()) {
            let text = format!("GET_NETWORK {id} key_mgmt");
            if request(&text).is_some_and(|it| it.contains("WPS")) {
                found.push(format!("the network of an exchange: {networks:?}"));
            }
        }
        // 2 after NetworkManager has looked for a key with WPS, and 0 before that.
        if request("GET wps_cred_processing").as_deref() == Some("1") {
            found.push("wps_cred_processing is that of an exchange".into());
        }
        found
    }

    /// Returns the only profile that the device keeps.
    #[track_caller]
    pub(crate) fn kept(&self) -> ProfileFile {
        let mut own = NetworkManager::own_profiles();
        assert_eq!(own.len(), 1, "{:?}", own.iter().map(|it| &it.path).collect::<Vec<_>>());
        let kept = own.remove(0);
        assert!(kept.is_on_disk);
        kept
    }

    /// Waits until scan results show no pressed button: those of an earlier pairing do.
    /// wpa_supplicant reports ages only in whole seconds.
    #[track_caller]
    pub(crate) fn wait_no_button(&self) {
        let request = |text| self.manager.request_supplicant(text).unwrap_or_default();
        let probe = || {
            request("SCAN TYPE=ONLY freq=2412,2437");
            sleep(POLL_INTERVAL);
            match request("BSS RANGE=ALL MASK=0x800") {
                flags if flags.contains("[WPS-PBC]") => Err(flags),
                _ => Ok(()),
            }
        };
        settle(probe, || self.manager.log());
    }

    /// Pairs with a router, which must succeed.
    #[track_caller]
    pub(crate) fn pair(&self, device: &Device, router: &Router) -> Settings {
        self.wait_no_button();
        device.start().expect("started");
        router.press_button();
        assert_eq!(device.wait_result(), Ok(()), "{}", self.manager.log());
        device.saved_settings()
    }

    /// Asserts that the device has joined the network that it keeps, which is of this router, and
    /// that nothing else of ours is left. Returns its profile.
    #[track_caller]
    pub(crate) fn expect_kept(&self, device: &Device, router: &Router) -> ProfileFile {
        let settings = device.saved_settings();
        let Settings::Station { network } = &settings else { panic!("{settings:?}") };
        self.expect(&settings, &joined(&network.secret));
        assert_eq!(self.manager.linked_to().as_deref(), Some(router.bssid()));
        self.kept()
    }
}

/// Waits until `probe` succeeds. Panics with its last error and `log` after [`STEP_TIMEOUT`]. Polls
/// more seldom than [`until`](crate::lab::until), because each poll starts processes.
#[track_caller]
pub(crate) fn settle(mut probe: impl FnMut() -> Result<(), String>, log: impl Fn() -> String) {
    let start = Instant::now();
    while let Err(error) = probe() {
        assert!(start.elapsed() < STEP_TIMEOUT, "{error}\n{}", log());
        sleep(POLL_INTERVAL);
    }
}

/// Returns the rest in the network that NetworkManager keeps.
pub(crate) fn joined(secret: &Secret) -> Rest {
    Rest::Joined(uuid(&secret.kept_id().expect("kept by NetworkManager").0))
}

/// Returns the text of a UUID.
pub(crate) fn uuid(bytes: &[u8; 16]) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(*bytes));
    let [a, b, c, d, e] = [0..8, 8..12, 12..16, 16..20, 20..32].map(|it| &digits[it]);
    [a, b, c, d, e].join("-")
}

/// Returns the number of the interface's rfkill switch, and its directory.
fn rfkill() -> (String, PathBuf) {
    let entries = std::fs::read_dir(format!("/sys/class/net/{INTERFACE}/phy80211"));
    let mut switches = entries.expect("a radio").flatten().filter_map(|it| {
        let number = it.file_name().to_str()?.strip_prefix("rfkill")?.to_owned();
        Some((number, it.path()))
    });
    switches.next().expect("a switch")
}

/// Returns whether rfkill blocks the interface's radio.
pub(crate) fn is_blocked() -> bool {
    let soft = std::fs::read_to_string(rfkill().1.join("soft"));
    soft.expect("a state").trim() == "1"
}

/// Blocks or unblocks the interface's radio, and no other, as a user does.
pub(crate) fn block(is_blocked: bool) {
    let command = if is_blocked { "block" } else { "unblock" };
    run(&format!("rfkill {command} {}", rfkill().0));
}
