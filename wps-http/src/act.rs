//! What a request asks of the machine, within time limits that are the same for every front.

use core::time::Duration;

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;
use wps_core::driver::Link;
use wps_core::{Control, RequestError, ScanResults};

use crate::{Action, Outcome, PARTING};

/// Past the machine's own limits for what an answer waits for (5 s to note, 10 s to save).
pub(crate) const DESK_TIME: Duration = Duration::from_secs(20);
/// A link that is not told within this time is not known.
const LOOK_TIME: Duration = Duration::from_secs(3);

/// What an [`Action`] brought.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
pub enum Done {
    /// [`Action::Start`] and [`Action::Configure`].
    Started(Result<(), RequestError>),
    /// [`Action::Cancel`].
    Cancelled,
    /// [`Action::Listen`]: up to the front.
    Listening,
    /// [`Action::Look`].
    Looked(Option<Link>),
    /// [`Action::Scan`].
    Scanned(Option<ScanResults>),
    /// Any: the machine did not answer in time, or too many wait for it.
    Busy,
}

impl Done {
    /// What [`finish`](crate::finish) makes an answer of.
    pub fn outcome(&self) -> Outcome<'_> {
        match self {
            Self::Started(result) => Outcome::Started(*result),
            Self::Cancelled => Outcome::Cancelled,
            Self::Listening => Outcome::Listening,
            Self::Looked(link) => Outcome::Looked(link.as_ref()),
            Self::Scanned(found) => Outcome::Scanned(found.as_ref()),
            Self::Busy => Outcome::Busy,
        }
    }
}

/// Does an action at the desk. `sleep` resolves after the time it is given.
pub async fn act<M: RawMutex, F: Future<Output = ()>, const N: usize>(
    control: &Control<M, N>,
    action: Action,
    sleep: impl Fn(Duration) -> F,
) -> Done {
    let looks = action == Action::Look;
    let limit = if looks { LOOK_TIME } else { DESK_TIME };
    let done = async {
        match action {
            Action::Start => Done::Started(control.start(PARTING).await),
            Action::Cancel => {
                control.cancel().await;
                Done::Cancelled
            }
            Action::Configure(settings) => {
                Done::Started(control.configure(settings, PARTING).await)
            }
            Action::Listen => Done::Listening,
            Action::Look => Done::Looked(control.link().await),
            Action::Scan => Done::Scanned(control.scan().await),
        }
    };
    match select(done, sleep(limit)).await {
        Either::First(done) => done,
        Either::Second(()) if looks => Done::Looked(None),
        Either::Second(()) => Done::Busy,
    }
}
