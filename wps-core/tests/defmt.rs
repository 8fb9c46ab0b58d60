//! What goes out by defmt: types and the log of whole pairings, searched for secrets.
//!
//! Of text in the source only an index is sent; all else is bytes, and those are looked at. Build it
//! with `DEFMT_LOG=info`: without, defmt leaves the log out.

mod common;

use common::{Site, hotspot, net, off, old, ssid, station};
use defmt::Format;
use wps_core::driver::Offer;
use wps_core::sim::{DiskFault, RouterKind};
use wps_core::{Passphrase, Record, Settings, Snapshot};

const SECRET: &[u8] = b"Tr0ub4dor&3 xyzzy";

/// The bytes that `value` sends.
fn sent(value: &impl Format) -> Vec<u8> {
    defmt::export::fetch_bytes();
    defmt::println!("{}", value);
    defmt::export::fetch_bytes()
}

fn holds(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|part| part == secret)
}

#[track_caller]
fn expect_redacted(value: &impl Format) {
    let bytes = sent(value);
    assert!(!bytes.is_empty());
    assert!(!holds(&bytes, &SECRET[4..12]), "{}", bytes.escape_ascii());
}

#[test]
fn the_search_for_secrets_would_find_them() {
    assert!(holds(&sent(&SECRET), SECRET));
    assert!(holds(&sent(&ssid(SECRET)), SECRET), "a name is no secret");
    assert!(holds(&sent(&net(SECRET, b"correct horse")), SECRET));
}

#[test]
fn no_type_sends_a_secret() {
    let secret = || net(b"home", SECRET);
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

/// Those of the simulated world.
const SECRETS: [&[u8]; 5] =
    [b"correct horse", b"old password", b"on the label", b"not the right key", b"battery staple"];

const KINDS: [RouterKind; 7] = [
    RouterKind::Ordinary,
    RouterKind::WithoutWps,
    RouterKind::WrongKey,
    RouterKind::GuestFirst,
    RouterKind::Refuses,
    RouterKind::Insecure,
    RouterKind::Vanishes,
];

#[test]
fn no_pairing_logs_a_secret() {
    for before in [station(old()), hotspot(Some(old())), off(Some(old()))] {
        for kind in KINDS {
            for fault in [None, Some(DiskFault::Full)] {
                defmt::export::fetch_bytes();
                let site = Site::settled(before.clone());
                site.air.set_kind(b"home", kind);
                let mut world = site.booted();
                world.ask_start(common::PARTING);
                world.at(2.0);
                world.press("home");
                world.at(5.0);
                site.disk.set_fault(fault);
                world.at(130.0);
                site.disk.set_fault(None);
                world.at(170.0);
                world.configure(station(net(b"new", b"battery staple")));
                world.at(180.0);
                let log = defmt::export::fetch_bytes();
                expect_sent(&world.status());
                assert!(log.len() > 20, "{} bytes: was it built with DEFMT_LOG=info?", log.len());
                let leak = SECRETS.into_iter().find(|secret| holds(&log, secret));
                assert_eq!(leak, None, "{kind:?} {before:?}");
            }
        }
    }
}

#[track_caller]
fn expect_sent(status: &impl Format) {
    let bytes = sent(status);
    let leak = SECRETS.into_iter().find(|secret| holds(&bytes, secret));
    assert_eq!(leak, None);
}
