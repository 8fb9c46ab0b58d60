//! What is printed on a device: the name and the key of its own access point, made from what only
//! this one chip has. The firmware makes them when it starts, the maker when it prints the label.
//!
//! No two devices have the same key, and none is in the source: whoever knows one knows only that one.
#![no_std]

use core::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wps_core::{Passphrase, Ssid};
use zeroize::Zeroize;

/// How many bytes a maker's secret must have. A shorter one can be tried.
pub const SHORTEST_SECRET: usize = 16;

/// What a key is mixed with where the maker has no secret. Anybody can read it here.
const NO_SECRET: &[u8] = b"wps-label: no maker's secret";

/// Says what the digest is for, so that the same secret can serve elsewhere.
const PURPOSE: &[u8] = b"wps-label: access point key, version 1";

/// Nothing that looks like something else on paper: neither `l` nor `o`, neither `0` nor `1`.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// How many letters a key has, 5 bits each: too many to be tried, even off-line.
const LENGTH: usize = 16;
/// How many are printed together.
const GROUP: usize = 4;

/// A device's host name, and the name of its access point: unlike that of its neighbour, so that both
/// may stand in one house. From the last half of the address that it has on the air anyway.
pub type Name = heapless::String<10>;

/// The [`Name`] of the device with this MAC address.
pub fn name(address: [u8; 6]) -> Name {
    let mut name = Name::new();
    let [_, _, _, high, middle, low] = address;
    // It is as long as that: `wps-` and six digits.
    let _ = write!(name, "wps-{high:02x}{middle:02x}{low:02x}");
    name
}

/// A [`Name`] as a network's; none only for an empty one.
pub fn ssid(name: &Name) -> Option<Ssid> {
    Ssid::new(name.as_bytes()).ok()
}

/// The key of the access point: four groups of four letters and digits, 80 bits.
///
/// `unique_id` is the chip's own 128-bit number (ESP32: eFuse `OPTIONAL_UNIQUE_ID`), which is never on the
/// air, unlike the MAC address. `secret` is the maker's: with it, knowing the number is not enough.
///
/// None for a chip whose number was never burned, as all of those would have the same key.
pub fn key(unique_id: &[u8; 16], secret: Option<&[u8]>) -> Option<Passphrase> {
    if unique_id.iter().all(|byte| *byte == 0) || unique_id.iter().all(|byte| *byte == 0xff) {
        return None;
    }
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret.unwrap_or(NO_SECRET)).ok()?;
    hmac.update(PURPOSE);
    hmac.update(unique_id);
    let mut digest = hmac.finalize().into_bytes();

    let mut text = [0; LENGTH + LENGTH / GROUP - 1];
    for (place, byte) in text.iter_mut().enumerate() {
        let (group, within) = (place / (GROUP + 1), place % (GROUP + 1));
        *byte = if within == GROUP { b'-' } else { letter(&digest, group * GROUP + within) };
    }
    let key = Passphrase::new(&text).ok();
    digest.zeroize();
    text.zeroize();
    key
}

/// The `index`th five bits of the digest, the first bit of a byte being its highest.
fn letter(digest: &[u8], index: usize) -> u8 {
    let bits = (index * 5..index * 5 + 5)
        .map(|bit| digest.get(bit / 8).copied().unwrap_or(0) >> (7 - bit % 8) & 1);
    let value = bits.fold(0, |value, bit| value << 1 | bit);
    LETTERS.get(usize::from(value)).copied().unwrap_or(b'-')
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::HashSet;
    use std::format;

    use super::*;

    const ID: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    fn text(key: &Passphrase) -> &str {
        str::from_utf8(key.reveal()).expect("text")
    }

    /// Made with Python's `hmac` and `hashlib`, not with this program.
    #[test]
    fn known_keys() {
        let without = key(&ID, None).expect("a key");
        assert_eq!(text(&without), "r6mq-w2fp-7acj-qwdc");
        let with = key(&ID, Some(b"correct horse battery")).expect("a key");
        assert_eq!(text(&with), "bbjz-3udr-acbt-paue");
    }

    #[test]
    fn a_number_that_was_never_burned_makes_no_key() {
        for blank in [[0; 16], [0xff; 16]] {
            assert_eq!(key(&blank, None), None);
            assert_eq!(key(&blank, Some(b"correct horse battery")), None);
        }
    }

    #[test]
    fn each_bit_of_the_number_and_the_secret_count() {
        let mut seen = HashSet::new();
        for bit in 0..128 {
            let mut id = ID;
            id[bit / 8] ^= 1 << (bit % 8);
            for secret in [None, Some(&b"one"[..]), Some(b"two")] {
                let key = key(&id, secret).expect("a key");
                assert!(seen.insert(key), "bit {bit} made a key that was there");
            }
        }
    }

    #[test]
    fn a_key_is_not_printed_by_accident() {
        let key = key(&ID, None).expect("a key");
        assert!(!format!("{key:?}").contains(text(&key)));
    }

    #[test]
    fn the_name_has_the_end_of_the_address() {
        let name = name([0x60, 0x55, 0xf9, 0x0a, 0xb1, 0xc2]);
        assert_eq!(name, "wps-0ab1c2");
        assert_eq!(ssid(&name).expect("a name").as_bytes(), b"wps-0ab1c2");
    }
}
