//! The event stream: one task for each listener.

use core::ops::Deref;

use ::axum::body::{Body, Bytes};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use http_body_util::channel::Channel;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use wps_core::{Control, Instant};

use crate::{BUFFER, COUNTDOWN_INTERVAL, HEARTBEAT_INTERVAL, SSE_COMMENT, event};

/// Creates a body that sends events until its reader disconnects. `permit` is held until then.
///
/// At most one event waits for the reader. If the reader does not read, later changes are skipped,
/// and the server closes its connection after
/// [`Limits::write_timeout`](super::Limits::write_timeout).
pub(super) fn body<D, C, const SLOTS: usize, const LISTENERS: usize>(
    control: D,
    now: C,
    permit: OwnedSemaphorePermit,
) -> Body
where
    D: Deref<Target = Control<CriticalSectionRawMutex, SLOTS, LISTENERS>> + Send + Sync + 'static,
    C: Fn() -> Instant + Send + 'static,
{
    let (mut reader, body) = Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        let _permit = permit;
        let Some(mut status_listener) = control.listen() else { return };
        let mut status = status_listener.try_get();
        loop {
            let next = Bytes::copy_from_slice(event(status.as_ref(), now(), &mut [0; BUFFER]));
            if reader.send_data(next).await.is_err() {
                return;
            }
            let is_window_open = status.as_ref().is_some_and(|status| status.deadline.is_some());
            if is_window_open {
                status =
                    timeout(COUNTDOWN_INTERVAL, status_listener.changed()).await.ok().or(status);
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
