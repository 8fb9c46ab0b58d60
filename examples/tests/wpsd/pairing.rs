//! Pairings with the simulated router, and what the log says about them.

use wps_testkit::daemon::{Daemon, Signal, WPS};

use crate::{start, wpsd};

#[test]
fn a_post_and_a_button_press_pair_the_device() {
    let mut daemon = start();
    daemon.wait_for(|status| status["state"] == "idle");
    daemon.post(WPS);
    assert!(daemon.status()["remaining_s"].as_u64().is_some_and(|it| it >= 118));
    daemon.wait_for(|status| status["seen"] == "not_pressed");
    daemon.post("/api/v1/sim/press");
    let status = daemon.wait_for_result();
    assert_eq!((&status["last"]["result"], &status["ssid"]), (&"ok".into(), &"Home".into()));
    let system = daemon.request("GET", "/api/v1/system", "").json();
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
    let daemon = start();
    daemon.wait_for(|status| status["state"] == "idle");
    daemon.post(WPS);
    daemon.wait_for(|status| status["state"] == "searching");
    assert_eq!(daemon.request("DELETE", WPS, "").status(), 204);
    assert_eq!(daemon.wait_for_result()["last"]["cause"], "cancelled");
}

#[test]
fn two_pressed_routers_are_an_overlap() {
    let daemon = start();
    daemon.wait_for(|status| status["state"] == "idle");
    daemon.post("/api/v1/sim/second");
    daemon.post(WPS);
    assert_eq!(daemon.wait_for_result()["last"]["cause"], "overlap");
}

#[test]
fn a_router_without_wps_or_power_is_not_found() {
    let daemon = start();
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
fn a_signal_cancels_a_running_pairing() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = start();
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
