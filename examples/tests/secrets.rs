//! Whatever the daemon says while it pairs, fails and is set up by hand: to its log at the highest
//! level, to the terminal, in every answer and in the events. None of it is a password.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

const WPS: &str = "/api/v1/wifi/wps";
const IDLE: &str = r#""state":"idle""#;
const SETTINGS: &str = "/api/v1/wifi/sta/settings";

/// Of the simulated routers, of the one that hands over a wrong key, and what is typed in below.
const SECRETS: [&str; 4] =
    ["correct horse", "battery staple", "not the right key", "typed by hand"];

/// Nothing here takes that long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

struct Daemon {
    process: Child,
    address: String,
    /// What it said, as far as it ends by itself.
    said: Vec<JoinHandle<String>>,
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
            .expect("it starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
        let mut first = String::new();
        stdout.read_line(&mut first).expect("where it listens");
        let address = first.split_once("http://").and_then(|(_, rest)| rest.split(' ').next());
        let address = address.expect(&first).to_owned();
        let stderr = process.stderr.take().expect("piped");
        let said = vec![to_the_end(stdout), to_the_end(stderr)];
        Self { process, address, said }
    }

    /// Sends a request; the whole answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let kind = "Host: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close";
        let len = body.len();
        write!(stream, "{method} {path} HTTP/1.1\r\n{kind}\r\nContent-Length: {len}\r\n\r\n{body}")
            .expect("it reads");
        stream
    }

    fn answer(&self, method: &str, path: &str, body: &str) -> String {
        let mut answer = String::new();
        self.ask(method, path, body).read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Asks for the status until it holds `wanted` and `also`.
    fn until(&self, wanted: &str, also: &str) -> String {
        let begin = Instant::now();
        loop {
            let status = self.answer("GET", WPS, "");
            if status.contains(wanted) && status.contains(also) {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "no {wanted} {also}: {status}");
            sleep(Duration::from_millis(20));
        }
    }

    /// Ends it; what it said on the way.
    fn end(mut self) -> Vec<String> {
        self.process.kill().expect("it runs");
        self.process.wait().expect("our own child");
        self.said.drain(..).map(|said| said.join().expect("no panic")).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn to_the_end(mut said: impl Read + Send + 'static) -> JoinHandle<String> {
    spawn(move || {
        let mut all = Vec::new();
        // An event stream that is cut off ends with an error.
        said.read_to_end(&mut all).ok();
        String::from_utf8_lossy(&all).into_owned()
    })
}

#[test]
fn the_daemon_tells_no_secret() {
    let daemon = Daemon::start();
    let mut all = vec![daemon.until(IDLE, "")];
    let events = to_the_end(daemon.ask("GET", "/api/v1/wifi/wps/events", ""));
    let post = |path: &str| {
        let answer = daemon.answer("POST", path, "");
        assert!(answer.starts_with("HTTP/1.1 204"), "{path}: {answer}");
        answer
    };

    // Paired.
    all.push(post(WPS));
    post("/api/v1/sim/press");
    all.push(daemon.until(IDLE, "\"ok\""));
    // Not paired: a wrong key, then cancelled.
    post("/api/v1/sim/wrong-key");
    all.push(post(WPS));
    post("/api/v1/sim/press");
    all.push(daemon.until("\"wrong_key\"", ""));
    all.push(daemon.answer("DELETE", WPS, ""));
    all.push(daemon.until(IDLE, "\"cancelled\""));
    // Two pressed.
    post("/api/v1/sim/second");
    all.push(post(WPS));
    all.push(daemon.until(IDLE, "\"overlap\""));
    // By hand: well and badly.
    for body in [
        r#"{"enable":true,"name":"Home","password":"typed by hand"}"#,
        r#"{"enable":true,"name":"Home","password":"typed by hand"#,
        r#"{"enable":true,"name":"Home","password":"typed by hand\u0000"}"#,
        r#"{"enable":"typed by hand"}"#,
    ] {
        all.push(daemon.answer("PUT", SETTINGS, body));
    }
    all.push(daemon.answer("GET", &format!("{WPS}?password=typed%20by%20hand"), ""));
    // All but `/api/v1/sim`, the label on the simulated router.
    for path in ["/", "/app.js", SETTINGS, "/api/v1/system", "/api/v1/wifi/scan"] {
        all.push(daemon.answer("GET", path, ""));
    }
    all.extend(daemon.end());
    all.push(events.join().expect("no panic"));

    let [.., stdout, log, events] = &all[..] else { panic!("three that went on to the end") };
    assert!(log.contains("Joining"), "{log}");
    assert!(events.contains("joining"), "{events}");
    assert!(stdout.contains("Ctrl+C"), "{stdout}");
    for said in &all {
        for secret in SECRETS {
            assert!(!said.contains(secret), "{secret} in: {said}");
        }
    }
}
