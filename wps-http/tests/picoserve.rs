//! The picoserve adapter: what the transcripts do not cover.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::Situation::{NotPressed, Off, Started};
use common::World;
use common::listener::Listener;
use common::slow_reader::SlowReader;
use common::wire::{Client, TEST_TIMEOUT, TestResponse, with_picoserve_server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use wps_core::Phase;
use wps_http::picoserve::{CONNECTION_TIMEOUT, HTTP_BUFFER, SOCKETS};
use wps_http::{DigestAuth, MAX_BODY, Password};

const WPS: &str = "/api/v1/wifi/wps";
const HOST: [(&str, &str); 1] = [("Host", "gadget")];

async fn send(address: SocketAddr, bytes: &[u8]) -> Option<TestResponse> {
    let mut client = Client::to(address).await;
    client.send(bytes).await;
    client.read_response(false).await
}

/// Reads until the connection is closed.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    timeout(TEST_TIMEOUT * 10, stream.read_to_end(&mut text)).await.expect("an end").ok();
    String::from_utf8_lossy(&text).into()
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_body_gets_a_response() {
    World::run(Off, async |world| {
        with_picoserve_server(&world.picoserve_server(None), async |address| {
            let head = format!("POST {WPS} HTTP/1.1\r\nHost: gadget\r\n");
            let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
            let late = format!("{head}Content-Length: 9\r\n\r\nx");
            for (request, status) in [(chunked, 411), (late, 408)] {
                let response = send(address, request.as_bytes()).await.expect("a response");
                assert_eq!(response.status, status);
                assert_eq!(response.header("content-type"), Some("application/problem+json"));
            }
            let mut short = TcpStream::connect(address).await.expect("a connection");
            let request = format!("{head}Content-Length: 9\r\n\r\nx");
            short.write_all(request.as_bytes()).await.expect("an open connection");
            short.shutdown().await.expect("an open connection");
            assert!(read_to_end(&mut short).await.starts_with("HTTP/1.1 400 "));
        })
        .await;
        assert_eq!(
            world.control.status().map(|it| it.phase),
            Some(Phase::Idle),
            "no pairing has started"
        );
    })
    .await;
}

/// With a buffer of the recommended size.
#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_fit_the_buffer_is_refused() {
    World::run(Off, async |world| {
        with_picoserve_server(&world.picoserve_server(None), async |address| {
            let name = "x".repeat(HTTP_BUFFER + MAX_BODY);
            let endless = format!("GET / HTTP/1.1\r\nHost: {name}");
            assert_eq!(send(address, endless.as_bytes()).await.map(|it| it.status), Some(400));
            let body = "x".repeat(MAX_BODY);
            let long = format!(
                "POST {WPS} HTTP/1.1\r\nHost: gadget\r\nX: {}\r\nContent-Length: {MAX_BODY}\r\n\r\n{body}",
                "x".repeat(HTTP_BUFFER)
            );
            assert_eq!(send(address, long.as_bytes()).await.map(|it| it.status), Some(413));
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn invalid_http_gets_a_4xx() {
    World::run(Off, async |world| {
        with_picoserve_server(&world.picoserve_server(None), async |address| {
            let nonsense = [
                "\r\n\r\n",
                "GET\r\n\r\n",
                "GET / HTTP/1.1\r\nno colon\r\n\r\n",
                "GET / HTTP/1.1 more\r\nHost: gadget\r\n\r\n",
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                "CONNECT gadget:80 HTTP/1.1\r\nHost: gadget\r\n\r\n",
                "GET * HTTP/1.1\r\nHost: gadget\r\n\r\n",
                "GET /\u{0}/../etc HTTP/1.1\r\nHost: gadget\r\n\r\n",
            ];
            for request in nonsense {
                let response = send(address, request.as_bytes()).await.expect("a response");
                assert!((400..500).contains(&response.status), "{request:?}: {response:?}");
            }
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_query_is_part_of_the_digest_uri() {
    let password = Password::new(b"open, sesame").expect("a password");
    let auth = DigestAuth::new(password, "gadget", [7; 32]);
    World::run(Off, async |world| {
        with_picoserve_server(&world.picoserve_server(Some(auth)), async |address| {
            let response = Client::to(address).await.request("GET", "/?x=y", &HOST).await;
            let challenges = response.headers.iter().filter(|(name, _)| name == "www-authenticate");
            assert_eq!((response.status, challenges.count()), (401, 2));
            let authorization = |uri| {
                format!(
                    "Digest username=\"\", realm=\"gadget\", nonce=\"0\", uri=\"{uri}\", qop=auth, \
                     algorithm=SHA-256, nc=00000001, cnonce=\"c\", response=\"{}\"",
                    "0".repeat(64)
                )
            };
            for (uri, status) in [("/?x=y", 401), ("/?x=z", 400), ("/", 400), ("/?x=y?", 400)] {
                let authorization = authorization(uri);
                let headers = [HOST[0], ("Authorization", &*authorization)];
                let before = Instant::now();
                let response = Client::to(address).await.request("GET", "/?x=y", &headers).await;
                assert_eq!(response.status, status, "{uri}");
                assert!(before.elapsed() < Duration::from_secs(1), "nothing is delayed");
            }
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_stream_outlasts_the_connection_timeout() {
    World::run(NotPressed, async |world| {
        with_picoserve_server(&world.picoserve_server(None), async |address| {
            let mut listener = Listener::to(address).await;
            assert!(listener.next().await.contains(r#""seen":"not_pressed""#));
            let before = Instant::now();
            for _ in 0..2 * CONNECTION_TIMEOUT.as_secs() {
                assert!(listener.next().await.starts_with("data: "));
            }
            assert_eq!(before.elapsed().as_secs(), 2 * CONNECTION_TIMEOUT.as_secs());
            world.air.press_button(b"home");
            world.until(|status| status.phase == Phase::Idle).await;
            while !listener.next().await.contains(r#""result":"ok""#) {}
            let before = Instant::now();
            assert_eq!(listener.next().await, ":");
            assert!((14..16).contains(&before.elapsed().as_secs()), "only heartbeats are sent");
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn listeners_leave_sockets_for_others_and_free_their_slot_when_they_disconnect() {
    World::run(Off, async |world| {
        with_picoserve_server(&world.picoserve_server(None), async |address| {
            let mut all = Vec::new();
            for _ in 0..SOCKETS / 2 {
                all.push(Listener::to(address).await);
            }
            let events = &format!("{WPS}/events");
            let refused = Client::to(address).await.request("GET", events, &HOST).await;
            assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
            let head = Client::to(address).await.request("HEAD", events, &HOST).await;
            assert_eq!(head.status, 503, "the same as for GET");
            let served = Client::to(address).await.request("POST", WPS, &HOST).await;
            assert_eq!(served.status, 204, "other requests are still served");
            all.pop();
            let retry = async {
                while Client::to(address).await.request("GET", events, &HOST).await.status == 503 {}
            };
            timeout(TEST_TIMEOUT, retry).await.expect("a free slot");
        })
        .await;
    })
    .await;
}

/// Not by sending nothing, and not by sending a byte now and then.
#[tokio::test(start_paused = true)]
async fn no_client_can_occupy_a_socket() {
    World::run(Started, async |world| {
        with_picoserve_server(&world.picoserve_server(None), async |address| {
            let mut silent = Vec::new();
            for _ in 0..SOCKETS {
                silent.push(TcpStream::connect(address).await.expect("a connection"));
            }
            let before = Instant::now();
            assert_eq!(Client::to(address).await.request("GET", WPS, &HOST).await.status, 200);
            assert!(before.elapsed() < Duration::from_secs(30), "{:?}", before.elapsed());

            let mut slow = TcpStream::connect(address).await.expect("a connection");
            let before = Instant::now();
            for byte in b"GET / HTTP/1.1\r\n".iter().cycle() {
                sleep(Duration::from_secs(1)).await;
                if slow.write_all(&[*byte]).await.is_err() {
                    break;
                }
            }
            assert!(before.elapsed() < CONNECTION_TIMEOUT, "{:?}", before.elapsed());
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_read_too_slowly_is_aborted() {
    World::run(Off, async |world| {
        let before = Instant::now();
        let server = world.picoserve_server(None);
        assert!(server.serve(&mut [0; HTTP_BUFFER], SlowReader, None).await.is_err());
        assert_eq!(before.elapsed().as_secs(), CONNECTION_TIMEOUT.as_secs());
    })
    .await;
}

/// `cargo test -p wps-http --test picoserve -- --nocapture bytes`
#[tokio::test]
async fn bytes_of_ram() {
    World::run(Off, async |world| {
        let server = world.picoserve_server(None);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (_client, (socket, _)) = (client.expect("a client"), accepted.expect("a socket"));
        let mut buffer = [0; HTTP_BUFFER];
        let socket_size = size_of_val(&socket);
        let connection = size_of_val(&server.serve(&mut buffer, socket, None));
        let sum = connection + HTTP_BUFFER;
        println!(
            "picoserve server: {sum} bytes for each of {SOCKETS} connections: {connection} of \
             future ({socket_size} of it tokio's socket), {HTTP_BUFFER} of buffer; {} for all of \
             them",
            size_of_val(&server)
        );
        assert!(sum < 12 * 1024, "a device can spend at most 48 kB on four");
    })
    .await;
}
