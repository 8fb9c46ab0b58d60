//! The two networks on which people reach the device: somebody's, as a station, and its own.
//!
//! Each has an IP stack. embassy-net keeps one waker for all who wait for a stack's state, and two of
//! them would wake each other for ever; so [`watch`] is the only one, and tells the others.

use core::net::Ipv4Addr;

use embassy_executor::Spawner;
use embassy_futures::select::{Either, select};
use embassy_net::{Config, DhcpConfig, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::watch::{Receiver, Watch};
use esp_hal::rng::Rng;
use esp_radio::wifi::Interface;
use static_cell::StaticCell;

use crate::logging::Shown;

/// How many tasks serve HTTP at a time, on either network.
pub const SOCKETS: usize = 4;
/// Those, a DHCP client or server, and mDNS.
const RESOURCES: usize = SOCKETS + 2;

/// The device's own address in its own network.
pub const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 1);

/// Who may wait for [`Reach`]: the HTTP tasks and mDNS.
const LISTENERS: usize = SOCKETS + 1;
static REACH: Watch<CriticalSectionRawMutex, Option<Reach>, LISTENERS> = Watch::new_with(None);

/// One of the two networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Somebody's.
    Station,
    /// The device's own.
    AccessPoint,
}

/// Where the device is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// On which network.
    pub side: Side,
    /// Its address there.
    pub config: StaticConfigV4,
}

/// The IP stacks of both.
#[derive(Clone, Copy)]
pub struct Networks {
    station: Stack<'static>,
    access_point: Stack<'static>,
}

impl Networks {
    /// Starts both, under this host name. The radio need not run yet. Once.
    pub fn start(spawner: Spawner, name: &str) -> Self {
        static STATION: StaticCell<StackResources<RESOURCES>> = StaticCell::new();
        static ACCESS_POINT: StaticCell<StackResources<RESOURCES>> = StaticCell::new();

        let mut dhcp = DhcpConfig::default();
        dhcp.hostname = name.try_into().ok();
        let resources = STATION.init(StackResources::new());
        let (station, runner) =
            embassy_net::new(Interface::station(), Config::dhcpv4(dhcp), resources, seed());
        spawner.spawn(run(runner).expect("a place for each stack"));

        let config = StaticConfigV4 {
            address: Ipv4Cidr::new(OWN, 24),
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
        spawner.spawn(run(runner).expect("a place for each stack"));

        let it = Self { station, access_point };
        spawner.spawn(watch(it).expect("one place for one watch"));
        it
    }

    /// The stack of one of them.
    pub fn of(&self, side: Side) -> Stack<'static> {
        match side {
            Side::Station => self.station,
            Side::AccessPoint => self.access_point,
        }
    }
}

/// Where the device is reached now.
pub fn reach() -> Option<Reach> {
    REACH.try_get().flatten()
}

/// Follows it; none when too many do.
pub fn follow() -> Option<Receiver<'static, CriticalSectionRawMutex, Option<Reach>, LISTENERS>> {
    REACH.receiver()
}

/// Tells where the device is reached, at every change. Somebody's network counts more than its own,
/// which may still be there while a new one is being joined.
#[embassy_executor::task]
async fn watch(networks: Networks) -> ! {
    let Networks { station, access_point } = networks;
    let told = REACH.sender();
    loop {
        let side = match select(up(station), up(access_point)).await {
            Either::First(()) => Side::Station,
            Either::Second(()) => Side::AccessPoint,
        };
        let stack = networks.of(side);
        if let Some(config) = stack.config_v4() {
            crate::say!("reached at http://{}", Shown(&config.address.address()));
            told.send(Some(Reach { side, config }));
        }
        match side {
            Side::Station => down(station).await,
            Side::AccessPoint => {
                select(down(access_point), up(station)).await;
            }
        }
        told.send(None);
    }
}

/// The address of its own network is always there, so it is the link that counts; somebody else's may
/// have a link and no address yet.
async fn up(stack: Stack<'static>) {
    loop {
        stack.wait_link_up().await;
        stack.wait_config_up().await;
        if stack.is_link_up() {
            return;
        }
    }
}

async fn down(stack: Stack<'static>) {
    select(stack.wait_link_down(), stack.wait_config_down()).await;
}

#[embassy_executor::task(pool_size = 2)]
async fn run(mut runner: Runner<'static, Interface>) -> ! {
    runner.run().await
}

/// For port numbers and the like.
fn seed() -> u64 {
    let random = Rng::new();
    u64::from(random.random()) << 32 | u64::from(random.random())
}
