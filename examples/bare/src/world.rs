//! A simulated world: two routers, a disk, a clock moved by hand, and a device that can be switched on
//! and off.

use core::time::Duration;

use embassy_futures::block_on;
use embassy_futures::select::{Either3, select3};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use wps_core::sim::{Air, Disk, ManualClock, Router};
use wps_core::{AfterFailure, Clock, Instant, Phase, Runner, Settings, Status};

/// The platform's own critical section: interrupts off.
type Raw = CriticalSectionRawMutex;
pub(crate) type Control = wps_core::Control<Raw, 2>;

pub(crate) struct World {
    pub(crate) air: Air<Raw>,
    pub(crate) disk: Disk<Raw>,
    pub(crate) clock: ManualClock<Raw>,
}

impl World {
    pub(crate) fn new() -> Self {
        let air = Air::new();
        air.add(Router::new(b"home", b"correct horse"));
        air.add(Router::new(b"new", b"battery staple"));
        Self { air, disk: Disk::new(), clock: ManualClock::new() }
    }

    /// The device with power, from its start until `user` is done.
    pub(crate) fn power_on<T>(
        &self,
        factory_settings: Settings,
        user: impl AsyncFnOnce(&Self, &Control) -> T,
    ) -> T {
        let control = Control::new();
        block_on(async {
            let (radio, store) = (self.air.radio(&self.clock), self.disk.store());
            let booted = Runner::boot(
                radio,
                store,
                &self.clock,
                &control,
                factory_settings,
                AfterFailure::default(),
            );
            let mut runner = booted.await.expect("a disk that can be read");
            match select3(runner.run(), user(self, &control), self.clock.fast_forward()).await {
                Either3::Second(done) => done,
                Either3::First(never) | Either3::Third(never) => never,
            }
        })
    }

    pub(crate) async fn wait(&self, time: Duration) {
        self.clock.sleep_until(self.now().after(time)).await;
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }
}

/// The status once the device is at rest.
pub(crate) async fn rest(control: &Control) -> Status {
    let mut news = control.listen().expect("a seat for a listener");
    news.get_and(|status| status.phase == Phase::Idle).await
}
