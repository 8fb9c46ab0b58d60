//! The networks and settings that the checks use.

use super::{ObservedState, Unavailable};
use crate::settings::{AccessPoint, Credentials, KeptId, Passphrase, Secret, Settings, Ssid};

/// The network in use before a pairing.
pub(super) fn old() -> Credentials {
    network(b"old", b"old password")
}

/// The network to pair with.
pub(super) fn home() -> Credentials {
    network(b"home", b"correct horse")
}

/// Another network to pair with.
pub(super) fn neighbour() -> Credentials {
    network(b"neighbour", b"battery staple")
}

/// A network that is never in range.
pub(super) fn absent() -> Credentials {
    network(b"absent", b"nobody there")
}

/// The network to pair with, with a wrong key.
pub(super) fn home_with_another_key() -> Credentials {
    network(b"home", b"not the key of it")
}

/// An open network, which a driver must not join for a network with a key of this name.
pub(super) fn open() -> Credentials {
    network(b"open", b"")
}

/// Returns the network as the record names it if the platform keeps it under this identifier.
pub(super) fn kept(network: &Credentials, id: KeptId) -> Credentials {
    Credentials { ssid: network.ssid.clone(), secret: Secret::Kept(id) }
}

pub(super) fn station(network: Credentials) -> Settings {
    Settings::Station { network }
}

pub(super) fn hotspot() -> Settings {
    hotspot_with(None)
}

pub(super) fn hotspot_with(remembered: Option<Credentials>) -> Settings {
    let network = network(b"device", b"on the label");
    Settings::AccessPoint { access_point: AccessPoint { network, channel: Some(6) }, remembered }
}

/// Off, with a remembered network that the driver must not join.
pub(super) fn off() -> Settings {
    Settings::Off { remembered: Some(old()) }
}

/// Returns the modes in which a pairing can begin.
pub(super) fn initial_modes() -> [(&'static str, Settings); 3] {
    [
        ("from station mode", station(old())),
        ("from access-point mode", hotspot()),
        ("from off", off()),
    ]
}

/// Unusual networks: some that people really have, and some that only the standard allows.
pub(super) fn odd_networks() -> [Credentials; 7] {
    [
        network(b"a\"b\\c$d 'e`", b"pa\"ss\\wo rd$`'"),
        network(&[0xff; 32], b"12345678"),
        network(b" \0null and\nnewline\r\t\x1b ", b" #not=a comment "),
        network("caf\u{e9} \u{2615}".as_bytes(), "schl\u{fc}ssel \u{2615}".as_bytes()),
        network(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", &[b'x'; 63]),
        network(b"0xff", b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"),
        network(b"P\"open", b""),
    ]
}

/// Returns the state in which the radio is observed when these settings are applied and their
/// network is in range.
pub(super) fn expected_state(settings: &Settings) -> ObservedState {
    match settings {
        Settings::Station { network } => ObservedState::Joined(network.ssid.clone()),
        Settings::AccessPoint { access_point, .. } => {
            ObservedState::Serving(access_point.network.ssid.clone())
        }
        // In this suite the platform's own network is the network "old".
        Settings::Platform => ObservedState::Joined(old().ssid),
        Settings::Off { .. } => ObservedState::Nothing,
    }
}

/// Returns the reason to report if a driver does not support these settings, or `None` if it must
/// support them.
pub(super) fn reason_if_optional(settings: &Settings) -> Option<Unavailable> {
    match settings {
        Settings::Station { .. } => None,
        Settings::Platform => {
            Some(Unavailable("the driver does not support the platform's own settings"))
        }
        Settings::AccessPoint { .. } => {
            Some(Unavailable("the driver does not support access-point mode"))
        }
        Settings::Off { .. } => {
            Some(Unavailable("the driver does not support switching the radio off"))
        }
    }
}

/// An empty key makes the network an open one.
fn network(ssid: &[u8], key: &[u8]) -> Credentials {
    Credentials {
        ssid: Ssid::new(ssid).expect("a network name"),
        secret: match key {
            [] => Secret::Open,
            key => Secret::Key(Passphrase::new(key).expect("a key")),
        },
    }
}
