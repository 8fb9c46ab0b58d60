//! The event stream: every change, each second while a window is open, and nobody waits for a slow one.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router as Routes;
use common::Situation::{NotPressed, Off};
use common::World;
use common::wire::{Client, PATIENCE, served, served_on};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use wps_core::Phase;
use wps_http::axum::Limits;

const EVENTS: &str = "/api/v1/wifi/wps/events";
const HOST: [(&str, &str); 1] = [("Host", "gadget")];

/// Somebody who listens.
struct Listener(BufReader<TcpStream>);

impl Listener {
    async fn to(address: SocketAddr) -> Self {
        Self::on(TcpStream::connect(address).await.expect("a connection")).await
    }

    async fn on(mut stream: TcpStream) -> Self {
        let request = format!("GET {EVENTS} HTTP/1.1\r\nHost: gadget\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("an open connection");
        let mut listener = Self(BufReader::new(stream));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head += &listener.line().await;
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
        assert!(!head.contains("content-length"), "{head}");
        listener
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.0.read_line(&mut line);
        timeout(PATIENCE, read).await.expect("a line").expect("an open connection");
        line
    }

    /// What comes next, without the lengths of the chunks.
    async fn next(&mut self) -> String {
        loop {
            let line = self.line().await;
            if line.starts_with("data: ") || line.starts_with(':') {
                return line.trim_end().into();
            }
        }
    }

    async fn event(&mut self) -> Value {
        let line = self.next().await;
        serde_json::from_str(line.strip_prefix("data: ").expect("an event")).expect("JSON")
    }
}

#[tokio::test]
async fn every_change_is_told_to_everybody() {
    World::visit(NotPressed, async |world| {
        served(world.routes(Routes::new()), Limits::default(), async |address| {
            let (mut one, mut two) = (Listener::to(address).await, Listener::to(address).await);
            for listener in [&mut one, &mut two] {
                let event = listener.event().await;
                assert_eq!(
                    (&event["seen"], &event["remaining_s"]),
                    (&"not_pressed".into(), &100.into())
                );
            }
            world.air.press(b"home");
            world.until(|status| matches!(status.phase, Phase::Joining { .. })).await;
            world.until(|status| status.phase == Phase::Idle).await;
            for listener in [&mut one, &mut two] {
                // What comes faster than it is read is skipped; the last is not.
                while listener.event().await["last"]["result"] != "ok" {}
            }
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_second_while_a_window_is_open() {
    World::visit(NotPressed, async |world| {
        served(world.routes(Routes::new()), Limits::default(), async |address| {
            let mut listener = Listener::to(address).await;
            listener.event().await;
            for _ in 0..3 {
                let before = tokio::time::Instant::now();
                assert_eq!(listener.event().await["state"], "searching");
                let waited = before.elapsed().as_secs_f64();
                assert!((0.9..1.1).contains(&waited), "{waited}");
            }
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn at_rest_only_the_heart_beats() {
    World::visit(Off, async |world| {
        served(world.routes(Routes::new()), Limits::default(), async |address| {
            let mut listener = Listener::to(address).await;
            assert_eq!(listener.event().await["state"], "idle");
            let before = tokio::time::Instant::now();
            assert_eq!(listener.next().await, ":");
            assert!((14..16).contains(&before.elapsed().as_secs()));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn listeners_are_limited_and_whoever_leaves_makes_room() {
    World::visit(NotPressed, async |world| {
        served(world.routes(Routes::new()), Limits::default(), async |address| {
            let mut all = Vec::new();
            for _ in 0..4 {
                all.push(Listener::to(address).await);
            }
            let refused = Client::to(address).await.ask("GET", EVENTS, &HOST).await;
            assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
            let served = Client::to(address).await.ask("GET", "/api/v1/wifi/wps", &HOST).await;
            assert_eq!(served.status, 200, "for anything else there is room");
            all.pop();
            let again = async {
                while Client::to(address).await.ask("GET", EVENTS, &HOST).await.status == 503 {}
            };
            timeout(PATIENCE, again).await.expect("room");
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_head_has_no_stream() {
    World::visit(Off, async |world| {
        served(world.routes(Routes::new()), Limits::default(), async |address| {
            let mut client = Client::to(address).await;
            for _ in 0..10 {
                let head = client.ask("HEAD", EVENTS, &HOST).await;
                assert_eq!(head.header("content-type"), Some("text/event-stream"));
            }
        })
        .await;
    })
    .await;
}

/// Others are told as ever, the pairing goes on, and in the end its place is free again.
#[tokio::test(start_paused = true)]
async fn a_listener_that_does_not_read_harms_nobody_and_is_dropped() {
    World::visit(NotPressed, async |world| {
        // What the kernel keeps for somebody who does not read is soon full.
        let small = TcpSocket::new_v4().expect("a socket");
        small.set_send_buffer_size(1).expect("the least there is");
        small.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let port = small.listen(16).expect("a listener");
        served_on(port, world.routes(Routes::new()), Limits::default(), async |address| {
            let mut mute = Vec::new();
            for _ in 0..3 {
                let small = TcpSocket::new_v4().expect("a socket");
                small.set_recv_buffer_size(1).expect("the least there is");
                mute.push(Listener::on(small.connect(address).await.expect("a connection")).await);
            }
            let mut other = Listener::to(address).await;
            let is_full =
                async || Client::to(address).await.ask("GET", EVENTS, &HOST).await.status == 503;
            assert!(is_full().await);
            let begin = tokio::time::Instant::now();
            while is_full().await {
                assert!(begin.elapsed() < Duration::from_secs(600), "they keep their places");
                let before = tokio::time::Instant::now();
                other.event().await;
                assert!(before.elapsed() < Duration::from_millis(1100));
            }
            world.air.press(b"home");
            world.until(|status| status.phase == Phase::Idle).await;
            while other.event().await["last"]["result"] != "ok" {}
        })
        .await;
    })
    .await;
}
