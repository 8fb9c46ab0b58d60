//! Fuzzes HTTP requests, from the request line to the body. Every request gets a response, and a
//! request from a foreign origin never reaches the radio.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use wps_core::wsc::Bssid;
use wps_core::{Cause, RequestError, Settings};
use wps_http::{
    Action, AllowedHosts, BUFFER, Outcome, Reply, Request, Response, View, finish, handle,
};
use wps_testkit::{hotspot, off, old, station, unhex};

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    let settings = settings(*kind);
    let names = ["gadget"];
    let allowed_hosts = AllowedHosts { names: &names, ..AllowedHosts::default() };
    let has_platform = kind & 4 != 0;
    let view = View { allowed_hosts, settings: settings.as_ref(), has_platform, ..View::default() };

    let (head, body) = split_once(data, b"\r\n\r\n").unwrap_or((data, &[]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let (method, target) = line.trim().split_once(' ').unwrap_or((&line, ""));
    let headers: Vec<_> = lines.filter_map(header).collect();
    let request = headers
        .iter()
        .fold(Request::new(method, target), |it, (name, value)| it.header(name, value))
        .with_body(body);

    let mut buffer = [0; BUFFER];
    let response = match handle(&request, &view, &mut buffer) {
        Reply::Response(response) => response,
        Reply::Action(action) => {
            let outcome = match &action {
                Action::Start => {
                    expect_no_choice(&headers, body);
                    Outcome::Started(Err(RequestError::Failed(Cause::Store)))
                }
                Action::StartWith(access_point) => {
                    expect_choice_of_body(*access_point, body);
                    Outcome::Started(Err(RequestError::Busy))
                }
                Action::Configure(settings) => {
                    expect_settings_of_body(settings, body);
                    Outcome::Started(Ok(()))
                }
                Action::Cancel => Outcome::Cancelled,
                Action::Listen => Outcome::Listening,
                Action::QueryLink => Outcome::Link(None),
                Action::Scan => Outcome::Scanned(None),
            };
            assert!(["GET", "HEAD", "PUT", "POST", "DELETE"].contains(&method));
            match action {
                Action::Start | Action::StartWith(_) | Action::Cancel | Action::Configure(_) => {
                    expect_same_origin(&headers);
                }
                Action::Listen | Action::QueryLink | Action::Scan => {}
            }
            finish(&request, &view, &outcome, &mut buffer)
        }
    };
    expect_well_formed(&response);
    // Also with a very small buffer.
    if let Reply::Response(response) = handle(&request, &view, &mut [0; 40]) {
        expect_well_formed(&response);
    }
});

fn split_once<'a>(data: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let index = data.windows(at.len()).position(|it| it == at)?;
    Some((&data[..index], &data[index + at.len()..]))
}

fn header(line: &[u8]) -> Option<(String, &[u8])> {
    let (name, value) = split_once(line, b":")?;
    Some((String::from_utf8_lossy(name).into_owned(), value))
}

fn settings(kind: u8) -> Option<Settings> {
    match kind & 3 {
        0 => None,
        1 => Some(station(old())),
        2 => Some(hotspot(None)),
        _ => Some(off(None)),
    }
}

/// Asserts that a request that touches the radio names the device as its host and does not come
/// from another page.
fn expect_same_origin(headers: &[(String, &[u8])]) {
    let all = |name: &str| -> Vec<String> {
        let named = headers.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name));
        named
            .map(|(_, value)| String::from_utf8_lossy(value.trim_ascii()).to_ascii_lowercase())
            .collect()
    };
    let hosts = all("host");
    let [host] = &hosts[..] else { panic!("not one host: {hosts:?}") };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    assert!(
        ["gadget", "gadget.local", "localhost"].contains(&name)
            || address.parse::<std::net::IpAddr>().is_ok(),
        "a foreign name: {host}"
    );
    for origin in all("origin") {
        assert!(origin.starts_with("http://"), "a foreign origin: {origin}");
        let first = |text: &str| text.split([':', '.']).next().map(str::to_owned);
        assert_eq!(first(&origin["http://".len()..]), first(host), "a foreign origin: {origin}");
    }
    let foreign_sites = ["cross-site", "same-site"];
    assert!(!all("sec-fetch-site").iter().any(|it| foreign_sites.contains(&&**it)));
}

/// Asserts that another parser does not find an access point in a JSON body either.
fn expect_no_choice(headers: &[(String, &[u8])], body: &[u8]) {
    let types: Vec<_> =
        headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type")).collect();
    let [(_, media_type)] = types[..] else { return };
    if media_type.trim_ascii() != b"application/json" || body.is_empty() {
        return;
    }
    if let Some(body) = expect_object(body) {
        assert_eq!(body.get("bssid"), None, "{body}");
    }
}

/// Asserts that another parser accepts the body as an object, and returns it. Returns `None` for a
/// number that this parser cannot represent.
fn expect_object(body: &[u8]) -> Option<Value> {
    match serde_json::from_slice(body) {
        Ok(body @ Value::Object(_)) => Some(body),
        Ok(body) => panic!("not an object: {body}"),
        Err(error) if error.to_string().starts_with("number out of range") => None,
        Err(error) => panic!("not JSON: {error}"),
    }
}

/// Asserts that another parser reads the same access point from the body.
fn expect_choice_of_body(Bssid(bytes): Bssid, body: &[u8]) {
    if let Some(body) = expect_object(body) {
        let text = body["bssid"].as_str().expect("an access point");
        assert_eq!(unhex(&text.replace(':', "")), bytes);
    }
}

/// Asserts that another parser reads the same settings from the body.
fn expect_settings_of_body(settings: &Settings, body: &[u8]) {
    let Some(network) = settings.network().filter(|it| it.ssid.as_bytes() != b"old") else {
        return;
    };
    let body: Value = serde_json::from_slice(body).expect("JSON");
    let name = match (&body["name"], &body["name_hex"]) {
        (Value::String(name), Value::Null) => name.as_bytes().to_vec(),
        (Value::Null, Value::String(digits)) => unhex(digits),
        _ => panic!("no name: {body}"),
    };
    assert_eq!(network.ssid.as_bytes(), name);
    let password = body["password"].as_str().expect("a password").as_bytes();
    assert_eq!(wps_testkit::key(network), password);
}

fn expect_well_formed(response: &Response<'_>) {
    assert!((200..=503).contains(&response.status()));
    for (name, value) in response.headers() {
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        assert!(value.bytes().all(|byte| (32..=126).contains(&byte)), "{name}: {value:?}");
    }
    let is_json = response.content_type().is_some_and(|it| it.contains("json"));
    if is_json && !response.body().is_empty() {
        let body: Value = serde_json::from_slice(response.body()).expect("JSON");
        if response.status() >= 400 {
            assert_eq!(body["status"], response.status());
            assert!(body["detail"].as_str().is_some_and(|detail| detail.ends_with('.')));
        }
    }
}
