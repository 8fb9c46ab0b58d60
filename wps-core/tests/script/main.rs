//! The stories of the specification as transcripts on virtual time: who did what at which second, and
//! what people were told. One simulated device, two routers in reach, "home" and "old".

#[path = "../common/mod.rs"]
mod common;

mod ending;
mod faults;
mod requests;
mod success;

use common::{Site, World};
use wps_core::{Instant, Settings};

/// A device with these settings, at rest, whose button is pressed at second 10.
fn pairing_at_10(site: &Site) -> World<'_> {
    let mut world = site.booted();
    world.at(10.0);
    assert_eq!(world.button(), Some(Ok(())));
    assert_eq!(world.status().deadline, Some(second(130)));
    world
}

fn second(second: u64) -> Instant {
    Instant::from_millis(second * 1000)
}

/// Every way a device can be set up, and what a failed pairing makes of it.
fn all_modes() -> [(Settings, Settings); 6] {
    use common::{hotspot, off, old, station};
    [
        (Settings::Platform, Settings::Platform),
        (station(old()), station(old())),
        (hotspot(None), off(None)),
        (hotspot(Some(old())), off(Some(old()))),
        (off(None), off(None)),
        (off(Some(old())), off(Some(old()))),
    ]
}
