//! The password: what is asked, what gets in, and what does not get in twice.

use std::time::Duration;

use md5::Md5;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use wps_core::Instant;
use wps_http::{Action, BUFFER, Door, Locked, Password, Reply, Request, Site, View, handle};

const SECRET: &str = "open, sesame";
const WPS: &str = "/api/v1/wifi/wps";
const NOW: Instant = Instant::from_millis(1_000_000);

fn door() -> Door {
    Door::new(Password::new(SECRET.as_bytes()).expect("a password"), "gadget", [7; 32])
}

fn hash<D: Digest>(text: &str) -> String {
    D::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The two challenges to somebody without a password.
fn challenges(door: &mut Door, now: Instant) -> [String; 2] {
    let asked = Request::new("GET", WPS).header("Host", b"gadget");
    answered(door, &asked, now).expect_err("no password was given").1
}

fn answered(door: &mut Door, asked: &Request<'_>, now: Instant) -> Result<(), (u16, [String; 2])> {
    let Err(locked) = door.judge(asked, now) else { return Ok(()) };
    let mut buffer = [0; BUFFER];
    let response = locked.answer(&mut buffer);
    let challenges = response.headers().filter(|(name, _)| *name == "www-authenticate");
    let mut challenges: Vec<_> = challenges.map(|(_, value)| value.to_owned()).collect();
    challenges.resize(2, String::new());
    Err((response.status(), challenges.try_into().expect("two")))
}

fn nonce(challenge: &str) -> &str {
    challenge.split_once("nonce=\"").and_then(|(_, rest)| rest.split('"').next()).expect("a nonce")
}

/// What a client makes of a challenge, by the words of RFC 7616.
#[derive(Clone)]
struct Client {
    user: &'static str,
    realm: &'static str,
    password: &'static str,
    algorithm: &'static str,
    nonce: String,
    nc: u32,
    qop: &'static str,
    uri: &'static str,
}

impl Client {
    fn new(door: &mut Door, now: Instant) -> Self {
        let [first, _] = challenges(door, now);
        let nonce = nonce(&first).to_owned();
        let (realm, algorithm) = ("gadget", "SHA-256");
        Self { user: "", realm, password: SECRET, algorithm, nonce, nc: 1, qop: "auth", uri: WPS }
    }

    fn header(&self, method: &str) -> String {
        let Self { user, realm, password, algorithm, nonce, nc, qop, uri } = self;
        let hash = if *algorithm == "SHA-256" { hash::<Sha256> } else { hash::<Md5> };
        let mut secret = hash(&format!("{user}:{realm}:{password}"));
        if algorithm.ends_with("sess") {
            secret = hash(&format!("{secret}:{nonce}:0a4f113b"));
        }
        let request = hash(&format!("{method}:{uri}"));
        let response = hash(&format!("{secret}:{nonce}:{nc:08x}:0a4f113b:{qop}:{request}"));
        format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             algorithm={algorithm}, qop={qop}, nc={nc:08x}, cnonce=\"0a4f113b\", response=\"{response}\""
        )
    }

    /// None: it is let in. Else the status, and whether only the nonce was too old.
    fn tries(&self, door: &mut Door, now: Instant) -> Option<(u16, bool)> {
        let header = self.header("POST");
        let asked = Request::new("POST", WPS)
            .header("Host", b"gadget")
            .header("Authorization", header.as_bytes());
        let refused = answered(door, &asked, now).err()?;
        let [first, second] = &refused.1;
        assert_eq!(first.contains("stale=true"), second.contains("stale=true"));
        Some((refused.0, first.contains("stale=true")))
    }
}

const WRONG: Option<(u16, bool)> = Some((401, false));
const STALE: Option<(u16, bool)> = Some((401, true));

#[test]
fn two_complete_challenges_the_better_one_first() {
    let mut door = door();
    let [first, second] = challenges(&mut door, NOW);
    let same = nonce(&first);
    let expected = |algorithm| {
        format!(
            "Digest realm=\"gadget\", qop=\"auth\", algorithm={algorithm}, nonce=\"{same}\", stale=false"
        )
    };
    assert_eq!((first.clone(), second), (expected("SHA-256"), expected("MD5-sess")));
    let [again, _] = challenges(&mut door, NOW);
    assert_ne!(nonce(&first), nonce(&again), "each its own");
}

#[test]
fn who_knows_the_password_gets_in_either_way() {
    let mut door = door();
    for algorithm in ["SHA-256", "MD5-sess"] {
        let client = Client { algorithm, ..Client::new(&mut door, NOW) };
        assert_eq!(client.tries(&mut door, NOW), None, "{algorithm}");
    }
}

#[test]
fn anything_wrong_does_not() {
    let mut door = door();
    let good = Client::new(&mut door, NOW);
    let wrong = [
        Client { password: "open, sesam", ..good.clone() },
        Client { password: "", ..good.clone() },
        Client { user: "admin", ..good.clone() },
        Client { realm: "other", ..good.clone() },
        Client { qop: "auth-int", ..good.clone() },
        Client { algorithm: "MD5", ..good.clone() },
        Client { algorithm: "SHA-256-sess", ..good.clone() },
    ];
    for client in wrong {
        assert_eq!(client.tries(&mut door, NOW), WRONG, "{}", client.header("POST"));
    }
    let header = good.header("POST");
    for (from, to) in [
        ("qop=auth", "qop=auth-int"),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=00000002"),
        ("cnonce=\"0a4f113b\"", "cnonce=\"\""),
        ("Digest", "Basic"),
        ("response=\"", "response=\"0"),
    ] {
        let header = header.replace(from, to);
        let asked = Request::new("POST", WPS).header("Authorization", header.as_bytes());
        let (status, _) = answered(&mut door, &asked, NOW).expect_err(&header);
        assert_eq!(status, if header.contains("uri") { 401 } else { 400 }, "{header}");
    }
    let asked = Request::new("DELETE", WPS).header("Authorization", header.as_bytes());
    assert!(answered(&mut door, &asked, NOW).is_err(), "the method is part of it");
    let twice = Request::new("POST", WPS)
        .header("Authorization", header.as_bytes())
        .header("Authorization", header.as_bytes());
    assert!(answered(&mut door, &twice, NOW).is_err());
    assert_eq!(good.tries(&mut door, NOW), None, "nothing of this has used it up");
}

#[test]
fn an_answer_for_another_target_is_malformed() {
    let mut door = door();
    let client = Client { uri: "/", ..Client::new(&mut door, NOW) };
    assert_eq!(client.tries(&mut door, NOW), Some((400, false)));
}

#[test]
fn a_nonce_that_is_too_old_or_not_ours_is_stale() {
    let mut door = door();
    let client = Client::new(&mut door, NOW);
    let later = |seconds| NOW.after(Duration::from_secs(seconds));
    assert_eq!(client.tries(&mut door, later(600)), None);
    let client = Client { nc: 2, ..client };
    assert_eq!(client.tries(&mut door, later(601)), STALE);
    let forged = Client { nonce: client.nonce.replace(&client.nonce[24..26], "zz"), ..client };
    assert_eq!(forged.tries(&mut door, NOW), STALE);
    let other = Door::new(Password::new(SECRET.as_bytes()).expect("one"), "gadget", [8; 32]);
    let foreign = Client::new(&mut { other }, NOW);
    assert_eq!(foreign.tries(&mut door, NOW), STALE);
    for nonce in ["", "0", "é"] {
        let odd = Client { nonce: nonce.into(), ..foreign.clone() };
        assert_eq!(odd.tries(&mut door, NOW), STALE);
    }
}

#[test]
fn each_count_gets_in_once_in_any_order_within_the_window() {
    let mut door = door();
    let client = Client::new(&mut door, NOW);
    let mut counts = |nc| Client { nc, ..client.clone() }.tries(&mut door, NOW);
    for nc in [2, 1, 5, 3, 64, 4] {
        assert_eq!(counts(nc), None, "{nc}");
    }
    for nc in [1, 2, 3, 4, 5, 64] {
        assert_eq!(counts(nc), STALE, "{nc} again");
    }
    assert_eq!(counts(70), None);
    assert_eq!(counts(7), None, "63 behind");
    assert_eq!(counts(6), STALE, "64 behind: too far to know");
    assert_eq!(counts(u32::MAX), None);
    assert_eq!(counts(71), STALE);
    assert_eq!(counts(u32::MAX), STALE);
}

#[test]
fn nonces_are_bounded_and_one_that_had_to_go_does_not_come_back() {
    let mut door = door();
    let clients: Vec<_> = (0..17).map(|_| Client::new(&mut door, NOW)).collect();
    for client in &clients {
        assert_eq!(client.tries(&mut door, NOW), None);
    }
    assert_eq!(clients[0].tries(&mut door, NOW), STALE, "a replay");
    let next = Client { nc: 2, ..clients[0].clone() };
    assert_eq!(next.tries(&mut door, NOW), STALE, "the oldest had to go");
    let next = Client { nc: 2, ..clients[1].clone() };
    assert_eq!(next.tries(&mut door, NOW), None);
    // Asking alone uses nothing up: a flood of strangers puts nobody out.
    for _ in 0..1000 {
        challenges(&mut door, NOW);
    }
    let next = Client { nc: 3, ..clients[1].clone() };
    assert_eq!(next.tries(&mut door, NOW), None);
}

/// Unknown paths and methods are told to anybody; a body that is too large only to whoever may send one.
#[test]
fn which_answer_wins() {
    let mut door = door();
    let status = |method: &str, path, headers: &[(&str, &[u8])], door: &mut Door| {
        let line = Request::new(method, path);
        let asked = headers.iter().fold(line, |it, (name, value)| it.header(name, value));
        let site = Site { names: &["gadget"], ..Site::default() };
        let view = View { site, access: door.judge(&asked, NOW), ..View::default() };
        match handle(&asked, &view, &mut [0; BUFFER]) {
            Reply::Done(response) => response.status(),
            Reply::Do(Action::Start) => 204,
            Reply::Do(action) => panic!("{action:?}"),
        }
    };
    let host: (&str, &[u8]) = ("Host", b"gadget");
    let large: (&str, &[u8]) = ("Content-Length", b"9999");
    let header = Client::new(&mut door, NOW).header("POST");
    let password: (&str, &[u8]) = ("Authorization", header.as_bytes());
    assert_eq!(status("POST", WPS, &[("Host", b"evil.example")], &mut door), 404);
    assert_eq!(status("POST", "/nothing", &[host], &mut door), 404);
    assert_eq!(status("PUT", WPS, &[host], &mut door), 405);
    assert_eq!(status("POST", WPS, &[host, large], &mut door), 401);
    assert_eq!(status("GET", "/", &[host], &mut door), 401, "the page, too");
    assert_eq!(status("POST", WPS, &[host, password], &mut door), 204);
}

#[test]
fn a_wrong_guess_has_to_wait_and_nobody_else() {
    let mut door = door();
    let pause = |locked: Result<(), Locked>| {
        locked.expect_err("no way in").answer(&mut [0; BUFFER]).pause()
    };
    let stranger = Request::new("GET", WPS);
    assert_eq!(pause(door.judge(&stranger, NOW)), Duration::ZERO);
    let guess = Client { password: "guess", ..Client::new(&mut door, NOW) }.header("GET");
    let guess = Request::new("GET", WPS).header("Authorization", guess.as_bytes());
    assert_eq!(pause(door.judge(&guess, NOW)), Duration::from_secs(1));
    let late = Client::new(&mut door, NOW).header("GET");
    let late = Request::new("GET", WPS).header("Authorization", late.as_bytes());
    assert_eq!(pause(door.judge(&late, NOW.after(Duration::from_secs(3600)))), Duration::ZERO);
}

#[test]
fn a_password_has_1_to_64_bytes_and_does_not_print() {
    assert!(Password::new(b"").is_none() && Password::new(&[b'x'; 65]).is_none());
    let password = Password::new(&[b'x'; 64]).expect("64 bytes");
    assert!(!format!("{password:?}").contains("xx"));
}

proptest! {
    #[test]
    fn no_header_gets_in_by_chance(header in proptest::collection::vec(any::<u8>(), 0..300), text in "(Digest )?[a-z=\", \\\\]{0,60}") {
        let mut door = door();
        for header in [&header[..], text.as_bytes()] {
            let asked = Request::new("GET", WPS).header("Authorization", header);
            prop_assert!(door.judge(&asked, NOW).is_err());
        }
    }
}
