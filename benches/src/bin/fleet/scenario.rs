//! Generates random scenarios in which somebody wants to pair and the router mostly works.

use std::iter;

use fastrand::Rng;
use wps_core::AfterFailure;

use crate::common::scenario::{
    Action, DISK_FAULTS, PLATFORMS, RADIO_FAULTS, ROUTER_KEYS, ROUTER_KINDS, ROUTERS, Scenario,
    known_settings,
};

/// The time that the device gets to boot, in milliseconds.
const BOOT_DELAY: u32 = 1_000;

/// Returns the scenario that belongs to `seed`.
pub(crate) fn random(seed: u64) -> Scenario {
    let mut rng = Rng::with_seed(seed);
    let rng = &mut rng;
    let initial = rng.choice(known_settings()).filter(|_| !one_in(rng, 9));
    let after_failure =
        if rng.bool() { AfterFailure::AccessPointBack } else { AfterFailure::AccessPointOff };
    let power_cuts = if one_in(rng, 6) { rng.usize(1..=2) } else { 0 };
    let power_cuts = (0..power_cuts).map(|_| rng.usize(0..400)).collect();
    Scenario {
        platform: pick(rng, &PLATFORMS),
        initial,
        after_failure,
        poll_seed: rng.u64(..),
        drop_after: rng.usize(0..400),
        power_cuts,
        actions: actions(rng),
    }
}

fn actions(rng: &mut Rng) -> Vec<(u32, Action)> {
    let mut actions = Vec::new();
    if one_in(rng, 3) {
        actions.push(Action::SetRouterKind(pick(rng, &ROUTER_KINDS)));
    }
    if one_in(rng, 8) {
        actions.push(fault(rng));
    }
    actions.push(Action::Start(rng.bool()));
    if !one_in(rng, 16) {
        actions.push(Action::PressRouter("home"));
    }
    for _ in 0..rng.usize(0..4) {
        let action = match rng.u32(0..15) {
            0 => Action::Cancel,
            1 => Action::Start(rng.bool()),
            2 => rng.choice(known_settings()).map_or(Action::QueryLink, Action::Configure),
            3 => Action::QueryLink,
            4 => Action::PressRouter("old"),
            5 => Action::ReleaseRouter(pick(rng, &ROUTERS)),
            6 => Action::PowerRouter(pick(rng, &ROUTERS), rng.bool()),
            7 => Action::SetRadioFault(None),
            8 => Action::SetDiskFault(None),
            9 => Action::RestartPlatform,
            10 => Action::StartWith(pick(rng, &ROUTERS)),
            11 => Action::SetKey(pick(rng, &ROUTERS), pick(rng, &ROUTER_KEYS)),
            12 => Action::RemoveKept(rng.bool()),
            13 => Action::Enable(rng.bool()),
            _ => fault(rng),
        };
        let after_the_first = rng.usize(1..=actions.len());
        actions.insert(after_the_first, action);
    }
    let later = actions.into_iter().map(|action| (rng.u32(0..40_000), action));
    iter::once((BOOT_DELAY, Action::QueryLink)).chain(later).collect()
}

fn fault(rng: &mut Rng) -> Action {
    if rng.bool() {
        Action::SetRadioFault(Some(pick(rng, &RADIO_FAULTS)))
    } else {
        Action::SetDiskFault(Some(pick(rng, &DISK_FAULTS)))
    }
}

fn pick<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.usize(0..choices.len())]
}

fn one_in(rng: &mut Rng, times: u32) -> bool {
    rng.u32(0..times) == 0
}
