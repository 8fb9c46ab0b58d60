//! `wpa_cli wps_pbc`: the request that it sends.

use crate::lab::{Events, Supplicant};
use crate::{Bands, Contender, SHORT, STATION, TestContext};

/// All of 2.4 GHz that the card has.
const TWO: &str = "2412 2417 2422 2427 2432 2437 2442 2447 2452 2457 2462";
/// That and all of 5 GHz.
const BOTH: &str = "2412 2417 2422 2427 2432 2437 2442 2447 2452 2457 2462 \
     5180 5200 5220 5240 5260 5280 5300 5320 5500 5520 5540 5560 5580 5600 5620 5640 5660 5680 5700 \
     5745 5765 5785 5805 5825";

struct WpaCli(Supplicant);

pub(crate) fn boot(scene: &TestContext, bands: Bands) -> Box<dyn Contender> {
    Box::new(WpaCli(station(scene, bands)))
}

/// What wpa_supplicant is told, and whoever cannot read it back.
pub(crate) fn freq_list(bands: Bands) -> Option<&'static str> {
    match bands {
        Bands::All | Bands::TwoOnly => None,
        Bands::TwoListed => Some(TWO),
        Bands::BothListed => Some(BOTH),
    }
}

/// wpa_supplicant, told which channels to use, and joined to the old network if there is one.
pub(crate) fn station(scene: &TestContext, bands: Bands) -> Supplicant {
    let mut config =
        freq_list(bands).map_or_else(String::new, |list| format!("freq_list={list}\n"));
    if let Some(old) = &scene.old {
        config += &old.network_block();
    }
    let station = Supplicant::start(1, &config);
    if scene.old.is_some() {
        station.wait_connected("old", SHORT);
        station.set_address(STATION);
    }
    station
}

impl Contender for WpaCli {
    fn start(&mut self) {
        assert_eq!(self.0.request("WPS_PBC").trim(), "OK");
    }

    fn events(&self) -> Option<&Events> {
        Some(self.0.events())
    }
}
