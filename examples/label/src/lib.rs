//! The label of a device: the name and the key of its own access point, derived from numbers that
//! only this one chip has. The firmware derives them when it starts, and the manufacturer when
//! printing the label.
//!
//! No two devices have the same key, and no key is in the source code. So a known key gives access
//! to one device only.
#![no_std]

use core::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wps_core::{Passphrase, Ssid};
use zeroize::Zeroize;

/// The minimum length of the manufacturer's secret in bytes. A shorter one can be guessed. The
/// caller of [`key`] must check it.
pub const MIN_SECRET_LEN: usize = 16;

/// The HMAC key if the manufacturer has no secret. It is public.
const DEFAULT_SECRET: &[u8] = b"wps-label: no maker's secret";

/// Separates this use of the secret from other uses of the same secret.
const PURPOSE: &[u8] = b"wps-label: access point key, version 1";

/// Letters and digits that cannot be confused on paper: no `l`, `o`, `0` or `1`.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The number of letters in a key, with 5 bits each: too many to try all keys, even offline.
const KEY_LETTERS: usize = 16;
/// The number of letters in a printed group.
const GROUP_LETTERS: usize = 4;

/// A device's host name, which is also the name of its access point. It contains the last half of
/// the device's MAC address, so that several devices in one house have different names. The address
/// is on the air anyway.
pub type Name = heapless::String<10>;

/// Returns the [`Name`] of the device with this MAC address.
pub fn name(address: [u8; 6]) -> Name {
    let mut name = Name::new();
    let [_, _, _, high, middle, low] = address;
    // This cannot fail: `wps-` and six digits fill the string exactly.
    let _ = write!(name, "wps-{high:02x}{middle:02x}{low:02x}");
    name
}

/// Converts a [`Name`] to the name of a network. Returns `None` only if it is empty.
pub fn ssid(name: &Name) -> Option<Ssid> {
    Ssid::new(name.as_bytes()).ok()
}

/// Derives the key of the access point: four groups of four letters and digits, 80 bits.
///
/// `unique_id` is the chip's own 128-bit number (ESP32: eFuse `OPTIONAL_UNIQUE_ID`), which is never
/// on the air, unlike the MAC address. `secret` is the manufacturer's. With a secret, knowing the
/// ID is not enough to know the key.
///
/// Returns `None` for a chip whose ID was never programmed: all such chips would have the same
/// key.
pub fn key(unique_id: &[u8; 16], secret: Option<&[u8]>) -> Option<Passphrase> {
    if unique_id.iter().all(|byte| *byte == 0) || unique_id.iter().all(|byte| *byte == 0xff) {
        return None;
    }
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret.unwrap_or(DEFAULT_SECRET)).ok()?;
    hmac.update(PURPOSE);
    hmac.update(unique_id);
    let mut digest = hmac.finalize().into_bytes();

    let mut text = [0; KEY_LETTERS + KEY_LETTERS / GROUP_LETTERS - 1];
    for (position, byte) in text.iter_mut().enumerate() {
        let (group, within) = (position / (GROUP_LETTERS + 1), position % (GROUP_LETTERS + 1));
        *byte = if within == GROUP_LETTERS {
            b'-'
        } else {
            letter(&digest, group * GROUP_LETTERS + within)
        };
    }
    let key = Passphrase::new(&text).ok();
    digest.zeroize();
    text.zeroize();
    key
}

/// Returns the letter for the `index`-th group of five bits. Bits are counted from the most
/// significant one.
fn letter(digest: &[u8], index: usize) -> u8 {
    let bits = (index * 5..index * 5 + 5)
        .map(|bit| digest.get(bit / 8).copied().unwrap_or(0) >> (7 - bit % 8) & 1);
    let value = bits.fold(0, |value, bit| value << 1 | bit);
    ALPHABET.get(usize::from(value)).copied().unwrap_or(b'-')
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

    /// The expected keys come from Python's `hmac` and `hashlib`, not from this program.
    #[test]
    fn keys_match_an_independent_implementation() {
        let without = key(&ID, None).expect("a key");
        assert_eq!(text(&without), "r6mq-w2fp-7acj-qwdc");
        let with = key(&ID, Some(b"correct horse battery")).expect("a key");
        assert_eq!(text(&with), "bbjz-3udr-acbt-paue");
    }

    #[test]
    fn an_id_that_was_never_programmed_gives_no_key() {
        for unprogrammed in [[0; 16], [0xff; 16]] {
            assert_eq!(key(&unprogrammed, None), None);
            assert_eq!(key(&unprogrammed, Some(b"correct horse battery")), None);
        }
    }

    #[test]
    fn every_bit_of_the_id_changes_the_key_and_so_does_the_secret() {
        let mut seen = HashSet::new();
        for bit in 0..128 {
            let mut id = ID;
            id[bit / 8] ^= 1 << (bit % 8);
            for secret in [None, Some(&b"one"[..]), Some(b"two")] {
                let key = key(&id, secret).expect("a key");
                assert!(seen.insert(key), "bit {bit} made a key that exists already");
            }
        }
    }

    #[test]
    fn a_key_is_not_printed_by_accident() {
        let key = key(&ID, None).expect("a key");
        assert!(!format!("{key:?}").contains(text(&key)));
    }

    #[test]
    fn the_name_contains_the_end_of_the_address() {
        let name = name([0x60, 0x55, 0xf9, 0x0a, 0xb1, 0xc2]);
        assert_eq!(name, "wps-0ab1c2");
        assert_eq!(ssid(&name).expect("a name").as_bytes(), b"wps-0ab1c2");
    }
}
