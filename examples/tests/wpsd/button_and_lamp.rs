//! The button and the lamp.

use std::fs;
use std::path::PathBuf;

use wps_testkit::daemon::{Daemon, Signal, WPS};

use crate::demo;

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
    let mut daemon = Daemon::spawn(&mut demo(&["--lamp-led", "green:wps", "--led-dir", directory]));
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
    let mut daemon = Daemon::spawn(&mut demo(&[
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
