//! Futures that are dropped at a given moment.

use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use embassy_futures::select::{Either, select};

use super::TestBed;
use super::context::TestContext;
use super::report::Stop;
use crate::driver::{PairContext, PairEvent, SearchProgress, WifiDriver};
use crate::settings::Credentials;
use crate::time::Clock;
use crate::wsc::OverlapDetector;

impl<S: TestBed> TestContext<'_, S> {
    /// Begins to pair with `network`, and drops the future at the given poll. Tells at which poll it
    /// was over if that came first: none then means that it was dropped.
    ///
    /// `exchange`: polls are counted from the moment at which the driver reports the exchange.
    pub(super) async fn drop_pair(
        &mut self,
        network: &Credentials,
        polls: usize,
        exchange: bool,
    ) -> Result<(Option<usize>, bool), Stop> {
        self.test_bed.press(&network.ssid).await;
        let begun = Cell::new(false);
        let report = |news| {
            if let PairEvent::Progress(SearchProgress::Exchanging { .. }) = news {
                begun.set(true);
            }
        };
        let mut overlap_detector = OverlapDetector::new();
        let mut pair_context = PairContext::new(&mut overlap_detector, &report);
        let work = drop_at(self.driver.pair(&mut pair_context), polls, || !exchange || begun.get());
        let ended = within(&self.clock, self.limits.answer, work).await;
        let (polls, answer) = ended.flatten().unzip();
        if let Some(Ok(offer)) = answer {
            self.offered("pair", network, Some(Ok(offer)))?;
        }
        Ok((polls, begun.get()))
    }
}

/// Polls `work`; at the poll with this number, counted from 0 among those that `counts`, drops it.
/// The number of counted polls and the answer, if it ended before.
pub(super) async fn drop_at<F: Future>(
    work: F,
    last: usize,
    counts: impl Fn() -> bool,
) -> Option<(usize, F::Output)> {
    let mut work = pin!(work);
    let mut polls = 0;
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(Some((polls, answer))),
        Poll::Pending if counts() && polls == last => Poll::Ready(None),
        Poll::Pending => {
            polls += usize::from(counts());
            Poll::Pending
        }
    })
    .await
}

/// The answer, or none if it takes longer.
pub(super) async fn within<F: Future>(
    clock: &impl Clock,
    limit: Duration,
    work: F,
) -> Option<F::Output> {
    match select(work, clock.sleep_until(clock.now().after(limit))).await {
        Either::First(answer) => Some(answer),
        Either::Second(()) => None,
    }
}

/// Some of `cases`, evenly spread, at most `most`. The step is one more than a multiple of three, so
/// that of cases in rows of three every column has its turn.
pub(super) fn spread(cases: usize, most: usize) -> impl Iterator<Item = usize> {
    let step = cases.div_ceil(most.max(1)).max(1);
    (0..cases).step_by(step + (4 - step % 3) % 3)
}
