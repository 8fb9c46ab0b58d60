//! Stations: wpa_supplicant with its configuration file, on a radio.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::daemon::Daemon;
use super::{Events, RUN_DIR, run, until};

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

/// Parses lines of the form `key=value`.
fn key_values(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
