//! Every request gets a response, and no foreign page can move the radio.

use proptest::prelude::*;
use wps_core::{Cause, Instant, RequestError, Settings};
use wps_http::{Action, AllowedHosts, BUFFER, Outcome, Reply, Request, View, finish, handle};

const NAMES: [&str; 1] = ["gadget"];

fn view() -> View<'static> {
    let allowed_hosts = AllowedHosts { names: &NAMES, ..AllowedHosts::default() };
    View { allowed_hosts, now: Instant::from_millis(7), ..View::default() }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("Host".to_owned()),
        Just("Origin".to_owned()),
        Just("Sec-Fetch-Site".to_owned()),
        Just("Content-Length".to_owned()),
        Just("Content-Type".to_owned()),
        ".{0,12}",
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let near = r"(http://|https://)?(gadget|evil\.example|\[[0-9a-f:.]{0,12}\]|[0-9.]{0,12})\.?(:[0-9+]{0,6})?";
    prop_oneof![
        near.prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..40),
        "[0-9]{0,30}".prop_map(String::into_bytes),
        Just(b"application/json".to_vec()),
    ]
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("/api/v1/wifi/wps".to_owned()),
        Just("/api/v1/wifi/sta/settings".to_owned()),
        "(http://)?[a-z.:/?#\\[\\]@*]{0,20}",
        ".{0,40}",
    ]
}

fn method() -> impl Strategy<Value = String> {
    prop_oneof!["POST|PUT|DELETE", "[A-Z]{0,8}"]
}

proptest! {
    #[test]
    fn every_request_gets_a_response(
        method in method(),
        target in target(),
        headers in proptest::collection::vec((name(), value()), 0..6),
        body in r#".{0,40}|\{"(bssid|name)":".{0,20}"\}"#,
        space in 0..=BUFFER,
        too_large: bool,
    ) {
        let line = Request::new(&method, &target);
        let mut request = headers.iter().fold(line, |it, (name, value)| it.header(name, value));
        request = request.with_body(body.as_bytes());
        if too_large {
            request = request.with_body_too_large();
        }
        let mut buffer = vec![0; space];
        let response = match handle(&request, &view(), &mut buffer) {
            Reply::Response(response) => response,
            Reply::Action(_) => {
                let refused = Outcome::Started(Err(RequestError::Failed(Cause::Store)));
                finish(&request, &view(), &refused, &mut buffer)
            }
        };
        prop_assert!((200..600).contains(&response.status()));
        if space == BUFFER {
            prop_assert_ne!(response.status(), 500);
        }
    }

    /// Restates the rule for the simplest host: only its own origin is allowed, case-insensitively.
    #[test]
    fn no_other_origin_can_move_the_radio(
        origin in value(),
        action in "POST|DELETE",
        path in "/api/v1/wifi/(wps|sta/settings)",
    ) {
        let body = match &*path {
            "/api/v1/wifi/wps" => r#"{"bssid":"02:00:00:00:00:01"}"#,
            _ => r#"{"enable":true,"name":"home","password":""}"#,
        };
        let settings = Settings::Off { remembered: None };
        let view = View { settings: Some(&settings), ..view() };
        let request = Request::new(&action, &path)
            .with_body(body.as_bytes())
            .header("Content-Type", b"application/json")
            .header("Host", b"gadget")
            .header("Origin", &origin);
        let moves = matches!(
            handle(&request, &view, &mut [0; BUFFER]),
            Reply::Action(Action::Start | Action::StartWith(_) | Action::Cancel | Action::Configure(_))
        );
        let text = String::from_utf8_lossy(origin.trim_ascii()).to_ascii_lowercase();
        let own_origins = ["http://gadget", "http://gadget.", "http://gadget:", "http://gadget.:"];
        let port = text.rsplit_once(':').filter(|(_, port)| port.parse() == Ok(80_u32));
        let without_port = port.map_or(&*text, |(rest, _)| rest);
        prop_assert_eq!(moves, own_origins[..2].contains(&without_port) || own_origins[2..].contains(&&*text));
    }
}
