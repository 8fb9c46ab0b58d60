//! A client that listens to events.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::wire::TEST_TIMEOUT;

pub struct Listener(BufReader<TcpStream>);

impl Listener {
    pub async fn to(address: SocketAddr) -> Self {
        Self::on(TcpStream::connect(address).await.expect("a connection")).await
    }

    pub async fn on(mut stream: TcpStream) -> Self {
        let request = "GET /api/v1/wifi/wps/events HTTP/1.1\r\nHost: gadget\r\n\r\n";
        stream.write_all(request.as_bytes()).await.expect("an open connection");
        let mut listener = Self(BufReader::new(stream));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head += &listener.line().await;
        }
        let head = head.to_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        for field in ["content-type: text/event-stream\r\n", "cache-control: no-store", "nosniff"] {
            assert!(head.contains(field), "{head}");
        }
        assert!(!head.contains("content-length"), "{head}");
        listener
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.0.read_line(&mut line);
        timeout(TEST_TIMEOUT, read).await.expect("a line").expect("an open connection");
        line
    }

    /// Returns the next line of the stream, skipping empty lines and the lengths of chunks.
    pub async fn next(&mut self) -> String {
        loop {
            let line = self.line().await;
            if !line.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return line.trim_end().into();
            }
        }
    }
    /// Returns the next event.
    pub async fn event(&mut self) -> Value {
        let line = self.next().await;
        serde_json::from_str(line.strip_prefix("data: ").expect("an event")).expect("JSON")
    }
}
