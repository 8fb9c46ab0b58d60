//! A client that reads one byte of its response every 4 s, within the limit for each write.

use std::convert::Infallible;
use std::time::Duration;

use picoserve::io::{BaseWrite, ErrorType, Read, Socket, Write};
use picoserve::mem::{BorrowedBuffer, BorrowedCursor};
use picoserve::{Timeouts, Timer};
use tokio::time::sleep;

pub struct SlowReader;
pub struct RequestReader(&'static [u8]);
pub struct SlowWriter;

impl ErrorType for RequestReader {
    type Error = Infallible;
}

impl Read for RequestReader {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        self.0.read(buffer).await
    }
}

impl ErrorType for SlowWriter {
    type Error = Infallible;
}

impl BaseWrite for SlowWriter {
    async fn write(&mut self, _: &[u8]) -> Result<usize, Infallible> {
        sleep(Duration::from_secs(4)).await;
        Ok(1)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Write for SlowWriter {
    async fn write_with<F: FnOnce(BorrowedCursor<'_>) -> R, R>(
        &mut self,
        fill: F,
    ) -> Result<R, Infallible> {
        Ok(fill(BorrowedBuffer::new(&mut [0; 100]).unfilled()))
    }
}

impl Socket<()> for SlowReader {
    type Error = Infallible;
    type ReadHalf<'a> = RequestReader;
    type WriteHalf<'a> = SlowWriter;

    fn split(&mut self) -> (RequestReader, SlowWriter) {
        (RequestReader(b"GET / HTTP/1.1\r\nHost: gadget\r\n\r\n"), SlowWriter)
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
