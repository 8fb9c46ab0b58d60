//! `wpa_cli wps_pbc`: the request that it sends.

use crate::lab::{Events, Supplicant};
use crate::{Bands, Contender, STATION, STEP_TIMEOUT, TestContext};

/// The 2.4 GHz channels of the card.
const TWO: &str = "2412 2417 2422 2427 2432 2437 2442 2447 2452 2457 2462";
/// The 2.4 and 5 GHz channels of the card.
const BOTH: &str = "2412 2417 2422 2427 2432 2437 2442 2447 2452 2457 2462 \
     5180 5200 5220 5240 5260 5280 5300 5320 5500 5520 5540 5560 5580 5600 5620 5640 5660 5680 5700 \
     5745 5765 5785 5805 5825";

struct WpaCli(Supplicant);

pub(crate) fn boot(context: &TestContext, bands: Bands) -> Box<dyn Contender> {
    Box::new(WpaCli(station(context, bands)))
}

/// Returns wpa_supplicant's `freq_list` for these bands. `wpsd` gets the same list as a flag,
/// because it cannot read the list back from wpa_supplicant.
pub(crate) fn freq_list(bands: Bands) -> Option<&'static str> {
    match bands {
        Bands::All | Bands::TwoOnly => None,
        Bands::TwoListed => Some(TWO),
        Bands::BothListed => Some(BOTH),
    }
}

/// Starts wpa_supplicant with the channels of these bands, and joins the old network if there is
/// one.
pub(crate) fn station(context: &TestContext, bands: Bands) -> Supplicant {
    let mut config =
        freq_list(bands).map_or_else(String::new, |list| format!("freq_list={list}\n"));
    if let Some(old) = &context.old {
        config += &old.network_block();
    }
    let station = Supplicant::start(1, &config);
    if context.old.is_some() {
        station.wait_connected("old", STEP_TIMEOUT);
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
