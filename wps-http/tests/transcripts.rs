//! What is asked and what is answered: one table, for the pure function and for every front, so that
//! they cannot drift apart.

mod common;

use std::collections::BTreeSet;

use common::Situation::{self, Off, Opening, Starting};
use common::wire::{Answer, Client, served, served_by_firmware};
use common::{SECRETS, World, config};
use embassy_futures::block_on;
use wps_core::Clock;
use wps_http::axum::Limits;
use wps_http::{
    Action, Addresses, Device, MAX_BODY, Outcome, PARTING, Reply, Request, SCAN_BUFFER, Site, View,
    finish, handle,
};

/// See its first lines.
const TRANSCRIPTS: &str = include_str!("transcripts.txt");

/// A request of the table, or made up.
#[derive(Clone)]
struct Asked<'a> {
    method: &'a str,
    target: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: &'a str,
}

struct Transcript<'a> {
    situation: Situation,
    asked: Asked<'a>,
    answer: String,
}

/// The entries: what stands between empty lines and has a request.
fn transcripts() -> Vec<Transcript<'static>> {
    let entries = TRANSCRIPTS.split("\n\n").filter(|entry| entry.contains("\n> "));
    let parsed = entries.map(|entry| {
        let name = entry.lines().next().expect("a situation");
        let situation = Situation::ALL.into_iter().find(|it| format!("{it:?}") == name);
        let mut request = entry.lines().filter_map(|line| line.strip_prefix("> "));
        let (method, target) = request.next().and_then(|it| it.split_once(' ')).expect("a request");
        let mut headers: Vec<_> =
            request.map(|it| it.split_once(": ").expect("a header")).collect();
        if headers.is_empty() {
            headers.push(("Host", "192.168.1.100"));
        }
        let body = entry.lines().find_map(|line| line.strip_prefix(">> ")).unwrap_or_default();
        let answer: Vec<_> = entry.lines().filter_map(|line| line.strip_prefix("< ")).collect();
        Transcript {
            situation: situation.expect(name),
            asked: Asked { method, target, headers, body },
            answer: answer.join("\n"),
        }
    });
    parsed.collect()
}

/// As the table has it; checks what is not shown.
fn shown(answer: &Answer, asked: &Asked<'_>) -> String {
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let length = answer.header("content-length").map(|it| it.parse().expect("a number"));
    if answer.status == 204 {
        assert_eq!((length, &*answer.body), (None, ""));
    } else if asked.method == "HEAD" {
        assert_eq!(&*answer.body, "");
    } else {
        assert_eq!(length, Some(answer.body.len()));
    }
    let mut text = answer.status.to_string();
    let unshown = ["cache-control", "x-content-type-options", "content-length"];
    for (name, value) in answer.headers.iter().filter(|(name, _)| !unshown.contains(&&**name)) {
        text += &format!("\n{name}: {value}");
    }
    if !answer.body.is_empty() {
        text += &format!("\n{}", answer.body);
    }
    text
}

/// The smallest front: only the pure functions and the desk.
async fn purely(world: World, asked: &Asked<'_>) -> Answer {
    let config = config();
    let names: Vec<_> = config.names.iter().map(String::as_str).collect();
    let (status, settings) = (world.control.status(), world.control.settings());
    let device = Device { name: config.name.as_deref(), model: None, version: Some("1.2.3") };
    let site = Site { names: &names, scheme: config.scheme };
    let mut view = View {
        site,
        access: Ok(()),
        now: world.clock.now(),
        status: status.as_ref(),
        settings: settings.as_ref(),
        has_platform: config.has_platform,
        device,
        addresses: Addresses::default(),
    };
    let line = Request::new(asked.method, asked.target);
    let request =
        asked.headers.iter().fold(line, |it, (name, value)| it.header(name, value.as_bytes()));
    let request = request.with_body(asked.body.as_bytes());
    let mut buffer = [0; SCAN_BUFFER];
    let (link, scan, after);
    let response = match handle(&request, &view, &mut buffer) {
        Reply::Done(response) => response,
        Reply::Do(action) => {
            let outcome = match action {
                Action::Start => Outcome::Started(world.control.start(PARTING).await),
                Action::Cancel => {
                    world.control.cancel().await;
                    Outcome::Cancelled
                }
                Action::Configure(settings) => {
                    Outcome::Started(world.control.configure(settings, PARTING).await)
                }
                Action::Look => {
                    link = world.control.link().await;
                    Outcome::Looked(link.as_ref())
                }
                Action::Listen => Outcome::Listening,
                Action::Scan => {
                    scan = world.with_time(world.control.scan()).await;
                    Outcome::Scanned(scan.as_ref())
                }
            };
            after = world.control.status();
            view.status = after.as_ref();
            finish(&request, &view, outcome, &mut buffer)
        }
    };
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let length = response.content_length().map(|it| ("content-length".into(), it.to_string()));
    let headers = response.headers().map(own).chain(length);
    Answer::new(response.status(), headers, response.body())
}

/// The axum front, served over a socket.
async fn by_axum(world: World, asked: &Asked<'_>) -> Answer {
    let routes = world.routes(axum::Router::new());
    served(routes, Limits::default(), async |address| {
        let Asked { method, target, headers, body } = asked;
        let mut client = Client::to(address).await;
        let answer = client.ask_with(method, target, headers, body);
        // Only a look around takes time.
        if *target == "/api/v1/wifi/scan" { world.with_time(answer).await } else { answer.await }
    })
    .await
}

/// The picoserve front, served over a socket.
async fn by_picoserve(world: World, asked: &Asked<'_>) -> Answer {
    let front = world.firmware(None);
    served_by_firmware(&front, async |address| {
        let Asked { method, target, headers, body } = asked;
        let mut client = Client::to(address).await;
        let answer = client.ask_with(method, target, headers, body);
        if *target == "/api/v1/wifi/scan" { world.with_time(answer).await } else { answer.await }
    })
    .await
}

/// tokio only for the sockets and time limits of the front: the simulated world has its own clock. A time
/// limit that is waited for is over when nothing else is left to do.
fn run<R>(work: impl Future<Output = R>) -> R {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(work)
}

#[test]
fn the_pure_function_answers_as_the_table_says() {
    for Transcript { situation, asked, answer } in transcripts() {
        let got = block_on(World::visit(situation, async |world| purely(world, &asked).await));
        assert_eq!(shown(&got, &asked), answer, "{situation:?} {} {}", asked.method, asked.target);
    }
}

#[test]
fn the_axum_front_answers_as_the_table_says() {
    for Transcript { situation, asked, answer } in transcripts() {
        let got = run(World::visit(situation, async |world| by_axum(world, &asked).await));
        assert_eq!(shown(&got, &asked), answer, "{situation:?} {} {}", asked.method, asked.target);
    }
}

#[test]
fn the_picoserve_front_answers_as_the_table_says() {
    for Transcript { situation, asked, answer } in transcripts() {
        let mut got = run(World::visit(situation, async |world| by_picoserve(world, &asked).await));
        // It serves one request for each connection, and says so each time.
        let closes = ("connection".to_owned(), "close".to_owned());
        assert_eq!(got.headers.iter().filter(|it| **it == closes).count(), 1);
        got.headers.retain(|it| *it != closes || answer.contains("connection: close"));
        assert_eq!(shown(&got, &asked), answer, "{situation:?} {} {}", asked.method, asked.target);
    }
}

/// Everything that the page is made of.
const FILES: &[&str] = PATHS.first_chunk::<7>().expect("as many");

const PATHS: [&str; 15] = [
    "/",
    "/style.css",
    "/app.js",
    "/by-hand.js",
    "/device.js",
    "/sim.js",
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
fn no_answer_holds_a_secret() {
    // In these two a request would wait for ever.
    for situation in Situation::ALL.into_iter().filter(|it| ![Starting, Opening].contains(it)) {
        for path in PATHS {
            for method in ["GET", "POST", "DELETE", "HEAD", "PUT"] {
                let headers = vec![("Host", "gadget")];
                let body = r#"{"enable":true}"#;
                let asked = Asked { method, target: path, headers, body };
                let got =
                    block_on(World::visit(situation, async |world| purely(world, &asked).await));
                let all = format!("{got:?}");
                let found = SECRETS.iter().find(|it| all.contains(**it));
                assert_eq!(found, None, "{situation:?} {method} {path}");
            }
        }
    }
}

#[test]
fn a_head_is_a_get_without_its_body() {
    for situation in Situation::ALL.into_iter().filter(|it| *it != Starting) {
        for target in PATHS {
            let ask = |method| {
                let headers = vec![("Host", "gadget")];
                let asked = Asked { method, target, headers, body: "" };
                run(World::visit(situation, async |world| by_axum(world, &asked).await))
            };
            let (get, head) = (ask("GET"), ask("HEAD"));
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
    ];
    for (method, target, headers) in wrong {
        let asked = Asked { method, target, headers, body: "" };
        let got = block_on(World::visit(Off, async |world| purely(world, &asked).await));
        assert_eq!(got.header("content-type"), Some("application/problem+json"));
        let problem: serde_json::Value = serde_json::from_str(&got.body).expect("JSON");
        assert_eq!(problem["status"], got.status);
        assert!(problem["title"].as_str().is_some_and(|it| !it.is_empty()));
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.ends_with('.') && detail.contains(' '), "{detail}");
    }
}

#[test]
fn the_page_is_small_and_nothing_in_it_is_inline() {
    let mut sum = 0;
    for path in FILES {
        let headers = vec![("Host", "gadget")];
        let asked = Asked { method: "GET", target: path, headers, body: "" };
        let got = block_on(World::visit(Off, async |world| purely(world, &asked).await));
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
    }
    assert!(sum < 30_000, "{sum} bytes");
}

/// What the description says is what is served: paths, methods, and every status of the table.
#[test]
fn the_description_tells_the_routes_and_their_answers() {
    fn asked<'a>(method: &'a str, target: &'a str) -> Asked<'a> {
        Asked { method, target, headers: vec![("Host", "gadget")], body: "" }
    }
    let ask =
        |asked: &Asked<'_>| block_on(World::visit(Off, async |world| purely(world, asked).await));
    let got = ask(&asked("GET", "/api/v1/openapi.json"));
    let api: serde_json::Value = serde_json::from_str(&got.body).expect("JSON");
    let paths = api["paths"].as_object().expect("paths");
    let served = |path: &&&str| ask(&asked("PATCH", path)).status == 405;
    let ours = PATHS.iter().filter(|path| path.starts_with("/api/") && !path.contains('?'));
    let ours: Vec<_> = ours.filter(served).copied().collect();
    assert!(ours.iter().all(|path| paths.contains_key(*path)), "{ours:?}");
    for (path, operations) in paths {
        let refused = ask(&asked("PATCH", path));
        let allowed = refused.header("allow").expect(path).split(", ");
        let allowed: BTreeSet<_> =
            allowed.filter(|it| *it != "HEAD").map(str::to_lowercase).collect();
        let operations = operations.as_object().expect("operations");
        assert_eq!(allowed, operations.keys().cloned().collect(), "{path}");
        // Of a body that a front cannot read, whatever it was for.
        for (name, operation) in operations {
            let is_told = |status: &&str| operation["responses"][*status].is_object();
            assert!(["408", "411", "413"].iter().all(is_told), "{name} {path}");
        }
    }
    for Transcript { asked: Asked { method, target, .. }, answer, .. } in transcripts() {
        let operation =
            &paths.get(target).unwrap_or(&serde_json::Value::Null)[method.to_lowercase()];
        if let Some(responses) = operation["responses"].as_object() {
            let status = answer.split('\n').next().expect("a status");
            assert!(responses.contains_key(status), "{method} {target}: {status}");
        }
    }
}
