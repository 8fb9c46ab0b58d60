//! Cards and networks with limits.

use std::collections::BTreeMap;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Child, Command};
use std::sync::Arc;
use std::thread;

use tempfile::TempDir;
use wps_core::driver::SearchProgress;
use wps_core::{AfterFailure, Cause, ErrorKind, Phase, RequestError, Settings};
use wps_hal_linux::NetworkManager as Driver;
use wps_testkit::network;

use crate::context::{INTERFACE, OLD, Rest, TestContext, joined};
use crate::device::Device;
use crate::lab::{Router, Security, run};

/// A control socket in front of that of wpa_supplicant. It refuses what a wpa_supplicant without
/// WPS does not know, and passes everything else on.
struct WithoutWps(TempDir);

impl WithoutWps {
    const MAX_DATAGRAM: usize = 8192;

    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = UnixDatagram::bind(directory.path().join(INTERFACE)).expect("a socket");
        thread::spawn(|| Self::serve(&Arc::new(socket)));
        Self(directory)
    }

    /// Serves requests until the process ends.
    fn serve(socket: &Arc<UnixDatagram>) {
        let mut upstream = BTreeMap::new();
        let mut buffer = [0; Self::MAX_DATAGRAM];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let request = &buffer[..length];
            let is_of_wps = |text: &str| {
                ["GET ", "SET "].iter().any(|it| text.starts_with(it))
                    && ["wps_cred_processing", "config_methods"].iter().any(|it| text.contains(it))
            };
            if is_of_wps(&String::from_utf8_lossy(request)) {
                let _ = socket.send_to_addr(b"FAIL\n", &client);
                continue;
            }
            let name = client.as_abstract_name().expect("a name").to_vec();
            let connection =
                upstream.entry(name).or_insert_with_key(|name| Self::connect(socket, name));
            let _ = connection.send(request);
        }
    }

    /// Connects to wpa_supplicant for a client, and passes on what it sends.
    fn connect(socket: &Arc<UnixDatagram>, client: &[u8]) -> UnixDatagram {
        let name = [b"wps-test-", client].concat();
        let address = SocketAddr::from_abstract_name(name).expect("a name");
        let upstream = UnixDatagram::bind_addr(&address).expect("a socket");
        upstream.connect(format!("/run/wpa_supplicant/{INTERFACE}")).expect("wpa_supplicant");
        let (socket, from) = (Arc::clone(socket), upstream.try_clone().expect("a socket"));
        let client = SocketAddr::from_abstract_name(client).expect("a name");
        thread::spawn(move || {
            let mut buffer = [0; Self::MAX_DATAGRAM];
            while let Ok(length) = from.recv(&mut buffer) {
                if socket.send_to_addr(&buffer[..length], &client).is_err() {
                    break; // the client has gone
                }
            }
        });
        upstream
    }
}

#[test]
fn without_wps_a_start_is_refused_at_once_and_settings_by_hand_work() {
    let context = TestContext::new(true);
    let home = TestContext::home().start();
    let proxy = WithoutWps::start();
    let driver = Driver::new(proxy.0.path(), INTERFACE);
    let after = AfterFailure::AccessPointOff;
    let device = Device::boot_driver(driver, INTERFACE, context.state.path(), after);
    let refused = RequestError::Failed(Cause::Driver(ErrorKind::WithoutWps));
    assert_eq!(device.start(), Err(refused));
    context.expect(&Settings::Platform, &Rest::Joined(OLD.into()));
    let by_hand = |name| Settings::Station { network: network(name, b"correct horse") };
    assert_eq!(device.configure(by_hand(b"home")), Ok(()), "{}", context.manager.log());
    context.expect_kept(&device, &home);
    let missing = Err(Cause::Driver(ErrorKind::NotFound));
    assert_eq!(device.configure(by_hand(b"away")), missing);
    context.expect_kept(&device, &home);
}

/// Another interface of the same radio that scans all the time, so that all other scans fail.
struct OtherScans(Child);

impl OtherScans {
    const INTERFACE: &str = "other";

    fn start() -> Self {
        run(&format!("iw dev {INTERFACE} interface add {} type managed", Self::INTERFACE));
        run(&format!("ip link set {} up", Self::INTERFACE));
        let script = format!(
            "while iw dev {0} scan >/dev/null || [ -e /sys/class/net/{0} ]; do :; done",
            Self::INTERFACE
        );
        Self(Command::new("sh").args(["-c", &script]).spawn().expect("a shell"))
    }

    fn stop(mut self) {
        run(&format!("iw dev {} del", Self::INTERFACE));
        self.0.wait().expect("the shell ends with its interface");
    }
}

#[test]
fn if_scans_fail_for_five_seconds_the_connection_ends_for_the_search_and_is_back_afterwards() {
    let context = TestContext::new(true);
    let device = context.boot();
    let home = TestContext::home().start();
    let others = OtherScans::start();
    device.start().expect("started");
    device.wait_status("a search without the network", |status| status.off_air);
    context.wait(&Rest::Disconnected);
    assert_eq!(device.status().phase, Phase::Searching);
    others.stop();
    device.wait_status("a scan", |status| status.progress == SearchProgress::NotPressed);
    device.cancel();
    assert_eq!(device.wait_result(), Err(Cause::Cancelled));
    context.expect(&Settings::Platform, &Rest::Joined(OLD.into()));

    let others = OtherScans::start();
    context.wait_no_button();
    device.start().expect("started");
    device.wait_status("a search without the network", |status| status.off_air);
    others.stop();
    home.press_button();
    assert_eq!(device.wait_result(), Ok(()), "{}", context.manager.log());
    context.expect_kept(&device, &home);
}

/// A router with WPA3. The card cannot do the only group that the router takes for it.
fn router_whose_wpa3_fails(context: &TestContext, security: Security) -> Router {
    let set = context.manager.request_supplicant("SET sae_groups 20");
    assert_eq!(set.as_deref(), Some("OK\n"));
    TestContext::home().security(security).line("sae_groups=19").start()
}

/// No setting of NetworkManager keeps it from offering WPA3 (`docs/design.md`).
#[test]
fn a_network_that_refuses_this_card_with_wpa3_is_not_tried_for_ever_and_the_ending_names_the_join()
{
    for security in [Security::Wpa3Transition, Security::SaeOnly] {
        let context = TestContext::new(true);
        let device = context.boot();
        let home = router_whose_wpa3_fails(&context, security);
        context.wait_no_button();
        device.start().expect("started");
        home.press_button();
        assert_eq!(device.wait_result(), Err(Cause::JoinRefused));
        context.expect(&Settings::Platform, &Rest::Joined(OLD.into()));
    }
}

#[test]
fn a_hidden_network_by_hand() {
    let mut context = TestContext::new(true);
    let device = context.boot();
    let home = TestContext::home().wps(false).line("ignore_broadcast_ssid=1").start();
    let network = network(b"home", b"correct horse");
    let joined_by_hand = device.configure(Settings::Station { network });
    assert_eq!(joined_by_hand, Ok(()), "{}", context.manager.log());
    let kept = context.expect_kept(&device, &home);
    assert_eq!(kept.value("wifi", "hidden"), Some("true"));
    let settings = device.saved_settings();
    context.manager.reboot();
    context.wait(&joined(&settings.network().expect("a network").secret));
}
