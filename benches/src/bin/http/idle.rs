//! The memory of an idle connection: how much the process grows for each connection that made one
//! request and is kept open. The kernel's buffers do not count. The client's end is in the same
//! process, but needs no memory there except for its descriptor.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::load::request;
use crate::serve::Server;

/// Connections that are opened before the measurement. They make the allocator and the server grow
/// to their working size.
const WARM_UP: usize = 100;

/// Returns the bytes per connection, measured with that many connections.
pub(crate) fn memory(server: &Server, connections: usize) -> io::Result<f64> {
    let mut streams = Vec::with_capacity(WARM_UP + connections);
    let mut response = vec![0; 16 * 1024];
    let mut connect = |times| -> io::Result<()> {
        for _ in 0..times {
            let mut stream = TcpStream::connect(server.address)?;
            stream.write_all(request("GET", "").as_bytes())?;
            // The response is small, so one read returns all of it.
            let read = stream.read(&mut response)?;
            if !response[..read].starts_with(b"HTTP/1.1 200") {
                return Err(io::Error::other(String::from_utf8_lossy(&response[..read])));
            }
            streams.push(stream);
        }
        Ok(())
    };
    connect(WARM_UP)?;
    let before = resident()?;
    connect(connections)?;
    Ok((resident()? - before) / connections as f64)
}

/// Returns the resident memory in bytes. `smaps_rollup` counts page by page; the numbers in
/// `status` can lag behind.
fn resident() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(|it| it.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.map(|it| it * 1024.0).ok_or_else(|| io::Error::other(text))
}
