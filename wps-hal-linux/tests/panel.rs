//! A real key (uinput) that controls `wpsd` on a simulated radio, in the radio lab.
//!
//! `lab/test` runs these tests and puts `wpsd` into the same directory.

mod lab;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use evdev::uinput::VirtualDevice;
use evdev::{AttributeSet, EventType, InputEvent, KeyCode};
use lab::{in_lab, run, status, until};

/// How long one step of a test may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(40);
/// How long a key is held for a long press.
const LONG_PRESS_DELAY: Duration = Duration::from_millis(3_300);
/// The name of the input device.
const NAME: &str = "lab panel";
const LOG: &str = "/run/lab/panel.log";
const WPS: &str = "http://127.0.0.1:8080/api/v1/wifi/wps";

/// A virtual input device. Dropping it unplugs it.
struct Button(VirtualDevice);

impl Button {
    /// Plugs in a device with these keys.
    fn plug(keys: &[KeyCode]) -> Self {
        assert!(in_lab(), "these tests run in the radio lab only");
        run("modprobe -a uinput evdev");
        until(STEP_TIMEOUT, "uinput", || Path::new("/dev/uinput").exists().then_some(()));
        let keys: AttributeSet<KeyCode> = keys.iter().copied().collect();
        let builder = VirtualDevice::builder().expect("uinput").name(NAME);
        let mut device = builder.with_keys(&keys).expect("keys").build().expect("an input device");
        until(STEP_TIMEOUT, "the device node", || {
            let nodes = device.enumerate_dev_nodes_blocking().ok()?;
            nodes.flatten().find(|path| path.exists()).map(drop)
        });
        Self(device)
    }

    /// Plugs in a device with the WPS key and another one.
    fn wps() -> Self {
        Self::plug(&[KeyCode::KEY_WPS_BUTTON, KeyCode::KEY_A])
    }

    /// Returns the path of the device node.
    fn node(&mut self) -> String {
        let mut nodes = self.0.enumerate_dev_nodes_blocking().expect("nodes").flatten();
        nodes.next().expect("a node").display().to_string()
    }

    /// Emits a key event: 1 is press, 0 is release, 2 is the kernel's repetition.
    fn emit(&mut self, key: KeyCode, value: i32) {
        let event = InputEvent::new(EventType::KEY.0, key.code(), value);
        self.0.emit(&[event]).expect("a device");
    }

    fn press(&mut self) {
        self.emit(KeyCode::KEY_WPS_BUTTON, 1);
    }

    fn release(&mut self) {
        self.emit(KeyCode::KEY_WPS_BUTTON, 0);
    }

    fn press_long(&mut self) {
        self.press();
        sleep(LONG_PRESS_DELAY);
        self.release();
    }
}

/// A running `wpsd`.
struct Daemon(Child);

impl Daemon {
    fn start(flags: &[&str]) -> Self {
        assert!(in_lab(), "these tests run in the radio lab only");
        fs::create_dir_all("/run/lab").expect("a folder");
        let log = fs::File::create(LOG).expect("a log");
        let program = std::env::current_exe().expect("this program").with_file_name("wpsd");
        let mut command = Command::new(program);
        command.arg("demo").args(flags).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let daemon = Self(command.spawn().expect("wpsd starts"));
        until(STEP_TIMEOUT, "wpsd is idle", || (state()? == "idle").then_some(()));
        daemon
    }

    /// Returns the processor time used so far, in seconds.
    fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).expect("a process");
        let (_, rest) = stat.rsplit_once(')').expect("a name");
        let ticks = rest.split_whitespace().skip(11).take(2);
        ticks.map(|it| it.parse::<f64>().expect("a number")).sum::<f64>() / 100.0
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn state() -> Option<String> {
    status("state")
}

#[track_caller]
fn wait_for(wanted: &str) {
    until(STEP_TIMEOUT, wanted, || state().filter(|state| state == wanted));
}

fn log() -> String {
    fs::read_to_string(LOG).expect("a log")
}

#[track_caller]
fn wait_for_log(text: &str, times: usize) {
    until(STEP_TIMEOUT, text, || (log().matches(text).count() == times).then_some(()));
}

#[test]
fn a_long_press_starts_and_a_long_press_cancels() {
    let mut button = Button::wps();
    let _daemon = Daemon::start(&["--button-key", NAME]);
    wait_for_log("the button is KEY_WPS_BUTTON", 1);

    button.press();
    sleep(Duration::from_millis(500));
    button.release();
    sleep(LONG_PRESS_DELAY);
    assert_eq!(state().as_deref(), Some("idle"), "a short press does nothing");

    button.press();
    // Hold the key. Meanwhile the kernel repeats it, and another key is pressed.
    for _ in 0..33 {
        sleep(LONG_PRESS_DELAY / 33);
        button.emit(KeyCode::KEY_WPS_BUTTON, 2);
        button.emit(KeyCode::KEY_A, 1);
        button.emit(KeyCode::KEY_A, 0);
    }
    wait_for("searching");
    sleep(LONG_PRESS_DELAY);
    assert_eq!(state().as_deref(), Some("searching"), "one press is one pairing");
    button.release();

    button.press_long();
    until(STEP_TIMEOUT, "cancelled", || (status("cause")? == "cancelled").then_some(()));
}

#[test]
fn a_short_press_starts_if_configured() {
    let mut button = Button::wps();
    let node = button.node();
    let _daemon = Daemon::start(&["--button-key", &node, "--short-press", "starts"]);
    wait_for_log("the button is KEY_WPS_BUTTON", 1);
    // As fast as possible. The kernel debounces keys, so every event counts.
    button.press();
    button.release();
    wait_for("searching");
}

#[test]
fn another_key_starts_if_configured() {
    let mut button = Button::wps();
    let _daemon = Daemon::start(&["--button-key", NAME, "--button-key-code", "30"]);
    wait_for_log("the button is KEY_A", 1);
    button.press_long();
    sleep(Duration::from_secs(1));
    assert_eq!(state().as_deref(), Some("idle"));
    button.emit(KeyCode::KEY_A, 1);
    wait_for("searching");
}

#[test]
fn an_input_device_can_be_unplugged_and_plugged_in_again() {
    let daemon = Daemon::start(&["--button-key", NAME]);
    wait_for_log("no button yet: there is no input device lab panel", 1);

    let mut button = Button::wps();
    wait_for_log("the button is KEY_WPS_BUTTON", 1);
    button.press_long();
    wait_for("searching");

    button.press(); // unplugged while the key is held
    drop(button);
    wait_for_log("the button's input device is gone", 1);
    let before = daemon.cpu_seconds();
    sleep(Duration::from_secs(5));
    assert!(daemon.cpu_seconds() - before < 1.0, "it waits without a busy loop");
    assert_eq!(state().as_deref(), Some("searching"));
    assert_eq!(log().matches("no button yet").count(), 2, "logged once each time: {}", log());

    let mut button = Button::wps();
    wait_for_log("the button is KEY_WPS_BUTTON", 2);
    button.press_long();
    until(STEP_TIMEOUT, "cancelled", || (status("cause")? == "cancelled").then_some(()));
}

#[test]
fn a_key_held_at_the_start_does_nothing_until_it_is_released() {
    let mut button = Button::wps();
    button.press();
    let _daemon = Daemon::start(&["--button-key", NAME]);
    wait_for_log("the button is KEY_WPS_BUTTON", 1);
    sleep(LONG_PRESS_DELAY);
    button.emit(KeyCode::KEY_WPS_BUTTON, 2);
    sleep(LONG_PRESS_DELAY);
    assert_eq!(state().as_deref(), Some("idle"));
    button.release();
    button.press_long();
    wait_for("searching");
}

#[test]
fn a_device_without_the_key_is_reported_and_http_still_works() {
    let _button = Button::plug(&[KeyCode::KEY_A]);
    let _daemon = Daemon::start(&["--button-key", NAME]);
    wait_for_log("has no key KEY_WPS_BUTTON: choose another key", 1);
    run(&format!("curl -s -S -f -m 5 -X POST {WPS}"));
    wait_for("searching");
}
