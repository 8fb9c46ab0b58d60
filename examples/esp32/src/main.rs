//! Wi-Fi Protected Setup by push button on an ESP32-C3 or -C6. Hold the board's BOOT button for
//! three seconds and press the router's button: the board is then online, also after a power cut.
//!
//! A board that was never set up is an access point. `label` prints its name and its key.
#![no_std]
#![no_main]

mod button_and_lamp;
#[cfg(feature = "encrypted-settings")]
mod encryption;
mod settings;
mod web;

use embassy_executor::Spawner;
use embassy_futures::join::join;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use esp_hal::peripherals::WIFI;
use esp_hal::rng::Rng;
use esp_radio::wifi::{ControllerConfig, WifiController};
use static_cell::StaticCell;
use wps_core::{AfterFailure, Config, Control, Runner};
use wps_esp32::board::{self, Board, Watchdog};
use wps_esp32::net::{NetworkKind, Networks, SOCKETS};
use wps_esp32::{LogDisplay, dhcp, info, mdns, warn};
use wps_hal_esp::{Country, DeviceInfo, Driver, EmbassyClock, Options};
use wps_label::Name;

use settings::Store;

esp_bootloader_esp_idf::esp_app_desc!();

/// The users of [`CONTROL`]: the sockets, the button, the lamp, and one more for your own task.
const LISTENERS_MAX: usize = SOCKETS + 3;

static CONTROL: Control<CriticalSectionRawMutex, LISTENERS_MAX, LISTENERS_MAX> = Control::new();

/// What happens after a failed pairing if the device was an access point. As the specification
/// requires, Wi-Fi is off, and the button starts the next pairing. For a device without a button,
/// use `AfterFailure::AccessPointBack`.
const AFTER_FAILURE: AfterFailure = AfterFailure::AccessPointOff;

/// The country of the device, two letters, which decides about the channels. `WORLD` allows those
/// that are allowed everywhere, and follows the country of the access point.
const COUNTRY: Country = Country::WORLD;

/// The highest transmit power in dBm, 2 to 20. The country may allow less.
const MAX_TX_POWER_DBM: u8 = 20;

type Radio = Driver<WifiController<'static>, EmbassyClock>;
type WifiRunner = Runner<
    'static,
    Radio,
    Store,
    EmbassyClock,
    CriticalSectionRawMutex,
    LISTENERS_MAX,
    LISTENERS_MAX,
>;

#[esp_hal::main]
async fn main(spawner: Spawner) {
    static NAME: StaticCell<Name> = StaticCell::new();
    let Board { button, lamp, wifi, flash, interrupt, watchdog, crypto } = board::start();
    let name = &*NAME.init(wps_label::name(board::mac_address()));
    info!("{}, version {}", name.as_str(), env!("CARGO_PKG_VERSION"));

    // Without a radio or a store the device is useless. The error has been logged, and the watchdog
    // restarts the chip, because nobody feeds it. Settings that cannot be read are not overwritten.
    let Some(store) = settings::open_store(flash, crypto) else { return };
    let Some(radio) = start_radio(wifi, name) else { return };
    let config = Config::new(settings::factory_settings(name)).with_after_failure(AFTER_FAILURE);
    let runner = match Runner::boot(radio, store, EmbassyClock, &CONTROL, config).await {
        Ok(runner) => runner,
        Err(error) => return warn!("the saved settings cannot be read: {}", LogDisplay(&error)),
    };

    button_and_lamp::start(interrupt, button, lamp);
    let networks = Networks::start(spawner, name);
    let server = web::server(name);
    spawner.spawn(dhcp::serve(networks.stack(NetworkKind::AccessPoint)).expect("spawned once"));
    spawner.spawn(mdns::serve(networks, name).expect("spawned once"));
    for _ in 0..SOCKETS {
        spawner.spawn(web::serve(server, networks).expect("a slot for each socket"));
    }
    spawner.spawn(run_wifi(runner, watchdog).expect("spawned once"));
    warn!("no password is set: anybody on the network can start a pairing");
}

/// Runs the runner, whose driver is the only caller of the library.
#[embassy_executor::task]
async fn run_wifi(mut runner: WifiRunner, watchdog: Watchdog) {
    // The watchdog restarts the chip if anything blocks this task. A pairing that was in progress
    // is in the journal.
    join(runner.run(), watchdog.feed()).await;
}

/// Returns the options of the radio, and what a router is told about the device.
fn radio_options(name: &'static Name) -> Options {
    let mut options = Options::new(|| Rng::new().random());
    options.country = COUNTRY;
    options.max_tx_power_dbm = MAX_TX_POWER_DBM;
    options.device = DeviceInfo {
        model_name: env!("CARGO_PKG_NAME"),
        model_number: env!("CARGO_PKG_VERSION"),
        device_name: name.as_str(),
        ..DeviceInfo::default()
    };
    options
}

fn start_radio(wifi: WIFI<'static>, name: &'static Name) -> Option<Radio> {
    let controller = WifiController::new(wifi, ControllerConfig::default());
    let controller = controller.map_err(|error| warn!("no radio: {}", LogDisplay(&error))).ok()?;
    Driver::new(controller, EmbassyClock, radio_options(name))
        .map_err(|error| warn!("no radio: {}", LogDisplay(&error)))
        .ok()
}
