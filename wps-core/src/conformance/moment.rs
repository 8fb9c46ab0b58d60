//! Futures that are dropped at a given moment.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use embassy_futures::select::{Either, select};

use crate::time::Clock;

/// Polls `work`; at the poll with this number, counted from 0 among those that `counts`, drops it.
/// The number of counted polls if it ended before.
pub(super) async fn drop_at<F: Future>(
    work: F,
    last: usize,
    counts: impl Fn() -> bool,
) -> Option<usize> {
    let mut work = pin!(work);
    let mut polls = 0;
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(Some(polls)),
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
