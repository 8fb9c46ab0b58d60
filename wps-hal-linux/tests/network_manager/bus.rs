//! What the driver reads over wpa_supplicant's D-Bus interface is what it reads from the control
//! socket.

use std::collections::BTreeMap;

use wps_core::driver::WifiDriver;
use wps_core::{AccessPoint, BssInfo, Link, Settings};
use wps_hal_linux::NetworkManager as Driver;
use wps_testkit::network;

use crate::context::{INTERFACE, Rest, TestContext};
use crate::lab::{NetworkManager, Router, Security};

/// A country with the 5 GHz band.
const COUNTRY: &str = "US";
/// There are no control sockets here.
const NO_DIRECTORY: &str = "/run/nothing";

fn block_on<F: Future>(work: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

/// Returns the link as it is reported through the control socket and over D-Bus, without what D-Bus
/// cannot report.
fn links() -> [Link; 2] {
    ["/run/wpa_supplicant", NO_DIRECTORY].map(|directory| {
        let link = block_on(Driver::new(directory, INTERFACE).link()).expect("a link");
        Link { generation: None, ..link }
    })
}

#[test]
fn over_d_bus_the_link_and_the_access_points_are_the_same() {
    let context = TestContext::new(true);
    let _routers = [
        Router::setup(0, "open").channel(6).security(Security::Open).start(),
        Router::setup(3, "transition").channel(1).security(Security::Wpa3Transition).start(),
        Router::setup(4, "sae").channel(11).security(Security::SaeOnly).start(),
    ];
    let device = context.boot();
    let scan = |directory| {
        let results = block_on(Driver::new(directory, INTERFACE).scan()).expect("a scan");
        let without_signal = |it: &BssInfo| BssInfo { signal_dbm: None, ..it.clone() };
        let found = results.iter().map(|it| (it.bssid.to_string(), without_signal(it)));
        found.collect::<BTreeMap<_, _>>()
    };
    let found = scan("/run/wpa_supplicant");
    assert_eq!(found.len(), 4, "{found:#?}");
    assert_eq!(scan(NO_DIRECTORY), found);
    let [socket, bus] = links();
    assert!(socket.up && socket.signal_dbm.is_some() && socket.pairwise_cipher.is_some());
    assert_eq!(bus, socket);

    let access_point =
        AccessPoint { network: network(b"hotspot", b"hotspot key"), channel: Some(1) };
    let hotspot = Settings::AccessPoint { access_point, remembered: None };
    assert_eq!(device.configure(hotspot), Ok(()));
    context.wait(&Rest::Serving);
    let [socket, bus] = links();
    assert!(socket.up && bus.up, "{socket:?}");
    let without_security =
        |it| Link { security: None, pairwise_cipher: None, group_cipher: None, ..it };
    assert_eq!(without_security(bus), without_security(socket));
}

#[test]
fn without_a_control_socket_a_router_on_5_ghz_is_found() {
    // Without a profile: NetworkManager's scans of all bands take long.
    let start = NetworkManager::start_without_socket;
    let context = TestContext::in_country(COUNTRY, false, start);
    let home = Router::setup(0, "home").channel(36).start();
    let device = context.boot();
    device.start().expect("started");
    home.press_button();
    assert_eq!(device.wait_result(), Ok(()), "{}", context.manager.log());
    assert_eq!(context.manager.linked_to().as_deref(), Some(home.bssid()));
}
