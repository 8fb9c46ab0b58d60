//! Settings by hand, queries, flight mode, and what can be wrong with a network.

use std::thread::sleep;
use std::time::{Duration, Instant};

use wps_core::{AccessPoint, Cause, ErrorKind, Mode, Phase, Settings};
use wps_testkit::{home, network};

use crate::context::{OLD, Rest, STEP_TIMEOUT, TestContext, block, joined};
use crate::lab::NetworkManager;

/// The authentication type WPA2-PSK and the encryption type AES, as routers send them.
pub(crate) const WPA2_PSK: u16 = 0x20;
pub(crate) const AES: u16 = 8;

#[test]
fn settings_by_hand() {
    let context = TestContext::new(true);
    let router = TestContext::home().start();
    let device = context.boot();
    assert_eq!(device.configure(Settings::Station { network: home() }), Ok(()));
    context.expect_kept(&device, &router);
    let paired = device.saved_settings();
    let kept = paired.network().expect("a network").clone();
    let rest = joined(&kept.secret);

    // The network stays remembered: its profile stays, and is not used.
    let remembered = Some(kept.clone());
    let hotspot = AccessPoint { network: network(b"hotspot", b"hotspot key"), channel: Some(1) };
    let serving = Settings::AccessPoint { access_point: hotspot, remembered: remembered.clone() };
    let off = Settings::Off { remembered };
    for (settings, rest) in [
        (&serving, &Rest::Serving),
        (&off, &Rest::Off),
        (&serving, &Rest::Serving),
        (&paired, &rest),
        (&off, &Rest::Off),
        (&paired, &rest),
    ] {
        assert_eq!(device.configure(settings.clone()), Ok(()), "{settings:?}");
        assert_eq!(device.saved_settings(), *settings);
        context.expect(settings, rest);
    }

    // What cannot be joined changes nothing.
    let wrong = network(b"home", b"wrong horse");
    let nowhere = network(b"nowhere", b"correct horse");
    for (network, cause) in
        [(wrong, ErrorKind::WrongKey.into()), (nowhere, Cause::Driver(ErrorKind::NotFound))]
    {
        assert_eq!(device.configure(Settings::Station { network }), Err(cause));
        assert_eq!(device.saved_settings(), paired);
        context.expect(&paired, &rest);
    }

    // Forgotten: the profile is gone.
    assert_eq!(device.configure(Settings::Platform), Ok(()));
    context.expect(&Settings::Platform, &Rest::Joined(OLD.into()));
}

#[test]
fn the_link_and_a_scan() {
    let context = TestContext::new(true);
    let _home = TestContext::home().start();
    let device = context.boot();
    let link = device.link().expect("a link");
    assert_eq!((link.up, link.mode), (true, Some(Mode::Station)));
    assert_eq!(link.ssid.map(|it| it.to_string()).as_deref(), Some("old"));
    let found = device.scan().expect("results");
    let names: Vec<_> = found.iter().map(|it| format!("{:?}", it.ssid)).collect();
    for name in ["old", "home"] {
        assert!(names.iter().any(|it| it.contains(name)), "{names:?}");
    }
    context.expect(&Settings::Platform, &Rest::Joined(OLD.into()));
    block(true);
    context.wait(&Rest::Off);
    let link = device.link().expect("a link");
    assert_eq!((link.up, link.mode), (false, Some(Mode::Off)));
}

#[test]
fn flight_mode_on_and_off() {
    let context = TestContext::new(true);
    let router = TestContext::home().start();
    let device = context.boot();
    // At once after the switch, NetworkManager may not have noticed it yet.
    for delay in [0, 300, 3000].map(Duration::from_millis) {
        block(true);
        sleep(delay);
        if let Err(error) = device.start() {
            panic!("{delay:?} after the switch: {error:?}: {:?}", context.check());
        }
        sleep(Duration::from_secs(1));
        device.cancel();
        assert_eq!(device.wait_result(), Err(Cause::Cancelled));
        context.expect(&Settings::Platform, &Rest::Off);
        block(false);
        context.expect(&Settings::Platform, &Rest::Joined(OLD.into()));
    }
    let paired = context.pair(&device, &router);
    block(true);
    context.expect(&paired, &Rest::Off);
    block(false);
    context.expect_kept(&device, &router);
    assert_eq!(device.status().phase, Phase::Idle);
}

#[test]
fn without_a_dhcp_server_the_network_is_paired_and_stays_kept() {
    // NetworkManager's own timeouts: it ends a connection without an address after 45 s.
    let context = TestContext::with(true, |interface| NetworkManager::start_with(interface, ""));
    let router = TestContext::home().start();
    let device = context.boot();
    let paired = context.pair(&device, &router);
    let kept = context.kept();
    let end = Instant::now() + Duration::from_secs(180);
    while Instant::now() < end {
        sleep(Duration::from_secs(15));
        assert_eq!(device.saved_settings(), paired);
        let status = device.status();
        println!("{:?} {:?} {:?}", context.manager.device(), status.phase, status.trouble);
        assert_eq!((status.phase, status.trouble), (Phase::Idle, None));
        assert_eq!(context.kept().text, kept.text);
    }
}

#[test]
fn a_wrong_key_is_noticed_within_five_seconds() {
    let context = TestContext::new(true);
    let router = TestContext::home().hands_over(&[("home", WPA2_PSK, AES, "wrong horse")]);
    let router = router.start();
    let device = context.boot();
    device.start().expect("started");
    router.press_button();
    device.notice_status("joining", |status| matches!(status.phase, Phase::Joining { .. }));
    let start = Instant::now();
    let refused = Some(Cause::Driver(ErrorKind::WrongKey));
    device.notice_status("the wrong key", |status| status.trouble == refused);
    let noticed = start.elapsed();
    device.cancel();
    assert_eq!(device.wait_result(), Err(Cause::Cancelled));
    let idle = Instant::now();
    let back = context.expect(&Settings::Platform, &Rest::Joined(OLD.into()));
    println!("noticed after {noticed:?}, back {back:?} after the end ({:?})", idle.elapsed());
    assert!(noticed <= Duration::from_secs(5), "{noticed:?}");
    assert!(back < STEP_TIMEOUT);
}
