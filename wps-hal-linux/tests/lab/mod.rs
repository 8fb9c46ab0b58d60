//! The harness of the radio lab's tests: real daemons on simulated radios.
//!
//! The radios are `wlan0`, `wlan1`, … of `mac80211_hwsim`; see `lab/README.md`. Every test begins
//! with [`reset_radios`]. All functions block. They panic with the daemons' latest events and
//! output.
#![allow(dead_code, unreachable_pub, missing_docs)] // each test binary uses only a part of it

mod control;
mod daemon;
mod device_info;
mod disk;
mod guest;
mod network_manager;
mod ping;
mod random;
mod router;
mod services;
mod supplicant;

use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

#[allow(unused_imports)] // each test binary uses only a part of them
pub use self::{
    control::Events,
    daemon::diagnostics,
    device_info::DeviceInfo,
    disk::Disk,
    guest::{PulledRadio, get, in_lab, reset_radios, run, status},
    network_manager::{NetworkManager, ProfileFile, network_manager, nmcli, system_bus},
    ping::{Ping, PingReport, ping_gap},
    random::{Random, number},
    router::{Plug, Router, RouterSetup, Security},
    services::Services,
    supplicant::{SavedNetwork, Supplicant},
};

/// The directory of configuration files, the daemons' output and client sockets.
const RUN_DIR: &str = "/run/lab";
/// The number of the next client socket or other file. No number is used twice.
static NEXT_FILE: AtomicUsize = AtomicUsize::new(0);

/// Polls `probe` until it returns `Some`. Panics with [`diagnostics`] after `timeout`.
#[track_caller]
pub fn until<T>(timeout: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        if start.elapsed() > timeout {
            panic!("not within {timeout:?}: {what}\n{}", diagnostics());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Locks `mutex`, also after a test panicked while it held the lock.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
