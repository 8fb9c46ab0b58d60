//! The station's network set by hand: how each request changes the current settings, and complete
//! runs from a request until the network is joined or the previous settings are restored.

mod common;

use std::time::Duration;

use common::Situation::{ByHand, Hotspot, Kept, KeptElsewhere, NetworkRemoved, NotKept, Off};
use common::wire::{Client, with_server};
use common::{World, hotspot, kept};
use proptest::prelude::*;
use serde_json::{Value, json};
use wps_core::{Cause, Clock, Credentials, KeptId, Mode, Phase, Settings, Status};
use wps_http::axum::Limits;
use wps_http::{Action, BUFFER, Reply, Request, View, handle};
use wps_testkit::{home, network, off, station};

const PATH: &str = "/api/v1/wifi/sta/settings";

/// Returns the settings that a request asks for, or the status and detail of its problem document.
fn requested_settings(
    view: &View<'_>,
    method: &str,
    body: &[u8],
) -> Result<Settings, (u16, String)> {
    let request = Request::new(method, PATH).header("Host", b"127.0.0.1").with_body(body);
    match handle(&request, view, &mut [0; BUFFER]) {
        Reply::Action(Action::Configure(settings)) => Ok(settings),
        Reply::Action(action) => panic!("{action:?}"),
        Reply::Response(response) => {
            let problem: Value = serde_json::from_slice(response.body()).expect("JSON");
            Err((response.status(), problem["detail"].as_str().expect("a detail").into()))
        }
    }
}

fn change(settings: &Settings, method: &str, body: &str) -> Result<Settings, (u16, String)> {
    requested_settings(
        &View { settings: Some(settings), ..View::default() },
        method,
        body.as_bytes(),
    )
}

fn access_point(remembered: Option<Credentials>) -> Settings {
    Settings::AccessPoint { access_point: hotspot(), remembered }
}

#[test]
fn post_replaces_all_fields() {
    let full = r#"{"enable":true,"name":"other","password":"battery staple"}"#;
    let saved = r#"{"enable":false,"name":"other","password":"battery staple"}"#;
    let other = network(b"other", b"battery staple");
    for initial in [
        station(home()),
        off(None),
        off(Some(home())),
        access_point(Some(home())),
        Settings::Platform,
    ] {
        let expected = Settings::Station { network: other.clone() };
        assert_eq!(change(&initial, "POST", full), Ok(expected), "{initial:?}");
    }
    for initial in [station(home()), off(None), off(Some(home())), Settings::Platform] {
        assert_eq!(change(&initial, "POST", saved), Ok(off(Some(other.clone()))), "{initial:?}");
    }
    assert_eq!(change(&access_point(Some(home())), "POST", saved), Ok(access_point(Some(other))));
    for partial in [
        r#"{"enable":true,"name":"home"}"#,
        r#"{"enable":true,"password":"battery staple"}"#,
        r#"{"name":"home","password":"battery staple"}"#,
        "{}",
    ] {
        let (status, detail) = change(&station(home()), "POST", partial).expect_err(partial);
        assert!(status == 400 && detail.contains("all three"), "{detail}");
    }
}

#[test]
fn put_keeps_fields_that_are_not_given() {
    let put = |initial: &Settings, body| change(initial, "PUT", body).map_err(|(status, _)| status);
    let open = station(network(b"home", b""));
    assert_eq!(put(&station(home()), r#"{"enable":false}"#), Ok(off(Some(home()))));
    assert_eq!(put(&off(Some(home())), r#"{"enable":true}"#), Ok(station(home())));
    assert_eq!(put(&access_point(Some(home())), r#"{"enable":true}"#), Ok(station(home())));
    assert_eq!(
        put(&access_point(Some(home())), r#"{"enable":false}"#),
        Ok(access_point(Some(home())))
    );
    assert_eq!(
        put(&station(home()), r#"{"name":"home"}"#),
        Ok(station(home())),
        "the password stays with its name"
    );
    assert_eq!(put(&station(home()), r#"{"name_hex":"686f6D65"}"#), Ok(station(home())));
    assert_eq!(put(&station(home()), r#"{"password":""}"#), Ok(open));
    assert_eq!(
        put(&off(Some(home())), r#"{"password":"battery staple"}"#),
        Ok(off(Some(network(b"home", b"battery staple"))))
    );
    assert_eq!(
        put(&access_point(None), r#"{"name":"home","password":"correct horse"}"#),
        Ok(access_point(Some(home())))
    );
    assert_eq!(
        put(&Settings::Platform, r#"{"name":"home","password":"correct horse"}"#),
        Ok(station(home())),
        "the platform's station is on"
    );
    assert_eq!(
        put(&station(home()), r#"{"name":"other"}"#),
        Err(400),
        "another network needs its own password"
    );
    assert_eq!(put(&off(None), r#"{"name":"other"}"#), Err(400));
    assert_eq!(put(&off(None), r#"{"password":"battery staple"}"#), Err(400));
    assert_eq!(put(&off(None), r#"{"enable":true}"#), Err(400));
    assert_eq!(put(&station(home()), "{}"), Err(400));
}

/// Returns the network `home` as a platform keeps it.
fn kept_home() -> Credentials {
    kept(b"home", KeptId(*b"an identifier..."))
}

#[test]
fn put_keeps_the_identifier_of_a_network_that_the_platform_keeps() {
    for (initial, enabled) in [
        (station(kept_home()), true),
        (off(Some(kept_home())), false),
        (access_point(Some(kept_home())), false),
    ] {
        let unchanged = if enabled { station(kept_home()) } else { initial.clone() };
        for body in [r#"{"name":"home"}"#, r#"{"name_hex":"686F6D65"}"#] {
            assert_eq!(change(&initial, "PUT", body), Ok(unchanged.clone()), "{body}");
        }
        for body in [
            r#"{"enable":true}"#,
            r#"{"enable":true,"name":"home"}"#,
            r#"{"enable":true,"name_hex":"686F6D65"}"#,
        ] {
            assert_eq!(change(&initial, "PUT", body), Ok(station(kept_home())), "{body}");
        }
        let is_access_point = initial.mode() == Mode::AccessPoint;
        let switched_off = if is_access_point { initial.clone() } else { off(Some(kept_home())) };
        assert_eq!(change(&initial, "PUT", r#"{"enable":false}"#), Ok(switched_off));
    }
}

#[test]
fn put_of_another_name_never_takes_the_identifier_and_never_means_open() {
    for initial in [station(kept_home()), off(Some(kept_home())), access_point(Some(kept_home()))] {
        for body in [
            r#"{"name":"other"}"#,
            r#"{"name":"Home"}"#,
            r#"{"name":"home "}"#,
            r#"{"name_hex":"686F6D6500"}"#,
            r#"{"enable":true,"name":"other"}"#,
            r#"{"enable":false,"name":"other"}"#,
        ] {
            let (status, detail) = change(&initial, "PUT", body).expect_err(body);
            assert!(status == 400 && detail.contains("password"), "{body}: {detail}");
        }
    }
}

#[test]
fn a_password_replaces_the_identifier_of_a_kept_network() {
    let put = |initial: &Settings, body| change(initial, "PUT", body);
    let with_key = r#"{"password":"correct horse"}"#;
    assert_eq!(put(&station(kept_home()), with_key), Ok(station(home())));
    assert_eq!(put(&off(Some(kept_home())), with_key), Ok(off(Some(home()))));
    assert_eq!(
        put(&station(kept_home()), r#"{"name":"other","password":"battery staple"}"#),
        Ok(station(network(b"other", b"battery staple")))
    );
    assert_eq!(
        put(&station(kept_home()), r#"{"password":""}"#),
        Ok(station(network(b"home", b""))),
        "only an empty password means open"
    );
    let full = r#"{"enable":true,"name":"home","password":"correct horse"}"#;
    for method in ["PUT", "POST"] {
        assert_eq!(change(&station(kept_home()), method, full), Ok(station(home())), "{method}");
    }
    let (status, detail) =
        change(&station(kept_home()), "POST", r#"{"enable":true,"name":"home"}"#)
            .expect_err("POST replaces all fields");
    assert!(status == 400 && detail.contains("all three"), "{detail}");
}

#[test]
fn get_shows_who_keeps_the_network_and_neither_key_nor_identifier() {
    let shown = |settings: &Settings| {
        let mut status = Status::new(Phase::Idle, settings.mode());
        status.network = settings.network().map(|it| it.ssid.clone());
        let view = View { status: Some(&status), settings: Some(settings), ..View::default() };
        let request = Request::new("GET", PATH).header("Host", b"127.0.0.1");
        let mut buffer = [0; BUFFER];
        let Reply::Response(response) = handle(&request, &view, &mut buffer) else {
            panic!("a GET needs no action")
        };
        serde_json::from_slice::<Value>(response.body()).expect("JSON")
    };
    let expected =
        |enable: bool, kept_by: &str| json!({"enable": enable, "name": "home", "kept_by": kept_by});
    assert_eq!(shown(&station(home())), expected(true, "record"));
    assert_eq!(shown(&station(network(b"home", b""))), expected(true, "record"));
    assert_eq!(shown(&station(kept_home())), expected(true, "platform"));
    assert_eq!(shown(&off(Some(kept_home()))), expected(false, "platform"));
    assert_eq!(shown(&access_point(Some(kept_home()))), expected(false, "platform"));
    assert_eq!(shown(&access_point(None)), json!({"enable": false}));
    assert_eq!(shown(&Settings::Platform), json!({"enable": true}));
}

#[test]
fn delete_forgets_the_network() {
    for initial in [station(home()), station(kept_home()), off(Some(home())), Settings::Platform] {
        assert_eq!(change(&initial, "DELETE", "ignored"), Ok(off(None)), "{initial:?}");
    }
    assert_eq!(change(&access_point(Some(home())), "DELETE", ""), Ok(access_point(None)));
}

#[test]
fn a_platform_with_its_own_networks_needs_no_name() {
    let settings_after = |has_platform, settings| {
        let view = View { settings: Some(&settings), has_platform, ..View::default() };
        requested_settings(&view, "PUT", br#"{"enable":true}"#).map_err(|(status, _)| status)
    };
    assert_eq!(settings_after(true, off(None)), Ok(Settings::Platform));
    assert_eq!(settings_after(true, access_point(None)), Ok(Settings::Platform));
    assert_eq!(
        settings_after(true, off(Some(home()))),
        Ok(station(home())),
        "the remembered network comes first"
    );
    assert_eq!(settings_after(false, off(None)), Err(400));
}

#[test]
fn during_a_task_valid_requests_get_503_and_invalid_ones_400() {
    let settings_after =
        |method, body: &str| requested_settings(&View::default(), method, body.as_bytes());
    let status = |method, body| settings_after(method, body).expect_err("no settings").0;
    assert_eq!(status("PUT", r#"{"enable":false}"#), 503);
    assert_eq!(status("DELETE", ""), 503);
    assert_eq!(status("PUT", r#"{"name":"home","password":""}"#), 503);
    assert_eq!(status("PUT", r#"{"enable":0}"#), 400);
    // A request that does not depend on the current settings is left to the machine.
    let complete = r#"{"enable":true,"name":"home","password":"correct horse"}"#;
    for method in ["POST", "PUT"] {
        assert_eq!(settings_after(method, complete), Ok(station(home())), "{method}");
    }
}

#[test]
fn valid_names_and_passwords_are_accepted_and_others_refused() {
    let name = |text: &str| {
        let body = format!(r#"{{"enable":true,"name":"{text}","password":""}}"#);
        change(&off(None), "POST", &body).ok().and_then(|it| it.network().map(|it| it.ssid.clone()))
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
        change(&off(None), "POST", &body).is_ok()
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
        let settings = change(&off(None), "POST", &body).ok();
        settings.and_then(|it| it.network().map(|it| it.ssid.as_bytes().to_vec()))
    };
    assert_eq!(digits("00fFA9"), Some(vec![0, 0xff, 0xa9]));
    assert_eq!(digits(&"00".repeat(32)), Some(vec![0; 32]));
    for bad in ["", "0", "000", "0g", "+0", &"00".repeat(33)] {
        assert_eq!(digits(bad), None, "{bad:?}");
    }
}

#[test]
fn any_other_body_is_refused() {
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
        let (status, detail) = change(&station(home()), "PUT", body).expect_err(body);
        assert!(status == 400 && detail.ends_with('.'), "{body}: {detail}");
    }
    let (status, _) =
        requested_settings(&View::default(), "PUT", b"{\"enable\":\xff}").expect_err("no UTF-8");
    assert_eq!(status, 400);
    assert_eq!(
        change(&station(home()), "PUT", " {\r\n\t\"\\u0065nable\" : true } \n"),
        Ok(station(home()))
    );
}

proptest! {
    #[test]
    fn every_body_gets_a_response(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Err((status, _)) = requested_settings(&View::default(), "PUT", &body) {
            prop_assert!([400, 503].contains(&status));
        }
    }

    /// Restates the rule with another JSON parser.
    #[test]
    fn a_name_in_json_is_decoded_exactly(name in ".{0,12}", plain: bool) {
        let escaped = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
        let name_in_json = if plain { json!(name).to_string() } else { format!("\"{escaped}\"") };
        let body = format!(r#"{{"name":{name_in_json},"password":""}}"#);
        let got = change(&station(home()), "PUT", &body).ok();
        let got = got.as_ref().and_then(Settings::network).map(|it| it.ssid.as_bytes());
        prop_assert_eq!(got, (1..=32).contains(&name.len()).then_some(name.as_bytes()));
    }
}

/// Sends a request over a socket, waits until the device is idle, and returns the status.
async fn change_and_wait(world: World, method: &str, body: &str) -> Value {
    with_server(world.axum_routes(axum::Router::new()), Limits::default(), async |address| {
        let mut client = Client::to(address).await;
        let host = [("Host", "gadget")];
        assert_eq!(client.request_with_body(method, PATH, &host, body).await.status, 204);
        world.until(|status| status.phase == Phase::Idle).await;
        let status = client.request("GET", "/api/v1/wifi/wps", &host).await;
        serde_json::from_str(&status.body).expect("JSON")
    })
    .await
}

#[tokio::test]
async fn the_network_is_joined_and_saved() {
    World::run(Off, async |world| {
        let body = r#"{"enable":true,"name":"home","password":"correct horse"}"#;
        let status = change_and_wait(world, "POST", body).await;
        assert_eq!((&status["mode"], &status["ssid"]), (&json!("STA"), &json!("home")));
        assert_eq!(
            (&status["last"]["task"], &status["last"]["result"]),
            (&json!("configure"), &json!("ok"))
        );
        assert!(world.air.is_linked());
        assert_eq!(world.disk.record(), Some(wps_core::Record::Settled(station(home()))));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_is_rolled_back_within_half_a_minute() {
    World::run(Hotspot, async |world| {
        let begin = world.clock.now();
        let body = r#"{"enable":true,"name":"home","password":"not the right key"}"#;
        let status = change_and_wait(world, "PUT", body).await;
        let took = world.clock.now().since(begin);
        assert!(took < Duration::from_secs(31), "{took:?}");
        assert_eq!(
            (&status["mode"], &status["last"]["cause"]),
            (&json!("AP"), &json!("wrong_key"))
        );
        assert_eq!(world.air.radio_settings().map(|it| it.mode()), Some(Mode::AccessPoint));
        assert_eq!(world.control.settings(), Some(access_point(None)));
        assert_eq!(world.disk.record(), Some(wps_core::Record::Settled(access_point(None))));
    })
    .await;
}

#[tokio::test]
async fn a_missing_network_is_rolled_back_to_the_previous_one() {
    World::run(ByHand, async |world| {
        let status = change_and_wait(world, "PUT", r#"{"name":"gone","password":""}"#).await;
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
    World::run(ByHand, async |world| {
        with_server(world.axum_routes(axum::Router::new()), Limits::default(), async |address| {
            let mut client = Client::to(address).await;
            let host = [("Host", "gadget")];
            let body = r#"{"name":"gone","password":""}"#;
            assert_eq!(client.request_with_body("PUT", PATH, &host, body).await.status, 204);
            world.until(|status| status.trouble.is_some()).await;
            assert_eq!(world.control.settings(), None, "a task is in progress");
            assert_eq!(client.request("DELETE", "/api/v1/wifi/wps", &host).await.status, 204);
            world.until(|status| status.phase == Phase::Idle).await;
            let status = client.request("GET", "/api/v1/wifi/wps", &host).await;
            let status: Value = serde_json::from_str(&status.body).expect("JSON");
            assert_eq!(status["last"]["cause"], "cancelled");
            assert_eq!(world.control.settings(), Some(station(home())));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn switching_off_keeps_the_network_and_delete_forgets_it() {
    World::run(ByHand, async |world| {
        let status = change_and_wait(world, "PUT", r#"{"enable":false}"#).await;
        assert_eq!((&status["mode"], &status["ssid"]), (&json!("OFF"), &json!("home")));
        assert_eq!(world.control.settings(), Some(off(Some(home()))));
        change_and_wait(world, "PUT", r#"{"enable":true}"#).await;
        assert_eq!(world.control.settings(), Some(station(home())));
        let status = change_and_wait(world, "DELETE", "").await;
        assert_eq!((&status["mode"], &status["ssid"]), (&json!("OFF"), &Value::Null));
        assert_eq!(world.control.settings(), Some(off(None)));
    })
    .await;
}

/// Returns the identifiers of the networks that the platform keeps.
fn kept_ids(world: World) -> Vec<KeptId> {
    world.air.kept_networks().iter().map(|it| it.id).collect()
}

#[tokio::test]
async fn a_kept_network_is_switched_off_and_on_with_the_same_identifier() {
    World::run(Kept, async |world| {
        let id = kept_ids(world)[0];
        let kept = kept(b"home", id);
        assert_eq!(world.control.settings(), Some(station(kept.clone())));
        change_and_wait(world, "PUT", r#"{"enable":false}"#).await;
        assert_eq!(world.control.settings(), Some(off(Some(kept.clone()))));
        assert_eq!(kept_ids(world), [id], "it is only remembered");
        change_and_wait(world, "PUT", r#"{"enable":true}"#).await;
        assert_eq!(world.control.settings(), Some(station(kept)));
        assert!(world.air.is_linked());
        assert_eq!(kept_ids(world), [id]);
    })
    .await;
}

#[tokio::test]
async fn a_new_password_replaces_a_kept_network_and_delete_removes_it() {
    World::run(Kept, async |world| {
        let id = kept_ids(world)[0];
        world.air.set_key(b"home", b"battery staple");
        world.until(|status| status.trouble == Some(Cause::KeyRefused)).await;
        change_and_wait(world, "PUT", r#"{"password":"battery staple"}"#).await;
        world.until(|status| status.phase == Phase::Idle).await;
        let ids = kept_ids(world);
        assert!(ids.len() == 1 && ids[0] != id, "{ids:?}");
        assert_eq!(world.control.settings(), Some(station(kept(b"home", ids[0]))));
        assert!(world.air.is_linked());
        change_and_wait(world, "DELETE", "").await;
        world.until(|status| status.phase == Phase::Idle).await;
        assert_eq!(world.control.settings(), Some(off(None)));
        assert_eq!(kept_ids(world), []);
    })
    .await;
}

#[tokio::test]
async fn a_network_that_the_platform_does_not_save_is_rolled_back() {
    World::run(NotKept, async |world| {
        let status = world.control.status().expect("a status");
        assert_eq!(status.last.map(|it| it.result), Some(Err(Cause::NotKept)));
        assert_eq!(world.control.settings(), Some(off(None)));
        assert_eq!(kept_ids(world), []);
        world.air.set_fault(None);
        let body = r#"{"enable":true,"name":"home","password":"correct horse"}"#;
        assert_eq!(change_and_wait(world, "POST", body).await["last"]["result"], "ok");
        assert_eq!(kept_ids(world).len(), 1);
    })
    .await;
}

#[tokio::test]
async fn after_the_kept_network_was_removed_it_can_be_set_again() {
    World::run(NetworkRemoved, async |world| {
        assert_eq!(world.control.settings(), Some(Settings::Platform));
        let body = r#"{"enable":true,"name":"home","password":"correct horse"}"#;
        assert_eq!(change_and_wait(world, "POST", body).await["last"]["result"], "ok");
        assert_eq!(world.control.settings(), Some(station(kept(b"home", kept_ids(world)[0]))));
    })
    .await;
}

#[tokio::test]
async fn a_network_that_another_platform_keeps_can_be_set_again() {
    World::run(KeptElsewhere, async |world| {
        assert_eq!(world.control.settings(), None, "they cannot be put in force");
        let body = r#"{"enable":true,"name":"home","password":"correct horse"}"#;
        let status = change_and_wait(world, "PUT", body).await;
        assert_eq!((&status["last"]["result"], &status["trouble"]), (&json!("ok"), &Value::Null));
        assert_eq!(world.control.settings(), Some(station(home())), "this platform keeps nothing");
    })
    .await;
}
