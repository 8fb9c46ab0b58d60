//! The station: what it was told, whether its link is up, and who waits for that.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::waitqueue::MultiWakerRegistration;
use wps_core::Credentials;

use crate::layout::{AUTH_OPEN, AUTH_WPA2, MODE_OFF, MODE_STATION, StationConfig};
use crate::{EspError, credentials, ffi};

/// The one station of the chip.
pub(crate) static STATION: Station = Station::new();

/// The library's events come from its own thread.
pub(crate) struct Station {
    inner: Mutex<CriticalSectionRawMutex, RefCell<Inner>>,
}

struct Inner {
    state: State,
    /// The driver and its keeper.
    wakers: MultiWakerRegistration<2>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    /// Whether the keeper is to bring a lost link back.
    pub(crate) kept: bool,
    pub(crate) link: Link,
    /// How often it has tried to since there was one.
    pub(crate) tries: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// Not joined, for this reason.
    Down(u8),
    /// The library is trying once.
    Trying,
    /// Joined and keyed.
    Up,
}

impl Station {
    const fn new() -> Self {
        let state = State { kept: false, link: Link::Down(0), tries: 0 };
        let inner = Inner { state, wakers: MultiWakerRegistration::new() };
        Self { inner: Mutex::new(RefCell::new(inner)) }
    }

    pub(crate) fn state(&self) -> State {
        self.inner.lock(|inner| inner.borrow().state)
    }

    /// From the library.
    pub(crate) fn now_is(&self, link: Link) {
        self.change(|state| {
            state.link = link;
            if link == Link::Up {
                state.tries = 0;
            }
        });
    }

    /// From now on the keeper looks after the link, or does not.
    pub(crate) fn keep(&self, kept: bool) {
        self.change(|state| (state.kept, state.tries) = (kept, 0));
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        self.inner.lock(|inner| {
            let inner = &mut *inner.borrow_mut();
            change(&mut inner.state);
            inner.wakers.wake();
        });
    }

    /// Waits until the state is such.
    pub(crate) async fn until(&self, wanted: impl Fn(&State) -> bool) -> State {
        poll_fn(|cx| {
            self.inner.lock(|inner| {
                let inner = &mut *inner.borrow_mut();
                if wanted(&inner.state) {
                    return Poll::Ready(inner.state);
                }
                inner.wakers.register(cx.waker());
                Poll::Pending
            })
        })
        .await
    }
}

/// Whether the link is up, and to exactly this network.
pub(crate) fn is_joined(network: &Credentials) -> Result<bool, EspError> {
    if STATION.state().link != Link::Up || ffi::mode()? != MODE_STATION {
        return Ok(false);
    }
    let config = ffi::station()?;
    let told = credentials::read(&config.ssid, &config.password);
    Ok(told.is_ok_and(|told| told == *network))
}

/// Tells the station this network, whatever the radio did before, and lets it try once.
pub(crate) fn try_to_join(network: &Credentials) -> Result<(), EspError> {
    restart(&mut configuration(network)?)?;
    STATION.change(|state| state.link = Link::Trying);
    ffi::connect()
}

/// Brings the radio to station mode with this configuration and without a link, and takes it from the
/// keeper. What the library began before ends when it is stopped.
pub(crate) fn restart(config: &mut StationConfig) -> Result<(), EspError> {
    switch_off()?;
    ffi::set_mode(MODE_STATION)?;
    ffi::set_station(config)?;
    ffi::start()
}

/// Takes the radio off the air.
pub(crate) fn switch_off() -> Result<(), EspError> {
    STATION.keep(false);
    ffi::wps_disable()?;
    ffi::stop()?;
    ffi::set_mode(MODE_OFF)
}

/// One try, no retries of the library's own; of several access points the strongest, none below WPA2.
fn configuration(network: &Credentials) -> Result<StationConfig, EspError> {
    if network.ssid.as_bytes().contains(&0) {
        // It is told no length.
        return Err(EspError::Unsupported(
            "this radio cannot join a network with a NUL in its name",
        ));
    }
    let mut config = StationConfig::empty();
    let key = network.passphrase.as_ref().map_or(&[][..], |key| key.reveal());
    credentials::write(&mut config.ssid, network.ssid.as_bytes());
    credentials::write(&mut config.password, key);
    config.scan_method = ALL_CHANNELS;
    config.threshold.rssi = i8::MIN;
    config.threshold.authmode = if key.is_empty() { AUTH_OPEN } else { AUTH_WPA2 };
    config.pmf_capable = 1;
    config.sae_pwe_h2e = BOTH_WAYS;
    Ok(config)
}

const ALL_CHANNELS: u32 = 1;
/// Hunting and pecking, and hash to element.
const BOTH_WAYS: u32 = 3;
