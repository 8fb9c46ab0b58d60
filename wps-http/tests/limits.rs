//! Clients that are slow, greedy or many.

mod common;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router as Routes;
use axum::routing::post;
use common::Situation::{NotPressed, Off};
use common::wire::{Client, PATIENCE, served};
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

async fn from(address: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((address, 0).into()).expect("a loopback address");
    socket.connect(to).await.expect("a connection")
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(timeout(PATIENCE, stream.read(&mut [0])).await.expect("an end"), Ok(0) | Err(_))
}

#[tokio::test]
async fn a_flood_of_posts_starts_one_pairing() {
    World::visit(Off, async |world| {
        let saves = world.disk.saves();
        served(world.routes(Routes::new()), Limits::default(), async |address| {
            let mut flood = JoinSet::new();
            for _ in 0..20 {
                flood.spawn(async move {
                    let mut client = Client::to(address).await;
                    for _ in 0..500 {
                        assert_eq!(client.ask("POST", WPS, &HOST).await.status, 204);
                    }
                });
            }
            while let Some(client) = flood.join_next().await {
                client.expect("an answer to each of 10,000");
            }
        })
        .await;
        assert_eq!(world.disk.saves(), saves + 1, "one journal");
        assert_eq!(world.control.status().map(|it| it.phase), Some(Phase::Searching));
    })
    .await;
}

/// As many as there is room for in all; only the limit for each address keeps some of it free.
#[tokio::test(start_paused = true)]
async fn slow_clients_from_one_address_do_not_keep_another_from_pairing() {
    const SLOW: usize = 200;
    let limits = Limits { connections: SLOW, ..Limits::default() };
    World::visit(Off, async |world| {
        served(world.routes(Routes::new()), limits, async |address| {
            let mut slow = JoinSet::new();
            for _ in 0..SLOW {
                slow.spawn(async move {
                    // One byte a second; and who is sent away comes back.
                    loop {
                        let mut stream = from(Ipv4Addr::new(127, 0, 0, 2), address).await;
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
                let mut client = Client::on(from(Ipv4Addr::LOCALHOST, address).await);
                assert_eq!(client.ask("POST", WPS, &HOST).await.status, 204);
            }
        })
        .await;
        assert_eq!(world.control.status().map(|it| it.phase), Some(Phase::Searching));
    })
    .await;
}

#[tokio::test]
async fn one_address_cannot_keep_another_out() {
    // Nobody is sent away for being slow.
    let header_time = PATIENCE * 2;
    let limits = Limits { connections: 4, per_address: 2, header_time, ..Limits::default() };
    World::visit(NotPressed, async |world| {
        served(world.routes(Routes::new()), limits, async |address| {
            let (greedy, other) = (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3));
            let first = from(greedy, address).await;
            let _second = from(greedy, address).await;
            assert!(is_closed(&mut from(greedy, address).await).await);
            let mut client = Client::on(from(other, address).await);
            assert_eq!(client.ask("GET", WPS, &HOST).await.status, 200);
            let _fourth = from(other, address).await;
            let third = Ipv4Addr::new(127, 0, 0, 4);
            assert!(is_closed(&mut from(third, address).await).await, "four in all");

            // Whoever leaves makes room.
            drop(first);
            loop {
                let mut stream = from(greedy, address).await;
                stream.write_all(b"GET / HTTP/1.1\r\nHost: gadget\r\n\r\n").await.ok();
                if Client::on(stream).answer(false).await.is_some() {
                    break;
                }
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_header_that_does_not_come_ends_the_connection() {
    let limits = Limits { header_time: Duration::from_millis(50), ..Limits::default() };
    World::visit(Off, async |world| {
        served(world.routes(Routes::new()), limits, async |address| {
            let mut mute = TcpStream::connect(address).await.expect("a connection");
            assert!(is_closed(&mut mute).await);
            let mut half = TcpStream::connect(address).await.expect("a connection");
            half.write_all(b"GET / HTTP/1.1\r\nHost: gad").await.expect("an open connection");
            let mut rest = Vec::new();
            // An answer (408) or none, but an end.
            timeout(PATIENCE, half.read_to_end(&mut rest)).await.expect("an end").ok();
            let mut idle = Client::to(address).await;
            assert_eq!(idle.ask("GET", WPS, &HOST).await.status, 200);
            assert_eq!(idle.answer(false).await, None);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_client_that_stops_reading_is_dropped() {
    let limits = Limits { write_time: Duration::from_millis(50), ..Limits::default() };
    World::visit(Off, async |world| {
        served(world.routes(Routes::new()), limits, async |address| {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            let request = b"GET /app.js HTTP/1.1\r\nHost: gadget\r\n\r\n";
            let stuff = async { while stream.write_all(request).await.is_ok() {} };
            timeout(PATIENCE, stuff).await.expect("the server hangs up");
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    World::visit(Off, async |world| {
        served(world.routes(Routes::new()), Limits::default(), async |address| {
            let mut client = Client::to(address).await;
            client.send(b"POST /api/v1/wifi/wps HTTP/1.1\r\nHost: gadget\r\n").await;
            client.send(b"Content-Length: 9\r\n\r\nx").await;
            let answer = client.answer(false).await.expect("an answer");
            assert_eq!(answer.status, 408);
        })
        .await;
        assert_eq!(world.control.status().map(|it| it.phase), Some(Phase::Idle));
    })
    .await;
}

#[tokio::test]
async fn a_body_without_a_length_is_limited_too() {
    World::visit(Off, async |world| {
        served(world.routes(Routes::new()), Limits::default(), async |address| {
            let head = "POST /api/v1/wifi/wps HTTP/1.1\r\nHost: gadget\r\n\
                        Transfer-Encoding: chunked\r\n\r\n";
            let chunk = |length| format!("{head}{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length));
            for (length, status) in [(MAX_BODY + 1, 413), (MAX_BODY, 204)] {
                let mut client = Client::to(address).await;
                client.send(chunk(length).as_bytes()).await;
                let answer = client.answer(false).await.expect("an answer");
                assert_eq!(answer.status, status);
            }
            let mut client = Client::to(address).await;
            client.send(format!("{head}nonsense\r\n").as_bytes()).await;
            assert_eq!(client.answer(false).await.map(|it| it.status), Some(400));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_header_without_end_is_refused() {
    World::visit(Off, async |world| {
        served(world.routes(Routes::new()), Limits::default(), async |address| {
            let mut client = Client::to(address).await;
            client.send(format!("GET / HTTP/1.1\r\nHost: {}", "x".repeat(17_000)).as_bytes()).await;
            assert_eq!(client.answer(false).await.map(|it| it.status), Some(431));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn what_is_no_http_is_told_what_to_do_too() {
    World::visit(Off, async |world| {
        served(world.routes(Routes::new()), Limits::default(), async |address| {
            let long = "x".repeat(66_000);
            for (request, status) in [
                ("nonsense\r\n\r\n".to_owned(), 400),
                ("GET / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400),
                (format!("GET /{long} HTTP/1.1\r\n"), 431),
            ] {
                let mut client = Client::to(address).await;
                assert_eq!(client.ask("GET", WPS, &HOST).await.status, 200, "it can be read");
                client.send(request.as_bytes()).await;
                let answer = client.answer(false).await.expect("an answer");
                assert_eq!(answer.status, status);
                assert_eq!(answer.header("content-type"), Some("application/problem+json"));
                assert_eq!(answer.header("cache-control"), Some("no-store"));
                assert_eq!(answer.header("connection"), Some("close"));
                let problem: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
                assert_eq!(problem["status"], status);
                assert!(problem["detail"].as_str().is_some_and(|it| it.starts_with("Send ")));
                assert_eq!(client.answer(false).await, None, "and the connection is closed");
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn routes_of_the_application_stand_behind_the_same_rules() {
    World::visit(Off, async |world| {
        let more = Routes::new().route("/more", post(async |body: String| body));
        served(world.routes(more), Limits::default(), async |address| {
            let mut client = Client::to(address).await;
            let mut ask =
                async |method, headers: &[(&str, &str)]| client.ask(method, "/more", headers).await;
            let good = ask("POST", &HOST).await;
            assert_eq!(good.status, 200);
            assert_eq!(good.header("cache-control"), Some("no-store"));
            assert_eq!(good.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(ask("POST", &[]).await.status, 400);
            assert_eq!(ask("POST", &[("Host", "evil.example")]).await.status, 404);
            let foreign = [("Host", "gadget"), ("Origin", "http://evil.example")];
            assert_eq!(ask("POST", &foreign).await.status, 404);
            assert_eq!(ask("GET", &foreign).await.status, 404, "before the method is judged");
            let wrong = ask("GET", &HOST).await;
            assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST")));
            assert_eq!(wrong.header("content-type"), Some("application/problem+json"));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn with_a_password_every_route_asks_for_it() {
    World::visit(Off, async |world| {
        let (clock, password) = (world.clock, Password::new(b"open, sesame"));
        let config = Config { password, ..config() };
        let more = Routes::new().route("/more", post(async |body: String| body));
        let routes = router(world.control, move || clock.now(), config, more);
        served(routes, Limits::default(), async |address| {
            for (method, target) in [("GET", "/"), ("POST", WPS), ("POST", "/more")] {
                let answer = Client::to(address).await.ask(method, target, &HOST).await;
                let challenges =
                    answer.headers.iter().filter(|(name, _)| name == "www-authenticate");
                assert_eq!((answer.status, challenges.count()), (401, 2), "{target}");
            }
        })
        .await;
        assert_eq!(world.control.status().map(|it| it.phase), Some(Phase::Idle));
    })
    .await;
}
