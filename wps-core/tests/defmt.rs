//! Searches the defmt output of single types and of whole pairings for secrets, and checks which
//! log statements are warnings.
//!
//! defmt sends text of the source as an index, and everything else as bytes. The tests search these
//! bytes. Build them with `DEFMT_LOG=info`: otherwise defmt compiles the log statements out. Build
//! the test of the warnings a second time with `DEFMT_LOG=warn`.

mod common;

use common::Environment;
use common::scenario::ROUTER_KINDS;
use defmt::Format;
use wps_core::driver::Offer;
use wps_core::sim::{DiskFault, RadioFault};
use wps_core::{ErrorKind, Passphrase, Record, Settings, Snapshot};
use wps_testkit::{hotspot, network, off, old, ssid, station};

const SECRET: &[u8] = b"Tr0ub4dor&3 xyzzy";

/// Returns the bytes that defmt sends for `value`.
fn encoded(value: &impl Format) -> Vec<u8> {
    defmt::export::fetch_bytes();
    defmt::println!("{}", value);
    defmt::export::fetch_bytes()
}

fn contains(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|part| part == secret)
}

#[track_caller]
fn expect_redacted(value: &impl Format) {
    let bytes = encoded(value);
    assert!(!bytes.is_empty());
    assert!(!contains(&bytes, &SECRET[4..12]), "{}", bytes.escape_ascii());
}

#[test]
fn the_search_for_secrets_would_find_them() {
    assert!(contains(&encoded(&SECRET), SECRET));
    assert!(contains(&encoded(&ssid(SECRET)), SECRET), "a name is not secret");
    assert!(contains(&encoded(&network(SECRET, b"correct horse")), SECRET));
}

#[test]
fn no_type_sends_a_secret() {
    let secret = || network(b"home", SECRET);
    let snapshot = || Snapshot::new(SECRET).expect("short");
    expect_redacted(&Passphrase::new(SECRET).expect("a key"));
    expect_redacted(&snapshot());
    expect_redacted(&secret());
    expect_redacted(&Offer::new([secret(), secret(), secret()]).expect("three"));
    let Settings::AccessPoint { mut access_point, .. } = hotspot(None) else { unreachable!() };
    access_point.network = secret();
    expect_redacted(&access_point);
    for settings in [
        station(secret()),
        Settings::AccessPoint { access_point, remembered: Some(secret()) },
        off(Some(secret())),
    ] {
        expect_redacted(&settings);
        expect_redacted(&Record::Settled(settings.clone()));
        expect_redacted(&Record::Pairing { before: settings.clone(), snapshot: snapshot() });
        expect_redacted(&Record::Configuring { before: settings, snapshot: snapshot() });
    }
}

/// The secrets of the simulated device and its routers.
const SECRETS: [&[u8]; 5] =
    [b"correct horse", b"old password", b"on the label", b"not the right key", b"battery staple"];

#[test]
fn no_pairing_logs_a_secret() {
    for before in [station(old()), hotspot(Some(old())), off(Some(old()))] {
        for kind in ROUTER_KINDS {
            for fault in [None, Some(DiskFault::Full)] {
                defmt::export::fetch_bytes();
                let env = Environment::settled(before.clone());
                env.air.set_kind(b"home", kind);
                let mut sim = env.booted();
                sim.request_start(common::REPLY_GRACE_DELAY);
                sim.advance_to(2.0);
                sim.press_router("home");
                sim.advance_to(5.0);
                env.disk.set_fault(fault);
                sim.advance_to(130.0);
                env.disk.set_fault(None);
                sim.advance_to(170.0);
                sim.configure(station(network(b"new", b"battery staple")));
                sim.advance_to(180.0);
                let log = defmt::export::fetch_bytes();
                expect_no_leak(&sim.status());
                assert!(log.len() > 20, "{} bytes: was it built with DEFMT_LOG=info?", log.len());
                let leak = SECRETS.into_iter().find(|secret| contains(&log, secret));
                assert_eq!(leak, None, "{kind:?} {before:?}");
            }
        }
    }
}

#[test]
fn warnings_are_only_about_failures() {
    let with_info = match option_env!("DEFMT_LOG") {
        Some("info") => true,
        Some("warn") => false,
        level => panic!("build this test with DEFMT_LOG=info or warn, not {level:?}"),
    };
    let env = Environment::settled(off(None));
    let mut sim = env.booted();
    sim.press_button();
    sim.press_router("home");
    sim.advance_to(10.0);
    sim.expect_ended(Ok(()));
    assert_eq!(!defmt::export::fetch_bytes().is_empty(), with_info, "a pairing that succeeds");

    env.air.set_fault(Some(RadioFault::Fails(ErrorKind::NoDevice)));
    sim.request_link();
    sim.run_until_stalled();
    assert!(defmt::export::fetch_bytes().is_empty(), "a failed query is detail");
    sim.press_button();
    assert!(!defmt::export::fetch_bytes().is_empty(), "a failure of the radio");
}

#[track_caller]
fn expect_no_leak(status: &impl Format) {
    let bytes = encoded(status);
    let leak = SECRETS.into_iter().find(|secret| contains(&bytes, secret));
    assert_eq!(leak, None);
}
