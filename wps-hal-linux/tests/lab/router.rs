//! Routers: hostapd with its settings, on a radio.

use std::fs;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use wps_testkit::hex;
use wps_testkit::wsc::SentCredential;

use super::daemon::Daemon;
use super::guest::run_ignoring_failure;
use super::{Events, NEXT_FILE, RUN_DIR, run, until};

/// The number of the next BSSID.
static NEXT_BSSID: AtomicU16 = AtomicU16::new(1);

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
    dhcp: bool,
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

    /// Serves addresses of the router's subnet by DHCP: from 50 to 99 of [`Self::address`].
    pub fn dhcp(mut self) -> Self {
        self.dhcp = true;
        self
    }

    /// Sets the credentials that the router hands over instead of its own: SSID, authentication,
    /// encryption and key of each network.
    pub fn hands_over(self, credentials: &[(&str, u16, u16, &str)]) -> Self {
        let credential = |&(ssid, authentication, encryption, key): &(&str, u16, u16, &str)| {
            let (ssid, key) = (ssid.as_bytes(), Some(key.as_bytes()));
            SentCredential { ssid, authentication, encryption, key }.bytes()
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
        let path = self.write_configuration();
        let daemon = Daemon::new("hostapd", self.radio, &path, "/run/hostapd", namespace);
        let mut router = Router { daemon, setup: self, dhcp: None, bssid, phy };
        router.power_on();
        router.dhcp = router.setup.dhcp.then(|| router.setup.start_dhcp());
        router
    }

    /// Starts the DHCP server.
    #[track_caller]
    fn start_dhcp(&self) -> DhcpServer {
        let [a, b, c, _] = self.address.expect("an address").octets();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("router{}", self.radio), "/usr/lib/dnsmasq"]);
        command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root"]);
        command.args(["--leasefile-ro", "--pid-file=", "--bind-interfaces"]);
        command.arg(format!("--interface=wlan{}", self.radio));
        command.arg(format!("--dhcp-range={a}.{b}.{c}.50,{a}.{b}.{c}.99,1h"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        DhcpServer(command.spawn().expect("dnsmasq starts"))
    }

    /// Writes hostapd's configuration file and returns its path.
    fn write_configuration(&self) -> String {
        let interface = format!("wlan{}", self.radio);
        let path = format!("{RUN_DIR}/{interface}.hostapd.conf");
        fs::write(&path, self.configuration(&interface)).expect("hostapd's configuration");
        path
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
    dhcp: Option<DhcpServer>,
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
            dhcp: false,
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

    /// Changes the passphrase and starts again, as routers do.
    #[track_caller]
    pub fn change_passphrase(&mut self, key: &str) {
        self.stop();
        self.setup.key = key.to_owned();
        self.setup.write_configuration();
        self.power_on();
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

/// A DHCP server. Dropping it stops it.
struct DhcpServer(Child);

impl Drop for DhcpServer {
    fn drop(&mut self) {
        let _ = self.0.kill(); // harmless if it has ended
        let _ = self.0.wait();
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
