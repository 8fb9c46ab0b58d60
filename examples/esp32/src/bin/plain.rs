//! The same firmware without WPS and without our crates, with which `size` measures how much they
//! add. The network to join is compiled in, and the page says hello. The stacks, the DHCP server
//! and mDNS are the same.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_futures::select::{select, select3};
use embassy_time::{Duration, Timer};
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{AuthenticationMethodConfig, Config, ControllerConfig, WifiController};
use picoserve::routing::get;
use wps_esp32::board::{self, Board};
use wps_esp32::net::{ActiveNetwork, NetworkKind, Networks, SOCKETS, subscribe};
use wps_esp32::{LogDisplay, dhcp, mdns, warn};

esp_bootloader_esp_idf::esp_app_desc!();

const NAME: &str = "plain";
const SSID: &str = "home";
const KEY: &str = "correct horse";

#[esp_hal::main]
async fn main(spawner: Spawner) {
    let Board { mut button, mut lamp, wifi, watchdog, .. } = board::start();
    let config = StationConfig::default()
        .with_ssid(SSID.try_into().expect("a name that is not too long"))
        .with_authentication(AuthenticationMethodConfig::Wpa2Personal(
            KEY.try_into().expect("a key that is not too long"),
        ));
    let config = ControllerConfig::default().with_initial_config(Config::Station(config));
    let mut controller = match WifiController::new(wifi, config) {
        Ok(controller) => controller,
        Err(error) => return warn!("no radio: {}", LogDisplay(&error)),
    };

    let networks = Networks::start(spawner, NAME);
    spawner.spawn(dhcp::serve(networks.stack(NetworkKind::AccessPoint)).expect("spawned once"));
    spawner.spawn(mdns::serve(networks, NAME).expect("spawned once"));
    for _ in 0..SOCKETS {
        spawner.spawn(serve(networks).expect("a slot for each socket"));
    }
    let connect = async {
        loop {
            if controller.connect_async().await.is_ok() {
                let _ = controller.wait_for_disconnect_async().await;
            }
            Timer::after_secs(1).await;
        }
    };
    let blink = async {
        loop {
            button.wait_for_falling_edge().await;
            lamp.toggle();
        }
    };
    select3(connect, blink, watchdog.feed()).await;
}

#[embassy_executor::task(pool_size = SOCKETS)]
async fn serve(networks: Networks) {
    let app = picoserve::Router::new().route("/", get(async || "hello"));
    let config = picoserve::Config::const_default();
    let (mut receive, mut send, mut http) = ([0; 1024], [0; 2048], [0; 3072]);
    let Some(mut receiver) = subscribe() else { return };
    loop {
        let Some(ActiveNetwork { kind, .. }) = receiver.get().await else {
            receiver.changed().await;
            continue;
        };
        let serving = async {
            loop {
                let mut socket =
                    embassy_net::tcp::TcpSocket::new(networks.stack(kind), &mut receive, &mut send);
                socket.set_timeout(Some(Duration::from_secs(45)));
                if socket.accept(80).await.is_ok() {
                    let _ = picoserve::Server::new(&app, &config, &mut http).serve(socket).await;
                }
            }
        };
        select(serving, receiver.changed()).await;
    }
}
