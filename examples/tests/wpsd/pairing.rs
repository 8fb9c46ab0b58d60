//! Pairings with the simulated router, and what the log says about them.

use wps_testkit::daemon::{Daemon, Signal, WPS};

use crate::{demo, start};

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
    let mut daemon = Daemon::spawn(demo(&[]).env("RUST_LOG", "warn"));
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
fn the_cause_of_a_failed_task_is_logged() {
    let mut daemon = start();
    daemon.wait_for(|status| status["state"] == "idle");
    daemon.post("/api/v1/sim/second");
    daemon.post(WPS);
    daemon.wait_for_result();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit_code(), Some(0));
    let log = daemon.log();
    let sentence = "pairing failed: more than one router is pairing. More than one access point is";
    assert_eq!(log.matches(sentence).count(), 1, "{log}");
    // Each access point with the request that chooses it.
    for bssid in ["02:00:00:00:00:00", "02:00:00:00:00:01"] {
        let request = format!("POST /api/v1/wifi/wps with {{\"bssid\": \"{bssid}\"}}");
        assert_eq!(log.matches(&request).count(), 1, "{log}");
    }
}

#[test]
fn a_changed_password_of_the_network_is_shown_and_logged_while_idle() {
    let mut daemon = start();
    daemon.wait_for(|status| status["state"] == "idle");
    daemon.post(WPS);
    daemon.post("/api/v1/sim/press");
    assert_eq!(daemon.wait_for_result()["trouble"], serde_json::Value::Null);

    daemon.post("/api/v1/sim/change-key");
    let status = daemon.wait_for(|status| status["trouble"]["detail"] == "key_refused");
    assert_eq!((&status["state"], &status["ssid"]), (&"idle".into(), &"Home".into()));
    assert_eq!(status["trouble"]["cause"], "wrong_key");
    assert_eq!(status["last"]["result"], "ok", "the result stays");
    daemon.post("/api/v1/sim/change-key");
    daemon.wait_for(|status| status["trouble"].is_null());

    // A pairing that fails does not change that.
    daemon.post("/api/v1/sim/change-key");
    daemon.wait_for(|status| status["trouble"].is_object());
    daemon.post(WPS);
    daemon.wait_for(|status| status["state"] == "searching");
    assert_eq!(daemon.request("DELETE", WPS, "").status(), 204);
    daemon.wait_for(|status| status["state"] == "idle" && status["trouble"].is_object());

    // Pairing again is the way out.
    daemon.post(WPS);
    daemon.post("/api/v1/sim/press");
    daemon.wait_for(|status| status["state"] == "idle" && status["trouble"].is_null());
    assert_eq!(daemon.status()["last"]["result"], "ok");

    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit_code(), Some(0));
    let log = daemon.log();
    let sentence = "the network no longer accepts its saved key. The password of the network was";
    assert!(log.lines().any(|line| line.contains("WARN") && line.contains(sentence)), "{log}");
    assert_eq!(log.matches("the network accepts its key again").count(), 1, "{log}");
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
    for (key, seen) in [("power", "no_router"), ("wps-off", "no_wps")] {
        daemon.wait_for(|status| status["seen"] == "not_pressed");
        daemon.post(&format!("/api/v1/sim/{key}"));
        daemon.wait_for(|status| status["seen"] == seen);
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
