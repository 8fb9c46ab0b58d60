//! `wpsd`, started by a POST; it finds its way through wpa_supplicant as it is.

use crate::lab::{Events, Supplicant};
use crate::wpsd::{Daemon, WPS, curl};
use crate::{Bands, Contender, TestContext, wpa_cli};

struct Ours {
    station: Supplicant,
    _daemon: Daemon,
}

pub(crate) fn boot(scene: &TestContext, bands: Bands) -> Box<dyn Contender> {
    let station = wpa_cli::station(scene, bands);
    let flags = match wpa_cli::freq_list(bands) {
        Some(list) => format!("--freq-list {}", list.replace(' ', ",")),
        None => String::new(),
    };
    Box::new(Ours { station, _daemon: Daemon::start_with(&flags) })
}

impl Contender for Ours {
    fn start(&mut self) {
        let answer = curl(&format!("-X POST {WPS}"));
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }

    fn events(&self) -> Option<&Events> {
        Some(self.station.events())
    }
}
