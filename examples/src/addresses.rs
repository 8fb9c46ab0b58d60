//! The IP settings of an interface, from the kernel and `/etc/resolv.conf`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use nix::ifaddrs::{InterfaceAddress, InterfaceAddressIterator, getifaddrs};
use nix::sys::socket::SockaddrStorage;
use wps_http::Addresses;

/// Returns the current IP settings of an interface, or `None` if it has no link, or the kernel does
/// not say.
///
/// If the interface has more than one address, the first IPv4 address is used, or else the first
/// IPv6 address. An IPv4 address that the machine has chosen itself comes last.
pub(crate) fn addresses(interface: &str) -> Option<Addresses> {
    let carrier = fs::read_to_string(format!("/sys/class/net/{interface}/carrier")).ok()?;
    if carrier.trim() != "1" {
        return None;
    }
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (ip, mask) = ip_and_mask(interface, getifaddrs().ok()?);
    // Not /proc/net, the other name of the same file: a unit with ProcSubset=pid does not have it.
    let gateway = gateway(&read("/proc/self/net/route"), interface);
    // Name servers belong to the machine, not to an interface. They are shown for the interface
    // with the default route.
    let dns = gateway.and_then(|_| name_server(&read("/etc/resolv.conf")));
    Some(Addresses { ip, mask, gateway: gateway.map(IpAddr::V4), dns })
}

fn ip_and_mask(
    interface: &str,
    all: InterfaceAddressIterator,
) -> (Option<IpAddr>, Option<Ipv4Addr>) {
    let entries: Vec<_> = all.filter(|it| it.interface_name == interface).collect();
    let v4 = |address: &Option<SockaddrStorage>| Some(address.as_ref()?.as_sockaddr_in()?.ip());
    let with_v4 = || entries.iter().filter_map(|it| Some((v4(&it.address)?, it)));
    let with_mask =
        |(ip, entry): (Ipv4Addr, &InterfaceAddress)| (Some(IpAddr::V4(ip)), v4(&entry.netmask));
    if let Some(found) = with_v4().find(|(ip, _)| !ip.is_link_local()) {
        return with_mask(found);
    }
    let v6 = |it: &InterfaceAddress| Some(it.address?.as_sockaddr_in6()?.ip());
    // A link-local IPv6 address is useless without the name of an interface.
    match entries.iter().filter_map(v6).find(|ip| !ip.is_unicast_link_local()) {
        Some(ip) => (Some(IpAddr::V6(ip)), None),
        None => with_v4().next().map_or((None, None), with_mask),
    }
}

/// Returns the gateway of the default route with the smallest metric. `table` is the text of
/// `/proc/self/net/route`, proc(5).
fn gateway(table: &str, interface: &str) -> Option<Ipv4Addr> {
    let routes = table.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let (name, destination, gateway) = (fields.next()?, fields.next()?, fields.next()?);
        let metric: u32 = fields.nth(3)?.parse().ok()?;
        let mask = fields.next()?;
        let is_default = destination == "00000000" && mask == "00000000";
        // The kernel writes the address in the byte order of the machine.
        let gateway = u32::from_str_radix(gateway, 16).ok()?.to_ne_bytes();
        (name == interface && is_default).then_some((metric, Ipv4Addr::from(gateway)))
    });
    routes.filter(|(_, gateway)| !gateway.is_unspecified()).min().map(|(_, gateway)| gateway)
}

/// Returns the first name server in `text`, or `None` if that is on this machine itself: a local
/// stub resolver forwards queries to other servers.
fn name_server(text: &str) -> Option<IpAddr> {
    let mut servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == "nameserver").then_some(words.next()?)
    });
    servers.next()?.parse().ok().filter(|ip: &IpAddr| !ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
wlan0\t00000000\t0200000A\t0003\t0\t0\t700\t00000000\t0\t0\t0
wlan0\t00000000\t0100000A\t0003\t0\t0\t600\t00000000\t0\t0\t0
wlan0\t0000000A\t0300000A\t0003\t0\t0\t50\t00FFFFFF\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
";

    #[test]
    #[cfg(target_endian = "little")]
    fn the_gateway_is_that_of_the_default_route_with_the_smallest_metric() {
        assert_eq!(gateway(ROUTES, "wlan0"), Some([10, 0, 0, 1].into()));
        assert_eq!(gateway(ROUTES, "eth0"), Some([192, 0, 2, 1].into()));
    }

    #[test]
    fn without_a_default_route_there_is_no_gateway() {
        for (table, interface) in [(ROUTES, "tun0"), (ROUTES, "wlan"), ("", "wlan0"), ("x y", "x")]
        {
            assert_eq!(gateway(table, interface), None, "{interface}");
        }
    }

    #[test]
    fn a_name_server_on_this_machine_is_ignored() {
        let cases = [
            (
                "# made by hand\nsearch example\nnameserver 192.0.2.53\nnameserver 192.0.2.54\n",
                true,
            ),
            ("nameserver\t192.0.2.53 \n", true),
            ("nameserver 127.0.0.53\nnameserver 192.0.2.53\n", false),
            ("nameserver ::1\n", false),
            ("nameservers 192.0.2.53\nnameserver\n", false),
            ("nameserver router.example\n", false),
            ("", false),
        ];
        for (text, known) in cases {
            let expected = known.then(|| [192, 0, 2, 53].into());
            assert_eq!(name_server(text), expected, "{text}");
        }
    }

    #[test]
    fn address_and_mask_come_from_the_kernel() {
        let Addresses { ip, mask, gateway, dns } = addresses("lo").expect("the kernel answers");
        assert_eq!((ip, mask), (Some([127, 0, 0, 1].into()), Some([255, 0, 0, 0].into())));
        assert_eq!((gateway, dns), (None, None));
        assert_eq!(addresses("none0"), None);
    }
}
