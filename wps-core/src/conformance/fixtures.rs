//! The networks and settings that the checks play with.

use super::{ObservedState, Unavailable};
use crate::settings::{AccessPoint, Credentials, Passphrase, Settings, Ssid};

/// The network of before.
pub(super) fn old() -> Credentials {
    network(b"old", b"old password")
}

/// The network to pair with.
pub(super) fn home() -> Credentials {
    network(b"home", b"correct horse")
}

/// Another one that can be paired with.
pub(super) fn neighbour() -> Credentials {
    network(b"neighbour", b"battery staple")
}

/// A network that is never on the air.
pub(super) fn absent() -> Credentials {
    network(b"absent", b"nobody there")
}

/// The network to pair with, and a key that is not its own.
pub(super) fn home_with_another_key() -> Credentials {
    network(b"home", b"not the key of it")
}

pub(super) fn station(network: Credentials) -> Settings {
    Settings::Station { network }
}

pub(super) fn hotspot() -> Settings {
    let network = network(b"device", b"on the label");
    Settings::AccessPoint {
        access_point: AccessPoint { network, channel: Some(6) },
        remembered: None,
    }
}

/// Off, with a network that is remembered and must not be used.
pub(super) fn off() -> Settings {
    Settings::Off { remembered: Some(old()) }
}

/// Networks that real people have, and some that only the standard allows.
pub(super) fn odd() -> [Credentials; 7] {
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

/// How the radio is seen when these settings are in effect and their network is on the air.
pub(super) fn seen_in(settings: &Settings) -> ObservedState {
    match settings {
        Settings::Station { network } => ObservedState::Joined(network.ssid.clone()),
        Settings::AccessPoint { access_point, .. } => {
            ObservedState::Serving(access_point.network.ssid.clone())
        }
        // The network of the platform is the network of before here.
        Settings::Platform => ObservedState::Joined(old().ssid),
        Settings::Off { .. } => ObservedState::Nothing,
    }
}

/// Settings that a driver may refuse as unsupported, and what is said about it.
pub(super) fn optional(settings: &Settings) -> Option<Unavailable> {
    match settings {
        Settings::Station { .. } => None,
        Settings::Platform => {
            Some(Unavailable("the driver does not support settings of the platform"))
        }
        Settings::AccessPoint { .. } => {
            Some(Unavailable("the driver does not support access-point mode"))
        }
        Settings::Off { .. } => {
            Some(Unavailable("the driver does not support switching the radio off"))
        }
    }
}

/// Without a key it is open.
fn network(ssid: &[u8], key: &[u8]) -> Credentials {
    Credentials {
        ssid: Ssid::new(ssid).expect("a network name"),
        passphrase: (!key.is_empty()).then(|| Passphrase::new(key).expect("a key")),
    }
}
