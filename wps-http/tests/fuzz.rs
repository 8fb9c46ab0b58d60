//! Malformed requests: no input causes a panic, and invalid requests get a 4xx.

mod common;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router as Routes;
use common::Situation::Off;
use common::World;
use common::wire::{Client, TEST_TIMEOUT, with_picoserve_server, with_server};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wps_core::Phase;
use wps_http::axum::Limits;

const GOOD: &str = "GET /api/v1/wifi/wps?a=b HTTP/1.1\r\nHost: gadget\r\n\
    Origin: http://gadget\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n\
    {\"enable\": true}";

/// Lines that make a request invalid, wherever they are inserted.
const SPOILERS: [&str; 11] = [
    "no colon",
    "Host: gadget",
    "Host: evil.example",
    "Origin: null",
    "Origin: http://gadget",
    "Content-Length: -1",
    "Content-Length: 15",
    "Content-Length: 17, 18",
    "Sec-Fetch-Site: cross-site",
    "Transfer-Encoding: gzip",
    "Content-Length: 99999999999999999999",
];

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Returns the status that each server sends, or `None` if it closes the connection instead.
fn statuses(request: &[u8]) -> [Option<u16>; 2] {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
    let previous_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        eprintln!("{panic}");
    }));
    let got = runtime.block_on(World::run(Off, async |world| {
        let routes = world.axum_routes(Routes::new());
        let limits = Limits::default();
        let ask = async |address| status_of(address, request).await;
        let by_axum = with_server(routes, limits, ask).await;
        let by_picoserve = with_picoserve_server(&world.picoserve_server(None), ask).await;
        assert_eq!(world.control.status().map(|it| it.phase), Some(Phase::Idle), "the radio moved");
        [by_axum, by_picoserve]
    }));
    std::panic::set_hook(previous_hook);
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
    got
}

/// Sends `request` and returns the status of the response.
///
/// A refusal must be a problem document. Only hyper and picoserve themselves refuse otherwise, if a
/// request is not valid HTTP: their responses do not have our headers.
async fn status_of(address: SocketAddr, request: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request).await.ok();
    stream.shutdown().await.ok();
    let mut response = Vec::new();
    timeout(TEST_TIMEOUT * 10, stream.read_to_end(&mut response)).await.expect("an end").ok();
    let served = Client::to(address).await.request("GET", "/", &[("Host", "gadget")]).await;
    assert_eq!(served.status, 200, "and the next one is served");
    let status = response.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let status = str::from_utf8(status).expect("digits").parse().expect("a number");
    let text = String::from_utf8_lossy(&response);
    let is_problem = text.contains("application/problem+json") && text.contains("\"detail\":");
    let is_ours = text.contains("\r\ncache-control: no-store\r\n");
    assert!(is_problem || status < 400 || !is_ours, "{text}");
    Some(status)
}

#[test]
fn the_unspoiled_request_is_served() {
    assert_eq!(statuses(GOOD.as_bytes()), [Some(200); 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn noise_is_refused(noise in vec(any::<u8>(), 0..300), end in select(vec!["", "\r\n\r\n"])) {
        let request = [&noise, end.as_bytes()].concat();
        for status in statuses(&request).into_iter().flatten() {
            prop_assert!((400..500).contains(&status), "{status}");
        }
    }

    #[test]
    fn a_request_with_a_few_wrong_bytes_is_served_or_refused(
        wrong in vec((any::<Index>(), any::<u8>()), 1..4)
    ) {
        let mut request = GOOD.as_bytes().to_vec();
        for (place, byte) in wrong {
            *place.get_mut(&mut request) = byte;
        }
        for status in statuses(&request).into_iter().flatten() {
            prop_assert!((400..500).contains(&status) || status == 200, "{status}");
        }
    }

    #[test]
    fn a_spoiled_request_gets_a_4xx(spoiler in select(&SPOILERS[..]), line in 1_usize..5) {
        let mut lines: Vec<_> = GOOD.split("\r\n").collect();
        lines.insert(line, spoiler);
        for status in statuses(lines.join("\r\n").as_bytes()) {
            prop_assert!(status.is_some_and(|it| (400..500).contains(&it)), "{status:?}");
        }
    }
}
