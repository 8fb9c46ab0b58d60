//! Networks of all kinds.

use wps_core::{Credentials, Secret, Settings};
use wps_testkit::ssid;

use crate::context::{OLD, Rest, TestContext};
use crate::lab::{Router, Security};

const RAW_PSK: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const KEY: &str = "correct horse";

#[test]
fn twelve_pairings_in_a_row_of_each_security_with_odd_names_and_keys() {
    let context = TestContext::new(true);
    let device = context.boot();
    for (name, security, key) in [
        (&b"plain"[..], Security::Wpa2, KEY),
        (b"two words", Security::Wpa3Transition, KEY),
        (b"a", Security::SaeOnly, KEY),
        (b"32 bytes xxxxxxxxxxxxxxxxxxxxxxx", Security::Wpa2, RAW_PSK),
        (b" \"double\" 'single' ", Security::Wpa2, " \"double\" 'single' "),
        ("Caf\u{e9} \u{2615}".as_bytes(), Security::Wpa2, "Schl\u{fc}ssel \u{2615}"),
        (b"\xff\xfe not UTF-8 \x80", Security::SaeOnly, "100% %s %n"),
        (b"100% %s %n", Security::Wpa3Transition, "pass\\word; with=#"),
        (b"a;b=c\\d#e[f]", Security::Wpa2, "pa\"ss\\wo rd$`';#"),
        (b"1;2;3;", Security::Wpa2, "1;2;3;4;"),
        (b"../../a/b", Security::Wpa2, "12345678"),
        (b"a\ttab and\na line\0\x1b", Security::Wpa2, KEY),
    ] {
        println!("{} {security:?} {key}", name.escape_ascii());
        let router = Router::setup(0, name).channel(6).security(security).passphrase(key).start();
        let paired = context.pair(&device, &router);
        assert_eq!(paired.network().map(|it| it.ssid.as_bytes()), Some(name));
        context.expect_kept(&device, &router);
    }
    assert_eq!(device.configure(Settings::Platform), Ok(()));
    context.expect(&Settings::Platform, &Rest::Joined(OLD.into()));
}

#[test]
fn an_open_network_by_hand() {
    let context = TestContext::new(true);
    let device = context.boot();
    let router = TestContext::home().security(Security::Open).start();
    let network = Credentials { ssid: ssid(b"home"), secret: Secret::Open };
    assert_eq!(device.configure(Settings::Station { network }), Ok(()));
    let kept = context.expect_kept(&device, &router);
    assert_eq!(kept.value("wifi-security", "key-mgmt"), None);
    assert_eq!(device.configure(Settings::Platform), Ok(()));
    context.expect(&Settings::Platform, &Rest::Joined(OLD.into()));
}
