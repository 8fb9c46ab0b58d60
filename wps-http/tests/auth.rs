//! Digest authentication: the challenges, and which requests are accepted, refused or replayed.

mod common;

use std::time::Duration;

use common::digest::{DigestClient, nonce};
use proptest::prelude::*;
use wps_core::Instant;
use wps_http::{Action, AllowedHosts, BUFFER, DigestAuth, Password, Reply, Request, View, handle};

const SECRET: &str = "open, sesame";
const WPS: &str = "/api/v1/wifi/wps";
const NOW: Instant = Instant::from_millis(1_000_000);

fn digest_auth() -> DigestAuth {
    DigestAuth::new(Password::new(SECRET.as_bytes()).expect("a password"), "gadget", [7; 32])
}

/// Returns the two challenges for a request without a password.
fn challenges(auth: &mut DigestAuth, now: Instant) -> [String; 2] {
    let request = Request::new("GET", WPS).header("Host", b"gadget");
    authenticate(auth, &request, now).expect_err("no password was given").1
}

/// Authenticates a request. Returns the status and the challenges if it is refused.
fn authenticate(
    auth: &mut DigestAuth,
    request: &Request<'_>,
    now: Instant,
) -> Result<(), (u16, [String; 2])> {
    let Err(error) = auth.authenticate(request, now) else { return Ok(()) };
    let mut buffer = [0; BUFFER];
    let response = error.response(&mut buffer);
    let challenges = response.headers().filter(|(name, _)| *name == "www-authenticate");
    let mut challenges: Vec<_> = challenges.map(|(_, value)| value.to_owned()).collect();
    challenges.resize(2, String::new());
    Err((response.status(), challenges.try_into().expect("two")))
}

impl DigestClient {
    fn new(auth: &mut DigestAuth, now: Instant) -> Self {
        let [first, _] = challenges(auth, now);
        Self::with_nonce(SECRET, nonce(&first))
    }

    /// Returns the status of a refused request, and whether only its nonce was stale. Returns
    /// `None` if the request is accepted.
    fn refusal(&self, auth: &mut DigestAuth, now: Instant) -> Option<(u16, bool)> {
        let header = self.header("POST");
        let request = Request::new("POST", WPS)
            .header("Host", b"gadget")
            .header("Authorization", header.as_bytes());
        let refused = authenticate(auth, &request, now).err()?;
        let [first, second] = &refused.1;
        assert_eq!(first.contains("stale=true"), second.contains("stale=true"));
        Some((refused.0, first.contains("stale=true")))
    }
}

const WRONG: Option<(u16, bool)> = Some((401, false));
const STALE: Option<(u16, bool)> = Some((401, true));

#[test]
fn a_401_has_two_complete_challenges_the_stronger_one_first() {
    let mut auth = digest_auth();
    let [first, second] = challenges(&mut auth, NOW);
    let same_nonce = nonce(&first);
    let expected = |algorithm| {
        format!(
            "Digest realm=\"gadget\", qop=\"auth\", algorithm={algorithm}, \
             nonce=\"{same_nonce}\", stale=false"
        )
    };
    assert_eq!((first.clone(), second), (expected("SHA-256"), expected("MD5-sess")));
    let [again, _] = challenges(&mut auth, NOW);
    assert_ne!(nonce(&first), nonce(&again), "each challenge has its own nonce");
}

#[test]
fn both_algorithms_accept_the_password() {
    let mut auth = digest_auth();
    for algorithm in ["SHA-256", "MD5-sess"] {
        let client = DigestClient { algorithm, ..DigestClient::new(&mut auth, NOW) };
        assert_eq!(client.refusal(&mut auth, NOW), None, "{algorithm}");
    }
}

/// A browser's dialog cannot say that the user name must be empty.
#[test]
fn any_user_name_is_accepted() {
    let mut auth = digest_auth();
    for user in ["", "admin", "Zoë", "a:b", r#"a "b" \c\"#, r"DOMAIN\user"] {
        for algorithm in ["SHA-256", "MD5-sess"] {
            let client = DigestClient { user, algorithm, ..DigestClient::new(&mut auth, NOW) };
            assert_eq!(client.refusal(&mut auth, NOW), None, "{user} {algorithm}");
            let client = DigestClient { password: "open, sesam", ..client };
            let used = DigestClient::new(&mut auth, NOW);
            let client = DigestClient { nonce: used.nonce, ..client };
            assert_eq!(client.refusal(&mut digest_auth(), NOW), WRONG, "{user} {algorithm}");
        }
    }
}

/// RFC 7616, 3.4: `username*`, and a hash in place of the user name. Neither is offered.
#[test]
fn other_forms_of_the_user_name_are_refused() {
    let mut auth = digest_auth();
    let client = DigestClient { user: "", ..DigestClient::new(&mut auth, NOW) };
    let plain = client.header("POST");
    for (from, to) in [
        ("username=\"\"", "username*=UTF-8''admin"),
        ("username=\"\"", "username=\"\", username*=UTF-8''admin"),
        ("username=\"\"", "username=\"\", userhash=true"),
        ("username=\"\"", "username=\"\", username=\"\""),
    ] {
        let header = plain.replace(from, to);
        let request = Request::new("POST", WPS).header("Authorization", header.as_bytes());
        let (status, _) = authenticate(&mut auth, &request, NOW).expect_err(&header);
        assert_eq!(status, 401, "{header}");
    }
    let header = plain.replace("username=\"\"", "username=\"\", userhash=false");
    let request = Request::new("POST", WPS).header("Authorization", header.as_bytes());
    assert!(authenticate(&mut auth, &request, NOW).is_ok());
}

#[test]
fn any_wrong_field_is_refused() {
    let mut auth = digest_auth();
    let good = DigestClient::new(&mut auth, NOW);
    let wrong = [
        DigestClient { password: "open, sesam", ..good.clone() },
        DigestClient { password: "", ..good.clone() },
        DigestClient { realm: "other", ..good.clone() },
        DigestClient { qop: "auth-int", ..good.clone() },
        DigestClient { algorithm: "MD5", ..good.clone() },
        DigestClient { algorithm: "SHA-256-sess", ..good.clone() },
    ];
    // Apart by more than the limit on guesses.
    let mut times = (1..).map(|seconds| NOW.after(Duration::from_secs(seconds)));
    let mut now = || times.next().expect("endless");
    for client in wrong {
        assert_eq!(client.refusal(&mut auth, now()), WRONG, "{}", client.header("POST"));
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
        let request = Request::new("POST", WPS).header("Authorization", header.as_bytes());
        let (status, _) = authenticate(&mut auth, &request, now()).expect_err(&header);
        assert_eq!(status, if header.contains("uri") { 401 } else { 400 }, "{header}");
    }
    let request = Request::new("DELETE", WPS).header("Authorization", header.as_bytes());
    assert!(authenticate(&mut auth, &request, now()).is_err(), "the method is part of the hash");
    let twice = Request::new("POST", WPS)
        .header("Authorization", header.as_bytes())
        .header("Authorization", header.as_bytes());
    assert!(authenticate(&mut auth, &twice, now()).is_err());
    assert_eq!(
        good.refusal(&mut auth, now()),
        None,
        "the refused requests have not used the count"
    );
}

#[test]
fn a_digest_response_for_another_target_is_malformed() {
    let mut auth = digest_auth();
    let client = DigestClient { uri: "/", ..DigestClient::new(&mut auth, NOW) };
    assert_eq!(client.refusal(&mut auth, NOW), Some((400, false)));
}

#[test]
fn an_old_or_foreign_nonce_is_stale() {
    let mut auth = digest_auth();
    let client = DigestClient::new(&mut auth, NOW);
    let later = |seconds| NOW.after(Duration::from_secs(seconds));
    assert_eq!(client.refusal(&mut auth, later(600)), None);
    let client = DigestClient { nc: 2, ..client };
    assert_eq!(client.refusal(&mut auth, later(601)), STALE);
    let forged =
        DigestClient { nonce: client.nonce.replace(&client.nonce[24..26], "zz"), ..client };
    assert_eq!(forged.refusal(&mut auth, NOW), STALE);
    let other = DigestAuth::new(Password::new(SECRET.as_bytes()).expect("one"), "gadget", [8; 32]);
    let foreign = DigestClient::new(&mut { other }, NOW);
    assert_eq!(foreign.refusal(&mut auth, NOW), STALE);
    for nonce in ["", "0", "é"] {
        let odd = DigestClient { nonce: nonce.into(), ..foreign.clone() };
        assert_eq!(odd.refusal(&mut auth, NOW), STALE);
    }
}

#[test]
fn each_count_is_accepted_once_in_any_order_within_the_window() {
    let mut auth = digest_auth();
    let client = DigestClient::new(&mut auth, NOW);
    let mut refusal = |nc| DigestClient { nc, ..client.clone() }.refusal(&mut auth, NOW);
    for nc in [2, 1, 5, 3, 64, 4] {
        assert_eq!(refusal(nc), None, "{nc}");
    }
    for nc in [1, 2, 3, 4, 5, 64] {
        assert_eq!(refusal(nc), STALE, "{nc} again");
    }
    assert_eq!(refusal(70), None);
    assert_eq!(refusal(7), None, "63 below the highest");
    assert_eq!(refusal(6), STALE, "64 below the highest: no longer tracked");
    assert_eq!(refusal(u32::MAX), None);
    assert_eq!(refusal(71), STALE);
    assert_eq!(refusal(u32::MAX), STALE);
}

#[test]
fn used_nonces_are_bounded_and_an_evicted_one_is_not_accepted_again() {
    let mut auth = digest_auth();
    let clients: Vec<_> = (0..17).map(|_| DigestClient::new(&mut auth, NOW)).collect();
    for client in &clients {
        assert_eq!(client.refusal(&mut auth, NOW), None);
    }
    assert_eq!(clients[0].refusal(&mut auth, NOW), STALE, "a replay");
    let next = DigestClient { nc: 2, ..clients[0].clone() };
    assert_eq!(next.refusal(&mut auth, NOW), STALE, "the oldest was evicted");
    let next = DigestClient { nc: 2, ..clients[1].clone() };
    assert_eq!(next.refusal(&mut auth, NOW), None);
    // Challenges alone evict nothing: a flood of unauthenticated requests does no harm.
    for _ in 0..1000 {
        challenges(&mut auth, NOW);
    }
    let next = DigestClient { nc: 3, ..clients[1].clone() };
    assert_eq!(next.refusal(&mut auth, NOW), None);
}

/// Unknown paths and methods are reported without a password, a body that is too large is not.
#[test]
fn the_first_of_several_errors_wins() {
    let mut auth = digest_auth();
    let status = |method: &str, path, headers: &[(&str, &[u8])], auth: &mut DigestAuth| {
        let line = Request::new(method, path);
        let request = headers.iter().fold(line, |it, (name, value)| it.header(name, value));
        let allowed_hosts = AllowedHosts { names: &["gadget"], ..AllowedHosts::default() };
        let access = auth.authenticate(&request, NOW);
        let view = View { allowed_hosts, access, ..View::default() };
        match handle(&request, &view, &mut [0; BUFFER]) {
            Reply::Response(response) => response.status(),
            Reply::Action(Action::Start) => 204,
            Reply::Action(action) => panic!("{action:?}"),
        }
    };
    let host: (&str, &[u8]) = ("Host", b"gadget");
    let large: (&str, &[u8]) = ("Content-Length", b"9999");
    let header = DigestClient::new(&mut auth, NOW).header("POST");
    let password: (&str, &[u8]) = ("Authorization", header.as_bytes());
    assert_eq!(status("POST", WPS, &[("Host", b"evil.example")], &mut auth), 404);
    assert_eq!(status("POST", "/nothing", &[host], &mut auth), 404);
    assert_eq!(status("PUT", WPS, &[host], &mut auth), 405);
    assert_eq!(status("POST", WPS, &[host, large], &mut auth), 401);
    assert_eq!(status("GET", "/", &[host], &mut auth), 401, "the page, too");
    assert_eq!(status("POST", WPS, &[host, password], &mut auth), 204);
}

#[test]
fn a_password_has_1_to_64_bytes_and_is_not_printed() {
    assert!(Password::new(b"").is_none() && Password::new(&[b'x'; 65]).is_none());
    let password = Password::new(&[b'x'; 64]).expect("64 bytes");
    assert!(!format!("{password:?}").contains("xx"));
}

proptest! {
    #[test]
    fn no_random_header_is_accepted(
        header in proptest::collection::vec(any::<u8>(), 0..300),
        text in "(Digest )?[a-z=\", \\\\]{0,60}",
    ) {
        let mut auth = digest_auth();
        for header in [&header[..], text.as_bytes()] {
            let request = Request::new("GET", WPS).header("Authorization", header);
            prop_assert!(auth.authenticate(&request, NOW).is_err());
        }
    }
}
