//! HTTP Digest: who knows the password gets in, in whatever form the client writes its header, and with
//! each count once; nobody else does.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use md5::Md5;
use sha2::Sha256;
use sha2::digest::Digest;
use wps_core::Instant;
use wps_http::{BUFFER, Door, Locked, Password, Request};

const TARGET: &str = "/api/v1/wifi/wps";
const PASSWORD: &str = "right horse";

#[derive(Arbitrary, Debug)]
struct Client<'a> {
    knows: bool,
    md5: bool,
    count: u32,
    cnonce: &'a [u8],
    /// Which field comes where, and how it is written.
    forms: [Form; 9],
    /// What stands at places of the header instead.
    damage: Option<(u16, u8)>,
    /// A header of no client.
    noise: &'a [u8],
    later_ms: u32,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Form {
    place: u8,
    quoted: bool,
    upper: bool,
    spaces: bool,
}

fuzz_target!(|client: Client<'_>| {
    let password = Password::new(PASSWORD.as_bytes()).expect("short");
    let mut door = Door::new(password, "gadget", [7; 32]);
    let now = Instant::from_millis(1_000);
    let plain = Request::new("POST", TARGET);

    let noise = plain.header("Authorization", client.noise);
    expect_closed(&door.judge(&noise, now), "by noise");

    let challenge = door.judge(&plain, now);
    expect_closed(&challenge, "without a password");
    let nonce = nonce(&challenge);
    let written = client.header(&nonce);
    let mut sent = written.clone();
    if let Some((place, byte)) = client.damage
        && !sent.is_empty()
    {
        let place = usize::from(place) % sent.len();
        sent[place] = byte;
    }
    let later = now.after(std::time::Duration::from_millis(client.later_ms.into()));
    let request = plain.header("Authorization", &sent);
    let judged = door.judge(&request, later);
    let fresh = client.later_ms <= 600_000;
    if !client.knows || !fresh {
        expect_closed(&judged, "by a wrong password or too late");
    } else if sent == written {
        assert!(judged.is_ok(), "{}", String::from_utf8_lossy(&sent));
    }
    if judged.is_ok() {
        expect_closed(&door.judge(&request, later), "again with the same count");
        let other = Request::new("DELETE", TARGET).header("Authorization", &sent);
        expect_closed(&door.judge(&other, later), "for another method");
        let other = Request::new("POST", "/").header("Authorization", &sent);
        expect_closed(&door.judge(&other, later), "for another target");
    }
});

fn expect_closed(judged: &Result<(), Locked>, how: &str) {
    let Err(locked) = judged else { panic!("got in {how}") };
    let mut buffer = [0; BUFFER];
    let answer = locked.answer(&mut buffer);
    assert!(matches!(answer.status(), 400 | 401));
    for (name, value) in answer.headers() {
        assert!(value.bytes().all(|byte| (32..=126).contains(&byte)), "{name}: {value:?}");
    }
}

/// The one of the first challenge.
fn nonce(judged: &Result<(), Locked>) -> String {
    let Err(locked) = judged else { panic!("got in") };
    let mut buffer = [0; BUFFER];
    let answer = locked.answer(&mut buffer);
    let mut challenges = answer.headers().filter(|(name, _)| *name == "www-authenticate");
    let (_, challenge) = challenges.next().expect("a challenge");
    let (_, rest) = challenge.split_once("nonce=\"").expect("a nonce");
    rest.split_once('"').expect("a quote").0.to_owned()
}

impl Client<'_> {
    fn header(&self, nonce: &str) -> Vec<u8> {
        let password = if self.knows { PASSWORD } else { "wrong horse" };
        let cnonce: String = self.cnonce.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
        let cnonce = if cnonce.is_empty() { "x" } else { &cnonce };
        let count = format!("{:08x}", self.count);
        let (algorithm, response) = if self.md5 {
            let user = hash::<Md5>(&[&hash::<Md5>(&["", "gadget", password]), nonce, cnonce]);
            ("MD5-sess", answer::<Md5>(&user, nonce, &count, cnonce))
        } else {
            let user = hash::<Sha256>(&["", "gadget", password]);
            ("SHA-256", answer::<Sha256>(&user, nonce, &count, cnonce))
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
        let mut fields: Vec<_> = self.forms.iter().zip(fields).collect();
        fields.sort_by_key(|(form, _)| form.place);
        let written = fields.iter().map(|(form, (name, value))| form.write(name, value));
        format!("Digest {}", written.collect::<Vec<_>>().join(",")).into_bytes()
    }
}

impl Form {
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

fn answer<D: Digest>(user: &str, nonce: &str, count: &str, cnonce: &str) -> String {
    hash::<D>(&[user, nonce, count, cnonce, "auth", &hash::<D>(&["POST", TARGET])])
}

/// RFC 7616, 3.4, as a client does it.
fn hash<D: Digest>(parts: &[&str]) -> String {
    D::digest(parts.join(":")).iter().map(|byte| format!("{byte:02x}")).collect()
}
