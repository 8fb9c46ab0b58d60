//! The front for firmware: a picoserve service, without alloc.
//!
//! Each of [`SOCKETS`] tasks accepts a connection and hands it to [`Front::serve`], again and again.
//! With embassy-net (picoserve's feature `embassy`) the socket is its `TcpSocket`.
//!
//! ```
//! use embassy_sync::blocking_mutex::raw::NoopRawMutex;
//! use wps_core::{Clock, Control};
//! use wps_http::Site;
//! use wps_http::picoserve::{Config, Front, HTTP_BUFFER};
//!
//! # async fn accept() -> tokio::net::TcpStream { core::future::pending().await }
//! # async fn task(control: &Control<NoopRawMutex, 8>, clock: impl Clock) {
//! let site = Site { names: &["device"], ..Site::default() };
//! let front = Front::new(control, clock, Config { site, ..Config::default() }, None); // one for all tasks
//! let mut buffer = [0; HTTP_BUFFER];
//! loop {
//!     let socket = accept().await;
//!     // Whoever hangs up or is too slow has only harmed itself.
//!     let _ = front.serve(&mut buffer, socket).await;
//! }
//! # }
//! ```

mod config;
mod message;
mod stream;
mod visit;

use core::cell::{Cell, RefCell};
use core::time::Duration;

use ::picoserve::io::{ErrorKind, Read, Socket};
use ::picoserve::request::{ReadAllBodyError, RequestBody, RequestParts};
use ::picoserve::routing::Router;
use ::picoserve::{Server, time};
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use wps_core::{Clock, Control};

use crate::{
    Action, Done, Door, Reply, Request, Response, Unread, View, act, finish, guard, handle,
};

pub use config::{CONNECTION_TIME, Config, HTTP_BUFFER, LIMITS, SOCKETS};
use stream::{Listener, Places};
use visit::{Timer, Visit};

/// The API and the page, for any number of connections at a time.
///
/// The desk takes `N` who wait and `N` who listen: one for each socket, and those of the application.
pub struct Front<'a, M: RawMutex, C, const N: usize> {
    control: &'a Control<M, N>,
    clock: C,
    config: Config<'a>,
    door: Mutex<M, RefCell<Option<Door>>>,
    places: Places<M>,
}

impl<'a, M: RawMutex, C: Clock, const N: usize> Front<'a, M, C, N> {
    /// `clock` is that of the desk's runner. Without a `door` everybody on the network may call.
    pub fn new(
        control: &'a Control<M, N>,
        clock: C,
        config: Config<'a>,
        door: Option<Door>,
    ) -> Self {
        let places = Places::new(config.listeners);
        Self { control, clock, config, door: Mutex::new(RefCell::new(door)), places }
    }

    /// Serves one connection, within [`LIMITS`] and [`CONNECTION_TIME`].
    ///
    /// # Errors
    /// Of the socket, and time limits; the connection is closed.
    pub async fn serve<Runtime, S: Socket<Runtime>>(
        &self,
        buffer: &mut [u8],
        socket: S,
    ) -> Result<(), ::picoserve::Error<S::Error>> {
        let visit = Visit { front: self, listens: Cell::new(false) };
        let app = Router::from_service(&visit);
        let served = Server::custom(&app, Timer(&self.clock), &LIMITS, buffer).serve(socket);
        let limit = async {
            self.sleep(CONNECTION_TIME).await;
            if visit.listens.get() {
                core::future::pending().await
            }
        };
        match select(served, limit).await {
            Either::First(served) => served.map(|_| ()),
            Either::Second(()) => Err(::picoserve::Error::WriteTimeout(time::TimeoutError)),
        }
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> {
        self.clock.sleep_until(self.clock.now().after(time))
    }

    /// Adds the body.
    async fn read<'r, R: Read>(
        &self,
        asked: Request<'r>,
        parts: &RequestParts<'_>,
        body: RequestBody<'r, R>,
    ) -> Result<Request<'r>, Unread> {
        if asked.is_body_too_large() || guard(&asked, &self.config.site).is_err() {
            return Ok(asked);
        }
        if parts.headers().get("transfer-encoding").is_some() {
            return Err(Unread::Chunked);
        }
        match body.read_all().await {
            Ok(body) => Ok(asked.with_body(body)),
            Err(ReadAllBodyError::BufferIsTooSmall { .. }) => Ok(asked.with_body_too_large()),
            Err(ReadAllBodyError::IO(ErrorKind::TimedOut)) => Err(Unread::TooSlow),
            Err(ReadAllBodyError::IO(_) | ReadAllBodyError::UnexpectedEof) => Err(Unread::Broken),
        }
    }

    fn consider<'b>(&self, asked: &Request<'_>, buffer: &'b mut [u8]) -> Reply<'b> {
        let now = self.clock.now();
        let access = self.door.lock(|door| match &mut *door.borrow_mut() {
            Some(door) => door.judge(asked, now),
            None => Ok(()),
        });
        let (status, settings) = (self.control.status(), self.control.settings());
        let (status, settings) = (status.as_ref(), settings.as_ref());
        handle(asked, &View { access, status, settings, ..self.view() }, buffer)
    }

    /// Not a future of its own: what a scan finds is large, and each future would keep room for it.
    fn act(&self, action: Action) -> impl Future<Output = Done> {
        act(self.control, action, |time| self.sleep(time))
    }

    fn listen(&self) -> Option<Listener<'_, M, N>> {
        self.places.listen(self.control)
    }

    fn finish<'b>(&self, asked: &Request<'_>, done: &Done, buffer: &'b mut [u8]) -> Response<'b> {
        let (status, addresses) = (self.control.status(), (self.config.addresses)());
        let view = View { status: status.as_ref(), addresses, ..self.view() };
        finish(asked, &view, done.outcome(), buffer)
    }

    fn view(&self) -> View<'_> {
        let Config { site, device, has_platform, .. } = self.config;
        View { site, device, has_platform, now: self.clock.now(), ..View::default() }
    }
}
