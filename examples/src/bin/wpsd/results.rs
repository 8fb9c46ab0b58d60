//! Logs how each task ended, in the words that the page shows, and whether the network refuses its
//! key.

use std::convert::Infallible;
use std::future::pending;

use tracing::{info, warn};
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
        }
        let idle_trouble = idle_trouble(&status);
        if idle_trouble != trouble {
            match idle_trouble {
                Some(cause) => warn!("{cause}. {}", cause.advice()),
                None => info!("no trouble any more"),
            }
            trouble = idle_trouble;
        }
        status = listener.changed().await;
    }
}

/// Returns why the device is in trouble although no task is running. While one is running, the
/// runner logs each failure.
fn idle_trouble(status: &Status) -> Option<Cause> {
    status.trouble.filter(|_| status.phase == Phase::Idle)
}

/// Describes the result of a task.
fn sentence(TaskResult { task, result, .. }: TaskResult) -> String {
    let name = match task {
        TaskKind::Pair => "pairing",
        TaskKind::Configure => "change of settings",
        _ => "task",
    };
    match result {
        Ok(()) => format!("{name} succeeded"),
        Err(cause) => format!("{name} failed: {cause}. {}", task.advice(cause)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use wps_core::Instant;

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
}
