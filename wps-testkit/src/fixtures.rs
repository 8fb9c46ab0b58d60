use wps_core::{AccessPoint, Credentials, Passphrase, Secret, Settings, Ssid};

/// Returns the name of a network.
///
/// # Panics
/// If it does not have 1 to 32 bytes.
pub fn ssid(name: &[u8]) -> Ssid {
    Ssid::new(name).expect("a network name")
}

/// Returns the credentials of a network. `key` is empty for an open network.
///
/// # Panics
/// If the name or the key is invalid.
pub fn network(name: &[u8], key: &[u8]) -> Credentials {
    let secret = match key {
        [] => Secret::Open,
        key => Secret::Key(Passphrase::new(key).expect("a key")),
    };
    Credentials { ssid: ssid(name), secret }
}

/// Returns the key of a network, which is empty for an open network.
///
/// # Panics
/// If only the platform has the key.
pub fn key(network: &Credentials) -> &[u8] {
    network.secret.key().expect("a key in the record").map_or(&[], Passphrase::reveal)
}

/// Returns the network that the device uses before a pairing.
pub fn old() -> Credentials {
    network(b"old", b"old password")
}

/// Returns the network of the router to pair with.
pub fn home() -> Credentials {
    network(b"home", b"correct horse")
}

/// Returns the settings of a device that joins a network.
pub fn station(network: Credentials) -> Settings {
    Settings::Station { network }
}

/// Returns the settings of a device that is an access point.
pub fn hotspot(remembered: Option<Credentials>) -> Settings {
    let network = network(b"device", b"on the label");
    Settings::AccessPoint { access_point: AccessPoint { network, channel: Some(6) }, remembered }
}

/// Returns the settings of a device whose Wi-Fi is off.
pub fn off(remembered: Option<Credentials>) -> Settings {
    Settings::Off { remembered }
}
