//! The overlap detector.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use wps_core::wsc::{Bssid, Decision, OverlapDetector, Router, ScanPlan, Uuid};

const RED: Option<Uuid> = Some(Uuid([1; 16]));
const BLUE: Option<Uuid> = Some(Uuid([2; 16]));

fn router(bssid: u8, uuid: Option<Uuid>) -> Router {
    Router {
        bssid: Bssid([2, 0, 0, 0, 0, bssid]),
        frequency_mhz: 2412,
        ssid: None,
        uuid,
        signal_dbm: -50,
    }
}

/// Returns a plan of which every channel has been scanned.
fn complete_plan() -> ScanPlan {
    let mut plan = ScanPlan::new([2412]);
    plan.mark_scanned(&[2412]);
    assert!(plan.is_complete());
    plan
}

/// Returns the decision after these pressed routers were seen, one in each scan step.
fn decision_after(seen: &[Router]) -> Decision {
    let plan = complete_plan();
    let mut overlap_detector = OverlapDetector::new();
    for router in seen {
        overlap_detector.decide(std::slice::from_ref(router), &plan);
    }
    final_decision(&mut overlap_detector)
}

/// Returns the decision after each channel was looked at again that had to be, in vain.
fn final_decision(overlap_detector: &mut OverlapDetector) -> Decision {
    let decisions = std::iter::repeat_with(|| overlap_detector.decide(&[], &complete_plan()));
    let mut decisions = decisions.take(25).skip_while(|it| matches!(it, Decision::LookAgain(_)));
    decisions.next().expect("it looks again three times at most for each access point")
}

#[test]
fn no_router_is_pressed() {
    let mut overlap_detector = OverlapDetector::new();
    assert_eq!(overlap_detector.decide(&[], &complete_plan()), Decision::NoRouter);
    let nowhere = ScanPlan::new([]);
    assert_eq!(overlap_detector.decide(&[], &nowhere), Decision::NoRouter);
}

#[test]
fn a_single_router_is_chosen() {
    let one = router(1, RED);
    let mut overlap_detector = OverlapDetector::new();
    assert_eq!(
        overlap_detector.decide(std::slice::from_ref(&one), &complete_plan()),
        Decision::Pair(one)
    );
}

#[test]
fn it_waits_until_every_channel_is_scanned() {
    let seen = [router(1, RED)];
    let mut overlap_detector = OverlapDetector::new();
    let mut plan = ScanPlan::new([2412, 5180]);
    plan.mark_scanned(&[2412]);
    assert_eq!(overlap_detector.decide(&seen, &plan), Decision::KeepScanning);
    plan.mark_scanned(&[5180]);
    assert!(matches!(overlap_detector.decide(&seen, &plan), Decision::Pair(_)));
}

#[test]
fn a_plan_without_channels_never_allows_pairing() {
    let mut overlap_detector = OverlapDetector::new();
    let decision = overlap_detector.decide(&[router(1, RED)], &ScanPlan::new([]));
    assert_eq!(decision, Decision::KeepScanning);
}

#[test]
fn two_routers_overlap_at_once_whichever_channels_are_scanned() {
    let mut overlap_detector = OverlapDetector::new();
    let both = [router(1, RED), router(2, BLUE)];
    assert_eq!(overlap_detector.decide(&both, &ScanPlan::new([2412, 5180])), Decision::Overlap);
}

#[test]
fn two_routers_one_after_the_other_overlap_until_the_window_closes() {
    let plan = complete_plan();
    let mut overlap_detector = OverlapDetector::new();
    assert!(matches!(overlap_detector.decide(&[router(1, RED)], &plan), Decision::Pair(_)));
    assert_eq!(overlap_detector.decide(&[], &plan), Decision::NoRouter);
    assert_eq!(overlap_detector.decide(&[router(2, BLUE)], &plan), Decision::Overlap);
    assert_eq!(overlap_detector.decide(&[], &plan), Decision::Overlap);
    assert_eq!(overlap_detector.decide(&[router(1, RED)], &plan), Decision::Overlap);
}

#[test]
fn routers_of_an_earlier_try_count() {
    let mut overlap_detector = OverlapDetector::new();
    overlap_detector.decide(&[router(1, RED)], &complete_plan());
    assert_eq!(overlap_detector.decide(&[router(2, BLUE)], &complete_plan()), Decision::Overlap);
}

#[test]
fn a_dual_band_router_counts_once_and_its_stronger_band_is_used() {
    let low = router(1, RED);
    let high = Router { frequency_mhz: 5180, signal_dbm: -40, ..router(2, RED) };
    for both in [[low.clone(), high.clone()], [high.clone(), low]] {
        let mut overlap_detector = OverlapDetector::new();
        assert_eq!(overlap_detector.decide(&both, &complete_plan()), Decision::Pair(high.clone()));
    }
}

#[test]
fn the_strongest_visible_band_is_used_not_one_that_is_gone() {
    let plan = complete_plan();
    let mut overlap_detector = OverlapDetector::new();
    let vanished = Router { signal_dbm: -20, ..router(1, RED) };
    let visible = router(2, RED);
    overlap_detector.decide(&[vanished], &plan);
    assert_eq!(
        overlap_detector.decide(std::slice::from_ref(&visible), &plan),
        Decision::Pair(visible)
    );
}

#[test]
fn one_bssid_is_one_router_and_may_show_its_uuid_later() {
    let same = [router(1, None), router(1, RED), router(1, None)];
    assert_eq!(decision_after(&same), Decision::NoRouter);
    let with_its_other_band = [router(1, None), router(1, RED), router(2, RED), router(2, None)];
    assert_eq!(decision_after(&with_its_other_band), Decision::NoRouter);
}

#[test]
fn a_bssid_that_changes_its_uuid_does_not_merge_with_another() {
    let changed = [router(1, RED), router(1, BLUE)];
    assert_eq!(decision_after(&changed), Decision::NoRouter);
    let with_another = [router(1, RED), router(1, BLUE), router(2, BLUE)];
    assert_eq!(decision_after(&with_another), Decision::Overlap);
}

/// A scan hears only beacons on a channel on which the card may not send, and they seldom contain
/// the UUID.
#[test]
fn a_missing_uuid_is_looked_for_before_it_counts_as_another_router() {
    let plan = complete_plan();
    let low = router(1, RED);
    let high = |uuid| Router { frequency_mhz: 5180, ..router(2, uuid) };
    let mut overlap_detector = OverlapDetector::new();
    let undecided = [low.clone(), high(None)];
    assert_eq!(overlap_detector.decide(&undecided, &plan), Decision::LookAgain(5180));
    assert_eq!(overlap_detector.decide(&undecided, &plan), Decision::LookAgain(5180));
    let one_router = [low.clone(), high(RED)];
    assert!(matches!(overlap_detector.decide(&one_router, &plan), Decision::Pair(_)));

    let mut overlap_detector = OverlapDetector::new();
    assert_eq!(overlap_detector.decide(&undecided, &plan), Decision::LookAgain(5180));
    let two_routers = [low.clone(), high(BLUE)];
    assert_eq!(overlap_detector.decide(&two_routers, &plan), Decision::Overlap);

    let mut overlap_detector = OverlapDetector::new();
    let looks = std::iter::repeat_with(|| overlap_detector.decide(&undecided, &plan));
    let looks = looks.take_while(|it| *it == Decision::LookAgain(5180)).count();
    assert_eq!(looks, 3);
    assert_eq!(overlap_detector.decide(&one_router[..1], &plan), Decision::Overlap);
}

#[test]
fn each_access_point_without_a_uuid_is_looked_for_three_times() {
    let plan = complete_plan();
    let on = |number, frequency_mhz, uuid| Router { frequency_mhz, ..router(number, uuid) };
    let mut overlap_detector = OverlapDetector::new();
    let three = [on(1, 2412, None), on(2, 5180, None), on(3, 5500, None)];
    for (now, found) in [(2412, 1), (5180, 2), (5500, 3)] {
        for _ in 0..2 {
            assert_eq!(overlap_detector.decide(&three, &plan), Decision::LookAgain(now));
        }
        // Its press may have ended before the UUID is heard.
        overlap_detector.learn_uuid(three[found - 1].bssid, Uuid([1; 16]));
    }
    assert_eq!(overlap_detector.decide(&[], &plan), Decision::NoRouter);
    overlap_detector.learn_uuid(Bssid([9; 6]), Uuid([2; 16])); // it was never pressed
    assert_eq!(overlap_detector.decide(&[], &plan), Decision::NoRouter);
}

#[test]
fn an_access_point_without_a_uuid_is_no_overlap_with_itself() {
    let alone = router(1, None);
    let mut overlap_detector = OverlapDetector::new();
    let decision = overlap_detector.decide(std::slice::from_ref(&alone), &complete_plan());
    assert_eq!(decision, Decision::Pair(alone));
}

#[test]
fn a_second_bssid_without_a_uuid_counts_as_another_router() {
    for two in [
        [router(1, None), router(2, None)],
        [router(1, RED), router(2, None)],
        [router(1, None), router(2, RED)],
    ] {
        assert_eq!(decision_after(&two), Decision::Overlap);
    }
}

#[test]
fn a_router_with_more_access_points_than_fit_still_counts_once() {
    let many: Vec<Router> = (0..30).map(|bssid| router(bssid, RED)).collect();
    assert_eq!(decision_after(&many), Decision::NoRouter);
    let mut and_another = many;
    and_another.push(router(99, BLUE));
    assert_eq!(decision_after(&and_another), Decision::Overlap);
    and_another.push(router(100, RED));
    assert_eq!(decision_after(&and_another), Decision::Overlap, "for the rest of the window");
}

proptest! {
    /// States the rule in another way: collects the routers of the whole window first, then
    /// counts them.
    #[test]
    fn overlap_is_more_than_one_router_in_the_window_in_any_order(
        owners in prop::collection::vec(0..3_u8, 6),
        seen in prop::collection::vec((0..6_usize, any::<bool>()), 0..12),
    ) {
        let mut uuids = HashMap::<usize, Option<u8>>::new();
        let mut overlap_detector = OverlapDetector::new();
        for &(bssid, with_uuid) in &seen {
            let owner = with_uuid.then_some(owners[bssid]);
            let known = uuids.entry(bssid).or_default();
            *known = known.or(owner);
            let uuid = owner.map(|owner| Uuid([owner; 16]));
            overlap_detector.decide(&[router(bssid as u8, uuid)], &complete_plan());
        }
        let routers: HashSet<_> = uuids.values().collect();
        let one = uuids.len() <= 1 || (routers.len() == 1 && !routers.contains(&None));
        let expected = if one { Decision::NoRouter } else { Decision::Overlap };
        prop_assert_eq!(final_decision(&mut overlap_detector), expected);
    }
}
