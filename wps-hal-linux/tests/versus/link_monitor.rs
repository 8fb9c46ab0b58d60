//! Measures when the station had a network, independently of the program that controls it.
//!
//! The kernel reports when the station left a network, and the routers report when it joined.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::lab::Router;

/// Records the kernel's disconnect events of `wlan1`.
pub(crate) struct LinkMonitor {
    process: Child,
    left: Arc<Mutex<Vec<Instant>>>,
}

impl LinkMonitor {
    pub(crate) fn start() -> Self {
        let mut command = Command::new("iw");
        command.arg("event").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("iw starts");
        let output = BufReader::new(process.stdout.take().expect("its output"));
        let left = Arc::new(Mutex::new(Vec::new()));
        let seen = left.clone();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if line.starts_with("wlan1 ") && line.contains("): disconnected") {
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
                }
            }
        });
        Self { process, left }
    }

    /// Returns how long the station, which had a network at `from`, was connected to none of these
    /// routers.
    pub(crate) fn offline(&self, routers: &[&Router], from: Instant, to: Instant) -> Duration {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes: Vec<(Instant, bool)> = left.iter().map(|at| (*at, false)).collect();
        for router in routers {
            changes.extend(associations(router, 0).into_iter().map(|at| (at, true)));
        }
        changes.retain(|(at, _)| (from..=to).contains(at));
        changes.sort();
        changes.push((to, true));
        let (mut offline, mut since) = (Duration::ZERO, None);
        for (at, online) in changes {
            match (online, since) {
                (false, None) => since = Some(at),
                (true, Some(start)) => {
                    offline += at - start;
                    since = None;
                }
                (false, Some(_)) | (true, None) => {}
            }
        }
        offline
    }
}

impl Drop for LinkMonitor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns when stations associated with this router and got keys. Associations for an exchange get
/// none, and do not count.
pub(crate) fn associations(router: &Router, mark: usize) -> Vec<Instant> {
    let events = router.events().since(mark, "AP-STA-CONNECTED");
    events.into_iter().map(|(at, _)| at).collect()
}
