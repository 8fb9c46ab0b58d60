//! The limits against clients that are slow, open many connections, or send too much.

mod common;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router as Routes;
use axum::routing::post;
use common::Situation::{NotPressed, Off};
use common::wire::{Client, TEST_TIMEOUT, with_server};
use common::{World, config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use wps_core::{Clock, Phase};
use wps_http::axum::{Config, Limits, router};
use wps_http::{MAX_BODY, Password};

const WPS: &str = "/api/v1/wifi/wps";
const HOST: [(&str, &str); 1] = [("Host", "gadget")];

async fn connect_from(address: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((address, 0).into()).expect("a loopback address");
    socket.connect(to).await.expect("a connection")
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(timeout(TEST_TIMEOUT, stream.read(&mut [0])).await.expect("an end"), Ok(0) | Err(_))
}

#[tokio::test]
async fn a_flood_of_posts_starts_one_pairing() {
    World::run(Off, async |world| {
        let saves = world.disk.save_count();
        with_server(world.axum_routes(Routes::new()), Limits::default(), async |address| {
            let mut flood = JoinSet::new();
            for _ in 0..20 {
                flood.spawn(async move {
                    let mut client = Client::to(address).await;
                    for _ in 0..500 {
                        assert_eq!(client.request("POST", WPS, &HOST).await.status, 204);
                    }
                });
            }
            while let Some(client) = flood.join_next().await {
                client.expect("a response to each of 10,000");
            }
        })
        .await;
        assert_eq!(world.disk.save_count(), saves + 1, "one journal");
        assert_eq!(world.control.status().map(|it| it.phase), Some(Phase::Searching));
    })
    .await;
}

/// The slow clients could take all connections. Only the limit per address keeps some free.
#[tokio::test(start_paused = true)]
async fn slow_clients_from_one_address_do_not_keep_another_from_pairing() {
    const SLOW: usize = 200;
    let limits = Limits { connections: SLOW, ..Limits::default() };
    World::run(Off, async |world| {
        with_server(world.axum_routes(Routes::new()), limits, async |address| {
            let mut slow = JoinSet::new();
            for _ in 0..SLOW {
                slow.spawn(async move {
                    // Sends one byte per second, and reconnects when the connection is closed.
                    loop {
                        let mut stream = connect_from(Ipv4Addr::new(127, 0, 0, 2), address).await;
                        for byte in b"POST /api/v1/wifi/wps HTTP/1.1\r\nX: ".iter().cycle() {
                            if stream.write_all(&[*byte]).await.is_err() {
                                break;
                            }
                            sleep(Duration::from_secs(1)).await;
                        }
                    }
                });
            }
            for _ in 0..5 {
                sleep(Duration::from_secs(5)).await;
                let mut client = Client::on(connect_from(Ipv4Addr::LOCALHOST, address).await);
                assert_eq!(client.request("POST", WPS, &HOST).await.status, 204);
            }
        })
        .await;
        assert_eq!(world.control.status().map(|it| it.phase), Some(Phase::Searching));
    })
    .await;
}

#[tokio::test]
async fn one_address_cannot_keep_another_out() {
    // Long enough that no connection is closed for being slow.
    let header_timeout = TEST_TIMEOUT * 2;
    let limits = Limits { connections: 4, per_address: 2, header_timeout, ..Limits::default() };
    World::run(NotPressed, async |world| {
        with_server(world.axum_routes(Routes::new()), limits, async |address| {
            let (greedy, other) = (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3));
            let first = connect_from(greedy, address).await;
            let _second = connect_from(greedy, address).await;
            assert!(is_closed(&mut connect_from(greedy, address).await).await);
            let mut client = Client::on(connect_from(other, address).await);
            assert_eq!(client.request("GET", WPS, &HOST).await.status, 200);
            let _fourth = connect_from(other, address).await;
            let third = Ipv4Addr::new(127, 0, 0, 4);
            assert!(is_closed(&mut connect_from(third, address).await).await, "four in total");

            // A closed connection can be replaced.
            drop(first);
            loop {
                let mut stream = connect_from(greedy, address).await;
                stream.write_all(b"GET / HTTP/1.1\r\nHost: gadget\r\n\r\n").await.ok();
                if Client::on(stream).read_response(false).await.is_some() {
                    break;
                }
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_header_that_does_not_arrive_closes_the_connection() {
    let limits = Limits { header_timeout: Duration::from_millis(50), ..Limits::default() };
    World::run(Off, async |world| {
        with_server(world.axum_routes(Routes::new()), limits, async |address| {
            let mut silent = TcpStream::connect(address).await.expect("a connection");
            assert!(is_closed(&mut silent).await);
            let mut half = TcpStream::connect(address).await.expect("a connection");
            half.write_all(b"GET / HTTP/1.1\r\nHost: gad").await.expect("an open connection");
            let mut rest = Vec::new();
            // There may be a response (408) or none, but the connection must be closed.
            timeout(TEST_TIMEOUT, half.read_to_end(&mut rest)).await.expect("an end").ok();
            let mut idle = Client::to(address).await;
            assert_eq!(idle.request("GET", WPS, &HOST).await.status, 200);
            assert_eq!(idle.read_response(false).await, None);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_client_that_stops_reading_is_dropped() {
    let limits = Limits { write_timeout: Duration::from_millis(50), ..Limits::default() };
    World::run(Off, async |world| {
        with_server(world.axum_routes(Routes::new()), limits, async |address| {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            let request = b"GET /app.js HTTP/1.1\r\nHost: gadget\r\n\r\n";
            let keep_sending = async { while stream.write_all(request).await.is_ok() {} };
            timeout(TEST_TIMEOUT, keep_sending).await.expect("a closed connection");
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_times_out() {
    World::run(Off, async |world| {
        with_server(world.axum_routes(Routes::new()), Limits::default(), async |address| {
            let mut client = Client::to(address).await;
            client.send(b"POST /api/v1/wifi/wps HTTP/1.1\r\nHost: gadget\r\n").await;
            client.send(b"Content-Length: 9\r\n\r\nx").await;
            let response = client.read_response(false).await.expect("a response");
            assert_eq!(response.status, 408);
        })
        .await;
        assert_eq!(world.control.status().map(|it| it.phase), Some(Phase::Idle));
    })
    .await;
}

#[tokio::test]
async fn a_body_without_a_length_is_limited_too() {
    World::run(Off, async |world| {
        with_server(world.axum_routes(Routes::new()), Limits::default(), async |address| {
            let head = "POST /api/v1/wifi/wps HTTP/1.1\r\nHost: gadget\r\n\
                        Transfer-Encoding: chunked\r\n\r\n";
            let chunk = |length| format!("{head}{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length));
            for (length, status) in [(MAX_BODY + 1, 413), (MAX_BODY, 204)] {
                let mut client = Client::to(address).await;
                client.send(chunk(length).as_bytes()).await;
                let response = client.read_response(false).await.expect("a response");
                assert_eq!(response.status, status);
            }
            let mut client = Client::to(address).await;
            client.send(format!("{head}nonsense\r\n").as_bytes()).await;
            assert_eq!(client.read_response(false).await.map(|it| it.status), Some(400));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn an_endless_header_is_refused() {
    World::run(Off, async |world| {
        with_server(world.axum_routes(Routes::new()), Limits::default(), async |address| {
            let mut client = Client::to(address).await;
            client.send(format!("GET / HTTP/1.1\r\nHost: {}", "x".repeat(17_000)).as_bytes()).await;
            assert_eq!(client.read_response(false).await.map(|it| it.status), Some(431));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn invalid_http_is_refused_without_a_body() {
    World::run(Off, async |world| {
        with_server(world.axum_routes(Routes::new()), Limits::default(), async |address| {
            let long = "x".repeat(66_000);
            for (request, status) in [
                ("nonsense\r\n\r\n".to_owned(), 400),
                ("GET / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400),
                (format!("GET /{long} HTTP/1.1\r\n"), 431),
            ] {
                let mut client = Client::to(address).await;
                assert_eq!(client.request("GET", WPS, &HOST).await.status, 200, "it can be read");
                client.send(request.as_bytes()).await;
                let response = client.read_response(false).await.expect("a response");
                assert_eq!((response.status, &*response.body), (status, ""));
                assert_eq!(response.header("connection"), Some("close"));
                assert_eq!(client.read_response(false).await, None, "and the connection is closed");
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn the_same_rules_apply_to_routes_of_the_application() {
    World::run(Off, async |world| {
        let more = Routes::new().route("/more", post(async |body: String| body));
        with_server(world.axum_routes(more), Limits::default(), async |address| {
            let mut client = Client::to(address).await;
            let mut send = async |method, headers: &[(&str, &str)]| {
                client.request(method, "/more", headers).await
            };
            let allowed = send("POST", &HOST).await;
            assert_eq!(allowed.status, 200);
            assert_eq!(allowed.header("cache-control"), Some("no-store"));
            assert_eq!(allowed.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(send("POST", &[]).await.status, 400);
            assert_eq!(send("POST", &[("Host", "evil.example")]).await.status, 404);
            let foreign = [("Host", "gadget"), ("Origin", "http://evil.example")];
            assert_eq!(send("POST", &foreign).await.status, 404);
            assert_eq!(send("GET", &foreign).await.status, 404, "checked before the method");
            let wrong = send("GET", &HOST).await;
            assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST")));
            assert_eq!(wrong.header("content-type"), Some("application/problem+json"));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn with_a_password_every_route_requires_it() {
    World::run(Off, async |world| {
        let (clock, password) = (world.clock, Password::new(b"open, sesame"));
        let config = Config { password, ..config() };
        let more = Routes::new().route("/more", post(async |body: String| body));
        let routes = router(world.control, move || clock.now(), config, more);
        with_server(routes, Limits::default(), async |address| {
            for (method, target) in [("GET", "/"), ("POST", WPS), ("POST", "/more")] {
                let response = Client::to(address).await.request(method, target, &HOST).await;
                let challenges =
                    response.headers.iter().filter(|(name, _)| name == "www-authenticate");
                assert_eq!((response.status, challenges.count()), (401, 2), "{target}");
            }
        })
        .await;
        assert_eq!(world.control.status().map(|it| it.phase), Some(Phase::Idle));
    })
    .await;
}
