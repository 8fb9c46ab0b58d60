//! Accepts connections, and keeps slow and greedy clients in bounds.

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

/// How much clients may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections in all: each costs a socket and about 13 kB.
    pub connections: usize,
    /// Connections from one address, so that nobody can keep others out. A browser opens six; what
    /// comes through a reverse proxy has all one address.
    pub per_address: usize,
    /// The bytes of a request's header: [`serve`] takes no more than this.
    pub header_bytes: usize,
    /// The time for a request's header to arrive, and how long an idle connection is kept.
    pub header_time: Duration,
    /// How long a client may take no byte of its answer.
    pub write_time: Duration,
    /// How long answers under way may take to go out once [`serve`] has been told to stop.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            per_address: 32,
            header_bytes: 16 * 1024,
            header_time: Duration::from_secs(10),
            write_time: Duration::from_secs(10),
            farewell: Duration::from_secs(2),
        }
    }
}

/// After an error of `accept` that may last (no more file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` until `stop` resolves, then lets answers under way go out. Handlers find the
/// client's address in a [`ConnectInfo`]. A connection past the limits is closed at once.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let guests = Guests::default();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(limits.header_bytes);
    let accept = async {
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!(%error, "accept");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Some(seat) = guests.seat(peer.ip().to_canonical(), &limits) else {
                tracing::debug!(%peer, "too many connections");
                continue;
            };
            // Small answers: do not wait for more to come.
            let _ = stream.set_nodelay(true);
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(limits.write_time));
            let router = router.clone();
            let service = service_fn(move |mut request: ::hyper::Request<Incoming>| {
                request.extensions_mut().insert(ConnectInfo(peer));
                router.clone().oneshot(request)
            });
            let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), service);
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                let _seat = seat;
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
    // Nothing to do about an answer that does not get out in time.
    let _ = timeout(limits.farewell, graceful.shutdown()).await;
}

/// Who is connected, and how often.
#[derive(Clone, Default)]
struct Guests(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection, until dropped.
struct Seat {
    guests: Guests,
    address: IpAddr,
}

impl Guests {
    fn seat(&self, address: IpAddr, limits: &Limits) -> Option<Seat> {
        let mut guests = self.lock();
        let all: usize = guests.values().sum();
        let own = guests.get(&address).copied().unwrap_or(0);
        if all >= limits.connections || own >= limits.per_address {
            return None;
        }
        guests.insert(address, own + 1);
        Some(Seat { guests: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut guests = self.guests.lock();
        if let Some(count) = guests.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                guests.remove(&self.address);
            }
        }
    }
}
