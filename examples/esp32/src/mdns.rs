//! The device's name: `wps-0ab1c2.local`, on whichever network it is reached.

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

use crate::logging::Shown;
use crate::net::{Networks, Reach, follow};

/// A datagram that fills a frame.
const LONGEST: usize = 1472;

type Buffer = VecBufAccess<NoopRawMutex, LONGEST>;

/// Answers to the name for ever.
#[embassy_executor::task]
pub async fn serve(networks: Networks, name: &'static str) {
    static BUFFERS: ConstStaticCell<UdpBuffers<1, LONGEST, LONGEST, 2>> =
        ConstStaticCell::new(UdpBuffers::new());
    static BOTH: StaticCell<[Buffer; 2]> = StaticCell::new();

    let buffers = BUFFERS.take();
    let both = BOTH.init_with(|| [Buffer::new(), Buffer::new()]);
    let Some(mut news) = follow() else { return };
    loop {
        let Some(Reach { side, config }) = news.get().await else {
            news.changed().await;
            continue;
        };
        let (stack, address) = (networks.of(side), config.address.address());
        let answering = async {
            loop {
                answer(stack, buffers, both, name, address).await;
                // It ends only by an error, and that of one datagram must not be the last.
                Timer::after_secs(1).await;
            }
        };
        select(answering, news.changed()).await;
    }
}

async fn answer(
    stack: Stack<'static>,
    buffers: &UdpBuffers<1, LONGEST, LONGEST, 2>,
    [receive, send]: &[Buffer; 2],
    name: &str,
    address: Ipv4Addr,
) {
    let udp = Udp::new(stack, buffers);
    let mut socket = match bind(&udp, DEFAULT_SOCKET, Some(address), None).await {
        Ok(socket) => socket,
        Err(error) => return crate::say!("mDNS: {}", Shown(&error)),
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
        crate::say!("mDNS: {}", Shown(&error));
    }
}
