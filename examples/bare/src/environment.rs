//! The simulated environment: two routers, a disk, a clock that the program advances, and a device
//! that can be powered on and off.

use core::time::Duration;

use embassy_futures::block_on;
use embassy_futures::select::{Either3, select3};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use wps_core::sim::{Air, Disk, ManualClock, Router};
use wps_core::{Clock, Config, Instant, Phase, Runner, Settings, Status};

/// The critical section of the platform, which disables interrupts.
type Raw = CriticalSectionRawMutex;
pub(crate) type Control = wps_core::Control<Raw, 2, 2>;

pub(crate) struct Environment {
    pub(crate) air: Air<Raw>,
    pub(crate) disk: Disk<Raw>,
    pub(crate) clock: ManualClock<Raw>,
}

impl Environment {
    pub(crate) fn new() -> Self {
        let air = Air::new();
        air.add_router(Router::new(b"home", b"correct horse"));
        air.add_router(Router::new(b"new", b"battery staple"));
        Self { air, disk: Disk::new(), clock: ManualClock::new() }
    }

    /// Powers the device on, and cuts its power when `user` completes.
    #[inline(never)] // so that its callers use the same stack, one after the other
    pub(crate) fn power_on<T>(
        &self,
        factory_settings: Settings,
        user: impl AsyncFnOnce(&Self, &Control) -> T,
    ) -> T {
        let control = Control::new();
        block_on(async {
            let (radio, store) = (self.air.radio(&self.clock), self.disk.store());
            let config = Config::new(factory_settings);
            let booted = Runner::boot(radio, store, &self.clock, &control, config);
            let mut runner = booted.await.expect("the disk can be read");
            match select3(runner.run(), user(self, &control), self.clock.fast_forward()).await {
                Either3::Second(done) => done,
                Either3::First(never) | Either3::Third(never) => never,
            }
        })
    }

    /// Waits for `time`.
    pub(crate) async fn wait(&self, time: Duration) {
        self.clock.sleep_until(self.now().after(time)).await;
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }
}

/// Waits until the device is idle and returns its status.
pub(crate) async fn wait_until_idle(control: &Control) -> Status {
    let mut listener = control.listen().expect("a free listener slot");
    listener.wait_for(|status| status.phase == Phase::Idle).await
}
