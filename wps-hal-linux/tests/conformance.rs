//! The conformance suite on the Linux driver, in the radio lab: real hostapd, real wpa_supplicant
//! and simulated radios.
//!
//! `lab/test` runs it in virtual time, because a pairing is mostly waiting.
//! `RADIO_TEST_CHECK="any order"` runs only the check of that name.

mod lab;
mod routers;

use std::time::Duration;

use lab::{Supplicant, reset_radios};
use routers::{INTERFACE, Routers};
use wps_core::conformance::{
    self, Check, CheckResult, Limits, ObservedState, TestBed, Unavailable, run_all,
};
use wps_core::wsc::Bssid;
use wps_core::{Credentials, Ssid};
use wps_hal_linux::{BootClock, WpaSupplicant};
use wps_testkit::hex;

/// The channels of wpa_supplicant's own scans: all bands would take 14 s for each scan. Saving the
/// configuration is allowed here; the driver must prevent that its network is saved.
const CONFIGURATION: &str = "update_config=1\nfreq_list=2412 2437 2462 5180";
/// The radios of the routers, and their channels.
const RADIOS: [(usize, u32); 3] = [(0, 6), (2, 11), (3, 36)];

/// The lab as a test bed.
struct Lab {
    station: Option<Supplicant>,
    routers: Routers,
}

impl Default for Lab {
    fn default() -> Self {
        Self { station: None, routers: Routers::new(RADIOS) }
    }
}

impl TestBed for Lab {
    type Driver = WpaSupplicant;
    type Clock = BootClock;

    fn clock(&self) -> BootClock {
        BootClock
    }

    fn limits(&self) -> Limits {
        // Waiting costs nothing in virtual time, but starting daemons does.
        Limits { watch_window: Duration::from_secs(2), max_drops: 5, ..Limits::default() }
    }

    async fn reset(&mut self, platform: Option<&Credentials>) -> Result<(), Unavailable> {
        *self = Self::default();
        reset_radios();
        let block = platform.map(|network| {
            let key = std::str::from_utf8(wps_testkit::key(network)).expect("text");
            format!("network={{\nssid={}\npsk=\"{key}\"\n}}", hex(network.ssid.as_bytes()))
        });
        let configuration = format!("{CONFIGURATION}\n{}", block.unwrap_or_default());
        self.station = Some(Supplicant::start(1, &configuration));
        Ok(())
    }

    async fn driver(&mut self) -> WpaSupplicant {
        WpaSupplicant::new("/run/wpa_supplicant", INTERFACE)
    }

    async fn start_router(&mut self, network: &Credentials) -> Result<(), Unavailable> {
        self.routers.start(network)
    }

    async fn stop_router(&mut self, ssid: &Ssid) {
        self.routers.stop(ssid);
    }

    async fn press_button(&mut self, ssid: &Ssid) {
        self.routers.press_button(ssid);
    }

    async fn bssid(&mut self, ssid: &Ssid) -> Result<Bssid, Unavailable> {
        Ok(self.routers.bssid(ssid))
    }

    async fn observe(&mut self) -> Result<ObservedState, Unavailable> {
        let status = self.station.as_ref().expect("wpa_supplicant").status();
        Ok(self.routers.observe(status.get("mode").is_none_or(|mode| mode != "AP")))
    }

    async fn restart_platform(&mut self) -> Result<(), Unavailable> {
        self.station.as_ref().expect("wpa_supplicant").restart();
        Ok(())
    }

    fn supports_independent_restart(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    async fn stores_credentials(&mut self, network: &Credentials) -> Result<bool, Unavailable> {
        let path = self.station.as_ref().expect("wpa_supplicant").config_path();
        let file = String::from_utf8_lossy(&std::fs::read(path).expect("a file")).into_owned();
        Ok([network.ssid.to_string(), hex(network.ssid.as_bytes())]
            .iter()
            .any(|it| file.contains(it)))
    }
}

/// The checks that the driver passes only in part or that are skipped, and why. The record has the
/// key of our network, and wpa_supplicant has that network only in memory.
const GAPS: [(Check, &str); 5] = [
    (Check::Keeps, "skipped: the platform keeps no networks"),
    (Check::KeptInVain, "skipped: the platform keeps no networks"),
    (Check::KeptRemoved, "skipped: the platform keeps no networks"),
    (Check::KeptSameName, "skipped: the platform keeps no networks"),
    (Check::PlatformDecides, "skipped: the platform keeps no networks"),
];

#[tokio::test]
async fn the_linux_driver_keeps_the_contract() {
    let (mut lab, mut results) = (Lab::default(), Vec::new());
    let mut on_result = |result: &CheckResult| {
        println!("{result}");
        results.push((result.check, result.outcome.to_string()));
    };
    let only = std::env::var("RADIO_TEST_CHECK").ok();
    match &only {
        None => drop(run_all(&mut lab, on_result).await),
        Some(only) => {
            let check = Check::ALL.into_iter().find(|check| check.name() == only);
            on_result(&conformance::run(check.expect("the name of a check"), &mut lab).await);
        }
    }
    for (check, outcome) in results {
        let gap = GAPS.iter().find(|(with_gap, _)| *with_gap == check);
        assert_eq!(outcome, gap.map_or("passed", |(_, gap)| gap), "{}", check.name());
    }
}
