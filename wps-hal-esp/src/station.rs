//! The station: its configuration, and the state of its link.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::waitqueue::MultiWakerRegistration;
use wps_core::Credentials;

use crate::layout::{AUTH_OPEN, AUTH_WPA2, MODE_OFF, MODE_STATION, StationConfig};
use crate::{EspError, credentials, ffi};

/// The only station of the chip.
pub(crate) static STATION: Station = Station::new();

/// The shared state of the station. It is behind a mutex because the library posts its events from
/// its own thread.
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

/// Returns whether the link is up with exactly this network.
pub(crate) fn is_joined(network: &Credentials) -> Result<bool, EspError> {
    if STATION.state().link != Link::Up || ffi::mode()? != MODE_STATION {
        return Ok(false);
    }
    let config = ffi::station_config()?;
    let configured = credentials::read(&config.ssid, &config.password);
    Ok(configured.is_ok_and(|configured| configured == *network))
}

/// Switches the radio to station mode for this network, whatever its mode was, and starts one
/// attempt to join.
pub(crate) fn start_join(network: &Credentials) -> Result<(), EspError> {
    restart(&mut station_config(network)?)?;
    STATION.update(|state| state.link = Link::Connecting);
    ffi::connect()
}

/// Restarts the radio in station mode with this configuration and without a link, and disables the
/// reconnector. Stopping the radio ends everything that the library was still doing.
pub(crate) fn restart(config: &mut StationConfig) -> Result<(), EspError> {
    switch_off()?;
    ffi::set_mode(MODE_STATION)?;
    ffi::set_station_config(config)?;
    ffi::start()
}

/// Switches the radio off, and disables the reconnector.
pub(crate) fn switch_off() -> Result<(), EspError> {
    STATION.set_reconnect(false);
    ffi::wps_disable()?;
    ffi::stop()?;
    ffi::set_mode(MODE_OFF)
}

/// Returns a configuration for one attempt, without the library's own retries. The station joins
/// the strongest access point of the network. With a key, it joins none below WPA2.
fn station_config(network: &Credentials) -> Result<StationConfig, EspError> {
    if network.ssid.as_bytes().contains(&0) {
        // The configuration has no length field: a NUL ends the name.
        return Err(EspError::Unsupported(
            "this radio cannot join a network with a NUL in its name",
        ));
    }
    let mut config = StationConfig::empty();
    let key = network.passphrase.as_ref().map_or(&[][..], |key| key.reveal());
    credentials::write(&mut config.ssid, network.ssid.as_bytes());
    credentials::write(&mut config.password, key);
    config.scan_method = SCAN_ALL_CHANNELS;
    config.threshold.rssi = i8::MIN;
    config.threshold.authmode = if key.is_empty() { AUTH_OPEN } else { AUTH_WPA2 };
    config.pmf_capable = 1;
    config.sae_pwe_h2e = SAE_PWE_BOTH;
    Ok(config)
}

const SCAN_ALL_CHANNELS: u32 = 1;
/// Both SAE methods: hunting-and-pecking and hash-to-element.
const SAE_PWE_BOTH: u32 = 3;
