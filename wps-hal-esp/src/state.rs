//! The state that the library's events change. `event` writes it, and the driver and the
//! reconnector wait for it. It is static because the library's callback has no argument for it, and
//! shared because the library posts its events from its own thread.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_sync::waitqueue::MultiWakerRegistration;
use wps_core::driver::Offer;
use wps_core::wsc::CredentialError;

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
    /// Two wakers: the driver's and the reconnector's.
    wakers: MultiWakerRegistration<2>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    /// Whether the reconnector restores a lost link.
    pub(crate) reconnect: bool,
    pub(crate) link: Link,
    /// How many times the reconnector has tried since the link was last up or reconnecting was
    /// last configured.
    pub(crate) attempts: u32,
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

impl Station {
    const fn new() -> Self {
        let state = State { reconnect: false, link: Link::Down(0), attempts: 0 };
        let inner = Inner { state, wakers: MultiWakerRegistration::new() };
        Self { inner: Mutex::new(RefCell::new(inner)) }
    }

    pub(crate) fn state(&self) -> State {
        self.inner.lock(|inner| inner.borrow().state)
    }

    /// Records the state of the link that an event of the library reports.
    pub(crate) fn set_link(&self, link: Link) {
        self.update(|state| {
            state.link = link;
            if link == Link::Up {
                state.attempts = 0;
            }
        });
    }

    /// Enables or disables the reconnector, and resets its count of attempts.
    pub(crate) fn set_reconnect(&self, reconnect: bool) {
        self.update(|state| (state.reconnect, state.attempts) = (reconnect, 0));
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut State)) {
        self.inner.lock(|inner| {
            let inner = &mut *inner.borrow_mut();
            change(&mut inner.state);
            inner.wakers.wake();
        });
    }

    /// Waits until `condition` holds, and returns that state.
    pub(crate) async fn wait_for(&self, condition: impl Fn(&State) -> bool) -> State {
        poll_fn(|cx| {
            self.inner.lock(|inner| {
                let inner = &mut *inner.borrow_mut();
                if condition(&inner.state) {
                    return Poll::Ready(inner.state);
                }
                inner.wakers.register(cx.waker());
                Poll::Pending
            })
        })
        .await
    }
}
