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
        let mut status = status_listener.try_get();
        loop {
            let addresses = access.config.addresses();
            let view =
                View { now: (access.now)(), status: status.as_ref(), addresses, ..View::default() };
            let next = Bytes::copy_from_slice(event(&view, &mut [0; BUFFER]));
            if reader.send_data(next).await.is_err() {
                return;
            }
            if needs_events(&view) {
                status = timeout(EVENT_INTERVAL, status_listener.changed()).await.ok().or(status);
                continue;
            }
            status = loop {
                match timeout(HEARTBEAT_INTERVAL, status_listener.changed()).await {
                    Ok(changed) => break Some(changed),
                    Err(_) if reader.send_data(Bytes::from_static(SSE_COMMENT)).await.is_ok() => {}
                    Err(_) => return,
                }
            };
        }
    });
    Body::new(body)
}
