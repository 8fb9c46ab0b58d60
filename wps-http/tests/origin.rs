//! The rules on Host, Origin and Sec-Fetch-Site, case by case.

use wps_http::OriginError::{self, ForeignHost, ForeignOrigin, Malformed};
use wps_http::{AllowedHosts, Request, Scheme, check_origin};

const NAMES: [&str; 3] = ["gadget", "gadget.fritz.box", "Kitchen.Example."];

fn check(target: &str, headers: &[(&str, &[u8])], scheme: Scheme) -> Result<(), OriginError> {
    let line = Request::new("POST", target);
    let request = headers.iter().fold(line, |it, (name, value)| it.header(name, value));
    check_origin(&request, &AllowedHosts { names: &NAMES, scheme })
}

fn check_http(headers: &[(&str, &str)]) -> Result<(), OriginError> {
    let headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_bytes())).collect();
    check("/api/v1/wifi/wps", &headers, Scheme::Http)
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
        assert_eq!(check_http(&[("Host", host)]), Ok(()), "{host}");
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
        assert_eq!(check_http(&[("Host", host)]), Err(ForeignHost), "{host}");
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
        let result = check_http(&[("Host", host)]);
        // White space around a value is not part of it (RFC 9110, 5.5). A name may have a comma.
        let expected = match host {
            "gadget\t" => Ok(()),
            "gadget,gadget" => Err(ForeignHost),
            _ => Err(Malformed),
        };
        assert_eq!(result, expected, "{host:?}");
    }
    assert_eq!(check("/", &[("Host", b"gadget\xff")], Scheme::Http), Err(Malformed));
}

#[test]
fn exactly_one_host_is_required() {
    assert_eq!(check_http(&[]), Err(Malformed));
    assert_eq!(check_http(&[("Host", "gadget"), ("host", "gadget")]), Err(Malformed));
    assert_eq!(check_http(&[("Host", "gadget"), ("HOST", "evil.example")]), Err(Malformed));
}

#[test]
fn an_origin_must_match_the_host() {
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
        assert_eq!(check_http(&[("Host", host), ("Origin", origin)]), Ok(()), "{host} {origin}");
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
        assert_eq!(check_http(&headers), Err(ForeignOrigin), "{origin}");
    }
    let twice = [("Host", "gadget"), ("Origin", "http://gadget"), ("origin", "http://gadget")];
    assert_eq!(check_http(&twice), Err(Malformed));
}

#[test]
fn behind_tls_an_origin_must_be_https() {
    let check = |host: &'static str, origin: &'static str| {
        let headers = [("Host", host.as_bytes()), ("Origin", origin.as_bytes())];
        check("/", &headers, Scheme::Https)
    };
    assert_eq!(check("gadget", "https://gadget"), Ok(()));
    assert_eq!(check("gadget:443", "https://gadget"), Ok(()));
    assert_eq!(check("gadget", "http://gadget"), Err(ForeignOrigin));
    assert_eq!(check("gadget:80", "https://gadget"), Err(ForeignOrigin));
}

/// The attacker's name resolves to the device: Host and Origin match, but both are foreign.
#[test]
fn a_rebound_name_is_a_foreign_host() {
    let headers = [("Host", "evil.example"), ("Origin", "http://evil.example")];
    assert_eq!(check_http(&headers), Err(ForeignHost));
}

#[test]
fn sec_fetch_site_is_checked_if_present() {
    let with_sec_fetch_site = |value| check_http(&[("Host", "gadget"), ("Sec-Fetch-Site", value)]);
    assert_eq!(with_sec_fetch_site("cross-site"), Err(ForeignOrigin));
    assert_eq!(with_sec_fetch_site("same-site"), Err(ForeignOrigin));
    assert_eq!(with_sec_fetch_site("Cross-Site"), Err(ForeignOrigin));
    assert_eq!(with_sec_fetch_site("same-origin"), Ok(()));
    assert_eq!(with_sec_fetch_site("none"), Ok(()));
    let headers = [
        ("Host", "gadget"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Origin", "http://gadget"),
    ];
    assert_eq!(check_http(&headers), Err(ForeignOrigin));
}

#[test]
fn an_absolute_target_must_match_the_host() {
    let target = |target| check(target, &[("Host", b"gadget:8080")], Scheme::Http);
    assert_eq!(target("http://gadget:8080/api/v1/wifi/wps"), Ok(()));
    assert_eq!(target("http://GADGET.:8080"), Ok(()));
    assert_eq!(target("http://gadget/"), Err(Malformed));
    assert_eq!(target("http://evil.example/"), Err(Malformed));
    assert_eq!(target("http://"), Err(Malformed));
    // These look like other hosts, but are only a path and a query.
    assert_eq!(target("//evil.example/"), Ok(()));
    assert_eq!(target("/?http://evil.example"), Ok(()));
}
