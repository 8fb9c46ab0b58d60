//! A DHCP server for the device's own network.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use edge_dhcp::io::{self, DEFAULT_SERVER_PORT};
use edge_dhcp::server::{Server, ServerOptions};
use edge_nal::UdpBind;
use edge_nal_embassy::{Udp, UdpBuffers};
use embassy_net::Stack;
use embassy_time::Timer;
use static_cell::ConstStaticCell;

use crate::logging::Shown;
use crate::net::OWN;

/// How many addresses are given away at a time: more than the radio takes stations.
const LEASES: usize = 16;
/// No DHCP message is longer (RFC 2131, 2, and the MTU).
const LONGEST: usize = 1472;

/// Serves for ever. It tells no gateway and no name server: there is no way out through this device, and
/// a phone that knows that keeps its own way to the Internet.
#[embassy_executor::task]
pub async fn serve(stack: Stack<'static>) -> ! {
    static BUFFERS: ConstStaticCell<UdpBuffers<1, LONGEST, LONGEST, 2>> =
        ConstStaticCell::new(UdpBuffers::new());
    static BUFFER: ConstStaticCell<[u8; LONGEST]> = ConstStaticCell::new([0; LONGEST]);

    let (udp, buffer) = (Udp::new(stack, BUFFERS.take()), BUFFER.take());
    let mut server = Server::<_, LEASES>::new_with_et(OWN);
    let options = ServerOptions::new(OWN, None);
    loop {
        let anybody = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, DEFAULT_SERVER_PORT);
        match udp.bind(SocketAddr::V4(anybody)).await {
            Ok(mut socket) => {
                if let Err(error) =
                    io::server::run(&mut server, &options, &mut socket, buffer).await
                {
                    crate::say!("DHCP server: {}", Shown(&error));
                }
            }
            Err(error) => crate::say!("DHCP server: {}", Shown(&error)),
        }
        Timer::after_secs(1).await;
    }
}
