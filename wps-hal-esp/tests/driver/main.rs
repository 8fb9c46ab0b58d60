//! The driver on a fake library in C, method by method. Each trap of Espressif's library has a test
//! with its name.

mod failure;
#[path = "../fake/mod.rs"]
mod fake;
mod joining;
mod link_and_scan;
mod options;
mod ordering;
mod reconnecting;
mod success;
mod symbols;

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use embassy_futures::poll_once;
use wps_core::driver::{Offer, PairContext};
use wps_core::wsc::OverlapDetector;
use wps_core::{Credentials, Settings, Snapshot, WifiDriver};
use wps_hal_esp::{Driver, EspError};
use wps_testkit::{home, hotspot, network, off, old, ssid, station};

use fake::{TestClock, options, take_calls};

/// The calls that start a search from any mode, in this order.
const SEARCH_CALLS: [&str; 10] = [
    "esp_wifi_wps_disable",
    "esp_wifi_stop",
    "esp_wifi_set_mode", // off
    "esp_wifi_set_mode", // station
    "esp_wifi_set_config(station)",
    "esp_wifi_start",
    "esp_wifi_set_country_code",
    "esp_wifi_set_max_tx_power",
    "esp_wifi_wps_enable",
    "esp_wifi_wps_start",
];
/// The calls that end a search without success.
const END_CALLS: [&str; 2] = ["esp_wifi_wps_disable", "esp_wifi_disconnect_internal"];

/// A driver for tests in which no time passes.
fn driver() -> Driver<(), &'static TestClock> {
    static STOPPED_CLOCK: TestClock = TestClock::new();
    driver_with(&STOPPED_CLOCK)
}

fn driver_with(clock: &TestClock) -> Driver<(), &TestClock> {
    let driver = Driver::new((), clock, options()).unwrap();
    take_calls();
    driver
}

/// Polls a future once, and expects it to be ready.
fn expect_ready<T>(future: impl Future<Output = T>) -> T {
    match poll_once(future) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("pending"),
    }
}

/// Starts a pairing and runs `act` once the search has started. Expects the pairing to end then.
fn pair(act: impl FnOnce()) -> Result<Offer, EspError> {
    let mut driver = driver();
    let (mut overlap_detector, on_event) = (OverlapDetector::new(), |_| {});
    let mut context = PairContext::new(&mut overlap_detector, &on_event);
    let mut pairing = pin!(driver.pair(&mut context));
    assert!(poll_once(pairing.as_mut()).is_pending(), "before the library posted anything");
    act();
    match poll_once(pairing.as_mut()) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("still pending"),
    }
}

fn pair_error(act: impl FnOnce()) -> EspError {
    pair(act).expect_err("an offer")
}

fn offered_networks(offer: &Offer) -> Vec<Credentials> {
    (0..offer.count()).map(|index| offer.at(index).clone()).collect()
}
