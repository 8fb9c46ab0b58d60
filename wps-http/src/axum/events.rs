//! The event stream: one task for each listener.

use core::ops::Deref;
use std::sync::Arc;

use ::axum::body::{Body, Bytes};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use http_body_util::channel::Channel;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use wps_core::{Control, Instant};

use super::access::AccessControl;
use crate::{BUFFER, EVENT_INTERVAL, HEARTBEAT_INTERVAL, SSE_COMMENT, View, event, needs_events};

/// Creates a body that sends events until its reader disconnects. `permit` is held until then.
///
/// At most one event waits for the reader. If the reader does not read, later changes are skipped,
/// and the server closes its connection after
/// [`Limits::write_timeout`](super::Limits::write_timeout).
pub(super) fn body<D, C, const SLOTS: usize, const LISTENERS: usize>(
    control: D,
    access: Arc<AccessControl<C>>,
    permit: OwnedSemaphorePermit,
) -> Body
where
    D: Deref<Target = Control<CriticalSectionRawMutex, SLOTS, LISTENERS>> + Send + Sync + 'static,
    C: Fn() -> Instant + Send + Sync + 'static,
{
    let (mut reader, body) = Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        let _permit = permit;
        let Some(mut status_listener) = control.listen() else { return };
        let mut is_due = true;
        loop {
            let (now, addresses) = ((access.now)(), access.config.addresses());
            let status = status_listener.try_get();
            let view = View { now, status: status.as_ref(), addresses, ..View::default() };
            let needs_events = needs_events(&view);
            let next = if is_due || needs_events {
                Bytes::copy_from_slice(event(&view, &mut [0; BUFFER]))
            } else {
                Bytes::from_static(SSE_COMMENT)
            };
            if reader.send_data(next).await.is_err() {
                return;
            }
            let interval = if needs_events { EVENT_INTERVAL } else { HEARTBEAT_INTERVAL };
            is_due = timeout(interval, status_listener.changed()).await.is_ok() || needs_events;
        }
    });
    Body::new(body)
}
