//! When the station had a network, as told by those who do not care who drives it: the kernel says
//! when it left one, the routers when they let it in.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::lab::Router;

/// The kernel's events of `wlan1`.
pub(crate) struct Witness {
    process: Child,
    left: Arc<Mutex<Vec<Instant>>>,
}

impl Witness {
    pub(crate) fn begin() -> Self {
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

    /// How long the station, which had a network in the beginning, had none of these.
    pub(crate) fn offline(&self, routers: &[&Router], from: Instant, to: Instant) -> Duration {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes: Vec<(Instant, bool)> = left.iter().map(|at| (*at, false)).collect();
        for router in routers {
            changes.extend(entrances(router, 0).into_iter().map(|at| (at, true)));
        }
        changes.retain(|(at, _)| (from..=to).contains(at));
        changes.sort();
        changes.push((to, true));
        let (mut offline, mut since) = (Duration::ZERO, None);
        for (at, online) in changes {
            match (online, since) {
                (false, None) => since = Some(at),
                (true, Some(begin)) => {
                    offline += at - begin;
                    since = None;
                }
                (false, Some(_)) | (true, None) => {}
            }
        }
        offline
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// When this router let a station in for good: keyed, not just for the exchange.
pub(crate) fn entrances(router: &Router, mark: usize) -> Vec<Instant> {
    let entrances = router.events().since(mark, "AP-STA-CONNECTED");
    entrances.into_iter().map(|(at, _)| at).collect()
}
