//! The system bus, D-Bus. A bus or a program that does not answer must not stop this one.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use zbus::connection::Builder;
use zbus::{Connection, Error, OwnedVariant};

/// The longest wait for the bus, and for the reply to each call.
const REPLY_TIMEOUT: Duration = Duration::from_secs(2);
/// The path that stands for no object.
pub(crate) const NO_OBJECT: &str = "/";

/// The properties of an object, by name.
pub(crate) type Properties = HashMap<String, OwnedVariant>;

/// Returns the value of a property. Returns `None` if it is missing, or of another type.
pub(crate) fn value<T: TryFrom<OwnedVariant>>(properties: &Properties, name: &str) -> Option<T> {
    T::try_from(properties.get(name)?.try_clone().ok()?).ok()
}

/// Returns the end of the error's name, such as `UnknownDevice`, if a program has refused a
/// request.
pub(crate) fn refusal(error: &Error) -> Option<&str> {
    match error {
        Error::MethodError(name, ..) => name.as_str().rsplit('.').next(),
        _ => None,
    }
}

/// Connects to the system bus.
pub(crate) async fn connect() -> zbus::Result<Connection> {
    connect_to(Builder::system()).await
}

async fn connect_to(bus: Builder<'_>) -> zbus::Result<Connection> {
    let connecting = bus.method_timeout(REPLY_TIMEOUT).build();
    // Without this limit, a bus that accepts a connection and never answers would hold it for ever.
    tokio::time::timeout(REPLY_TIMEOUT, connecting).await.unwrap_or_else(|_| {
        Err(Error::InputOutput(Arc::new(io::Error::new(io::ErrorKind::TimedOut, "no answer"))))
    })
}

/// Returns whether there is no system bus, so that no program can be on it.
pub(crate) fn is_absent(error: &Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, NotFound};
    match error {
        Error::Connection(error, _) => matches!(error.kind(), NotFound | ConnectionRefused),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use super::*;

    async fn error_of(path: &Path) -> Error {
        let address = format!("unix:path={}", path.display());
        let bus = Builder::address(&*address);
        connect_to(bus).await.expect_err("no bus")
    }

    #[tokio::test(start_paused = true)]
    async fn a_bus_that_is_absent_differs_from_one_that_is_silent() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bus");
        assert!(is_absent(&error_of(&path).await), "there is no socket");
        let listener = UnixListener::bind(&path).expect("a socket");
        assert!(!is_absent(&error_of(&path).await), "it accepts, and never answers");
        drop(listener);
        assert!(is_absent(&error_of(&path).await), "no process has the socket open");
    }
}
