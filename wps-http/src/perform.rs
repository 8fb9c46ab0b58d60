//! Performs the actions that requests need, within time limits that are the same for every adapter.

use core::time::Duration;

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;
use wps_core::Control;
use wps_core::command::{REQUEST_WAIT_TIMEOUT, SAVE_TIMEOUT, SNAPSHOT_TIMEOUT};

use crate::{Action, Outcome, REPLY_GRACE_DELAY};

/// Longer than the machine takes to reply: a request may wait for the restoring (5 s), then for the
/// snapshot (5 s) and for the journal (10 s).
pub(crate) const CONTROL_TIMEOUT: Duration = REQUEST_WAIT_TIMEOUT
    .saturating_add(SNAPSHOT_TIMEOUT)
    .saturating_add(SAVE_TIMEOUT)
    .saturating_add(Duration::from_secs(5));
/// After this time the link is reported as unknown.
const LINK_TIMEOUT: Duration = Duration::from_secs(3);

/// Performs an action through `control` and returns its outcome.
///
/// `sleep` returns a future that resolves after the given time.
pub async fn perform<
    M: RawMutex,
    F: Future<Output = ()>,
    const SLOTS: usize,
    const LISTENERS: usize,
>(
    control: &Control<M, SLOTS, LISTENERS>,
    action: Action,
    sleep: impl Fn(Duration) -> F,
) -> Outcome {
    let is_link_query = action == Action::QueryLink;
    let timeout = if is_link_query { LINK_TIMEOUT } else { CONTROL_TIMEOUT };
    let outcome = async {
        match action {
            Action::Start => Outcome::Started(control.start(REPLY_GRACE_DELAY).await),
            Action::StartWith(access_point) => {
                Outcome::Started(control.start_with(access_point, REPLY_GRACE_DELAY).await)
            }
            Action::Cancel => {
                control.cancel().await;
                Outcome::Cancelled
            }
            Action::Configure(settings) => {
                Outcome::Started(control.configure(settings, REPLY_GRACE_DELAY).await)
            }
            Action::Listen => Outcome::Listening,
            Action::QueryLink => Outcome::Link(control.link().await),
            Action::Scan => Outcome::Scanned(control.scan().await),
        }
    };
    match select(outcome, sleep(timeout)).await {
        Either::First(outcome) => outcome,
        Either::Second(()) if is_link_query => Outcome::Link(None),
        Either::Second(()) => Outcome::Busy,
    }
}

#[cfg(test)]
mod tests {
    use wps_core::{Cause, RequestError, ScanResults, one_of_each};

    use super::*;
    use crate::{BUFFER, Request, View, finish};

    #[test]
    fn each_outcome_has_its_response() {
        let request = Request::new("GET", "/");
        let outcomes = one_of_each! { Outcome:
            Outcome::Started(_) => Outcome::Started(Err(RequestError::Failed(Cause::Store))),
            Outcome::Cancelled => Outcome::Cancelled,
            Outcome::Listening => Outcome::Listening,
            Outcome::Link(_) => Outcome::Link(None),
            Outcome::Scanned(_) => Outcome::Scanned(Some(ScanResults::default())),
            Outcome::Busy => Outcome::Busy,
        };
        let responses = outcomes.map(|outcome| {
            let mut buffer = [0; BUFFER];
            let response = finish(&request, &View::default(), &outcome, &mut buffer);
            (response.status(), response.is_stream(), !response.body().is_empty())
        });
        let expected = [
            (503, false, true),
            (204, false, false),
            (200, true, false),
            (200, false, true),
            (200, false, true),
            (503, false, true),
        ];
        assert_eq!(responses, expected);
    }
}
