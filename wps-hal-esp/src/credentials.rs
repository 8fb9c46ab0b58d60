//! Names and keys as the library has them: arrays of fixed length, filled up with NULs.

use wps_core::wsc::CredentialError;
use wps_core::{Credentials, Passphrase, Ssid};

/// Reads a name and a key. Neither has an end of its own where it fills its array.
pub(crate) fn read(ssid: &[u8], key: &[u8]) -> Result<Credentials, CredentialError> {
    let ssid = Ssid::new(unpadded(ssid)).map_err(|_| CredentialError::Malformed)?;
    let passphrase = match unpadded(key) {
        [] => None,
        key => Some(Passphrase::new(key).map_err(|_| CredentialError::Key)?),
    };
    Ok(Credentials { ssid, passphrase })
}

/// Writes the bytes into an array of NULs; what is too long is cut off.
pub(crate) fn write(array: &mut [u8], bytes: &[u8]) {
    for (to, from) in array.iter_mut().zip(bytes) {
        *to = *from;
    }
}

fn unpadded(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., 0] = bytes {
        bytes = rest;
    }
    bytes
}
