//! The smallest program: one radio, one router, one pairing. Everything is simulated, including
//! time, so it ends at once. A device uses its own driver, store and clock instead.

use core::time::Duration;

use embassy_futures::block_on;
use embassy_futures::select::{Either3, select3};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use wps_core::sim::{Air, Disk, ManualClock, Router};
use wps_core::{ADVICE_AFTER_SUCCESS, Config, Control, Phase, Runner, Settings, Status};

fn main() {
    // The simulated parts: a radio with one router in range, an empty disk, a clock.
    let air = Air::<NoopRawMutex>::new();
    air.add_router(Router::new(b"home", b"correct horse"));
    let disk = Disk::<NoopRawMutex>::new();
    let clock = ManualClock::<NoopRawMutex>::new();

    // The control takes requests and provides the status. The runner does the work.
    let control: Control<NoopRawMutex> = Control::new();
    let config = Config::new(Settings::Off { remembered: None });
    let booted = Runner::boot(air.radio(&clock), disk.store(), &clock, &control, config);
    let mut runner = block_on(booted).expect("an empty disk can be read");

    let user = async {
        let mut listener = control.listen().expect("a free listener slot");
        listener.wait_for(|status| status.phase == Phase::Idle).await; // the device has booted

        // On a device: its button, or `POST /api/v1/wifi/wps`.
        control.start(Duration::ZERO).await.expect("nothing else is running");
        loop {
            let status = listener.changed().await;
            println!("{:?}, search: {:?}", status.phase, status.progress);
            if status.phase == Phase::Searching {
                air.press_button(b"home"); // somebody walks over to the router
            }
            if status.phase == Phase::Idle {
                return status;
            }
        }
    };

    // Only `user` ever completes: the runner and the clock go on forever.
    let Either3::Second(Status { last, network, .. }) =
        block_on(select3(runner.run(), user, clock.fast_forward()));
    let name = network.map_or_else(String::new, |ssid| ssid.to_string());
    match last.expect("a pairing has ended").result {
        Ok(()) => println!("Paired with {name}. {ADVICE_AFTER_SUCCESS}"),
        Err(cause) => println!("Not paired: {cause}. {}", cause.advice()),
    }
}
