//! The state that the library's events change. `event` writes it, and the driver waits for it. It
//! is static because the library's callback has no argument for it, and shared because the library
//! posts its events from its own thread.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_sync::waitqueue::WakerRegistration;
use wps_core::driver::Offer;
use wps_core::wsc::CredentialError;
use wps_core::{ErrorKind, Instant};

use crate::error::link_error_kind;

/// The end of the current search. Each search resets it before it starts.
pub(crate) static WPS_EVENT: Signal<CriticalSectionRawMutex, WpsEvent> = Signal::new();
/// The end of the current scan. Each scan resets it before it starts.
pub(crate) static SCAN_FINISHED: Signal<CriticalSectionRawMutex, ()> = Signal::new();
/// The only station of the chip.
pub(crate) static STATION: Station = Station::new();

/// The event that ended the library's search for a router whose button was pressed.
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
pub(crate) enum WpsEvent {
    /// The router handed over these networks.
    Success(Result<Offer, CredentialError>),
    /// The router handed over one network, which is in the station's configuration.
    SuccessInConfig,
    /// The exchange failed, with the library's reason code.
    Failed(u32),
    /// The library's own two minutes are over.
    TimedOut,
    /// More than one router is pairing.
    Overlap,
    /// The event has an unknown format.
    Malformed { id: i32, length: usize },
}

/// The shared state of the station.
pub(crate) struct Station {
    inner: Mutex<CriticalSectionRawMutex, RefCell<Inner>>,
}

struct Inner {
    state: State,
    waker: WakerRegistration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    /// Whether `maintain` restores a lost link.
    pub(crate) reconnect: bool,
    pub(crate) link: Link,
    pub(crate) retries: Retries,
    /// Whether `maintain` has reported that the network refuses its key. Kept until it reports the
    /// opposite, or until other settings are applied or a network is joined.
    pub(crate) key_refused: bool,
    /// Whether the device's own access point has started and was not stopped again. The library's
    /// mode alone does not say that: it remains if the start fails and the clean-up after it, too.
    pub(crate) access_point_started: bool,
}

/// What happened since the link was last up or reconnecting was last configured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retries {
    /// How many times `maintain` has tried to reconnect.
    pub(crate) attempts: u32,
    /// When it tries next, or `None` until it has noticed that the link is down.
    pub(crate) next_at: Option<Instant>,
    /// How many attempts in a row, up to the last one, have failed because of the key.
    pub(crate) key_refusals: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// Not joined, with the library's reason code.
    Down(u8),
    /// The library is making its one attempt to join.
    Connecting,
    /// Joined, with the keys installed.
    Up,
}

impl Retries {
    const NONE: Self = Self { attempts: 0, next_at: None, key_refusals: 0 };
}

impl Station {
    const fn new() -> Self {
        let state = State {
            reconnect: false,
            link: Link::Down(0),
            retries: Retries::NONE,
            key_refused: false,
            access_point_started: false,
        };
        let inner = Inner { state, waker: WakerRegistration::new() };
        Self { inner: Mutex::new(RefCell::new(inner)) }
    }

    pub(crate) fn state(&self) -> State {
        self.inner.lock(|inner| inner.borrow().state)
    }

    /// Records the state of the link that an event of the library reports.
    pub(crate) fn set_link(&self, link: Link) {
        self.update(|state| {
            if link == Link::Up {
                state.retries = Retries::NONE;
            } else if let (Link::Connecting, Link::Down(reason)) = (state.link, link) {
                // Only the end of an attempt says something about the key. A router that restarts
                // also ends a link that was up.
                let is_refusal = link_error_kind(reason) == ErrorKind::WrongKey;
                let refusals = state.retries.key_refusals.saturating_add(1);
                state.retries.key_refusals = if is_refusal { refusals } else { 0 };
            }
            state.link = link;
        });
    }

    /// Enables or disables reconnecting, and forgets the attempts.
    pub(crate) fn set_reconnect(&self, reconnect: bool) {
        self.update(|state| *state = State { reconnect, retries: Retries::NONE, ..*state });
    }

    /// Changes the state, and returns what `change` returns. The library's events may change the
    /// state between two calls, so a change that depends on the state must be one call.
    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        self.inner.lock(|inner| {
            let inner = &mut *inner.borrow_mut();
            let result = change(&mut inner.state);
            inner.waker.wake();
            result
        })
    }

    /// Waits until `condition` holds, and returns that state.
    pub(crate) async fn wait_for(&self, condition: impl Fn(&State) -> bool) -> State {
        poll_fn(|cx| {
            self.inner.lock(|inner| {
                let inner = &mut *inner.borrow_mut();
                if condition(&inner.state) {
                    return Poll::Ready(inner.state);
                }
                inner.waker.register(cx.waker());
                Poll::Pending
            })
        })
        .await
    }
}
