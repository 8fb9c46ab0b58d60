//! `wpsd`, started by a POST, with an ordinary wpa_supplicant.

use crate::lab::{Events, Supplicant};
use crate::wpsd::{Daemon, WPS, curl};
use crate::{Bands, Contender, TestContext, wpa_cli};

struct Ours {
    station: Supplicant,
    _daemon: Daemon,
}

pub(crate) fn boot(context: &TestContext, bands: Bands) -> Box<dyn Contender> {
    let station = wpa_cli::station(context, bands);
    let flags = match wpa_cli::freq_list(bands) {
        Some(list) => format!("--freq-list {}", list.replace(' ', ",")),
        None => String::new(),
    };
    Box::new(Ours { station, _daemon: Daemon::start_with(&flags) })
}

impl Contender for Ours {
    fn start(&mut self) {
        let response = curl(&format!("-X POST {WPS}"));
        assert!(response.starts_with("HTTP/1.1 204"), "{response}");
    }

    fn events(&self) -> Option<&Events> {
        Some(self.station.events())
    }
}
