//! The daemon as its users have it: a process, its port, its keys, its exit code.

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

/// Nothing here takes that long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);
const WPS: &str = "/api/v1/wifi/wps";

fn wpsd(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wpsd"));
    command.args(flags);
    for variable in ["RUST_LOG", "NOTIFY_SOCKET", "WPSD_PASSWORD"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running daemon with a simulated radio; killed when dropped.
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
        let mut process = command.args(["--listen", "127.0.0.1:0"]).spawn().expect("it starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
        let mut lines = String::new();
        for _ in 0..3 {
            stdout.read_line(&mut lines).expect("three lines that say what to do");
        }
        let address = lines.split_once("http://").and_then(|(_, rest)| rest.split_once(' '));
        let address = address.and_then(|(address, _)| address.parse().ok()).expect(&lines);
        Self { process, address, stdout }
    }

    fn ask(&self, method: &str, path: &str, headers: &str) -> (u16, String) {
        let (head, body) = self.exchange(method, path, headers);
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect(&head);
        (status, body)
    }

    fn exchange(&self, method: &str, path: &str, headers: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let host = if headers.contains("Host:") { "" } else { "Host: 127.0.0.1\r\n" };
        write!(stream, "{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n")
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole header");
        (head.to_owned(), body.to_owned())
    }

    /// Whether this password opens the door (RFC 7616, SHA-256).
    fn opens(&self, password: &str) -> bool {
        let (head, _) = self.exchange("GET", WPS, "");
        let line = head.lines().find(|it| it.contains("algorithm=SHA-256")).expect(&head);
        let field = |name: &str| {
            let (_, rest) = line.split_once(&format!("{name}=\"")).expect(name);
            rest.split('"').next().expect("its end")
        };
        let (realm, nonce) = (field("realm"), field("nonce"));
        let hash = |text: String| -> String {
            Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let (who, what) = (hash(format!(":{realm}:{password}")), hash(format!("GET:{WPS}")));
        let response = hash(format!("{who}:{nonce}:00000001:c:auth:{what}"));
        let answer = format!(
            "Authorization: Digest username=\"\", realm=\"{realm}\", nonce=\"{nonce}\", \
             uri=\"{WPS}\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c\", \
             response=\"{response}\"\r\n"
        );
        self.ask("GET", WPS, &answer).0 == 200
    }

    fn status(&self) -> serde_json::Value {
        let (status, body) = self.ask("GET", WPS, "");
        assert_eq!(status, 200);
        serde_json::from_str(&body).expect("JSON")
    }

    fn post(&self, path: &str) {
        assert_eq!(self.ask("POST", path, "").0, 204, "{path}");
    }

    #[track_caller]
    fn until(&self, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let begin = Instant::now();
        loop {
            let status = self.status();
            if wanted(&status) {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "never came: {status}");
            sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn until_ended(&self) -> serde_json::Value {
        self.until(|status| status["state"] == "idle" && status["last"].is_object())
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.process);
        kill_process(id, signal).expect("it runs");
    }

    #[track_caller]
    fn exit_code(&mut self) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("our own child") {
                return status.code();
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end");
            sleep(Duration::from_millis(20));
        }
    }

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
fn a_post_and_a_press_pair_the_device() {
    let mut daemon = Daemon::start(Stdio::null());
    daemon.until(|status| status["state"] == "idle");
    daemon.post(WPS);
    assert!(daemon.status()["remaining_s"].as_u64().is_some_and(|it| it >= 118));
    daemon.until(|status| status["seen"] == "not_pressed");
    daemon.post("/api/v1/sim/press");
    let status = daemon.until_ended();
    assert_eq!((&status["last"]["result"], &status["ssid"]), (&"ok".into(), &"Home".into()));
    let (_, system) = daemon.ask("GET", "/api/v1/system", "");
    let system: serde_json::Value = serde_json::from_str(&system).expect("JSON");
    assert_eq!(system["wifi"]["ssid"], "Home");

    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit_code(), Some(0));
    let log = daemon.log();
    assert!(log.contains("Joining"), "{log}");
    assert!(!log.contains("correct horse"), "{log}");
}

#[test]
fn a_delete_cancels() {
    let daemon = Daemon::start(Stdio::null());
    daemon.until(|status| status["state"] == "idle");
    daemon.post(WPS);
    daemon.until(|status| status["state"] == "searching");
    assert_eq!(daemon.ask("DELETE", WPS, "").0, 204);
    assert_eq!(daemon.until_ended()["last"]["cause"], "cancelled");
}

#[test]
fn minutes_can_pass_at_once() {
    let daemon = Daemon::start(Stdio::null());
    daemon.until(|status| status["state"] == "idle");
    daemon.post(WPS);
    daemon.until(|status| status["seen"] == "not_pressed");
    daemon.post("/api/v1/sim/minute");
    let left = daemon.status()["remaining_s"].as_u64().expect("a window");
    assert!((50..=60).contains(&left), "{left}");
    daemon.post("/api/v1/sim/minute");
    assert_eq!(daemon.until_ended()["last"]["cause"], "timed_out");

    // A router, too, pairs for two minutes only.
    daemon.post("/api/v1/sim/press");
    let pressed = || daemon.ask("GET", "/api/v1/sim", "").1.contains("\"pressed\":true");
    assert!(pressed());
    daemon.post("/api/v1/sim/minute");
    assert!(pressed());
    daemon.post("/api/v1/sim/minute");
    daemon.until(|_| !pressed());
}

#[test]
fn two_pressed_routers_are_an_overlap() {
    let daemon = Daemon::start(Stdio::null());
    daemon.until(|status| status["state"] == "idle");
    daemon.post("/api/v1/sim/second");
    daemon.post(WPS);
    assert_eq!(daemon.until_ended()["last"]["cause"], "overlap");
}

#[test]
fn a_router_without_wps_or_power_is_not_in_sight() {
    let daemon = Daemon::start(Stdio::null());
    daemon.until(|status| status["state"] == "idle");
    daemon.post(WPS);
    for key in ["power", "wps-off"] {
        daemon.until(|status| status["seen"] == "not_pressed");
        daemon.post(&format!("/api/v1/sim/{key}"));
        daemon.until(|status| status["seen"] == "no_router");
        daemon.post(&format!("/api/v1/sim/{key}"));
    }
    daemon.until(|status| status["seen"] == "not_pressed");
}

#[test]
fn keys_play_the_router() {
    let mut daemon = Daemon::start(Stdio::piped());
    let mut keyboard: ChildStdin = daemon.process.stdin.take().expect("piped");
    daemon.until(|status| status["state"] == "idle");
    let mut press = |daemon: &mut Daemon, key: &str| {
        writeln!(keyboard, "{key}").expect("it reads");
        let mut said = String::new();
        daemon.stdout.read_line(&mut said).expect("it says what happened");
        said
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
    daemon.until(|status| status["trouble"]["cause"] == "wrong_key");
    assert_eq!(daemon.ask("DELETE", WPS, "").0, 204);
    daemon.until_ended();
    assert!(press(&mut daemon, "2").contains("second router"));
    daemon.post(WPS);
    assert_eq!(daemon.until_ended()["last"]["cause"], "overlap");
    drop(keyboard);
    assert_eq!(daemon.status()["state"], "idle", "a closed keyboard ends nothing");
}

#[test]
fn a_foreign_page_cannot_play() {
    let daemon = Daemon::start(Stdio::null());
    for path in [WPS, "/api/v1/sim/press"] {
        assert_eq!(daemon.ask("POST", path, "Origin: http://evil.example\r\n").0, 404);
        assert_eq!(daemon.ask("POST", path, "Host: evil.example\r\n").0, 404);
    }
    assert_eq!(daemon.ask("GET", "/", "Host: device.example\r\n").0, 200);
    assert!(daemon.status()["last"].is_null());
}

#[test]
fn a_signal_ends_a_pairing_by_the_failure_rule() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = Daemon::start(Stdio::null());
        daemon.until(|status| status["state"] == "idle");
        daemon.post(WPS);
        daemon.until(|status| status["state"] == "searching");
        daemon.signal(signal);
        assert_eq!(daemon.exit_code(), Some(0));
        let log = daemon.log();
        let end = log.lines().last().expect("a log");
        assert!(end.contains("Idle") && end.contains("Cancelled"), "{log}");
    }
}

/// Exit code and what was said, which is one line.
#[track_caller]
fn refused(flags: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = wpsd(flags).output().expect("it starts");
    (status.code(), String::from_utf8(stderr).expect("text"))
}

#[test]
fn what_cannot_be_is_one_sentence() {
    let daemon = Daemon::start(Stdio::null());
    let (code, said) = refused(&["--listen", &daemon.address.to_string()]);
    assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("another program") && said.contains("--listen"), "{said}");

    let (code, said) = refused(&["--listen", "192.0.2.1:8080"]);
    assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("no such address"), "{said}");
}

#[test]
fn wrong_flags_are_told() {
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
        let (code, said) = refused(flags);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn wrong_flags_of_the_panel_are_told() {
    let wrong: [(&[&str], &str); 9] = [
        (&["--button-line", "17"], "is no GPIO line: give the chip and the line"),
        (&["--lamp-line", "../tmp:1"], "is no GPIO line"),
        (&["--button-active-low"], "--button-line"),
        (&["--lamp-active-low"], "--lamp-line"),
        (&["--button-key-code", "30"], "--button-key"),
        (&["--button-key", "x", "--button-key-code", "KEY_NOBODY"], "a key's name or number"),
        (&["--short-press", "cancels"], "[possible values: ignored, starts]"),
        (&["--lamp-led", "../etc"], "is no name of an LED"),
        (&["--led-dir", "/tmp"], "--lamp-led"),
    ];
    for (flags, expected) in wrong {
        let (code, said) = refused(flags);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn wrong_flags_of_a_new_device_are_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str, mode| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its owner");
        path.to_str().expect("text").to_owned()
    };
    let open = file("open", "correct horse\n", 0o644);
    let short = file("short", "1234567\n", 0o600);
    let endless = file("endless", &"x".repeat(1_000), 0o600);
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
        (key(&open), "run `chmod 600"),
        (key(&short), "is no Wi-Fi password: a Wi-Fi password has 8 to 63 characters"),
        (key(&endless), "is no Wi-Fi password"),
    ];
    for (flags, expected) in sentences {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let (code, said) = refused(&flags);
        assert_eq!((code, said.lines().count()), (Some(1), 1), "{flags:?}: {said}");
        assert!(said.contains(expected) && !said.contains("correct"), "{flags:?}: {said}");
    }

    let name = ["--blank", "access-point", "--access-point-open", "--access-point-name"];
    for wrong in ["", "thirty-three bytes are one too many"] {
        let (code, said) = refused(&[&name[..], &[wrong]].concat());
        assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.contains("1 to 32 bytes"), "{said}");
    }
    for (flags, expected) in [
        (with(&["--access-point-open", "--access-point-channel", "0"]), "1..=177"),
        (vec!["--blank", "access-point", "--access-point-open"], "--access-point-name"),
        (with(&["--access-point-open", "--access-point-key-file", "x"]), "cannot be used with"),
        (vec!["--after-failure", "blink"], "[possible values: off, access-point]"),
    ] {
        let (code, said) = refused(&flags);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

/// A file that only its owner reads, unless `mode` says otherwise.
fn secret(directory: &Path, text: &str, mode: u32) -> String {
    let path = directory.join(format!("{mode:o}-{}", text.len()));
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its owner");
    path.to_str().expect("text").to_owned()
}

#[test]
fn a_password_keeps_everybody_else_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = secret(directory.path(), "open, sesame\r\nand a remark\n", 0o600);
    let from_file = wpsd(&["--password-file", &file]);
    let mut from_environment = wpsd(&[]);
    from_environment.env("WPSD_PASSWORD", "open, sesame");
    let mut from_both = wpsd(&["--password-file", &file]);
    from_both.env("WPSD_PASSWORD", "");
    for mut command in [from_file, from_environment, from_both] {
        let mut daemon = Daemon::spawn(&mut command);
        let shut = [("GET", "/"), ("GET", WPS), ("POST", WPS), ("POST", "/api/v1/sim/press")];
        for (method, path) in shut {
            assert_eq!(daemon.ask(method, path, "").0, 401, "{method} {path}");
        }
        assert!(daemon.opens("open, sesame"));
        assert!(!daemon.opens("open, sesame\r"));
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.exit_code(), Some(0));
        let log = daemon.log();
        assert!(!log.contains("sesame") && !log.contains("no password is set"), "{log}");
    }
}

#[test]
fn without_a_password_it_is_said_where_others_can_come_in() {
    let log_of = |flags: &[&str], password: Option<&str>| {
        let mut command = wpsd(flags);
        command.envs(password.map(|it| ("WPSD_PASSWORD", it))).stdout(Stdio::null());
        let mut process = command.spawn().expect("it starts");
        let mut log = BufReader::new(process.stderr.take().expect("piped"));
        let mut said = String::new();
        while !said.contains("serving") && log.read_line(&mut said).is_ok_and(|read| read > 0) {}
        kill_process(Pid::from_child(&process), Signal::TERM).expect("it runs");
        log.read_to_string(&mut said).expect("text");
        process.wait().expect("our own child");
        said
    };
    let is_told =
        |log: String| log.contains("no password is set") && log.contains("--password-file");
    assert!(is_told(log_of(&["--listen", "0.0.0.0:0"], None)));
    assert!(!is_told(log_of(&["--listen", "0.0.0.0:0"], Some("open, sesame"))));
    assert!(!is_told(log_of(&["--listen", "127.0.0.1:0"], None)));
}

#[test]
fn what_cannot_be_a_password_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |text: &str, mode| secret(directory.path(), text, mode);
    let long = "x".repeat(65);
    let wrong = [
        ("/nowhere".to_owned(), "cannot read /nowhere; see --password-file"),
        (path("open, sesame", 0o604), "run `chmod 600"),
        (path("\nopen, sesame", 0o600), "is no password: a password has 1 to 64 bytes"),
        (path(&long, 0o600), "is no password: a password has 1 to 64 bytes"),
    ];
    for (file, expected) in wrong {
        let (code, said) = refused(&["--password-file", &file]);
        assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.contains(expected) && !said.contains("sesame"), "{said}");
    }
    for value in ["", &long] {
        let Output { status, stderr, .. } =
            wpsd(&[]).env("WPSD_PASSWORD", value).output().expect("it starts");
        let said = String::from_utf8(stderr).expect("text");
        assert_eq!((status.code(), said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.contains("WPSD_PASSWORD is no password") && !said.contains("xx"), "{said}");
    }
}

/// A daemon that begins as an access point.
fn access_point(key: &Path, more: &[&str]) -> Daemon {
    fs::write(key, "on the label\nand a remark\n").expect("a file");
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).expect("its owner");
    let key = key.to_str().expect("text");
    let flags = ["--blank", "access-point", "--access-point-name", "Device"];
    let daemon = Daemon::spawn(
        wpsd(&flags)
            .args(["--access-point-key-file", key, "--access-point-channel", "6"])
            .args(more),
    );
    daemon.until(|status| status["state"] == "idle");
    daemon
}

fn mode(daemon: &Daemon) -> String {
    let (_, system) = daemon.ask("GET", "/api/v1/system", "");
    let system: serde_json::Value = serde_json::from_str(&system).expect("JSON");
    system["wifi"]["mode"].as_str().expect("a mode").to_owned()
}

#[test]
fn a_new_device_begins_as_asked_and_fails_as_asked() {
    let directory = tempfile::tempdir().expect("a directory");
    let key = directory.path().join("key");
    let endings: [(&[&str], &str); 3] = [
        (&[], "OFF"),
        (&["--after-failure", "off"], "OFF"),
        (&["--after-failure", "access-point"], "AP"),
    ];
    for (flags, after) in endings {
        let mut daemon = access_point(&key, flags);
        assert_eq!(mode(&daemon), "AP");
        daemon.post(WPS);
        daemon.until(|status| status["state"] == "searching");
        assert_eq!(daemon.ask("DELETE", WPS, "").0, 204);
        daemon.until_ended();
        assert_eq!(mode(&daemon), after, "{flags:?}");
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.exit_code(), Some(0));
        let log = daemon.log();
        assert!(!log.contains("on the label"), "{log}");
    }
}

/// An LED like the kernel's.
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
fn an_led_tells_how_it_goes() {
    let (directory, led) = led();
    let brightness = || fs::read_to_string(led.join("brightness")).expect("a number");
    let directory = directory.path().to_str().expect("text");
    let mut daemon = Daemon::spawn(&mut wpsd(&["--lamp-led", "green:wps", "--led-dir", directory]));
    daemon.until(|status| status["state"] == "idle");
    assert_eq!(fs::read_to_string(led.join("trigger")).expect("a trigger"), "none");
    assert_eq!(brightness(), "0");

    daemon.post(WPS);
    for level in ["255", "0", "255", "0"] {
        daemon.until(|_| brightness() == level);
    }
    daemon.post("/api/v1/sim/press");
    daemon.until_ended();
    daemon.until(|_| brightness() == "255");

    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit_code(), Some(0));
    assert_eq!(fs::read_to_string(led.join("trigger")).expect("a trigger"), "heartbeat");
    assert_eq!(brightness(), "3");
}

#[test]
fn a_panel_that_does_not_work_is_told_and_the_rest_goes_on() {
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
    daemon.until(|status| status["state"] == "idle");
    daemon.post(WPS);
    daemon.post("/api/v1/sim/press");
    assert_eq!(daemon.until_ended()["last"]["result"], "ok");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit_code(), Some(0));
    let log = daemon.log();
    for told in [
        "no button yet: there is no input device a name that nobody has",
        "going on without the button: there is no GPIO chip /dev/gpiochip4711",
        "going on without the lamp: there is no LED red:wps",
        "going on without the lamp: cannot use line 1 of /dev/null",
    ] {
        assert_eq!(log.matches(told).count(), 1, "{told} in {log}");
    }
}

/// What a service manager hears.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        Self { socket, heard: Vec::new() }
    }

    /// The next message, one line or more.
    fn next(&mut self) -> String {
        let mut bytes = [0; 1024];
        let length = self.socket.recv(&mut bytes).expect("it says something");
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        self.heard.extend(text.lines().map(String::from));
        text
    }

    #[track_caller]
    fn wait_for(&mut self, line: &str) {
        while !self.next().lines().any(|it| it == line) {}
    }
}

#[test]
fn a_service_manager_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let mut manager = Manager::at(&path);
    let mut daemon = Daemon::spawn(
        wpsd(&[])
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "400000")
            .env_remove("WATCHDOG_PID"),
    );
    manager.wait_for("READY=1");
    assert_eq!(manager.heard, ["READY=1"], "first of all, and the port is open:");
    assert_eq!(daemon.ask("GET", WPS, "").0, 200);

    manager.wait_for("STATUS=Not paired");
    for _ in 0..3 {
        let begin = Instant::now();
        manager.wait_for("WATCHDOG=1");
        assert!(begin.elapsed() < Duration::from_millis(400), "too late");
    }
    daemon.post(WPS);
    manager.wait_for("STATUS=Looking for a router whose WPS button was pressed");
    daemon.post("/api/v1/sim/press");
    manager.wait_for("STATUS=Paired with \"Home\"");

    daemon.signal(Signal::TERM);
    manager.wait_for("STOPPING=1");
    assert_eq!(daemon.exit_code(), Some(0));
    assert_eq!(manager.heard.iter().filter(|it| *it == "READY=1").count(), 1);
}

#[test]
fn a_daemon_that_stands_still_is_not_alive() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let mut manager = Manager::at(&path);
    let daemon = Daemon::spawn(
        wpsd(&[])
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "200000")
            .env_remove("WATCHDOG_PID"),
    );
    manager.wait_for("WATCHDOG=1");
    daemon.signal(Signal::STOP);
    manager.socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a time limit");
    while manager.socket.recv(&mut [0; 1024]).is_ok() {} // said before it stopped
    assert!(manager.socket.recv(&mut [0; 1024]).is_err());
    daemon.signal(Signal::CONT);
    manager.socket.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    manager.wait_for("WATCHDOG=1");
}

#[test]
fn without_a_watchdog_or_with_nonsense_it_just_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    for (variable, value) in [
        ("WATCHDOG_USEC", "0"),
        ("WATCHDOG_USEC", "x"),
        ("WATCHDOG_USEC", "1"), // and the manager does not listen
        ("NOTIFY_SOCKET", "/nowhere/notify"),
    ] {
        let _ = fs::remove_file(&path);
        let _manager = Manager::at(&path);
        let mut daemon = Daemon::spawn(wpsd(&[]).env("NOTIFY_SOCKET", &path).env(variable, value));
        daemon.until(|status| status["state"] == "idle");
        daemon.post(WPS);
        daemon.until(|status| status["seen"] == "not_pressed");
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.exit_code(), Some(0), "{variable}={value}");
    }
}

#[test]
fn the_smallest_program_pairs() {
    let Output { status, stdout, .. } =
        Command::new(env!("CARGO_BIN_EXE_smallest")).output().expect("it starts");
    let said = String::from_utf8(stdout).expect("text");
    assert!(status.success() && said.contains("Paired with home"), "{said}");
}
