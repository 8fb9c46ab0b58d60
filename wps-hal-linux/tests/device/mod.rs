//! A device under test: the runner with the Linux driver, file store and clock, in a separate
//! thread.
#![allow(dead_code, unreachable_pub)] // each test binary uses only a part of it

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use tokio::sync::oneshot;
use wps_core::wsc::Bssid;
use wps_core::{
    AfterFailure, Cause, Clock, Config, Control, Instant, Link, Loaded, Phase, Record,
    RequestError, TaskResult,
};
use wps_core::{Runner, ScanResults, Settings, SettingsStore, Status, WifiDriver};
use wps_hal_linux::{BootClock, FileStore, WpaSupplicant};

use crate::lab::until;

type SharedControl = Control<CriticalSectionRawMutex, 8, 8>;

/// How long to wait for a state: longer than a pairing window and everything after it.
const WAIT_TIMEOUT: Duration = Duration::from_secs(150);

/// Runs a future to its end. Does not keep the guest's only processor busy while it waits.
fn block_on<F: Future>(work: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

/// Creates a state directory for a device's record.
pub fn state_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(directory.path(), private).expect("a private directory");
    directory
}

/// The system's clock plus an offset. Advancing it closes a pairing window without waiting for it.
#[derive(Clone, Default)]
pub struct OffsetClock(Arc<AtomicU64>);

impl OffsetClock {
    /// Advances the clock.
    fn advance(&self, by: Duration) {
        let millis = by.as_millis().try_into().expect("a short time");
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for OffsetClock {
    fn now(&self) -> Instant {
        BootClock.now().after(Duration::from_millis(self.0.load(Ordering::Relaxed)))
    }

    async fn sleep_until(&self, at: Instant) {
        while self.now() < at {
            // Short, to notice `advance`.
            tokio::time::sleep(at.since(self.now()).min(Duration::from_millis(50))).await;
        }
    }
}

/// A running device.
pub struct Device {
    control: &'static SharedControl,
    clock: OffsetClock,
    state: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Device {
    /// Boots a device on `wlan<radio>` with the record in `state`.
    pub fn boot(radio: usize, state: &Path) -> Self {
        Self::boot_with(radio, state, AfterFailure::default())
    }

    /// Boots a device with this setting of what a failed pairing leaves behind.
    pub fn boot_with(radio: usize, state: &Path, after_failure: AfterFailure) -> Self {
        let interface = format!("wlan{radio}");
        let driver = WpaSupplicant::new("/run/wpa_supplicant", &*interface);
        Self::boot_driver(driver, &interface, state, after_failure)
    }

    /// Boots a device with another driver.
    pub fn boot_driver<D: WifiDriver + Send + 'static>(
        driver: D,
        interface: &str,
        state: &Path,
        after_failure: AfterFailure,
    ) -> Self {
        let clock = OffsetClock::default();
        let runner_clock = clock.clone();
        // Lives as long as the process, because the test and the runner are on different threads.
        let control: &'static SharedControl = Box::leak(Box::default());
        let (stop, stopped) = oneshot::channel();
        let store = FileStore::open(state, interface).expect("a store");
        let thread = std::thread::spawn(move || {
            block_on(async move {
                let config = Config::new(Settings::Platform).with_after_failure(after_failure);
                let boot = Runner::boot(driver, store, runner_clock, control, config);
                let mut runner = boot.await.expect("a readable store");
                tokio::select! {
                    _ = runner.run() => {}
                    _ = stopped => {}
                }
            });
        });
        let (stop, thread) = (Some(stop), Some(thread));
        let device = Self { control, clock, state: state.to_owned(), stop, thread };
        device.wait_idle();
        device
    }

    /// Stops the device at once, like `kill -9`: nothing is restored.
    pub fn crash(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    /// Starts a pairing.
    pub fn start(&self) -> Result<(), RequestError> {
        block_on(self.control.start(Duration::ZERO))
    }

    /// Starts a pairing with one access point.
    pub fn start_with(&self, access_point: Bssid) -> Result<(), RequestError> {
        block_on(self.control.start_with(access_point, Duration::ZERO))
    }

    /// Changes the settings, and returns the result.
    pub fn configure(&self, settings: Settings) -> Result<(), Cause> {
        let request = self.control.configure(settings, Duration::ZERO);
        block_on(request).expect("an accepted change");
        self.wait_result()
    }

    /// Advances the clock beyond the pairing window.
    pub fn close_window(&self) {
        self.clock.advance(wps_core::command::PAIRING_WINDOW);
    }

    /// Cancels the pairing.
    pub fn cancel(&self) {
        block_on(self.control.cancel());
    }

    /// Returns the state of the link.
    pub fn link(&self) -> Option<Link> {
        block_on(self.control.link())
    }

    /// Returns the access points in range.
    pub fn scan(&self) -> Option<ScanResults> {
        block_on(self.control.scan())
    }

    pub fn status(&self) -> Status {
        self.control.status().expect("a status")
    }

    /// Waits until the status fulfils `condition`, and returns it.
    pub fn wait_status(&self, what: &str, condition: impl Fn(&Status) -> bool) -> Status {
        until(WAIT_TIMEOUT, what, || Some(self.status()).filter(&condition))
    }

    /// Waits until the status fulfils `condition`, and returns it. Does not poll, so it also
    /// notices a state of a few milliseconds.
    pub fn notice_status(&self, what: &str, condition: impl Fn(&Status) -> bool) -> Status {
        let mut listener = self.control.listen().expect("few listeners");
        let status = block_on(async {
            tokio::time::timeout(WAIT_TIMEOUT, listener.wait_for(condition)).await
        });
        status.unwrap_or_else(|_| panic!("not within {WAIT_TIMEOUT:?}: {what}"))
    }

    /// Waits until the device is idle, and returns its status.
    pub fn wait_idle(&self) -> Status {
        until(WAIT_TIMEOUT, "the device is idle", || {
            self.control.status().filter(|status| status.phase == Phase::Idle)
        })
    }

    /// Waits until the device is idle, and returns the result of its latest task.
    pub fn wait_result(&self) -> Result<(), Cause> {
        self.wait_idle().last.as_ref().map(|last: &TaskResult| last.result).expect("a result")
    }

    /// Returns the settings on disk. Panics if the journal is open.
    pub fn saved_settings(&self) -> Settings {
        let mut files = std::fs::read_dir(&self.state).expect("the state").flatten();
        let file = files.find(|file| file.file_name().to_string_lossy().ends_with(".record"));
        let bytes = std::fs::read(file.expect("a record").path()).expect("a readable record");
        match Record::decode(&bytes).expect("a whole record") {
            Record::Settled(settings) => settings,
            journal @ (Record::Pairing { .. } | Record::Configuring { .. }) => {
                panic!("the journal is open: {journal:?}")
            }
        }
    }

    /// Stops the device like [`Self::crash`] and loads the record from disk.
    pub fn crash_and_load(self) -> Loaded {
        let state = self.state.clone();
        self.crash();
        let interface = std::fs::read_dir(&state)
            .expect("the state")
            .flatten()
            .find_map(|entry| entry.file_name().to_str()?.strip_suffix(".lock").map(String::from))
            .expect("a lock");
        let mut store = FileStore::open(&state, &interface).expect("a store");
        block_on(store.load()).expect("a readable store")
    }

    /// Stops the device like [`Self::crash`] and loads the settings from disk. Panics if the
    /// journal is open.
    pub fn crash_and_load_settings(self) -> Settings {
        let Loaded::Record(Record::Settled(settings)) = self.crash_and_load() else {
            panic!("no settings on disk");
        };
        settings
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.stop();
    }
}
