//! A simulation of the library among routers. It does what we read in the library's code:
//!
//! * At the start of a search it leaves its network. Once it has found a router, its configuration
//!   contains only the name of that router.
//! * After an exchange it writes the name and the key *over* that configuration, and joins by
//!   itself.
//! * It posts the success a second later, even if WPS was disabled in the meantime. Enabling WPS
//!   cancels that event.

use std::ptr;
use std::time::Duration;

use wps_core::{Clock, Credentials, Instant, Secret, Ssid};

use super::{
    AP_AUTHMODE_AT, FAILED, Library, OVERLAP, Record, STATION_BSSID_AT, SUCCESS, TIMED_OUT,
    WPA_PSK, WPA2_PSK, WPA3_PSK, bssid, post, with_library,
};

/// The interval between two steps of the simulation.
const STEP_INTERVAL: Duration = Duration::from_millis(50);
/// How long an exchange takes.
const EXCHANGE_DELAY: Duration = Duration::from_millis(400);
/// How long an attempt to join takes.
const JOIN_DELAY: Duration = Duration::from_millis(500);
/// The time between the end of an exchange and the success event.
const SUCCESS_DELAY: Duration = Duration::from_secs(1);
/// How long a scan takes.
const SCAN_DELAY: Duration = Duration::from_secs(2);
/// How long the library searches: the walk time of the specification.
const WALK_TIMEOUT: Duration = Duration::from_secs(120);

/// `WIFI_EVENT_SCAN_DONE`.
const SCAN_DONE: i32 = 1;

// Values of `wifi_err_reason_t`.
const ASSOC_LEAVE: u8 = 8;
const HANDSHAKE_TIMEOUT: u8 = 15;
const BEACON_TIMEOUT: u8 = 200;
const NO_AP_FOUND: u8 = 201;
const NO_AP_FOUND_W_COMPATIBLE_SECURITY: u8 = 210;
const NO_AP_FOUND_IN_AUTHMODE_THRESHOLD: u8 = 211;

/// The offset of `threshold.authmode` in `wifi_sta_config_t`.
const STATION_AUTHMODE_AT: usize = 120;

/// `WPS_FAIL_REASON_RECV_DEAUTH`, with which the library reports each lost link.
const LINK_LOST: [u8; 4] = 2_u32.to_le_bytes();

/// Events to post: number and payload.
pub(crate) type Events = Vec<(i32, Option<Vec<u8>>)>;

pub(crate) struct Simulation {
    pub(crate) now: Instant,
    pub(crate) routers: Vec<Router>,
    pub(crate) link: Link,
    wps: Wps,
    /// When a scan ends.
    scan_ends_at: Option<Instant>,
    /// When a success of an earlier exchange is posted.
    success_at: Option<Instant>,
    /// The station's configuration in flash, which survives a restart.
    pub(crate) flash: Option<[u8; 184]>,
}

pub(crate) struct Router {
    pub(crate) network: Credentials,
    pub(crate) pressed: bool,
    /// Its `wifi_auth_mode_t`.
    pub(crate) authmode: u8,
}

impl Router {
    /// Creates a router with WPA2, or an open one if its network has no key.
    pub(crate) fn new(network: Credentials) -> Self {
        let authmode = if network.secret == Secret::Open { 0 } else { WPA2_PSK };
        Self { network, pressed: false, authmode }
    }
}

#[derive(Clone, PartialEq)]
pub(crate) enum Link {
    Idle,
    Connecting(Instant),
    Joined(Ssid),
}

enum Wps {
    Disabled,
    Enabled,
    Searching(Instant),
    Exchanging { until: Instant, router: Ssid },
}

impl Simulation {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            now,
            routers: Vec::new(),
            link: Link::Idle,
            wps: Wps::Disabled,
            scan_ends_at: None,
            success_at: None,
            flash: None,
        }
    }

    pub(crate) fn is_connecting(&self) -> bool {
        matches!(self.link, Link::Connecting(_))
    }

    pub(super) fn connect(&mut self) {
        self.link = Link::Connecting(self.now.after(JOIN_DELAY));
    }

    pub(super) fn disconnect(&mut self) -> Events {
        match std::mem::replace(&mut self.link, Link::Idle) {
            Link::Idle => vec![],
            Link::Connecting(_) | Link::Joined(_) => vec![disconnected(ASSOC_LEAVE)],
        }
    }

    pub(super) fn start_scan(&mut self) {
        self.scan_ends_at = Some(self.now.after(SCAN_DELAY));
    }

    pub(super) fn stop_scan(&mut self) {
        self.scan_ends_at = None;
    }

    pub(super) fn enable_wps(&mut self) {
        self.success_at = None;
        self.wps = Wps::Enabled;
    }

    pub(super) fn start_wps(&mut self) -> (i32, Events) {
        match self.wps {
            Wps::Disabled => (0x3035, vec![]),
            Wps::Enabled | Wps::Searching(_) | Wps::Exchanging { .. } => {
                self.wps = Wps::Searching(self.now.after(WALK_TIMEOUT));
                (0, self.disconnect())
            }
        }
    }

    /// Disables WPS. If WPS is already disabled, a pending success is still posted.
    pub(super) fn disable_wps(&mut self) -> Events {
        match std::mem::replace(&mut self.wps, Wps::Disabled) {
            Wps::Disabled => vec![],
            Wps::Enabled | Wps::Searching(_) | Wps::Exchanging { .. } => {
                self.success_at = None;
                self.disconnect()
            }
        }
    }

    pub(crate) fn router(&mut self, ssid: &Ssid) -> Option<&mut Router> {
        self.routers.iter_mut().find(|router| router.network.ssid == *ssid)
    }

    fn try_join(&self, config: &[u8; 184]) -> Result<Ssid, u8> {
        // The configuration has no length field: for the library, a NUL ends the name.
        let name = config[..32].split(|byte| *byte == 0).next().unwrap_or_default();
        let key = &config[32..96];
        let end = key.iter().position(|byte| *byte == 0).unwrap_or(64);
        let mut routers = self.routers.iter();
        let router = routers.find(|router| router.network.ssid.as_bytes() == name);
        let router = router.ok_or(NO_AP_FOUND)?;
        let network = &router.network;
        // The library has no SAE.
        if router.authmode == WPA3_PSK {
            return Err(NO_AP_FOUND_W_COMPATIBLE_SECURITY);
        }
        if router.authmode < config[STATION_AUTHMODE_AT] {
            return Err(NO_AP_FOUND_IN_AUTHMODE_THRESHOLD);
        }
        let expected = wps_testkit::key(network);
        if expected == &key[..end] { Ok(network.ssid.clone()) } else { Err(HANDSHAKE_TIMEOUT) }
    }
}

/// Runs the simulation forever.
pub(crate) async fn run_simulation(clock: &impl Clock) -> ! {
    loop {
        for (id, payload) in with_library(|library| library.step(clock.now())) {
            post(id, payload.as_deref());
        }
        clock.sleep_until(clock.now().after(STEP_INTERVAL)).await;
    }
}

impl Library {
    fn step(&mut self, now: Instant) -> Events {
        let Some(simulation) = &mut self.simulation else { return vec![] };
        simulation.now = now;
        let mut events = Events::new();
        match simulation.link.clone() {
            Link::Connecting(until) if until <= now => match simulation.try_join(&self.station) {
                Ok(ssid) => {
                    let mut routers = simulation.routers.iter().zip(0..);
                    let found = routers.find(|(router, _)| router.network.ssid == ssid);
                    let (router, number) = found.expect("the router that was joined");
                    self.joined = Some(record(router, number));
                    simulation.link = Link::Joined(ssid);
                    events.push((4, Some(vec![0; 48])));
                }
                Err(reason) => {
                    simulation.link = Link::Idle;
                    events.push(disconnected(reason));
                }
            },
            // The router is off, or has restarted with another key.
            Link::Joined(_) if simulation.try_join(&self.station).is_err() => {
                simulation.link = Link::Idle;
                events.push(disconnected(BEACON_TIMEOUT));
            }
            Link::Idle | Link::Connecting(_) | Link::Joined(_) => {}
        }
        if simulation.success_at.take_if(|at| *at <= now).is_some() {
            events.push((SUCCESS, None));
        }
        if simulation.scan_ends_at.take_if(|at| *at <= now).is_some() {
            let routers = simulation.routers.iter().zip(0..);
            self.records = routers.map(|(it, number)| record(it, number)).collect();
            events.push((SCAN_DONE, Some(vec![0; 12])));
        }
        events.extend(self.step_wps(now));
        if self.storage == 0 {
            self.simulation.iter_mut().for_each(|simulation| simulation.flash = Some(self.station));
        }
        events
    }

    fn step_wps(&mut self, now: Instant) -> Events {
        let Some(simulation) = &mut self.simulation else { return vec![] };
        match &simulation.wps {
            Wps::Disabled | Wps::Enabled => vec![],
            Wps::Searching(until) => {
                let pressed: Vec<_> = simulation.routers.iter().filter(|it| it.pressed).collect();
                match pressed.as_slice() {
                    [] if *until <= now => simulation.end_wps((TIMED_OUT, None)),
                    [] => vec![],
                    [router] => {
                        let ssid = router.network.ssid.clone();
                        let router = *router;
                        let number = simulation.routers.iter().position(|it| ptr::eq(it, router));
                        self.station = [0; 184];
                        overwrite(&mut self.station[..32], ssid.as_bytes());
                        let bssid = bssid(number.unwrap_or_default() as u8);
                        overwrite(&mut self.station[STATION_BSSID_AT..], &bssid);
                        simulation.wps =
                            Wps::Exchanging { until: now.after(EXCHANGE_DELAY), router: ssid };
                        vec![]
                    }
                    _ => simulation.end_wps((OVERLAP, None)),
                }
            }
            Wps::Exchanging { until, .. } if *until > now => vec![],
            Wps::Exchanging { router, .. } => {
                let ssid = router.clone();
                let Some(router) = simulation.router(&ssid) else {
                    return simulation.end_wps((FAILED, Some(LINK_LOST.to_vec())));
                };
                router.pressed = false;
                let (network, authmode) = (router.network.clone(), router.authmode);
                let key = wps_testkit::key(&network);
                overwrite(&mut self.station[..32], ssid.as_bytes());
                overwrite(&mut self.station[32..96], key);
                if authmode == WPA_PSK {
                    self.station[STATION_AUTHMODE_AT] = WPA_PSK;
                }
                simulation.wps = Wps::Disabled;
                simulation.success_at = Some(now.after(SUCCESS_DELAY));
                simulation.connect();
                vec![]
            }
        }
    }
}

impl Simulation {
    fn end_wps(&mut self, event: (i32, Option<Vec<u8>>)) -> Events {
        self.wps = Wps::Disabled;
        let mut events = self.disconnect();
        events.push(event);
        events
    }
}

/// Writes the bytes over the start of an array, without clearing the rest.
fn overwrite(to: &mut [u8], bytes: &[u8]) {
    to[..bytes.len()].copy_from_slice(bytes);
}

fn disconnected(reason: u8) -> (i32, Option<Vec<u8>>) {
    let mut payload = vec![0; 41];
    payload[39] = reason;
    (5, Some(payload))
}

/// Returns the record of the router with this number.
fn record(router: &Router, number: u8) -> Record {
    let mut record = [0; 92];
    overwrite(&mut record, &bssid(number));
    overwrite(&mut record[6..], router.network.ssid.as_bytes());
    record[39] = 6;
    record[AP_AUTHMODE_AT] = router.authmode;
    record
}
