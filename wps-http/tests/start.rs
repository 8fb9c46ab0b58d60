//! Starts with one access point: what the body may be, and complete pairings from the request on.
//! The transcripts have more bodies, and the responses.

mod common;

use std::net::SocketAddr;

use common::Situation::{NotPressed, Off};
use common::World;
use common::wire::{Client, with_picoserve_server, with_server};
use proptest::prelude::*;
use serde_json::{Value, json};
use wps_core::Phase;
use wps_core::sim::Router;
use wps_core::wsc::Bssid;
use wps_http::axum::Limits;
use wps_http::{Action, BUFFER, MAX_BODY, Reply, Request, View, handle};

const PATH: &str = "/api/v1/wifi/wps";
const JSON: [(&str, &str); 2] = [("Host", "gadget"), ("Content-Type", "application/json")];

/// Returns the action that a body asks for, or `None` if it is refused.
fn action(body: &[u8]) -> Option<Action> {
    let request = Request::new("POST", PATH)
        .header("Host", b"127.0.0.1")
        .header("Content-Type", b"application/json")
        .with_body(body);
    match handle(&request, &View::default(), &mut [0; BUFFER]) {
        Reply::Action(action) => Some(action),
        Reply::Response(response) => {
            assert_eq!(response.status(), 400);
            None
        }
    }
}

/// Restates the rule with another JSON parser.
fn check(body: &[u8]) {
    let action = action(body);
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(fields)) => match (fields.get("bssid"), action) {
            (None, action) => assert_eq!(action, Some(Action::Start)),
            (Some(Value::String(text)), Some(Action::StartWith(Bssid(bytes)))) => {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(text.replace(':', "").to_lowercase(), digits);
            }
            (Some(_), None) => {}
            (Some(_), action) => panic!("{action:?}"),
        },
        Ok(_) => assert_eq!(action, None),
        Err(_) if body.is_empty() => assert_eq!(action, Some(Action::Start)),
        Err(_) => assert_eq!(action, None),
    }
}

#[test]
fn an_access_point_is_given_as_it_is_printed_or_as_a_scan_shows_it() {
    let bssid = Bssid([0x02, 0, 0, 0, 0x01, 0xaf]);
    for text in [bssid.to_string(), "02:00:00:00:01:AF".into(), "0200000001AF".into()] {
        let body = json!({ "bssid": text }).to_string();
        assert_eq!(action(body.as_bytes()), Some(Action::StartWith(bssid)), "{body}");
    }
}

#[test]
fn nesting_needs_no_stack() {
    for brackets in ["[", "{", "[{", "{\"a\":["] {
        let unclosed = brackets.repeat(MAX_BODY / brackets.len());
        assert_eq!(action(unclosed.as_bytes()), None);
        assert_eq!(action(format!("{{\"a\":{unclosed}").as_bytes()), None);
    }
    for (depth, is_accepted) in [(126, true), (127, false), (MAX_BODY / 3, false)] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        let body = format!(r#"{{"a":{open}{close},"bssid":"02:00:00:00:00:01"}}"#);
        check(body.as_bytes());
        let choice = Action::StartWith(Bssid([2, 0, 0, 0, 0, 1]));
        assert_eq!(action(body.as_bytes()), is_accepted.then_some(choice), "{depth}");
        let body = format!(r#"{{"a":{open}{close},"bssid":{open}{close}}}"#);
        assert_eq!(action(body.as_bytes()), None);
    }
}

/// Otherwise the device could pair with any router, although the request has named one.
#[test]
fn a_damaged_body_starts_nothing() {
    let complete = br#" {"a":[{"b":-1.5e+3},true,"\u00e9"],"bssid":"02:00:00:00:00:01"}"#;
    assert!(matches!(action(complete), Some(Action::StartWith(_))));
    for length in 1..complete.len() {
        assert_eq!(action(&complete[..length]), None, "{length}");
    }
    let with_mark = [b"\xef\xbb\xbf", &complete[..]].concat();
    assert_eq!(action(&with_mark), None, "a byte order mark");
    for end in ["}", ",", "x", "{}", "\0"] {
        assert_eq!(action(&[complete, end.as_bytes()].concat()), None, "{end}");
    }
    for place in 0..complete.len() {
        for wrong in [b'\xff', b'\0', b'"', b'{', b']', b'0', b' '] {
            let mut body = complete.to_vec();
            body[place] = wrong;
            check(&body);
        }
    }
}

#[test]
fn numbers_are_checked_as_another_parser_checks_them() {
    for number in ["0", "-0", "10", "1.50", "1e5", "0E-1", "1.0e+01"] {
        assert_eq!(action(format!(r#"{{"a":{number} }}"#).as_bytes()), Some(Action::Start));
    }
    for number in ["", "-", "00", "01", "+1", ".5", "1.", "1e", "1e+", "1e1.5", "--1", "0x1", "1 2"]
    {
        assert_eq!(action(format!(r#"{{"a":{number}}}"#).as_bytes()), None, "{number}");
    }
}

proptest! {
    #[test]
    fn noise_is_read_as_another_parser_reads_it(
        body in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        check(&body);
    }

    #[test]
    fn nearly_valid_json_is_read_as_another_parser_reads_it(
        members in proptest::collection::vec(
            (
                r#" ?"(bssid|b\\u0073sid|BSSID|a|\\"|\\\\|)" ?"#,
                r#" ?(-?[0-9.]{1,3}|[0-9][eE][+-]?[0-9]|null|true|nul|"[0-9a-f:]{0,18}"|"([0-9A-F]{2}:){5}[0-9a-f]{2}"|"[0-9A-F]{12}"|"[,}{"\\\]\[:]{0,4}"|\[(\{"bssid":"[,}]"\})?\]|[]{}",\\]) ?"#,
            ),
            0..4,
        ),
        end in r#"\}|\} ?|,\}|\]||\}x"#,
    ) {
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        check(format!("{{{}{end}", members.join(",")).as_bytes());
    }
}

/// Presses the buttons of two routers and starts with one of them, over a socket. Returns the
/// status at the end.
async fn pair_with(world: World, address: SocketAddr, body: &str) -> Value {
    world.air.add_router(Router::new(b"neighbour", b"battery staple"));
    world.air.press_button(b"home");
    world.air.press_button(b"neighbour");
    let mut client = Client::to(address).await;
    assert_eq!(client.request_with_body("POST", PATH, &JSON, body).await.status, 204);
    world.until(|status| status.phase == Phase::Idle).await;
    let status = Client::to(address).await.request("GET", PATH, &JSON).await;
    serde_json::from_str(&status.body).expect("JSON")
}

fn check_joined(status: &Value, ssid: &str) {
    assert_eq!((&status["last"]["result"], &status["ssid"]), (&json!("ok"), &json!(ssid)));
}

#[tokio::test]
async fn two_pressed_routers_are_no_overlap_if_one_is_chosen() {
    for (bssid, ssid) in [("02:00:00:00:00:00", "home"), ("02:00:00:00:00:01", "neighbour")] {
        let body = &json!({ "bssid": bssid }).to_string();
        World::run(Off, async |world| {
            let routes = world.axum_routes(axum::Router::new());
            let pair = async |address| pair_with(world, address, body).await;
            check_joined(&with_server(routes, Limits::default(), pair).await, ssid);
        })
        .await;
        World::run(Off, async |world| {
            let pair = async |address| pair_with(world, address, body).await;
            let server = world.picoserve_server(None);
            check_joined(&with_picoserve_server(&server, pair).await, ssid);
        })
        .await;
    }
}

#[tokio::test]
async fn a_second_start_with_another_access_point_changes_nothing() {
    World::run(NotPressed, async |world| {
        let routes = world.axum_routes(axum::Router::new());
        with_server(routes, Limits::default(), async |address| {
            let body = r#"{"bssid":"02:00:00:00:00:01"}"#;
            let status = pair_with(world, address, body).await;
            assert_eq!(status["last"]["cause"], "overlap", "the first start was with any router");
        })
        .await;
    })
    .await;
}
