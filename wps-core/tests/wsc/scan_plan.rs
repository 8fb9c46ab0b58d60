//! The scan plan.

use std::collections::BTreeSet;

use proptest::prelude::*;
use wps_core::wsc::ScanPlan;

const TWO_POINT_FOUR: [u16; 13] =
    [2412, 2417, 2422, 2427, 2432, 2437, 2442, 2447, 2452, 2457, 2462, 2467, 2472];
const FIVE: [u16; 9] = [5180, 5200, 5220, 5240, 5745, 5765, 5785, 5805, 5825];
const RADAR: [u16; 6] = [5260, 5280, 5300, 5320, 5500, 5700];

fn all() -> Vec<u16> {
    [&RADAR[..], &FIVE, &TWO_POINT_FOUR].concat()
}

/// Returns the number of steps that the documentation promises: two channels in each step,
/// radar channels alone, and after every two steps one for the likely channels if the plan was
/// complete.
fn steps_per_pass(channels: &[u16]) -> usize {
    let radar = |frequency: &&u16| {
        **frequency > 5000
            && ![5180..=5240, 5745..=5825].iter().any(|band| band.contains(*frequency))
    };
    let radar = channels.iter().filter(radar).count();
    let steps = radar + (channels.len() - radar).div_ceil(2);
    steps + steps.div_ceil(2)
}

/// Performs the next step successfully and returns its channels.
fn scan_next_step(plan: &mut ScanPlan) -> Vec<u16> {
    let step = plan.next_step();
    plan.mark_scanned(&step);
    step.to_vec()
}

#[test]
fn first_2_4_ghz_then_5_ghz_then_radar_channels() {
    let mut plan = ScanPlan::new(all());
    let visited: Vec<u16> =
        (0..steps_per_pass(&all())).flat_map(|_| scan_next_step(&mut plan)).collect();
    let planned = [&TWO_POINT_FOUR[..], &FIVE, &RADAR].concat();
    assert!(visited.starts_with(&planned), "{visited:?}");
}

#[test]
fn complete_after_the_last_channel_and_not_before() {
    let mut plan = ScanPlan::new(all());
    let mut visited = BTreeSet::new();
    while visited.len() < all().len() {
        assert!(!plan.is_complete());
        visited.extend(scan_next_step(&mut plan));
    }
    assert!(plan.is_complete());
    assert!(plan.steps_per_pass() == steps_per_pass(&all()));
}

#[test]
fn only_channels_that_can_have_wps_and_each_once() {
    let mut plan = ScanPlan::new([
        900, 2411, 2412, 2412, 2484, 2485, 5160, 5170, 5180, 5190, 5250, 5340, 5480, 5720, 5725,
        5740, 5745, 5855, 5870, 5885, 5905, 5955, 60480, 2412,
    ]);
    let steps: Vec<Vec<u16>> = (0..4).map(|_| scan_next_step(&mut plan)).collect();
    assert_eq!(steps, [vec![2412, 2484], vec![5180, 5745], vec![5720], vec![5885]]);
    assert!(plan.is_complete());
}

#[test]
fn a_plan_without_channels_has_no_steps_and_is_never_complete() {
    let mut plan = ScanPlan::new([5955]);
    assert!(plan.next_step().is_empty());
    plan.mark_scanned(&[5955]);
    plan.mark_wps(5955);
    assert!(plan.next_step().is_empty());
    assert!(!plan.is_complete());
}

#[test]
fn more_channels_than_fit() {
    let mut plan = ScanPlan::new(2412..=2484);
    let visited: BTreeSet<u16> = (0..64).flat_map(|_| scan_next_step(&mut plan)).collect();
    assert_eq!(visited.len(), 64);
    assert!(plan.is_complete());
}

#[test]
fn once_complete_the_next_step_and_every_third_scans_the_channels_with_wps() {
    let mut plan = ScanPlan::new(all());
    plan.mark_wps(2437);
    plan.mark_wps(2462);
    let mut first = Vec::new();
    while !plan.is_complete() {
        first.extend(scan_next_step(&mut plan));
    }
    assert_eq!(first, [&TWO_POINT_FOUR[..], &FIVE, &RADAR].concat(), "each once");
    for number in 0..40 {
        let mut step = scan_next_step(&mut plan);
        step.sort_unstable();
        assert_eq!(step == [2437, 2462], number % 3 == 0, "step {number}: {step:?}");
    }
}

#[test]
fn radar_channels_are_scanned_alone() {
    let mut plan = ScanPlan::new(all());
    plan.mark_wps(5500);
    for _ in 0..60 {
        let step = scan_next_step(&mut plan);
        assert!(step.len() == 1 || !step.iter().any(|frequency| RADAR.contains(frequency)));
    }
}

/// Returns the channels of those steps that scan the likely channels.
fn likely(plan: &mut ScanPlan) -> BTreeSet<u16> {
    while !plan.is_complete() {
        scan_next_step(plan);
    }
    (0..40)
        .map(|number| (number, scan_next_step(plan)))
        .filter(|(number, _)| number % 3 == 0)
        .flat_map(|(_, step)| step)
        .collect()
}

#[test]
fn the_latest_four_channels_with_wps_are_kept() {
    let mut plan = ScanPlan::new(all());
    for frequency in all() {
        plan.mark_wps(frequency);
    }
    assert_eq!(likely(&mut plan), TWO_POINT_FOUR[9..].iter().copied().collect());
}

#[test]
fn a_channel_with_wps_again_becomes_the_latest() {
    let mut plan = ScanPlan::new(all());
    for frequency in [5700, 5180, 5200, 5220, 5700, 5240] {
        plan.mark_wps(frequency);
    }
    assert_eq!(likely(&mut plan), BTreeSet::from([5700, 5200, 5220, 5240]));
}

#[test]
fn wps_outside_the_plan_is_ignored() {
    let mut plan = ScanPlan::new(all());
    plan.mark_wps(5700);
    for elsewhere in [5955, 5975, 5995, 6015, 5885] {
        plan.mark_wps(elsewhere);
    }
    assert_eq!(likely(&mut plan), BTreeSet::from([5700]));
}

#[test]
fn one_scan_of_all_channels_completes_the_plan() {
    let mut plan = ScanPlan::new(all());
    let everything: Vec<u16> = plan.frequencies().collect();
    plan.mark_scanned(&everything);
    assert!(plan.is_complete());
    for _ in 0..20 {
        scan_next_step(&mut plan);
        assert!(plan.is_complete());
    }
}

#[test]
fn failed_steps_let_the_other_scans_expire() {
    let mut plan = ScanPlan::new(all());
    plan.mark_scanned(&all());
    for _ in 0..steps_per_pass(&all()) {
        plan.next_step();
    }
    assert!(!plan.is_complete());
}

#[test]
fn a_refused_channel_is_found_alone_and_removed() {
    let mut plan = ScanPlan::new(all());
    let mut removed = false;
    for _ in 0..60 {
        let step = plan.next_step();
        if !step.contains(&5260) {
            plan.mark_scanned(&step);
        } else if step.len() == 1 {
            assert!(!plan.is_complete());
            plan.remove(5260);
            removed = true;
        }
    }
    assert!(removed);
    assert!(plan.is_complete());
    let visited: BTreeSet<u16> = (0..30).flat_map(|_| scan_next_step(&mut plan)).collect();
    assert_eq!(visited.len(), 27);
    assert!(!visited.contains(&5260));
}

#[test]
fn a_removed_channel_is_no_longer_likely() {
    let mut plan = ScanPlan::new(all());
    plan.mark_wps(5260);
    plan.remove(5260);
    for _ in 0..40 {
        assert!(!scan_next_step(&mut plan).contains(&5260));
    }
}

fn channels() -> impl Strategy<Value = Vec<u16>> {
    let five = [5180..=5320, 5500..=5720, 5745..=5885];
    let five: Vec<u16> = five.into_iter().flat_map(|block| block.step_by(20)).collect();
    let any_channel = prop_oneof![2412..=2484_u16, prop::sample::select(five)];
    prop::collection::btree_set(any_channel, 1..=64)
        .prop_map(|set| set.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
}

proptest! {
    #[test]
    fn one_pass_visits_every_channel_wherever_wps_is(
        channels in channels(),
        before in 0..10_usize,
        wps in prop::collection::vec(
            prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            100,
        ),
    ) {
        let mut plan = ScanPlan::new(channels.iter().copied());
        let mut visited = BTreeSet::new();
        let one_pass = steps_per_pass(&channels);
        for (done, routers) in wps.iter().take(before + one_pass).enumerate() {
            let step = scan_next_step(&mut plan);
            prop_assert!(step.len() <= ScanPlan::MAX_CHANNELS_PER_STEP);
            if done >= before {
                visited.extend(step);
            }
            for router in routers {
                plan.mark_wps(*router.get(&channels));
            }
            prop_assert!(done + 1 < one_pass || plan.is_complete());
        }
        prop_assert_eq!(visited, channels.into_iter().collect());
    }

    #[test]
    fn not_complete_before_every_channel_is_visited(
        channels in channels(),
        wps in any::<prop::sample::Index>(),
    ) {
        let mut plan = ScanPlan::new(channels.iter().copied());
        plan.mark_wps(*wps.get(&channels));
        let mut visited = BTreeSet::new();
        for _ in 0..2 * channels.len() {
            prop_assert_eq!(plan.is_complete(), visited.len() == channels.len());
            visited.extend(scan_next_step(&mut plan));
        }
        prop_assert!(plan.is_complete());
    }

    #[test]
    fn a_failing_channel_keeps_the_plan_incomplete_and_starves_no_other(
        channels in channels(),
        bad in any::<prop::sample::Index>(),
        wps in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let bad = *bad.get(&channels);
        let mut plan = ScanPlan::new(channels.iter().copied());
        for router in wps {
            plan.mark_wps(*router.get(&channels));
        }
        // The bound is the number of steps after which every channel was at the head of the
        // queue once. It holds from then on as well.
        let mut last_scanned = std::collections::HashMap::new();
        for number in 0..400_usize {
            let step = plan.next_step();
            if !step.contains(&bad) {
                plan.mark_scanned(&step);
                last_scanned.extend(step.iter().map(|&frequency| (frequency, number)));
            }
            prop_assert!(!plan.is_complete());
            for frequency in channels.iter().filter(|&&frequency| frequency != bad) {
                let last = last_scanned.get(frequency).copied().unwrap_or(0);
                prop_assert!(number - last <= 3 * channels.len() + 4, "{} starves", frequency);
            }
        }
    }
}
