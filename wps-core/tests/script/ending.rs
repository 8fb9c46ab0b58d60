//! Pairings that fail: the rows of the specification's troubleshooting table, cancelling, and
//! Protected Setup's own rules. Each ends with what the failure rule says.

use wps_core::driver::SearchProgress;
use wps_core::sim::{Router, RouterKind};
use wps_core::{AfterFailure, Cause, ErrorKind, Phase};

use crate::common::{PARTING, Site, home, hotspot, off, old, ssid, station};
use crate::{all_modes, pairing_at_10, second};

#[test]
fn nobody_presses_and_it_ends_at_second_120_sharp() {
    for (before, after) in all_modes() {
        let site = Site::settled(before.clone());
        let mut world = pairing_at_10(&site);
        world.at(129.999);
        world.expect(Phase::Searching);
        world.expect_on_air(&before);
        world.at(130.0);
        world.expect(Phase::Restoring);
        world.at(131.0);
        world.expect_ended(Err(Cause::TimedOut));
        assert_eq!(world.status().last.expect("ended").at, second(130));
        world.expect_settled(&after);
    }
}

#[test]
fn an_access_point_comes_back_where_the_policy_says_so() {
    for remembered in [None, Some(old())] {
        let before = hotspot(remembered);
        let site = Site::settled(before.clone()).with(AfterFailure::AccessPointBack);
        let mut world = pairing_at_10(&site);
        world.at(131.0);
        world.expect_ended(Err(Cause::TimedOut));
        world.expect_settled(&before);
    }
}

/// "Pairing timeout: router WPS not activated. Press WPS button on router within 2 minutes."
#[test]
fn pairing_timeout() {
    let site = Site::settled(station(old()));
    let mut world = pairing_at_10(&site);
    world.at(131.0);
    world.expect_ended(Err(Cause::TimedOut));
    assert!(Cause::TimedOut.advice().contains("press the router's WPS button within two minutes"));
}

/// "Connection fails: router doesn't support WPS. Use manual Wi-Fi setup instead."
#[test]
fn router_without_wps() {
    let site = Site::settled(station(old()));
    site.air.set_kind(b"home", RouterKind::WithoutWps);
    site.air.set_kind(b"old", RouterKind::WithoutWps);
    let mut world = pairing_at_10(&site);
    world.press("home");
    world.at(60.0);
    world.expect_seen(&SearchProgress::NoRouter);
    world.at(131.0);
    world.expect_ended(Err(Cause::TimedOut));
    assert!(Cause::TimedOut.advice().contains("set Wi-Fi up by hand"));
}

/// "Reverts to previous settings: WPS authentication failed. Check router WPS settings and try again."
#[test]
fn reverts_to_previous_settings() {
    let site = Site::settled(station(old()));
    site.air.set_kind(b"home", RouterKind::Refuses);
    let mut world = pairing_at_10(&site);
    world.press("home");
    world.at(129.999);
    world.expect(Phase::Searching); // it may pass: tried until the window closes
    world.at(131.0);
    let refused = Cause::Driver(ErrorKind::Refused);
    world.expect_ended(Err(refused));
    world.expect_settled(&station(old()));
    assert!(site.air.is_linked(), "and connected");
    assert!(refused.advice().contains("Check the WPS settings of the router"));
}

#[test]
fn a_wrong_key_is_tried_until_the_window_closes() {
    let site = Site::settled(off(None));
    site.air.set_kind(b"home", RouterKind::WrongKey);
    let mut world = pairing_at_10(&site);
    world.press("home");
    world.at(129.999);
    world.expect(Phase::Joining { ssid: ssid(b"home") });
    world.at(131.0);
    world.expect_ended(Err(Cause::Driver(ErrorKind::WrongKey)));
    assert_eq!(world.status().last.expect("ended").at, second(130));
    world.expect_settled(&off(None));
}

#[test]
fn a_router_that_went_away_for_good_is_what_is_reported() {
    let site = Site::settled(hotspot(Some(old())));
    site.air.set_kind(b"home", RouterKind::Vanishes);
    let mut world = pairing_at_10(&site);
    world.press("home");
    world.at(131.0);
    world.expect_ended(Err(Cause::Driver(ErrorKind::RouterLost)));
    world.expect_settled(&off(Some(old())));
}

#[test]
fn outdated_encryption_ends_it_at_once() {
    let site = Site::settled(hotspot(None));
    site.air.set_kind(b"home", RouterKind::Insecure);
    let mut world = pairing_at_10(&site);
    world.press("home");
    world.at(12.0);
    world.expect_ended(Err(Cause::Driver(ErrorKind::Insecure)));
    world.expect_settled(&off(None));
}

#[test]
fn two_pressed_routers_end_it_at_once() {
    for (before, after) in all_modes() {
        let site = Site::settled(before);
        let mut world = pairing_at_10(&site);
        world.at(40.0);
        world.press("home");
        world.press("old");
        world.at(41.0);
        world.expect_ended(Err(Cause::Driver(ErrorKind::Overlap)));
        world.expect_settled(&after);
    }
}

#[test]
fn a_second_router_later_in_the_window_is_an_overlap_too() {
    let site = Site::settled(station(old()));
    site.air.add(Router::new(b"neighbour", b"not your router").of_kind(RouterKind::Vanishes));
    let mut world = pairing_at_10(&site);
    world.press("neighbour");
    world.at(60.0);
    world.expect(Phase::Searching);
    world.press("home");
    world.at(61.0);
    world.expect_ended(Err(Cause::Driver(ErrorKind::Overlap)));

    // The next window begins without that memory.
    site.air.release(b"home");
    world.at(200.0);
    world.button();
    world.press("home");
    world.at(202.0);
    world.expect_ended(Ok(()));
    world.expect_settled(&station(home()));
}

#[test]
fn an_exchange_that_is_running_when_the_window_closes_is_cut_off() {
    let site = Site::settled(station(old()));
    let mut world = pairing_at_10(&site);
    world.at(129.5);
    world.press("home");
    world.at(129.99);
    world.expect_seen(&SearchProgress::Exchanging { ssid: Some(ssid(b"home")) });
    world.at(131.0);
    world.expect_ended(Err(Cause::TimedOut));
    world.expect_settled(&station(old()));
}

#[test]
fn a_join_that_is_running_when_the_window_closes_is_cut_off() {
    let site = Site::settled(station(old()));
    let mut world = pairing_at_10(&site);
    world.at(129.2);
    world.press("home");
    world.at(129.99);
    world.expect(Phase::Joining { ssid: ssid(b"home") });
    world.at(131.0);
    world.expect_ended(Err(Cause::NotJoined));
    assert_eq!(world.status().last.expect("ended").at, second(130));
    world.expect_settled(&station(old()));
}

#[test]
fn cancelled_before_it_is_journalled_nothing_changes() {
    let site = Site::settled(hotspot(Some(old())));
    let mut world = site.booted();
    let start = world.ask_start(PARTING);
    let cancel = world.ask_cancel();
    world.settle();
    let cancelled = wps_core::RequestError::Failed(Cause::Cancelled);
    assert_eq!(world.told(start), Some(Err(cancelled)));
    assert_eq!(world.told(cancel), Some(Ok(())));
    world.expect_ended(Err(Cause::Cancelled));
    world.expect_settled(&hotspot(Some(old())));
}

#[test]
fn cancelled_while_searching() {
    for (before, after) in all_modes() {
        let site = Site::settled(before);
        let mut world = pairing_at_10(&site);
        world.at(50.0);
        world.cancel();
        world.expect(Phase::Restoring);
        world.at(51.0);
        world.expect_ended(Err(Cause::Cancelled));
        assert_eq!(world.status().last.expect("ended").at, second(50));
        world.expect_settled(&after);
    }
}

#[test]
fn cancelled_while_joining() {
    for (before, after) in all_modes() {
        let site = Site::settled(before);
        let mut world = pairing_at_10(&site);
        world.press("home");
        world.at(11.1);
        world.expect(Phase::Joining { ssid: ssid(b"home") });
        world.cancel();
        world.at(12.0);
        world.expect_ended(Err(Cause::Cancelled));
        world.expect_settled(&after);
    }
}

#[test]
fn cancelling_at_rest_or_while_restoring_does_nothing() {
    let site = Site::settled(station(old()));
    let mut world = site.booted();
    world.cancel();
    world.expect(Phase::Idle);
    assert_eq!(world.status().last, None);

    world.at(10.0);
    world.button();
    world.at(130.0);
    world.expect(Phase::Restoring);
    world.cancel();
    world.at(131.0);
    world.expect_ended(Err(Cause::TimedOut));
    world.cancel();
    world.expect_ended(Err(Cause::TimedOut));
    world.expect_settled(&station(old()));
}
