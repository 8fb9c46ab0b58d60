//! The use cases of the specification as scripts on virtual time: each step has its second, and the
//! status is checked along the way. There is one simulated device, in range of the two routers
//! "home" and "old".

#[path = "../common/mod.rs"]
mod common;

mod causes;
mod failure;
mod faults;
mod idle;
mod keeping;
mod one_access_point;
mod requests;
mod success;
mod waiting;

use common::{Environment, Simulation};
use wps_core::{Instant, Settings};

/// Boots the device and presses its button at second 10.
fn start_pairing_at_10(env: &Environment) -> Simulation<'_> {
    let mut sim = env.booted();
    sim.advance_to(10.0);
    assert_eq!(sim.press_button(), Some(Ok(())));
    assert_eq!(sim.status().deadline, Some(second(130)));
    sim
}

fn second(second: u64) -> Instant {
    Instant::from_millis(second * 1000)
}

/// Returns settings of every mode, each with the settings that a failed pairing leaves.
fn all_modes() -> [(Settings, Settings); 6] {
    use wps_testkit::{hotspot, off, old, station};
    [
        (Settings::Platform, Settings::Platform),
        (station(old()), station(old())),
        (hotspot(None), off(None)),
        (hotspot(Some(old())), off(Some(old()))),
        (off(None), off(None)),
        (off(Some(old())), off(Some(old()))),
    ]
}
