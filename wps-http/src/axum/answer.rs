//! The way of a request to the API: judged, done, answered.

use core::ops::Deref;
use std::boxed::Box;
use std::sync::Arc;
use std::vec;

use ::axum::extract::Request;
use ::axum::response::Response;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use wps_core::{Control, Instant};

use super::entrance::Entrance;
use super::events;
use super::message::{described, read, send, send_later, target};
use crate::act::DESK_TIME;
use crate::{Action, Addresses, BUFFER, Done, Reply, SCAN_BUFFER, View, act, finish, handle};

/// How many may wait for the desk, and how many may listen to it.
#[derive(Clone)]
pub(super) struct Waiting {
    seats: Arc<Semaphore>,
    listeners: Arc<Semaphore>,
}

impl Waiting {
    pub(super) fn new(number: usize) -> Self {
        let places = || Arc::new(Semaphore::new(number));
        Self { seats: places(), listeners: places() }
    }
}

pub(super) async fn answer<D, C, const N: usize>(
    control: D,
    entrance: Arc<Entrance<C>>,
    waiting: Waiting,
    request: Request,
) -> Response
where
    D: Deref<Target = Control<CriticalSectionRawMutex, N>> + Send + Sync + 'static,
    C: Fn() -> Instant + Clone + Send + Sync + 'static,
{
    let Entrance { config, now, .. } = &*entrance;
    let (head, body) = request.into_parts();
    let target = target(&head.uri);
    let mut asked = described(&head.method, &target, &head.headers);
    let names = config.names();
    let site = config.site(&names);
    if let Err(denied) = entrance.may_call(&asked, &site, &head) {
        return send(denied.answer(&mut [0; BUFFER]));
    }
    let body = if asked.is_body_too_large() { Ok(None) } else { read(body).await };
    match &body {
        Ok(Some(body)) => asked = asked.with_body(body),
        Ok(None) => asked = asked.with_body_too_large(),
        Err(unread) => return send(unread.answer(&mut [0; BUFFER])),
    }
    let (status, settings) = (control.status(), control.settings());
    let view = View {
        site,
        access: entrance.judge(&asked),
        now: now(),
        status: status.as_ref(),
        settings: settings.as_ref(),
        has_platform: config.has_platform,
        device: config.device(),
        addresses: Addresses::default(),
    };
    let reply = match handle(&asked, &view, &mut [0; BUFFER]) {
        Reply::Done(response) => Err(send_later(response)),
        Reply::Do(action) => Ok(action),
    };
    match reply {
        // What a scan finds is large: only who asks for something to be done pays for the room.
        Ok(action) => Box::pin(done(control, &entrance, waiting, &asked, view, action)).await,
        Err(answer) => answer.await,
    }
}

async fn done<D, C, const N: usize>(
    control: D,
    entrance: &Entrance<C>,
    waiting: Waiting,
    asked: &crate::Request<'_>,
    view: View<'_>,
    action: Action,
) -> Response
where
    D: Deref<Target = Control<CriticalSectionRawMutex, N>> + Send + Sync + 'static,
    C: Fn() -> Instant + Clone + Send + Sync + 'static,
{
    let mut place = None;
    let done = if action == Action::Listen {
        place = waiting.listeners.try_acquire_owned().ok();
        if place.is_some() { Done::Listening } else { Done::Busy }
    } else {
        match timeout(DESK_TIME, waiting.seats.acquire()).await {
            Ok(_seat) => act(&control, action, sleep).await,
            Err(_) => Done::Busy,
        }
    };
    let (status, ask) = (control.status(), &entrance.config.addresses);
    let addresses = ask.as_ref().map(|ask| ask()).unwrap_or_default();
    let view = View { status: status.as_ref(), addresses, ..view };
    let long = matches!(done, Done::Scanned(_));
    let mut buffer = vec![0; if long { SCAN_BUFFER } else { BUFFER }];
    let response = finish(asked, &view, done.outcome(), &mut buffer);
    let mut answer = send(response);
    if let (true, Some(place)) = (response.is_stream(), place) {
        *answer.body_mut() = events::body(control, entrance.now.clone(), place);
    }
    answer
}
