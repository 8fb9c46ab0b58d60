//! Handles a request to the API: checks it, performs its action, and returns the response.

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

use super::access::AccessControl;
use super::events;
use super::message::{read_body, request_target, to_axum, to_request};
use crate::perform::CONTROL_TIMEOUT;
use crate::{Action, BUFFER, Outcome, Reply, SCAN_BUFFER, View, finish, handle, perform};

/// Limits how many requests may wait for `Control`, and how many clients may listen to it.
#[derive(Clone)]
pub(super) struct ControlSlots {
    requests: Arc<Semaphore>,
    listeners: Arc<Semaphore>,
}

impl ControlSlots {
    /// Allows so many waiting requests and listeners.
    pub(super) fn new(requests: usize, listeners: usize) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(requests)),
            listeners: Arc::new(Semaphore::new(listeners)),
        }
    }
}

pub(super) async fn handle_request<D, C, const SLOTS: usize, const LISTENERS: usize>(
    control: D,
    access: Arc<AccessControl<C>>,
    slots: ControlSlots,
    request: Request,
) -> Response
where
    D: Deref<Target = Control<CriticalSectionRawMutex, SLOTS, LISTENERS>> + Send + Sync + 'static,
    C: Fn() -> Instant + Clone + Send + Sync + 'static,
{
    let AccessControl { config, now, .. } = &*access;
    let (head, body) = request.into_parts();
    let target = request_target(&head.uri);
    let mut request = to_request(&head, &target);
    let names = config.names();
    let allowed_hosts = config.allowed_hosts(&names);
    if let Err(error) = access.check_origin(&request, &allowed_hosts, &head) {
        return to_axum(error.response(&mut [0; BUFFER]));
    }
    let body = if request.is_body_too_large() { Ok(None) } else { read_body(body).await };
    match &body {
        Ok(Some(body)) => request = request.with_body(body),
        Ok(None) => request = request.with_body_too_large(),
        Err(error) => return to_axum(error.response(&mut [0; BUFFER])),
    }
    let (status, settings) = (control.status(), control.settings());
    let view = View {
        allowed_hosts,
        access: access.authenticate(&request),
        now: now(),
        status: status.as_ref(),
        settings: settings.as_ref(),
        has_platform: config.has_platform,
        device: config.device(),
        addresses: config.addresses(),
    };
    let reply = match handle(&request, &view, &mut [0; BUFFER]) {
        Reply::Response(response) => Err(to_axum(response)),
        Reply::Action(action) => Ok(action),
    };
    match reply {
        // Boxed, because scan results are large: only requests with an action need the memory.
        Ok(action) => Box::pin(run_action(control, &access, slots, &request, view, action)).await,
        Err(response) => response,
    }
}

/// Performs an action and returns the response to the request that needed it.
async fn run_action<D, C, const SLOTS: usize, const LISTENERS: usize>(
    control: D,
    access: &Arc<AccessControl<C>>,
    slots: ControlSlots,
    request: &crate::Request<'_>,
    view: View<'_>,
    action: Action,
) -> Response
where
    D: Deref<Target = Control<CriticalSectionRawMutex, SLOTS, LISTENERS>> + Send + Sync + 'static,
    C: Fn() -> Instant + Clone + Send + Sync + 'static,
{
    let mut permit = None;
    let outcome = if action == Action::Listen {
        // The application's own listeners may have taken more than its half.
        permit = slots.listeners.try_acquire_owned().ok().filter(|_| control.listen().is_some());
        if permit.is_some() { Outcome::Listening } else { Outcome::Busy }
    } else {
        match timeout(CONTROL_TIMEOUT, slots.requests.acquire()).await {
            Ok(_permit) => perform(&control, action, sleep).await,
            Err(_) => Outcome::Busy,
        }
    };
    let (status, settings) = (control.status(), control.settings());
    let (status, settings) = (status.as_ref(), settings.as_ref());
    let view = View { status, settings, ..view };
    let is_scan = matches!(outcome, Outcome::Scanned(_));
    let mut buffer = vec![0; if is_scan { SCAN_BUFFER } else { BUFFER }];
    let response = finish(request, &view, &outcome, &mut buffer);
    let mut axum_response = to_axum(response);
    if let (true, Some(permit)) = (response.is_stream(), permit) {
        *axum_response.body_mut() = events::body(control, access.clone(), permit);
    }
    axum_response
}
