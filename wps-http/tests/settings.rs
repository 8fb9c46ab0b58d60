//! The station's network set by hand: what each request makes of the settings that are there, and the
//! whole way from a request to a network joined, or to the previous settings.

mod common;

use std::time::Duration;

use common::Situation::{ByHand, Hotspot, Off};
use common::wire::{Client, served};
use common::{World, hotspot, network};
use proptest::prelude::*;
use serde_json::{Value, json};
use wps_core::{Clock, Credentials, Mode, Phase, Settings};
use wps_http::axum::Limits;
use wps_http::{Action, BUFFER, Reply, Request, View, handle};

const PATH: &str = "/api/v1/wifi/sta/settings";

/// The settings that a request leads to, or its problem.
fn asked(view: &View<'_>, method: &str, body: &[u8]) -> Result<Settings, (u16, String)> {
    let request = Request::new(method, PATH).header("Host", b"127.0.0.1").with_body(body);
    match handle(&request, view, &mut [0; BUFFER]) {
        Reply::Do(Action::Configure(settings)) => Ok(settings),
        Reply::Do(action) => panic!("{action:?}"),
        Reply::Done(response) => {
            let problem: Value = serde_json::from_slice(response.body()).expect("JSON");
            Err((response.status(), problem["detail"].as_str().expect("a detail").into()))
        }
    }
}

fn from(settings: &Settings, method: &str, body: &str) -> Result<Settings, (u16, String)> {
    asked(&View { settings: Some(settings), ..View::default() }, method, body.as_bytes())
}

fn home() -> Credentials {
    network(b"home", b"correct horse")
}

fn on() -> Settings {
    Settings::Station { network: home() }
}

fn off(remembered: Option<Credentials>) -> Settings {
    Settings::Off { remembered }
}

fn own(remembered: Option<Credentials>) -> Settings {
    Settings::AccessPoint { access_point: hotspot(), remembered }
}

#[test]
fn post_overwrites_all() {
    let full = r#"{"enable":true,"name":"other","password":"battery staple"}"#;
    let saved = r#"{"enable":false,"name":"other","password":"battery staple"}"#;
    let other = network(b"other", b"battery staple");
    for before in [on(), off(None), off(Some(home())), own(Some(home())), Settings::Platform] {
        let wanted = Settings::Station { network: other.clone() };
        assert_eq!(from(&before, "POST", full), Ok(wanted), "{before:?}");
    }
    for before in [on(), off(None), off(Some(home())), Settings::Platform] {
        assert_eq!(from(&before, "POST", saved), Ok(off(Some(other.clone()))), "{before:?}");
    }
    assert_eq!(from(&own(Some(home())), "POST", saved), Ok(own(Some(other))));
    for part in [
        r#"{"enable":true,"name":"home"}"#,
        r#"{"enable":true,"password":"battery staple"}"#,
        r#"{"name":"home","password":"battery staple"}"#,
        "{}",
    ] {
        let (status, detail) = from(&on(), "POST", part).expect_err(part);
        assert!(status == 400 && detail.contains("all three"), "{detail}");
    }
}

#[test]
fn put_leaves_what_is_not_given() {
    let put = |before: &Settings, body| from(before, "PUT", body).map_err(|(status, _)| status);
    let open = Settings::Station { network: network(b"home", b"") };
    assert_eq!(put(&on(), r#"{"enable":false}"#), Ok(off(Some(home()))));
    assert_eq!(put(&off(Some(home())), r#"{"enable":true}"#), Ok(on()));
    assert_eq!(put(&own(Some(home())), r#"{"enable":true}"#), Ok(on()));
    assert_eq!(put(&own(Some(home())), r#"{"enable":false}"#), Ok(own(Some(home()))));
    assert_eq!(put(&on(), r#"{"name":"home"}"#), Ok(on()), "the password stays with its name");
    assert_eq!(put(&on(), r#"{"name_hex":"686f6D65"}"#), Ok(on()));
    assert_eq!(put(&on(), r#"{"password":""}"#), Ok(open));
    assert_eq!(
        put(&off(Some(home())), r#"{"password":"battery staple"}"#),
        Ok(off(Some(network(b"home", b"battery staple"))))
    );
    assert_eq!(
        put(&own(None), r#"{"name":"home","password":"correct horse"}"#),
        Ok(own(Some(home())))
    );
    assert_eq!(
        put(&Settings::Platform, r#"{"name":"home","password":"correct horse"}"#),
        Ok(on()),
        "the platform's station is on"
    );
    assert_eq!(put(&on(), r#"{"name":"other"}"#), Err(400), "another network, another password");
    assert_eq!(put(&off(None), r#"{"name":"other"}"#), Err(400));
    assert_eq!(put(&off(None), r#"{"password":"battery staple"}"#), Err(400));
    assert_eq!(put(&off(None), r#"{"enable":true}"#), Err(400));
    assert_eq!(put(&on(), "{}"), Err(400));
}

#[test]
fn delete_forgets() {
    for before in [on(), off(Some(home())), Settings::Platform] {
        assert_eq!(from(&before, "DELETE", "ignored"), Ok(off(None)), "{before:?}");
    }
    assert_eq!(from(&own(Some(home())), "DELETE", ""), Ok(own(None)));
}

#[test]
fn a_platform_with_networks_of_its_own_needs_no_name() {
    let ask = |has_platform, settings| {
        let view = View { settings: Some(&settings), has_platform, ..View::default() };
        asked(&view, "PUT", br#"{"enable":true}"#).map_err(|(status, _)| status)
    };
    assert_eq!(ask(true, off(None)), Ok(Settings::Platform));
    assert_eq!(ask(true, own(None)), Ok(Settings::Platform));
    assert_eq!(ask(true, off(Some(home()))), Ok(on()), "what is remembered comes first");
    assert_eq!(ask(false, off(None)), Err(400));
}

#[test]
fn while_something_is_under_way_only_good_requests_are_told_to_wait() {
    let ask = |method, body: &str| asked(&View::default(), method, body.as_bytes());
    let status = |method, body| ask(method, body).expect_err("no settings").0;
    assert_eq!(status("PUT", r#"{"enable":false}"#), 503);
    assert_eq!(status("DELETE", ""), 503);
    assert_eq!(status("PUT", r#"{"name":"home","password":""}"#), 503);
    assert_eq!(status("PUT", r#"{"enable":0}"#), 400);
    // What needs nothing of before is for the machine to judge.
    let whole = r#"{"enable":true,"name":"home","password":"correct horse"}"#;
    assert!(matches!(ask("POST", whole), Ok(settings) if settings == on()));
}

#[test]
fn names_and_passwords_are_what_they_can_be() {
    let name = |text: &str| {
        let body = format!(r#"{{"enable":true,"name":"{text}","password":""}}"#);
        from(&off(None), "POST", &body).ok().and_then(|it| it.network().map(|it| it.ssid.clone()))
    };
    let bytes = |text: &str| name(text).map(|it| it.as_bytes().to_vec());
    assert_eq!(bytes(r#"\" \\ \/ \b\f\n\r\t"#), Some(b"\" \\ / \x08\x0c\n\r\t".to_vec()));
    assert_eq!(bytes(r"caf\u00e9 \u0000"), Some("café \0".into()));
    assert_eq!(bytes(r"\ud83c\udfe0"), Some("🏠".into()));
    assert_eq!(bytes("zuhause 🏠"), Some("zuhause 🏠".into()));
    assert_eq!(bytes(&"x".repeat(32)), Some([b'x'; 32].to_vec()));
    assert_eq!(bytes(&r"\u0078".repeat(32)), Some([b'x'; 32].to_vec()));
    let bad = [
        "",
        &"x".repeat(33),
        &"🏠".repeat(9),
        "\n",
        r"\x41",
        r"\u004",
        r"\u+041",
        r"\u00g1",
        r"\ud83c",
        r"\udfe0",
        r"\ud83cx",
        r"\ud83c\u0041",
        r"\ud83c\ud83c",
        r"\ud83c\",
    ];
    for text in bad {
        assert_eq!(bytes(text), None, "{text:?}");
    }

    let key = |text: &str| {
        let body = format!(r#"{{"enable":true,"name":"x","password":"{text}"}}"#);
        from(&off(None), "POST", &body).is_ok()
    };
    for good in ["", "12345678", &"x".repeat(63), &"aF09".repeat(16), "pässwörd", r"123456\u00e9"]
    {
        assert!(key(good), "{good:?}");
    }
    for bad in ["1234567", &"x".repeat(64), &"x".repeat(65), r"1234567\n", r"1234567\u007f"] {
        assert!(!key(bad), "{bad:?}");
    }

    let digits = |text: &str| {
        let body = format!(r#"{{"enable":true,"name_hex":"{text}","password":""}}"#);
        let settings = from(&off(None), "POST", &body).ok();
        settings.and_then(|it| it.network().map(|it| it.ssid.as_bytes().to_vec()))
    };
    assert_eq!(digits("00fFA9"), Some(vec![0, 0xff, 0xa9]));
    assert_eq!(digits(&"00".repeat(32)), Some(vec![0; 32]));
    for bad in ["", "0", "000", "0g", "+0", &"00".repeat(33)] {
        assert_eq!(digits(bad), None, "{bad:?}");
    }
}

#[test]
fn anything_else_is_refused() {
    let bad = [
        "",
        " ",
        "null",
        "true",
        "[]",
        "[true]",
        r#""enable""#,
        "{",
        r#"{"enable":true"#,
        r#"{"enable":true}x"#,
        r#"{"enable":true},"#,
        r#"{"enable":true,}"#,
        r#"{"enable":truth}"#,
        r#"{"enable":"true"}"#,
        r#"{"enable":1}"#,
        r#"{"enable":null}"#,
        r#"{"name":null,"enable":true}"#,
        r#"{"password":null,"enable":true}"#,
        r#"{"enable":true,"enable":true}"#,
        r#"{"enable":true,"ssid":"home"}"#,
        r#"{"Enable":true}"#,
        r#"{"enable":true,"a_name_that_no_field_\u0065ver_had":1}"#,
        r#"{"name":"home","name_hex":"686F6D65"}"#,
        r#"{"name":["home"]}"#,
        r#"{enable:true}"#,
        "{'enable':true}",
    ];
    for body in bad {
        let (status, detail) = from(&on(), "PUT", body).expect_err(body);
        assert!(status == 400 && detail.ends_with('.'), "{body}: {detail}");
    }
    let (status, _) = asked(&View::default(), "PUT", b"{\"enable\":\xff}").expect_err("no UTF-8");
    assert_eq!(status, 400);
    assert_eq!(from(&on(), "PUT", " {\r\n\t\"\\u0065nable\" : true } \n"), Ok(on()));
}

proptest! {
    #[test]
    fn every_body_has_an_answer(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Err((status, _)) = asked(&View::default(), "PUT", &body) {
            prop_assert!([400, 503].contains(&status));
        }
    }

    /// Restates the rule with another reader of JSON.
    #[test]
    fn a_name_in_json_is_the_name_on_the_air(name in ".{0,12}", plain: bool) {
        let escaped = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
        let name_in_json = if plain { json!(name).to_string() } else { format!("\"{escaped}\"") };
        let body = format!(r#"{{"name":{name_in_json},"password":""}}"#);
        let got = from(&on(), "PUT", &body).ok();
        let got = got.as_ref().and_then(Settings::network).map(|it| it.ssid.as_bytes());
        prop_assert_eq!(got, (1..=32).contains(&name.len()).then_some(name.as_bytes()));
    }
}

/// Asks over a socket, and waits until the device is at rest; returns the last status.
async fn settled(world: World, method: &str, body: &str) -> Value {
    served(world.routes(axum::Router::new()), Limits::default(), async |address| {
        let mut client = Client::to(address).await;
        let host = [("Host", "gadget")];
        assert_eq!(client.ask_with(method, PATH, &host, body).await.status, 204);
        world.until(|status| status.phase == Phase::Idle).await;
        let status = client.ask("GET", "/api/v1/wifi/wps", &host).await;
        serde_json::from_str(&status.body).expect("JSON")
    })
    .await
}

#[tokio::test]
async fn the_network_is_joined_and_saved() {
    World::visit(Off, async |world| {
        let body = r#"{"enable":true,"name":"home","password":"correct horse"}"#;
        let status = settled(world, "POST", body).await;
        assert_eq!((&status["mode"], &status["ssid"]), (&json!("STA"), &json!("home")));
        assert_eq!(
            (&status["last"]["task"], &status["last"]["result"]),
            (&json!("configure"), &json!("ok"))
        );
        assert!(world.air.is_linked());
        assert_eq!(world.disk.record(), Some(wps_core::Record::Settled(on())));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_is_rolled_back_within_half_a_minute() {
    World::visit(Hotspot, async |world| {
        let begin = world.clock.now();
        let body = r#"{"enable":true,"name":"home","password":"not the right key"}"#;
        let status = settled(world, "PUT", body).await;
        let took = world.clock.now().since(begin);
        assert!(took < Duration::from_secs(31), "{took:?}");
        assert_eq!(
            (&status["mode"], &status["last"]["cause"]),
            (&json!("AP"), &json!("wrong_key"))
        );
        assert_eq!(world.air.radio_does().map(|it| it.mode()), Some(Mode::AccessPoint));
        assert_eq!(world.control.settings(), Some(own(None)));
        assert_eq!(world.disk.record(), Some(wps_core::Record::Settled(own(None))));
    })
    .await;
}

#[tokio::test]
async fn a_network_that_is_not_there_is_rolled_back_to_the_one_that_is() {
    World::visit(ByHand, async |world| {
        let status = settled(world, "PUT", r#"{"name":"gone","password":""}"#).await;
        assert_eq!(
            (&status["ssid"], &status["last"]["cause"]),
            (&json!("home"), &json!("not_found"))
        );
        assert!(world.air.is_linked());
    })
    .await;
}

#[tokio::test]
async fn a_change_can_be_cancelled() {
    World::visit(ByHand, async |world| {
        served(world.routes(axum::Router::new()), Limits::default(), async |address| {
            let mut client = Client::to(address).await;
            let host = [("Host", "gadget")];
            let body = r#"{"name":"gone","password":""}"#;
            assert_eq!(client.ask_with("PUT", PATH, &host, body).await.status, 204);
            world.until(|status| status.trouble.is_some()).await;
            assert_eq!(world.control.settings(), None, "something is under way");
            assert_eq!(client.ask("DELETE", "/api/v1/wifi/wps", &host).await.status, 204);
            world.until(|status| status.phase == Phase::Idle).await;
            let status = client.ask("GET", "/api/v1/wifi/wps", &host).await;
            let status: Value = serde_json::from_str(&status.body).expect("JSON");
            assert_eq!(status["last"]["cause"], "cancelled");
            assert_eq!(world.control.settings(), Some(on()));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn switched_off_it_remembers_and_forgotten_it_does_not() {
    World::visit(ByHand, async |world| {
        let status = settled(world, "PUT", r#"{"enable":false}"#).await;
        assert_eq!((&status["mode"], &status["ssid"]), (&json!("OFF"), &json!("home")));
        assert_eq!(world.control.settings(), Some(off(Some(home()))));
        settled(world, "PUT", r#"{"enable":true}"#).await;
        assert_eq!(world.control.settings(), Some(on()));
        let status = settled(world, "DELETE", "").await;
        assert_eq!((&status["mode"], &status["ssid"]), (&json!("OFF"), &Value::Null));
        assert_eq!(world.control.settings(), Some(off(None)));
    })
    .await;
}
