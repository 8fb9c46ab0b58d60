//! The log lines about refused requests.

mod common;

use std::io::{Result, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router as Routes;
use common::Situation::Off;
use common::digest::{DigestClient, nonce};
use common::wire::{Client, with_server};
use common::{World, config};
use tracing::subscriber::DefaultGuard;
use wps_core::Clock;
use wps_http::Password;
use wps_http::axum::{Config, Limits, router};

const WPS: &str = "/api/v1/wifi/wps";
const FOREIGN: [(&str, &str); 2] = [("Host", "gadget"), ("Origin", "http://evil.example")];

/// The log of one test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Logs what this thread does until the guard is dropped.
    fn begin(&self) -> DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || log.clone());
        tracing::subscriber::set_default(subscriber.with_ansi(false).finish())
    }

    fn lines(&self) -> Vec<String> {
        let log = self.0.lock().expect("the log");
        String::from_utf8_lossy(&log).lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.lock().expect("the log").write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn refusals_are_logged_at_most_once_per_second() {
    let log = Log::default();
    let _guard = log.begin();
    let lines = || log.lines();
    World::run(Off, async |world| {
        with_server(world.axum_routes(Routes::new()), Limits::default(), async |address| {
            let mut client = Client::to(address).await;
            let mut attack = async |times| {
                for _ in 0..times {
                    assert_eq!(client.request("POST", WPS, &FOREIGN).await.status, 404);
                }
            };
            attack(1).await;
            let [first] = &lines()[..] else { panic!("one line") };
            let expected = [
                "reason=ForeignOrigin",
                "127.0.0.1:",
                "gadget",
                "http://evil.example",
                "suppressed=0",
            ];
            for part in expected {
                assert!(first.contains(part), "{first}");
            }
            attack(100).await;
            world.clock.advance(Duration::from_millis(999));
            attack(1).await;
            assert_eq!(lines().len(), 1);
            world.clock.advance(Duration::from_millis(1));
            attack(50).await;
            let all = lines();
            let [_, second] = &all[..] else { panic!("two lines: {all:?}") };
            assert!(second.contains("suppressed=101"), "{second}");
        })
        .await;
    })
    .await;
}

/// Six failed logins, and no byte that the client chose.
#[tokio::test]
async fn wrong_passwords_are_counted_and_logged_at_most_once_per_second() {
    let log = Log::default();
    let _guard = log.begin();
    World::run(Off, async |world| {
        let (clock, password) = (world.clock, Password::new(b"open, sesame"));
        let config = Config { password, ..config() };
        let routes = router(world.control, move || clock.now(), config, Routes::new());
        with_server(routes, Limits::default(), async |address| {
            let mut client = Client::to(address).await;
            let mut log_in = async |password| {
                let challenged = client.request("POST", WPS, &FOREIGN[..1]).await;
                let nonce = nonce(challenged.header("www-authenticate").expect("a challenge"));
                let user = "a usér";
                let digest = DigestClient { user, ..DigestClient::with_nonce(password, nonce) };
                let headers = [FOREIGN[0], ("Authorization", &*digest.header("POST"))];
                client.request("POST", WPS, &headers).await.status
            };
            for status in [401, 429, 429, 429, 429, 429] {
                assert_eq!(log_in("not the password").await, status);
            }
            let [first] = &log.lines()[..] else { panic!("one line") };
            for part in ["WARN", "wrong passwords", "wrong=1 unchecked=0", "127.0.0.1"] {
                assert!(first.contains(part), "{first}");
            }
            world.clock.advance(Duration::from_secs(1));
            assert_eq!(log_in("not the password").await, 401);
            let all = log.lines();
            let [_, second] = &all[..] else { panic!("two lines: {all:?}") };
            assert!(second.contains("wrong=0 unchecked=5"), "{second}");
            world.clock.advance(Duration::from_secs(60));
            assert_eq!(log_in("open, sesame").await, 204);
            let all = log.lines();
            assert!(
                all.iter().any(|it| it.contains("wrong=1 unchecked=0") && it != first),
                "{all:?}"
            );
            for line in &all {
                assert!(!line.contains("a us") && !line.contains("sesame") && line.is_ascii());
            }
        })
        .await;
    })
    .await;
}
