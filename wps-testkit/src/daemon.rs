//! Runs the daemon `wpsd` as a process and sends it requests, as its users do.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};
use serde_json::Value;

pub use rustix::process::Signal;

/// No step takes longer unless the daemon hangs.
pub const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// The path of the status and of the requests to pair.
pub const WPS: &str = "/api/v1/wifi/wps";

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Returns the command that runs `wpsd`, without settings from the environment and without a
/// keyboard.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for variable in ["RUST_LOG", "NOTIFY_SOCKET", "WPSD_PASSWORD"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// A running process. It is killed when dropped.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts the command.
    ///
    /// # Panics
    /// If it does not start.
    pub fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().expect("the program starts"))
    }

    /// Returns the id of the process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If the process has exited.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("a running process");
    }

    /// Waits until the process exits, and returns its exit code.
    ///
    /// # Panics
    /// If it does not exit within [`STEP_TIMEOUT`].
    #[track_caller]
    pub fn exit_code(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("a child process") {
                return status.code();
            }
            assert!(start.elapsed() < STEP_TIMEOUT, "the process does not exit");
            sleep(POLL_INTERVAL);
        }
    }

    /// Sends SIGTERM, waits until the process exits, and returns its exit code.
    ///
    /// # Panics
    /// If it does not exit within [`STEP_TIMEOUT`].
    #[track_caller]
    pub fn terminate(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.exit_code()
    }

    /// Sends SIGKILL and waits for the end.
    ///
    /// # Panics
    /// If the process has exited before.
    pub fn kill(&mut self) {
        self.0.kill().expect("a running process");
        self.0.wait().expect("a child process");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The response to a request.
#[derive(Debug)]
pub struct Response {
    /// The status line and the headers.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Response {
    /// Returns the status code.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn status(&self) -> u16 {
        let code = self.head.split(' ').nth(1).and_then(|it| it.parse().ok());
        code.expect(&self.head)
    }

    /// Parses the body.
    ///
    /// # Panics
    /// If it is not JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\r\n\r\n{}", self.head, self.body)
    }
}

/// Sends a request on a new connection, and returns the connection with the response. Each of
/// `headers` ends with a line break.
///
/// # Errors
/// If nothing listens there, or the connection breaks.
pub fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(STEP_TIMEOUT))?;
    let host = if headers.contains("Host:") { "" } else { "Host: 127.0.0.1\r\n" };
    let length = match body.len() {
        0 => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\n{host}{headers}{length}Connection: close\r\n\r\n{body}"
    )?;
    Ok(stream)
}

/// Sends a request on a new connection, and returns the response.
///
/// # Errors
/// If nothing listens there, the connection breaks, or the response is not complete.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> io::Result<Response> {
    let mut text = String::new();
    send(address, method, path, headers, body)?.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(Response { head: head.to_owned(), body: body.to_owned() })
}

/// Reads to the end in another thread.
pub fn collect(mut source: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut all = Vec::new();
        // An event stream ends with an error when the daemon is killed.
        source.read_to_end(&mut all).ok();
        String::from_utf8_lossy(&all).into_owned()
    })
}

/// A running daemon with a simulated radio, on a free port.
#[derive(Debug)]
pub struct Daemon {
    process: Process,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// What was read from there.
    printed: String,
    /// The thread that reads the log, so that the daemon never waits for it.
    log: Option<JoinHandle<String>>,
    address: SocketAddr,
}

impl Daemon {
    /// Starts the daemon, and waits until it has printed its instructions.
    ///
    /// # Panics
    /// If it does not print them.
    pub fn spawn(command: &mut Command) -> Self {
        command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::spawn(command);
        let mut stdout = BufReader::new(process.0.stdout.take().expect("piped"));
        let log = collect(process.0.stderr.take().expect("piped"));
        let mut printed = String::new();
        for _ in 0..3 {
            stdout.read_line(&mut printed).expect("three lines of instructions");
        }
        let address = printed.split_once("http://").and_then(|(_, rest)| rest.split_once(' '));
        let address = address.and_then(|(address, _)| address.parse().ok()).expect(&printed);
        let stdin = process.0.stdin.take();
        Self { process, stdin, stdout, printed, log: Some(log), address }
    }

    /// Returns the address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its keyboard.
    ///
    /// # Panics
    /// If the command did not pipe the standard input, or the keyboard was taken before.
    pub fn take_keyboard(&mut self) -> ChildStdin {
        self.stdin.take().expect("piped")
    }

    /// Waits for the next line on its standard output.
    ///
    /// # Panics
    /// If the line is not text.
    pub fn read_line(&mut self) -> String {
        let start = self.printed.len();
        self.stdout.read_line(&mut self.printed).expect("a line of text");
        self.printed[start..].to_owned()
    }

    /// Sends a request, and returns the connection with the response.
    ///
    /// # Panics
    /// If the daemon does not listen.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
        send(self.address, method, path, headers, body).expect("wpsd reads")
    }

    /// Sends a request, and returns the response.
    ///
    /// # Panics
    /// If there is no response.
    #[track_caller]
    pub fn request(&self, method: &str, path: &str, headers: &str) -> Response {
        request(self.address, method, path, headers, "").expect("wpsd responds")
    }

    /// Sends a request with a JSON body, and returns the response.
    ///
    /// # Panics
    /// If there is no response.
    #[track_caller]
    pub fn request_with_json(&self, method: &str, path: &str, body: &str) -> Response {
        let headers = "Content-Type: application/json\r\n";
        request(self.address, method, path, headers, body).expect("wpsd responds")
    }

    /// Sends a POST request without a body, and returns the response.
    ///
    /// # Panics
    /// If it is not accepted.
    #[track_caller]
    pub fn post(&self, path: &str) -> Response {
        let response = self.request("POST", path, "");
        assert_eq!(response.status(), 204, "{path}");
        response
    }

    /// Returns the status.
    ///
    /// # Panics
    /// If there is no response with a status.
    #[track_caller]
    pub fn status(&self) -> Value {
        let response = self.request("GET", WPS, "");
        assert_eq!(response.status(), 200);
        response.json()
    }

    /// Polls the status until it matches, and returns it.
    ///
    /// # Panics
    /// If it does not match within [`STEP_TIMEOUT`].
    #[track_caller]
    pub fn wait_for(&self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait_for_response(is_wanted).json()
    }

    /// Polls the status until it matches, and returns the whole response.
    ///
    /// # Panics
    /// If it does not match within [`STEP_TIMEOUT`].
    #[track_caller]
    pub fn wait_for_response(&self, is_wanted: impl Fn(&Value) -> bool) -> Response {
        let start = Instant::now();
        loop {
            let response = self.request("GET", WPS, "");
            assert_eq!(response.status(), 200);
            if is_wanted(&response.json()) {
                return response;
            }
            assert!(start.elapsed() < STEP_TIMEOUT, "timed out at: {}", response.body);
            sleep(POLL_INTERVAL);
        }
    }

    /// Waits until a task has ended, and returns the status.
    ///
    /// # Panics
    /// If it does not end within [`STEP_TIMEOUT`].
    #[track_caller]
    pub fn wait_for_result(&self) -> Value {
        self.wait_for(|status| status["state"] == "idle" && status["last"].is_object())
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If the daemon has exited.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits until the daemon exits, and returns its exit code.
    ///
    /// # Panics
    /// If it does not exit within [`STEP_TIMEOUT`].
    #[track_caller]
    pub fn exit_code(&mut self) -> Option<i32> {
        self.process.exit_code()
    }

    /// Returns the whole log of a daemon that exited.
    ///
    /// # Panics
    /// If the log was returned before.
    pub fn log(&mut self) -> String {
        self.log.take().expect("called once").join().expect("no panic")
    }
    /// Kills the daemon, and returns its standard output and its log.
    ///
    /// # Panics
    /// If it has exited before.
    pub fn kill(mut self) -> [String; 2] {
        self.process.kill();
        self.stdout.read_to_string(&mut self.printed).expect("text");
        let log = self.log();
        [self.printed, log]
    }
}
