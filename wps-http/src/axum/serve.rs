//! Accepts connections, within the limits for slow and greedy clients.

use core::future::Future;
use core::net::IpAddr;
use core::time::Duration;
use std::boxed::Box;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::axum::Router;
use ::axum::extract::ConnectInfo;
use ::hyper::body::Incoming;
use ::hyper::server::conn::http1;
use ::hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use super::limits::Limits;

/// The delay after an error of `accept`, which may persist (no more file descriptors).
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Serves `router` until `stop` resolves, then waits until pending responses are sent.
///
/// Handlers find the client's address in a [`ConnectInfo`]. A connection that exceeds the limits is
/// closed at once. Bytes that are not HTTP, and headers that are too long, get a 4xx from hyper
/// itself, without a body, and the connection is closed.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let limiter = ConnectionLimiter::default();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.header_bytes);
    let accept = async {
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!(%error, "accept");
                    sleep(ACCEPT_RETRY_DELAY).await;
                    continue;
                }
            };
            let Some(permit) = limiter.try_acquire(peer.ip().to_canonical(), &limits) else {
                tracing::debug!(%peer, "too many connections");
                continue;
            };
            // Responses are small: send them without waiting for more data.
            let _ = stream.set_nodelay(true);
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(limits.write_timeout));
            let router = router.clone();
            let service = service_fn(move |mut request: ::hyper::Request<Incoming>| {
                request.extensions_mut().insert(ConnectInfo(peer));
                router.clone().oneshot(request)
            });
            let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), service);
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                let _permit = permit;
                if let Err(error) = connection.await {
                    tracing::debug!(%peer, %error, "connection");
                }
            });
        }
    };
    tokio::select! {
        never = accept => never,
        () = stop => {}
    }
    drop(listener);
    // A response that is not sent in time is dropped.
    let _ = timeout(limits.shutdown_timeout, graceful.shutdown()).await;
}

/// Counts the open connections of each address.
#[derive(Clone, Default)]
struct ConnectionLimiter(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// Counts as one connection until it is dropped.
struct ConnectionPermit {
    limiter: ConnectionLimiter,
    address: IpAddr,
}

impl ConnectionLimiter {
    /// Adds a connection from `address`. Returns `None` if that would exceed the limits.
    fn try_acquire(&self, address: IpAddr, limits: &Limits) -> Option<ConnectionPermit> {
        let mut connections = self.lock();
        let total: usize = connections.values().sum();
        let from_address = connections.get(&address).copied().unwrap_or(0);
        if total >= limits.connections || from_address >= limits.per_address {
            return None;
        }
        connections.insert(address, from_address + 1);
        Some(ConnectionPermit { limiter: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut connections = self.limiter.lock();
        if let Some(count) = connections.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.address);
            }
        }
    }
}
