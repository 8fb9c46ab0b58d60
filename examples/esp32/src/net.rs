//! The two networks on which the device can be reached: the user's, as a station, and its own
//! access point.
//!
//! Each network has an IP stack. embassy-net keeps a single waker for all tasks that wait for the
//! state of a stack, and two waiting tasks would wake each other forever. So only
//! [`track_active_network`] waits for it, and sends the result to the other tasks.

use core::net::Ipv4Addr;

use embassy_executor::Spawner;
use embassy_futures::select::{Either, select};
use embassy_net::{Config, DhcpConfig, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::watch::{Receiver, Watch};
use esp_hal::rng::Rng;
use esp_radio::wifi::Interface;
use static_cell::StaticCell;

use crate::logging::LogDisplay;

/// The number of tasks that serve HTTP, on whichever network is active.
pub const SOCKETS: usize = 4;
/// The sockets of a stack: those for HTTP, one for a DHCP client or server, and one for mDNS.
const STACK_SOCKETS: usize = SOCKETS + 2;

/// The device's own address in its own network.
pub const OWN_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 1);

/// The number of tasks that wait for the [`ActiveNetwork`]: the HTTP tasks and mDNS.
const RECEIVERS_MAX: usize = SOCKETS + 1;
static ACTIVE_NETWORK: Watch<CriticalSectionRawMutex, Option<ActiveNetwork>, RECEIVERS_MAX> =
    Watch::new_with(None);

/// One of the two networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkKind {
    /// The network that the device joins as a station.
    Station,
    /// The device's own access point.
    AccessPoint,
}

/// The network on which the device can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveNetwork {
    /// Which of the two networks it is.
    pub kind: NetworkKind,
    /// The device's IP configuration on it.
    pub config: StaticConfigV4,
}

/// The IP stacks of both networks.
#[derive(Clone, Copy)]
pub struct Networks {
    station: Stack<'static>,
    access_point: Stack<'static>,
}

impl Networks {
    /// Starts both stacks with this host name. The radio need not run yet. Call it only once.
    pub fn start(spawner: Spawner, name: &str) -> Self {
        static STATION: StaticCell<StackResources<STACK_SOCKETS>> = StaticCell::new();
        static ACCESS_POINT: StaticCell<StackResources<STACK_SOCKETS>> = StaticCell::new();

        let mut dhcp = DhcpConfig::default();
        dhcp.hostname = name.try_into().ok();
        let resources = STATION.init(StackResources::new());
        let (station, runner) =
            embassy_net::new(Interface::station(), Config::dhcpv4(dhcp), resources, seed());
        spawner.spawn(run_stack(runner).expect("a slot for each stack"));

        let config = StaticConfigV4 {
            address: Ipv4Cidr::new(OWN_ADDRESS, 24),
            gateway: None,
            dns_servers: Default::default(),
        };
        let resources = ACCESS_POINT.init(StackResources::new());
        let (access_point, runner) = embassy_net::new(
            Interface::access_point(),
            Config::ipv4_static(config),
            resources,
            seed(),
        );
        spawner.spawn(run_stack(runner).expect("a slot for each stack"));

        let networks = Self { station, access_point };
        spawner.spawn(track_active_network(networks).expect("spawned once"));
        networks
    }

    /// Returns the stack of one network.
    pub fn stack(&self, kind: NetworkKind) -> Stack<'static> {
        match kind {
            NetworkKind::Station => self.station,
            NetworkKind::AccessPoint => self.access_point,
        }
    }
}

/// Returns the network on which the device can be reached now.
pub fn active_network() -> Option<ActiveNetwork> {
    ACTIVE_NETWORK.try_get().flatten()
}

/// Returns a receiver for changes of the active network, or `None` if there are too many already.
pub fn subscribe()
-> Option<Receiver<'static, CriticalSectionRawMutex, Option<ActiveNetwork>, RECEIVERS_MAX>> {
    ACTIVE_NETWORK.receiver()
}

/// Publishes the active network at every change. The network of the station has priority over the
/// access point, which may still be up while the device joins a network.
#[embassy_executor::task]
async fn track_active_network(networks: Networks) -> ! {
    let Networks { station, access_point } = networks;
    let sender = ACTIVE_NETWORK.sender();
    loop {
        let kind = match select(wait_up(station), wait_up(access_point)).await {
            Either::First(()) => NetworkKind::Station,
            Either::Second(()) => NetworkKind::AccessPoint,
        };
        let stack = networks.stack(kind);
        if let Some(config) = stack.config_v4() {
            crate::info!("reached at http://{}", LogDisplay(&config.address.address()));
            sender.send(Some(ActiveNetwork { kind, config }));
        }
        match kind {
            NetworkKind::Station => wait_down(station).await,
            NetworkKind::AccessPoint => {
                select(wait_down(access_point), wait_up(station)).await;
            }
        }
        sender.send(None);
    }
}

/// Waits until a stack has a link and an address. The access point always has an address, so its
/// link decides. The station may have a link but no address yet.
async fn wait_up(stack: Stack<'static>) {
    loop {
        stack.wait_link_up().await;
        stack.wait_config_up().await;
        if stack.is_link_up() {
            return;
        }
    }
}

async fn wait_down(stack: Stack<'static>) {
    select(stack.wait_link_down(), stack.wait_config_down()).await;
}

#[embassy_executor::task(pool_size = 2)]
async fn run_stack(mut runner: Runner<'static, Interface>) -> ! {
    runner.run().await
}

/// Returns a random seed, for example for port numbers.
fn seed() -> u64 {
    let random = Rng::new();
    u64::from(random.random()) << 32 | u64::from(random.random())
}
