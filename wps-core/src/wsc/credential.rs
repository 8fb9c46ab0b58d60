//! Parses the credentials that a registrar sends at the end of the exchange, and tolerates the
//! errors of deployed registrars.
//!
//! hostap handles the same errors (`src/wps/wps_attr_process.c`), and this parser is no stricter
//! than hostap. An attribute that is not used here (network index, MAC address) may be wrong or
//! missing.

use heapless::Vec;

use super::attribute::{self, attributes};
use crate::link::{Cipher, Security};
use crate::scan::BssInfo;
use crate::settings::{Credentials, Passphrase, Secret, Ssid};

/// The maximum number of networks that a router may hand over. Further ones are ignored.
pub const MAX_CREDENTIALS: usize = 3;

const AUTH_OPEN: u16 = 0x01;
const AUTH_WPA_PSK: u16 = 0x02;
const AUTH_SHARED: u16 = 0x04;
const AUTH_WPA2_PSK: u16 = 0x20;

const ENCR_NONE: u16 = 0x01;
const ENCR_WEP: u16 = 0x02;
const ENCR_TKIP: u16 = 0x04;
const ENCR_AES: u16 = 0x08;

/// The error if none of the credentials can be used. The message tells the user what to change at
/// the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CredentialError {
    /// The network uses WEP.
    #[error(
        "the router protects its network with WEP, which is broken: set it to WPA2 or WPA3 and pair again"
    )]
    Wep,
    /// The network uses TKIP only.
    #[error(
        "the router protects its network with TKIP only, which is broken: set it to WPA2 or WPA3 with AES and pair again"
    )]
    TkipOnly,
    /// The key is empty or missing.
    #[error(
        "the router handed over an empty Wi-Fi password: set one of 8 to 63 characters at the router and pair again"
    )]
    EmptyKey,
    /// The network is said to be open, and the access point that has handed it over is not known to
    /// be open, or is of another network. Anybody can put up an open network of the same name.
    #[error(
        "the router handed over an open network, and its access point does not look open: set a Wi-Fi password at the router and pair again"
    )]
    NotOpen,
    /// No WPA network can have this key.
    #[error(
        "the router handed over an impossible Wi-Fi password: set one of 8 to 63 characters at the router and pair again"
    )]
    InvalidKey,
    /// No network was handed over, or its credential is incomplete, damaged, or for a network that
    /// cannot be joined with a password.
    #[error(
        "the router handed over nothing usable: set it to WPA2-Personal with a visible name, update its software and pair again"
    )]
    NoNetwork,
}

/// Parses the networks that a registrar has handed over, and returns them in the router's order.
///
/// `attributes_received` are Credential attributes (0x100E) one after the other, as in
/// `WPS-CRED-RECEIVED` of wpa_supplicant. Other attributes between them are skipped, and duplicates
/// are removed.
///
/// `access_point` is the one that has handed them over, as a scan has shown it. Deployed routers
/// send wrong types in their credentials, so what it advertises decides about its own network:
///
/// * The network is open only if both say so.
/// * If the access point has WPA, WPA2 or WPA3 with a passphrase, the key is used, whatever the
///   credential says about its type. (A driver joins nothing below WPA2.)
/// * If it has only WEP or TKIP, its network is refused.
/// * Otherwise the type in the credential counts: an access point that was never set up is often
///   open before the pairing. "TKIP only" is believed only if nothing is known about the access
///   point.
///
/// A network of another name is never open, and the type in its credential counts in the same way.
///
/// # Errors
/// The error of the first credential if none is usable.
pub fn credentials(
    attributes_received: &[u8],
    access_point: &BssInfo,
) -> Result<Vec<Credentials, MAX_CREDENTIALS>, CredentialError> {
    let mut usable = Vec::new();
    let mut first_error = None;
    for (kind, value) in attributes(attributes_received) {
        if kind != attribute::CREDENTIAL {
            continue;
        }
        match credential(value, access_point) {
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
        return Err(first_error.unwrap_or(CredentialError::NoNetwork));
    }
    Ok(usable)
}

fn credential(value: &[u8], access_point: &BssInfo) -> Result<Credentials, CredentialError> {
    let mut ssid = None;
    let mut authentication = None;
    let mut encryption = None;
    let mut key: &[u8] = &[];
    // Some routers send a stray byte after the key. The attributes end there, but nothing that is
    // needed comes later.
    for (kind, value) in attributes(value) {
        match kind {
            attribute::SSID => ssid = Ssid::new(trim_trailing_nuls(value)).ok(),
            attribute::AUTHENTICATION_TYPE => authentication = flags(value),
            attribute::ENCRYPTION_TYPE => encryption = flags(value),
            attribute::NETWORK_KEY => key = trim_trailing_nuls(value),
            _ => {}
        }
    }
    let (Some(ssid), Some(authentication), Some(encryption)) = (ssid, authentication, encryption)
    else {
        return Err(CredentialError::NoNetwork);
    };

    let is_own = access_point.ssid.as_ref().is_none_or(|own| *own == ssid);
    let is_open = match advertised(access_point) {
        Advertised::Passphrase if is_own => {
            key.is_empty() && (authentication, encryption) == (AUTH_OPEN, ENCR_NONE)
        }
        Advertised::Refused(error) if is_own => return Err(error),
        Advertised::Passphrase | Advertised::Refused(_) | Advertised::Other => {
            type_is_open(authentication, encryption, access_point.security.is_some())?
        }
    };
    let secret = if !is_open {
        if key.is_empty() {
            return Err(CredentialError::EmptyKey);
        }
        Secret::Key(Passphrase::new(key).map_err(|_| CredentialError::InvalidKey)?)
    } else if is_own && access_point.security == Some(Security::Open) {
        Secret::Open
    } else {
        return Err(CredentialError::NotOpen);
    };
    Ok(Credentials { ssid, secret })
}

/// What an access point says about how its network is protected.
enum Advertised {
    /// With a passphrase, and not with TKIP only.
    Passphrase,
    /// In a way that is refused.
    Refused(CredentialError),
    /// Another way, or nothing is known.
    Other,
}

fn advertised(access_point: &BssInfo) -> Advertised {
    if access_point.pairwise_cipher == Some(Cipher::Tkip) {
        return Advertised::Refused(CredentialError::TkipOnly);
    }
    match access_point.security {
        Some(Security::Wep) => Advertised::Refused(CredentialError::Wep),
        Some(
            Security::Wpa
            | Security::WpaWpa2
            | Security::Wpa2
            | Security::Wpa2Wpa3
            | Security::Wpa3,
        ) => Advertised::Passphrase,
        Some(Security::Open | Security::Owe | Security::Enterprise) | None => Advertised::Other,
    }
}

/// Returns whether a network is open according to the type in its credential.
fn type_is_open(
    authentication: u16,
    encryption: u16,
    may_be_wrong_about_tkip: bool,
) -> Result<bool, CredentialError> {
    let has = |cipher| encryption & cipher != 0;
    if authentication == AUTH_SHARED || has(ENCR_WEP) && !has(ENCR_AES | ENCR_TKIP) {
        Err(CredentialError::Wep)
    } else if has(ENCR_TKIP) && !has(ENCR_AES) && !may_be_wrong_about_tkip {
        Err(CredentialError::TkipOnly)
    } else if authentication & (AUTH_WPA_PSK | AUTH_WPA2_PSK) != 0 {
        // Both flags mean a mixed network. It is joined as WPA2, because the PSK is the same.
        Ok(false)
    } else if authentication == AUTH_OPEN && encryption == ENCR_NONE {
        Ok(true)
    } else {
        Err(CredentialError::NoNetwork)
    }
}

/// Removes trailing NULs. Some registrars send a whole buffer of fixed length, others include the
/// NUL of a C string. A key cannot contain NULs. A name could, but they cannot be distinguished
/// from padding, and there are routers that pad. Therefore hostap strips them too.
fn trim_trailing_nuls(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., 0] = bytes {
        bytes = rest;
    }
    bytes
}

fn flags(value: &[u8]) -> Option<u16> {
    value.try_into().ok().map(u16::from_be_bytes)
}
