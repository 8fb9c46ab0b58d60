//! Access control: foreign pages, and the password.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};

use rustix::process::{Pid, kill_process};
use sha2::{Digest, Sha256};
use wps_testkit::daemon::{Daemon, Signal, WPS};
use wps_testkit::hex;

use crate::{demo, run_with_error, start};

#[test]
fn a_foreign_page_cannot_send_requests() {
    let daemon = start();
    for path in ["/", "/sim.js"] {
        assert_eq!(daemon.request("GET", path, "Host: evil.example\r\n").status(), 404);
    }
    for path in [WPS, "/api/v1/sim/press"] {
        assert_eq!(daemon.request("POST", path, "Origin: http://evil.example\r\n").status(), 404);
        assert_eq!(daemon.request("POST", path, "Host: evil.example\r\n").status(), 404);
    }
    assert_eq!(daemon.request("GET", "/", "Host: device.example\r\n").status(), 200);
    assert!(daemon.status()["last"].is_null());
}

/// Returns whether the daemon accepts this password (RFC 7616, SHA-256).
fn accepts_password(daemon: &Daemon, password: &str) -> bool {
    let head = daemon.request("GET", WPS, "").head;
    let line = head.lines().find(|it| it.contains("algorithm=SHA-256")).expect(&head);
    let field = |name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=\"")).expect(name);
        rest.split('"').next().expect("a closing quote")
    };
    let (realm, nonce) = (field("realm"), field("nonce"));
    let hash = |text: String| hex(&Sha256::digest(text));
    let (user_hash, request_hash) =
        (hash(format!(":{realm}:{password}")), hash(format!("GET:{WPS}")));
    let response = hash(format!("{user_hash}:{nonce}:00000001:c:auth:{request_hash}"));
    let header = format!(
        "Authorization: Digest username=\"\", realm=\"{realm}\", nonce=\"{nonce}\", \
         uri=\"{WPS}\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c\", \
         response=\"{response}\"\r\n"
    );
    daemon.request("GET", WPS, &header).status() == 200
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
    let from_file = demo(&["--password-file", &file]);
    let mut from_environment = demo(&[]);
    from_environment.env("WPSD_PASSWORD", "open, sesame");
    let mut from_both = demo(&["--password-file", &file]);
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
            assert_eq!(daemon.request(method, path, "").status(), 401, "{method} {path}");
        }
        assert!(accepts_password(&daemon, "open, sesame"));
        assert!(!accepts_password(&daemon, "open, sesame\r"));
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.exit_code(), Some(0));
        let log = daemon.log();
        assert!(!log.contains("sesame") && !log.contains("no password is set"), "{log}");
    }
}

#[test]
fn serving_other_machines_without_a_password_logs_a_warning() {
    let log_of = |flags: &[&str], password: Option<&str>| {
        let mut command = demo(flags);
        command.envs(password.map(|it| ("WPSD_PASSWORD", it)));
        command.stdout(Stdio::null()).stderr(Stdio::piped());
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
            demo(&[]).env("WPSD_PASSWORD", value).output().expect("wpsd starts");
        let message = String::from_utf8(stderr).expect("text");
        assert_eq!((status.code(), message.lines().count()), (Some(1), 1), "{message}");
        assert!(
            message.contains("WPSD_PASSWORD is not a password") && !message.contains("xx"),
            "{message}"
        );
    }
}
