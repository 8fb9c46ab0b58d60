//! A fake wpa_supplicant in memory, behind a real control socket.
//!
//! It replies like hostap 2.10 (`wpa_supplicant/ctrl_iface.c`) and records every request.
#![allow(unreachable_pub)] // a module of each test binary

mod bss;
mod replies;
mod server;
mod state;

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use embassy_futures::select::{Either, select};
use tokio::sync::watch;
use wps_hal_linux::{ControlSocket, WpaSupplicant};
use wps_testkit::hex;
use wps_testkit::wsc::SentCredential;

use server::serve;

#[allow(unused_imports)] // each test binary uses only a part of them
pub use self::{
    bss::Bss,
    server::Override,
    state::{Network, ScanFailure, State},
};

/// Returns a Credential attribute as routers send it, in hex.
#[allow(dead_code)]
pub fn credential(ssid: &[u8], key: &[u8]) -> String {
    hex(&SentCredential::new(ssid, Some(key)).bytes())
}

/// Escapes an SSID as hostap's `printf_encode` does.
fn printf_encode(ssid: &[u8]) -> String {
    let print = |&byte: &u8| match byte {
        b'"' => "\\\"".into(),
        b'\\' => "\\\\".into(),
        32..=126 => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    ssid.iter().map(print).collect()
}

/// The only interface that exists on every machine. The driver checks that its interface exists.
pub const INTERFACE: &str = "lo";
/// The size of wpa_supplicant's reply buffer.
const REPLY_MAX: usize = 4096;

/// A running fake, and the directory of its socket.
pub struct Fake {
    directory: tempfile::TempDir,
    state: Arc<Mutex<State>>,
    progress: watch::Receiver<(usize, bool)>,
}

impl Fake {
    /// Starts a fake with these channels and no access point in range.
    ///
    /// It runs in one of tokio's blocking tasks. While such a task runs, tokio does not advance
    /// paused time by itself: only the test advances it.
    pub fn start(frequencies: &[u16]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join(INTERFACE);
        let socket = UnixDatagram::bind(&path).expect("a socket");
        let state = State {
            frequencies: frequencies.to_vec(),
            globals: BTreeMap::from([
                ("wps_cred_processing".into(), "0".into()),
                ("config_methods".into(), String::new()),
            ]),
            ..State::default()
        };
        let state = Arc::new(Mutex::new(state));
        let (progress_sender, progress) = watch::channel((0, false));
        let shared = Arc::clone(&state);
        tokio::task::spawn_blocking(move || serve(socket, &path, &shared, &progress_sender));
        Self { directory, state, progress }
    }

    /// Returns the directory of the control socket.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns a new driver for this fake.
    pub fn driver(&self) -> WpaSupplicant {
        WpaSupplicant::new(self.directory(), INTERFACE)
    }

    /// Returns the state, to read it or to change it.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a fake that did not panic")
    }

    /// Hides the socket's file, or makes it visible again.
    pub fn set_socket_visible(&self, visible: bool) {
        let (path, hidden) = (self.directory().join(INTERFACE), self.directory().join("hidden"));
        let (from, to) = if visible { (hidden, path) } else { (path, hidden) };
        std::fs::rename(from, to).expect("a socket");
    }

    /// Passes all requests from now on to `script` first.
    pub fn script(
        &self,
        script: impl FnMut(&str, &mut State) -> Option<Override> + Send + 'static,
    ) {
        self.state().script = Some(Box::new(script));
    }

    /// Carries out the `nth` request from now, and replies neither to it nor to any later one.
    pub fn freeze_at(&self, nth: usize) {
        let mut state = self.state();
        state.freeze_at = Some(state.requests.len() + nth);
    }

    /// Waits until the request of [`Self::freeze_at`] has arrived.
    pub async fn wait_frozen(&self) {
        let mut progress = self.progress.clone();
        progress.wait_for(|&(_, frozen)| frozen).await.expect("a running fake");
    }

    /// Ends the effect of [`Self::freeze_at`].
    pub fn thaw(&self) {
        self.state().freeze_at = None;
    }

    /// Waits until a request that starts with `prefix` has been made.
    pub async fn wait_for_request(&self, prefix: &str) {
        let mut progress = self.progress.clone();
        while self.state().requests_with_prefix(prefix).is_empty() {
            progress.changed().await.expect("a running fake");
        }
    }

    /// Sends an event to all listeners.
    pub async fn emit(&self, event: impl AsRef<[u8]>) {
        self.state().emit_after_reply(event);
        let control = ControlSocket::connect(self.directory(), INTERFACE).expect("a running fake");
        control.request("PING").await.expect("a reply");
    }

    /// Lets all other tasks run as far as they get without advancing time.
    pub async fn settle(&self) {
        let Ok(control) = ControlSocket::connect(self.directory(), INTERFACE) else { return };
        for _ in 0..20 {
            let _ = control.request("SETTLE").await;
            tokio::task::yield_now().await;
        }
    }

    /// Runs `work`, and advances the paused time whenever there is nothing else to wait for.
    ///
    /// Returns `None` if `work` is not done within `timeout`.
    pub async fn with_timeout<T>(
        &self,
        timeout: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let step = Duration::from_millis(250);
        let time = async {
            for _ in 0..timeout.as_millis() / step.as_millis() {
                self.settle().await;
                tokio::time::advance(step).await;
            }
        };
        match select(work, time).await {
            Either::First(done) => Some(done),
            Either::Second(()) => None,
        }
    }

    /// Returns all networks with their flags, and the id of the current one.
    pub fn networks_and_current(&self) -> (Vec<Network>, Option<u32>) {
        let state = self.state();
        (state.networks.clone(), state.current)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // The runtime waits for the thread of `serve` before it ends.
        if let Ok(socket) = UnixDatagram::unbound() {
            let _ = socket.send_to(b"QUIT", self.directory.path().join(INTERFACE));
        }
        // A second panic while unwinding would abort the process.
        if let Ok(state) = self.state.lock()
            && !std::thread::panicking()
        {
            assert!(state.misuses.is_empty(), "{:?}", state.misuses);
        }
    }
}
