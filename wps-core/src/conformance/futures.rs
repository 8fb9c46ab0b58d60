//! Helpers that run a future with a timeout, drop it at a given poll, or observe the radio
//! meanwhile.

use core::cell::Cell;
use core::future::{Future, pending, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use embassy_futures::select::{Either, select};

use super::context::{POLL_INTERVAL, TestContext, expect_offer, log_error};
use super::report::{Failure, Finding, Stop};
use super::{ObservedState, TestBed};
use crate::driver::{DriverError, PairContext, PairEvent, SearchProgress, WifiDriver};
use crate::settings::Credentials;
use crate::time::{Clock, Instant};
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
        self.begin_task().await?;
        self.begin("pair");
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
            expect_offer("pair", network, Ok(offer))?;
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

/// Runs a method of the driver. Returns what was found instead of a success if it fails, or does
/// not return within `timeout`.
pub(super) async fn timed<T, E: DriverError>(
    clock: &impl Clock,
    timeout: Duration,
    method: impl Future<Output = Result<T, E>>,
) -> Result<T, Finding> {
    match with_timeout(clock, timeout, method).await {
        Some(result) => result.map_err(|error| Finding::Error(log_error(error))),
        None => Err(Finding::Pending(timeout)),
    }
}

/// Observes the radio until `stop_at` accepts its state, and returns that state. Returns `None` at
/// `end`.
pub(super) async fn observe_until<S: TestBed>(
    test_bed: &mut S,
    clock: &S::Clock,
    end: Instant,
    stop_at: impl Fn(&ObservedState) -> bool,
) -> Option<ObservedState> {
    while clock.now() < end {
        match test_bed.observe().await {
            Ok(state) if stop_at(&state) => return Some(state),
            Ok(_) | Err(_) => {}
        }
        clock.sleep_until(clock.now().after(POLL_INTERVAL).min(end)).await;
    }
    None
}

/// Runs `work` while the test bed observes the radio. Fails if the radio is observed in another
/// state than `wanted`.
pub(super) async fn while_in_state<S: TestBed, F: Future>(
    test_bed: &mut S,
    clock: &S::Clock,
    step: &'static str,
    wanted: &ObservedState,
    work: F,
) -> Result<F::Output, Stop> {
    let never = Instant::from_millis(u64::MAX);
    let observe = async {
        match observe_until(test_bed, clock, never, |state| state != wanted).await {
            Some(state) => state,
            None => pending().await,
        }
    };
    // The observation comes first: `work` may be done at its first poll.
    match select(observe, work).await {
        Either::First(state) => Err(Failure::observed(step, wanted, state).into()),
        Either::Second(result) => Ok(result),
    }
}

/// Returns at most `max` of the numbers from 0 to `cases`, evenly spread. The step is one more than
/// a multiple of `columns`: for cases in rows of so many, every column is reached.
pub(super) fn evenly_spread(
    cases: usize,
    max: usize,
    columns: usize,
) -> impl Iterator<Item = usize> {
    let step = cases.div_ceil(max.max(1)).max(1);
    (0..cases).step_by(step + (columns + 1 - step % columns) % columns)
}
