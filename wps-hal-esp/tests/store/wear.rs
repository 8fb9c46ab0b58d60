//! The figures that the documentation names, counted.

use super::flash::Esp;
use super::{longest, save, station};
use wps_core::{Record, Settings, Snapshot};

/// Erases a sector of such flash survives, by its data sheets.
const ERASES: u64 = 100_000;

/// What a pairing saves: the journal, then the new network.
fn pairing(from: &str, to: &str) -> [Record; 2] {
    let network = super::network(from.as_bytes());
    let before = Settings::Station { network };
    [Record::Pairing { before, snapshot: Snapshot::default() }, station(to)]
}

#[test]
fn wear_is_what_the_documentation_says() {
    let mut flash = Esp::new();
    flash.work();
    save(&mut flash, &station("home network")).unwrap();
    flash.work();
    save(&mut flash, &station("home network")).unwrap();
    let one = flash.work();
    assert_eq!((one.bytes_written, one.erases), (60, 0));

    let pairings = 2_000;
    for _ in 0..pairings {
        for record in pairing("home network", "next network") {
            save(&mut flash, &record).unwrap();
        }
    }
    let all = flash.work();
    println!(
        "{} bytes a pairing, {} erases in {pairings}",
        all.bytes_written / pairings,
        all.erases
    );
    let pairings_an_erase = pairings / all.erases;
    assert_eq!(pairings_an_erase, 34);
    // Two sectors take turns.
    assert_eq!(pairings_an_erase * 2 * ERASES, 6_800_000);

    // The worst there can be: only the longest records.
    save(&mut flash, &longest(b'x')).unwrap();
    let mut one = flash.work();
    while one.erases > 0 {
        save(&mut flash, &longest(b'x')).unwrap();
        one = flash.work();
    }
    assert_eq!(one.bytes_written, 296);
    let saves = 2_000;
    for _ in 0..saves {
        save(&mut flash, &longest(b'x')).unwrap();
    }
    let saves_an_erase = saves / flash.work().erases;
    assert_eq!(saves_an_erase, 12);
    assert_eq!(saves_an_erase / 2 * 2 * ERASES, 1_200_000);
}
