//! Guesses of the password: how many are checked, and what the owner notices of them.

mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use axum::Router as Routes;
use common::Situation::Off;
use common::digest::{DigestClient, nonce};
use common::wire::{Client, TestResponse, with_picoserve_server, with_server};
use common::{TokioSleepClock, World, config, picoserve_config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant as TokioInstant;
use wps_core::{Clock, Instant};
use wps_http::axum::{Config, Limits, router};
use wps_http::picoserve::{self, Server};
use wps_http::{AuthError, BUFFER, DigestAuth, Password, Request, WrongPasswords};

const SECRET: &str = "open, sesame";
const GUESS: &str = "123456";
const WPS: &str = "/api/v1/wifi/wps";
const BEGIN: Instant = Instant::from_millis(1_000_000);
const OWNER: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
const ATTACKER: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)));

fn digest_auth() -> DigestAuth {
    DigestAuth::new(Password::new(SECRET.as_bytes()).expect("a password"), "gadget", [7; 32])
}

fn after(millis: u64) -> Instant {
    BEGIN.after(Duration::from_millis(millis))
}

/// The result of a request with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checked {
    Right,
    Wrong,
    Stale,
    TooMany,
}
use Checked::{Right, Stale, TooMany, Wrong};

fn fresh_nonce(auth: &mut DigestAuth, now: Instant) -> String {
    let error = auth.authenticate(&Request::new("GET", WPS), now).expect_err("no password");
    let mut buffer = [0; BUFFER];
    let response = error.response(&mut buffer);
    let (_, challenge) =
        response.headers().find(|(name, _)| *name == "www-authenticate").expect("a challenge");
    nonce(challenge).to_owned()
}

/// Sends the password of `client`.
fn send(
    auth: &mut DigestAuth,
    client: &DigestClient,
    address: Option<IpAddr>,
    now: Instant,
) -> Checked {
    let header = client.header("GET");
    let request =
        Request::new("GET", WPS).header("Authorization", header.as_bytes()).address(address);
    let Err(error) = auth.authenticate(&request, now) else { return Right };
    let mut buffer = [0; BUFFER];
    let response = error.response(&mut buffer);
    let has = |name, part| response.headers().any(|(it, value)| it == name && value.contains(part));
    match error {
        AuthError::TooManyGuesses => {
            assert_eq!(response.status(), 429);
            assert!(has("retry-after", "1") && !has("www-authenticate", ""));
            TooMany
        }
        AuthError::Unauthorized(_) if has("www-authenticate", "stale=true") => Stale,
        AuthError::Unauthorized(_) => Wrong,
        AuthError::UriMismatch | _ => panic!("{error}"),
    }
}

/// Logs in with a new nonce.
fn log_in(
    auth: &mut DigestAuth,
    password: &'static str,
    address: Option<IpAddr>,
    now: Instant,
) -> Checked {
    let nonce = fresh_nonce(auth, now);
    send(auth, &DigestClient::with_nonce(password, &nonce), address, now)
}

/// Otherwise the answer would say whether the password is right, at no cost.
#[test]
fn with_an_invented_nonce_the_password_is_not_checked() {
    let mut auth = digest_auth();
    let real = fresh_nonce(&mut auth, BEGIN);
    let invented = real.replace(&real[30..], &"0".repeat(26));
    for password in [SECRET, GUESS] {
        let client = DigestClient::with_nonce(password, &invented);
        assert_eq!(send(&mut auth, &client, ATTACKER, BEGIN), Stale);
        let old = DigestClient::with_nonce(password, &real);
        assert_eq!(send(&mut auth, &old, ATTACKER, after(600_001)), Stale);
    }
    assert_eq!(auth.take_wrong_passwords(BEGIN), None);
    assert_eq!(log_in(&mut auth, GUESS, ATTACKER, BEGIN), Wrong, "and that cost nothing");
}

#[test]
fn an_address_has_one_guess_a_second() {
    let mut auth = digest_auth();
    assert_eq!(log_in(&mut auth, GUESS, ATTACKER, BEGIN), Wrong);
    for password in [GUESS, SECRET] {
        assert_eq!(log_in(&mut auth, password, ATTACKER, after(999)), TooMany, "{password}");
    }
    assert_eq!(log_in(&mut auth, SECRET, OWNER, after(999)), Right);
    assert_eq!(log_in(&mut auth, GUESS, ATTACKER, after(1000)), Wrong);
    let mapped = Some(IpAddr::V6(Ipv4Addr::new(192, 0, 2, 2).to_ipv6_mapped()));
    assert_eq!(log_in(&mut auth, GUESS, mapped, after(1999)), TooMany, "the same address");
    assert_eq!(log_in(&mut auth, GUESS, mapped, after(2000)), Wrong);
}

#[test]
fn the_right_password_costs_nothing() {
    let mut auth = digest_auth();
    for _ in 0..100 {
        assert_eq!(log_in(&mut auth, SECRET, OWNER, BEGIN), Right);
    }
}

#[test]
fn clients_without_an_address_count_as_one() {
    let mut auth = digest_auth();
    assert_eq!(log_in(&mut auth, GUESS, None, BEGIN), Wrong);
    assert_eq!(log_in(&mut auth, SECRET, None, after(999)), TooMany);
    assert_eq!(log_in(&mut auth, SECRET, OWNER, after(999)), Right);
    assert_eq!(log_in(&mut auth, SECRET, None, after(1000)), Right);
}

/// Behind a proxy, the owner and the attacker have one address.
#[test]
fn a_nonce_that_has_succeeded_is_outside_the_limit_until_a_wrong_password_spoils_it() {
    let mut auth = digest_auth();
    let mut owner = DigestClient::with_nonce(SECRET, &fresh_nonce(&mut auth, BEGIN));
    assert_eq!(send(&mut auth, &owner, ATTACKER, BEGIN), Right);
    for second in 1..=60 {
        let now = after(second * 1000);
        assert_eq!(log_in(&mut auth, GUESS, ATTACKER, now), Wrong);
        assert_eq!(log_in(&mut auth, SECRET, ATTACKER, now), TooMany);
        owner.nc += 1;
        assert_eq!(send(&mut auth, &owner, ATTACKER, now), Right);
        assert_eq!(send(&mut auth, &owner, ATTACKER, now), Stale, "a replay is not a guess");
    }
    let now = after(60_000);
    let guess = DigestClient { password: GUESS, nc: 1000, ..owner.clone() };
    assert_eq!(send(&mut auth, &guess, OWNER, now), Wrong);
    for password in [GUESS, SECRET] {
        let next = DigestClient { password, nc: 1001, ..owner.clone() };
        assert_eq!(send(&mut auth, &next, OWNER, now), Stale, "spoiled");
    }
    assert_eq!(log_in(&mut auth, SECRET, OWNER, now), TooMany, "it has cost a guess");
}

#[test]
fn wrong_passwords_are_reported_at_most_once_a_second() {
    let mut auth = digest_auth();
    let mut lines = Vec::new();
    for millis in (0..3000).step_by(250) {
        let _ = log_in(&mut auth, GUESS, ATTACKER, after(millis));
        let _ = log_in(&mut auth, GUESS, OWNER, after(millis));
        lines.extend(auth.take_wrong_passwords(after(millis)));
    }
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines.iter().all(|line| line.address == OWNER), "{lines:?}");
    assert_eq!(log_in(&mut auth, SECRET, ATTACKER, after(4000)), Right);
    lines.extend(auth.take_wrong_passwords(after(4000)));
    let sum = |of: fn(&WrongPasswords) -> u32| lines.iter().map(of).sum::<u32>();
    assert_eq!((sum(|it| it.wrong), sum(|it| it.unchecked)), (6, 18), "none is lost");
    assert_eq!(auth.take_wrong_passwords(after(9000)), None);
}

// --- an attack that guesses as fast as it can ---------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    /// All attackers in one /64.
    V6,
    /// Each attacker in its own /64.
    V6Networks,
}

impl Family {
    /// Returns an address in the same network (the n-th for the attackers), or in another.
    fn address(self, is_same: bool, n: u16) -> IpAddr {
        let [low, high] = [(n & 0xff) as u8, (n >> 8) as u8];
        match self {
            Self::V4 if is_same => Ipv4Addr::new(10, 0, high, low).into(),
            Self::V4 => Ipv4Addr::new(172, 16, high, low).into(),
            Self::V6 if is_same => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 1, 2, 3, n).into(),
            Self::V6Networks if is_same => Ipv6Addr::new(0x2001, 0xdb8, 0, n, 0, 0, 0, 1).into(),
            Self::V6 | Self::V6Networks => Ipv6Addr::new(0x2001, 0xdb8, 9, 9, 0, 0, 0, n).into(),
        }
    }
}

const ATTACK_WINDOW: Duration = Duration::from_secs(15);
const ATTACK_INTERVAL: Duration = Duration::from_millis(100);
/// The first addresses after those of the attackers.
const OWNERS: u16 = 0x300;

/// What came of an attack.
#[derive(Debug, Default)]
struct Attack {
    guesses: u32,
    most_in_one_second: usize,
    /// The longest waits of owners who are new in the network of the attackers, new in another one,
    /// and known in that of the attackers. `None` if one did not get in before the end.
    waits: [Option<Duration>; 3],
}

/// All attackers guess in each step, before the owners. An owner tries again after a second.
fn attack(family: Family, attackers: u16) -> Attack {
    let mut auth = digest_auth();
    let known = Some(family.address(true, OWNERS));
    assert_eq!(log_in(&mut auth, SECRET, known, BEGIN), Right);
    let mut guess = DigestClient::with_nonce(GUESS, &fresh_nonce(&mut auth, BEGIN));
    let mut times = Vec::new();
    // Each begins at another time: its kind, address, and the times of begin and next try.
    let mut waiting = Vec::new();
    let mut waits = [Some(Duration::ZERO); 3];
    let steps = ATTACK_WINDOW.as_millis() / ATTACK_INTERVAL.as_millis();
    for step in 0..steps as u32 {
        let now = BEGIN.after(ATTACK_INTERVAL * step);
        for attacker in 0..attackers {
            let address = Some(family.address(true, attacker));
            match send(&mut auth, &guess, address, now) {
                Wrong => times.push(now),
                TooMany => {}
                // The nonces of the owners have displaced it.
                Stale => guess.nonce = fresh_nonce(&mut auth, now),
                Right => panic!("a wrong password"),
            }
        }
        if step % 17 == 1 {
            let n = OWNERS + step as u16;
            let addresses = [family.address(true, n), family.address(false, n)].map(Some);
            let [same, other] = addresses;
            for (kind, address) in [same, other, known].into_iter().enumerate() {
                waiting.push((kind, address, now, now));
            }
        }
        waiting.retain_mut(|(kind, address, begin, next)| {
            if *next > now {
                return true;
            }
            // By a device that the attack does not make busy, so the order is the only difference.
            match log_in(&mut auth, SECRET, *address, now) {
                Right => {
                    let wait = now.since(*begin);
                    waits[*kind] = waits[*kind].map(|longest| longest.max(wait));
                    false
                }
                TooMany => {
                    *next = now.after(Duration::from_secs(1));
                    true
                }
                other @ (Wrong | Stale) => panic!("{other:?}"),
            }
        });
    }
    for (kind, _, begin, _) in waiting {
        // Those who came at the end had no time to wait.
        if BEGIN.after(ATTACK_WINDOW).since(begin) > Duration::from_secs(2) {
            waits[kind] = None;
        }
    }
    let within = |from: Instant| {
        times.iter().filter(move |&&time| time >= from && time < from.after(Duration::from_secs(1)))
    };
    let most_in_one_second = times.iter().map(|&from| within(from).count()).max().unwrap_or(0);
    Attack { guesses: times.len() as u32, most_in_one_second, waits }
}

/// `cargo test -p wps-http --test guesses -- --nocapture an_attack`
#[test]
fn an_attack_is_slow_and_keeps_no_owner_out_up_to_8_addresses() {
    let seconds = ATTACK_WINDOW.as_secs() as u32;
    println!("attackers        guesses/s   longest wait: same network, other network, known user");
    for family in [Family::V4, Family::V6, Family::V6Networks] {
        for attackers in [1, 8, 200] {
            let attack = attack(family, attackers);
            let rate = f64::from(attack.guesses) / f64::from(seconds);
            let wait = |wait: Option<Duration>| {
                wait.map_or("never".into(), |wait| format!("{:.1} s", wait.as_secs_f64()))
            };
            let [same, other, known] = attack.waits.map(wait);
            println!("{attackers:>3} {family:<12?} {rate:>9.1}   {same}, {other}, {known}");
            let network = if family == Family::V6 { 10 * seconds + 10 } else { u32::MAX };
            let limit = (u32::from(attackers) * seconds).min(64 * seconds).min(network);
            assert!(attack.guesses <= limit, "{attack:?}");
            assert!(attack.most_in_one_second <= 64, "{attack:?}");
            assert_eq!(attack.waits[2], Some(Duration::ZERO), "a known user does not wait");
            if attackers <= 8 {
                let is_short = |wait: &Option<Duration>| wait.is_some_and(|it| it.as_secs() <= 2);
                assert!(attack.waits.iter().all(is_short), "{attack:?}");
            }
        }
    }
}

// --- the servers --------------------------------------------------------------------------------

async fn connect_from(last: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into()).expect("a loopback address");
    socket.connect(to).await.expect("a connection")
}

async fn request(last: u8, to: SocketAddr, authorization: Option<&str>) -> TestResponse {
    let headers = [("Host", "gadget"), ("Authorization", authorization.unwrap_or_default())];
    let headers = if authorization.is_some() { &headers[..] } else { &headers[..1] };
    Client::on(connect_from(last, to).await).request("GET", WPS, headers).await
}

/// Logs in from the address 127.0.0.`last`. Returns the status.
async fn log_in_from(last: u8, to: SocketAddr, password: &'static str) -> u16 {
    let challenged = request(last, to, None).await;
    let nonce = nonce(challenged.header("www-authenticate").expect("a challenge"));
    let header = DigestClient::with_nonce(password, nonce).header("GET");
    request(last, to, Some(&header)).await.status
}

/// On axum, where it had been a guess on each connection.
#[tokio::test(start_paused = true)]
async fn hanging_up_does_not_evade_the_limit() {
    World::run(Off, async |world| {
        let (clock, password) = (world.clock, Password::new(SECRET.as_bytes()));
        let more = Routes::new().route("/more", axum::routing::get(async || "more"));
        let routes =
            router(world.control, move || clock.now(), Config { password, ..config() }, more);
        with_server(routes, Limits::default(), async |address| {
            let before = TokioInstant::now();
            let challenged = request(2, address, None).await;
            let nonce = nonce(challenged.header("www-authenticate").expect("a challenge"));
            let header = DigestClient::with_nonce(GUESS, nonce).header("GET");
            let guess =
                format!("GET {WPS} HTTP/1.1\r\nHost: gadget\r\nAuthorization: {header}\r\n\r\n");
            let mut statuses = Vec::new();
            for _ in 0..100 {
                let mut stream = connect_from(2, address).await;
                stream.write_all(guess.as_bytes()).await.expect("an open connection");
                let mut line = [0; 12];
                stream.read_exact(&mut line).await.expect("a response");
                statuses.push(String::from_utf8_lossy(&line[9..]).into_owned());
            }
            assert_eq!(statuses[0], "401");
            assert!(statuses[1..].iter().all(|status| status == "429"), "{statuses:?}");
            assert_eq!(log_in_from(2, address, SECRET).await, 429, "it is not even checked");
            assert_eq!(log_in_from(1, address, SECRET).await, 200, "the owner");
            // The application's own routes, in the same way.
            let more = DigestClient { uri: "/more", ..DigestClient::with_nonce(SECRET, nonce) };
            let headers = [("Host", "gadget"), ("Authorization", &more.header("GET"))];
            let mut client = Client::on(connect_from(2, address).await);
            let refused = client.request("GET", "/more", &headers).await;
            assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
            world.clock.advance(Duration::from_secs(1));
            assert_eq!(log_in_from(2, address, SECRET).await, 200);
            assert!(before.elapsed() < Duration::from_secs(1), "no response was delayed");
        })
        .await;
    })
    .await;
}

/// On picoserve, where each of them had held one of the four sockets for a second.
#[tokio::test(start_paused = true)]
async fn six_guessing_clients_do_not_keep_the_owner_out() {
    static LOGGED: Mutex<Vec<WrongPasswords>> = Mutex::new(Vec::new());
    World::run(Off, async |world| {
        let log_wrong_passwords = |wrong| LOGGED.lock().expect("the log").push(wrong);
        let config = picoserve::Config { log_wrong_passwords, ..picoserve_config() };
        let clock = TokioSleepClock(world.clock);
        let server = Server::new(world.control, clock, config, Some(digest_auth()));
        with_picoserve_server(&server, async |address| {
            let challenged = request(1, address, None).await;
            let nonce = nonce(challenged.header("www-authenticate").expect("a challenge"));
            let header = DigestClient::with_nonce(GUESS, nonce).header("GET");
            let mut guessing = JoinSet::new();
            for attacker in 2..8 {
                let header = header.clone();
                guessing.spawn(async move {
                    let mut statuses = Vec::new();
                    for _ in 0..50 {
                        statuses.push(request(attacker, address, Some(&header)).await.status);
                    }
                    statuses
                });
            }
            let before = TokioInstant::now();
            for _ in 0..10 {
                assert_eq!(log_in_from(1, address, SECRET).await, 200);
            }
            assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
            for statuses in guessing.join_all().await {
                assert_eq!(statuses[0], 401);
                assert!(statuses[1..].iter().all(|status| *status == 429), "{statuses:?}");
            }
            assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
            world.clock.advance(Duration::from_secs(1));
            assert_eq!(log_in_from(1, address, SECRET).await, 200);
        })
        .await;
        let logged = LOGGED.lock().expect("the log");
        let [first, rest] = &logged[..] else { panic!("{logged:?}") };
        assert_eq!((first.wrong + rest.wrong, first.unchecked + rest.unchecked), (6, 6 * 49));
        assert!(first.address.is_some_and(|address| address.is_loopback()));
    })
    .await;
}
