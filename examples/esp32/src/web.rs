//! The page and the API, on whichever network the device is reached.

use embassy_futures::select::select;
use embassy_net::tcp::TcpSocket;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_time::Duration;
use static_cell::StaticCell;
use wps_esp32::net::{Networks, Reach, SOCKETS, follow, reach};
use wps_hal_esp::EmbassyClock;
use wps_http::picoserve::{Config, HTTP_BUFFER};
use wps_http::{Addresses, Device, Site};
use wps_label::Name;

use crate::{CONTROL, SEATS};

type Front = wps_http::picoserve::Front<'static, CriticalSectionRawMutex, EmbassyClock, SEATS>;

const _: () = assert!(SOCKETS == wps_http::picoserve::SOCKETS, "one task for each socket");

/// Of TCP. Requests are short; an answer is written piece by piece.
const RECEIVE: usize = 1024;
const SEND: usize = 2048;

/// A client that is gone does not keep its socket. Longer than any limit of the front.
const SILENCE: Duration = Duration::from_secs(45);

/// The one of all connections. Once.
pub(crate) fn front(name: &'static Name) -> &'static Front {
    static NAMES: StaticCell<[&str; 1]> = StaticCell::new();
    static FRONT: StaticCell<Front> = StaticCell::new();
    let config = Config {
        site: Site { names: NAMES.init([name.as_str()]), ..Site::default() },
        device: Device {
            name: Some(name.as_str()),
            model: Some(esp_hal::chip!()),
            version: Some(env!("CARGO_PKG_VERSION")),
        },
        addresses,
        ..Config::default()
    };
    FRONT.init(Front::new(&CONTROL, EmbassyClock, config, None))
}

/// Serves one connection after the other. What is under way on a network that went away is dropped.
#[embassy_executor::task(pool_size = SOCKETS)]
pub(crate) async fn serve(front: &'static Front, networks: Networks) {
    let (mut receive, mut send, mut http) = ([0; RECEIVE], [0; SEND], [0; HTTP_BUFFER]);
    let Some(mut news) = follow() else { return };
    loop {
        let Some(Reach { side, .. }) = news.get().await else {
            news.changed().await;
            continue;
        };
        let serving = async {
            loop {
                let mut socket = TcpSocket::new(networks.of(side), &mut receive, &mut send);
                socket.set_timeout(Some(SILENCE));
                if socket.accept(80).await.is_ok() {
                    // Whoever hangs up or is too slow has only harmed itself.
                    let _ = front.serve(&mut http, socket).await;
                }
            }
        };
        select(serving, news.changed()).await;
    }
}

/// What the page says about the network.
fn addresses() -> Addresses {
    let Some(Reach { config, .. }) = reach() else { return Addresses::default() };
    Addresses {
        ip: Some(config.address.address().into()),
        mask: Some(config.address.netmask()),
        gateway: config.gateway.map(Into::into),
        dns: config.dns_servers.first().copied().map(Into::into),
    }
}
