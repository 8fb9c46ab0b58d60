//! Who may call: every rule on Host, Origin and Sec-Fetch-Site, row by row.

use wps_http::Denied::{self, ForeignHost, ForeignOrigin, Malformed};
use wps_http::{Request, Scheme, Site, guard};

const NAMES: [&str; 3] = ["gadget", "gadget.fritz.box", "Kitchen.Example."];

fn judged(target: &str, headers: &[(&str, &[u8])], scheme: Scheme) -> Result<(), Denied> {
    let line = Request::new("POST", target);
    let request = headers.iter().fold(line, |it, (name, value)| it.header(name, value));
    guard(&request, &Site { names: &NAMES, scheme })
}

fn by_http(headers: &[(&str, &str)]) -> Result<(), Denied> {
    let headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_bytes())).collect();
    judged("/api/v1/wifi/wps", &headers, Scheme::Http)
}

#[test]
fn a_host_is_an_address_localhost_or_a_name_of_the_device() {
    let own = [
        "192.168.1.100",
        "192.168.1.100.",
        "192.168.1.100:80",
        "127.0.0.1:8080",
        "10.0.0.1:",
        "[fe80::1]",
        "[::1]:8080",
        "[FE80:0:0:0:0:0:0:1]",
        "[::ffff:10.0.0.1]",
        "localhost",
        "LocalHost:8080",
        "localhost.",
        "gadget",
        "GADGET",
        "gadget.",
        "gadget:65535",
        "gadget.local",
        "Gadget.Local.:8080",
        "gadget.fritz.box",
        "kitchen.example",
    ];
    for host in own {
        assert_eq!(by_http(&[("Host", host)]), Ok(()), "{host}");
    }
    let foreign = [
        "evil.example",
        "gadget.evil.example",
        "gadget.local.evil.example",
        "evil.gadget",
        "gadget.fritz.box.local",
        "evil.localhost",
        "127.0.0.1.nip.io",
        "local",
        "127.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "1.2.3.4.5",
        "xn--gdget-0ra",
    ];
    for host in foreign {
        assert_eq!(by_http(&[("Host", host)]), Err(ForeignHost), "{host}");
    }
    let malformed = [
        "",
        " ",
        ".",
        ":80",
        "gadget:http",
        "gadget:80:80",
        "gadget:65536",
        "gadget:+80",
        "gadget:-1",
        "gadget gadget",
        "gadget,gadget",
        "gadget/",
        "user@gadget",
        "http://gadget",
        "::1",
        "[::1",
        "::1]",
        "[::1]80",
        "[gadget]",
        "[127.0.0.1]",
        "[]",
        "gädget",
        "gadget\t",
        "gad\0get",
    ];
    for host in malformed {
        let judged = by_http(&[("Host", host)]);
        // White space around a value is not part of it (RFC 9110, 5.5); a comma is of a name.
        let expected = match host {
            "gadget\t" => Ok(()),
            "gadget,gadget" => Err(ForeignHost),
            _ => Err(Malformed),
        };
        assert_eq!(judged, expected, "{host:?}");
    }
    assert_eq!(judged("/", &[("Host", b"gadget\xff")], Scheme::Http), Err(Malformed));
}

#[test]
fn there_is_exactly_one_host() {
    assert_eq!(by_http(&[]), Err(Malformed));
    assert_eq!(by_http(&[("Host", "gadget"), ("host", "gadget")]), Err(Malformed));
    assert_eq!(by_http(&[("Host", "gadget"), ("HOST", "evil.example")]), Err(Malformed));
}

#[test]
fn an_origin_is_the_host() {
    let own = [
        ("gadget", "http://gadget"),
        ("gadget", "http://gadget:80"),
        ("gadget:80", "http://gadget"),
        ("gadget:80", "http://gadget."),
        ("GADGET.", "HTTP://Gadget"),
        ("gadget:8080", "http://gadget:8080"),
        ("gadget.local", "http://gadget.local"),
        ("192.168.1.100", "http://192.168.1.100"),
        ("192.168.1.100:8080", "http://192.168.1.100:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("[FE80:0::1]", "http://[fe80::1]:80"),
    ];
    for (host, origin) in own {
        assert_eq!(by_http(&[("Host", host), ("Origin", origin)]), Ok(()), "{host} {origin}");
    }
    let foreign = [
        "null",
        "",
        "gadget",
        "http://",
        "https://gadget",
        "ftp://gadget",
        "http://gadget:8080",
        "http://gadget.local",
        "http://evil.example",
        "http://gadget.evil.example",
        "http://gadget@evil.example",
        "http://evil.example@gadget",
        "http://gadget/",
        "http://gadget#evil.example",
        "http://192.168.1.100",
        "http://localhost",
        "chrome-extension://gadget",
        "http://gadget, http://gadget",
        "http://gadget http://evil.example",
    ];
    for origin in foreign {
        let headers = [("Host", "gadget"), ("Origin", origin)];
        assert_eq!(by_http(&headers), Err(ForeignOrigin), "{origin}");
    }
    let twice = [("Host", "gadget"), ("Origin", "http://gadget"), ("origin", "http://gadget")];
    assert_eq!(by_http(&twice), Err(Malformed));
}

#[test]
fn behind_tls_an_origin_is_https() {
    let judged = |host: &'static str, origin: &'static str| {
        let headers = [("Host", host.as_bytes()), ("Origin", origin.as_bytes())];
        judged("/", &headers, Scheme::Https)
    };
    assert_eq!(judged("gadget", "https://gadget"), Ok(()));
    assert_eq!(judged("gadget:443", "https://gadget"), Ok(()));
    assert_eq!(judged("gadget", "http://gadget"), Err(ForeignOrigin));
    assert_eq!(judged("gadget:80", "https://gadget"), Err(ForeignOrigin));
}

/// The attacker's name resolves to the device: Host and Origin agree, and are both foreign.
#[test]
fn a_rebound_name_is_foreign() {
    let headers = [("Host", "evil.example"), ("Origin", "http://evil.example")];
    assert_eq!(by_http(&headers), Err(ForeignHost));
}

#[test]
fn a_browser_may_say_that_it_is_another_site() {
    let site = |value| by_http(&[("Host", "gadget"), ("Sec-Fetch-Site", value)]);
    assert_eq!(site("cross-site"), Err(ForeignOrigin));
    assert_eq!(site("same-site"), Err(ForeignOrigin));
    assert_eq!(site("Cross-Site"), Err(ForeignOrigin));
    assert_eq!(site("same-origin"), Ok(()));
    assert_eq!(site("none"), Ok(()));
    let headers = [
        ("Host", "gadget"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Origin", "http://gadget"),
    ];
    assert_eq!(by_http(&headers), Err(ForeignOrigin));
}

#[test]
fn a_target_with_a_host_names_the_same_one() {
    let target = |target| judged(target, &[("Host", b"gadget:8080")], Scheme::Http);
    assert_eq!(target("http://gadget:8080/api/v1/wifi/wps"), Ok(()));
    assert_eq!(target("http://GADGET.:8080"), Ok(()));
    assert_eq!(target("http://gadget/"), Err(Malformed));
    assert_eq!(target("http://evil.example/"), Err(Malformed));
    assert_eq!(target("http://"), Err(Malformed));
    // A path, whatever it looks like.
    assert_eq!(target("//evil.example/"), Ok(()));
    assert_eq!(target("/?http://evil.example"), Ok(()));
}
