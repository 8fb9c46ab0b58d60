//! HTTP Digest authentication (RFC 7616): the password, the nonces, and the counts already used.

use core::fmt;
use core::time::Duration;

use base16ct::lower;
use heapless::Vec;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use wps_core::Instant;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::digest::{Algorithm, Fields, hash};
use crate::guesses::{GuessLimiter, WrongPasswords};
use crate::request::{Field, Request};

/// How long a nonce is valid.
const NONCE_TIMEOUT: Duration = Duration::from_secs(600);
/// How many used nonces are remembered. The one that was issued first is evicted.
const MAX_NONCES: usize = 16;
/// The time of issue and the serial number as hex digits, followed by half a hash with our key.
const NONCE_LEN: usize = 16 + 8 + 32;

/// The password of the API: 1 to 64 bytes.
///
/// Its `Debug` output does not contain it, and its memory is wiped when it is dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Password(Vec<u8, 64>);

impl Password {
    /// Copies `bytes`. Returns `None` unless there are 1 to 64 of them.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() { None } else { Vec::from_slice(bytes).ok().map(Self) }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// The server side of HTTP Digest authentication, shared by all connections.
///
/// It issues challenges, verifies the responses to them, and refuses a response that is sent twice.
/// It checks one guess a second from each address, and for IPv6 ten a second from each /64.
pub struct DigestAuth {
    password: Password,
    realm: Realm,
    /// Proves that a nonce was issued here.
    key: [u8; 32],
    issued_count: u32,
    used_nonces: Vec<UsedNonce, MAX_NONCES>,
    /// The newest nonce that was evicted. Nonces up to this one are no longer accepted.
    newest_evicted: Option<Nonce>,
    guesses: GuessLimiter,
}

/// A nonce. Nonces are ordered by their time of issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Nonce {
    issued_at: u64,
    number: u32,
}

/// A nonce that a client has authenticated with, and the counts it has used.
struct UsedNonce {
    nonce: Nonce,
    highest: u32,
    /// Bit n is set if the count n below the highest was used. Browsers send requests in parallel,
    /// so the counts arrive in any order.
    seen: u64,
    /// A wrong password was sent with it, so it is no longer accepted.
    is_spoiled: bool,
}

/// The name under which clients store the password.
#[derive(Clone, Copy, Debug)]
struct Realm {
    text: [u8; 48],
    length: u8,
}

/// The reason why a request is not authenticated.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The request has no valid proof of the password: 401 with a challenge.
    #[error("the request does not prove that it knows the password")]
    Unauthorized(Challenge),
    /// The `uri` of the Authorization header is not the target of the request: 400.
    #[error("the uri of the Authorization header is not the target of the request")]
    UriMismatch,
    /// There were too many wrong passwords, so this one was not checked: 429.
    #[error("there were too many wrong passwords")]
    TooManyGuesses,
}

/// A challenge, as sent in the WWW-Authenticate headers of a 401.
#[derive(Clone, Copy, Debug)]
pub struct Challenge {
    realm: Realm,
    nonce: [u8; NONCE_LEN],
    /// The nonce of the request cannot be used, so its password was not checked.
    stale: bool,
}

impl DigestAuth {
    /// Creates the authentication for `realm`, which is the host name. `key` must be random and
    /// secret.
    pub fn new(password: Password, realm: &str, key: [u8; 32]) -> Self {
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        let mut plain_realm = Realm { text: [0; 48], length: 0 };
        for (place, byte) in plain_realm.text.iter_mut().zip(realm.bytes().filter(is_plain)) {
            *place = byte;
            plain_realm.length += 1;
        }
        Self {
            password,
            realm: plain_realm,
            key,
            issued_count: 0,
            used_nonces: Vec::new(),
            newest_evicted: None,
            guesses: GuessLimiter::default(),
        }
    }

    /// Authenticates a request that arrives at `now`.
    ///
    /// # Errors
    /// [`AuthError`], which provides the [response](AuthError::response).
    pub fn authenticate(&mut self, request: &Request<'_>, now: Instant) -> Result<(), AuthError> {
        let Field::Once(header) = request.authorization else {
            return Err(self.challenge(now, false));
        };
        let Some(fields) = Fields::parse(header) else {
            return Err(self.challenge(now, false));
        };
        if !request.is_target(fields.uri) {
            return Err(AuthError::UriMismatch);
        }
        let Some((algorithm, count)) = self.match_challenge(&fields) else {
            return Err(self.challenge(now, false));
        };
        // The nonce comes before the password. Otherwise the response to an invented nonce would
        // say whether the password is right, at no cost.
        let Some((nonce, place)) = self.find_nonce(fields.nonce, count, now) else {
            return Err(self.challenge(now, true));
        };
        // A client with a used nonce has the password, or has read the user's traffic. In the
        // second case the nonce is good for one guess.
        if place.is_none() && !self.guesses.allows(request.address, now) {
            self.guesses.record_unchecked(request.address);
            return Err(AuthError::TooManyGuesses);
        }
        if !fields.is_valid_response(algorithm, request.method_name(), &self.password.0) {
            self.guesses.record_wrong(request.address, now);
            if let Some(used) = place.and_then(|place| self.used_nonces.get_mut(place)) {
                used.is_spoiled = true;
            }
            return Err(self.challenge(now, false));
        }
        self.guesses.record_right(request.address, now);
        match place.and_then(|place| self.used_nonces.get_mut(place)) {
            Some(used) => used.mark(count),
            None => self.add_used_nonce(nonce, count),
        }
        Ok(())
    }

    /// Returns the wrong passwords since the last call that returned some, at most once a second.
    ///
    /// Call it after each [`authenticate`](Self::authenticate), and log what it returns.
    pub fn take_wrong_passwords(&mut self, now: Instant) -> Option<WrongPasswords> {
        self.guesses.take_report(now)
    }

    /// Returns the algorithm and the nonce count, or `None` if the header is not a response to one
    /// of our challenges.
    fn match_challenge(&self, fields: &Fields<'_>) -> Option<(Algorithm, u32)> {
        let matches_challenge = fields.has_plain_username()
            && fields.realm == self.realm.bytes()
            && fields.qop == b"auth"
            && !fields.cnonce.is_empty();
        matches_challenge.then_some(())?;
        Some((fields.algorithm()?, fields.nonce_count()?))
    }

    /// Returns the nonce, and its place if it was used before.
    ///
    /// Returns `None` if it was not issued here, is too old, was used with this count before, or
    /// is spoiled.
    fn find_nonce(&self, text: &[u8], count: u32, now: Instant) -> Option<(Nonce, Option<usize>)> {
        let nonce = self.parse_nonce(text)?;
        if now > Instant::from_millis(nonce.issued_at).after(NONCE_TIMEOUT) {
            return None;
        }
        let place = self.used_nonces.iter().position(|used| used.nonce == nonce);
        let is_accepted = match place.and_then(|place| self.used_nonces.get(place)) {
            Some(used) => !used.is_spoiled && used.is_fresh(count),
            None => self.newest_evicted.is_none_or(|newest| nonce > newest),
        };
        is_accepted.then_some((nonce, place))
    }

    /// Remembers a nonce that was used for the first time.
    fn add_used_nonce(&mut self, nonce: Nonce, count: u32) {
        if self.used_nonces.is_full() {
            let oldest = self.used_nonces.iter().enumerate().min_by_key(|(_, used)| used.nonce);
            if let Some((place, _)) = oldest {
                let evicted = self.used_nonces.swap_remove(place).nonce;
                self.newest_evicted = self.newest_evicted.max(Some(evicted));
            }
        }
        let used = UsedNonce { nonce, highest: count, seen: 1, is_spoiled: false };
        // Cannot fail: an entry was evicted if the list was full.
        let _ = self.used_nonces.push(used);
    }

    fn challenge(&mut self, now: Instant, stale: bool) -> AuthError {
        self.issued_count = self.issued_count.wrapping_add(1);
        let nonce = Nonce { issued_at: now.as_millis(), number: self.issued_count };
        let nonce = self.format_nonce(nonce);
        AuthError::Unauthorized(Challenge { realm: self.realm, nonce, stale })
    }

    fn format_nonce(&self, nonce: Nonce) -> [u8; NONCE_LEN] {
        let mut text = [0; NONCE_LEN];
        // `encode` cannot fail: each part has room for its digits.
        let _ = lower::encode(&nonce.issued_at.to_be_bytes(), &mut text[..16]);
        let _ = lower::encode(&nonce.number.to_be_bytes(), &mut text[16..24]);
        // A length extension attack is not possible: the length is fixed, and only half of the hash
        // is sent.
        let hash = hash::<Sha256>(&[&self.key, &text[..24]]);
        let _ = lower::encode(&hash[..16], &mut text[24..]);
        text
    }

    /// Parses a nonce. Returns `None` if it was not issued here.
    fn parse_nonce(&self, text: &[u8]) -> Option<Nonce> {
        let digits = |range| core::str::from_utf8(text.get(range)?).ok();
        let nonce = Nonce {
            issued_at: u64::from_str_radix(digits(0..16)?, 16).ok()?,
            number: u32::from_str_radix(digits(16..24)?, 16).ok()?,
        };
        bool::from(self.format_nonce(nonce).ct_eq(text)).then_some(nonce)
    }
}

impl Drop for DigestAuth {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl UsedNonce {
    /// Returns whether a count was not used before. One that is 64 or more below the highest is no
    /// longer tracked, and counts as used.
    fn is_fresh(&self, count: u32) -> bool {
        count > self.highest || self.seen & self.bit(count).unwrap_or(u64::MAX) == 0
    }

    /// Marks a fresh count as used.
    fn mark(&mut self, count: u32) {
        if count > self.highest {
            self.seen = self.seen.checked_shl(count - self.highest).unwrap_or(0) | 1;
            self.highest = count;
        } else {
            self.seen |= self.bit(count).unwrap_or(0);
        }
    }

    fn bit(&self, count: u32) -> Option<u64> {
        1_u64.checked_shl(self.highest - count)
    }
}

impl Realm {
    fn bytes(&self) -> &[u8] {
        self.text.get(..self.length.into()).unwrap_or_default()
    }
}

impl Challenge {
    /// Writes the value of one WWW-Authenticate header and returns it, or `None` if `buffer` is too
    /// short.
    ///
    /// Each algorithm gets a complete header, with the realm first: some clients stop reading after
    /// it, or mix the fields of two headers.
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::string::ToString;

    use wps_core::one_of_each;

    use super::*;
    use crate::{BUFFER, BodyError, OriginError};

    fn challenge() -> Challenge {
        let password = Password::new(b"open, sesame").expect("short");
        let mut auth = DigestAuth::new(password, "gadget", [7; 32]);
        match auth.authenticate(&Request::new("GET", "/"), Instant::from_millis(0)) {
            Err(AuthError::Unauthorized(challenge)) => challenge,
            result => panic!("{result:?}"),
        }
    }

    #[test]
    fn each_error_has_a_sentence_and_a_status_code() {
        let auth = one_of_each! { AuthError:
            AuthError::Unauthorized(_) => AuthError::Unauthorized(challenge()),
            AuthError::UriMismatch => AuthError::UriMismatch,
            AuthError::TooManyGuesses => AuthError::TooManyGuesses,
        };
        let origin = one_of_each! { OriginError:
            OriginError::Malformed => OriginError::Malformed,
            OriginError::ForeignHost => OriginError::ForeignHost,
            OriginError::ForeignOrigin => OriginError::ForeignOrigin,
        };
        let body = one_of_each! { BodyError:
            BodyError::TooSlow => BodyError::TooSlow,
            BodyError::Broken => BodyError::Broken,
            BodyError::Chunked => BodyError::Chunked,
        };
        assert_eq!((OriginError::ALL, BodyError::ALL), (&origin[..], &body[..]));

        let mut buffer = [0; BUFFER];
        assert_eq!(auth.map(|error| error.response(&mut buffer).status()), [401, 400, 429]);
        assert_eq!(origin.map(|error| error.response(&mut buffer).status()), [400, 404, 404]);
        assert_eq!(body.map(|error| error.response(&mut buffer).status()), [408, 400, 411]);

        let errors: [&dyn core::error::Error; 9] = [
            &auth[0], &auth[1], &auth[2], &origin[0], &origin[1], &origin[2], &body[0], &body[1],
            &body[2],
        ];
        let sentences: HashSet<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(sentences.len(), errors.len(), "{sentences:?}");
    }
}
