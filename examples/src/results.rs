//! Logs how each task ended, in the words that the page shows, and whether the network refuses its
//! key.

use std::convert::Infallible;
use std::future::pending;
use std::mem;

use tracing::{info, warn};
use wps_core::wsc::Router;
use wps_core::{Cause, Phase, Status, TaskKind, TaskResult};

use crate::serve::CONTROL;

/// Logs each result. Never returns.
pub(crate) async fn run() -> Infallible {
    let Some(mut listener) = CONTROL.listen() else { return pending().await };
    let (mut last, mut trouble) = (None, None);
    let mut status = listener.get().await;
    loop {
        if let Some(result) = status.last.filter(|it| last.replace(*it) != Some(*it)) {
            info!("{}", sentence(result));
            // A single one is no choice.
            for router in
                Some(status.pressed.as_slice()).filter(|it| it.len() > 1).into_iter().flatten()
            {
                info!("{}", choice(router));
            }
        }
        match change_of_trouble(&mut trouble, &status) {
            Some(Some(cause)) => warn!("{cause}. {}", advice(&status, cause)),
            Some(None) => info!("the network accepts its key again"),
            None => {}
        }
        status = listener.changed().await;
    }
}

/// Updates the trouble of the idle device, and returns the new one if it has changed.
///
/// A task and a restore reset it without having proven the key, so its absence after them is no
/// change. While one is running, the runner logs each failure.
fn change_of_trouble(known: &mut Option<Cause>, status: &Status) -> Option<Option<Cause>> {
    let is_idle = status.phase == Phase::Idle;
    let trouble = status.trouble.filter(|_| is_idle);
    let has_changed = mem::replace(known, trouble) != trouble;
    (is_idle && has_changed).then_some(trouble)
}

/// Returns the advice that the page shows.
fn advice(status: &Status, cause: Cause) -> &'static str {
    status.last.map_or(TaskKind::Pair, |last| last.task).advice(cause)
}

/// Describes an access point that the user can choose after an overlap.
fn choice(router: &Router) -> String {
    let Router { bssid, ssid, frequency_mhz, .. } = router;
    let name = ssid.as_ref().map_or_else(|| "a network".into(), |ssid| format!("{ssid:?}"));
    let signal = router.known_signal_dbm().map_or(String::new(), |dbm| format!(", {dbm} dBm"));
    format!(
        "in pairing mode was {name} ({frequency_mhz} MHz{signal}). To choose it: \
         POST /api/v1/wifi/wps with {{\"bssid\": \"{bssid}\"}}"
    )
}

/// Describes the result of a task.
fn sentence(ended: TaskResult) -> String {
    let TaskResult { task, result, .. } = ended;
    let name = match task {
        TaskKind::Pair => "pairing",
        TaskKind::Configure => "change of settings",
        _ => "task",
    };
    match result {
        Ok(()) => match ended.advice().filter(|_| ended.is_open) {
            Some(advice) => format!("{name} succeeded. {advice}"),
            None => format!("{name} succeeded"),
        },
        Err(cause) if !ended.is_requested() => format!("{cause}. {}", task.advice(cause)),
        Err(cause) => format!("{name} failed: {cause}. {}", task.advice(cause)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use wps_core::wsc::Bssid;
    use wps_core::{Instant, Mode, Ssid};

    use super::*;

    #[test]
    fn each_cause_has_its_sentence() {
        let mut sentences = HashSet::new();
        for &task in TaskKind::ALL {
            for &cause in Cause::ALL {
                let text = sentence(TaskResult::new(task, Err(cause), Instant::from_millis(0)));
                assert!(text.contains(&cause.to_string()), "{text}");
                assert!(text.ends_with(task.advice(cause)), "{text}");
                assert!(sentences.insert(text));
            }
        }
    }

    #[test]
    fn an_open_network_is_named_as_such() {
        let result = TaskResult::new(TaskKind::Pair, Ok(()), Instant::from_millis(0));
        assert_eq!(sentence(result), "pairing succeeded");
        let mut open = result;
        open.is_open = true;
        assert!(sentence(open).contains("has no password"));
    }

    #[test]
    fn a_choice_names_the_access_point_and_the_request() {
        let router = Router {
            bssid: Bssid([2, 0, 0, 0, 1, 0]),
            frequency_mhz: 5180,
            ssid: Ssid::new(b"a\nb").ok(),
            uuid: None,
            signal_dbm: -61,
        };
        let text = choice(&router);
        assert!(text.contains("\"a\\nb\" (5180 MHz, -61 dBm)"), "{text}");
        assert!(text.contains("{\"bssid\": \"02:00:00:00:01:00\"}"), "{text}");
    }

    #[test]
    fn only_an_idle_device_learns_that_its_key_is_accepted_again() {
        let refused = Some(Cause::KeyRefused);
        let mut known = None;
        let mut changes = |phase: &Phase, troubles: &[Option<Cause>]| -> Vec<_> {
            let changes = troubles.iter().map(|&trouble| {
                let mut status = Status::new(phase.clone(), Mode::Station);
                status.trouble = trouble;
                change_of_trouble(&mut known, &status)
            });
            changes.collect()
        };
        let (to_refused, to_accepted) = (Some(refused), Some(None));
        for phase in [Phase::Journaling, Phase::Restoring] {
            let expected = [None, to_refused, None, to_accepted, None, to_refused];
            assert_eq!(
                changes(&Phase::Idle, &[None, refused, refused, None, None, refused]),
                expected
            );
            assert_eq!(changes(&phase, &[refused, None, Some(Cause::Store)]), [None; 3]);
            assert_eq!(
                changes(&Phase::Idle, &[None, refused, None]),
                [None, to_refused, to_accepted]
            );
        }
    }
}
