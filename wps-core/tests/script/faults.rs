//! Faults of the disk and the radio, and power cuts. None of them leaves the device worse off than
//! before.

use embassy_futures::block_on;
use wps_core::sim::{DiskError, DiskFault, RadioFault};
use wps_core::{
    AfterFailure, Cause, Clock, Config, Control, ErrorKind, Mode, Phase, Record, RequestError,
    Runner, Settings, Snapshot, TaskKind,
};
use wps_testkit::{home, hotspot, off, old, ssid, station};

use crate::common::{Environment, Raw, Simulation};
use crate::{all_modes, second, start_pairing_at_10};

const NO_DEVICE: RadioFault = RadioFault::Fails(ErrorKind::NoDevice);

#[test]
fn a_start_fails_on_a_full_disk_and_does_not_touch_the_radio() {
    for (before, _) in all_modes() {
        let env = Environment::settled(before.clone());
        let mut sim = env.booted();
        sim.advance_to(10.0);
        env.disk.set_fault(Some(DiskFault::Full));
        let refused = Some(Err(RequestError::Failed(Cause::Store)));
        assert_eq!(sim.start_over_wifi(), refused);

        // It keeps trying to save the record, and refuses starts until that succeeds.
        sim.advance_to(100.0);
        sim.expect(Phase::Restoring);
        assert_eq!(sim.status().trouble, Some(Cause::Store));
        assert_eq!(sim.start_over_wifi(), refused);
        sim.expect_on_air(&before);

        env.disk.set_fault(None);
        sim.advance_to(116.0); // the retry delay grows to 16 seconds
        sim.expect_ended(Err(Cause::Store));
        sim.expect_settled(&before);
        assert_eq!(sim.start_over_wifi(), Some(Ok(())));
    }
}

#[test]
fn the_retry_delay_doubles_up_to_16_seconds() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    sim.advance_to(10.0);
    env.disk.set_fault(Some(DiskFault::Full));
    sim.press_button();
    for try_at in [10, 11, 13, 17, 25, 41, 57, 73] {
        // If the disk works again just after a try, the next try succeeds.
        sim.advance_to(f64::from(try_at) + 0.5);
        sim.expect(Phase::Restoring);
    }
    env.disk.set_fault(None);
    sim.advance_to(88.999);
    sim.expect(Phase::Restoring);
    sim.advance_to(89.0);
    sim.expect_ended(Err(Cause::Store));
}

#[test]
fn a_start_fails_after_ten_seconds_if_the_save_hangs() {
    let env = Environment::settled(hotspot(None));
    let mut sim = env.booted();
    sim.advance_to(10.0);
    env.disk.set_fault(Some(DiskFault::Hangs));
    let start = sim.request_start(std::time::Duration::ZERO);
    sim.advance_to(19.999);
    sim.expect(Phase::Journaling);
    assert_eq!(sim.reply(start), None);
    sim.advance_to(20.0);
    assert_eq!(sim.reply(start), Some(Err(RequestError::Failed(Cause::Store))));
    env.disk.set_fault(None);
    sim.advance_to(60.0);
    sim.expect_ended(Err(Cause::Store));
    sim.expect_settled(&hotspot(None));
}

#[test]
fn a_journal_that_was_written_despite_an_error_is_closed_again() {
    let env = Environment::settled(hotspot(None));
    let mut sim = env.booted();
    env.disk.set_fault(Some(DiskFault::FailsAfterWrite));
    assert_eq!(sim.press_button(), Some(Err(RequestError::Failed(Cause::Store))));
    env.disk.set_fault(None);
    sim.advance_to(10.0);
    sim.expect_ended(Err(Cause::Store));
    sim.expect_settled(&hotspot(None));
}

#[test]
fn a_pairing_fails_if_its_credentials_cannot_be_saved() {
    for fault in [DiskFault::Full, DiskFault::Hangs, DiskFault::FailsAfterWrite] {
        for (before, after) in all_modes() {
            let env = Environment::settled(before);
            let mut sim = start_pairing_at_10(&env);
            sim.press_router("home");
            sim.advance_to(11.1);
            sim.expect(Phase::Joining { ssid: ssid(b"home") });
            env.disk.set_fault(Some(fault));
            sim.advance_to(40.0);
            sim.expect(Phase::Restoring);
            assert_eq!(sim.status().trouble, Some(Cause::Store));
            sim.expect_on_air(&after);

            env.disk.set_fault(None);
            sim.advance_to(80.0);
            sim.expect_ended(Err(Cause::Store));
            sim.expect_settled(&after);
        }
    }
}

#[test]
fn a_start_fails_after_five_seconds_if_the_radio_does_not_respond() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    sim.advance_to(10.0);
    env.air.set_fault(Some(RadioFault::Unresponsive));
    let start = sim.request_start(std::time::Duration::ZERO);
    sim.advance_to(15.0);
    let no_response = Cause::Driver(ErrorKind::NoResponse);
    assert_eq!(sim.reply(start), Some(Err(RequestError::Failed(no_response))));
    sim.expect_ended(Err(no_response));
    sim.expect_settled(&station(old()));
}

#[test]
fn a_radio_that_stops_responding_blocks_no_request() {
    let env = Environment::settled(station(old()));
    let mut sim = start_pairing_at_10(&env);
    sim.advance_to(60.0);
    env.air.set_fault(Some(RadioFault::Unresponsive));
    sim.advance_to(130.0);
    sim.expect(Phase::Restoring); // the window ends every pairing
    sim.advance_to(145.0);
    let no_response = Cause::Driver(ErrorKind::NoResponse);
    assert_eq!(sim.status().trouble, Some(no_response));
    let start = sim.request_start(std::time::Duration::ZERO);
    sim.advance_to(150.0);
    assert_eq!(sim.reply(start), Some(Err(RequestError::Failed(no_response))));
    sim.expect(Phase::Restoring);

    env.air.set_fault(None);
    sim.advance_to(190.0);
    sim.expect_ended(Err(no_response));
    assert_eq!(sim.status().trouble, None);
    sim.expect_settled(&station(old()));
}

#[test]
fn without_a_radio_no_pairing_starts() {
    let env = Environment::settled(off(Some(old())));
    let mut sim = env.booted();
    env.air.set_fault(Some(NO_DEVICE));
    let no_device = Cause::Driver(ErrorKind::NoDevice);
    assert_eq!(sim.press_button(), Some(Err(RequestError::Failed(no_device))));
    sim.expect_settled(&off(Some(old())));
    assert_eq!(env.disk.save_count(), 0, "nothing to journal");
}

#[test]
fn an_unplugged_radio_ends_the_pairing_and_is_restored_once_it_is_back() {
    let env = Environment::settled(station(old()));
    let mut sim = start_pairing_at_10(&env);
    sim.advance_to(60.0);
    env.air.set_fault(Some(NO_DEVICE));
    sim.advance_to(61.0);
    sim.expect(Phase::Restoring);
    sim.advance_to(100.0);
    assert_eq!(sim.status().trouble, Some(Cause::Driver(ErrorKind::NoDevice)));
    env.air.set_fault(None);
    sim.advance_to(117.0);
    sim.expect_ended(Err(Cause::Driver(ErrorKind::NoDevice)));
    sim.expect_settled(&station(old()));
}

#[test]
fn a_device_that_boots_without_a_radio_waits_for_it() {
    let env = Environment::settled(station(old()));
    env.air.set_fault(Some(NO_DEVICE));
    let mut sim = env.boot();
    sim.advance_to(100.0);
    sim.expect(Phase::Restoring);
    assert_eq!(sim.status().trouble, Some(Cause::Driver(ErrorKind::NoDevice)));
    env.air.set_fault(None);
    sim.advance_to(117.0);
    sim.expect(Phase::Idle);
    sim.expect_settled(&station(old()));
}

/// Boots a device whose radio rejects its settings, such as an access point on a channel that is
/// forbidden by now.
fn boot_with_rejected_settings(env: &Environment) -> Simulation<'_> {
    env.air.set_fault(Some(RadioFault::RejectsMode(Mode::AccessPoint)));
    let mut sim = env.boot();
    sim.advance_to(10.0);
    sim.expect(Phase::Restoring);
    assert_eq!(sim.status().trouble, Some(Cause::Driver(ErrorKind::NotPermitted)));
    sim
}

#[test]
fn requests_work_although_the_settings_cannot_be_applied() {
    let env = Environment::settled(hotspot(None));
    let mut sim = boot_with_rejected_settings(&env);
    assert_eq!(sim.press_button(), Some(Ok(())));
    sim.press_router("home");
    sim.advance_to(13.0);
    sim.expect_ended(Ok(()));
    sim.expect_settled(&station(home()));

    let env = Environment::settled(hotspot(None));
    let mut sim = boot_with_rejected_settings(&env);
    assert_eq!(sim.configure(off(None)), Some(Ok(())));
    sim.advance_to(11.0);
    sim.expect_ended(Ok(()));
    sim.expect_settled(&off(None));
}

#[test]
fn a_pairing_from_settings_that_cannot_be_applied_fails_like_any_other() {
    let env = Environment::settled(hotspot(Some(old())));
    let mut sim = boot_with_rejected_settings(&env);
    assert_eq!(sim.press_button(), Some(Ok(())));
    sim.advance_to(129.9);
    sim.expect(Phase::Searching);
    sim.advance_to(131.0);
    sim.expect_ended(Err(Cause::NotPressed));
    sim.expect_settled(&off(Some(old())));
}

#[test]
fn a_failed_start_while_the_settings_cannot_be_applied_changes_nothing() {
    let env = Environment::settled(hotspot(None));
    let mut sim = boot_with_rejected_settings(&env);
    env.disk.set_fault(Some(DiskFault::Full));
    assert_eq!(sim.press_button(), Some(Err(RequestError::Failed(Cause::Store))));
    sim.expect(Phase::Restoring);
    env.disk.set_fault(None);
    env.air.set_fault(None);
    sim.advance_to(60.0);
    sim.expect_ended(Err(Cause::Store));
    sim.expect_settled(&hotspot(None));
}

#[test]
fn a_power_cut_during_a_pairing_counts_as_a_failure() {
    for (before, after) in all_modes() {
        let env = Environment::settled(before);
        let mut sim = start_pairing_at_10(&env);
        sim.press_router("home");
        sim.advance_to(11.1);
        sim.expect(Phase::Joining { ssid: ssid(b"home") });
        sim.cut_power();

        let mut sim = env.boot();
        sim.expect(Phase::Restoring);
        sim.advance_to(12.0);
        sim.expect_ended(Err(Cause::Interrupted));
        let at = sim.status().last.expect("ended").at;
        assert_eq!(at.as_millis(), 11_100, "the time at which power came back");
        sim.expect_settled(&after);
    }
}

#[test]
fn after_failure_also_applies_to_a_power_cut() {
    let env = Environment::settled(hotspot(Some(old())))
        .with_after_failure(AfterFailure::AccessPointBack);
    let mut sim = start_pairing_at_10(&env);
    sim.advance_to(50.0);
    sim.cut_power();
    let mut sim = env.boot();
    sim.advance_to(51.0);
    sim.expect_ended(Err(Cause::Interrupted));
    sim.expect_settled(&hotspot(Some(old())));
}

#[test]
fn a_power_cut_during_a_change_of_settings_restores_the_previous_ones() {
    for (before, _) in all_modes() {
        let env = Environment::settled(before.clone());
        let mut sim = env.booted();
        sim.advance_to(10.0);
        assert_eq!(sim.configure(station(home())), Some(Ok(())));
        sim.advance_to(10.8);
        sim.cut_power();
        let mut sim = env.boot();
        sim.advance_to(12.0);
        sim.expect_ended(Err(Cause::Interrupted));
        assert_eq!(sim.status().last.expect("ended").task, TaskKind::Configure);
        sim.expect_settled(&before);
    }
}

#[test]
fn a_second_power_cut_while_recovering_from_the_first() {
    let env = Environment::settled(hotspot(Some(old())));
    let mut sim = start_pairing_at_10(&env);
    sim.advance_to(50.0);
    sim.cut_power();
    let mut sim = env.boot();
    sim.advance_to(50.05);
    sim.expect(Phase::Restoring);
    sim.cut_power();
    let mut sim = env.boot();
    sim.advance_to(51.0);
    sim.expect_ended(Err(Cause::Interrupted));
    sim.expect_settled(&off(Some(old())));
}

#[test]
fn a_damaged_record_is_put_aside_and_reported() {
    for factory_settings in [hotspot(None), Settings::Platform] {
        let env = Environment::never_set_up(factory_settings.clone());
        env.disk.write_record(&Record::Settled(station(old())));
        env.disk.flip_bit();
        let mut sim = env.boot();
        assert!(env.disk.has_damaged_copy(), "kept, not overwritten");
        sim.advance_to(1.0);
        sim.expect_ended(Err(Cause::Corrupt));
        sim.expect_settled(&factory_settings);
    }
}

#[test]
fn an_unreadable_record_is_not_overwritten() {
    let env = Environment::settled(station(old()));
    env.disk.set_fault(Some(DiskFault::Unreadable));
    let control: Control<Raw> = Control::new();
    let (radio, store) = (env.air.radio(&env.clock), env.disk.store());
    let config = Config::new(off(None));
    let boot = block_on(Runner::boot(radio, store, &env.clock, &control, config));
    assert_eq!(boot.err(), Some(DiskError(DiskFault::Unreadable)));
    assert_eq!(env.air.radio_settings(), None, "radio untouched");
    assert_eq!(env.disk.record(), Some(Record::Settled(station(old()))));
    assert_eq!(env.clock.now(), second(0));
}

#[test]
fn a_journal_with_a_driver_snapshot_is_closed_at_boot() {
    let snapshot = Snapshot::new(b"networks 0 and 2").expect("short");
    let env = Environment::never_set_up(off(None));
    env.disk.write_record(&Record::Pairing { before: Settings::Platform, snapshot });
    let mut sim = env.boot();
    sim.advance_to(1.0);
    sim.expect_ended(Err(Cause::Interrupted));
    sim.expect_settled(&Settings::Platform);
}

#[test]
fn without_wps_a_start_is_refused_at_once_and_settings_can_be_changed() {
    let refused = Cause::Driver(ErrorKind::WithoutWps);
    for (settings, _) in all_modes() {
        let env = Environment::settled(settings.clone());
        env.air.set_fault(Some(RadioFault::WithoutWps));
        let mut sim = env.booted();
        sim.advance_to(10.0);
        assert_eq!(sim.press_button(), Some(Err(RequestError::Failed(refused))));
        assert!(!env.pair_called.get(), "the radio was not touched");
        sim.advance_to(10.5);
        sim.expect_settled(&settings);
        assert_eq!(sim.configure(station(home())), Some(Ok(())));
        sim.advance_to(40.0);
        sim.expect_ended(Ok(()));
        sim.expect_settled(&station(home()));
    }
}

#[test]
fn settings_that_an_idle_radio_lost_are_applied_again() {
    for (settings, _) in all_modes() {
        let env = Environment::settled(settings.clone());
        let mut sim = env.booted();
        sim.advance_to(10.0);
        env.air.restart_platform(None);
        sim.advance_to(10.05);
        sim.expect(Phase::Restoring);
        sim.advance_to(10.2);
        sim.expect_on_air(&settings);
        assert_eq!(sim.status().last, None);
        assert_eq!(sim.press_button(), Some(Ok(())));
    }
}

#[test]
fn the_last_result_is_kept_when_the_config_is_lost() {
    let env = Environment::settled(hotspot(None));
    let mut sim = start_pairing_at_10(&env);
    sim.press_router("home");
    sim.advance_to(20.0);
    sim.expect_ended(Ok(()));
    env.air.restart_platform(None);
    sim.advance_to(20.05);
    sim.expect(Phase::Restoring);
    sim.advance_to(21.0);
    sim.expect_ended(Ok(()));
    sim.expect_settled(&station(home()));
}

#[test]
fn a_config_lost_with_the_radio_is_reapplied_once_the_radio_is_back() {
    let env = Environment::settled(station(old()));
    let mut sim = env.booted();
    sim.advance_to(10.0);
    env.air.set_fault(Some(NO_DEVICE));
    env.air.restart_platform(None);
    sim.advance_to(60.0);
    sim.expect(Phase::Restoring);
    assert_eq!(sim.status().trouble, Some(ErrorKind::NoDevice.into()));
    env.air.set_fault(None);
    sim.advance_to(80.0);
    sim.expect_settled(&station(old()));
}
