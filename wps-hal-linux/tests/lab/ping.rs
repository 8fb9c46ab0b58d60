//! Pings over the air: how long a station was offline.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, SystemTime};

use super::{NEXT_FILE, RUN_DIR, run};

/// A ping every 100 ms, over the air to a router with an [address](RouterSetup::address).
pub struct Ping {
    process: Child,
    output: PathBuf,
    start: SystemTime,
}

/// The result of a [`Ping`].
#[derive(Clone, Copy, Debug)]
pub struct PingReport {
    /// The number of replies.
    pub replies: usize,
    /// The longest time without a reply, including the time before the first and after the last
    /// one.
    pub longest_gap: Duration,
}

impl Ping {
    /// Starts pinging.
    pub fn start(address: Ipv4Addr) -> Self {
        let output =
            PathBuf::from(format!("{RUN_DIR}/ping{}", NEXT_FILE.fetch_add(1, Ordering::Relaxed)));
        let file = File::create(&output).expect("a file for ping");
        let mut command = Command::new("ping");
        command.args(["-n", "-D", "-i", "0.1"]).arg(address.to_string());
        let process = command.stdin(Stdio::null()).stdout(file).spawn().expect("ping starts");
        Self { process, output, start: SystemTime::now() }
    }

    /// Stops pinging and returns the result.
    pub fn stop(mut self) -> PingReport {
        run(&format!("kill -INT {}", self.process.id()));
        let end = SystemTime::now();
        self.process.wait().expect("ping ends");
        let text = fs::read_to_string(&self.output).expect("ping's output");
        // "[1700000000.123456] 64 bytes from …"
        let time = |line: &str| {
            let (seconds, rest) = line.strip_prefix('[')?.split_once("] ")?;
            let seconds = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
            rest.contains("bytes from").then(|| SystemTime::UNIX_EPOCH + seconds)
        };
        let replies: Vec<_> = text.lines().filter_map(time).collect();
        let all: Vec<_> =
            [self.start].into_iter().chain(replies.iter().copied()).chain([end]).collect();
        let gaps = all.windows(2).map(|pair| pair[1].duration_since(pair[0]).unwrap_or_default());
        PingReport { replies: replies.len(), longest_gap: gaps.max().unwrap_or_default() }
    }
}

impl Drop for Ping {
    fn drop(&mut self) {
        let _ = self.process.kill(); // harmless if it has ended
        let _ = self.process.wait();
    }
}

/// Pings for `period` and returns the longest time without a reply.
pub fn ping_gap(address: Ipv4Addr, period: Duration) -> Duration {
    let ping = Ping::start(address);
    thread::sleep(period);
    ping.stop().longest_gap
}
