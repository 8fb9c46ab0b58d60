//! A DHCP server for the device's own network.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use edge_dhcp::io::{self, DEFAULT_SERVER_PORT};
use edge_dhcp::server::{Server, ServerOptions};
use edge_nal::UdpBind;
use edge_nal_embassy::{Udp, UdpBuffers};
use embassy_net::Stack;
use embassy_time::Timer;
use static_cell::ConstStaticCell;

use crate::logging::LogDisplay;
use crate::net::OWN_ADDRESS;

/// The number of leases: more than the stations that the radio accepts.
const LEASES_MAX: usize = 16;
/// The longest DHCP message (RFC 2131, section 2, and the MTU).
const MESSAGE_LEN_MAX: usize = 1472;

/// Serves forever. It offers no gateway and no name server, because this device does not lead to
/// the Internet. A phone then keeps using its own Internet connection.
#[embassy_executor::task]
pub async fn serve(stack: Stack<'static>) -> ! {
    static BUFFERS: ConstStaticCell<UdpBuffers<1, MESSAGE_LEN_MAX, MESSAGE_LEN_MAX, 2>> =
        ConstStaticCell::new(UdpBuffers::new());
    static BUFFER: ConstStaticCell<[u8; MESSAGE_LEN_MAX]> =
        ConstStaticCell::new([0; MESSAGE_LEN_MAX]);

    let (udp, buffer) = (Udp::new(stack, BUFFERS.take()), BUFFER.take());
    let mut server = Server::<_, LEASES_MAX>::new_with_et(OWN_ADDRESS);
    let options = ServerOptions::new(OWN_ADDRESS, None);
    loop {
        let any_address = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, DEFAULT_SERVER_PORT);
        match udp.bind(SocketAddr::V4(any_address)).await {
            Ok(mut socket) => {
                if let Err(error) =
                    io::server::run(&mut server, &options, &mut socket, buffer).await
                {
                    crate::warn!("DHCP server: {}", LogDisplay(&error));
                }
            }
            Err(error) => crate::warn!("DHCP server: {}", LogDisplay(&error)),
        }
        Timer::after_secs(1).await;
    }
}
