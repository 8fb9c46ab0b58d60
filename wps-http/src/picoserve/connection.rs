//! Handles a connection: reads its request and sends the response.

use core::cell::Cell;
use core::net::IpAddr;
use core::time::Duration;

use ::picoserve::io::Read;
use ::picoserve::request::{Path, Request};
use ::picoserve::response::{IntoResponse, ResponseWriter};
use ::picoserve::routing::PathRouterService;
use ::picoserve::{ResponseSent, time};
use embassy_sync::blocking_mutex::raw::RawMutex;
use wps_core::Clock;

use super::Server;
use super::message::{send, to_request};
use crate::{Action, BUFFER, Outcome, Reply};

/// The picoserve service of one connection.
pub(super) struct ConnectionHandler<
    'f,
    'a,
    M: RawMutex,
    C,
    const SLOTS: usize,
    const LISTENERS: usize,
> {
    pub(super) server: &'f Server<'a, M, C, SLOTS, LISTENERS>,
    /// The client's address.
    pub(super) address: Option<IpAddr>,
    /// Set once the connection sends events, which have no time limit.
    pub(super) is_streaming: Cell<bool>,
}

impl<M: RawMutex, C: Clock, const SLOTS: usize, const LISTENERS: usize> PathRouterService
    for &ConnectionHandler<'_, '_, M, C, SLOTS, LISTENERS>
{
    async fn call_path_router_service<R: Read, W: ResponseWriter<Error = R::Error>>(
        &self,
        _state: &(),
        _parameters: (),
        _path: Path<'_>,
        request: Request<'_, R>,
        writer: W,
    ) -> Result<ResponseSent, W::Error> {
        let ConnectionHandler { server, address, is_streaming } = self;
        let Request { parts, mut body_connection } = request;
        let mut buffer = [0; BUFFER];
        let mut listener = None;
        let request = to_request(&parts).address(*address);
        let response = match server.read_body(request, &parts, body_connection.body()).await {
            Err(error) => error.response(&mut buffer),
            Ok(request) => match server.handle(&request, &mut buffer) {
                Reply::Response(response) => response,
                Reply::Action(Action::Listen) => {
                    listener = server.listen();
                    let is_allowed = listener.is_some();
                    let outcome = if is_allowed { Outcome::Listening } else { Outcome::Busy };
                    server.finish(&request, &outcome, &mut buffer)
                }
                Reply::Action(action) => {
                    let outcome = server.perform(action).await;
                    server.finish(&request, &outcome, &mut buffer)
                }
            },
        };
        let connection = body_connection.finalize().await?;
        match listener.filter(|_| response.is_stream()) {
            Some(listener) => {
                is_streaming.set(true);
                let events = listener.events(&server.clock, server.config.addresses, &mut buffer);
                events.write_to(connection, writer).await
            }
            None => send(&response, connection, writer).await,
        }
    }
}

/// Implements picoserve's timer with a [`Clock`].
pub(super) struct Timer<'c, C>(pub(super) &'c C);

impl<Runtime, C: Clock> ::picoserve::Timer<Runtime> for Timer<'_, C> {
    fn delay(&self, time: time::Duration) -> impl Future<Output = ()> {
        self.0.sleep_until(self.0.now().after(Duration::from_millis(time.as_millis())))
    }
}
