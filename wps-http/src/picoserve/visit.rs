//! One connection: its request, and the way to its answer.

use core::cell::Cell;
use core::time::Duration;

use ::picoserve::io::Read;
use ::picoserve::request::{Path, Request};
use ::picoserve::response::{IntoResponse, ResponseWriter};
use ::picoserve::routing::PathRouterService;
use ::picoserve::{ResponseSent, time};
use embassy_sync::blocking_mutex::raw::RawMutex;
use wps_core::Clock;

use super::Front;
use super::message::{described, send};
use crate::{Action, BUFFER, Done, Reply};

/// One connection.
pub(super) struct Visit<'f, 'a, M: RawMutex, C, const N: usize> {
    pub(super) front: &'f Front<'a, M, C, N>,
    pub(super) listens: Cell<bool>,
}

impl<M: RawMutex, C: Clock, const N: usize> PathRouterService for &Visit<'_, '_, M, C, N> {
    async fn call_path_router_service<R: Read, W: ResponseWriter<Error = R::Error>>(
        &self,
        _state: &(),
        _parameters: (),
        _path: Path<'_>,
        request: Request<'_, R>,
        writer: W,
    ) -> Result<ResponseSent, W::Error> {
        let Visit { front, listens } = self;
        let Request { parts, mut body_connection } = request;
        let mut buffer = [0; BUFFER];
        let mut listener = None;
        let response = match front.read(described(&parts), &parts, body_connection.body()).await {
            Err(unread) => unread.answer(&mut buffer),
            Ok(asked) => match front.consider(&asked, &mut buffer) {
                Reply::Done(response) => response,
                Reply::Do(Action::Listen) => {
                    listener = front.listen();
                    let done = if listener.is_some() { Done::Listening } else { Done::Busy };
                    front.finish(&asked, &done, &mut buffer)
                }
                Reply::Do(action) => {
                    let done = front.act(action).await;
                    front.finish(&asked, &done, &mut buffer)
                }
            },
        };
        if !response.pause().is_zero() {
            // Whoever guesses passwords has to wait.
            front.sleep(response.pause()).await;
        }
        let connection = body_connection.finalize().await?;
        match listener.filter(|_| response.is_stream()) {
            Some(listener) => {
                listens.set(true);
                let events = listener.events(&front.clock, &mut buffer);
                events.write_to(connection, writer).await
            }
            None => send(&response, connection, writer).await,
        }
    }
}

/// The clock, as picoserve wants it.
pub(super) struct Timer<'c, C>(pub(super) &'c C);

impl<Runtime, C: Clock> ::picoserve::Timer<Runtime> for Timer<'_, C> {
    fn delay(&self, time: time::Duration) -> impl Future<Output = ()> {
        self.0.sleep_until(self.0.now().after(Duration::from_millis(time.as_millis())))
    }
}
