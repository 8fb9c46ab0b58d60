//! The whole device on random days: the machine, its runner, the record on a simulated disk, a simulated
//! radio. The laws are those of the tests of `wps-core`.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use common::day::{DISK_FAULTS, Day, Deed, FAULTS, KINDS, ROUTERS, known_settings};
use libfuzzer_sys::fuzz_target;
use wps_core::AfterFailure;

#[path = "../../wps-core/tests/common/mod.rs"]
mod common;

const MAX_DEEDS: usize = 24;

#[derive(Debug)]
struct Any(Day);

fuzz_target!(|day: Any| {
    day.0.live();
});

impl<'a> Arbitrary<'a> for Any {
    fn arbitrary(data: &mut Unstructured<'a>) -> Result<Self> {
        let settings = known_settings();
        let before = if data.ratio(1, 9)? { None } else { Some(data.choose(&settings)?.clone()) };
        let back = data.arbitrary()?;
        let after_failure =
            if back { AfterFailure::AccessPointBack } else { AfterFailure::AccessPointOff };
        let (order, dropped) = (u64::from(data.arbitrary::<u16>()?), data.int_in_range(0..=400)?);
        let cuts = data.int_in_range(0..=2)?;
        let cuts = (0..cuts).map(|_| data.int_in_range(0..=400)).collect::<Result<_>>()?;
        let mut deeds = Vec::new();
        while !data.is_empty() && deeds.len() < MAX_DEEDS {
            deeds.push((data.int_in_range(0..=40_000)?, deed(data)?));
        }
        Ok(Self(Day { before, after_failure, order, dropped, cuts, deeds }))
    }
}

fn deed(data: &mut Unstructured<'_>) -> Result<Deed> {
    Ok(match data.int_in_range(0..=20)? {
        0..=5 => Deed::Start(data.arbitrary()?),
        6 => Deed::Cancel,
        7 => Deed::Configure(data.choose(&known_settings())?.clone()),
        8 => Deed::AskLink,
        9..=12 => Deed::Press(data.choose(&ROUTERS)?),
        13 => Deed::Release(data.choose(&ROUTERS)?),
        14 => Deed::Switch(data.choose(&ROUTERS)?, data.arbitrary()?),
        15..=16 => Deed::Make(*data.choose(&KINDS)?),
        17 => Deed::BreakRadio(maybe(data, &FAULTS)?),
        18 => Deed::RestartPlatform,
        _ => Deed::BreakDisk(maybe(data, &DISK_FAULTS)?),
    })
}

fn maybe<T: Copy>(data: &mut Unstructured<'_>, choices: &[T]) -> Result<Option<T>> {
    Ok(if data.arbitrary()? { Some(*data.choose(choices)?) } else { None })
}
