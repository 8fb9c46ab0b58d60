//! Checks that the daemon never prints a password while it pairs, fails and is set up by hand: not
//! in its log at the highest level, on the terminal, in a response or in an event.

use serde_json::Value;
use wps_testkit::daemon::{Daemon, WPS, collect, command};

const SETTINGS: &str = "/api/v1/wifi/sta/settings";

/// The passwords of the simulated routers, the wrong key, and the password that the test types in.
const SECRETS: [&str; 4] =
    ["correct horse", "battery staple", "not the right key", "typed by hand"];

/// Returns the condition that the device is idle after a task with this result, or this cause of a
/// failure.
fn ended(how: &str) -> impl Fn(&Value) -> bool {
    move |status| {
        let last = &status["last"];
        status["state"] == "idle" && (last["result"] == how || last["cause"] == how)
    }
}

#[test]
fn the_daemon_never_prints_a_secret() {
    check_all_outputs(&["--name", "device.example"]);
}

#[test]
fn the_daemon_never_prints_a_secret_of_a_kept_network() {
    check_all_outputs(&["--platform-keeps-networks"]);
}

fn check_all_outputs(flags: &[&str]) {
    let mut command = command(env!("CARGO_BIN_EXE_wpsd"));
    let command = command.arg("demo").args(flags).env("RUST_LOG", "trace");
    let daemon = Daemon::spawn(command);
    let wait_for =
        |is_wanted: &dyn Fn(&Value) -> bool| daemon.wait_for_response(is_wanted).to_string();
    let post = |path: &str| daemon.post(path).to_string();
    let mut all = vec![wait_for(&|status| status["state"] == "idle")];
    let events = collect(daemon.send("GET", "/api/v1/wifi/wps/events", "", ""));

    // A pairing that succeeds.
    all.push(post(WPS));
    post("/api/v1/sim/press");
    all.push(wait_for(&ended("ok")));
    // A pairing with a wrong key that is cancelled.
    post("/api/v1/sim/wrong-key");
    all.push(post(WPS));
    post("/api/v1/sim/press");
    all.push(wait_for(&|status| status["trouble"]["cause"] == "wrong_key"));
    all.push(daemon.request("DELETE", WPS, "").to_string());
    all.push(wait_for(&ended("cancelled")));
    // A pairing that ends because two routers were pressed.
    post("/api/v1/sim/second");
    all.push(post(WPS));
    all.push(wait_for(&ended("overlap")));
    // What a platform keeps is removed.
    post("/api/v1/sim/remove-kept");
    // Settings by hand, valid and invalid.
    for body in [
        r#"{"enable":true,"name":"Home","password":"typed by hand"}"#,
        r#"{"enable":true,"name":"Home","password":"typed by hand"#,
        r#"{"enable":true,"name":"Home","password":"typed by hand\u0000"}"#,
        r#"{"enable":"typed by hand"}"#,
    ] {
        all.push(daemon.request_with_json("PUT", SETTINGS, body).to_string());
    }
    all.push(daemon.request("GET", &format!("{WPS}?password=typed%20by%20hand"), "").to_string());
    // All paths except `/api/v1/sim`, which shows the label of the simulated router.
    for path in ["/", "/app.js", SETTINGS, "/api/v1/system", "/api/v1/wifi/scan"] {
        all.push(daemon.request("GET", path, "").to_string());
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
