//! A client that takes a byte of its answer in four seconds: within the time limit of each.

use std::convert::Infallible;
use std::time::Duration;

use picoserve::io::{BaseWrite, ErrorType, Read, Socket, Write};
use picoserve::mem::{BorrowedBuffer, BorrowedCursor};
use picoserve::{Timeouts, Timer};
use tokio::time::sleep;

pub struct Reluctant;
pub struct Asks(&'static [u8]);
pub struct Takes;

impl ErrorType for Asks {
    type Error = Infallible;
}

impl Read for Asks {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        self.0.read(buffer).await
    }
}

impl ErrorType for Takes {
    type Error = Infallible;
}

impl BaseWrite for Takes {
    async fn write(&mut self, _: &[u8]) -> Result<usize, Infallible> {
        sleep(Duration::from_secs(4)).await;
        Ok(1)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Write for Takes {
    async fn write_with<F: FnOnce(BorrowedCursor<'_>) -> R, R>(
        &mut self,
        fill: F,
    ) -> Result<R, Infallible> {
        Ok(fill(BorrowedBuffer::new(&mut [0; 100]).unfilled()))
    }
}

impl Socket<()> for Reluctant {
    type Error = Infallible;
    type ReadHalf<'a> = Asks;
    type WriteHalf<'a> = Takes;

    fn split(&mut self) -> (Asks, Takes) {
        (Asks(b"GET / HTTP/1.1\r\nHost: gadget\r\n\r\n"), Takes)
    }

    async fn abort<T: Timer<()>>(
        self,
        _: &Timeouts,
        _: &T,
    ) -> Result<(), picoserve::Error<Infallible>> {
        Ok(())
    }

    async fn shutdown<T: Timer<()>>(
        self,
        _: &Timeouts,
        _: &T,
    ) -> Result<(), picoserve::Error<Infallible>> {
        Ok(())
    }
}
