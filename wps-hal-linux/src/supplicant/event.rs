//! wpa_supplicant's events, as far as this driver uses them.

use std::fmt;

use wps_core::wsc::{Bssid, CredentialError};
use zeroize::Zeroizing;

/// The authentication type SAE (WPA3).
const AUTH_TYPE_SAE: u16 = 3;
/// The number of SAE's second message, which confirms the key.
const SAE_CONFIRM: u16 = 2;

/// What has refused a key: wpa_supplicant's network with this id, or an access point. An event
/// names only one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBy {
    /// wpa_supplicant's id of the network.
    Network(u32),
    /// The address of the access point.
    AccessPoint(Bssid),
}

/// An event of wpa_supplicant. Every event that this driver does not use is [`Event::Other`].
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A scan succeeded.
    ScanResults,
    /// A scan failed with this error number of the kernel, which is negative, or 0 if unknown.
    ScanFailed(i32),
    /// The connection to a network is complete: joined *and keyed*.
    Connected {
        /// wpa_supplicant's id of the network.
        id: u32,
    },
    /// The link is down.
    Disconnected {
        /// The access point of that link.
        bssid: Option<Bssid>,
    },
    /// wpa_supplicant has disabled a network for some time, after a failure other than a refused
    /// key.
    TempDisabled {
        /// wpa_supplicant's id of the network.
        id: u32,
    },
    /// A network has refused its key. With WPA2 this means that the link broke in the handshake,
    /// which bad reception can also cause. With WPA3 the access point has refused it.
    KeyRefused(RefusedBy),
    /// No enabled network is in range.
    NetworkNotFound,
    /// A network was removed from wpa_supplicant's list.
    NetworkRemoved {
        /// wpa_supplicant's id of the network.
        id: u32,
    },
    /// The access point refused to authenticate or associate this device, for a reason other than
    /// the key.
    Rejected {
        /// The address of the access point.
        bssid: Option<Bssid>,
        /// The status code (IEEE 802.11-2020, 9.4.1.9), or 0 if unknown.
        status: u16,
    },
    /// The router handed over credentials. Holds the Credential attributes.
    Credentials(Zeroizing<Vec<u8>>),
    /// The WPS exchange is complete.
    WpsSuccess,
    /// The EAP exchange has started: the router has associated this device for the WPS exchange.
    EapStarted,
    /// The WPS exchange failed with this configuration error (0 if wpa_supplicant reported none).
    WpsFail(u16),
    /// wpa_supplicant itself rejected the credentials: they are for WEP, or for TKIP only.
    WpsUnusable(CredentialError),
    /// The router sent M2D instead of M2: it does not continue the exchange, for this configuration
    /// error. It sends 0 if it is not ready yet.
    WpsM2d(u16),
    /// More than one router is in pairing mode.
    WpsOverlap,
    /// The device's own access point is up.
    AccessPointUp,
    /// The device's own access point has stopped, or could not start.
    AccessPointDown,
    /// wpa_supplicant terminates.
    Terminating,
    /// Any other event.
    Other,
    /// Not an event, since it does not start with a level such as `<3>`.
    Malformed,
}

/// Prints the name of the event and its numbers, but never the credentials.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScanResults => write!(f, "ScanResults"),
            Self::ScanFailed(error) => write!(f, "ScanFailed({error})"),
            Self::Connected { id } => write!(f, "Connected({id})"),
            Self::Disconnected { bssid } => write!(f, "Disconnected({bssid:?})"),
            Self::TempDisabled { id } => write!(f, "TempDisabled({id})"),
            Self::KeyRefused(by) => write!(f, "KeyRefused({by:?})"),
            Self::NetworkNotFound => write!(f, "NetworkNotFound"),
            Self::NetworkRemoved { id } => write!(f, "NetworkRemoved({id})"),
            Self::Rejected { bssid, status } => write!(f, "Rejected({bssid:?}, {status})"),
            Self::Credentials(bytes) => write!(f, "Credentials({} bytes)", bytes.len()),
            Self::WpsSuccess => write!(f, "WpsSuccess"),
            Self::EapStarted => write!(f, "EapStarted"),
            Self::WpsUnusable(error) => write!(f, "WpsUnusable({error:?})"),
            Self::WpsFail(error) => write!(f, "WpsFail({error})"),
            Self::WpsM2d(error) => write!(f, "WpsM2d({error})"),
            Self::WpsOverlap => write!(f, "WpsOverlap"),
            Self::AccessPointUp => write!(f, "AccessPointUp"),
            Self::AccessPointDown => write!(f, "AccessPointDown"),
            Self::Terminating => write!(f, "Terminating"),
            Self::Other => write!(f, "Other"),
            Self::Malformed => write!(f, "Malformed"),
        }
    }
}

impl Event {
    fn rejected(bssid: Option<Bssid>, rest: &str) -> Self {
        Self::Rejected { bssid, status: number_of(rest, "status_code").unwrap_or(0) }
    }

    /// Parses one datagram, such as `<3>CTRL-EVENT-… key=value …`.
    pub fn parse(datagram: &[u8]) -> Self {
        let text = String::from_utf8_lossy(datagram);
        let text = Zeroizing::new(text.into_owned());
        let text = text.strip_prefix('<').and_then(|text| text.split_once('>'));
        let Some((_, text)) = text else { return Self::Malformed };
        let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
        match name {
            "CTRL-EVENT-SCAN-RESULTS" => Self::ScanResults,
            "CTRL-EVENT-SCAN-FAILED" => {
                number_of(rest, "ret").map_or(Self::Other, Self::ScanFailed)
            }
            "CTRL-EVENT-CONNECTED" => match number_of(rest, "[id") {
                Some(id) => Self::Connected { id },
                None => Self::Other,
            },
            "CTRL-EVENT-DISCONNECTED" => {
                Self::Disconnected { bssid: text_of(rest, "bssid").and_then(|it| it.parse().ok()) }
            }
            "CTRL-EVENT-SSID-TEMP-DISABLED" => match number_of(rest, "id") {
                Some(id) if rest.ends_with("reason=WRONG_KEY") => {
                    Self::KeyRefused(RefusedBy::Network(id))
                }
                Some(id) => Self::TempDisabled { id },
                None => Self::Other,
            },
            // The second message of SAE proves that the other side knows the key.
            "CTRL-EVENT-AUTH-REJECT"
                if (number_of(rest, "auth_type"), number_of(rest, "auth_transaction"))
                    == (Some(AUTH_TYPE_SAE), Some(SAE_CONFIRM)) =>
            {
                match first_word(rest) {
                    Some(bssid) => Self::KeyRefused(RefusedBy::AccessPoint(bssid)),
                    None => Self::rejected(None, rest),
                }
            }
            "CTRL-EVENT-NETWORK-NOT-FOUND" => Self::NetworkNotFound,
            "CTRL-EVENT-ASSOC-REJECT" => {
                // Some cards (brcmfmac) report no address, and hostap then prints zeros.
                let bssid = text_of(rest, "bssid").and_then(|it| it.parse().ok());
                Self::rejected(bssid.filter(|it| *it != Bssid([0; 6])), rest)
            }
            "CTRL-EVENT-AUTH-REJECT" => Self::rejected(first_word(rest), rest),
            "WPS-CRED-RECEIVED" => match base16ct::mixed::decode_vec(rest.trim()) {
                Ok(bytes) if !bytes.is_empty() => Self::Credentials(Zeroizing::new(bytes)),
                Ok(_) | Err(_) => Self::Other,
            },
            "WPS-SUCCESS" => Self::WpsSuccess,
            "CTRL-EVENT-EAP-STARTED" => Self::EapStarted,
            // `enum wps_error_indication` in hostap.
            "WPS-FAIL" => match number_of(rest, "reason") {
                Some(1) => Self::WpsUnusable(CredentialError::TkipOnly),
                Some(2) => Self::WpsUnusable(CredentialError::Wep),
                _ => Self::WpsFail(number_of(rest, "config_error").unwrap_or(0)),
            },
            "WPS-M2D" => Self::WpsM2d(number_of(rest, "config_error").unwrap_or(0)),
            "CTRL-EVENT-NETWORK-REMOVED" => {
                rest.trim().parse().map_or(Self::Other, |id| Self::NetworkRemoved { id })
            }
            "WPS-OVERLAP-DETECTED" => Self::WpsOverlap,
            "AP-ENABLED" => Self::AccessPointUp,
            "AP-DISABLED" => Self::AccessPointDown,
            "CTRL-EVENT-TERMINATING" => Self::Terminating,
            _ => Self::Other,
        }
    }
}

/// Returns the address with which `text` starts.
fn first_word(text: &str) -> Option<Bssid> {
    text.split_whitespace().next()?.parse().ok()
}

/// Returns the number in `key=number`.
fn number_of<T: std::str::FromStr>(text: &str, key: &str) -> Option<T> {
    text_of(text, key)?.parse().ok()
}

/// Returns the word after `key=`. Names of networks come in quotes, with escapes, and may contain
/// anything but a quote. So only words outside of quotes count.
fn text_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let outside_quotes = text.split('"').step_by(2);
    let mut words = outside_quotes.flat_map(str::split_whitespace);
    words.find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use wps_core::one_of_each;

    use super::*;

    #[test]
    fn each_event_prints_another_text() {
        let events = one_of_each! { Event:
            Event::ScanResults => Event::ScanResults,
            Event::ScanFailed(_) => Event::ScanFailed(-22),
            Event::Connected { .. } => Event::Connected { id: 3 },
            Event::Disconnected { .. } => Event::Disconnected { bssid: None },
            Event::TempDisabled { .. } => Event::TempDisabled { id: 3 },
            Event::KeyRefused(_) => Event::KeyRefused(RefusedBy::Network(3)),
            Event::NetworkNotFound => Event::NetworkNotFound,
            Event::Rejected { .. } => Event::Rejected { bssid: None, status: 16 },
            Event::Credentials(_) => Event::Credentials(Zeroizing::new(vec![16, 14, 0, 0])),
            Event::WpsSuccess => Event::WpsSuccess,
            Event::EapStarted => Event::EapStarted,
            Event::WpsFail(_) => Event::WpsFail(15),
            Event::WpsUnusable(_) => Event::WpsUnusable(CredentialError::Wep),
            Event::WpsM2d(_) => Event::WpsM2d(12),
            Event::WpsOverlap => Event::WpsOverlap,
            Event::AccessPointUp => Event::AccessPointUp,
            Event::AccessPointDown => Event::AccessPointDown,
            Event::Terminating => Event::Terminating,
            Event::Other => Event::Other,
            Event::Malformed => Event::Malformed,
            Event::NetworkRemoved { .. } => Event::NetworkRemoved { id: 3 },
        };
        let texts: HashSet<_> = events.iter().map(|event| format!("{event:?}")).collect();
        assert_eq!(texts.len(), events.len(), "{texts:?}");
    }

    #[test]
    fn events_of_wpa_supplicant_2_10_are_parsed() {
        let ap = Some(Bssid([2, 0, 0, 0, 2, 0]));
        let expected = [
            ("<3>CTRL-EVENT-SCAN-RESULTS ", Event::ScanResults),
            ("<3>CTRL-EVENT-SCAN-FAILED ret=-22", Event::ScanFailed(-22)),
            (
                "<3>CTRL-EVENT-CONNECTED - Connection to 02:00:00:00:00:00 completed [id=3 id_str=]",
                Event::Connected { id: 3 },
            ),
            (
                "<3>CTRL-EVENT-DISCONNECTED bssid=02:00:00:00:02:00 reason=3 locally_generated=1",
                Event::Disconnected { bssid: ap },
            ),
            (
                "<3>CTRL-EVENT-DISCONNECTED bssid=02:00:00:00:02:00 reason=23",
                Event::Disconnected { bssid: ap },
            ),
            (
                "<3>CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid=\"a id=7 b\" auth_failures=1 duration=10 reason=WRONG_KEY",
                Event::KeyRefused(RefusedBy::Network(0)),
            ),
            (
                "<3>CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid=\"x\" auth_failures=1 duration=10 reason=AUTH_FAILED",
                Event::TempDisabled { id: 0 },
            ),
            (
                "<3>CTRL-EVENT-AUTH-REJECT 02:00:00:00:02:00 auth_type=3 auth_transaction=2 status_code=1",
                Event::KeyRefused(RefusedBy::AccessPoint(Bssid([2, 0, 0, 0, 2, 0]))),
            ),
            (
                "<3>CTRL-EVENT-AUTH-REJECT 02:00:00:00:02:00 auth_type=3 auth_transaction=1 status_code=77",
                Event::Rejected { bssid: ap, status: 77 },
            ),
            (
                "<3>CTRL-EVENT-AUTH-REJECT 02:00:00:00:02:00 auth_type=0 auth_transaction=2 status_code=17",
                Event::Rejected { bssid: ap, status: 17 },
            ),
            (
                "<3>CTRL-EVENT-ASSOC-REJECT bssid=02:00:00:00:02:00 status_code=16",
                Event::Rejected { bssid: ap, status: 16 },
            ),
            (
                "<3>CTRL-EVENT-ASSOC-REJECT bssid=00:00:00:00:00:00 status_code=16",
                Event::Rejected { bssid: None, status: 16 },
            ),
            ("<3>CTRL-EVENT-ASSOC-REJECT ", Event::Rejected { bssid: None, status: 0 }),
            ("<3>CTRL-EVENT-NETWORK-NOT-FOUND ", Event::NetworkNotFound),
            (
                "<3>WPS-CRED-RECEIVED 100e0000",
                Event::Credentials(Zeroizing::new(vec![16, 14, 0, 0])),
            ),
            (
                "<3>WPS-CRED-RECEIVED 100E00aB",
                Event::Credentials(Zeroizing::new(vec![16, 14, 0, 0xab])),
            ),
            ("<3>WPS-CRED-RECEIVED ", Event::Other),
            ("<3>WPS-CRED-RECEIVED 100e000", Event::Other),
            ("<3>WPS-CRED-RECEIVED 100e00+0", Event::Other),
            ("<3>WPS-SUCCESS ", Event::WpsSuccess),
            ("<3>WPS-FAIL ", Event::WpsFail(0)),
            ("<3>WPS-FAIL msg=8 config_error=15", Event::WpsFail(15)),
            (
                "<3>WPS-FAIL msg=12 config_error=0 reason=2 (WEP Prohibited)",
                Event::WpsUnusable(CredentialError::Wep),
            ),
            (
                "<3>WPS-FAIL msg=12 config_error=0 reason=3 (Authentication Failure)",
                Event::WpsFail(0),
            ),
            (
                "<3>WPS-FAIL msg=12 config_error=0 reason=1 (TKIP Only Prohibited)",
                Event::WpsUnusable(CredentialError::TkipOnly),
            ),
            ("<3>CTRL-EVENT-EAP-STARTED EAP authentication started", Event::EapStarted),
            ("<3>WPS-M2D dev_password_id=4 config_error=12", Event::WpsM2d(12)),
            ("<3>WPS-OVERLAP-DETECTED PBC session overlap", Event::WpsOverlap),
            ("<3>CTRL-EVENT-NETWORK-REMOVED 3", Event::NetworkRemoved { id: 3 }),
            ("<3>AP-ENABLED ", Event::AccessPointUp),
            ("<3>AP-DISABLED ", Event::AccessPointDown),
            ("<3>CTRL-EVENT-TERMINATING ", Event::Terminating),
        ];
        for (text, event) in expected {
            assert_eq!(Event::parse(text.as_bytes()), event, "{text}");
        }
    }

    #[test]
    fn credentials_are_never_printed() {
        let event = Event::parse(b"<3>WPS-CRED-RECEIVED 736563726574");
        assert_eq!(format!("{event:?}"), "Credentials(6 bytes)");
    }

    proptest! {
        #[test]
        fn any_datagram_parses_without_a_panic(bytes: Vec<u8>) {
            let _ = Event::parse(&bytes);
            let _ = Event::parse(&[b"<3>WPS-CRED-RECEIVED ", &bytes[..]].concat());
            let _ = Event::parse(&[b"<3>CTRL-EVENT-DISCONNECTED bssid=", &bytes[..]].concat());
        }
    }
}
