//! The flags of the factory settings, and of what follows a failure.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use wps_testkit::daemon::{Daemon, Signal, WPS};

use crate::{demo, run_with_error};

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

/// Starts a daemon whose factory settings are an access point.
fn start_access_point(key: &Path, more: &[&str]) -> Daemon {
    fs::write(key, "on the label\nand a remark\n").expect("a file");
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).expect("permissions");
    let key = key.to_str().expect("text");
    let flags = ["--blank", "access-point", "--access-point-name", "Device"];
    let daemon = Daemon::spawn(
        demo(&flags)
            .args(["--access-point-key-file", key, "--access-point-channel", "6"])
            .args(more),
    );
    daemon.wait_for(|status| status["state"] == "idle");
    daemon
}

fn mode(daemon: &Daemon) -> String {
    let system = daemon.request("GET", "/api/v1/system", "").json();
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
        assert_eq!(daemon.request("DELETE", WPS, "").status(), 204);
        daemon.wait_for_result();
        assert_eq!(mode(&daemon), after, "{flags:?}");
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.exit_code(), Some(0));
        let log = daemon.log();
        assert!(!log.contains("on the label"), "{log}");
    }
}
