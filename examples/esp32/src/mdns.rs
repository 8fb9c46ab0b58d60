//! Announces the device's name, for example `wps-0ab1c2.local`, on whichever network is active.

use core::net::Ipv4Addr;

use edge_mdns::HostAnswersMdnsHandler;
use edge_mdns::buf::VecBufAccess;
use edge_mdns::domain::base::Ttl;
use edge_mdns::host::Host;
use edge_mdns::io::{DEFAULT_SOCKET, Mdns, bind};
use edge_nal::UdpSplit;
use edge_nal_embassy::{Udp, UdpBuffers};
use embassy_futures::select::select;
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::Timer;
use esp_hal::rng::Rng;
use static_cell::{ConstStaticCell, StaticCell};

use crate::logging::LogDisplay;
use crate::net::{ActiveNetwork, Networks, subscribe};

/// The length of a datagram that fills a frame.
const DATAGRAM_LEN_MAX: usize = 1472;

type Buffer = VecBufAccess<NoopRawMutex, DATAGRAM_LEN_MAX>;

/// Answers queries for the name, forever.
#[embassy_executor::task]
pub async fn serve(networks: Networks, name: &'static str) {
    static BUFFERS: ConstStaticCell<UdpBuffers<1, DATAGRAM_LEN_MAX, DATAGRAM_LEN_MAX, 2>> =
        ConstStaticCell::new(UdpBuffers::new());
    static BOTH: StaticCell<[Buffer; 2]> = StaticCell::new();

    let buffers = BUFFERS.take();
    let both = BOTH.init_with(|| [Buffer::new(), Buffer::new()]);
    let Some(mut receiver) = subscribe() else { return };
    loop {
        let Some(ActiveNetwork { kind, config }) = receiver.get().await else {
            receiver.changed().await;
            continue;
        };
        let (stack, address) = (networks.stack(kind), config.address.address());
        let answering = async {
            loop {
                answer(stack, buffers, both, name, address).await;
                // `answer` returns only after an error. An error with one datagram must not end the
                // service.
                Timer::after_secs(1).await;
            }
        };
        select(answering, receiver.changed()).await;
    }
}

async fn answer(
    stack: Stack<'static>,
    buffers: &UdpBuffers<1, DATAGRAM_LEN_MAX, DATAGRAM_LEN_MAX, 2>,
    [receive, send]: &[Buffer; 2],
    name: &str,
    address: Ipv4Addr,
) {
    let udp = Udp::new(stack, buffers);
    let mut socket = match bind(&udp, DEFAULT_SOCKET, Some(address), None).await {
        Ok(socket) => socket,
        Err(error) => return crate::warn!("mDNS: {}", LogDisplay(&error)),
    };
    let (from, to) = socket.split();
    let host = Host {
        hostname: name,
        ipv4: address,
        ipv6: core::net::Ipv6Addr::UNSPECIFIED,
        ttl: Ttl::from_secs(120), // RFC 6762, 10
    };
    let again = Signal::new();
    let mdns = Mdns::<_, _, _, _, _, NoopRawMutex>::new(
        Some(address),
        None,
        from,
        to,
        receive,
        send,
        Rng::new(),
        &again,
    );
    if let Err(error) = mdns.run(HostAnswersMdnsHandler::new(&host)).await {
        crate::warn!("mDNS: {}", LogDisplay(&error));
    }
}
