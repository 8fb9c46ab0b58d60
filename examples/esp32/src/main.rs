//! Wi-Fi Protected Setup by push button on an ESP32-C3 or -C6: hold the board's BOOT button for three
//! seconds, press the router's, and it is on-line, also after it lost its power.
//!
//! A board that was never set up is an access point. Its name and key are what `label` prints.
#![no_std]
#![no_main]

mod panel;
mod settings;
mod web;

use embassy_executor::Spawner;
use embassy_futures::join::join3;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_time::Timer;
use esp_backtrace as _;
use esp_hal::peripherals::WIFI;
use esp_hal::rtc_cntl::{Rwdt, RwdtStage};
use esp_hal::time::Duration;
use esp_radio::wifi::{ControllerConfig, WifiController};
use static_cell::StaticCell;
use wps_core::{AfterFailure, Control, Runner};
use wps_esp32::board::{self, Board};
use wps_esp32::net::{Networks, SOCKETS, Side};
use wps_esp32::{Shown, dhcp, mdns, say};
use wps_hal_esp::{Driver, EmbassyClock, Keeper};
use wps_label::Name;

use settings::Store;

esp_bootloader_esp_idf::esp_app_desc!();

/// The sockets, the button, the lamp, and one more for whoever builds on this.
const SEATS: usize = SOCKETS + 3;

static CONTROL: Control<CriticalSectionRawMutex, SEATS> = Control::new();

/// What a failed pairing does to a device that was an access point: the specification's rule, Wi-Fi is
/// off, and the button starts the next one. `AfterFailure::AccessPointBack` is for a device without a button.
const AFTER_FAILURE: AfterFailure = AfterFailure::AccessPointOff;

type Radio = Driver<WifiController<'static>>;
type Machine = Runner<'static, Radio, Store, EmbassyClock, CriticalSectionRawMutex, SEATS>;

#[esp_hal::main]
async fn main(spawner: Spawner) {
    static NAME: StaticCell<Name> = StaticCell::new();
    let Board { button, lamp, wifi, flash, interrupt, watchdog } = board::start();
    let name = &*NAME.init(wps_label::name(board::address()));
    say!("{}, version {}", name.as_str(), env!("CARGO_PKG_VERSION"));

    // What it lacks it has said, and a device without them is of no use. What may be wrong with the
    // settings is not overwritten.
    let Some(radio) = radio(wifi) else { return };
    let Some(store) = settings::open(flash) else { return };
    let keeper = radio.keeper();
    let factory_settings = settings::factory_settings(name);
    let runner =
        match Runner::boot(radio, store, EmbassyClock, &CONTROL, factory_settings, AFTER_FAILURE)
            .await
        {
            Ok(runner) => runner,
            Err(error) => return say!("the saved settings cannot be read: {}", Shown(&error)),
        };

    panel::start(interrupt, button, lamp);
    let networks = Networks::start(spawner, name);
    let front = web::front(name);
    spawner.spawn(dhcp::serve(networks.of(Side::AccessPoint)).expect("one place for one"));
    spawner.spawn(mdns::serve(networks, name).expect("one place for one"));
    for _ in 0..SOCKETS {
        spawner.spawn(web::serve(front, networks).expect("a place for each socket"));
    }
    spawner.spawn(pair(runner, keeper, watchdog).expect("one place for one"));
    say!("no password is set: anybody on the network can start a pairing");
}

/// The runner, and who keeps its station connected. They are the only ones who call the library.
#[embassy_executor::task]
async fn pair(mut runner: Machine, mut keeper: Keeper, watchdog: Rwdt) {
    join3(runner.run(), keeper.run(EmbassyClock), stay_alive(watchdog)).await;
}

/// From the runner's own task, so that whatever blocks it restarts the chip, a panic, too. What was
/// under way is in the journal.
async fn stay_alive(mut watchdog: Rwdt) {
    // Much longer than the library's key and an erase of the flash take.
    watchdog.set_timeout(RwdtStage::Stage0, Duration::from_secs(30));
    watchdog.enable();
    loop {
        watchdog.feed();
        Timer::after_secs(5).await;
    }
}

fn radio(wifi: WIFI<'static>) -> Option<Radio> {
    let controller = WifiController::new(wifi, ControllerConfig::default());
    let controller = controller.map_err(|error| say!("no radio: {}", Shown(&error))).ok()?;
    Driver::new(controller).map_err(|error| say!("no radio: {}", Shown(&error))).ok()
}
