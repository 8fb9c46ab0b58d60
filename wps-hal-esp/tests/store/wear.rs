//! Counts the figures that the documentation states.

use wps_testkit::network;

use super::encrypted::KEY;
use super::flash::Esp;
use super::{longest, save, station};
use wps_core::{Record, Settings, Snapshot};

/// How many erases a sector of such flash survives, according to its data sheets.
const ERASES_MAX: u64 = 100_000;

/// Returns the records that a pairing saves: the journal, then the new network.
fn pairing(from: &str, to: &str) -> [Record; 2] {
    let network = network(from.as_bytes(), b"correct horse");
    let before = Settings::Station { network };
    [Record::Pairing { before, snapshot: Snapshot::default() }, station(to)]
}

#[test]
fn wear_matches_the_documentation() {
    let mut flash = Esp::new();
    flash.take_stats();
    save(&mut flash, &station("home network")).unwrap();
    flash.take_stats();
    save(&mut flash, &station("home network")).unwrap();
    let one = flash.take_stats();
    assert_eq!((one.bytes_written, one.erases), (60, 0));

    let pairings = 2_000;
    for _ in 0..pairings {
        for record in pairing("home network", "next network") {
            save(&mut flash, &record).unwrap();
        }
    }
    let all = flash.take_stats();
    println!(
        "{} bytes a pairing, {} erases in {pairings}",
        all.bytes_written / pairings,
        all.erases
    );
    let pairings_per_erase = pairings / all.erases;
    assert_eq!(pairings_per_erase, 34);
    // Two sectors are used in turn.
    assert_eq!(pairings_per_erase * 2 * ERASES_MAX, 6_800_000);

    // The worst case: only the longest records.
    save(&mut flash, &longest(b'x')).unwrap();
    let mut one = flash.take_stats();
    while one.erases > 0 {
        save(&mut flash, &longest(b'x')).unwrap();
        one = flash.take_stats();
    }
    assert_eq!(one.bytes_written, 296);
    let saves = 2_000;
    for _ in 0..saves {
        save(&mut flash, &longest(b'x')).unwrap();
    }
    let saves_per_erase = saves / flash.take_stats().erases;
    assert_eq!(saves_per_erase, 12);
    assert_eq!(saves_per_erase / 2 * 2 * ERASES_MAX, 1_200_000);
}

#[test]
fn wear_with_encryption_matches_the_documentation() {
    let mut flash = Esp::new();
    flash.key = Some(KEY);
    save(&mut flash, &station("home network")).unwrap();
    flash.take_stats();
    save(&mut flash, &station("home network")).unwrap();
    assert_eq!(flash.take_stats().bytes_written, 100);
    let pairings = 500;
    for _ in 0..pairings {
        for record in pairing("home network", "next network") {
            save(&mut flash, &record).unwrap();
        }
    }
    let pairings_per_erase = pairings / flash.take_stats().erases;
    assert_eq!(pairings_per_erase, 20);
    assert_eq!(pairings_per_erase * 2 * ERASES_MAX, 4_000_000);
    save(&mut flash, &longest(b'x')).unwrap();
    flash.take_stats();
    save(&mut flash, &longest(b'x')).unwrap();
    assert_eq!(flash.take_stats().bytes_written, 336);
}
