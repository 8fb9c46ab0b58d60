//! Requests and their responses: one table for the pure functions and for every adapter, so that
//! all of them behave the same.

mod common;

use std::collections::BTreeSet;

use common::Situation::{self, Off, Opening, Starting};
use common::wire::{Client, TestResponse, with_picoserve_server, with_server};
use common::{SECRETS, World, config};
use embassy_futures::block_on;
use wps_core::Clock;
use wps_http::axum::Limits;
use wps_http::{
    Action, AllowedHosts, Device, MAX_BODY, Outcome, REPLY_GRACE_DELAY, Reply, Request,
    SCAN_BUFFER, View, finish, handle,
};

/// The table. Its first lines explain the format.
const TRANSCRIPTS: &str = include_str!("transcripts.txt");

/// A request, from the table or from a test.
#[derive(Clone)]
struct TestRequest<'a> {
    method: &'a str,
    target: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: &'a str,
}

struct Transcript<'a> {
    situation: Situation,
    request: TestRequest<'a>,
    expected: String,
}

/// Parses the entries of the table: the blocks between empty lines that contain a request.
fn transcripts() -> Vec<Transcript<'static>> {
    let entries = TRANSCRIPTS.split("\n\n").filter(|entry| entry.contains("\n> "));
    let parsed = entries.map(|entry| {
        let name = entry.lines().next().expect("a situation");
        let situation = Situation::ALL.into_iter().find(|it| format!("{it:?}") == name);
        let mut request_lines = entry.lines().filter_map(|line| line.strip_prefix("> "));
        let (method, target) =
            request_lines.next().and_then(|it| it.split_once(' ')).expect("a request");
        let mut headers: Vec<_> =
            request_lines.map(|it| it.split_once(": ").expect("a header")).collect();
        if headers.is_empty() {
            headers.push(("Host", "192.168.1.100"));
        }
        let body = entry.lines().find_map(|line| line.strip_prefix(">> ")).unwrap_or_default();
        let expected: Vec<_> = entry.lines().filter_map(|line| line.strip_prefix("< ")).collect();
        Transcript {
            situation: situation.expect(name),
            request: TestRequest { method, target, headers, body },
            expected: expected.join("\n"),
        }
    });
    parsed.collect()
}

/// Formats a response as in the table, and checks the headers that the table leaves out.
fn format_response(response: &TestResponse, request: &TestRequest<'_>) -> String {
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    let length = response.header("content-length").map(|it| it.parse().expect("a number"));
    if response.status == 204 {
        assert_eq!((length, &*response.body), (None, ""));
    } else if request.method == "HEAD" {
        assert_eq!(&*response.body, "");
    } else {
        assert_eq!(length, Some(response.body.len()));
    }
    let mut text = response.status.to_string();
    let unshown = ["cache-control", "x-content-type-options", "content-length"];
    for (name, value) in response.headers.iter().filter(|(name, _)| !unshown.contains(&&**name)) {
        text += &format!("\n{name}: {value}");
    }
    if !response.body.is_empty() {
        text += &format!("\n{}", response.body);
    }
    text
}

/// Gets the response with the pure functions and `Control` only.
async fn by_pure_functions(world: World, request: &TestRequest<'_>) -> TestResponse {
    let config = config();
    let names: Vec<_> = config.names.iter().map(String::as_str).collect();
    let (status, settings) = (world.control.status(), world.control.settings());
    let device =
        Device { name: config.name.as_deref(), version: Some("1.2.3"), ..Device::default() };
    let allowed_hosts = AllowedHosts { names: &names, scheme: config.scheme };
    let mut view = View {
        allowed_hosts,
        access: Ok(()),
        now: world.clock.now(),
        status: status.as_ref(),
        settings: settings.as_ref(),
        has_platform: config.has_platform,
        device,
        addresses: None,
    };
    let line = Request::new(request.method, request.target);
    let described =
        request.headers.iter().fold(line, |it, (name, value)| it.header(name, value.as_bytes()));
    let described = described.with_body(request.body.as_bytes());
    let mut buffer = [0; SCAN_BUFFER];
    let after;
    let response = match handle(&described, &view, &mut buffer) {
        Reply::Response(response) => response,
        Reply::Action(action) => {
            let outcome = match action {
                Action::Start => Outcome::Started(world.control.start(REPLY_GRACE_DELAY).await),
                Action::StartWith(access_point) => {
                    let start = world.control.start_with(access_point, REPLY_GRACE_DELAY);
                    Outcome::Started(start.await)
                }
                Action::Cancel => {
                    world.control.cancel().await;
                    Outcome::Cancelled
                }
                Action::Configure(settings) => {
                    Outcome::Started(world.control.configure(settings, REPLY_GRACE_DELAY).await)
                }
                Action::QueryLink => Outcome::Link(world.control.link().await),
                Action::Listen => Outcome::Listening,
                Action::Scan => Outcome::Scanned(world.with_time(world.control.scan()).await),
            };
            after = world.control.status();
            view.status = after.as_ref();
            finish(&described, &view, &outcome, &mut buffer)
        }
    };
    let to_owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let length = response.content_length().map(|it| ("content-length".into(), it.to_string()));
    let headers = response.headers().map(to_owned).chain(length);
    TestResponse::new(response.status(), headers, response.body())
}

/// Only a scan takes simulated time, and a request that waits until the settings are applied.
async fn with_time_if_needed<R>(
    world: World,
    situation: Situation,
    target: &str,
    work: impl Future<Output = R>,
) -> R {
    if target == "/api/v1/wifi/scan" || situation.needs_time() {
        world.with_time(work).await
    } else {
        work.await
    }
}

/// Gets the response of the axum adapter over a socket.
async fn by_axum(world: World, situation: Situation, request: &TestRequest<'_>) -> TestResponse {
    let routes = world.axum_routes(axum::Router::new());
    with_server(routes, Limits::default(), async |address| {
        let TestRequest { method, target, headers, body } = request;
        let mut client = Client::to(address).await;
        let response = client.request_with_body(method, target, headers, body);
        with_time_if_needed(world, situation, target, response).await
    })
    .await
}

/// Gets the response of the picoserve adapter over a socket.
async fn by_picoserve(
    world: World,
    situation: Situation,
    request: &TestRequest<'_>,
) -> TestResponse {
    let server = world.picoserve_server(None);
    with_picoserve_server(&server, async |address| {
        let TestRequest { method, target, headers, body } = request;
        let mut client = Client::to(address).await;
        let response = client.request_with_body(method, target, headers, body);
        with_time_if_needed(world, situation, target, response).await
    })
    .await
}

/// Runs `work` on tokio, with its clock paused.
///
/// Only the sockets and timeouts of the adapters use tokio's clock. The simulated world has its
/// own. tokio advances its clock to the next timeout as soon as nothing else can run.
fn run<R>(work: impl Future<Output = R>) -> R {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(work)
}

#[test]
fn the_pure_functions_match_the_transcripts() {
    for Transcript { situation, request, expected } in transcripts() {
        let got = block_on(World::run(situation, async |world| {
            let response = by_pure_functions(world, &request);
            with_time_if_needed(world, situation, request.target, response).await
        }));
        assert_eq!(
            format_response(&got, &request),
            expected,
            "{situation:?} {} {}",
            request.method,
            request.target
        );
    }
}

#[test]
fn the_axum_adapter_matches_the_transcripts() {
    for Transcript { situation, request, expected } in transcripts() {
        let got =
            run(World::run(situation, async |world| by_axum(world, situation, &request).await));
        assert_eq!(
            format_response(&got, &request),
            expected,
            "{situation:?} {} {}",
            request.method,
            request.target
        );
    }
}

#[test]
fn the_picoserve_adapter_matches_the_transcripts() {
    for Transcript { situation, request, expected } in transcripts() {
        let mut got = run(World::run(situation, async |world| {
            by_picoserve(world, situation, &request).await
        }));
        // The adapter serves one request per connection, and each response says so.
        let closes = ("connection".to_owned(), "close".to_owned());
        assert_eq!(got.headers.iter().filter(|it| **it == closes).count(), 1);
        got.headers.retain(|it| *it != closes || expected.contains("connection: close"));
        assert_eq!(
            format_response(&got, &request),
            expected,
            "{situation:?} {} {}",
            request.method,
            request.target
        );
    }
}

/// The files of the page.
const FILES: &[&str] = PATHS.first_chunk::<6>().expect("enough paths");

const PATHS: [&str; 14] = [
    "/",
    "/style.css",
    "/app.js",
    "/by-hand.js",
    "/device.js",
    "/icon.svg",
    "/api/v1/wifi/wps",
    "/api/v1/wifi/sta/settings",
    "/api/v1/wifi/scan",
    "/api/v1/system",
    "/api/v1/openapi.json",
    "/api/v1/sim",
    "/no/such/path",
    "/api/v1/wifi/wps?x=y",
];

#[test]
fn no_response_contains_a_secret() {
    // In these two situations a request would wait forever.
    for situation in Situation::ALL.into_iter().filter(|it| ![Starting, Opening].contains(it)) {
        for path in PATHS {
            for method in ["GET", "POST", "DELETE", "HEAD", "PUT"] {
                let headers = vec![("Host", "gadget")];
                let body = r#"{"enable":true}"#;
                let request = TestRequest { method, target: path, headers, body };
                let got = block_on(World::run(situation, async |world| {
                    let response = by_pure_functions(world, &request);
                    with_time_if_needed(world, situation, path, response).await
                }));
                let all = format!("{got:?}");
                let found = SECRETS.iter().find(|it| all.contains(**it));
                assert_eq!(found, None, "{situation:?} {method} {path}");
            }
        }
    }
}

#[test]
fn a_head_response_is_a_get_response_without_its_body() {
    for situation in Situation::ALL.into_iter().filter(|it| *it != Starting) {
        for target in PATHS {
            let response = |method| {
                let headers = vec![("Host", "gadget")];
                let request = TestRequest { method, target, headers, body: "" };
                run(World::run(situation, async |world| by_axum(world, situation, &request).await))
            };
            let (get, head) = (response("GET"), response("HEAD"));
            assert_eq!((get.status, &get.headers), (head.status, &head.headers));
            assert_eq!(head.body, "");
        }
    }
}

#[test]
fn every_error_says_what_to_do() {
    let long = (MAX_BODY + 1).to_string();
    let endless = "99999999999999999999999999";
    let wrong = [
        ("GET", "/", vec![]),
        ("GET", "/", vec![("Host", "evil.example")]),
        ("GET", "/", vec![("Host", "gadget"), ("Origin", "null")]),
        ("GET", "/nothing", vec![("Host", "gadget")]),
        ("PATCH", "/api/v1/wifi/wps", vec![("Host", "gadget")]),
        ("POST", "/api/v1/wifi/wps", vec![("Host", "gadget"), ("Content-Length", "+1")]),
        ("POST", "/api/v1/wifi/wps", vec![("Host", "gadget"), ("Content-Length", &long)]),
        ("POST", "/api/v1/wifi/wps", vec![("Host", "gadget"), ("Content-Length", endless)]),
        ("PUT", "/api/v1/wifi/sta/settings", vec![("Host", "gadget")]),
        ("PUT", "/api/v1/wifi/sta/settings", vec![("Host", "gadget"), ("Content-Type", "a/b")]),
        (
            "POST",
            "/api/v1/wifi/wps",
            vec![("Host", "gadget"), ("Content-Type", "application/json")],
        ),
    ];
    let body = r#"{"bssid":0}"#;
    for (method, target, headers) in wrong {
        let request = TestRequest { method, target, headers, body };
        let got = block_on(World::run(Off, async |world| by_pure_functions(world, &request).await));
        assert_eq!(got.header("content-type"), Some("application/problem+json"));
        let problem: serde_json::Value = serde_json::from_str(&got.body).expect("JSON");
        assert_eq!(problem["status"], got.status);
        assert!(problem["title"].as_str().is_some_and(|it| !it.is_empty()));
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.ends_with('.') && detail.contains(' '), "{detail}");
    }
}

#[test]
fn the_page_is_small_and_has_no_inline_code() {
    let mut sum = 0;
    for path in FILES {
        let headers = vec![("Host", "gadget")];
        let request = TestRequest { method: "GET", target: path, headers, body: "" };
        let got = block_on(World::run(Off, async |world| by_pure_functions(world, &request).await));
        let policy = got.header("content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
        assert_eq!(got.header("referrer-policy"), None);
        sum += got.body.len();
        if *path == "/" {
            for inline in ["<style", "style=", "onclick", "javascript:", "http-equiv"] {
                assert!(!got.body.contains(inline), "{inline}");
            }
            assert!(
                got.body.matches("<script").count() == got.body.matches("<script src=").count()
            );
        }
        // The panel of the simulated routers does not belong to the page of a real device.
        for panel in ["\"sim\"", "sim-", "/sim"] {
            assert!(!got.body.contains(panel), "{path}: {panel}");
        }
    }
    assert!(sum < 28_000, "{sum} bytes");
}

/// The description matches the paths, the methods, and every status of the table.
#[test]
fn the_openapi_description_lists_all_routes_and_statuses() {
    fn request<'a>(method: &'a str, target: &'a str) -> TestRequest<'a> {
        TestRequest { method, target, headers: vec![("Host", "gadget")], body: "" }
    }
    let response = |request: &TestRequest<'_>| {
        block_on(World::run(Off, async |world| by_pure_functions(world, request).await))
    };
    let got = response(&request("GET", "/api/v1/openapi.json"));
    let api: serde_json::Value = serde_json::from_str(&got.body).expect("JSON");
    let paths = api["paths"].as_object().expect("paths");
    let is_served = |path: &&&str| response(&request("PATCH", path)).status == 405;
    let served = PATHS.iter().filter(|path| path.starts_with("/api/") && !path.contains('?'));
    let served: Vec<_> = served.filter(is_served).copied().collect();
    assert!(served.iter().all(|path| paths.contains_key(*path)), "{served:?}");
    for (path, operations) in paths {
        let refused = response(&request("PATCH", path));
        let allowed = refused.header("allow").expect(path).split(", ");
        let allowed: BTreeSet<_> =
            allowed.filter(|it| *it != "HEAD").map(str::to_lowercase).collect();
        let operations = operations.as_object().expect("operations");
        assert_eq!(allowed, operations.keys().cloned().collect(), "{path}");
        // Any request may lack the password, and an adapter may fail to read its body.
        for (name, operation) in operations {
            let is_listed = |status: &&str| operation["responses"][*status].is_object();
            assert!(["401", "408", "411", "413", "429"].iter().all(is_listed), "{name} {path}");
        }
    }
    for Transcript { request: TestRequest { method, target, .. }, expected, .. } in transcripts() {
        let operation =
            &paths.get(target).unwrap_or(&serde_json::Value::Null)[method.to_lowercase()];
        if let Some(responses) = operation["responses"].as_object() {
            let status = expected.split('\n').next().expect("a status");
            assert!(responses.contains_key(status), "{method} {target}: {status}");
        }
    }
}
