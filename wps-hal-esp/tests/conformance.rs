//! The conformance suite on the driver, its `ffi.rs` and a fake library that lives among routers, on
//! virtual time. What a chip does on the air it cannot tell.

mod fake;

use embassy_futures::select::{Either3, select3};
use fake::air::{Link, Router, State, live};
use fake::{Hand, play};
use wps_core::conformance::{Check, ObservedState, Outcome, TestBed, Unavailable, run_all};
use wps_core::{Clock, Credentials, Ssid};
use wps_hal_esp::Driver;

struct Bench<'c>(&'c Hand);

fn air<R>(act: impl FnOnce(&mut State) -> R) -> R {
    fake::with(|library| act(library.air.as_mut().expect("a library that lives")))
}

impl<'c> TestBed for Bench<'c> {
    type Driver = Driver<()>;
    type Clock = &'c Hand;

    fn clock(&self) -> &'c Hand {
        self.0
    }

    async fn reset(&mut self, platform: Option<&Credentials>) -> Result<(), Unavailable> {
        if platform.is_some() {
            return Err(Unavailable("the library has no networks of its own"));
        }
        self.power_up(State::new(self.0.now()));
        Ok(())
    }

    async fn driver(&mut self) -> Driver<()> {
        Driver::new(()).expect("a library that is sound")
    }

    async fn switch_on(&mut self, network: &Credentials) -> Result<(), Unavailable> {
        if network.ssid.as_bytes().contains(&0) {
            return Err(Unavailable("for the library a name ends at its first NUL"));
        }
        self.switch_off(&network.ssid).await;
        let router = Router { network: network.clone(), pressed: false };
        air(|air| air.routers.push(router));
        Ok(())
    }

    async fn switch_off(&mut self, ssid: &Ssid) {
        air(|air| air.routers.retain(|router| router.network.ssid != *ssid));
    }

    async fn press(&mut self, ssid: &Ssid) {
        air(|air| air.router(ssid).expect("a router that is on").pressed = true);
    }

    async fn seen(&mut self) -> Result<ObservedState, Unavailable> {
        Ok(fake::with(|library| match (library.mode, library.started) {
            (1, true) => match &library.air.as_ref().expect("a library that lives").link {
                Link::Joined(ssid) => ObservedState::Joined(ssid.clone()),
                Link::Idle | Link::Trying(_) => ObservedState::Nothing,
            },
            (2, true) => {
                let length = usize::from(library.access_point[96]);
                ObservedState::Serving(Ssid::new(&library.access_point[..length]).expect("a name"))
            }
            _ => ObservedState::Nothing,
        }))
    }

    async fn restart_platform(&mut self) -> Result<(), Unavailable> {
        let (routers, flash) = air(|air| (std::mem::take(&mut air.routers), air.flash));
        let mut air = State::new(self.0.now());
        (air.routers, air.flash) = (routers, flash);
        self.power_up(air);
        Ok(())
    }

    async fn keeps(&mut self, network: &Credentials) -> Result<bool, Unavailable> {
        let name = network.ssid.as_bytes();
        Ok(air(|air| air.flash).is_some_and(|flash| flash.starts_with(name)))
    }

    fn looks_around(&self) -> Result<(), Unavailable> {
        Err(Unavailable("the library leaves its network when it begins to look for routers"))
    }
}

impl Bench<'_> {
    /// The library as esp-radio leaves it, with what was in flash; what it told before is forgotten.
    fn power_up(&self, air: State) {
        let mut library = fake::Library::new();
        if let Some(flash) = air.flash {
            library.station = flash;
        }
        library.air = Some(air);
        fake::with(|it| *it = library);
        fake::post(3, None);
    }
}

#[test]
fn the_driver_keeps_the_contract() {
    let _turn = fake::turn();
    let clock = Hand::new();
    let mut keeper = Driver::new(()).expect("a library that is sound").keeper();
    let mut bench = Bench(&clock);
    let all = select3(run_all(&mut bench), keeper.run(&clock), live(&clock));
    let Either3::First(report) = play(&clock, all);
    println!("{report}");
    assert!(report.is_ok(), "{report}");
    let is_skipped = |check: &Check| matches!(report.outcome(*check), Some(Outcome::Skipped(_)));
    let skipped: Vec<_> = Check::ALL.into_iter().filter(is_skipped).collect();
    let beyond_it = [
        Check::ConfigLost,
        Check::Platform,
        Check::StaysOnAir,
        Check::OverlapMemory,
        Check::RouterVanishes,
    ];
    assert_eq!(skipped, beyond_it);
}
