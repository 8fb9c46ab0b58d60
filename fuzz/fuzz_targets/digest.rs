//! Fuzzes HTTP Digest authentication. A client that knows the password is accepted once for each
//! nonce count, in whatever form it writes its header. Every other request is rejected.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use md5::Md5;
use sha2::Sha256;
use sha2::digest::Digest;
use wps_core::Instant;
use wps_http::{AuthError, BUFFER, DigestAuth, Password, Request};
use wps_testkit::hex;

const TARGET: &str = "/api/v1/wifi/wps";
const PASSWORD: &str = "right horse";

/// A client and its request.
#[derive(Arbitrary, Debug)]
struct Client<'a> {
    knows_password: bool,
    md5: bool,
    nonce_count: u32,
    cnonce: &'a [u8],
    /// The position and the format of each field.
    formats: [FieldFormat; 9],
    /// A byte to overwrite in the header: its position and its value.
    damage: Option<(u16, u8)>,
    /// A header of arbitrary bytes.
    noise: &'a [u8],
    /// The time between the challenge and the request.
    delay_ms: u32,
}

/// How a client writes one field of its header.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct FieldFormat {
    position: u8,
    quoted: bool,
    upper: bool,
    spaces: bool,
}

fuzz_target!(|client: Client<'_>| {
    let password = Password::new(PASSWORD.as_bytes()).expect("short");
    let mut auth = DigestAuth::new(password, "gadget", [7; 32]);
    let now = Instant::from_millis(1_000);
    let plain = Request::new("POST", TARGET);

    let noise = plain.header("Authorization", client.noise);
    expect_rejected(&auth.authenticate(&noise, now), "with arbitrary bytes");

    let challenge = auth.authenticate(&plain, now);
    expect_rejected(&challenge, "without a password");
    let nonce = nonce(&challenge);
    let written = client.header(&nonce);
    let mut sent = written.clone();
    if let Some((position, byte)) = client.damage
        && !sent.is_empty()
    {
        let position = usize::from(position) % sent.len();
        sent[position] = byte;
    }
    let later = now.after(std::time::Duration::from_millis(client.delay_ms.into()));
    let request = plain.header("Authorization", &sent);
    let result = auth.authenticate(&request, later);
    let fresh = client.delay_ms <= 600_000;
    if !client.knows_password || !fresh {
        expect_rejected(&result, "with a wrong password or too late");
    } else if sent == written {
        assert!(result.is_ok(), "{}", String::from_utf8_lossy(&sent));
    }
    if result.is_ok() {
        expect_rejected(&auth.authenticate(&request, later), "again with the same count");
        let other = Request::new("DELETE", TARGET).header("Authorization", &sent);
        expect_rejected(&auth.authenticate(&other, later), "for another method");
        let other = Request::new("POST", "/").header("Authorization", &sent);
        expect_rejected(&auth.authenticate(&other, later), "for another target");
    }
});

fn expect_rejected(result: &Result<(), AuthError>, how: &str) {
    let Err(error) = result else { panic!("accepted {how}") };
    let mut buffer = [0; BUFFER];
    let response = error.response(&mut buffer);
    assert!(matches!(response.status(), 400 | 401));
    for (name, value) in response.headers() {
        assert!(value.bytes().all(|byte| (32..=126).contains(&byte)), "{name}: {value:?}");
    }
}

/// Returns the nonce of the first challenge.
fn nonce(result: &Result<(), AuthError>) -> String {
    let Err(error) = result else { panic!("accepted") };
    let mut buffer = [0; BUFFER];
    let response = error.response(&mut buffer);
    let mut challenges = response.headers().filter(|(name, _)| *name == "www-authenticate");
    let (_, challenge) = challenges.next().expect("a challenge");
    let (_, rest) = challenge.split_once("nonce=\"").expect("a nonce");
    rest.split_once('"').expect("a quote").0.to_owned()
}

impl Client<'_> {
    fn header(&self, nonce: &str) -> Vec<u8> {
        let password = if self.knows_password { PASSWORD } else { "wrong horse" };
        let cnonce: String = self.cnonce.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
        let cnonce = if cnonce.is_empty() { "x" } else { &cnonce };
        let count = format!("{:08x}", self.nonce_count);
        let (algorithm, response) = if self.md5 {
            let user = hash::<Md5>(&[&hash::<Md5>(&["", "gadget", password]), nonce, cnonce]);
            ("MD5-sess", digest_response::<Md5>(&user, nonce, &count, cnonce))
        } else {
            let user = hash::<Sha256>(&["", "gadget", password]);
            ("SHA-256", digest_response::<Sha256>(&user, nonce, &count, cnonce))
        };
        let fields = [
            ("username", ""),
            ("realm", "gadget"),
            ("nonce", nonce),
            ("uri", TARGET),
            ("response", &response),
            ("algorithm", algorithm),
            ("qop", "auth"),
            ("nc", &count),
            ("cnonce", cnonce),
        ];
        let mut fields: Vec<_> = self.formats.iter().zip(fields).collect();
        fields.sort_by_key(|(format, _)| format.position);
        let written = fields.iter().map(|(format, (name, value))| format.write(name, value));
        format!("Digest {}", written.collect::<Vec<_>>().join(",")).into_bytes()
    }
}

impl FieldFormat {
    fn write(self, name: &str, value: &str) -> String {
        let name = if self.upper { name.to_ascii_uppercase() } else { name.to_owned() };
        let space = if self.spaces { " " } else { "" };
        if self.quoted || value.is_empty() {
            format!("{space}{name}{space}={space}\"{value}\"{space}")
        } else {
            format!("{space}{name}{space}={space}{value}{space}")
        }
    }
}

fn digest_response<D: Digest>(user: &str, nonce: &str, count: &str, cnonce: &str) -> String {
    hash::<D>(&[user, nonce, count, cnonce, "auth", &hash::<D>(&["POST", TARGET])])
}

/// Hashes the parts as a client does according to RFC 7616, section 3.4.
fn hash<D: Digest>(parts: &[&str]) -> String {
    hex(&D::digest(parts.join(":")))
}
