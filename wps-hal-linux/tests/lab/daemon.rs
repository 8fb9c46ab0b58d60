//! The processes of hostapd and wpa_supplicant, and what they printed last.

use std::fs::{self, File};
use std::net::Shutdown;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::control::{ControlClient, request_once};
use super::guest::run_ignoring_failure;
use super::{Events, RUN_DIR, lock, until};

/// All daemons, for [`diagnostics`].
static DAEMONS: Mutex<Vec<Weak<Daemon>>> = Mutex::new(Vec::new());

/// Returns the latest events and output of every daemon.
pub fn diagnostics() -> String {
    let daemons: Vec<_> = lock(&DAEMONS).iter().filter_map(Weak::upgrade).collect();
    let mut text = String::new();
    for daemon in daemons {
        text += &format!("--- {}, running: {}\n", daemon.title, daemon.is_running());
        let events = daemon.events.all();
        for (at, line) in &events[events.len().saturating_sub(25)..] {
            text += &format!("  {:8.3} s ago  {line}\n", at.elapsed().as_secs_f64());
        }
        let output = fs::read(&daemon.output).unwrap_or_default();
        let output = String::from_utf8_lossy(&output);
        let lines: Vec<&str> = output.lines().collect();
        for line in &lines[lines.len().saturating_sub(10)..] {
            text += &format!("  | {line}\n");
        }
    }
    text
}

/// A hostapd or wpa_supplicant process.
pub(super) struct Daemon {
    pub(super) title: String,
    command: Vec<String>,
    pub(super) interface: String,
    pub(super) namespace: Option<String>,
    pub(super) socket: PathBuf,
    output: PathBuf,
    process: Mutex<Option<(Child, UnixDatagram)>>,
    pub(super) events: Events,
}

impl Daemon {
    pub(super) fn new(
        program: &str,
        radio: usize,
        arguments: &str,
        folder: &str,
        namespace: Option<String>,
    ) -> Arc<Self> {
        let interface = format!("wlan{radio}");
        let prefix =
            namespace.as_ref().map(|name| format!("ip netns exec {name} ")).unwrap_or_default();
        let verbose = if std::env::var_os("RADIO_TEST_VERBOSE").is_some() { "-dd" } else { "" };
        let command = format!("{prefix}{program} -t {verbose} {arguments}");
        let daemon = Arc::new(Self {
            title: format!("{program} on {interface}"),
            command: command.split_whitespace().map(str::to_owned).collect(),
            socket: Path::new(folder).join(&interface),
            output: PathBuf::from(format!("{RUN_DIR}/{interface}.{program}.log")),
            interface,
            namespace,
            process: Mutex::default(),
            events: Events::default(),
        });
        lock(&DAEMONS).push(Arc::downgrade(&daemon));
        daemon
    }

    /// Starts the process and waits until it replies. Its events are read from then on.
    #[track_caller]
    pub(super) fn start(&self) {
        assert!(!self.is_running(), "{} runs already", self.title);
        let output =
            File::options().create(true).append(true).open(&self.output).expect("a log file");
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).stdin(Stdio::null());
        command.stdout(output.try_clone().expect("a second handle")).stderr(output);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.title));
        let client = until(Duration::from_secs(10), &format!("{} answers", self.title), || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("{} ended: {status}\n{}", self.title, diagnostics());
            }
            let client = ControlClient::connect(&self.socket).ok()?;
            client.0.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
            client.0.send(b"ATTACH").ok()?;
            let mut reply = [0; 3];
            (client.0.recv(&mut reply).ok()? == 3 && &reply == b"OK\n").then_some(client)
        });
        client.0.set_read_timeout(None).expect("a blocking socket");
        let event_socket = client.0.try_clone().expect("a second handle");
        let events = self.events.clone();
        thread::spawn(move || events.read(client));
        *lock(&self.process) = Some((child, event_socket));
    }

    fn is_running(&self) -> bool {
        lock(&self.process).as_mut().is_some_and(|(child, _)| matches!(child.try_wait(), Ok(None)))
    }

    /// Sends SIGTERM, then SIGKILL if the process still runs after 5 s.
    pub(super) fn stop(&self) {
        if let Some((child, _)) = lock(&self.process).as_mut() {
            run_ignoring_failure(&format!("kill {}", child.id()));
        }
        let start = Instant::now();
        while self.is_running() && start.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }

    /// Sends SIGKILL and waits for the end.
    pub(super) fn kill(&self) {
        if let Some((mut child, event_socket)) = lock(&self.process).take() {
            let _ = child.kill();
            let _ = child.wait();
            let _ = event_socket.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn interface_down(&self) {
        let namespace =
            self.namespace.as_ref().map(|name| format!("-n {name} ")).unwrap_or_default();
        run_ignoring_failure(&format!("ip {namespace}link set {} down", self.interface));
    }

    #[track_caller]
    pub(super) fn request(&self, request: &str) -> String {
        let reply = request_once(&self.socket, request);
        reply
            .unwrap_or_else(|error| panic!("{}: {request}: {error}\n{}", self.title, diagnostics()))
    }

    #[track_caller]
    pub(super) fn expect_ok(&self, request: &str) {
        let reply = self.request(request);
        assert_eq!(reply.trim(), "OK", "{}: {request}", self.title);
    }
}
