//! The stream of events.

use core::cell::Cell;

use ::picoserve::io::Write;
use ::picoserve::response::custom::{CustomBody, CustomResponse};
use ::picoserve::response::{IntoResponse, StatusCode};
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::watch::Receiver;
use wps_core::{Clock, Control, Status};

use crate::{COMMENT, COUNT, HEART_BEAT, event};

/// How many more may listen.
pub(super) struct Places<M: RawMutex>(Mutex<M, Cell<usize>>);

/// Somebody who listens; the place is free again when dropped.
pub(super) struct Listener<'s, M: RawMutex, const N: usize> {
    news: Receiver<'s, M, Status, N>,
    _place: Place<'s, M>,
}

struct Place<'s, M: RawMutex>(&'s Places<M>);

impl<M: RawMutex> Drop for Place<'_, M> {
    fn drop(&mut self) {
        self.0.0.lock(|free| free.set(free.get() + 1));
    }
}

impl<M: RawMutex> Places<M> {
    pub(super) fn new(number: usize) -> Self {
        Self(Mutex::new(Cell::new(number)))
    }

    pub(super) fn listen<'s, const N: usize>(
        &'s self,
        control: &'s Control<M, N>,
    ) -> Option<Listener<'s, M, N>> {
        let left = |free: &Cell<usize>| free.get().checked_sub(1).map(|left| free.set(left));
        self.0.lock(left)?;
        let place = Place(self);
        Some(Listener { news: control.listen()?, _place: place })
    }
}

impl<'s, M: RawMutex, const N: usize> Listener<'s, M, N> {
    /// Events without end; the connection is closed when the reader leaves, or takes none.
    pub(super) fn events<C: Clock>(self, clock: &'s C, buffer: &'s mut [u8]) -> impl IntoResponse {
        let body = Events { listener: self, clock, buffer };
        CustomResponse::build(StatusCode::OK)
            .with_headers(("content-type", "text/event-stream"))
            .with_headers(crate::COMMON_HEADERS)
            .with_body(body)
    }
}

struct Events<'s, M: RawMutex, C, const N: usize> {
    listener: Listener<'s, M, N>,
    clock: &'s C,
    buffer: &'s mut [u8],
}

impl<M: RawMutex, C: Clock, const N: usize> CustomBody for Events<'_, M, C, N> {
    async fn write_response_body<W: Write>(self, mut writer: W) -> Result<(), W::Error> {
        let Self { listener: Listener { mut news, _place }, clock, buffer } = self;
        let mut is_new = true;
        loop {
            let status = news.try_get();
            let counting = status.as_ref().is_some_and(|status| status.deadline.is_some());
            if is_new || counting {
                writer.write_all(event(status.as_ref(), clock.now(), buffer)).await?;
            } else {
                writer.write_all(COMMENT).await?;
            }
            writer.flush().await?;
            let silence = if counting { COUNT } else { HEART_BEAT };
            let pause = clock.sleep_until(clock.now().after(silence));
            is_new = matches!(select(news.changed(), pause).await, Either::First(_));
        }
    }
}
