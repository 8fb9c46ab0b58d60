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
use wps_core::{ErrorKind, Instant};
use zeroize::{Zeroize, Zeroizing};

use crate::error::link_error_kind;
use crate::layout::SUCCESS_LEN;

/// The end of the current search. Each search resets it before it starts.
pub(crate) static WPS_EVENT: WpsSlot = WpsSlot::new();
/// The end of the current scan. Each scan resets it before it starts.
pub(crate) static SCAN_FINISHED: Signal<CriticalSectionRawMutex, ()> = Signal::new();
/// The only station of the chip.
pub(crate) static STATION: Station = Station::new();

/// The event that ended the library's search for a router whose button was pressed.
#[derive(Clone, Copy)]
pub(crate) enum WpsEvent {
    /// The router handed over the networks in this slot.
    Success,
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

/// A slot for the end of a search. The networks of a success are copied into it as they are, and
/// parsed by the task that waits: the library posts its events on a small stack.
pub(crate) struct WpsSlot {
    inner: Mutex<CriticalSectionRawMutex, RefCell<WpsInner>>,
}

struct WpsInner {
    event: Option<WpsEvent>,
    networks: [u8; SUCCESS_LEN],
    waker: WakerRegistration,
}

impl WpsSlot {
    const fn new() -> Self {
        let waker = WakerRegistration::new();
        let inner = WpsInner { event: None, networks: [0; SUCCESS_LEN], waker };
        Self { inner: Mutex::new(RefCell::new(inner)) }
    }

    /// Puts an event into the slot. The networks are those of a success.
    pub(crate) fn put(&self, event: WpsEvent, networks: Option<&[u8; SUCCESS_LEN]>) {
        self.inner.lock(|inner| {
            let inner = &mut *inner.borrow_mut();
            inner.event = Some(event);
            if let Some(networks) = networks {
                inner.networks.copy_from_slice(networks);
            }
            inner.waker.wake();
        });
    }

    /// Empties the slot.
    pub(crate) fn reset(&self) {
        self.inner.lock(|inner| {
            let inner = &mut *inner.borrow_mut();
            inner.event = None;
            inner.networks.zeroize();
        });
    }

    /// Waits for an event, and takes it out of the slot.
    pub(crate) async fn wait(&self) -> WpsEvent {
        poll_fn(|cx| {
            self.inner.lock(|inner| {
                let inner = &mut *inner.borrow_mut();
                if let Some(event) = inner.event.take() {
                    return Poll::Ready(event);
                }
                inner.waker.register(cx.waker());
                Poll::Pending
            })
        })
        .await
    }

    /// Takes the networks of a success out of the slot.
    pub(crate) fn take_networks(&self) -> Zeroizing<[u8; SUCCESS_LEN]> {
        self.inner.lock(|inner| {
            let inner = &mut *inner.borrow_mut();
            let networks = Zeroizing::new(inner.networks);
            inner.networks.zeroize();
            networks
        })
    }
}

/// Reason code of IEEE 802.11: the station leaves the network by itself.
pub(crate) const REASON_ASSOC_LEAVE: u8 = 8;

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
    /// When it gives up the current attempt, or `None` until it has noticed that there is one.
    pub(crate) attempt_ends_at: Option<Instant>,
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
    const NONE: Self = Self { attempts: 0, next_at: None, attempt_ends_at: None, key_refusals: 0 };
}

impl State {
    /// Changes the link, and counts what the end of an attempt says about the key.
    pub(crate) fn set_link(&mut self, link: Link) {
        match (self.link, link) {
            (_, Link::Up) => self.retries = Retries::NONE,
            // Only the end of an attempt says something about the key. A router that restarts also
            // ends a link that was up.
            (Link::Connecting, Link::Down(reason)) => {
                let is_refusal = link_error_kind(reason) == ErrorKind::WrongKey;
                let refusals = self.retries.key_refusals.saturating_add(1);
                self.retries.key_refusals = if is_refusal { refusals } else { 0 };
            }
            (_, Link::Connecting) => {
                self.retries.next_at = None;
                self.retries.attempt_ends_at = None;
            }
            (Link::Down(_) | Link::Up, Link::Down(_)) => {}
        }
        self.link = link;
    }
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

    /// Records the state of the link.
    pub(crate) fn set_link(&self, link: Link) {
        self.update(|state| state.set_link(link));
    }

    /// Records that the library reports a lost link or a failed attempt.
    pub(crate) fn on_disconnected(&self, reason: u8) {
        // An attempt never ends because the station itself leaves: that is the end of the link
        // before it, which the library reports late.
        self.update(|state| {
            if reason != REASON_ASSOC_LEAVE || state.link != Link::Connecting {
                state.set_link(Link::Down(reason));
            }
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
