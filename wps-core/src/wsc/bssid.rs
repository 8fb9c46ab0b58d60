//! Addresses of access points.

use core::fmt;
use core::slice;
use core::str::FromStr;

/// The MAC address of one access point on one band.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bssid(pub [u8; 6]);

impl fmt::Display for Bssid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Bssid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Bssid {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=[u8; 6]:02x}", self.0);
    }
}

/// The error for text that is not a [`Bssid`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("write an address as six pairs of hex digits with colons, such as 02:00:00:00:01:00")]
pub struct ParseBssidError;

/// Parses an address such as `02:00:00:00:01:00`. The digits may have either case.
impl FromStr for Bssid {
    type Err = ParseBssidError;

    fn from_str(text: &str) -> Result<Self, ParseBssidError> {
        let mut bytes = [0; 6];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs.next().ok_or(ParseBssidError)?;
            // An empty text decodes, too, but to no byte.
            let decoded = base16ct::mixed::decode(pair, slice::from_mut(byte));
            if decoded.map_or(0, <[u8]>::len) != 1 {
                return Err(ParseBssidError);
            }
        }
        if pairs.next().is_some() { Err(ParseBssidError) } else { Ok(Self(bytes)) }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_six_pairs_of_hex_digits() {
        assert_eq!("02:00:00:00:aB:10".parse(), Ok(Bssid([2, 0, 0, 0, 0xab, 0x10])));
        // The fuzzer found the `+0`: `from_str_radix` accepts a sign.
        for bad in [
            "",
            ":::::",
            "02:00:00:00:00",
            "02:00:00:00:00:00:00",
            "82:+0:28:00:aB:10",
            "2:0:0:0:0:0",
            "0002:00:00:00:00:00",
            "02:00:00:00:00:00 ",
            "02-00-00-00-00-00",
        ] {
            assert_eq!(bad.parse::<Bssid>(), Err(ParseBssidError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_address_parses(bytes: [u8; 6]) {
            prop_assert_eq!(Bssid(bytes).to_string().parse(), Ok(Bssid(bytes)));
        }

        #[test]
        fn a_parsed_address_prints_the_same_text(text in "[0-9a-fA-F:+]{0,20}") {
            if let Ok(bssid) = text.parse::<Bssid>() {
                prop_assert_eq!(bssid.to_string(), text.to_ascii_lowercase());
            }
        }
    }
}
