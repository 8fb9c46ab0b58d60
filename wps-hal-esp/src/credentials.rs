//! Network names and keys in the library's format: arrays of fixed length, padded with NULs.

use wps_core::wsc::CredentialError;
use wps_core::{Credentials, Passphrase, Secret, Ssid};

use crate::error::EspError;

/// Reads a name and a key. A name or a key that fills its array has no NUL at its end. An empty key
/// means an open network.
pub(crate) fn read(ssid: &[u8], key: &[u8]) -> Result<Credentials, CredentialError> {
    let ssid = Ssid::new(trim_padding(ssid)).map_err(|_| CredentialError::NoNetwork)?;
    let secret = match trim_padding(key) {
        [] => Secret::Open,
        key => Secret::Key(Passphrase::new(key).map_err(|_| CredentialError::InvalidKey)?),
    };
    Ok(Credentials { ssid, secret })
}

/// Returns the bytes of the network's key, or no bytes for an open network.
pub(crate) fn key(network: &Credentials) -> Result<&[u8], EspError> {
    let key = network.secret.key().map_err(|_| EspError::KeptElsewhere)?;
    Ok(key.map_or(&[], Passphrase::reveal))
}

/// Writes the bytes into an array of NULs. Bytes beyond the end of the array are dropped.
pub(crate) fn write(array: &mut [u8], bytes: &[u8]) {
    for (to, from) in array.iter_mut().zip(bytes) {
        *to = *from;
    }
}

/// Removes the NULs at the end.
fn trim_padding(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., 0] = bytes {
        bytes = rest;
    }
    bytes
}
