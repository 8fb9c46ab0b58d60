//! What a connection costs that has asked once and is kept: what the process grows by, without the
//! kernel's part. The client's end takes no memory of the process but its descriptor.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::load::request;
use crate::serve::Server;

/// Those that come first make room that the others find.
const FIRST: usize = 100;

/// Bytes per connection, from so many.
pub(crate) fn memory(server: &Server, connections: usize) -> io::Result<f64> {
    let mut streams = Vec::with_capacity(FIRST + connections);
    let mut answer = vec![0; 16 * 1024];
    let mut connect = |times| -> io::Result<()> {
        for _ in 0..times {
            let mut stream = TcpStream::connect(server.address)?;
            stream.write_all(request("GET", "").as_bytes())?;
            // It is small, and sent at once.
            let read = stream.read(&mut answer)?;
            if !answer[..read].starts_with(b"HTTP/1.1 200") {
                return Err(io::Error::other(String::from_utf8_lossy(&answer[..read])));
            }
            streams.push(stream);
        }
        Ok(())
    };
    connect(FIRST)?;
    let before = resident()?;
    connect(connections)?;
    Ok((resident()? - before) / connections as f64)
}

/// In bytes. Counted page by page: what `status` says may be late.
fn resident() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(|it| it.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.map(|it| it * 1024.0).ok_or_else(|| io::Error::other(text))
}
