//! Fuzzes the whole device with random scenarios: the machine and its runner, with a simulated disk
//! and a simulated radio. Checks the invariants of the tests of `wps-core`.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use common::scenario::{
    Action, DISK_FAULTS, PLATFORMS, RADIO_FAULTS, ROUTER_KEYS, ROUTER_KINDS, ROUTERS, Scenario,
    known_settings,
};
use libfuzzer_sys::fuzz_target;
use wps_core::AfterFailure;

#[path = "../../wps-core/tests/common/mod.rs"]
mod common;

const MAX_ACTIONS: usize = 24;

/// A scenario that is built from the bytes of the fuzzer.
#[derive(Debug)]
struct ArbitraryScenario(Scenario);

fuzz_target!(|scenario: ArbitraryScenario| {
    scenario.0.run();
});

impl<'a> Arbitrary<'a> for ArbitraryScenario {
    fn arbitrary(data: &mut Unstructured<'a>) -> Result<Self> {
        let platform = *data.choose(&PLATFORMS)?;
        let settings = known_settings();
        let initial = if data.ratio(1, 9)? { None } else { Some(data.choose(&settings)?.clone()) };
        let back = data.arbitrary()?;
        let after_failure =
            if back { AfterFailure::AccessPointBack } else { AfterFailure::AccessPointOff };
        let (poll_seed, drop_after) =
            (u64::from(data.arbitrary::<u16>()?), data.int_in_range(0..=400)?);
        let power_cuts = data.int_in_range(0..=2)?;
        let power_cuts =
            (0..power_cuts).map(|_| data.int_in_range(0..=400)).collect::<Result<_>>()?;
        let mut actions = Vec::new();
        while !data.is_empty() && actions.len() < MAX_ACTIONS {
            actions.push((data.int_in_range(0..=40_000)?, action(data)?));
        }
        Ok(Self(Scenario {
            platform,
            initial,
            after_failure,
            poll_seed,
            drop_after,
            power_cuts,
            actions,
        }))
    }
}

fn action(data: &mut Unstructured<'_>) -> Result<Action> {
    Ok(match data.int_in_range(0..=24)? {
        0..=5 => Action::Start(data.arbitrary()?),
        6 => Action::Cancel,
        7 => Action::Configure(data.choose(&known_settings())?.clone()),
        8 => Action::QueryLink,
        9..=12 => Action::PressRouter(data.choose(&ROUTERS)?),
        13 => Action::ReleaseRouter(data.choose(&ROUTERS)?),
        14 => Action::PowerRouter(data.choose(&ROUTERS)?, data.arbitrary()?),
        15..=16 => Action::SetRouterKind(*data.choose(&ROUTER_KINDS)?),
        17 => Action::SetRadioFault(optional(data, &RADIO_FAULTS)?),
        18 => Action::RestartPlatform,
        19 => Action::StartWith(data.choose(&ROUTERS)?),
        20 => Action::SetKey(data.choose(&ROUTERS)?, data.choose(&ROUTER_KEYS)?),
        21 => Action::RemoveKept(data.arbitrary()?),
        22 => Action::Enable(data.arbitrary()?),
        _ => Action::SetDiskFault(optional(data, &DISK_FAULTS)?),
    })
}

/// Returns one of the choices or `None`.
fn optional<T: Copy>(data: &mut Unstructured<'_>, choices: &[T]) -> Result<Option<T>> {
    Ok(if data.arbitrary()? { Some(*data.choose(choices)?) } else { None })
}
