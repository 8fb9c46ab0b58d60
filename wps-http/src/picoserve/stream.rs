//! The event stream.

use core::cell::Cell;

use ::picoserve::io::Write;
use ::picoserve::response::custom::{CustomBody, CustomResponse};
use ::picoserve::response::{IntoResponse, StatusCode};
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use wps_core::{Clock, Control, StatusListener};

use crate::{
    Addresses, EVENT_INTERVAL, HEARTBEAT_INTERVAL, SSE_COMMENT, View, event, needs_events,
};

/// The number of free listener slots.
pub(super) struct ListenerSlots<M: RawMutex>(Mutex<M, Cell<usize>>);

/// A client that listens to events. Its slot is freed when it is dropped.
pub(super) struct Listener<'s, M: RawMutex, const LISTENERS: usize> {
    status: StatusListener<'s, M, LISTENERS>,
    _slot: ListenerSlot<'s, M>,
}

struct ListenerSlot<'s, M: RawMutex>(&'s ListenerSlots<M>);

impl<M: RawMutex> Drop for ListenerSlot<'_, M> {
    fn drop(&mut self) {
        self.0.0.lock(|free| free.set(free.get() + 1));
    }
}

impl<M: RawMutex> ListenerSlots<M> {
    pub(super) fn new(number: usize) -> Self {
        Self(Mutex::new(Cell::new(number)))
    }

    /// Takes a slot. Returns `None` if none is free, or `control` has too many listeners.
    pub(super) fn listen<'s, const SLOTS: usize, const LISTENERS: usize>(
        &'s self,
        control: &'s Control<M, SLOTS, LISTENERS>,
    ) -> Option<Listener<'s, M, LISTENERS>> {
        let take = |free: &Cell<usize>| free.get().checked_sub(1).map(|left| free.set(left));
        self.0.lock(take)?;
        let slot = ListenerSlot(self);
        Some(Listener { status: control.listen()?, _slot: slot })
    }
}

impl<'s, M: RawMutex, const LISTENERS: usize> Listener<'s, M, LISTENERS> {
    /// Returns a response that sends events until the client disconnects or stops reading.
    pub(super) fn events<C: Clock>(
        self,
        clock: &'s C,
        addresses: fn() -> Option<Addresses>,
        buffer: &'s mut [u8],
    ) -> impl IntoResponse {
        let body = Events { listener: self, clock, addresses, buffer };
        CustomResponse::build(StatusCode::OK)
            .with_headers(("content-type", "text/event-stream"))
            .with_headers(crate::COMMON_HEADERS)
            .with_body(body)
    }
}

struct Events<'s, M: RawMutex, C, const LISTENERS: usize> {
    listener: Listener<'s, M, LISTENERS>,
    clock: &'s C,
    addresses: fn() -> Option<Addresses>,
    buffer: &'s mut [u8],
}

impl<M: RawMutex, C: Clock, const LISTENERS: usize> CustomBody for Events<'_, M, C, LISTENERS> {
    async fn write_response_body<W: Write>(self, mut writer: W) -> Result<(), W::Error> {
        let Self { listener, clock, addresses, buffer } = self;
        let Listener { status: mut status_listener, _slot } = listener;
        let mut is_due = true;
        loop {
            // Not kept during a wait, where each connection would reserve memory for it.
            let (needs_events, next) = {
                let status = status_listener.try_get();
                let (status, addresses) = (status.as_ref(), addresses());
                let view = View { now: clock.now(), status, addresses, ..View::default() };
                let needs_events = needs_events(&view);
                let is_due = is_due || needs_events;
                (needs_events, if is_due { event(&view, buffer) } else { SSE_COMMENT })
            };
            writer.write_all(next).await?;
            writer.flush().await?;
            let interval = if needs_events { EVENT_INTERVAL } else { HEARTBEAT_INTERVAL };
            let sleep = clock.sleep_until(clock.now().after(interval));
            let woken = select(status_listener.changed(), sleep).await;
            is_due = needs_events || matches!(woken, Either::First(_));
        }
    }
}
