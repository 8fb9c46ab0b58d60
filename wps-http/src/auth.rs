//! Who knows the password: HTTP Digest (RFC 7616), and its memory.

use core::fmt;
use core::time::Duration;

use heapless::Vec;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use wps_core::Instant;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::digest::{Algorithm, Fields, hash, hex};
use crate::request::{Field, Request};
use crate::response::Response;

/// How long a nonce is good for.
const LIFETIME: Duration = Duration::from_secs(600);
/// How many nonces may be in use; the one that was issued first has to go.
const IN_USE: usize = 16;
/// Issued when, and number: as hex digits, followed by half a hash that only we can make.
const NONCE: usize = 16 + 8 + 32;

/// The password of the API: 1 to 64 bytes.
///
/// It never prints itself, and its memory is wiped when it is dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Password(Vec<u8, 64>);

impl Password {
    /// Copies `bytes`; none unless there are 1 to 64.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() { None } else { Vec::from_slice(bytes).ok().map(Self) }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// The door: asks for the password, and remembers which answers it has had.
pub struct Door {
    password: Password,
    realm: Realm,
    /// Only nonces that are made with it are ours.
    key: [u8; 32],
    issued: u32,
    in_use: Vec<Used, IN_USE>,
    /// Nonces up to this one were in use, and have gone.
    gone: Option<Nonce>,
}

/// In order of issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Nonce {
    at: u64,
    number: u32,
}

/// A nonce with which somebody got in, and the counts that were used.
struct Used {
    nonce: Nonce,
    highest: u32,
    /// Bit n: n below the highest. Browsers send in parallel, so they come in any order.
    seen: u64,
}

/// The name under which clients keep the password.
#[derive(Clone, Copy, Debug)]
struct Realm {
    text: [u8; 48],
    length: u8,
}

/// Why a request may not go on.
#[derive(Clone, Copy, Debug)]
pub enum Locked {
    /// The password has to be given: 401 with a challenge.
    Asked(Challenge),
    /// The Authorization header belongs to another request: 400.
    OtherUri,
}

/// What a client has to answer.
#[derive(Clone, Copy, Debug)]
pub struct Challenge {
    realm: Realm,
    nonce: [u8; NONCE],
    /// The password was right, but the nonce is too old.
    stale: bool,
    /// The password was wrong.
    pub(crate) failed: bool,
}

impl Locked {
    /// The answer.
    pub fn answer<'b>(&self, buffer: &'b mut [u8]) -> Response<'b> {
        match self {
            Self::Asked(challenge) => Response::unauthorized(challenge, buffer),
            Self::OtherUri => Response::other_uri(buffer),
        }
    }
}

impl Door {
    /// A door for `realm`, the host name. `key` must be random, and known to nobody.
    pub fn new(password: Password, realm: &str, key: [u8; 32]) -> Self {
        let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        let mut own = Realm { text: [0; 48], length: 0 };
        for (place, byte) in own.text.iter_mut().zip(realm.bytes().filter(plain)) {
            *place = byte;
            own.length += 1;
        }
        Self { password, realm: own, key, issued: 0, in_use: Vec::new(), gone: None }
    }

    /// Judges a request that comes at `now`.
    ///
    /// # Errors
    /// [`Locked`], which has an [answer](Locked::answer).
    pub fn judge(&mut self, request: &Request<'_>, now: Instant) -> Result<(), Locked> {
        let Field::Once(header) = request.authorization else {
            return self.challenge(now, false, false);
        };
        let Some(fields) = Fields::parse(header) else {
            return self.challenge(now, false, true);
        };
        if !request.is_target(fields.uri) {
            return Err(Locked::OtherUri);
        }
        let Some(count) = self.answered(&fields, request.method_name()) else {
            return self.challenge(now, false, true);
        };
        if self.use_up(fields.nonce, count, now) {
            return Ok(());
        }
        self.challenge(now, true, false)
    }

    /// The count of an answer that knows the password.
    fn answered(&self, fields: &Fields<'_>, method: &str) -> Option<u32> {
        let asked = fields.username.is_empty()
            && fields.realm == self.realm.bytes()
            && fields.qop == b"auth"
            && !fields.cnonce.is_empty();
        let right = fields.is_answer(fields.algorithm()?, method, &self.password.0);
        (asked && right).then(|| fields.count())?
    }

    /// Whether the nonce is ours and fresh, and the count was not used with it.
    fn use_up(&mut self, text: &[u8], count: u32, now: Instant) -> bool {
        let Some(nonce) = self.own(text) else { return false };
        if now > Instant::from_millis(nonce.at).after(LIFETIME) {
            return false;
        }
        if let Some(used) = self.in_use.iter_mut().find(|used| used.nonce == nonce) {
            return used.mark(count);
        }
        if self.gone.is_some_and(|gone| nonce <= gone) {
            return false;
        }
        if self.in_use.is_full() {
            let oldest = self.in_use.iter().enumerate().min_by_key(|(_, used)| used.nonce);
            if let Some((place, _)) = oldest {
                self.gone = self.gone.max(Some(self.in_use.swap_remove(place).nonce));
            }
        }
        // There is room now.
        let _ = self.in_use.push(Used { nonce, highest: count, seen: 1 });
        true
    }

    fn challenge(&mut self, now: Instant, stale: bool, failed: bool) -> Result<(), Locked> {
        self.issued = self.issued.wrapping_add(1);
        let nonce = self.text(Nonce { at: now.as_millis(), number: self.issued });
        Err(Locked::Asked(Challenge { realm: self.realm, nonce, stale, failed }))
    }

    fn text(&self, nonce: Nonce) -> [u8; NONCE] {
        let mut text = [0; NONCE];
        hex(&nonce.at.to_be_bytes(), &mut text[..16]);
        hex(&nonce.number.to_be_bytes(), &mut text[16..24]);
        // Of fixed length, and half of it is kept back: nobody can go on from it.
        let hash = hash::<Sha256>(&[&self.key, &text[..24]]);
        hex(&hash, &mut text[24..]);
        text
    }

    /// Reads a nonce of our own.
    fn own(&self, text: &[u8]) -> Option<Nonce> {
        let digits = |range| core::str::from_utf8(text.get(range)?).ok();
        let nonce = Nonce {
            at: u64::from_str_radix(digits(0..16)?, 16).ok()?,
            number: u32::from_str_radix(digits(16..24)?, 16).ok()?,
        };
        bool::from(self.text(nonce).ct_eq(text)).then_some(nonce)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl Used {
    /// Marks a count as used; false if it was, or is too far back to know.
    fn mark(&mut self, count: u32) -> bool {
        if count > self.highest {
            self.seen = self.seen.checked_shl(count - self.highest).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let bit = 1_u64.checked_shl(self.highest - count).unwrap_or(0);
        let fresh = bit != 0 && self.seen & bit == 0;
        self.seen |= bit;
        fresh
    }
}

impl Realm {
    fn bytes(&self) -> &[u8] {
        self.text.get(..self.length.into()).unwrap_or_default()
    }
}

impl Challenge {
    /// The value of a WWW-Authenticate header of its own. Complete, and the realm first: clients exist
    /// that read no further, or mix what is in two of them.
    pub(crate) fn write<'b>(&self, algorithm: Algorithm, buffer: &'b mut [u8]) -> Option<&'b str> {
        let parts: [&[u8]; 8] = [
            b"Digest realm=\"",
            self.realm.bytes(),
            b"\", qop=\"auth\", algorithm=",
            algorithm.name().as_bytes(),
            b", nonce=\"",
            &self.nonce,
            b"\", stale=",
            if self.stale { b"true" } else { b"false" },
        ];
        let mut end = 0;
        for part in parts {
            buffer.get_mut(end..end + part.len())?.copy_from_slice(part);
            end += part.len();
        }
        core::str::from_utf8(buffer.get(..end)?).ok()
    }
}
