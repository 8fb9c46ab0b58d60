//! Tests of the Linux driver with a fake wpa_supplicant in the same process.
//!
//! They need nothing but Rust and never really wait. Tokio's time is paused. A running fake
//! occupies a blocking task, so tokio does not advance the time by itself: the tests do.

mod access_point;
mod cancellation;
mod control_socket;
mod exchanging;
#[path = "../fake/mod.rs"]
mod fake;
mod idle;
mod joining;
mod limits;
mod restoring;
mod routers;
mod searching;
mod secrets;

use std::cell::RefCell;
use std::fmt::Debug;
use std::time::Duration;

use embassy_futures::select::{Either, select};
use fake::{Bss, Fake, State, credential};
use wps_core::WifiDriver;
use wps_core::driver::{Offer, PairContext, PairEvent, SearchProgress};
use wps_core::wsc::{Bssid, OverlapDetector};
use wps_core::{Credentials, DriverError, ErrorKind, Snapshot};
use wps_hal_linux::LinuxError;
use wps_testkit::wsc::elements;
use wps_testkit::{address, hex, network};

const CHANNELS: [u16; 7] = [2412, 2437, 2462, 5180, 5200, 5220, 5240];
const PAIRING_WINDOW: Duration = Duration::from_secs(120);
const SECRET: &str = "correct horse";
const HOME: [u8; 6] = [2, 0, 0, 0, 0, 0x10];
const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 0x20];

/// Runs a test on paused time.
fn run<R>(test: impl AsyncFnOnce() -> R) -> R {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(test())
}

/// Returns an access point "home" with WPS, which a scan finds.
fn access_point(bssid: [u8; 6], frequency: u16, pressed: bool) -> Bss {
    Bss {
        bssid,
        frequency,
        age: 1000,
        on_air: true,
        flags: if pressed { "[WPA2-PSK-CCMP][WPS-PBC][ESS]" } else { "[WPA2-PSK-CCMP][WPS][ESS]" },
        probe_response: elements(b"home", Some(bssid[5]), pressed),
        beacon: elements(b"home", None, pressed),
        next_beacon: None,
        sends_beacons: true,
        tsf: 0,
    }
}

/// Adds a router with its button pressed. It hands over `SECRET` for "home", which can then be
/// joined.
fn add_pressed_router(state: &mut State) {
    state.access_points.push(access_point(HOME, 2437, true));
    state.exchange = vec![
        "CTRL-EVENT-EAP-STARTED EAP authentication started".into(),
        format!("WPS-CRED-RECEIVED {}", credential(b"home", SECRET.as_bytes())),
        "WPS-SUCCESS ".into(),
        "CTRL-EVENT-EAP-FAILURE EAP authentication failed".into(),
    ];
    state.reachable.insert(hex(b"home"), format!("\"{SECRET}\"").into_bytes());
    state.joined_bssid = HOME;
}

/// A station on "old" with two more networks in its own configuration. A router with its button
/// pressed is in range.
fn connected_station() -> Fake {
    let fake = Fake::start(&CHANNELS);
    {
        let mut state = fake.state();
        let old = state.add_platform_network(true, "old");
        state.add_platform_network(false, "never");
        state.add_platform_network(true, "spare");
        add_pressed_router(&mut state);
        state.joined_bssid = OTHER;
        state.set_joined(old);
    }
    fake
}

/// Returns the credentials that the router of [`add_pressed_router`] hands over.
fn home() -> Credentials {
    network(b"home", SECRET.as_bytes())
}

/// Pairs, and returns the offer and all reported progress.
async fn pair(fake: &Fake) -> (Result<Offer, LinuxError>, Vec<SearchProgress>) {
    pair_with_detector(fake, &mut OverlapDetector::new()).await
}

async fn pair_with_detector(
    fake: &Fake,
    overlap_detector: &mut OverlapDetector,
) -> (Result<Offer, LinuxError>, Vec<SearchProgress>) {
    let (offer, progress) = try_to_pair(fake, overlap_detector, None).await;
    (offer.expect("an end within the window"), progress)
}

/// Pairs until the window closes, with one access point if `only` names one. Returns the result, if
/// there is one, and all reported progress.
async fn try_to_pair(
    fake: &Fake,
    overlap_detector: &mut OverlapDetector,
    only: Option<[u8; 6]>,
) -> (Option<Result<Offer, LinuxError>>, Vec<SearchProgress>) {
    let reported = RefCell::new(Vec::new());
    let report = |event| match event {
        PairEvent::Progress(progress) => reported.borrow_mut().push(progress),
        PairEvent::Pressed(_) | PairEvent::OffAir | PairEvent::OnAir => {}
        event => panic!("the tests do not know {event:?}"),
    };
    let mut driver = fake.driver();
    let mut context = PairContext::new(overlap_detector, &report).with_only(only.map(Bssid));
    let offer = fake.with_timeout(PAIRING_WINDOW, driver.pair(&mut context)).await;
    (offer, reported.into_inner())
}

/// Pairs, but only until `scans` scans were requested, or the window closes. Returns `None` if
/// there is no result by then.
async fn pair_for_scans(fake: &Fake, scans: usize) -> Option<Result<Offer, LinuxError>> {
    let enough = async {
        while fake.state().requests_with_prefix("SCAN").len() < scans {
            tokio::task::yield_now().await;
        }
    };
    let mut overlap_detector = OverlapDetector::new();
    match select(try_to_pair(fake, &mut overlap_detector, None), enough).await {
        Either::First((offer, _)) => offer,
        Either::Second(()) => None,
    }
}

async fn take_snapshot(fake: &Fake) -> Snapshot {
    fake.driver().snapshot().await.expect("a snapshot")
}

fn kind<T: Debug>(result: Result<T, LinuxError>) -> ErrorKind {
    result.expect_err("a failure").kind()
}

/// Returns the id and the enabled flag of every network, and the id of the current one. `apply`
/// must restore them.
fn flags(fake: &Fake) -> (Vec<(u32, bool)>, Option<u32>) {
    let (networks, current) = fake.networks_and_current();
    (networks.iter().map(|network| (network.id, network.enabled)).collect(), current)
}
