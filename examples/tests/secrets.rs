//! Checks that the daemon never prints a password while it pairs, fails and is set up by hand: not
//! in its log at the highest level, on the terminal, in a response or in an event.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

const WPS: &str = "/api/v1/wifi/wps";
const IDLE: &str = r#""state":"idle""#;
const SETTINGS: &str = "/api/v1/wifi/sta/settings";

/// The passwords of the simulated routers, the wrong key, and the password that the test types in.
const SECRETS: [&str; 4] =
    ["correct horse", "battery staple", "not the right key", "typed by hand"];

/// No step takes longer unless the daemon hangs.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);

struct Daemon {
    process: Child,
    address: String,
    /// The threads that collect its standard output and its log.
    output: Vec<JoinHandle<String>>,
}

impl Daemon {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_wpsd"))
            .args(["--name", "device.example", "--listen", "127.0.0.1:0"])
            .env("RUST_LOG", "trace")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WPSD_PASSWORD")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("wpsd starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
        let mut first = String::new();
        stdout.read_line(&mut first).expect("a line with the address");
        let address = first.split_once("http://").and_then(|(_, rest)| rest.split(' ').next());
        let address = address.expect(&first).to_owned();
        let stderr = process.stderr.take().expect("piped");
        let output = vec![collect(stdout), collect(stderr)];
        Self { process, address, output }
    }

    /// Sends a request and returns the stream with the response.
    fn send(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("wpsd listens");
        stream.set_read_timeout(Some(STEP_TIMEOUT)).expect("a timeout");
        let headers = "Host: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close";
        let len = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\n{headers}\r\nContent-Length: {len}\r\n\r\n{body}"
        )
        .expect("wpsd reads");
        stream
    }

    fn request(&self, method: &str, path: &str, body: &str) -> String {
        let mut response = String::new();
        self.send(method, path, body).read_to_string(&mut response).expect("wpsd responds");
        response
    }

    /// Polls the status until it contains both texts, and returns it.
    fn wait_for(&self, first: &str, second: &str) -> String {
        let start = Instant::now();
        loop {
            let status = self.request("GET", WPS, "");
            if status.contains(first) && status.contains(second) {
                return status;
            }
            assert!(start.elapsed() < STEP_TIMEOUT, "no {first} {second}: {status}");
            sleep(Duration::from_millis(20));
        }
    }

    /// Kills the daemon, and returns its standard output and its log.
    fn kill(mut self) -> Vec<String> {
        self.process.kill().expect("wpsd runs");
        self.process.wait().expect("a child process");
        self.output.drain(..).map(|thread| thread.join().expect("no panic")).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Reads to the end in another thread.
fn collect(mut source: impl Read + Send + 'static) -> JoinHandle<String> {
    spawn(move || {
        let mut all = Vec::new();
        // An event stream ends with an error when the daemon is killed.
        source.read_to_end(&mut all).ok();
        String::from_utf8_lossy(&all).into_owned()
    })
}

#[test]
fn the_daemon_never_prints_a_secret() {
    let daemon = Daemon::start();
    let mut all = vec![daemon.wait_for(IDLE, "")];
    let events = collect(daemon.send("GET", "/api/v1/wifi/wps/events", ""));
    let post = |path: &str| {
        let response = daemon.request("POST", path, "");
        assert!(response.starts_with("HTTP/1.1 204"), "{path}: {response}");
        response
    };

    // A pairing that succeeds.
    all.push(post(WPS));
    post("/api/v1/sim/press");
    all.push(daemon.wait_for(IDLE, "\"ok\""));
    // A pairing with a wrong key that is cancelled.
    post("/api/v1/sim/wrong-key");
    all.push(post(WPS));
    post("/api/v1/sim/press");
    all.push(daemon.wait_for("\"wrong_key\"", ""));
    all.push(daemon.request("DELETE", WPS, ""));
    all.push(daemon.wait_for(IDLE, "\"cancelled\""));
    // A pairing that ends because two routers were pressed.
    post("/api/v1/sim/second");
    all.push(post(WPS));
    all.push(daemon.wait_for(IDLE, "\"overlap\""));
    // Settings by hand, valid and invalid.
    for body in [
        r#"{"enable":true,"name":"Home","password":"typed by hand"}"#,
        r#"{"enable":true,"name":"Home","password":"typed by hand"#,
        r#"{"enable":true,"name":"Home","password":"typed by hand\u0000"}"#,
        r#"{"enable":"typed by hand"}"#,
    ] {
        all.push(daemon.request("PUT", SETTINGS, body));
    }
    all.push(daemon.request("GET", &format!("{WPS}?password=typed%20by%20hand"), ""));
    // All paths except `/api/v1/sim`, which shows the label of the simulated router.
    for path in ["/", "/app.js", SETTINGS, "/api/v1/system", "/api/v1/wifi/scan"] {
        all.push(daemon.request("GET", path, ""));
    }
    all.extend(daemon.kill());
    all.push(events.join().expect("no panic"));

    let [.., stdout, log, events] = &all[..] else { panic!("the three outputs") };
    assert!(log.contains("Joining"), "{log}");
    assert!(events.contains("joining"), "{events}");
    assert!(stdout.contains("Ctrl+C"), "{stdout}");
    for text in &all {
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret} in: {text}");
        }
    }
}
