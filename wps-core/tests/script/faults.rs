//! Disks and radios that fail, and power that is cut: the device is no worse off than before.

use embassy_futures::block_on;
use wps_core::sim::{DiskError, DiskFault, Fault};
use wps_core::{
    AfterFailure, Cause, Clock, Control, ErrorKind, Mode, Phase, Record, RequestError, Runner,
    Settings, Snapshot, TaskKind,
};

use crate::common::{FRONTS, Raw, Site, World, home, hotspot, off, old, ssid, station};
use crate::{all_modes, pairing_at_10, second};

const ABSENT: Fault = Fault::Fails(ErrorKind::NoDevice);

#[test]
fn a_full_disk_refuses_the_start_and_the_radio_is_not_touched() {
    for (before, _) in all_modes() {
        let site = Site::settled(before.clone());
        let mut world = site.booted();
        world.at(10.0);
        site.disk.set_fault(Some(DiskFault::Full));
        let refused = Some(Err(RequestError::Failed(Cause::Store)));
        assert_eq!(world.post(), refused);

        world.at(100.0); // it goes on trying to settle the record, and refuses starts until it has
        world.expect(Phase::Restoring);
        assert_eq!(world.status().trouble, Some(Cause::Store));
        assert_eq!(world.post(), refused);
        world.expect_on_air(&before);

        site.disk.set_fault(None);
        world.at(116.0); // the pauses grow to 16 seconds
        world.expect_ended(Err(Cause::Store));
        world.expect_settled(&before);
        assert_eq!(world.post(), Some(Ok(())));
    }
}

#[test]
fn the_pauses_between_tries_double_up_to_16_seconds() {
    let site = Site::settled(station(old()));
    let mut world = site.booted();
    world.at(10.0);
    site.disk.set_fault(Some(DiskFault::Full));
    world.button();
    for tried_at in [10, 11, 13, 17, 25, 41, 57, 73] {
        // Mended just after a try, it comes to rest at the next one.
        world.at(f64::from(tried_at) + 0.5);
        world.expect(Phase::Restoring);
    }
    site.disk.set_fault(None);
    world.at(88.999);
    world.expect(Phase::Restoring);
    world.at(89.0);
    world.expect_ended(Err(Cause::Store));
}

#[test]
fn a_save_that_hangs_refuses_the_start_after_ten_seconds() {
    let site = Site::settled(hotspot(None));
    let mut world = site.booted();
    world.at(10.0);
    site.disk.set_fault(Some(DiskFault::Hangs));
    let start = world.ask_start(std::time::Duration::ZERO);
    world.at(19.999);
    world.expect(Phase::Journaling);
    assert_eq!(world.told(start), None);
    world.at(20.0);
    assert_eq!(world.told(start), Some(Err(RequestError::Failed(Cause::Store))));
    site.disk.set_fault(None);
    world.at(60.0);
    world.expect_ended(Err(Cause::Store));
    world.expect_settled(&hotspot(None));
}

#[test]
fn a_journal_that_was_written_although_the_disk_said_no_is_closed_again() {
    let site = Site::settled(hotspot(None));
    let mut world = site.booted();
    site.disk.set_fault(Some(DiskFault::Lies));
    assert_eq!(world.button(), Some(Err(RequestError::Failed(Cause::Store))));
    site.disk.set_fault(None);
    world.at(10.0);
    world.expect_ended(Err(Cause::Store));
    world.expect_settled(&hotspot(None));
}

#[test]
fn credentials_that_cannot_be_saved_are_no_success() {
    for fault in [DiskFault::Full, DiskFault::Hangs, DiskFault::Lies] {
        for (before, after) in all_modes() {
            let site = Site::settled(before);
            let mut world = pairing_at_10(&site);
            world.press("home");
            world.at(11.1);
            world.expect(Phase::Joining { ssid: ssid(b"home") });
            site.disk.set_fault(Some(fault));
            world.at(40.0);
            world.expect(Phase::Restoring);
            assert_eq!(world.status().trouble, Some(Cause::Store));
            world.expect_on_air(&after);

            site.disk.set_fault(None);
            world.at(80.0);
            world.expect_ended(Err(Cause::Store));
            world.expect_settled(&after);
        }
    }
}

#[test]
fn a_mute_radio_refuses_the_start_after_five_seconds() {
    let site = Site::settled(station(old()));
    let mut world = site.booted();
    world.at(10.0);
    site.air.set_fault(Some(Fault::Mute));
    let start = world.ask_start(std::time::Duration::ZERO);
    world.at(15.0);
    let mute = Cause::Driver(ErrorKind::NoResponse);
    assert_eq!(world.told(start), Some(Err(RequestError::Failed(mute))));
    world.expect_ended(Err(mute));
    world.expect_settled(&station(old()));
}

#[test]
fn a_radio_that_falls_mute_hangs_nobody() {
    let site = Site::settled(station(old()));
    let mut world = pairing_at_10(&site);
    world.at(60.0);
    site.air.set_fault(Some(Fault::Mute));
    world.at(130.0);
    world.expect(Phase::Restoring); // the window ends every pairing
    world.at(145.0);
    let mute = Cause::Driver(ErrorKind::NoResponse);
    assert_eq!(world.status().trouble, Some(mute));
    let start = world.ask_start(std::time::Duration::ZERO);
    world.at(150.0);
    assert_eq!(world.told(start), Some(Err(RequestError::Failed(mute))));
    world.expect(Phase::Restoring);

    site.air.set_fault(None);
    world.at(190.0);
    world.expect_ended(Err(mute));
    assert_eq!(world.status().trouble, None);
    world.expect_settled(&station(old()));
}

#[test]
fn without_a_radio_no_pairing_starts() {
    let site = Site::settled(off(Some(old())));
    let mut world = site.booted();
    site.air.set_fault(Some(ABSENT));
    let absent = Cause::Driver(ErrorKind::NoDevice);
    assert_eq!(world.button(), Some(Err(RequestError::Failed(absent))));
    world.expect_settled(&off(Some(old())));
    assert_eq!(site.disk.saves(), 0, "nothing to journal");
}

#[test]
fn a_radio_that_is_unplugged_ends_the_pairing_and_is_put_right_when_it_is_back() {
    let site = Site::settled(station(old()));
    let mut world = pairing_at_10(&site);
    world.at(60.0);
    site.air.set_fault(Some(ABSENT));
    world.at(61.0);
    world.expect(Phase::Restoring);
    world.at(100.0);
    assert_eq!(world.status().trouble, Some(Cause::Driver(ErrorKind::NoDevice)));
    site.air.set_fault(None);
    world.at(117.0);
    world.expect_ended(Err(Cause::Driver(ErrorKind::NoDevice)));
    world.expect_settled(&station(old()));
}

#[test]
fn a_device_that_boots_without_a_radio_waits_for_it() {
    let site = Site::settled(station(old()));
    site.air.set_fault(Some(ABSENT));
    let mut world = site.boot();
    world.at(100.0);
    world.expect(Phase::Restoring);
    assert_eq!(world.status().trouble, Some(Cause::Driver(ErrorKind::NoDevice)));
    site.air.set_fault(None);
    world.at(117.0);
    world.expect(Phase::Idle);
    world.expect_settled(&station(old()));
}

/// A device that may not do what its settings say: an access point on a channel that is forbidden by now.
fn stuck(site: &Site) -> World<'_> {
    site.air.set_fault(Some(Fault::Forbids(Mode::AccessPoint)));
    let mut world = site.boot();
    world.at(10.0);
    world.expect(Phase::Restoring);
    assert_eq!(world.status().trouble, Some(Cause::Driver(ErrorKind::NotPermitted)));
    world
}

#[test]
fn settings_that_cannot_be_put_in_force_lock_nobody_out() {
    let site = Site::settled(hotspot(None));
    let mut world = stuck(&site);
    assert_eq!(world.button(), Some(Ok(())));
    world.press("home");
    world.at(13.0);
    world.expect_ended(Ok(()));
    world.expect_settled(&station(home()));

    let site = Site::settled(hotspot(None));
    let mut world = stuck(&site);
    assert_eq!(world.configure(off(None)), Some(Ok(())));
    world.at(11.0);
    world.expect_ended(Ok(()));
    world.expect_settled(&off(None));
}

#[test]
fn a_pairing_from_settings_that_cannot_be_put_in_force_fails_like_any_other() {
    let site = Site::settled(hotspot(Some(old())));
    let mut world = stuck(&site);
    assert_eq!(world.button(), Some(Ok(())));
    world.at(129.9);
    world.expect(Phase::Searching);
    world.at(131.0);
    world.expect_ended(Err(Cause::TimedOut));
    world.expect_settled(&off(Some(old())));
}

#[test]
fn a_start_refused_while_nothing_can_be_put_in_force_changes_nothing() {
    let site = Site::settled(hotspot(None));
    let mut world = stuck(&site);
    site.disk.set_fault(Some(DiskFault::Full));
    assert_eq!(world.button(), Some(Err(RequestError::Failed(Cause::Store))));
    world.expect(Phase::Restoring);
    site.disk.set_fault(None);
    site.air.set_fault(None);
    world.at(60.0);
    world.expect_ended(Err(Cause::Store));
    world.expect_settled(&hotspot(None));
}

#[test]
fn a_power_cut_in_the_middle_of_a_pairing_is_a_failed_pairing() {
    for (before, after) in all_modes() {
        let site = Site::settled(before);
        let mut world = pairing_at_10(&site);
        world.press("home");
        world.at(11.1);
        world.expect(Phase::Joining { ssid: ssid(b"home") });
        world.cut_power();

        let mut world = site.boot();
        world.expect(Phase::Restoring);
        world.at(12.0);
        world.expect_ended(Err(Cause::Interrupted));
        let at = world.status().last.expect("ended").at;
        assert_eq!(at.as_millis(), 11_100, "when power came back");
        world.expect_settled(&after);
    }
}

#[test]
fn a_power_cut_applies_the_policy_too() {
    let site = Site::settled(hotspot(Some(old()))).with(AfterFailure::AccessPointBack);
    let mut world = pairing_at_10(&site);
    world.at(50.0);
    world.cut_power();
    let mut world = site.boot();
    world.at(51.0);
    world.expect_ended(Err(Cause::Interrupted));
    world.expect_settled(&hotspot(Some(old())));
}

#[test]
fn a_power_cut_in_the_middle_of_other_settings_brings_the_previous_ones_back() {
    for (before, _) in all_modes() {
        let site = Site::settled(before.clone());
        let mut world = site.booted();
        world.at(10.0);
        assert_eq!(world.configure(station(home())), Some(Ok(())));
        world.at(10.8);
        world.cut_power();
        let mut world = site.boot();
        world.at(12.0);
        world.expect_ended(Err(Cause::Interrupted));
        assert_eq!(world.status().last.expect("ended").task, TaskKind::Configure);
        world.expect_settled(&before);
    }
}

#[test]
fn a_second_power_cut_while_booting_from_the_first() {
    let site = Site::settled(hotspot(Some(old())));
    let mut world = pairing_at_10(&site);
    world.at(50.0);
    world.cut_power();
    let mut world = site.boot();
    world.at(50.05);
    world.expect(Phase::Restoring);
    world.cut_power();
    let mut world = site.boot();
    world.at(51.0);
    world.expect_ended(Err(Cause::Interrupted));
    world.expect_settled(&off(Some(old())));
}

#[test]
fn a_damaged_record_is_put_aside_and_people_are_told() {
    for factory_settings in [hotspot(None), Settings::Platform] {
        let site = Site::never_set_up(factory_settings.clone());
        site.disk.put(&Record::Settled(station(old())));
        site.disk.rot();
        let mut world = site.boot();
        assert!(site.disk.has_aside(), "kept, not overwritten");
        world.at(1.0);
        world.expect_ended(Err(Cause::Corrupt));
        world.expect_settled(&factory_settings);
    }
}

#[test]
fn an_unreadable_record_is_not_overwritten() {
    let site = Site::settled(station(old()));
    site.disk.set_fault(Some(DiskFault::Unreadable));
    let control = Control::<Raw, FRONTS>::new();
    let (radio, store) = (site.air.radio(&site.clock), site.disk.store());
    let after_failure = AfterFailure::default();
    let boot =
        block_on(Runner::boot(radio, store, &site.clock, &control, off(None), after_failure));
    assert_eq!(boot.err(), Some(DiskError(DiskFault::Unreadable)));
    assert_eq!(site.air.radio_does(), None, "radio untouched");
    assert_eq!(site.disk.record(), Some(Record::Settled(station(old()))));
    assert_eq!(site.clock.now(), second(0));
}

#[test]
fn a_journal_with_the_drivers_note_is_closed_at_boot() {
    let snapshot = Snapshot::new(b"networks 0 and 2").expect("short");
    let site = Site::never_set_up(off(None));
    site.disk.put(&Record::Pairing { before: Settings::Platform, snapshot });
    let mut world = site.boot();
    world.at(1.0);
    world.expect_ended(Err(Cause::Interrupted));
    world.expect_settled(&Settings::Platform);
}

#[test]
fn settings_that_the_radio_lost_at_rest_are_applied_again() {
    for (settings, _) in all_modes() {
        let site = Site::settled(settings.clone());
        let mut world = site.booted();
        world.at(10.0);
        site.air.restart_platform(None);
        world.at(10.05);
        world.expect(Phase::Restoring);
        assert_eq!(world.button(), Some(Err(RequestError::Busy)));
        world.at(10.2);
        world.expect_on_air(&settings);
        assert_eq!(world.status().last, None);
        assert_eq!(world.button(), Some(Ok(())));
    }
}

#[test]
fn how_the_last_pairing_ended_is_still_told_after_a_loss() {
    let site = Site::settled(hotspot(None));
    let mut world = pairing_at_10(&site);
    world.press("home");
    world.at(20.0);
    world.expect_ended(Ok(()));
    site.air.restart_platform(None);
    world.at(20.05);
    world.expect(Phase::Restoring);
    world.at(21.0);
    world.expect_ended(Ok(()));
    world.expect_settled(&station(home()));
}

#[test]
fn what_is_lost_while_the_radio_is_gone_is_tried_again_until_it_is_back() {
    let site = Site::settled(station(old()));
    let mut world = site.booted();
    world.at(10.0);
    site.air.set_fault(Some(ABSENT));
    site.air.restart_platform(None);
    world.at(60.0);
    world.expect(Phase::Restoring);
    assert_eq!(world.status().trouble, Some(ErrorKind::NoDevice.into()));
    site.air.set_fault(None);
    world.at(80.0);
    world.expect_settled(&station(old()));
}
