//! The event stream: events at every change and every second while a window is open, and no
//! listener delays another.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router as Routes;
use common::Situation::{ByHand, Kept, NotPressed, Off};
use common::World;
use common::listener::Listener;
use common::wire::{Client, TEST_TIMEOUT, with_picoserve_server, with_server, with_server_on};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use wps_core::{Clock, Phase};
use wps_http::Addresses;
use wps_http::axum::{Config, Limits};

const EVENTS: &str = "/api/v1/wifi/wps/events";
const HOST: [(&str, &str); 1] = [("Host", "gadget")];

#[tokio::test]
async fn all_listeners_get_the_changes() {
    World::run(NotPressed, async |world| {
        with_server(world.axum_routes(Routes::new()), Limits::default(), async |address| {
            let (mut one, mut two) = (Listener::to(address).await, Listener::to(address).await);
            for listener in [&mut one, &mut two] {
                let event = listener.event().await;
                assert_eq!(
                    (&event["seen"], &event["remaining_s"]),
                    (&"not_pressed".into(), &100.into())
                );
            }
            world.air.press_button(b"home");
            world.until(|status| matches!(status.phase, Phase::Joining { .. })).await;
            world.until(|status| status.phase == Phase::Idle).await;
            for listener in [&mut one, &mut two] {
                // Events that arrive faster than they are read are skipped, except the last one.
                while listener.event().await["last"]["result"] != "ok" {}
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn the_removal_of_a_kept_network_is_an_event() {
    World::run(Kept, async |world| {
        with_server(world.axum_routes(Routes::new()), Limits::default(), async |address| {
            let mut listener = Listener::to(address).await;
            assert_eq!(listener.event().await["ssid"], "home");
            let kept = world.air.kept_networks();
            kept.iter().for_each(|it| world.air.remove_kept(it.id));
            world.until(|status| status.network.is_none() && status.phase == Phase::Idle).await;
            let event = loop {
                let event = listener.event().await;
                if event["state"] == "idle" {
                    break event;
                }
            };
            assert_eq!(event["last"]["cause"], "network_removed");
            assert_eq!(event.get("ssid"), None, "{event}");
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_is_sent_every_second_while_a_window_is_open() {
    World::run(NotPressed, async |world| {
        with_server(world.axum_routes(Routes::new()), Limits::default(), async |address| {
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
async fn only_heartbeats_are_sent_while_idle() {
    World::run(Off, async |world| {
        with_server(world.axum_routes(Routes::new()), Limits::default(), async |address| {
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

/// The device gets its IP address after the end of the pairing, without a change of its status.
#[tokio::test(start_paused = true)]
async fn a_device_that_gets_its_address_late_sends_an_event() {
    static HAS_ADDRESS: AtomicBool = AtomicBool::new(false);
    fn addresses() -> Option<Addresses> {
        let ip = HAS_ADDRESS.load(Ordering::Relaxed).then(|| [192, 0, 2, 7].into());
        Some(Addresses { ip, ..Addresses::default() })
    }
    World::run(ByHand, async |world| {
        let config = Config { addresses: Some(Arc::new(addresses)), ..common::config() };
        let routes =
            wps_http::axum::router(world.control, || world.clock.now(), config, Routes::new());
        let firmware = world.picoserve_server_with(addresses);
        let listen = async |address| {
            HAS_ADDRESS.store(false, Ordering::Relaxed);
            let mut listener = Listener::to(address).await;
            for _ in 0..3 {
                assert_eq!(listener.event().await["has_address"], false);
            }
            HAS_ADDRESS.store(true, Ordering::Relaxed);
            let before = tokio::time::Instant::now();
            while listener.event().await["has_address"] != true {}
            assert!(before.elapsed() < Duration::from_secs(2));
            // A lost address is noticed at the next heartbeat.
            HAS_ADDRESS.store(false, Ordering::Relaxed);
            let before = tokio::time::Instant::now();
            let line = loop {
                let line = listener.next().await;
                if line != ":" && line.contains("\"has_address\":false") {
                    break line;
                }
            };
            assert!(before.elapsed() < Duration::from_secs(17), "{line}");
        };
        with_server(routes, Limits::default(), listen).await;
        with_picoserve_server(&firmware, listen).await;
    })
    .await;
}

#[tokio::test]
async fn listeners_are_limited_and_free_their_slot_when_they_disconnect() {
    World::run(NotPressed, async |world| {
        with_server(world.axum_routes(Routes::new()), Limits::default(), async |address| {
            let mut all = Vec::new();
            for _ in 0..4 {
                all.push(Listener::to(address).await);
            }
            let refused = Client::to(address).await.request("GET", EVENTS, &HOST).await;
            assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
            let served = Client::to(address).await.request("GET", "/api/v1/wifi/wps", &HOST).await;
            assert_eq!(served.status, 200, "other requests are still served");
            all.pop();
            let retry = async {
                while Client::to(address).await.request("GET", EVENTS, &HOST).await.status == 503 {}
            };
            timeout(TEST_TIMEOUT, retry).await.expect("a free slot");
        })
        .await;
    })
    .await;
}

/// The application may use more than its half of the control's listeners.
#[tokio::test]
async fn a_stream_without_a_free_listener_is_refused() {
    World::run(NotPressed, async |world| {
        with_server(world.axum_routes(Routes::new()), Limits::default(), async |address| {
            let mut listeners = Vec::from_iter(std::iter::from_fn(|| world.control.listen()));
            let refused = Client::to(address).await.request("GET", EVENTS, &HOST).await;
            assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
            listeners.pop();
            let served = Client::to(address).await.request("GET", EVENTS, &HOST).await;
            assert_eq!(served.status, 200);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_head_response_has_no_stream() {
    World::run(Off, async |world| {
        with_server(world.axum_routes(Routes::new()), Limits::default(), async |address| {
            let mut client = Client::to(address).await;
            for _ in 0..10 {
                let head = client.request("HEAD", EVENTS, &HOST).await;
                assert_eq!(head.header("content-type"), Some("text/event-stream"));
            }
        })
        .await;
    })
    .await;
}

/// Other listeners get their events, the pairing continues, and in the end the slot is free again.
#[tokio::test(start_paused = true)]
async fn a_listener_that_does_not_read_is_dropped_without_delaying_others() {
    World::run(NotPressed, async |world| {
        // With small kernel buffers, a client that does not read soon blocks its connection.
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_send_buffer_size(1).expect("the smallest size");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let listener = socket.listen(16).expect("a listener");
        with_server_on(
            listener,
            world.axum_routes(Routes::new()),
            Limits::default(),
            async |address| {
                let mut stalled = Vec::new();
                for _ in 0..3 {
                    let socket = TcpSocket::new_v4().expect("a socket");
                    socket.set_recv_buffer_size(1).expect("the smallest size");
                    let stream = socket.connect(address).await.expect("a connection");
                    stalled.push(Listener::on(stream).await);
                }
                let mut other = Listener::to(address).await;
                let is_full = async || {
                    Client::to(address).await.request("GET", EVENTS, &HOST).await.status == 503
                };
                assert!(is_full().await);
                let begin = tokio::time::Instant::now();
                while is_full().await {
                    assert!(begin.elapsed() < Duration::from_secs(600), "the slots stay occupied");
                    let before = tokio::time::Instant::now();
                    other.event().await;
                    assert!(before.elapsed() < Duration::from_millis(1100));
                }
                world.air.press_button(b"home");
                world.until(|status| status.phase == Phase::Idle).await;
                while other.event().await["last"]["result"] != "ok" {}
            },
        )
        .await;
    })
    .await;
}
