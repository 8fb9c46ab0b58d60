//! Parsers for wpa_supplicant's replies.

use std::collections::HashMap;

use wps_core::Ssid;
use wps_core::wsc::Bssid;

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

/// A network in wpa_supplicant's list: one line of `LIST_NETWORKS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) id: u32,
    /// The name with wpa_supplicant's escapes. It distinguishes networks and is not for display.
    pub(crate) name: String,
    /// Whether wpa_supplicant has selected this network.
    pub(crate) current: bool,
    pub(crate) enabled: bool,
    /// Whether wpa_supplicant ignores this network for some time, after a failure.
    pub(crate) temp_disabled: bool,
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
        let temp_disabled = flags.contains("[TEMP-DISABLED]");
        // The list also has persistent groups of Wi-Fi Direct, which are not networks to join.
        let network = Network { id, name, current, enabled, temp_disabled };
        (!flags.contains("[P2P-PERSISTENT]")).then_some(network)
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
    fn a_list_of_networks_is_parsed() {
        let reply = "network id / ssid / bssid / flags\n\
                     0\toldnet\tany\t[CURRENT]\n\
                     2\ta\\\"b\tany\t[DISABLED]\n\
                     3\tgroup\tany\t[DISABLED][P2P-PERSISTENT]\n\
                     5\t\tany\t[TEMP-DISABLED]\n";
        let network = |id, name: &str, [current, enabled, temp_disabled]: [bool; 3]| Network {
            id,
            name: name.into(),
            current,
            enabled,
            temp_disabled,
        };
        let expected = [
            network(0, "oldnet", [true, true, false]),
            network(2, "a\\\"b", [false, false, false]),
            network(5, "", [false, true, true]),
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
            let _ = unescaped(&text);
        }
    }
}
