//! What a registrar hands over at the end of the exchange, with the errors of real registrars.
//!
//! hostap (`src/wps/wps_attr_process.c`) knows them from deployed routers; this is no stricter than it
//! is, and where an attribute is of no use here (network index, MAC address) it may be wrong or missing.

use heapless::Vec;

use super::attribute::{self, attributes};
use crate::settings::{Credentials, Passphrase, Ssid};

/// How many networks a router may hand over; further ones are ignored.
pub const MAX_CREDENTIALS: usize = 3;

const OPEN: u16 = 0x01;
const WPA_PSK: u16 = 0x02;
const SHARED: u16 = 0x04;
const WPA2_PSK: u16 = 0x20;

const NONE: u16 = 0x01;
const WEP: u16 = 0x02;
const TKIP: u16 = 0x04;
const AES: u16 = 0x08;

/// Nothing in what the router handed over can be used. Says what to do at the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CredentialError {
    /// WEP, or WPA with TKIP only.
    #[error(
        "the router protects its network with WEP or TKIP, which are broken: set it to WPA2 or WPA3 and pair again"
    )]
    Insecure,
    /// No key, or one that no WPA network can have.
    #[error(
        "the router handed over an impossible Wi-Fi password: set one of 8 to 63 characters at the router and pair again"
    )]
    Key,
    /// Incomplete, damaged, or for a network that cannot be joined with a password.
    #[error(
        "the router handed over nothing usable: set it to WPA2-Personal with a visible name, update its software and pair again"
    )]
    Malformed,
}

/// Reads the networks a registrar handed over: `attributes_received` are Credential attributes
/// (0x100E) one after the other, as in `WPS-CRED-RECEIVED` of wpa_supplicant. Anything between them
/// is skipped, repetitions collapse, and the order is the router's.
///
/// # Errors
/// If none is usable: what is wrong with the first.
pub fn credentials(
    attributes_received: &[u8],
) -> Result<Vec<Credentials, MAX_CREDENTIALS>, CredentialError> {
    let mut usable = Vec::new();
    let mut first_error = None;
    for (kind, value) in attributes(attributes_received) {
        if kind != attribute::CREDENTIAL {
            continue;
        }
        match credential(value) {
            Ok(network) if usable.contains(&network) => {}
            Ok(network) => {
                if usable.push(network).is_err() {
                    break;
                }
            }
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    if usable.is_empty() {
        return Err(first_error.unwrap_or(CredentialError::Malformed));
    }
    Ok(usable)
}

fn credential(value: &[u8]) -> Result<Credentials, CredentialError> {
    let mut ssid = None;
    let mut authentication = None;
    let mut encryption = None;
    let mut key = None;
    // Some routers put a stray byte after the key. The attributes end there for us, and nothing that
    // is needed comes later.
    for (kind, value) in attributes(value) {
        match kind {
            attribute::SSID => ssid = Ssid::new(unpadded(value)).ok(),
            attribute::AUTHENTICATION_TYPE => authentication = flags(value),
            attribute::ENCRYPTION_TYPE => encryption = flags(value),
            attribute::NETWORK_KEY => key = Some(unpadded(value)),
            _ => {}
        }
    }
    let (Some(ssid), Some(authentication), Some(encryption)) = (ssid, authentication, encryption)
    else {
        return Err(CredentialError::Malformed);
    };

    let broken = encryption & (WEP | TKIP) != 0 && encryption & AES == 0;
    if broken || authentication == SHARED {
        return Err(CredentialError::Insecure);
    }
    // Both flags mean a mixed network, to be joined as WPA2: a PSK is a PSK.
    let passphrase = if authentication & (WPA_PSK | WPA2_PSK) != 0 {
        let key = Passphrase::new(key.unwrap_or_default()).map_err(|_| CredentialError::Key)?;
        Some(key)
    } else if authentication == OPEN && encryption == NONE {
        None
    } else {
        return Err(CredentialError::Malformed);
    };
    Ok(Credentials { ssid, passphrase })
}

/// Without trailing NULs: some registrars fill a buffer of fixed length, others count the NUL of a C
/// string. No key can contain one. A name could, but nothing tells it from padding, and routers that
/// pad exist: so hostap strips them too.
fn unpadded(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., 0] = bytes {
        bytes = rest;
    }
    bytes
}

fn flags(value: &[u8]) -> Option<u16> {
    value.try_into().ok().map(u16::from_be_bytes)
}
