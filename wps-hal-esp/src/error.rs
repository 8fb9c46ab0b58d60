//! The driver's errors. Each one prints as one sentence.

use core::fmt;

use wps_core::wsc::CredentialError;
use wps_core::{Credentials, DriverError, ErrorKind, Secret};

use crate::layout::ERR_NOT_INIT;

/// The reason why the driver failed. `Debug`, which the runner uses for its log, prints the same
/// sentence as `Display`.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EspError {
    /// A call to Espressif's library failed.
    #[error("{call}: {code:#x} {}", error_name(*code))]
    Library {
        /// The name of the function.
        call: &'static str,
        /// The code that it returned.
        code: i32,
    },
    /// The library posted an event in an unknown format.
    #[error(
        "Wi-Fi event {id} came with {length} bytes, which it never has: build with the version of \
         esp-radio that wps-hal-esp names"
    )]
    Event {
        /// The number of the event.
        id: i32,
        /// The length of its payload in bytes.
        length: usize,
    },
    /// The radio does not support what was requested.
    #[error("{0}")]
    Unsupported(&'static str),
    /// An option of the driver has an invalid value.
    #[error("{0}")]
    InvalidOption(&'static str),
    /// The library did not report the end of an attempt to join.
    #[error("the radio did not report the end of an attempt to join")]
    NoResponse,
    /// The network has a key, and no access point of it offers WPA2.
    #[error("{}", ErrorKind::WithoutWpa2)]
    WithoutWpa2,
    /// The network has no key in the settings, and its access points need one.
    #[error("the network is not open: it needs a password")]
    NeedsKey,
    /// The settings name a network whose key only another network manager has.
    #[error("{}", ErrorKind::KeptElsewhere)]
    KeptElsewhere,
    /// The credentials that the router handed over cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The exchange with a router failed.
    #[error("the exchange failed: {} (reason {reason})", exchange_error_kind(*reason))]
    Exchange {
        /// The library's `wifi_event_sta_wps_fail_reason_t`.
        reason: u32,
    },
    /// More than one router is pairing.
    #[error("more than one router is pairing")]
    Overlap,
    /// The station could not join the network, or was disconnected from it.
    #[error("not joined: {} (reason {reason})", link_error_kind(*reason))]
    Link {
        /// The library's `wifi_err_reason_t`: below 200 the reason code of IEEE 802.11.
        reason: u8,
    },
}

impl fmt::Debug for EspError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for EspError {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::Display2Format(self).format(f);
    }
}

impl DriverError for EspError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Library { code: ERR_NOT_INIT, .. } => ErrorKind::NoDevice,
            Self::Library { .. } | Self::Event { .. } => ErrorKind::Other,
            Self::Unsupported(_) | Self::InvalidOption(_) => ErrorKind::Unsupported,
            Self::NoResponse => ErrorKind::NoResponse,
            Self::WithoutWpa2 => ErrorKind::WithoutWpa2,
            Self::NeedsKey => ErrorKind::WrongKey,
            Self::KeptElsewhere => ErrorKind::KeptElsewhere,
            Self::Credentials(error) => error.kind(),
            Self::Exchange { reason } => exchange_error_kind(*reason),
            Self::Overlap => ErrorKind::Overlap,
            Self::Link { reason } => link_error_kind(*reason),
        }
    }
}

/// Converts the library's reason for a failed exchange.
fn exchange_error_kind(reason: u32) -> ErrorKind {
    match reason {
        // "Normal": the router ended the exchange with an EAP-Failure, or one of the two could not
        // use a message of the other.
        0 => ErrorKind::Refused,
        // "M2D", which a router sends that is pairing with another device. The library also uses
        // it if the router does not answer M1.
        1 => ErrorKind::RouterBusy,
        // "Deauth": the link was lost during the exchange, for whatever reason.
        2 => ErrorKind::RouterLost,
        _ => ErrorKind::Other,
    }
}

/// Returns the error for a network that was not joined.
pub(crate) fn join_error(reason: u8, network: &Credentials) -> EspError {
    match (reason, &network.secret) {
        // Access points with this name are in range, and the library can use none: they have only
        // WPA3 (210), or less than WPA2 (211).
        (210 | 211, Secret::Key(_) | Secret::Kept(_)) => EspError::WithoutWpa2,
        // The same, for a network without a key: its access points are not open.
        (210, Secret::Open) => EspError::NeedsKey,
        (_, _) => EspError::Link { reason },
    }
}

/// Converts the library's reason for a network that was not joined.
pub(crate) fn link_error_kind(reason: u8) -> ErrorKind {
    match reason {
        // MIC failure, timeouts of the handshake, authentication failed. Not reason 2, which also
        // follows if the router does not answer.
        14 | 15 | 23 | 202 | 204 => ErrorKind::WrongKey,
        // No access point with this name, or its signal is too weak.
        201 | 212 => ErrorKind::NotFound,
        _ => ErrorKind::Other,
    }
}

/// Returns the name of the code in `esp_err.h`, `esp_wifi.h` or `esp_wps.h`.
fn error_name(code: i32) -> &'static str {
    match code {
        -1 => "ESP_FAIL",
        0x101 => "ESP_ERR_NO_MEM",
        0x102 => "ESP_ERR_INVALID_ARG",
        0x103 => "ESP_ERR_INVALID_STATE",
        0x104 => "ESP_ERR_INVALID_SIZE",
        0x105 => "ESP_ERR_NOT_FOUND",
        0x106 => "ESP_ERR_NOT_SUPPORTED",
        0x107 => "ESP_ERR_TIMEOUT",
        ERR_NOT_INIT => "ESP_ERR_WIFI_NOT_INIT",
        0x3002 => "ESP_ERR_WIFI_NOT_STARTED",
        0x3003 => "ESP_ERR_WIFI_NOT_STOPPED",
        0x3004 => "ESP_ERR_WIFI_IF",
        0x3005 => "ESP_ERR_WIFI_MODE",
        0x3006 => "ESP_ERR_WIFI_STATE",
        0x3007 => "ESP_ERR_WIFI_CONN",
        0x3008 => "ESP_ERR_WIFI_NVS",
        0x3009 => "ESP_ERR_WIFI_MAC",
        0x300a => "ESP_ERR_WIFI_SSID",
        0x300b => "ESP_ERR_WIFI_PASSWORD",
        0x300c => "ESP_ERR_WIFI_TIMEOUT",
        0x300d => "ESP_ERR_WIFI_WAKE_FAIL",
        0x300e => "ESP_ERR_WIFI_WOULD_BLOCK",
        0x300f => "ESP_ERR_WIFI_NOT_CONNECT",
        0x3012 => "ESP_ERR_WIFI_POST",
        0x3013 => "ESP_ERR_WIFI_INIT_STATE",
        0x3014 => "ESP_ERR_WIFI_STOP_STATE",
        0x3015 => "ESP_ERR_WIFI_NOT_ASSOC",
        0x3033 => "ESP_ERR_WIFI_REGISTRAR",
        0x3034 => "ESP_ERR_WIFI_WPS_TYPE",
        0x3035 => "ESP_ERR_WIFI_WPS_SM",
        _ => "(no name known)",
    }
}

#[cfg(test)]
mod tests {
    use core::error::Error;
    use std::collections::HashSet;
    use std::format;
    use std::string::ToString;

    use wps_core::one_of_each;

    use super::*;
    use crate::store::{KeyError, StoreError};

    #[test]
    fn each_error_is_one_sentence_that_says_everything() {
        let driver = one_of_each! { EspError:
            EspError::Library { .. } => EspError::Library { call: "esp_wifi_start", code: 0x101 },
            EspError::Event { .. } => EspError::Event { id: 8, length: 3 },
            EspError::Unsupported(_) => EspError::Unsupported("this radio cannot do this"),
            EspError::InvalidOption(_) => EspError::InvalidOption("the power is too high"),
            EspError::NoResponse => EspError::NoResponse,
            EspError::WithoutWpa2 => EspError::WithoutWpa2,
            EspError::NeedsKey => EspError::NeedsKey,
            EspError::KeptElsewhere => EspError::KeptElsewhere,
            EspError::Credentials(_) => EspError::Credentials(CredentialError::InvalidKey),
            EspError::Exchange { .. } => EspError::Exchange { reason: 1 },
            EspError::Overlap => EspError::Overlap,
            EspError::Link { .. } => EspError::Link { reason: 15 },
        };
        let store = one_of_each! { StoreError<&str>:
            StoreError::Range { .. } => {
                StoreError::Range { start: 1, end: 0x3000, block: 0x1000, capacity: 0x4000 }
            },
            StoreError::TooSmall { .. } => StoreError::TooSmall { len: 0x2000, needed: 0x3000 },
            StoreError::BlockTooSmall { .. } => StoreError::BlockTooSmall { block: 1, needed: 2 },
            StoreError::WriteSize { .. } => StoreError::WriteSize { write: 4096, max: 32 },
            StoreError::NotErased => StoreError::NotErased,
            StoreError::Flash(_) => StoreError::Flash("write"),
            StoreError::Worn => StoreError::Worn,
        };
        let key = one_of_each! { KeyError<&str>:
            KeyError::NotBurned => KeyError::NotBurned,
            KeyError::Readable => KeyError::Readable,
            KeyError::Constant => KeyError::Constant,
            KeyError::NoHmac => KeyError::NoHmac,
            KeyError::Hmac(_) => KeyError::Hmac("purpose"),
        };
        let mut sentences = HashSet::new();
        for error in driver {
            // A source would be printed a second time.
            assert!(error.source().is_none(), "{error}");
            assert_eq!(format!("{error:?}"), error.to_string());
            assert!(sentences.insert(error.to_string()), "{error}");
        }
        for error in store {
            assert!(error.source().is_none(), "{error}");
            assert!(sentences.insert(error.to_string()), "{error}");
        }
        for error in key {
            assert!(error.source().is_none(), "{error}");
            assert!(sentences.insert(error.to_string()), "{error}");
        }
    }
}
