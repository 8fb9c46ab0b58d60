//! `wpsd` beside NetworkManager from the outside, in the radio lab: curl, and another program
//! that could ask the user for a key.

mod lab;
mod wpsd;

use std::collections::HashMap;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use lab::{
    NetworkManager as Manager, PulledRadio, Router, Supplicant, get, network_manager, reset_radios,
    run, until,
};
use wps_core::{Record, Secret, Settings};
use wpsd::{Daemon, STEP_TIMEOUT, WPS, curl, record, status, wait_for};
use zbus::{OwnedObjectPath, OwnedVariant};

const JSON: &str = "-H Content-Type:application/json";
const STATION_SETTINGS: &str = "http://127.0.0.1:8080/api/v1/wifi/sta/settings";
const OLD_KEY: &str = "old pass phrase";
/// The file with which a user excludes the interface from NetworkManager.
const CONFIGURATION: &str = "/etc/NetworkManager/conf.d/50-wlan1.conf";

/// NetworkManager in the network of the user's profile "old".
struct Host {
    manager: Manager,
    old: Router,
}

impl Host {
    fn new() -> Self {
        reset_radios();
        // Only the 2.4 GHz band: all bands would take 14 s for each scan of NetworkManager.
        run("iw reg set YE");
        Manager::clear();
        let _ = fs::remove_file(CONFIGURATION);
        let old = Router::setup(2, "old").passphrase(OLD_KEY).channel(11).start();
        Manager::add_user_profile("old", "old", OLD_KEY, "");
        let host = Self { manager: network_manager("wlan1"), old };
        host.wait_connected("old");
        host
    }

    #[track_caller]
    fn wait_connected(&self, ssid: &str) {
        until(STEP_TIMEOUT, &format!("the device is in {ssid}"), || {
            (self.manager.connected_to()? == ssid).then_some(())
        });
    }
}

/// Starts the daemon, which finds out by itself that NetworkManager manages the interface.
fn start_daemon() -> Daemon {
    let daemon = Daemon::start();
    assert_managed_by("NetworkManager");
    daemon
}

#[track_caller]
fn assert_managed_by(name: &str) {
    let system = get("/api/v1/system").expect("a response");
    assert!(system.contains(&format!("\"manager\":\"{name}\"")), "{name} in {system}");
}

/// Waits until the driver has exactly this number of profiles on disk, and none in memory.
#[track_caller]
fn wait_profiles(on_disk: usize) {
    until(STEP_TIMEOUT, &format!("{on_disk} profiles on disk"), || {
        let profiles = Manager::own_profiles();
        (profiles.len() == on_disk && profiles.iter().all(|it| it.is_on_disk)).then_some(())
    });
}

// --- another agent -------------------------------------------------------------------------------

/// The secret agent of a desktop, which would open a dialog.
struct DesktopAgent(std::sync::mpsc::Sender<()>);

#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.freedesktop.NetworkManager.SecretAgent")]
enum AgentError {
    #[zbus(error)]
    Bus(zbus::Error),
    NoSecrets(String),
}

type Profile = HashMap<String, HashMap<String, OwnedVariant>>;

#[zbus::interface(name = "org.freedesktop.NetworkManager.SecretAgent")]
impl DesktopAgent {
    fn get_secrets(
        &self,
        _profile: Profile,
        _path: OwnedObjectPath,
        _setting: String,
        _hints: Vec<String>,
        _flags: u32,
    ) -> Result<Profile, AgentError> {
        let _ = self.0.send(());
        Err(AgentError::NoSecrets("the user does not know it".into()))
    }

    fn cancel_get_secrets(&self, _path: OwnedObjectPath, _setting: String) {}

    fn save_secrets(&self, _profile: Profile, _path: OwnedObjectPath) {}

    fn delete_secrets(&self, _profile: Profile, _path: OwnedObjectPath) {}
}

/// Registers the agent of a desktop in this process. Returns a message for each dialog.
fn desktop_agent() -> Receiver<()> {
    const PATH: &str = "/org/freedesktop/NetworkManager";
    const NAME: &str = "org.freedesktop.NetworkManager";
    let (dialogs, received) = channel();
    let (ready, is_ready) = channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let bus = zbus::Connection::system().await.expect("a bus");
            let server = bus.object_server();
            server.at(format!("{PATH}/SecretAgent"), DesktopAgent(dialogs)).await.expect("a path");
            let (path, interface) =
                (format!("{PATH}/AgentManager"), format!("{NAME}.AgentManager"));
            let register =
                bus.call_method(Some(NAME), path, Some(interface), "Register", &"desktop").await;
            register.expect("registered");
            ready.send(()).expect("a test");
            std::future::pending::<()>().await;
        });
    });
    is_ready.recv().expect("an agent");
    received
}

#[test]
fn no_dialog_opens_if_the_router_hands_over_a_wrong_key() {
    let host = Host::new();
    let wrong_key = [("home", 0x20, 8, "not the right key")];
    let router = Router::setup(0, "home").channel(6).hands_over(&wrong_key).start();
    let daemon = start_daemon();
    let dialogs = desktop_agent();

    curl(&format!("-X POST {WPS}"));
    router.press_button();
    wait_for("cause", "wrong_key");
    host.wait_connected("old");
    wait_profiles(0);
    assert_eq!(dialogs.try_iter().count(), 0, "dialogs");
    drop(daemon);

    // The agent is asked for a profile of the user.
    let mut add = Command::new("nmcli");
    add.args(["device", "wifi", "connect", "home", "password", "not the right key"]);
    let mut connect = add.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("nmcli");
    dialogs.recv_timeout(STEP_TIMEOUT).expect("a dialog");
    let _ = connect.wait();
}

// --- HTTP ----------------------------------------------------------------------------------------

#[test]
fn curl_pairs_scans_and_changes_the_settings() {
    let host = Host::new();
    let user_files = Manager::user_files();
    let router = Router::setup(0, "home").channel(6).start();
    let second = Router::setup(3, "second").passphrase("second key").channel(1).start();
    let _daemon = start_daemon();
    let scan = curl("http://127.0.0.1:8080/api/v1/wifi/scan");
    for ssid in ["old", "home", "second"] {
        assert!(scan.contains(&format!("\"ssid\":\"{ssid}\"")), "{scan}");
    }

    assert!(curl(&format!("-X POST {WPS}")).starts_with("HTTP/1.1 204"));
    router.press_button();
    wait_for("result", "ok");
    host.wait_connected("home");
    wait_profiles(1);
    let record_bytes = fs::read(format!("{}/wlan1.record", wpsd::STATE_DIR)).expect("a record");
    assert!(!String::from_utf8_lossy(&record_bytes).contains("correct horse"));
    let system = curl("http://127.0.0.1:8080/api/v1/system");
    let ssid = "\"ssid\":\"home\"";
    // The lab has no DHCP server.
    for expected in [ssid, "\"mode\":\"STA\"", "\"status\":\"OK\"", "\"has_address\":false"] {
        assert!(system.contains(expected), "{expected} in {system}");
    }
    let wait_has_address = |expected| {
        until(STEP_TIMEOUT, &format!("has_address: {expected}"), || {
            get("/api/v1/wifi/wps")?.contains(&format!("\"has_address\":{expected}")).then_some(())
        });
    };
    wait_has_address(false);
    run("ip address add 192.0.2.7/24 dev wlan1");
    wait_has_address(true);
    run("ip address del 192.0.2.7/24 dev wlan1");

    let set = |name: &str, key: &str| {
        let body = format!(r#"{{"enable":true,"name":"{name}","password":"{key}"}}"#);
        let body = body.replace(' ', "\\u0020");
        let response = curl(&format!("-X POST {JSON} -d {body} {STATION_SETTINGS}"));
        assert!(response.starts_with("HTTP/1.1 204"), "{response}");
        wait_for("state", "configuring");
        wait_for("state", "idle");
    };
    set("second", "not the key");
    assert_eq!(status("cause").as_deref(), Some("wrong_key"));
    host.wait_connected("home");
    set("second", "second key");
    host.wait_connected("second");
    wait_profiles(1);
    drop(second);

    // Off, and on again with the remembered network.
    let put = |body: &str| {
        let response = curl(&format!("-X PUT {JSON} -d {body} {STATION_SETTINGS}"));
        assert!(response.starts_with("HTTP/1.1 204"), "{response}");
        wait_for("state", "idle");
    };
    put(r#"{"enable":false}"#);
    assert_eq!(host.manager.connected_to(), None);
    wait_profiles(1);
    let second = Router::setup(3, "second").passphrase("second key").channel(1).start();
    put(r#"{"enable":true}"#);
    host.wait_connected("second");
    assert!(curl(&format!("-X DELETE {STATION_SETTINGS}")).starts_with("HTTP/1.1 204"));
    wait_for("state", "idle");
    assert_eq!(record(), Some(Record::Settled(Settings::Off { remembered: None })));
    wait_profiles(0);
    assert_eq!(Manager::user_files(), user_files);
    drop(second);
}

#[test]
fn an_idle_daemon_needs_no_more_files_and_another_manager_is_refused() {
    let _host = Host::new();
    let daemon = start_daemon();
    let files = || fs::read_dir(format!("/proc/{}/fd", daemon.id())).expect("files").count();
    std::thread::sleep(Duration::from_secs(20));
    let before = files();
    std::thread::sleep(Duration::from_secs(60));
    let after = files();
    assert!(after.abs_diff(before) <= 2, "{before} files, then {after}");
    assert_eq!(daemon.terminate(), Some(0));

    let output = wpsd::wpsd("--interface wlan1 --manager wpa-supplicant").output().expect("wpsd");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("NetworkManager manages wlan1"), "{text}");
}

// --- another manager at the next start -----------------------------------------------------------

fn pair_with(router: &Router) {
    assert!(curl(&format!("-X POST {WPS}")).starts_with("HTTP/1.1 204"));
    router.press_button();
    wait_for("result", "ok");
    wait_for("state", "idle");
}

/// Returns the secret of the saved network.
#[track_caller]
fn saved_secret() -> Secret {
    match record() {
        Some(Record::Settled(Settings::Station { network })) => network.secret,
        other => panic!("no saved network: {other:?}"),
    }
}

#[test]
fn networkmanager_is_installed_after_a_pairing_with_wpa_supplicant_alone() {
    let host = wpsd::host();
    let router = Router::setup(0, "home").channel(6).start();
    let daemon = Daemon::start();
    assert_managed_by("wpa_supplicant");
    pair_with(&router);
    host.station.wait_connected("home", STEP_TIMEOUT);
    assert_eq!(daemon.terminate(), Some(0));
    host.station.stop();
    Manager::clear();
    let manager = network_manager("wlan1");

    // The record has the key. NetworkManager gets a profile in memory.
    let daemon = start_daemon();
    let in_home = || (manager.connected_to()? == "home").then_some(());
    until(STEP_TIMEOUT, "the device is in home", in_home);
    assert!(matches!(saved_secret(), Secret::Key(_)));
    let system = get("/api/v1/system").expect("a response");
    assert!(system.contains("\"kept_by\":\"record\""), "{system}");
    let profiles = Manager::own_profiles();
    assert!(matches!(&*profiles, [only] if !only.is_on_disk), "{profiles:?}");
    // The next pairing moves it to NetworkManager.
    pair_with(&router);
    assert!(matches!(saved_secret(), Secret::Kept(_)));
    wait_profiles(1);
    drop(daemon);
}

#[test]
fn networkmanager_no_longer_manages_the_interface_after_a_pairing() {
    let mut host = Host::new();
    let router = Router::setup(0, "home").channel(6).start();
    let daemon = start_daemon();
    pair_with(&router);
    host.wait_connected("home");
    wait_profiles(1);
    assert_eq!(daemon.terminate(), Some(0));
    host.manager.stop();
    let station = Supplicant::start(1, &host.old.network_block());

    // Only NetworkManager has the key. wpa_supplicant's own network is better than none.
    let daemon = Daemon::spawn_until(&mut wpsd::wpsd("--interface wlan1"), || {
        status("cause").filter(|it| it == "kept_elsewhere")
    });
    assert_managed_by("wpa_supplicant");
    station.wait_connected("old", STEP_TIMEOUT);
    pair_with(&router);
    station.wait_connected("home", STEP_TIMEOUT);
    assert!(matches!(saved_secret(), Secret::Key(_)));
    wait_profiles(1);
    assert_eq!(daemon.terminate(), Some(0));
    drop(station);

    // Back to NetworkManager. Its profile of the first pairing stays until the next task.
    host.manager.restart();
    let daemon = start_daemon();
    host.wait_connected("home");
    assert!(matches!(saved_secret(), Secret::Key(_)));
    let on_disk = || Manager::own_profiles().iter().filter(|it| it.is_on_disk).count();
    assert_eq!((Manager::own_profiles().len(), on_disk()), (2, 1));
    pair_with(&router);
    assert!(matches!(saved_secret(), Secret::Kept(_)));
    wait_profiles(1);
    drop(daemon);
}

// --- NetworkManager is told to leave the interface alone -----------------------------------------

/// Does what the log of `wpsd` advises, or the opposite.
fn set_managed_by_command(managed: bool) {
    run(&format!("nmcli device set wlan1 managed {}", if managed { "yes" } else { "no" }));
}

fn set_managed_by_file(managed: bool) {
    if managed {
        fs::remove_file(CONFIGURATION).expect("a configuration");
    } else {
        fs::create_dir_all("/etc/NetworkManager/conf.d").expect("a folder");
        let text = "[keyfile]\nunmanaged-devices=interface-name:wlan*\n";
        fs::write(CONFIGURATION, text).expect("a configuration");
    }
    run("nmcli general reload conf");
}

/// Returns the sentence with which `wpsd` refuses to start.
#[track_caller]
fn start_error(flags: &str) -> String {
    let output = wpsd::wpsd(&format!("--interface wlan1 {flags}")).output().expect("wpsd");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{flags}: {text}");
    text.lines().last().unwrap_or_default().to_owned()
}

#[track_caller]
fn assert_kept_by(keeper: &str) {
    let system = get("/api/v1/system").expect("a response");
    assert!(system.contains(&format!("\"kept_by\":\"{keeper}\"")), "{keeper} in {system}");
}

#[test]
fn a_networkmanager_that_leaves_the_interface_alone_for_a_while() {
    for set_managed in [set_managed_by_command, set_managed_by_file] {
        goes_and_comes(&[("cause", "absent"), ("detail", "unmanaged")], |_| {
            set_managed(false);
            until(STEP_TIMEOUT, "no link", || {
                (!get("/api/v1/system")?.contains("\"status\":\"OK\"")).then_some(())
            });
            assert_managed_by("NetworkManager");
            Box::new(move |_| set_managed(true))
        });
    }
}

/// The record has no key: NetworkManager keeps it.
#[test]
fn an_interface_without_a_manager_at_the_next_start() {
    for set_managed in [set_managed_by_command, set_managed_by_file] {
        let host = Host::new();
        let router = Router::setup(0, "home").channel(6).start();
        let daemon = start_daemon();
        pair_with(&router);
        host.wait_connected("home");
        assert_eq!(daemon.terminate(), Some(0));
        let (before, user_files) = (record(), Manager::user_files());

        // Nothing uses the interface: no driver can.
        set_managed(false);
        for flags in ["", "--manager network-manager"] {
            let error = start_error(flags);
            assert!(error.contains("`sudo nmcli device set wlan1 managed yes`"), "{error}");
        }
        assert!(start_error("--manager wpa-supplicant").contains("wpa_supplicant does not run"));

        // The user takes it over with wpa_supplicant alone.
        let station = Supplicant::start(1, &host.old.network_block());
        for flags in ["", "--manager wpa-supplicant"] {
            let mut command = wpsd::wpsd(&format!("--interface wlan1 {flags}"));
            let daemon = Daemon::spawn_until(&mut command, || {
                status("cause").filter(|it| it == "kept_elsewhere")
            });
            assert_managed_by("wpa_supplicant");
            station.wait_connected("old", STEP_TIMEOUT);
            assert_eq!(daemon.terminate(), Some(0));
        }
        let error = start_error("--manager network-manager");
        assert!(error.contains("wpa_supplicant alone manages wlan1"), "{error}");
        station.stop();

        set_managed(true);
        host.wait_connected("home");
        let error = start_error("--manager wpa-supplicant");
        assert!(error.contains("NetworkManager manages wlan1"), "{error}");
        let daemon = Daemon::start_with("--manager network-manager");
        host.wait_connected("home");
        assert_kept_by("platform");
        wait_profiles(1);
        assert_eq!((record(), Manager::user_files()), (before, user_files));
        assert_eq!(daemon.terminate(), Some(0));
    }
}

/// The record has the key: NetworkManager gets a profile in memory.
#[test]
fn another_manager_at_each_start_joins_the_network_of_the_record() {
    let host = wpsd::host();
    let router = Router::setup(0, "home").channel(6).start();
    let daemon = Daemon::start_with("--manager wpa-supplicant");
    pair_with(&router);
    host.station.wait_connected("home", STEP_TIMEOUT);
    assert_eq!(daemon.terminate(), Some(0));
    host.station.stop();
    let before = record();
    assert!(matches!(saved_secret(), Secret::Key(_)));
    Manager::clear();
    let manager = network_manager("wlan1");
    let wait_in_home = || {
        let in_home = || (manager.connected_to()? == "home").then_some(());
        until(STEP_TIMEOUT, "the device is in home", in_home);
        assert_kept_by("record");
    };
    for _ in 0..2 {
        let daemon = Daemon::start_with("--manager network-manager");
        wait_in_home();

        // While the daemon runs, wpa_supplicant alone takes the interface over.
        set_managed_by_command(false);
        until(STEP_TIMEOUT, "NetworkManager has let go of the interface", || {
            manager.request_supplicant("PING").is_none().then_some(())
        });
        host.station.restart();
        host.station.wait_connected("old", STEP_TIMEOUT);
        let response = curl(&format!("-X POST {WPS}"));
        assert!(response.starts_with("HTTP/1.1 503"), "{response}");
        wait_for("cause", "managed");
        std::thread::sleep(Duration::from_secs(30));
        host.station.wait_connected("old", STEP_TIMEOUT);
        assert_eq!(status("state").as_deref(), Some("idle"));
        assert_eq!(daemon.terminate(), Some(0));

        let daemon = Daemon::start_with("--manager wpa-supplicant");
        host.station.wait_connected("home", STEP_TIMEOUT);
        assert_kept_by("record");

        // And the other way round.
        host.station.stop();
        set_managed_by_command(true);
        until(STEP_TIMEOUT, "NetworkManager has the interface", || manager.connected_to());
        let response = curl(&format!("-X POST {WPS}"));
        assert!(response.starts_with("HTTP/1.1 503"), "{response}");
        wait_for("cause", "managed");
        assert_eq!(daemon.terminate(), Some(0));
        assert_eq!(record(), before);
    }
    let daemon = start_daemon();
    wait_in_home();
    let profiles = Manager::own_profiles();
    assert!(matches!(&*profiles, [only] if !only.is_on_disk), "{profiles:?}");
    drop(daemon);
}

// --- the interface goes and comes ----------------------------------------------------------------

#[test]
fn a_stick_that_is_pulled_and_plugged_in_again() {
    goes_and_comes(&[("cause", "absent")], |_| {
        let stick = PulledRadio::pull("wlan1");
        Box::new(|_| stick.plug_in())
    });
}

/// NetworkManager does the same before and after suspend.
#[test]
fn a_machine_that_sleeps_and_wakes() {
    let sleep = |sleeps: bool| {
        let call = "--system --print-reply --dest=org.freedesktop.NetworkManager \
                    /org/freedesktop/NetworkManager org.freedesktop.NetworkManager.Sleep";
        run(&format!("dbus-send {call} boolean:{sleeps}"));
    };
    goes_and_comes(&[("cause", "blocked")], |_| {
        sleep(true);
        Box::new(move |_| sleep(false))
    });
}

#[test]
fn a_wpa_supplicant_beside_networkmanager_that_ends_and_starts_again() {
    goes_and_comes(&[("cause", "absent")], |manager| {
        manager.kill_supplicant();
        Box::new(Manager::start_supplicant)
    });
}

/// Pairs, and lets the interface go while idle and during a search. `go` lets it go, and returns
/// what lets it come back. A start in between fails with these fields in the status.
#[track_caller]
fn goes_and_comes(
    expected: &[(&str, &str)],
    go: impl Fn(&mut Manager) -> Box<dyn FnOnce(&mut Manager)>,
) {
    let mut host = Host::new();
    let user_files = Manager::user_files();
    let router = Router::setup(0, "home").channel(6).start();
    let daemon = start_daemon();
    pair_with(&router);
    host.wait_connected("home");

    let come = go(&mut host.manager);
    let response = curl(&format!("-X POST {WPS}"));
    assert!(response.starts_with("HTTP/1.1 503"), "{response}");
    expected.iter().for_each(|(field, value)| wait_for(field, value));
    come(&mut host.manager);
    host.wait_connected("home");

    assert!(curl(&format!("-X POST {WPS}")).starts_with("HTTP/1.1 204"));
    wait_for("seen", "not_pressed");
    let come = go(&mut host.manager);
    wait_for("result", "failed");
    come(&mut host.manager);
    host.wait_connected("home");
    wait_for("state", "idle");
    wait_profiles(1);
    pair_with(&router);
    wait_profiles(1);
    assert_eq!(Manager::user_files(), user_files);
    drop(daemon);
}
