//! Parsers for wpa_supplicant's replies.

use std::collections::HashMap;

use wps_core::wsc::{Advertisement, Bssid, Router};
use wps_core::{BssInfo, Ssid};

use crate::bss_info::parse_bss_info;

/// A reply of `key=value` lines, such as those to `STATUS`, `SIGNAL_POLL` and `BSS`.
#[derive(Debug, Default)]
pub(crate) struct Values<'a>(HashMap<&'a str, &'a str>);

impl<'a> Values<'a> {
    /// Parses a reply. Ignores all other lines.
    pub(crate) fn parse(reply: &'a str) -> Self {
        Self(reply.lines().filter_map(|line| line.split_once('=')).collect())
    }

    /// Returns the value of `key` as text.
    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).copied()
    }

    /// Returns the value of `key` as a number.
    pub(crate) fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }

    /// Returns the value of `key` as an address.
    pub(crate) fn bssid(&self, key: &str) -> Option<Bssid> {
        self.text(key)?.parse().ok()
    }

    /// Returns the network name in `ssid=`.
    pub(crate) fn ssid(&self) -> Option<Ssid> {
        Ssid::new(&unescaped(self.text("ssid")?)).ok()
    }

    /// Returns the bytes of `key`, whose value is in hex digits. Returns no bytes if there are
    /// none.
    pub(crate) fn bytes(&self, key: &str) -> Vec<u8> {
        let digits = self.text(key).unwrap_or_default();
        base16ct::mixed::decode_vec(digits).unwrap_or_default()
    }
}

/// Splits a reply to `BSS RANGE=…` into its entries, each with its id.
pub(crate) fn bss_entries(reply: &str) -> impl Iterator<Item = (u32, Values<'_>)> {
    let entries = reply.strip_prefix("id=").into_iter().flat_map(|rest| rest.split("\nid="));
    entries.filter_map(|entry| {
        let (id, rest) = entry.split_once('\n').unwrap_or((entry, ""));
        Some((id.parse().ok()?, Values::parse(rest)))
    })
}

/// A network in wpa_supplicant's list: one line of `LIST_NETWORKS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) id: u32,
    /// The name with wpa_supplicant's escapes. It distinguishes networks and is not for display.
    pub(crate) name: String,
    /// Whether wpa_supplicant has selected this network.
    pub(crate) current: bool,
    pub(crate) enabled: bool,
}

/// Parses a reply to `LIST_NETWORKS`, which starts with a heading.
pub(crate) fn networks(reply: &str) -> impl Iterator<Item = Network> + '_ {
    reply.lines().filter_map(|line| {
        let mut columns = line.split('\t');
        let id = columns.next()?.parse().ok()?;
        let name = columns.next()?.into();
        let flags = columns.nth(1).unwrap_or_default();
        let current = flags.contains("[CURRENT]");
        let enabled = !flags.contains("[DISABLED]");
        // The list also has persistent groups of Wi-Fi Direct, which are not networks to join.
        (!flags.contains("[P2P-PERSISTENT]")).then_some(Network { id, name, current, enabled })
    })
}

/// A channel that this card may use in this country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Channel {
    pub(crate) number: u8,
    pub(crate) frequency_mhz: u16,
    /// Whether an access point may start there without listening first, for other networks or for
    /// radar.
    pub(crate) may_initiate: bool,
}

/// Parses the channels of `GET_CAPABILITY freq`: lines such as ` 1 = 2412 MHz (NO_IR) (DFS)`. A
/// channel that the card has in more than one mode is listed more than once.
pub(crate) fn channels(reply: &str) -> impl Iterator<Item = Channel> + '_ {
    reply.lines().filter_map(|line| {
        let (number, rest) = line.split_once(" = ")?;
        let (frequency, flags) = rest.split_once(" MHz")?;
        let channel = Channel {
            number: number.trim().parse().ok()?,
            frequency_mhz: frequency.parse().ok()?,
            may_initiate: !flags.contains("NO_IR") && !flags.contains("DFS"),
        };
        (!flags.contains("DISABLED")).then_some(channel)
    })
}

/// An access point with WPS, from an entry of wpa_supplicant's BSS table.
#[derive(Clone, Debug)]
pub(crate) struct WpsBss {
    /// The access point as a router to pair with.
    pub(crate) router: Router,
    /// The same access point as a scan result.
    pub(crate) info: BssInfo,
    /// Whether its WPS button was pressed.
    pub(crate) pressed: bool,
    /// The whole seconds since it was last seen.
    pub(crate) age_seconds: u64,
}

impl WpsBss {
    /// Parses an entry of the BSS table. `summary` has the short fields. The elements of the probe
    /// response and of the beacon come in two more replies, since each of them may fill one.
    /// Returns `None` if the access point does not have WPS.
    pub(crate) fn parse(summary: &Values<'_>, probe_response: &str, beacon: &str) -> Option<Self> {
        let info = parse_bss_info(summary, probe_response, beacon)?;
        let probe_response = Values::parse(probe_response).bytes("ie");
        let beacon = Values::parse(beacon).bytes("beacon_ie");
        let advertisement = Advertisement::merged(&probe_response, &beacon)?;
        let router = Router {
            bssid: summary.bssid("bssid")?,
            frequency_mhz: summary.number("freq")?,
            ssid: advertisement.ssid,
            uuid: advertisement.uuid,
            signal_dbm: summary.number("level").unwrap_or(i16::MIN),
        };
        let age_seconds = summary.number("age")?;
        Some(Self { router, info, pressed: advertisement.pressed, age_seconds })
    }
}

/// Decodes a name with wpa_supplicant's escapes: `\xff`, `\"`, `\\`, `\e`, `\n`, `\r`, `\t`.
pub(crate) fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        (rest, _) = match (first, others) {
            (b'\\', [b'x', high, low, others @ ..]) => {
                match base16ct::mixed::decode([*high, *low], &mut [0]) {
                    Ok(byte) => (others, bytes.extend(byte)),
                    Err(_) => (others, bytes.extend([b'\\', b'x', *high, *low])),
                }
            }
            (b'\\', [b'e', others @ ..]) => (others, bytes.push(0x1b)),
            (b'\\', [b'n', others @ ..]) => (others, bytes.push(b'\n')),
            (b'\\', [b'r', others @ ..]) => (others, bytes.push(b'\r')),
            (b'\\', [b't', others @ ..]) => (others, bytes.push(b'\t')),
            (b'\\', [other, others @ ..]) => (others, bytes.push(*other)),
            (byte, others) => (others, bytes.push(*byte)),
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_of_access_points_is_split() {
        let page = "id=3\nssid=home\nid=7\nssid=id=8\n\nid=x\nssid=bad\nid=9";
        let entries: Vec<_> = bss_entries(page).map(|(id, it)| (id, it.text("ssid"))).collect();
        assert_eq!(entries, [(3, Some("home")), (7, Some("id=8")), (9, None)]);
        assert_eq!(bss_entries("").count() + bss_entries("FAIL\n").count(), 0);
    }

    #[test]
    fn a_list_of_networks_is_parsed() {
        let reply = "network id / ssid / bssid / flags\n\
                     0\toldnet\tany\t[CURRENT]\n\
                     2\ta\\\"b\tany\t[DISABLED]\n\
                     3\tgroup\tany\t[DISABLED][P2P-PERSISTENT]\n\
                     5\t\tany\t[TEMP-DISABLED]\n";
        let network =
            |id, name: &str, current, enabled| Network { id, name: name.into(), current, enabled };
        let expected = [
            network(0, "oldnet", true, true),
            network(2, "a\\\"b", false, false),
            network(5, "", false, true),
        ];
        assert_eq!(networks(reply).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn disabled_channels_are_left_out() {
        let reply = "Mode[G] Channels:\n 1 = 2412 MHz\n 13 = 2472 MHz (NO_IR)\n 14 = 2484 MHz (DISABLED)\n\
                     Mode[A] Channels:\n 36 = 5180 MHz\n 52 = 5260 MHz (DFS)\n";
        let channel =
            |number, frequency_mhz, may_initiate| Channel { number, frequency_mhz, may_initiate };
        let expected = [
            channel(1, 2412, true),
            channel(13, 2472, false),
            channel(36, 5180, true),
            channel(52, 5260, false),
        ];
        assert_eq!(channels(reply).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn escapes_in_names_are_decoded() {
        assert_eq!(unescaped(r#"a\"b\\c\xff\e\n\t d"#), b"a\"b\\c\xff\x1b\n\t d");
        assert_eq!(unescaped(r"\xZZ\"), br"\xZZ\");
    }

    proptest! {
        #[test]
        fn any_reply_parses_without_a_panic(text: String) {
            let _ = networks(&text).count();
            let _ = channels(&text).count();
            let _ = WpsBss::parse(&Values::parse(&text), &text, &text);
            let _ = unescaped(&text);
        }
    }
}
