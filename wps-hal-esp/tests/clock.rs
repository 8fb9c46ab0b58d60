//! The clock on embassy-time, on a mock timer driver that the test advances.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use embassy_time::{Duration, MockDriver};
use wps_core::{Clock, Instant};
use wps_hal_esp::EmbassyClock;

#[test]
fn the_clock_counts_milliseconds_and_sleeps_until_the_given_time() {
    let driver = MockDriver::get();
    driver.advance(Duration::from_micros(1_500_999));
    let clock = EmbassyClock;
    assert_eq!(clock.now(), Instant::from_millis(1_500));

    let mut context = Context::from_waker(Waker::noop());
    let mut past = pin!(clock.sleep_until(Instant::from_millis(1_500)));
    // The first poll of an embassy timer is always pending, so that other tasks can run.
    let _ = past.as_mut().poll(&mut context);
    assert!(past.as_mut().poll(&mut context).is_ready(), "a time in the past");
    let mut sleep = pin!(clock.sleep_until(Instant::from_millis(2_000)));
    assert!(sleep.as_mut().poll(&mut context).is_pending());
    driver.advance(Duration::from_millis(499));
    assert_eq!(clock.now(), Instant::from_millis(1_999));
    assert!(sleep.as_mut().poll(&mut context).is_pending());
    driver.advance(Duration::from_millis(1));
    assert!(sleep.as_mut().poll(&mut context).is_ready());

    let mut never = pin!(clock.sleep_until(Instant::from_millis(u64::MAX)));
    assert!(never.as_mut().poll(&mut context).is_pending());
}
