//! `GET /api/v1/wifi/wps`: how the pairing stands.

use core::time::Duration;

use serde::Serialize;
use wps_core::driver::SearchProgress;
use wps_core::{ADVICE_AFTER_SUCCESS, Cause, Instant, Phase, Ssid, Status, TaskKind, TaskResult};

use crate::View;
use crate::response::Response;
use crate::system::{Hex, Shown, mode};

#[derive(Serialize)]
struct Wps<'a> {
    state: &'static str,
    /// Seconds until the window closes, rounded up; while one is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_s: Option<u64>,
    /// While looking for a router.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<&'static str>,
    /// While looking or exchanging with the network left, or the access point stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    off_air: Option<bool>,
    /// The network in sight or being joined; else the saved one.
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid: Option<Shown<'a, Ssid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid_hex: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Last>,
    /// Why the last try failed, while it is being tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<Trouble>,
}

#[derive(Serialize)]
struct Last {
    task: &'static str,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Shown<'static, Cause>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
    ago_s: u64,
}

#[derive(Serialize)]
struct Trouble {
    cause: &'static str,
    reason: Shown<'static, Cause>,
    advice: &'static str,
}

pub(crate) fn answer<'b>(view: &View<'_>, buffer: &'b mut [u8]) -> Response<'b> {
    Response::json(&Wps::of(view.status, view.now), buffer)
}

/// After how long an event is sent again while a window is open: the countdown goes on.
pub const COUNT: Duration = Duration::from_secs(1);
/// After how long a [`COMMENT`] is sent where nothing changes: whoever has hung up is noticed, and
/// proxies keep the connection.
pub const HEART_BEAT: Duration = Duration::from_secs(15);
/// What readers of an event stream skip.
pub const COMMENT: &[u8] = b":\n\n";

const DATA: &[u8] = b"data: ";
const END: &[u8] = b"\n\n";

/// One event of the stream at `/api/v1/wifi/wps/events`: the object that `/api/v1/wifi/wps` shows. Nothing
/// if it does not fit into the buffer, which [`BUFFER`](crate::BUFFER) bytes do.
pub fn event<'b>(status: Option<&Status>, now: Instant, buffer: &'b mut [u8]) -> &'b [u8] {
    let length = write_event(status, now, buffer).unwrap_or(0);
    buffer.get(..length).unwrap_or_default()
}

fn write_event(status: Option<&Status>, now: Instant, buffer: &mut [u8]) -> Option<usize> {
    let (start, rest) = buffer.split_at_mut_checked(DATA.len())?;
    start.copy_from_slice(DATA);
    // One line: control characters are escaped in it.
    let length = serde_json_core::to_slice(&Wps::of(status, now), rest).ok()?;
    rest.get_mut(length..length + END.len())?.copy_from_slice(END);
    Some(DATA.len() + length + END.len())
}

impl<'a> Wps<'a> {
    fn of(status: Option<&'a Status>, now: Instant) -> Self {
        let Some(status) = status else {
            return Self {
                state: "starting",
                remaining_s: None,
                seen: None,
                off_air: None,
                ssid: None,
                ssid_hex: None,
                mode: None,
                last: None,
                trouble: None,
            };
        };
        let ssid = network(status);
        Self {
            state: state(&status.phase),
            remaining_s: status.deadline.map(|deadline| seconds_left(deadline, now)),
            seen: (status.phase == Phase::Searching).then(|| seen(&status.seen)),
            off_air: status.off_air.then_some(true),
            ssid: ssid.map(Shown::Borrowed),
            ssid_hex: ssid.and_then(Hex::unless_exact),
            mode: Some(mode(status.mode)),
            last: status.last.map(|last| Last::of(last, now)),
            trouble: status.trouble.map(|cause| Trouble {
                cause: cause.name(),
                reason: Shown::Owned(cause),
                advice: task(status).advice(cause),
            }),
        }
    }
}

impl Last {
    fn of(ended: TaskResult, now: Instant) -> Self {
        let cause = ended.result.err();
        let advice = match (ended.task, cause) {
            (task, Some(cause)) => Some(task.advice(cause)),
            (TaskKind::Pair, None) => Some(ADVICE_AFTER_SUCCESS),
            (TaskKind::Configure, None) => None,
        };
        Self {
            task: match ended.task {
                TaskKind::Pair => "pair",
                TaskKind::Configure => "configure",
            },
            result: if cause.is_none() { "ok" } else { "failed" },
            cause: cause.map(Cause::name),
            reason: cause.map(Shown::Owned),
            advice,
            ago_s: now.since(ended.at).as_secs(),
        }
    }
}

/// What is under way, or has just ended.
fn task(status: &Status) -> TaskKind {
    match &status.phase {
        Phase::Configuring => TaskKind::Configure,
        Phase::Journaling | Phase::Searching | Phase::Joining { .. } | Phase::Saving => {
            TaskKind::Pair
        }
        Phase::Idle | Phase::Restoring => status.last.map_or(TaskKind::Pair, |last| last.task),
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
    }
}

fn seen(sight: &SearchProgress) -> &'static str {
    match sight {
        SearchProgress::Looking => "looking",
        SearchProgress::NoRouter => "no_router",
        SearchProgress::NotPressed => "not_pressed",
        SearchProgress::Pressed { .. } => "pressed",
        SearchProgress::Exchanging { .. } => "exchanging",
    }
}

/// The network that it is about now.
fn network(status: &Status) -> Option<&Ssid> {
    match (&status.phase, &status.seen) {
        (Phase::Joining { ssid }, _) => Some(ssid),
        (
            Phase::Searching,
            SearchProgress::Pressed { ssid } | SearchProgress::Exchanging { ssid },
        ) => ssid.as_ref(),
        (
            Phase::Searching,
            SearchProgress::Looking | SearchProgress::NoRouter | SearchProgress::NotPressed,
        ) => None,
        (
            Phase::Idle | Phase::Journaling | Phase::Saving | Phase::Configuring | Phase::Restoring,
            _,
        ) => status.network.as_ref(),
    }
}

fn seconds_left(deadline: Instant, now: Instant) -> u64 {
    deadline.since(now).as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}
