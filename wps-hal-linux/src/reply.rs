//! The replies of wpa_supplicant that matter for a pairing.

use std::collections::HashMap;

use wps_core::wsc::{Advertisement, Bssid, Router};
use wps_core::{BssInfo, Ssid};

use crate::event::{bssid, hex};
use crate::neighbour::neighbour;

/// `key=value` lines, as of `STATUS`, `SIGNAL_POLL` and `BSS`.
#[derive(Debug, Default)]
pub(crate) struct Values<'a>(HashMap<&'a str, &'a str>);

impl<'a> Values<'a> {
    pub(crate) fn parse(reply: &'a str) -> Self {
        Self(reply.lines().filter_map(|line| line.split_once('=')).collect())
    }

    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).copied()
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }

    pub(crate) fn bssid(&self, key: &str) -> Option<Bssid> {
        self.text(key).and_then(bssid)
    }

    pub(crate) fn ssid(&self) -> Option<Ssid> {
        Ssid::new(&unescaped(self.text("ssid")?)).ok()
    }

    pub(crate) fn hex(&self, key: &str) -> Vec<u8> {
        self.text(key).and_then(hex).unwrap_or_default()
    }
}

/// The entries of one reply to `BSS RANGE=…`, each with its id.
pub(crate) fn bss_entries(reply: &str) -> impl Iterator<Item = (u32, Values<'_>)> {
    let entries = reply.strip_prefix("id=").into_iter().flat_map(|rest| rest.split("\nid="));
    entries.filter_map(|entry| {
        let (id, rest) = entry.split_once('\n').unwrap_or((entry, ""));
        Some((id.parse().ok()?, Values::parse(rest)))
    })
}

/// One line of `LIST_NETWORKS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) id: u32,
    /// As listed, escaped: to tell networks apart, not to show.
    pub(crate) name: String,
    pub(crate) current: bool,
    pub(crate) enabled: bool,
}

/// The lines of one reply to `LIST_NETWORKS`, without its heading.
pub(crate) fn networks(reply: &str) -> impl Iterator<Item = Network> + '_ {
    reply.lines().filter_map(|line| {
        let mut columns = line.split('\t');
        let id = columns.next()?.parse().ok()?;
        let name = columns.next()?.into();
        let flags = columns.nth(1).unwrap_or_default();
        let current = flags.contains("[CURRENT]");
        // Persistent groups of Wi-Fi Direct are listed, but are no networks to join.
        let enabled = !flags.contains("[DISABLED]");
        (!flags.contains("[P2P-PERSISTENT]")).then_some(Network { id, name, current, enabled })
    })
}

/// A channel that this card may use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Channel {
    pub(crate) number: u8,
    pub(crate) frequency_mhz: u16,
    /// Whether a network may be begun there without listening for others, or for radar, first.
    pub(crate) may_begin: bool,
}

/// The channels of `GET_CAPABILITY freq`: lines like ` 1 = 2412 MHz (NO_IR) (DFS)`.
/// One that more than one mode of the card has is listed more than once.
pub(crate) fn channels(reply: &str) -> impl Iterator<Item = Channel> + '_ {
    reply.lines().filter_map(|line| {
        let (number, rest) = line.split_once(" = ")?;
        let (frequency, flags) = rest.split_once(" MHz")?;
        let channel = Channel {
            number: number.trim().parse().ok()?,
            frequency_mhz: frequency.parse().ok()?,
            may_begin: !flags.contains("NO_IR") && !flags.contains("DFS"),
        };
        (!flags.contains("DISABLED")).then_some(channel)
    })
}

/// An access point that speaks WPS, in wpa_supplicant's table of what it has heard.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) router: Router,
    /// The same, for people.
    pub(crate) neighbour: BssInfo,
    pub(crate) pressed: bool,
    /// Whole seconds since it was heard last.
    pub(crate) age: u64,
}

impl Heard {
    /// Reads an entry of the table: its head, and in replies of their own, as each may fill one, the
    /// elements of its probe response and of its beacon. None if it does not speak WPS.
    pub(crate) fn parse(head: &Values<'_>, probe_response: &str, beacon: &str) -> Option<Self> {
        let neighbour = neighbour(head, probe_response, beacon)?;
        let probe_response = Values::parse(probe_response).hex("ie");
        let beacon = Values::parse(beacon).hex("beacon_ie");
        let says = Advertisement::merged(&probe_response, &beacon)?;
        let router = Router {
            bssid: head.bssid("bssid")?,
            frequency_mhz: head.number("freq")?,
            ssid: says.ssid,
            uuid: says.uuid,
            signal_dbm: head.number("level").unwrap_or(i16::MIN),
        };
        Some(Self { router, neighbour, pressed: says.pressed, age: head.number("age")? })
    }
}

/// The bytes of a name as wpa_supplicant prints it: `\xff`, `\"`, `\\`, `\e`, `\n`, `\r`, `\t`.
pub(crate) fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        (rest, _) = match (first, others) {
            (b'\\', [b'x', high, low, others @ ..]) => {
                match hex(&format!("{}{}", char::from(*high), char::from(*low))) {
                    Some(byte) => (others, bytes.extend(byte)),
                    None => (others, bytes.extend([b'\\', b'x', *high, *low])),
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
    fn access_points_one_by_one() {
        let page = "id=3\nssid=home\nid=7\nssid=id=8\n\nid=x\nssid=bad\nid=9";
        let entries: Vec<_> = bss_entries(page).map(|(id, it)| (id, it.text("ssid"))).collect();
        assert_eq!(entries, [(3, Some("home")), (7, Some("id=8")), (9, None)]);
        assert_eq!(bss_entries("").count() + bss_entries("FAIL\n").count(), 0);
    }

    #[test]
    fn networks_as_listed() {
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
    fn channels_without_disabled_ones() {
        let reply = "Mode[G] Channels:\n 1 = 2412 MHz\n 13 = 2472 MHz (NO_IR)\n 14 = 2484 MHz (DISABLED)\n\
                     Mode[A] Channels:\n 36 = 5180 MHz\n 52 = 5260 MHz (DFS)\n";
        let channel =
            |number, frequency_mhz, may_begin| Channel { number, frequency_mhz, may_begin };
        let expected = [
            channel(1, 2412, true),
            channel(13, 2472, false),
            channel(36, 5180, true),
            channel(52, 5260, false),
        ];
        assert_eq!(channels(reply).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn names_come_back_from_their_escapes() {
        assert_eq!(unescaped(r#"a\"b\\c\xff\e\n\t d"#), b"a\"b\\c\xff\x1b\n\t d");
        assert_eq!(unescaped(r"\xZZ\"), br"\xZZ\");
    }

    proptest! {
        #[test]
        fn any_reply_is_read(text: String) {
            let _ = networks(&text).count();
            let _ = channels(&text).count();
            let _ = Heard::parse(&Values::parse(&text), &text, &text);
            let _ = unescaped(&text);
        }
    }
}
