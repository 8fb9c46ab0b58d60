//! The formats of `/api/v1/system`, field by field, and the longest responses, which must fit their
//! buffer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};
use wps_core::driver::SearchProgress;
use wps_core::wsc::Bssid;
use wps_core::{
    Cause, Cipher, Credentials, Instant, KeptId, Link, Mode, Phase, Secret, Security, Settings,
    Ssid, Status, TaskKind, TaskResult,
};
use wps_http::{
    Addresses, BUFFER, Device, Outcome, Reply, Request, View, event, finish, handle, needs_events,
};
use wps_testkit::{home, off, ssid, station};

const KEPT: Secret = Secret::Kept(KeptId(*b"0123456789abcdef"));

fn system(view: &View<'_>, link: Option<&Link>) -> Value {
    let request = Request::new("GET", "/api/v1/system").header("Host", b"127.0.0.1");
    let mut buffer = [0; BUFFER];
    let response = finish(&request, view, &Outcome::Link(link.cloned()), &mut buffer);
    assert_eq!(response.status(), 200);
    serde_json::from_slice(response.body()).expect("JSON")
}

fn wifi(link: &Link) -> Value {
    system(&View::default(), Some(link))["wifi"].clone()
}

fn all_fields() -> Link {
    Link {
        up: true,
        mode: Some(Mode::Station),
        ssid: Some(ssid(b"home")),
        bssid: Some(Bssid([0xa0, 0xb1, 0xc2, 0xd3, 0xe4, 0xf5])),
        frequency_mhz: Some(2437),
        width_mhz: Some(20),
        signal_dbm: Some(-61),
        security: Some(Security::Wpa2),
        pairwise_cipher: Some(Cipher::Ccmp),
        group_cipher: Some(Cipher::TkipCcmp),
        generation: Some(4),
        address: Some(Bssid([2, 0, 0, 0, 0, 0x1f])),
        country: Some(*b"CH"),
    }
}

#[test]
fn all_known_fields_are_shown() {
    let addresses = Addresses {
        ip: Some(IpAddr::V4(Ipv4Addr::new(192, 168, 1, 100))),
        mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
        gateway: Some(IpAddr::V4(Ipv4Addr::new(192, 168, 1, 1))),
        dns: Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    };
    let device = Device {
        name: Some("gadget"),
        model: Some("G \"1\""),
        version: None,
        manager: Some("NetworkManager"),
    };
    let view = View { addresses: Some(addresses), device, ..View::default() };
    let expected = json!({
        "wifi": {
            "ssid": "home",
            "bssid": "A0B1C2D3E4F5",
            "channel": 6,
            "ht": "20",
            "rssi": -61,
            "signal": 78,
            "auth_mode": "WPA2",
            "pairwise_cipher": "CCMP",
            "group_cipher": "TKIP-CCMP",
            "phy": "bgn",
            "wps": false,
            "country": "CH",
            "mac": "02000000001F",
            "has_address": true,
            "ip": "192.168.1.100",
            "mask": "255.255.255.0",
            "gateway": "192.168.1.1",
            "dns": "::1",
            "status": "OK",
            "mode": "STA",
        },
        "device": { "name": "gadget", "model": "G \"1\"", "manager": "NetworkManager" },
    });
    assert_eq!(system(&view, Some(&all_fields())), expected);
}

#[test]
fn who_keeps_the_joined_network_is_shown() {
    let kept_by = |settings: &Settings, link: &Link| {
        let view = View { settings: Some(settings), ..View::default() };
        system(&view, Some(link))["wifi"]["kept_by"].clone()
    };
    let kept = Credentials { secret: KEPT, ..home() };
    let link = all_fields();
    assert_eq!(kept_by(&station(home()), &link), json!("record"));
    assert_eq!(kept_by(&station(kept.clone()), &link), json!("platform"));
    // Another network of the platform, and no network.
    let other = Link { ssid: Some(ssid(b"neighbour")), ..all_fields() };
    assert_eq!(kept_by(&station(kept.clone()), &other), Value::Null);
    assert_eq!(kept_by(&station(kept.clone()), &Link { up: false, ..all_fields() }), Value::Null);
    assert_eq!(kept_by(&Settings::Platform, &link), Value::Null);
    assert_eq!(kept_by(&off(Some(kept)), &link), Value::Null);
}

#[test]
fn a_missing_address_is_shown_while_joined_to_a_network() {
    let link = all_fields();
    let has_address = |addresses, link: &Link| {
        let view = View { addresses, ..View::default() };
        system(&view, Some(link))["wifi"]["has_address"].clone()
    };
    let with_ip = |ip: IpAddr| Some(Addresses { ip: Some(ip), ..Addresses::default() });
    assert_eq!(has_address(None, &link), Value::Null, "the application does not say");
    assert_eq!(has_address(Some(Addresses::default()), &link), json!(false));
    for (ip, is_of_use) in [
        ("192.0.2.7", true),
        ("2001:db8::7", true),
        ("169.254.7.7", false), // chosen by the device itself
        ("fe80::7", false),
    ] {
        let addresses = with_ip(ip.parse().expect("an address"));
        assert_eq!(has_address(addresses, &link), json!(is_of_use), "{ip}");
    }
    for not_joined in [
        Link { up: false, ..link.clone() },
        Link { mode: Some(Mode::AccessPoint), ..link.clone() },
        Link { mode: Some(Mode::Off), up: false, ..link.clone() },
    ] {
        assert_eq!(has_address(Some(Addresses::default()), &not_joined), Value::Null);
    }
}

#[test]
fn the_status_says_whether_an_idle_station_has_an_address() {
    let has_address = |status: &Status, addresses| {
        let view = View { status: Some(status), addresses, ..View::default() };
        let mut buffer = [0; BUFFER];
        let event = event(&view, &mut buffer).strip_prefix(b"data: ").expect("an event");
        let event: Value = serde_json::from_slice(event).expect("JSON");
        // An event that will change is sent again every second.
        assert_eq!(needs_events(&view), event["has_address"] == json!(false));
        event["has_address"].clone()
    };
    let none = Some(Addresses::default());
    let some = Some(Addresses { ip: Some([192, 0, 2, 7].into()), ..Addresses::default() });
    let idle = |mode, network| {
        let mut status = Status::new(Phase::Idle, mode);
        status.network = network;
        status
    };
    let home = Some(ssid(b"home"));
    let station = idle(Mode::Station, home.clone());
    assert_eq!(has_address(&station, None), Value::Null);
    assert_eq!(has_address(&station, none), json!(false));
    assert_eq!(has_address(&station, some), json!(true));
    assert_eq!(has_address(&idle(Mode::Station, None), none), Value::Null);
    assert_eq!(has_address(&idle(Mode::AccessPoint, home.clone()), none), Value::Null);
    assert_eq!(has_address(&idle(Mode::Off, home.clone()), none), Value::Null);
    let mut busy = station;
    busy.phase = Phase::Saving;
    assert_eq!(has_address(&busy, none), Value::Null);
}

#[test]
fn unknown_fields_are_left_out() {
    assert_eq!(wifi(&Link::default()), json!({ "wps": false, "status": "Disconnected" }));
    assert_eq!(system(&View::default(), None)["wifi"], json!({ "wps": false }));
}

#[test]
fn channels_and_widths() {
    let shown = |mhz, width| {
        let link = Link { frequency_mhz: Some(mhz), width_mhz: Some(width), ..Link::default() };
        let wifi = wifi(&link);
        (wifi["channel"].clone(), wifi["ht"].clone())
    };
    assert_eq!(shown(2412, 20), (json!(1), json!("20")));
    assert_eq!(shown(2472, 20), (json!(13), json!("20")));
    assert_eq!(shown(2484, 20), (json!(14), json!("20")));
    assert_eq!(shown(2437, 40), (json!(6), Value::Null), "above or below is unknown");
    assert_eq!(shown(5180, 40), (json!(36), json!("40+")));
    assert_eq!(shown(5200, 40), (json!(40), json!("40-")));
    assert_eq!(shown(5220, 80), (json!(44), json!("40+")));
    assert_eq!(shown(5500, 80), (json!(100), json!("40+")));
    assert_eq!(shown(5720, 40), (json!(144), json!("40-")));
    assert_eq!(shown(5745, 40), (json!(149), json!("40+")));
    assert_eq!(shown(5765, 40), (json!(153), json!("40-")));
    assert_eq!(shown(5955, 80), (json!(1), Value::Null));
    assert_eq!(shown(900, 20), (Value::Null, json!("20")));
}

#[test]
fn signal_is_a_percentage() {
    let signal = |dbm| wifi(&Link { signal_dbm: Some(dbm), ..Link::default() })["signal"].clone();
    for (dbm, percent) in
        [(i16::MIN, 0), (-101, 0), (-100, 0), (-75, 50), (-50, 100), (-20, 100), (i16::MAX, 100)]
    {
        assert_eq!(signal(dbm), json!(percent), "{dbm} dBm");
    }
}

#[test]
fn a_name_that_is_not_utf8_is_also_given_in_hex() {
    let named = |ssid: &[u8]| {
        let wifi = wifi(&Link { ssid: Ssid::new(ssid).ok(), ..Link::default() });
        (wifi["ssid"].clone(), wifi["ssid_hex"].clone())
    };
    assert_eq!(named("zuhause 🏠".as_bytes()), (json!("zuhause 🏠"), Value::Null));
    assert_eq!(named(b"\0\x1f\"\\\x7f"), (json!("\0\x1f\"\\\x7f"), Value::Null));
    assert_eq!(named(b"caf\xe9"), (json!("caf\u{fffd}"), json!("636166E9")));
    // The text is the same, but here it is exact.
    assert_eq!(named("caf\u{fffd}".as_bytes()), (json!("caf\u{fffd}"), Value::Null));
}

#[test]
fn the_longest_responses_fit() {
    let not_utf8 = ssid(&[0xff; 32]);
    let ssid = ssid(&[0x01; 32]); // each byte is six in JSON
    let long = "\u{1}".repeat(64);
    let long = Some(&*long);
    let manager = Some("NetworkManager");
    let device = Device { name: long, model: long, version: long, manager };
    let ip = Some(IpAddr::V6(Ipv6Addr::from([0xffff_u16; 8])));
    let mask = Some(Ipv4Addr::BROADCAST);
    let addresses = Some(Addresses { ip, mask, gateway: ip, dns: ip });
    let mut status = Status::new(Phase::Searching, Mode::AccessPoint);
    status.deadline = Some(Instant::from_millis(u64::MAX));
    status.off_air = true;
    for name in [ssid, not_utf8] {
        status.progress = SearchProgress::Exchanging { ssid: Some(name.clone()) };
        let link = Link { ssid: Some(name.clone()), ..all_fields() };
        let settings = station(Credentials { ssid: name, secret: KEPT });
        let (status, settings) = (Some(&status), Some(&settings));
        let view = View { device, addresses, status, settings, ..View::default() };
        system(&view, Some(&link));
    }
    for &cause in Cause::ALL {
        let at = Instant::from_millis(0);
        status.last = Some(TaskResult::new(TaskKind::Configure, Err(cause), at));
        status.trouble = Some(cause);
        let now = Instant::from_millis(u64::MAX);
        let view = View { now, addresses, status: Some(&status), ..View::default() };
        let request = Request::new("GET", "/api/v1/wifi/wps").header("Host", b"127.0.0.1");
        let mut buffer = [0; BUFFER];
        let Reply::Response(response) = handle(&request, &view, &mut buffer) else {
            panic!("a status needs no action")
        };
        assert_eq!(response.status(), 200);
        serde_json::from_slice::<Value>(response.body()).expect("JSON");
    }
}
