//! The driver on a fake library in C, verb by verb. The traps of Espressif's library each have a test
//! named after them.

mod failure;
#[path = "../fake/mod.rs"]
mod fake;
mod joining;
mod keeping;
mod looking;
mod moments;
mod success;
mod symbols;

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use wps_core::driver::{Offer, PairContext};
use wps_core::wsc::OverlapDetector;
use wps_core::{Credentials, Passphrase, Settings, Snapshot, Ssid, WifiDriver};
use wps_hal_esp::{Driver, EspError};

use fake::calls;

/// From any mode to a search: what is called, in this order.
const SEARCH: [&str; 8] = [
    "esp_wifi_wps_disable",
    "esp_wifi_stop",
    "esp_wifi_set_mode", // off
    "esp_wifi_set_mode", // station
    "esp_wifi_set_config(station)",
    "esp_wifi_start",
    "esp_wifi_wps_enable",
    "esp_wifi_wps_start",
];
/// What a search that did not succeed leaves with.
const END: [&str; 2] = ["esp_wifi_wps_disable", "esp_wifi_disconnect_internal"];

fn network(ssid: &[u8], key: &[u8]) -> Credentials {
    let passphrase = (!key.is_empty()).then(|| Passphrase::new(key).unwrap());
    Credentials { ssid: Ssid::new(ssid).unwrap(), passphrase }
}

fn driver() -> Driver<()> {
    let driver = Driver::new(()).unwrap();
    calls();
    driver
}

fn poll<T>(work: &mut Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn now<T>(work: impl Future<Output = T>) -> T {
    match poll(&mut pin!(work)) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

/// Pairs; once the search has begun, the library does this.
fn pair(library: impl FnOnce()) -> Result<Offer, EspError> {
    let mut driver = driver();
    let (mut overlap_detector, tell) = (OverlapDetector::new(), |_| {});
    let mut context = PairContext::new(&mut overlap_detector, &tell);
    let mut work = pin!(driver.pair(&mut context));
    assert!(poll(&mut work).is_pending(), "before the library told anything");
    library();
    match poll(&mut work) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it goes on"),
    }
}

fn failure(library: impl FnOnce()) -> EspError {
    pair(library).expect_err("an offer")
}

fn offered(offer: &Offer) -> Vec<Credentials> {
    (0..offer.count()).map(|turn| offer.at(turn).clone()).collect()
}
