//! Network names and keys in the library's format: arrays of fixed length, padded with NULs.

use wps_core::wsc::CredentialError;
use wps_core::{Credentials, Passphrase, Ssid};

/// Reads a name and a key. A name or a key that fills its array has no NUL at its end. An empty key
/// means an open network.
pub(crate) fn read(ssid: &[u8], key: &[u8]) -> Result<Credentials, CredentialError> {
    let ssid = Ssid::new(trim_padding(ssid)).map_err(|_| CredentialError::NoNetwork)?;
    let passphrase = match trim_padding(key) {
        [] => None,
        key => Some(Passphrase::new(key).map_err(|_| CredentialError::InvalidKey)?),
    };
    Ok(Credentials { ssid, passphrase })
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
