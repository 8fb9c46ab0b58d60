//! A device under test: the runner on the Linux driver, file store and clock, in a thread of its own.
#![allow(dead_code, unreachable_pub)] // each test binary uses a part of it

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use tokio::sync::oneshot;
use wps_core::{
    AfterFailure, Cause, Clock, Control, Instant, Loaded, Phase, Record, RequestError, TaskResult,
};
use wps_core::{Runner, Settings, SettingsStore, Status};
use wps_hal_linux::{BootClock, FileStore, WpaSupplicant};

use crate::lab::until;

type SharedDesk = Control<CriticalSectionRawMutex, 8>;

/// Longer than a pairing window and everything after it.
const PATIENCE: Duration = Duration::from_secs(150);

/// A place for a device's record.
pub fn state() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(directory.path(), private).expect("a private directory");
    directory
}

/// The system's clock, with a hand to move it on: a window that nothing happens in need not be waited
/// out.
#[derive(Clone, Default)]
pub struct HandedClock(Arc<AtomicU64>);

impl HandedClock {
    /// Moves it on.
    fn advance(&self, by: Duration) {
        let millis = by.as_millis().try_into().expect("not for ever");
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for HandedClock {
    fn now(&self) -> Instant {
        BootClock.now().after(Duration::from_millis(self.0.load(Ordering::Relaxed)))
    }

    async fn sleep_until(&self, at: Instant) {
        while self.now() < at {
            // Short, so as to notice the hand.
            tokio::time::sleep(at.since(self.now()).min(Duration::from_millis(50))).await;
        }
    }
}

pub struct Device {
    control: &'static SharedDesk,
    clock: HandedClock,
    state: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Device {
    /// Boots on `wlan{radio}` with what is in `state`.
    pub fn boot(radio: usize, state: &Path) -> Self {
        Self::boot_with(radio, state, AfterFailure::default())
    }

    /// Boots with a policy.
    pub fn boot_with(radio: usize, state: &Path, after_failure: AfterFailure) -> Self {
        let clock = HandedClock::default();
        let own_clock = clock.clone();
        // Lives as long as the process: fronts and runner are on different threads.
        let control: &'static SharedDesk = Box::leak(Box::default());
        let (stop, stopped) = oneshot::channel();
        let interface = format!("wlan{radio}");
        let store = FileStore::open(state, &interface).expect("a store");
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let driver = WpaSupplicant::new("/run/wpa_supplicant", interface);
                let factory_settings = Settings::Platform;
                let mut runner = Runner::boot(
                    driver,
                    store,
                    own_clock,
                    control,
                    factory_settings,
                    after_failure,
                )
                .await
                .expect("a readable store");
                tokio::select! {
                    _ = runner.run() => {}
                    _ = stopped => {}
                }
            });
        });
        let (stop, thread) = (Some(stop), Some(thread));
        let device = Self { control, clock, state: state.to_owned(), stop, thread };
        device.rest();
        device
    }

    /// Ends it wherever it is, as `kill -9` would: nothing is put back.
    pub fn crash(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    pub fn start(&self) -> Result<(), RequestError> {
        embassy_futures::block_on(self.control.start(Duration::ZERO))
    }

    /// Changes the settings, and waits for the end.
    pub fn configure(&self, settings: Settings) -> Result<(), Cause> {
        let asked = self.control.configure(settings, Duration::ZERO);
        embassy_futures::block_on(asked).expect("a change that is taken");
        self.ended()
    }

    /// Lets the window close.
    pub fn window_closes(&self) {
        self.clock.advance(wps_core::command::PAIRING_WINDOW);
    }

    pub fn cancel(&self) {
        embassy_futures::block_on(self.control.cancel());
    }

    pub fn status(&self) -> Status {
        self.control.status().expect("a status")
    }

    /// Waits until the status is like that.
    pub fn wait(&self, what: &str, like: impl Fn(&Status) -> bool) -> Status {
        until(PATIENCE, what, || Some(self.status()).filter(&like))
    }

    /// Waits until nothing is under way.
    pub fn rest(&self) -> Status {
        until(PATIENCE, "the device at rest", || {
            self.control.status().filter(|status| status.phase == Phase::Idle)
        })
    }

    /// Waits for the end and tells how it was.
    pub fn ended(&self) -> Result<(), Cause> {
        self.rest()
            .last
            .as_ref()
            .map(|ended: &TaskResult| ended.result)
            .expect("something has ended")
    }

    /// What is on disk while the device is at rest.
    pub fn settled(&self) -> Settings {
        let mut files = std::fs::read_dir(&self.state).expect("the state").flatten();
        let file = files.find(|file| file.file_name().to_string_lossy().ends_with(".record"));
        let bytes = std::fs::read(file.expect("a record").path()).expect("a readable record");
        match Record::decode(&bytes).expect("a whole record") {
            Record::Settled(settings) => settings,
            journal @ (Record::Pairing { .. } | Record::Configuring { .. }) => {
                panic!("still open: {journal:?}")
            }
        }
    }

    /// What is on disk.
    pub fn record(self) -> Loaded {
        let state = self.state.clone();
        self.crash();
        let interface = std::fs::read_dir(&state)
            .expect("the state")
            .flatten()
            .find_map(|entry| entry.file_name().to_str()?.strip_suffix(".lock").map(String::from))
            .expect("a lock");
        let mut store = FileStore::open(&state, &interface).expect("a store");
        embassy_futures::block_on(store.load()).expect("a readable store")
    }

    pub fn saved(self) -> Settings {
        let Loaded::Record(Record::Settled(settings)) = self.record() else {
            panic!("nothing is settled");
        };
        settings
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.end();
    }
}
