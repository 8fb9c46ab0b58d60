//! The system bus, D-Bus. A bus or a program that does not answer must not stop this one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use zbus::connection::Builder;
use zbus::{Connection, Error};

/// The longest wait for the bus, and for the reply to each call.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Connects to the system bus.
pub(crate) async fn connect() -> zbus::Result<Connection> {
    let connecting = Builder::system().method_timeout(TIMEOUT).build();
    // Without this limit, a bus that accepts a connection and never answers would hold it for ever.
    tokio::time::timeout(TIMEOUT, connecting).await.unwrap_or_else(|_| {
        Err(Error::InputOutput(Arc::new(io::Error::new(io::ErrorKind::TimedOut, "no answer"))))
    })
}

/// Returns whether there is no system bus, so that no program can be on it.
pub(crate) fn is_absent(error: &Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, NotFound};
    match error {
        Error::InputOutput(error) => matches!(error.kind(), NotFound | ConnectionRefused),
        _ => false,
    }
}
