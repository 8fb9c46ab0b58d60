//! A button on a pin without interrupts.

use core::time::Duration;

use embedded_hal::digital::{ErrorType, InputPin, PinState};
use embedded_hal_async::digital::Wait;

use super::level_of;
use crate::time::Clock;

/// Adapts a pin that cannot be awaited, by reading it at regular intervals.
#[derive(Clone, Copy, Debug)]
pub struct Polled<P, C> {
    pin: P,
    clock: C,
    interval: Duration,
}

impl<P: InputPin, C: Clock> Polled<P, C> {
    /// Creates an adapter that reads `pin` once in each `interval`. For a button, 10 ms is enough.
    pub fn new(pin: P, clock: C, interval: Duration) -> Self {
        Self { pin, clock, interval }
    }

    async fn wait_for(&mut self, level: PinState) -> Result<(), P::Error> {
        while level_of(&mut self.pin)? != level {
            self.clock.sleep_until(self.clock.now().after(self.interval)).await;
        }
        Ok(())
    }
}

impl<P: ErrorType, C> ErrorType for Polled<P, C> {
    type Error = P::Error;
}

impl<P: InputPin, C> InputPin for Polled<P, C> {
    fn is_high(&mut self) -> Result<bool, P::Error> {
        self.pin.is_high()
    }

    fn is_low(&mut self) -> Result<bool, P::Error> {
        self.pin.is_low()
    }
}

impl<P: InputPin, C: Clock> Wait for Polled<P, C> {
    async fn wait_for_high(&mut self) -> Result<(), P::Error> {
        self.wait_for(PinState::High).await
    }

    async fn wait_for_low(&mut self) -> Result<(), P::Error> {
        self.wait_for(PinState::Low).await
    }

    async fn wait_for_rising_edge(&mut self) -> Result<(), P::Error> {
        self.wait_for(PinState::Low).await?;
        self.wait_for(PinState::High).await
    }

    async fn wait_for_falling_edge(&mut self) -> Result<(), P::Error> {
        self.wait_for(PinState::High).await?;
        self.wait_for(PinState::Low).await
    }

    async fn wait_for_any_edge(&mut self) -> Result<(), P::Error> {
        let level = level_of(&mut self.pin)?;
        self.wait_for(!level).await
    }
}
