//! The way of a request to the API: judged, done, answered.

use core::ops::Deref;
use std::string::ToString;
use std::sync::Arc;
use std::vec;

use ::axum::extract::Request;
use ::axum::response::Response;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use wps_core::{Desk, Instant};

use super::entrance::Entrance;
use super::events;
use super::message::{described, read, send, send_later};
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
    desk: D,
    entrance: Arc<Entrance<C>>,
    waiting: Waiting,
    request: Request,
) -> Response
where
    D: Deref<Target = Desk<CriticalSectionRawMutex, N>> + Send + Sync + 'static,
    C: Fn() -> Instant + Clone + Send + Sync + 'static,
{
    let Entrance { config, now, .. } = &*entrance;
    let (head, body) = request.into_parts();
    let target = head.uri.to_string();
    let mut asked = described(&head.method, &target, &head.headers);
    if let Err(denied) = entrance.may_call(&asked, &head) {
        return send(denied.answer(&mut [0; BUFFER]));
    }
    let body = if asked.is_body_too_large() { Ok(None) } else { read(body).await };
    match &body {
        Ok(Some(body)) => asked = asked.with_body(body),
        Ok(None) => asked = asked.with_body_too_large(),
        Err(unread) => return send(unread.answer(&mut [0; BUFFER])),
    }
    let names = config.names();
    let (status, settings) = (desk.status(), desk.settings());
    let mut view = View {
        site: config.site(&names),
        access: entrance.judge(&asked),
        now: now(),
        status: status.as_ref(),
        settings: settings.as_ref(),
        has_platform: config.has_platform,
        device: config.device(),
        addresses: Addresses::default(),
    };
    let action = match handle(&asked, &view, &mut [0; BUFFER]) {
        Reply::Done(response) => return send_later(response).await,
        Reply::Do(action) => action,
    };
    let mut place = None;
    let done = if action == Action::Listen {
        place = waiting.listeners.try_acquire_owned().ok();
        if place.is_some() { Done::Listening } else { Done::Busy }
    } else {
        match timeout(DESK_TIME, waiting.seats.acquire()).await {
            Ok(_seat) => act(&desk, action, sleep).await,
            Err(_) => Done::Busy,
        }
    };
    let status = desk.status();
    view.status = status.as_ref();
    view.addresses = config.addresses.as_ref().map(|ask| ask()).unwrap_or_default();
    let long = matches!(done, Done::Scanned(_));
    let mut buffer = vec![0; if long { SCAN_BUFFER } else { BUFFER }];
    let response = finish(&asked, &view, done.outcome(), &mut buffer);
    let mut answer = send(response);
    if let (true, Some(place)) = (response.is_stream(), place) {
        *answer.body_mut() = events::body(desk, now.clone(), place);
    }
    answer
}
