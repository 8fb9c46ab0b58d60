//! Runs the conformance suite on the driver with a simulation of Espressif's Wi-Fi library and of
//! routers, in virtual time. It does not show how a real chip behaves.

mod fake;

use embassy_futures::select::{Either, select};
use fake::simulation::{Link, Router, Simulation, run_simulation};
use fake::{TestClock, block_on};
use wps_core::conformance::{Check, ObservedState, TestBed, Unavailable, run_all};
use wps_core::{Clock, Credentials, Ssid};
use wps_hal_esp::Driver;

/// Numbers of Espressif's headers: `WIFI_MODE_STA`, `WIFI_MODE_AP`, `WIFI_EVENT_STA_STOP`, and the
/// offset of `ssid_len` in `wifi_ap_config_t`.
const MODE_STATION: u32 = 1;
const MODE_ACCESS_POINT: u32 = 2;
const STATION_STOPPED: i32 = 3;
const SSID_LENGTH_AT: usize = 96;

/// A test bed with the simulated library.
struct FakeTestBed<'c>(&'c TestClock);

fn with_simulation<R>(act: impl FnOnce(&mut Simulation) -> R) -> R {
    fake::with_library(|library| act(library.simulation.as_mut().expect("a simulation")))
}

impl<'c> TestBed for FakeTestBed<'c> {
    type Driver = Driver<(), &'c TestClock>;
    type Clock = &'c TestClock;

    fn clock(&self) -> &'c TestClock {
        self.0
    }

    async fn reset(&mut self, platform: Option<&Credentials>) -> Result<(), Unavailable> {
        if platform.is_some() {
            return Err(Unavailable("the library has no platform networks"));
        }
        self.power_up(Simulation::new(self.0.now()));
        Ok(())
    }

    async fn driver(&mut self) -> Driver<(), &'c TestClock> {
        Driver::new((), self.0, fake::options()).expect("a working library")
    }

    async fn start_router(&mut self, network: &Credentials) -> Result<(), Unavailable> {
        if network.ssid.as_bytes().contains(&0) {
            return Err(Unavailable("for the library, a NUL ends the name"));
        }
        self.stop_router(&network.ssid).await;
        let router = Router::new(network.clone());
        with_simulation(|simulation| simulation.routers.push(router));
        Ok(())
    }

    async fn stop_router(&mut self, ssid: &Ssid) {
        with_simulation(|simulation| {
            simulation.routers.retain(|router| router.network.ssid != *ssid)
        });
    }

    async fn press_button(&mut self, ssid: &Ssid) {
        with_simulation(|simulation| {
            simulation.router(ssid).expect("a router that runs").pressed = true
        });
    }

    async fn observe(&mut self) -> Result<ObservedState, Unavailable> {
        Ok(fake::with_library(|library| match (library.mode, library.started) {
            (MODE_STATION, true) => {
                match &library.simulation.as_ref().expect("a simulation").link {
                    Link::Joined(ssid) => ObservedState::Joined(ssid.clone()),
                    Link::Idle | Link::Connecting(_) => ObservedState::Nothing,
                }
            }
            (MODE_ACCESS_POINT, true) => {
                let length = usize::from(library.access_point[SSID_LENGTH_AT]);
                ObservedState::Serving(Ssid::new(&library.access_point[..length]).expect("a name"))
            }
            _ => ObservedState::Nothing,
        }))
    }

    async fn restart_platform(&mut self) -> Result<(), Unavailable> {
        let (routers, flash) = with_simulation(|simulation| {
            (std::mem::take(&mut simulation.routers), simulation.flash)
        });
        let mut simulation = Simulation::new(self.0.now());
        (simulation.routers, simulation.flash) = (routers, flash);
        self.power_up(simulation);
        Ok(())
    }

    async fn stores_credentials(&mut self, network: &Credentials) -> Result<bool, Unavailable> {
        let name = network.ssid.as_bytes();
        Ok(with_simulation(|simulation| simulation.flash)
            .is_some_and(|flash| flash.starts_with(name)))
    }

    fn supports_background_scan(&self) -> Result<(), Unavailable> {
        Err(Unavailable("the library leaves its network when it starts to search for routers"))
    }
}

impl FakeTestBed<'_> {
    /// Restarts the library in the state in which esp-radio starts it, with the configuration from
    /// flash. Posts the event "station stopped", so that the driver resets its link state.
    fn power_up(&self, simulation: Simulation) {
        let mut library = fake::Library::new();
        if let Some(flash) = simulation.flash {
            library.station = flash;
        }
        library.simulation = Some(simulation);
        fake::with_library(|current| *current = library);
        fake::post(STATION_STOPPED, None);
    }
}

/// The checks that the driver passes only in part or that are skipped, and why. The library detects
/// overlap itself, once, and does not say that an exchange begins.
const GAPS: [(Check, &str); 12] = [
    (Check::ConfigLost, "skipped: the platform never restarts without the driver"),
    (Check::Platform, "skipped: the library has no platform networks"),
    (
        Check::StaysOnAir,
        "skipped: the library leaves its network when it starts to search for routers",
    ),
    (Check::OverlapMemory, "skipped: the driver leaves session overlap to its platform"),
    (Check::OnlyOne, "skipped: the driver cannot be limited to one access point"),
    (Check::RouterVanishes, "skipped: the driver does not report when the exchange begins"),
    (Check::OddCredentials, "partly: for the library, a NUL ends the name"),
    (Check::Keeps, "skipped: the platform keeps no networks"),
    (Check::KeptInVain, "skipped: the platform keeps no networks"),
    (Check::KeptRemoved, "skipped: the platform keeps no networks"),
    (Check::KeptSameName, "skipped: the library has no platform networks"),
    (Check::PlatformDecides, "skipped: the library has no platform networks"),
];

#[test]
fn the_driver_passes_the_conformance_suite() {
    let _guard = fake::fresh_library();
    let clock = TestClock::new();
    let mut test_bed = FakeTestBed(&clock);
    let suite = run_all(&mut test_bed, |result| println!("{result}"));
    let Either::First(report) = block_on(&clock, select(suite, run_simulation(&clock)));
    let not_passed = report.not_passed().map(|(check, outcome)| (check, outcome.to_string()));
    assert_eq!(not_passed.collect::<Vec<_>>(), GAPS.map(|(check, gap)| (check, gap.to_owned())));
}
