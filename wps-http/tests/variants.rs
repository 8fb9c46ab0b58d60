//! Every phase, cause and error of `wps-core` has its own text here. In `wps-core` these enums are
//! `#[non_exhaustive]`, so each `match` on them has a catch-all. No present variant may reach it.

use std::collections::BTreeSet;

use serde_json::Value;
use wps_core::driver::SearchProgress;
use wps_core::sim::samples;
use wps_core::wsc::{Bssid, Router};
use wps_core::{
    ADVICE_AFTER_OPEN, Cause, ErrorKind, Instant, Mode, Phase, RequestError, Ssid, Status,
    TaskKind, TaskResult,
};
use wps_core::{Cipher, Link, Security};
use wps_http::{BUFFER, Outcome, Reply, Request, View, event, finish, handle};

const NOW: Instant = Instant::from_millis(1_000);

fn get(path: &str, view: &View<'_>) -> Value {
    let request = Request::new("GET", path).header("Host", b"127.0.0.1");
    let mut buffer = [0; BUFFER];
    let Reply::Response(response) = handle(&request, view, &mut buffer) else {
        panic!("{path} needs no action")
    };
    assert_eq!(response.status(), 200);
    serde_json::from_slice(response.body()).expect("JSON")
}

fn status(status: &Status) -> Value {
    get("/api/v1/wifi/wps", &View { now: NOW, status: Some(status), ..View::default() })
}

/// Returns the words that the API's own description lists for a property, as in
/// `Status/properties/state`.
fn described(property: &str) -> BTreeSet<String> {
    let description = get("/api/v1/openapi.json", &View::default());
    let schema = description["components"]["schemas"].pointer(&format!("/{property}"));
    let words = schema.and_then(|schema| schema["enum"].as_array()).expect(property);
    words.iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
}

fn words(values: impl IntoIterator<Item = Value>) -> BTreeSet<String> {
    let word = |value: Value| value.as_str().expect("a word").to_owned();
    values.into_iter().map(word).collect()
}

#[test]
fn each_phase_has_its_word() {
    let states = samples::phases().map(|phase| {
        // Without a network of its own, only `joining` names one.
        let is_joining = matches!(phase, Phase::Joining { .. });
        let shown = status(&Status::new(phase, Mode::Station));
        assert_eq!(shown["ssid"].is_string(), is_joining, "{shown}");
        shown["state"].clone()
    });
    let mut expected = described("Status/properties/state");
    assert!(expected.remove("starting"), "the only state without a status");
    assert_eq!(words(states), expected);
}

#[test]
fn each_progress_has_its_word() {
    let seen = samples::search_progress().map(|progress| {
        let mut searching = Status::new(Phase::Searching, Mode::Station);
        searching.progress = progress;
        status(&searching)["seen"].clone()
    });
    assert_eq!(words(seen), described("Status/properties/seen"));
}

#[test]
fn each_cause_of_each_task_has_its_word_its_reason_and_its_advice() {
    let (mut tasks, mut causes) = (BTreeSet::new(), BTreeSet::new());
    let mut details = BTreeSet::new();
    let (mut reasons, mut advice) = (BTreeSet::new(), BTreeSet::new());
    for &task in TaskKind::ALL {
        for &cause in Cause::ALL {
            let mut failed = Status::new(Phase::Idle, Mode::Station);
            failed.last = Some(TaskResult::new(task, Err(cause), NOW));
            failed.trouble = Some(cause);
            let shown = status(&failed);
            assert_eq!(shown["last"]["result"], "failed");
            for field in ["cause", "detail", "reason", "advice"] {
                assert_eq!(shown["last"][field], shown["trouble"][field], "{shown}");
            }
            assert_eq!(shown["last"]["advice"], task.advice(cause));
            let text = |field: &str| shown["last"][field].as_str().expect(field).to_owned();
            tasks.insert(text("task"));
            causes.insert(text("cause"));
            details.extend(shown["last"].get("detail").map(|_| text("detail")));
            assert_eq!(shown["last"]["detail"].as_str(), cause.detail());
            reasons.insert(text("reason"));
            advice.insert((text("task"), text("advice")));
        }
        let mut succeeded = Status::new(Phase::Idle, Mode::Station);
        succeeded.last = Some(TaskResult::new(task, Ok(()), NOW));
        let succeeded = status(&succeeded);
        assert_eq!(succeeded["last"]["result"], "ok");
        assert_eq!(succeeded["last"].get("detail"), None);
    }
    assert_eq!(tasks, described("Status/properties/last/properties/task"));
    assert_eq!(causes, described("Cause"));
    assert_eq!(details, described("Detail"));
    assert_eq!(reasons.len(), Cause::ALL.len());
    assert_eq!(advice.len(), Cause::ALL.len() * TaskKind::ALL.len());
}

#[test]
fn an_open_network_and_a_router_that_was_never_set_up_are_said_to_be() {
    let mut paired = Status::new(Phase::Idle, Mode::Station);
    let mut last = TaskResult::new(TaskKind::Pair, Ok(()), NOW);
    paired.last = Some(last);
    assert_eq!(status(&paired)["last"].get("open"), None);
    last.is_open = true;
    paired.last = Some(last);
    assert_eq!(status(&paired)["last"]["open"], true);
    assert_eq!(status(&paired)["last"]["advice"], ADVICE_AFTER_OPEN);

    let mut searching = Status::new(Phase::Searching, Mode::Station);
    searching.progress = SearchProgress::NotPressed;
    assert_eq!(status(&searching).get("unconfigured"), None);
    searching.progress = SearchProgress::NotConfigured { ssid: Ssid::new(b"new").ok() };
    let shown = status(&searching);
    assert_eq!(shown["seen"], "not_pressed");
    assert_eq!(shown["unconfigured"]["ssid"], "new");
    assert_eq!(shown.get("ssid"), None, "it is not the router to pair with");
    searching.phase = Phase::Idle;
    assert_eq!(status(&searching).get("unconfigured"), None);
}

/// Each name has the longest form in JSON.
#[test]
fn of_the_pressed_access_points_as_many_are_listed_as_fit() {
    let pressed = |name: &[u8]| {
        let mut overlap = Status::new(Phase::Idle, Mode::Station);
        let cause = Cause::Driver(ErrorKind::Overlap);
        overlap.last = Some(TaskResult::new(TaskKind::Pair, Err(cause), NOW));
        for number in 0..8 {
            overlap.pressed.record(&Router {
                bssid: Bssid([2, 0, 0, 0, 0, number]),
                frequency_mhz: [2412, 5180, 5955, 1][usize::from(number % 4)],
                ssid: Ssid::new(name).ok(),
                uuid: None,
                signal_dbm: -i16::from(number),
            });
        }
        let shown = status(&overlap);
        assert_eq!(shown["last"]["cause"], "overlap");
        let view = View { status: Some(&overlap), ..View::default() };
        let mut buffer = [0; BUFFER];
        let event = event(&view, &mut buffer).strip_prefix(b"data: ").expect("an event");
        let event: Value = serde_json::from_slice(event).expect("JSON");
        let [shown, event] = [shown, event].map(|it| it["pressed"].as_array().unwrap().clone());
        assert!(shown.starts_with(&event), "the strongest");
        (shown, event)
    };
    let (shown, event) = pressed("FRITZ!Box 7590 AX".as_bytes());
    assert_eq!((shown.len(), event.len()), (8, 8));
    assert_eq!(shown[1]["band"], "5 GHz");
    assert_eq!(shown[1]["bssid"], "020000000001");
    assert_eq!(shown[3].get("band"), None, "no channel of any band");
    for name in [[1; 32], [0xff; 32]] {
        let (shown, event) = pressed(&name);
        assert!((3..8).contains(&shown.len()) && (3..8).contains(&event.len()));
        assert_eq!(shown[0]["bssid"], "020000000000");
    }
}

#[test]
fn the_page_knows_the_results_that_nobody_has_requested() {
    let page = include_str!("../assets/app.js");
    let (_, rest) = page.split_once("const UNREQUESTED = ").expect("a list");
    let (list, _) = rest.split_once(';').expect("its end");
    let listed: BTreeSet<String> = serde_json::from_str(list).expect("a list of words");
    let is_requested = |cause| TaskResult::new(TaskKind::Configure, Err(cause), NOW).is_requested();
    let unrequested = Cause::ALL.iter().filter(|cause| !is_requested(**cause));
    assert_eq!(listed, unrequested.map(|cause| cause.name().to_owned()).collect());
}

#[test]
fn each_request_error_has_its_sentence() {
    let detail = |error| {
        let request = Request::new("POST", "/api/v1/wifi/wps");
        let mut buffer = [0; BUFFER];
        let outcome = Outcome::Started(Err(error));
        let response = finish(&request, &View::default(), &outcome, &mut buffer);
        assert_eq!(response.status(), 503);
        let is_worth_retrying = response.headers().any(|(name, _)| name == "retry-after");
        let unsupported = RequestError::Failed(Cause::Driver(ErrorKind::Unsupported));
        assert_eq!(is_worth_retrying, error != unsupported);
        let problem: Value = serde_json::from_slice(response.body()).expect("JSON");
        problem["detail"].as_str().expect("a sentence").to_owned()
    };
    let details: BTreeSet<_> = samples::request_errors().map(detail).into();
    assert_eq!(details.len(), samples::request_errors().len());
    for text in details {
        assert!(!text.contains("did not accept this"), "the catch-all: {text}");
    }
    for &cause in Cause::ALL {
        assert_eq!(detail(RequestError::Failed(cause)), cause.advice());
    }
}

#[test]
fn each_security_and_cipher_has_its_word() {
    let wifi = |link: Link| {
        let request = Request::new("GET", "/api/v1/system");
        let mut buffer = [0; BUFFER];
        let response = finish(&request, &View::default(), &Outcome::Link(Some(link)), &mut buffer);
        let system: Value = serde_json::from_slice(response.body()).expect("JSON");
        system["wifi"].clone()
    };
    let auth_modes = Security::ALL.iter().map(|security| {
        wifi(Link { security: Some(*security), ..Link::default() })["auth_mode"].clone()
    });
    let mut expected = described("System/properties/wifi/properties/auth_mode");
    assert!(expected.remove("other"), "the catch-all");
    assert_eq!(words(auth_modes), expected);

    let ciphers = Cipher::ALL.iter().map(|cipher| {
        let wifi = wifi(Link {
            pairwise_cipher: Some(*cipher),
            group_cipher: Some(*cipher),
            ..Link::default()
        });
        assert_eq!(wifi["pairwise_cipher"], wifi["group_cipher"]);
        wifi["pairwise_cipher"].clone()
    });
    let mut expected = described("System/properties/wifi/properties/pairwise_cipher");
    assert!(expected.remove("other"), "the catch-all");
    assert_eq!(words(ciphers), expected);
}
