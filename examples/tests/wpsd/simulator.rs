//! The controls of the simulated routers: the panel in the page, and the keys.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};
use wps_testkit::daemon::{Daemon, Response, Signal, WPS};

use crate::{demo, start};

const SETTINGS: &str = "/api/v1/wifi/sta/settings";

#[test]
fn simulated_minutes_can_be_skipped() {
    let daemon = start();
    daemon.wait_for(|status| status["state"] == "idle");
    daemon.post(WPS);
    daemon.wait_for(|status| status["seen"] == "not_pressed");
    daemon.post("/api/v1/sim/minute");
    let left = daemon.status()["remaining_s"].as_u64().expect("a window");
    assert!((50..=60).contains(&left), "{left}");
    daemon.post("/api/v1/sim/minute");
    let last = &daemon.wait_for_result()["last"];
    assert_eq!((&last["cause"], &last["detail"]), (&"timed_out".into(), &"not_pressed".into()));

    // The pairing mode of a router ends after two minutes, too.
    daemon.post("/api/v1/sim/press");
    let is_pressed = || daemon.request("GET", "/api/v1/sim", "").body.contains("\"pressed\":true");
    assert!(is_pressed());
    daemon.post("/api/v1/sim/minute");
    assert!(is_pressed());
    daemon.post("/api/v1/sim/minute");
    daemon.wait_for(|_| !is_pressed());
}

#[test]
fn keys_control_the_simulated_router() {
    let mut daemon = Daemon::spawn(demo(&[]).stdin(Stdio::piped()));
    let mut keyboard = daemon.take_keyboard();
    daemon.wait_for(|status| status["state"] == "idle");
    let mut press = |daemon: &mut Daemon, key: &str| {
        writeln!(keyboard, "{key}").expect("wpsd reads");
        daemon.read_line()
    };
    assert!(press(&mut daemon, "h").contains("p presses"));
    assert!(press(&mut daemon, "what?").contains("p presses"));
    assert!(press(&mut daemon, "n").contains("switched off"));
    assert!(press(&mut daemon, "p").contains("does nothing"));
    assert!(press(&mut daemon, "n").contains("switched on"));
    assert!(press(&mut daemon, "o").contains("away"));
    assert!(press(&mut daemon, "p").contains("bring it back"));
    assert!(press(&mut daemon, "o").contains("back"));
    assert!(press(&mut daemon, "k").contains("is changed"));
    assert!(press(&mut daemon, "k").contains("first password"));
    assert!(press(&mut daemon, "r").contains("does not keep networks"));
    assert!(press(&mut daemon, "w").contains("wrong key"));
    assert!(press(&mut daemon, "m").contains("A minute passed"));
    daemon.post(WPS);
    press(&mut daemon, "p");
    daemon.wait_for(|status| status["trouble"]["cause"] == "wrong_key");
    assert_eq!(daemon.request("DELETE", WPS, "").status(), 204);
    daemon.wait_for_result();
    assert!(press(&mut daemon, "2").contains("second router"));
    daemon.post(WPS);
    assert_eq!(daemon.wait_for_result()["last"]["cause"], "overlap");
    drop(keyboard);
    assert_eq!(daemon.status()["state"], "idle", "a closed keyboard does not end the daemon");
}

fn start_with_platform_that_keeps() -> Daemon {
    Daemon::spawn(&mut demo(&["--platform-keeps-networks"]))
}

/// Returns the names of the networks that the platform keeps, or `null` if it keeps none at all.
fn kept(daemon: &Daemon) -> Value {
    daemon.request("GET", "/api/v1/sim", "").json()["kept"].clone()
}

fn pair(daemon: &Daemon) {
    daemon.wait_for(|status| status["state"] == "idle");
    daemon.post(WPS);
    daemon.wait_for(|status| status["seen"] == "not_pressed");
    daemon.post("/api/v1/sim/press");
    assert_eq!(daemon.wait_for_result()["last"]["result"], "ok");
}

fn stop(daemon: &mut Daemon) -> Option<i32> {
    daemon.signal(Signal::TERM);
    daemon.exit_code()
}

#[test]
fn a_platform_that_keeps_networks_has_the_network_of_a_pairing_until_it_is_removed() {
    let mut daemon = start_with_platform_that_keeps();
    let get_settings = |daemon: &Daemon| daemon.request("GET", SETTINGS, "").json();
    daemon.wait_for(|status| status["state"] == "idle");
    assert_eq!(kept(&daemon), json!([]));
    assert_eq!(get_settings(&daemon), json!({ "enable": false }));
    pair(&daemon);
    assert_eq!(kept(&daemon), json!(["Home"]));
    assert_eq!(
        get_settings(&daemon),
        json!({ "enable": true, "name": "Home", "kept_by": "platform" })
    );

    daemon.post("/api/v1/sim/remove-kept");
    let status = daemon.wait_for(|status| {
        status["state"] == "idle" && status["last"]["cause"] == "network_removed"
    });
    let removed = "the saved network was removed by another program";
    assert_eq!(status["last"]["reason"], removed);
    assert_eq!(status.get("ssid"), None, "{status}");
    assert_eq!(kept(&daemon), json!([]));
    assert_eq!(get_settings(&daemon), json!({ "enable": true }));

    pair(&daemon);
    assert_eq!(kept(&daemon), json!(["Home"]), "the advice is to pair again");
    assert_eq!(stop(&mut daemon), Some(0));
    let log = daemon.log();
    assert!(log.contains(&format!(" {removed}. The device has forgotten the network.")), "{log}");
}

/// Both the record and the platform of a simulation are new at each start.
#[test]
fn after_a_restart_of_a_simulation_no_network_is_missing() {
    let mut daemon = start_with_platform_that_keeps();
    pair(&daemon);
    assert_eq!(stop(&mut daemon), Some(0));
    let daemon = start_with_platform_that_keeps();
    let status = daemon.wait_for(|status| status["state"] == "idle");
    assert_eq!((status.get("last"), status.get("ssid")), (None, None), "{status}");
    assert_eq!(kept(&daemon), json!([]));
}

#[test]
fn on_a_platform_that_keeps_no_networks_the_record_has_the_key() {
    let daemon = start();
    pair(&daemon);
    assert_eq!(kept(&daemon), Value::Null);
    assert_eq!(daemon.request("GET", SETTINGS, "").json()["kept_by"], "record");
    daemon.post("/api/v1/sim/remove-kept");
    assert_eq!(daemon.status()["ssid"], "Home", "there is nothing to remove");
}

/// The page of a real device does not have the panel: see the tests of `wps-http`.
#[test]
fn the_page_of_a_simulated_device_has_a_panel() {
    let daemon = start();
    let Response { head, body: page } = daemon.request("GET", "/", "");
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
        let head = daemon.request("GET", file, "").head;
        assert!(head.starts_with("HTTP/1.1 200") && head.contains(content_type), "{head}");
    }
    let buttons =
        page.split("data-sim=\"").skip(1).map(|it| it.split_once('"').expect("a quote").0);
    let buttons: Vec<_> = buttons.collect();
    let expected =
        ["press", "second", "power", "wps-off", "wrong-key", "change-key", "remove-kept", "minute"];
    assert_eq!(buttons, expected);
    for button in buttons {
        daemon.post(&format!("/api/v1/sim/{button}"));
    }
}
