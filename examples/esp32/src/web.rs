//! The page and the API, on whichever network is active.

use embassy_futures::select::select;
use embassy_net::tcp::TcpSocket;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_time::Duration;
use static_cell::StaticCell;
use wps_esp32::net::{ActiveNetwork, Networks, SOCKETS, active_network, subscribe};
use wps_hal_esp::EmbassyClock;
use wps_http::picoserve::{Config, HTTP_BUFFER};
use wps_http::{Addresses, AllowedHosts, Device};
use wps_label::Name;

use crate::{CONTROL, LISTENERS_MAX};

type Server = wps_http::picoserve::Server<
    'static,
    CriticalSectionRawMutex,
    EmbassyClock,
    LISTENERS_MAX,
    LISTENERS_MAX,
>;

const _: () = assert!(SOCKETS == wps_http::picoserve::SOCKETS, "one task for each socket");

// The buffers of a TCP socket. Requests are short, and a response is written piece by piece.
const RECEIVE_BUFFER_LEN: usize = 1024;
const SEND_BUFFER_LEN: usize = 2048;

/// How long a client that has disappeared may keep its socket. Longer than any timeout of the
/// server.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(45);

/// Creates the server for all connections. Call it only once.
pub(crate) fn server(name: &'static Name) -> &'static Server {
    static NAMES: StaticCell<[&str; 1]> = StaticCell::new();
    static SERVER: StaticCell<Server> = StaticCell::new();
    let config = Config {
        allowed_hosts: AllowedHosts {
            names: NAMES.init([name.as_str()]),
            ..AllowedHosts::default()
        },
        device: Device {
            name: Some(name.as_str()),
            model: Some(esp_hal::chip!()),
            version: Some(env!("CARGO_PKG_VERSION")),
            ..Device::default()
        },
        addresses,
        ..Config::default()
    };
    SERVER.init(Server::new(&CONTROL, EmbassyClock, config, None))
}

/// Serves one connection after another. A change of the network drops the current connection.
#[embassy_executor::task(pool_size = SOCKETS)]
pub(crate) async fn serve(server: &'static Server, networks: Networks) {
    let (mut receive, mut send, mut http) =
        ([0; RECEIVE_BUFFER_LEN], [0; SEND_BUFFER_LEN], [0; HTTP_BUFFER]);
    let Some(mut receiver) = subscribe() else { return };
    loop {
        let Some(ActiveNetwork { kind, .. }) = receiver.get().await else {
            receiver.changed().await;
            continue;
        };
        let serving = async {
            loop {
                let mut socket = TcpSocket::new(networks.stack(kind), &mut receive, &mut send);
                socket.set_timeout(Some(SOCKET_TIMEOUT));
                if socket.accept(80).await.is_ok() {
                    let address = socket.remote_endpoint().map(|it| it.addr.into());
                    // An error only affects this client: it has hung up or is too slow.
                    let _ = server.serve(&mut http, socket, address).await;
                }
            }
        };
        select(serving, receiver.changed()).await;
    }
}

/// Returns the addresses that the page shows, once the device has one.
fn addresses() -> Option<Addresses> {
    let ActiveNetwork { config, .. } = active_network()?;
    Some(Addresses {
        ip: Some(config.address.address().into()),
        mask: Some(config.address.netmask()),
        gateway: config.gateway.map(Into::into),
        dns: config.dns_servers.first().copied().map(Into::into),
    })
}
