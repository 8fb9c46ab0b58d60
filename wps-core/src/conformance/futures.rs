//! Helpers that run a future with a timeout, or drop it at a given poll.

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
    /// Presses the button of `network`'s router, starts `pair`, and drops the future at the poll
    /// with the number `drop_at`.
    ///
    /// Returns the number of polls after which `pair` returned, or `None` if it was dropped or
    /// timed out. The second value is whether the driver reported the exchange.
    ///
    /// With `from_exchange`, polls are counted only once the driver has reported the exchange.
    pub(super) async fn drop_pair(
        &mut self,
        network: &Credentials,
        drop_at: usize,
        from_exchange: bool,
    ) -> Result<(Option<usize>, bool), Stop> {
        self.test_bed.press_button(&network.ssid).await;
        let exchanging = Cell::new(false);
        let on_event = |event| {
            if let PairEvent::Progress(SearchProgress::Exchanging { .. }) = event {
                exchanging.set(true);
            }
        };
        let mut overlap_detector = OverlapDetector::new();
        let mut pair_context = PairContext::new(&mut overlap_detector, &on_event);
        let pair = drop_at_poll(self.driver.pair(&mut pair_context), drop_at, || {
            !from_exchange || exchanging.get()
        });
        let finished = with_timeout(&self.clock, self.limits.response_timeout, pair).await;
        let (polls, result) = finished.flatten().unzip();
        if let Some(Ok(offer)) = result {
            self.expect_offer("pair", network, Some(Ok(offer)))?;
        }
        Ok((polls, exchanging.get()))
    }
}

/// Polls `future`, and drops it at the poll with the number `drop_at`. Polls are counted from 0,
/// and only while `counts` returns `true`.
///
/// Returns the number of counted polls and the result, or `None` if the future was dropped.
pub(super) async fn drop_at_poll<F: Future>(
    future: F,
    drop_at: usize,
    counts: impl Fn() -> bool,
) -> Option<(usize, F::Output)> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some((polls, result))),
        Poll::Pending if counts() && polls == drop_at => Poll::Ready(None),
        Poll::Pending => {
            polls += usize::from(counts());
            Poll::Pending
        }
    })
    .await
}

/// Returns the result of `future`, or `None` if it does not return within `timeout`.
pub(super) async fn with_timeout<F: Future>(
    clock: &impl Clock,
    timeout: Duration,
    future: F,
) -> Option<F::Output> {
    match select(future, clock.sleep_until(clock.now().after(timeout))).await {
        Either::First(result) => Some(result),
        Either::Second(()) => None,
    }
}

/// Returns at most `max` of the numbers from 0 to `cases`, evenly spread. The step is one more than
/// a multiple of three: for cases in rows of three, every column is reached.
pub(super) fn evenly_spread(cases: usize, max: usize) -> impl Iterator<Item = usize> {
    let step = cases.div_ceil(max.max(1)).max(1);
    (0..cases).step_by(step + (4 - step % 3) % 3)
}
