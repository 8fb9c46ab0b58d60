//! The log lines about refused requests.

mod common;

use std::io::{Result, Write};
use std::sync::Mutex;
use std::time::Duration;

use axum::Router as Routes;
use common::Situation::Off;
use common::World;
use common::wire::{Client, with_server};
use wps_http::axum::Limits;

const WPS: &str = "/api/v1/wifi/wps";
const FOREIGN: [(&str, &str); 2] = [("Host", "gadget"), ("Origin", "http://evil.example")];

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        LOG.lock().expect("the log").write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn refusals_are_logged_at_most_once_per_second() {
    let subscriber = tracing_subscriber::fmt().with_writer(|| Log).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let lines = || {
        let log = LOG.lock().expect("the log");
        String::from_utf8_lossy(&log).lines().map(str::to_owned).collect::<Vec<_>>()
    };
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
