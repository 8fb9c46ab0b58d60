//! The clients of a daemon's control socket: requests and events.

use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{NEXT_FILE, RUN_DIR, lock, until};

/// Sends one request from a new client socket and returns the reply.
pub(super) fn request_once(socket: &Path, request: &str) -> io::Result<String> {
    let client = ControlClient::connect(socket)?;
    client.0.set_read_timeout(Some(Duration::from_secs(10)))?;
    client.0.send(request.as_bytes())?;
    let mut buffer = vec![0; 65536];
    let length = client.0.recv(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// The client's end of a control socket. Dropping it removes its file.
pub(super) struct ControlClient(pub(super) UnixDatagram, PathBuf);

impl ControlClient {
    pub(super) fn connect(daemon: &Path) -> io::Result<Self> {
        let path =
            PathBuf::from(format!("{RUN_DIR}/client{}", NEXT_FILE.fetch_add(1, Ordering::Relaxed)));
        let client = Self(UnixDatagram::bind(&path)?, path);
        client.0.connect(daemon)?;
        Ok(client)
    }
}

impl Drop for ControlClient {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.1);
    }
}

type Action = Box<dyn FnOnce() + Send>;

/// All events of a daemon with their times. Restarting the daemon keeps them.
#[derive(Clone, Default)]
pub struct Events {
    lines: Arc<Mutex<Vec<(Instant, String)>>>,
    actions: Arc<Mutex<Vec<(String, Action)>>>,
}

impl Events {
    /// Returns all events so far.
    pub fn all(&self) -> Vec<(Instant, String)> {
        lock(&self.lines).clone()
    }

    /// Returns the position behind the last event, for [`Events::since`] and [`Events::wait`].
    pub fn mark(&self) -> usize {
        lock(&self.lines).len()
    }

    /// Returns the events after `mark` that contain `pattern`.
    pub fn since(&self, mark: usize, pattern: &str) -> Vec<(Instant, String)> {
        let lines = lock(&self.lines);
        lines[mark..].iter().filter(|(_, line)| line.contains(pattern)).cloned().collect()
    }

    /// Waits for an event after `mark` that contains `pattern`, and returns it.
    #[track_caller]
    pub fn wait(&self, mark: usize, pattern: &str, timeout: Duration) -> (Instant, String) {
        until(timeout, &format!("event {pattern:?}"), || {
            self.since(mark, pattern).into_iter().next()
        })
    }

    /// Runs `action` once, at the next event that contains `pattern`, on the thread that reads the
    /// events.
    pub fn when(&self, pattern: &str, action: impl FnOnce() + Send + 'static) {
        lock(&self.actions).push((pattern.to_owned(), Box::new(action)));
    }

    /// Appends everything that arrives on the socket, until the socket is shut down.
    pub(super) fn read(self, client: ControlClient) {
        let mut buffer = vec![0; 65536];
        while let Ok(length @ 1..) = client.0.recv(&mut buffer) {
            let line = String::from_utf8_lossy(&buffer[..length]);
            let line =
                line.split_once('>').map_or(&*line, |(_level, line)| line).trim_end().to_owned();
            let due: Vec<_> = lock(&self.actions)
                .extract_if(.., |(pattern, _)| line.contains(&**pattern))
                .collect();
            lock(&self.lines).push((Instant::now(), line));
            due.into_iter().for_each(|(_, action)| action());
        }
    }
}
