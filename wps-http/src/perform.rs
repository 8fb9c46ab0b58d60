//! Performs the actions that requests need, within time limits that are the same for every adapter.

use core::time::Duration;

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;
use wps_core::driver::Link;
use wps_core::{Control, RequestError, ScanResults};

use crate::{Action, Outcome, REPLY_GRACE_DELAY};

/// Longer than the machine takes to reply: it limits the snapshot to 5 s and saving to 10 s.
pub(crate) const CONTROL_TIMEOUT: Duration = Duration::from_secs(20);
/// After this time the link is reported as unknown.
const LINK_TIMEOUT: Duration = Duration::from_secs(3);

/// The outcome of an [`Action`], with owned data.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
#[non_exhaustive]
pub enum OwnedOutcome {
    /// The outcome of [`Action::Start`] and [`Action::Configure`].
    Started(Result<(), RequestError>),
    /// The outcome of [`Action::Cancel`].
    Cancelled,
    /// The outcome of [`Action::Listen`]: the adapter sends the events.
    Listening,
    /// The outcome of [`Action::QueryLink`].
    Link(Option<Link>),
    /// The outcome of [`Action::Scan`].
    Scanned(Option<ScanResults>),
    /// The outcome of any action if the machine did not reply in time or too many requests wait.
    Busy,
}

impl OwnedOutcome {
    /// Borrows the outcome, for [`finish`](crate::finish).
    pub fn as_outcome(&self) -> Outcome<'_> {
        match self {
            Self::Started(result) => Outcome::Started(*result),
            Self::Cancelled => Outcome::Cancelled,
            Self::Listening => Outcome::Listening,
            Self::Link(link) => Outcome::Link(link.as_ref()),
            Self::Scanned(results) => Outcome::Scanned(results.as_ref()),
            Self::Busy => Outcome::Busy,
        }
    }
}

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
) -> OwnedOutcome {
    let is_link_query = action == Action::QueryLink;
    let timeout = if is_link_query { LINK_TIMEOUT } else { CONTROL_TIMEOUT };
    let outcome = async {
        match action {
            Action::Start => OwnedOutcome::Started(control.start(REPLY_GRACE_DELAY).await),
            Action::Cancel => {
                control.cancel().await;
                OwnedOutcome::Cancelled
            }
            Action::Configure(settings) => {
                OwnedOutcome::Started(control.configure(settings, REPLY_GRACE_DELAY).await)
            }
            Action::Listen => OwnedOutcome::Listening,
            Action::QueryLink => OwnedOutcome::Link(control.link().await),
            Action::Scan => OwnedOutcome::Scanned(control.scan().await),
        }
    };
    match select(outcome, sleep(timeout)).await {
        Either::First(outcome) => outcome,
        Either::Second(()) if is_link_query => OwnedOutcome::Link(None),
        Either::Second(()) => OwnedOutcome::Busy,
    }
}

#[cfg(test)]
mod tests {
    use wps_core::{Cause, one_of_each};

    use super::*;
    use crate::{BUFFER, Request, View, finish};

    #[test]
    fn each_outcome_has_its_response() {
        let request = Request::new("GET", "/");
        let outcomes = one_of_each! { OwnedOutcome:
            OwnedOutcome::Started(_) => OwnedOutcome::Started(Err(RequestError::Failed(Cause::Store))),
            OwnedOutcome::Cancelled => OwnedOutcome::Cancelled,
            OwnedOutcome::Listening => OwnedOutcome::Listening,
            OwnedOutcome::Link(_) => OwnedOutcome::Link(None),
            OwnedOutcome::Scanned(_) => OwnedOutcome::Scanned(Some(ScanResults::default())),
            OwnedOutcome::Busy => OwnedOutcome::Busy,
        };
        let responses = outcomes.map(|outcome| {
            let mut buffer = [0; BUFFER];
            let response = finish(&request, &View::default(), outcome.as_outcome(), &mut buffer);
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
