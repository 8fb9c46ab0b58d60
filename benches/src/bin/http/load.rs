//! The clients: a few connections, each of which sends one request after the other.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::thread::Pid;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wps_testkit::hex;

use crate::serve::{PASSWORD, PATH, REALM, Served, Server};

/// A browser opens at most six connections to a host.
const CONNECTIONS: usize = 6;

/// The result of one turn.
pub(crate) struct Figures {
    /// Requests per second.
    pub(crate) rate: f64,
    /// The response time that 99 % of the requests stay within.
    pub(crate) p99: Duration,
    /// The server's CPU time for one request, including the kernel's part.
    pub(crate) cpu: Duration,
    /// The share of the time that the server was ready to run, but had no CPU.
    pub(crate) waited_for_cpu: f64,
}

/// Sends requests for `time`.
///
/// # Errors
/// If a response is not a success.
pub(crate) fn measure(
    server: &Server,
    method: &'static str,
    time: Duration,
) -> io::Result<Figures> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let has_password = server.served == Served::WithPassword;
    runtime.block_on(async {
        let (begin, before) = (Instant::now(), scheduler_times(server.thread)?);
        let mut clients = JoinSet::new();
        for _ in 0..CONNECTIONS {
            clients.spawn(send_requests(server.address, method, has_password, begin + time));
        }
        let mut all = Vec::new();
        while let Some(client) = clients.join_next().await {
            all.extend(client??);
        }
        let (took, after) = (begin.elapsed().as_secs_f64(), scheduler_times(server.thread)?);
        all.sort();
        Ok(Figures {
            rate: all.len() as f64 / took,
            p99: all[all.len() * 99 / 100],
            cpu: (after.ran - before.ran).div_f64(all.len() as f64),
            waited_for_cpu: (after.waited - before.waited).as_secs_f64() / took,
        })
    })
}

/// How long a thread ran, and how long it was ready to run but had no CPU.
struct SchedulerTimes {
    ran: Duration,
    waited: Duration,
}

/// Returns the scheduler's times of a thread: `/proc/PID/schedstat`, proc(5).
fn scheduler_times(thread: Pid) -> io::Result<SchedulerTimes> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat"))?;
    let mut times = text.split(' ').map(|it| it.parse().map(Duration::from_nanos));
    match (times.next(), times.next()) {
        (Some(Ok(ran)), Some(Ok(waited))) => Ok(SchedulerTimes { ran, waited }),
        _ => Err(io::Error::other(text)),
    }
}

/// Sends requests on one connection until `end`, and returns their response times.
async fn send_requests(
    address: SocketAddr,
    method: &str,
    has_password: bool,
    end: Instant,
) -> io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut nonce = None;
    if has_password {
        let challenge = exchange(&mut stream, method, "").await?;
        let rest = challenge.split_once("nonce=\"").map(|(_, rest)| rest);
        nonce = rest.and_then(|rest| rest.split_once('"')).map(|(nonce, _)| nonce.to_owned());
    }
    let (mut times, mut response) = (Vec::new(), Vec::new());
    for count in 1_u32.. {
        let header = nonce.as_ref().map(|nonce| authorization(method, nonce, count));
        let header = header.as_deref().unwrap_or_default();
        let before = Instant::now();
        if response.is_empty() {
            response = exchange(&mut stream, method, header).await?.into_bytes();
        } else {
            // All responses have the same length, so the client does not have to parse them: it
            // must not cost more CPU time than the server.
            stream.write_all(request(method, header).as_bytes()).await?;
            stream.read_exact(&mut response).await?;
        }
        times.push(before.elapsed());
        if !response.starts_with(b"HTTP/1.1 20") {
            return Err(io::Error::other(String::from_utf8_lossy(&response)));
        }
        if Instant::now() >= end {
            break;
        }
    }
    Ok(times)
}

/// Returns the head of a request.
pub(crate) fn request(method: &str, header: &str) -> String {
    format!("{method} {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n")
}

/// Sends a request and reads the whole response.
async fn exchange(stream: &mut TcpStream, method: &str, header: &str) -> io::Result<String> {
    stream.write_all(request(method, header).as_bytes()).await?;
    let (mut response, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).await?;
        response += str::from_utf8(&buffer[..read]).map_err(io::Error::other)?;
        let Some((head, body)) = response.split_once("\r\n\r\n") else {
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            continue;
        };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |it| it.parse().unwrap_or(0)) {
            return Ok(response);
        }
    }
}

/// Returns the `Authorization` header of a client (RFC 7616).
fn authorization(method: &str, nonce: &str, count: u32) -> String {
    let hash = |text: String| hex(&Sha256::digest(text));
    let user_hash = hash(format!(":{REALM}:{PASSWORD}"));
    let request_hash = hash(format!("{method}:{PATH}"));
    let response = hash(format!("{user_hash}:{nonce}:{count:08x}:client:auth:{request_hash}"));
    format!(
        "Authorization: Digest username=\"\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"{PATH}\", \
         algorithm=SHA-256, qop=auth, nc={count:08x}, cnonce=\"client\", response=\"{response}\"\r\n"
    )
}
