//! `GET /api/v1/wifi/wps`: the status of the pairing.

use core::time::Duration;

use serde::{Serialize, Serializer};
use wps_core::driver::SearchProgress;
use wps_core::wsc::Router;
use wps_core::{Cause, Channel, Instant, Mode, Phase, Ssid, Status, TaskKind, TaskResult};

use crate::View;
use crate::radio::{band, signal};
use crate::response::Response;
use crate::system::{Addresses, Displayed, Hex, mode_name};

#[derive(Serialize)]
struct Wps<'a> {
    state: &'static str,
    /// Seconds until the window closes, rounded up. Only while a window is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_s: Option<u64>,
    /// The search progress. Only while searching.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<&'static str>,
    /// A router in sight that was never set up. It takes a new password when it pairs.
    #[serde(skip_serializing_if = "Option::is_none")]
    unconfigured: Option<Name<'a>>,
    /// The access points that were in pairing mode, while pairing and after a failure.
    #[serde(skip_serializing_if = "Pressed::is_empty")]
    pressed: Pressed<'a>,
    /// Present while the radio has left its network, or stopped its access point, in order to
    /// search or to exchange messages with a router.
    #[serde(skip_serializing_if = "Option::is_none")]
    off_air: Option<bool>,
    /// The network that was found or is being joined, otherwise the saved one.
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid: Option<Displayed<'a, Ssid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid_hex: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    /// Whether the device has an IP address on the Wi-Fi interface. Only while it is idle, set to a
    /// network, and has a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_address: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Last>,
    /// The cause of the last failed attempt, while it is being retried. While idle: the network no
    /// longer accepts its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<Trouble>,
}

#[derive(Serialize)]
struct Last {
    task: &'static str,
    result: &'static str,
    /// Present if the network that was joined has no password.
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    /// Distinguishes the causes that share a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Displayed<'static, Cause>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
    ago_s: u64,
}

#[derive(Serialize)]
struct Trouble {
    cause: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
    reason: Displayed<'static, Cause>,
    advice: &'static str,
}

/// The first of the access points that were in pairing mode.
#[derive(Default)]
struct Pressed<'a>(&'a [Router]);

/// The name of a network, if known.
#[derive(Serialize)]
struct Name<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid: Option<Displayed<'a, Ssid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid_hex: Option<Hex<'a>>,
}

impl<'a> Name<'a> {
    fn new(ssid: Option<&'a Ssid>) -> Self {
        Self { ssid: ssid.map(Displayed::Borrowed), ssid_hex: ssid.and_then(Hex::if_not_utf8) }
    }
}

#[derive(Serialize)]
struct PressedEntry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid: Option<Displayed<'a, Ssid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid_hex: Option<Hex<'a>>,
    bssid: Hex<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    band: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rssi: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i16>,
}

impl<'a> PressedEntry<'a> {
    fn new(router: &'a Router) -> Self {
        let channel = Channel::from_mhz(router.frequency_mhz);
        let rssi = router.known_signal_dbm();
        let Name { ssid, ssid_hex } = Name::new(router.ssid.as_ref());
        Self {
            ssid,
            ssid_hex,
            bssid: Hex(&router.bssid.0),
            band: channel.and_then(|channel| band(channel.band())),
            channel: channel.map(Channel::number),
            rssi,
            signal: rssi.map(signal),
        }
    }
}

impl Pressed<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Pressed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(PressedEntry::new))
    }
}

pub(crate) fn response<'b>(view: &View<'_>, buffer: &'b mut [u8]) -> Response<'b> {
    Response::json(&Wps::that_fits(view, buffer), buffer)
}

/// How often an event is sent while [`needs_events`] is true.
pub const EVENT_INTERVAL: Duration = Duration::from_secs(1);
/// How often an [`SSE_COMMENT`] is sent while nothing changes.
///
/// The adapter thus notices a client that has disconnected, and proxies keep the connection open.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);
/// A comment of the event stream format, which clients ignore.
pub const SSE_COMMENT: &[u8] = b":\n\n";

const EVENT_PREFIX: &[u8] = b"data: ";
const EVENT_END: &[u8] = b"\n\n";

/// Writes one event of the stream at `/api/v1/wifi/wps/events` into `buffer` and returns its bytes.
///
/// The data of the event is the object that `/api/v1/wifi/wps` returns. It depends on the status,
/// the time and the addresses of the view. The result is empty if it does not fit into the buffer;
/// [`BUFFER`](crate::BUFFER) bytes are enough.
pub fn event<'b>(view: &View<'_>, buffer: &'b mut [u8]) -> &'b [u8] {
    let length = write_event(view, buffer).unwrap_or(0);
    buffer.get(..length).unwrap_or_default()
}

/// Returns whether the [`event`] changes although the status does not: while a window is open,
/// because of the countdown, and while the device waits for an IP address.
pub fn needs_events(view: &View<'_>) -> bool {
    let is_window_open = view.status.is_some_and(|status| status.deadline.is_some());
    is_window_open || has_address(view) == Some(false)
}

fn write_event(view: &View<'_>, buffer: &mut [u8]) -> Option<usize> {
    let (start, rest) = buffer.split_at_mut_checked(EVENT_PREFIX.len())?;
    start.copy_from_slice(EVENT_PREFIX);
    // The data is a single line, because JSON escapes control characters.
    let room = rest.len().checked_sub(EVENT_END.len())?;
    let wps = Wps::that_fits(view, rest.get_mut(..room)?);
    let length = serde_json_core::to_slice(&wps, rest).ok()?;
    rest.get_mut(length..length + EVENT_END.len())?.copy_from_slice(EVENT_END);
    Some(EVENT_PREFIX.len() + length + EVENT_END.len())
}

impl<'a> Wps<'a> {
    /// Creates the status with as many of the pressed access points as fit into the buffer, whose
    /// content is lost.
    fn that_fits(view: &View<'a>, buffer: &mut [u8]) -> Self {
        let mut wps = Self::new(view);
        while serde_json_core::to_slice(&wps, buffer).is_err()
            && let Some((_, stronger)) = wps.pressed.0.split_last()
        {
            wps.pressed = Pressed(stronger);
        }
        wps
    }

    fn new(view: &View<'a>) -> Self {
        let now = view.now;
        let Some(status) = view.status else {
            return Self {
                state: "starting",
                remaining_s: None,
                seen: None,
                unconfigured: None,
                pressed: Pressed::default(),
                off_air: None,
                ssid: None,
                ssid_hex: None,
                mode: None,
                has_address: None,
                last: None,
                trouble: None,
            };
        };
        let ssid = network(status);
        let is_searching = status.phase == Phase::Searching;
        Self {
            state: state(&status.phase),
            remaining_s: status.deadline.map(|deadline| seconds_left(deadline, now)),
            seen: is_searching.then(|| seen(&status.progress)),
            unconfigured: unconfigured(status),
            pressed: Pressed(status.pressed.as_slice()),
            off_air: status.off_air.then_some(true),
            ssid: ssid.map(Displayed::Borrowed),
            ssid_hex: ssid.and_then(Hex::if_not_utf8),
            mode: Some(mode_name(status.mode)),
            has_address: has_address(view),
            last: status.last.map(|last| Last::new(last, now)),
            trouble: status.trouble.map(|cause| Trouble {
                cause: cause.name(),
                detail: cause.detail(),
                reason: Displayed::Owned(cause),
                advice: task(status).advice(cause),
            }),
        }
    }
}

impl Last {
    fn new(last: TaskResult, now: Instant) -> Self {
        let cause = last.result.err();
        Self {
            task: match last.task {
                TaskKind::Pair => "pair",
                TaskKind::Configure => "configure",
                _ => UNKNOWN,
            },
            result: if cause.is_none() { "ok" } else { "failed" },
            open: last.is_open.then_some(true),
            cause: cause.map(Cause::name),
            detail: cause.and_then(Cause::detail),
            reason: cause.map(Displayed::Owned),
            advice: last.advice(),
            ago_s: now.since(last.at).as_secs(),
        }
    }
}

/// The name of what a later version of `wps-core` may add.
const UNKNOWN: &str = "other";

/// Returns the task in progress, otherwise the last one.
fn task(status: &Status) -> TaskKind {
    match &status.phase {
        Phase::Configuring => TaskKind::Configure,
        Phase::Journaling | Phase::Searching | Phase::Joining { .. } | Phase::Saving => {
            TaskKind::Pair
        }
        Phase::Idle | Phase::Restoring => status.last.map_or(TaskKind::Pair, |last| last.task),
        _ => TaskKind::Pair,
    }
}

fn state(phase: &Phase) -> &'static str {
    match phase {
        Phase::Idle => "idle",
        Phase::Journaling => "opening",
        Phase::Searching => "searching",
        Phase::Joining { .. } => "joining",
        Phase::Saving => "saving",
        Phase::Configuring => "configuring",
        Phase::Restoring => "restoring",
        _ => UNKNOWN,
    }
}

fn seen(progress: &SearchProgress) -> &'static str {
    match progress {
        SearchProgress::Looking => "looking",
        SearchProgress::CannotScan => "cannot_scan",
        SearchProgress::NoRouter => "no_router",
        SearchProgress::NoWps => "no_wps",
        SearchProgress::NotPressed | SearchProgress::NotConfigured { .. } => "not_pressed",
        SearchProgress::Pressed { .. } => "pressed",
        SearchProgress::Exchanging { .. } => "exchanging",
        _ => UNKNOWN,
    }
}

/// Returns the network that the status is about.
fn network(status: &Status) -> Option<&Ssid> {
    match (&status.phase, &status.progress) {
        (Phase::Joining { ssid }, _) => Some(ssid),
        (
            Phase::Searching,
            SearchProgress::Pressed { ssid } | SearchProgress::Exchanging { ssid },
        ) => ssid.as_ref(),
        (
            Phase::Searching,
            SearchProgress::Looking
            | SearchProgress::CannotScan
            | SearchProgress::NoRouter
            | SearchProgress::NoWps
            | SearchProgress::NotPressed
            | SearchProgress::NotConfigured { .. },
        ) => None,
        (
            Phase::Idle | Phase::Journaling | Phase::Saving | Phase::Configuring | Phase::Restoring,
            _,
        ) => status.network.as_ref(),
        (_, _) => None,
    }
}

fn unconfigured(status: &Status) -> Option<Name<'_>> {
    match (&status.phase, &status.progress) {
        (Phase::Searching, SearchProgress::NotConfigured { ssid }) => {
            Some(Name::new(ssid.as_ref()))
        }
        (_, _) => None,
    }
}

fn has_address(view: &View<'_>) -> Option<bool> {
    let status = view.status?;
    let is_station = status.phase == Phase::Idle && status.mode == Mode::Station;
    let is_set = is_station && status.network.is_some();
    view.addresses.as_ref().filter(|_| is_set).map(Addresses::has_address)
}

fn seconds_left(deadline: Instant, now: Instant) -> u64 {
    deadline.since(now).as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}
