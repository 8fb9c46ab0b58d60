//! HTTP Digest (RFC 7616, 3.4): parses the Authorization header and checks its response. Stateless.

use core::str;

use base16ct::lower;
use md5::Md5;
use sha2::digest::Output;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// The length of a SHA-256 hash in hex digits. An MD5 hash is shorter.
const MAX_HASH_DIGITS: usize = 64;

/// An algorithm that the server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha256,
    Md5Sess,
}

impl Algorithm {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5Sess => "MD5-sess",
        }
    }
}

/// The fields of an Authorization header, without their quotes. Escapes are decoded only where the
/// user name is hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields<'a> {
    pub(crate) username: &'a [u8],
    pub(crate) realm: &'a [u8],
    pub(crate) nonce: &'a [u8],
    pub(crate) uri: &'a [u8],
    pub(crate) response: &'a [u8],
    pub(crate) algorithm: &'a [u8],
    pub(crate) qop: &'a [u8],
    pub(crate) nc: &'a [u8],
    pub(crate) cnonce: &'a [u8],
    /// The user name in another form, which was not offered: `username*`, or a hash of it.
    pub(crate) encoded_username: &'a [u8],
    pub(crate) userhash: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Parses the value of an Authorization header.
    ///
    /// Returns `None` if the scheme is not Digest, a field occurs twice, or the syntax is invalid.
    pub(crate) fn parse(header: &'a [u8]) -> Option<Self> {
        let (scheme, mut rest) = header.split_at_checked(b"Digest ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Digest ") {
            return None;
        }
        let mut fields = Self::default();
        let mut seen = [false; 11];
        loop {
            let (name, after) = split_at_byte(rest.trim_ascii_start(), b'=')?;
            let (value, after) = value(after.trim_ascii_start())?;
            let known_fields: [(&str, &mut &'a [u8]); 11] = [
                ("username", &mut fields.username),
                ("realm", &mut fields.realm),
                ("nonce", &mut fields.nonce),
                ("uri", &mut fields.uri),
                ("response", &mut fields.response),
                ("algorithm", &mut fields.algorithm),
                ("qop", &mut fields.qop),
                ("nc", &mut fields.nc),
                ("cnonce", &mut fields.cnonce),
                ("username*", &mut fields.encoded_username),
                ("userhash", &mut fields.userhash),
            ];
            for ((known, field), seen) in known_fields.into_iter().zip(&mut seen) {
                if name.trim_ascii_end().eq_ignore_ascii_case(known.as_bytes()) {
                    if *seen {
                        return None;
                    }
                    (*seen, *field) = (true, value);
                }
            }
            match after.trim_ascii_start() {
                [] => return Some(fields),
                [b',', after @ ..] => rest = after,
                _ => return None,
            }
        }
    }

    /// Returns the algorithm, or `None` if it was not offered.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        let algorithms = [Algorithm::Sha256, Algorithm::Md5Sess];
        algorithms.into_iter().find(|it| self.algorithm.eq_ignore_ascii_case(it.name().as_bytes()))
    }

    /// Returns whether the user name is in its plain form. The other forms were not offered, and
    /// the hash of the password cannot be computed from them.
    pub(crate) fn has_plain_username(&self) -> bool {
        self.encoded_username.is_empty() && !self.userhash.eq_ignore_ascii_case(b"true")
    }

    /// Parses the nonce count. Returns `None` unless it has exactly eight hex digits.
    pub(crate) fn nonce_count(&self) -> Option<u32> {
        let digits = str::from_utf8(self.nc).ok().filter(|digits| digits.len() == 8)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_hex.then(|| u32::from_str_radix(digits, 16).ok())?
    }

    /// Returns whether the response was computed with `password`.
    ///
    /// The comparison takes constant time.
    pub(crate) fn is_valid_response(
        &self,
        algorithm: Algorithm,
        method: &str,
        password: &[u8],
    ) -> bool {
        match algorithm {
            Algorithm::Sha256 => self.is_valid_response_with::<Sha256>(false, method, password),
            Algorithm::Md5Sess => self.is_valid_response_with::<Md5>(true, method, password),
        }
    }

    fn is_valid_response_with<D: Digest>(
        &self,
        session: bool,
        method: &str,
        password: &[u8],
    ) -> bool {
        let mut digits = [0; MAX_HASH_DIGITS];
        let expected = self.expected_response::<D>(session, method, password, &mut digits);
        expected.is_ok_and(|expected| expected.ct_eq(self.response).into())
    }

    /// Writes the right response into `digits` and returns it.
    fn expected_response<'d, D: Digest>(
        &self,
        session: bool,
        method: &str,
        password: &[u8],
        digits: &'d mut [u8; MAX_HASH_DIGITS],
    ) -> Result<&'d [u8], base16ct::Error> {
        let mut secret = Zeroizing::new([0; MAX_HASH_DIGITS]);
        let mut user = D::new();
        for part in unescaped(self.username) {
            user.update(part);
        }
        for part in [b":", self.realm, b":", password] {
            user.update(part);
        }
        let mut user = user.finalize();
        if session {
            let user_digits = lower::encode(&user, &mut *secret)?;
            user = hash::<D>(&[user_digits, self.nonce, self.cnonce]);
        }
        let user_digits = lower::encode(&user, &mut *secret)?;
        user[..].zeroize();
        let request = hash::<D>(&[method.as_bytes(), self.uri]);
        let mut request_digits = [0; MAX_HASH_DIGITS];
        let request_digits = lower::encode(&request, &mut request_digits)?;
        let answer =
            hash::<D>(&[user_digits, self.nonce, self.nc, self.cnonce, self.qop, request_digits]);
        lower::encode(&answer, digits)
    }
}

/// Splits a token or a quoted string from the start of `text`; returns it without its quotes, and
/// the rest.
fn value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    match text {
        [b'"', quoted @ ..] => {
            let mut escaped = false;
            let end = quoted.iter().position(|&byte| {
                let ends = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            })?;
            Some((quoted.get(..end)?, quoted.get(end + 1..)?))
        }
        token => {
            let end = token.iter().position(|&byte| byte == b',').unwrap_or(token.len());
            let (token, rest) = token.split_at_checked(end)?;
            Some((token.trim_ascii_end(), rest))
        }
    }
}

/// Returns the pieces of a quoted string between its escapes.
///
/// Only `\"` and `\\` are escapes. Clients escape nothing else, and some of them send a single
/// backslash as it is (`DOMAIN\user`).
fn unescaped(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_escape = |pair: &[u8]| matches!(pair, [b'\\', b'"' | b'\\']);
    core::iter::from_fn(move || {
        let is_escaped = text.get(..2).is_some_and(is_escape);
        text = text.get(usize::from(is_escaped)..)?;
        // The first byte is literal, even if it is a backslash.
        let rest = text.get(1..)?;
        let end = rest.windows(2).position(is_escape).map_or(text.len(), |place| place + 1);
        let (piece, after) = text.split_at_checked(end)?;
        text = after;
        Some(piece)
    })
}

fn split_at_byte(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|&byte| byte == at)?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// Hashes the parts, joined by colons.
pub(crate) fn hash<D: Digest>(parts: &[&[u8]]) -> Output<D> {
    let mut hasher = D::new();
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            hasher.update(b":");
        }
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616, 3.9.1.
    const RFC: &str = "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", \
        uri=\"/dir/index.html\", algorithm=SHA-256, \
        nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
        cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, \
        response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\", \
        opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
    const PASSWORD: &[u8] = b"Circle of Life";

    #[test]
    fn the_examples_of_rfc_7616() {
        let fields = Fields::parse(RFC.as_bytes()).expect("a good header");
        assert_eq!((fields.algorithm(), fields.nonce_count()), (Some(Algorithm::Sha256), Some(1)));
        assert!(fields.is_valid_response(Algorithm::Sha256, "GET", PASSWORD));
        assert!(!fields.is_valid_response(Algorithm::Sha256, "POST", PASSWORD));
        assert!(!fields.is_valid_response(Algorithm::Sha256, "GET", b"circle of life"));
        assert!(!fields.is_valid_response(Algorithm::Md5Sess, "GET", PASSWORD));
        let md5 = Fields { response: b"8ca523f5e9506fed4657c9700eebdbec", ..fields };
        assert!(md5.is_valid_response_with::<Md5>(false, "GET", PASSWORD));
        assert!(!md5.is_valid_response_with::<Md5>(true, "GET", PASSWORD));
    }

    #[test]
    fn only_quotes_and_backslashes_are_unescaped() {
        for (sent, typed) in [
            ("", ""),
            ("admin", "admin"),
            (r#"\"a\" \\\" b\\"#, r#""a" \" b\"#),
            (r"DOMAIN\user", r"DOMAIN\user"),
            (r"DOMAIN\\user\", r"DOMAIN\user\"),
            (r"\\\\", r"\\"),
        ] {
            let pieces: std::vec::Vec<_> = unescaped(sent.as_bytes()).collect();
            assert_eq!(pieces.concat(), typed.as_bytes(), "{sent}");
        }
    }

    #[test]
    fn header_syntax_variants_are_parsed() {
        let parsed = |text: &'static str| Fields::parse(text.as_bytes());
        let fields =
            parsed("dIGEST UserName = \"\" ,nc=0000000a,  qop=\"auth\",realm=\"a\\\"b, c\"");
        let fields = fields.expect("a good header");
        assert_eq!((fields.username, fields.nonce_count()), (&b""[..], Some(10)));
        assert_eq!((fields.qop, fields.realm), (&b"auth"[..], &b"a\\\"b, c"[..]));
        for bad in [
            "",
            "Digest",
            "Digest ",
            "Basic OnNlY3JldA==",
            "Digest nc",
            "Digest nc=1,",
            "Digest nc=1,nc=1",
            "Digest realm=\"a",
            "Digest realm=\"a\\\"",
            "Digest realm=\"a\" nc=1",
        ] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
        for bad in ["0000001", "000000001", "0000000g", "+0000001", ""] {
            assert_eq!(
                Fields { nc: bad.as_bytes(), ..Fields::default() }.nonce_count(),
                None,
                "{bad}"
            );
        }
    }
}
