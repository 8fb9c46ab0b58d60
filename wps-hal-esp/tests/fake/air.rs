//! The library alive, among routers. What it does is what its code was seen to do: it leaves at the
//! start of a search, has only the candidate's name in its configuration from then on, writes name and
//! key *over* that after an exchange, joins by itself, and tells of the success a second later, also
//! when it was disabled meanwhile; enabling takes that back.

use std::time::Duration;

use wps_core::{Clock, Credentials, Instant, Ssid};

use super::{FAILED, Library, OVERLAP, Record, SUCCESS, TIMED_OUT, post, with};

const GLANCE: Duration = Duration::from_millis(50);
const EXCHANGE: Duration = Duration::from_millis(400);
const JOIN: Duration = Duration::from_millis(500);
const TELL: Duration = Duration::from_secs(1);
const WALK_TIME: Duration = Duration::from_secs(120);

const ASSOC_LEAVE: u8 = 8;
const HANDSHAKE_TIMEOUT: u8 = 15;
const BEACON_TIMEOUT: u8 = 200;
const NO_AP_FOUND: u8 = 201;

pub(crate) type Events = Vec<(i32, Option<Vec<u8>>)>;

pub(crate) struct State {
    pub(crate) now: Instant,
    pub(crate) routers: Vec<Router>,
    pub(crate) link: Link,
    wps: Wps,
    /// When an earlier success is told.
    success: Option<Instant>,
    /// The station's configuration that survives a restart.
    pub(crate) flash: Option<[u8; 184]>,
}

pub(crate) struct Router {
    pub(crate) network: Credentials,
    pub(crate) pressed: bool,
}

#[derive(Clone, PartialEq)]
pub(crate) enum Link {
    Idle,
    Trying(Instant),
    Joined(Ssid),
}

enum Wps {
    Disabled,
    Enabled,
    Searching(Instant),
    Exchanging { until: Instant, router: Ssid },
}

impl State {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            now,
            routers: Vec::new(),
            link: Link::Idle,
            wps: Wps::Disabled,
            success: None,
            flash: None,
        }
    }

    pub(crate) fn is_trying(&self) -> bool {
        matches!(self.link, Link::Trying(_))
    }

    pub(super) fn connect(&mut self) {
        self.link = Link::Trying(self.now.after(JOIN));
    }

    pub(super) fn leave(&mut self) -> Events {
        match std::mem::replace(&mut self.link, Link::Idle) {
            Link::Idle => vec![],
            Link::Trying(_) | Link::Joined(_) => vec![disconnected(ASSOC_LEAVE)],
        }
    }

    pub(super) fn enable(&mut self) {
        self.success = None;
        self.wps = Wps::Enabled;
    }

    pub(super) fn search(&mut self) -> (i32, Events) {
        match self.wps {
            Wps::Disabled => (0x3035, vec![]),
            Wps::Enabled | Wps::Searching(_) | Wps::Exchanging { .. } => {
                self.wps = Wps::Searching(self.now.after(WALK_TIME));
                (0, self.leave())
            }
        }
    }

    /// Does nothing where it is disabled already: what is about to be told stays so.
    pub(super) fn disable(&mut self) -> Events {
        match std::mem::replace(&mut self.wps, Wps::Disabled) {
            Wps::Disabled => vec![],
            Wps::Enabled | Wps::Searching(_) | Wps::Exchanging { .. } => {
                self.success = None;
                self.leave()
            }
        }
    }

    pub(crate) fn router(&mut self, ssid: &Ssid) -> Option<&mut Router> {
        self.routers.iter_mut().find(|router| router.network.ssid == *ssid)
    }

    fn reach(&self, config: &[u8; 184]) -> Result<Ssid, u8> {
        // It has no length: for the library a name ends at its first NUL.
        let name = config[..32].split(|byte| *byte == 0).next().unwrap_or_default();
        let key = &config[32..96];
        let end = key.iter().position(|byte| *byte == 0).unwrap_or(64);
        let mut routers = self.routers.iter();
        let router = routers.find(|router| router.network.ssid.as_bytes() == name);
        let network = &router.ok_or(NO_AP_FOUND)?.network;
        let own = network.passphrase.as_ref().map_or(&[][..], |key| key.reveal());
        if own == &key[..end] { Ok(network.ssid.clone()) } else { Err(HANDSHAKE_TIMEOUT) }
    }
}

/// Lets the library live, for ever.
pub(crate) async fn live(clock: &impl Clock) -> ! {
    loop {
        for (id, payload) in with(|library| library.step(clock.now())) {
            post(id, payload.as_deref());
        }
        clock.sleep_until(clock.now().after(GLANCE)).await;
    }
}

impl Library {
    fn step(&mut self, now: Instant) -> Events {
        let Some(air) = &mut self.air else { return vec![] };
        air.now = now;
        let mut events = Events::new();
        match air.link.clone() {
            Link::Trying(until) if until <= now => match air.reach(&self.station) {
                Ok(ssid) => {
                    self.joined = Some(record(&ssid));
                    air.link = Link::Joined(ssid);
                    events.push((4, Some(vec![0; 48])));
                }
                Err(reason) => {
                    air.link = Link::Idle;
                    events.push(disconnected(reason));
                }
            },
            Link::Joined(ssid) if air.router(&ssid).is_none() => {
                air.link = Link::Idle;
                events.push(disconnected(BEACON_TIMEOUT));
            }
            Link::Idle | Link::Trying(_) | Link::Joined(_) => {}
        }
        if air.success.take_if(|at| *at <= now).is_some() {
            events.push((SUCCESS, None));
        }
        events.extend(self.step_wps(now));
        if self.storage == 0 {
            self.air.iter_mut().for_each(|air| air.flash = Some(self.station));
        }
        events
    }

    fn step_wps(&mut self, now: Instant) -> Events {
        let Some(air) = &mut self.air else { return vec![] };
        match &air.wps {
            Wps::Disabled | Wps::Enabled => vec![],
            Wps::Searching(until) => {
                let pressed: Vec<_> = air.routers.iter().filter(|it| it.pressed).collect();
                match pressed.as_slice() {
                    [] if *until <= now => air.end((TIMED_OUT, None)),
                    [] => vec![],
                    [router] => {
                        let ssid = router.network.ssid.clone();
                        self.station = [0; 184];
                        copy(&mut self.station[..32], ssid.as_bytes());
                        air.wps = Wps::Exchanging { until: now.after(EXCHANGE), router: ssid };
                        vec![]
                    }
                    _ => air.end((OVERLAP, None)),
                }
            }
            Wps::Exchanging { until, .. } if *until > now => vec![],
            Wps::Exchanging { router, .. } => {
                let ssid = router.clone();
                let Some(router) = air.router(&ssid) else {
                    return air.end((FAILED, Some(vec![0; 4])));
                };
                router.pressed = false;
                let network = router.network.clone();
                let key = network.passphrase.as_ref().map_or(&[][..], |key| key.reveal());
                copy(&mut self.station[..32], ssid.as_bytes());
                copy(&mut self.station[32..96], key);
                air.wps = Wps::Disabled;
                air.success = Some(now.after(TELL));
                air.connect();
                vec![]
            }
        }
    }
}

impl State {
    fn end(&mut self, event: (i32, Option<Vec<u8>>)) -> Events {
        self.wps = Wps::Disabled;
        let mut events = self.leave();
        events.push(event);
        events
    }
}

/// Over what is there.
fn copy(to: &mut [u8], bytes: &[u8]) {
    to[..bytes.len()].copy_from_slice(bytes);
}

fn disconnected(reason: u8) -> (i32, Option<Vec<u8>>) {
    let mut payload = vec![0; 41];
    payload[39] = reason;
    (5, Some(payload))
}

fn record(ssid: &Ssid) -> Record {
    let mut record = [0; 92];
    record[6..6 + ssid.as_bytes().len()].copy_from_slice(ssid.as_bytes());
    record[39] = 6;
    record
}
