//! The stream of events: one task for each listener.

use core::ops::Deref;

use ::axum::body::{Body, Bytes};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use http_body_util::channel::Channel;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use wps_core::{Control, Instant};

use crate::{BUFFER, COMMENT, COUNT, HEART_BEAT, event};

/// A body that goes on until its reader is gone. `place` is the listener's, until then.
///
/// One event waits for the reader; while it does not read, changes are skipped, and the server ends
/// its connection after [`Limits::write_time`](super::Limits::write_time).
pub(super) fn body<D, C, const N: usize>(control: D, now: C, place: OwnedSemaphorePermit) -> Body
where
    D: Deref<Target = Control<CriticalSectionRawMutex, N>> + Send + Sync + 'static,
    C: Fn() -> Instant + Send + 'static,
{
    let (mut reader, body) = Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        let _place = place;
        let Some(mut news) = control.listen() else { return };
        let mut status = news.try_get();
        loop {
            let next = Bytes::copy_from_slice(event(status.as_ref(), now(), &mut [0; BUFFER]));
            if reader.send_data(next).await.is_err() {
                return;
            }
            let counting = status.as_ref().is_some_and(|status| status.deadline.is_some());
            if counting {
                status = timeout(COUNT, news.changed()).await.ok().or(status);
                continue;
            }
            status = loop {
                match timeout(HEART_BEAT, news.changed()).await {
                    Ok(changed) => break Some(changed),
                    Err(_) if reader.send_data(Bytes::from_static(COMMENT)).await.is_ok() => {}
                    Err(_) => return,
                }
            };
        }
    });
    Body::new(body)
}
