//! A day on which somebody wants to pair, with a router nearby that mostly does its part.

use std::iter;

use fastrand::Rng;
use wps_core::AfterFailure;

use crate::common::day::{DISK_FAULTS, Day, Deed, FAULTS, KINDS, ROUTERS, known_settings};

/// A second for the device to boot.
const BOOT: u32 = 1_000;

pub(crate) fn random(seed: u64) -> Day {
    let mut rng = Rng::with_seed(seed);
    let rng = &mut rng;
    let before = rng.choice(known_settings()).filter(|_| !one_in(rng, 9));
    let after_failure =
        if rng.bool() { AfterFailure::AccessPointBack } else { AfterFailure::AccessPointOff };
    let cuts = if one_in(rng, 6) { rng.usize(1..=2) } else { 0 };
    let cuts = (0..cuts).map(|_| rng.usize(0..400)).collect();
    Day {
        before,
        after_failure,
        order: rng.u64(..),
        dropped: rng.usize(0..400),
        cuts,
        deeds: deeds(rng),
    }
}

fn deeds(rng: &mut Rng) -> Vec<(u32, Deed)> {
    let mut deeds = Vec::new();
    if one_in(rng, 3) {
        deeds.push(Deed::Make(pick(rng, &KINDS)));
    }
    if one_in(rng, 8) {
        deeds.push(fault(rng));
    }
    deeds.push(Deed::Start(rng.bool()));
    if !one_in(rng, 16) {
        deeds.push(Deed::Press("home"));
    }
    for _ in 0..rng.usize(0..4) {
        let deed = match rng.u32(0..11) {
            0 => Deed::Cancel,
            1 => Deed::Start(rng.bool()),
            2 => rng.choice(known_settings()).map_or(Deed::AskLink, Deed::Configure),
            3 => Deed::AskLink,
            4 => Deed::Press("old"),
            5 => Deed::Release(pick(rng, &ROUTERS)),
            6 => Deed::Switch(pick(rng, &ROUTERS), rng.bool()),
            7 => Deed::BreakRadio(None),
            8 => Deed::BreakDisk(None),
            9 => Deed::RestartPlatform,
            _ => fault(rng),
        };
        let after_the_first = rng.usize(1..=deeds.len());
        deeds.insert(after_the_first, deed);
    }
    let later = deeds.into_iter().map(|deed| (rng.u32(0..40_000), deed));
    iter::once((BOOT, Deed::AskLink)).chain(later).collect()
}

fn fault(rng: &mut Rng) -> Deed {
    if rng.bool() {
        Deed::BreakRadio(Some(pick(rng, &FAULTS)))
    } else {
        Deed::BreakDisk(Some(pick(rng, &DISK_FAULTS)))
    }
}

fn pick<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.usize(0..choices.len())]
}

fn one_in(rng: &mut Rng, times: u32) -> bool {
    rng.u32(0..times) == 0
}
