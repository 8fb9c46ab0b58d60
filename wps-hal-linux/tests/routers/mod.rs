//! The routers of a test bed on the lab, and what they and the kernel say about the device.

use wps_core::conformance::{ObservedState, Unavailable};
use wps_core::wsc::Bssid;
use wps_core::{Credentials, Ssid};

use crate::lab::{Router, Security, run};

/// The device's interface.
pub(crate) const INTERFACE: &str = "wlan1";

/// Routers on the given radios, with their channels.
pub(crate) struct Routers {
    radios: [(usize, u32); 3],
    on: Vec<(Ssid, usize, Router)>,
}

impl Routers {
    /// Creates routers that are off, on these radios and channels.
    pub(crate) fn new(radios: [(usize, u32); 3]) -> Self {
        Self { radios, on: Vec::new() }
    }

    fn get(&self, ssid: &Ssid) -> Option<&Router> {
        self.on.iter().find(|(name, ..)| name == ssid).map(|(_, _, router)| router)
    }

    pub(crate) fn start(&mut self, network: &Credentials) -> Result<(), Unavailable> {
        if self.get(&network.ssid).is_some() {
            return Ok(());
        }
        let used = |radio| self.on.iter().any(|(_, other, _)| *other == radio);
        let free = self.radios.into_iter().find(|(radio, _)| !used(*radio));
        let (radio, channel) = free.ok_or(Unavailable("the lab has three routers"))?;
        let router = Router::setup(radio, network.ssid.as_bytes()).channel(channel);
        let router = match str::from_utf8(wps_testkit::key(network)) {
            Ok("") => router.security(Security::Open),
            Ok(key) => router.passphrase(key),
            Err(_) => return Err(Unavailable("the lab's routers take keys as text")),
        };
        self.on.push((network.ssid.clone(), radio, router.start()));
        Ok(())
    }

    pub(crate) fn stop(&mut self, ssid: &Ssid) {
        self.on.retain(|(name, ..)| name != ssid);
    }

    pub(crate) fn press_button(&self, ssid: &Ssid) {
        self.get(ssid).expect("a router that is on").press_button();
    }

    pub(crate) fn bssid(&self, ssid: &Ssid) -> Bssid {
        self.get(ssid).expect("a router that is on").bssid().parse().expect("an address")
    }

    /// Asks the routers, and for an access point the kernel. `is_station` is whether the device is
    /// one now.
    pub(crate) fn observe(&self, is_station: bool) -> ObservedState {
        let address = std::fs::read_to_string(format!("/sys/class/net/{INTERFACE}/address"));
        let sta = format!("STA {}", address.expect("an address").trim());
        let has_station = |router: &Router| router.request(&sta).contains("[AUTHORIZED]");
        // While the device serves an access point, a router that still lists it has missed its
        // deauthentication.
        let joined = self.on.iter().filter(|(_, _, router)| is_station && has_station(router));
        match joined.collect::<Vec<_>>().as_slice() {
            [] => {}
            [(ssid, ..)] => return ObservedState::Joined(ssid.clone()),
            // One router has missed the device's deauthentication. Ask the kernel which one.
            several => {
                let link = run(&format!("iw dev {INTERFACE} link"));
                let to = several.iter().find(|(_, _, router)| link.contains(router.bssid()));
                return to.map_or(ObservedState::Nothing, |(ssid, ..)| {
                    ObservedState::Joined(ssid.clone())
                });
            }
        }
        let info = run(&format!("iw dev {INTERFACE} info"));
        let line = |start| info.lines().find_map(|line| line.trim().strip_prefix(start));
        let name = line("ssid ").and_then(|name| Ssid::new(name.as_bytes()).ok());
        match (line("type "), name) {
            (Some("AP"), Some(ssid)) => ObservedState::Serving(ssid),
            _ => ObservedState::Nothing,
        }
    }
}
