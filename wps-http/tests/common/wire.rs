//! An HTTP client that hides nothing: it sends requests as given and returns responses as received.

use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use embassy_sync::blocking_mutex::raw::RawMutex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use wps_core::Clock;
use wps_http::axum::{Limits, serve};
use wps_http::{MAX_BODY, picoserve};

/// Nothing in these tests takes this long unless it hangs.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A response, from a socket or from the pure functions.
#[derive(Debug, PartialEq)]
pub struct TestResponse {
    pub status: u16,
    /// Sorted by name.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl TestResponse {
    pub fn new(
        status: u16,
        headers: impl IntoIterator<Item = (String, String)>,
        body: &[u8],
    ) -> Self {
        let mut headers: Vec<_> = headers.into_iter().collect();
        headers.sort();
        Self { status, headers, body: String::from_utf8(body.to_vec()).expect("UTF-8") }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }
}

/// Serves `routes` on a free port while `test` runs.
pub async fn with_server<R>(
    routes: axum::Router,
    limits: Limits,
    test: impl AsyncFnOnce(SocketAddr) -> R,
) -> R {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    with_server_on(listener, routes, limits, test).await
}

/// Like [`with_server`], on a given listener.
pub async fn with_server_on<R>(
    listener: TcpListener,
    routes: axum::Router,
    limits: Limits,
    test: impl AsyncFnOnce(SocketAddr) -> R,
) -> R {
    let address = listener.local_addr().expect("its address");
    tokio::select! {
        () = serve(listener, routes, limits, std::future::pending()) => unreachable!("never stops"),
        result = test(address) => result,
    }
}

/// Like [`with_server`], with the picoserve adapter and as many tasks as a device has sockets.
pub async fn with_picoserve_server<
    M: RawMutex,
    C: Clock,
    R,
    const SLOTS: usize,
    const LISTENERS: usize,
>(
    server: &picoserve::Server<'_, M, C, SLOTS, LISTENERS>,
    test: impl AsyncFnOnce(SocketAddr) -> R,
) -> R {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let task = async || {
        // Large enough for each body of the transcripts.
        let mut buffer = [0; picoserve::HTTP_BUFFER + MAX_BODY];
        loop {
            let (socket, peer) = listener.accept().await.expect("a connection");
            // An error only affects the client that disconnected or was too slow.
            let _ = server.serve(&mut buffer, socket, Some(peer.ip())).await;
        }
    };
    let mut tasks: [_; picoserve::SOCKETS] = std::array::from_fn(|_| Box::pin(task()));
    let tasks = std::future::poll_fn(|cx| {
        for task in &mut tasks {
            let _: Poll<()> = task.as_mut().poll(cx);
        }
        Poll::Pending
    });
    tokio::select! {
        () = tasks => unreachable!("endless"),
        result = test(address) => result,
    }
}

pub struct Client(BufReader<TcpStream>);

impl Client {
    pub async fn to(address: SocketAddr) -> Self {
        Self::on(TcpStream::connect(address).await.expect("a connection"))
    }

    pub fn on(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }

    /// Sends a request, and returns the response. The body is as long as the Content-Length says,
    /// or empty if that is longer than [`MAX_BODY`].
    pub async fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> TestResponse {
        self.request_with_body(method, target, headers, "").await
    }

    /// Sends a request with `body`. If that is empty, behaves like [`Self::request`].
    pub async fn request_with_body(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> TestResponse {
        let mut text = format!("{method} {target} HTTP/1.1\r\n");
        let mut length = 0;
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
            if *name == "Content-Length" {
                length = value.parse().unwrap_or(0);
            }
        }
        if body.is_empty() {
            text += "\r\n";
            text += &"x".repeat(if length <= MAX_BODY { length } else { 0 });
        } else {
            text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        }
        self.send(text.as_bytes()).await;
        self.read_response(method == "HEAD").await.expect("a response")
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("an open connection");
    }

    /// Reads a response. Returns `None` if the connection is closed instead.
    pub async fn read_response(&mut self, is_head: bool) -> Option<TestResponse> {
        timeout(TEST_TIMEOUT, self.read_unlimited(is_head)).await.expect("a response, or an end")
    }

    async fn read_unlimited(&mut self, is_head: bool) -> Option<TestResponse> {
        let mut status = None;
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            match self.0.read_line(&mut line).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
            match (status, line.trim_end()) {
                (None, line) => {
                    let code = line.strip_prefix("HTTP/1.1 ").and_then(|it| it.get(..3));
                    status = Some(code.and_then(|it| it.parse().ok()).expect("a status line"));
                }
                (Some(_), "") => break,
                (Some(_), line) => {
                    let (name, value) = line.split_once(": ").expect("a header");
                    if name != "date" {
                        headers.push((name.to_ascii_lowercase(), value.to_owned()));
                    }
                }
            }
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, value)| value.parse().expect("a number"));
        let mut body = vec![0; if is_head { 0 } else { length }];
        self.0.read_exact(&mut body).await.ok()?;
        Some(TestResponse::new(status?, headers, &body))
    }
}
