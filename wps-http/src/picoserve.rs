//! The adapter for firmware: a server built on picoserve, without an allocator.
//!
//! Spawn [`SOCKETS`] tasks. Each accepts a connection, passes it to [`Server::serve`], and starts
//! over. With embassy-net (picoserve's feature `embassy`) the socket is a `TcpSocket`.
//!
//! ```
//! use wps_core::embassy_sync::blocking_mutex::raw::NoopRawMutex;
//! use wps_core::{Clock, Control};
//! use wps_http::AllowedHosts;
//! use wps_http::picoserve::{Config, HTTP_BUFFER, Server};
//!
//! # use core::net::SocketAddr;
//! # async fn accept() -> (tokio::net::TcpStream, SocketAddr) { core::future::pending().await }
//! # async fn task(control: &Control<NoopRawMutex, 8, 8>, clock: impl Clock) {
//! let allowed_hosts = AllowedHosts { names: &["device"], ..AllowedHosts::default() };
//! let config = Config { allowed_hosts, ..Config::default() };
//! let server = Server::new(control, clock, config, None); // one for all tasks
//! let mut buffer = [0; HTTP_BUFFER];
//! loop {
//!     let (socket, peer) = accept().await;
//!     // An error only affects the client that disconnected or was too slow.
//!     let _ = server.serve(&mut buffer, socket, Some(peer.ip())).await;
//! }
//! # }
//! ```

mod config;
mod connection;
mod message;
mod stream;

use core::cell::{Cell, RefCell};
use core::net::IpAddr;
use core::time::Duration;

use ::picoserve::io::{ErrorKind, Read, Socket};
use ::picoserve::request::{ReadAllBodyError, RequestBody, RequestParts};
use ::picoserve::routing::Router;
use ::picoserve::time;
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use wps_core::{Clock, Control};

use crate::{
    Action, BodyError, DigestAuth, Outcome, Reply, Request, Response, View, check_origin, finish,
    handle, perform,
};

pub use config::{CONNECTION_TIMEOUT, Config, HTTP_BUFFER, SERVER_CONFIG, SOCKETS};
use connection::{ConnectionHandler, Timer};
use stream::{Listener, ListenerSlots};

/// Serves the API and the page on any number of connections at a time.
///
/// [`Control`] limits the waiting requests and the listeners. Allow one of each for every socket,
/// plus those of the application.
pub struct Server<'a, M: RawMutex, C, const SLOTS: usize = 4, const LISTENERS: usize = 4> {
    control: &'a Control<M, SLOTS, LISTENERS>,
    clock: C,
    config: Config<'a>,
    auth: Mutex<M, RefCell<Option<DigestAuth>>>,
    listener_slots: ListenerSlots<M>,
}

impl<'a, M: RawMutex, C: Clock, const SLOTS: usize, const LISTENERS: usize>
    Server<'a, M, C, SLOTS, LISTENERS>
{
    /// Creates a server. `clock` is the clock of the runner. Without `auth`, everyone on the
    /// network can use the API.
    pub fn new(
        control: &'a Control<M, SLOTS, LISTENERS>,
        clock: C,
        config: Config<'a>,
        auth: Option<DigestAuth>,
    ) -> Self {
        let listener_slots = ListenerSlots::new(config.listeners);
        Self { control, clock, config, auth: Mutex::new(RefCell::new(auth)), listener_slots }
    }

    /// Serves one connection, within [`SERVER_CONFIG`] and [`CONNECTION_TIMEOUT`].
    ///
    /// `address` is the client's address, which an embassy-net socket returns as `remote_endpoint`.
    /// Wrong passwords are counted for it. All clients without an address count as one, and one
    /// that guesses keeps the others from logging in. Without a password it is not needed.
    ///
    /// # Errors
    /// The socket failed or a timeout expired. The connection is closed.
    pub async fn serve<Runtime, S: Socket<Runtime>>(
        &self,
        buffer: &mut [u8],
        socket: S,
        address: Option<IpAddr>,
    ) -> Result<(), ::picoserve::Error<S::Error>> {
        let handler = ConnectionHandler { server: self, address, is_streaming: Cell::new(false) };
        let app = Router::from_service(&handler);
        let timer = Timer(&self.clock);
        let served = ::picoserve::Server::custom(&app, timer, &SERVER_CONFIG, buffer).serve(socket);
        let timeout = async {
            self.sleep(CONNECTION_TIMEOUT).await;
            if handler.is_streaming.get() {
                core::future::pending().await
            }
        };
        match select(served, timeout).await {
            Either::First(served) => served.map(|_| ()),
            Either::Second(()) => Err(::picoserve::Error::WriteTimeout(time::TimeoutError)),
        }
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> {
        self.clock.sleep_until(self.clock.now().after(time))
    }

    /// Reads the body and adds it to the request.
    async fn read_body<'r, R: Read>(
        &self,
        request: Request<'r>,
        parts: &RequestParts<'_>,
        body: RequestBody<'r, R>,
    ) -> Result<Request<'r>, BodyError> {
        if request.is_body_too_large()
            || check_origin(&request, &self.config.allowed_hosts).is_err()
        {
            return Ok(request);
        }
        if parts.headers().get("transfer-encoding").is_some() {
            return Err(BodyError::Chunked);
        }
        match body.read_all().await {
            Ok(body) => Ok(request.with_body(body)),
            Err(ReadAllBodyError::BufferIsTooSmall { .. }) => Ok(request.with_body_too_large()),
            Err(ReadAllBodyError::IO(ErrorKind::TimedOut)) => Err(BodyError::TooSlow),
            Err(ReadAllBodyError::IO(_) | ReadAllBodyError::UnexpectedEof) => {
                Err(BodyError::Broken)
            }
        }
    }

    fn handle<'b>(&self, request: &Request<'_>, buffer: &'b mut [u8]) -> Reply<'b> {
        let now = self.clock.now();
        let (access, wrong_passwords) = self.auth.lock(|auth| match &mut *auth.borrow_mut() {
            Some(auth) => (auth.authenticate(request, now), auth.take_wrong_passwords(now)),
            None => (Ok(()), None),
        });
        if let Some(wrong_passwords) = wrong_passwords {
            (self.config.log_wrong_passwords)(wrong_passwords);
        }
        let (status, settings) = (self.control.status(), self.control.settings());
        let (status, settings) = (status.as_ref(), settings.as_ref());
        handle(request, &View { access, status, settings, ..self.view() }, buffer)
    }

    /// Performs an action. Not an `async fn`: scan results are large, and each additional future
    /// would reserve memory for them.
    fn perform(&self, action: Action) -> impl Future<Output = Outcome> {
        perform(self.control, action, |time| self.sleep(time))
    }

    fn listen(&self) -> Option<Listener<'_, M, LISTENERS>> {
        self.listener_slots.listen(self.control)
    }

    fn finish<'b>(
        &self,
        request: &Request<'_>,
        outcome: &Outcome,
        buffer: &'b mut [u8],
    ) -> Response<'b> {
        let (status, settings) = (self.control.status(), self.control.settings());
        let (status, settings) = (status.as_ref(), settings.as_ref());
        let view = View { status, settings, ..self.view() };
        finish(request, &view, outcome, buffer)
    }

    fn view(&self) -> View<'_> {
        let Config { allowed_hosts, device, has_platform, addresses, .. } = self.config;
        let (now, addresses) = (self.clock.now(), addresses());
        View { allowed_hosts, device, has_platform, now, addresses, ..View::default() }
    }
}
