//! The smallest program: a router, a radio, one pairing. Everything is simulated, time too, so it is
//! over at once. On a device, the driver, the store and the clock are the device's own.

use core::time::Duration;

use embassy_futures::block_on;
use embassy_futures::select::{Either3, select3};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use wps_core::sim::{Air, Disk, ManualClock, Router};
use wps_core::{ADVICE_AFTER_SUCCESS, AfterFailure, Control, Phase, Runner, Settings, Status};

fn main() {
    // The world: a radio with one router in range, a blank disk, a clock.
    let air = Air::<NoopRawMutex>::new();
    air.add(Router::new(b"home", b"correct horse"));
    let disk = Disk::<NoopRawMutex>::new();
    let clock = ManualClock::<NoopRawMutex>::new();

    // Requests come in and the status goes out at the desk. The runner does the work.
    let control = Control::<NoopRawMutex, 2>::new();
    let factory_settings = Settings::Off { remembered: None };
    let after_failure = AfterFailure::default();
    let booted = Runner::boot(
        air.radio(&clock),
        disk.store(),
        &clock,
        &control,
        factory_settings,
        after_failure,
    );
    let mut runner = block_on(booted).expect("a blank disk can be read");

    let user = async {
        let mut news = control.listen().expect("a seat at the desk");
        news.get_and(|status| status.phase == Phase::Idle).await; // the device has started

        // On a device: its button, or `POST /api/v1/wifi/wps`.
        control.start(Duration::ZERO).await.expect("nothing else is under way");
        loop {
            let status = news.changed().await;
            println!("{:?}, in sight: {:?}", status.phase, status.seen);
            if status.phase == Phase::Searching {
                air.press(b"home"); // somebody walks over to the router
            }
            if status.phase == Phase::Idle {
                return status;
            }
        }
    };

    // Only the user comes to an end: the runner never does, and the clock jumps on and on.
    let Either3::Second(Status { last, network, .. }) =
        block_on(select3(runner.run(), user, clock.fast_forward()));
    let name = network.map_or_else(String::new, |ssid| ssid.to_string());
    match last.expect("a pairing has ended").result {
        Ok(()) => println!("Paired with {name}. {ADVICE_AFTER_SUCCESS}"),
        Err(cause) => println!("Not paired: {cause}. {}", cause.advice()),
    }
}
