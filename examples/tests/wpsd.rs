//! Tests the daemon as a process, the way users run it: its port, keys, signals and exit code.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};

/// No step takes longer unless the daemon hangs.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);
const WPS: &str = "/api/v1/wifi/wps";

/// Returns the command that runs `wpsd` with these flags, without settings from the environment.
fn wpsd(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wpsd"));
    command.args(flags);
    for variable in ["RUST_LOG", "NOTIFY_SOCKET", "WPSD_PASSWORD"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running daemon with a simulated radio. It is killed when dropped.
struct Daemon {
    process: Child,
    address: SocketAddr,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Daemon {
    fn start(keyboard: Stdio) -> Self {
        Self::spawn(wpsd(&["--name", "device.example"]).stdin(keyboard))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut process = command.args(["--listen", "127.0.0.1:0"]).spawn().expect("wpsd starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
        let mut lines = String::new();
        for _ in 0..3 {
            stdout.read_line(&mut lines).expect("three lines of instructions");
        }
        let address = lines.split_once("http://").and_then(|(_, rest)| rest.split_once(' '));
        let address = address.and_then(|(address, _)| address.parse().ok()).expect(&lines);
        Self { process, address, stdout }
    }

    /// Sends a request and returns the status code and the body of the response.
    fn request(&self, method: &str, path: &str, headers: &str) -> (u16, String) {
        let (head, body) = self.exchange(method, path, headers);
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect(&head);
        (status, body)
    }

    fn exchange(&self, method: &str, path: &str, headers: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.address).expect("wpsd listens");
        stream.set_read_timeout(Some(STEP_TIMEOUT)).expect("a timeout");
        let host = if headers.contains("Host:") { "" } else { "Host: 127.0.0.1\r\n" };
        write!(stream, "{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n")
            .expect("wpsd reads");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("wpsd responds");
        let (head, body) = response.split_once("\r\n\r\n").expect("a whole header");
        (head.to_owned(), body.to_owned())
    }

    /// Returns whether the daemon accepts this password (RFC 7616, SHA-256).
    fn accepts_password(&self, password: &str) -> bool {
        let (head, _) = self.exchange("GET", WPS, "");
        let line = head.lines().find(|it| it.contains("algorithm=SHA-256")).expect(&head);
        let field = |name: &str| {
            let (_, rest) = line.split_once(&format!("{name}=\"")).expect(name);
            rest.split('"').next().expect("a closing quote")
        };
        let (realm, nonce) = (field("realm"), field("nonce"));
        let hash = |text: String| -> String {
            Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let (user_hash, request_hash) =
            (hash(format!(":{realm}:{password}")), hash(format!("GET:{WPS}")));
        let response = hash(format!("{user_hash}:{nonce}:00000001:c:auth:{request_hash}"));
        let header = format!(
            "Authorization: Digest username=\"\", realm=\"{realm}\", nonce=\"{nonce}\", \
             uri=\"{WPS}\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c\", \
             response=\"{response}\"\r\n"
        );
        self.request("GET", WPS, &header).0 == 200
    }

    fn status(&self) -> serde_json::Value {
        let (status, body) = self.request("GET", WPS, "");
        assert_eq!(status, 200);
        serde_json::from_str(&body).expect("JSON")
    }

    fn post(&self, path: &str) {
        assert_eq!(self.request("POST", path, "").0, 204, "{path}");
    }

    /// Polls the status until it matches, and returns it.
    #[track_caller]
    fn wait_for(&self, is_wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let start = Instant::now();
        loop {
            let status = self.status();
            if is_wanted(&status) {
                return status;
            }
            assert!(start.elapsed() < STEP_TIMEOUT, "timed out at: {status}");
            sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn wait_for_result(&self) -> serde_json::Value {
        self.wait_for(|status| status["state"] == "idle" && status["last"].is_object())
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.process);
        kill_process(id, signal).expect("wpsd runs");
    }

    #[track_caller]
    fn exit_code(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("a child process") {
                return status.code();
            }
            assert!(start.elapsed() < STEP_TIMEOUT, "wpsd does not exit");
            sleep(Duration::from_millis(20));
        }
    }

    /// Returns the whole log of a daemon that exited.
    fn log(&mut self) -> String {
        let mut log = String::new();
        self.process.stderr.take().expect("piped").read_to_string(&mut log).expect("text");
        log
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
fn a_post_and_a_button_press_pair_the_device() {
    let mut daemon = Daemon::start(Stdio::null());
    daemon.wait_for(|status| status["state"] == "idle");
    daemon.post(WPS);
    assert!(daemon.status()["remaining_s"].as_u64().is_some_and(|it| it >= 118));
    daemon.wait_for(|status| status["seen"] == "not_pressed");
    daemon.post("/api/v1/sim/press");
    let status = daemon.wait_for_result();
    assert_eq!((&status["last"]["result"], &status["ssid"]), (&"ok".into(), &"Home".into()));
    let (_, system) = daemon.request("GET", "/api/v1/system", "");
    let system: serde_json::Value = serde_json::from_str(&system).expect("JSON");
    assert_eq!(system["wifi"]["ssid"], "Home");

    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit_code(), Some(0));
    let log = daemon.log();
    assert!(log.lines().any(|line| line.contains("INFO") && line.contains("Joining")), "{log}");
    assert!(!log.contains("WARN"), "nothing failed: {log}");
    assert!(!log.contains("correct horse"), "{log}");
}

#[test]
fn a_failure_of_the_radio_is_a_warning() {
    let mut daemon = Daemon::spawn(wpsd(&[]).env("RUST_LOG", "warn"));
    daemon.wait_for(|status| status["state"] == "idle");
    daemon.post("/api/v1/sim/wrong-key");
    daemon.post(WPS);
    daemon.post("/api/v1/sim/press");
    daemon.wait_for(|status| status["trouble"]["cause"] == "wrong_key");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit_code(), Some(0));
    let log = daemon.log();
    assert!(log.contains("radio: SimError(WrongKey)"), "{log}");
    assert!(log.lines().all(|line| line.contains("WARN")), "{log}");
}

#[test]
fn a_delete_cancels() {
    let daemon = Daemon::start(Stdio::null());
    daemon.wait_for(|status| status["state"] == "idle");
    daemon.post(WPS);
    daemon.wait_for(|status| status["state"] == "searching");
    assert_eq!(daemon.request("DELETE", WPS, "").0, 204);
    assert_eq!(daemon.wait_for_result()["last"]["cause"], "cancelled");
}

#[test]
fn simulated_minutes_can_be_skipped() {
    let daemon = Daemon::start(Stdio::null());
    daemon.wait_for(|status| status["state"] == "idle");
    daemon.post(WPS);
    daemon.wait_for(|status| status["seen"] == "not_pressed");
    daemon.post("/api/v1/sim/minute");
    let left = daemon.status()["remaining_s"].as_u64().expect("a window");
    assert!((50..=60).contains(&left), "{left}");
    daemon.post("/api/v1/sim/minute");
    assert_eq!(daemon.wait_for_result()["last"]["cause"], "timed_out");

    // The pairing mode of a router ends after two minutes, too.
    daemon.post("/api/v1/sim/press");
    let is_pressed = || daemon.request("GET", "/api/v1/sim", "").1.contains("\"pressed\":true");
    assert!(is_pressed());
    daemon.post("/api/v1/sim/minute");
    assert!(is_pressed());
    daemon.post("/api/v1/sim/minute");
    daemon.wait_for(|_| !is_pressed());
}

#[test]
fn two_pressed_routers_are_an_overlap() {
    let daemon = Daemon::start(Stdio::null());
    daemon.wait_for(|status| status["state"] == "idle");
    daemon.post("/api/v1/sim/second");
    daemon.post(WPS);
    assert_eq!(daemon.wait_for_result()["last"]["cause"], "overlap");
}

#[test]
fn a_router_without_wps_or_power_is_not_found() {
    let daemon = Daemon::start(Stdio::null());
    daemon.wait_for(|status| status["state"] == "idle");
    daemon.post(WPS);
    for key in ["power", "wps-off"] {
        daemon.wait_for(|status| status["seen"] == "not_pressed");
        daemon.post(&format!("/api/v1/sim/{key}"));
        daemon.wait_for(|status| status["seen"] == "no_router");
        daemon.post(&format!("/api/v1/sim/{key}"));
    }
    daemon.wait_for(|status| status["seen"] == "not_pressed");
}

#[test]
fn keys_control_the_simulated_router() {
    let mut daemon = Daemon::start(Stdio::piped());
    let mut keyboard: ChildStdin = daemon.process.stdin.take().expect("piped");
    daemon.wait_for(|status| status["state"] == "idle");
    let mut press = |daemon: &mut Daemon, key: &str| {
        writeln!(keyboard, "{key}").expect("wpsd reads");
        let mut line = String::new();
        daemon.stdout.read_line(&mut line).expect("a line on what happened");
        line
    };
    assert!(press(&mut daemon, "h").contains("p presses"));
    assert!(press(&mut daemon, "what?").contains("p presses"));
    assert!(press(&mut daemon, "n").contains("switched off"));
    assert!(press(&mut daemon, "p").contains("does nothing"));
    assert!(press(&mut daemon, "n").contains("switched on"));
    assert!(press(&mut daemon, "o").contains("away"));
    assert!(press(&mut daemon, "p").contains("bring it back"));
    assert!(press(&mut daemon, "o").contains("back"));
    assert!(press(&mut daemon, "w").contains("wrong key"));
    assert!(press(&mut daemon, "m").contains("A minute passed"));
    daemon.post(WPS);
    press(&mut daemon, "p");
    daemon.wait_for(|status| status["trouble"]["cause"] == "wrong_key");
    assert_eq!(daemon.request("DELETE", WPS, "").0, 204);
    daemon.wait_for_result();
    assert!(press(&mut daemon, "2").contains("second router"));
    daemon.post(WPS);
    assert_eq!(daemon.wait_for_result()["last"]["cause"], "overlap");
    drop(keyboard);
    assert_eq!(daemon.status()["state"], "idle", "a closed keyboard does not end the daemon");
}

/// The page of a real device does not have the panel: see the tests of `wps-http`.
#[test]
fn the_page_of_a_simulated_device_has_a_panel() {
    let daemon = Daemon::start(Stdio::null());
    let (head, page) = daemon.exchange("GET", "/", "");
    let head = head.to_ascii_lowercase();
    for header in
        ["content-type: text/html; charset=utf-8", "cache-control: no-store", "default-src 'none'"]
    {
        assert_eq!(head.matches(header).count(), 1, "{header}: {head}");
    }
    assert!(!head.contains("unsafe") && !page.contains("<style"), "no inline code");
    assert!(page.contains("<script src=\"/app.js\" type=\"module\"></script>"), "{page}");
    assert!(page.find("id=\"sim\"") < page.find("</main>"), "{page}");
    assert_eq!(page.matches("id=\"sim\"").count(), 1, "{page}");
    for (file, content_type) in [("/sim.css", "text/css"), ("/sim.js", "text/javascript")] {
        assert!(page.contains(&format!("=\"{file}\"")), "{page}");
        let (head, _) = daemon.exchange("GET", file, "");
        assert!(head.starts_with("HTTP/1.1 200") && head.contains(content_type), "{head}");
    }
    let buttons =
        page.split("data-sim=\"").skip(1).map(|it| it.split_once('"').expect("a quote").0);
    let buttons: Vec<_> = buttons.collect();
    assert_eq!(buttons, ["press", "second", "power", "wps-off", "wrong-key", "minute"]);
    for button in buttons {
        daemon.post(&format!("/api/v1/sim/{button}"));
    }
}

#[test]
fn a_foreign_page_cannot_send_requests() {
    let daemon = Daemon::start(Stdio::null());
    for path in ["/", "/sim.js"] {
        assert_eq!(daemon.request("GET", path, "Host: evil.example\r\n").0, 404);
    }
    for path in [WPS, "/api/v1/sim/press"] {
        assert_eq!(daemon.request("POST", path, "Origin: http://evil.example\r\n").0, 404);
        assert_eq!(daemon.request("POST", path, "Host: evil.example\r\n").0, 404);
    }
    assert_eq!(daemon.request("GET", "/", "Host: device.example\r\n").0, 200);
    assert!(daemon.status()["last"].is_null());
}

#[test]
fn a_signal_cancels_a_running_pairing() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = Daemon::start(Stdio::null());
        daemon.wait_for(|status| status["state"] == "idle");
        daemon.post(WPS);
        daemon.wait_for(|status| status["state"] == "searching");
        daemon.signal(signal);
        assert_eq!(daemon.exit_code(), Some(0));
        let log = daemon.log();
        let end = log.lines().last().expect("a log");
        assert!(end.contains("Idle") && end.contains("Cancelled"), "{log}");
    }
}

/// Runs `wpsd` with wrong flags and returns its exit code and its error message.
#[track_caller]
fn run_with_error(flags: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = wpsd(flags).output().expect("wpsd starts");
    (status.code(), String::from_utf8(stderr).expect("text"))
}

#[test]
fn a_port_or_address_that_cannot_be_used_is_one_sentence() {
    let daemon = Daemon::start(Stdio::null());
    let (code, message) = run_with_error(&["--listen", &daemon.address.to_string()]);
    assert_eq!((code, message.lines().count()), (Some(1), 1), "{message}");
    assert!(message.contains("another program") && message.contains("--listen"), "{message}");

    let (code, message) = run_with_error(&["--listen", "192.0.2.1:8080"]);
    assert_eq!((code, message.lines().count()), (Some(1), 1), "{message}");
    assert!(message.contains("no such address"), "{message}");
}

#[test]
fn the_cause_of_an_error_is_printed_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let state = directory.path().join("state");
    let state = state.to_str().expect("text");
    let access_point = ["--blank", "access-point", "--access-point-name", "Device"];
    let access_point = [&access_point[..], &["--access-point-key-file", "/nowhere"]].concat();
    let failing: [(&[&str], &str); 3] = [
        (&["--password-file", "/nowhere"], "cannot read /nowhere; see --password-file"),
        (&access_point, "cannot read /nowhere; see --access-point-key-file"),
        (
            &["--interface", "lo", "--control-dir", "/nowhere", "--state-dir", state],
            "wpa_supplicant does not run on this interface (/nowhere/lo: ",
        ),
    ];
    for (flags, expected) in failing {
        // Without a system bus, no other program manages the interface.
        let mut command = wpsd(flags);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus");
        let Output { status, stderr, .. } = command.output().expect("wpsd starts");
        let message = String::from_utf8(stderr).expect("text");
        assert_eq!((status.code(), message.lines().count()), (Some(1), 1), "{message}");
        assert!(message.contains(expected), "{message}");
        let cause = "No such file or directory (os error 2)";
        assert_eq!(message.matches(cause).count(), 1, "{message}");
    }
}

#[test]
fn wrong_flags_are_reported() {
    let wrong: [(&[&str], &str); 7] = [
        (&["--freq-list", "2412"], "--interface"),
        (&["--interface", "wlan0", "--freq-list", "2412 2.4"], "give frequencies in MHz"),
        (&["--interface", "wlan0", "--freq-list", " "], "give frequencies in MHz"),
        (&["--listen", "8080"], "give an IP address and a port"),
        (&["--state-dir", "/tmp"], "--interface"),
        (&["--control-dir", "/tmp"], "--interface"),
        (&["--speed", "9"], "--speed"),
    ];
    for (flags, expected) in wrong {
        let (code, message) = run_with_error(flags);
        assert_eq!(code, Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn wrong_button_and_lamp_flags_are_reported() {
    let wrong: [(&[&str], &str); 9] = [
        (&["--button-line", "17"], "is not a GPIO line: give the chip and the line"),
        (&["--lamp-line", "../tmp:1"], "is not a GPIO line"),
        (&["--button-active-low"], "--button-line"),
        (&["--lamp-active-low"], "--lamp-line"),
        (&["--button-key-code", "30"], "--button-key"),
        (&["--button-key", "x", "--button-key-code", "KEY_NOBODY"], "a key's name or number"),
        (&["--short-press", "cancels"], "[possible values: ignored, starts]"),
        (&["--lamp-led", "../etc"], "is not an LED name"),
        (&["--led-dir", "/tmp"], "--lamp-led"),
    ];
    for (flags, expected) in wrong {
        let (code, message) = run_with_error(flags);
        assert_eq!(code, Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn wrong_factory_settings_flags_are_reported() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str, mode| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("permissions");
        path.to_str().expect("text").to_owned()
    };
    let readable_by_others = file("open", "correct horse\n", 0o644);
    let short = file("short", "1234567\n", 0o600);
    let long = file("endless", &"x".repeat(1_000), 0o600);
    let access_point = ["--blank", "access-point", "--access-point-name", "Device"];
    let with = |more: &[&'static str]| [&access_point[..], more].concat();
    let key = |path: &str| -> Vec<String> {
        let flags = with(&["--access-point-key-file"]).into_iter().map(String::from);
        flags.chain([path.to_owned()]).collect()
    };
    let strings = |flags: &[&str]| flags.iter().copied().map(String::from).collect::<Vec<_>>();

    let sentences = [
        (strings(&access_point), "--access-point-key-file FILE, or --access-point-open"),
        (strings(&["--access-point-name", "Device"]), "give --blank access-point with them"),
        (strings(&["--blank", "off", "--access-point-open"]), "give --blank access-point"),
        (strings(&["--access-point-channel", "6"]), "give --blank access-point with them"),
        (key("/nowhere"), "cannot read /nowhere; see --access-point-key-file"),
        (key(&readable_by_others), "run `chmod 600"),
        (key(&short), "is not a Wi-Fi password: a Wi-Fi password has 8 to 63 characters"),
        (key(&long), "is not a Wi-Fi password"),
    ];
    for (flags, expected) in sentences {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let (code, message) = run_with_error(&flags);
        assert_eq!((code, message.lines().count()), (Some(1), 1), "{flags:?}: {message}");
        assert!(message.contains(expected) && !message.contains("correct"), "{flags:?}: {message}");
    }

    let name = ["--blank", "access-point", "--access-point-open", "--access-point-name"];
    for wrong in ["", "thirty-three bytes are one too many"] {
        let (code, message) = run_with_error(&[&name[..], &[wrong]].concat());
        assert_eq!((code, message.lines().count()), (Some(1), 1), "{message}");
        assert!(message.contains("1 to 32 bytes"), "{message}");
    }
    for (flags, expected) in [
        (with(&["--access-point-open", "--access-point-channel", "0"]), "1..=177"),
        (vec!["--blank", "access-point", "--access-point-open"], "--access-point-name"),
        (with(&["--access-point-open", "--access-point-key-file", "x"]), "cannot be used with"),
        (vec!["--after-failure", "blink"], "[possible values: off, access-point]"),
    ] {
        let (code, message) = run_with_error(&flags);
        assert_eq!(code, Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

/// Creates a file with a secret and these permissions, and returns its path.
fn secret_file(directory: &Path, text: &str, mode: u32) -> String {
    let path = directory.join(format!("{mode:o}-{}", text.len()));
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("permissions");
    path.to_str().expect("text").to_owned()
}

#[test]
fn with_a_password_requests_without_it_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = secret_file(directory.path(), "open, sesame\r\nand a remark\n", 0o600);
    let from_file = wpsd(&["--password-file", &file]);
    let mut from_environment = wpsd(&[]);
    from_environment.env("WPSD_PASSWORD", "open, sesame");
    let mut from_both = wpsd(&["--password-file", &file]);
    from_both.env("WPSD_PASSWORD", "");
    for mut command in [from_file, from_environment, from_both] {
        let mut daemon = Daemon::spawn(&mut command);
        let requests = [
            ("GET", "/"),
            ("GET", "/sim.js"),
            ("GET", WPS),
            ("POST", WPS),
            ("POST", "/api/v1/sim/press"),
        ];
        for (method, path) in requests {
            assert_eq!(daemon.request(method, path, "").0, 401, "{method} {path}");
        }
        assert!(daemon.accepts_password("open, sesame"));
        assert!(!daemon.accepts_password("open, sesame\r"));
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.exit_code(), Some(0));
        let log = daemon.log();
        assert!(!log.contains("sesame") && !log.contains("no password is set"), "{log}");
    }
}

#[test]
fn serving_other_machines_without_a_password_logs_a_warning() {
    let log_of = |flags: &[&str], password: Option<&str>| {
        let mut command = wpsd(flags);
        command.envs(password.map(|it| ("WPSD_PASSWORD", it))).stdout(Stdio::null());
        let mut process = command.spawn().expect("wpsd starts");
        let mut log = BufReader::new(process.stderr.take().expect("piped"));
        let mut text = String::new();
        while !text.contains("serving") && log.read_line(&mut text).is_ok_and(|read| read > 0) {}
        kill_process(Pid::from_child(&process), Signal::TERM).expect("wpsd runs");
        log.read_to_string(&mut text).expect("text");
        process.wait().expect("a child process");
        text
    };
    let has_warning =
        |log: String| log.contains("no password is set") && log.contains("--password-file");
    assert!(has_warning(log_of(&["--listen", "0.0.0.0:0"], None)));
    assert!(!has_warning(log_of(&["--listen", "0.0.0.0:0"], Some("open, sesame"))));
    assert!(!has_warning(log_of(&["--listen", "127.0.0.1:0"], None)));
}

#[test]
fn an_invalid_password_is_reported() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |text: &str, mode| secret_file(directory.path(), text, mode);
    let long = "x".repeat(65);
    let wrong = [
        ("/nowhere".to_owned(), "cannot read /nowhere; see --password-file"),
        (path("open, sesame", 0o604), "run `chmod 600"),
        (path("\nopen, sesame", 0o600), "is not a password: a password has 1 to 64 bytes"),
        (path(&long, 0o600), "is not a password: a password has 1 to 64 bytes"),
    ];
    for (file, expected) in wrong {
        let (code, message) = run_with_error(&["--password-file", &file]);
        assert_eq!((code, message.lines().count()), (Some(1), 1), "{message}");
        assert!(message.contains(expected) && !message.contains("sesame"), "{message}");
    }
    for value in ["", &long] {
        let Output { status, stderr, .. } =
            wpsd(&[]).env("WPSD_PASSWORD", value).output().expect("wpsd starts");
        let message = String::from_utf8(stderr).expect("text");
        assert_eq!((status.code(), message.lines().count()), (Some(1), 1), "{message}");
        assert!(
            message.contains("WPSD_PASSWORD is not a password") && !message.contains("xx"),
            "{message}"
        );
    }
}

/// Starts a daemon whose factory settings are an access point.
fn start_access_point(key: &Path, more: &[&str]) -> Daemon {
    fs::write(key, "on the label\nand a remark\n").expect("a file");
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).expect("permissions");
    let key = key.to_str().expect("text");
    let flags = ["--blank", "access-point", "--access-point-name", "Device"];
    let daemon = Daemon::spawn(
        wpsd(&flags)
            .args(["--access-point-key-file", key, "--access-point-channel", "6"])
            .args(more),
    );
    daemon.wait_for(|status| status["state"] == "idle");
    daemon
}

fn mode(daemon: &Daemon) -> String {
    let (_, system) = daemon.request("GET", "/api/v1/system", "");
    let system: serde_json::Value = serde_json::from_str(&system).expect("JSON");
    system["wifi"]["mode"].as_str().expect("a mode").to_owned()
}

#[test]
fn the_flags_set_the_factory_settings_and_what_follows_a_failure() {
    let directory = tempfile::tempdir().expect("a directory");
    let key = directory.path().join("key");
    let endings: [(&[&str], &str); 3] = [
        (&[], "OFF"),
        (&["--after-failure", "off"], "OFF"),
        (&["--after-failure", "access-point"], "AP"),
    ];
    for (flags, after) in endings {
        let mut daemon = start_access_point(&key, flags);
        assert_eq!(mode(&daemon), "AP");
        daemon.post(WPS);
        daemon.wait_for(|status| status["state"] == "searching");
        assert_eq!(daemon.request("DELETE", WPS, "").0, 204);
        daemon.wait_for_result();
        assert_eq!(mode(&daemon), after, "{flags:?}");
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.exit_code(), Some(0));
        let log = daemon.log();
        assert!(!log.contains("on the label"), "{log}");
    }
}

/// Creates a directory with the files of an LED in sysfs.
fn led() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let led = directory.path().join("green:wps");
    fs::create_dir(&led).expect("an LED");
    for (file, text) in
        [("brightness", "3"), ("max_brightness", "255"), ("trigger", "none [heartbeat]")]
    {
        fs::write(led.join(file), text).expect("its files");
    }
    (directory, led)
}

#[test]
fn an_led_shows_the_status() {
    let (directory, led) = led();
    let brightness = || fs::read_to_string(led.join("brightness")).expect("a number");
    let directory = directory.path().to_str().expect("text");
    let mut daemon = Daemon::spawn(&mut wpsd(&["--lamp-led", "green:wps", "--led-dir", directory]));
    daemon.wait_for(|status| status["state"] == "idle");
    assert_eq!(fs::read_to_string(led.join("trigger")).expect("a trigger"), "none");
    assert_eq!(brightness(), "0");

    daemon.post(WPS);
    for level in ["255", "0", "255", "0"] {
        daemon.wait_for(|_| brightness() == level);
    }
    daemon.post("/api/v1/sim/press");
    daemon.wait_for_result();
    daemon.wait_for(|_| brightness() == "255");

    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit_code(), Some(0));
    assert_eq!(fs::read_to_string(led.join("trigger")).expect("a trigger"), "heartbeat");
    assert_eq!(brightness(), "3");
}

#[test]
fn a_button_or_lamp_that_does_not_work_is_logged_and_pairing_still_works() {
    let (directory, _) = led();
    let directory = directory.path().to_str().expect("text");
    let mut daemon = Daemon::spawn(&mut wpsd(&[
        "--button-key",
        "a name that nobody has",
        "--button-line",
        "gpiochip4711:1",
        "--lamp-led",
        "red:wps",
        "--led-dir",
        directory,
        "--lamp-line",
        "/dev/null:1",
    ]));
    daemon.wait_for(|status| status["state"] == "idle");
    daemon.post(WPS);
    daemon.post("/api/v1/sim/press");
    assert_eq!(daemon.wait_for_result()["last"]["result"], "ok");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit_code(), Some(0));
    let log = daemon.log();
    for line in [
        "no button yet: there is no input device a name that nobody has",
        "going on without the button: there is no GPIO chip /dev/gpiochip4711",
        "going on without the lamp: there is no LED red:wps",
        "going on without the lamp: cannot use line 1 of /dev/null",
    ] {
        assert_eq!(log.matches(line).count(), 1, "{line} in {log}");
    }
}

/// The socket of a service manager, and the lines that it received.
struct ServiceManager {
    socket: UnixDatagram,
    received: Vec<String>,
}

impl ServiceManager {
    fn bind(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("a socket");
        socket.set_read_timeout(Some(STEP_TIMEOUT)).expect("a timeout");
        Self { socket, received: Vec::new() }
    }

    /// Waits for the next message, which has one or more lines.
    fn receive(&mut self) -> String {
        let mut bytes = [0; 1024];
        let length = self.socket.recv(&mut bytes).expect("a message");
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        self.received.extend(text.lines().map(String::from));
        text
    }

    #[track_caller]
    fn wait_for(&mut self, line: &str) {
        while !self.receive().lines().any(|it| it == line) {}
    }
}

#[test]
fn a_service_manager_is_notified() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let mut manager = ServiceManager::bind(&path);
    let mut daemon = Daemon::spawn(
        wpsd(&[])
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "400000")
            .env_remove("WATCHDOG_PID"),
    );
    manager.wait_for("READY=1");
    assert_eq!(manager.received, ["READY=1"], "the first message, when the port is open");
    assert_eq!(daemon.request("GET", WPS, "").0, 200);

    manager.wait_for("STATUS=Not paired");
    for _ in 0..3 {
        let start = Instant::now();
        manager.wait_for("WATCHDOG=1");
        assert!(start.elapsed() < Duration::from_millis(400), "too late");
    }
    daemon.post(WPS);
    manager.wait_for("STATUS=Looking for a router whose WPS button was pressed");
    daemon.post("/api/v1/sim/press");
    manager.wait_for("STATUS=Paired with \"Home\"");

    daemon.signal(Signal::TERM);
    manager.wait_for("STOPPING=1");
    assert_eq!(daemon.exit_code(), Some(0));
    assert_eq!(manager.received.iter().filter(|it| *it == "READY=1").count(), 1);
}

#[test]
fn a_stopped_daemon_does_not_feed_the_watchdog() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let mut manager = ServiceManager::bind(&path);
    let daemon = Daemon::spawn(
        wpsd(&[])
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "200000")
            .env_remove("WATCHDOG_PID"),
    );
    manager.wait_for("WATCHDOG=1");
    daemon.signal(Signal::STOP);
    manager.socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
    while manager.socket.recv(&mut [0; 1024]).is_ok() {} // messages from before the stop
    assert!(manager.socket.recv(&mut [0; 1024]).is_err());
    daemon.signal(Signal::CONT);
    manager.socket.set_read_timeout(Some(STEP_TIMEOUT)).expect("a timeout");
    manager.wait_for("WATCHDOG=1");
}

#[test]
fn a_missing_or_invalid_watchdog_is_ignored() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    for (variable, value) in [
        ("WATCHDOG_USEC", "0"),
        ("WATCHDOG_USEC", "x"),
        ("WATCHDOG_USEC", "1"), // and the service manager does not read
        ("NOTIFY_SOCKET", "/nowhere/notify"),
    ] {
        let _ = fs::remove_file(&path);
        let _manager = ServiceManager::bind(&path);
        let mut daemon = Daemon::spawn(wpsd(&[]).env("NOTIFY_SOCKET", &path).env(variable, value));
        daemon.wait_for(|status| status["state"] == "idle");
        daemon.post(WPS);
        daemon.wait_for(|status| status["seen"] == "not_pressed");
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.exit_code(), Some(0), "{variable}={value}");
    }
}

#[test]
fn the_smallest_program_pairs() {
    let Output { status, stdout, .. } =
        Command::new(env!("CARGO_BIN_EXE_smallest")).output().expect("the program starts");
    let text = String::from_utf8(stdout).expect("text");
    assert!(status.success() && text.contains("Paired with home"), "{text}");
}
