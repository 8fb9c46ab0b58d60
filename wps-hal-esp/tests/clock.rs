//! The clock on embassy-time, whose time is moved by hand.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use embassy_time::{Duration, MockDriver};
use wps_core::{Clock, Instant};
use wps_hal_esp::EmbassyClock;

#[test]
fn it_tells_milliseconds_and_sleeps_until_the_moment() {
    let driver = MockDriver::get();
    driver.advance(Duration::from_micros(1_500_999));
    let clock = EmbassyClock;
    assert_eq!(clock.now(), Instant::from_millis(1_500));

    let mut context = Context::from_waker(Waker::noop());
    let mut passed = pin!(clock.sleep_until(Instant::from_millis(1_500)));
    // An embassy timer lets others have their turn first.
    let _ = passed.as_mut().poll(&mut context);
    assert!(passed.as_mut().poll(&mut context).is_ready(), "a moment that has passed");
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
