//! The clients: a few connections that ask, read, and ask again.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::thread::Pid;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::serve::{PASSWORD, PATH, REALM, Served, Server};

/// A browser opens six at most.
const CONNECTIONS: usize = 6;

pub(crate) struct Figures {
    /// Requests per second.
    pub(crate) rate: f64,
    pub(crate) p99: Duration,
    /// What the server computed for one request, the kernel's part too.
    pub(crate) cpu: Duration,
    /// How much of the time the server waited for a CPU that others had.
    pub(crate) kept_waiting: f64,
}

/// Asks for `time`, and expects a success each time.
pub(crate) fn measure(
    server: &Server,
    method: &'static str,
    time: Duration,
) -> io::Result<Figures> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let has_password = server.served == Served::WithPassword;
    runtime.block_on(async {
        let (begin, before) = (Instant::now(), scheduled(server.thread)?);
        let mut clients = JoinSet::new();
        for _ in 0..CONNECTIONS {
            clients.spawn(ask(server.address, method, has_password, begin + time));
        }
        let mut all = Vec::new();
        while let Some(client) = clients.join_next().await {
            all.extend(client??);
        }
        let (took, after) = (begin.elapsed().as_secs_f64(), scheduled(server.thread)?);
        all.sort();
        Ok(Figures {
            rate: all.len() as f64 / took,
            p99: all[all.len() * 99 / 100],
            cpu: (after.ran - before.ran).div_f64(all.len() as f64),
            kept_waiting: (after.waited - before.waited).as_secs_f64() / took,
        })
    })
}

/// How long a thread ran, and how long it could have, but had no CPU.
struct Scheduled {
    ran: Duration,
    waited: Duration,
}

fn scheduled(thread: Pid) -> io::Result<Scheduled> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat"))?;
    let mut times = text.split(' ').map(|it| it.parse().map(Duration::from_nanos));
    match (times.next(), times.next()) {
        (Some(Ok(ran)), Some(Ok(waited))) => Ok(Scheduled { ran, waited }),
        _ => Err(io::Error::other(text)),
    }
}

async fn ask(
    address: SocketAddr,
    method: &str,
    has_password: bool,
    end: Instant,
) -> io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut nonce = None;
    if has_password {
        let challenged = exchange(&mut stream, method, "").await?;
        let rest = challenged.split_once("nonce=\"").map(|(_, rest)| rest);
        nonce = rest.and_then(|rest| rest.split_once('"')).map(|(nonce, _)| nonce.to_owned());
    }
    let (mut times, mut answer) = (Vec::new(), Vec::new());
    for count in 1_u32.. {
        let given = nonce.as_ref().map(|nonce| authorization(method, nonce, count));
        let given = given.as_deref().unwrap_or_default();
        let before = Instant::now();
        if answer.is_empty() {
            answer = exchange(&mut stream, method, given).await?.into_bytes();
        } else {
            // All are of one length: the client shall not cost more than the server.
            stream.write_all(request(method, given).as_bytes()).await?;
            stream.read_exact(&mut answer).await?;
        }
        times.push(before.elapsed());
        if !answer.starts_with(b"HTTP/1.1 20") {
            return Err(io::Error::other(String::from_utf8_lossy(&answer)));
        }
        if Instant::now() >= end {
            break;
        }
    }
    Ok(times)
}

pub(crate) fn request(method: &str, header: &str) -> String {
    format!("{method} {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n")
}

/// One request and its answer, up to its last byte.
async fn exchange(stream: &mut TcpStream, method: &str, header: &str) -> io::Result<String> {
    stream.write_all(request(method, header).as_bytes()).await?;
    let (mut answer, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).await?;
        answer += str::from_utf8(&buffer[..read]).map_err(io::Error::other)?;
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            continue;
        };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |it| it.parse().unwrap_or(0)) {
            return Ok(answer);
        }
    }
}

/// RFC 7616, as a client does it.
fn authorization(method: &str, nonce: &str, count: u32) -> String {
    let hash = |text: String| {
        Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    };
    let who = hash(format!(":{REALM}:{PASSWORD}"));
    let what = hash(format!("{method}:{PATH}"));
    let response = hash(format!("{who}:{nonce}:{count:08x}:client:auth:{what}"));
    format!(
        "Authorization: Digest username=\"\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"{PATH}\", \
         algorithm=SHA-256, qop=auth, nc={count:08x}, cnonce=\"client\", response=\"{response}\"\r\n"
    )
}
